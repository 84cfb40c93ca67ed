local momo = require "momo"
local support = require "spec.support"
local tcp = require "spec.support.tcp"

local sleep, spawn_daemon = momo.time.sleep, momo.spawn_daemon

-- A daemon that ticks for ever, and what becomes of it.
local function ticking(log, name)
  return spawn_daemon(function()
    local ok, err = pcall(function()
      while true do
        sleep(0.001)
        log.ticks = (log.ticks or 0) + 1
      end
    end)
    log[name or "ended"] = ok or tostring(err)
    error(err, 0)
  end)
end

describe("a daemon", function()
  it("keeps no run alive, and is cancelled when the others have ended", function()
    local log = {}
    local task
    momo.run(function()
      task = ticking(log)
      sleep(0.02)
    end)
    assert.is_true(log.ticks > 1)
    assert.equal("cancelled", task:status())
    assert.matches("^cancelled", log.ended)
  end)

  it("that has not begun never does, where nobody is left", function()
    local begun = false
    momo.run(function() spawn_daemon(function() begun = true sleep(1) begun = "ended" end) end)
    assert.not_equal("ended", begun)
  end)

  it("serves as long as a task goes on, or a thread", function()
    local log = {}
    momo.run(function()
      ticking(log)
      momo.spawn(function() sleep(0.03) log.task = log.ticks end)
      momo.thread.spawn(function() require("momo").time.sleep(0.06) end)
    end)
    assert.is_true(log.ticks > log.task)
  end)

  it("may be what the others wait for", function()
    local result
    momo.run(function()
      local tx, rx = momo.sync.channel()
      local task = spawn_daemon(function(a, b)
        for value in rx:iter() do result = value end
        return a + b
      end, 1, 2)
      momo.spawn(function()
        sleep(0.01)
        tx:send "sent"
        tx:close()
      end)
      assert.same({ true, 3 }, { task:join() })
    end)
    assert.equal("sent", result)
  end)

  it("may clean up, suspending beneath a shield", function()
    local log = {}
    momo.run(function()
      spawn_daemon(function()
        momo.scope(function(scope)
          scope:defer(function()
            sleep(0.01)
            log[#log + 1] = "cleaned"
          end)
          sleep(math.huge)
        end)
      end)
      sleep(0.005)
      log[#log + 1] = "main"
    end)
    assert.same({ "main", "cleaned" }, log)
  end)

  it("has children that keep no run alive either, and end with it", function()
    local log = {}
    momo.run(function()
      spawn_daemon(function()
        local ok, err = pcall(momo.race, {
          function() sleep(0.02) momo.scope(function(scope) scope:spawn(sleep, 60) end) end,
          function()
            local scoped, why = pcall(sleep, 60)
            log.child = scoped or tostring(why)
            error(why, 0)
          end,
        })
        log.daemon = ok or tostring(err)
        error(err, 0)
      end)
      sleep(0.005)
    end)
    assert.matches("^cancelled", log.child)
    assert.matches("^cancelled", log.daemon)
  end)

  it("goes on while a child of somebody else's scope does", function()
    local log = {}
    momo.run(function()
      momo.scope(function(scope)
        spawn_daemon(function() scope:spawn(function() sleep(0.02) log.child = "ended" end) sleep(60) end)
        sleep(0.005)
      end)
    end)
    assert.equal("ended", log.child)
  end)

  it("and one that waits for a signal keep no run alive, whichever is first", function()
    for _, first in ipairs { true, false } do
      local log = {}
      momo.run(function()
        if first then ticking(log) end
        momo.spawn(function() momo.signal.recv "SIGUSR2" end)
        if not first then ticking(log) end
        sleep(0.005)
      end)
      assert.matches("^cancelled", log.ended)
    end
  end)

  it("and one that waits for the end keep no run alive", function()
    local log = {}
    momo.run(function()
      ticking(log)
      momo.spawn(momo.until_draining)
      sleep(0.005)
    end)
    assert.matches("^cancelled", log.ended)
  end)

  it("goes on while one waits for a signal with a limit, and for something else besides", function()
    for _, wait in ipairs {
      function() momo.time.timeout(0.03, momo.signal.recv, "SIGUSR2") end,
      function() momo.select { momo.spawn(sleep, 0.03), momo.time.after(1) } end,
    } do
      local log, before = {}, nil
      momo.run(function()
        ticking(log)
        wait()
        before = log.ended
      end)
      assert.is_nil(before)
      assert.is_true(log.ticks > 2)
    end
  end)

  it("that fails is reported as any other task", function()
    local failures = support.failures_of(function()
      spawn_daemon(error, "the reaper failed", 0)
      sleep(0.005)
    end)
    assert.equal("the reaper failed", failures[1][1])
    assert.is_nil(failures[2])
  end)

  it("ends its run on the virtual clock, too", function()
    local log = {}
    momo.run({ clock = "virtual" }, function()
      ticking(log)
      sleep(60)
    end)
    assert.is_true(log.ticks >= 59999)
  end)

  it("does not hide that every other task waits for another one", function()
    local ok, err = pcall(momo.run, function()
      spawn_daemon(function() momo.sync.Notify():notified() end)
      momo.sync.Notify():notified()
    end)
    assert.is_false(ok)
    assert.matches("every task waits for another one", err, 1, true)
    momo.run(tcp.settle) -- whose tasks are gone
  end)

  it("has a function, within a run", function()
    assert.matches("spawn_daemon: needs a runtime", select(2, pcall(spawn_daemon, print)), 1, true)
    momo.run(function()
      assert.matches("spawn_daemon: argument 1 must be a function, got nil (write spawn_daemon(f, x), not "
        .. "spawn_daemon(f(x)))", select(2, pcall(spawn_daemon)), 1, true)
    end)
  end)

  it("lets the momo command end with status 0", function()
    assert.same({ 0, "done\n", "" }, { support.momo("-e", [[
      local momo = require "momo"
      momo.spawn_daemon(function() while true do momo.time.sleep(0.001) end end)
      momo.time.sleep(0.01)
      print "done"
    ]]) })
  end)
end)
