---LuaSocket's words for errors, addresses and options.

local M = {}

local WORDS = {
  ETIMEDOUT = "timeout", EOF = "closed", EPIPE = "closed", ECONNRESET = "closed", ECONNABORTED = "closed",
  EBADF = "closed", ECANCELED = "closed", EAI_NONAME = "host or service not provided, or not known",
  EAI_AGAIN = "temporary failure in name resolution", ECONNREFUSED = "connection refused",
  EADDRINUSE = "address already in use", EACCES = "permission denied", EISCONN = "already connected",
  EADDRNOTAVAIL = "Cannot assign requested address", ENOTCONN = "Transport endpoint is not connected",
  ENETUNREACH = "Network is unreachable", EHOSTUNREACH = "No route to host",
}
M.NO_SOCKET = "Bad file descriptor"

---@param err string
---@param code string
---@return string
function M.error(err, code)
  return WORDS[code] or (err:match "^%w+: ([^:]*)" or err):gsub("^%l", string.upper)
end

---Throws, as LuaSocket does for a wrong argument. It is called by a method that the user has called.
---@param place integer of the argument, from 1; 0: the socket itself
---@param method string
---@param why string
---@param level integer? of who is to blame; nil: who called the caller
function M.refuse(place, method, why, level)
  local what = place == 0 and ("calling '%s' on bad self (%s)"):format(method, why)
  error(what or ("bad argument #%d to '%s' (%s)"):format(place, method, why), level and level + 1 or 3)
end

---A number, or the number that a text means.
---@param value any
---@param place integer
---@param method string
---@return number
function M.number(value, place, method)
  local number = tonumber(value)
  if not number then
    error(("bad argument #%d to '%s' (number expected, got %s)"):format(place, method, type(value)), 3)
  end
  return number
end

---A text, or a number as text.
---@param value any
---@param place integer
---@param method string
---@return string
function M.text(value, place, method)
  if type(value) ~= "string" and type(value) ~= "number" then
    local got = value == nil and "no value" or type(value)
    error(("bad argument #%d to '%s' (string expected, got %s)"):format(place, method, got), 3)
  end
  return tostring(value)
end

---The address of a method's first two arguments.
---@param host any "*" is all addresses
---@param port any
---@param method string
---@return string? address
---@return string? err there is no such port
function M.join(host, port, method)
  if type(host) ~= "string" or type(port) ~= "string" and type(port) ~= "number" then
    local place = type(host) == "string" and 2 or 1
    error(("bad argument #%d to '%s' (string expected)"):format(place, method), 3)
  end
  local number = tonumber(port)
  if not number or number < 0 or number > 65535 or number % 1 ~= 0 then
    return nil, "service not supported for socket type"
  elseif host == "*" then
    host = "0.0.0.0"
  end
  return (host:find(":", 1, true) and "[%s]:%d" or "%s:%d"):format(host, number)
end

---@param address string?
---@param err string?
---@param code string?
---@return string? host
---@return integer|string port or what is wrong
---@return ("inet"|"inet6")? family
function M.split(address, err, code)
  if not address then
    return nil, M.error(err, code)
  end
  local host, port = address:match "^%[?(.-)%]?:(%d+)$"
  return host, tonumber(port), host:find(":", 1, true) and "inet6" or "inet"
end

local OPTIONS = {
  ["tcp-nodelay"] = "tcp_nodelay", keepalive = "so_keepalive", reuseaddr = "so_reuseaddr", reuseport = "so_reuseport",
  broadcast = "so_broadcast", ["tcp-keepidle"] = "tcp_keepidle", ["tcp-keepcnt"] = "tcp_keepcnt",
  ["tcp-keepintvl"] = "tcp_keepintvl", ["ipv6-v6only"] = "ipv6_v6only", ["recv-buffer-size"] = "so_rcvbuf",
  ["send-buffer-size"] = "so_sndbuf", ["tcp-defer-accept"] = "tcp_defer_accept", ["tcp-fastopen"] = "tcp_fastopen",
  bindtodevice = "so_bindtodevice",
}

local TYPES = {
  ["tcp-keepidle"] = "number", ["tcp-keepcnt"] = "number", ["tcp-keepintvl"] = "number", linger = "table",
  ["recv-buffer-size"] = "number", ["send-buffer-size"] = "number", ["tcp-defer-accept"] = "any",
  ["tcp-fastopen"] = "number", bindtodevice = "string", ["ip-multicast-ttl"] = "number",
  ["ip-multicast-if"] = "string", ["ip-add-membership"] = "table", ["ip-drop-membership"] = "table",
}

-- What sockets for datagrams have methods for.
local MULTICAST = {
  ["ip-multicast-ttl"] = function(object, hops) return object:set_multicast_ttl(hops) end,
  ["ip-multicast-loop"] = function(object, on) return object:set_multicast_loop(on) end,
  ["ip-multicast-if"] = function(object, interface) return object:set_multicast_interface(interface) end,
  ["ip-add-membership"] = function(object, value) return object:join_multicast(value.multiaddr, value.interface) end,
  ["ip-drop-membership"] = function(object, value) return object:leave_multicast(value.multiaddr, value.interface) end,
}

---Throws unless there is such an option.
---@param name any
---@param method string
---@param level integer of who is to blame
function M.check_name(name, method, level)
  if not OPTIONS[name] and not MULTICAST[name] and name ~= "linger" and name ~= "error" then
    error(("bad argument #1 to '%s' (unsupported option `%s')"):format(method, tostring(name)), level + 1)
  end
end

---Throws unless there is such an option, and it takes such a value. A method that the user has called calls it.
function M.check_option(name, value)
  M.check_name(name, "setoption", 3)
  local wanted = TYPES[name] or "boolean"
  if wanted ~= "any" and type(value) ~= wanted then
    error(("bad argument #2 to 'setoption' (%s expected, got %s)"):format(wanted, type(value)), 3)
  end
end

---Sets one of LuaSocket's options of a socket of ours.
---@return 1|nil ok
---@return string? err
function M.set_option(object, name, value)
  local ok, err, code
  if name == "linger" then
    ok, err, code = object:set_option("linger", value.on and value.timeout or false)
  elseif MULTICAST[name] and object.set_multicast_ttl then
    ok, err, code = MULTICAST[name](object, value)
  elseif OPTIONS[name] then
    ok, err, code = object:set_option(OPTIONS[name], value)
  else
    return nil, "setsockopt failed"
  end
  if not ok then
    return nil, M.error(err, code)
  end
  return 1
end

---@return any value
---@return string? err
function M.get_option(object, name)
  if name == "error" then
    return nil -- the operation that met it has told
  elseif name == "linger" then
    local seconds = object:get_option "linger"
    return { on = seconds ~= false and seconds ~= nil, timeout = seconds or 0 }
  elseif not OPTIONS[name] then
    return nil, "getsockopt failed"
  end
  local value, err, code = object:get_option(OPTIONS[name])
  if value == nil and err then
    return nil, M.error(err, code)
  end
  return value
end

return M
