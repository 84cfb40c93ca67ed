---Headers of NATS messages: lines as HTTP/1.1 has them, behind a line with the protocol's version, which may tell a
---status.

local check = require "momo.internal.check"
local each = require "momo.internal.each"

local M = {}

local VERSION = "NATS/1.0"

local function line(name, value, who)
  if type(value) == "number" then
    value = tostring(value)
  end
  if type(name) ~= "string" or not name:find "^[!-9;-~]+$" then
    check.fail(("%s: the name of a header must be printable text without colons and spaces, got %s"):format(who,
      check.show(name)))
  elseif type(value) ~= "string" or value:find "[\r\n]" then
    check.fail(("%s: header %s must be a string without line breaks, got %s"):format(who, name, check.show(value)))
  end
  return name .. ": " .. value .. "\r\n"
end

---@param headers table<string, string|string[]>
---@param who string the function that was given them
---@return string text with the empty line at its end
function M.encode(headers, who)
  local lines = {}
  for name, value in each(headers) do
    for _, one in ipairs(type(value) == "table" and value or { value }) do
      lines[#lines + 1] = line(name, one, who)
    end
  end
  table.sort(lines) -- so that equal headers are equal bytes
  return VERSION .. "\r\n" .. table.concat(lines) .. "\r\n"
end

---@param text string
---@return table<string, string|string[]>? headers nil: it is malformed
---@return integer? status such as 503
---@return string? description of the status
function M.decode(text)
  local first, at = text:match "^NATS/1%.0([^\r\n]*)\r\n()"
  if not first then
    return nil
  end
  local headers = {}
  for name, value in text:sub(at):gmatch "([^:\r\n]+):[ \t]*([^\r\n]*)\r\n" do
    value = value:gsub("[ \t]+$", "")
    local known = headers[name]
    if type(known) == "table" then
      known[#known + 1] = value
    else
      headers[name] = known and { known, value } or value
    end
  end
  local status, description = first:match "^ +(%d%d%d) *(.*)$"
  return headers, tonumber(status), description
end

return M
