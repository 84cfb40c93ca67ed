---A client's WebSocket: the way to the server, and the handshake as a client begins it: RFC 6455, section 4.1.

local check = require "momo.internal.check"
local connect = require "momo.http.connect"
local header = require "momo.http.field"
local heads = require "momo.http.heads"
local native = require("momo.internal.core").native
local each = require "momo.internal.each"
local timeout = require("momo.time").timeout
local tokens = require "momo.http.tokens"
local urls = require "momo.http.url"
local websocket = require "momo.http.websocket"

local M = {}

---@class momo.http.ConnectOptions: momo.http.WebSocketOptions
---@field headers table<string, string|number|string[]>? such as Origin or Authorization
---@field protocols string[]? subprotocols that are offered, the best one first
---@field timeout number|false|nil seconds until the WebSocket is open; 30
---@field connect_timeout number|false|nil seconds; 10
---@field write_timeout number|false|nil seconds in which the other end reads nothing; 60
---@field proxy string|false|nil a URL
---@field unix string? the path of a Unix socket
---@field tls momo.tls.Client? settings for wss

local TYPES = {
  headers = "table", protocols = "table", timeout = "any", connect_timeout = "any", write_timeout = "any",
  proxy = "any", unix = "string", tls = "any",
}
local SECONDS = { timeout = 30, connect_timeout = 10, write_timeout = 60 }

-- Fields that the handshake has itself.
local OWN = { host = true, connection = true, upgrade = true, ["content-length"] = true, ["transfer-encoding"] = true }

local function check_headers(headers)
  for name in each(headers or {}) do
    local lower = type(name) == "string" and name:lower() or ""
    if OWN[lower] or lower:find "^sec%-websocket%-" then
      check.fail(("websocket: the field %s is Momo's own affair"):format(name))
    end
  end
end

local function check_protocols(protocols)
  for _, protocol in ipairs(protocols or {}) do
    check.argument(type(protocol) == "string" and protocol:find "^[%w!#$%%&'*+.^_`|~-]+$",
      "websocket: option protocols must be an array of names such as \"chat\"", protocol)
  end
end

local function check_options(options)
  options = websocket.check_options(options, TYPES, "websocket")
  local merged = setmetatable({}, { __index = options })
  for name, seconds in each(SECONDS) do
    local value = options[name]
    check.argument(not value or (type(value) == "number" and value > 0),
      ("websocket: option %s must be a number of seconds, or false"):format(name), value)
    merged[name] = value == nil and seconds or value
  end
  check_headers(options.headers)
  check_protocols(options.protocols)
  connect.check_tls(options.tls, "websocket")
  merged.proxy = options.proxy and connect.check_proxy(options.proxy, "websocket")
  check.argument(not (merged.proxy and options.unix), "websocket: there must be a proxy or a Unix socket, not both",
    options.unix)
  return merged
end

local function ask(stream, url, options, key)
  local offered = table.concat(options.protocols or {}, ", ")
  return stream:write(native.http_head("websocket", "GET " .. url.target .. " HTTP/1.1", options.headers, {
    Host = url.authority,
    Connection = "Upgrade",
    Upgrade = "websocket",
    Authorization = url.userinfo and connect.basic(url.userinfo),
    ["Sec-WebSocket-Version"] = 13,
    ["Sec-WebSocket-Key"] = key,
    ["Sec-WebSocket-Protocol"] = offered ~= "" and offered or nil,
  }))
end

local function contains(list, value)
  for _, one in ipairs(list or {}) do
    if one == value then
      return true
    end
  end
  return false
end

-- What is wrong with an answer, if anything is; else what subprotocol it has chosen.
local function read_answer(head, options, key)
  local function field(name)
    return header(head.bytes, head.first_field, name)
  end
  local protocol = field "sec-websocket-protocol"
  if head.status ~= 101 then
    return ("the server wants no WebSocket: it answered %d %s"):format(head.status, head.reason or "")
  elseif (field "upgrade" or ""):lower() ~= "websocket" or not tokens.has(field "connection", "upgrade") then
    return "malformed answer: it changes to another protocol"
  elseif field "sec-websocket-accept" ~= native.websocket_accept(key) then
    return "malformed answer: its Sec-WebSocket-Accept is not that of the key"
  elseif field "sec-websocket-extensions" then
    return "malformed answer: it has an extension that was not offered"
  elseif protocol and not contains(options.protocols, protocol) then
    return ("malformed answer: it has a subprotocol that was not offered: %s"):format(protocol)
  end
  return nil, protocol
end

---@async
local function shake(stream, url, options)
  local key = native.websocket_key()
  local ok, head, err, code
  ok, err, code = ask(stream, url, options, key)
  if ok then
    head, err, code = heads.read(stream, false)
  end
  if not head then
    return nil, err, code
  end
  local fault, protocol = read_answer(head, options, key)
  if fault then
    return nil, "EPROTO: " .. fault, "EPROTO"
  end
  local ws = websocket.new(stream, true, options, options.write_timeout or nil)
  ws.protocol = protocol
  return ws
end

---@async
local function open(url, options)
  local stream, err, code = connect.open(url, options)
  if not stream then
    return nil, err, code
  end
  local ok, ws
  ok, ws, err, code = xpcall(shake, native.traceback_capture, stream, url, options)
  if ok and ws then
    return ws
  end
  stream:close()
  if not ok then
    native.rethrow(ws)
  end
  return nil, err, code
end

---Opens a WebSocket to a server, by ws:// or wss://. No redirection is followed.
---
---Codes: EINVAL it is no such URL; EPROTO the server has answered something else, which the text tells, or what came is
---malformed; ETIMEDOUT; ECONNRESET, EOF the connection ended before the answer did; EPROTONOSUPPORT wss without libssl;
---ETLS; and those of connecting.
---@async
---@param url string such as "wss://example.com/chat"
---@param options momo.http.ConnectOptions?
---@return momo.http.WebSocket? ws
---@return string? err
---@return string? code
function M.websocket(url, options)
  check.argument(type(url) == "string", "websocket: the URL must be a string", url)
  options = check_options(options)
  local parsed, err, code = urls.parse(url)
  if not parsed then
    return nil, err, code
  elseif parsed.scheme ~= "ws" and parsed.scheme ~= "wss" then
    return nil, ("EINVAL: the scheme of %q must be ws or wss"):format(url), "EINVAL"
  elseif options.timeout then
    return timeout(options.timeout, open, parsed, options)
  end
  return open(parsed, options)
end

return M
