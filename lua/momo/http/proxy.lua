---A reverse proxy as a handler: what comes goes on to a server behind it, and what that answers comes back, piece by
---piece.
---
---    client --request--> fields of this hop go --> upstream, the next that is not down --answer--> client
---
---A server that could not be reached, or did not answer, is down for a while: the others are asked before it.

local answers = require "momo.http.answer"
local check = require "momo.internal.check"
local clients = require "momo.http.client"
local core = require "momo.internal.core"
local each = require "momo.internal.each"
local now = require("momo.time").now
local outgoings = require "momo.http.outgoing"
local percent = require "momo.http.percent"
local pipe_both = require("momo.io").pipe_both
local requests = require "momo.http.request"
local tokens = require "momo.http.tokens"
local urls = require "momo.http.url"

local C, executor = core.C, core.executor

local M = {}

local DOWN_SECONDS = 10
local UPGRADE = 4 -- of the marks of http_request

---@class momo.http.Upstream
---@field url momo.http.Url
---@field prefix string its path, without a slash at its end
---@field down_until number

-- Fields between two neighbours: RFC 9110, 7.6.1.
local HOP = {}
for name in ([[connection keep-alive proxy-connection proxy-authenticate proxy-authorization te transfer-encoding
    upgrade]]):gmatch "%S+" do
  HOP[name] = true
end

-- Those that a request has no more behind us, or has anew.
local REPLACED = {
  host = true, ["content-length"] = true, expect = true, ["x-forwarded-for"] = true, ["x-forwarded-host"] = true,
  ["x-forwarded-proto"] = true, via = true,
}
local OF_ANSWER = { ["content-length"] = true, via = true }

-- The fields of a message but for those of this hop, and some others: as they were sent, by name.
local function collect(message, others)
  local dropped = {}
  for name in (message:header "connection" or ""):gmatch "[^%s,]+" do
    dropped[name:lower()] = true
  end
  local headers, names = {}, {}
  for name, value in message:fields() do
    local lower = name:lower()
    if not HOP[lower] and not others[lower] and not dropped[lower] then
      name = names[lower] or name
      names[lower] = name
      local former = headers[name]
      if type(former) == "table" then
        former[#former + 1] = value
      else
        headers[name] = former and { former, value } or value
      end
    end
  end
  return headers
end

local function join(former, value)
  return former and former .. ", " .. value or value
end

local function headers_of(request, options)
  local headers = collect(request, REPLACED)
  local peer = request.peer:match "^%[(.*)%]:%d+$" or request.peer:match "^(.*):%d+$"
  headers["X-Forwarded-For"] = join(request:header "x-forwarded-for", peer or "unknown")
  headers["X-Forwarded-Host"] = request.host
  headers["X-Forwarded-Proto"] = request.connection.stream:tls() and "https" or "http"
  headers.Via = join(request:header "via", ("1.%d momo"):format(request.minor))
  headers.Host = options.keep_host and request.host or nil
  for name, value in each(options.headers or {}) do
    for sent in each(headers) do
      headers[sent] = sent:lower() ~= name:lower() and headers[sent] or nil
    end
    headers[name] = value
  end
  return headers
end

-- Early hints go on. A 100 Continue does not: the server that we are has said that, when the body was asked for.
---@async
local function pass_interim(response, head)
  if head.status ~= 100 then
    response:interim(head.status, collect(answers.of(head), OF_ANSWER))
  end
end

-- What the server is asked for: its own path, and behind it the request's, as that came. Nil: it might lead out of the
-- server's own.
local function target_of(request, upstream)
  local path = request.path
  if path == "*" then
    return upstream.prefix == "" and path or upstream.prefix
  end
  local decoded = percent.decode(path)
  if not decoded or decoded:find "%z" or percent.has_dots((decoded:gsub("\\", "/"))) then
    return nil
  end
  return upstream.prefix .. (path == "" and "/" or path) .. (request.query and "?" .. request.query or "")
end

-- Whether the request asks for another protocol. That of HTTP/2 would take further requests past whoever looks at them.
local function is_upgrade(request)
  return request.connection.marks % (2 * UPGRADE) >= UPGRADE and not tokens.has(request:header "upgrade", "h2c")
end

-- The request as it goes on.
local function forward(request, response, upstream, options)
  local headers, target, upgrades = headers_of(request, options), target_of(request, upstream), is_upgrade(request)
  if not target then
    return nil, "EINVAL: the path of the request leads elsewhere", "EINVAL"
  elseif upgrades then
    headers.Upgrade, headers.Connection = request:header "upgrade", "Upgrade"
  elseif tokens.has(request:header "connection", "te") and tokens.has(request:header "te", "trailers") then
    headers.TE, headers.Connection = "trailers", "TE"
  end
  local content, body = request.content, nil
  if not content.done then
    headers["Content-Length"] = content.left
    body = function() return content:read() end
  end
  local settings = {
    headers = headers, body = body, tls = options.tls, unix = options.unix, connect_timeout = options.connect_timeout,
    head_timeout = options.timeout, redirects = 0, retries = 1, raw = true, upgrades = upgrades, target = target,
    trailers = function() return request.trailers end,
    on_interim = function(head) pass_interim(response, head) end,
  }
  return outgoings.new(request.method, upstream.url.href, settings)
end

local TEXTS = { [400] = "Bad Request\n", [502] = "Bad Gateway\n", [504] = "Gateway Timeout\n" }

---@async
local function refuse(response, status)
  return response:send(status, TEXTS[status], { ["Content-Type"] = "text/plain; charset=utf-8" })
end

-- The stream of an upgrade, both ways, until one side ends.
---@async
local function tunnel(response, answer, exchange)
  local headers = collect(answer, OF_ANSWER)
  local stream = response:upgrade(answer:header "upgrade", headers)
  if stream then
    local upstream = exchange.connection.stream
    upstream:set_timeout(nil)
    C.momo_set_silence(executor, upstream, -1)
    pipe_both(stream, upstream)
  end
end

---@async
local function send_back(request, response, answer, exchange, options)
  if answer.status == 101 then
    if not tokens.has(request:header "upgrade", (answer:header "upgrade" or ""):lower()) then
      return refuse(response, 502) -- nobody has asked for that
    end
    return tunnel(response, answer, exchange)
  end
  local content, headers = answer.content, collect(answer, OF_ANSWER)
  headers.Via = join(answer:header "via", "1.1 momo")
  content.timeout = options.timeout
  local left = content.left
  if left and not content.done and content:unread() >= left then -- all of it is here
    return response:send(answer.status, content:all(left), headers)
  elseif content.done and request.method ~= "HEAD" and answer.status ~= 304 then
    return response:send(answer.status, nil, headers)
  end
  local bytes, err, code
  if content:unread() > 0 then
    bytes, err, code = content:read()
    if not bytes and code ~= "EOF" then
      return refuse(response, 502) -- of which nothing has left
    end
  end
  headers["Content-Length"] = answer:header "content-length"
  response:start(answer.status, headers)
  if not content.done and not bytes and not response:flush() then
    return
  end
  while true do
    if not bytes then
      bytes, err, code = content:read()
    end
    if not bytes and code == "EOF" then
      return response:finish(answer.trailers)
    elseif not bytes then -- the client, if it is still there, must not take it for whole
      error((request.content.failure or { err = err }).err, 0)
    elseif not response:write(bytes) then
      return
    end
    bytes = nil
  end
end

-- The upstreams in the order in which they are asked: in turn, those that are down last.
local function in_turn(self)
  self.turn = self.turn % #self.upstreams + 1
  local up, down, time = {}, {}, now()
  for i = 0, #self.upstreams - 1 do
    local upstream = self.upstreams[(self.turn + i - 1) % #self.upstreams + 1]
    local list = upstream.down_until > time and down or up
    list[#list + 1] = upstream
  end
  for _, upstream in ipairs(down) do
    up[#up + 1] = upstream
  end
  return up
end

local STATUSES = { EINVAL = 400, ETIMEDOUT = 504 }

-- Asks one upstream: true, it has answered; or nil, err, code, and whether another may be asked.
---@async
local function ask(self, request, response, upstream)
  local outgoing, err, code = forward(request, response, upstream, self.options)
  if not outgoing then
    return nil, err, code, false
  end
  local answered = false
  local _
  _, err, code = clients.run(self.client, outgoing, function(answer, exchange)
    answered = true
    upstream.down_until = 0
    send_back(request, response, answer, exchange, self.options)
    return true
  end)
  if answered then
    return true
  end
  local is_ours = request.content.failure ~= nil -- the body of the request was at fault
  if not is_ours then
    upstream.down_until = now() + DOWN_SECONDS
  end
  return nil, err, code, not is_ours and (not outgoing.is_sent or (not outgoing.body
    and outgoings.is_repeatable(outgoing)))
end

---@async
local function handle(self, request, response)
  local code, may_ask
  for _, upstream in ipairs(in_turn(self)) do
    local ok
    ok, _, code, may_ask = ask(self, request, response, upstream)
    if ok then
      return
    elseif not may_ask then
      break
    end
  end
  if requests.refusal(request) then
    return -- the server says what was wrong with the body
  end
  return refuse(response, STATUSES[code] or 502)
end

local function read_upstream(text)
  check.argument(type(text) == "string", "proxy: argument 1 must be a URL, or an array of URLs", text)
  local url, err = urls.parse(text)
  if not url or not (url.scheme == "http" or url.scheme == "https") or url.query then
    check.fail(("proxy: argument 1 must be a URL such as \"http://127.0.0.1:8000\": %s"):format(err or text))
  end
  return { url = url, prefix = url.path:gsub("/$", ""), down_until = 0 }
end

---@class momo.http.ProxyOptions
---@field timeout number|false|nil seconds for a server to answer once it has the request, and of its silence later; 60
---@field connect_timeout number|false|nil seconds; 10
---@field headers table<string, string>? are sent to the servers in place of the client's of these names
---@field keep_host boolean? the servers get the client's Host; else their own, and the client's in X-Forwarded-Host
---@field unix string? the path of a Unix socket to go through
---@field tls momo.tls.Client? settings for https

---A handler that sends requests on to a server, or to several in turn, and their answers back, both streamed. The
---path is put behind that of the URL, as it came, and refused with 400 where it might lead out of that. Upgrades, such
---as to WebSocket, are passed, but for that to HTTP/2. It answers 502 where no server does, and 504 where one takes too
---long; a request is sent to another one only where that does no harm.
---@param url string|string[]
---@param options momo.http.ProxyOptions?
---@return fun(request: momo.http.Request, response: momo.http.Response) handler
function M.proxy(url, options)
  options = check.options(options, {
    timeout = "any", connect_timeout = "any", headers = "table", keep_host = "boolean", unix = "string", tls = "any",
  }, "proxy")
  local upstreams = {}
  if type(url) == "table" then
    check.array(url, "proxy: argument 1 must be a URL, or an array of URLs")
  end
  for i, text in ipairs(type(url) == "table" and url or { url }) do
    upstreams[i] = read_upstream(text)
  end
  check.argument(upstreams[1], "proxy: argument 1 must be a URL, or an array of URLs", url)
  local merged = { timeout = 60, connect_timeout = 10 }
  for name, value in each(options) do
    merged[name] = value
  end
  for _, name in ipairs { "timeout", "connect_timeout" } do
    check.argument(not merged[name] or (type(merged[name]) == "number" and merged[name] > 0),
      ("proxy: option %s must be a number of seconds, or false"):format(name), merged[name])
    merged[name] = merged[name] or nil
  end
  local self = {
    upstreams = upstreams, turn = 0, options = merged, client = clients.Client { max_per_host = false,
      tls = options.tls },
  }
  return function(request, response)
    return handle(self, request, response)
  end
end

return M
