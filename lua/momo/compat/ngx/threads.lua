---Light threads are tasks.

local check = require "momo.internal.check"
local select_first = require("momo.internal.select").select
local tasks = require "momo.internal.task"

local M = {}

local taken = setmetatable({}, { __mode = "k" }) -- tasks whose end somebody has heard of, or that were killed

---Runs fn in a task. It has begun when this returns, up to where it first waits.
---@async
---@param fn function
---@param ... any its arguments
---@return momo.Task thread
function M.spawn(fn, ...)
  local task = tasks.spawn(fn, ...)
  tasks.yield_now()
  return task
end

local function heard(task, ...)
  taken[task] = true
  return ...
end

local function heard_first(threads, index, ...)
  return heard(threads[index], ...)
end

---Waits for the first of them to end.
---@async
---@param ... momo.Task
---@return boolean? ok
---@return any ... what it returned, or its error
function M.wait(...)
  local threads = { ... }
  check.argument(threads[1], "wait: argument 1 must be a thread", nil)
  for _, thread in ipairs(threads) do
    if taken[thread] then
      return nil, "already waited or killed"
    end
  end
  if not threads[2] then
    return heard(threads[1], threads[1]:join())
  end
  return heard_first(threads, select_first(threads))
end

---Cancels it.
---@param thread momo.Task
---@return 1? ok
---@return string? err
function M.kill(thread)
  local status = thread:status()
  if taken[thread] then
    return nil, "already waited or killed"
  elseif status == "done" or status == "failed" or status == "cancelled" then
    return nil, "already terminated"
  end
  taken[thread] = true
  thread:cancel "killed"
  return 1
end

return M
