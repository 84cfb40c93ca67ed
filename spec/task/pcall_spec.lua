local momo = require "momo"

local function pack(...)
  return { n = select("#", ...), ... }
end

describe("a cancellation", function()
  local function cancellation_of(...)
    local reason = pack(...)
    return momo.run(function()
      local task = momo.spawn(momo.time.sleep, math.huge)
      task:cancel(unpack(reason, 1, reason.n))
      return select(2, task:join())
    end)
  end

  it("prints its reason, which may be anything", function()
    assert.equal("cancelled", tostring(cancellation_of()))
    assert.equal("cancelled: timeout", tostring(cancellation_of "timeout"))
    assert.equal("cancelled: 42", tostring(cancellation_of(42)))
    assert.equal("cancelled: false", tostring(cancellation_of(false)))
    local reason = setmetatable({}, { __tostring = function() return "an object" end })
    local err = cancellation_of(reason)
    assert.equal("cancelled: an object", tostring(err))
    assert.equal(reason, err.reason)
  end)

  it("is told from other errors by is_cancelled", function()
    assert.is_true(momo.is_cancelled(cancellation_of "x"))
    assert.equal(momo.Cancelled, getmetatable(cancellation_of()))
    local locked = setmetatable({}, { __metatable = false })
    for _, err in ipairs { "cancelled", "cancelled: x", 1, true, {}, print, locked } do
      assert.is_false(momo.is_cancelled(err))
    end
    assert.is_false(momo.is_cancelled(nil))
  end)
end)

describe("momo.pcall", function()
  it("catches every other error, and returns as pcall does", function()
    local object = setmetatable({}, { __metatable = "locked" })
    assert.same(pack(true, 1, nil, 3, nil), pack(momo.pcall(function(...) return ... end, 1, nil, 3, nil)))
    assert.same(pack(false, "x"), pack(momo.pcall(error, "x", 0)))
    assert.same(pack(false, nil), pack(momo.pcall(error)))
    assert.is_true(rawequal(object, select(2, momo.pcall(error, object))))
    assert.is_false((momo.pcall(nil)))
  end)

  it("lets a cancellation through", function()
    momo.run(function()
      local reached = "sleep"
      local task = momo.spawn(function()
        momo.pcall(function()
          momo.pcall(momo.time.sleep, math.huge)
          reached = "within"
        end)
        reached = "behind"
      end)
      momo.yield_now()
      task:cancel "through"
      local ok, err = task:join()
      assert.same({ false, "cancelled: through", "sleep" }, { ok, tostring(err), reached })
    end)
  end)
end)
