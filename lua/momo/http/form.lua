---Names and values as queries and forms hold them: application/x-www-form-urlencoded.

local check = require "momo.internal.check"
local percent = require "momo.http.percent"
local each = require "momo.internal.each"

local M = {}

---Adds a value that came from outside. A name holds its first value, and name .. "[]" an array of all: so each key
---has one type, whatever came. What is named "x[]" itself stands in that array only.
---@param args table<string, string|string[]>
---@param name string
---@param value string
function M.add(args, name, value)
  local is_list = name:sub(-2) == "[]"
  local list_name = is_list and name or name .. "[]"
  local list = args[list_name]
  if list then
    list[#list + 1] = value
  else
    args[list_name] = { value }
  end
  if not is_list and args[name] == nil then
    args[name] = value
  end
end

local function decode(text)
  return percent.decode_leniently((text:gsub("+", " ")))
end

---@param text string
---@param max integer? pairs
---@return table<string, string|string[]>? args see add
---@return string? err
---@return string? code EMSGSIZE
function M.decode(text, max)
  local args, count = {}, 0
  for pair in text:gmatch "[^&]+" do
    count = count + 1
    if max and count > max then
      return nil, ("EMSGSIZE: a form has more than %d fields"):format(max), "EMSGSIZE"
    end
    local name, value = pair:match "^([^=]*)=?(.*)$"
    M.add(args, decode(name), decode(value))
  end
  return args
end

local function encode(text)
  return (percent.encode(tostring(text), "[^%w%-._*~ ]"):gsub(" ", "+"))
end

---@param args table<string, string|number|boolean|any[]> an array is several fields of its name
---@return string text in the order of the names
function M.encode(args)
  local names, pairs_ = {}, {}
  for name in each(args) do
    names[#names + 1] = name
  end
  table.sort(names)
  for _, name in ipairs(names) do
    local value = args[name]
    local items = type(value) == "table" and value or { value }
    check.array(items, ("form: the values of %s must be an array"):format(name))
    for _, item in ipairs(items) do
      pairs_[#pairs_ + 1] = encode(name) .. "=" .. encode(item)
    end
  end
  return table.concat(pairs_, "&")
end

return M
