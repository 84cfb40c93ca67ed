---What `require "ngx.semaphore"` gives: permits that anybody may add to.

local sync = require "momo.sync"

local M = { version = "0.1.28" }

---@class momo.compat.ngx.Semaphore
---@field permits momo.Semaphore
---@field waiting integer
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
  return setmetatable({ permits = sync.Semaphore(n), waiting = 0 }, Semaphore)
end

---@param n integer?
---@return boolean ok
function Semaphore:post(n)
  n = tonumber(n) or 1
  if n < 1 then
    error("positive number required", 2)
  end
  for _ = 1, n do
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
  if self.permits:acquire(0) then
    return true
  end
  self.waiting = self.waiting + 1
  local ok, got = pcall(self.permits.acquire, self.permits, timeout)
  self.waiting = self.waiting - 1
  if not ok then
    error(got, 0)
  end
  return got or false, not got and "timeout" or nil
end

---@return integer permits less than 0: how many wait
function Semaphore:count()
  return self.waiting > 0 and -self.waiting or self.permits:available()
end

return M
