---Tasks: spawn, run, join, cancel.
---
---A task is a coroutine that the executor resumes. It runs until it suspends, on the thread that spawned it, and waits for
---one thing at a time.

local check = require "momo.check"
local native = require("momo.core").native

local join, outcome = native.join, native.outcome

---@class momo.Task
local Task = native.metatables.task
Task.__name = "momo.Task"
Task.__index = Task

function Task:__tostring()
  return ("momo.Task %d (%s)"):format(native.id(self), native.status(self))
end

---@class momo.Cancelled
---@field reason any what was given to `task:cancel`
local Cancelled = native.metatables.cancelled
Cancelled.__name = "momo.Cancelled"
Cancelled.__index = Cancelled

function Cancelled:__tostring()
  return self.reason == nil and "cancelled" or "cancelled: " .. tostring(self.reason)
end

local M = { Cancelled = Cancelled }

---Makes a task and puts it at the tail of this thread's ready queue. It never moves to another thread.
---@type fun(fn: function, ...: any): momo.Task
M.spawn = native.spawn

---Goes to the tail of the ready queue.
---@async
---@type fun()
M.yield_now = native.yield_now

---The task that runs, or nil outside of one.
---@type fun(): momo.Task?
M.current = native.current

---Cancels every task of this executor, the caller too, and stops the threads that it started. `run` returns, without an
---error, when all have ended.
---@type fun()
M.stop = native.stop

---Waits for the task's end.
---@async
---@return boolean ok
---@return any ... what its function returned, or the error it ended with
function Task:join()
  while join(self) do end
  return outcome(self)
end

---"ready" | "running" | "waiting" | "done" | "failed" | "cancelled"
---@type fun(self: momo.Task): string
Task.status = native.status

---Counted up from 1 by each executor.
---@type fun(self: momo.Task): integer
Task.id = native.id

---Where the task is, or where it failed.
---@type fun(self: momo.Task): string
Task.traceback = native.traceback

---Its pending operation raises momo.Cancelled, and so does each later suspending call. A task that has not begun never
---does. An operation that had completed keeps its result. Cancelling twice, or what has ended, does nothing.
---@type fun(self: momo.Task, reason: any)
Task.cancel = native.cancel

---@param err any
---@return boolean
function M.is_cancelled(err)
  return getmetatable(err) == Cancelled
end

local function let_through(ok, err, ...)
  if not ok and getmetatable(err) == Cancelled then
    error(err, 0)
  end
  return ok, err, ...
end

---pcall that lets a cancellation through.
---@param fn function
---@return boolean ok
---@return any ...
function M.pcall(fn, ...)
  return let_through(pcall(fn, ...))
end

---An error as text, with the place where it happened.
---@param err any
---@param traceback string?
---@return string
function M.describe(err, traceback)
  local ok, text = pcall(tostring, err)
  if not ok or type(text) ~= "string" then
    text = "(error object whose __tostring failed)"
  end
  if traceback and traceback ~= "" then
    text = text .. "\n" .. traceback
  end
  return text
end

local function report_on_stderr(err, traceback)
  io.stderr:write("momo: ", M.describe(err, traceback), "\n")
end

local function with_traceback(handle, ok, ...)
  if ok then
    return ok, ...
  end
  return ok, ..., native.traceback(handle)
end

---Runs main as the first task until every task has ended.
---@param on_error fun(err: any, task: momo.Task)?
---@param main function
---@return boolean? ok nil: it was stopped before main ended
---@return any ... what main returned, or its error and traceback
function M.start(on_error, main, ...)
  local report = on_error and function(err, _, task) on_error(err, task) end or report_on_stderr
  local handle, deadlock = native.run(report, main, ...)
  if deadlock then
    return false, "run: every task waits for another one: " .. deadlock
  elseif handle then
    return with_traceback(handle, outcome(handle))
  end
end

local function results(ok, ...)
  if ok then
    return ...
  elseif ok == false then
    local err, traceback = ...
    if type(err) == "string" then
      err = M.describe(err, traceback)
    end
    error(err, 0)
  end
end

---Runs main as the first task, and returns what it returned once every task has ended. An error of main cancels the other
---tasks and is raised with its traceback; nothing is returned when `stop` came before main's end.
---
---options.on_error(err, task) is called for each failed task that nobody joins; without it, they are shown on stderr.
---@overload fun(main: function, ...: any): ...
---@param options {on_error: fun(err: any, task: momo.Task)?}
---@param main function
---@return any ...
function M.run(options, main, ...)
  if type(options) == "function" then
    return results(M.start(nil, options, main, ...))
  end
  if type(options) ~= "table" then
    error("run: argument 1 must be a function, or a table of options and then a function, got "
      .. type(options) .. " (write run(main), not run(main()))", 2)
  elseif type(main) ~= "function" then
    error("run: argument 2 must be a function, got " .. type(main), 2)
  end
  options = check.options(options, { on_error = "function" }, "run")
  return results(M.start(options.on_error, main, ...))
end

return M
