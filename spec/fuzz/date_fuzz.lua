---Dates: what is read is written so that it is read as the same second.

local date = require "momo.http.date"

local NOW = 1700000000

return function(text)
  local seconds = date.parse(text, NOW)
  if seconds then
    assert(seconds % 1 == 0 and seconds <= date.END, seconds)
    assert(seconds == date.END or date.parse(date.format(seconds), NOW) == seconds, seconds) -- a leap second ends 9999
  end
end
