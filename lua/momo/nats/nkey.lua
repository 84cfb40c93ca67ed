---NATS's keys: Ed25519, written in base32 with a kind before and a checksum behind. libsodium signs; it is loaded when
---it is first used.

local bit = require "bit"
local ffi = require "ffi"

local band, bor, bxor, lshift, rshift = bit.band, bit.bor, bit.bxor, bit.lshift, bit.rshift

local M = {}

local ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"
local SEED, USER = 18 * 8, 20 * 8 -- "S" and "U" as the first letters
local SEED_BYTES, PUBLIC_BYTES, SECRET_BYTES, SIGNATURE_BYTES = 32, 32, 64, 64

ffi.cdef [[
int sodium_init(void);
int crypto_sign_seed_keypair(unsigned char *public, unsigned char *secret, const unsigned char *seed);
int crypto_sign_detached(unsigned char *signature, unsigned long long *length, const unsigned char *message,
                         unsigned long long message_length, const unsigned char *secret);
]]

local sodium

local function load()
  for _, name in ipairs { "sodium", "libsodium.so.26", "libsodium.so.23" } do
    local ok, library = pcall(ffi.load, name)
    if ok and library.sodium_init() >= 0 then
      sodium = library
      return sodium
    end
  end
  return nil, "EPROTONOSUPPORT: nkeys need libsodium: install it (Debian: libsodium23)", "EPROTONOSUPPORT"
end

---RFC 4648, section 6, without padding.
local function base32(bytes)
  local letters, value, bits = {}, 0, 0
  for i = 1, #bytes do
    value, bits = bor(lshift(band(value, 31), 8), bytes:byte(i)), bits + 8
    while bits >= 5 do
      bits = bits - 5
      local digit = band(rshift(value, bits), 31) + 1
      letters[#letters + 1] = ALPHABET:sub(digit, digit)
    end
  end
  if bits > 0 then
    local digit = band(lshift(value, 5 - bits), 31) + 1
    letters[#letters + 1] = ALPHABET:sub(digit, digit)
  end
  return table.concat(letters)
end

local function from_base32(text)
  local bytes, value, bits = {}, 0, 0
  for i = 1, #text do
    local digit = ALPHABET:find(text:sub(i, i), 1, true)
    if not digit then
      return nil
    end
    value, bits = bor(lshift(band(value, 255), 5), digit - 1), bits + 5
    if bits >= 8 then
      bits = bits - 8
      bytes[#bytes + 1] = string.char(band(rshift(value, bits), 255))
    end
  end
  return table.concat(bytes)
end

---CRC-16/XMODEM.
local function checksum(bytes)
  local crc = 0
  for i = 1, #bytes do
    crc = bxor(crc, lshift(bytes:byte(i), 8))
    for _ = 1, 8 do
      crc = band(crc, 0x8000) ~= 0 and bxor(lshift(crc, 1), 0x1021) or lshift(crc, 1)
    end
  end
  crc = band(crc, 0xFFFF)
  return string.char(band(crc, 255), rshift(crc, 8))
end

---The 32 bytes of a user's seed, "SU...".
---@param text string
---@return string? seed
function M.seed(text)
  local bytes = from_base32(text)
  if not bytes or #bytes ~= 2 + SEED_BYTES + 2 or checksum(bytes:sub(1, -3)) ~= bytes:sub(-2) then
    return nil
  end
  local kind = bor(band(lshift(bytes:byte(1), 5), 255), rshift(bytes:byte(2), 3))
  if band(bytes:byte(1), 0xF8) ~= SEED or kind ~= USER then
    return nil
  end
  return bytes:sub(3, -3)
end

---@param seed string
---@param nonce string
---@return string? public key, "U..."; nil: libsodium is not there
---@return string signature or what is wrong
---@return string? code
function M.sign(seed, nonce)
  local library, err, code = sodium, nil, nil
  if not library then
    library, err, code = load()
  end
  if not library then
    return nil, err, code
  end
  local public, secret = ffi.new("unsigned char[?]", PUBLIC_BYTES), ffi.new("unsigned char[?]", SECRET_BYTES)
  local signature = ffi.new("unsigned char[?]", SIGNATURE_BYTES)
  library.crypto_sign_seed_keypair(public, secret, seed)
  library.crypto_sign_detached(signature, nil, nonce, #nonce, secret)
  local bytes = string.char(USER) .. ffi.string(public, PUBLIC_BYTES)
  return base32(bytes .. checksum(bytes)), ffi.string(signature, SIGNATURE_BYTES)
end

return M
