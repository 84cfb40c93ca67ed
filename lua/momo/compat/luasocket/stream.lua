---LuaSocket's stream sockets, TCP and Unix: "master" at first, then a client or a server.

local Base = require "momo.compat.luasocket.base"
local net = require "momo.net"
local now = require("momo.time").now
local words = require "momo.compat.luasocket.words"

local M = {}

local LINE_MAX = 2 ^ 31 - 1

---@class momo.compat.Stream: momo.compat.Socket
---@field listening boolean
---@field bound string? an address, before it is known what it becomes
local Stream, Tcp, Unix = {}, {}, {}

function Stream:__tostring()
  local state = self.listening and "server" or self.object and "client" or "master"
  return ("%s{%s}: %p"):format(self.__name, state, self)
end

-- The stream's own time limit is that of the next operation.
local function arm(self, seconds)
  if seconds ~= self.armed then
    self.armed = seconds
    self.object:set_timeout(seconds)
  end
  return self.object
end

-- What a stream says once it is closed by us or never was open.
local function client_of(self)
  return self.object and not self.listening and self.object
end

-- What came before a failure, which LuaSocket hands out.
---@async
local function partial(self, prefix, err, code)
  local bytes = arm(self, 0):read() or ""
  self.received = self.received + #bytes
  return nil, words.error(err, code), prefix .. bytes
end

local function without_cr(line)
  return line:find("\r", 1, true) and line:gsub("\r", "") or line
end

---@async
local function receive_line(self, prefix)
  local line, err, code = arm(self, self:limit()):read_until("\n", LINE_MAX)
  if line then
    self.received = self.received + #line
    return prefix .. without_cr(line:sub(1, -2))
  end
  local _, problem, rest = partial(self, "", err, code)
  return nil, problem, prefix .. without_cr(rest)
end

---@async
local function receive_some(self, n, prefix)
  n = n - #prefix
  if n <= 0 then
    return prefix
  end
  local bytes, err, code = arm(self, self:limit()):read_exact(n)
  if bytes then
    self.received = self.received + n
    return prefix .. bytes
  end
  return partial(self, prefix, err, code)
end

---@async
local function receive_all(self, prefix)
  local pieces, began = { prefix }, now()
  while true do
    local left = self.total and math.max(0, began + self.total - now())
    local seconds = left and self.block and math.min(left, self.block) or left or self.block
    local bytes, err, code = arm(self, seconds):read()
    if code == "EOF" then
      return table.concat(pieces)
    elseif not bytes then
      return nil, words.error(err, code), table.concat(pieces)
    end
    self.received = self.received + #bytes
    pieces[#pieces + 1] = bytes
  end
end

---@async
function Stream:receive(pattern, prefix)
  prefix = prefix and tostring(prefix) or ""
  if not client_of(self) then
    return nil, "closed", prefix
  elseif pattern == nil or pattern == "*l" or pattern == "l" then
    return receive_line(self, prefix)
  elseif tonumber(pattern) then
    return receive_some(self, tonumber(pattern), prefix)
  elseif pattern == "*a" or pattern == "a" then
    return receive_all(self, prefix)
  end
  error("bad argument #1 to 'receive' (invalid receive pattern)", 2)
end

-- The part of a text that i and j mean, as in string.sub.
local function range(n, i, j)
  i, j = i or 1, j or -1
  i = i < 0 and math.max(1, n + i + 1) or math.max(1, i)
  j = j < 0 and n + j + 1 or math.min(j, n)
  return i, j
end

---@async
function Stream:send(data, i, j)
  data = tostring(data)
  i, j = range(#data, i, j)
  if not client_of(self) then
    return nil, "closed", i - 1
  end
  if j < #data then
    data = data:sub(1, j)
  end
  local began = now()
  while i <= j do
    local left = self.total and math.max(0, began + self.total - now())
    local seconds = left and self.block and math.min(left, self.block) or left or self.block
    local n, err, code = arm(self, seconds):write_some(data, i)
    if not n then
      return nil, words.error(err, code), i - 1
    end
    i, self.sent = i + n, self.sent + n
  end
  return j
end

function Stream:shutdown(how)
  if how ~= "receive" and client_of(self) then
    self.object:shutdown()
  end
  return 1
end

---Whether there is something to receive at once.
function Stream:dirty()
  return client_of(self) and arm(self, 0):peek() ~= nil
end

---LuaSec's wrap takes the descriptor, and puts -1 in its place.
function Stream:setfd(fd)
  if fd == -1 then
    self.object = false
    return 1
  end
  local kind = getmetatable(self) == M.Unix and net.UnixStream or net.TcpStream
  return self:take(kind.from_fd(fd))
end

---@async
function Stream:accept()
  if not self.listening then
    return nil, "closed"
  end
  local stream, err, code = self.object:accept(self:limit())
  if not stream then
    return nil, words.error(err, code)
  end
  return Base.new(getmetatable(self), stream)
end

function Stream:getfamily()
  return self.family or "inet"
end

---@async
function Tcp:connect(host, port)
  if self.object then
    return nil, "already connected"
  end
  self.listening, self.armed = false, nil
  return self:take(net.TcpStream.connect(words.join(host, port, 2), self:limit(), self.bound and { bind = self.bound }))
end

function Tcp:bind(host, port)
  self.bound = words.join(host, port, 2)
  return 1
end

---@async
function Tcp:listen(backlog)
  local ok, err = self:take(net.TcpListener.bind(self.bound or "0.0.0.0:0", {
    reuseport = self.options.reuseport or nil, backlog = backlog,
  }))
  self.listening = ok ~= nil
  return ok, err
end

-- Who has bound a port of the system's choice asks for it before it listens.
function Tcp:getsockname()
  if not self.object and self.bound then
    local ok, err = self:listen()
    if not ok then
      return nil, err
    end
  end
  return Base.getsockname(self)
end

---@async
function Unix:connect(path)
  self.listening, self.armed = false, nil
  return self:take(net.UnixStream.connect(path, self:limit()))
end

function Unix:bind(path)
  self.bound = path
  return 1
end

function Unix:listen(backlog)
  local ok, err = self:take(net.UnixListener.bind(self.bound or "", { backlog = backlog }))
  self.listening = ok ~= nil
  return ok, err
end

function Unix:getsockname()
  return self.object and self.object:local_addr()
end

function Unix:getpeername()
  return self.object and not self.listening and self.object:peer_addr()
end

M.Tcp, M.Unix = Base.class("tcp", Stream, Tcp), Base.class("unix", Stream, Unix)

return M
