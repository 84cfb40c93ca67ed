---LuaSocket's Unix sockets for datagrams.

local Base = require "momo.compat.luasocket.base"
local UnixDatagram = require("momo.net").UnixDatagram
local words = require "momo.compat.luasocket.words"

local SIZE = 8192 -- bytes of a datagram that are handed out, as LuaSocket has it

---@class momo.compat.UnixDatagram: momo.compat.Socket
local Datagram = {}

---@async
function Datagram:bind(path)
  self:need("bind", "{unconnected}")
  return self:take(UnixDatagram.bind(words.text(path, 1, "bind")))
end

---@async
function Datagram:connect(path)
  path = words.text(path, 1, "connect")
  local ok, err, code
  if self.object then
    ok, err, code = self.object:connect(path)
    if not ok then
      return nil, words.error(err, code)
    end
  else
    ok, err = self:take(UnixDatagram.connect(path))
    if not ok then
      return nil, err
    end
  end
  self.class = "unixdgram{connected}"
  return 1
end

---@async
function Datagram:sendto(data, path)
  data, path = words.text(data, 1, "sendto"), words.text(path, 2, "sendto")
  self:need("sendto", "{unconnected}")
  if not self.object then -- one without an address, which nobody can answer
    local ok, err = self:take(UnixDatagram.connect(path))
    if not ok then
      return nil, err
    end
  end
  local bytes, err, code = self.object:send_to(data, path, self:limit())
  if not bytes then
    return nil, words.error(err, code)
  end
  return bytes
end

---@async
local function receive(self, size, method)
  size = size == nil and SIZE or words.number(size, 1, method)
  if not self.object then
    return nil, "closed"
  end
  local data, from, code = self.object:recv_from(self:limit())
  if not data then
    return nil, words.error(from, code)
  end
  return data:sub(1, size), from
end

---@async
function Datagram:receive(size)
  local data, err = receive(self, size, "receive")
  if not data then
    return nil, err
  end
  return data
end

---@async
function Datagram:receivefrom(size)
  self:need("receivefrom", "{unconnected}")
  return receive(self, size, "receivefrom")
end

function Datagram:getsockname()
  if not self.object then
    return nil, words.NO_SOCKET
  end
  return self.object:local_addr()
end

function Datagram.dirty()
  return false
end

Datagram.setsockname, Datagram.setpeername = Datagram.bind, Datagram.connect

return { Datagram = Base.make("unixdgram", "{unconnected}", Datagram) }
