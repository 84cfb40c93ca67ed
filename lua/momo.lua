---Momo: an asynchronous runtime for LuaJIT.
---
---    local momo = require "momo"
---    momo.run(function()
---      local listener = assert(momo.net.TcpListener.bind "127.0.0.1:8080")
---      while true do
---        momo.spawn(serve, assert(listener:accept()))
---      end
---    end)

local core = require "momo.internal.core"
local scope = require "momo.internal.scope"
local task = require "momo.internal.task"

local M = {
  run = task.run,
  spawn = task.spawn,
  spawn_blocking = require("momo.internal.blocking").spawn_blocking,
  yield_now = task.yield_now,
  current = task.current,
  stop = task.stop,
  pcall = task.pcall,
  is_cancelled = task.is_cancelled,
  Cancelled = task.Cancelled,
  scope = scope.scope,
  shield = scope.shield,
  race = scope.race,
  all = scope.all,
  select = require("momo.internal.select").select,
  sync = require "momo.sync",
  coroutine = require "momo.coroutine",
  time = require "momo.time",
  net = require "momo.net",
  io = require "momo.io",
  signal = require "momo.signal",
  thread = require "momo.thread",
  _VERSION = "momo " .. core.string(core.C.momo_version()),
}

local counted = core.new "momo_metrics"

---What this thread's executor counts; see momo_metrics in core/include/momo.h.
---@return table<string, integer>
function M.metrics()
  core.C.momo_get_metrics(core.executor, counted)
  return {
    tasks = tonumber(counted.tasks),
    ready = tonumber(counted.ready),
    spawned = tonumber(counted.spawned),
    timers = tonumber(counted.timers),
    handles = tonumber(counted.handles),
    threads = tonumber(counted.threads),
    polls = tonumber(counted.polls),
    resumes = tonumber(counted.resumes),
    stale_events = tonumber(counted.stale_events),
    collected = tonumber(counted.collected),
  }
end

return M
