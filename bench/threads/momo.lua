-- Messages between two threads. Usage: momo.lua WORKLOAD SIZE COUNT
--
--   numbers, strings   one way through a channel of SIZE; strings are of 64 bytes, each another one
--   round_trip         to the other thread and back
--
-- Prints nanoseconds of wall-clock time a message, over COUNT of them. So do the programs beside this one; what a
-- program does not have it prints nothing for.

local momo = require "momo"
local WARM_UP = 10000

local name, size, count = ...
size, count = tonumber(size), tonumber(count)
local channel = momo.thread.channel
if not channel then
  os.exit(0)
end

-- The other thread: answers each message, or the last of so many.
local function answer(rx, back, each, ...)
  for _, total in ipairs { ... } do
    for i = 1, total do
      local value = rx:recv()
      if each or i == total then
        back:send(value)
      end
    end
  end
end

local to, at_peer = channel(size)
local back, here = channel(size)
local thread = momo.thread.spawn(answer, at_peer, back, name == "round_trip", WARM_UP, count)

local workloads = {
  numbers = function(total)
    for i = 1, total do
      to:send(i)
    end
    here:recv()
  end,
  strings = function(total)
    for i = 1, total do
      to:send(("%064d"):format(i))
    end
    here:recv()
  end,
  round_trip = function(total)
    for i = 1, total do
      to:send(i)
      here:recv()
    end
  end,
}

workloads[name](WARM_UP)
local begin = momo.time.now()
workloads[name](count)
print((momo.time.now() - begin) / count * 1e9)
assert(thread:join())
