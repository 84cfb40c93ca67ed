---WebSocket frames as a spec wants them, right or wrong: the client's side of a handshake, and frames by their parts.

local bit = require "bit"

local M = {}

M.KEY, M.ACCEPT = "dGhlIHNhbXBsZSBub25jZQ==", "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=" -- of RFC 6455

---@param more string? further fields
---@return string request
function M.handshake(more)
  return "GET /chat HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n" ..
    "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: " .. M.KEY .. "\r\n" .. (more or "") .. "\r\n"
end

local function big_endian(value, bytes)
  local text = {}
  for i = bytes - 1, 0, -1 do
    text[#text + 1] = string.char(math.floor(value / 256 ^ i) % 256)
  end
  return table.concat(text)
end

---@param data string
---@param key string 4 bytes
---@return string
function M.mask(data, key)
  local text = {}
  for i = 1, #data do
    text[i] = string.char(bit.bxor(data:byte(i), key:byte((i - 1) % 4 + 1)))
  end
  return table.concat(text)
end

---A frame of a client.
---@param opcode integer
---@param data string
---@param parts {more: boolean?, rsv: integer?, unmasked: boolean?, wide: integer?, length: integer?}? more: it is not
---the last of its message; wide: bytes of the length
---@return string
function M.frame(opcode, data, parts)
  parts = parts or {}
  local length = parts.length or #data
  local wide = parts.wide or (length < 126 and 0 or length < 65536 and 2 or 8)
  local first = (parts.more and 0 or 128) + (parts.rsv or 0) + opcode
  local second = (parts.unmasked and 0 or 128) + (wide == 0 and length or wide == 2 and 126 or 127)
  local key = "\1\2\3\4"
  return string.char(first, second) .. big_endian(length, wide) ..
    (parts.unmasked and data or key .. M.mask(data, key))
end

function M.close(code, reason)
  return M.frame(8, code and big_endian(code, 2) .. (reason or "") or "")
end

---A frame of a server.
---@param opcode integer
---@param data string
---@param parts table? as those of `frame`
---@return string
function M.server_frame(opcode, data, parts)
  return M.frame(opcode, data, setmetatable({ unmasked = true }, { __index = parts }))
end

---Takes frames apart, as text: "1:hello 8:1000". Those of a client have lost their masks.
---@param bytes string
---@return string
function M.show(bytes)
  local list, at = {}, 1
  while at <= #bytes do
    local first, length = bytes:byte(at, at + 1)
    if not length then
      return table.concat(list, " ") .. " cut"
    end
    local masked = length >= 128
    length, at = length % 128, at + 2
    local wide = length == 126 and 2 or length == 127 and 8 or 0
    if wide > 0 then
      length = 0
      for i = at, at + wide - 1 do
        length = length * 256 + bytes:byte(i)
      end
      at = at + wide
    end
    local key = masked and bytes:sub(at, at + 3)
    at = at + (masked and 4 or 0)
    local data = bytes:sub(at, at + length - 1)
    data = key and M.mask(data, key) or data
    at = at + length
    local opcode = first % 16
    if opcode == 8 then
      data = #data >= 2 and tostring(data:byte(1) * 256 + data:byte(2)) or ""
    elseif #data > 40 then
      data = #data .. " bytes"
    end
    list[#list + 1] = ("%s%d:%s"):format(first < 128 and "+" or "", opcode, data)
  end
  return table.concat(list, " ")
end

return M
