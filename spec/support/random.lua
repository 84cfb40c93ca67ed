---Pseudo-random input for specs: the same for the same seed, on every machine.

local M = {}

---@param seed integer
---@return fun(n: integer): integer random a whole number from 0 to n - 1
function M.of(seed)
  local state = seed % 2147483647 + 1
  return function(n)
    state = state * 48271 % 2147483647
    return math.floor(state / 2147483647 * n)
  end
end

---@param random fun(n: integer): integer
---@param list any[]
---@return any one of them
function M.pick(random, list)
  return list[1 + random(#list)]
end

---@param random fun(n: integer): integer
---@param pieces string[]
---@param max integer
---@return string up to max of them, one behind the other
function M.text(random, pieces, max)
  local text = {}
  for i = 1, random(max + 1) do
    text[i] = M.pick(random, pieces)
  end
  return table.concat(text)
end

return M
