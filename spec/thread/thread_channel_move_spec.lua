-- Values and ends that go from thread to thread through channels.

local ffi = require "ffi"
local momo = require "momo"
local tcp = require "spec.support.tcp"

local channel, run, failed = momo.thread.channel, tcp.run, tcp.assert_failed

local function spawn(...)
  return assert(momo.thread.spawn(...))
end

-- What came of a value that another thread has received and sent on.
local function echo(value)
  local tx, rx = channel(1)
  local back_tx, back_rx = channel(1)
  local thread = spawn(function(input, output)
    assert(output:send((assert(input:recv()))))
  end, rx, back_tx)
  assert(tx:send(value))
  local copy = assert(back_rx:recv())
  assert(thread:join())
  return copy
end

describe("a message between threads", function()
  after_each(tcp.check_nothing_left)

  it("is a plain value", function()
    run(function()
      local tx, rx = channel(20)
      for _, value in ipairs { true, false, 0, -1.5, 2 ^ 53, math.huge, "", "a\0b", ("x"):rep(300000) } do
        assert(tx:send(value))
        local got = { rx:recv() }
        assert(#got == 1 and got[1] == value)
      end
      assert(tx:send(0 / 0) and tx:send(-0) and tx:send(false) and tx:send(1))
      local nan = rx:recv()
      assert.is_true(nan ~= nan)
      assert.equal(-math.huge, 1 / rx:recv())
      assert.is_false(rx:recv())
      assert.equal(1, rx:recv())
      assert.is_true(echo "text" == "text" and echo(5) == 5)
    end)
  end)

  it("is false, and yet no failure", function()
    run(function()
      local tx, rx = channel(2)
      tx:send(false)
      local value, err = rx:recv()
      assert.is_true(value == false and err == nil)
      tx:send(false)
      assert.same({ 1, false }, { momo.select { rx } })
    end)
  end)

  it("is a 64-bit integer, alone and in tables", function()
    run(function()
      local max = 18446744073709551615ULL
      local copy = echo { -5LL, max, ffi.new("int64_t", 7), key = ffi.new("uint64_t", 8) }
      assert.is_true(copy[1] == -5LL and copy[2] == max and copy[3] == 7LL and copy.key == 8ULL)
      assert.is_true(ffi.istype("int64_t", copy[1]) and ffi.istype("uint64_t", copy[2]))
      assert.is_true(echo(max) == max)
      assert.is_true(echo(-1LL) == -1LL and ffi.istype("int64_t", echo(-1LL)))
    end)
  end)

  it("has keys of every kind that a value may have", function()
    run(function()
      local tx, rx = channel(1)
      for _, key in ipairs { 1.5, "text", false, { "table" }, -5LL, 18446744073709551615ULL, tx } do
        local copy_key, value = next(echo { [key] = "value" })
        assert.equal("value", value)
        if type(key) == "cdata" then
          assert.is_true(copy_key == key and ffi.typeof(copy_key) == ffi.typeof(key))
        elseif key == tx then
          assert(copy_key:send "through it")
          assert.equal("through it", (rx:recv()))
        else
          assert.same(key, copy_key)
        end
      end
    end)
  end)

  it("is a table: nested, shared, cyclic, without its metatable", function()
    run(function()
      local shared = { "shared" }
      local value = setmetatable({ 1, { 2, { 3 } }, one = shared, two = shared, [2.5] = true }, { __index = shared })
      value.self, value[value] = value, "itself"
      local copy = echo(value)
      assert.same({ 1, { 2, { 3 } } }, { copy[1], copy[2] })
      assert.is_true(copy.one == copy.two and copy.self == copy and copy[copy] == "itself" and copy[2.5])
      assert.is_nil(getmetatable(copy))
    end)
  end)

  it("may be nested as deep as it likes: a linked list, to and fro", function()
    run(function()
      for _, length in ipairs { 49, 50, 51, 52, 101, 1000, 100000 } do
        local list, shared = nil, { "shared" }
        for i = length, 1, -1 do
          list = { value = i, next = list, shared = i % 7 == 0 and shared or nil }
        end
        local last, n = echo(list), 0
        local first, found = last, nil
        while last do
          n = n + 1
          assert(last.value == n)
          if last.shared then
            found = found or last.shared
            assert(last.shared == found and found[1] == "shared")
          end
          last = last.next
        end
        assert.equal(length, n)
        local back = first
        for _ = 1, length - 1 do back = back.next end
        back.next = first -- a ring
        local ring = echo(first)
        for _ = 1, length do ring = ring.next end
        assert.equal(1, ring.value)
      end
    end)
  end)

  it("may have tables for keys, and ends of channels, however deep", function()
    run(function()
      local tx, rx = channel(1)
      local value = { tx, "the end" }
      for _ = 1, 300 do
        value = { [{ value }] = true, 1 }
      end
      local copy = echo { value, "behind" }
      assert.equal("behind", copy[2])
      copy = copy[1]
      for _ = 1, 300 do
        for key in pairs(copy) do
          if type(key) == "table" then copy = key[1] break end
        end
      end
      assert.equal("the end", copy[2])
      assert.is_true(copy[1]:send "through")
      assert.equal("through", rx:recv())
      copy[1]:close()
      rx:close()
    end)
  end)

  it("that can't be copied is told, however deep it lies, and sends nothing", function()
    run(function()
      local tx, rx = channel(2)
      local value = { x = print }
      for _ = 1, 120 do
        value = { a = value }
      end
      local ok, err = pcall(tx.send, tx, value)
      assert.is_false(ok)
      assert.matches("value.a.a.a", err, 1, true)
      assert.matches("is a function", err, 1, true)
      failed("ETIMEDOUT", rx:recv(0))
      tx:close()
      rx:close()
    end)
  end)

  it("that can't be copied throws, and sends nothing", function()
    run(function()
      local tx, rx = channel(2)
      local end_tx, end_rx = channel(1)
      for _, value in ipairs { print, coroutine.create(print), io.stdout, 1i, { { end_tx, print } }, momo.current() } do
        assert.is_false((pcall(tx.send, tx, value)))
      end
      failed("ETIMEDOUT", rx:recv(0))
      assert.is_true(end_tx:send "still here")
      assert.equal("still here", (end_rx:recv()))
      assert(tx:send(1, 0) and tx:send(2, 0)) -- no place was lost
      -- and where the channel is full
      local ok, err = pcall(tx.send, tx, { print })
      assert.is_false(ok)
      assert.matches("value[1] is a function", err, 1, true)
    end)
  end)
end)

describe("an end of a channel", function()
  after_each(tcp.check_nothing_left)

  it("moves with a message, alone or in tables: the giver's handle is closed", function()
    run(function()
      local tx, rx = channel(2)
      local a_tx, a_rx = channel(3)
      assert(a_tx:send "before")
      assert(tx:send(a_rx))
      failed("EBADF", a_rx:recv())
      a_rx:close() -- is the handle's only
      assert(a_tx:send "on its way")
      local clone = a_tx:clone()
      assert(tx:send { deep = { a_tx, a_tx } })
      failed("EBADF", a_tx:send(1))
      local got_rx, got = rx:recv(), rx:recv()
      assert.is_true(got.deep[1] == got.deep[2])
      assert(clone:send "from a clone")
      clone:close()
      assert.equal("before", (got_rx:recv()))
      assert.equal("on its way", (got_rx:recv()))
      assert(got.deep[1]:send "after")
      got.deep[1]:close()
      local rest = { got_rx:recv(), (got_rx:recv()) } -- of two senders: in any order
      table.sort(rest)
      assert.same({ "after", "from a clone" }, rest)
      failed("EOF", got_rx:recv())
    end)
  end)

  it("moves to a thread as an argument, and back as a result, with what is unread", function()
    run(function()
      local tx, rx = channel(10)
      for i = 1, 5 do
        assert(tx:send(i))
      end
      local thread = spawn(function(mine, list)
        assert(mine:recv() == 1 and mine:recv() == 2)
        assert(list[1]:send(6))
        return { rx = mine, tx = list[1] }
      end, rx, { tx })
      failed("EBADF", rx:recv())
      failed("EBADF", tx:send(1))
      local ok, result = thread:join()
      assert(ok, result)
      for i = 3, 6 do
        assert.equal(i, (result.rx:recv()))
      end
      failed("EBADF", select(2, thread:join()).rx:recv()) -- who joins first has it
    end)
  end)

  it("goes round many threads while it is sent through", function()
    run(function()
      local tx, rx = channel(4)
      local clone = tx:clone()
      local hops, per_hop = 20, 50
      local sender = spawn(function(mine, n)
        for i = 1, n do
          assert(mine:send(i))
        end
      end, clone, hops * per_hop)
      tx:close()
      local expected = 0
      for _ = 1, hops do
        local thread = spawn(function(mine, n)
          local list = {}
          for i = 1, n do
            list[i] = mine:recv()
          end
          return mine, list
        end, rx, per_hop)
        local ok, back, list = thread:join()
        assert(ok, back)
        for i = 1, per_hop do
          expected = expected + 1
          assert.equal(expected, list[i])
        end
        rx = back
      end
      assert(sender:join())
      failed("EOF", rx:recv())
    end)
  end)

  it("tells who waits in it, when it is given away", function()
    run(function()
      local tx, rx = channel(4)
      local a_tx, a_rx = channel(1)
      assert(a_tx:send(1))
      local sender = tcp.waiting(function() return select(3, a_tx:send(2)) end)
      local receiving_tx, receiving_rx = channel(1)
      local receiver = tcp.waiting(function() return select(3, receiving_rx:recv()) end)
      local selecting_tx, selecting_rx = channel(1)
      local selecting = tcp.waiting(function() return select(4, momo.select { selecting_rx }) end)
      assert(tx:send { a_tx, receiving_rx, selecting_rx })
      for _, task in ipairs { sender, receiver, selecting } do
        assert.same({ true, "ECANCELED" }, { task:join() })
      end
      local got = rx:recv()
      assert.equal(1, (a_rx:recv()))
      assert(got[1]:send(3, 0)) -- the place that was waited for is there
      assert(receiving_tx:send "x" and selecting_tx:send "y")
      assert.same({ "x", "y" }, { got[2]:recv(), (got[3]:recv()) })
    end)
  end)

  it("is refused through its own channel, also deep in a value, and through a clone", function()
    run(function()
      local tx, rx = channel(4)
      for _, value in ipairs { tx, rx, { { rx } } } do
        local ok, err = pcall(tx.send, tx, value)
        assert.is_false(ok)
        assert.matches("an end of this very channel; it can't be sent through it", err, 1, true)
      end
      assert.is_false((pcall(tx.send, tx:clone(), rx)))
      assert.is_true(tx:send(1) and rx:recv() == 1)
    end)
  end)

  it("a clone of the sender may be sent through its channel, and is dropped with it", function()
    run(function()
      local tx, rx = channel(4)
      assert(tx:send(tx:clone()))
      assert(tx:send(tx:clone()))
      local clone = rx:recv()
      tx:close()
      assert(clone:send "by the clone")
      rx:close() -- with a clone under way
      failed("EPIPE", clone:send(1))
    end)
  end)

  it("in messages that nobody receives is closed with them", function()
    run(function()
      local tx, rx = channel(4)
      local a_tx, a_rx = channel(1)
      local b_tx, b_rx = channel(1)
      assert(tx:send(a_tx) and tx:send { b_rx })
      rx:close()
      failed("EOF", a_rx:recv())
      failed("EPIPE", b_tx:send(1))
      -- a whole chain of channels, each under way in the next: more of them than C has stack for
      local first_tx, inner = channel(1)
      for _ = 1, 40000 do
        local outer_tx, outer_rx = channel(1)
        assert(outer_tx:send(inner))
        inner = outer_rx
      end
      inner:close()
      tcp.wait_for(function() return select(3, first_tx:send(1, 0)) == "EPIPE" end)
    end)
  end)

  it("in results that nobody joins is closed with the handle", function()
    run(function()
      local tx, rx = channel(1)
      local thread = spawn(function(mine) return mine end, tx) -- luacheck: ignore
      tcp.wait_for(function() return momo.metrics().threads == 0 end)
      failed("ETIMEDOUT", rx:recv(0))
      thread = nil -- luacheck: ignore
      collectgarbage()
      collectgarbage()
      failed("EOF", rx:recv(10))
    end)
  end)

  it("of a thread that has died is closed: nobody waits for ever", function()
    run(function()
      local deaths = {
        function(_, ready) ready:close() end,
        function(_, ready) ready:close() error "a Lua error" end,
        function(_, ready)
          ready:close()
          require("momo").stop()
        end,
        function(ends, ready)
          ready:close()
          local there = require "momo"
          there.spawn(function() ends[2]:recv() end)
          there.time.sleep(0.001)
          error { ends = "were not closed" }
        end,
        "no.such.module",
      }
      for i, death in ipairs(deaths) do
        local tx, rx = channel(1)
        local a_tx, a_rx = channel(1)
        local ready_tx, ready_rx = channel(1)
        local receiver = tcp.waiting(function() return select(3, rx:recv()) end)
        assert(a_tx:send(1))
        local sender = tcp.waiting(function() return select(3, a_tx:send(2)) end)
        local thread = spawn(death, { tx, a_rx }, ready_tx)
        local joiner = momo.spawn(thread.join, thread)
        assert.equal("EOF", select(3, ready_rx:recv()))
        joiner:join()
        assert.same({ true, "EOF" }, { receiver:join() })
        local ok, code = sender:join()
        if i ~= 4 then -- there the place was taken and given back before
          assert.same({ true, "EPIPE" }, { ok, code })
        end
        failed("EPIPE", a_tx:send(3))
      end
    end)
  end)
end)
