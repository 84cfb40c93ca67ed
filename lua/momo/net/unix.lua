---Unix sockets. An address is a path, of at most 107 bytes, or "@name" for a name in no folder.

local Listener = require "momo.net.listener"
local Stream = require "momo.net.stream"
local check = require "momo.internal.check"
local names = require "momo.internal.names"
local native = require("momo.internal.core").native
local socket = require "momo.net.socket"
local time = require "momo.time"
local unix_path = require "momo.net.unix_path"

---@class momo.net.UnixListenerOptions
---@field backlog integer? connections that may wait to be accepted; 511
---@field mode string|integer|nil the permissions of the file, such as "660"

---Makes connections over Unix sockets; they are streams.
---@class momo.net.UnixStream: momo.Stream
local UnixStream = names.class({}, Stream, "momo.net.UnixStream")

---Makes listening Unix sockets.
---@class momo.net.UnixListener: momo.Listener
local UnixListener = names.class({}, Listener, "momo.net.UnixListener")

---Listens at a path. The file of a socket at which nobody answers any more is replaced; to find out, it is connected
---to. The file stays after `close`.
---
---Codes: EADDRINUSE somebody listens there, or it is no socket; EACCES; ENOENT there is no such folder; EMFILE.
---@param path string of at most 107 bytes, or "@name" for a name in no folder
---@param options momo.net.UnixListenerOptions?
---@return momo.net.UnixListener? listener
---@return string? err
---@return string? code
function UnixListener.bind(path, options)
  unix_path.check(path, "UnixListener.bind")
  options = check.options(options, { backlog = "number", mode = "any" }, "UnixListener.bind")
  return native.unix_listen(path, socket.backlog(options.backlog, "UnixListener.bind"),
    unix_path.mode(options.mode, "UnixListener.bind"))
end

---Takes over a listening Unix socket that was opened elsewhere; one of another kind stays the caller's.
---
---Codes: EINVAL it is of another kind; ENOTSOCK; EBADF; EBUSY it belongs to Momo already.
---@type fun(fd: integer): (listener: momo.net.UnixListener?, err: string?, code: string?)
UnixListener.from_fd = socket.from_fd("a Unix listener", "UnixListener.from_fd")

---Connects, and waits while the listener's queue is full.
---
---Codes: ECONNREFUSED nobody listens there; ENOENT there is no such file; EACCES; ETIMEDOUT; EMFILE.
---@async
---@param path string of at most 107 bytes, or "@name" for a name in no folder
---@param timeout number? seconds
---@return momo.net.UnixStream? stream
---@return string? err
---@return string? code
function UnixStream.connect(path, timeout)
  unix_path.check(path, "UnixStream.connect")
  check.seconds(timeout, "UnixStream.connect")
  local deadline, pause = timeout and time.now() + timeout or math.huge, 0.001
  while true do
    local stream, err, code = native.connect_start(path, true)
    if stream then
      return socket.connected(path, stream, timeout)
    elseif code ~= "EAGAIN" then
      return nil, err, code
    end
    local left = deadline - time.now() -- the listener's queue is full, and the system has no event for its end
    if left <= 0 then
      return nil, "ETIMEDOUT: operation timed out: " .. path, "ETIMEDOUT"
    end
    time.sleep(math.min(pause, left))
    pause = math.min(2 * pause, 0.05)
  end
end

---Two streams that are connected to each other.
---
---Codes: EMFILE.
---@return momo.net.UnixStream? one
---@return momo.net.UnixStream|string other or the error
---@return string? code
function UnixStream.pair()
  return native.unix_pair()
end

---Takes over a connected Unix socket that was opened elsewhere; one of another kind stays the caller's.
---
---Codes: EINVAL it is of another kind; ENOTSOCK; EBADF; EBUSY it belongs to Momo already.
---@type fun(fd: integer): (stream: momo.net.UnixStream?, err: string?, code: string?)
UnixStream.from_fd = socket.from_fd("a Unix stream", "UnixStream.from_fd")

return { UnixStream = UnixStream, UnixListener = UnixListener }
