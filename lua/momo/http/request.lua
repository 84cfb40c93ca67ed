---What came: the request that a handler gets. Strings are made when they are asked for.

local bodies = require "momo.http.body"
local check = require "momo.internal.check"
local each = require "momo.internal.each"
local header = require "momo.http.field"
local names = require "momo.internal.names"
local native = require("momo.internal.core").native

local NONE = bodies.NONE
local headers, next_field = native.http_headers, native.http_field

---The request that a handler gets. Its strings are made when they are asked for.
---@class momo.http.Request
---@field method string as it came, such as "GET"
---@field target string as it came: path and query, or a URL, or "*"
---@field path string still percent-encoded
---@field query string? what stands behind "?"
---@field host string? that of the target if it has one, else the field Host
---@field minor integer of HTTP/1.minor: 0 or 1
---@field peer string the address of the other end of the connection
---@field params table<string, string>? what the router has found in the path
---@field headers table<string, string> names in lower case
---@field trailers table<string, string>? after the end of the body
---@field closed momo.Notify is notified when the client has gone: for `select`
---@field private head string the bytes of the head
---@field private connection momo.http.Connection?
---@field private content momo.http.Body
---@field private failure string? the code of a failure that is not the content's
---@field private max_body number
local Request = { __name = "momo.http.Request", content = NONE }
local missing = names.own_index(Request, "request", "params query failure max_body")

-- What each request has lies in its array, which is one piece of memory with the table; a table with names is two, and
-- takes twice as long to be made and collected.
local HEAD, METHOD, PARAMS = 1, 3, 5
-- And the methods, for one look at all.
local finds = { head = HEAD, connection = 2, method = METHOD, path = 4, params = PARAMS }

-- Fields that are made when they are first asked for.
local later = {}

function later.minor(self)
  return tonumber(self.head:match "HTTP/1%.(%d)\r\n")
end

function later.peer(self)
  return self.connection.peer
end

function later.target(self)
  return self.query and self.path .. "?" .. self.query or self.path
end

function later.host(self)
  return header(self.head, nil, "host")
end

function later.headers(self)
  return headers(self.head, nil)
end

function later.trailers(self)
  return bodies.trailers(self.content)
end

function later.closed(self)
  return require("momo.http.presence").notify(self)
end

function Request.__index(self, key)
  local found = finds[key]
  if type(found) == "number" then
    return rawget(self, found) or nil
  elseif found ~= nil then
    return found
  end
  local make = later[key]
  if make then
    local value = make(self)
    rawset(self, key, value)
    return value
  end
  return missing(key)
end

function Request.__newindex(self, key, value)
  rawset(self, key == "params" and PARAMS or key, value)
end

---The value of a field; several of its name are joined by ", ", those of Cookie by "; ".
---@param name string in any case
---@return string? value
function Request:header(name)
  check.self(self, Request, "request", "header")
  check.argument(type(name) == "string", "header: the name must be a string", name)
  return header(self[HEAD], nil, name)
end

---All fields as they were sent.
---@return fun(): string?, string? iterator of names and values
function Request:fields()
  check.self(self, Request, "request", "fields")
  local at
  return function()
    local name, value
    at, name, value = next_field(self.head, at)
    at = at or #self.head
    return name, value
  end
end

---What the query says, decoded: of several values the first; all are in the array `args[name .. "[]"]`.
---@return table<string, string|string[]> args
function Request:query_args()
  check.self(self, Request, "request", "query_args")
  return (require("momo.http.form").decode(self.query or ""))
end

---The cookies, in the same way.
---@return table<string, string|string[]> cookies
function Request:cookies()
  check.self(self, Request, "request", "cookies")
  return require("momo.http.cookie").parse(self:header "cookie")
end

-- Hands a result on, and remembers a failure.
local function told(self, value, err, code)
  if value ~= nil then
    return value
  end
  self.failure = code
  return nil, err, code
end

local function check_max(max, method)
  check.argument(max == nil or (type(max) == "number" and max >= 0),
    method .. ": max must be a number of bytes, 0 or more", max)
end

---The next bytes of the body, decoded from chunks, as soon as there are any.
---
---Codes: EOF at its end; EPROTO, ECONNRESET: it is malformed, or cut short; ETIMEDOUT; EMSGSIZE: it is longer than the
---server's `max_stream`.
---@async
---@param max integer? bytes; 64 KiB, of which more is never returned at once
---@return string? bytes
---@return string? err
---@return string? code
function Request:read(max)
  check.self(self, Request, "request", "read")
  check.argument(max == nil or (check.is_whole(max) and max >= 1), "read: max must be a whole number from 1", max)
  return self.content:read(max)
end

---Iterates over the pieces of the body. A body that is malformed or cut short raises, as io.lines does.
---@async
---@return fun(): string?
function Request:pieces()
  check.self(self, Request, "request", "pieces")
  return bodies.pieces(self.content)
end

---All of the body.
---
---Codes: EMSGSIZE: it is too large, and the answer is 413 if nothing else is sent; and those of `read`.
---@async
---@param max integer? bytes; the server's `max_body`, 1 MiB
---@return string? body
---@return string? err
---@return string? code
function Request:body(max)
  check.self(self, Request, "request", "body")
  check_max(max, "body")
  return self.content:all(max or self.connection.server.max_body)
end

---A form: urlencoded or multipart, all of it in memory; files of a multipart one are strings, too. Values as in
---`query_args`. More than 1000 fields are too many.
---
---Codes: EPROTO: it is no form, or malformed, and the answer is 400 if nothing else is sent; and those of `body`.
---@async
---@param max integer? bytes; the server's `max_body`, 1 MiB
---@return table<string, string|string[]>? args
---@return string? err
---@return string? code
function Request:form(max)
  check.self(self, Request, "request", "form")
  check_max(max, "form")
  return told(self, require("momo.http.forms").read(self, max or self.connection.server.max_body))
end

---Iterates over the parts of a multipart body, which are read one after the other: `part.name`, `part.filename`,
---`part.headers`, `part:read()`, `part:body(max)`. A malformed body raises.
---@async
---@param limits {max_parts: integer?, max_head: integer?}? 1000 parts; 16 KiB for the fields of one
---@return fun(): momo.http.Part?
function Request:parts(limits)
  check.self(self, Request, "request", "parts")
  return require("momo.http.forms").parts(self, limits)
end

---The value that the body is, by lua-cjson.
---
---Codes: EPROTO: it is malformed, and the answer is 400 if nothing else is sent; and those of `body`.
---@async
---@param max integer? bytes; the server's `max_body`, 1 MiB
---@return any value
---@return string? err
---@return string? code
function Request:json(max)
  check.self(self, Request, "request", "json")
  check_max(max, "json")
  local text, err, code = self:body(max)
  if not text then
    return nil, err, code
  end
  return told(self, require("momo.http.json").decode(text))
end

for name, method in each(Request) do
  finds[name] = method
end

local M = { Request = Request, METHOD = METHOD }

local REFUSALS = { EMSGSIZE = 413, EPROTO = 400, ETIMEDOUT = 408 }

---The status that a handler's silence is answered with after a failure, if any.
---@param request momo.http.Request
---@return integer?
function M.refusal(request)
  local code = request.failure or (request.content.failure and request.content.failure.code)
  return REFUSALS[code]
end

---Makes a request of what http_request has told.
---@param connection momo.http.Connection
---@return momo.http.Request
function M.new(connection, head, framing, method, path, query, target, host)
  local request = setmetatable({ head, connection, method or "GET", path or "/", false }, Request)
  if query then
    rawset(request, "query", query)
  end
  if target then
    request.target, request.host = target, host
  end
  local content = NONE
  if framing then
    content = bodies.new(connection.stream, framing)
    request.content = content
  end
  connection.request, connection.content = request, content
  return request
end

return M
