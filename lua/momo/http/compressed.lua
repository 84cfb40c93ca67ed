---A middleware that compresses answers: texts, where the client takes that. What is streamed is flushed with each
---write.
---
---The response that its handler gets is the one that there is, with methods of its own in front of the class's.

local accept = require "momo.http.accept"
local check = require "momo.internal.check"
local coding = require "momo.http.coding"
local media = require "momo.http.media"
local native = require("momo.internal.core").native
local each = require "momo.internal.each"
local pieces = require "momo.internal.pieces"
local responses = require "momo.http.response"
local yield_now = require("momo.internal.task").yield_now

local COPY, Response = responses.COPY, responses.Response

local M = {}

local SIZE_LEAST = 1024 -- bytes below which it isn't worth it
local PIECE = 64 * 1024 -- bytes that are compressed in one turn

---@class momo.http.Compression what a response has of it
---@field codings string[]
---@field min_size integer
---@field encoder momo.http.Encoder? of a streamed answer, from its start to its end

-- A header of the answer, whoever has set it.
local function find(self, headers, name)
  for _, fields in ipairs { headers or {}, self.headers } do
    for key, value in each(fields) do
      if type(key) == "string" and key:lower() == name then
        return value
      end
    end
  end
end

-- The headers without those of some names; they go from response.headers as well.
local function without(self, headers, names)
  local kept = {}
  for key, value in each(headers or {}) do
    kept[key] = not names[key:lower()] and value or nil
  end
  for key in each(self.headers) do
    if names[key:lower()] then
      self.headers[key] = nil
    end
  end
  return kept
end

local REPLACED = { ["accept-ranges"] = true, ["content-length"] = true, etag = true }

local function add_vary(self, headers)
  local vary = find(self, headers, "vary")
  vary = type(vary) == "table" and table.concat(vary, ", ") or vary
  if not vary then
    return "Accept-Encoding"
  end
  return (vary == "*" or vary:lower():find("accept-encoding", 1, true)) and vary or vary .. ", Accept-Encoding"
end

-- How an answer is to be coded, or nil; and its headers then.
local function choose(self, status, headers, size)
  if not media.is_text(find(self, headers, "content-type")) or find(self, headers, "content-encoding")
    or find(self, headers, "content-range") or status < 200 or status == 204 then
    return nil, headers
  end
  local vary, etag = add_vary(self, headers), find(self, headers, "etag")
  local cache_control = tostring(find(self, headers, "cache-control") or "")
  size = tonumber(size or find(self, headers, "content-length"))
  local compression, request = self.compression, self.request
  local name
  if status ~= 304 and not (size and size < compression.min_size)
    and not cache_control:lower():find("no-transform", 1, true) then
    name = accept.encoding(request:header "accept-encoding", compression.codings)
  end
  local own = without(self, headers, name and REPLACED or {})
  own = without(self, own, { vary = true })
  own.Vary = vary
  if name then
    own["Content-Encoding"] = name
    own.ETag = etag and (etag:find "^W/" and etag or "W/" .. etag) -- other bytes, and the same meaning
  end
  return name, own
end

-- Encodes data, and sends what comes out; the last piece by this operation.
---@async
local function write_encoded(self, data, operation)
  local at = 1
  repeat
    local piece = data:sub(at, at + PIECE - 1)
    at = at + PIECE
    local is_last = at > #data
    local bytes = self.compression.encoder:encode(piece, is_last and operation or "process")
    local ok, err, code = Response.write(self, bytes)
    if not ok then
      return nil, err, code
    elseif not is_last then
      yield_now()
    end
  until is_last
  return #data
end

local function text_of(data, name, of, what)
  pieces.size(data, name, of, what)
  return type(data) == "table" and table.concat(data) or tostring(data)
end

local function free(self)
  local encoder = self.compression.encoder
  if encoder then
    self.compression.encoder = nil
    encoder:close()
  end
end

local methods = {}

---@async
function methods:finish(trailers)
  local ok, err, code = true, nil, nil
  if self.compression.encoder then
    ok, err, code = write_encoded(self, "", "finish")
    free(self)
  end
  if not ok then
    return nil, err, code
  end
  return Response.finish(self, trailers)
end

function methods:start(status, headers)
  local name, own = choose(self, status, headers)
  local ok, err, code = Response.start(self, status, own)
  if ok and name then
    self.compression.encoder = coding.encoder(name)
  end
  return ok, err, code
end

---@async
function methods:send(status, body, headers)
  local text = body and text_of(body, "send", " of the body", "the body") or ""
  local name, own = choose(self, status, headers, #text)
  if not name then
    return Response.send(self, status, body, own)
  elseif #text <= PIECE then
    local encoder = coding.encoder(name)
    local bytes = encoder:encode(text, "finish")
    encoder:close()
    return Response.send(self, status, bytes, own)
  end
  local ok, err, code = Response.start(self, status, own)
  if ok then
    self.compression.encoder = coding.encoder(name)
    ok, err, code = write_encoded(self, text, "process")
  end
  if not ok then
    return nil, err, code
  end
  return self:finish()
end

---@async
function methods:write(data)
  if not self.compression.encoder then
    return Response.write(self, data)
  end
  return write_encoded(self, text_of(data, "write", "", "data"), "flush")
end

---@async
methods[COPY] = function(self, from, n)
  if not self.compression.encoder then
    return Response[COPY](self, from, n)
  end
  local copied = 0
  while copied < n do
    local bytes, err, code = from:read(math.min(n - copied, PIECE))
    if not bytes then
      return code == "EOF" and copied or nil, err, code, "from"
    end
    local ok
    ok, err, code = write_encoded(self, bytes, "process")
    if not ok then
      return nil, err, code, "to"
    end
    copied = copied + #bytes
    yield_now()
  end
  return copied
end

local function after(response, ok, ...)
  if not ok then
    free(response)
    native.rethrow((...))
  end
  return ...
end

---A handler that does what another one does, and compresses its answers: those whose Content-Type is a text, of 1 KiB
---or more, or streamed, if the client takes a coding that is there: br, zstd or gzip. What is coded already stays as
---it is.
---@param handler fun(request: momo.http.Request, response: momo.http.Response)|momo.http.Router
---@param options {codings: string[]?, min_size: integer?}? codings: of these only, the best one first
---@return fun(request: momo.http.Request, response: momo.http.Response) handler
function M.compressed(handler, options)
  local metatable = getmetatable(handler)
  check.argument(type(handler) == "function" or (type(metatable) == "table" and metatable.__call),
    "compressed: argument 1 must be a handler", handler)
  options = check.options(options, { codings = "array", min_size = "number" }, "compressed")
  local codings = options.codings or coding.available()
  for _, name in ipairs(codings) do
    coding.encoder(name):close() -- throws what to install
  end
  if not codings[1] then
    coding.encoder "gzip"
  end
  local min_size = options.min_size or SIZE_LEAST
  return function(request, response)
    response.compression = { codings = codings, min_size = min_size, encoder = nil }
    for name, method in each(methods) do
      response[name] = method
    end
    return after(response, xpcall(handler, native.traceback_capture, request, response))
  end
end

return M
