local momo = require "momo"
local virtual = require "spec.support.virtual"

local sync, now, sleep, timeout = momo.sync, momo.time.now, momo.time.sleep, momo.time.timeout
local on, settle, waiting, assert_failed = virtual.on, virtual.settle, virtual.waiting, virtual.assert_failed

-- Tasks that wait in method(object, ...), and the order in which they were served.
local function waiters(n, method, object, ...)
  local tasks, served = {}, {}
  for i = 1, n do
    tasks[i] = waiting(function(...)
      local ok, err, code = method(object, ...)
      if ok then
        served[#served + 1] = i
      end
      return ok, err, code
    end, ...)
  end
  return tasks, served
end

describe("a Notify", function()
  it("wakes one that waits, first come, first served", on(function()
    local notify = sync.Notify()
    local tasks, served = waiters(3, notify.notified, notify)
    for i = 1, 3 do
      notify:notify_one()
      settle()
      assert.equal(i, #served)
    end
    assert.same({ 1, 2, 3 }, served)
    assert.same({ true, true }, { tasks[1]:join() })
  end))

  it("that nobody waits for is kept, once", on(function()
    local notify = sync.Notify()
    notify:notify_one()
    notify:notify_one()
    assert.is_true(notify:notified())
    assert_failed("ETIMEDOUT", notify:notified(0))
  end))

  it("wakes all that wait, and none that comes later", on(function()
    local notify = sync.Notify()
    local _, served = waiters(3, notify.notified, notify)
    notify:notify_waiters()
    local later = waiting(notify.notified, notify)
    assert.same({ 1, 2, 3 }, served)
    settle()
    assert.equal("waiting", later:status())
    notify:notify_one()
    later:join()
  end))

  it("of one that gives up in that moment goes to who still waits", on(function()
    local notify = sync.Notify()
    local tasks, served = waiters(3, notify.notified, notify)
    tasks[1]:cancel()
    notify:notify_one()
    settle()
    assert.same({ 2 }, served)
    notify:notify_one()
    settle()
    assert.same({ 2, 3 }, served)
  end))

  it("that comes while one that was woken has not run yet is kept", on(function()
    local notify = sync.Notify()
    local tasks = waiters(1, notify.notified, notify)
    notify:notify_one()
    notify:notify_one()
    tasks[1]:join()
    assert.is_true(notify:notified(0))
  end))
end)

describe("a Semaphore", function()
  it("lets as many pass as it has permits", on(function()
    local semaphore = sync.Semaphore(2)
    local inside, most = 0, 0
    local function work()
      semaphore:acquire()
      inside = inside + 1
      most = math.max(most, inside)
      sleep(1)
      inside = inside - 1
      semaphore:release()
    end
    momo.all { work, work, work, work, work }
    assert.equal(2, most)
    assert.equal(3, now())
  end))

  it("hands a permit to the first that waits, before those who come later", on(function()
    local semaphore = sync.Semaphore(0)
    local tasks, served = waiters(3, semaphore.acquire, semaphore)
    semaphore:release()
    assert_failed("ETIMEDOUT", semaphore:acquire(0))
    semaphore:release()
    semaphore:release()
    for _, task in ipairs(tasks) do task:join() end
    assert.same({ 1, 2, 3 }, served)
  end))

  it("with no permits may be given some", on(function()
    local semaphore = sync.Semaphore(0)
    semaphore:release()
    semaphore:release()
    assert.equal(2, semaphore:available())
    assert.is_true(semaphore:acquire())
    assert.equal(1, semaphore:available())
    assert.is_true(semaphore:acquire(0))
    assert_failed("ETIMEDOUT", semaphore:acquire(0))
    assert.equal(0, semaphore:available())
    local task = waiting(semaphore.acquire, semaphore)
    semaphore:release()
    assert.equal(0, semaphore:available()) -- it belongs to the one that waits
    task:join()
    semaphore:release()
    assert.equal(1, semaphore:available())
  end))

  it("gives a permit back however `with` ends, and returns what its function did", on(function()
    local semaphore = sync.Semaphore(1)
    local function pass(...) return ... end
    assert.same({ 1, nil, 3, n = 3 }, (function(...) return { n = select("#", ...), ... } end)(
      semaphore:with(pass, 1, nil, 3)))
    local problem = {}
    local _, err = pcall(semaphore.with, semaphore, error, problem)
    assert.equal(problem, err)
    local task = waiting(semaphore.with, semaphore, sleep, 100)
    task:cancel()
    task:join()
    assert_failed("ETIMEDOUT", timeout(1, semaphore.with, semaphore, sleep, 100))
    assert.is_true(semaphore:acquire(0))
  end))

  it("takes none for a `with` that was cancelled while it waited", on(function()
    local semaphore = sync.Semaphore(0)
    local ran = false
    local task = waiting(semaphore.with, semaphore, function() ran = true end)
    task:cancel()
    task:join()
    assert.is_false(ran)
    assert_failed("ETIMEDOUT", semaphore:acquire(0))
  end))
end)

describe("a Mutex", function()
  it("has one owner at a time, first come, first served", on(function()
    local mutex = sync.Mutex()
    local order = {}
    for i = 1, 4 do
      momo.spawn(function()
        mutex:lock()
        order[#order + 1] = "in " .. i
        sleep(1)
        order[#order + 1] = "out " .. i
        mutex:unlock()
      end)
    end
    sleep(10)
    assert.same({ "in 1", "out 1", "in 2", "out 2", "in 3", "out 3", "in 4", "out 4" }, order)
  end))

  it("is handed over: who unlocks can't take it again before those that wait", on(function()
    local mutex = sync.Mutex()
    mutex:lock()
    local tasks, served = waiters(2, function()
      mutex:lock()
      mutex:unlock()
      return true
    end)
    mutex:unlock()
    assert_failed("ETIMEDOUT", mutex:lock(0))
    mutex:lock()
    assert.same({ 1, 2 }, served)
    for _, task in ipairs(tasks) do task:join() end
  end))

  it("goes on to the next when one that waits gives up, even after it was handed over", on(function()
    local mutex = sync.Mutex()
    mutex:lock()
    local tasks, served = waiters(3, function()
      local ok, err, code = mutex:lock()
      mutex:unlock()
      return ok, err, code
    end)
    tasks[1]:cancel() -- while it waits
    mutex:unlock()
    tasks[2]:cancel() -- when it has the lock already
    tasks[3]:join()
    assert.same({ 2, 3 }, served)
    assert.is_true(mutex:lock(0))
  end))

  it("is unlocked however `with` ends", on(function()
    local mutex = sync.Mutex()
    assert.equal("result", mutex:with(function() return "result" end))
    local ok, err = pcall(mutex.with, mutex, function() error("inside", 0) end)
    assert.same({ false, "inside" }, { ok, err })
    assert_failed("ETIMEDOUT", timeout(1, mutex.with, mutex, sleep, 100))
    local task = waiting(mutex.with, mutex, sleep, 100)
    task:cancel()
    assert.is_true(momo.is_cancelled(select(2, task:join())))
    assert.is_true(mutex:lock(0))
  end))

  it("shows in a traceback where the function of `with` failed", on(function()
    local mutex = sync.Mutex()
    local function culprit() error "inside" end
    local task = momo.spawn(function() mutex:with(culprit) end)
    task:join()
    local line = debug.getinfo(culprit, "S").linedefined
    assert.matches(("sync_spec.lua:%d: in function"):format(line), task:traceback())
  end))

  it("that its owner's end left locked stays so", on(function()
    local mutex = sync.Mutex()
    momo.spawn(mutex.lock, mutex):join()
    assert_failed("ETIMEDOUT", mutex:lock(1))
    assert.matches("^app.lua:1: unlock: this task does not hold", virtual.mistake("a:unlock()", mutex))
  end))
end)

describe("a timeout", function()
  local makers = {
    notified = function() return sync.Notify() end,
    acquire = function() return sync.Semaphore(0) end,
    lock = function()
      local mutex = sync.Mutex()
      momo.spawn(mutex.lock, mutex):join()
      return mutex
    end,
  }
  for method, make in pairs(makers) do
    it("is ETIMEDOUT when it is over: " .. method, on(function()
      local object = make()
      assert_failed("ETIMEDOUT", object[method](object, 1.25))
      assert.equal(1.25, now())
      assert.equal(0, momo.metrics().timers)
    end))

    it("of 0 never suspends: " .. method, on(function()
      local object = make()
      local others = 0
      momo.spawn(function() others = others + 1 end)
      for _ = 1, 200 do assert_failed("ETIMEDOUT", object[method](object, 0)) end
      assert.equal(0, others)
    end))
  end

  it("that is over, and a cancellation, take nothing from the others", on(function()
    local semaphore = sync.Semaphore(0)
    local tasks, served = waiters(3, semaphore.acquire, semaphore, 1)
    local patient = waiting(semaphore.acquire, semaphore)
    tasks[2]:cancel()
    sleep(2)
    assert.same({}, served)
    semaphore:release()
    assert.is_true(patient:join())
    assert_failed("ETIMEDOUT", semaphore:acquire(0))
  end))
end)

describe("mistakes with sync", function()
  local told = {
    ["momo.sync.Semaphore()"] = "Semaphore: argument 1 must be a whole number of permits, 0 or more, got nil",
    ["momo.sync.Semaphore(-1)"] = "Semaphore: argument 1 must be a whole number of permits, 0 or more, got -1",
    ["momo.sync.Semaphore(1.5)"] = "Semaphore: argument 1 must be a whole number of permits, 0 or more, got 1.5",
    ["momo.sync.Mutex():unlock()"] = "unlock: this task does not hold the mutex",
    ["local m = momo.sync.Mutex() m:lock() m:lock()"] = "lock: this task holds the mutex already",
    ["momo.sync.Mutex():with()"] = "with: argument 1 must be a function, got nil",
    ["momo.sync.Semaphore(1):with(1)"] = "with: argument 1 must be a function, got 1",
    ["momo.sync.Semaphore(0):acquire('x')"] = "acquire: the timeout must be a number of seconds",
    ["momo.sync.Notify():notified(-1)"] = "notified: the timeout must be a number of seconds",
  }
  local methods = {
    Mutex = { "lock", "unlock", "with" },
    Semaphore = { "acquire", "release", "with" },
    Notify = { "notified", "notify_one", "notify_waiters" },
  }
  for class, names in pairs(methods) do
    for _, name in ipairs(names) do
      local text = ("%s: call it with a colon: %s:%s()"):format(name, class:lower(), name)
      told[("momo.sync.%s(1).%s()"):format(class, name)] = text
      told[("momo.sync.%s(1).%s(print)"):format(class, name)] = text
    end
  end
  for code, text in pairs(told) do
    it("are told where they were made: " .. code, on(function()
      local err = virtual.mistake(code)
      assert.equal("app.lua:1: " .. text, err:sub(1, #text + 11))
    end))
  end

  it("are told where they were made: unlock by another task", on(function()
    local mutex = sync.Mutex()
    mutex:lock()
    local _, err = momo.spawn(virtual.mistake, "a:unlock()", mutex):join()
    assert.equal("app.lua:1: unlock: this task does not hold the mutex", err)
    mutex:unlock()
  end))
end)
