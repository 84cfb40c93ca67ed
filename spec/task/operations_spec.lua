-- What holds for each operation that suspends; operations.lua lists them.

local momo = require "momo"
local operations = require "spec.support.operations"
local tcp = require "spec.support.tcp"
local virtual = require "spec.support.virtual"

-- What an operation may leave behind.
local function counts()
  tcp.settle() -- what is closed goes at the loop's next turn
  local m = momo.metrics()
  return { tasks = m.tasks, timers = m.timers, handles = m.handles, threads = m.threads }
end

-- Calls fn with the row's subject in a run of its own, and looks after what is left.
local function prepared(prepare, fn)
  return function()
    tcp.run(function()
      local subject = prepare()
      local before = counts()
      local began = fn(subject)
      if not subject.ends then
        assert.same(before, counts())
      end
      if subject.check then
        local ok, err = momo.spawn(subject.check, began):join()
        if not ok then error(err, 0) end
      end
      momo.stop()
    end)
    tcp.check_nothing_left()
  end
end

local function begin(subject, fn)
  if subject.yields then
    local task = momo.spawn(fn)
    momo.yield_now()
    return task
  end
  local task
  repeat -- an answer from another thread may have come before it was seen to wait: then it begins anew
    task = momo.spawn(fn)
    repeat momo.yield_now() until task:status() ~= "ready"
  until not (subject.brief and task:status() == "done")
  tcp.until_waiting(task)
  return task
end

local function assert_cancelled(task, reason)
  local ok, err = task:join()
  assert.is_false(ok)
  assert.is_true(momo.is_cancelled(err), tostring(err))
  assert.equal(reason, err.reason)
end

-- Gives the operation a timeout of its own, and calls it.
local function wait_for(subject, seconds)
  if subject.limit then
    subject.limit(seconds)
  end
  return subject.wait(seconds)
end

local names = {}
for name in pairs(operations) do
  names[#names + 1] = name
end
table.sort(names)

for _, name in ipairs(names) do
  describe(name, function()
    local prepare = operations[name]
    local timed, brief
    tcp.run(function()
      local subject = prepare()
      timed, brief = subject.own or subject.limit, subject.brief
      momo.stop()
    end)

    it("raises a cancellation that comes while it waits", prepared(prepare, function(subject)
      local task = begin(subject, function() subject.wait() end)
      task:cancel "enough"
      assert_cancelled(task, "enough")
      return true
    end))

    it("does so in a generator", prepared(prepare, function(subject)
      local task = begin(subject, function() momo.coroutine.wrap(function() subject.wait() end)() end)
      task:cancel "enough"
      assert_cancelled(task, "enough")
      return true
    end))

    it("may be cancelled as often as it is tried", prepared(prepare, function(subject)
      for _ = 1, subject.once and 1 or 3 do
        local task = begin(subject, function() subject.wait() end)
        task:cancel "again"
        assert_cancelled(task, "again")
      end
      return true
    end))

    if not brief then
      it("ends with the timeout around it", prepared(prepare, function(subject)
        tcp.assert_failed("ETIMEDOUT", momo.time.timeout(0.005, function() subject.wait() end))
        return true
      end))
    end

    it("raises without waiting in a task that is cancelled", prepared(prepare, function(subject)
      local others, ran = 0, nil
      local task = momo.spawn(function()
        momo.current():cancel "before"
        local ok, err = pcall(subject.wait)
        ran = others
        assert.is_false(ok)
        error(err, 0)
      end)
      momo.spawn(function() others = others + 1 end)
      assert_cancelled(task, "before")
      assert.equal(subject.children and ran or 0, ran)
      return false
    end))

    if not brief then
      it("ends with a timeout in a shield, however often the task has caught its cancellation", prepared(prepare,
        function(subject)
          local task = momo.spawn(function()
            momo.current():cancel "deaf"
            for _ = 1, 100 do
              assert.is_false((pcall(momo.time.sleep, 1)))
            end
            for _ = 1, subject.once and 1 or 3 do
              tcp.assert_failed("ETIMEDOUT", momo.shield(momo.time.timeout, 0.005, function() subject.wait() end))
            end
          end)
          local ok, err = task:join()
          if not ok then error(err, 0) end
          return true
        end))
    end

    it("ends with momo.stop", function()
      local task, ends
      tcp.run(function()
        local subject = prepare()
        ends = subject.served and "done" or "cancelled"
        task = begin(subject, function() subject.wait() end)
        momo.stop()
      end)
      assert.equal(ends, task:status())
      tcp.check_nothing_left()
    end)

    if timed then
      it("ends with its own timeout", prepared(prepare, function(subject)
        tcp.assert_failed("ETIMEDOUT", wait_for(subject, 0.005))
        return true
      end))

      it("with the timeout 0 only tries; as an argument, it never suspends", prepared(prepare, function(subject)
        local others = 0
        momo.spawn(function() others = others + 1 end)
        for try = 1, 100 do
          local _, _, code = wait_for(subject, 0)
          assert.equal(subject.once and try > 1 and "EPIPE" or "ETIMEDOUT", code)
        end
        assert.equal(subject.limit and others or 0, others)
        return true
      end))
    end
  end)
end

describe("interval:tick", function()
  it("that was given up is not lost", virtual.on(function()
    local interval = momo.time.interval(1)
    tcp.assert_failed("ETIMEDOUT", momo.time.timeout(0.5, interval.tick, interval))
    local task = tcp.waiting(interval.tick, interval)
    task:cancel()
    assert.same({ 1, 0 }, { interval:tick() })
  end))
end)
