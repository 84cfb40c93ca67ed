---ngx.worker: here each thread is one.

local drain = require "momo.internal.drain"
local thread = require "momo.thread"

local M = {}

---@return integer
function M.pid()
  local file = assert(io.open "/proc/self/stat")
  local pid = file:read "*n"
  file:close()
  return pid
end

---@return integer from 0
function M.id()
  return thread.current().index
end

---@return integer
function M.count()
  return thread.available_parallelism()
end

---@return boolean whether the program is to end
function M.exiting()
  return drain.draining()
end

return M
