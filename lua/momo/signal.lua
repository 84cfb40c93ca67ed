---Signals of the process.

local names = require "momo.internal.names"
local recv = require("momo.internal.core").native.signal_recv

local M = {}

---Waits for one of the signals. The first call takes them over, for the life of the process: their usual action is
---gone, and every thread that has taken one over is told of it once. One that comes between two calls is kept.
---
---Of the tasks of a thread that wait for a signal, the one that was first gets it. A task that waits for signals keeps
---no process alive: it is cancelled when nothing else can happen, on any thread.
---
---"SIGKILL" and "SIGSTOP", which can't be caught, throw, and so do those that tell of a fault, such as "SIGSEGV".
---
---Codes: EMFILE too many descriptors are open.
---@async
---@param ... string names, such as "SIGHUP"
---@return string? name
---@return string? err
---@return string? code
function M.recv(...)
  local again, name, err, code
  repeat again, name, err, code = recv(...) until not again
  if name then
    return name
  end
  return nil, err, code
end

return names.module(M, "momo.signal")
