---Cosockets over UDP and Unix datagram sockets.

local net = require "momo.net"
local words = require "momo.compat.ngx.words"

local SIZE = 65536

---@class momo.compat.ngx.Udp
---@field socket momo.net.UdpSocket|momo.net.UnixDatagram|nil
---@field limit number seconds
---@field bound string?
local Udp = { __name = "ngx.socket.udp" }
Udp.__index = Udp

---@param ms integer
function Udp:settimeout(ms)
  self.limit = words.limit(math.max(0, tonumber(ms) or 0)) -- as nginx has it, which refuses no number here
end

---The address that datagrams are sent from.
---@param address string
---@return 1
function Udp:bind(address)
  self.bound = address
  return 1
end

---@async
local function open(self, host, port)
  local path = host:match "^unix:(.*)"
  if path then
    return net.UnixDatagram.connect(path)
  elseif not self.bound then
    return net.UdpSocket.connect(words.join(host, port))
  end
  local socket, err, code = net.UdpSocket.bind(words.join(self.bound, 0))
  if not socket then
    return nil, err, code
  end
  local ok
  ok, err, code = socket:connect(words.join(host, port))
  if not ok then
    socket:close()
    return nil, err, code
  end
  return socket
end

---@async
---@param host string a name, an address, or "unix:" and a path
---@param port integer?
---@return 1? ok
---@return string? err
function Udp:setpeername(host, port)
  self:close()
  local socket, err, code = open(self, host, port)
  if not socket then
    return nil, words.refusal(host, err, code)
  end
  self.socket = socket
  return 1
end

---@async
---@param data any text, a number, a boolean, nil, or an array of texts, numbers and such arrays
---@return 1? ok
---@return string? err
function Udp:send(data)
  if not self.socket then
    return nil, "closed"
  end
  local ok, err, code = self.socket:send(words.text(data), self.limit)
  if not ok then
    return nil, words.error(err, code)
  end
  return 1
end

---@async
---@param size integer? what is beyond it is cut off
---@return string? data
---@return string? err
function Udp:receive(size)
  if size ~= nil and not tonumber(size) then
    error(("bad argument #1 to 'receive' (number expected, got %s)"):format(type(size)), 2)
  end
  if not self.socket then
    return nil, "closed"
  end
  local data, err, code = self.socket:recv(self.limit)
  if not data then
    return nil, words.error(err, code)
  end
  return data:sub(1, size or SIZE)
end

---@return 1? ok
---@return string? err
function Udp:close()
  if not self.socket then
    return nil, "closed"
  end
  self.socket:close()
  self.socket = nil
  return 1
end

---@return momo.compat.ngx.Udp
return function()
  return setmetatable({ limit = words.limit() }, Udp)
end
