---spawn_blocking: what blocks or computes for long, without holding its thread up.

local check = require "momo.internal.check"
local native = require("momo.internal.core").native
local portable = require "momo.internal.portable"
local task = require "momo.internal.task"

local M = {}

---The worker's results, or its error.
local function results(job, again, ok, ...)
  if again then
    return results(job, native.blocking_wait(job))
  elseif not ok then -- also where no thread could be had
    error(..., 0)
  end
  return ...
end

local function wait(job)
  return results(job, native.blocking_wait(job))
end

---Makes a task that waits for fn(...), which runs on a pool of 8 threads, each with a Lua state that its calls share;
---more calls wait for their turn. The function has no upvalues but modules, which are required again there; arguments
---and results are copied, as those of a thread. It can't suspend. Its error comes with its traceback. Cancelling the
---task ends the waiting; work that has begun goes on, and the cancellation says so.
---@param fn function|string a function, or the name of a module that returns one
---@param ... any its arguments
---@return momo.Task task
function M.spawn_blocking(fn, ...)
  local code, modules = portable.dump(fn, "spawn_blocking")
  local ok, job = pcall(native.blocking_new, package.path, package.cpath, code, modules, select("#", ...), ...)
  if not ok then
    check.fail("spawn_blocking: " .. tostring(job))
  end
  return task.spawn(wait, job)
end

return M
