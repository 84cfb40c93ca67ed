---The body of a message as it comes: of a known length, chunked, or until the close. Of requests and of responses.

local check = require "momo.internal.check"
local core = require "momo.internal.core"
local each = require "momo.internal.each"
local names = require "momo.internal.names"
local gather = require("momo.internal.pieces").gather
local now = require("momo.time").now

local C, executor, native = core.C, core.executor, core.native
local take_chunk, take_trailers = native.http_chunk, native.http_trailers
local huge, min = math.huge, math.min

local PIECE = 64 * 1024
local EXTRA = 16 * 1024 -- bytes that chunk extensions and trailers may have

local M = {}

---@class momo.http.Body
---@private
---@field stream momo.Stream
---@field left number? bytes that are still to come, where that is known
---@field chunks userdata? the state of a chunked body
---@field done boolean its end has been read
---@field timeout number? seconds of the peer's silence
---@field deadline number? of momo.time.now: when all of it must have come
---@field connection momo.http.Connection? of a request's
---@field before fun(body: momo.http.Body)? called once, before it first waits for bytes
---@field fields string? trailers and an empty line, after the end
---@field max_fields integer? of trailers
---@field room number? bytes that may still be read, of the server's max_stream
---@field on_end fun(body: momo.http.Body)? called once its end has been read
---@field failure {err: string, code: string}? why it can't be read any more
local Body = { __name = "momo.http.Body" }
Body.__index = Body
Body.__tostring = names.tell_name

---@param stream momo.Stream
---@param framing number|boolean|nil its length; true: chunked; false: until the close; nil: there is none
---@return momo.http.Body
function M.new(stream, framing)
  local left = framing
  if type(framing) == "boolean" then
    left = nil
  end
  return setmetatable({
    stream = stream,
    left = left or (framing == nil and 0 or nil),
    chunks = framing == true and native.http_chunked(EXTRA) or nil,
    done = framing == nil or framing == 0,
  }, Body)
end

---That of messages without one.
M.NONE = M.new(nil, nil)

local unread = core.new "size_t[1]"

---Bytes that have come already, of this message or of what follows it.
---@return integer
function Body:unread()
  C.momo_unread(executor, self.stream, unread)
  return tonumber(unread[0])
end

local function fail(self, err, code)
  self.failure = { err = err, code = code }
  return nil, err, code
end

-- What reading a stream failed with, in the middle of a body.
local function cut(self, err, code)
  if code == "EOF" then
    return fail(self, "ECONNRESET: the connection ended within the body", "ECONNRESET")
  end
  return fail(self, err, code)
end

-- Before bytes are waited for. is_short: those that are there are not enough. Nil, err, code: the time is over.
local function prepare(self, is_short)
  if self.before and self:unread() == 0 then
    local before = self.before
    self.before = nil
    before(self)
  end
  local limit = self.timeout
  if self.deadline then
    local left = self.deadline - now()
    if left <= 0 and (is_short or self:unread() == 0) then
      return fail(self, "ETIMEDOUT: the body took too long", "ETIMEDOUT")
    end
    limit = min(limit or huge, math.max(left, 0))
  end
  self.stream:set_timeout(limit)
  return true
end

local function wait(self, have)
  local ok, err, code = prepare(self, true)
  if ok then
    ok, err, code = self.stream:peek_ptr(have + 1)
  end
  if not ok then
    return cut(self, err, code)
  end
  return true
end

local function ended(self)
  self.done = true
  if self.on_end then
    self:on_end()
  end
end

local function finish(self)
  if not self.done then
    ended(self)
  end
  return nil, "EOF: end of file", "EOF"
end

local function read_trailers(self)
  while true do
    local fields, have, text = take_trailers(self.stream, self.chunks, self.max_fields or 100)
    if fields then
      self.fields = fields
      return finish(self)
    elseif fields == nil then
      return fail(self, "EPROTO: " .. text, "EPROTO")
    end
    local ok, err, code = wait(self, have)
    if not ok then
      return nil, err, code
    end
  end
end

local function read_chunk(self, max)
  while true do
    local bytes, have, text = take_chunk(self.stream, self.chunks, max)
    if bytes == true then
      return read_trailers(self)
    elseif bytes then
      return bytes
    elseif bytes == nil then
      return fail(self, "EPROTO: " .. text, "EPROTO")
    end
    local ok, err, code = wait(self, have)
    if not ok then
      return nil, err, code
    end
  end
end

-- Of a body that is all that comes, or the next so many bytes.
local function read_plain(self, max)
  local ok, err, code = prepare(self)
  if not ok then
    return nil, err, code
  end
  local bytes
  bytes, err, code = self.stream:read(min(max, self.left or huge))
  if not bytes then
    if code == "EOF" and not self.left then
      return finish(self)
    end
    return cut(self, err, code)
  end
  if self.left then
    self.left = self.left - #bytes
    if self.left == 0 then
      ended(self)
    end
  end
  return bytes
end

local function too_large(self, max)
  return fail(self, ("EMSGSIZE: the body has more than %.0f bytes"):format(max), "EMSGSIZE")
end

-- Reads within the room that there is.
local function read_within(self, max)
  if (self.left or 0) > self.room then
    return too_large(self, self.connection.server.max_stream)
  end
  local bytes, err, code = (self.chunks and read_chunk or read_plain)(self, max)
  if bytes then
    self.room = self.room - #bytes
    if self.room < 0 then
      return too_large(self, self.connection.server.max_stream)
    end
  end
  return bytes, err, code
end

---1 to max bytes, as soon as there are any.
---
---Codes: EOF at its end; EPROTO, ECONNRESET where it is malformed, or ends too early; ETIMEDOUT.
---@async
---@param max integer? 64 KiB
---@return string? bytes
---@return string? err
---@return string? code
function Body:read(max)
  max = min(max or PIECE, PIECE)
  if self.failure then
    return nil, self.failure.err, self.failure.code
  elseif self.done then
    return finish(self)
  elseif self.room then
    return read_within(self, max)
  elseif self.chunks then
    return read_chunk(self, max)
  end
  return read_plain(self, max)
end

---All that is still to come.
---
---Codes: EMSGSIZE: it is more than max bytes; and those of `read`.
---@async
---@param max number bytes
---@return string? bytes
---@return string? err
---@return string? code
function Body:all(max)
  local gathered, size = {}, 0
  while size <= max and (self.left or 0) + size <= max do
    local bytes, err, code = self:read()
    if bytes then
      gather(gathered, bytes)
      size = size + #bytes
    elseif code == "EOF" then
      return table.concat(gathered)
    else
      return nil, err, code
    end
  end
  return too_large(self, max)
end

---From now on it can't be read any more.
function Body:close()
  if self == M.NONE then
    return
  end
  self.failure = self.failure or { err = "EBADF: the exchange is over", code = "EBADF" }
end

---Forgets what has come of it already, without waiting for more.
---@return boolean whether its end was reached
function Body:drop()
  if self.chunks and not self.done and not self.failure then
    local bytes
    repeat
      bytes = take_chunk(self.stream, self.chunks, PIECE)
    until type(bytes) ~= "string"
    if bytes == true and take_trailers(self.stream, self.chunks, self.max_fields or 100) then
      ended(self)
    end
  elseif self.left and not self.done and not self.failure and self:unread() >= self.left then
    C.momo_consume(executor, self.stream, self.left)
    ended(self)
  end
  return self.done
end

---Reads and forgets what is still to come.
---@async
---@param max number bytes
---@return boolean whether its end was reached
function Body:discard(max)
  while not self.done and not self.failure and max >= 0 and (self.left or 0) <= max do
    local bytes = self:read()
    max = max - #(bytes or "")
  end
  return self.done
end

-- Trailers that would say how the message is to be read, routed, or who sent it: RFC 9110, 6.5.1.
local FORBIDDEN = {}
for name in ([[transfer-encoding content-length host trailer te connection upgrade content-encoding content-type
    content-range authorization proxy-authorization cookie set-cookie expect cache-control max-forwards range
    keep-alive proxy-connection]]):gmatch "%S+" do
  FORBIDDEN[name] = true
end

---@param body momo.http.Body
---@return table<string, string>? trailers names in lower case; nil: its end was not read, or it was not chunked
function M.trailers(body)
  if not body.fields then
    return nil
  end
  local trailers = native.http_headers(body.fields, 0)
  for name in each(trailers) do
    if FORBIDDEN[name] then
      trailers[name] = nil
    end
  end
  return trailers
end

---What `pieces` of a request or an answer returns.
---@param source table that has `read`: a body, or what decodes one
---@return fun(): string?
function M.pieces(source)
  return function()
    local bytes, err, code = source:read()
    if not bytes and code ~= "EOF" then
      check.fail(err)
    end
    return bytes
  end
end

return M
