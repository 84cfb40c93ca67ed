local momo = require "momo"
local support = require "spec.support"
local tcp = require "spec.support.tcp"

local channel, run, failed = momo.thread.channel, tcp.run, tcp.assert_failed
local SANITIZED = (os.getenv "MOMO_SANITIZE" or "") ~= ""
local MANY = SANITIZED and 2000 or 20000

local function spawn(...)
  return assert(momo.thread.spawn(...))
end

describe("a channel between threads", function()
  after_each(tcp.check_nothing_left)

  describe("with several senders on several threads", function()
    it("loses and doubles nothing, and keeps the order of each", function()
      run(function()
        local tx, rx = channel(64)
        local senders = 4
        for s = 1, senders do
          spawn(function(mine, number, n)
            for i = 1, n do
              assert(mine:send { number, i })
            end
          end, tx:clone(), s, MANY)
        end
        tx:close()
        local last, total = { 0, 0, 0, 0 }, 0
        for value in rx:iter() do
          local s, i = value[1], value[2]
          if i ~= last[s] + 1 then
            error(("sender %d: %d after %d"):format(s, i, last[s]))
          end
          last[s] = i
          total = total + 1
        end
        assert.equal(senders * MANY, total)
      end)
    end)

    it("has never more than its capacity under way", function()
      run(function()
        for _, capacity in ipairs { 1, 2, 7 } do
          local tx, rx = channel(capacity)
          local sent = {}
          for s = 1, 3 do
            local count_tx, count_rx = channel(100000)
            sent[s] = count_rx
            spawn(function(mine, count, n)
              for i = 1, n do
                assert(mine:send(i))
                assert(count:send(i)) -- it is known to be sent only after it was
              end
            end, tx:clone(), count_tx, 300)
          end
          tx:close()
          local known, received = 0, 0
          for _ in rx:iter() do
            received = received + 1
            for s = 1, 3 do
              while sent[s]:recv(0) do
                known = known + 1
              end
            end
            -- places are given back in batches, so there may be less room, and never more
            if known - received > capacity then
              error(("%d under way of %d"):format(known - received, capacity))
            end
          end
          assert.equal(900, received)
        end
      end)
    end)

    it("lets each have its turn, at either end", function()
      run(function()
        for _, capacity in ipairs { 1, 16 } do
          local tx, rx = channel(capacity)
          for s = 1, 3 do
            spawn(function(mine, number)
              while mine:send(number) do -- luacheck: ignore
              end
            end, tx:clone(), s)
          end
          tx:close()
          local count, total = { 0, 0, 0 }, 0
          while math.min(unpack(count)) < 100 do
            local s = rx:recv()
            count[s] = count[s] + 1
            total = total + (math.min(unpack(count)) > 0 and 1 or 0) -- from when all have begun
            if total == 2000000 then
              error("some sender starves: " .. table.concat(count, " "))
            end
          end
          rx:close()
        end
      end)
    end)
  end)

  describe("that never has its tasks wait", function()
    it("lets the others have their turn, and its own hear of a cancellation", function()
      run(function()
        for _, value in ipairs { 1, "text" } do
          local tx, rx = channel(2)
          local passed = 0
          local task = momo.spawn(function()
            while passed < 10000 do
              assert(tx:send(value))
              assert(rx:recv() == value)
              passed = passed + 1
            end
          end)
          momo.yield_now()
          assert.is_true(passed > 0 and passed < 100)
          task:cancel()
          assert.is_false((task:join()))
          assert.is_true(passed < 100)
        end
      end)
    end)
  end)

  describe("whose tasks do not suspend", function()
    local LIMIT = 20 -- seconds; it comes to this only if nobody is told

    it("tells a receiver that waits, while the sender goes on", function()
      run(function()
        local tx, rx = channel(1000000)
        local heard = support.tmpfile ""
        local thread = spawn(function(mine, path, limit)
          local till = momo.time.now() + limit
          repeat
            assert(mine:send("value", 0))
          until io.lines(path)() or momo.time.now() > till
          return momo.time.now() < till
        end, tx, heard, LIMIT)
        assert.equal("value", rx:recv())
        local file = assert(io.open(heard, "w"))
        file:write "heard"
        file:close()
        assert.same({ true, true }, { thread:join() })
      end)
    end)

    it("tells a sender that waits, while the receiver goes on", function()
      run(function()
        for _, capacity in ipairs { 1, 100 } do
          local tx, rx = channel(capacity)
          local thread = spawn(function(mine)
            for i = 1, 1000 do
              assert(mine:send(i))
            end
          end, tx)
          local last, till = 0, momo.time.now() + LIMIT
          while last < 1000 and momo.time.now() < till do
            last = rx:recv(0) or last
          end
          assert.equal(1000, last)
          assert(thread:join())
        end
      end)
    end)
  end)

  describe("that is full", function()
    it("has the sender's task wait, and its thread go on", function()
      run(function()
        local tx, rx = channel(2)
        local sender = tcp.waiting(function()
          for i = 1, 5 do
            assert(tx:send(i))
          end
        end)
        local turns = 0
        for _ = 1, 10 do
          momo.yield_now()
          turns = turns + 1
        end
        assert.same({ "waiting", 10 }, { sender:status(), turns })
        for i = 1, 5 do
          assert.equal(i, (rx:recv()))
        end
        assert(sender:join())
      end)
    end)

    it("serves the tasks of a sender in the order in which they came", function()
      run(function()
        local tx, rx = channel(1)
        assert(tx:send(0))
        for i = 1, 5 do
          tcp.waiting(function() assert(tx:send(i)) end)
        end
        for i = 0, 5 do
          assert.equal(i, (rx:recv()))
        end
      end)
    end)

    it("lets no sender overtake one that waits", function()
      run(function()
        local tx, rx = channel(4)
        local clone = tx:clone()
        for i = 1, 4 do
          assert(tx:send(i))
        end
        local waiting = tcp.waiting(function() assert(clone:send "waited") end)
        assert.equal(1, (rx:recv()))
        failed("ETIMEDOUT", tx:send("overtakes", 0))
        assert(waiting:join())
        failed("ETIMEDOUT", tx:send("overtakes", 0)) -- full again
        assert.equal(2, (rx:recv()))
        assert.is_true(tx:send("has its turn", 0))
        local rest = {}
        while #rest < 4 do
          rest[#rest + 1] = rx:recv()
        end
        table.sort(rest, function(a, b) return tostring(a) < tostring(b) end)
        assert.same({ 3, 4, "has its turn", "waited" }, rest)
      end)
    end)

    it("forgets a sender that waits no more", function()
      run(function()
        local tx, rx = channel(1)
        local clone = tx:clone()
        assert(tx:send(1))
        failed("ETIMEDOUT", clone:send(2, 0.001))
        clone:close()
        assert.equal(1, (rx:recv()))
        assert.is_true(tx:send(3, 0))
      end)
    end)

    it("fails at once with a timeout of 0, and in time with a longer one; nothing was sent", function()
      run(function()
        local tx, rx = channel(1)
        assert.is_true(tx:send("one", 0))
        failed("ETIMEDOUT", tx:send("two", 0))
        failed("ETIMEDOUT", tx:send("three", 0.005))
        assert.equal("one", (rx:recv()))
        failed("ETIMEDOUT", rx:recv(0))
        assert.is_true(tx:send("four", 0))
        assert.equal("four", (rx:recv(0)))
      end)
    end)

    it("loses neither value nor place to a timeout or a cancellation", function()
      run(function()
        for round = 1, 100 do
          local tx, rx = channel(1)
          assert(tx:send(0))
          local sent = {}
          local tasks = {}
          for i = 1, 4 do
            tasks[i] = momo.spawn(function()
              momo.pcall(function()
                sent[i] = tx:send(i, i == 1 and 0.0005 or nil) == true
              end)
            end)
          end
          momo.yield_now()
          tasks[1 + round % 4]:cancel()
          if round % 2 == 0 then
            momo.time.sleep(0.0005)
          end
          tasks[1 + (round + 1) % 4]:cancel()
          local got, all = {}, momo.spawn(function()
            for i = 1, 4 do tasks[i]:join() end
          end)
          local ended, value
          repeat
            ended = all:status() == "done"
            value = rx:recv(ended and 0 or 0.001)
            got[value or 0] = true
          until ended and not value
          for i = 1, 4 do
            assert.equal(sent[i] or false, got[i] or false)
          end
          assert.is_true(tx:send(9, 0)) -- the place is there
        end
      end)
    end)

    it("has the task wait for a receiver on another thread, and the other way round", function()
      run(function()
        local tx, rx = channel(1)
        local back_tx, back_rx = channel(1)
        local thread = spawn(function(input, output)
          for value in input:iter() do
            assert(output:send(value + 1))
          end
        end, rx, back_tx)
        local value = 0
        for _ = 1, 500 do -- each end sleeps now and then
          assert(tx:send(value))
          value = assert(back_rx:recv())
        end
        assert.equal(500, value)
        tx:close()
        assert(thread:join())
        failed("EOF", back_rx:recv())
      end)
    end)
  end)

  describe("received from", function()
    it("gives the values to waiting tasks in the order in which they came", function()
      run(function()
        local tx, rx = channel(10)
        local got, tasks = {}, {}
        for i = 1, 4 do
          tasks[i] = tcp.waiting(function() got[i] = rx:recv() end)
        end
        for i = 1, 4 do
          assert(tx:send(i))
        end
        for i = 1, 4 do
          tasks[i]:join()
        end
        assert.same({ 1, 2, 3, 4 }, got)
      end)
    end)

    it("loses nothing to a timeout or a cancellation", function()
      run(function()
        local tx, rx = channel(4)
        local n = SANITIZED and 500 or 3000
        spawn(function(mine, count)
          for i = 1, count do
            assert(mine:send(i))
            if i % 3 == 0 then
              momo.time.sleep(0)
            end
          end
        end, tx, n)
        local got = {}
        while got[#got] ~= n do
          local task = momo.spawn(function()
            local value = rx:recv(#got % 2 == 0 and 0.0001 or nil)
            if value then
              got[#got + 1] = value
            end
          end)
          for _ = 0, #got % 4 do
            momo.yield_now()
          end
          task:cancel()
          task:join()
        end
        for i = 1, n do
          assert(got[i] == i, i)
        end
      end)
    end)

    it("in select gives the value, beside tasks and times, and the end", function()
      run(function()
        local tx, rx = channel(1)
        local local_tx, local_rx = momo.sync.channel(1)
        local go_tx, go_rx = channel(1)
        local thread = spawn(function(mine, go)
          assert(go:recv())
          assert(mine:send "value")
        end, tx, go_rx)
        assert.same({ 2, true }, { momo.select { rx, momo.time.after(0.001) } })
        assert(go_tx:send(true))
        assert.same({ 2, "value" }, { momo.select { local_rx, rx, momo.time.after(60) } })
        thread:join()
        local index, value, _, code = momo.select { local_rx, rx }
        assert.same({ 2, nil, "EOF" }, { index, value, code })
        local_tx:send "local"
        assert.same({ 1, "local" }, { momo.select { local_rx, momo.time.after(1) } })
        local task = momo.spawn(function() return "done" end)
        local _, open_rx = channel(1)
        assert.same({ 2, true, "done" }, { momo.select { open_rx, task } })
      end)
    end)

    it("twice in one select, while the values come, is received from once", function()
      run(function()
        local tx, rx = channel(2)
        local n = SANITIZED and 500 or 5000
        spawn(function(mine, count)
          for i = 1, count do
            assert(mine:send(i))
          end
        end, tx, n)
        for i = 1, n do
          local _, value = momo.select { rx, rx, momo.time.after(60) }
          assert(value == i, value)
        end
      end)
    end)

    it("by several tasks in select and recv loses nothing", function()
      run(function()
        local tx, rx = channel(8)
        local other_tx, other_rx = channel(8)
        local n = SANITIZED and 500 or 4000
        for _, end_ in ipairs { tx, other_tx } do
          spawn(function(mine, count)
            for i = 1, count do
              assert(mine:send(i))
            end
          end, end_, n)
        end
        local sum, count = 0, 0
        local function take(value)
          if value then
            sum, count = sum + value, count + 1
          end
          return value
        end
        momo.scope(function(scope)
          for _ = 1, 3 do
            scope:spawn(function()
              while true do
                local index, value = momo.select { rx, other_rx }
                if not take(value) then
                  local rest = index == 1 and other_rx or rx
                  while take(rest:recv()) do end -- luacheck: ignore
                  return
                end
              end
            end)
          end
          scope:spawn(function()
            for value in rx:iter() do take(value) end
          end)
        end)
        assert.same({ 2 * n, n * (n + 1) }, { count, sum })
      end)
    end)

    it("wakes every waiting task at the end", function()
      run(function()
        local tx, rx = channel(1)
        local tasks = {}
        for i = 1, 3 do
          tasks[i] = tcp.waiting(function() return select(3, rx:recv()) end)
        end
        tasks[4] = tcp.waiting(function() return select(4, momo.select { rx }) end)
        spawn(function(mine) mine:close() end, tx)
        for i = 1, 4 do
          assert.same({ true, "EOF" }, { tasks[i]:join() })
        end
      end)
    end)
  end)

  describe("closed", function()
    it("by its last sender gives what was sent, then EOF", function()
      run(function()
        local tx, rx = channel(3)
        local clone = tx:clone()
        tx:send(1)
        tx:close()
        tx:close()
        failed("EBADF", tx:send(2))
        clone:send(2)
        assert.equal(1, (rx:recv()))
        clone:close()
        assert.equal(2, (rx:recv()))
        failed("EOF", rx:recv())
        failed("EOF", rx:recv(0))
        local ok, err = pcall(tx.clone, tx)
        assert.is_false(ok)
        assert.matches("clone: the sender is closed", err, 1, true)
      end)
    end)

    it("by its receiver fails sends with EPIPE, of those who wait too", function()
      run(function()
        local tx, rx = channel(1)
        local clone = tx:clone()
        assert(tx:send(1))
        local one = tcp.waiting(function() return select(3, tx:send(2)) end)
        local two = tcp.waiting(function() return select(3, clone:send(2)) end)
        local thread = spawn(function(mine)
          return select(3, mine:send(3)), select(3, mine:send(4))
        end, tx:clone())
        momo.time.sleep(0.005)
        rx:close()
        rx:close()
        assert.same({ true, "EPIPE" }, { one:join() })
        assert.same({ true, "EPIPE" }, { two:join() })
        assert.same({ true, "EPIPE", "EPIPE" }, { thread:join() })
        failed("EBADF", rx:recv())
      end)
    end)

    it("while a task waits in it tells that task", function()
      run(function()
        local tx, rx = channel(1)
        local receiver = tcp.waiting(function() return select(3, rx:recv()) end)
        local selecting = tcp.waiting(function() return select(4, momo.select { rx }) end)
        rx:close()
        assert.same({ true, "ECANCELED" }, { receiver:join() })
        assert.same({ true, "ECANCELED" }, { selecting:join() })
        failed("EPIPE", tx:send(1))
        local full_tx, full_rx = channel(1)
        full_tx:send(1)
        local sender = tcp.waiting(function() return select(3, full_tx:send(2)) end)
        full_tx:close()
        assert.same({ true, "ECANCELED" }, { sender:join() })
        assert.equal(1, (full_rx:recv()))
        failed("EOF", full_rx:recv())
      end)
    end)

    it("by the collector of garbage is closed too", function()
      run(function()
        local rx = select(2, channel(1))
        collectgarbage()
        collectgarbage()
        failed("EOF", rx:recv(1))
      end)
    end)
  end)

  it("tells a mistake at the caller's line", function()
    local program = assert(loadstring([[
      local momo, code = ...
      local tx, rx = momo.thread.channel(1)
      return setfenv(assert(loadstring(code, "=app.lua")), { momo = momo, tx = tx, rx = rx, print = print })()]]))
    local mistakes = {
      ["momo.thread.channel()"] = "channel: the capacity of a channel between threads must be a whole number from 1",
      ["momo.thread.channel(0)"] = "channel: the capacity of a channel between threads must be a whole number from 1",
      ["momo.thread.channel(1.5)"] = "channel: the capacity of a channel between threads must be a whole number from 1",
      ["tx:send(nil)"] = "send: nil can't be sent; it stands for the end",
      ["tx.send(1)"] = "send: call it with a colon: tx:send()",
      ["rx.recv()"] = "recv: call it with a colon: rx:recv()",
      ["rx.iter(tx)"] = "iter: call it with a colon: rx:iter()",
      ["tx.clone(rx)"] = "clone: call it with a colon: tx:clone()",
      ["tx.close()"] = "close: call it with a colon: tx:close() or rx:close()",
      ["tx:send(1, -1)"] = "send: the timeout must be a number of seconds, 0 or more, got -1",
      ["rx:recv('x')"] = "recv: the timeout must be a number of seconds, 0 or more, got string",
      ["tx:send(print)"] = "send: value is a function",
      ["tx:send({handlers = {1, 2, print}})"] = "send: value.handlers[3] is a function",
      ["tx:send({[print] = 1})"] = "send: value[function] is a function",
      ["tx:send({1, tx})"] = "send: value[2] is an end of this very channel; it can't be sent through it",
      ["tx:send(rx)"] = "send: value is an end of this very channel; it can't be sent through it",
      ["rx:close() local t, r = momo.thread.channel(1) t:send({x = rx})"] =
        "send: value.x is the end of a channel that was closed or given away; tx:clone() makes another sender",
    }
    run(function()
      for code, message in pairs(mistakes) do
        local ok, err = pcall(program, momo, code)
        assert.is_false(ok, code)
        assert.equal("app.lua:1: " .. message, err:sub(1, #message + 11))
      end
    end)
    assert.same({ false }, { (pcall(function() channel(1):send(1) end)) }) -- outside of a run
  end)

  it("shows its ends by their names", function()
    local tx, rx = channel(1)
    assert.matches("^momo%.thread%.Sender: 0x%x+$", tostring(tx))
    assert.matches("^momo%.thread%.Receiver: 0x%x+$", tostring(rx))
  end)

  it("in a run that only waits for it is no deadlock", function()
    local status, stdout = support.luajit [[
      local momo = require "momo"
      momo.run(function()
        local tx, rx = momo.thread.channel(1)
        momo.spawn(function() print(rx:recv()) end)
        print(rx:recv(0.01))
        momo.thread.spawn(function(tx) momo.time.sleep(0.02) tx:send "late" end, tx)
      end)]]
    assert.same({ 0, "nil\tETIMEDOUT: operation timed out\tETIMEDOUT\nlate\n" }, { status, stdout })
  end)
end)
