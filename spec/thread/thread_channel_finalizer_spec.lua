-- What a finalizer may do to channels while an operation of theirs allocates, and errors that come out of one.

local momo = require "momo"
local finalizer = require "spec.support.finalizer"
local tcp = require "spec.support.tcp"

local channel, garbage = momo.thread.channel, finalizer.garbage

describe("a finalizer that is called in an operation", function()
  after_each(tcp.check_nothing_left)
  after_each(finalizer.restore)

  it("may close an end that is just being sent: nothing is sent, and no end given away", function()
    tcp.run(function()
      local tx, rx = channel(2)
      local kept_tx, kept_rx = channel(1)
      local other_tx, other_rx = channel(1)
      local value = { kept_tx, other_tx }
      for i = 3, 40 do
        value[i] = ("x"):rep(1e6)
      end
      local called
      garbage(function()
        called = true
        other_tx:close()
      end)
      local ok, err = pcall(tx.send, tx, value)
      assert.is_true(called, "the finalizer was not called")
      assert.is_false(ok)
      assert.matches("send: value holds an end of a channel that was closed meanwhile", err, 1, true)
      tcp.assert_failed("ETIMEDOUT", rx:recv(0))
      tcp.assert_failed("EOF", other_rx:recv())
      assert.is_true(kept_tx:send "still mine")
      assert.equal("still mine", kept_rx:recv())
    end)
  end)

  it("may close the channel that is sent through", function()
    tcp.run(function()
      local tx, rx = channel(2)
      local arm = garbage(function() tx:close() end)
      local value = { {} }
      arm()
      tcp.assert_failed("EBADF", tx:send(value))
      tcp.assert_failed("EOF", rx:recv())
    end)
  end)

  it("may close a receiver that select is about to look at", function()
    tcp.run(function()
      local _, rx = channel(1)
      local entries = { rx }
      local arm = garbage(function() rx:close() end)
      arm()
      local index, value, _, code = momo.select(entries)
      assert.same({ 1, nil, "EBADF" }, { index, value, code })
    end)
  end)

  it("may close the receiver whose message is being received; the message is complete", function()
    tcp.run(function()
      for _, sent in ipairs { { 1, { 2 }, "three" }, "text" } do
        local tx, rx = channel(1)
        tx:send(sent)
        local arm = garbage(function() rx:close() end)
        arm()
        local value = rx:recv()
        assert.same(sent, value)
        tcp.assert_failed("EBADF", rx:recv())
        momo.time.sleep(0.001)
        tcp.assert_failed("EPIPE", tx:send(1))
      end
    end)
  end)

  it("can't receive the message that is being received, and may close both ends all the same", function()
    tcp.run(function()
      local tx, rx = channel(2)
      tx:send { 1 }
      tx:send(2)
      local ok, err
      local arm = garbage(function()
        ok, err = pcall(rx.recv, rx)
        tx:close()
        rx:close()
      end)
      arm()
      local value = rx:recv()
      assert.same({ 1 }, value)
      assert.is_false(ok)
      assert.matches("can't suspend", err, 1, true)
      tcp.assert_failed("EBADF", rx:recv())
    end)
  end)

  it("may close the sender of the message that is being received", function()
    tcp.run(function()
      local tx, rx = channel(2)
      tx:send { 1 }
      tx:send { 2 }
      local arm = garbage(function() tx:close() end)
      arm()
      local value = rx:recv()
      assert.same({ 1 }, value)
      assert.same({ 2 }, (rx:recv()))
      tcp.assert_failed("EOF", rx:recv())
    end)
  end)

  -- Some versions of LuaJIT let the error out of the operation that allocated, others drop it: both are fine here.
  it("and fails, loses no message: the next task in the queue gets it", function()
    tcp.run(function()
      local tx, rx = channel(4)
      local got, failed = {}, {}
      for i = 1, 3 do
        momo.spawn(function()
          local ok, value = pcall(rx.recv, rx)
          if ok then
            got[#got + 1] = value[1]
          else
            failed[#failed + 1] = i
          end
        end)
      end
      momo.yield_now()
      local one, two, three = { "one" }, { "two" }, { "three" }
      assert(tx:send(one) and tx:send(two) and tx:send(three))
      local arm = garbage(function() error "in a finalizer" end)
      arm()
      momo.yield_now()
      momo.yield_now()
      tcp.wait_for(function() return #got + #failed == 3 end)
      for i = 1, #failed do
        got[#got + 1] = assert(rx:recv(0))[1]
        assert.equal(1, i)
      end
      assert.same({ "one", "two", "three" }, got)
    end)
  end)

  it("and fails, keeps no place of the channel", function()
    tcp.run(function()
      local tx, rx = channel(1)
      assert(tx:send(1))
      local value, results = { "table" }, {}
      local first = momo.spawn(function()
        results.first = pcall(tx.send, tx, value)
        if not results.first then
          results.first = tx:send { "again" }
        end
      end)
      local second = momo.spawn(function() results.second = tx:send { "second" } end)
      momo.yield_now()
      local arm = garbage(function() error "in a finalizer" end)
      arm()
      local zero = rx:recv()
      for _ = 1, 10 do
        momo.yield_now()
      end
      assert.equal(1, zero)
      local one, two = rx:recv()[1], rx:recv()[1]
      first:join()
      second:join()
      assert.same({ first = true, second = true }, results)
      assert(one == "second" or two == "second")
    end)
  end)
end)

describe("a channel between threads whose receiver is closed", function()
  it("may still have its sender cloned, and the clones closed", function()
    tcp.run(function()
      local tx, rx = channel(1)
      rx:close()
      for _ = 1, 3 do
        local one, two = tx:clone(), tx:clone()
        one:close()
        tcp.assert_failed("EPIPE", two:send(1))
        two:close()
      end
      local last = tx:clone()
      tx:close()
      tcp.assert_failed("EPIPE", last:clone():send(1))
    end)
  end)
end)
