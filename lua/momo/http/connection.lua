---A connection of a server: one request after the other, each answered in turn.
---
---    wait for a head -> request, response -> handler -> rest of the answer -> rest of the request's body -> again
---          |                                                                         |
---          '-- refused, silent, gone, or the last one: close, in such a way that the answer arrives

local native = require("momo.internal.core").native
local requests = require "momo.http.request"
local responses = require "momo.http.response"
local task = require "momo.internal.task"
local now = require("momo.time").now

local http_request, http_send = native.http_request, native.http_send
local rethrow, traceback_capture = native.rethrow, native.traceback_capture
local Cancelled = task.Cancelled
local max = math.max

local CLOSE, DEFER = 2, 16 -- http_answer.c
local DISCARD = 256 * 1024 -- bytes of a body that nobody has read
local DEFERRED = 32 * 1024 -- bytes of answers that wait for each other at most
local LINGER_SECONDS = 2

local M = {}

---@class momo.http.Connection
---@field server momo.http.Server
---@field stream momo.Stream
---@field peer string
---@field waiting string[]? answers that leave together with the next one
---@field waiting_size integer
---@field closing boolean no further request is read
---@field idle boolean it waits for a request, of which nothing has come
---@field upgraded boolean? the stream is not HTTP any more
---@field refused boolean? the client may still be sending what nobody will read
---@field failed boolean? nothing can be written any more
---@field err any what a handler has raised, if nobody was told of it
---@field websocket momo.http.WebSocket?
local Connection = {}
Connection.__index = Connection

---Nothing more can be sent.
---@return nil, string err, string code
function Connection:broken(err, code)
  self.closing, self.failed = true, true
  return nil, err, code
end

---Sends this behind what waits.
---@async
---@param data string|string[]
---@return true? ok
---@return string? err
---@return string? code
function Connection:write(data)
  local waiting = self.waiting
  if waiting then
    self.waiting = nil
    for _, piece in ipairs(type(data) == "table" and data or { data }) do
      waiting[#waiting + 1] = piece
    end
    data = waiting
  end
  self.stream:set_timeout(self.server.write_timeout)
  local ok, err, code = self.stream:write(data)
  if not ok then
    return self:broken(err, code)
  end
  return true
end

---Sends what waits.
---@async
function Connection:flush()
  if self.waiting then
    return self:write {}
  end
  return true
end

---Lets an answer wait for those to the requests that have come with its own. If the handler of one of these suspends, a
---task sees to it that what waits leaves.
---@async
---@param answer string
function Connection:defer(answer)
  if not self.waiting then
    self.waiting, self.waiting_size = {}, 0
    task.spawn(self.flush, self)
  end
  self.waiting[#self.waiting + 1] = answer
  self.waiting_size = self.waiting_size + #answer
  if self.waiting_size >= DEFERRED then
    return self:flush()
  end
  return true
end

-- Waits for bytes beyond those that are there.
---@async
local function more(self, have, seconds)
  self.stream:set_timeout(seconds)
  local bytes, _, code = self.stream:peek_ptr(have + 1)
  return bytes ~= nil, code
end

-- Waits for the first bytes of a request: false, if none come.
---@async
local function first_bytes(self, seconds)
  local server = self.server
  if server.draining then
    return false
  end
  self.idle = true
  local came = more(self, 0, seconds)
  self.idle = false
  return came or (server.draining and more(self, 0, 0)) -- one that came just now is still served
end

---Answers what is no request that a handler could see, and ends the connection.
---@async
---@param status integer
---@param text string
---@param headers table<string, string>?
local function refuse(self, status, text, headers)
  self.closing, self.refused = true, true
  headers = headers or {}
  headers["Content-Type"] = "text/plain; charset=utf-8"
  local left = http_send(self.stream, CLOSE + (self.waiting and DEFER or 0), status, headers, nil, text .. "\n")
  if type(left) == "string" then
    self:write(left)
  end
end

local function told(self, method, ...)
  if method then
    return requests.new(self, method, ...)
  end
  local status, text = ...
  refuse(self, status, text, status == 405 and { Allow = "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS" } or nil)
end

-- The next request; nil: there will be none.
---@async
local function next_request(self, is_first)
  local server, stream = self.server, self.stream
  local deadline = is_first and now() + server.header_timeout
  while true do
    local method, have, query, head, first_field, flags, framing, target, host =
      http_request(stream, server.max_head, server.max_target, server.max_fields)
    if method or method == nil then
      return told(self, method, have, query, head, first_field, flags, framing, target, host)
    end
    self:flush()
    if have == 0 then
      if not first_bytes(self, is_first and server.header_timeout or server.idle_timeout) then
        return nil
      end
    else
      deadline = deadline or now() + server.header_timeout
      local came, code = more(self, have, max(0, deadline - now()))
      if not came then
        if code == "ETIMEDOUT" then
          refuse(self, 408, "the head of the request took too long")
        end
        return nil
      end
    end
  end
end

-- Before the body of a request is waited for.
---@async
local function before_body(content)
  local request = content.request
  local connection = request.connection
  if request.flags % 4 >= requests.EXPECTS and not request.response.sent then
    connection:write "HTTP/1.1 100 Continue\r\n\r\n"
  else
    connection:flush()
  end
end

local function prepare_body(self, request, response)
  local content, server = request.content, self.server
  if content.done then
    return
  end
  content.request, request.response = request, response
  content.before, content.timeout = before_body, server.read_timeout
  content.deadline = server.request_timeout and now() + server.request_timeout or nil
  content.max_fields = server.max_fields
  content.room = server.max_stream
end

---@async
local function plain(response, status, text)
  return response:send(status, text .. "\n", { ["Content-Type"] = "text/plain; charset=utf-8" })
end

-- The answer that a handler has left out, or the rest of one.
---@async
local function complete(self, request, response)
  if response.state == "done" then
    return
  elseif response.state then
    response:finish()
    return
  end
  local refusal = request:refusal()
  if refusal then
    self.closing = true
    plain(response, refusal, "the body of the request was refused")
    return
  end
  plain(response, 500, "Internal Server Error")
  local handler = self.server.handler
  local where = type(handler) == "function" and debug.getinfo(handler, "S")
  error(("%s returned without an answer to %s %s"):format(where and ("the handler of %s:%d"):format(where.short_src,
    where.linedefined) or "the handler", request.method, request.path), 0)
end

-- What the client sees of a handler that has failed.
---@async
local function answer_failure(self, request, response, is_reported)
  if response.sent then
    if response.state ~= "done" then -- the client must not take it for whole
      self.closing = true
      self.stream:set_option("so_linger", 0)
    end
    return
  end
  self.closing = self.closing or not is_reported
  plain(response, request:refusal() or 500, "Internal Server Error")
end

---Runs the handler of one request.
---@async
---@param self momo.http.Connection
---@param request momo.http.Request
---@param response momo.http.Response
---@return boolean ok false: the handler has failed
function M.handle(self, request, response)
  local server = self.server
  local ok, err = xpcall(server.handler, traceback_capture, request, response)
  if ok then
    ok, err = xpcall(complete, traceback_capture, self, request, response)
  end
  if ok then
    return true
  elseif getmetatable(err) == Cancelled then
    rethrow(err)
  end
  local on_error = server.on_error
  answer_failure(self, request, response, on_error)
  if on_error then
    on_error(err, request)
  else
    self.closing, self.err = true, err
  end
  return false
end

---@async
local function exchange(self, request)
  local server, response, content = self.server, responses.new(self, request), request.content
  local started = server.access_log and now()
  prepare_body(self, request, response)
  local ok = server.handle(self, request, response)
  if started then
    server.access_log(request, response, now() - started)
  end
  responses.close(response)
  if self.websocket then
    self.websocket:close(not ok and 1011 or nil)
  end
  if not content.done and not self.upgraded then
    content.before = nil
    self:flush()
    self.closing = self.closing or not content:discard(DISCARD)
    self.refused = not content.done
  end
  content:close()
end

-- Closes so that the answer arrives: what the client goes on sending is read and forgotten for a while, as a close with
-- unread bytes makes the system drop what the client has not read yet.
---@async
local function linger(self)
  local stream, deadline = self.stream, now() + LINGER_SECONDS
  stream:shutdown()
  repeat
    local left = max(0, deadline - now())
    stream:set_timeout(left)
  until not stream:read() or left == 0
end

---Serves a connection until it ends.
---@async
---@param server momo.http.Server
---@param stream momo.Stream
---@param peer string
function M.serve(server, stream, peer)
  local self = setmetatable({ server = server, stream = stream, peer = peer, closing = false, idle = false },
    Connection)
  server.connections[self] = true
  local request = next_request(self, true)
  while request do
    exchange(self, request)
    request = not self.closing and next_request(self, false)
  end
  server.connections[self] = nil
  if not self.failed and not self.upgraded then
    self:flush()
    if self.refused then
      linger(self)
    end
  end
  if self.err then
    rethrow(self.err)
  end
end

return M
