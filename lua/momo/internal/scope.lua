---Structured concurrency: what is started in a scope has ended when the scope returns.
---
---A scope, a timeout and a shield are each a stretch of the calling task's work; a scope has children besides, which
---are tasks. Errors that pass through keep the traceback of where they happened.

local check = require "momo.internal.check"
local names = require "momo.internal.names"
local report = require "momo.internal.report"
local show = require "momo.internal.show"
local core = require "momo.internal.core"
local task = require "momo.internal.task"

local C, executor, native = core.first, core.executor, core.native
local type = type
assert(C.momo_scope_leave) -- to look it up the first time allocates, and where a scope is left nothing may fail
local traceback_capture, rethrow = native.traceback_capture, native.rethrow
local scope_enter, scope_leave, scope_spawn = native.scope_enter, native.scope_leave, native.scope_spawn
local is_cancelled, Cancelled = task.is_cancelled, task.Cancelled

-- A scope's raw scope is its `spawns_in`, until it has a limit or has ended. So one look-up tells it from all else,
-- where getmetatable would be several; what finds nothing there is checked in full. Its `spawn` is a field of its own:
-- there it is found at once.

---A scope, as `momo.scope` gives it to its function: it ends when every task that was spawned in it has ended.
---@class momo.Scope
local Scope = {
  __name = "momo.Scope", cancelled = false, ended = false, left = false, deferred = false,
}
Scope.__index = Scope

local M = {}

-- Scopes that have been left serve again: a fresh one costs the collector more than all the rest.
local KEEP = 64
local kept, n_kept = {}, 0

local function take_kept()
  local raw = kept[n_kept]
  if raw then
    kept[n_kept] = nil
    n_kept = n_kept - 1
  end
  return raw
end

---kind: nil for a scope, true for one that supervises, false for a shield
local function enter(kind)
  return scope_enter(kind, take_kept())
end

-- A C function of Lua's would end the trace, here and in `leave`: so a limit that is not reached is compiled in one
-- piece with what it limits.
local function enter_limit(seconds)
  local raw = take_kept()
  if raw and C.momo_scope_enter(executor, raw, seconds) == 0 then
    return raw
  end
  return scope_enter(seconds, raw)
end

local function leave(raw)
  local mine, expired, interrupted, processes
  if C.momo_scope_leave(raw) == 0 then
    mine, expired, interrupted, processes = scope_leave(raw)
  end
  if n_kept < KEEP then
    n_kept = n_kept + 1
    kept[n_kept] = raw
  end
  if processes then
    while native.process_finish(processes) do end
  end
  return mine, expired, interrupted
end

-- Until the scope may have one more child; its raw scope may serve another one once it has ended.
local function await_place(scope, fn)
  check.self(scope, Scope, "scope", "spawn")
  if not scope.ended then
    check.argument(type(fn) == "function", "spawn: argument 1 must be a function", fn)
    while native.scope_place(scope.raw) do end
  end
  if scope.ended then
    check.fail("spawn: the scope has ended")
  end
end

---Spawns a task that the scope waits for. Its failure cancels the scope's other work, and is raised by the scope.
---Waits for a place, if the scope has a limit; those who wait are served in turn. Throws when the scope has ended.
---@async if the scope has a limit
---@param fn function
---@param ... any its arguments
---@return momo.Task task
function Scope:spawn(fn, ...)
  local raw = type(self) == "table" and self.spawns_in
  if not raw then
    await_place(self, fn)
    raw = self.raw
  end
  return scope_spawn(raw, fn, ...)
end

---Cancels the children, and what the scope's function is doing. The scope then returns nil, "ECANCELED: reason",
---"ECANCELED".
---@param reason any shown in the error
function Scope:cancel(reason)
  check.self(self, Scope, "scope", "cancel")
  if not self.cancelled and not self.ended then
    local cancelled = setmetatable({ reason = reason }, Cancelled)
    native.scope_cancel(self.raw, cancelled) -- or raises, for want of memory, and nothing is cancelled
    self.cancelled = cancelled
  end
end

---Calls fn when the children have ended, however they did; the last one first, each beneath a shield, so that it may
---suspend.
---@param fn function
---@param ... any its arguments
function Scope:defer(fn, ...)
  check.self(self, Scope, "scope", "defer")
  check.argument(type(fn) == "function", "defer: argument 1 must be a function", fn)
  if self.left then
    check.fail "defer: the scope has ended"
  end
  self.deferred = { fn = fn, n = select("#", ...), before = self.deferred, ... }
end

names.objects(Scope, "scope")

local function new(kind)
  local raw = enter(kind)
  return setmetatable({ raw = raw, spawns_in = raw, spawn = Scope.spawn }, Scope)
end

local function unshield(raw, ok, ...)
  leave(raw)
  if not ok then
    rethrow((...))
  end
  return ...
end

---Calls fn, and holds a cancellation off meanwhile, a timeout's and `stop`'s as well, also from the tasks of its
---scopes. It is raised by the first suspending call afterwards.
---@async
---@param fn function
---@param ... any its arguments
---@return any ... what fn returns
function M.shield(fn, ...)
  check.argument(type(fn) == "function", "shield: argument 1 must be a function", fn)
  return unshield(enter(false), xpcall(fn, traceback_capture, ...))
end

---The error of the first deferred call that failed; those of later ones are shown at once.
local function run_deferred(scope)
  local failed, err = false, nil
  while scope.deferred do
    local entry = scope.deferred
    scope.deferred = entry.before
    local ok, problem = pcall(M.shield, entry.fn, unpack(entry, 1, entry.n))
    if not ok and failed then
      report.complain("while a scope was left", problem)
    elseif not ok then
      failed, err = true, problem
    end
  end
  return failed, err
end

local function conclude(scope, ok, ...)
  local raw = scope.raw
  local err = ...
  local failed = not ok and not is_cancelled(err) and not native.scope_failure(raw) -- else a child was first
  if not ok then
    native.scope_cancel(raw, is_cancelled(err) and err or setmetatable({ reason = "the scope failed" }, Cancelled))
  end
  while native.scope_wait(raw) do end
  scope.ended, scope.spawns_in = true, false
  local defer_failed, defer_err = run_deferred(scope)
  local child, failure = native.scope_failure(raw)
  scope.left = true
  local mine, _, interrupted = leave(raw)
  if failed then
    rethrow(err)
  elseif child then
    rethrow(failure)
  elseif defer_failed then
    rethrow(defer_err)
  elseif scope.cancelled and (ok or mine) then
    local reason = scope.cancelled.reason
    return nil, "ECANCELED: " .. (reason == nil and "the scope was cancelled" or show.text(reason)), "ECANCELED"
  elseif not ok then
    rethrow(err)
  elseif interrupted then
    native.check_cancelled()
  end
  return ...
end

-- The same with options.
---@async
local function scope_with(options, fn, ...)
  check.argument(type(fn) == "function", "scope: argument 2 must be a function", fn)
  local limit = check.options(options, { limit = "number" }, "scope").limit
  check.argument(limit == nil or (check.is_whole(limit) and limit >= 1 and limit < 2 ^ 31),
    "scope: option limit must be a whole number from 1", limit)
  native.check_cancelled()
  local scope = new(nil)
  if limit then
    scope.spawns_in = false
    native.scope_limit(scope.raw, limit)
  end
  return conclude(scope, xpcall(fn, traceback_capture, scope, ...))
end

---@class momo.ScopeOptions
---@field limit integer? so many children at once, at most; `spawn` waits for a place; nil: any number

---Calls fn(scope, ...) and returns its results when every child has ended, never before. The first failure, of fn or a
---child, cancels the rest and is raised with its own traceback. After `scope:cancel(reason)` it returns nil,
---"ECANCELED: reason", "ECANCELED". `momo.scope(options, fn, ...)` has options.
---@async
---@overload fun(options: momo.ScopeOptions, fn: (fun(scope: momo.Scope, ...: any): ...), ...: any): ...
---@param fn fun(scope: momo.Scope, ...: any): ...
---@param ... any its further arguments
---@return any ... what fn returns
function M.scope(fn, ...)
  if type(fn) == "table" then
    return scope_with(fn, ...)
  end
  check.argument(type(fn) == "function", "scope: argument 1 must be a function", fn)
  native.check_cancelled()
  local scope = new(nil)
  return conclude(scope, xpcall(fn, traceback_capture, scope, ...))
end

---A scope whose children may fail: that is reported like the failure of a task that nobody joins, and cancels nobody.
---@async
---@param fn fun(scope: momo.Scope, ...: any): ...
function M.supervise(fn, ...)
  local scope = new(true)
  return conclude(scope, xpcall(fn, traceback_capture, scope, ...))
end

local function time_is_over(raw, seconds, ok, ...)
  local mine, expired = leave(raw)
  if ok then
    return ...
  elseif mine and expired and is_cancelled((...)) then
    return nil, ("ETIMEDOUT: not done within %g s"):format(seconds), "ETIMEDOUT"
  end
  rethrow((...))
end

---Calls fn, and returns what it returns. When the time is over, what fn is doing is cancelled, and when it has ended,
---the call returns nil, "ETIMEDOUT: ...", "ETIMEDOUT". If fn returns all the same, that is what counts. Timeouts nest:
---the earliest wins, and only the one whose time is over returns ETIMEDOUT.
---@async
---@param seconds number 0 or more
---@param fn function
---@param ... any its arguments
---@return any ... what fn returns
function M.timeout(seconds, fn, ...)
  if not (type(seconds) == "number" and seconds >= 0 and type(fn) == "function") then
    check.argument(type(seconds) == "number" and seconds >= 0,
      "timeout: argument 1 must be a number of seconds, 0 or more", seconds)
    check.fail(("timeout: argument 2 must be a function, got %s (write timeout(1, f, x), not timeout(1, f(x)))")
      :format(type(fn)))
  end
  return time_is_over(enter_limit(seconds), seconds, xpcall(fn, traceback_capture, ...))
end

local function check_functions(fns, name)
  check.array(fns, name .. ": argument 1 must be an array of functions")
  for i, fn in ipairs(fns) do
    check.argument(type(fn) == "function", ("%s: entry %d must be a function"):format(name, i), fn)
  end
end

local function pack(...)
  return { n = select("#", ...), ... }
end

---A task that nobody but itself has cancelled.
local function raise_cancelled(tasks)
  for _, child in ipairs(tasks) do
    local ok, err = child:join(0)
    if not ok then
      rethrow(err)
    end
  end
end

---Runs the functions as tasks; the first to return wins, the others are cancelled and have ended. A failure before that
---cancels all and is raised.
---@async
---@param fns function[] one at least
---@return integer index of the winner
---@return any ... what it returned
function M.race(fns)
  check_functions(fns, "race")
  check.argument(#fns > 0, "race: argument 1 must be an array of functions, with one at least", fns)
  local winner, results
  local tasks = {}
  M.scope(function(scope)
    for i, fn in ipairs(fns) do
      tasks[i] = scope:spawn(function()
        local returned = pack(fn())
        if not winner then
          winner, results = i, returned
          scope:cancel("another one was first")
        end
      end)
    end
  end)
  if not winner then
    raise_cancelled(tasks)
  end
  return winner, unpack(results, 1, results.n)
end

-- What a function that did not succeed has failed with, or nil: it has succeeded.
local function failure_of(ok, value, err)
  if not ok then
    return value
  elseif not value and err ~= nil then
    return err
  end
end

local function describe_failures(errors)
  local lines = { "none of them has succeeded:" }
  for i, err in ipairs(errors) do
    lines[#lines + 1] = ("  %d: %s"):format(i, show.text(err))
  end
  return table.concat(lines, "\n")
end

---Runs the functions as tasks; the first to succeed wins, the others are cancelled and have ended. One that raises an
---error has failed, and so has one that returns nil or false, and an error: `momo.any{dial_one, dial_other}`.
---@async
---@param fns function[] one at least
---@return integer? index of the winner; nil: all have failed
---@return any ... what it returned; or the text of all errors, and an array of them
function M.any(fns)
  check_functions(fns, "any")
  check.argument(#fns > 0, "any: argument 1 must be an array of functions, with one at least", fns)
  local winner, results
  local errors = {}
  M.scope(function(scope)
    for i, fn in ipairs(fns) do
      scope:spawn(function()
        local returned = pack(xpcall(fn, traceback_capture))
        if scope.cancelled then
          return
        end
        errors[i] = failure_of(unpack(returned, 1, 3))
        if errors[i] == nil then
          winner, results = i, returned
          scope:cancel "another one has succeeded"
        end
      end)
    end
  end)
  if winner then
    return winner, unpack(results, 2, results.n)
  end
  return nil, describe_failures(errors), errors
end

---Runs the functions as tasks, until all have returned. The first failure cancels the others and is raised.
---@async
---@param fns function[]
---@return {n: integer, [integer]: any} ... for each, what it returned, with their number
function M.all(fns)
  check_functions(fns, "all")
  local results, tasks = {}, {}
  M.scope(function(scope)
    for i, fn in ipairs(fns) do
      tasks[i] = scope:spawn(function()
        results[i] = pack(fn())
      end)
    end
  end)
  raise_cancelled(tasks)
  return unpack(results, 1, #fns)
end

return M
