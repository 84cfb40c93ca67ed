local momo = require "momo"
local support = require "spec.support"

local now, sleep, sleep_until = momo.time.now, momo.time.sleep, momo.time.sleep_until
local YEAR = 365.25 * 86400

-- Calls fn(...) in a task and returns its error, without the place, and whether that was in this file.
local function mistake(fn, ...)
  local values, n = { ... }, select("#", ...)
  local ok, err = momo.run(function()
    return pcall(function()
      fn(unpack(values, 1, n))
      return nil
    end)
  end)
  assert.is_false(ok)
  local place, text = err:match "^(spec/task/time_spec.lua:%d+): (.*)$"
  assert.is_truthy(place, "no place in: " .. err)
  return text
end

describe("sleep", function()
  it("never ends early", function()
    math.randomseed(7)
    local early, slept = {}, 0
    momo.run(function()
      for i = 1, 2000 do
        local seconds = i % 3 == 0 and math.random() / 1000 or math.random() / 10
        momo.spawn(function()
          for _ = 1, 3 do
            local before = now()
            sleep(seconds)
            local took = now() - before
            slept = slept + 1
            if took < seconds then early[#early + 1] = seconds - took end
          end
        end)
      end
    end)
    assert.equal(6000, slept)
    assert.same({}, early)
  end)

  it("ends too when its time comes in the moment before the poll", function()
    local status, stdout, stderr = support.luajit [[
      local momo = require "momo"
      momo.run(function()
        local listener = assert(momo.net.TcpListener.bind "127.0.0.1:0")
        local acceptor = momo.spawn(listener.accept, listener)
        for i = 1, 500 do -- the clock counts milliseconds: begin a few microseconds before the next one
          local fraction = 1 - i % 50 / 5000
          repeat until momo.time.now() * 1000 % 1 >= fraction - 0.0005
          momo.time.sleep(1e-9)
        end
        acceptor:cancel()
        listener:close()
        print "woken"
      end)
    ]]
    assert.same({ 0, "woken\n", "" }, { status, stdout, stderr })
  end)

  it("of 0 yields", function()
    local order = {}
    momo.run(function()
      for _, name in ipairs { "a", "b" } do
        momo.spawn(function()
          for round = 1, 2 do
            order[#order + 1] = name .. round
            sleep(0)
          end
        end)
      end
    end)
    assert.equal("a1 b1 a2 b2", table.concat(order, " "))
  end)

  it("of math.huge, and of longer than anybody waits, lasts until it is cancelled", function()
    momo.run(function()
      for _, seconds in ipairs { math.huge, 1e300, 100 * YEAR, 50 * 86400 } do
        local task = momo.spawn(sleep, seconds)
        sleep(0.001)
        assert.equal("waiting", task:status())
        task:cancel()
        assert.is_true(momo.is_cancelled(select(2, task:join())))
      end
    end)
  end)

  it("of math.huge keeps a program up until a signal stops it, with nothing else to do", function()
    local status, stdout, stderr = support.momo("-e", [[
      print "up"
      os.execute "kill -TERM $PPID"
      require("momo").time.sleep(math.huge)
      print "not reached"
    ]])
    assert.same({ 0, "up\n", "" }, { status, stdout, stderr })
  end)

  it("works 10 000 times at once", function()
    local ended, early = 0, 0
    momo.run(function()
      for i = 1, 10000 do
        momo.spawn(function()
          local seconds = 0.2 + i % 100 / 1000
          local before = now()
          sleep(seconds)
          if now() - before < seconds then early = early + 1 end
          ended = ended + 1
        end)
      end
      repeat momo.yield_now() until momo.metrics().ready == 0
      assert.is_true(momo.metrics().timers + ended == 10000)
    end)
    assert.same({ 10000, 0 }, { ended, early })
    assert.equal(0, momo.metrics().timers)
  end)

  it("returns nothing", function()
    assert.equal(0, select("#", momo.run(function() return sleep(0.001) end)))
  end)

  it("refuses what is no number of seconds, at the caller's line", function()
    assert.equal("sleep: argument 1 must be a number of seconds, got NaN", mistake(sleep, 0 / 0))
    assert.equal("sleep: argument 1 must not be negative, got -1", mistake(sleep, -1))
    assert.equal("sleep: argument 1 must not be negative, got -inf", mistake(sleep, -math.huge))
    assert.equal("sleep: argument 1 must be a number of seconds, got string", mistake(sleep, "1"))
    assert.equal("sleep: argument 1 must be a number of seconds, got nil", mistake(sleep, nil))
    assert.equal("sleep: argument 1 must be a number of seconds, got table", mistake(sleep, {}))
    assert.equal("sleep: argument 1 must be a number of seconds, got nil", mistake(sleep))
    assert.equal(0, momo.metrics().timers)
  end)
end)

describe("sleep_until", function()
  it("never ends early, and ends in the order of the times", function()
    math.randomseed(11)
    local order, early, in_time
    repeat -- until all of them slept before the first time came
      order, early = {}, 0
      momo.run(function()
        local base = now() + 0.2
        for _ = 1, 2000 do
          local at = base + math.random() / 5
          momo.spawn(function()
            sleep_until(at)
            if now() < at then early = early + 1 end
            order[#order + 1] = math.ceil(at * 1000)
          end)
        end
        repeat momo.yield_now() until momo.metrics().ready == 0
        in_time = now() < base
      end)
    until in_time
    assert.same({ 2000, 0 }, { #order, early })
    for i = 2, #order do
      assert.is_true(order[i - 1] <= order[i])
    end
  end)

  it("of a time that has passed yields", function()
    local order = {}
    momo.run(function()
      momo.spawn(function()
        for _, at in ipairs { now(), 0, -5, now() - 1, -math.huge } do
          sleep_until(at)
          order[#order + 1] = "a"
        end
      end)
      momo.spawn(function()
        for _ = 1, 5 do
          order[#order + 1] = "b"
          momo.yield_now()
        end
      end)
    end)
    assert.equal("bababababa", table.concat(order))
  end)

  it("of math.huge lasts until it is cancelled", function()
    momo.run(function()
      local task = momo.spawn(sleep_until, math.huge)
      sleep(0.001)
      assert.equal("waiting", task:status())
      task:cancel()
      assert.is_true(momo.is_cancelled(select(2, task:join())))
    end)
  end)

  it("refuses wrong times, at the caller's line", function()
    assert.equal("sleep_until: argument 1 must be a number of seconds, got NaN", mistake(sleep_until, 0 / 0))
    assert.equal("sleep_until: argument 1 must be a number of seconds, got string", mistake(sleep_until, "1"))
    assert.equal("sleep_until: argument 1 must be a number of seconds, got nil", mistake(sleep_until, nil))
  end)

  it("tells a wall clock's time", function()
    local years = mistake(sleep_until, os.time()):match(
      "^sleep_until: (%d+) years ahead; pass momo.time.now%(%) %+ seconds, not os.time%(%)$")
    assert.is_true(math.abs(years - (os.time() - now()) / YEAR) <= 1)
    assert.matches("years ahead", mistake(sleep_until, momo.time.wall() + 1), 1, true)
  end)
end)

describe("now", function()
  it("never goes back, in a task and outside", function()
    local last = now()
    local function check()
      for _ = 1, 10000 do
        local t = now()
        assert(t >= last)
        last = t
      end
    end
    check()
    momo.run(function()
      check()
      sleep(0.001)
      check()
    end)
    check()
  end)

  it("goes on while a task computes", function()
    momo.run(function()
      local first = now()
      while now() == first do end
      assert.is_true(now() > first)
    end)
  end)
end)

describe("wall", function()
  it("is the system's clock, with its fractions", function()
    local before = os.time()
    local wall = momo.time.wall()
    assert.is_true(wall >= before and wall < os.time() + 2)
    local fractions = 0
    for _ = 1, 1000 do
      fractions = fractions + (momo.time.wall() % 1 > 0 and 1 or 0)
    end
    assert.is_true(fractions > 900)
  end)
end)
