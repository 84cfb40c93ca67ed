---Datagrams over Unix sockets: each whole or not at all, and in order. An address is a path, of at most 107 bytes, or
---"@name" for a name in no folder; "" stands for a socket that has none. A timeout is in seconds.

local check = require "momo.internal.check"
local core = require "momo.internal.core"
local datagram = require "momo.internal.datagram"
local names = require "momo.internal.names"
local socket = require "momo.net.socket"
local time = require "momo.time"
local unix_path = require "momo.net.unix_path"

local C, native = core.C, core.native
local send_to = native.unix_send_to

local PAUSE_SECONDS, PAUSE_MOST_SECONDS = 0.001, 0.05

---@class momo.net.UnixDatagramOptions
---@field mode string|integer|nil the permissions of the file, such as "660"

---A Unix socket for datagrams.
---@class momo.net.UnixDatagram: momo.Socket
local UnixDatagram = native.metatables.unix_datagram
UnixDatagram.__name = "momo.net.UnixDatagram"
UnixDatagram.__index = UnixDatagram
socket.extend(UnixDatagram, "socket")

---A socket at a path. The file of a socket at which nobody answers any more is replaced. The file stays after `close`.
---
---Codes: EADDRINUSE somebody receives there, or it is no socket; EACCES; ENOENT there is no such folder; EMFILE.
---@param path string of at most 107 bytes, or "@name" for a name in no folder
---@param options momo.net.UnixDatagramOptions?
---@return momo.net.UnixDatagram? socket
---@return string? err
---@return string? code
function UnixDatagram.bind(path, options)
  unix_path.check(path, "UnixDatagram.bind")
  options = check.options(options, { mode = "any" }, "UnixDatagram.bind")
  return native.unix_datagram_bind(path, unix_path.mode(options.mode, "UnixDatagram.bind"))
end

---Two sockets that are connected to each other.
---
---Codes: EMFILE.
---@return momo.net.UnixDatagram? one
---@return momo.net.UnixDatagram|string other or the error
---@return string? code
function UnixDatagram.pair()
  return native.unix_datagram_pair()
end

---From now on it sends there, and receives from there only. `UnixDatagram.connect(path)`: a new socket does, which has
---no address, so that nobody can answer it.
---
---Codes: ECONNREFUSED nobody receives there; ENOENT there is no such file; EPROTOTYPE it is for streams; EACCES;
---EMFILE; EBADF it is closed.
---@overload fun(path: string): momo.net.UnixDatagram?, string?, string?
---@param path string
---@return momo.net.UnixDatagram? socket
---@return string? err
---@return string? code
function UnixDatagram:connect(path)
  local known = self
  if getmetatable(self) ~= UnixDatagram then
    known, path = nil, self
  end
  unix_path.check(path, known and "connect" or "UnixDatagram.connect")
  return native.unix_datagram_connect(path, known)
end

---Sends one datagram; waits while the queue of who receives there is full.
---
---Codes: EMSGSIZE it is too large; ECONNREFUSED nobody receives there; ENOENT there is no such file; EPROTOTYPE it is
---for streams; EACCES; ETIMEDOUT; ECANCELED it was closed meanwhile; EBADF it is closed.
---@async
---@param data string of at most 65536 bytes
---@param path string
---@param timeout number? seconds; 0 only tries
---@return integer? bytes
---@return string? err
---@return string? code
function UnixDatagram:send_to(data, path, timeout)
  check.self(self, UnixDatagram, "socket", "send_to")
  unix_path.check(path, "send_to")
  check.seconds(timeout, "send_to")
  local deadline, pause = timeout and time.now() + timeout or math.huge, PAUSE_SECONDS
  while true do
    local left = deadline - time.now()
    local again, bytes, err, code
    -- The system has no event for the end of a queue that others have filled.
    repeat again, bytes, err, code = send_to(self, data, path, math.max(0, math.min(pause, left))) until not again
    if bytes then
      return bytes
    elseif code ~= "ETIMEDOUT" or left <= pause then
      return nil, err, code
    end
    pause = math.min(2 * pause, PAUSE_MOST_SECONDS)
  end
end

---Sends one datagram to where the socket is connected; waits while the queue there is full.
---
---Codes: ENOTCONN it is not connected; ECONNREFUSED nobody receives there any more; EMSGSIZE it is too large;
---ETIMEDOUT; ECANCELED it was closed meanwhile; EBADF it is closed.
---@async
---@param data string of at most 65536 bytes
---@param timeout number? seconds; 0 only tries
---@return integer? bytes
---@return string? err
---@return string? code
function UnixDatagram:send(data, timeout)
  check.self(self, UnixDatagram, "socket", "send")
  return datagram.send(self, data, timeout)
end

---The next datagram, whole, maybe empty, and the path of who sent it. Those who wait are served in turn.
---
---Codes: ETIMEDOUT; ECONNRESET who it is connected to has gone; EMSGSIZE it had more than 64 KiB; ECANCELED it was
---closed meanwhile; EBADF it is closed.
---@async
---@param timeout number? seconds; 0 only tries
---@return string? data
---@return string address where it came from, or the error
---@return string? code
function UnixDatagram:recv_from(timeout)
  check.self(self, UnixDatagram, "socket", "recv_from")
  return datagram.recv_from(self, timeout)
end

---The next datagram, without the path of who sent it.
---
---Codes: ETIMEDOUT; ECONNRESET who it is connected to has gone; EMSGSIZE it had more than 64 KiB; ECANCELED it was
---closed meanwhile; EBADF it is closed.
---@async
---@param timeout number? seconds; 0 only tries
---@return string? data
---@return string? err
---@return string? code
function UnixDatagram:recv(timeout)
  check.self(self, UnixDatagram, "socket", "recv")
  return datagram.recv(self, timeout)
end

---The path to which it is connected.
---
---Codes: ENOTCONN it is not connected; EBADF it is closed.
---@return string? address
---@return string? err
---@return string? code
function UnixDatagram:peer_addr()
  check.self(self, UnixDatagram, "socket", "peer_addr")
  return socket.address(C.momo_peer_address, self)
end

names.objects(UnixDatagram, "socket")

return { UnixDatagram = UnixDatagram }
