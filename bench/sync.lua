-- What tasks do with each other, in nanoseconds of CPU time: "name ns" for each sample. Each workload by itself, since
-- what the compiler makes of one depends on what ran before it.

local momo = require "momo"
local BURST, SAMPLES = 1000, 3

local function noop() end

-- Values through a channel, sent in bursts by one task and received by another.
local function channel(capacity)
  return function(count)
    local tx, rx = momo.sync.channel(capacity)
    local receiver = momo.spawn(function()
      for _ = 1, count do
        rx:recv()
      end
    end)
    for i = 1, count do
      tx:send(i)
      if i % BURST == 0 then
        momo.yield_now()
      end
    end
    receiver:join()
  end
end

local workloads = {
  channel = channel(),
  channel_128 = channel(128),
  ping_pong = function(count)
    local to, at_echo = momo.sync.channel()
    local back, here = momo.sync.channel()
    momo.spawn(function()
      for i = 1, count do
        at_echo:recv()
        back:send(i)
      end
    end)
    for i = 1, count do
      to:send(i)
      here:recv()
    end
  end,
  spawn_join = function(count)
    for _ = 1, count do
      momo.spawn(noop):join()
    end
  end,
  timeout = function(count)
    for _ = 1, count do
      momo.time.timeout(1, noop)
    end
  end,
  scope = function(count)
    for _ = 1, count / BURST do
      momo.scope(function(scope)
        for _ = 1, BURST do
          scope:spawn(noop)
        end
      end)
    end
  end,
}

local name = ...
local body = workloads[name]
local count = name:find "channel" and 1e6 or 1e5
body(count / 10)
for _ = 1, SAMPLES do
  local begin = os.clock()
  body(count)
  print(name, (os.clock() - begin) / count * 1e9)
end
