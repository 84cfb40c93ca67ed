-- Values in batches, of channels of both kinds.

local momo = require "momo"
local tcp = require "spec.support.tcp"

local assert_failed, run, waiting = tcp.assert_failed, tcp.run, tcp.waiting

for kind, channel in pairs { ["of one thread"] = momo.sync.channel, ["between threads"] = momo.thread.channel } do
  describe("recv_many of a channel " .. kind, function()
    after_each(tcp.check_nothing_left)

    it("takes what is there, in order, and at most so much", function()
      run(function()
        local tx, rx = channel(16)
        for _, value in ipairs { 1, "two", { 3 }, false, 5 } do tx:send(value) end
        assert.same({ 1, "two" }, rx:recv_many(2))
        assert.same({ { 3 } }, rx:recv_many(1))
        assert.same({ false, 5 }, rx:recv_many(100))
        assert_failed("ETIMEDOUT", rx:recv_many(100, 0))
        assert_failed("ETIMEDOUT", rx:recv_many(100, 0.001))
        tx:send "last"
        tx:close()
        assert.same({ "last" }, rx:recv_many(100))
        assert_failed("EOF", rx:recv_many(100))
        rx:close()
        assert_failed("EBADF", rx:recv_many(100))
      end)
    end)

    it("waits for the first value only", function()
      run(function()
        local tx, rx = channel(16)
        local receiver = waiting(rx.recv_many, rx, 3)
        tx:send "a"
        assert.same({ true, { "a" } }, { receiver:join() })
        tx:close()
        rx:close()
      end)
    end)

    it("lets the senders go on whose places it has freed", function()
      run(function()
        local tx, rx = channel(2)
        local sent = 0
        momo.spawn(function()
          for i = 1, 6 do
            tx:send(i)
            sent = i
          end
          tx:close()
        end)
        local seen = {}
        while true do
          local values = rx:recv_many(4)
          if not values then break end
          for _, value in ipairs(values) do seen[#seen + 1] = value end
        end
        assert.same({ 1, 2, 3, 4, 5, 6 }, seen)
        assert.equal(6, sent)
        rx:close()
      end)
    end)

    it("loses nothing when its task is cancelled", function()
      run(function()
        local tx, rx = channel(8)
        local got, after
        local task = waiting(function()
          got = rx:recv_many(8)
          after = { pcall(momo.yield_now) }
        end)
        tx:send { "a" }
        tx:send { "b" }
        task:cancel() -- it was woken, and keeps what it was woken for
        task:join()
        local rest = got and #got or 0
        while rx:recv(0) do rest = rest + 1 end
        assert.equal(2, rest)
        assert.is_true(not got or after[1] == false)
        tx:close()
        rx:close()
      end)
    end)

    it("says what is wrong with a call", function()
      run(function()
        local tx, rx = channel(1)
        for _, max in ipairs { 0, -1, 1.5, "1" } do
          local _, err = pcall(rx.recv_many, rx, max)
          assert.matches("recv_many: argument 1 must be a whole number from 1", err, 1, true)
        end
        assert.matches("recv_many: argument 1 must be", select(2, pcall(rx.recv_many, rx)), 1, true)
        assert.matches("recv_many: the timeout must be", select(2, pcall(rx.recv_many, rx, 1, -1)), 1, true)
        assert.matches("recv_many: call it with a colon", select(2, pcall(rx.recv_many)), 1, true)
        tx:close()
        rx:close()
      end)
    end)
  end)
end

describe("recv_many", function()
  it("leaves a value for each who was woken before", function()
    run(function()
      local tx, rx = momo.sync.channel(4)
      local first = waiting(rx.recv, rx)
      tx:send(1)
      tx:send(2)
      tx:send(3)
      assert.same({ 1, 2 }, rx:recv_many(3, 0))
      assert.same({ true, 3 }, { first:join() })
    end)
  end)
end)
