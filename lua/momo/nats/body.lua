---Private: what is asked of JetStream, as JSON whose whole numbers have all their digits. Its times are nanoseconds;
---lua-cjson writes those of days as "8.64e+14", which the server does not take.

local each = require "momo.internal.each"
local json = require "momo.http.json"

local FIRST = 1e14 -- that lua-cjson writes so
local MARK = "\1" -- before the digits of such a number, which is written as a string at first

local function marked(value)
  if type(value) == "number" and value % 1 == 0 and math.abs(value) >= FIRST then
    return ("%s%.0f"):format(MARK, value)
  elseif type(value) ~= "table" then
    return value
  end
  local copy = setmetatable({}, getmetatable(value))
  for key, one in each(value) do
    copy[key] = marked(one)
  end
  return copy
end

---@param value any
---@return string text
return function(value)
  return (json.encode(marked(value)):gsub('"\\u0001(%-?%d+)"', "%1"))
end
