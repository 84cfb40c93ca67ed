---Digests, by OpenSSL's libcrypto, which is loaded with this; its names are then seen by libraries that look for them
---in the program, as they do in nginx (resty.sha256).

local bit = require "bit"
local ffi = require "ffi"

local M = {}

ffi.cdef [[
unsigned char *MD5(const char *bytes, size_t n, unsigned char *digest);
unsigned char *SHA1(const char *bytes, size_t n, unsigned char *digest);
const void *EVP_sha1(void);
unsigned char *HMAC(const void *kind, const char *key, int key_n, const char *bytes, size_t n, unsigned char *digest,
                    unsigned int *digest_n);
]]

local function load()
  for _, name in ipairs { "libcrypto.so.3", "libcrypto.so.1.1", "crypto" } do
    local ok, library = pcall(ffi.load, name, true)
    if ok then
      return library
    end
  end
  error("digests need OpenSSL's libcrypto: install it (Debian: libssl3)", 0)
end

local crypto = load()
local digest = ffi.new "unsigned char[64]"

local function text_of(value)
  return value == nil and "" or tostring(value)
end

local HEX = {}
for i = 0, 255 do
  HEX[string.char(i)] = ("%02x"):format(i)
end

---@param bytes string
---@return string
function M.to_hex(bytes)
  return (bytes:gsub(".", HEX))
end

function M.md5_bin(bytes)
  bytes = text_of(bytes)
  crypto.MD5(bytes, #bytes, digest)
  return ffi.string(digest, 16)
end

function M.md5(bytes)
  return M.to_hex(M.md5_bin(bytes))
end

function M.sha1_bin(bytes)
  bytes = text_of(bytes)
  crypto.SHA1(bytes, #bytes, digest)
  return ffi.string(digest, 20)
end

function M.hmac_sha1(key, bytes)
  key, bytes = text_of(key), text_of(bytes)
  crypto.HMAC(crypto.EVP_sha1(), key, #key, bytes, #bytes, digest, nil)
  return ffi.string(digest, 20)
end

local CRC = ffi.new "int32_t[256]"
for i = 0, 255 do
  local c = i
  for _ = 1, 8 do
    c = bit.bxor(bit.rshift(c, 1), bit.band(-bit.band(c, 1), 0xEDB88320))
  end
  CRC[i] = c
end

---@param bytes string
---@return integer checksum
function M.crc32_long(bytes)
  bytes = text_of(bytes)
  local c = -1
  for i = 1, #bytes do
    c = bit.bxor(CRC[bit.band(bit.bxor(c, bytes:byte(i)), 255)], bit.rshift(c, 8))
  end
  return bit.bnot(c) % 2 ^ 32
end

M.crc32_short = M.crc32_long

return M
