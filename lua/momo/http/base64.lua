---Base64: RFC 4648, section 4.

local M = {}

local ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"

local function digit(value, place)
  local at = math.floor(value / 64 ^ place) % 64 + 1
  return ALPHABET:sub(at, at)
end

---@param bytes string
---@return string text
function M.encode(bytes)
  local text = bytes:gsub("..?.?", function(group)
    local a, b, c = group:byte(1, 3)
    local value = a * 65536 + (b or 0) * 256 + (c or 0)
    return digit(value, 3) .. digit(value, 2) .. (b and digit(value, 1) or "=") .. (c and digit(value, 0) or "=")
  end)
  return text
end

return M
