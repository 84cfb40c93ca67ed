local cqueues = require "cqueues"

local loop = cqueues.new()
loop:wrap(function()
  cqueues.sleep(0)
  print "hello"
end)
assert(loop:loop())
