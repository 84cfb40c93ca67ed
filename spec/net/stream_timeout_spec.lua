local momo = require "momo"
local tcp = require "spec.support.tcp"

local assert_failed, pair, run = tcp.assert_failed, tcp.pair, tcp.run

local HUGE = ("x"):rep(32 * 1024 * 1024) -- more than the system buffers

-- Each calls its operation with a timeout, and what it returns once "be" and "gun\n" have come.
local reads = {
  read = { function(stream, timeout) return stream:read(nil, timeout) end, "begun\n" },
  read_exact = { function(stream, timeout) return stream:read_exact(6, timeout) end, "begun\n", true },
  read_until = { function(stream, timeout) return stream:read_until("\n", nil, timeout) end, "begun\n", true },
  peek = { function(stream, timeout) return stream:peek(6, timeout) end, "begun\n", true },
  peek_ptr = { function(stream, timeout) return select(2, stream:peek_ptr(6, timeout)) end, 6, true },
}

describe("a timeout of one call", function()
  after_each(tcp.check_nothing_left)

  for name, row in pairs(reads) do
    local read, whole, waits_for_all = unpack(row)

    it("of " .. name .. " is over at its time, and no byte is lost", function()
      run(function()
        local one, other = pair()
        one:set_timeout(60)
        if waits_for_all then
          other:write "be"
        end
        local begun = momo.time.now()
        local result = { read(one, 0.02) }
        assert.equal("ETIMEDOUT", result[#result])
        assert.is_true(momo.time.now() - begun >= 0.02)
        other:write(waits_for_all and "gun\n" or "begun\n")
        assert.equal(whole, (read(one)))
        one:close()
        other:close()
      end)
    end)

    it("of " .. name .. " stands in for the stream's own, for this call", function()
      run(function()
        local one, other = pair()
        one:set_timeout(0)
        momo.spawn(function()
          tcp.settle()
          other:write "begun\n"
        end)
        assert.equal(whole, (read(one, 60)))
        one:read()
        local result = { read(one) }
        assert.equal("ETIMEDOUT", result[#result])
        one:close()
        other:close()
      end)
    end)

    it("of " .. name .. " that is 0 only tries", function()
      run(function()
        local one, other = pair()
        local result = { read(one, 0) }
        assert.equal("ETIMEDOUT", result[#result])
        other:write "begun\n"
        tcp.settle()
        assert.equal(whole, (read(one, 0)))
        one:close()
        other:close()
      end)
    end)
  end

  it("of write is over at its time, and stands in for the stream's own", function()
    run(function()
      local one, other = pair()
      one:set_timeout(0)
      local writer = momo.spawn(function() return one:write(HUGE, 60) end)
      assert.is_true(other:read_exact(#HUGE) == HUGE)
      assert.equal(#HUGE, select(2, writer:join()))
      one:set_timeout(60)
      assert_failed("ETIMEDOUT", one:write({ HUGE, HUGE }, 0.02))
      assert_failed("EPIPE", one:write "behind an unknown part")
      one:close()
      other:close()
    end)
  end)

  it("of write counts while others write", function()
    run(function()
      local one, other = pair()
      local first = tcp.waiting(one.write, one, HUGE)
      assert_failed("ETIMEDOUT", one:write("second", 0.01))
      assert_failed("ETIMEDOUT", one:write("third", 0))
      assert.is_true(other:read_exact(#HUGE) == HUGE)
      assert.is_true(first:join())
      assert.equal(6, one:write "fourth")
      assert.equal("fourth", other:read())
      one:close()
      other:close()
    end)
  end)
end)
