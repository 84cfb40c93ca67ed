---The handshake of WebSocket, as a server answers it: RFC 6455, section 4.2.

local check = require "momo.internal.check"
local native = require("momo.internal.core").native
local requests = require "momo.http.request"
local responses = require "momo.http.response"
local tokens = require "momo.http.tokens"
local websocket = require "momo.http.websocket"

local M = {}

---@class momo.http.AcceptOptions: momo.http.WebSocketOptions
---@field origins string[]|"*"|nil such as "https://example.com": whose pages may connect; those of the request's host
---@field protocols string[]? subprotocols, the best one first

local DEFAULT_PORTS = { http = "80", https = "443", ws = "80", wss = "443" }

-- "host:port" in lower case, without the scheme's own port.
local function authority(scheme, host)
  host = host:lower()
  local port = DEFAULT_PORTS[scheme]
  return port and host:gsub(":" .. port .. "$", "") or host
end

local function is_allowed(request, origins)
  local origin = request:header "origin"
  if not origin or origins == "*" then -- no browser, or any of them
    return true
  elseif origins then
    for _, allowed in ipairs(origins) do
      if allowed:lower() == origin:lower() then
        return true
      end
    end
    return false
  end
  local scheme, host = origin:lower():match "^(%a+)://([^/]+)$"
  return scheme ~= nil and request.host ~= nil and authority(scheme, host) == authority(scheme, request.host)
end

-- What a request that is no handshake is answered with: a status, or nil.
local function fault(request, options)
  if request.connection.marks % 8 < 4 or not tokens.has(request:header "upgrade", "websocket") then
    return 426, "this is a WebSocket"
  elseif request.method ~= "GET" or not request.content.done then
    return 400, "the handshake of a WebSocket is a GET without a body"
  elseif request:header "sec-websocket-version" ~= "13" then
    return 426, "the version of WebSocket must be 13"
  elseif not (request:header "sec-websocket-key" or ""):find "^[%w+/]+==$" or
    #request:header "sec-websocket-key" ~= 24 then
    return 400, "Sec-WebSocket-Key must be 16 bytes in base64"
  elseif not is_allowed(request, options.origins) then
    return 403, "this origin may not connect"
  end
end

local function choose(request, protocols)
  local offered = request:header "sec-websocket-protocol"
  for _, protocol in ipairs(offered and protocols or {}) do
    for each in offered:gmatch "[^,%s]+" do
      if each == protocol then
        return protocol
      end
    end
  end
end

---@async
---@param request momo.http.Request
---@param response momo.http.Response
---@param options momo.http.AcceptOptions?
---@return momo.http.WebSocket? ws
---@return string? err
---@return string? code
function M.accept(request, response, options)
  check.argument(getmetatable(request) == requests.Request, "websocket: argument 1 must be the request", request)
  options = websocket.check_options(options, { origins = "any", protocols = "array" }, "websocket")
  local origins = options.origins
  if origins ~= nil and origins ~= "*" then
    check.array(origins, 'websocket: option origins must be an array of strings, or "*"')
  end
  local status, text = fault(request, options)
  if status then
    response:send(status, text .. "\n", {
      ["Content-Type"] = "text/plain; charset=utf-8",
      ["Upgrade"] = status == 426 and "websocket" or nil,
      ["Connection"] = status == 426 and "Upgrade" or nil, -- Upgrade is a field of this hop
      ["Sec-WebSocket-Version"] = status == 426 and "13" or nil,
    })
    return nil, "EPROTO: " .. text, "EPROTO"
  end
  local protocol, connection = choose(request, options.protocols), responses.fresh(response, "websocket")
  local stream, err, code = response:upgrade("websocket", {
    ["Sec-WebSocket-Accept"] = native.websocket_accept(request:header "sec-websocket-key"),
    ["Sec-WebSocket-Protocol"] = protocol,
  })
  if not stream then
    return nil, err, code
  end
  local ws = websocket.new(stream, false, options, connection.server.write_timeout)
  ws.protocol, connection.websocket = protocol, ws
  return ws
end

return M
