---Listeners that the process was started with: the protocol of systemd's socket activation, sd_listen_fds(3).

local socket = require "momo.net.socket"
local thread = require "momo.thread"

local M = {}

local FIRST = 3 -- the descriptors are numbered from here

local function own_pid()
  local file = assert(io.open "/proc/self/stat")
  local pid = file:read "*n"
  file:close()
  return pid
end

local listeners, names

---The listeners that systemd, or a predecessor, has handed over: $LISTEN_FDS of them, if $LISTEN_PID is this process.
---They are taken over once, by the main thread; further calls return the same ones, and other threads none.
---
---Codes: EINVAL one is no listener; ENOTSOCK; EBADF.
---@return (momo.net.TcpListener|momo.net.UnixListener)[]? listeners
---@return string[]|string names of $LISTEN_FDNAMES, or the error
---@return string? code
function M.inherited_listeners()
  if listeners then
    return listeners, names
  end
  local found, called = {}, {}
  if thread.current().index == 0 and tonumber(os.getenv "LISTEN_PID") == own_pid() then
    for name in ((os.getenv "LISTEN_FDNAMES" or "") .. ":"):gmatch "([^:]*):" do
      called[#called + 1] = name
    end
    for i = 1, tonumber(os.getenv "LISTEN_FDS") or 0 do
      local listener, err, code = socket.adopt(FIRST + i - 1, "listener")
      if not listener then
        return nil, err, code
      end
      found[i] = listener
    end
  end
  listeners, names = found, called
  return listeners, names
end

return M
