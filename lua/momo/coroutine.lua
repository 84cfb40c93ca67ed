---Coroutines inside of a task: as the standard library's, but an operation inside may suspend the task, so that
---generators can do I/O.

local native = require("momo.core").native

local enter, leave, parked, pass = native.enter, native.leave, native.parked, native.pass
local create, resume = coroutine.create, coroutine.resume

local M = {
  create = create,
  yield = coroutine.yield,
  status = coroutine.status,
  running = coroutine.running,
}

local function settle(co, ok, ...)
  if parked() then -- by an operation inside: wait with it
    local hand_on = pass()
    native.enter(co)
    return settle(co, resume(co, hand_on))
  end
  leave()
  return ok, ...
end

---@param co thread
---@return boolean ok
---@return any ...
function M.resume(co, ...)
  if type(co) == "thread" and enter(co) then
    return settle(co, resume(co, ...))
  end
  return resume(co, ...)
end

local function results(ok, ...)
  if not ok then
    error((...), 0)
  end
  return ...
end

---@param fn function
---@return fun(...: any): ...
function M.wrap(fn)
  local co = create(fn)
  return function(...)
    return results(M.resume(co, ...))
  end
end

return M
