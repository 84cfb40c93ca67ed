---Lists of names, as fields such as Connection have them.

local M = {}

---Text without the blanks around it. One pattern for both ends would try blanks again and again, for a time that grows
---with the square of their number.
---@param text string
---@param solid string? a pattern for what is no blank; "%S"
---@return string
function M.trim(text, solid)
  solid = solid or "%S"
  local first = text:find(solid)
  return first and text:match(".*" .. solid, first) or ""
end

---Whether a list has this token.
---@param list string? the value of a field
---@param token string in lower case
---@return boolean
function M.has(list, token)
  for each in (list or ""):gmatch "[^,]+" do
    if M.trim(each):lower() == token then
      return true
    end
  end
  return false
end

return M
