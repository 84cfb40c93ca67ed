---One request and its answer on a connection.
---
---    head, and a short body, in one write -> read the head of the answer -> who asked reads its body -> finish
---         '-- a long one by a task of its own, as a server may answer, or refuse, before it has read it

local answers = require "momo.http.answer"
local bodies = require "momo.http.body"
local coding = require "momo.http.coding"
local core = require "momo.internal.core"
local heads = require "momo.http.heads"
local now = require("momo.time").now
local pieces = require "momo.internal.pieces"
local spawn = require("momo.internal.task").spawn

local C, executor, native = core.C, core.executor, core.native

local M = {}

local SHORT = 64 * 1024 -- bytes of a body that are written before anything is read

---@class momo.http.Exchange
---@field connection momo.http.PooledConnection
---@field outgoing momo.http.Outgoing
---@field answer momo.http.Answer?
---@field keep_alive boolean?
---@field writer momo.Task? it writes the body
---@field is_written boolean all of the body has been
---@field written_at number? of momo.time.now: the writer has ended
---@field failure {err: any, code: string?}? of the writer: what the body's function has raised, or failed with

local function wrong(text, ...)
  return false, "EINVAL: the body " .. text:format(...), "EINVAL"
end

-- Writes what a function returns: true; nil: the server does not take it; false, err, code: the body can't be had.
---@async
local function write_pieces(stream, outgoing)
  local next_piece, left = outgoing.body, outgoing.length
  while true do
    local piece, err, code = next_piece()
    if piece == nil and (code == nil or code == "EOF") then
      break
    elseif piece == nil then
      return false, err, code
    elseif type(piece) ~= "string" then
      return wrong("must come in strings, and its function has returned a %s", type(piece))
    elseif left and #piece > left then
      return wrong("has more than the %.0f bytes of its Content-Length", outgoing.length)
    end
    left = left and left - #piece
    if piece ~= "" and not stream:write(left and piece or { ("%x\r\n"):format(#piece), piece, "\r\n" }) then
      return nil
    end
  end
  if left and left > 0 then
    return wrong("has %.0f bytes less than its Content-Length", left)
  end
  local trailers = not left and outgoing.options.trailers and outgoing.options.trailers()
  return left and true or stream:write(trailers and "0\r\n" .. native.http_head("request", "", trailers) or "0\r\n\r\n")
end

-- A body that can't be had ends the exchange. A server that does not take it may have answered.
---@async
local function write_body(self)
  local stream, outgoing = self.connection.stream, self.outgoing
  local write = type(outgoing.body) == "function" and write_pieces or stream.write
  local ok, result, err, code = xpcall(write, native.traceback_capture, stream,
    write == write_pieces and outgoing or outgoing.body)
  self.is_written, self.written_at = ok and result ~= nil and result ~= false, now()
  if not ok or result == false then
    self.failure = ok and { err = err, code = code } or { err = result }
    stream:close()
  end
end

-- Sends the request, or begins to. What a server does not take is no failure, as it may have answered.
---@async
local function send(self)
  local stream, outgoing = self.connection.stream, self.outgoing
  local body = outgoing.body
  if type(body) ~= "function" and outgoing.size <= SHORT then
    self.is_written = stream:write(pieces.between(outgoing.head, body)) ~= nil
  elseif stream:write(outgoing.head) then
    self.writer = spawn(write_body, self)
  end
end

-- How long the head of the answer is waited for. A body may take its time, as long as the server takes it.
local function limit(self, seconds)
  if not seconds then
    return nil
  end
  local stream, began = self.connection.stream, now()
  stream:set_timeout(nil)
  C.momo_set_silence(executor, stream, seconds)
  return function()
    return (self.writer and (self.written_at or now()) or began) + seconds - now()
  end
end

-- What an exchange has failed with: the writer's failure comes first, which has closed the stream.
local function failed(self, err, code, nothing)
  local failure = self.failure
  if failure and failure.code == nil then
    native.rethrow(failure.err)
  elseif failure then
    return nil, failure.err, failure.code, false
  end
  return nil, err, code, nothing
end

---@async
---@param connection momo.http.PooledConnection
---@param outgoing momo.http.Outgoing
---@return momo.http.Exchange exchange which must be finished
function M.begin(connection, outgoing)
  return { connection = connection, outgoing = outgoing, is_written = false }
end

---Sends the request, and reads the head of the answer.
---@async
---@param self momo.http.Exchange
---@return momo.http.Answer? answer
---@return string? err
---@return string? code
---@return boolean? nothing no byte of an answer has come
function M.perform(self)
  local outgoing, stream = self.outgoing, self.connection.stream
  local left = limit(self, outgoing.options.head_timeout)
  send(self)
  local head, err, code, nothing = heads.read(stream, outgoing.method == "HEAD", outgoing.options.on_interim, left)
  if not head then
    return failed(self, err, code, nothing)
  elseif head.status == 101 and not outgoing.options.upgrades then
    return nil, "EPROTO: malformed answer: it changes the protocol, and nobody has asked for that", "EPROTO"
  end
  local content = bodies.new(stream, head.framing)
  local answer = answers.new(head, content, content, outgoing.url)
  local names = outgoing.decodes and not content.done and coding.parse(answer:header "content-encoding")
  if names and names[1] then
    answer.source = coding.decoder(function() return content:read() end, names, head.framing == false)
  end
  self.answer, self.keep_alive = answer, head.keep_alive and head.status ~= 101
  return answer
end

---All of the answer's body.
---@async
---@param self momo.http.Exchange
---@param max number bytes, decoded
---@return string? body
---@return string? err
---@return string? code EMSGSIZE: there is more
function M.read_all(self, max)
  local source, content = self.answer.source, self.answer.content
  local text, err, code
  if source == content then
    text, err, code = content:all(max)
  else
    local texts, size = {}, 0
    repeat
      text, err, code = source:read()
      pieces.gather(texts, text or "")
      size = size + #(text or "")
    until not text or size > max
    if size > max then
      text, err, code = nil, ("EMSGSIZE: the body has more than %.0f bytes, decoded"):format(max), "EMSGSIZE"
    elseif code == "EOF" then
      text = table.concat(texts)
    end
  end
  if text then
    return text
  end
  return failed(self, err, code)
end

---Ends the exchange, however far it has come. It does not wait.
---@param self momo.http.Exchange
---@return boolean reusable the connection may carry another one
function M.finish(self)
  local answer, stream = self.answer, self.connection.stream
  if self.writer and not self.is_written then
    self.writer:cancel()
    stream:close()
  end
  if not answer then
    return false
  end
  local content = answer.content
  local is_whole = content:drop() -- its end may have come, and nobody has looked
  content:close()
  if answer.source ~= content then
    answer.source:close()
  end
  return self.is_written and self.keep_alive and is_whole
end

return M
