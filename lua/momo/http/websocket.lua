---WebSocket (RFC 6455): messages both ways on a stream that has left HTTP.

local check = require "momo.internal.check"
local core = require "momo.internal.core"
local each = require "momo.internal.each"
local names = require "momo.internal.names"
local gather = require("momo.internal.pieces").gather
local linger = require "momo.http.linger"
local now = require("momo.time").now

local C, executor, native = core.C, core.executor, core.native
local take, send, is_text = native.websocket_take, native.websocket_send, native.websocket_is_text
local huge, max, min = math.huge, math.max, math.min

local CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0, 1, 2, 8, 9, 10
local CLOSE_SECONDS = 2 -- for the other end to answer a close
local CONTROL_MAX, TOO_LARGE = 125, 1009 -- bytes; the code of a close

---An open WebSocket, as `response:websocket` gives it to a server, and `http.websocket` to a client. A server's is
---closed when the handler returns, a client's by `close`.
---@class momo.http.WebSocket
---@field protocol string? the subprotocol that was agreed on
---@field close_code integer? of the close frame that came; 1006: the connection ended without one
---@field close_reason string?
---@field stream momo.Stream private, as are the following ones
---@field state userdata
---@field ping_interval number?
---@field pinged boolean a ping is unanswered
---@field closed_at number? of momo.time.now: when a close frame was sent
---@field leaving boolean? the server is about to end
---@field waits boolean? a task waits for bytes
---@field woken boolean? and is to look around
---@field failure {err: string, code: string}? why nothing more comes
---@field pieces string[]? of the message under way
---@field kind "text"|"binary" of that message
local WebSocket = { __name = "momo.http.WebSocket" }
WebSocket.__index = WebSocket
names.objects(WebSocket, "websocket", "for message in websocket:messages() do")

local M = {}

---@class momo.http.WebSocketOptions
---@field max_message integer? bytes; 1 MiB
---@field ping_interval number|false|nil seconds of silence after which the other end is asked whether it is there; 30

local OPTIONS = { max_message = "number", ping_interval = "any" }

---@param options table?
---@param more table<string, string> further options: their types
---@param name string of the function
---@return table
function M.check_options(options, more, name)
  for option, kind in each(OPTIONS) do
    more[option] = kind
  end
  options = check.options(options, more, name)
  check.argument(options.max_message == nil or (check.is_whole(options.max_message) and options.max_message >= 1),
    name .. ": option max_message must be a whole number from 1", options.max_message)
  local interval = options.ping_interval
  check.argument(not interval or (type(interval) == "number" and interval > 0),
    name .. ": option ping_interval must be a number of seconds, or false", interval)
  return options
end

---@param stream momo.Stream
---@param is_client boolean
---@param options momo.http.WebSocketOptions
---@param write_timeout number?
---@return momo.http.WebSocket
function M.new(stream, is_client, options, write_timeout)
  local interval = options.ping_interval
  if interval == nil then
    interval = 30
  end
  C.momo_set_silence(executor, stream, write_timeout or -1)
  return setmetatable({
    stream = stream,
    state = native.websocket_new(is_client, options.max_message or 1024 * 1024),
    ping_interval = interval or nil,
    pinged = false,
  }, WebSocket)
end

local unread = core.new "size_t[1]"

local function unread_of(self)
  C.momo_unread(executor, self.stream, unread)
  return tonumber(unread[0])
end

-- The task that waits for bytes has something else to look at.
local function wake_reader(self)
  if self.waits then
    self.woken = true
    C.momo_expire_read(executor, self.stream)
  end
end

-- The connection is over, with this code where no close frame has told one.
local function fail(self, err, code, close_code)
  self.close_code = self.close_code or close_code
  self.failure = { err = err, code = code }
  self.stream:close()
  return nil, err, code
end

---@async
local function send_frame(self, opcode, data)
  local left, whole, code = send(self.stream, self.state, opcode, data)
  if left == true then
    return true
  elseif left == nil then
    return fail(self, whole, code, 1006)
  end
  local ok, err
  ok, err, code = self.stream:write(whole and left or { left, data })
  if not ok then
    return fail(self, err, code, 1006)
  end
  return true
end

local function close_payload(code, reason)
  return code and string.char(math.floor(code / 256), code % 256) .. (reason or "") or ""
end

-- Sends a close frame, once.
---@async
local function say_close(self, code, reason)
  if self.closed_at or self.failure then
    return true
  end
  self.closed_at = now()
  wake_reader(self)
  return send_frame(self, CLOSE, close_payload(code, reason))
end

-- Says why it ends, and ends so that this arrives: frames that follow are none of ours any more.
---@async
local function end_with(self, close_code, reason)
  say_close(self, close_code, reason)
  if not self.failure then
    self.stream:shutdown()
    linger(self.stream, self.closed_at + CLOSE_SECONDS)
  end
end

-- The other end has said that it closes, or answered that.
---@async
local function take_close(self, payload)
  local code = #payload >= 2 and payload:byte(1) * 256 + payload:byte(2) or nil
  self.close_code, self.close_reason = code or 1005, payload:sub(3)
  end_with(self, code)
  return fail(self, "EOF: end of file", "EOF")
end

-- What is malformed, or too large, is told to the other end.
---@async
local function refuse(self, close_code, text)
  end_with(self, close_code, text)
  local code = close_code == TOO_LARGE and "EMSGSIZE" or "EPROTO"
  return fail(self, code .. ": " .. text, code, close_code)
end

-- Nothing has come for a while: asks whether the other end is there, or knows that it is not.
---@async
local function ask(self)
  if self.pinged then
    return fail(self, "ETIMEDOUT: a ping was not answered", "ETIMEDOUT", 1006)
  end
  self.pinged = true
  return send_frame(self, PING, "")
end

-- Waits for so many bytes, for a while.
---@async
local function pause(self, bytes, seconds)
  self.stream:set_timeout(seconds < huge and seconds or nil)
  self.waits = true
  local ok, err, code = self.stream:peek_ptr(bytes)
  self.waits = nil
  if ok or code == "EBUSY" then
    return ok and true or nil, err, code
  elseif code == "ETIMEDOUT" then
    return false
  elseif code == "EOF" then
    return fail(self, "ECONNRESET: the connection ended without a close", "ECONNRESET", 1006)
  end
  return fail(self, err, code, 1006)
end

-- Waits until so many bytes are there. Nil, err, code: what ended it; ETIMEDOUT: the deadline.
---@async
local function wait(self, bytes, deadline)
  while true do
    if self.leaving then
      self.leaving = nil
      say_close(self, 1001)
    end
    local interval = self.ping_interval or huge
    if self.closed_at then -- behind a close no ping is sent
      deadline, interval = min(deadline, self.closed_at + CLOSE_SECONDS), huge
    end
    local have, left = unread_of(self), max(0, deadline - now())
    local ok, err, code = pause(self, bytes, min(interval, left))
    if ok == false and self.woken then
      self.woken = nil
    elseif ok == false and now() >= deadline then
      if self.closed_at then
        return fail(self, "ETIMEDOUT: the close was not answered", "ETIMEDOUT", 1006)
      end
      return nil, "ETIMEDOUT: connection timed out", "ETIMEDOUT"
    elseif ok == false and unread_of(self) == have then
      ok, err, code = ask(self)
      if not ok then
        return nil, err, code
      end
    elseif ok ~= false then
      return ok, err, code
    end
  end
end

-- The next frame: opcode, payload, whether it ends its message.
---@async
local function next_frame(self, deadline)
  while not self.failure do
    local opcode, payload, final = take(self.stream, self.state)
    if opcode then
      self.pinged = false
      return opcode, payload, final
    elseif opcode == nil then
      return refuse(self, payload, final)
    end
    local ok, err, code = wait(self, payload, deadline)
    if not ok then
      return nil, err, code
    end
  end
  return nil, self.failure.err, self.failure.code
end

-- Takes a frame of data: the whole message, if it ends there.
local function take_data(self, opcode, payload, final)
  if opcode ~= CONTINUATION then
    self.kind = opcode == TEXT and "text" or "binary"
    if final then
      return payload
    end
    self.pieces = {}
  end
  local pieces = self.pieces
  gather(pieces, payload)
  if final then
    self.pieces = nil
    return table.concat(pieces)
  end
end

---The next message. Pings are answered meanwhile.
---
---Codes: EOF: the other end has closed, see `close_code`; ECONNRESET: the connection ended without a close; EPROTO,
---EMSGSIZE: what came was malformed, or larger than `max_message`, which the other end was told; ETIMEDOUT: nothing is
---lost, unless there is a `close_code`: a ping was not answered.
---@async
---@param timeout number? seconds
---@return string? message
---@return string kind "text" or "binary", or the error
---@return string? code
function WebSocket:recv(timeout)
  check.self(self, WebSocket, "ws", "recv")
  check.seconds(timeout, "recv")
  local deadline = timeout and now() + timeout or huge
  while true do
    local opcode, payload, final = next_frame(self, deadline)
    if not opcode then
      return nil, payload, final
    elseif opcode < CLOSE then
      local message = take_data(self, opcode, payload, final)
      if message then
        return message, self.kind
      end
    elseif opcode == CLOSE then
      return take_close(self, payload)
    elseif opcode == PING and not self.closed_at then
      send_frame(self, PONG, payload)
    end
  end
end

---Iterates over messages and their kinds, until the connection ends, however it does: see `close_code`.
---@async
---@return fun(): string?, string?
function WebSocket:messages()
  check.self(self, WebSocket, "ws", "messages")
  return function()
    local message, kind = self:recv()
    if message then
      return message, kind
    end
  end
end

local function check_open(self)
  if self.failure then
    return nil, self.failure.err, self.failure.code
  elseif self.closed_at or self.leaving then
    return nil, "EPIPE: a close was sent already", "EPIPE"
  end
  return true
end

local OPCODES = { text = TEXT, binary = BINARY }

---Sends a message, and waits while the other end does not read. Messages of several tasks are sent one after the other.
---Codes: EPIPE a close was sent; ETIMEDOUT the other end does not read; ECONNRESET, EOF it has gone.
---@async
---@param data string
---@param kind "text"|"binary"|nil "text", which must be UTF-8
---@return true? ok
---@return string? err
---@return string? code
function WebSocket:send(data, kind)
  check.self(self, WebSocket, "ws", "send")
  check.argument(type(data) == "string", "send: the message must be a string", data)
  local opcode = OPCODES[kind or "text"]
  check.argument(opcode, 'send: the kind must be "text" or "binary"', kind)
  local ok, err, code = check_open(self)
  if not ok then
    return nil, err, code
  end
  return send_frame(self, opcode, data)
end

---Asks the other end for a pong, which `recv` takes.
---Codes: those of `send`.
---@async
---@param data string? at most 125 bytes
---@return true? ok
---@return string? err
---@return string? code
function WebSocket:ping(data)
  check.self(self, WebSocket, "ws", "ping")
  check.argument(data == nil or (type(data) == "string" and #data <= CONTROL_MAX),
    "ping: the data must be a string of at most 125 bytes", data)
  local ok, err, code = check_open(self)
  if not ok then
    return nil, err, code
  end
  return send_frame(self, PING, data or "")
end

---Says that nothing more comes, and waits up to 2 s until the other end has said so too; messages that come meanwhile
---are lost.
---Codes: ETIMEDOUT the other end has not answered; ECONNRESET it has gone.
---@async
---@param code integer? 1000
---@param reason string? at most 123 bytes, UTF-8
---@return true? ok
---@return string? err
---@return string? code
function WebSocket:close(code, reason)
  check.self(self, WebSocket, "ws", "close")
  check.argument(code == nil or (check.is_whole(code) and ((code >= 1000 and code <= 1014 and code ~= 1004 and
    code ~= 1005 and code ~= 1006) or (code >= 3000 and code <= 4999))),
    "close: the code must be one that may be sent, such as 1000 or 3000 to 4999", code)
  check.argument(reason == nil or (type(reason) == "string" and #reason <= CONTROL_MAX - 2 and is_text(reason)),
    "close: the reason must be a string of at most 123 bytes, in UTF-8", reason)
  local ok, err, err_code = say_close(self, code or 1000, reason)
  local deadline = now() + CLOSE_SECONDS
  while ok and not self.failure do
    local opcode, payload, final = next_frame(self, deadline)
    if opcode == CLOSE then
      take_close(self, payload)
    elseif final == "EBUSY" then -- another task reads, which takes the answer
      return true
    end
  end
  if self.failure and self.failure.code ~= "EOF" then
    return nil, self.failure.err, self.failure.code
  end
  return ok, err, err_code
end

---The server is about to end. The other end is told so now, or by the task that reads.
---@param self momo.http.WebSocket
function M.leave(self)
  if self.closed_at or self.failure then
    return
  elseif self.waits then
    self.leaving = true
    wake_reader(self)
  elseif send(self.stream, self.state, CLOSE, close_payload(1001)) == true then
    self.closed_at = now()
  else
    self.leaving = true
  end
end

return M
