---Addresses as numbers, networks, and who a request came from when proxies that one trusts stand between.

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

---@class momo.http.Network
---@field bytes string
---@field bits integer

---@param text string "10.0.0.0/8", "fd00::/8", or one address
---@return momo.http.Network? network nil: it is none
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

---@param network momo.http.Network
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

local networks = setmetatable({}, { __mode = "k" })

local function read_networks(trusted)
  check.array(trusted, "client_ip: argument 2 must be an array such as {\"10.0.0.0/8\"}")
  local list = { has_unix = false }
  for _, text in ipairs(trusted) do
    local network = type(text) == "string" and M.network(text)
    check.argument(network or text == "unix",
      "client_ip: a trusted network must be such as \"10.0.0.0/8\", or \"unix\"",
      text)
    list[#list + 1] = network or nil
    list.has_unix = list.has_unix or text == "unix"
  end
  networks[trusted] = list
  return list
end

local function is_trusted(list, bytes)
  for _, network in ipairs(list) do
    if M.contains(network, bytes) then
      return true
    end
  end
  return false
end

-- An entry without its port: "1.2.3.4:5678", "[::1]:80", "[::1]".
local function without_port(entry)
  return entry:match "^%[(.*)%]:?%d*$" or entry:match "^([^:]*):%d+$" or entry
end

---Whose request it is: the peer of the connection, or where that is one of ours, whom it names in X-Forwarded-For;
---and so on, from right to left, as each proxy adds at the end, until one that is not trusted. What a client has
---written itself stands to the left of that.
---@param request momo.http.Request
---@param trusted string[] networks of one's proxies, or "unix": who comes through a Unix socket; it must stay as it is
---@return string? address without a port; nil: a client of a Unix socket, of which nothing is known
function M.client_ip(request, trusted)
  local list = networks[trusted] or read_networks(trusted)
  local address = request.peer ~= "" and without_port(request.peer) or nil
  local bytes = address and M.parse(address:match "^[^%%]*")
  if bytes and not is_trusted(list, bytes) or not bytes and not list.has_unix then
    return address
  end
  local field = request:header "x-forwarded-for"
  local entries = {}
  for entry in (field or ""):gmatch "[^,]+" do
    entries[#entries + 1] = without_port(entry:match "^%s*(.-)%s*$")
  end
  for i = #entries, 1, -1 do
    bytes = M.parse(entries[i])
    if not bytes then
      break -- what no proxy of ours has written
    end
    address = entries[i]
    if not is_trusted(list, bytes) then
      break
    end
  end
  return address
end

return M
