---Tasks: spawn, run, join, cancel.
---
---A task is a coroutine that the executor resumes. It runs until it suspends, on the thread that spawned it, and
---waits for one thing at a time.

local check = require "momo.internal.check"
local names = require "momo.internal.names"
local report = require "momo.internal.report"
local show = require "momo.internal.show"
local core = require "momo.internal.core"
local C, native = core.first, core.native

local join, cancel, getmetatable = native.join, native.cancel, getmetatable

---A task: a coroutine that the executor resumes. One that fails hurts no other; if nobody is joining it, it is shown on
---stderr with its traceback, and the momo command ends with status 1 if it is still unjoined at the end.
---@class momo.Task
---@field locals table values of the task's own, such as a request's id; a task that it spawns starts with a copy
local Task = native.metatables.task
---@class momo.Task
local methods = {}
Task.__name = "momo.Task"

---Methods, and `locals`.
function Task:__index(key)
  local method = methods[key]
  if method then
    return method
  elseif key == "locals" then
    local fields = native.fields(self)
    fields.locals = fields.locals or {}
    native.has_locals(self)
    return fields.locals
  end
  names.missing(methods, "task", key)
end

function Task:__tostring()
  local name = native.fields(self).name
  return ("momo.Task %d%s (%s)"):format(native.id(self), name and " '" .. name .. "'" or "", native.status(self))
end

---The name that errors and reports show beside the task's number.
---@param name string
function methods:set_name(name)
  check.self(self, Task, "task", "set_name")
  check.argument(check.is_text(name), "set_name: argument 1 must be a string without a zero byte", name)
  native.set_name(self, name)
end

---The error that a cancelled task raises; `momo.is_cancelled` recognises one.
---@class momo.Cancelled
---@field reason any what was given to `task:cancel`
---@field goes_on boolean? what it waited for goes on: see spawn_blocking
local Cancelled = native.metatables.cancelled
Cancelled.__name = "momo.Cancelled"
Cancelled.__index = Cancelled

function Cancelled:__tostring()
  local text = self.reason == nil and "cancelled" or "cancelled: " .. show.text(self.reason)
  return self.goes_on and text .. " (the blocking work that it waited for goes on)" or text
end

local M = { Cancelled = Cancelled }

---Makes a task that calls fn(...), and puts it at the tail of this thread's ready queue: it starts when the caller
---suspends. It never moves to another thread.
---@type fun(fn: function, ...: any): task: momo.Task
M.spawn = native.spawn

---As `spawn`, but the task keeps no process alive: it is cancelled when all other tasks have ended, or wait for
---signals, and the threads too. The children of its scopes are daemons as well. For what serves others: reapers of
---pools, timers, writers of logs.
---@type fun(fn: function, ...: any): task: momo.Task
M.spawn_daemon = native.spawn_daemon

---Lets the other tasks that are ready run: goes to the tail of the ready queue.
---@async
---@type fun()
M.yield_now = native.yield_now

---The task that runs, or nil outside of one.
---@type fun(): task: momo.Task?
M.current = native.current

---Ends the run, in two phases. First, servers (`momo.net.serve`, `momo.http.serve`) of this thread and of those that it
---started close their listeners and bring to an end what they have begun, as long as their `drain` says; everything
---else goes on, as they may depend on it. Then every task is cancelled, the caller too, and the threads are stopped.
---`run` returns, without an error, when all have ended.
---@type fun()
M.stop = native.stop

local number = core.new "double[1]"

-- How a task ended. Without a C function of Lua's, which would end the trace, where that is told by a number or less.
local function outcome(task)
  local kind = C.momo_task_result(task, number)
  if kind == C.MOMO_NOTHING then
    return true
  elseif kind == C.MOMO_NUMBER then
    return true, number[0]
  end
  return native.outcome(task)
end

---Why a join has ended before the task. Raises a cancellation.
local function give_up(task, timeout)
  local again, err, code
  repeat again, err, code = join(task, timeout) until not again
  if err then
    return nil, err, code
  end
  return outcome(task)
end

---Waits for the task's end. May be repeated, by several tasks.
---@async
---@param timeout number? seconds; 0 only tries
---@return boolean? ok
---@return any ... what its function returned; false: the error that it ended with; nil: the time was over (ETIMEDOUT)
function methods:join(timeout)
  if getmetatable(self) ~= Task then
    check.self(self, Task, "task", "join")
  end
  if join(self, timeout) then
    return give_up(self, timeout)
  end
  return outcome(self)
end

---What the task is doing, or how it ended.
---@type fun(self: momo.Task): status: "ready"|"running"|"waiting"|"done"|"failed"|"cancelled"
methods.status = native.status

---The task's number, counted up from 1 by each executor.
---@type fun(self: momo.Task): id: integer
methods.id = native.id

---Where the task is, or where it failed.
---@type fun(self: momo.Task): traceback: string
methods.traceback = native.traceback

---Its pending operation raises `momo.Cancelled`, and so does each later suspending call. A task that has not begun
---never does. An operation that had completed keeps its result: the next one raises. Cancelling twice, or what has
---ended, does nothing. A task that goes on catching its cancellation is given up after 100 times.
---@param reason any
function methods:cancel(reason)
  if getmetatable(self) ~= Task then
    check.self(self, Task, "task", "cancel")
  end
  cancel(self, reason)
end

---Whether an error is a cancellation.
---@param err any
---@return boolean is_cancelled
function M.is_cancelled(err)
  return getmetatable(err) == Cancelled
end

local function let_through(ok, err, ...)
  if not ok and getmetatable(err) == Cancelled then
    error(err, 0)
  end
  return ok, err, ...
end

---`pcall` that lets a cancellation through.
---@async
---@param fn function
---@param ... any its arguments
---@return boolean ok
---@return any ... what fn returns, or its error
function M.pcall(fn, ...)
  return let_through(pcall(fn, ...))
end

---Failures of tasks and threads that nobody joins are told to fn from now on, in place of stderr or the log, in this
---thread; `nil`: as before. What it was told of does not count as a failure of the `momo` command.
---@param fn fun(err: any, source: momo.Task|momo.Thread)? may not suspend
---@return fun(err: any, source: momo.Task|momo.Thread)? before
function M.on_error(fn)
  check.argument(fn == nil or type(fn) == "function", "on_error: argument 1 must be a function", fn)
  return report.set_handler(fn)
end

local function with_traceback(handle, ok, ...)
  if ok then
    return ok, ...
  end
  return ok, ..., native.traceback(handle)
end

local LISTED_MAX = 20

---Why no task can be woken: the poller has failed; or who waits for what, and where.
local function describe_stuck(rows, poller, code)
  if not rows then
    local _, err, name = core.failure(code)
    local hint = name == "ENOMEM" and "" or "; a descriptor of Momo's may have been closed"
    return ("run: the poller (%s) fails for good: %s%s"):format(poller, err, hint)
  end
  local live = require "momo.internal.live"
  local lines = { "run: every task waits for another one, and nothing can wake any of them:" }
  local nowhere = false
  for i = 1, math.min(#rows, LISTED_MAX) do
    local row = rows[i]
    local place = live.place(row)
    lines[i + 1] = ("  %s in %s at %s"):format(native.task_name(row.task), live.operation(row), place)
    nowhere = nowhere or place == "?"
  end
  if #rows > LISTED_MAX then
    lines[#lines + 1] = ("  and %d more"):format(#rows - LISTED_MAX)
  end
  if nowhere then
    lines[#lines + 1] = "  (?: in a function of Momo's that was spawned by itself; momo.measure(true) notes where)"
  end
  return table.concat(lines, "\n")
end

---Measures what each task runs, and notes where tasks are spawned, for `momo.tasks`. That costs two looks at the clock
---for each switch to a task, and nothing once it is off.
---
---Codes: ENOMEM.
---@param on boolean
---@return boolean? was whether it was on before
---@return string? err
---@return string? code
function M.measure(on)
  check.argument(type(on) == "boolean", "measure: argument 1 must be a boolean", on)
  return native.measure(on)
end

---@class momo.RunOptions
---@field on_error fun(err: any, source: momo.Task|momo.Thread)? is called for each failure that nobody joins
---@field measure boolean? see `momo.measure`; until the run ends
---@field stall number? seconds: a task of this thread that computes for so long while others wait is told on stderr
---@field grace number? seconds that a thread has to hear of a stop, then it is left behind; 3, or what its parent has
---@field clock "virtual"? time begins at 0 and moves only when every task waits, straight to the next deadline

---Runs main as the first task until every task has ended. The options are those of `run`.
---@param options momo.RunOptions
---@param main function
---@return boolean? ok nil: it was stopped before main ended
---@return any ... what main returned, or its error and traceback
function M.start(options, main, ...)
  local before = options.on_error and report.set_handler(options.on_error)
  if options.clock == "virtual" then
    native.set_virtual(true)
  end
  native.set_grace(options.grace)
  local measured = options.measure and M.measure(true)
  native.set_stall(options.stall)
  local handle, stuck = native.run(report.tell, describe_stuck, main, ...)
  if options.clock == "virtual" then
    native.set_virtual(false)
  end
  if measured == false then
    M.measure(false)
  end
  if options.on_error then
    report.set_handler(before)
  end
  if stuck then
    return false, stuck
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
      err = report.describe(err, traceback)
    end
    error(err, 0)
  end
end

---Runs main as the first task, and returns what it returned once every task has ended. An error of main cancels the
---other tasks and is raised with its traceback; nothing is returned when `stop` came before main's end. Throws inside a
---task, and when every task waits for another one: the error lists who waits for what, and where. Throws too when the
---system does not let it wait for events any more, as after something else has closed the poller's descriptor.
---@overload fun(main: function, ...: any): ...
---@param options momo.RunOptions
---@param ... any main and its arguments
---@return any ... what main returned
function M.run(options, ...)
  if type(options) == "function" then
    return results(M.start({}, options, ...))
  end
  local main = ...
  if type(options) ~= "table" then
    check.fail("run: argument 1 must be a function, or a table of options and then a function, got "
      .. type(options) .. " (write run(main), not run(main()))")
  elseif type(main) ~= "function" then
    check.fail("run: argument 2 must be a function, got " .. type(main))
  end
  check.options(options, { on_error = "function", clock = "string", grace = "number", measure = "boolean",
    stall = "number" }, "run")
  if options.clock and options.clock ~= "virtual" then
    check.fail(("run: option clock must be \"virtual\", got %q"):format(options.clock))
  end
  local grace = options.grace
  if grace and (grace <= 0 or grace ~= grace) then
    check.fail(("run: option grace must be a number of seconds, more than 0, got %s"):format(grace))
  end
  local stall = options.stall
  if stall and not (stall >= 0 and stall < 1e6) then
    check.fail(("run: option stall must be a number of seconds, 0 or more, got %s"):format(stall))
  end
  return results(M.start(options, ...))
end

return M
