---Content codings: gzip, br and zstd. Each is a shared object of its own (core/coding), loaded when it is first used.

local check = require "momo.internal.check"

local M = {}

-- The best one comes first.
local NAMES = { "br", "zstd", "gzip" }
local LIBRARIES = {
  br = "libbrotlienc and libbrotlidec (Debian: libbrotli-dev)",
  gzip = "zlib (Debian: zlib1g-dev)",
  zstd = "libzstd (Debian: libzstd-dev)",
}
local PIECE = 64 * 1024
local LAYERS_MAX = 3

local found = {} -- by name: the module, or why it can't be had

local function find(name)
  if found[name] == nil and LIBRARIES[name] then
    local ok, module = pcall(require, "momo.coding." .. name)
    found[name] = ok and module or ("the content coding %s needs %s, and Momo built with it: %s"):format(name,
      LIBRARIES[name], tostring(module))
  end
  return found[name]
end

---@return string[] names those whose libraries are there, the best one first
function M.available()
  local list = {}
  for _, name in ipairs(NAMES) do
    if type(find(name)) == "table" then
      list[#list + 1] = name
    end
  end
  return list
end

local accepted -- made when it is first asked for

---@return string? field for Accept-Encoding; nil: no library is there
function M.accepted()
  accepted = accepted or table.concat(M.available(), ", ")
  return accepted ~= "" and accepted or nil
end

---@class momo.http.Encoder
---@field encode fun(self: momo.http.Encoder, bytes: string, operation: "process"|"flush"|"finish"|nil): string
---@field close fun(self: momo.http.Encoder) gives its memory back

---Throws what to install where the library is not there.
---@param name "gzip"|"br"|"zstd"
---@param level integer?
---@return momo.http.Encoder
function M.encoder(name, level)
  local module = find(name)
  if type(module) ~= "table" then
    check.fail(module or ("there is no content coding %s"):format(check.show(name)))
  end
  return module.encoder(level)
end

---Private: bytes of a coded body, decoded as they are read.
---@class momo.http.Decoder
---@field name string
---@field source async fun(): string?, string?, string?
---@field decoder userdata
---@field input string what came last; from `at` on it is not decoded
---@field at integer
---@field has_more boolean the decoder may give bytes without further input
---@field is_whole boolean the coded data may end here
local Decoder = { __name = "momo.http.Decoder" }
Decoder.__index = Decoder

---1 to max bytes.
---@async
---@param max integer? 64 KiB
---@return string? bytes
---@return string? err
---@return string? code EOF; EPROTO: it is malformed; or what the source failed with
function Decoder:read(max)
  max = math.min(max or PIECE, PIECE)
  while true do
    if self.has_more or self.at <= #self.input then
      local bytes, at, is_whole = self.decoder:decode(self.input, self.at, max)
      if not bytes then
        return nil, ("EPROTO: the body is no %s"):format(self.name), "EPROTO"
      end
      self.at, self.is_whole, self.has_more = at, is_whole, #bytes == max
      if bytes ~= "" then
        return bytes
      end
    else
      local input, err, code = self.source()
      if input then
        self.input, self.at, self.is_whole = input, 1, false
      elseif code == "EOF" and not self.is_whole then
        return nil, ("EPROTO: the %s of the body ends too early"):format(self.name), "EPROTO"
      else
        return nil, err, code
      end
    end
  end
end

---Gives its memory back.
function Decoder:close()
  self.decoder:close()
end

local function layer(source, name, may_be_none)
  return setmetatable({
    name = name,
    source = source,
    decoder = find(name).decoder(),
    input = "",
    at = 1,
    has_more = false,
    is_whole = may_be_none,
  }, Decoder)
end

---The names of a Content-Encoding field, the outermost first.
---@param header string?
---@return string[]? names nil: one of them is not known here, or there are too many
function M.parse(header)
  local names = {}
  for name in (header or ""):lower():gmatch "[^%s,]+" do
    name = name:gsub("^x%-gzip$", "gzip")
    if name ~= "identity" then
      if type(find(name)) ~= "table" or #names == LAYERS_MAX then
        return nil
      end
      table.insert(names, 1, name)
    end
  end
  return names
end

---@param source async fun(): string?, string?, string? the next coded bytes; nil, err, "EOF" at the end
---@param names string[] of parse; at least one
---@param is_open boolean? the source may have been cut short, and nobody knows. Else nothing at all, which is no coded
---data, is what many servers send for an empty body
---@return momo.http.Decoder
function M.decoder(source, names, is_open)
  local outermost
  for _, name in ipairs(names) do
    local under = outermost
    outermost = layer(under and function() return under:read() end or source, name, not is_open)
  end
  return outermost
end

return M
