---URLs that name a host: taken apart, and references resolved against them, as RFC 3986 has it.
---
---Stricter where another reader might see another host: no backslash stands for a slash, a host that ends in a number
---is a dotted IPv4 address or refused. More lenient where no one is misled: what should have been percent-encoded in
---a path or query is encoded.

local percent = require "momo.http.percent"

local byte = string.byte
local SLASH = 0x2f

local M = {}

---Private: a URL, taken apart.
---@class momo.http.Url
---@field scheme string in lower case
---@field userinfo string? still percent-encoded
---@field host string in lower case; an IPv6 address without its brackets
---@field port integer its own, or the scheme's
---@field path string begins with a slash; no dot segments
---@field query string? without the question mark
---@field authority string what the Host field says: host, brackets, and a port that is not the scheme's
---@field address string "host:port", for connect
---@field origin string scheme, host and port: equal where they are
---@field target string path and query
---@field href string the whole, without the user's name, his password and the fragment
local Url = { __name = "momo.http.Url" }
Url.__index = Url

local PORTS = { http = 80, https = 443, ws = 80, wss = 443 }

local function refuse(text, ...)
  return nil, "EINVAL: " .. text:format(...), "EINVAL"
end

---@param text string
---@return {scheme: string?, authority: string?, path: string, query: string?} parts as RFC 3986, appendix B
local function split(text)
  local colon = text:find(":", 1, true)
  local scheme = colon and text:sub(1, colon - 1)
  if not PORTS[scheme] and not (scheme and scheme:find "^%a[%w+.-]*$") then
    scheme = nil
  end
  local at = scheme and colon + 1 or 1
  local fragment, query, authority = text:find("#", 1, true), nil, nil
  local last = fragment and fragment - 1 or #text
  local mark = text:find("?", at, true)
  if mark and mark <= last then
    query, last = text:sub(mark + 1, last), mark - 1
  end
  if last > at and byte(text, at) == SLASH and byte(text, at + 1) == SLASH then
    local slash = text:find("/", at + 2, true) or last + 1
    slash = slash > last and last + 1 or slash
    authority, at = text:sub(at + 2, slash - 1), slash
  end
  return { scheme = scheme, authority = authority, path = text:sub(at, last), query = query }
end

---RFC 3986, section 5.2.4.
---@param path string begins with a slash
---@return string path without dot segments
function M.remove_dots(path)
  if not path:find(".", 1, true) then
    return path
  end
  local kept, is_folder = {}, false
  for segment in (path:sub(2) .. "/"):gmatch "([^/]*)/" do
    is_folder = segment == "." or segment == ".."
    if segment == ".." then
      kept[#kept] = nil
    elseif segment ~= "." then
      kept[#kept + 1] = segment
    end
  end
  return "/" .. table.concat(kept, "/") .. (is_folder and kept[1] and "/" or "")
end

local function is_ipv4(host)
  local a, b, c, d = host:match "^(%d%d?%d?)%.(%d%d?%d?)%.(%d%d?%d?)%.(%d%d?%d?)$"
  if not a then
    return false
  end
  for _, part in ipairs { a, b, c, d } do
    if tonumber(part) > 255 or part:find "^0%d" then -- "010" is 8 to some readers
      return false
    end
  end
  return true
end

local function check_name(host)
  if host:find "[\128-\255]" then
    return refuse("the host %q is not ASCII: write its name as DNS has it, which begins with xn--", host)
  elseif host == "" then
    return refuse "the URL names no host"
  elseif #host > 253 or host:find "[^%w._-]" or host:find("..", 1, true) or host:find "^%." then
    return refuse("%q is no name of a host", host)
  end
  for label in host:gmatch "[^.]+" do
    if #label > 63 then
      return refuse("%q is no name of a host: a part of it has more than 63 bytes", host)
    end
  end
  local last = host:match "([^.]+)%.?$"
  if last:find "^%d+$" or last:find "^0[xX]%x*$" then -- what resolvers take for an IPv4 address, in one way or another
    if not is_ipv4(host) then
      return refuse("%q is no IPv4 address: write four numbers from 0 to 255", host)
    end
  end
  return true
end

local function check_ipv6(host)
  local address, zone = host:match "^([^%%]*)%%?(.*)$"
  if address:find "[^%x:.]" or not address:find(":", 1, true) or #address > 45 or zone:find "[^%w._-]" then
    return refuse("%q is no IPv6 address", host)
  end
  return true
end

-- The fields of an authority; RFC 6874 writes the percent sign before a zone as %25.
local function read_authority(scheme, authority)
  local url = { scheme = scheme }
  local userinfo, rest = authority:match "^(.*)@(.*)$"
  rest = rest or authority
  if userinfo and (userinfo:find "[^%w%-._~!$&'()*+,;=:%%]" or not percent.is_valid(userinfo)) then
    return refuse "the user's name or password has a byte that must be percent-encoded"
  end
  local host, port = rest:match "^%[(.*)%](.*)$"
  local is_ipv6 = host ~= nil
  if not is_ipv6 then
    host, port = rest:match "^([^:]*)(.*)$"
  end
  host = is_ipv6 and host:gsub("%%25", "%%", 1) or host
  local ok, err, code = (is_ipv6 and check_ipv6 or check_name)(host)
  if not ok then
    return nil, err, code
  end
  local digits = port:match "^:(%d*)$"
  local number = digits ~= "" and tonumber(digits) or nil
  if port ~= "" and (not digits or #digits > 5 or (number and (number < 1 or number > 65535))) then
    return refuse("%q is no port: write a number from 1 to 65535", port)
  end
  url.userinfo, url.host = userinfo, host:lower()
  url.port = number or PORTS[url.scheme]
  if not url.port then
    return refuse("the URL names no port, and the scheme %s has none", url.scheme)
  end
  local shown = is_ipv6 and "[" .. url.host:gsub("%%.*", "") .. "]" or url.host -- a zone is nothing to the other side
  url.authority = url.port == PORTS[url.scheme] and shown or shown .. ":" .. url.port
  url.address = (is_ipv6 and "[" .. url.host .. "]" or url.host) .. ":" .. url.port
  url.origin = url.scheme .. "://" .. url.address
  return url
end

local KNOWN_MOST = 256
local known, n_known = {}, 0 -- what was read, by scheme and authority: a client asks few servers, many times

local function known_authority(scheme, authority)
  local key = scheme .. "://" .. authority
  if known[key] then
    return known[key]
  end
  local read, err, code = read_authority(scheme, authority)
  if read and not read.userinfo then -- a password is not kept
    if n_known == KNOWN_MOST then
      known, n_known = {}, 0
    end
    known[key], n_known = read, n_known + 1
  end
  return read, err, code
end

local function finish(parts)
  local server, err, code = known_authority(parts.scheme:lower(), parts.authority)
  if not server then
    return nil, err, code
  end
  local path = percent.encode_unsafe(M.remove_dots(parts.path == "" and "/" or parts.path))
  local query = parts.query and percent.encode_unsafe(parts.query)
  local target = query and path .. "?" .. query or path
  return setmetatable({
    scheme = server.scheme, userinfo = server.userinfo, host = server.host, port = server.port,
    authority = server.authority, address = server.address, origin = server.origin,
    path = path, query = query, target = target, href = server.scheme .. "://" .. server.authority .. target,
  }, Url)
end

local function check_bytes(text)
  for at = 1, #text do
    local value = byte(text, at)
    if value < 0x20 or value == 0x7f then
      return refuse("the URL has a control byte at %d", at)
    end
  end
  local parts = split(text)
  if not percent.is_valid(parts.path) or not percent.is_valid(parts.query or "") then
    return refuse("in the URL %q a percent sign is not followed by two hexadecimal digits", text)
  end
  return parts
end

---@param text string
---@return momo.http.Url? url
---@return string? err
---@return string? code EINVAL
function M.parse(text)
  local parts, err, code = check_bytes(text)
  if not parts then
    return nil, err, code
  elseif not parts.scheme or not parts.authority then
    return refuse("%q is no URL: write \"http://host/path\"", text)
  end
  return finish(parts)
end

local function merge(base, path)
  return base:match "^(.*/)" .. path
end

---What a reference, such as one in Location, means where it stands: RFC 3986, section 5.2.2.
---@param base momo.http.Url
---@param text string
---@return momo.http.Url? url
---@return string? err
---@return string? code EINVAL
function M.resolve(base, text)
  local parts, err, code = check_bytes(text)
  if not parts then
    return nil, err, code
  elseif parts.scheme then
    return M.parse(text)
  end
  parts.scheme = base.scheme
  if not parts.authority then
    parts.authority = base.origin:match "//(.*)$"
    if parts.path == "" then
      parts.path, parts.query = base.path, parts.query or base.query
    elseif parts.path:sub(1, 1) ~= "/" then
      parts.path = merge(base.path, parts.path)
    end
  end
  return finish(parts)
end

return M
