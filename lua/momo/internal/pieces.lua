---What is written: a string, a number, or an array of these, its pieces.

local native = require("momo.internal.core").native

local M = {}

---How many bytes it is; throws what is wrong with it.
---@type fun(data: any, name: string, of: string, what: string): bytes: integer
M.size = native.pieces_size

---Its pieces between two others.
---@param before string? nil: none
---@param data string|number|(string|number)[] whose size is known
---@param behind string?
---@return (string|number)[] pieces
function M.between(before, data, behind)
  local pieces = { before }
  if type(data) ~= "table" then
    pieces[#pieces + 1] = data
  else
    local n = #pieces
    for i = 1, #data do
      pieces[n + i] = data[i]
    end
  end
  pieces[#pieces + 1] = behind
  return pieces
end

return M
