---Percent coding, as RFC 3986 has it.

local byte, char, format = string.byte, string.char, string.format

local M = {}

local decoded, encoded = {}, {}
for value = 0, 255 do
  encoded[char(value)] = format("%%%02X", value)
  local high, low = format("%x", math.floor(value / 16)), format("%x", value % 16)
  for _, a in ipairs { high, high:upper() } do
    for _, b in ipairs { low, low:upper() } do
      decoded[a .. b] = char(value)
    end
  end
end

local UNSAFE = "[%s%z\1-\31\"<>\\^`{|}\127-\255]" -- what can't stand in a path or query as it is
local is_unsafe = {}
for value = 0, 255 do
  is_unsafe[value] = char(value):find(UNSAFE) ~= nil
end

---Each byte of a text as three.
---@param text string
---@param bytes string? a class of patterns: which of them; all but letters, digits and -._~
---@return string
function M.encode(text, bytes)
  return (text:gsub(bytes or "[^%w%-._~]", encoded))
end

---The same for those that can't stand in a path or query as they are, which is rare.
---@param text string
---@return string
function M.encode_unsafe(text)
  for i = 1, #text do
    if is_unsafe[byte(text, i)] then
      return (text:gsub(UNSAFE, encoded))
    end
  end
  return text
end

---@param text string
---@return string? decoded nil: a percent sign is not followed by two hexadecimal digits
function M.decode(text)
  if not text:find("%", 1, true) then
    return text
  elseif not M.is_valid(text) then
    return nil
  end
  return (text:gsub("%%(%x%x)", decoded))
end

---The same where a percent sign that begins no code stands for itself, as browsers see it.
---@param text string
---@return string
function M.decode_leniently(text)
  return (text:gsub("%%(%x%x)", decoded))
end

---@param text string
---@return boolean whether two hexadecimal digits follow each percent sign
function M.is_valid(text)
  local at = text:find("%", 1, true)
  while at do
    if not text:find("^%x%x", at + 1) then
      return false
    end
    at = text:find("%", at + 3, true)
  end
  return true
end

---Whether a decoded path has a segment "." or "..", which would lead elsewhere than it seems.
---@param path string
---@return boolean
function M.has_dots(path)
  local at = path:find(".", 1, true)
  while at do
    local last = byte(path, at + 1) == 0x2e and at + 1 or at
    local before, after = byte(path, at - 1), byte(path, last + 1)
    if (at == 1 or before == 0x2f) and (after == nil or after == 0x2f) then
      return true
    end
    at = path:find(".", last + 1, true)
  end
  return false
end

return M
