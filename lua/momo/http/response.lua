---What goes: the answer of a handler. Nothing is kept back: what is written leaves, and waits while the client does not
---read.
---
---    fresh --send--> done
---      '---start--> started --write, flush--> open --finish--> done        dead: the exchange is over

local check = require "momo.internal.check"
local copy = require("momo.io").copy
local native = require("momo.internal.core").native

local http_head, http_send, http_start = native.http_head, native.http_send, native.http_start

local KEEP_ALIVE, CLOSE, HEAD_ONLY, UNTIL_CLOSE, DEFER, DEFER_SOME = 1, 2, 4, 8, 16, 32 -- http_answer.c
local EXPECTS = 2 -- a flag of http_request
local DISCARD = 256 * 1024 -- bytes of a request's body that are read for the sake of the next request

---The answer that a handler gives. Nothing is kept back: what is written leaves, and waits while the client does not
---read. One answer can be given: `send` gives it whole, `start` and `write` in pieces.
---@class momo.http.Response
---@field headers table<string, string|number|string[]> for whatever is sent later; an array is several fields
---@field status integer? what was answered
---@field sent boolean something of the answer has left, or is about to
---@field bytes integer of the body that were sent
---@field private state "started"|"open"|"done"|"dead"|nil
---@field private connection momo.http.Connection
---@field private request momo.http.Request
---@field private set table<string, any>? `headers`, if it was asked for
---@field private head string? what is still to leave before the body
---@field private left number? bytes that Content-Length has promised; nil: it is chunked, or lasts until the close
---@field private silent boolean? it has no body
---@field private chunked boolean?
local Response = { __name = "momo.http.Response", sent = false, bytes = 0 }

function Response.__index(self, key)
  if key == "headers" then
    local set = {}
    self.headers, self.set = set, set
    return set
  end
  return Response[key]
end

for name, method in pairs(require "momo.http.shorthands") do
  Response[name] = method
end

local M = {}

---@param connection momo.http.Connection
---@param request momo.http.Request
---@return momo.http.Response
function M.new(connection, request)
  local response = setmetatable({ connection = connection, request = request }, Response)
  local name = connection.server.name
  if name then
    response.headers.Server = name
  end
  return response
end

local function dead()
  return nil, "EBADF: the exchange is over", "EBADF"
end

-- Whether the connection has to end with this answer.
local function ends(connection, request)
  if connection.closing or connection.server.draining or request.flags % 2 == 0 then
    return true
  end
  local content = request.content
  if content.done then
    return false
  end
  local unasked = content.before ~= nil and request.flags % 4 >= EXPECTS -- whether the body comes, nobody knows
  return unasked or content.failure ~= nil or (content.left or 0) > DISCARD
end

local function flags_of(self)
  local connection, request = self.connection, self.request
  local flags = 0
  if ends(connection, request) then
    connection.closing = true
    flags = CLOSE
  elseif request.minor == 0 then
    flags = KEEP_ALIVE
  end
  if request.method == "HEAD" then
    flags = flags + HEAD_ONLY
  end
  return flags
end

local function size_of(body)
  if type(body) == "string" then
    return #body
  end
  local size = 0
  for _, piece in ipairs(body or {}) do
    size = size + #piece
  end
  return size
end

---Private: throws unless an answer can be begun. Nil, err, code: the exchange is over.
---@param method string
function Response:fresh(method)
  check.self(self, Response, "response", method)
  if self.state and self.state ~= "dead" then
    check.fail(method .. ": the request was answered already")
  elseif self.state then
    return dead()
  end
  return true
end

-- What http_send has not sent.
---@async
local function send_rest(connection, left, whole, deferred, body)
  if deferred and whole then
    return connection:defer(left)
  elseif whole then
    return connection:write(left)
  elseif type(body) == "table" then
    return connection:write({ left, unpack(body) })
  end
  return connection:write({ left, body })
end

---The whole answer, in one write, with Content-Length and Date. For a HEAD, the body is only measured.
---Codes: EPIPE, ECONNRESET the client has gone; ETIMEDOUT it does not read; ECANCELED; EBADF the exchange is over.
---@async
---@param status integer 200 to 599
---@param body string|string[]|nil the pieces of an array are sent as one
---@param headers table<string, string|number|string[]>? stand in for those of `response.headers` of the same name
---@return true? ok
---@return string? err
---@return string? code
function Response:send(status, body, headers)
  local fresh, err, code = Response.fresh(self, "send")
  if not fresh then
    return nil, err, code
  end
  local connection = self.connection
  local flags = flags_of(self)
  local left, closes, whole, deferred = http_send(connection.stream,
    flags + (connection.waiting and DEFER or DEFER_SOME), status, headers, self.set, body)
  self.state, self.status, self.sent = "done", status, true
  if flags < HEAD_ONLY then
    self.bytes = size_of(body)
  end
  connection.closing = connection.closing or closes
  if left == true then
    return true
  elseif left == nil then
    return connection:broken(closes, whole)
  end
  return send_rest(connection, left, whole, deferred, body)
end

---Opens an answer whose body is written piece by piece: chunked, or of the Content-Length given; for HTTP/1.0, until
---the close. The head leaves with the first piece, or with `flush`.
---Codes: EBADF the exchange is over.
---@param status integer 200 to 599
---@param headers table<string, string|number|string[]>?
---@return true? ok
---@return string? err
---@return string? code
function Response:start(status, headers)
  local fresh, err, code = Response.fresh(self, "start")
  if not fresh then
    return nil, err, code
  end
  local connection, request = self.connection, self.request
  local flags = flags_of(self)
  if request.minor == 0 then
    flags = (flags % 2 == KEEP_ALIVE and flags - KEEP_ALIVE or flags) + UNTIL_CLOSE
  end
  local head, closes, length = http_start(flags, status, headers, self.set)
  self.state, self.status, self.sent = "started", status, true
  self.head, self.left = head, length
  self.silent = request.method == "HEAD" or status < 200 or status == 204 or status == 304
  self.chunked = not length and request.minor > 0 and not self.silent
  connection.closing = connection.closing or closes or request.minor == 0
  return true
end

-- Writes pieces of the body behind what is left of the head.
---@async
local function write(self, pieces)
  local head = self.head
  self.head, self.state = nil, "open"
  if head then
    table.insert(pieces, 1, head)
  end
  return self.connection:write(pieces)
end

local function check_open(self, method)
  check.self(self, Response, "response", method)
  if self.state == nil or self.state == "done" then
    check.fail(method .. (self.state and ": the answer is finished" or ": call start first, or send"))
  end
end

---Sends a piece of the body at once, and waits while the client does not read.
---Codes: EPIPE, ECONNRESET the client has gone; ETIMEDOUT it does not read; ECANCELED; EBADF the exchange is over.
---@async
---@param data string|string[]
---@return integer? bytes of data
---@return string? err
---@return string? code
function Response:write(data)
  check_open(self, "write")
  if self.state == "dead" then
    return dead()
  end
  check.argument(type(data) == "string" or type(data) == "table",
    "write: data must be a string or an array of strings", data)
  local size = size_of(data)
  if self.left and size > self.left then
    check.fail(("write: Content-Length leaves %.0f bytes, and these are %.0f"):format(self.left, size))
  end
  if size == 0 or self.silent then
    return size
  end
  local pieces = type(data) == "table" and { unpack(data) } or { data }
  if self.chunked then
    table.insert(pieces, 1, ("%x\r\n"):format(size))
    pieces[#pieces + 1] = "\r\n"
  end
  local ok, err, code = write(self, pieces)
  if not ok then
    return nil, err, code
  end
  self.left = self.left and self.left - size
  self.bytes = self.bytes + size
  return size
end

---Sends the head, if it has not left yet.
---Codes: EPIPE, ECONNRESET the client has gone; ETIMEDOUT it does not read; ECANCELED; EBADF the exchange is over.
---@async
---@return true? ok
---@return string? err
---@return string? code
function Response:flush()
  check_open(self, "flush")
  if self.state == "dead" then
    return dead()
  elseif not self.head then
    return true
  end
  return write(self, {})
end

---Private: sends n bytes of a stream behind what was written, in the system where it can. They must be there, and of a
---Content-Length.
---@async
---@param from momo.Stream
---@param n number
---@return number? bytes
---@return string? err
---@return string? code
---@return "from"|"to"|nil side on which it failed
function Response:copy(from, n)
  local connection = self.connection
  local ok, err, code = self:flush()
  if not ok then
    return nil, err, code, "to"
  end
  local bytes, side
  bytes, err, code, side = copy(from, connection.stream, n)
  if bytes then
    self.left, self.bytes = self.left - bytes, self.bytes + bytes
    return bytes
  elseif side == "to" then
    connection:broken(err, code)
  end
  return nil, err, code, side
end

---Ends a streamed answer: otherwise done when the handler returns.
---Codes: EPIPE, ECONNRESET the client has gone; ETIMEDOUT it does not read; ECANCELED; EBADF the exchange is over.
---@async
---@param trailers table<string, string|number>? of a chunked one
---@return true? ok
---@return string? err
---@return string? code
function Response:finish(trailers)
  check_open(self, "finish")
  if self.state == "dead" then
    return dead()
  elseif self.left and self.left > 0 and not self.silent then
    check.fail(("finish: Content-Length has promised %.0f bytes more"):format(self.left))
  end
  local pieces = {}
  if self.chunked then
    pieces[1] = trailers and "0\r\n" .. http_head("finish", "", trailers) or "0\r\n\r\n"
  end
  local ok, err, code = true, nil, nil
  if self.head or pieces[1] then
    ok, err, code = write(self, pieces)
  end
  self.state = "done"
  return ok, err, code
end

---Sends an interim answer, such as 103 with early hints, before the answer itself.
---Codes: EPIPE, ECONNRESET the client has gone; ETIMEDOUT it does not read; ECANCELED; EBADF the exchange is over.
---@async
---@param status integer 100 to 199
---@param headers table<string, string|number|string[]>?
---@return true? ok
---@return string? err
---@return string? code
function Response:interim(status, headers)
  local fresh, err, code = Response.fresh(self, "interim")
  check.argument(check.is_whole(status) and status >= 100 and status < 200 and status ~= 101,
    "interim: the status must be a whole number from 102 to 199, or 100", status)
  if not fresh then
    return nil, err, code
  elseif self.request.minor == 0 then
    return true -- HTTP/1.0 knows none
  end
  local head = http_start(0, status, headers)
  return self.connection:write(head)
end

---Answers 101, and leaves HTTP: the stream is the program's, with what is unread, until the handler returns.
---Codes: EPIPE, ECONNRESET the client has gone; ETIMEDOUT it does not read; ECANCELED; EBADF the exchange is over.
---@async
---@param protocol string for the field Upgrade
---@param headers table<string, string|number|string[]>?
---@return momo.Stream? stream
---@return string? err
---@return string? code
function Response:upgrade(protocol, headers)
  local fresh, err, code = Response.fresh(self, "upgrade")
  check.argument(type(protocol) == "string", "upgrade: the protocol must be a string", protocol)
  if not fresh then
    return nil, err, code
  end
  local connection = self.connection
  local head = http_start(0, 101, { Upgrade = protocol, Connection = "Upgrade" }, headers)
  self.state, self.status, self.sent = "done", 101, true
  connection.closing, connection.upgraded = true, true
  local ok
  ok, err, code = connection:write(head)
  if not ok then
    return nil, err, code
  end
  connection.stream:set_timeout(nil)
  return connection.stream
end

---Answers the handshake of a WebSocket.
---
---Codes: EPROTO: an answer that refuses it (400, 403, 426) was sent.
---@async
---@param request momo.http.Request
---@param options momo.http.AcceptOptions?
---@return momo.http.WebSocket? ws
---@return string? err
---@return string? code
function Response:websocket(request, options)
  local fresh, err, code = Response.fresh(self, "websocket")
  if not fresh then
    return nil, err, code
  end
  return require("momo.http.handshake").accept(request, self, options)
end

---Private: the exchange is over.
---@param self momo.http.Response
function M.close(self)
  self.state = "dead"
end

M.Response = Response

return M
