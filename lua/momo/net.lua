---TCP. Addresses are strings: "127.0.0.1:8080", "[::1]:8080", "localhost:8080".
---
---What fails returns nil, "CODE: text", "CODE" with libuv's names; a wrong argument throws. A timeout is in seconds.

local address_of = require "momo.address"
local check = require "momo.check"
local core = require "momo.core"
local now = require("momo.time").now

local C, executor, native, status = core.C, core.executor, core.native, core.status
local resolve, socket_address, split = address_of.resolve, address_of.socket, address_of.split
local read, read_exact, read_until, write = native.read, native.read_exact, native.read_until, native.write
local accept = native.accept

---@class momo.net.TcpStream
local TcpStream = native.metatables.stream
TcpStream.__name = "momo.net.TcpStream"
TcpStream.__index = TcpStream

---@class momo.net.TcpListener
local TcpListener = native.metatables.listener
TcpListener.__name = "momo.net.TcpListener"
TcpListener.__index = TcpListener

local M = {
  TcpStream = TcpStream,
  TcpListener = TcpListener,
  UdpSocket = require("momo.udp").UdpSocket,
  serve = require("momo.serve").serve,
}

-- Listeners

---@param address string port 0: any free one
---@param options {backlog: integer?, reuseport: boolean?}? reuseport: several listeners share the address, one a thread
---@async for a host name, whose first address is used
---@return momo.net.TcpListener? listener
---@return string? err
---@return string? code
function TcpListener.bind(address, options)
  options = check.options(options, { backlog = "number", reuseport = "boolean" }, "TcpListener.bind")
  local backlog = options.backlog or 511
  check.argument(check.is_whole(backlog) and backlog > 0, "TcpListener.bind: backlog must be a whole number from 1",
    backlog)
  local host, port, literal = split(address, "TcpListener.bind")
  if not literal then
    local addresses, err, code = resolve(host, port)
    if not addresses then
      return nil, err, code
    end
    address = addresses[1]
  end
  return native.listen(address, backlog, options.reuseport)
end

---The next connection. Those who wait are served in turn.
---@async
---@param timeout number? seconds
---@return momo.net.TcpStream? stream
---@return string peer its address, or the error
---@return string? code
function TcpListener:accept(timeout)
  local stream, peer, code
  repeat stream, peer, code = accept(self, timeout) until stream ~= true
  if stream then
    return stream, peer
  end
  return nil, peer, code
end

---@return string? address
---@return string? err
---@return string? code
function TcpListener:local_addr()
  check.self(self, TcpListener, "listener", "local_addr")
  return socket_address(C.momo_local_address, self)
end

---May be repeated. Those who wait in accept get ECANCELED.
function TcpListener:close()
  check.self(self, TcpListener, "listener", "close")
  C.momo_close(executor, self)
end

-- Streams

---Tries each address of a host name in turn, within one timeout.
---@async
---@param address string
---@param timeout number? seconds
---@return momo.net.TcpStream? stream
---@return string? err
---@return string? code
function TcpStream.connect(address, timeout)
  local host, port, literal = split(address, "TcpStream.connect")
  check.argument(timeout == nil or (type(timeout) == "number" and timeout >= 0),
    "TcpStream.connect: the timeout must be a number of seconds, 0 or more", timeout)
  local deadline = timeout and now() + timeout
  local addresses, stream, err, code = { address }, nil, nil, nil
  if not literal then
    addresses, err, code = resolve(host, port, timeout)
    if not addresses then
      return nil, err, code
    end
  end
  for _, candidate in ipairs(addresses) do
    stream, err, code = native.connect_start(candidate)
    if stream then
      local connecting, left = stream, deadline and math.max(0, deadline - now())
      repeat
        stream, err, code = native.connect_finish(candidate, connecting, left)
      until stream ~= true
    end
    if stream or code == "ETIMEDOUT" then
      break
    end
  end
  if stream then
    return stream
  end
  return nil, err, code
end

---1 to max bytes, as soon as there are any.
---@async
---@param max integer? 64 KiB, of which more is never returned at once
---@return string? bytes
---@return string? err "EOF: end of file" at the end
---@return string? code
function TcpStream:read(max)
  local bytes, err, code
  repeat bytes, err, code = read(self, max) until bytes ~= true
  if bytes then
    return bytes
  end
  return nil, err, code
end

---Exactly n bytes. When it fails, those that came stay for later reads.
---@async
---@param n integer
---@return string? bytes
---@return string? err
---@return string? code
function TcpStream:read_exact(n)
  local bytes, err, code
  repeat bytes, err, code = read_exact(self, n) until bytes ~= true
  if bytes then
    return bytes
  end
  return nil, err, code
end

---Up to the first delimiter, which is included. When it fails, the bytes that came stay for later reads.
---@async
---@param delim string
---@param max integer? bytes; ENOBUFS when there is no delimiter within them; 64 KiB
---@return string? bytes
---@return string? err
---@return string? code
function TcpStream:read_until(delim, max)
  local bytes, err, code
  repeat bytes, err, code = read_until(self, delim, max) until bytes ~= true
  if bytes then
    return bytes
  end
  return nil, err, code
end

---Iterates over lines, without \n or \r\n; an unterminated last line counts. Failures but EOF raise, as io.lines does.
---@async
---@param max integer? bytes of a line; 64 KiB
---@return fun(): string?
function TcpStream:lines(max)
  check.self(self, TcpStream, "stream", "lines")
  check.argument(max == nil or (check.is_whole(max) and max >= 1 and max < 2 ^ 31),
    "lines: max must be a whole number from 1", max)
  return function()
    local line, err, code = self:read_until("\n", max)
    if line then
      return line:sub(-2) == "\r\n" and line:sub(1, -3) or line:sub(1, -2)
    elseif code ~= "EOF" then
      check.fail(err)
    end
    return (self:read())
  end
end

---Waits while the peer does not read. Writes of several tasks queue, and each is whole; one that is cut short, by a
---timeout or a cancellation, has sent an unknown part: later writes then return EPIPE.
---@async
---@param data string|string[] the pieces of an array are sent as one; it must not be changed meanwhile
---@return integer? bytes
---@return string? err
---@return string? code
function TcpStream:write(data)
  local bytes, err, code
  repeat bytes, err, code = write(self, data) until bytes ~= true
  if bytes then
    return bytes
  end
  return nil, err, code
end

---For each later read and write. A read that timed out has lost nothing.
---@param seconds number? nil: no limit
function TcpStream:set_timeout(seconds)
  check.self(self, TcpStream, "stream", "set_timeout")
  check.argument(seconds == nil or (type(seconds) == "number" and seconds >= 0),
    "set_timeout: argument 1 must be a number of seconds, 0 or more, or nil", seconds)
  return status(C.momo_set_timeout(executor, self, seconds or -1))
end

---Ends the outgoing side: the peer reads EOF. EBUSY while a write is under way.
function TcpStream:shutdown()
  check.self(self, TcpStream, "stream", "shutdown")
  return status(C.momo_shutdown(executor, self))
end

---May be repeated. Those who wait in an operation get ECANCELED.
function TcpStream:close()
  check.self(self, TcpStream, "stream", "close")
  C.momo_close(executor, self)
end

---@return string? address
---@return string? err
---@return string? code
function TcpStream:local_addr()
  check.self(self, TcpStream, "stream", "local_addr")
  return socket_address(C.momo_local_address, self)
end

---@return string? address
---@return string? err
---@return string? code
function TcpStream:peer_addr()
  check.self(self, TcpStream, "stream", "peer_addr")
  return socket_address(C.momo_peer_address, self)
end

---Whether small writes are sent at once.
---@param on boolean
function TcpStream:set_nodelay(on)
  check.self(self, TcpStream, "stream", "set_nodelay")
  check.argument(type(on) == "boolean", "set_nodelay: argument 1 must be a boolean", on)
  return status(C.momo_set_nodelay(executor, self, on and 1 or 0))
end

---Seconds of silence after which the peer is probed; false: never.
---@param seconds integer|false
function TcpStream:set_keepalive(seconds)
  check.self(self, TcpStream, "stream", "set_keepalive")
  check.argument(seconds == false or (check.is_whole(seconds) and seconds >= 1 and seconds <= 32767),
    "set_keepalive: argument 1 must be a whole number of seconds from 1, or false", seconds)
  return status(C.momo_set_keepalive(executor, self, seconds or 0))
end

return M
