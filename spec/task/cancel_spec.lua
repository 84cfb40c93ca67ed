local momo = require "momo"
local support = require "spec.support"

local WINDOW = 128
local MOST_RAISES = 100

local function pack(...)
  return { n = select("#", ...), ... }
end

-- Each calls one suspending operation. The argument is a task that never ends.
local operations = {
  sleep = function() momo.time.sleep(math.huge) end,
  sleep_until = function() momo.time.sleep_until(math.huge) end,
  join = function(never) never:join() end,
  yield_now = function() momo.yield_now() end,
}

describe("cancel", function()
  it("of a task that has not begun: it never does", function()
    local began = false
    momo.run(function()
      local task = momo.spawn(function() began = true end)
      task:cancel "too late"
      local ok, err = task:join()
      assert.same({ false, "cancelled: too late", "cancelled" }, { ok, tostring(err), task:status() })
    end)
    assert.is_false(began)
  end)

  it("of a task that sleeps raises in it at once", function()
    momo.run(function()
      local cleaned = false
      local task = momo.spawn(function()
        local ok, err = pcall(momo.time.sleep, math.huge)
        cleaned = not ok
        error(err, 0)
      end)
      momo.yield_now()
      task:cancel "enough"
      assert.equal("ready", task:status())
      assert.equal(0, momo.metrics().timers)
      local ok, err = task:join()
      assert.same({ false, true, true }, { ok, cleaned, momo.is_cancelled(err) })
      assert.equal("enough", err.reason)
    end)
  end)

  it("without a reason is one cancellation, whoever sees it first", function()
    momo.run(function()
      local seen
      local sees = momo.spawn(function()
        local _, err = pcall(momo.time.sleep, math.huge)
        seen = err
        error(err, 0)
      end)
      local unseen = momo.spawn(momo.time.sleep, math.huge)
      momo.yield_now()
      for _, task in ipairs { sees, unseen } do
        task:cancel()
        local ok, err = task:join()
        assert.same({ false, true, "cancelled" }, { ok, momo.is_cancelled(err), tostring(err) })
        assert.is_nil(err.reason)
        assert.equal(err, (select(2, task:join())))
      end
      assert.equal(seen, (select(2, sees:join())))
      assert.not_equal(seen, (select(2, unseen:join())))
    end)
  end)

  it("has a traceback of where the task was, also if it has joined one that failed with nil", function()
    momo.run(function()
      local task = momo.spawn(function()
        momo.spawn(error):join()
        momo.time.sleep(math.huge)
      end)
      repeat momo.yield_now() until task:status() == "waiting" and not task:traceback():find("join", 1, true)
      task:cancel()
      assert.is_false((task:join()))
      assert.matches("in function 'sleep'", task:traceback(), 1, true)
    end)
  end)

  it("without a reason reaches the tasks of its scopes, and comes before what a scope was cancelled for", function()
    momo.run(function()
      local child, of_child
      local owner = momo.spawn(function()
        momo.scope(function(scope)
          child = scope:spawn(function()
            of_child = select(2, pcall(momo.time.sleep, math.huge))
          end)
          momo.time.sleep(math.huge)
        end)
      end)
      momo.yield_now()
      momo.yield_now()
      owner:cancel()
      local ok, err = owner:join()
      assert.is_false(ok)
      assert.equal(err, of_child)
      assert.is_true((child:join()))

      local twice = momo.spawn(function()
        momo.scope(function(scope)
          scope:cancel "first"
          momo.current():cancel()
          momo.time.sleep(math.huge)
        end)
      end)
      assert.equal("cancelled", tostring(select(2, twice:join())))
    end)
  end)

  it("of a task that joins another leaves the other alone", function()
    momo.run(function()
      local go = momo.sync.Notify()
      local other = momo.spawn(function() go:notified() return "unharmed" end)
      local joiner = momo.spawn(other.join, other)
      momo.yield_now()
      joiner:cancel()
      local ok, err = joiner:join()
      assert.same({ false, true, "waiting" }, { ok, momo.is_cancelled(err), other:status() })
      go:notify_one()
      assert.same({ true, "unharmed" }, { other:join() })
    end)
  end)

  it("of oneself returns, and the next operation raises", function()
    momo.run(function()
      local reached
      local task = momo.spawn(function()
        momo.current():cancel "myself"
        reached = "cancel"
        momo.yield_now()
        reached = "yield_now"
      end)
      local ok, err = task:join()
      assert.same({ false, "cancelled: myself", "cancel" }, { ok, tostring(err), reached })
    end)
  end)

  it("of a task that has ended does nothing", function()
    momo.run(function()
      local done, failed = momo.spawn(function() return 1 end), momo.spawn(error, "x")
      done:join()
      failed:join()
      done:cancel()
      failed:cancel()
      momo.spawn(momo.yield_now):join() -- which takes the place of one of them
      assert.same({ "done", "failed" }, { done:status(), failed:status() })
      assert.same({ true, 1 }, { done:join() })
    end)
  end)

  it("twice keeps the first reason", function()
    momo.run(function()
      local task = momo.spawn(momo.time.sleep, math.huge)
      momo.yield_now()
      task:cancel "first"
      task:cancel "second"
      assert.equal("first", select(2, task:join()).reason)
    end)
  end)

  it("of a task that does not suspend any more lets it end well", function()
    momo.run(function()
      local task
      task = momo.spawn(function()
        task:cancel()
        return "a result"
      end)
      assert.same({ true, "a result" }, { task:join() })
      assert.equal("done", task:status())
    end)
  end)

  it("of a task whose operation had completed leaves it the result; the next operation raises", function()
    momo.run({ clock = "virtual" }, function()
      local joined, slept
      local ended = momo.spawn(function() momo.yield_now() return "result" end)
      local joiner = momo.spawn(function()
        joined = pack(ended:join())
        momo.yield_now()
        joined = "too far"
      end)
      momo.yield_now()
      momo.yield_now()
      assert.same({ "done", "ready" }, { ended:status(), joiner:status() })
      joiner:cancel()
      assert.is_true(momo.is_cancelled(select(2, joiner:join())))
      assert.same(pack(true, "result"), joined)

      local sleeper = momo.spawn(function()
        momo.time.sleep(0.001)
        slept = "slept"
        momo.time.sleep(0)
        slept = "too far"
      end)
      momo.time.sleep(0.001) -- begins before its sleep, and so ends before it
      assert.same({ "ready", 0 }, { sleeper:status(), momo.metrics().timers })
      sleeper:cancel()
      assert.is_true(momo.is_cancelled(select(2, sleeper:join())))
      assert.equal("slept", slept)
    end)
  end)

  it("makes each later operation raise, whichever it is", function()
    for name, operation in pairs(operations) do
      local raised = momo.run(function()
        local never = momo.spawn(momo.time.sleep, math.huge)
        local task = momo.spawn(function()
          pcall(momo.time.sleep, math.huge)
          local raised = 0
          for _ = 1, 5 do
            local ok, err = pcall(operation, never)
            raised = raised + (not ok and momo.is_cancelled(err) and 1 or 0)
          end
          return raised
        end)
        momo.yield_now()
        task:cancel()
        local _, result = task:join()
        never:cancel()
        return result
      end)
      if name == "yield_now" then -- when it is called again and again in one turn, it waits for the next and returns
        assert.is_true(raised >= 2, raised)
      else
        assert.equal(5, raised, name)
      end
    end
  end)

  it("ends a task that caught it in one operation at the next one, yield_now too", function()
    momo.run(function()
      for name, operation in pairs(operations) do
        local passed = false
        local never = momo.spawn(momo.time.sleep, math.huge)
        local task = momo.spawn(function()
          pcall(momo.time.sleep, math.huge)
          operation(never)
          passed = true
        end)
        momo.yield_now()
        task:cancel()
        assert.is_true(momo.is_cancelled(select(2, task:join())), name)
        assert.is_false(passed, name)
        never:cancel()
      end
    end)
  end)

  it("of main raises it from run", function()
    local ok, err = pcall(momo.run, function()
      local main = momo.current()
      momo.spawn(function() main:cancel "by a task" end)
      momo.time.sleep(math.huge)
    end)
    assert.same({ false, "cancelled: by a task" }, { ok, tostring(err) })
  end)

  it("is no failure: nothing is reported", function()
    local failures = {}
    momo.run({ on_error = function(err) failures[#failures + 1] = err end }, function()
      local sleeper = momo.spawn(momo.time.sleep, math.huge)
      momo.yield_now()
      sleeper:cancel()
      momo.spawn(momo.yield_now):cancel()
    end)
    assert.same({}, failures)
  end)

  it("of 1000 tasks ends them in their order, with their timers gone", function()
    local order = {}
    momo.run(function()
      local tasks = {}
      for i = 1, 1000 do
        tasks[i] = momo.spawn(function()
          pcall(momo.time.sleep, i % 2 == 0 and 1000 + i or math.huge)
          order[#order + 1] = i
        end)
      end
      for _ = 1, 1000 / WINDOW + 2 do momo.yield_now() end
      for i = 1, 1000 do tasks[i]:cancel() end
      assert.equal(0, momo.metrics().timers)
    end)
    for i = 1, 1000 do assert.equal(i, order[i]) end
  end)
end)

describe("a task that goes on catching its cancellation", function()
  -- Cancels a task that calls the operation under pcall for ever. Returns how often that raised, how many turns another
  -- task had in between, the task, and what join returned.
  local function catch_for_ever(operation)
    local raises, turns = 0, 0
    local task, ok, err = momo.run(function()
      local never = momo.spawn(momo.time.sleep, math.huge)
      local task = momo.spawn(function()
        while true do
          if not pcall(operation, never) then raises = raises + 1 end
        end
      end)
      local other = momo.spawn(function()
        while true do
          turns = turns + 1
          momo.yield_now()
        end
      end)
      momo.yield_now()
      task:cancel "please"
      local ok, err = task:join()
      other:cancel()
      never:cancel()
      return task, ok, err
    end)
    return raises, turns, task, ok, err
  end

  for name, operation in pairs(operations) do
    it("waits its turn before each raise, is given up after 100, and counts as ended: " .. name, function()
      local raises, turns, task, ok, err = catch_for_ever(operation)
      assert.equal(MOST_RAISES, raises)
      assert.is_true(turns >= MOST_RAISES - 1, "turns of another task: " .. turns)
      assert.same({ false, "cancelled: please", "cancelled" }, { ok, tostring(err), task:status() })
      assert.equal(0, momo.metrics().tasks)
    end)
  end

  it("is reported by name and line, with advice, and stop ends the run", function()
    local status, stdout, stderr = support.luajit [[
      local momo = require "momo"
      momo.run(function()
        momo.spawn(function()
          while true do
            pcall(momo.time.sleep, math.huge)
          end
        end)
        momo.yield_now()
        momo.stop()
      end)
      print "returned"
    ]]
    assert.same({ 0, "returned\n" }, { status, stdout })
    assert.matches("^momo: [^\n]*app.lua:5[^\n]*use momo.pcall[^\n]*\n$", stderr)
  end)

  it("is not given up for those of other cancellations, which count by themselves", function()
    local raises = momo.run(function()
      local raises = 0
      for _ = 1, 5 do
        momo.time.timeout(0, function()
          for _ = 1, MOST_RAISES do
            if not pcall(momo.time.sleep, 1) then raises = raises + 1 end
          end
        end)
      end
      return raises
    end)
    assert.equal(5 * MOST_RAISES, raises)
  end)

  it("or that only yields bare, which can't raise, is given up as well", function()
    local yields = 0
    momo.run(function()
      local task = momo.spawn(function()
        while yields < 10000 do
          yields = yields + 1
          coroutine.yield()
        end
      end)
      momo.yield_now()
      task:cancel()
      assert.is_false((task:join()))
      assert.equal("cancelled", task:status())
    end)
    assert.is_true(yields < 10000)
  end)

  it("keeps nothing alive when it was given up", function()
    local weak = setmetatable({}, { __mode = "v" })
    momo.run(function()
      local task = momo.spawn(function()
        local held = {}
        weak[1] = held
        repeat pcall(momo.time.sleep, math.huge) until not held
      end)
      momo.yield_now()
      task:cancel()
      task:join()
    end)
    collectgarbage()
    collectgarbage()
    assert.is_nil(weak[1])
  end)

  it("runs until its end is noted, for a finalizer that asks in the midst of that", function()
    local status
    momo.run(function()
      local task
      task = momo.spawn(function()
        collectgarbage()
        collectgarbage "stop"
        getmetatable(newproxy(true)).__gc = function() status = task:status() end
        for _ = 1, MOST_RAISES do pcall(momo.time.sleep, math.huge) end
        collectgarbage("setstepmul", 1e7) -- whatever allocates next collects all
        collectgarbage "restart"
        momo.time.sleep(math.huge)
      end)
      momo.yield_now()
      task:cancel()
      task:join()
      collectgarbage("setstepmul", 200)
      assert.equal("running", status)
      assert.equal("cancelled", task:status())
    end)
  end)

  it("100 times and then ends may do so", function()
    momo.run(function()
      local task = momo.spawn(function()
        for _ = 1, MOST_RAISES do assert(not pcall(momo.time.sleep, math.huge)) end
        return "late"
      end)
      momo.yield_now()
      task:cancel()
      assert.same({ true, "late" }, { task:join() })
    end)
  end)
end)
