---TCP. Addresses are strings: "127.0.0.1:8080", "[::1]:8080", "localhost:8080".

local Listener = require "momo.net.listener"
local Stream = require "momo.net.stream"
local check = require "momo.internal.check"
local dial = require("momo.net.dial").dial
local dns = require "momo.net.dns"
local native = require("momo.internal.core").native
local now = require("momo.time").now
local socket = require "momo.net.socket"

---@class momo.net.TcpStream: momo.Stream
local TcpStream = setmetatable({}, { __index = Stream })

---@class momo.net.TcpListener: momo.Listener
local TcpListener = setmetatable({}, { __index = Listener })

---@param address string port 0: any free one
---@param options {backlog: integer?, reuseport: boolean?}? reuseport: several listeners share the address, one a thread
---@async for a host name, whose first address is used
---@return momo.net.TcpListener? listener
---@return string? err
---@return string? code
function TcpListener.bind(address, options)
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
---@type fun(fd: integer): momo.net.TcpListener?, string?, string?
TcpListener.from_fd = socket.from_fd("a TCP listener", "TcpListener.from_fd")

---@async
local function attempt(address, timeout)
  local stream, err, code = native.connect_start(address)
  if stream then
    return socket.connected(address, stream, timeout)
  end
  return nil, err, code
end

---The addresses of a host name are tried as RFC 8305 says, within one timeout: see dial.lua.
---@async
---@param address string
---@param timeout number? seconds
---@return momo.net.TcpStream? stream
---@return string? err
---@return string? code
function TcpStream.connect(address, timeout)
  local host, port, literal = dns.split(address, "TcpStream.connect")
  check.seconds(timeout, "TcpStream.connect")
  if literal then
    return attempt(address, timeout)
  end
  local deadline = timeout and now() + timeout
  local addresses, err, code = dns.resolve(host, port, timeout)
  if not addresses then
    return nil, err, code
  end
  return dial(addresses, attempt, deadline and math.max(0, deadline - now()))
end

---Takes over a connected TCP socket that was opened elsewhere; one of another kind stays the caller's.
---@type fun(fd: integer): momo.net.TcpStream?, string?, string?
TcpStream.from_fd = socket.from_fd("a TCP stream", "TcpStream.from_fd")

return { TcpStream = TcpStream, TcpListener = TcpListener }
