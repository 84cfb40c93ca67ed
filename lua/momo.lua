---Momo: an asynchronous runtime for LuaJIT. These are tasks and scopes; what else there is stands in modules of its
---own.

local core = require "momo.internal.core"
local drain = require "momo.internal.drain"
local names = require "momo.internal.names"
local task = require "momo.internal.task"

local M = {
  run = task.run,
  spawn = task.spawn,
  spawn_daemon = task.spawn_daemon,
  yield_now = task.yield_now,
  current = task.current,
  measure = task.measure,
  stop = task.stop,
  on_error = task.on_error,
  draining = drain.draining,
  until_draining = drain.until_draining,
  pcall = task.pcall,
  is_cancelled = task.is_cancelled,
  Cancelled = task.Cancelled,
  time = require "momo.time",
  _VERSION = "momo " .. core.string(core.first.momo_version()),
}

-- Assigned where they are loaded, for those who read types off the source.
return names.module(M, "momo", {
  scope = function()
    M.scope = require("momo.internal.scope").scope
    return M.scope
  end,
  shield = function()
    M.shield = require("momo.internal.scope").shield
    return M.shield
  end,
  race = function()
    M.race = require("momo.internal.scope").race
    return M.race
  end,
  any = function()
    M.any = require("momo.internal.scope").any
    return M.any
  end,
  all = function()
    M.all = require("momo.internal.scope").all
    return M.all
  end,
  spawn_blocking = function()
    M.spawn_blocking = require("momo.internal.blocking").spawn_blocking
    return M.spawn_blocking
  end,
  tasks = function()
    M.tasks = require("momo.internal.live").tasks
    return M.tasks
  end,
  select = function()
    M.select = require("momo.internal.select").select
    return M.select
  end,
  sync = function()
    M.sync = require "momo.sync"
    return M.sync
  end,
  coroutine = function()
    M.coroutine = require "momo.coroutine"
    return M.coroutine
  end,
  net = function()
    M.net = require "momo.net"
    return M.net
  end,
  io = function()
    M.io = require "momo.io"
    return M.io
  end,
  signal = function()
    M.signal = require "momo.signal"
    return M.signal
  end,
  thread = function()
    M.thread = require "momo.thread"
    return M.thread
  end,
  http = function()
    M.http = require "momo.http"
    return M.http
  end,
  log = function()
    M.log = require "momo.log"
    return M.log
  end,
  metrics = function()
    M.metrics = require "momo.metrics"
    return M.metrics
  end,
  profile = function()
    M.profile = require "momo.profile"
    return M.profile
  end,
  trace = function()
    M.trace = require "momo.trace"
    return M.trace
  end,
  tls = function()
    M.tls = require "momo.tls"
    return M.tls
  end,
  fs = function()
    M.fs = require "momo.fs"
    return M.fs
  end,
  process = function()
    M.process = require "momo.process"
    return M.process
  end,
  nats = function()
    M.nats = require "momo.nats"
    return M.nats
  end,
})
