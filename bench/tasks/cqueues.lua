-- Tasks on cqueues; see momo.lua.

local cqueues, condition = require "cqueues", require "cqueues.condition"
local promise = require "cqueues.promise"
local HOUR, WARM_UP, SIZE_MAX = 3600, 1000, 100000

local loop = cqueues.new()

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
        loop:wrap(noop)
      end
      cqueues.sleep(0)
    end
  end
end

function workloads.join()
  return function(count)
    for _ = 1, count do
      promise.new(noop):get()
    end
  end
end

function workloads.result()
  return function(count)
    for _ = 1, count do
      promise.new(answer):get()
    end
  end
end

function workloads.yield(size)
  for _ = 2, size do
    loop:wrap(function()
      while true do
        cqueues.sleep(0)
      end
    end)
  end
  return function(count)
    for _ = 1, math.ceil(count / size) do
      cqueues.sleep(0)
    end
  end
end

-- It has no channels; a queue is a table and a condition.
function workloads.ping_pong()
  return function(count)
    local to, back = condition.new(), condition.new()
    local ball
    loop:wrap(function()
      for _ = 1, count do
        while ball ~= "to" do
          to:wait()
        end
        ball = "back"
        back:signal()
      end
    end)
    for _ = 1, count do
      ball = "to"
      to:signal()
      while ball ~= "back" do
        back:wait()
      end
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

-- It has no cancellation; who sleeps waits for a condition as well.
local function cancel(n)
  for _ = 1, n do
    local cancelled, asleep = condition.new(), false
    local task = promise.new(function()
      asleep = true
      cancelled:wait(HOUR)
    end)
    while not asleep do
      cqueues.sleep(0)
    end
    cancelled:signal()
    task:get()
  end
end

loop:wrap(function()
  if name == "asleep" and size <= SIZE_MAX then
    collectgarbage()
    local before, begin = resident_bytes(), os.clock()
    for _ = 1, size do
      loop:wrap(cqueues.sleep, HOUR)
    end
    cqueues.sleep(0)
    local cpu = os.clock() - begin
    collectgarbage()
    print(cpu / size * 1e9, (resident_bytes() - before) / size, measure(cancel))
  elseif workloads[name] and size <= SIZE_MAX then
    print(measure(workloads[name](size)))
  end
  os.exit(0)
end)
assert(loop:loop())
