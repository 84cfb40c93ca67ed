-- What random trees of scopes, timeouts, shields, failures and cancellations must always keep:
-- spec/support/tree.lua has how.
-- MOMO_SEED=N runs the tree of one seed alone, and prints what happens in it.

local tree = require "spec.support.tree"

local SANITIZED = (os.getenv "MOMO_SANITIZE" or "") ~= ""
local ONE_SEED = tonumber(os.getenv "MOMO_SEED")
local SEEDS = SANITIZED and 3000 or 10000

-- The first line in which two traces differ, both ways.
local function difference(a, b)
  local next_line = b:gmatch "[^\n]+"
  for line in a:gmatch "[^\n]+" do
    local other = next_line()
    if line ~= other then
      return line .. " <> " .. tostring(other)
    end
  end
  return "<> " .. tostring((next_line()))
end

describe("random trees of tasks", function()
  if ONE_SEED then
    return it("of seed " .. ONE_SEED, function()
      local trace, _, problems = tree.run(ONE_SEED)
      print(trace)
      assert.equal(0, problems)
    end)
  end

  it(("keep every promise, %d seeds"):format(SEEDS), function()
    local total, broken = {}, {}
    for seed = 1, SEEDS do
      local trace, counts, problems = tree.run(seed)
      for what, n in pairs(counts) do total[what] = (total[what] or 0) + n end
      if problems > 0 then
        local first = trace:match "[^\n]*WRONG[^\n]*"
        broken[#broken + 1] = ("MOMO_SEED=%d ./dev test release tree_spec -V   # %s"):format(seed, first)
      end
      if #broken == 10 then break end
    end
    assert(#broken == 0, table.concat(broken, "\n"))
    for _, what in ipairs { "scope", "failed scope", "cancelled scope", "cancelled", "timeout", "exact timeout",
      "deferred", "stop" } do
      assert(total[what] and total[what] > SEEDS / 100, what .. " was hardly ever met: " .. tostring(total[what]))
    end
  end)

  it("are the same for the same seed", function()
    local previous
    for seed = 1, 300 do
      local first, again = tree.run(seed), tree.run(seed)
      assert(first == again, "seed " .. seed .. " gave two traces: " .. difference(first, again))
      assert.is_false(first == previous)
      previous = first
    end
  end)
end)
