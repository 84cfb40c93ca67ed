---LuaSocket's words for errors, addresses and options.

local M = {}

local WORDS = {
  ETIMEDOUT = "timeout", EOF = "closed", EPIPE = "closed", ECONNRESET = "closed", ECONNABORTED = "closed",
  EBADF = "closed", ECANCELED = "closed", EAI_NONAME = "host or service not provided, or not known",
  EAI_AGAIN = "temporary failure in name resolution", ECONNREFUSED = "connection refused",
  EADDRINUSE = "address already in use", EACCES = "permission denied",
}

---@param err string
---@param code string
---@return string
function M.error(err, code)
  return WORDS[code] or err:match "^%w+: ([^:]*)" or err
end

---@param host string "*" is all addresses
---@param port integer|string
---@param level integer? of who is to blame
---@return string address
function M.join(host, port, level)
  local number = tonumber(port)
  if type(host) ~= "string" or not number then
    error(("a host and a port are needed, got %s and %s"):format(tostring(host), tostring(port)), (level or 1) + 1)
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

---Sets one of LuaSocket's options of a socket of ours.
---@return 1|nil ok
---@return string? err
function M.set_option(object, name, value)
  local ok, err, code
  if name == "linger" then
    ok, err, code = object:set_option("linger", value.on and value.timeout or false)
  elseif OPTIONS[name] then
    ok, err, code = object:set_option(OPTIONS[name], value)
  else
    return nil, "unsupported option"
  end
  if not ok then
    return nil, M.error(err, code)
  end
  return 1
end

---@return any value
---@return string? err
function M.get_option(object, name)
  if not OPTIONS[name] then
    return nil, "unsupported option"
  end
  local value, err, code = object:get_option(OPTIONS[name])
  if value == nil and err then
    return nil, M.error(err, code)
  end
  return value
end

return M
