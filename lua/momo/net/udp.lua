---UDP: datagrams, each whole or not at all. What fails returns nil, "CODE: text", "CODE"; a timeout is in seconds.

local check = require "momo.internal.check"
local core = require "momo.internal.core"
local dns = require "momo.net.dns"
local now = require("momo.time").now
local socket = require "momo.net.socket"

local C, executor, native, status = core.C, core.executor, core.native, core.status
local recv, recv_from, send, send_to = native.udp_recv, native.udp_recv_from, native.udp_send, native.udp_send_to

---@class momo.net.UdpSocket: momo.Socket
local UdpSocket = native.metatables.udp
UdpSocket.__name = "momo.net.UdpSocket"
UdpSocket.__index = UdpSocket
socket.extend(UdpSocket, "socket")

local M = { UdpSocket = UdpSocket }

---Calls try(address) for each of the literal addresses that an address stands for, as long as they are of a family that
---the socket does not speak.
---@async
local function with_each(address, name, timeout, try)
  local host, port, literal = dns.split(address, name)
  if literal then
    return try(address)
  end
  local addresses, err, code = dns.resolve(host, port, timeout)
  local result
  for _, candidate in ipairs(addresses or {}) do
    result, err, code = try(candidate)
    if result or code ~= "EAFNOSUPPORT" then
      break
    end
  end
  return result, err, code
end

---@param address string port 0: any free one
---@param options {reuseaddr: boolean?, reuseport: boolean?}? several sockets share the address
---@async for a host name
---@return momo.net.UdpSocket? socket
---@return string? err
---@return string? code
function UdpSocket.bind(address, options)
  options = check.options(options, { reuseaddr = "boolean", reuseport = "boolean" }, "UdpSocket.bind")
  return with_each(address, "UdpSocket.bind", nil, function(literal)
    return native.udp_bind(literal, options.reuseaddr, options.reuseport)
  end)
end

---From now on it sends there, and receives from there only. `UdpSocket.connect(address)`: a new socket does.
---@async for a host name
---@overload fun(address: string): momo.net.UdpSocket?, string?, string?
---@param address string
---@return momo.net.UdpSocket? socket
---@return string? err
---@return string? code
function UdpSocket:connect(address)
  local known = self
  if getmetatable(self) ~= UdpSocket then
    known, address = nil, self
  end
  return with_each(address, known and "connect" or "UdpSocket.connect", nil, function(literal)
    return native.udp_connect(literal, known)
  end)
end

---@async
---@param data string
---@param address string
---@param timeout number?
---@return integer? bytes
---@return string? err
---@return string? code
function UdpSocket:send_to(data, address, timeout)
  check.self(self, UdpSocket, "socket", "send_to")
  local bytes, err, code
  repeat bytes, err, code = send_to(self, data, address, timeout) until bytes ~= true
  if bytes then
    return bytes
  elseif bytes == nil then
    return nil, err, code
  end
  check.seconds(timeout, "send_to")
  local deadline = timeout and now() + timeout
  return with_each(address, "send_to", timeout, function(literal)
    return self:send_to(data, literal, deadline and math.max(0, deadline - now()))
  end)
end

---To where the socket is connected.
---@async
---@param data string
---@param timeout number?
---@return integer? bytes
---@return string? err "ECONNREFUSED: ..." when an earlier one was refused
---@return string? code
function UdpSocket:send(data, timeout)
  check.self(self, UdpSocket, "socket", "send")
  local bytes, err, code
  repeat bytes, err, code = send(self, data, timeout) until bytes ~= true
  if bytes then
    return bytes
  end
  return nil, err, code
end

---The next datagram, which may be empty. Those who wait are served in turn.
---@async
---@param timeout number?
---@return string? data
---@return string address where it came from, or the error
---@return string? code
function UdpSocket:recv_from(timeout)
  check.self(self, UdpSocket, "socket", "recv_from")
  local data, address, code
  repeat data, address, code = recv_from(self, timeout) until data ~= true
  if data then
    return data, address
  end
  return nil, address, code
end

---@async
---@param timeout number?
---@return string? data
---@return string? err
---@return string? code
function UdpSocket:recv(timeout)
  check.self(self, UdpSocket, "socket", "recv")
  local data, err, code
  repeat data, err, code = recv(self, timeout) until data ~= true
  if data then
    return data
  end
  return nil, err, code
end

---@return string? address where it is connected
---@return string? err
---@return string? code
function UdpSocket:peer_addr()
  check.self(self, UdpSocket, "socket", "peer_addr")
  return socket.address(C.momo_peer_address, self)
end

---Whether it may send to a broadcast address.
---@param on boolean
function UdpSocket:set_broadcast(on)
  check.self(self, UdpSocket, "socket", "set_broadcast")
  check.argument(type(on) == "boolean", "set_broadcast: argument 1 must be a boolean", on)
  return socket.set(self, "so_broadcast", on)
end

---Whether what it sends to a group comes to the members on this machine as well; true at first.
---@param on boolean
function UdpSocket:set_multicast_loop(on)
  check.self(self, UdpSocket, "socket", "set_multicast_loop")
  check.argument(type(on) == "boolean", "set_multicast_loop: argument 1 must be a boolean", on)
  return status(C.momo_set_multicast_loop(executor, self, on and 1 or 0))
end

---How many networks what it sends to a group passes; 1 at first.
---@param hops integer
function UdpSocket:set_multicast_ttl(hops)
  check.self(self, UdpSocket, "socket", "set_multicast_ttl")
  check.argument(check.is_whole(hops) and hops >= 0 and hops <= 255,
    "set_multicast_ttl: argument 1 must be a whole number from 0 to 255", hops)
  return status(C.momo_set_multicast_ttl(executor, self, hops))
end

---The interface on which it sends to groups.
---@param interface string its name
function UdpSocket:set_multicast_interface(interface)
  check.self(self, UdpSocket, "socket", "set_multicast_interface")
  check.argument(type(interface) == "string", "set_multicast_interface: argument 1 must be an interface's name",
    interface)
  return status(C.momo_set_multicast_interface(executor, self, interface))
end

local function set_member(self, name, group, interface, join)
  check.self(self, UdpSocket, "socket", name)
  check.argument(type(group) == "string", name .. ": argument 1 must be a group's address, such as \"239.1.2.3\"",
    group)
  check.argument(interface == nil or type(interface) == "string", name .. ": argument 2 must be an interface's name",
    interface)
  return status(C.momo_set_multicast_member(executor, self, group, interface, join))
end

---It receives what is sent to the group, on its own port.
---@param group string an address without a port: "239.1.2.3", "ff02::1234"
---@param interface string? a name; without one, the system chooses
function UdpSocket:join_multicast(group, interface)
  return set_member(self, "join_multicast", group, interface, 1)
end

---@param group string
---@param interface string?
function UdpSocket:leave_multicast(group, interface)
  return set_member(self, "leave_multicast", group, interface, 0)
end

return M
