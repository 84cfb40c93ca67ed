---The two phases of a stop. In the first, servers take no more and bring to an end what they have begun, while all that
---they may depend on goes on; in the second, every task is cancelled. See core/loop/drain.h.

local core = require "momo.internal.core"
local names = require "momo.internal.names"
local waitable = require "momo.internal.waitable"

local C, executor, native = core.first, core.executor, core.native
local traceback_capture, rethrow = native.traceback_capture, native.rethrow

local M = {}

local queue = native.queue "until_draining"
native.drain_queue(queue)

---Whether a stop has begun: `momo.stop`, or under the momo command a first SIGINT or SIGTERM. A handler that would wait
---for a further request ends instead.
---@return boolean draining
function M.draining()
  return C.momo_draining(executor) ~= 0
end

---@class momo.Draining
---@private
local Draining = { __name = "momo.Draining" }
names.objects(Draining, "waitable")

waitable[Draining] = {
  is_ready = M.draining,
  consume = function() return true end,
  waiters = function(self) return queue, self end,
  woken = function() return true end,
}

local draining = setmetatable({}, Draining)

---For `select`: ready once a stop has begun. A task that waits for that keeps no program running: when nothing else can
---happen, it is ready as well.
---@return momo.Draining waitable
function M.until_draining()
  return draining
end

local function conclude(ok, ...)
  native.drain_end_serving()
  if not ok then
    rethrow((...))
  elseif M.draining() then -- what its caller does next may be what others, who drain longer, depend on
    while native.drain_wait() do end
    native.check_cancelled()
  end
  return ...
end

---Calls fn, which serves: the second phase waits for its end. It returns after that has begun, if a stop has.
---@async
---@param fn async fun(...: any): ...
---@return any ... what it returns
function M.serving(fn, ...)
  native.drain_begin_serving()
  return conclude(xpcall(fn, traceback_capture, ...))
end

return M
