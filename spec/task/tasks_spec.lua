-- What momo.tasks tells of live tasks.

local momo = require "momo"

-- The rows of momo.tasks by the name of the task.
local function by_name()
  local rows = {}
  for _, row in ipairs(momo.tasks()) do
    if row.name then rows[row.name] = row end
  end
  return rows
end

local function spawn(name, fn, ...)
  local task = momo.spawn(fn, ...)
  task:set_name(name)
  return task
end

describe("momo.tasks", function()
  it("has every live task, and none that has ended", function()
    assert.same({}, momo.tasks())
    momo.run({ clock = "virtual" }, function() -- none is over its sleep, however busy the machine is
      local ids = { [momo.current():id()] = "running" }
      for i = 1, 300 do
        local task = momo.spawn(i % 2 == 0 and momo.yield_now or momo.time.sleep, 0.01)
        ids[task:id()] = i % 2 == 1 and "waiting" or nil
      end
      momo.yield_now()
      momo.yield_now()
      local found = {}
      for _, row in ipairs(momo.tasks()) do found[row.id] = row.status end
      assert.same(ids, found)
    end)
    assert.same({}, momo.tasks())
  end)

  it("says what a task is, where it waits and since when", function()
    momo.run({ clock = "virtual" }, function()
      momo.time.sleep(2)
      local line = debug.getinfo(1, "l").currentline + 1
      local sleeper = spawn("sleeper", function() momo.time.sleep(10) end)
      momo.time.sleep(3)
      local row = by_name().sleeper
      assert.equal(sleeper:id(), row.id)
      assert.equal("waiting", row.status)
      assert.equal("sleep 7.0 s left", row.operation)
      assert.equal(2, row.since)
      assert.equal(1, row.resumes)
      assert.matches("tasks_spec%.lua:" .. line .. "$", row.at)
      assert.matches("tasks_spec%.lua:" .. line .. ": in function", row.traceback)
      assert.is_nil(row.parent)
      assert.is_nil(row.scope)
      assert.is_nil(row.ran)
      assert.is_nil(row.spawned_at)
      sleeper:cancel()
    end)
  end)

  it("says of one that has not begun that it is ready, and of the caller that it runs", function()
    momo.run(function()
      momo.current():set_name "caller"
      local task = spawn("new", function() end)
      local rows = by_name()
      assert.same({ "ready", nil, "?", 0 }, { rows.new.status, rows.new.operation, rows.new.at, rows.new.resumes })
      assert.same({ "running", nil }, { rows.caller.status, rows.caller.operation })
      assert.matches("tasks_spec%.lua:%d+$", rows.caller.at)
      task:join()
    end)
  end)

  it("counts how often a task was resumed", function()
    momo.run(function()
      local task = spawn("yielder", function() for _ = 1, 9 do momo.yield_now() end momo.time.sleep(1) end)
      for _ = 1, 20 do momo.yield_now() end
      assert.equal(10, by_name().yielder.resumes)
      task:cancel()
    end)
  end)

  it("knows in whose scope a task is, and in which of them", function()
    momo.run(function()
      local me = momo.current()
      momo.scope(function(outer)
        outer:spawn(momo.time.sleep, 9):set_name "outer"
        momo.scope(function(inner)
          inner:spawn(momo.time.sleep, 9):set_name "inner"
          spawn("loose", momo.time.sleep, 9)
          momo.yield_now()
          local rows = by_name()
          assert.same({ me:id(), 1 }, { rows.outer.parent, rows.outer.scope })
          assert.same({ me:id(), 2 }, { rows.inner.parent, rows.inner.scope })
          assert.same({}, { rows.loose.parent, rows.loose.scope })
          inner:cancel()
        end)
        outer:cancel()
      end)
      momo.stop()
    end)
  end)

  it("names what each operation waits for", function()
    momo.run(function()
      local mutex, semaphore, notify = momo.sync.Mutex(), momo.sync.Semaphore(0), momo.sync.Notify()
      local _, rx = momo.sync.channel(4, "jobs")
      local tx = momo.sync.channel(1, "results")
      local _, unnamed = momo.sync.channel()
      tx:send(1)
      mutex:lock()
      local me = momo.current()
      local listener = assert(momo.net.TcpListener.bind "127.0.0.1:0")
      local client = assert(momo.net.TcpStream.connect(listener:local_addr()))
      local server = assert(listener:accept())
      local udp = assert(momo.net.UdpSocket.bind "127.0.0.1:0")
      local host = listener:local_addr()
      local waits = {
        ["recv jobs"] = function() rx:recv() end,
        ["recv jobs, 5.0 s left"] = function() rx:recv(5) end,
        ["send results"] = function() tx:send(2) end,
        ["recv"] = function() unnamed:recv() end,
        ["lock held by task " .. me:id()] = function() mutex:lock() end,
        ["acquire while no permit is left"] = function() semaphore:acquire() end,
        ["notified"] = function() notify:notified() end,
        ["join task " .. me:id()] = function() me:join() end,
        ["read " .. client:peer_addr()] = function() client:read() end,
        ["read_until " .. server:peer_addr()] = function() for _ in server:lines() do error "no" end end,
        ["accept " .. host] = function() listener:accept() end,
        ["recv_from " .. udp:local_addr()] = function() udp:recv_from() end,
        ["select"] = function() momo.select { notify, me } end,
        ["scope"] = function() momo.scope(function(scope) scope:spawn(momo.time.sleep, 99) end) end,
      }
      for operation, fn in pairs(waits) do spawn(operation, fn) end
      momo.yield_now()
      momo.yield_now()
      local rows = by_name()
      for operation in pairs(waits) do
        assert.equal(operation, (rows[operation].operation:gsub("4%.9 s", "5.0 s")))
      end
      momo.stop()
    end)
  end)

  it("names who held a lock that is never given back, and how that task has ended", function()
    momo.run(function()
      local ends = {
        ["returned (which has returned)"] = function() end,
        ["failed (which has failed: spec/task/tasks_spec.lua:0: no luck)"] = function() error "no luck" end,
        ["fields (which has failed: { code = \"E1\" })"] = function() error { code = "E1" } end,
        ["cancelled (which was cancelled)"] = function() momo.current():cancel() momo.yield_now() end,
        ["sleeps"] = momo.time.sleep,
      }
      for text, fn in pairs(ends) do
        local name, mutex = text:match "^%a+", momo.sync.Mutex()
        local holder = spawn(name, function()
          mutex:lock()
          fn(99)
        end)
        if name ~= "sleeps" then holder:join() end
        spawn("waits for " .. name, mutex.lock, mutex)
        momo.yield_now()
        local expected = ("lock held by task %d '%s'"):format(holder:id(), name) .. text:sub(#name + 1)
        assert.equal(expected, (by_name()["waits for " .. name].operation:gsub("spec.lua:%d+", "spec.lua:0")))
      end
      momo.stop()
    end)
  end)

  it("finds what a task waits for also where the functions are compiled", function()
    momo.run(function()
      local _, rx = momo.sync.channel(1, "hot")
      local task = spawn("hot", function() while true do rx:recv(0.0001) end end)
      while by_name().hot.resumes < 500 or by_name().hot.status ~= "waiting" do momo.time.sleep(0.001) end
      assert.matches("^recv hot, 0.0 s left$", by_name().hot.operation)
      task:cancel()
    end)
  end)

  it("is as it was for objects that lie about themselves", function()
    momo.run(function()
      local _, rx = momo.sync.channel(1, ("x"):rep(500) .. "\n")
      local task = spawn("liar", function() rx:recv() end)
      momo.yield_now()
      assert.equal("recv " .. ("x"):rep(80) .. "...", by_name().liar.operation)
      task:cancel()
    end)
  end)
end)

describe("the error of a run in which nothing can happen any more", function()
  local function told(options, fn)
    local ok, err = pcall(momo.run, options, fn)
    assert.is_false(ok)
    return (err:gsub("tasks_spec.lua:%d+", "tasks_spec.lua:0"):gsub("task %d+", "task N"))
  end

  it("names who held a lock, and how that task has ended", function()
    local err = told({}, function()
      local mutex = momo.sync.Mutex()
      spawn("greedy", function() mutex:lock() end):join()
      mutex:lock()
    end)
    assert.matches("  task N in lock held by task N 'greedy' (which has returned) at spec/task/tasks_spec.lua:0", err,
      1, true)
  end)

  it("names who held permits, and how those tasks have ended", function()
    local err = told({}, function()
      local slots = momo.sync.Semaphore(3)
      spawn("greedy", function()
        slots:acquire()
        slots:acquire()
        slots:acquire()
        slots:release()
      end):join()
      spawn("fair", slots.with, slots, momo.yield_now):join()
      spawn("brief", function() slots:acquire() end):join()
      slots:acquire()
    end)
    assert.matches("  task N in acquire while no permit is left, held by task N 'greedy' (which has returned), "
      .. "task N 'brief' (which has returned) at spec/task/tasks_spec.lua:0", err, 1, true)
  end)

  it("names no more holders of permits than can be read, and those that never gave theirs back", function()
    local err = told({}, function()
      local slots = momo.sync.Semaphore(20)
      for i = 1, 10 do
        spawn("h" .. i, slots.acquire, slots):join()
        spawn("fair", slots.with, slots, momo.yield_now):join()
      end
      for i = 1, 9 do
        slots:acquire()
        spawn("b" .. i, slots.release, slots):join() -- which never had one: it gives back one of those not listed
        slots:acquire()
      end
      slots:acquire()
      slots:acquire()
    end)
    local names = {}
    for name in err:match "held by (.-) at ":gmatch "task N ('h%d+') %(which has returned%)" do
      names[#names + 1] = name
    end
    assert.same({ "'h1'", "'h2'", "'h3'", "'h4'", "'h5'", "'h6'", "'h7'", "'h8'" }, names)
    assert.matches(", others at ", err, 1, true)
  end)

  it("takes what is released by another task for the oldest permit", function()
    local err = told({}, function()
      local ready = momo.sync.Semaphore(0)
      ready:release()
      ready:release()
      spawn("first", ready.acquire, ready):join()
      spawn("second", ready.acquire, ready):join()
      ready:release()
      spawn("third", ready.acquire, ready):join()
      ready:acquire()
    end)
    assert.matches("no permit is left, held by task N 'second' (which has returned), "
      .. "task N 'third' (which has returned) at ", err, 1, true)
  end)

  it("says where a task was spawned that runs a function of Momo's alone", function()
    local function all_wait()
      local notify = momo.sync.Notify()
      momo.spawn(notify.notified, notify)
    end
    assert.matches("  task N in notified at ?\n  (?: in a function of Momo's that was spawned by itself; "
      .. "momo.measure(true) notes where)", told({}, all_wait), 1, true)
    assert.matches("  task N in notified at spec/task/tasks_spec.lua:0 (where it was spawned)",
      told({ measure = true }, all_wait), 1, true)
  end)
end)

describe("momo.measure", function()
  local function busy(seconds)
    local till = momo.time.now() + seconds
    repeat until momo.time.now() >= till
  end

  it("tells what each task has run, and where it was spawned", function()
    momo.run({ measure = true }, function()
      local line = debug.getinfo(1, "l").currentline + 1
      momo.spawn(function() for _ = 1, 3 do busy(0.005) momo.yield_now() end momo.time.sleep(9) end):set_name "busy"
      spawn("lazy", momo.time.sleep, 9)
      momo.time.sleep(0.03)
      local rows = by_name()
      assert.matches("tasks_spec%.lua:" .. line .. "$", rows.busy.spawned_at)
      assert.is_true(rows.busy.ran >= 0.015)
      assert.is_true(rows.lazy.ran < rows.busy.ran)
      momo.stop()
    end)
    momo.run(function() assert.is_nil(momo.tasks()[1].ran) end)
  end)

  it("can be switched while tasks run, and counts each of them from then on", function()
    momo.run(function()
      assert.is_false(momo.measure(true))
      assert.is_true(momo.measure(true))
      for _ = 1, 600 do momo.spawn(busy, 0) end
      momo.yield_now()
      local task = spawn("busy", function() busy(0.005) momo.time.sleep(9) end)
      momo.yield_now()
      local ran = by_name().busy.ran
      assert.is_true(ran >= 0.005)
      assert.is_true(momo.measure(false))
      assert.is_nil(by_name().busy.ran)
      task:cancel()
    end)
  end)

  it("throws what it can't take", function()
    assert.error_matches(function() momo.measure() end, "measure: argument 1 must be a boolean, got nil")
  end)
end)
