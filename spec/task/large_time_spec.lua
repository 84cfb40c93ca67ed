-- Large times work, up to the end of the clock, which is 1e15 seconds: 30 million years. What would last longer is
-- taken for math.huge.

local momo = require "momo"
local virtual = require "spec.support.virtual"

local now, sleep = momo.time.now, momo.time.sleep
local on, mistake = virtual.on, virtual.mistake

local LARGE = {
  1e6, 2 ^ 31 / 1000, 2 ^ 32 / 1000, 1e9, 9e9 - 1, 9e9, 9e9 + 1, 2 ^ 63 / 1e9, 2 ^ 64 / 1e9, 2e10, 1e11, 1e12, 1e14,
}
local ENDLESS = { 1e15, 2 ^ 53, 1e18, 1e300, math.huge }

describe("a large time", function()
  for _, seconds in ipairs(LARGE) do
    it(("of %.17g s is slept to the end"):format(seconds), on(function()
      sleep(seconds)
      assert.is_true(now() >= seconds and now() <= seconds + 0.001)
      local before = now()
      sleep(0.5)
      assert.is_true(now() - before >= 0.499 and now() - before < 0.502)
    end))

    it(("of %.17g s ends a wait"):format(seconds), on(function()
      local _, rx = momo.sync.channel()
      local tx = momo.sync.channel()
      local a, b = momo.net.UnixStream.pair()
      local waits = {
        function() return momo.time.timeout(seconds, sleep, math.huge) end,
        function() return rx:recv(seconds) end,
        function() return momo.spawn(sleep, 2 * seconds):join(seconds) end,
        function()
          a:set_timeout(seconds)
          return a:read()
        end,
      }
      for i, wait in ipairs(waits) do
        local before = now()
        local result, _, code = wait()
        assert.same({ nil, "ETIMEDOUT" }, { result, code }, "wait " .. i)
        assert.is_true(now() - before >= seconds and now() - before <= seconds + 0.01)
      end
      local before = now()
      assert.equal(1, momo.select { momo.time.after(seconds) })
      assert.is_true(now() - before >= seconds - 0.001)
      tx:close()
      a:close()
      b:close()
    end))

    it(("of %.17g s is an interval"):format(seconds), on(function()
      local interval = momo.time.interval(seconds)
      for n = 1, 3 do
        local scheduled, missed = interval:tick()
        assert.is_true(math.abs(scheduled - n * seconds) <= 0.001)
        assert.equal(0, missed)
        assert.is_true(now() >= scheduled and now() <= scheduled + 0.002)
      end
    end))

    it(("of %.17g s is waited for on the real clock"):format(seconds), function()
      momo.run(function()
        local tasks = {
          momo.spawn(sleep, seconds),
          momo.spawn(momo.time.timeout, seconds, sleep, math.huge),
          momo.spawn(function() momo.time.interval(seconds):tick() end),
          momo.spawn(function() momo.select { momo.time.after(seconds) } end),
        }
        sleep(0.002)
        for _, task in ipairs(tasks) do
          assert.equal("waiting", task:status())
          task:cancel()
        end
      end)
    end)
  end

  it("has passed, and seconds are still counted one by one", on(function()
    for _, passed in ipairs { 2 ^ 63 / 1e9, 2 ^ 64 / 1e9, 1e12 } do
      sleep(passed - now())
      local interval = momo.time.interval(1)
      local begun = now()
      for n = 1, 100 do
        local scheduled, missed = interval:tick()
        assert.same({ begun + n, 0 }, { scheduled, missed })
        assert.is_true(now() >= scheduled and now() <= scheduled + 0.002)
      end
    end
  end))

  for _, seconds in ipairs(ENDLESS) do
    it(("of %g s has no end"):format(seconds), on(function()
      local a, b = momo.net.UnixStream.pair()
      assert.is_true(a:set_timeout(seconds))
      local tasks = {
        momo.spawn(sleep, seconds),
        momo.spawn(momo.time.timeout, seconds, a.read, a),
        momo.spawn(b.read, b),
        momo.spawn(momo.select, { momo.time.after(seconds), momo.spawn(sleep, seconds) }),
        momo.spawn(function() momo.time.interval(math.min(seconds, 1e300)):tick() end),
      }
      for _ = 1, 20 do
        sleep(9e13) -- the last of these would end beyond the clock
        if now() > 9e14 then break end
      end
      for i, task in ipairs(tasks) do
        assert.equal("waiting", task:status(), "task " .. i)
      end
      a:close()
      b:close()
      momo.stop()
    end))
  end
end)

describe("a small period", function()
  it("is one nanosecond at least", on(function()
    assert.matches("interval: argument 1 must be at least 1e%-9 seconds, got 1e%-10$",
      mistake "momo.time.interval(1e-10)")
    assert.matches("interval: argument 1 must be at least 1e%-9 seconds, got ", mistake "momo.time.interval(5e-324)")
    local interval = momo.time.interval(1e-9)
    local last = 0
    for _ = 1, 5 do
      local scheduled = interval:tick()
      assert.is_true(scheduled > last and scheduled <= now())
      last = scheduled
    end
  end))
end)
