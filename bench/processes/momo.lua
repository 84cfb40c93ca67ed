-- Other programs from Momo. Usage: momo.lua COUNT AT_ONCE: prints how many ns a start of /bin/true and its end take.

local momo = require "momo"

local count, at_once = tonumber(arg[1]), tonumber(arg[2])

local function run(n)
  for _ = 1, n do
    assert(momo.process.spawn { "/bin/true" }):wait()
  end
end

run(10)
local begin = momo.time.now()
momo.scope(function(scope)
  for _ = 1, at_once do
    scope:spawn(run, count / at_once)
  end
end)
print((momo.time.now() - begin) / count * 1e9)
