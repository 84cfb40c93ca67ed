---Coroutines inside of a task: as the standard library's, but an operation inside may suspend the task, so that
---generators can do I/O. It may stand in place of the standard one: `coroutine = momo.coroutine`.
---
---A coroutine that waits in an operation can't be resumed by another task. One that yields must have left every scope
---and timeout that it entered: they would go on, and cancel who resumed it. Here that is an error; a standard coroutine
---that yields beneath a timeout does just that.

local check = require "momo.internal.check"
local names = require "momo.internal.names"
local native = require("momo.internal.core").native

local enter, leave, misled, parked, pass = native.enter, native.leave, native.misled, native.parked, native.pass
local current = native.current
-- From before this module is put in place of the global one.
local create, resume, status = coroutine.create, coroutine.resume, coroutine.status

local M = {}

---As `coroutine.yield` of the standard library.
---@type fun(...: any): ...: any
M.yield = coroutine.yield

---As `coroutine.running` of the standard library: nil in the main coroutine of a Lua state.
---@type fun(): co: thread?
M.running = coroutine.running

---As `coroutine.isyieldable` of the standard library.
---@type fun(): is_yieldable: boolean
M.isyieldable = coroutine.isyieldable

---Coroutines that wait in an operation.
local waiting = setmetatable({}, { __mode = "k" })

---Makes a coroutine, suspended before its first step.
---@param fn function
---@return thread co
function M.create(fn)
  check.argument(type(fn) == "function", "create: argument 1 must be a function", fn)
  return create(fn)
end

---What a coroutine is doing: "suspended", "running", "normal" (it has resumed another one, or waits in an operation) or
---"dead".
---@param co thread
---@return "suspended"|"running"|"normal"|"dead" status
function M.status(co)
  return waiting[co] and "normal" or status(co)
end

local function after_resume(co, before, ok, ...)
  if parked() then -- by an operation inside: wait with it
    local task = current()
    waiting[co] = true
    local answer = pass()
    waiting[co] = false
    if current() ~= task then
      misled(task)
      return false, "the task's coroutine was resumed by somebody else than the runtime"
    end
    return after_resume(co, before, resume(co, answer))
  end
  if leave(before) then
    return false, "a coroutine can't yield beneath a scope or a timeout that it has entered; leave that first"
  end
  return ok, ...
end

---Resumes a coroutine until it yields, returns or fails; suspends the task as often as an operation inside does.
---@async
---@param co thread
---@param ... any for its function, or what its yield returns
---@return boolean ok
---@return any ... what it yields or returns, or the error
function M.resume(co, ...)
  check.argument(type(co) == "thread", "resume: argument 1 must be a coroutine", co)
  if waiting[co] then
    return false, "cannot resume a coroutine that waits in an operation"
  end
  waiting[co] = false -- its place is there before it waits: where the task is parked nothing may fail
  local before = enter(co)
  if before then
    return after_resume(co, before, resume(co, ...))
  elseif before == false then
    return false, "C stack overflow: coroutines are resumed inside of each other, too many of them"
  end
  return resume(co, ...)
end

local function results(ok, ...)
  if not ok then
    error((...), 0)
  end
  return ...
end

---A function that resumes a coroutine of fn each time it is called, as `resume` does; its errors are raised.
---@param fn function
---@return fun(...: any): ... next
function M.wrap(fn)
  check.argument(type(fn) == "function", "wrap: argument 1 must be a function", fn)
  local co = create(fn)
  return function(...)
    return results(M.resume(co, ...))
  end
end

return names.module(M, "momo.coroutine")
