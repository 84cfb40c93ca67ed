-- The virtual clock: momo.run({ clock = "virtual" }, main).

local momo = require "momo"
local support = require "spec.support"

local now, sleep = momo.time.now, momo.time.sleep

local function run(main, ...)
  return momo.run({ clock = "virtual" }, main, ...)
end

describe("the virtual clock", function()
  it("begins at 0, and moves straight to the next deadline when every task waits", function()
    local times = {}
    run(function()
      times[1] = now()
      for _, seconds in ipairs { 3600, 0.001, 86400 * 365, 0.5 } do
        sleep(seconds)
        times[#times + 1] = now()
      end
    end)
    assert.same({ 0, 3600, 3600.001, 3600.001 + 86400 * 365, 3600.501 + 86400 * 365 }, times)
  end)

  it("stands still while a task can run", function()
    run(function()
      local woken = false
      local sleeper = momo.spawn(function()
        sleep(0.001)
        woken = true
      end)
      for _ = 1, 5000 do momo.yield_now() end
      local start = os.clock()
      repeat until os.clock() - start > 0.005 -- real time passes
      for _ = 1, 5000 do momo.yield_now() end
      assert.same({ false, 0 }, { woken, now() })
      sleeper:join()
      assert.equal(0.001, now())
    end)
  end)

  it("is exact: each sleep ends at its millisecond", function()
    run(function()
      for ms = 1, 3000 do
        local start = now()
        sleep(ms / 1000)
        assert.is_true(math.abs(now() - start - ms / 1000) < 1e-6, ms .. " ms took " .. now() - start)
      end
    end)
  end)

  it("does not move for a sleep or a timeout of 0, nor for what need not wait", function()
    run(function()
      local tx, rx = momo.sync.channel()
      for i = 1, 100 do
        sleep(0)
        momo.time.sleep_until(now())
        assert.equal("ETIMEDOUT", select(3, momo.time.timeout(0, sleep, 1)))
        assert.equal("ETIMEDOUT", select(3, rx:recv(0)))
        tx:send(i)
        assert.equal(i, rx:recv(5))
      end
      assert.equal(0, now())
    end)
  end)

  it("orders wake-ups by their time, those of one time by who slept first", function()
    run(function()
      local woken = {}
      for i = 1, 1000 do
        momo.spawn(function()
          local seconds = (i * 7919) % 13
          sleep(seconds)
          woken[#woken + 1] = { seconds, i, now() }
        end)
      end
      sleep(13)
      assert.equal(1000, #woken)
      for k = 2, 1000 do
        local a, b = woken[k - 1], woken[k]
        assert.is_true(a[1] < b[1] or a[1] == b[1] and a[2] < b[2], ("%d before %d"):format(a[2], b[2]))
        assert.equal(b[1], b[3])
      end
    end)
  end)

  it("gives the same order of everything, run after run", function()
    local function trace()
      local lines = {}
      run(function()
        local mutex = momo.sync.Mutex()
        local tx, rx = momo.sync.channel(2)
        for i = 1, 50 do
          momo.spawn(function()
            sleep(i * 37 % 11)
            mutex:with(sleep, i % 3)
            tx:send(i)
            momo.yield_now()
            momo.time.timeout(i % 4, sleep, i % 5)
            lines[#lines + 1] = i .. " at " .. now()
          end)
        end
        for _ = 1, 50 do lines[#lines + 1] = rx:recv() .. " received at " .. now() end
        sleep(1)
        momo.spawn(momo.stop)
        for i = 1, 20 do
          momo.spawn(function()
            pcall(sleep, math.huge)
            lines[#lines + 1] = i .. " stopped"
          end)
        end
        momo.yield_now()
      end)
      return table.concat(lines, "\n")
    end
    local first = trace()
    for _ = 1, 20 do
      for i = 1, 30 do run(function() for k = 1, i do momo.spawn(sleep, k * i % 7) end end) end -- other slots are free
      assert.equal(first, trace())
    end
  end)

  it("counts the seconds of a day one by one", function()
    run(function()
      local every, ticks = momo.time.interval(1), 0
      while now() < 86400 do
        local scheduled, missed = every:tick()
        ticks = ticks + 1 + missed
        if scheduled ~= ticks then error("tick " .. ticks .. " was due at " .. scheduled) end
      end
      assert.same({ 86400, 86400 }, { ticks, now() })
    end)
  end)

  it("moves the time of day as well", function()
    run(function()
      local start = momo.time.wall()
      sleep(1e6)
      assert.is_true(math.abs(momo.time.wall() - start - 1e6) < 1e-3)
    end)
  end)

  it("begins anew with each run, and leaves the real one as it was", function()
    local before = now()
    for _ = 1, 3 do
      run(function()
        assert.equal(0, now())
        sleep(1e7)
        assert.equal(1e7, now())
      end)
      momo.run(function()
        local start = now()
        assert.is_true(start >= before and start < before + 1e6)
        sleep(0.002)
        assert.is_true(now() >= start + 0.002 and now() < start + 1e6)
      end)
    end
    for _, main in ipairs { error, momo.stop, function() momo.current():cancel() momo.yield_now() end } do
      pcall(run, main)
      assert.is_true(now() >= before and now() < before + 1e6)
    end
    assert.is_true(math.abs(momo.time.wall() - os.time()) < 1e4)
  end)

  it("is that of all tasks, those too that outlive main", function()
    local ended
    run(function() momo.spawn(function() sleep(1e6) ended = now() end) end)
    assert.equal(1e6, ended)
  end)

  it("does not run out of work for sleep(math.huge) while others sleep", function()
    run(function()
      local forever = momo.spawn(sleep, math.huge)
      sleep(1e8)
      assert.equal("waiting", forever:status())
      forever:cancel()
    end)
  end)

  it("must be one that there is", function()
    assert.matches("^spec/task/clock_spec.lua:%d+: run: option clock must be \"virtual\", got \"fast\"",
      select(2, pcall(function() momo.run({ clock = "fast" }, print) end)))
    assert.is_false((pcall(momo.run, { clock = true }, print)))
  end)
end)

describe("under the virtual clock", function()
  it("streams work, and time does not move while bytes are on their way", function()
    run(function()
      local listener = assert(momo.net.TcpListener.bind "127.0.0.1:0")
      momo.scope(function(scope)
        scope:spawn(function()
          local stream = assert(listener:accept())
          for line in stream:lines() do
            sleep(10)
            assert(stream:write(line:upper() .. "\n"))
          end
          stream:close()
        end)
        local stream = assert(momo.net.TcpStream.connect(listener:local_addr()))
        for i = 1, 20 do
          assert(stream:write("line " .. i .. "\n"))
          assert.equal("LINE " .. i .. "\n", stream:read_until "\n")
          assert.equal(10 * i, now())
        end
        stream:close()
      end)
      listener:close()
      assert.equal(0, momo.metrics().handles)
    end)
  end)

  it("what waits for bytes that do not come times out at its virtual deadline", function()
    run(function()
      local listener = assert(momo.net.TcpListener.bind "127.0.0.1:0")
      assert.equal("ETIMEDOUT", select(3, listener:accept(60)))
      assert.equal(60, now())
      local client = assert(momo.net.TcpStream.connect(listener:local_addr()))
      local server = assert(listener:accept())
      client:set_timeout(3600)
      assert.equal("ETIMEDOUT", select(3, client:read()))
      assert.equal(3660, now())
      assert.equal("ETIMEDOUT", select(3, momo.time.timeout(40, server.read, server)))
      assert.equal(3700, now())
      assert(client:write "late")
      assert.equal("late", server:read())
      assert.equal(3700, now())
      client:close()
      server:close()
      listener:close()
    end)
  end)

  it("a task that waits for the outside alone waits in real time", function()
    local status, stdout, stderr = support.luajit [[
      local momo = require "momo"
      momo.run({ clock = "virtual" }, function()
        local listener = momo.net.TcpListener.bind "127.0.0.1:0"
        local thread = momo.thread.spawn(function(address)
          local momo = require "momo"
          momo.time.sleep(0.01)
          momo.net.TcpStream.connect(address):write "from a thread"
        end, listener:local_addr())
        print(listener:accept():read())
        print(thread:join())
        print(momo.time.now())
      end)
    ]]
    assert.same({ 0, "from a thread\ntrue\n0\n", "" }, { status, stdout, stderr })
  end)

  it("a deadlock is one at once", function()
    local ok, err = pcall(run, function()
      sleep(100)
      momo.sync.Notify():notified()
    end)
    assert.is_false(ok)
    assert.matches("run: every task waits for another one", err, 1, true)
  end)
end)
