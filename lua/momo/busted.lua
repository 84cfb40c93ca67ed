---For specs that busted runs: after `require "momo.busted"` at the top of a spec file the body of each `it` runs as a
---task, in a runtime of its own, with its before_each, after_each and `finally`.
---
---    require("momo.busted").timeout = 2 -- seconds for each test; 10 where nothing is said
---
---A test also fails when a task that it started failed and nobody joined that. Tasks that still run at its end are
---cancelled. after_each and `finally` run last first, whatever happened before.

local momo = require "momo"
local show = require "momo.internal.show"

---@class momo.busted
---@field timeout number seconds that a test may take, and each after_each again
local M = { timeout = 10 }

local env = getfenv(3) -- of the spec file: 1 is this one, 2 is require. What is set there, busted drops at its end
if not env.it or env == _G then
  error("momo.busted: require it at the top of a spec file that busted runs", 3)
end
local own_files = debug.getinfo(1, "S").source:match "^@(.*)busted%.lua$"

---The error with the frames that led to it. What busted raises itself stays its own; other values become text.
local function with_traceback(err, traceback)
  local metatable = debug.getmetatable(err)
  local kind = type(err) == "table" and type(metatable) == "table" and rawget(metatable, "__type")
  err = kind and err or show.text(err)
  local bearer = (kind == "failure" or kind == "pending") and err or { message = err }
  local text, frames = bearer.message, {}
  if type(text) == "string" then
    for frame in traceback:gmatch "\n%s*([^\n]-:%d+: [^\n]+)" do
      local inner = frame:find "/luassert/" or frame:find "/busted/" or frame:find(own_files, 1, true)
      frames[#frames + 1] = not inner and frame or nil
    end
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
  momo.run({ on_error = fail }, momo.shield, function()
    local test = momo.spawn(fn)
    local ok, problem = test:join(M.timeout)
    if not ok then
      fail(ok == nil and ("not done within %g s"):format(M.timeout) or problem, test)
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

---The body of `it`, with its hooks.
local function test(fn)
  local function in_scope(scope)
    env.finally = function(hook)
      scope:defer(function() assert(momo.time.timeout(M.timeout, function() hook() return true end)) end)
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
    return original(title, fn and test(fn))
  end
end

return M
