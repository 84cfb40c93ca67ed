---TCP. Addresses are strings: "127.0.0.1:8080", "[::1]:8080", "localhost:8080".

local Listener = require "momo.listener"
local Stream = require "momo.stream"
local check = require "momo.check"
local native = require("momo.core").native
local now = require("momo.time").now
local socket = require "momo.socket"

---@class momo.net.TcpStream: momo.Stream
local TcpStream = setmetatable({}, { __index = Stream })

---@class momo.net.TcpListener: momo.Listener
local TcpListener = setmetatable({}, { __index = Listener })

-- Addresses

local function split(address, name)
  if type(address) ~= "string" then
    check.fail(name .. ": the address must be a string such as \"127.0.0.1:8080\", got " .. check.show(address))
  end
  local host, port, literal = native.split(address)
  if not host then
    local digits = address:match "^:?(%d+)$"
    if tonumber(address:match ":(%d+)$" or 0) > 65535 then
      check.fail(("%s: the port of %q must be a number from 0 to 65535"):format(name, address))
    end
    check.fail(("%s: %q is no address; write \"127.0.0.1:%s\""):format(name, address, digits or "8080"))
  end
  return host, port, literal
end

---The literal addresses that an address stands for.
---@async
local function resolve(host, port, timeout)
  local lookup, err, code = native.lookup_start(host)
  if not lookup then
    return nil, err, code
  end
  local addresses
  repeat
    addresses, err, code = native.lookup_finish(host, lookup, port, timeout)
  until addresses ~= true
  return addresses, err, code
end

---@param address string port 0: any free one
---@param options {backlog: integer?, reuseport: boolean?}? reuseport: several listeners share the address, one a thread
---@async for a host name, whose first address is used
---@return momo.net.TcpListener? listener
---@return string? err
---@return string? code
function TcpListener.bind(address, options)
  options = check.options(options, { backlog = "number", reuseport = "boolean" }, "TcpListener.bind")
  local backlog = socket.backlog(options.backlog, "TcpListener.bind")
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

---Takes over a listening TCP socket that was opened elsewhere; one of another kind stays the caller's.
---@type fun(fd: integer): momo.net.TcpListener?, string?, string?
TcpListener.from_fd = socket.from_fd("a TCP listener", "TcpListener.from_fd")

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
      stream, err, code = socket.connected(candidate, stream, deadline and math.max(0, deadline - now()))
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

---Takes over a connected TCP socket that was opened elsewhere; one of another kind stays the caller's.
---@type fun(fd: integer): momo.net.TcpStream?, string?, string?
TcpStream.from_fd = socket.from_fd("a TCP stream", "TcpStream.from_fd")

return { TcpStream = TcpStream, TcpListener = TcpListener }
