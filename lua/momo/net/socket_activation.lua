---Listeners that the process was started with: the protocol of systemd's socket activation, sd_listen_fds(3).

require "momo.net.listener" -- what is taken over
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
local adopted = {}

---The listeners that systemd, or a predecessor, has handed over: $LISTEN_FDS of them, if $LISTEN_PID is this process.
---They are taken over once, by the main thread, and none of them if one is no listener; further calls return the same
---ones, and other threads none.
---
---Codes: EINVAL one is no listener; ENOTSOCK; EBADF.
---@return (momo.net.TcpListener|momo.net.UnixListener)[]? listeners
---@return string[]|string names of $LISTEN_FDNAMES, or the error
---@return string? code
function M.inherited_listeners()
  if listeners then
    return listeners, names
  end
  local n, called = 0, {}
  if thread.current().index == 0 and tonumber(os.getenv "LISTEN_PID") == own_pid() then
    n = tonumber(os.getenv "LISTEN_FDS") or 0
    for name in ((os.getenv "LISTEN_FDNAMES" or "") .. ":"):gmatch "([^:]*):" do
      called[#called + 1] = name
    end
  end
  for i = 1, n do
    local ok, err, code = socket.is_kind(FIRST + i - 1, "listener")
    if not ok then
      return nil, err, code
    end
  end
  for i = #adopted + 1, n do -- those that an earlier call could not take over for want of memory
    local listener, err, code = socket.adopt(FIRST + i - 1, "listener")
    if not listener then
      return nil, err, code
    end
    adopted[i] = listener
  end
  listeners, names = adopted, called
  return listeners, names
end

return M
