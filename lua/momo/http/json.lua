---JSON by lua-cjson, where that is installed.

local check = require "momo.internal.check"

local M = {}

local function cjson()
  local ok, module = pcall(require, "cjson.safe")
  if not ok then
    check.fail "JSON needs lua-cjson: install it with `luarocks install lua-cjson`, or Debian's package lua-cjson"
  end
  return module
end

---@param text string
---@return any value
---@return string? err
---@return string? code EPROTO
function M.decode(text)
  local value, err = cjson().decode(text)
  if err then
    return nil, "EPROTO: malformed JSON: " .. err, "EPROTO"
  end
  return value
end

---@param value any
---@return string text throws where the value has no JSON
function M.encode(value)
  local text, err = cjson().encode(value)
  if not text then
    check.fail("JSON: " .. err)
  end
  return text
end

return M
