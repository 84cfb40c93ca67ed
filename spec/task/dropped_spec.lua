-- Objects whose last reference is dropped while their operation is under way: it goes on, and nothing is left. In
-- builds for a sanitizer, the momo command has its Lua state on malloc, so that ASan sees what is touched too late.

local momo = require "momo"
local dropped = require "spec.support.dropped"
local support = require "spec.support"
local tcp = require "spec.support.tcp"

local run, pair, waiting, collect = tcp.run, tcp.pair, tcp.waiting, dropped.collect
local MUCH = ("x"):rep(16 * 1024 * 1024) -- more than two sockets hold

describe("a stream that is dropped while its operation is under way", function()
  it("stays as long as the operation", function()
    run(function()
      local kept = {}
      for name, operation in pairs {
        read = function(stream) return stream:read_exact(4) end,
        peek = function(stream) return stream:peek(4) end,
        line = function(stream) return stream:read_until "!" end,
        copy = function(stream) return momo.io.copy(stream, (momo.net.UnixStream.pair())) end,
      } do
        local one, other = pair()
        kept[name] = { peer = one, task = waiting(function(stream) return operation(stream) end, other) }
      end
      collect()
      for name, each in pairs(kept) do
        each.peer:write "abc"
        collect()
        each.peer:write "!"
        each.peer:shutdown()
        local ok, result, err = each.task:join()
        assert.is_true(ok)
        assert.truthy(result == (name == "copy" and 4 or "abc!") or err, err)
      end
    end)
    tcp.check_nothing_left()
  end)

  it("keeps the strings that it writes", function()
    run(function()
      local one, other = pair()
      local task = waiting(function(stream)
        local pieces = {}
        for i = 1, 1000 do
          pieces[i] = ("%07d\n"):format(i):rep(2000)
        end
        return stream:write(pieces)
      end, one)
      one = nil -- luacheck: ignore
      for i = 1, 1000 do
        if i % 100 == 1 then
          collect()
        end
        assert(other:read_exact(16000) == ("%07d\n"):format(i):rep(2000))
      end
      assert.same({ true, 16000000 }, { task:join() })
    end)
    tcp.check_nothing_left()
  end)

  it("and given up is closed by the collector", function()
    run(function()
      for _ = 1, 10 do
        local one, other = pair()
        momo.spawn(momo.io.copy, one, other)
        momo.spawn(one.write, one, MUCH)
        momo.spawn(other.read, other)
      end
      tcp.settle()
      momo.stop()
    end)
    tcp.check_nothing_left()
  end)
end)

describe("dropped while its operation is under way,", function()
  after_each(tcp.check_nothing_left)

  for name, start in pairs(dropped.operations) do
    it(name .. " stays as long as that", function()
      run(function() dropped.finish(start) end)
    end)

    it(name .. " is given up with it", function()
      run(function()
        dropped.cancel(start)
        momo.stop()
      end)
    end)
  end

  it("all of them are given up at once", function()
    run(dropped.stop)
  end)

  it("all of that goes well in a Lua state on malloc", function()
    local status, out, err = support.momo("-e", [[
      local dropped = require "spec.support.dropped"
      for _, start in pairs(dropped.operations) do
        dropped.finish(start)
      end
      for _, start in pairs(dropped.operations) do
        dropped.cancel(start)
      end
      dropped.stop()
    ]])
    assert.same({ 0, "", "" }, { status, out, err })
  end)
end)
