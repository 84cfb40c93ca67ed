---LuaSocket's stream sockets, TCP and Unix: "master" at first, then a client or a server.

local Base = require "momo.compat.luasocket.base"
local net = require "momo.net"
local now = require("momo.time").now
local tasks = require "momo.internal.task"
local words = require "momo.compat.luasocket.words"

local M = {}

local LINE_MAX = 2 ^ 31 - 1

---@class momo.compat.Stream: momo.compat.Socket
---@field bound boolean? it is a listener that has been bound, and may become a client yet
---@field pending momo.Task? a connect that goes on beside
---@field failure string? how that ended
---@field deaf boolean? its receiving side is shut down
local Stream, Tcp, Unix = {}, {}, {}

-- The stream's own time limit is that of the next operation.
local function arm(self, seconds)
  if seconds ~= self.armed then
    self.armed = seconds
    self.object:set_timeout(seconds)
  end
  return self.object
end

-- The stream of a client, or false once it is closed. It is called by the method that the user has called.
local function client_of(self, method)
  if self.class ~= self.client then
    words.refuse(0, method, self.client .. " expected", 3)
  end
  return self.object
end

local function receive_limit(self, began)
  return self.deaf and 0 or self:limit(began)
end

local function problem(self, err, code)
  return code == "ETIMEDOUT" and self.deaf and "closed" or words.error(err, code)
end

-- What has come so far, and stays unread.
---@async
local function unread(self)
  return self.object and arm(self, 0):peek() or ""
end

-- Takes what came before a failure, which LuaSocket hands out.
local function take(self, bytes)
  if bytes ~= "" then
    self.object:consume(#bytes)
    self.received = self.received + #bytes
  end
  return bytes
end

local function without_cr(line)
  return line:find("\r", 1, true) and line:gsub("\r", "") or line
end

---@async
local function receive_line(self, prefix)
  local line, err, code = arm(self, receive_limit(self)):read_until("\n", LINE_MAX)
  if not line then
    local bytes = unread(self)
    if not bytes:find("\n", 1, true) then
      return nil, problem(self, err, code), prefix .. without_cr(take(self, bytes))
    end
    line = self.object:read_until("\n", LINE_MAX) -- it came at last
  end
  self.received = self.received + #line
  return prefix .. without_cr(line:sub(1, -2))
end

---@async
local function receive_some(self, n, prefix)
  if n <= #prefix and prefix ~= "" then
    return prefix
  end
  n = math.min(n - #prefix, LINE_MAX)
  local stream = arm(self, receive_limit(self))
  if n == 0 then -- waits until there is something
    local found, err, code = stream:peek()
    if found then
      return ""
    end
    return nil, problem(self, err, code), ""
  end
  local bytes, err, code = stream:read_exact(n)
  if not bytes then
    local rest = unread(self)
    if #rest < n then
      return nil, problem(self, err, code), prefix .. take(self, rest)
    end
    bytes = self.object:read_exact(n) -- they came at last
  end
  self.received = self.received + n
  return prefix .. bytes
end

---@async
local function receive_all(self, prefix)
  local pieces, began = { prefix }, now()
  while true do
    local bytes, err, code
    if self.object then
      bytes, err, code = arm(self, receive_limit(self, began)):read()
    else
      err, code = "EBADF: closed meanwhile", "EBADF"
    end
    if bytes then
      self.received = self.received + #bytes
      pieces[#pieces + 1] = bytes
    elseif code == "EOF" and pieces[2] then
      return table.concat(pieces)
    else
      return nil, problem(self, err, code), table.concat(pieces)
    end
  end
end

---@async
function Stream:receive(pattern, prefix)
  prefix = prefix == nil and "" or words.text(prefix, 2, "receive")
  local n = tonumber(pattern)
  if not client_of(self, "receive") then
    return nil, "closed", prefix
  elseif pattern == nil then
    return receive_line(self, prefix)
  elseif n then
    if n < 0 then
      words.refuse(1, "receive", "invalid receive pattern")
    end
    return receive_some(self, math.floor(n), prefix)
  end
  local first = words.text(pattern, 1, "receive"):match "^%*?([al])"
  if first == "l" then
    return receive_line(self, prefix)
  elseif first == "a" then
    return receive_all(self, prefix)
  end
  words.refuse(1, "receive", "invalid receive pattern")
end

-- The part of a text that i and j mean, as LuaSocket reads them.
local function range(n, i, j)
  i, j = i < 0 and n + i + 1 or i, j < 0 and n + j + 1 or j
  return math.max(1, i), math.min(j, n)
end

---@async
function Stream:send(data, i, j)
  data = words.text(data, 1, "send")
  i, j = i and words.number(i, 2, "send") or 1, j and words.number(j, 3, "send") or -1
  i, j = range(#data, i, j)
  local stream = client_of(self, "send")
  if i > j then
    return i - 1
  elseif j < #data then
    data = data:sub(1, j)
  end
  local began = now()
  while stream and i <= j do
    local n, err, code = arm(self, self:limit(began)):write_some(data, i)
    if not n then
      return nil, words.error(err, code), i - 1
    end
    i, self.sent, stream = i + n, self.sent + n, self.object
  end
  if i <= j then
    return nil, "closed", i - 1
  end
  return j
end

---@async
function Stream:shutdown(how)
  how = how == nil and "both" or how
  if how ~= "both" and how ~= "send" and how ~= "receive" then
    words.refuse(1, "shutdown", ("invalid option '%s'"):format(tostring(how)))
  end
  local stream = client_of(self, "shutdown")
  self.deaf = self.deaf or how ~= "send"
  if stream and how ~= "receive" then
    stream:shutdown()
  end
  return 1
end

---Whether there is something in the socket's buffer, or at once behind it.
function Stream:dirty()
  return self.class == self.client and unread(self) ~= ""
end

---LuaSec's wrap takes the descriptor, and puts -1 in its place.
function Stream:setfd(fd)
  if fd == -1 then
    self.object = false
    return 1
  end
  local ok, err = self:take(self.kind.from_fd(fd))
  self.class = self.client
  return ok, err
end

---@async
function Stream:accept()
  self:need("accept", "{server}")
  if not self.object then
    return nil, "closed"
  end
  local stream, err, code = self.object:accept(self:limit())
  if not stream then
    return nil, words.error(err, code)
  end
  local made = Base.new(getmetatable(self), stream)
  made.class = made.client
  return made
end

-- Listens from here on: others can connect, but who asks for a client or a port first has still the choice.
local function bind(self, listener, err, code)
  local ok, why = self:take(listener, err, code)
  self.bound = ok ~= nil
  return ok, why
end

---@async
function Stream:listen()
  self:need("listen", "{master}")
  if not self.object then
    local ok, err = self:bind(self.everywhere, "0")
    if not ok then
      return nil, err
    end
  end
  self.class, self.bound = self.server, nil
  return 1
end

-- Connects beside the task that does not wait for it; select waits, and the next connect tells how it went.
local function connect_beside(self, address, options)
  self.pending = tasks.spawn_daemon(function()
    local ok, err = self:take(net.TcpStream.connect(address, nil, options))
    self.pending, self.failure = nil, not ok and err or nil
  end)
  return nil, "timeout"
end

-- Gives up the listener of a socket that was bound, and becomes a client after all.
---@return string? address it was bound to
local function unbind(self)
  local address = self.bound and self.object:local_addr()
  if self.bound then
    self.object:close()
    self.object, self.bound = false, nil
  end
  self.class, self.armed, self.deaf = self.client, nil, nil
  return address
end

---@async
function Tcp:connect(host, port)
  local address, why = words.join(host, port, "connect")
  local failure = self.failure
  if not address then
    return nil, why
  elseif self.pending or failure then
    self.failure = nil
    return nil, failure or "Operation already in progress"
  elseif self.object and not self.bound then
    if self.class == self.client and self.told ~= false then
      return nil, "already connected"
    elseif self.class ~= self.client then
      self:need("connect", "{master}")
    end
    self.told = nil
    return 1
  end
  local from = unbind(self)
  local options, limit = from and { bind = from }, self:limit()
  if limit == 0 then
    self.told = false
    return connect_beside(self, address, options)
  end
  return self:take(net.TcpStream.connect(address, limit, options))
end

---@async
function Tcp:bind(host, port)
  self:need("bind", "{master}")
  local address, why = words.join(host, port, "bind")
  if not address then
    return nil, why
  end
  return bind(self, net.TcpListener.bind(address, { reuseport = self.options.reuseport or nil }))
end

function Tcp:close()
  if self.pending then
    self.pending:cancel()
    self.pending = nil
  end
  return Base.close(self)
end

---@async
function Unix:connect(path)
  path = words.text(path, 1, "connect")
  unbind(self)
  return self:take(net.UnixStream.connect(path, self:limit()))
end

---@async
function Unix:bind(path)
  self:need("bind", "{master}")
  return bind(self, net.UnixListener.bind(words.text(path, 1, "bind")))
end

function Unix:getsockname()
  if not self.object then
    return nil, words.NO_SOCKET
  end
  return self.object:local_addr()
end

function Unix:getpeername()
  return self.class == self.client and self.object and self.object:peer_addr()
end

Stream.setsockname = function(self, ...) return self:bind(...) end
Stream.setpeername = function(self, ...) return self:connect(...) end

-- A kind of streams: its states are made once, as each receive compares them.
local function class(name, kind, everywhere, methods)
  local made = Base.make(name, "{master}", Stream, methods)
  made.kind, made.everywhere, made.client, made.server = kind, everywhere, name .. "{client}", name .. "{server}"
  return made
end

M.Tcp = class("tcp", net.TcpStream, "0.0.0.0", Tcp)
M.Unix = class("unixstream", net.UnixStream, "", Unix)

return M
