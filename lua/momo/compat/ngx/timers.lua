---Timers: tasks. One that waits keeps no program alive, and hears at its end that it came too early.

local check = require "momo.internal.check"
local scopes = require "momo.internal.scope"
local tasks = require "momo.internal.task"
local time = require "momo.time"

local M = {}

local pending, running = 0, 0

local function done(ok, ...)
  running = running - 1
  if not ok then
    error((...), 0)
  end
end

-- Each timer has a context of its own.
---@async
local function call(fn, premature, ...)
  tasks.current().locals.ngx_ctx = nil
  running = running + 1
  done(pcall(fn, premature, ...))
end

-- The wait; true: it was cut short, since the program ends.
---@async
local function wait(delay)
  pending = pending + 1
  local ok, err = pcall(time.sleep, delay)
  pending = pending - 1
  if not ok and not tasks.is_cancelled(err) then
    error(err, 0)
  end
  return not ok, err
end

---@async
local function once(delay, fn, ...)
  local premature, err = wait(delay)
  if premature then
    scopes.shield(call, fn, true, ...)
    error(err, 0)
  end
  tasks.spawn(call, fn, false, ...)
end

---@async
local function again(delay, fn, ...)
  while true do
    once(delay, fn, ...)
  end
end

local function check_timer(name, delay, fn)
  local seconds = tonumber(delay)
  check.argument(seconds and seconds >= 0, name .. ": argument 1 must be a number of seconds, 0 or more", delay)
  check.argument(type(fn) == "function", name .. ": argument 2 must be a function", fn)
  return seconds
end

---@param delay number seconds
---@param fn fun(premature: boolean, ...: any)
---@param ... any
---@return 1
function M.at(delay, fn, ...)
  delay = check_timer("timer.at", delay, fn)
  if delay == 0 then
    tasks.spawn(call, fn, false, ...)
  else
    tasks.spawn_daemon(once, delay, fn, ...):set_name "ngx timer"
  end
  return 1
end

---@param delay number seconds, more than 0
---@param fn fun(premature: boolean, ...: any)
---@param ... any
---@return 1
function M.every(delay, fn, ...)
  delay = check_timer("timer.every", delay, fn)
  check.argument(delay > 0, "timer.every: argument 1 must be more than 0", delay)
  tasks.spawn_daemon(again, delay, fn, ...):set_name "ngx timer"
  return 1
end

function M.running_count()
  return running
end

function M.pending_count()
  return pending
end

return M
