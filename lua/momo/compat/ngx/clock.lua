---Times as nginx tells them. Nothing is cached: update_time has nothing to do.

local date = require "momo.http.date"
local time = require "momo.time"

local M = {}

---@return number seconds since 1970, to the millisecond
function M.now()
  return math.floor(time.wall() * 1000) / 1000
end

---@return integer seconds since 1970
function M.time()
  return math.floor(time.wall())
end

function M.update_time() end

function M.today()
  return os.date "%Y-%m-%d"
end

function M.localtime()
  return os.date "%Y-%m-%d %H:%M:%S"
end

function M.utctime()
  return os.date "!%Y-%m-%d %H:%M:%S"
end

M.http_time, M.parse_http_time = date.format, date.parse

---@param seconds integer since 1970
---@return string such as "Thu, 18-Nov-10 11:27:35 GMT"
function M.cookie_time(seconds)
  local text = date.format(seconds)
  local year = text:sub(13, 16)
  return ("%s, %s-%s-%s %s"):format(text:sub(1, 3), text:sub(6, 7), text:sub(9, 11),
    tonumber(year) > 2037 and year or year:sub(3), text:sub(18))
end

---@async
---@param seconds number
function M.sleep(seconds)
  if type(seconds) ~= "number" and not tonumber(seconds) or tonumber(seconds) < 0 then
    error(("bad argument #1 to 'sleep' (invalid sleep duration \"%s\")"):format(tostring(seconds)), 2)
  end
  time.sleep(tonumber(seconds))
end

return M
