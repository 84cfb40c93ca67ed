---Cosockets over TCP and Unix sockets.

local check = require "momo.internal.check"
local native = require("momo.internal.core").native
local net = require "momo.net"
local pools = require "momo.compat.ngx.pools"
local receive = require "momo.compat.ngx.receive"
local words = require "momo.compat.ngx.words"

local limit = words.limit

---@class momo.compat.ngx.Tcp
---@field stream momo.Stream?
---@field armed number? the stream's own time limit
---@field connect_limit number seconds
---@field send_limit number
---@field read_limit number
---@field pool momo.compat.ngx.Pool?
---@field reused integer
---@field host string?
local Tcp = { __name = "ngx.socket.tcp" }
Tcp.__index = Tcp

Tcp.receive, Tcp.receiveany, Tcp.receiveuntil = receive.receive, receive.receiveany, receive.receiveuntil

---@param connect integer? milliseconds; 0, nil: 60 s
---@param send integer?
---@param read integer?
function Tcp:settimeouts(connect, send, read)
  self.connect_limit, self.send_limit, self.read_limit = limit(connect), limit(send), limit(read)
end

function Tcp:settimeout(ms)
  local seconds = limit(ms)
  self.connect_limit, self.send_limit, self.read_limit = seconds, seconds, seconds
end

-- A connection of the pool, or a new one.
---@async
local function open(self, host, port)
  local idle = pools.take(self.pool)
  if idle then
    return idle.stream, idle.reused + 1
  end
  if port then
    local options = self.bound and { bind = words.join(self.bound, 0) }
    return net.TcpStream.connect(words.join(host, port), self.connect_limit, options or nil)
  end
  return net.UnixStream.connect(host:match "^unix:(.*)", self.connect_limit)
end

---@async
---@param host string a name, an address, or "unix:" and a path
---@param port integer|table|nil
---@param options {pool: string?, pool_size: integer?, backlog: integer?}?
---@return 1? ok
---@return string? err
function Tcp:connect(host, port, options)
  check.argument(type(host) == "string", "connect: argument 1 must be a host", host)
  local path = host:find("unix:", 1, true) == 1
  if path then
    port, options = nil, type(port) == "table" and port or options
  else
    port = tonumber(port)
    if not port then
      return nil, "missing the port number"
    elseif not (port >= 0 and port <= 65535 and check.is_whole(port)) then
      return nil, "bad port number: " .. port
    end
  end
  pools.check(options)
  self:close()
  local pool = pools.of(options and options.pool or path and host or host .. ":" .. port, options)
  local ok, problem = pools.enter(pool, self.connect_limit)
  if not ok then
    return nil, problem
  end
  self.pool = pool
  local entered, stream, reused, code = pcall(open, self, host, port)
  if not entered or not stream then
    pools.leave(pool)
    self.pool = nil
    if not entered then
      error(stream, 0)
    end
    return nil, words.refusal(host, reused, code)
  end
  self.stream, self.armed, self.ended, self.host = stream, nil, nil, host
  self.reused = type(reused) == "number" and reused or 0
  return 1
end

---The address that connections are made from.
---@param address string
---@return 1
function Tcp:bind(address)
  self.bound = address
  return 1
end

---@return integer? times nil: it is not connected
---@return string? err
function Tcp:getreusedtimes()
  if not self.stream then
    return nil, "closed"
  end
  return self.reused
end

---Puts the connection among the idle ones of its pool; this object has none then.
---@param idle integer? milliseconds for which it may stay there; 0: for ever; 60 s
---@param size integer? of the pool, where it is made by this; 30
---@return 1? ok
---@return string? err
function Tcp:setkeepalive(idle, size)
  local stream, pool = self.stream, self.pool
  if not stream or not pool then -- its peer's side has ended
    return nil, "closed"
  end
  local alive, why = pools.alive(stream)
  if why == "socket busy reading" then
    return nil, why
  end
  self.stream, self.pool = nil, nil
  if alive then
    pools.put(pool, stream, self.reused, idle, size)
  else
    stream:close()
  end
  pools.leave(pool)
  if not alive then
    return nil, why
  end
  return 1
end

-- Gives its place in the pool to others.
---@private
function Tcp:leave()
  if self.pool then
    pools.leave(self.pool)
    self.pool = nil
  end
end

---@return 1? ok
---@return string? err
function Tcp:close()
  local stream = self.stream
  if not stream then
    return nil, "closed"
  end
  self.stream = nil
  stream:close()
  self:leave()
  return 1
end

local OPTIONS = {
  keepalive = "so_keepalive", reuseaddr = "so_reuseaddr", ["tcp-nodelay"] = "tcp_nodelay", sndbuf = "so_sndbuf",
  rcvbuf = "so_rcvbuf",
}

---@return 1? ok
---@return string? err
function Tcp:setoption(name, value)
  if not self.stream then
    return nil, "closed"
  elseif not OPTIONS[name] then
    return nil, "unsupported option " .. tostring(name)
  end
  if name ~= "sndbuf" and name ~= "rcvbuf" then
    value = value == true or (tonumber(value) or 0) ~= 0
  end
  local ok, err, code = self.stream:set_option(OPTIONS[name], value)
  if not ok then
    return nil, words.error(err, code)
  end
  return 1
end

local function is_flat(data)
  for i = 1, #data do
    local kind = type(data[i])
    if kind ~= "string" and kind ~= "number" then
      return false
    end
  end
  return true
end

---@async
---@param data any text, a number, a boolean, nil, or an array of texts, numbers and such arrays
---@return integer? bytes
---@return string? err
function Tcp:send(data)
  local stream = self.stream
  if not stream then
    return nil, "closed"
  end
  if type(data) ~= "string" then
    data = type(data) == "table" and data[1] ~= nil and is_flat(data) and table.concat(data) or words.text(data)
  end
  if self.armed ~= self.send_limit then
    self.armed = self.send_limit
    stream:set_timeout(self.armed)
  end
  local bytes, err, code = stream:write(data)
  if bytes then
    return bytes
  end
  return nil, code == "EBUSY" and "socket busy writing" or words.error(err, code)
end

local settings = {} -- by whether the peer is verified

-- TLS needs its library only here.
local function client_settings(verify)
  local kind = verify and "verify" or "any"
  if not settings[kind] then
    local err
    settings[kind], err = require("momo.tls").client {
      verify = verify, ca = verify and _G.ngx.config.lua_ssl_trusted_certificate or nil, truncation = "eof",
    }
    if not settings[kind] then
      return nil, err
    end
  end
  return settings[kind]
end

---Speaks TLS from here on. Sessions are resumed by themselves: what stands for one here only says that there is one.
---@async
---@param session any false: none is returned, but true
---@param name string? the server's; the host that it was connected to
---@param verify boolean? whether the peer must show a good certificate
---@return any session or true
---@return string? err
function Tcp:sslhandshake(session, name, verify)
  local stream = self.stream
  if not stream then
    return nil, "closed"
  end
  if not stream:tls() then
    local client, problem = client_settings(verify or false)
    if not client then
      return nil, problem
    end
    local done, ok, err, code = xpcall(client.wrap, native.traceback_capture, client, stream, name or self.host,
      self.connect_limit)
    if not done then -- cancelled, and the stream is closed
      self:close()
      native.rethrow(ok)
    elseif not ok then
      self:close()
      return nil, code == "ETIMEDOUT" and "timeout" or err:match "^ETLS: (.*)" or words.error(err, code)
    end
  end
  return session == false or client_settings(verify or false)
end

---@return nil
---@return string err
function Tcp.setclientcert()
  return nil, "client certificates come from ngx.ssl, which Momo does not have"
end

---@return momo.compat.ngx.Tcp
return function()
  return setmetatable({
    connect_limit = limit(), send_limit = limit(), read_limit = limit(), reused = 0,
  }, Tcp)
end
