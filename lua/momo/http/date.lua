---Dates as HTTP writes them, and the two older forms that it reads: RFC 9110, section 5.6.7. Locales and time zones
---of the system have no part in it.

local floor = math.floor

local M = {}

local DAYS = { "Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat" }
local MONTHS = { "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec" }
local LONG_DAYS = { "Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday" }
local DAY_SECONDS = 86400

local function set_of(list)
  local set = {}
  for i, name in ipairs(list) do
    set[name] = i
  end
  return set
end
local is_day, is_long_day, month_of = set_of(DAYS), set_of(LONG_DAYS), set_of(MONTHS)

---Seconds since 1970 at the end of the year 9999, the last that has four digits.
M.END = 253402300800

-- Years begin in March here, so that the leap day is the last of its year; eras are 400 years, of 146097 days.
local function days_of(year, month, day)
  year = month <= 2 and year - 1 or year
  local era = floor(year / 400)
  local year_of_era = year - era * 400
  local day_of_year = floor((153 * (month > 2 and month - 3 or month + 9) + 2) / 5) + day - 1
  return era * 146097 + year_of_era * 365 + floor(year_of_era / 4) - floor(year_of_era / 100) + day_of_year - 719468
end

local function civil_of(days)
  days = days + 719468
  local era = floor(days / 146097)
  local day_of_era = days - era * 146097
  local year_of_era = floor((day_of_era - floor(day_of_era / 1460) + floor(day_of_era / 36524)
    - floor(day_of_era / 146096)) / 365)
  local day_of_year = day_of_era - (365 * year_of_era + floor(year_of_era / 4) - floor(year_of_era / 100))
  local shifted = floor((5 * day_of_year + 2) / 153)
  local month = shifted < 10 and shifted + 3 or shifted - 9
  return year_of_era + era * 400 + (month <= 2 and 1 or 0), month, day_of_year - floor((153 * shifted + 2) / 5) + 1
end

local last_seconds, last_text

---@param seconds number since 1970
---@return string date such as "Sun, 06 Nov 1994 08:49:37 GMT"
function M.format(seconds)
  seconds = floor(seconds)
  if seconds == last_seconds then
    return last_text
  end
  local days = floor(seconds / DAY_SECONDS)
  local rest = seconds - days * DAY_SECONDS
  local year, month, day = civil_of(days)
  last_seconds = seconds
  last_text = ("%s, %02d %s %04d %02d:%02d:%02d GMT"):format(DAYS[(days + 4) % 7 + 1], day, MONTHS[month], year,
    floor(rest / 3600), floor(rest / 60) % 60, rest % 60)
  return last_text
end

local function seconds_of(year, month, day, hour, minute, second)
  year, day, hour, minute, second = tonumber(year), tonumber(day), tonumber(hour), tonumber(minute), tonumber(second)
  local _, _, last = civil_of(days_of(month == 12 and year + 1 or year, month % 12 + 1, 1) - 1)
  if day < 1 or day > last or hour > 23 or minute > 59 or second > 60 then -- 60: a leap second
    return nil
  end
  return days_of(year, month, day) * DAY_SECONDS + hour * 3600 + minute * 60 + second
end

-- Two digits name the year of that end which is at most 50 years ahead.
local function full_year(digits, now)
  local this_year = civil_of(floor(now / DAY_SECONDS))
  local year = this_year - this_year % 100 + tonumber(digits)
  return year > this_year + 50 and year - 100 or year
end

---@param text string
---@param now number? seconds since 1970: what a year of two digits is measured by
---@return number? seconds since 1970; nil: it is no date
function M.parse(text, now)
  local name, day, month, year, hour, minute, second =
    text:match "^(%a%a%a), (%d%d) (%a%a%a) (%d%d%d%d) (%d%d):(%d%d):(%d%d) GMT$"
  if name then
    return is_day[name] and month_of[month] and seconds_of(year, month_of[month], day, hour, minute, second)
  end
  name, day, month, year, hour, minute, second = text:match "^(%a+), (%d%d)-(%a%a%a)-(%d%d) (%d%d):(%d%d):(%d%d) GMT$"
  if name then
    return is_long_day[name] and month_of[month]
      and seconds_of(full_year(year, now or os.time()), month_of[month], day, hour, minute, second)
  end
  name, month, day, hour, minute, second, year =
    text:match "^(%a%a%a) (%a%a%a) ([ %d]%d) (%d%d):(%d%d):(%d%d) (%d%d%d%d)$"
  return name and is_day[name] and month_of[month] and seconds_of(year, month_of[month], day, hour, minute, second)
end

return M
