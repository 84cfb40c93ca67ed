---Lists of names, as fields such as Connection have them.

local M = {}

---Whether a list has this token.
---@param list string? the value of a field
---@param token string in lower case
---@return boolean
function M.has(list, token)
  for each in (list or ""):gmatch "[^,]+" do
    if each:match "^%s*(.-)%s*$":lower() == token then
      return true
    end
  end
  return false
end

return M
