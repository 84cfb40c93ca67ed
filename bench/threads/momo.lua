-- Messages between two threads, on the first two CPUs. Usage: momo.lua WORKLOAD SIZE COUNT
--
--   numbers, strings   one way through a channel of SIZE; strings are of 64 bytes, each another one
--   round_trip         to the other thread and back, both of which sleep until something comes
--   anywhere           the same, wherever the system lets them run
--   busy               as round_trip; both threads have another task that never sleeps
--   start              a thread, from the call that starts it until its function runs
--
-- Prints nanoseconds of wall-clock time a message (or thread), over COUNT of them. So do the programs beside this one;
-- what a program does not have it prints nothing for.

local momo = require "momo"
local WARM_UP, TRIPS_WARM_UP, STARTS_WARM_UP = 10000, 1000, 10

local name, size, count = ...
size, count = tonumber(size), tonumber(count)
local function start()
  local sum = 0
  for i = 1, STARTS_WARM_UP + count do
    local begin = momo.time.now()
    local _, running = assert(momo.thread.spawn(function()
      return momo.time.now()
    end):join())
    sum = sum + (i > STARTS_WARM_UP and running - begin or 0)
  end
  print(sum / count * 1e9)
end

-- The other thread: answers each message, or the last of so many.
local function answer(rx, back, each, busy, ...)
  local company = busy and momo.spawn(function()
    while true do
      momo.yield_now()
    end
  end)
  for _, total in ipairs { ... } do
    for i = 1, total do
      local value = rx:recv()
      if each or i == total then
        back:send(value)
      end
    end
  end
  if company then
    company:cancel()
  end
end

local function messages(value)
  local each, busy, pinned = name ~= "numbers" and name ~= "strings", name == "busy", name ~= "anywhere"
  local warm_up = each and TRIPS_WARM_UP or WARM_UP
  local to, at_peer = momo.thread.channel(size)
  local back, here = momo.thread.channel(size)
  local thread = momo.thread.spawn({ cpu = pinned and 1 or nil }, answer, at_peer, back, each, busy, warm_up,
    count)
  local company = busy and momo.spawn(function()
    while true do
      momo.yield_now()
    end
  end)
  local function run(total)
    for i = 1, total do
      to:send(value(i))
      if each then
        here:recv()
      end
    end
    if not each then
      here:recv()
    end
  end
  if pinned then
    momo.thread.pin(0)
  end
  run(warm_up)
  local begin = momo.time.now()
  run(count)
  print((momo.time.now() - begin) / count * 1e9)
  if company then
    company:cancel()
  end
  assert(thread:join())
end

if name == "start" then
  start()
elseif name == "strings" then
  messages(function(i)
    return ("%064d"):format(i)
  end)
else
  messages(function(i)
    return i
  end)
end
