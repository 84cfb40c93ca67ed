-- Bytes of resident memory for each of N sleeping tasks, and the nanoseconds of CPU time to spawn and park one; on Momo
-- and on the floor, where a sleeping task is a parked coroutine and nothing else. Usage: memory.lua [N]

local runtime = rawget(_G, "floor") or require "momo"
local spawn, sleep = runtime.spawn, runtime.sleep or runtime.time.sleep
local n = tonumber((...)) or 1000000

local function resident_bytes()
  local file = assert(io.open "/proc/self/statm")
  local pages = file:read("*a"):match "^%d+ (%d+)"
  file:close()
  return pages * 4096
end

collectgarbage()
local before, begin = resident_bytes(), os.clock()
for _ = 1, n do
  spawn(sleep, 3600)
end
runtime.yield_now()
print("park", (os.clock() - begin) / n * 1e9)
collectgarbage()
print("sleeping", (resident_bytes() - before) / n)
os.exit(0)
