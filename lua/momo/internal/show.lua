---Values of a user's as text, for messages: whatever their __tostring does, this never fails.

local M = {}

local FIELDS_MAX = 16
local after = next -- by another name, as in momo.internal.each

local function plain(value)
  local kind = type(value)
  if kind == "string" then
    return ("%q"):format(value)
  elseif kind == "number" or kind == "boolean" then
    return tostring(value)
  end
  return kind
end

---{ 1, 2, code = "EIO", name = table }: names in alphabetical order.
local function fields(value)
  local n, names, texts = #value, {}, {}
  for name in after, value do
    if type(name) == "string" then
      names[#names + 1] = name
    end
  end
  table.sort(names)
  for i = 1, math.min(n, FIELDS_MAX) do
    texts[i] = plain(rawget(value, i))
  end
  for i = 1, math.min(#names, FIELDS_MAX - #texts) do
    texts[#texts + 1] = names[i] .. " = " .. plain(rawget(value, names[i]))
  end
  local left = n + #names - #texts
  return "{ " .. table.concat(texts, ", ") .. (left > 0 and (", and %d more"):format(left) or "") .. " }"
end

---@param value any such as an error, or the reason of a cancellation
---@return string text what tostring gives; of a table without a __tostring, its fields
function M.text(value)
  local metatable = debug.getmetatable(value)
  if type(value) == "table" and not (type(metatable) == "table" and rawget(metatable, "__tostring")) then
    return next(value) ~= nil and fields(value) or tostring(value)
  end
  local ok, text = pcall(tostring, value)
  if ok and type(text) == "string" then
    return text
  end
  return "(error object whose __tostring failed)"
end

return M
