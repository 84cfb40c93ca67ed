local momo = require "momo"
local virtual = require "spec.support.virtual"

local sync, now, sleep = momo.sync, momo.time.now, momo.time.sleep
local choose, after = momo.select, momo.time.after
local on, settle, waiting, assert_failed = virtual.on, virtual.settle, virtual.waiting, virtual.assert_failed

local function later(seconds, fn, ...)
  momo.spawn(function(...)
    sleep(seconds)
    fn(...)
  end, ...)
end

describe("select", function()
  -- For each kind of waitable: one, and what makes it ready; and what select then returns after the index.
  local kinds = {
    receiver = function()
      local tx, rx = sync.channel()
      return rx, function() tx:send "value" end, { "value" }
    end,
    ["receiver at its end"] = function()
      local tx, rx = sync.channel()
      return rx, function() tx:close() end, { nil, "EOF: end of file", "EOF" }
    end,
    ["oneshot's receiver"] = function()
      local tx, rx = sync.oneshot()
      return rx, function() tx:send(false) end, { false }
    end,
    Notify = function()
      local notify = sync.Notify()
      return notify, function() notify:notify_one() end, { true }
    end,
    ["task that ends well"] = function()
      local go = sync.Notify()
      local task = momo.spawn(function() go:notified() return 1, nil, 3 end)
      return task, function() go:notify_one() end, { true, 1, nil, 3 }
    end,
    ["task that fails"] = function()
      local go = sync.Notify()
      local task = momo.spawn(function() go:notified() error("failed", 0) end)
      return task, function() go:notify_one() end, { false, "failed" }
    end,
    ["time.after"] = function()
      return after(1), function() sleep(1) end, { true }
    end,
  }

  local function expect(wanted, index, ...)
    local got = { index, ... }
    for i = 1, math.max(#wanted + 1, select("#", ...) + 1) do
      assert.equal(i == 1 and 2 or wanted[i - 1], got[i])
    end
  end

  for name, make in pairs(kinds) do
    it("returns what is ready already: " .. name, on(function()
      local entry, make_ready, wanted = make()
      settle()
      make_ready()
      settle()
      expect(wanted, choose { false, entry, false })
    end))

    it("waits until it is ready: " .. name, on(function()
      local entry, make_ready, wanted = make()
      local _, never = sync.channel()
      later(0.5, make_ready)
      expect(wanted, choose { never, entry })
    end))

    it("leaves it as it was when it is given up: " .. name, on(function()
      local entry, make_ready, wanted = make()
      assert_failed("ETIMEDOUT", momo.time.timeout(0.5, choose, { entry }))
      local task = waiting(choose, { entry })
      task:cancel()
      assert.is_true(momo.is_cancelled(select(2, task:join())))
      make_ready()
      expect(wanted, choose { false, entry })
    end))
  end

  it("consumes exactly one of those that are ready", on(function()
    local entries, notify = {}, sync.Notify()
    for i = 1, 3 do
      local tx, rx = sync.channel()
      tx:send(i)
      entries[i] = rx
    end
    notify:notify_one()
    entries[4] = notify
    local seen = {}
    for _ = 1, 4 do
      local index, value = choose(entries)
      assert.is_nil(seen[index])
      seen[index] = value
    end
    assert.same({ 1, 2, 3, true }, seen)
    for i = 1, 3 do assert_failed("ETIMEDOUT", entries[i]:recv(0)) end
    assert_failed("ETIMEDOUT", notify:notified(0))
  end))

  it("consumes one of those that become ready at once, and leaves the others' values", on(function()
    local tx1, rx1 = sync.channel()
    local tx2, rx2 = sync.channel()
    local notify = sync.Notify()
    later(1, function()
      tx2:send "b"
      tx1:send "a"
      notify:notify_one()
    end)
    local index, value = choose { rx1, rx2, notify }
    assert.same({ 2, "b" }, { index, value })
    assert.equal("a", rx1:recv(0))
    assert_failed("ETIMEDOUT", rx2:recv(0))
    assert.is_true(notify:notified(0))
  end))

  it("leaves no notification behind that comes while it was woken but has not run", on(function()
    local notify = sync.Notify()
    local task = waiting(choose, { notify })
    notify:notify_one()
    notify:notify_one()
    task:join()
    assert.is_true(notify:notified(0))
  end))

  it("does not overtake a receiver that was promised a value", on(function()
    local tx, rx = sync.channel()
    local first = waiting(rx.recv, rx)
    tx:send(1)
    tx:send(2)
    local index, value = choose { rx }
    local _, got = first:join()
    assert.equal(1, index)
    assert.same({ 1, 2 }, { math.min(got, value), math.max(got, value) })
    assert_failed("ETIMEDOUT", rx:recv(0))
  end))

  it("waits in line with those that call recv and notified", on(function()
    local tx, rx = sync.channel()
    local order = {}
    local function take(name, wait, ...)
      return waiting(function(...)
        wait(...)
        order[#order + 1] = name
      end, ...)
    end
    take("recv", rx.recv, rx)
    take("select", choose, { rx })
    take("recv again", rx.recv, rx)
    for i = 1, 3 do tx:send(i) end
    settle()
    assert.same({ "recv", "select", "recv again" }, order)
  end))

  it("may have the same receiver twice", on(function()
    local tx, rx = sync.channel()
    later(1, tx.send, tx, "one")
    local _, value = choose { rx, rx }
    assert.equal("one", value)
    tx:send "two"
    assert.equal("two", (select(2, choose { rx, rx })))
    assert_failed("ETIMEDOUT", rx:recv(0))
    tx:close()
    assert_failed("EOF", select(2, choose { rx, rx }))
  end))

  it("skips entries that are false, and those that are missing", on(function()
    local tx, rx = sync.channel()
    tx:send "x"
    assert.equal(5, (choose { false, false, nil, false, rx }))
    tx:send "y"
    assert.equal(3, (choose { [3] = rx, [1] = false }))
  end))

  it("gives each of several that are ready its turn", on(function()
    local entries, counts = {}, { 0, 0, 0 }
    for i = 1, 3 do
      local tx, rx = sync.channel()
      for n = 1, 300 do tx:send(n) end
      entries[i] = rx
    end
    for _ = 1, 300 do
      local index = choose(entries)
      counts[index] = counts[index] + 1
    end
    for i = 1, 3 do assert.is_true(counts[i] > 30, table.concat(counts, " ")) end
  end))

  it("gives each its turn in each of several tasks", on(function()
    local tx1, rx1 = sync.channel()
    local tx2, rx2 = sync.channel()
    for n = 1, 1000 do
      tx1:send(n)
      tx2:send(n)
    end
    local function work()
      local counts = { 0, 0 }
      for _ = 1, 200 do
        local index = choose { rx1, rx2 }
        counts[index] = counts[index] + 1
        momo.yield_now()
      end
      assert.is_true(math.min(counts[1], counts[2]) > 20, table.concat(counts, " "))
    end
    momo.all { work, work }
  end))

  it("takes the earliest of several times, and leaves no timer", on(function()
    local _, rx = sync.channel()
    assert.equal(2, (choose { after(3), after(1), after(2), rx }))
    assert.equal(1, now())
    assert.equal(0, momo.metrics().timers)
  end))

  it("with after(0) does not wait", on(function()
    local _, rx = sync.channel()
    local others = 0
    momo.spawn(function() others = others + 1 end)
    for _ = 1, 100 do assert.equal(2, (choose { rx, after(0) })) end
    assert.equal(0, others)
  end))

  it("of a task marks its failure as seen", on(function() -- or the run would report it
    local task = momo.spawn(error, "seen", 0)
    assert.same({ 1, false, "seen" }, { choose { task } })
  end))

  it("of receivers that were closed returns EBADF, and ECANCELED when they are while it waits", on(function()
    local _, rx = sync.channel()
    rx:close()
    assert_failed("EBADF", select(2, choose { rx }))
    _, rx = sync.channel()
    later(1, rx.close, rx)
    assert_failed("ECANCELED", select(2, choose { rx }))
  end))

  it("raises at once in a task that is cancelled, and consumes nothing", on(function()
    local tx, rx = sync.channel()
    tx:send "kept"
    local task = momo.spawn(function()
      momo.current():cancel()
      choose { rx }
    end)
    assert.is_true(momo.is_cancelled(select(2, task:join())))
    assert.equal("kept", rx:recv(0))
  end))

  it("that had been served keeps its value when it is cancelled", on(function()
    local tx, rx = sync.channel()
    local task = waiting(choose, { rx })
    tx:send "kept"
    task:cancel()
    assert.same({ true, 1, "kept" }, { task:join() })
  end))

  it("says what is wrong where it was called", on(function()
    local function told(code, ...) return virtual.mistake(code, ...) end
    assert.equal("app.lua:1: select: there is nothing to wait for", told "momo.select{}")
    assert.equal("app.lua:1: select: there is nothing to wait for", told "momo.select{false, false}")
    assert.matches("^app.lua:1: select: argument 1 must be an array of waitables.*, got nil$", told "momo.select()")
    local err = "app.lua:1: select: entry %d must be a receiver, a task, a Notify, a watch or "
      .. "momo.time.after(seconds), got %s"
    assert.equal(err:format(1, "5"), told "momo.select{5}")
    assert.equal(err:format(2, "table"), told("momo.select{a, {}}", (select(2, sync.channel()))))
    assert.equal(err:format(1, "table"), told("momo.select{a}", (sync.channel())))
    assert.matches("^app.lua:1: select: a task can't", told "momo.select{momo.current()}")
    for code, shown in pairs { ["timeout = 1"] = '"timeout"', ["[0] = a"] = "0", ["[1.5] = a"] = "1.5" } do
      assert.equal(("app.lua:1: select: there is no option %s; a limit is an entry, momo.time.after(seconds)")
        :format(shown), told(("momo.select{a, %s}"):format(code), (select(2, sync.channel()))))
    end
    assert.equal("app.lua:1: after: argument 1 must be a number of seconds, 0 or more, got -1",
      told "momo.time.after(-1)")
  end))

  it("says that it needs a runtime", function()
    local _, rx = sync.channel()
    assert.matches("^app.lua:1: select: needs a runtime", virtual.mistake("momo.select{a}", rx))
  end)
end)

describe("select under a random load", function()
  local SEEDS, SOURCES = 300, 4

  -- Sources send numbers, one after the other; selectors of random subsets give up at random. Returns the numbers sent
  -- by each source and those received from it, and the notifications given and taken.
  local function load(seed)
    math.randomseed(seed)
    local random = math.random
    local sent, received, entries, given, taken = {}, {}, {}, 0, 0
    local notify = sync.Notify()
    for s = 1, SOURCES do
      local tx, rx = sync.channel(random(2) == 1 and random(3) or nil)
      sent[s], received[s], entries[s] = {}, {}, rx
      momo.spawn(function()
        for i = 1, random(15) do
          tx:send(i)
          table.insert(sent[s], i)
          if random(2) == 1 then sleep(random(3) / 1000) end
        end
      end)
    end
    entries[SOURCES + 1] = notify
    local function take(index, value)
      if index == SOURCES + 1 then
        taken = taken + 1
      elseif index and index <= SOURCES then
        table.insert(received[index], value)
      end
    end
    local victims = {}
    for i = 1, 4 do
      victims[i] = momo.spawn(function()
        while true do
          local subset = {}
          for e = 1, SOURCES + 1 do subset[e] = random(3) > 1 and entries[e] end
          subset[SOURCES + 2] = after(random(4) / 1000)
          local patience = random(3) == 1 and random(0, 3) / 1000 or 1000
          momo.time.timeout(patience, function() take(choose(subset)) end)
          if random(3) == 1 then sleep(random(3) / 1000) end
        end
      end)
    end
    for _ = 1, 10 do -- each permit is taken before the next is given, or they are one
      sleep(0.003)
      if given == taken then
        given = given + 1
        notify:notify_one()
      end
    end
    for _, victim in ipairs(victims) do
      sleep(random(5) / 1000)
      victim:cancel()
      victim:join()
    end
    for s = 1, SOURCES do -- what nobody took
      for value in function() return (entries[s]:recv(0.1)) end do table.insert(received[s], value) end
    end
    taken = taken + (notify:notified(0) and 1 or 0)
    return sent, received, given, taken
  end

  it("loses nothing, takes nothing twice, and keeps the order of each source", function()
    local total = 0
    for seed = 1, SEEDS do
      local sent, received, given, taken
      virtual.run(function() sent, received, given, taken = load(seed) end)
      assert.same(sent, received, "seed " .. seed)
      assert.equal(given, taken, "seed " .. seed)
      total = total + given
    end
    assert.is_true(total > SEEDS)
  end)
end)
