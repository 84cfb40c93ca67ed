---For specs that busted runs: after `require "momo.busted"` at the top of a spec file the body of each `it` runs as a
---task, in a runtime of its own, with its before_each, after_each and `finally`.
---
---    require("momo.busted").timeout = 2 -- seconds for each test; 10 where nothing is said
---    require("momo.busted").clock = "virtual" -- time moves only when every task waits, straight to the next deadline
---
---Each is for the spec file that says it. By the virtual clock, a test has a million seconds where nothing is said.
---
---A test whose time is over fails with what each of its tasks waits for, and where. It also fails when a task that it
---started failed and nobody joined that. Tasks that still run at its end are
---cancelled. after_each and `finally` run last first, whatever happened before.

local momo = require "momo"
local check = require "momo.internal.check"
local show = require "momo.internal.show"

---@class momo.busted
---@field timeout number? seconds that a test may take, and each after_each again
---@field clock "virtual"? the clock of this file's tests, as that of `momo.run`
local M = {}
local settings = {}

setmetatable(M, { __index = settings, __newindex = function(_, key, value)
  if key == "timeout" then
    check.argument(type(value) == "number" and value > 0, "momo.busted: timeout must be a number of seconds", value)
  elseif key == "clock" then
    check.argument(value == nil or value == "virtual", "momo.busted: clock must be \"virtual\"", value)
  else
    check.fail(("momo.busted has no %s, but clock and timeout"):format(check.show(key)))
  end
  settings[key] = value
end })

local function limit()
  return settings.timeout or settings.clock == "virtual" and 1e6 or 10
end

local level = 2 -- of the spec file: between this one and that are require and what it calls
while debug.getinfo(level, "S").what == "C" do
  level = level + 1
end
local env = getfenv(level) -- what is set there, busted drops at its end
if not env.it or env == _G then
  error("momo.busted: require it at the top of a spec file that busted runs", level)
end
local own_files = debug.getinfo(1, "S").source:match "^@(.*)busted%.lua$"

---Those frames of a traceback that are neither Momo's nor busted's.
local function frames_of(traceback)
  local frames = {}
  for frame in traceback:gmatch "\n%s*([^\n]-:%d+: [^\n]+)" do
    local inner = frame:find "/luassert/" or frame:find "/busted/" or frame:find(own_files, 1, true)
    frames[#frames + 1] = not inner and frame or nil
  end
  return frames
end

local TASKS_SHOWN = 20
local watchers = {} -- ids of tasks of this module's own

---What the tasks of a test do whose time is over.
local function hang()
  local tasks, lines, place = momo.tasks(), {}, nil
  table.sort(tasks, function(a, b) return a.id < b.id end)
  for i, task in ipairs(tasks) do
    if #lines == TASKS_SHOWN then
      lines[#lines + 1] = ("task %d and %d more"):format(task.id, #tasks - i)
      break
    elseif not watchers[task.id] then
      local name = task.name and (" '%s'"):format(task.name) or ""
      local does = task.operation and "in " .. task.operation or task.status
      local frames = frames_of(task.traceback)
      frames[0] = ("task %d%s %s at %s"):format(task.id, name, does, task.at)
      lines[#lines + 1] = table.concat(frames, "\n\t\t", 0)
      place = place or frames[1] and task.at
    end
  end
  return ("%snot done within %g s; its tasks:\n\t%s"):format(place and place .. ": " or "", limit(),
    table.concat(lines, "\n\t"))
end

---The error with the frames that led to it. What busted raises itself stays its own; other values become text.
local function with_traceback(err, traceback)
  local metatable = debug.getmetatable(err)
  local kind = type(err) == "table" and type(metatable) == "table" and rawget(metatable, "__type")
  err = kind and err or show.text(err)
  local bearer = (kind == "failure" or kind == "pending") and err or { message = err }
  local text = bearer.message
  if type(text) == "string" then
    local frames = frames_of(traceback)
    local place = frames[1] and not text:find "^[^\n]-:%d+: " and frames[1]:match "^.-:%d+: " or ""
    bearer.message = place .. text .. (frames[2] and "\nstack traceback:\n\t" .. table.concat(frames, "\n\t") or "")
  end
  return kind and err or bearer.message
end

---Runs fn as a task, and raises what failed first.
local function run(fn)
  local failed, err = false, nil
  local function fail(problem, task)
    if not failed then
      failed, err = true, with_traceback(problem, task:traceback())
    end
    momo.stop()
  end
  momo.run({ on_error = fail, measure = true, clock = settings.clock }, momo.shield, function()
    watchers = { [momo.current():id()] = true }
    local test = momo.spawn(fn)
    local ok, problem = test:join(limit())
    if not ok then
      fail(ok == nil and hang() or problem, test)
    end
    momo.stop()
  end)
  if failed then
    error(err, 0)
  end
end

---Calls f for each hook, those of outer blocks first.
local function each(hook, f)
  if hook then
    each(hook.outer, f)
    f(hook.fn)
  end
end

---Calls a hook that runs last, for no longer than a test.
local function call_last(hook)
  local told
  momo.scope(function(scope)
    local watcher = scope:spawn(function()
      momo.time.sleep(limit())
      told = hang()
      scope:cancel()
    end)
    watchers[watcher:id()] = true
    hook()
    watcher:cancel()
  end)
  if told then
    error(told, 0)
  end
end

---The body of `it`, with its hooks.
local function test(fn)
  local function in_scope(scope)
    env.finally = function(hook)
      scope:defer(call_last, hook)
    end
    each(env["momo after_each"], env.finally)
    each(env["momo before_each"], function(hook) hook() end)
    fn()
  end
  return setfenv(function() run(function() momo.scope(in_scope) end) end, getfenv(fn)) -- busted knows its own by that
end

---Hooks are kept in the environment, which each block inherits from the one around it.
for _, name in ipairs { "before_each", "after_each" } do
  env[name] = function(title, fn)
    env["momo " .. name] = { fn = fn or title, outer = env["momo " .. name] }
  end
end

---A tail call, so that busted finds the line it was called from.
for _, name in ipairs { "it", "spec", "test" } do
  local original = env[name]
  env[name] = function(title, fn)
    check.argument(fn == nil or type(fn) == "function", name .. ": argument 2 must be a function", fn)
    return original(title, fn and test(fn))
  end
end

return M
