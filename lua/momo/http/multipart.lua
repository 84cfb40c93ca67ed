---Bodies of several parts, such as forms with files (RFC 7578), read as they come: one piece of a part is in memory.
---
---    preamble CRLF --boundary CRLF fields CRLF CRLF body CRLF --boundary CRLF ... CRLF --boundary-- epilogue
---             '--- delimiter ---'

local check = require "momo.internal.check"
local gather = require("momo.internal.pieces").gather
local media = require "momo.http.media"
local names = require "momo.internal.names"
local trim = require("momo.http.tokens").trim

local M = {}

local LIMITS = { max_parts = 1000, max_head = 16 * 1024 }
local BODY_MAX = 1024 * 1024

---@class momo.http.Parts
---@private
---@field source async fun(): string?, string?, string? the next bytes of the body; nil, err, "EOF" at its end
---@field delimiter string
---@field buffer string bytes that came, of which buffer[at..] are unread
---@field at integer
---@field part momo.http.Part? the last one that was returned
---@field stop integer buffer[at..stop - 1] is the part's body for certain
---@field in_part boolean its end has not been seen
---@field is_fresh boolean? buffer[at..] begins with the end of its head, which may be a delimiter's beginning
---@field count integer parts so far
---@field ended boolean the last boundary has come
---@field max_parts integer
---@field max_head integer
local Parts = { __name = "momo.http.Parts" }
Parts.__index = Parts
Parts.__tostring = names.tell_name

---A part of a multipart body, such as a field of a form, or a file; see `request:parts`.
---@class momo.http.Part
---@field name string? of the field
---@field filename string? without folders
---@field headers table<string, string> by name in lower case
---@field private parts momo.http.Parts
local Part = { __name = "momo.http.Part" }
Part.__index = Part
names.objects(Part, "part")

local function malformed(text)
  return nil, "EPROTO: " .. text, "EPROTO"
end

-- Gets more bytes behind the unread ones. The body's end comes too early, whenever it is asked for more.
local function more(parts)
  local bytes, err, code = parts.source()
  if not bytes then
    if code == "EOF" then
      return malformed "a multipart body ends before its last boundary"
    end
    return nil, err, code
  end
  parts.buffer, parts.at, parts.stop = parts.buffer:sub(parts.at) .. bytes, 1, 1
  return true
end

-- Bytes at the buffer's end that may be the beginning of a delimiter.
local function undecided(parts)
  local buffer, delimiter = parts.buffer, parts.delimiter
  for size = math.min(#delimiter - 1, #buffer - parts.at + 1), 1, -1 do
    if buffer:byte(-size) == 13 and delimiter:sub(1, size) == buffer:sub(-size) then
      return size
    end
  end
  return 0
end

-- Moves behind the end of a head, unless that belongs to a delimiter: the part has no body, not even an empty one.
local function begin_body(parts)
  local delimiter = parts.delimiter
  while true do
    local have = parts.buffer:sub(parts.at, parts.at + #delimiter - 1)
    if have == delimiter or have ~= delimiter:sub(1, #have) then
      parts.at = parts.at + (have == delimiter and 0 or 2)
      parts.is_fresh = false
      return true
    end
    local ok, err, code = more(parts)
    if not ok then
      return nil, err, code
    end
  end
end

-- 1 to max bytes before the next delimiter; false: it has come, and is behind us.
local function take(parts, max)
  if parts.is_fresh then
    local ok, err, code = begin_body(parts)
    if not ok then
      return nil, err, code
    end
  end
  while parts.at >= parts.stop do
    local found = parts.buffer:find(parts.delimiter, parts.at, true)
    parts.stop = found or #parts.buffer + 1 - undecided(parts)
    if found == parts.at then
      parts.at = found + #parts.delimiter
      parts.in_part = false
      return false
    elseif parts.stop == parts.at then
      local ok, err, code = more(parts)
      if not ok then
        return nil, err, code
      end
    end
  end
  local first = parts.at
  parts.at = math.min(parts.stop, first + max)
  return parts.buffer:sub(first, parts.at - 1)
end

-- A line without its end, of at most max bytes.
local function read_line(parts, max)
  while true do
    local stop = parts.buffer:find("\r\n", parts.at, true)
    if (stop or #parts.buffer) - parts.at > max then
      return nil, ("EMSGSIZE: the head of a part has more than %d bytes"):format(parts.max_head), "EMSGSIZE"
    elseif stop then
      local line = parts.buffer:sub(parts.at, stop - 1)
      parts.at = stop + 2
      return line
    end
    local ok, err, code = more(parts)
    if not ok then
      return nil, err, code
    end
  end
end

local function describe(part)
  local disposition = part.headers["content-disposition"]
  if not disposition then
    return true
  end
  local kind, parameters = media.parse(disposition)
  if not kind then
    return malformed "a part's Content-Disposition can't be read"
  elseif kind == "form-data" then
    part.name = parameters.name
  end
  part.filename = parameters.filename and parameters.filename:gsub("^.*[/\\]", "")
  return true
end

local function read_head(parts)
  local part, left = setmetatable({ headers = {}, parts = parts }, Part), parts.max_head
  while true do
    local line, err, code = read_line(parts, left)
    if not line then
      return nil, err, code
    elseif line == "" then
      break
    end
    left = left - #line - 2
    local name, value = line:match "^([%w!#$%%&'*+.^_`|~-]+):(.*)$"
    value = value and trim(value, "[^ \t]")
    if not name or value:find "[%z\1-\8\10-\31\127]" then
      return malformed "a part's field is malformed"
    end
    name = name:lower()
    local former = part.headers[name]
    if former and name == "content-disposition" then
      return malformed "a part has two fields Content-Disposition"
    end
    part.headers[name] = former and former .. ", " .. value or value
  end
  local ok, err, code = describe(part)
  if not ok then
    return nil, err, code
  end
  return part
end

---The next part; what was not read of the one before is skipped.
---@async
---@return momo.http.Part? part nil without an error: there are no more
---@return string? err
---@return string? code EPROTO, EMSGSIZE, or what reading failed with
function Parts:next()
  if self.ended then
    return nil
  end
  self.part = nil
  local skipped = 0
  while self.in_part do
    local bytes, err, code = take(self, math.huge)
    if bytes == nil then
      return nil, err, code
    end
    skipped = skipped + (bytes and self.count == 0 and #bytes or 0)
    if skipped > self.max_head then
      return malformed "a multipart body does not begin with its boundary"
    end
  end
  while #self.buffer <= self.at do
    local ok, err, code = more(self)
    if not ok then
      return nil, err, code
    end
  end
  if self.buffer:find("^%-%-", self.at) then
    self.ended = true
    return nil
  end
  local rest, err, code = read_line(self, self.max_head)
  if not rest then
    return nil, err, code
  elseif rest:find "[^ \t]" then
    return malformed "a boundary is followed by something else than the end of its line"
  end
  self.count = self.count + 1
  if self.count > self.max_parts then
    return nil, ("EMSGSIZE: there are more than %d parts"):format(self.max_parts), "EMSGSIZE"
  end
  self.part, err, code = read_head(self)
  self.in_part = self.part ~= nil
  self.at, self.is_fresh = self.at - 2, self.in_part
  return self.part, err, code
end

---1 to max bytes of the part's body, as soon as there are any.
---
---Codes: EOF at its end; EPROTO the body is malformed, or cut short; EBADF the next part was asked for; and those of
---`request:read`.
---@async
---@param max integer? bytes
---@return string? bytes
---@return string? err
---@return string? code
function Part:read(max)
  check.self(self, Part, "part", "read")
  check.argument(max == nil or (check.is_whole(max) and max >= 1), "read: max must be a whole number from 1", max)
  local parts = self.parts
  if parts.part ~= self then
    return nil, "EBADF: bad file descriptor: the next part was asked for", "EBADF"
  end
  local bytes, err, code
  if parts.in_part then
    bytes, err, code = take(parts, max or math.huge)
  end
  if not bytes and not code then
    return nil, "EOF: end of file", "EOF"
  end
  return bytes, err, code
end

---The rest of the part's body.
---
---Codes: EMSGSIZE there is more; and those of `read`.
---@async
---@param max integer? bytes; 1 MiB
---@return string? body
---@return string? err
---@return string? code
function Part:body(max)
  check.self(self, Part, "part", "body")
  check.argument(max == nil or (check.is_whole(max) and max >= 0), "body: max must be a whole number from 0", max)
  max = max or BODY_MAX
  local gathered, size = {}, 0
  while true do
    local bytes, err, code = self:read()
    if bytes then
      gather(gathered, bytes)
      size = size + #bytes
      if size > max then
        return nil, ("EMSGSIZE: the part has more than %d bytes"):format(max), "EMSGSIZE"
      end
    elseif code == "EOF" then
      return table.concat(gathered)
    else
      return nil, err, code
    end
  end
end

---@param content_type string?
---@return string? boundary
---@return string? err
---@return string? code EPROTO
function M.boundary(content_type)
  local name, parameters = media.parse(content_type or "")
  local boundary = parameters.boundary
  if not name or not name:find "^multipart/" then
    return malformed("the body is " .. (name or "of no type") .. ", and not multipart")
  elseif not boundary or #boundary > 70 or not boundary:find "^[%w'()+_,./:=? -]*[%w'()+_,./:=?-]$" then
    return malformed "the body's type names no boundary"
  end
  return boundary
end

---@param source async fun(): string?, string?, string? the next bytes; nil, err, "EOF" at the end
---@param boundary string
---@param limits {max_parts: integer?, max_head: integer?}? 1000; 16 KiB, a part's fields
---@return momo.http.Parts
function M.parts(source, boundary, limits)
  limits = check.options(limits, { max_parts = "number", max_head = "number" }, "parts")
  return setmetatable({
    source = source,
    delimiter = "\r\n--" .. boundary,
    buffer = "\r\n", -- the first boundary has no line before it
    at = 1,
    stop = 1,
    in_part = true,
    count = 0,
    max_parts = limits.max_parts or LIMITS.max_parts,
    max_head = limits.max_head or LIMITS.max_head,
    ended = false,
  }, Parts)
end

return M
