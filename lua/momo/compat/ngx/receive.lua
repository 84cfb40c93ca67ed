---What a cosocket receives: so much, a line, all, up to a pattern; and what has come when that fails.

local words = require "momo.compat.ngx.words"

local M = {}

local LINE_MAX = 2 ^ 31 - 1

-- The stream, whose own time limit is that of reads; nil: there is none, or its peer's side has ended.
local function reader(self)
  local stream = not self.ended and self.stream or nil
  if stream and self.armed ~= self.read_limit then
    self.armed = self.read_limit
    stream:set_timeout(self.armed)
  end
  return stream
end

-- All that waits to be read.
---@async
local function rest_of(stream)
  local pieces = {}
  repeat
    pieces[#pieces + 1] = stream:read(nil, 0)
  until not pieces[#pieces] or #pieces[#pieces] < 65536
  return table.concat(pieces)
end

-- A connection that can't be read any more has left its pool, but may still be written; what came before is handed out.
---@async
local function failed(self, stream, err, code)
  if code == "EBUSY" then
    return nil, "socket busy reading"
  end
  local partial = rest_of(stream)
  if code ~= "ETIMEDOUT" and self.stream == stream then
    self.ended = true
    self:leave()
  end
  return nil, words.error(err, code), partial
end

---@async
local function receive_line(self, stream)
  local line, err, code = stream:read_until("\n", LINE_MAX)
  if not line then
    return failed(self, stream, err, code)
  end
  line = line:sub(1, line:byte(-2) == 13 and -3 or -2)
  return line:find("\r", 1, true) and line:gsub("\r", "") or line
end

---@async
local function receive_all(self, stream)
  local pieces = {}
  while true do
    local bytes, err, code = stream:read()
    if code == "EOF" then
      self:leave()
      return table.concat(pieces)
    elseif not bytes then
      local _, word = failed(self, stream, err, code)
      return nil, word, table.concat(pieces)
    end
    pieces[#pieces + 1] = bytes
  end
end

---@async
---@param what integer|string|nil how many bytes, "*l", which is the default, or "*a"
---@return string? data
---@return string? err
---@return string? partial what came before
function M:receive(what)
  local stream = reader(self)
  if not stream then
    return nil, "closed"
  elseif what == nil or what == "*l" then
    return receive_line(self, stream)
  end
  local n = tonumber(what)
  n = n and math.floor(n)
  if n and n > 0 then
    local bytes, err, code = stream:read_exact(n)
    if bytes then
      return bytes
    end
    return failed(self, stream, err, code)
  elseif n == 0 then
    return ""
  elseif what == "*a" then
    return receive_all(self, stream)
  end
  error(("bad argument #1 to 'receive' (bad %s)"):format(n and "number" or "pattern argument"), 2)
end

---What comes first.
---@async
---@param max integer bytes
---@return string? data
---@return string? err
---@return string? partial
function M:receiveany(max)
  local n = tonumber(max)
  if not n or n < 1 then
    error("bad argument #1 to 'receiveany' (bad max argument)", 2)
  end
  local stream = reader(self)
  if not stream then
    return nil, "closed"
  end
  local bytes, err, code = stream:read(math.min(n, 65536))
  if bytes then
    return bytes
  end
  return failed(self, stream, err, code)
end

-- How many of the last bytes may be the beginning of the pattern.
local function begun(bytes, pattern)
  for n = math.min(#pattern - 1, #bytes), 1, -1 do
    if bytes:sub(-n) == pattern:sub(1, n) then
      return n
    end
  end
  return 0
end

-- What has come without the beginning of the pattern, which stays.
---@async
local function cut_short(self, stream, pattern, err, code)
  local bytes = code == "ETIMEDOUT" and stream:peek(1, 0)
  if not bytes then
    return failed(self, stream, err, code)
  end
  local n = #bytes - begun(bytes, pattern)
  stream:consume(n)
  return nil, words.error(err, code), bytes:sub(1, n)
end

-- Up to size bytes of what is before the pattern, and whether that was its end.
---@async
local function receive_piece(self, stream, pattern, size, inclusive)
  local least = 1
  while true do
    local bytes, err, code = stream:peek(least)
    if not bytes then
      return false, cut_short(self, stream, pattern, err, code)
    end
    local from = bytes:find(pattern, 1, true)
    local before = from and from - 1 or #bytes - begun(bytes, pattern)
    if from and before <= size then
      stream:consume(before + #pattern)
      return true, bytes:sub(1, before + (inclusive and #pattern or 0))
    elseif before >= size then
      stream:consume(size)
      return false, bytes:sub(1, size)
    end
    least = #bytes + 1
  end
end

---An iterator over what is before the pattern, all of it or so many bytes a call; nil after each end.
---@param pattern string plain
---@param options {inclusive: boolean?}?
---@return fun(size: integer?): string?, string?, string?
function M:receiveuntil(pattern, options)
  if type(pattern) ~= "string" and type(pattern) ~= "number" then
    error(("bad argument #1 to 'receiveuntil' (string expected, got %s)"):format(type(pattern)), 2)
  elseif options ~= nil and type(options) ~= "table" then
    error(("bad argument #2 to 'receiveuntil' (table expected, got %s)"):format(type(options)), 2)
  end
  pattern = tostring(pattern)
  if pattern == "" then
    return nil, "pattern is empty"
  end
  local inclusive, ended = options and options.inclusive, false
  if inclusive ~= nil and type(inclusive) ~= "boolean" then
    error("bad \"inclusive\" option value type: " .. type(inclusive), 2)
  end
  return function(size)
    local most = size ~= nil and tonumber(size) or 0
    if size ~= nil and not tonumber(size) then
      error(("bad argument #1 to 'receiveuntil' (bad size %s)"):format(tostring(size)), 2)
    end
    local stream = reader(self)
    if ended then
      ended = false
      return nil, nil, nil
    elseif not stream then
      return nil, "closed"
    elseif most > 0 then
      local data, err, partial
      ended, data, err, partial = receive_piece(self, stream, pattern, math.floor(most), inclusive)
      return data, err, partial
    end
    local bytes, err, code = stream:read_until(pattern, LINE_MAX)
    if not bytes then
      return cut_short(self, stream, pattern, err, code)
    end
    return inclusive and bytes or bytes:sub(1, -#pattern - 1)
  end
end

return M
