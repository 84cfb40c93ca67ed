---What the specs of waiting share: runs on the virtual clock, in which no failure is lost.

local momo = require "momo"
local tcp = require "spec.support.tcp"

local M = { assert_failed = tcp.assert_failed, waiting = tcp.waiting }

---Runs main on the virtual clock; an error in any task ends the run and is raised, and nothing may be left behind.
---@return any ... what main returned
function M.run(main)
  local failure
  local function finish(...)
    if failure then
      error(failure[1], 0)
    end
    local m = momo.metrics()
    for _, name in ipairs { "tasks", "ready", "timers" } do
      assert(m[name] == 0, ("%d %s left behind"):format(m[name], name))
    end
    return ...
  end
  return finish(momo.run({ clock = "virtual", on_error = function(err)
    failure = failure or { err }
    momo.stop()
  end }, main))
end

---The body of an `it` that runs so.
function M.on(main)
  return function() M.run(main) end
end

---Lets every task that can run do so until it waits.
function M.settle()
  for _ = 1, 10 do
    momo.yield_now()
  end
end

---What fn is told when line 1 of app.lua calls it with the code's arguments.
---@param code string
function M.mistake(code, ...)
  local ok, err = pcall(assert(loadstring("local momo, a, b = ... " .. code .. " return 0", "=app.lua")), momo, ...)
  assert(not ok, "nothing was thrown by: " .. code)
  return err
end

return M
