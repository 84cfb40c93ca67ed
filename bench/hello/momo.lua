-- Start-up: a line is printed by a task, and the program ends. So do the programs beside this one.

local momo = require "momo"
momo.time.sleep(0)
print "hello"
