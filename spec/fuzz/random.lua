---Random numbers from 1 on: a seed makes a sequence, and that of the next seed is not like it.

local numbers = require "spec.support.random"

---@param seed integer
---@return fun(n: integer): integer random a whole number from 1 to n
return function(seed)
  local random = numbers.of(seed)
  for _ = 1, 3 do random(1) end
  return function(n)
    return random(n) + 1
  end
end
