---The PROXY protocol, versions 1 and 2 (haproxy.org, "The PROXY protocol", 2020): before all else, a proxy says whose
---connection it passes on.

local check = require "momo.internal.check"
local network = require "momo.net.network"

local M = {}

local byte, char = string.byte, string.char
local SIGNATURE = "\r\n\r\n\0\r\nQUIT\n"
local PREFIX = "PROXY "
local LINE_MAX = 107 -- bytes of version 1, its end included
local HEADER = 16 -- bytes of version 2 before the addresses
local LENGTH_MAX = 4096 -- bytes of version 2 behind them: addresses and what else a proxy has to tell
local LOCAL, PROXY = 0x20, 0x21
local STREAM_IPV4, STREAM_IPV6, SIZES = 0x11, 0x21, { [0x11] = 4, [0x21] = 16 }
local MAPPED = ("\0"):rep(10) .. "\255\255"

---@class momo.net.ProxyHeader
---@field source string whose connection it is: "1.2.3.4:5678", "[::1]:5678"
---@field destination string where they have connected to
---@field version (1|2)? 2

local function malformed(what)
  return nil, "EPROTO: the PROXY header is " .. what .. ": protocol error", "EPROTO"
end

local function place(bytes, port)
  local text = network.format(bytes)
  return (text:find(":", 1, true) and "[%s]:%d" or "%s:%d"):format(text, port)
end

local function port_of(text)
  local port = text:find "^%d+$" and not text:find "^0%d" and tonumber(text)
  return port and port <= 65535 and port or nil
end

-- "PROXY TCP4 192.0.2.1 198.51.100.7 5678 80\r\n"
---@async
local function read_line(stream)
  local line, err, code = stream:read_until("\r\n", LINE_MAX)
  if not line then
    return nil, err, code
  end
  if line:find "^PROXY UNKNOWN[ \r]" then
    return true
  end
  local family, source, destination, from, to = line:match "^PROXY TCP([46]) ([%x:.]+) ([%x:.]+) (%d+) (%d+)\r\n$"
  local bytes, other = network.parse(source or ""), network.parse(destination or "")
  local port = port_of(from or "")
  if not (bytes and other and port and port_of(to)) or (family == "4") == (source:find(":", 1, true) ~= nil) then
    return malformed "malformed"
  end
  return true, place(bytes, port)
end

---@async
local function read_binary(stream)
  local head, err, code = stream:read_exact(HEADER)
  if not head then
    return nil, err, code
  end
  local command, kind = byte(head, 13, 14)
  local length = byte(head, 15) * 256 + byte(head, 16)
  local size = SIZES[kind]
  if head:sub(1, 12) ~= SIGNATURE or (command ~= LOCAL and command ~= PROXY) or length > LENGTH_MAX then
    return malformed "malformed"
  end
  local rest = ""
  if length > 0 then
    rest, err, code = stream:read_exact(length)
  end
  if not rest then
    return nil, err, code
  elseif command == LOCAL or not size then
    return true -- a check of the proxy's own, or what is neither TCP over IPv4 nor over IPv6
  elseif length < 2 * size + 4 then
    return malformed "too short"
  end
  return true, place(rest:sub(1, size), byte(rest, 2 * size + 1) * 256 + byte(rest, 2 * size + 2))
end

-- Which version it is, by its first bytes; a header may come in pieces.
---@async
local function read(stream)
  local n = 1
  while true do
    local bytes, err, code = stream:peek(n)
    if not bytes then
      return nil, err, code
    end
    local is_line = bytes:sub(1, #PREFIX) == PREFIX:sub(1, #bytes)
    if not is_line and bytes:sub(1, #SIGNATURE) ~= SIGNATURE:sub(1, #bytes) then
      return malformed "missing"
    elseif is_line and #bytes >= #PREFIX then
      return read_line(stream)
    elseif not is_line and #bytes >= #SIGNATURE then
      return read_binary(stream)
    end
    n = #bytes + 1
  end
end

---Reads the header that a proxy has to send first.
---@async
---@param stream momo.Stream
---@return true? ok
---@return string? peer whose connection it is; nil: the proxy's own, or of a kind that has no such address
---@return string? code of a failure; `peer` is then its text
function M.read(stream)
  local ok, peer, code = read(stream)
  if not ok and code == "EOF" then
    return nil, "EOF: the connection ended before its PROXY header: end of file", "EOF"
  end
  return ok, peer, code
end

local function address(text, what, who)
  local host, port = tostring(text):match "^(.*):(%d+)$"
  local bytes = host and network.parse(network.without_port(host))
  if not bytes or not port_of(port) then
    check.fail(("%s: %s must be an address such as \"192.0.2.1:5678\", got %s"):format(who, what, check.show(text)))
  end
  return bytes, tonumber(port)
end

---@param header momo.net.ProxyHeader
---@param who string the function that was given it
---@return string bytes
function M.encode(header, who)
  check.options(header, { source = "string", destination = "string", version = "number" }, who)
  check.argument(header.version == nil or header.version == 1 or header.version == 2,
    who .. ": option version must be 1 or 2", header.version)
  local source, from = address(header.source, "option source", who)
  local destination, to = address(header.destination, "option destination", who)
  local is_ipv4 = source:sub(1, 12) == MAPPED
  if is_ipv4 ~= (destination:sub(1, 12) == MAPPED) then
    check.fail(who .. ": options source and destination must be both IPv4 or both IPv6")
  end
  if header.version == 1 then
    return ("PROXY TCP%d %s %s %d %d\r\n"):format(is_ipv4 and 4 or 6, network.format(source),
      network.format(destination), from, to)
  end
  local first = is_ipv4 and 13 or 1
  local rest = source:sub(first) .. destination:sub(first)
    .. char(math.floor(from / 256), from % 256, math.floor(to / 256), to % 256)
  return SIGNATURE .. char(PROXY, is_ipv4 and STREAM_IPV4 or STREAM_IPV6, 0, #rest) .. rest
end

return M
