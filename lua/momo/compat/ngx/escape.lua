---Texts within texts: URIs, arguments of a query, SQL.

local each = require "momo.internal.each"
local percent = require "momo.http.percent"

local M = {}

-- What is escaped, by the second argument: 0: in a URI; 2: in a part of one.
local BYTES = { [0] = "[%z\1-\32#%%?\127-\255]", [2] = "[^%w%-._~!*'()]" }
local ARGUMENTS = 100 -- that decode_args takes unless told otherwise

---@param text any
---@param kind (0|2)? 2
---@return string
function M.escape_uri(text, kind)
  return percent.encode(text == nil and "" or tostring(text), BYTES[kind or 2]
    or error(("\"type\" %s out of range"):format(tostring(kind)), 2))
end

---@param text any
---@return string
function M.unescape_uri(text)
  return percent.decode_leniently((tostring(text == nil and "" or text):gsub("+", " ")))
end

-- What an argument is in a query; nil: nothing.
local function argument(key, value)
  if value == true then
    return M.escape_uri(key)
  elseif type(value) == "string" or type(value) == "number" then
    return M.escape_uri(key) .. "=" .. M.escape_uri(value)
  elseif value then
    error(("attempt to use %s as query arg value"):format(type(value)), 3)
  end
end

---@param arguments table<string, string|number|boolean|(string|number|boolean)[]>
---@return string query
function M.encode_args(arguments)
  if type(arguments) ~= "table" then
    error(("bad argument #1 to 'encode_args' (table expected, got %s)"):format(type(arguments)), 2)
  end
  local pieces = {}
  for key, value in each(arguments) do
    if type(value) == "table" then
      for _, one in ipairs(value) do
        pieces[#pieces + 1] = argument(key, one)
      end
    else
      pieces[#pieces + 1] = argument(key, value)
    end
  end
  return table.concat(pieces, "&")
end

local function add(arguments, key, value)
  local before = arguments[key]
  if before == nil then
    arguments[key] = value
  elseif type(before) == "table" then
    before[#before + 1] = value
  else
    arguments[key] = { before, value }
  end
end

---@param query string
---@param max integer? 0: any number; 100
---@return table<string, string|true|(string|true)[]> arguments
---@return string? err "truncated": there are more
function M.decode_args(query, max)
  local arguments, n = {}, 0
  max = max or ARGUMENTS
  for piece in query:gmatch "[^&]+" do
    local key, value = piece:match "^([^=]*)=(.*)$"
    key = M.unescape_uri(key or piece)
    if key ~= "" then
      if n == max and max > 0 then
        return arguments, "truncated"
      end
      n = n + 1
      add(arguments, key, value and M.unescape_uri(value) or true)
    end
  end
  return arguments
end

local SQL = {
  ["\0"] = "\\0", ["\n"] = "\\n", ["\r"] = "\\r", ["\\"] = "\\\\", ["'"] = "\\'", ['"'] = '\\"', ["\26"] = "\\Z",
  ["\b"] = "\\b", ["\t"] = "\\t",
}

---A literal for MySQL, with its quotes.
---@param text string
---@return string
function M.quote_sql_str(text)
  return "'" .. tostring(text):gsub("[%z\b\t\n\r\\'\"\26]", SQL) .. "'"
end

return M
