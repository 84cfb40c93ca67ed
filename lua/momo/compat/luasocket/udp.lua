---LuaSocket's datagram sockets.

local Base = require "momo.compat.luasocket.base"
local UdpSocket = require("momo.net.udp").UdpSocket
local words = require "momo.compat.luasocket.words"

local SIZE = 8192 -- bytes of a datagram that are handed out, as LuaSocket has it

---@class momo.compat.Udp: momo.compat.Socket
---@field family "inet"|"inet6"
---@field closed boolean?
local Udp = {}

local function problem(err, code)
  return nil, code == "EAI_NONAME" and "Name or service not known" or words.error(err, code)
end

-- A socket is made when it is first used: until then, what it is bound to is open.
local function opened(self, address)
  if self.object then
    return self.object
  elseif self.closed then
    return nil, "closed"
  end
  local options = { reuseaddr = self.options.reuseaddr or nil, reuseport = self.options.reuseport or nil }
  self.options.reuseaddr, self.options.reuseport = nil, nil
  local ok, err = self:take(UdpSocket.bind(address or self.family == "inet6" and "[::]:0" or "0.0.0.0:0", options))
  return ok and self.object, err
end

function Udp:setsockname(host, port)
  self:need("setsockname", "{unconnected}")
  local address, why = words.join(host, port, "setsockname")
  if not address then
    return nil, why
  end
  local socket, err = opened(self, address)
  return socket and 1, err
end

-- A socket that hears everybody again, at its address.
local function disconnect(self)
  local address = self.class == "udp{connected}" and self.object and self.object:local_addr()
  self.class = "udp{unconnected}"
  if address then
    self.object:close()
    self.object = false
    local socket, err = opened(self, address)
    return socket and 1, err
  end
  return 1
end

---@async
function Udp:setpeername(host, port)
  if host == "*" then
    return disconnect(self)
  end
  local address, why = words.join(host, port, "setpeername")
  local socket, err = opened(self)
  if not address or not socket then
    return nil, why or err
  end
  local ok, wrong, code = socket:connect(address)
  if not ok then
    return problem(wrong, code)
  end
  self.class = "udp{connected}"
  return 1
end

---@async
function Udp:sendto(data, host, port)
  data = words.text(data, 1, "sendto")
  self:need("sendto", "{unconnected}")
  if type(host) ~= "string" or type(port) ~= "string" and type(port) ~= "number" then
    words.refuse(type(host) == "string" and 3 or 2, "sendto", "string expected")
  end
  local address, why = words.join(host, port, "sendto")
  local socket, err = opened(self)
  if not address or not socket then
    return nil, why or err
  end
  local bytes, wrong, code = socket:send_to(data, address, self:limit())
  if not bytes then
    return problem(wrong, code)
  end
  return bytes
end

---@async
local function receive(self, size, method)
  size = size == nil and SIZE or words.number(size, 1, method)
  local socket, err = opened(self)
  if not socket then
    return nil, err
  end
  local data, from, code = socket:recv_from(self:limit())
  if not data then
    return problem(from, code)
  end
  return data:sub(1, size), from
end

---@async
function Udp:receive(size)
  local data, err = receive(self, size, "receive")
  if not data then
    return nil, err
  end
  return data
end

---@async
function Udp:receivefrom(size)
  self:need("receivefrom", "{unconnected}")
  local data, from = receive(self, size, "receivefrom")
  if not data then
    return nil, from
  end
  local host, port = words.split(from)
  return data, host, port
end

function Udp:getsockname()
  local socket, err = opened(self)
  if not socket then
    return nil, err
  end
  return Base.getsockname(self)
end

function Udp:getpeername()
  self:need("getpeername", "{connected}")
  return Base.getpeername(self)
end

function Udp:close()
  self.closed = true
  return Base.close(self)
end

function Udp:setfd(fd)
  if fd == -1 then
    self.object = false
    return 1
  end
  return self:take(UdpSocket.from_fd(fd))
end

function Udp.dirty()
  return false
end

return { Udp = Base.make("udp", "{unconnected}", Udp), SIZE = SIZE }
