---TCP. Addresses are strings: "127.0.0.1:8080", "[::1]:8080", "localhost:8080".

local Listener = require "momo.net.listener"
local Stream = require "momo.net.stream"
local check = require "momo.internal.check"
local dns = require "momo.net.dns"
local names = require "momo.internal.names"
local native = require("momo.internal.core").native
local now = require("momo.time").now
local socket = require "momo.net.socket"

---@class momo.net.TcpListenerOptions
---@field backlog integer? connections that may wait to be accepted; 511
---@field reuseport boolean? several listeners share the address, one a thread; false

---Makes TCP connections; they are streams.
---@class momo.net.TcpStream: momo.Stream
local TcpStream = names.class({}, Stream, "momo.net.TcpStream")

---Makes listening TCP sockets.
---@class momo.net.TcpListener: momo.Listener
local TcpListener = names.class({}, Listener, "momo.net.TcpListener")

---Listens at an address; of a host name, at its first one.
---
---Codes: EADDRINUSE; EACCES; EADDRNOTAVAIL; EMFILE; EAI_NONAME there is no such host; EAI_AGAIN; ENODEV it is of a
---zone that there is not.
---@async for a host name
---@param address string "127.0.0.1:8080", "[::]:8080", "localhost:8080"; port 0: any free one
---@param options momo.net.TcpListenerOptions?
---@return momo.net.TcpListener? listener
---@return string? err
---@return string? code
function TcpListener.bind(address, options)
  check.dot(address, "TcpListener.bind")
  if type(options) == "number" then
    dns.split(address, "TcpListener.bind", options)
  end
  options = check.options(options, { backlog = "number", reuseport = "boolean" }, "TcpListener.bind")
  local backlog = socket.backlog(options.backlog, "TcpListener.bind")
  local host, port, literal = dns.split(address, "TcpListener.bind")
  if not literal then
    local addresses, err, code = dns.resolve(host, port)
    if not addresses then
      return nil, err, code
    end
    address = addresses[1]
  end
  return native.listen(address, backlog, options.reuseport)
end

---Takes over a listening TCP socket that was opened elsewhere; one of another kind stays the caller's.
---
---Codes: EINVAL it is of another kind; ENOTSOCK; EBADF; EBUSY it belongs to Momo already.
---@type fun(fd: integer): (listener: momo.net.TcpListener?, err: string?, code: string?)
TcpListener.from_fd = socket.from_fd("a TCP listener", "TcpListener.from_fd")

---@async
local function attempt(address, timeout, from)
  local stream, err, code = native.connect_start(address, false, from)
  if stream then
    return socket.connected(address, stream, timeout)
  end
  return nil, err, code
end

---@class momo.net.ConnectOptions
---@field bind string? the socket's own address, such as "192.0.2.1:0"; port 0: any free one
---@field proxy_protocol momo.net.ProxyHeader? is sent first: whose connection it is that we pass on

-- The literal address that a socket is bound to before it connects, or nil.
local function own_address(options)
  local bind = check.options(options, { bind = "string", proxy_protocol = "table" }, "TcpStream.connect").bind
  if bind then
    local _, _, literal = dns.split(bind, "TcpStream.connect: option bind")
    check.argument(literal, "TcpStream.connect: option bind must be an address such as \"192.0.2.1:0\"", bind)
  end
  return bind
end

-- Those of the same family as an address; if there are none, the first one, which fails for that.
local function of_family(addresses, from)
  local found = {}
  for _, address in ipairs(addresses) do
    if (address:sub(1, 1) == "[") == (from:sub(1, 1) == "[") then
      found[#found + 1] = address
    end
  end
  return found[1] and found or { addresses[1] }
end

---@async
local function connect(address, timeout, from)
  local host, port, literal = dns.split(address, "TcpStream.connect", timeout)
  if literal then
    return attempt(address, timeout, from)
  end
  local deadline = timeout and now() + timeout
  local addresses, err, code = dns.resolve(host, port, timeout)
  if not addresses then
    return nil, err, code
  end
  addresses = from and of_family(addresses, from) or addresses
  return require("momo.net.happy_eyeballs").connect(addresses, function(one, left) return attempt(one, left, from) end,
    deadline and math.max(0, deadline - now()))
end

-- A few bytes, for which a new socket always has room.
---@async
local function announce(stream, header, err, code)
  local ok = stream
  if ok then
    ok, err, code = stream:write(header)
  end
  if ok then
    return stream
  elseif stream then
    stream:close()
  end
  return nil, err, code
end

---Connects. The addresses of a host name are tried as RFC 8305 says (Happy Eyeballs), within one timeout: IPv6 and IPv4
---in turn, the next one after a quarter of a second or at a failure; the first to connect is returned.
---
---Codes: ECONNREFUSED; ETIMEDOUT; ENETUNREACH; EHOSTUNREACH; EMFILE; EAI_NONAME there is no such host; EAI_AGAIN;
---ENODEV it is of a zone that there is not; of `bind`: EADDRNOTAVAIL; EADDRINUSE; EACCES; EAFNOSUPPORT it is IPv4, and
---the address is not, or the other way round.
---@async
---@param address string "127.0.0.1:8080", "[::1]:8080", "localhost:8080"
---@param timeout number? seconds
---@param options momo.net.ConnectOptions?
---@return momo.net.TcpStream? stream
---@return string? err
---@return string? code
function TcpStream.connect(address, timeout, options)
  check.dot(address, "TcpStream.connect")
  check.seconds(timeout, "TcpStream.connect")
  if not options then
    return connect(address, timeout)
  end
  local from, header = own_address(options), options.proxy_protocol
  if not header then
    return connect(address, timeout, from)
  end
  header = require("momo.net.proxy_protocol").encode(header, "TcpStream.connect: option proxy_protocol")
  local stream, err, code = connect(address, timeout, from)
  return announce(stream, header, err, code)
end

---Takes over a connected TCP socket that was opened elsewhere; one of another kind stays the caller's.
---
---Codes: EINVAL it is of another kind; ENOTSOCK; EBADF; EBUSY it belongs to Momo already.
---@type fun(fd: integer): (stream: momo.net.TcpStream?, err: string?, code: string?)
TcpStream.from_fd = socket.from_fd("a TCP stream", "TcpStream.from_fd")

return { TcpStream = TcpStream, TcpListener = TcpListener }
