local momo = require "momo"

local now, sleep, interval = momo.time.now, momo.time.sleep, momo.time.interval

local function run(main)
  return momo.run({ clock = "virtual" }, main)
end

describe("interval", function()
  it("ticks first after one period, then after each further one", function()
    run(function()
      local ticks = {}
      local every = interval(2)
      for _ = 1, 4 do
        local scheduled, missed = every:tick()
        assert.same({ now(), 0 }, { scheduled, missed })
        ticks[#ticks + 1] = now()
      end
      assert.same({ 2, 4, 6, 8 }, ticks)
    end)
  end)

  it("counts from its making, not from the first tick", function()
    run(function()
      sleep(0.25)
      local every = interval(1)
      sleep(0.5)
      assert.equal(1.25, (every:tick()))
      assert.equal(1.25, now())
    end)
  end)

  it("does not drift, however long the work between takes", function()
    run(function()
      local every = interval(1)
      for i = 1, 1000 do
        local scheduled, missed = every:tick()
        assert.same({ i, 0, i }, { scheduled, missed, now() })
        sleep(i % 10 / 10)
      end
    end)
  end)

  it("does not drift with a period that binary numbers can't hold", function()
    run(function()
      local every = interval(0.1)
      for i = 1, 1000 do
        local scheduled, missed = every:tick()
        assert.is_true(math.abs(scheduled - i / 10) < 1e-9 and math.abs(now() - i / 10) < 1e-9, i .. " at " .. now())
        assert.equal(0, missed)
      end
    end)
  end)

  it("skips the ticks that were missed, tells how many, and keeps its times", function()
    run(function()
      local every = interval(10)
      every:tick()
      sleep(35) -- at 45: 20 and 30 are over, 40 is late
      local scheduled, missed = every:tick()
      assert.same({ 40, 2, 45 }, { scheduled, missed, now() })
      scheduled, missed = every:tick()
      assert.same({ 50, 0, 50 }, { scheduled, missed, now() })
    end)
  end)

  it("that was missed by less than a period is late, and misses nothing", function()
    run(function()
      local every = interval(10)
      every:tick()
      sleep(15)
      local scheduled, missed = every:tick()
      assert.same({ 20, 0, 25 }, { scheduled, missed, now() })
      assert.equal(30, (every:tick()))
      assert.equal(30, now())
    end)
  end)

  it("whose work takes just a period ticks at once, on time", function()
    run(function()
      local every = interval(5)
      for i = 1, 20 do
        local scheduled, missed = every:tick()
        assert.same({ 5 * i, 0, 5 * i }, { scheduled, missed, now() })
        sleep(5)
      end
    end)
  end)

  it("accounts for every tick, whatever the work", function()
    run(function()
      math.randomseed(11)
      local every, ticks, before = interval(3), 0, 0
      for _ = 1, 2000 do
        local scheduled, missed = every:tick()
        ticks = ticks + 1 + missed
        assert.equal(3 * ticks, scheduled)
        assert.is_true(scheduled > before and now() >= scheduled)
        before = scheduled
        sleep(math.random(0, 10))
      end
    end)
  end)

  it("that was cancelled within a tick has lost none", function()
    run(function()
      local every = interval(10)
      assert.equal("ETIMEDOUT", select(3, momo.time.timeout(4, every.tick, every)))
      assert.equal(0, momo.metrics().timers)
      local scheduled, missed = every:tick()
      assert.same({ 10, 0, 10 }, { scheduled, missed, now() })
    end)
  end)

  it("waits on the real clock too", function()
    momo.run(function()
      local start = now()
      local every = interval(0.005)
      for i = 1, 5 do
        local scheduled, missed = every:tick()
        assert.is_true(scheduled >= start + 0.005 * i and now() >= scheduled and missed >= 0)
      end
    end)
  end)

  it("throws for a period that is none, at the caller's line", function()
    for _, period in ipairs { 0, -1, 0 / 0, math.huge, "1", false } do
      local ok, err = pcall(function()
        interval(period)
        return nil
      end)
      assert.is_false(ok)
      assert.matches("^spec/task/interval_spec.lua:%d+: interval: argument 1 must be a number of seconds, more than 0",
        err)
    end
  end)

  it("takes no callback, and neither does after", function()
    local ways = { interval = "interval:tick() in a task", after = "momo.time.sleep(seconds) in a task" }
    for name, instead in pairs(ways) do
      local ok, err = pcall(function()
        momo.time[name](1, print)
        return nil
      end)
      assert.is_false(ok)
      local text = "%s: takes the seconds alone, as there are no callbacks: call %s (momo.spawn)"
      assert.equal(text:format(name, instead), err:match "^spec/task/interval_spec.lua:%d+: (.*)$")
    end
  end)
end)
