local momo = require "momo"

local now, sleep, timeout = momo.time.now, momo.time.sleep, momo.time.timeout

local function pack(...)
  return { n = select("#", ...), ... }
end

local function run(main)
  return momo.run({ clock = "virtual" }, main)
end

describe("timeout", function()
  it("that does not fire returns what its function returned, nils too, and passes it arguments", function()
    run(function()
      assert.same(pack(nil, 2, nil), pack(timeout(1, function(...) return ... end, nil, 2, nil)))
      assert.same(pack(), pack(timeout(1, function() end)))
      assert.same(pack(nil), pack(timeout(10, function()
        sleep(9)
        return nil
      end)))
      assert.equal(9, now())
    end)
  end)

  it("that fires cancels what its function was doing, to the moment", function()
    run(function()
      local err_inside
      local results = pack(timeout(2.5, function()
        local _, err = pcall(sleep, 100)
        err_inside = err
        error(err, 0)
      end))
      assert.equal(2.5, now())
      assert.same({ 3, nil, "ETIMEDOUT" }, { results.n, results[1], results[3] })
      assert.matches("^ETIMEDOUT: [^\n]*2%.5 s", results[2])
      assert.is_true(momo.is_cancelled(err_inside))
      assert.equal("cancelled: timeout", tostring(err_inside))
    end)
  end)

  it("ends any operation that suspends", function()
    local never = function() sleep(math.huge) end
    local operations = {
      join = function(task) task:join() end,
      sleep_until = function() momo.time.sleep_until(math.huge) end,
      yield_now = function() while true do momo.yield_now() sleep(0.001) end end,
      scope = function() momo.scope(function(scope) scope:spawn(never) end) end,
      timeout = function() timeout(5, never) end,
      race = function() momo.race { never, never } end,
      all = function() momo.all { never, never } end,
      tick = function() momo.time.interval(5):tick() end,
      recv = function() local _, rx = momo.sync.channel() rx:recv() end,
    }
    for name, operation in pairs(operations) do
      run(function()
        local task = momo.spawn(never)
        assert.same({ "ETIMEDOUT", 1 }, { select(3, timeout(1, operation, task)), now() }, name)
        assert.equal("waiting", task:status(), name)
        task:cancel()
      end)
    end
  end)

  it("leaves its caller uncancelled", function()
    run(function()
      for i = 1, 3 do
        assert.equal("ETIMEDOUT", select(3, timeout(1, sleep, 100)))
        sleep(1)
        assert.equal(2 * i, now())
      end
    end)
  end)

  it("that fires while its function does not suspend any more lets it end well", function()
    run(function()
      local result = timeout(0, function() return "quick" end)
      assert.equal("quick", result)
      assert.equal("shielded", timeout(1, function()
        momo.shield(sleep, 5)
        return "shielded"
      end))
      assert.equal(5, now())
      assert.equal("caught", timeout(1, function()
        pcall(sleep, 100)
        return "caught"
      end))
    end)
  end)

  it("of 0 cancels the first wait", function()
    run(function()
      local begun = false
      local _, _, code = timeout(0, function()
        begun = true
        sleep(1)
      end)
      assert.same({ "ETIMEDOUT", true, 0 }, { code, begun, now() })
    end)
  end)

  it("of math.huge never fires", function()
    run(function()
      assert.equal("late", timeout(math.huge, function()
        assert.equal(0, momo.metrics().timers)
        sleep(1e6)
        return "late"
      end))
    end)
  end)

  it("passes errors through, the same object", function()
    run(function()
      local problem = {}
      local ok, err = pcall(timeout, 1, error, problem)
      assert.is_false(ok)
      assert.equal(problem, err)
      assert.same({ false, "in clean-up" }, { pcall(timeout, 1, function()
        pcall(sleep, 100)
        error("in clean-up", 0)
      end) })
    end)
  end)

  it("passes the cancellation of its task through, whose reason it keeps", function()
    run(function()
      local reached = false
      local task = momo.spawn(function()
        timeout(10, sleep, 100)
        reached = true
      end)
      sleep(1)
      task:cancel "from outside"
      local _, err = task:join()
      assert.same({ "cancelled: from outside", false, 1 }, { tostring(err), reached, now() })
      assert.equal(0, momo.metrics().timers)
    end)
  end)

  it("that fires in a task that was cancelled already is the cancellation", function()
    run(function()
      local reached = false
      local task = momo.spawn(function()
        timeout(2, function()
          local _, err = pcall(sleep, 100)
          momo.shield(sleep, 5)
          error(err, 0)
        end)
        reached = true
      end)
      sleep(1)
      task:cancel "first"
      assert.equal("cancelled: first", tostring(select(2, task:join())))
      assert.is_false(reached)
    end)
  end)

  it("throws for wrong arguments at the caller's line", function()
    local function mistake(...)
      local values, n = { ... }, select("#", ...)
      local _, err = run(function()
        return pcall(function()
          timeout(unpack(values, 1, n))
          return nil
        end)
      end)
      return err:match "^spec/task/timeout_spec.lua:%d+: (.*)$"
    end
    for _, seconds in ipairs { -1, 0 / 0, "1", false } do
      assert.matches("^timeout: argument 1 must be a number of seconds, 0 or more", mistake(seconds, print))
    end
    assert.matches("^timeout: argument 2 must be a function, got nil", mistake(1))
    assert.matches("^timeout: argument 2 must be a function, got nil", mistake(1, nil, 1))
    assert.matches("timeout: needs a runtime", select(2, pcall(timeout, 1, print)))
  end)
end)

describe("of nested timeouts the earliest wins:", function()
  -- Sleeps for `work` within two timeouts. Returns the codes of both, and when it was over.
  local function nest(outer, inner, work)
    return run(function()
      local inner_code
      local _, _, outer_code = timeout(outer, function()
        local ok, _, code = timeout(inner, function()
          sleep(work)
          return true
        end)
        inner_code = ok or code
        return inner_code
      end)
      return inner_code or "-", outer_code or "-", now()
    end)
  end

  it("the inner one, and the outer one goes on", function()
    assert.same({ "ETIMEDOUT", "-", 2 }, { nest(5, 2, 10) })
  end)

  it("the outer one, and nothing of the inner one is seen", function()
    assert.same({ "-", "ETIMEDOUT", 2 }, { nest(2, 5, 10) })
  end)

  it("the outer one, when both are over at once", function()
    assert.same({ "-", "ETIMEDOUT", 2 }, { nest(2, 2, 10) })
  end)

  it("neither, when there is time enough", function()
    assert.same({ true, "-", 1 }, { nest(2, 2, 1) })
    assert.same({ true, "-", 1 }, { nest(math.huge, 2, 1) })
  end)

  it("the inner one, and then the outer one too", function()
    run(function()
      local inner_code, inner_time
      local _, _, outer_code = timeout(5, function()
        inner_code = select(3, timeout(2, sleep, 100))
        inner_time = now()
        sleep(100)
      end)
      assert.same({ "ETIMEDOUT", 2, "ETIMEDOUT", 5 }, { inner_code, inner_time, outer_code, now() })
    end)
  end)

  it("a hundred deep", function()
    for _, first in ipairs { 1, 50, 100 } do
      run(function()
        local fired = {}
        local function nested(depth)
          if depth > 100 then return sleep(1000) end
          local _, _, code = timeout(depth == first and 3 or 5 + depth, nested, depth + 1)
          if code then fired[#fired + 1] = depth end
        end
        nested(1)
        assert.same({ first, 3 }, { fired[1], now() })
        assert.equal(1, #fired)
        assert.equal(0, momo.metrics().timers)
      end)
    end
  end)

  it("a timeout of an operation within them is its own", function()
    run(function()
      local never = momo.spawn(sleep, 1000)
      local ok, _, code = timeout(5, never.join, never, 2)
      assert.same({ "ETIMEDOUT", 2 }, { ok == nil and code, now() })
      ok, _, code = timeout(1, function()
        never:join(2)
        error "reached"
      end)
      assert.same({ "ETIMEDOUT", 3 }, { ok == nil and code, now() })
      never:cancel()
    end)
  end)
end)

describe("timeout around a scope", function()
  it("ends its children, and returns when they have cleaned up", function()
    run(function()
      local cleaned = 0
      local function child()
        pcall(sleep, 100)
        momo.shield(sleep, 2)
        cleaned = cleaned + 1
      end
      local _, _, code = timeout(1, momo.scope, function(scope)
        for _ = 1, 10 do scope:spawn(child) end
        scope:spawn(momo.scope, function(inner) inner:spawn(child) end)
      end)
      assert.same({ "ETIMEDOUT", 11, 3 }, { code, cleaned, now() })
    end)
  end)

  it("does not reach tasks that are not the scope's", function()
    run(function()
      local other
      timeout(1, function()
        other = momo.spawn(sleep, 5)
        sleep(100)
      end)
      assert.same({ true, 5 }, { (other:join()), now() })
    end)
  end)

  it("inside a child fails nothing", function()
    run(function()
      local codes = {}
      momo.scope(function(scope)
        for i = 1, 3 do
          scope:spawn(function() codes[i] = select(3, timeout(i, sleep, 100)) end)
        end
      end)
      assert.same({ "ETIMEDOUT", "ETIMEDOUT", "ETIMEDOUT", 3 }, { codes[1], codes[2], codes[3], now() })
    end)
  end)
end)

describe("after a timeout", function()
  it("that did not fire, its timer is gone", function()
    run(function()
      for _ = 1, 100 do
        timeout(10, momo.yield_now)
        timeout(10, sleep, 0)
        pcall(timeout, 10, error, "x")
        assert.equal(0, momo.metrics().timers)
      end
      assert.equal(0, now())
    end)
  end)

  it("that fired, the timer of what it ended is gone, and so is its place among the waiters", function()
    run(function()
      local mutex, served = momo.sync.Mutex(), {}
      local tx, rx = momo.sync.channel()
      mutex:lock()
      assert.equal("ETIMEDOUT", select(3, timeout(1, sleep, 100)))
      assert.equal("ETIMEDOUT", select(3, timeout(1, rx.recv, rx, 100)))
      local waiter = momo.spawn(timeout, 1, mutex.lock, mutex)
      local other = momo.spawn(function()
        mutex:lock()
        served[#served + 1] = "other"
        mutex:unlock()
      end)
      assert.equal("ETIMEDOUT", select(4, waiter:join()))
      assert.equal(0, momo.metrics().timers)
      tx:send "kept"
      assert.equal("kept", rx:recv())
      mutex:unlock()
      other:join()
      assert.same({ "other" }, served)
    end)
  end)

  it("works on the real clock as well", function()
    momo.run(function()
      local before = now()
      assert.equal("ETIMEDOUT", select(3, timeout(0.01, sleep, 100)))
      assert.is_true(now() - before >= 0.01)
      assert.equal("done", timeout(100, function()
        sleep(0.001)
        return "done"
      end))
      assert.equal(0, momo.metrics().timers)
    end)
  end)
end)
