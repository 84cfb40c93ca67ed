---Byte streams: what TCP and Unix connections, pipes and the standard streams can do, once for all.
---
---What fails returns nil, "CODE: text", "CODE" with libuv's names; a wrong argument throws. A timeout is in seconds.

local check = require "momo.internal.check"
local check_self = check.self
local core = require "momo.internal.core"
local names = require "momo.internal.names"
local socket = require "momo.net.socket"

local C, executor, native = core.C, core.executor, core.native
local read, read_exact, read_until, write = native.read, native.read_exact, native.read_until, native.write
local peek, read_into, write_some, take_back = native.peek, native.read_into, native.write_some, native.take_back

---A stream of bytes: a TCP or Unix connection, a pipe, a standard stream. One task may read it while another writes it.
---
---It is closed by `close`, or by the garbage collector once it is dropped. A peer that has gone never kills the process
---by SIGPIPE; only under the momo command does a write to a stdout or stderr that nobody reads, as with any program.
---@class momo.Stream: momo.Socket
local Stream = native.metatables.stream
Stream.__name = "momo.Stream"
Stream.__index = Stream
socket.extend(Stream, "stream")

---1 to max bytes, as soon as there are any.
---
---Codes: EOF at the end; ECONNRESET; ETIMEDOUT; EBUSY another task reads; ECANCELED it was closed meanwhile;
---EBADF it is closed.
---@async
---@param max integer? bytes; 64 KiB, of which more is never returned at once
---@param timeout number? seconds, in place of the stream's `set_timeout`; 0 only tries
---@return string? bytes
---@return string? err
---@return string? code
function Stream:read(max, timeout)
  check_self(self, Stream, "stream", "read")
  -- What the call returns takes the slots that it was made from: a coroutine that waits here, in read_exact or in
  -- write, may still be on the stack that it began with, which is 40 slots.
  while true do
    local again, bytes, err, code = read(self, max, timeout)
    if bytes then
      return bytes
    elseif not again then
      return nil, err, code
    end
  end
end

---Appends 1 to max bytes to a `string.buffer`, as soon as there are any: as `read`, but no string is made. When it
---fails, nothing was appended. Others may use the buffer while it waits.
---
---Codes: EOF at the end; ECONNRESET; ETIMEDOUT; EBUSY another task reads; ECANCELED it was closed meanwhile;
---EBADF it is closed.
---@async
---@param buffer string.buffer of LuaJIT's module of that name; it grows by what has come, if it has no room
---@param max integer? bytes; 64 KiB, of which more is never appended at once
---@param timeout number? seconds, in place of the stream's `set_timeout`; 0 only tries
---@return integer? bytes how many were appended
---@return string? err
---@return string? code
function Stream:read_into(buffer, max, timeout)
  check_self(self, Stream, "stream", "read_into")
  while true do
    local again, bytes, err, code = read_into(self, buffer, max, timeout)
    if bytes then
      return bytes
    elseif not again then
      return nil, err, code
    end
  end
end

---Exactly n bytes. When it fails, those that came stay for later reads.
---
---Codes: EOF at the end; ECONNRESET; ETIMEDOUT; EBUSY another task reads; ECANCELED it was closed meanwhile;
---EBADF it is closed.
---@async
---@param n integer bytes
---@param timeout number? seconds, in place of the stream's `set_timeout`; 0 only tries
---@return string? bytes
---@return string? err
---@return string? code
function Stream:read_exact(n, timeout)
  check_self(self, Stream, "stream", "read_exact")
  while true do
    local again, bytes, err, code = read_exact(self, n, timeout)
    if bytes then
      return bytes
    elseif not again then
      return nil, err, code
    end
  end
end

---Up to the first delimiter, which is included. When it fails, the bytes that came stay for later reads.
---
---Codes: ENOBUFS there is no delimiter within max bytes; EOF at the end; ECONNRESET; ETIMEDOUT; EBUSY another task
---reads; ECANCELED it was closed meanwhile; EBADF it is closed.
---@async
---@param delim string such as "\n" or "\r\n\r\n"
---@param max integer? bytes, the delimiter included; 64 KiB
---@param timeout number? seconds, in place of the stream's `set_timeout`; 0 only tries
---@return string? bytes
---@return string? err
---@return string? code
function Stream:read_until(delim, max, timeout)
  check_self(self, Stream, "stream", "read_until")
  local again, bytes, err, code
  repeat again, bytes, err, code = read_until(self, delim, max, timeout) until not again
  if bytes then
    return bytes
  end
  return nil, err, code
end

---All unread bytes, min of them or more; they stay unread. When it fails, the bytes that came stay for later reads.
---
---Codes: EOF at the end; ECONNRESET; ETIMEDOUT; EBUSY another task reads; ECANCELED it was closed meanwhile;
---EBADF it is closed.
---@async
---@param min integer? bytes; 1
---@param timeout number? seconds, in place of the stream's `set_timeout`; 0 only tries
---@return string? bytes
---@return string? err
---@return string? code
function Stream:peek(min, timeout)
  check_self(self, Stream, "stream", "peek")
  local again, bytes, err, code
  repeat again, bytes, err, code = peek(self, min, false, timeout) until not again
  if bytes then
    return bytes
  end
  return nil, err, code
end

local length = core.new "size_t[1]"

---The unread bytes as `peek` gives them, but without making a string: for parsers that FFI calls. The pointer is good
---until the task suspends, or any stream of this thread is used.
---
---Codes: EOF at the end; ECONNRESET; ETIMEDOUT; EBUSY another task reads; ECANCELED it was closed meanwhile;
---EBADF it is closed.
---@async
---@param min integer? bytes; 1
---@param timeout number? seconds, in place of the stream's `set_timeout`; 0 only tries
---@return ffi.cdata*? bytes a `const char *`
---@return integer|string length or the error
---@return string? code
function Stream:peek_ptr(min, timeout)
  check_self(self, Stream, "stream", "peek_ptr")
  local again, unread, err, code
  repeat again, unread, err, code = peek(self, min, true, timeout) until not again
  if unread then
    return C.momo_unread(executor, self, length), unread
  end
  return nil, err, code
end

---Drops the first n unread bytes, which `peek` has shown. More than there are throws.
---
---Codes: EBUSY another task reads; EBADF it is closed.
---@param n integer bytes
---@return true? ok
---@return string? err
---@return string? code
function Stream:consume(n)
  check_self(self, Stream, "stream", "consume")
  check.argument(check.is_whole(n) and n >= 0 and n < 2 ^ 31, "consume: n must be a whole number from 0", n)
  local ok, err, code = core.status(C.momo_consume(executor, self, n))
  if code == "EBUSY" and take_back(self) then
    ok, err, code = core.status(C.momo_consume(executor, self, n))
  end
  if code == "EINVAL" then
    check.fail(("consume: there are no %d unread bytes"):format(n))
  end
  return ok, err, code
end

---Iterates over lines, without \n or \r\n; an unterminated last line counts. Failures but EOF raise, as those of
---`io.lines` do.
---@async
---@param max integer? bytes of a line; 64 KiB
---@return fun(): string? next for the `for` loop
function Stream:lines(max)
  check_self(self, Stream, "stream", "lines")
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

---Sends all of it, and waits while the peer does not read. Writes of several tasks queue, and each is whole; one that
---is cut short, by a timeout or a cancellation, has sent an unknown part: later writes then return EPIPE.
---
---Of a `string.buffer`, what is sent is dropped: it is empty in the end, and where the write fails, it has what was not
---sent. What is put into it meanwhile is sent too; bytes that somebody else takes from it meanwhile make it throw.
---
---Codes: EPIPE nobody reads any more; ECONNRESET; ETIMEDOUT; ECANCELED it was closed meanwhile; EBADF it is closed.
---@async
---@param data string|number|(string|number)[]|string.buffer an array's pieces are sent as one; it must stay as it is
---@param timeout number? seconds, in place of the stream's `set_timeout`; 0 only tries
---@return integer? bytes
---@return string? err
---@return string? code
function Stream:write(data, timeout)
  check_self(self, Stream, "stream", "write")
  while true do
    local again, bytes, err, code = write(self, data, timeout)
    if bytes then
      return bytes
    elseif not again then
      return nil, err, code
    end
  end
end

---Sends as much as the system takes at once, and waits only while it takes nothing: so one that is cut short, by a
---timeout or a cancellation, has sent nothing, and the stream goes on. Writes of others may go between its parts.
---
---Over TLS, some of what was taken may still wait in the stream; `stream:write ""` waits until that is out.
---
---Codes: EPIPE nobody reads any more; ECONNRESET; ETIMEDOUT; ECANCELED it was closed meanwhile; EBADF it is closed.
---@async
---@param data string
---@param first integer? the place in data from which on it is sent; 1
---@param timeout number? seconds, in place of the stream's `set_timeout`; 0 only tries
---@return integer? bytes how many were sent, 1 at least unless there are none
---@return string? err
---@return string? code
function Stream:write_some(data, first, timeout)
  check_self(self, Stream, "stream", "write_some")
  local again, bytes, err, code
  repeat again, bytes, err, code = write_some(self, data, first, timeout) until not again
  if bytes then
    return bytes
  end
  return nil, err, code
end

---What a stream that speaks TLS is about: version, cipher, protocol, the peer's certificate.
---
---Codes: EBADF it is closed.
---@return momo.tls.Facts? facts nil without an error: it is a plain stream
---@return string? err
---@return string? code
function Stream:tls()
  check_self(self, Stream, "stream", "tls")
  return require("momo.tls.facts").connection(self) -- which other streams need not load
end

---The most that each later read and write waits. A read that timed out has lost nothing.
---
---Codes: EBADF it is closed.
---@param seconds number? nil: no limit
---@return true? ok
---@return string? err
---@return string? code
function Stream:set_timeout(seconds)
  check_self(self, Stream, "stream", "set_timeout")
  check.argument(seconds == nil or (type(seconds) == "number" and seconds >= 0),
    "set_timeout: argument 1 must be a number of seconds, 0 or more, or nil", seconds)
  return core.status(C.momo_set_timeout(executor, self, seconds or -1))
end

---Ends the outgoing side: the peer reads EOF, and may still answer.
---
---Codes: EBUSY a write is under way; ENOTCONN the peer has gone; EBADF it is closed.
---@return true? ok
---@return string? err
---@return string? code
function Stream:shutdown()
  check_self(self, Stream, "stream", "shutdown")
  return core.status(C.momo_shutdown(executor, self))
end

---The address of the other end; "" of a Unix socket that has none.
---
---Codes: ENOTCONN the peer has gone; ENOTSOCK it is a pipe; EBADF it is closed.
---@return string? address
---@return string? err
---@return string? code
function Stream:peer_addr()
  check_self(self, Stream, "stream", "peer_addr")
  return socket.address(C.momo_peer_address, self)
end

---Gives the descriptor to the caller, who closes it, or hands it to a library; the stream is closed. It does not block,
---if it comes from Momo.
---
---Codes: EBUSY it has unread bytes, or another task reads or writes; ENOTSUP it speaks TLS; EBADF it is closed.
---@return integer? fd
---@return string? err
---@return string? code
function Stream:into_fd()
  check_self(self, Stream, "stream", "into_fd")
  local fd = C.momo_give_away(executor, self)
  if fd < 0 then
    return core.failure(fd)
  end
  return fd
end

---Whether small writes are sent at once, in place of waiting until those before have been acknowledged (Nagle's
---algorithm). They are, unless the socket was opened elsewhere.
---
---Codes: ENOTSUP it is a Unix socket; ENOTSOCK it is a pipe; EBADF it is closed.
---@param on boolean
---@return true? ok
---@return string? err
---@return string? code
function Stream:set_nodelay(on)
  check_self(self, Stream, "stream", "set_nodelay")
  check.argument(type(on) == "boolean", "set_nodelay: argument 1 must be a boolean", on)
  return socket.set(self, "tcp_nodelay", on)
end

---After how much silence the peer is probed.
---
---Codes: ENOTSUP it is a Unix socket; ENOTSOCK it is a pipe; EBADF it is closed.
---@param seconds integer|false false: never
---@return true? ok
---@return string? err
---@return string? code
function Stream:set_keepalive(seconds)
  check_self(self, Stream, "stream", "set_keepalive")
  check.argument(seconds == false or (check.is_whole(seconds) and seconds >= 1 and seconds <= 32767),
    "set_keepalive: argument 1 must be a whole number of seconds from 1, or false", seconds)
  local ok, err, code = socket.set(self, "so_keepalive", seconds ~= false)
  if ok and seconds then
    return socket.set(self, "tcp_keepidle", seconds)
  end
  return ok, err, code
end

names.objects(Stream, "stream", "for line in stream:lines() do")

return Stream
