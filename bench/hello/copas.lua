local copas = require "copas"

copas.addthread(print, "hello")
copas.step(0)
