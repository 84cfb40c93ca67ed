---Stands in for LuaSocket's C part. Its own Lua files, and libraries that use them, find this in its place.

local Base = require "momo.compat.luasocket.base"
local check = require "momo.internal.check"
local dns = require "momo.net.dns"
local select_sockets = require "momo.compat.luasocket.select"
local streams = require "momo.compat.luasocket.stream"
local tasks = require "momo.internal.task"
local time = require "momo.time"
local udp = require "momo.compat.luasocket.udp"
local unix_datagram = require "momo.compat.luasocket.unix_datagram"
local words = require "momo.compat.luasocket.words"

local M = {
  _VERSION = "LuaSocket 3.1.0 (momo)", _SETSIZE = 2 ^ 20, _DATAGRAMSIZE = udp.SIZE, _SOCKETINVALID = -1, dns = {},
}

-- The real library, for who is in no task; nil: it is not there.
local real, real_unix

-- A function that is ours in a task, and the library's elsewhere.
local function in_task(path, ours)
  return function(...)
    local theirs = not tasks.current() and (path:find "^unix" and real_unix or real)
    if not theirs then
      return ours(...)
    end
    for name in path:gsub("^unix%.", ""):gmatch "[^.]+" do
      theirs = theirs[name]
    end
    return theirs(...)
  end
end

local function maker(class, family)
  return function()
    local made = Base.new(class)
    made.family = family
    return made
  end
end

M.tcp = in_task("tcp", maker(streams.Tcp))
M.tcp4 = in_task("tcp4", maker(streams.Tcp, "inet"))
M.tcp6 = in_task("tcp6", maker(streams.Tcp, "inet6"))
M.udp = in_task("udp", maker(udp.Udp, "inet"))
M.udp4 = in_task("udp4", maker(udp.Udp, "inet"))
M.udp6 = in_task("udp6", maker(udp.Udp, "inet6"))

local FAMILY = { inet = "^[^:]*$", inet6 = ":" } -- what a literal address of it looks like

M.connect = in_task("connect", function(host, port, local_host, local_port, family)
  local made = Base.new(streams.Tcp)
  if local_host then
    local bound, why = made:bind(local_host, local_port or 0)
    if not bound then
      return nil, why
    end
  end
  if FAMILY[family] then
    local found, why = M.dns.getaddrinfo(host)
    if not found then
      return nil, why
    end
    for _, one in ipairs(found) do
      if one.addr:find(FAMILY[family]) then
        host = one.addr
        break
      end
    end
  end
  local ok, err = made:connect(host, port)
  if not ok then
    return nil, err
  end
  return made
end)

M.gettime = time.wall
M.select = in_task("select", select_sockets)
M.sleep = in_task("sleep", function(seconds) time.sleep(math.max(0, seconds)) end)

function M.skip(n, ...)
  return select(n + 1, ...)
end

function M.__unload()
  return 1
end

-- protect and newtry in Lua: a task can suspend beneath them.

local Tried = {}

---What ends a function that `protect` has made: the error that it returns.
function M.newtry(finalizer)
  return function(...)
    if ... then
      return ...
    end
    if finalizer then
      tasks.pcall(finalizer)
    end
    error(setmetatable({ (select(2, ...)) }, Tried), 0)
  end
end

local function protected(ok, ...)
  if ok then
    return ...
  end
  local err = ...
  if getmetatable(err) == Tried then
    return nil, err[1]
  end
  error(err, 0)
end

function M.protect(fn)
  return function(...)
    return protected(tasks.pcall(fn, ...))
  end
end

local function literal(host)
  return host:find "^%d+%.%d+%.%d+%.%d+$" or host:find(":", 1, true)
end

---@async
local function lookup(host)
  if host == "*" then
    host = "0.0.0.0"
  end
  if literal(host) then
    return { host }
  end
  local found, err, code = dns.lookup_host(host)
  if not found then
    return nil, words.error(err, code)
  end
  return found
end

local function as_host(err)
  return err:find "^host or service" and "host not found" or err
end

M.dns.toip = in_task("dns.toip", function(host)
  local found, err = lookup(host)
  if not found then
    return nil, as_host(err)
  end
  return found[1], { name = host, alias = {}, ip = found }
end)

M.dns.getaddrinfo = in_task("dns.getaddrinfo", function(host)
  local found, err = lookup(host)
  if not found then
    return nil, err
  end
  local list = {}
  for i, address in ipairs(found) do
    list[i] = { addr = address, family = address:find(":", 1, true) and "inet6" or "inet" }
  end
  return list
end)

M.dns.tohostname = in_task("dns.tohostname", function(address)
  local found, err = lookup(address)
  if not found then
    return nil, as_host(err)
  end
  local name, problem, code = dns.lookup_addr(found[1])
  if not name then
    return nil, words.error(problem, code)
  end
  return name, { name = name, alias = {}, ip = found }
end)

-- The name of a service, as the system knows it.
local function service_of(port)
  local file = port and io.open "/etc/services"
  for line in file and file:lines() or function() end do
    local name, number = line:match "^(%S+)%s+(%d+)/"
    if number == port then
      port = name
      break
    end
  end
  if file then
    file:close()
  end
  return port
end

M.dns.getnameinfo = in_task("dns.getnameinfo", function(host, port)
  local found, err = lookup(host or "0.0.0.0")
  if not found then
    return nil, err
  end
  local list = {}
  for i, address in ipairs(found) do
    list[i] = dns.lookup_addr(address) or address
  end
  return list, service_of(port and tostring(port))
end)

function M.dns.gethostname()
  local file = io.open "/proc/sys/kernel/hostname"
  local name = file and file:read "*l"
  if file then
    file:close()
  end
  return name or "localhost"
end

local unix = setmetatable({}, { __call = function(self) return self.stream() end })
unix.stream = in_task("unix.stream", maker(streams.Unix))
unix.dgram = in_task("unix.dgram", maker(unix_datagram.Datagram))
unix.tcp, unix.udp = unix.stream, unix.dgram

---Does nothing when it is called again.
function M.install()
  if package.loaded["socket.core"] == M then
    return
  elseif not package.searchpath("socket", package.path) then
    check.fail "install: LuaSocket is not installed (Debian: lua-socket)"
  end
  local ok, core = pcall(require, "socket.core")
  real = ok and core or nil
  ok, core = pcall(require, "socket.unix")
  real_unix = ok and type(core) == "table" and core or nil
  package.loaded["socket.core"], package.loaded["socket.unix"] = M, unix
  package.loaded.socket = nil
  package.loaded.ssl = nil
  package.preload.ssl = function() return require "momo.compat.luasocket.ssl" end
end

return M
