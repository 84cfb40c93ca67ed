---A request that a client is to send, and what becomes of it when it is sent elsewhere.

local check = require "momo.internal.check"
local coding = require "momo.http.coding"
local connect = require "momo.http.connect"
local core = require "momo.internal.core"
local form = require "momo.http.form"
local each = require "momo.internal.each"
local pieces = require "momo.internal.pieces"
local urls = require "momo.http.url"

local http_head = core.native.http_head

local M = {}

local USER_AGENT = "momo/" .. core.string(core.first.momo_version())
local HAS_BODY = { POST = true, PUT = true, PATCH = true } -- a body is expected, even an empty one
local REPEATABLE = { GET = true, HEAD = true, OPTIONS = true, TRACE = true, PUT = true, DELETE = true }
local REDIRECTS = { [301] = true, [302] = true, [303] = true, [307] = true, [308] = true }

---@class momo.http.Outgoing
---@field method string
---@field url momo.http.Url
---@field options momo.http.ClientOptions
---@field fields table<string, {name: string, value: any}> of the program, by name in lower case
---@field key string of the pool: connections that may carry it
---@field head string
---@field body string|string[]|fun(): string?, string?, string?|nil
---@field length integer? of the body, if it is a function and says so
---@field decodes boolean the answer's body is to be decoded
---@field is_sent boolean? it may have reached a server

local function add_fields(fields, headers)
  if not headers then
    return
  end
  for name, value in each(headers) do
    check.argument(type(name) == "string", "request: the name of a header must be a string", name)
    local lower = name:lower()
    if lower == "transfer-encoding" then
      check.fail "request: Transfer-Encoding is Momo's own affair: give a body that is a function"
    end
    fields[lower] = { name = name, value = value }
  end
end

-- The fields that say how the body is framed.
local function frame(self, own)
  local body, given = self.body, self.fields["content-length"]
  if type(body) == "function" then
    self.length = given and tonumber(given.value)
    check.argument(not given or (self.length and check.is_whole(self.length) and self.length >= 0),
      "request: Content-Length must be a number of bytes", given and given.value)
    own["Transfer-Encoding"] = not given and "chunked" or nil
    return
  end
  self.size = body and pieces.size(body, "request", " of the body", "the body") or 0
  check.argument(not given or tonumber(given.value) == self.size,
    ("request: Content-Length must be that of the body, %.0f"):format(self.size), given and given.value)
  if body or HAS_BODY[self.method] then
    own["Content-Length"] = ("%.0f"):format(self.size)
  end
end

local function identify(self)
  local options, url = self.options, self.url
  local key = options.unix and "unix:" .. options.unix .. " " .. url.origin or url.origin
  if options.proxy then
    key = options.proxy.origin .. " " .. (options.proxy.userinfo or "") .. " " .. (url.scheme == "https" and key or "")
  end
  return options.tls and ("%s %p"):format(key, options.tls) or key
end

-- Makes the head anew.
local function build(self)
  local url, fields, proxy = self.url, self.fields, self.options.proxy
  local given, own = {}, {}
  for lower, field in each(fields) do
    if lower ~= "host" then
      given[field.name] = field.value
    end
  end
  own["User-Agent"] = not self.options.raw and USER_AGENT or nil
  self.decodes = not fields["accept-encoding"] and not fields.range and not self.options.raw
  if self.decodes then
    own["Accept-Encoding"] = coding.accepted()
  end
  own.Authorization = url.userinfo and connect.basic(url.userinfo)
  local target = self.options.target or url.target
  if proxy and url.scheme == "http" then
    target = url.href
    own["Proxy-Authorization"] = proxy.userinfo and connect.basic(proxy.userinfo)
  end
  frame(self, own)
  local host = url.authority
  if fields.host then
    host = fields.host.value
    check.argument(type(host) == "string" and not host:find "[%c%s]", "request: Host must be a name", host)
  end
  self.head = http_head("request", ("%s %s HTTP/1.1\r\nHost: %s"):format(self.method, target, host), given, own)
  self.key = identify(self)
end

local function check_body(options)
  local body = options.body
  check.argument(body == nil or type(body) == "string" or type(body) == "number" or type(body) == "table"
    or type(body) == "function", "request: body must be a string, an array of strings or a function", body)
  check.argument(body == nil or not options.form, "request: there must be a body or a form, not both", body)
  if options.form then
    return form.encode(options.form)
  end
  return body
end

---@param method string
---@param text string the URL
---@param options momo.http.ClientOptions
---@param client_headers table<string, any>?
---@return momo.http.Outgoing? outgoing
---@return string? err
---@return string? code EINVAL: it is no URL
function M.new(method, text, options, client_headers)
  check.argument(REPEATABLE[method] or type(method) == "string" and method:find "^[%w!#$%%&'*+.^_`|~-]+$"
    and method ~= "CONNECT", "request: the method must be such as \"GET\"", method)
  check.argument(type(text) == "string", "request: the URL must be a string", text)
  local url, err, code = urls.parse(text)
  if url and url.scheme ~= "http" and url.scheme ~= "https" then
    return nil, ("EINVAL: the scheme of %q must be http or https"):format(text), "EINVAL"
  elseif url and options.query then
    local query = form.encode(options.query)
    local base = text:gsub("#.*", "")
    url, err, code = urls.parse(base .. (url.query == nil and "?" or url.query == "" and "" or "&") .. query)
  end
  if not url then
    return nil, err, code
  end
  local self = { method = method, url = url, options = options, fields = {}, body = check_body(options) }
  add_fields(self.fields, client_headers)
  add_fields(self.fields, options.headers)
  if options.form and not self.fields["content-type"] then
    self.fields["content-type"] = { name = "Content-Type", value = "application/x-www-form-urlencoded" }
  end
  build(self)
  return self
end

---Whether it may be sent twice where nobody knows if it has arrived.
---@param self momo.http.Outgoing
---@return boolean
function M.is_repeatable(self)
  return type(self.body) ~= "function" and (REPEATABLE[self.method] or self.fields["idempotency-key"] ~= nil)
end

local function drop_body(self)
  self.body, self.length = nil, nil
  for lower in each(self.fields) do
    if lower:find "^content%-" then
      self.fields[lower] = nil
    end
  end
end

-- What is for one server is not for another.
local function change_origin(self)
  self.fields.authorization, self.fields.cookie, self.fields.host = nil, nil, nil
  self.fields["proxy-authorization"] = nil
end

---Changes it to what an answer redirects to.
---@param self momo.http.Outgoing
---@param answer momo.http.Answer
---@return boolean? changed false: the answer is none of those, or not to be followed
---@return string? err
---@return string? code EPROTO: it leads nowhere
function M.redirect(self, answer)
  local location = REDIRECTS[answer.status] and answer:header "location"
  if not location then
    return false
  end
  local url, err = urls.resolve(self.url, location)
  if not url or not (url.scheme == "http" or url.scheme == "https") then
    return nil, "EPROTO: malformed answer: its Location leads nowhere: " .. (err or location), "EPROTO"
  end
  local is_foreign = url.origin ~= self.url.origin
  local becomes_get = answer.status <= 303 and self.method ~= "GET" and self.method ~= "HEAD"
  if (self.url.scheme == "https" and url.scheme == "http") or (is_foreign and self.options.unix)
    or (type(self.body) == "function" and not becomes_get) then
    return false
  end
  if becomes_get then
    self.method = "GET"
    drop_body(self)
  end
  if is_foreign then
    change_origin(self)
    url.userinfo = nil
  else
    url.userinfo = self.url.userinfo
  end
  self.url = url
  build(self)
  return true
end

return M
