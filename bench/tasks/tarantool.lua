-- Fibers of Tarantool; see momo.lua.

local fiber = require "fiber"
local HOUR, WARM_UP, SIZE_MAX = 3600, 1000, 10000 -- a fiber has a C stack of its own

local function noop() end
local function answer() return 7 end

local function resident_bytes()
  local file = assert(io.open "/proc/self/statm")
  local pages = file:read("*a"):match "^%d+ (%d+)"
  file:close()
  return pages * 4096
end

local workloads = {}

function workloads.spawn(size)
  return function(count)
    for _ = 1, math.ceil(count / size) do
      for _ = 1, size do
        fiber.new(noop)
      end
      fiber.yield()
    end
  end
end

function workloads.join()
  return function(count)
    for _ = 1, count do
      local task = fiber.new(noop)
      task:set_joinable(true)
      task:join()
    end
  end
end

function workloads.result()
  return function(count)
    for _ = 1, count do
      local task = fiber.new(answer)
      task:set_joinable(true)
      task:join()
    end
  end
end

function workloads.yield(size)
  for _ = 2, size do
    fiber.new(function()
      while true do
        fiber.yield()
      end
    end)
  end
  return function(count)
    for _ = 1, math.ceil(count / size) do
      fiber.yield()
    end
  end
end

-- Its channels have a capacity always.
function workloads.channel(size)
  return size > 0 and function(count)
    local channel = fiber.channel(size)
    local receiver = fiber.new(function()
      for _ = 1, count do
        channel:get()
      end
    end)
    receiver:set_joinable(true)
    for i = 1, count do
      channel:put(i)
    end
    receiver:join()
  end
end

function workloads.ping_pong()
  return function(count)
    local to, back = fiber.channel(1), fiber.channel(1)
    fiber.new(function()
      for _ = 1, count do
        back:put(to:get())
      end
    end)
    for i = 1, count do
      to:put(i)
      back:get()
    end
  end
end

local name, size, count = ...
size, count = tonumber(size), tonumber(count)

local function measure(body)
  body(WARM_UP)
  local begin = os.clock()
  body(count)
  return (os.clock() - begin) / count * 1e9
end

local function cancel(n)
  for _ = 1, n do
    local task = fiber.new(fiber.sleep, HOUR)
    task:set_joinable(true)
    fiber.yield()
    task:cancel()
    task:join()
  end
end

if name == "asleep" and size <= SIZE_MAX then
  collectgarbage()
  local before, begin = resident_bytes(), os.clock()
  for _ = 1, size do
    fiber.new(fiber.sleep, HOUR)
  end
  fiber.yield()
  local cpu = os.clock() - begin
  collectgarbage()
  print(cpu / size * 1e9, (resident_bytes() - before) / size, measure(cancel))
elseif workloads[name] and size <= SIZE_MAX then
  local body = workloads[name](size)
  if body then
    print(measure(body))
  end
end
os.exit(0)
