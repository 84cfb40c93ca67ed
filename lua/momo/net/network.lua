---Addresses as bytes, as text, and networks of them.

local check = require "momo.internal.check"

local M = {}

local char, byte = string.char, string.byte
local MAPPED = ("\0"):rep(10) .. "\255\255" -- before the four bytes of an IPv4 address

local function read_ipv4(text)
  local bytes = {}
  for part in text:gmatch "[^.]+" do
    if not part:find "^%d%d?%d?$" or part:find "^0%d" or tonumber(part) > 255 then
      return nil
    end
    bytes[#bytes + 1] = char(tonumber(part))
  end
  return #bytes == 4 and select(2, text:gsub("%.", "")) == 3 and table.concat(bytes) or nil
end

-- The groups of one side of "::", as bytes.
local function read_groups(text)
  local bytes = {}
  if text == "" then
    return ""
  end
  for group in (text .. ":"):gmatch "([^:]*):" do
    local value = group:find "^%x%x?%x?%x?$" and tonumber(group, 16)
    if not value then
      return nil
    end
    bytes[#bytes + 1] = char(math.floor(value / 256), value % 256)
  end
  return table.concat(bytes)
end

local function read_ipv6(text)
  local before, ipv4 = text:match "^(.*:)([^:]*%.[^:]*)$" -- its last four bytes in the other form
  if ipv4 then
    local four = read_ipv4(ipv4)
    if not four then
      return nil
    end
    text = before .. ("%x:%x"):format(byte(four, 1) * 256 + byte(four, 2), byte(four, 3) * 256 + byte(four, 4))
  end
  local left, right = text:match "^(.-)::(.*)$"
  left, right = read_groups(left or text), read_groups(right or "")
  if not left or not right then
    return nil
  end
  local missing = 16 - #left - #right
  if text:find("::", 1, true) then
    return missing >= 2 and left .. ("\0"):rep(missing) .. right or nil
  end
  return missing == 0 and left or nil
end

---@param text string an IPv4 or IPv6 address
---@return string? bytes 16 of them, an IPv4 address mapped into IPv6; nil: it is none
function M.parse(text)
  local four = read_ipv4(text)
  return four and MAPPED .. four or read_ipv6(text)
end

---@class momo.net.Network
---@field bytes string
---@field bits integer

---@param text string "10.0.0.0/8", "fd00::/8", or one address
---@return momo.net.Network? network nil: it is none
function M.network(text)
  local address, digits = text:match "^([^/]+)/?(%d*)$"
  local bytes = address and M.parse(address)
  if not bytes or (text:find("/", 1, true) and not digits:find "^%d%d?%d?$") then
    return nil
  end
  local is_ipv4 = not address:find(":", 1, true)
  local bits = digits == "" and 128 or tonumber(digits) + (is_ipv4 and 96 or 0)
  return bits <= 128 and { bytes = bytes, bits = bits } or nil
end

---@param network momo.net.Network
---@param bytes string of an address
---@return boolean
function M.contains(network, bytes)
  local whole = math.floor(network.bits / 8)
  if bytes:sub(1, whole) ~= network.bytes:sub(1, whole) then
    return false
  end
  local size = 2 ^ (8 - network.bits % 8)
  return size == 256 or math.floor(byte(bytes, whole + 1) / size) == math.floor(byte(network.bytes, whole + 1) / size)
end

---Networks that one trusts.
---@param texts string[]
---@param who string for errors, such as "serve: option proxy_protocol"
---@return momo.net.Network[] list
function M.list(texts, who)
  check.array(texts, who .. " must be an array such as {\"10.0.0.0/8\"}")
  local list = {}
  for i, text in ipairs(texts) do
    list[i] = type(text) == "string" and M.network(text)
    check.argument(list[i], who .. ": a network must be such as \"10.0.0.0/8\"", text)
  end
  return list
end

---@param list momo.net.Network[]
---@param bytes string of an address
---@return boolean
function M.is_in(list, bytes)
  for _, network in ipairs(list) do
    if M.contains(network, bytes) then
      return true
    end
  end
  return false
end

---An address without its port: of "1.2.3.4:5678", "[::1]:80", "[::1]".
---@param text string
---@return string
function M.without_port(text)
  return text:match "^%[(.*)%]:?%d*$" or text:match "^([^:]*):%d+$" or text
end

-- RFC 5952, 4: the longest run of two or more zero groups is "::".
local function format_ipv6(bytes)
  local groups, best, length = {}, nil, 1
  for i = 1, 8 do
    groups[i] = byte(bytes, 2 * i - 1) * 256 + byte(bytes, 2 * i)
  end
  for i = 1, 8 do
    local n = 0
    while groups[i + n] == 0 do
      n = n + 1
    end
    if n > length then
      best, length = i, n
    end
  end
  local words = {}
  for i = 1, 8 do
    words[i] = ("%x"):format(groups[i])
  end
  if not best then
    return table.concat(words, ":")
  end
  return table.concat(words, ":", 1, best - 1) .. "::" .. table.concat(words, ":", best + length)
end

---@param bytes string of an address: 16, or 4
---@return string text
function M.format(bytes)
  if #bytes == 16 and bytes:sub(1, 12) == MAPPED then
    bytes = bytes:sub(13)
  end
  return #bytes == 4 and ("%d.%d.%d.%d"):format(byte(bytes, 1, 4)) or format_ipv6(bytes)
end

return M
