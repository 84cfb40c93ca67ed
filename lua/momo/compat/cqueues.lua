---cqueues: where its loop would block the thread, the task waits. So lua-http, and what else stands on cqueues, runs in
---tasks, beside ours.

local check = require "momo.internal.check"
local poll = require("momo.io").poll
local native = require("momo.internal.core").native
local tasks = require "momo.internal.task"
local time = require "momo.time"

local M = {}

local function load()
  local ok, cqueues = pcall(require, "cqueues")
  if not ok then
    check.fail "install: cqueues is not installed (Debian: lua-cqueues)"
  end
  return cqueues
end

-- Waits until a controller has something to do.
---@async
local function await(controller, timeout)
  local left = controller:timeout()
  left = left and timeout and math.min(left, timeout) or left or timeout
  if left ~= 0 then
    poll(controller:pollfd(), "r", left)
  end
end

---@async
local function run(controller)
  assert(controller:step(0))
  while not controller:empty() do
    await(controller)
    assert(controller:step(0))
  end
end

local function is_ours(cqueues)
  return tasks.current() and not cqueues.running()
end

-- A function that yields to the controller in which it runs; in a task it has one of its own.
local function within(cqueues, fn)
  ---@async
  return function(...)
    if not is_ours(cqueues) then
      return fn(...)
    end
    local controller, answer = cqueues.new(), nil
    controller:wrap(function(...) answer = { n = select("#", ...), fn(...) } end, ...)
    local ok, err = xpcall(run, native.traceback_capture, controller)
    controller:close()
    if not ok then
      native.rethrow(err)
    end
    return unpack(answer, 1, answer.n)
  end
end

---Does nothing when it is called again.
function M.install()
  local cqueues = load()
  if M.installed then
    return
  end
  M.installed = true

  cqueues.poll = within(cqueues, cqueues.poll)
  local wait
  wait = require("cqueues.condition").interpose("wait", within(cqueues, function(...) return wait(...) end))

  local loop
  ---@async
  loop = cqueues.interpose("loop", function(self, timeout)
    if not is_ours(cqueues) then
      return loop(self, timeout)
    end
    local deadline = timeout and time.now() + timeout
    repeat
      await(self, deadline and math.max(0, deadline - time.now()))
      local ok, err, a, b, c = self:step(0)
      if not ok then
        return nil, err, a, b, c
      end
    until self:empty() or (deadline and time.now() >= deadline)
    return true
  end)
end

return M
