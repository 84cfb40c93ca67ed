---What goes: the answer of a handler. Nothing is kept back: what is written leaves, and waits while the client does not
---read.
---
---    fresh --send--> done
---      '---start--> started --write, flush--> open --finish--> done        dead: the exchange is over

local check = require "momo.internal.check"
local each = require "momo.internal.each"
local copy = require("momo.io").copy
local names = require "momo.internal.names"
local core = require "momo.internal.core"
local pieces = require "momo.internal.pieces"
local METHOD = require("momo.http.request").METHOD

local C, executor, native = core.C, core.executor, core.native
local http_head, http_send, http_start = native.http_head, native.http_send, native.http_start

local min = math.min

local KEEP_ALIVE, CLOSE, HEAD_ONLY, UNTIL_CLOSE = 1, 2, 4, 8 -- answer.c
local INTERIM = 16
local NOT_SENT, SENT = C.MOMO_NOT_SENT, C.MOMO_SENT
local DISCARD = 256 * 1024 -- bytes of a request's body that are read for the sake of the next request

---The answer that a handler gives. Nothing is kept back: what is written leaves, and waits while the client does not
---read. One answer can be given: `send` gives it whole, `start` and `write` in pieces.
---@class momo.http.Response
---@field headers table<string, string|number|string[]> for whatever is sent later; an array is several fields
---@field status integer? what was answered
---@field sent boolean something of the answer has left, or is about to
---@field bytes integer of the body that were sent
---@field private request momo.http.Request
---@field private [1] momo.http.Connection? which keeps the state of the answer; nil: the exchange is over
local Response = { __name = "momo.http.Response" }
local missing = names.own_index(Response, "response")
local COPY = {} -- names a method of our own, which a middleware may stand in for, and no program can name
local CONNECTION = 1 -- in the array, which is one piece of memory with the table

-- What is kept in the connection, which serves again, while each request has a response of its own.
local KEPT = { status = true, sent = true, bytes = true, request = true }

function Response.__index(self, key)
  local method = Response[key]
  if method then
    return method
  end
  local connection = rawget(self, CONNECTION)
  if key == "headers" then
    local headers = connection and connection.headers or {}
    if connection then
      connection.headers = headers
    end
    return headers
  elseif key == "sent" then
    return connection and connection.state ~= false
  elseif KEPT[key] then
    return connection and connection[key] or nil
  end
  return missing(key)
end

function Response.__newindex(self, key, value)
  local connection = rawget(self, CONNECTION)
  if key == "headers" and connection then
    connection.headers = value or false
  elseif KEPT[key] then
    check.fail(("response.%s tells what was answered, and can't be set: write send(status, body, headers)"):format(key))
  else
    rawset(self, key, value)
  end
end

local M = { CONNECTION = CONNECTION, COPY = COPY }

---A response to the request that a connection is about to handle.
---@param connection momo.http.Connection
---@return momo.http.Response
function M.new(connection)
  local name = connection.server.name
  connection.state, connection.status, connection.bytes = false, false, 0
  connection.headers = name and { Server = name }
  return setmetatable({ connection }, Response)
end

local function dead()
  return nil, "EBADF: the exchange is over", "EBADF"
end

-- Whether the connection has to end with this answer.
local function ends(connection)
  if connection.closing or connection.server.draining then
    return true
  end
  local content = connection.content
  if content.done then
    return false
  end
  local unasked = content.before ~= nil and connection.marks % 4 >= 2 -- whether the body comes, nobody knows
  return unasked or content.failure ~= nil or (content.left or 0) > min(DISCARD, content.room or DISCARD)
end

local function flags_of(connection)
  local flags = 0
  if ends(connection) then
    connection.closing = true
    flags = CLOSE
  elseif connection.marks < 8 then -- HTTP/1.0
    flags = KEEP_ALIVE
  end
  if connection.request[METHOD] == "HEAD" then
    flags = flags + HEAD_ONLY
  end
  return flags
end

---The connection of a response on which an answer can be begun, else throws. Nil, err, code: the exchange is over.
---@param self momo.http.Response
---@param method string
---@return momo.http.Connection? connection
---@return string? err
---@return string? code
local function fresh(self, method)
  if getmetatable(self) ~= Response then
    check.self(self, Response, "response", method)
  end
  local connection = self[CONNECTION]
  if not connection then
    return dead()
  elseif connection.state then
    check.fail(method .. ": the request was answered already")
  end
  return connection
end
M.fresh = fresh

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
  local connection, err, code = fresh(self, "send")
  if not connection then
    return nil, err, code
  end
  local flags, more = flags_of(connection), connection.headers
  if headers == nil and not more and type(body) == "string" and type(status) == "number" then
    local outcome = C.momo_http_send(executor, connection.stream, flags, status, body, #body)
    if outcome ~= NOT_SENT then
      connection.state, connection.status, connection.bytes = "done", status, #body
      if outcome == SENT then
        return true
      end
      return connection:send_later(outcome)
    end
  end
  local left, size, closes, whole = http_send(connection.stream, flags, status, headers, more or nil, body)
  connection.state, connection.status = "done", status
  if left == nil then
    return connection:broken(size, closes)
  end
  connection.bytes = size
  if closes then
    connection.closing = true
  end
  if left == true then
    return true
  end
  return connection:send_rest(left, whole, body)
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
  local connection, err, code = fresh(self, "start")
  if not connection then
    return nil, err, code
  end
  local old = connection.marks < 8
  connection.closing = connection.closing or old
  local flags = flags_of(connection) + (old and UNTIL_CLOSE or 0)
  local head, closes, length = http_start(flags, status, headers, connection.headers or nil)
  connection.state, connection.status = "started", status
  connection.head, connection.left = head, length
  connection.silent = flags % (2 * HEAD_ONLY) >= HEAD_ONLY or status < 200 or status == 204 or status == 304
  connection.chunked = not length and not old and not connection.silent
  connection.closing = connection.closing or closes
  return true
end

-- Writes pieces of the body behind what is left of the head.
---@async
local function write(connection, data)
  local head = connection.head
  connection.head, connection.state = nil, "open"
  return connection:write(head and pieces.between(head, data) or data)
end

-- The connection of a response that was started.
local function open(self, method)
  check.self(self, Response, "response", method)
  local connection = self[CONNECTION]
  if not connection then
    return dead()
  elseif not connection.state or connection.state == "done" then
    check.fail(method .. (connection.state and ": the answer is finished" or ": call start first, or send"))
  end
  return connection
end

---Sends a piece of the body at once, and waits while the client does not read.
---Codes: EPIPE, ECONNRESET the client has gone; ETIMEDOUT it does not read; ECANCELED; EBADF the exchange is over.
---@async
---@param data string|string[]
---@param ... nil nothing: it takes one value
---@return integer? bytes of data
---@return string? err
---@return string? code
function Response:write(data, ...)
  local connection, err, code = open(self, "write")
  check.alone("write", "response:write { a, b }", ...)
  if not connection then
    return nil, err, code
  end
  local size, left = pieces.size(data, "write", "", "data"), connection.left
  if left and size > left then
    check.fail(("write: Content-Length leaves %.0f bytes, and these are %.0f"):format(left, size))
  end
  if size == 0 or connection.silent then
    return size
  end
  local ok
  if connection.chunked then
    data = pieces.between(("%x\r\n"):format(size), data, "\r\n")
  end
  ok, err, code = write(connection, data)
  if not ok then
    return nil, err, code
  end
  connection.left = left and left - size
  connection.bytes = connection.bytes + size
  return size
end

---Sends the head, if it has not left yet.
---Codes: EPIPE, ECONNRESET the client has gone; ETIMEDOUT it does not read; ECANCELED; EBADF the exchange is over.
---@async
---@return true? ok
---@return string? err
---@return string? code
function Response:flush()
  local connection, err, code = open(self, "flush")
  if not connection then
    return nil, err, code
  elseif not connection.head then
    return true
  end
  return write(connection, {})
end

local function copied(connection, bytes, err, code, side)
  if bytes then
    connection.left, connection.bytes = connection.left - bytes, connection.bytes + bytes
  elseif side == "to" then
    connection:broken(err, code)
  end
  return bytes, err, code, side
end

---Sends n bytes of a stream behind what was written, in the system where it can. They must be there, and of a
---Content-Length.
---@async
---@param from momo.Stream
---@param n number
---@return number? bytes
---@return string? err
---@return string? code
---@return "from"|"to"|nil side on which it failed
Response[COPY] = function(self, from, n)
  local ok, err, code = self:flush()
  if not ok then
    return nil, err, code, "to"
  end
  return copied(self[CONNECTION], copy(from, self[CONNECTION].stream, n))
end

---Ends a streamed answer: otherwise done when the handler returns.
---Codes: EPIPE, ECONNRESET the client has gone; ETIMEDOUT it does not read; ECANCELED; EBADF the exchange is over.
---@async
---@param trailers table<string, string|number>? of a chunked one
---@return true? ok
---@return string? err
---@return string? code
function Response:finish(trailers)
  local connection, err, code = open(self, "finish")
  if not connection then
    return nil, err, code
  elseif connection.left and connection.left > 0 and not connection.silent then
    check.fail(("finish: Content-Length has promised %.0f bytes more"):format(connection.left))
  end
  local last = {}
  if connection.chunked then
    last[1] = trailers and "0\r\n" .. http_head("finish", "", trailers) or "0\r\n\r\n"
  end
  local ok = true
  if connection.head or last[1] then
    ok, err, code = write(connection, last)
  end
  connection.state = "done"
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
  local connection, err, code = fresh(self, "interim")
  check.argument(check.is_whole(status) and status >= 100 and status < 200 and status ~= 101,
    "interim: the status must be a whole number from 102 to 199, or 100", status)
  if not connection then
    return nil, err, code
  elseif connection.marks < 8 then
    return true -- HTTP/1.0 knows none
  end
  local head = http_start(INTERIM, status, headers)
  return connection:write(head)
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
  local connection, err, code = fresh(self, "upgrade")
  check.argument(type(protocol) == "string", "upgrade: the protocol must be a string", protocol)
  if not connection then
    return nil, err, code
  end
  local head = http_start(INTERIM, 101, { Upgrade = protocol, Connection = "Upgrade" }, headers)
  connection.state, connection.status = "done", 101
  connection.closing, connection.upgraded = true, true
  local ok
  ok, err, code = connection:write(head)
  if not ok then
    return nil, err, code
  end
  return connection:leave_http()
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
  local connection, err, code = fresh(self, "websocket")
  if not connection then
    return nil, err, code
  end
  return require("momo.http.handshake").accept(request, self, options)
end

for name, method in each(require "momo.http.shorthands") do
  Response[name] = method
end

M.Response = Response

return M
