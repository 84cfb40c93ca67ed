---UDP: datagrams, each whole or not at all. What fails returns nil, "CODE: text", "CODE"; a timeout is in seconds.

local check = require "momo.internal.check"
local core = require "momo.internal.core"
local datagram = require "momo.internal.datagram"
local dns = require "momo.net.dns"
local names = require "momo.internal.names"
local now = require("momo.time").now
local socket = require "momo.net.socket"

local C, executor, native, status = core.C, core.executor, core.native, core.status

---@class momo.net.UdpSocketOptions
---@field reuseaddr boolean? several sockets share the address; false
---@field reuseport boolean? several sockets share the address, and each gets its part of what is not for a group; false

---A UDP socket: it sends and receives datagrams, each whole or not at all.
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

---A socket at an address. Of what is sent to a group, each socket that shares the address gets a copy.
---
---Codes: EADDRINUSE; EACCES; EADDRNOTAVAIL; EMFILE; EAI_NONAME there is no such host; EAI_AGAIN; ENODEV it is of a
---zone that there is not.
---@async for a host name
---@param address string "127.0.0.1:8080", "[::]:8080"; port 0: any free one
---@param options momo.net.UdpSocketOptions?
---@return momo.net.UdpSocket? socket
---@return string? err
---@return string? code
function UdpSocket.bind(address, options)
  check.dot(address, "UdpSocket.bind")
  if type(options) == "number" then
    dns.split(address, "UdpSocket.bind", options)
  end
  options = check.options(options, { reuseaddr = "boolean", reuseport = "boolean" }, "UdpSocket.bind")
  return with_each(address, "UdpSocket.bind", nil, function(literal)
    return native.udp_bind(literal, options.reuseaddr, options.reuseport)
  end)
end

---From now on it sends there, and receives from there only. `UdpSocket.connect(address)`: a new socket does.
---
---Codes: ENETUNREACH; EAFNOSUPPORT the address is IPv6, and the socket is not, or the other way round; EMFILE;
---EAI_NONAME there is no such host; EAI_AGAIN; ENODEV it is of a zone that there is not; EBADF it is closed.
---@async for a host name
---@overload fun(address: string): momo.net.UdpSocket?, string?, string?
---@param address string "127.0.0.1:8080"
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

local function send_to_name(self, data, address, timeout)
  check.seconds(timeout, "send_to")
  local deadline = timeout and now() + timeout
  return with_each(address, "send_to", timeout, function(literal)
    return self:send_to(data, literal, deadline and math.max(0, deadline - now()))
  end)
end

---Sends one datagram. It hardly ever waits.
---
---Codes: EMSGSIZE it is too large; ENETUNREACH; EAFNOSUPPORT the address is IPv6, and the socket is not, or the other
---way round; ETIMEDOUT; EAI_NONAME there is no such host; EAI_AGAIN; ENODEV it is of a zone that there is not;
---ECANCELED it was closed meanwhile; EBADF it is closed.
---@async
---@param data string of at most 65507 bytes (IPv4)
---@param address string "127.0.0.1:8080"
---@param timeout number? seconds; 0 only tries
---@return integer? bytes
---@return string? err
---@return string? code
function UdpSocket:send_to(data, address, timeout)
  check.self(self, UdpSocket, "socket", "send_to")
  local bytes, err, code = datagram.send_to(self, data, address, timeout)
  if bytes == false then
    return send_to_name(self, data, address, timeout)
  end
  return bytes, err, code
end

---Sends one datagram to where the socket is connected. That an earlier one was refused is told once to each task that
---uses the socket, to one that sends and to one that receives.
---
---Codes: EDESTADDRREQ it is not connected; ECONNREFUSED an earlier datagram was refused; EMSGSIZE it is too large;
---ENETUNREACH; ETIMEDOUT; ECANCELED it was closed meanwhile; EBADF it is closed.
---@async
---@param data string of at most 65507 bytes (IPv4)
---@param timeout number? seconds; 0 only tries
---@return integer? bytes
---@return string? err
---@return string? code
function UdpSocket:send(data, timeout)
  check.self(self, UdpSocket, "socket", "send")
  return datagram.send(self, data, timeout)
end

---The next datagram, whole, maybe empty. Those who wait are served in turn.
---
---Codes: ETIMEDOUT; ECONNREFUSED an earlier datagram that it sent was refused; ECANCELED it was closed meanwhile; EBADF
---it is closed.
---@async
---@param timeout number? seconds; 0 only tries
---@return string? data
---@return string address where it came from, or the error
---@return string? code
function UdpSocket:recv_from(timeout)
  check.self(self, UdpSocket, "socket", "recv_from")
  return datagram.recv_from(self, timeout)
end

---The next datagram, without the address that it came from.
---
---Codes: ETIMEDOUT; ECONNREFUSED an earlier datagram that it sent was refused; ECANCELED it was closed meanwhile; EBADF
---it is closed.
---@async
---@param timeout number? seconds; 0 only tries
---@return string? data
---@return string? err
---@return string? code
function UdpSocket:recv(timeout)
  check.self(self, UdpSocket, "socket", "recv")
  return datagram.recv(self, timeout)
end

---The address where it is connected.
---
---Codes: ENOTCONN it is not connected; EBADF it is closed.
---@return string? address
---@return string? err
---@return string? code
function UdpSocket:peer_addr()
  check.self(self, UdpSocket, "socket", "peer_addr")
  return socket.address(C.momo_peer_address, self)
end

---Whether it may send to a broadcast address.
---
---Codes: EBADF it is closed.
---@param on boolean
---@return true? ok
---@return string? err
---@return string? code
function UdpSocket:set_broadcast(on)
  check.self(self, UdpSocket, "socket", "set_broadcast")
  check.argument(type(on) == "boolean", "set_broadcast: argument 1 must be a boolean", on)
  return socket.set(self, "so_broadcast", on)
end

---Whether what it sends to a group comes to the members on this machine as well; true at first.
---
---Codes: EBADF it is closed.
---@param on boolean
---@return true? ok
---@return string? err
---@return string? code
function UdpSocket:set_multicast_loop(on)
  check.self(self, UdpSocket, "socket", "set_multicast_loop")
  check.argument(type(on) == "boolean", "set_multicast_loop: argument 1 must be a boolean", on)
  return status(C.momo_set_multicast_loop(executor, self, on and 1 or 0))
end

---How many networks what it sends to a group passes; 1 at first.
---
---Codes: EBADF it is closed.
---@param hops integer 0 to 255
---@return true? ok
---@return string? err
---@return string? code
function UdpSocket:set_multicast_ttl(hops)
  check.self(self, UdpSocket, "socket", "set_multicast_ttl")
  check.argument(check.is_whole(hops) and hops >= 0 and hops <= 255,
    "set_multicast_ttl: argument 1 must be a whole number from 0 to 255", hops)
  return status(C.momo_set_multicast_ttl(executor, self, hops))
end

---The interface on which it sends to groups.
---
---Codes: ENODEV there is no such interface; EBADF it is closed.
---@param interface string its name, or its number as digits
---@return true? ok
---@return string? err
---@return string? code
function UdpSocket:set_multicast_interface(interface)
  check.self(self, UdpSocket, "socket", "set_multicast_interface")
  check.argument(check.is_text(interface), "set_multicast_interface: argument 1 must be an interface's name",
    interface)
  return status(C.momo_set_multicast_interface(executor, self, interface), interface)
end

local function set_member(self, name, group, interface, join)
  check.self(self, UdpSocket, "socket", name)
  check.argument(check.is_text(group), name .. ": argument 1 must be a group's address, such as \"239.1.2.3\"", group)
  check.argument(interface == nil or check.is_text(interface), name .. ": argument 2 must be an interface's name",
    interface)
  return status(C.momo_set_multicast_member(executor, self, group, interface, join),
    interface and group .. " on " .. interface or group)
end

---From now on it receives what is sent to the group, on its own port.
---
---Codes: EINVAL it is no group's address; ENODEV there is no such interface; EADDRINUSE it is a member; EBADF it is
---closed.
---@param group string an address without a port: "239.1.2.3", "ff02::1234", "ff02::1234%eth0"
---@param interface string? its name, or its number as digits; without one, the zone's, or what the system chooses
---@return true? ok
---@return string? err
---@return string? code
function UdpSocket:join_multicast(group, interface)
  return set_member(self, "join_multicast", group, interface, 1)
end

---It receives no more of what is sent to the group.
---
---Codes: EADDRNOTAVAIL it is no member; EINVAL it is no group's address; ENODEV there is no such interface; EBADF it is
---closed.
---@param group string as for join_multicast
---@param interface string? as for join_multicast
---@return true? ok
---@return string? err
---@return string? code
function UdpSocket:leave_multicast(group, interface)
  return set_member(self, "leave_multicast", group, interface, 0)
end

names.objects(UdpSocket, "socket")

return M
