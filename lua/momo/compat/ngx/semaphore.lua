---What `require "ngx.semaphore"` gives: permits that anybody may add to.

local sync = require "momo.sync"

local M = { version = "0.1.28" }

---@class momo.compat.ngx.Semaphore
---@field permits momo.Semaphore
---@field waiting table<integer, table> who waits and has been given nothing yet, the longest first
local Semaphore = {}
Semaphore.__index = Semaphore

---@param n integer?
---@return momo.compat.ngx.Semaphore? semaphore
---@return string? err
function M.new(n)
  n = tonumber(n) or 0
  if n < 0 then
    error("no negative number", 2)
  end
  return setmetatable({ permits = sync.Semaphore(math.floor(n)), waiting = {} }, Semaphore)
end

---@param n integer?
---@return boolean ok
function Semaphore:post(n)
  n = math.floor(tonumber(n) or 1)
  if n < 1 then
    error("positive number required", 2)
  end
  for _ = 1, n do
    table.remove(self.waiting, 1)
    self.permits:release()
  end
  return true
end

---@async
---@param timeout number? seconds; 0 only tries
---@return boolean? ok
---@return string? err
function Semaphore:wait(timeout)
  timeout = tonumber(timeout) or 0
  if timeout < 0 then
    error("no negative number", 2)
  end
  if self.permits:acquire(0) then
    return true
  elseif timeout == 0 then
    return nil, "timeout"
  end
  local mark = {}
  table.insert(self.waiting, mark)
  local ok, got = pcall(self.permits.acquire, self.permits, timeout)
  for i, one in ipairs(self.waiting) do
    if one == mark then
      table.remove(self.waiting, i)
      break
    end
  end
  if not ok then
    error(got, 0)
  elseif not got then
    return false, "timeout" -- as nginx has it, after a wait
  end
  return true
end

---@return integer permits less than 0: how many wait
function Semaphore:count()
  return self.waiting[1] and -#self.waiting or self.permits:available()
end

return M
