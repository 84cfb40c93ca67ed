---serve: HTTP on net.serve, and the limits of each phase.

local check = require "momo.internal.check"
local connection = require "momo.http.connection"
local core = require "momo.internal.core"
local each = require "momo.internal.each"
local net = require "momo.net"
local presence = require "momo.http.presence"
local time = require "momo.time"

local C, executor, native = core.C, core.executor, core.native

local GRACE_SECONDS = 0.2 -- before a connection is closed on which there was something: a request may be on its way

local M = {}

---@class momo.http.ServerOptions
---@field header_timeout number? seconds from the first byte, or the accept, to the whole head; 30
---@field idle_timeout number? seconds between requests; 75
---@field request_timeout number? seconds from the head to the end of the body; 300
---@field read_timeout number? seconds of the client's silence within a body; 60
---@field write_timeout number? seconds in which the client reads nothing; 60
---@field max_head integer? bytes of the request line and the fields; 16 KiB
---@field max_target integer? bytes; 8 KiB
---@field max_fields integer? 100
---@field max_body integer? bytes that `request:body` and `form` take; 1 MiB
---@field max_stream integer? bytes of a body, however it is read; none
---@field max_connections integer? at a time; none
---@field drain number? seconds that running requests are given in the end; 0
---@field tls momo.tls.Server?
---@field proxy_protocol true|string[]|nil connections begin with a PROXY header, as that of `momo.net.serve`
---@field on_error fun(err: any, request: momo.http.Request)? is told of what handlers raise; else it is reported
---@field access_log fun(request: momo.http.Request, response: momo.http.Response, seconds: number)?
---@field cancel_on_close boolean? a handler whose client has gone is cancelled
---@field server string? for a field Server

local DEFAULTS = {
  header_timeout = 30, idle_timeout = 75, request_timeout = 300, read_timeout = 60, write_timeout = 60,
  max_head = 16 * 1024, max_target = 8 * 1024, max_fields = 100, max_body = 1024 * 1024, max_stream = false,
}
local MOST = 2 ^ 31 - 1 -- of the limits that the parser of heads has

local TYPES = { drain = "number", on_error = "function", access_log = "function", cancel_on_close = "boolean",
  server = "string", tls = "any", proxy_protocol = "any", max_connections = "any" }
for name in each(DEFAULTS) do
  TYPES[name] = "any"
end

-- A limit as the server has it: a number, or nil, or for what C is told, the most.
local function limit_of(options, name)
  local value = options[name]
  if value == nil then
    value = DEFAULTS[name]
  end
  check.argument(value == false or (type(value) == "number" and value >= 0 and (name:find "timeout" or value % 1 == 0)),
    ("serve: option %s must be a %s, or false"):format(name, name:find "timeout" and "number of seconds" or
      "whole number"), value)
  if value and value > 0 then
    return name:find "^max_[htf]" and math.min(value, MOST) or value
  end
  return name:find "^max_[htf]" and MOST or name:find "^max_b" and math.huge or nil
end

-- The options without those that are off. A limit stays, as it has a default.
local function chosen(options)
  if type(options) ~= "table" then
    return options
  end
  local kept = {}
  for name, value in each(options) do
    local can_be_off = TYPES[name] and DEFAULTS[name] == nil
    if not (can_be_off and (value == 0 or value == false)) then
      kept[name] = value
    end
  end
  return kept
end

---@class momo.http.Server
---@field handler fun(request: momo.http.Request, response: momo.http.Response)
---@field connections table<momo.http.Connection, true> that are open
---@field listener momo.net.TcpListener? of its own, to be closed
---@field draining boolean no further request is waited for
---@field first_limits userdata how long a connection's first request is waited for,
---@field limits userdata and a later one,
---@field closing_limits userdata and one when the server ends: not at all
---@field last_limits userdata how long it is waited for then, of who has connected or was answered just before
---@field handle async fun(request: momo.http.Request, response: momo.http.Response) the handler, as it is called

local function server_of(handler, options)
  local server = {
    handler = handler, connections = {}, draining = false,
    handle = options.cancel_on_close and presence.cancelling(handler) or handler,
    on_error = options.on_error, access_log = options.access_log or false, name = options.server or false,
  }
  for name in each(DEFAULTS) do
    server[name] = limit_of(options, name)
  end
  local function limits(idle, is_first)
    return native.http_request_limits(server.max_head, server.max_target, server.max_fields, idle,
      server.header_timeout, is_first)
  end
  server.first_limits, server.limits = limits(server.header_timeout, true), limits(server.idle_timeout, false)
  server.closing_limits, server.last_limits = limits(0, false), limits(GRACE_SECONDS, true)
  return server
end

local unread = core.new "size_t[1]"

-- Ends the connections that were idle for a while. Returns the seconds after which the next one will have been; 0:
-- there is none.
local function expire_idle(server, grace, began)
  local left, waited = math.huge, time.now() - began
  for one in each(server.connections) do
    if one.idle and C.momo_unread(executor, one.stream, unread) == nil then
      local quiet = C.momo_quiet(executor, one.stream)
      if math.max(quiet, waited) >= grace then
        C.momo_expire_read(executor, one.stream)
      else
        left = math.min(left, grace - math.max(quiet, waited))
      end
    end
  end
  return left < math.huge and left or 0
end

-- No further connection comes. Those that are idle end, those with a request when that is answered.
---@async
local function on_drain(server, seconds)
  server.draining = true
  if server.listener then
    server.listener:close()
  end
  for one in each(server.connections) do
    if one.websocket then
      require("momo.http.websocket").leave(one.websocket)
    end
  end
  local grace, began = math.min(GRACE_SECONDS, seconds), time.now()
  time.sleep(0) -- in which those begin that were accepted just now
  repeat
    local left = expire_idle(server, grace, began)
    time.sleep(left)
  until left == 0
end

local function is_callable(value)
  local metatable = getmetatable(value)
  return type(value) == "function" or (type(metatable) == "table" and type(metatable.__call) == "function")
end

-- What serves a connection, for whoever accepts; and the server, which knows those that are open.
---@param handler momo.http.Router|fun(request: momo.http.Request, response: momo.http.Response)
---@param options momo.http.ServerOptions that are checked
---@return async fun(stream: momo.net.TcpStream, peer: string) serve_connection
---@return momo.http.Server server
function M.server(handler, options)
  local server = server_of(handler, options)
  server.is_sealed = options.tls ~= nil
  return function(stream, peer)
    return connection.serve(server, stream, peer)
  end, server
end

---Serves HTTP: calls `handler(request, response)` for each request, in the task of its connection.
---
---Ends when the listener is closed, or the calling task is cancelled, as Ctrl-C does: idle connections are closed,
---running requests are answered with `Connection: close`; after `drain` seconds the rest is cancelled.
---Returns, or raises its cancellation, when all have ended. A listener that was given stays the caller's; an address is
---bound, and closed in the end.
---
---Codes: EADDRINUSE, EACCES and others of bind; those of accept that do not pass.
---@async
---@param address string|momo.Listener "127.0.0.1:8080", or a listener
---@param handler momo.http.Router|fun(request: momo.http.Request, response: momo.http.Response) it may suspend
---@param options momo.http.ServerOptions? 0 or false: none of it, no limit
---@return true? ok
---@return string? err
---@return string? code
function M.serve(address, handler, options)
  check.argument(type(address) == "string" or type(address) == "userdata",
    "serve: argument 1 must be an address such as \"127.0.0.1:8080\", or a listener", address)
  if type(address) == "string" and type(handler) == "number" then
    check.fail(("serve: the port is a part of the address; write \"%s:%d\""):format(address, handler))
  end
  check.argument(is_callable(handler), "serve: argument 2 must be a function or a router", handler)
  options = check.options(chosen(options), TYPES, "serve")
  local serve_connection, server = M.server(handler, options)
  local listener = address
  if type(address) == "string" then
    local err, code
    listener, err, code = net.TcpListener.bind(address)
    if not listener then
      return nil, err, code
    end
    server.listener = listener
  end
  return net.serve(listener, serve_connection, {
    max_connections = options.max_connections,
    drain = options.drain,
    tls = options.tls,
    proxy_protocol = options.proxy_protocol,
    on_drain = function() on_drain(server, options.drain or 0) end,
  })
end

return M
