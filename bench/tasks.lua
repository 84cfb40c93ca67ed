-- Tasks in nanoseconds of CPU time, on Momo and on the floor (bench/core/floor_bench.c): "name ns" for each sample.
-- Usage: tasks.lua [off]      off: without the JIT compiler, which slows down a loop around a C function that switches

local floor = rawget(_G, "floor")
local runtime = floor or require "momo"
local spawn, yield_now = runtime.spawn, runtime.yield_now
local BURST, SAMPLES = 1000, 3

if ... == "off" then
  jit.off()
end

local function noop() end

local function bench(name, count, body)
  body(math.ceil(count / 10))
  for _ = 1, SAMPLES do
    local begin = os.clock()
    body(count)
    print(name, (os.clock() - begin) / count * 1e9)
  end
end

-- Bursts: the task that spawns goes to the tail of the queue, and comes back when all have run.
bench("spawn", 200000, function(count)
  for _ = 1, count / BURST do
    for _ = 1, BURST do
      spawn(noop)
    end
    yield_now()
  end
end)

bench("yield_1", 500000, function(count)
  for _ = 1, count do
    yield_now()
  end
end)

-- While this task yields once, each of the others does.
local over = false
for _ = 1, 999 do
  spawn(function()
    while not over do
      yield_now()
    end
  end)
end
bench("yield_1000", 1000000, function(count)
  for _ = 1, count / 1000 do
    yield_now()
  end
end)
over = true
