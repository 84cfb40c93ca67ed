---What is written: a string, a number, or an array of these, its pieces. And what is read until there is all of it.

local native = require("momo.internal.core").native

local M = {}

local RUN = 1024 -- pieces that are joined to one

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

---Adds what has come to an array that is to be joined. However small the pieces are that the other end chooses, the
---array takes little more memory than what they hold.
---@param gathered string[]
---@param text string
function M.gather(gathered, text)
  if text == "" then
    return
  end
  local n, run = #gathered + 1, (gathered.run or 0) + 1
  gathered[n] = text
  if run == RUN then
    local first = n - RUN + 1
    gathered[first] = table.concat(gathered, "", first)
    for i = n, first + 1, -1 do
      gathered[i] = nil
    end
    run = 0
  end
  gathered.run = run
end

return M
