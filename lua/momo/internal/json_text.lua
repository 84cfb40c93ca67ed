---Strings as JSON has them.

local M = {}

local ESCAPES = { ["\n"] = "\\n", ["\r"] = "\\r", ["\t"] = "\\t", ["\""] = "\\\"", ["\\"] = "\\\\" }

---@param char string a control character, a quote or a backslash
---@return string
function M.escape(char)
  return ESCAPES[char] or ("\\u%04x"):format(char:byte())
end

-- What is left of a string once the well-formed characters of UTF-8 are taken out of it is no UTF-8.
local PATTERNS = { "[\194-\223][\128-\191]", "\224[\160-\191][\128-\191]", "[\225-\236\238\239][\128-\191][\128-\191]",
  "\237[\128-\159][\128-\191]", "\240[\144-\191][\128-\191][\128-\191]", "[\241-\243][\128-\191][\128-\191][\128-\191]",
  "\244[\128-\143][\128-\191][\128-\191]" }

---@param text string
---@return string text in which what is no UTF-8 is replaced
function M.well_formed(text)
  if not text:find "[\128-\255]" then
    return text
  end
  local parts, at, length = {}, 1, #text
  while at <= length do
    local plain = text:match("^[%z\1-\127]+", at)
    for i = 1, plain and 0 or #PATTERNS do
      plain = plain or text:match("^" .. PATTERNS[i], at)
    end
    parts[#parts + 1] = plain or "\239\191\189"
    at = at + (plain and #plain or 1)
  end
  return table.concat(parts)
end

---@param text string what is no UTF-8 in it is replaced
---@return string
function M.string(text)
  return '"' .. M.well_formed(text):gsub('[%c"\\]', M.escape) .. '"'
end

return M
