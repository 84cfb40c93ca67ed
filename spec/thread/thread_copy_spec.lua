local momo = require "momo"
local tcp = require "spec.support.tcp"

local run = tcp.run

describe("a thread gets copies of", function()
  after_each(tcp.check_nothing_left)

  local function echo(...)
    local thread = assert(momo.thread.spawn(function(...) return ... end, ...))
    return select(2, thread:join())
  end

  it("plain values, nils at any place too", function()
    run(function()
      assert.equal(0, select("#", echo()))
      local values = { nil, true, nil, false, 0, -1.5, 2 ^ 53, math.huge, -math.huge, "", "a\0b", nil }
      assert.equal(12, select("#", echo(unpack(values, 1, 12))))
      assert.same(values, { echo(unpack(values, 1, 12)) })
      local nan, zero = echo(0 / 0, -0)
      assert.is_true(nan ~= nan)
      assert.equal(1 / -0, 1 / zero)
      local big = ("x"):rep(1024 * 1024)
      assert.is_true(echo(big) == big)
    end)
  end)

  it("tables in tables, with any plain keys", function()
    run(function()
      local value = { 1, { 2, { 3 } }, {}, text = { [true] = 1, [2.5] = "x", [-1] = { deep = {} } }, [10] = "hole" }
      local copy = echo(value)
      assert.same(value, copy)
      assert.are_not.equal(value, copy)
      local keyed = echo { [{ 7 }] = "keyed by a table" }
      assert.same({ 7 }, (next(keyed)))
    end)
  end)

  it("tables that are shared or contain themselves, as such", function()
    run(function()
      local shared, cycle = { "shared" }, {}
      cycle.self, cycle.list, cycle[cycle] = cycle, { cycle }, true
      local a, b, c, list = echo(shared, shared, cycle, { shared, { shared } })
      assert.equal(a, b)
      assert.same({ "shared" }, a)
      assert.equal(a, list[1])
      assert.equal(a, list[2][1])
      assert.equal(c, c.self)
      assert.equal(c, c.list[1])
      assert.is_true(c[c])
    end)
  end)

  it("tables without their metatables", function()
    run(function()
      local copy = echo(setmetatable({ x = 1 }, { __index = { y = 2 } }))
      assert.is_nil(getmetatable(copy))
      assert.same({ x = 1 }, copy)
    end)
  end)

  it("thousands of values", function()
    run(function()
      local list = {}
      for i = 1, 20000 do
        list[i] = { i, tostring(i) }
      end
      assert.same(list, (echo(list)))
    end)
  end)
end)
