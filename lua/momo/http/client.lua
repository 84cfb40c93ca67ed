---The client: requests with pooled connections, redirections, and limits.
---
---    timeout -> place in the pool -> idle connection, or a new one -> exchange -> redirected? once more

local check = require "momo.internal.check"
local connect = require "momo.http.connect"
local exchanges = require "momo.http.exchange"
local names = require "momo.internal.names"
local native = require("momo.internal.core").native
local outgoings = require "momo.http.outgoing"
local pools = require "momo.http.pool"
local each = require "momo.internal.each"
local timeout = require("momo.time").timeout

local rethrow, traceback_capture = native.rethrow, native.traceback_capture

local M = {}

local IDLE_SECONDS = 30
local MANY = 2 ^ 31 - 1
local DISCARD = 64 * 1024 -- bytes of an answer that redirects

---@class momo.http.ClientOptions
---@field headers table<string, string|number|string[]>?
---@field body string|string[]|function|nil a function returns piece by piece, nil at the end
---@field form table<string, any>? the body is a form with these fields
---@field query table<string, any>? is added to the URL
---@field timeout number|false|nil seconds for all of it; 30
---@field connect_timeout number|false|nil seconds; 10
---@field max_body integer|false|nil bytes of the answer, decoded; 8 MiB
---@field redirects integer|false|nil how many are followed; 10
---@field retries integer|false|nil 0: nothing is sent anew, where a connection that was kept has died; 1
---@field proxy string|false|nil a URL
---@field unix string? the path of a Unix socket
---@field tls momo.tls.Client? settings for https
---@field max_per_host integer|false|nil connections to a server; 64; of a client, not of one request

local TYPES = {
  headers = "table", body = "any", form = "table", query = "table", timeout = "any", connect_timeout = "any",
  max_body = "any", redirects = "any", retries = "any", proxy = "any", unix = "string", tls = "any",
}
local OF_CLIENT = { max_per_host = "any" }
local DEFAULTS = {
  timeout = 30, connect_timeout = 10, max_body = 8 * 1024 * 1024, redirects = 10, retries = 1, max_per_host = 64,
}
for name, kind in each(TYPES) do
  if name ~= "body" and name ~= "form" and name ~= "query" then
    OF_CLIENT[name] = kind
  end
end

---Requests with options of its own, and connections that are kept for further ones: at most `max_per_host` to a server,
---idle for 30 s or as long as the server says, and never longer than the run.
---@class momo.http.Client
---@field private options momo.http.ClientOptions
---@field private pool momo.http.Pool
local Client = { __name = "momo.http.Client" }
Client.__index = Client
names.objects(Client, "client")

local function check_number(options, name, is_whole, caller)
  local value = options[name]
  if value and not (type(value) == "number" and value >= 0 and (not is_whole or value % 1 == 0)) then
    check.argument(false, ("%s: option %s must be a %s, or false"):format(caller, name,
      is_whole and "whole number" or "number of seconds"), value)
  end
end

-- The options of a request, or of a client: those that were given, on top of others. `proxy` becomes a URL.
local function merge(options, types, defaults, caller)
  options = check.options(options, types, caller)
  for _, name in ipairs { "timeout", "connect_timeout" } do
    check_number(options, name, false, caller)
  end
  for _, name in ipairs { "max_body", "redirects", "retries" } do
    check_number(options, name, true, caller)
  end
  local merged = {}
  for name, value in each(defaults) do
    merged[name] = value
  end
  for name, value in each(options) do
    merged[name] = value
  end
  if options.proxy then
    merged.proxy = connect.check_proxy(options.proxy, caller)
  end
  connect.check_tls(options.tls, caller)
  check.argument(not (merged.proxy and merged.unix), caller .. ": there must be a proxy or a Unix socket, not both",
    merged.unix)
  return merged
end

-- How long its server lets the connection be idle: a second less.
local function idle_seconds(answer)
  local text = answer:header "keep-alive"
  local seconds = text and text:lower():match "timeout=(%d+)"
  return seconds and math.min(IDLE_SECONDS, tonumber(seconds) - 1) or IDLE_SECONDS
end

-- Sends it on the connection that there is, or on a new one; anew on a new one, where an old one turns out to be dead.
---@async
local function perform(state, outgoing)
  while true do
    local err, code, nothing
    if not state.connection then
      local stream
      stream, err, code = connect.open(outgoing.url, outgoing.options)
      if not stream then
        return nil, err, code
      end
      state.connection = { stream = stream, used = false }
    end
    local connection, answer = state.connection
    outgoing.is_sent = true
    state.exchange = exchanges.begin(connection, outgoing)
    answer, err, code, nothing = exchanges.perform(state.exchange)
    if answer then
      connection.used = true
      state.idle_seconds = idle_seconds(answer)
      return answer
    elseif not (nothing and connection.used and (outgoing.options.retries or 0) > 0
      and outgoings.is_repeatable(outgoing)) then
      return nil, err, code
    end
    exchanges.finish(state.exchange)
    connection.stream:close()
    state.connection, state.exchange = nil, nil
  end
end

local AGAIN = {} -- returned in place of an answer: it is to be sent elsewhere

---@async
local function use(state, outgoing, left, fn)
  local answer, err, code = perform(state, outgoing)
  if not answer then
    return nil, err, code
  end
  local redirected
  if outgoing.options.redirects and outgoing.options.redirects > 0 then
    redirected, err, code = outgoings.redirect(outgoing, answer)
    if redirected == nil then
      return nil, err, code
    elseif redirected and left == 0 then
      return nil, ("ELOOP: more than %d redirections"):format(outgoing.options.redirects), "ELOOP"
    elseif redirected then
      answer.content:discard(DISCARD)
      return AGAIN
    end
  end
  return fn(answer, state.exchange, outgoing.options)
end

-- Gives the place in the pool back, and goes on where the answer has led.
local function leave(self, key, state, ok, ...)
  local connection = state.connection
  local keeps = state.exchange and exchanges.finish(state.exchange) and ok
  keeps = keeps and state.idle_seconds > 0
  if connection and not keeps then
    connection.stream:close()
  end
  self.pool:give(key, keeps and connection or nil, state.idle_seconds)
  if not ok then
    rethrow((...))
  end
  return ...
end

---@async
local function follow(self, outgoing, left, fn)
  local key = outgoing.key
  local state = { connection = self.pool:take(key) }
  return leave(self, key, state, xpcall(use, traceback_capture, state, outgoing, left, fn))
end

---@async
local function follow_all(self, outgoing, fn)
  local left = outgoing.options.redirects or 0
  local function next_one(first, ...)
    if first == AGAIN then
      left = left - 1
      return next_one(follow(self, outgoing, left, fn))
    end
    return first, ...
  end
  return next_one(follow(self, outgoing, left, fn))
end

---Sends a request that was made already: the options in it are those of the client and the request, and
---    raw           nothing is added to the fields, and no body decoded
---    target        stands in for the URL's path and query
---    head_timeout  seconds until the head of the answer has come, once all of the body was sent; and of a server that
---                  does not take it
---    on_interim    is called with the head of each answer that comes before the answer
---    trailers      returns what follows a body that is a function of no known length
---    upgrades      the answer may be 101; then the stream of the exchange's connection is the function's
---@async
---@param client momo.http.Client
---@param outgoing momo.http.Outgoing
---@param fn async fun(answer: momo.http.Answer, exchange: momo.http.Exchange): ...
---@return any ...
function M.run(client, outgoing, fn)
  return follow_all(client, outgoing, fn)
end

---@async
local function start(self, method, url, options, fn)
  local merged = options == nil and self.options or merge(options, TYPES, self.options, "request")
  local outgoing, err, code = outgoings.new(method, url, merged, self.options.headers)
  if not outgoing then
    return nil, err, code
  elseif merged.timeout then
    return timeout(merged.timeout, follow_all, self, outgoing, fn)
  end
  return follow_all(self, outgoing, fn)
end

---@async
local function read_whole(answer, exchange, options)
  local body, err, code = exchanges.read_all(exchange, options.max_body or math.huge)
  if not body then
    return nil, err, code
  end
  answer.body = body
  return answer
end

---Sends a request, and reads the whole answer, whatever its status.
---
---Codes: EINVAL it is no URL; ETIMEDOUT; EMSGSIZE the answer is too large; EPROTO it is malformed; ECONNRESET, EOF it
---was cut short; ELOOP too many redirections; EPROTONOSUPPORT https without libssl; ETLS; and those of connecting.
---@async
---@param method string such as "GET"
---@param url string
---@param options momo.http.ClientOptions?
---@return momo.http.Answer? answer
---@return string? err
---@return string? code
function Client:request(method, url, options)
  check.self(self, Client, "client", "request")
  return start(self, method, url, options, read_whole)
end

---GET: what a URL names.
---
---Codes: those of `request`.
---@async
---@param url string
---@param options momo.http.ClientOptions?
---@return momo.http.Answer? answer
---@return string? err
---@return string? code
function Client:get(url, options)
  check.self(self, Client, "client", "get")
  return start(self, "GET", url, options, read_whole)
end

---POST, with a body: a string, an array of strings, or a function that returns piece by piece, and nil at the end.
---
---Codes: those of `request`.
---@async
---@param url string
---@param body string|string[]|function|nil
---@param options momo.http.ClientOptions?
---@return momo.http.Answer? answer
---@return string? err
---@return string? code
function Client:post(url, body, options)
  check.self(self, Client, "client", "post")
  if body ~= nil then
    check.argument(not (options and options.body), "post: the body is argument 2", options and options.body)
    local with_body = { body = body }
    for name, value in each(options or {}) do
      with_body[name] = value
    end
    options = with_body
  end
  return start(self, "POST", url, options, read_whole)
end

---Sends a request, and calls fn(answer), which reads the body by answer:read() or answer:pieces() as it comes. When
---fn has returned, the connection is reusable or closed.
---@async
---@param method string
---@param url string
---@param options momo.http.ClientOptions? max_body has no meaning
---@param fn async fun(answer: momo.http.Answer): ...
---@return any ... what fn returns, or nil, err, code as of `request`
function Client:stream(method, url, options, fn)
  check.self(self, Client, "client", "stream")
  check.argument(type(fn) == "function", "stream: argument 4 must be a function", fn)
  return start(self, method, url, options, function(answer) return fn(answer) end)
end

---Closes connections that are idle; none is kept from now on.
function Client:close()
  check.self(self, Client, "client", "close")
  self.pool:close()
end

---A client with options of its own, which those of its requests stand in for, header by header.
---@param options momo.http.ClientOptions?
---@return momo.http.Client
function M.Client(options)
  local merged = merge(options, OF_CLIENT, DEFAULTS, "Client")
  local max = merged.max_per_host or MANY
  check.argument(check.is_whole(max) and max >= 1, "Client: max_per_host must be a whole number from 1, or false", max)
  merged.max_per_host = nil
  return setmetatable({ options = merged, pool = pools.Pool(max) }, Client)
end

local default -- of this thread

local function default_client()
  default = default or M.Client()
  return default
end

---Sends a request, and reads the whole answer, whatever its status: `request` of a client that this thread has.
---
---Codes: EINVAL it is no URL; ETIMEDOUT; EMSGSIZE the answer is too large; EPROTO it is malformed; ECONNRESET, EOF it
---was cut short; ELOOP too many redirections; EPROTONOSUPPORT https without libssl; ETLS; and those of connecting.
---@async
---@param method string
---@param url string
---@param options momo.http.ClientOptions?
---@return momo.http.Answer? answer
---@return string? err
---@return string? code
function M.request(method, url, options)
  return default_client():request(method, url, options)
end

---GET: what a URL names.
---
---Codes: those of `request`.
---@async
---@param url string
---@param options momo.http.ClientOptions?
---@return momo.http.Answer? answer
---@return string? err
---@return string? code
function M.get(url, options)
  return default_client():get(url, options)
end

---POST, with a body: a string, an array of strings, or a function that returns piece by piece, and nil at the end.
---
---Codes: those of `request`.
---@async
---@param url string
---@param body string|string[]|function|nil
---@param options momo.http.ClientOptions?
---@return momo.http.Answer? answer
---@return string? err
---@return string? code
function M.post(url, body, options)
  return default_client():post(url, body, options)
end

return M
