---A connection of a server: one request after the other, each answered in turn.
---
---    wait for a head -> request, response -> handler -> rest of the answer -> rest of the request's body -> again
---          |                                                                         |
---          '-- refused, silent, gone, or the last one: close, in such a way that the answer arrives

local core = require "momo.internal.core"
local linger = require "momo.http.linger"
local requests = require "momo.http.request"
local responses = require "momo.http.response"
local new_request, new_response = requests.new, responses.new
local RESPONDS_ON = responses.CONNECTION
local NONE = require("momo.http.body").NONE
local task = require "momo.internal.task"
local now = require("momo.time").now

local C, executor, native = core.C, core.executor, core.native
local http_request, http_send = native.http_request, native.http_send
local rethrow, traceback_capture = native.rethrow, native.traceback_capture
local Cancelled = task.Cancelled

local CLOSE = 2 -- answer.c
local DISCARD = 256 * 1024 -- bytes of a body that nobody has read
local LINGER_SECONDS = 2
local REFUSED = "the body of the request was refused"

local M = {}

-- What most requests ask for is there from the beginning: compiled code finds a name that there is at its place, and
-- has to look for one that there is not.
---@class momo.http.Connection
---@field server momo.http.Server
---@field stream momo.Stream
---@field peer string
---@field waiting boolean answers may wait in C, to leave together with the next one, and a task is about to see to it
---@field closing boolean no further request is read
---@field idle boolean it waits for a request, of which nothing has come
---@field upgraded boolean? the stream is not HTTP any more
---@field refused boolean? the client may still be sending what nobody will read
---@field failed boolean? nothing can be written any more
---@field err any what a handler has raised, if nobody was told of it
---@field websocket momo.http.WebSocket?
---@field watch momo.http.Watch|false for the client to leave
---@field request momo.http.Request|false the one that is handled
---@field content momo.http.Body of the request
---@field handling momo.http.Response|false the answer to it while its handler runs
---@field began number? when that was called, where it is logged
---@field marks integer its flags: 1 the connection goes on, 2 the client waits for 100 Continue, 4 an Upgrade is asked
---for, 8 it speaks HTTP/1.1
---@field state "started"|"open"|"done"|false of the answer to it, as all that follows; false: nothing has left, or is
---about to
---@field status integer|false
---@field bytes integer of the body
---@field headers table<string, any>|false of `response.headers`
---@field head string? what is still to leave before the body
---@field left number? bytes that Content-Length has promised; nil: it is chunked, or lasts until the close
---@field silent boolean? it has no body
---@field chunked boolean?
local Connection = require "momo.http.sending"
Connection.__index = Connection

---Nobody but the caller reads the stream from now on.
---@async
function Connection:stop_watching()
  require("momo.http.presence").stop(self)
end

-- Answers what is no request that a handler could see, and ends the connection.
---@async
---@param status integer
---@param text string
---@param headers table<string, string>?
local function refuse(self, status, text, headers)
  self.closing, self.refused = true, true
  headers = headers or {}
  headers["Content-Type"] = "text/plain; charset=utf-8"
  local left = http_send(self.stream, CLOSE, status, headers, nil, text .. "\n")
  if type(left) == "string" then
    self:write(left)
  end
end

local ALLOW = { Allow = "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS" }

local unread = core.new "size_t[1]"
local next_request

-- There is no request: a status says why, or the code of an error. Nil; or one that has come at the last moment.
---@async
local function refused(self, limits, status, text)
  local server = self.server
  if type(status) == "number" then
    refuse(self, status, text, status == 405 and ALLOW or nil)
  elseif text == "ETIMEDOUT" then
    if C.momo_unread(executor, self.stream, unread) ~= nil then
      refuse(self, 408, "the head of the request took too long")
    elseif limits ~= server.closing_limits then -- what has come while the loop was busy is as good
      return next_request(self, server.closing_limits)
    end
  end
end

---The next request; nil: there will be none.
---@async
---@param self momo.http.Connection
---@param limits userdata how long it is waited for
---@return momo.http.Request?
function next_request(self, limits)
  local again, head, marks, framing, method, path, query, target, host
  self.idle = true
  repeat
    again, head, marks, framing, method, path, query, target, host = http_request(self.stream, limits)
  until not again
  self.idle = false
  if head then
    self.marks, self.closing = marks, marks % 2 == 0
    return new_request(self, head, framing, method, path, query, target, host)
  end
  return refused(self, limits, marks, framing)
end

-- Before the body of a request is waited for.
---@async
local function before_body(content)
  local connection = content.connection
  if connection.marks % 4 >= 2 and not connection.state then
    connection:write "HTTP/1.1 100 Continue\r\n\r\n"
  else
    connection:flush()
  end
end

local function prepare_body(self, content)
  local server = self.server
  content.connection = self
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
  if self.state == "done" or self.failed then
    return
  elseif self.state then
    response:finish()
    return
  end
  local refusal = requests.refusal(request)
  if not refusal and request.content.failure then -- its client has gone, and there is nobody to answer
    self.closing = true
    return
  elseif refusal then
    self.closing = true
    plain(response, refusal, REFUSED)
    return
  end
  plain(response, 500, "Internal Server Error")
  local handler = self.server.handler
  local where = type(handler) == "function" and debug.getinfo(handler, "S")
  local name = where and ("the handler of %s:%d"):format(where.short_src, where.linedefined) or "the handler"
  error(("%s returned without an answer to %s %s; call response:send or such, a result is not sent"):format(name,
    request.method, request.path), 0)
end

-- What the client sees of a handler that has failed.
---@async
local function answer_failure(self, request, response, is_reported)
  if self.state == "started" then -- of which nothing has left
    self.state, self.head = false, nil
  end
  if self.state then
    if self.state ~= "done" then -- the client must not take it for whole
      self.closing, self.failed = true, true
      self.stream:set_option("so_linger", 0)
    end
    return
  end
  self.closing = self.closing or not is_reported
  -- What the handler has said of another answer may be what it has failed with.
  self.headers = self.server.name and { Server = self.server.name } or false
  local refusal = requests.refusal(request)
  plain(response, refusal or 500, refusal and REFUSED or "Internal Server Error")
end

-- What a handler leaves behind that has raised, or not finished its answer.
---@async
local function conclude(self, request, response, ok, err)
  if ok then
    ok, err = xpcall(complete, traceback_capture, self, request, response)
  end
  if ok then
    return true
  elseif getmetatable(err) == Cancelled then
    rethrow(err)
  end
  local on_error = self.server.on_error
  answer_failure(self, request, response, on_error)
  if on_error then
    on_error(err, request)
  else
    self.closing, self.err = true, err
  end
  return false
end

-- What comes after the answer: the end of a WebSocket, the rest of the request's body.
---@async
local function clean_up(self, content, ok)
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

---Leaves the stream to the program.
---@async
---@return momo.Stream
function Connection:leave_http()
  if self.watch then
    self:stop_watching()
  end
  self.stream:set_timeout(nil)
  C.momo_set_silence(executor, self.stream, -1)
  return self.stream
end

-- What follows the handler of a request. ok: it has not failed.
---@async
local function finish(self, request, response, ok)
  local server, content = self.server, self.content
  if self.watch then
    self:stop_watching()
  end
  if server.access_log then
    server.access_log(request, response, now() - self.began)
  end
  response[RESPONDS_ON] = nil
  if content ~= NONE or self.closing then -- a WebSocket's connection is
    clean_up(self, content, ok)
  end
end

-- Serves requests until none follows, or a handler raises. Nothing is caught here, as compiled code does not return
-- through a pcall that it has not called itself: behind the C function that sends, all would be interpreted.
---@async
local function serve_requests(self, request)
  local server = self.server
  while request do
    local response = new_response(self)
    if server.access_log then
      self.began = now()
    end
    if self.content ~= NONE then
      prepare_body(self, self.content)
    end
    self.handling = response
    server.handle(request, response)
    self.handling = false
    finish(self, request, response, self.state == "done" or conclude(self, request, response, true))
    request = not self.closing and next_request(self, server.draining and server.last_limits or server.limits)
  end
end

-- The same after a handler has raised.
---@async
local function serve_on(self, err)
  local request, response, server = self.request, self.handling, self.server
  self.handling = false
  finish(self, request, response, conclude(self, request, response, false, err))
  request = not self.closing and next_request(self, server.draining and server.last_limits or server.limits)
  return serve_requests(self, request)
end

---Serves a connection until it ends.
---@async
---@param server momo.http.Server
---@param stream momo.Stream
---@param peer string
function M.serve(server, stream, peer)
  local self = setmetatable({
    server = server, stream = stream, peer = peer, closing = false, idle = false, marks = 0, waiting = false,
    state = false, status = false, bytes = 0, headers = false, request = false, content = NONE, handling = false,
    watch = false,
  }, Connection)
  C.momo_set_silence(executor, stream, server.write_timeout or -1)
  server.connections[self] = true
  local request = next_request(self, server.draining and server.last_limits or server.first_limits)
  local ok, err = xpcall(serve_requests, traceback_capture, self, request)
  while not ok and self.handling do
    ok, err = xpcall(serve_on, traceback_capture, self, err)
  end
  server.connections[self] = nil
  if getmetatable(err) == Cancelled then
    rethrow(err)
  end
  self.err = self.err or err
  if not self.failed and not self.upgraded then
    self:flush()
    -- A client that has not asked for the end may be sending its next request already.
    local may_send = self.refused or (self.closing and self.marks % 2 == 1)
    -- Over TLS the end is said by bytes: they may lie behind more than the system takes at once.
    local waits = (may_send or server.is_sealed) and C.momo_shutdown(executor, stream) > 0
    if may_send or waits then
      linger(stream, now() + LINGER_SECONDS)
    end
  end
  if self.err then
    rethrow(self.err)
  end
end

return M
