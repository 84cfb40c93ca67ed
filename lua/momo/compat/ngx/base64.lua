---Base64 and base64url, both ways. Two letters at once, from a table of all pairs.

local bit = require "bit"

local band, bor, lshift, rshift, byte, char = bit.band, bit.bor, bit.lshift, bit.rshift, string.byte, string.char

local M = {}

local COMMON = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"

-- The pairs of letters of an alphabet, by twelve bits; and the six bits of a letter, by its byte.
local function alphabet(last)
  local letters, pairs_of, bits_of = COMMON .. last, {}, {}
  for i = 0, 63 do
    bits_of[byte(letters, i + 1)] = i
    for j = 0, 63 do
      pairs_of[i * 64 + j] = letters:sub(i + 1, i + 1) .. letters:sub(j + 1, j + 1)
    end
  end
  return { pairs = pairs_of, bits = bits_of }
end

local PLAIN, URL = alphabet "+/", alphabet "-_"

local function encode(bytes, letters, padded)
  local pairs_of, pieces, n, whole = letters.pairs, {}, 0, #bytes - #bytes % 3
  for i = 1, whole, 3 do
    local a, b, c = byte(bytes, i, i + 2)
    pieces[n + 1] = pairs_of[bor(lshift(a, 4), rshift(b, 4))]
    pieces[n + 2] = pairs_of[bor(lshift(band(b, 15), 8), c)]
    n = n + 2
  end
  local a, b = byte(bytes, whole + 1, whole + 2)
  if b then
    pieces[n + 1] = pairs_of[bor(lshift(a, 4), rshift(b, 4))]
    pieces[n + 2] = pairs_of[lshift(band(b, 15), 8)]:sub(1, 1) .. (padded and "=" or "")
  elseif a then
    pieces[n + 1] = pairs_of[lshift(a, 4)] .. (padded and "==" or "")
  end
  return table.concat(pieces)
end

local function decode(text, letters)
  local bits_of, n = letters.bits, (text:find("=", 1, true) or #text + 1) - 1
  if n % 4 == 1 then
    return nil
  end
  local pieces, value = {}, 0
  for i = 1, n do
    local bits = bits_of[byte(text, i)]
    if not bits then
      return nil
    end
    value = bor(lshift(value, 6), bits)
    if i % 4 == 0 then
      pieces[i / 4] = char(band(rshift(value, 16), 255), band(rshift(value, 8), 255), band(value, 255))
      value = 0
    end
  end
  if n % 4 == 2 then
    pieces[#pieces + 1] = char(band(rshift(value, 4), 255))
  elseif n % 4 == 3 then
    pieces[#pieces + 1] = char(band(rshift(value, 10), 255), band(rshift(value, 2), 255))
  end
  return table.concat(pieces)
end

local function check_text(text, name)
  if type(text) ~= "string" then
    error(("bad argument #1 to '%s' (string expected, got %s)"):format(name, type(text)), 3)
  end
end

---@param bytes any
---@param unpadded boolean?
---@return string text
function M.encode_base64(bytes, unpadded)
  return encode(bytes == nil and "" or tostring(bytes), PLAIN, not unpadded)
end

---@param text string
---@return string? bytes nil: it is no Base64
function M.decode_base64(text)
  check_text(text, "decode_base64")
  return decode(text, PLAIN)
end

---What `require "ngx.base64"` gives.
M.url = { version = "0.1.28" }

---@param bytes string
---@return string text
function M.url.encode_base64url(bytes)
  check_text(bytes, "encode_base64url")
  return encode(bytes, URL, false)
end

---@param text string
---@return string? bytes
---@return string? err
function M.url.decode_base64url(text)
  check_text(text, "decode_base64url")
  local bytes = decode(text, URL)
  return bytes, not bytes and "invalid input" or nil
end

return M
