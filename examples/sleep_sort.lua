-- Sorts numbers by sleeping: a task for each number, which sleeps that many tenths of a second.
--
--    ./dev run examples/sleep_sort.lua [NUMBER...]

local momo = require "momo"

local TENTH = 0.1

local numbers = {}
for i, word in ipairs(#arg > 0 and arg or { "12", "3", "20", "7" }) do
  numbers[i] = tonumber(word)
  if not numbers[i] or numbers[i] < 0 then
    error(("'%s' is not a number from 0"):format(word), 0)
  end
end

io.stdout:setvbuf "line"
print("unsorted: " .. table.concat(numbers, " "))
local start = momo.time.now()
local sorted, sleepers = {}, {}
for i, n in ipairs(numbers) do
  sleepers[i] = momo.spawn(function()
    momo.time.sleep_until(start + n * TENTH) -- from one start for all, so equal steps keep their distance
    print(n)
    sorted[#sorted + 1] = n
  end)
end
for _, sleeper in ipairs(sleepers) do
  assert(sleeper:join())
end
print("sorted:   " .. table.concat(sorted, " "))
