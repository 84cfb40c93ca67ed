-- Other programs from luv; see momo.lua.

local uv = require "luv"

local count, at_once = tonumber(arg[1]), tonumber(arg[2])

local function run(n, done)
  if n == 0 then
    return done and done()
  end
  local child
  child = uv.spawn("/bin/true", {}, function()
    child:close()
    run(n - 1, done)
  end)
end

run(10)
uv.run()
local begin = uv.hrtime()
for _ = 1, at_once do
  run(count / at_once)
end
uv.run()
print((uv.hrtime() - begin) / count)
