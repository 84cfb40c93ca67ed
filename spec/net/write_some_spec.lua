local momo = require "momo"
local tcp = require "spec.support.tcp"
local tls = require "spec.support.tls"

local assert_failed, pair, run, waiting = tcp.assert_failed, tcp.pair, tcp.run, tcp.waiting

local HUGE = ("0123456789abcde\n"):rep(2 * 1024 * 1024) -- more than the system buffers

-- Writes parts until nothing more is taken for a while, as what is not read may still be received: how many bytes were.
local function fill(stream)
  local sent = 0
  while true do
    local n, _, code = stream:write_some(HUGE, sent + 1, 0.05)
    if not n then
      assert.equal("ETIMEDOUT", code)
      return sent
    end
    sent = sent + n
  end
end

for name, connected in pairs { ["a stream"] = pair, ["a stream of TLS"] = tls.pair } do
  describe("write_some of " .. name, function()
    after_each(tcp.check_nothing_left)

    it("says how much was sent, and the rest may follow", function()
      run(function()
        local one, other = connected()
        local reader = momo.spawn(function() return other:read_exact(#HUGE) == HUGE end)
        local sent, parts = 0, 0
        while sent < #HUGE do
          sent, parts = sent + assert(one:write_some(HUGE, sent + 1)), parts + 1
        end
        one:write "" -- what is left of it in the stream
        assert.equal(#HUGE, sent)
        assert.is_true(parts > 1)
        assert.same({ true, true }, { reader:join() })
        assert.equal(0, one:write_some "")
        assert.equal(0, one:write_some("abc", 4))
        assert.equal(1, one:write_some("abc", 3))
        assert.equal("c", other:read())
        one:close()
        other:close()
      end)
    end)

    it("has sent nothing when it is given up, and the stream goes on", function()
      run(function()
        local one, other = connected()
        local sent = fill(one)
        assert_failed("ETIMEDOUT", one:write_some("never", nil, 0.005))
        one:set_timeout(0.005)
        assert_failed("ETIMEDOUT", one:write_some "never")
        one:set_timeout(nil)
        local cancelled = waiting(one.write_some, one, "never")
        cancelled:cancel()
        assert.is_false(cancelled:join())
        local writer = waiting(one.write, one, "|the end")
        assert.is_true(other:read_exact(sent) == HUGE:sub(1, sent))
        assert.equal("|the end", other:read_exact(8))
        assert.same({ true, 8 }, { writer:join() })
        one:close()
        other:close()
      end)
    end)

    it("waits for its turn, behind a write and before the next one", function()
      run(function()
        local one, other = connected()
        waiting(one.write, one, HUGE)
        local second, third = waiting(one.write_some, one, "second"), waiting(one.write, one, "third")
        assert.is_true(other:read_exact(#HUGE) == HUGE)
        assert.equal("secondthird", other:read_exact(11))
        assert.same({ true, 6 }, { second:join() })
        assert.same({ true, 5 }, { third:join() })
        one:close()
        other:close()
      end)
    end)

    it("fails behind a write that was cut short, and after a shutdown", function()
      run(function()
        local one, other = connected()
        assert_failed("ETIMEDOUT", one:write(HUGE, 0.005))
        assert_failed("EPIPE", one:write_some "more")
        assert.is_true(other:shutdown())
        assert_failed("EPIPE", other:write_some "more")
        one:close()
        other:close()
        assert_failed("EBADF", one:write_some "more")
      end)
    end)

    it("hears of a close while it waits", function()
      run(function()
        local one, other = connected()
        fill(one)
        local writer = waiting(one.write_some, one, "never")
        one:close()
        assert.same({ true, nil, "ECANCELED: operation canceled", "ECANCELED" }, { writer:join() })
        other:close()
      end)
    end)
  end)
end
