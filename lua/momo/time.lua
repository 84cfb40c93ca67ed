---Time: seconds as numbers.

local core = require "momo.core"
local C, executor = core.C, core.executor
local sleep, sleep_until = core.native.sleep, core.native.sleep_until

local M = {}

---Monotonic seconds, from an arbitrary beginning.
---@return number
function M.now()
  return C.momo_now(executor)
end

---Seconds since 1970, as the system's clock has them.
---@return number
function M.wall()
  return C.momo_wall()
end

---Never ends early. 0 yields; math.huge sleeps until the task is cancelled.
---@async
---@param seconds number 0 or more
function M.sleep(seconds)
  while sleep(seconds) do end
end

---@async
---@param t number a time of `now`; one that has passed yields
function M.sleep_until(t)
  while sleep_until(t) do end
end

return M
