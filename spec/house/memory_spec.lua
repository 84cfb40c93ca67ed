-- Every allocation of the core fails in turn, and many of Lua's: whatever a thread does, it hears of it cleanly, it
-- goes on, and nothing is left behind (spec/support/memory_session.lua). For sanitizers' builds, which have the hook.

local support = require "spec.support"

local SANITIZE = os.getenv "MOMO_SANITIZE"

if (SANITIZE or "") == "" then
  return
end

-- One of so many allocations of Lua's fails, each time another one: there are thousands.
local STEPS = { core = 1, lua = 23, start = 53 }

describe("an allocation that fails", function()
  for kind, what in pairs {
    core = "in the core",
    lua = "in Lua, while a thread runs,",
    start = "in Lua, while a thread starts,",
  } do
    it(what .. " is told cleanly, and nothing is left behind", function()
      local status, out, err = support.momo("spec/support/memory_session.lua", kind, tostring(math.random(STEPS[kind])),
        tostring(STEPS[kind]))
      assert.equal("done\n", out, err)
      assert.equal(0, status, err)
    end)
  end

  it("while a scope is cancelled leaves nothing of that cancellation to those that come later", function()
    local status, out, err = support.momo("spec/support/cancel_session.lua")
    assert.equal("true\ttrue\n", out, err)
    assert.equal(0, status, err)
  end)
end)
