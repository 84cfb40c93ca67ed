---LuaSocket's datagram sockets.

local Base = require "momo.compat.luasocket.base"
local UdpSocket = require("momo.net.udp").UdpSocket
local words = require "momo.compat.luasocket.words"

local SIZE = 8192 -- bytes of a datagram that are handed out, as LuaSocket has it

---@class momo.compat.Udp: momo.compat.Socket
---@field family "inet"|"inet6"
---@field connected boolean
local Udp = {}

function Udp:__tostring()
  return ("udp{%s}: %p"):format(self.connected and "connected" or "unconnected", self)
end

local function problem(err, code)
  return nil, code == "ECONNREFUSED" and "refused" or words.error(err, code)
end

-- A socket is made when it is first used: until then, what it is bound to is open.
local function opened(self, address)
  if self.object then
    return self.object
  end
  local options = { reuseaddr = self.options.reuseaddr or nil, reuseport = self.options.reuseport or nil }
  self.options.reuseaddr, self.options.reuseport = nil, nil
  local ok, err = self:take(UdpSocket.bind(address or self.family == "inet6" and "[::]:0" or "0.0.0.0:0", options))
  return ok and self.object, err
end

function Udp:setsockname(host, port)
  local socket, err = opened(self, words.join(host, port, 2))
  return socket and 1, err
end

---@async
function Udp:setpeername(host, port)
  local socket, err = opened(self)
  if not socket then
    return nil, err
  end
  local ok, why, code = socket:connect(words.join(host, port, 2))
  if not ok then
    return problem(why, code)
  end
  self.connected = true
  return 1
end

---@async
function Udp:send(data)
  if not self.connected then
    return nil, "unconnected"
  end
  local bytes, err, code = self.object:send(data, self:limit())
  if not bytes then
    return problem(err, code)
  end
  return 1
end

---@async
function Udp:sendto(data, host, port)
  local socket, err = opened(self)
  if not socket then
    return nil, err
  end
  local bytes, why, code = socket:send_to(data, words.join(host, port, 2), self:limit())
  if not bytes then
    return problem(why, code)
  end
  return 1
end

---@async
function Udp:receive(size)
  local socket, err = opened(self)
  if not socket then
    return nil, err
  end
  local data, from, code = socket:recv_from(self:limit())
  if not data then
    return problem(from, code)
  end
  return data:sub(1, size or SIZE)
end

---@async
function Udp:receivefrom(size)
  local socket, err = opened(self)
  if not socket then
    return nil, err
  end
  local data, from, code = socket:recv_from(self:limit())
  if not data then
    return problem(from, code)
  end
  return data:sub(1, size or SIZE), words.split(from)
end

function Udp:getsockname()
  local socket, err = opened(self)
  if not socket then
    return nil, err
  end
  return Base.getsockname(self)
end

function Udp:getfamily()
  return self.family
end

function Udp.dirty()
  return false
end

return { Udp = Base.class("udp", Udp), SIZE = SIZE }
