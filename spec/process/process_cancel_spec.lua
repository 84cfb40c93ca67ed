-- A child ends with the work that it was spawned for: when a task that is cancelled ends, or such a scope is left.

local momo = require "momo"
local process = momo.process
local support = require "spec.support"
local exists = require("spec.support.process").exists
require "momo.busted"

local function sleep_for_ever()
  momo.time.sleep(1e6)
end

-- A child that has begun, and its number.
local function start(options)
  options = options or {}
  options[1], options[2], options[3] = "sh", "-c", "echo $$; " .. (options[3] or "exec sleep 1000")
  options.stdout = "pipe"
  local child = assert(process.spawn(options))
  return child, tonumber((assert(child.stdout:read_until "\n")))
end

local DEAF = "trap '' TERM; echo ready; while :; do sleep 0.01; done"

-- One that does not hear SIGTERM.
local function start_deaf(options)
  options = options or {}
  options[3] = DEAF
  options.grace = options.grace or 0.05
  local child, pid = start(options)
  assert.equal("ready\n", (child.stdout:read_until "\n"))
  return child, pid
end

-- The number alone.
local function start_one(begin, options)
  local _, pid = (begin or start)(options)
  return pid
end

-- What a task does when it is cancelled, with a child that it has spawned.
local waits = {
  ["a read of what the child writes"] = function(child) child.stdout:read() end,
  ["a sleep"] = sleep_for_ever,
  ["a select"] = function(child) momo.select { child, (select(2, momo.sync.channel())) } end,
  ["a lock"] = function()
    local lock = momo.sync.Semaphore(1)
    lock:acquire()
    lock:acquire()
  end,
  ["turns"] = function() while true do momo.yield_now() end end,
  ["a wait for the child"] = function(child) child:wait() end,
  ["a scope's children"] = function()
    momo.scope(function(scope) scope:spawn(sleep_for_ever) end)
  end,
  ["a coroutine inside"] = function()
    momo.coroutine.wrap(sleep_for_ever)()
  end,
  ["a shield, behind which it goes on"] = function()
    momo.shield(momo.time.sleep, 0.01)
    momo.yield_now()
  end,
  ["a bare yield, for good"] = function() while true do coroutine.yield() end end,
}

-- Runs fn in a task, which says what it has spawned, and cancels it.
local function cancel_in(fn)
  local tx, rx = momo.sync.oneshot()
  local task = momo.spawn(function()
    local child, pid = start()
    tx:send { child = child, pid = pid }
    return fn(child)
  end)
  local told = rx:recv()
  momo.yield_now()
  task:cancel()
  return task, told.pid, told.child
end

describe("a cancelled task ends its child", function()
  for name, wait in pairs(waits) do
    it("in " .. name, function()
      local task, pid, child = cancel_in(wait)
      task:join()
      assert.is_false(exists(pid))
      assert.same({ signal = "SIGTERM" }, child:wait())
    end)
  end

  it("whatever it makes of the cancellation", function()
    for _, go_on in ipairs { function() return 7 end, function() error "its own" end } do
      local task, pid = cancel_in(function()
        pcall(sleep_for_ever)
        return go_on()
      end)
      local ok, value = task:join()
      assert.is_true(ok and value == 7 or tostring(value):find "its own" ~= nil)
      assert.is_false(exists(pid))
    end
  end)

  it("after it has cleaned up itself", function()
    local said
    local task, pid = cancel_in(function(child)
      local _, err = pcall(sleep_for_ever)
      momo.shield(function()
        child:kill "SIGUSR1"
        said = child:wait()
      end)
      error(err, 0)
    end)
    task:join()
    assert.same({ signal = "SIGUSR1" }, said)
    assert.is_false(exists(pid))
  end)

  it("by SIGKILL, where it does not hear SIGTERM", function()
    local tx, rx = momo.sync.oneshot()
    local task = momo.spawn(function()
      local child, pid = start_deaf()
      tx:send { child = child, pid = pid }
      sleep_for_ever()
    end)
    local told = rx:recv()
    task:cancel()
    assert.same({ nil, "ETIMEDOUT: operation timed out", "ETIMEDOUT" }, { task:join(0) })
    task:cancel() -- which it is already
    local others = momo.spawn(told.child.wait, told.child)
    task:join()
    assert.is_false(exists(told.pid))
    assert.same({ signal = "SIGKILL" }, told.child:wait())
    assert.same({ true, { signal = "SIGKILL" } }, { others:join() })
  end)

  it("and all others of its own, at once", function()
    local pids, tx, rx = {}, momo.sync.oneshot()
    local task = momo.spawn(function()
      for i = 1, 20 do
        pids[i] = start_one(i % 2 == 0 and start or start_deaf)
      end
      tx:send(true)
      sleep_for_ever()
    end)
    rx:recv()
    collectgarbage()
    collectgarbage() -- nobody has the children any more
    task:cancel()
    task:join()
    for _, pid in ipairs(pids) do
      assert.is_false(exists(pid))
    end
  end)

  it("with its group, of which nothing is left", function()
    local tx, rx = momo.sync.oneshot()
    local task = momo.spawn(function()
      local child = start { process_group = true, [3] =
        "sh -c \"trap '' TERM; echo \\$\\$; while :; do sleep 0.01; done\" & exec sleep 1000" }
      tx:send(tonumber((child.stdout:read_until "\n")))
      sleep_for_ever()
    end)
    local grandchild = rx:recv()
    assert.is_true(exists(grandchild))
    task:cancel()
    task:join()
    while exists(grandchild) do -- it is another's to reap
      local file = io.open("/proc/" .. grandchild .. "/stat")
      local state = file and file:read("*a"):match "%) (%a)"
      if file then file:close() end
      if state == "Z" then break end
      momo.time.sleep(0.005)
    end
  end)

  it("also one that was spawned beneath a shield, or by a coroutine inside", function()
    local pids, tx, rx = {}, momo.sync.oneshot()
    local task = momo.spawn(function()
      momo.shield(function() pids[1] = start_one() end)
      momo.coroutine.wrap(function() pids[2] = start_one() end)()
      tx:send(true)
      sleep_for_ever()
    end)
    rx:recv()
    task:cancel()
    task:join()
    assert.is_false(exists(pids[1]))
    assert.is_false(exists(pids[2]))
  end)

  it("but no detached one, and none when it ends by itself", function()
    local children, tx, rx = {}, momo.sync.oneshot()
    local task = momo.spawn(function()
      children[1] = assert(process.spawn { "sleep", "1000", detached = true })
      tx:send(true)
      sleep_for_ever()
    end)
    rx:recv()
    task:cancel()
    task:join()
    children[2] = select(2, momo.spawn(function() return (start()) end):join())
    momo.spawn(function()
      children[3] = start()
      error "not because it was cancelled"
    end):join()
    for _, child in ipairs(children) do
      assert.same({ nil, "ETIMEDOUT: operation timed out", "ETIMEDOUT" }, { child:wait(0) })
      child:kill()
      assert.same({ signal = "SIGTERM" }, child:wait())
    end
  end)
end)

describe("a cancelled scope ends the children that were spawned in it", function()
  it("when its time is over, and no other", function()
    local before = start()
    local pid
    local _, _, code = momo.time.timeout(0.05, function()
      pid = start_one(start_deaf)
      sleep_for_ever()
    end)
    assert.equal("ETIMEDOUT", code)
    assert.is_false(exists(pid))
    assert.same({ nil, "ETIMEDOUT: operation timed out", "ETIMEDOUT" }, { before:wait(0) })
    before:kill()
    before:wait()
  end)

  it("when it is cancelled, when it fails, when a child of it fails", function()
    for _, fail in ipairs {
      function(scope) scope:cancel() end,
      function() error "it fails" end,
      function(scope) scope:spawn(error, "a task of it fails") end,
    } do
      local pids = {}
      momo.pcall(momo.scope, function(scope)
        pids[1] = start_one()
        local tx, rx = momo.sync.oneshot()
        scope:spawn(function()
          pids[2] = start_one(start_deaf)
          tx:send(true)
          sleep_for_ever()
        end)
        rx:recv()
        fail(scope)
        sleep_for_ever()
      end)
      assert.is_false(exists(pids[1]))
      assert.is_false(exists(pids[2]))
    end
  end)

  it("after what the scope defers", function()
    local ended
    momo.scope(function(scope)
      local child = start()
      scope:defer(function()
        child:kill "SIGUSR1"
        ended = child:wait()
      end)
      scope:cancel()
    end)
    assert.same({ signal = "SIGUSR1" }, ended)
  end)

  it("also those of scopes within, which had ended well", function()
    local pid
    momo.time.timeout(0.05, function()
      momo.scope(function() pid = start_one() end)
      assert.is_true(exists(pid))
      sleep_for_ever()
    end)
    assert.is_false(exists(pid))
  end)

  it("and leaves those behind that one which ends well has spawned", function()
    local child = momo.scope(function() return (start()) end)
    momo.time.timeout(0, sleep_for_ever)
    momo.scope(function(scope)
      assert(process.spawn { "true" })
      scope:cancel()
    end)
    assert.same({ nil, "ETIMEDOUT: operation timed out", "ETIMEDOUT" }, { child:wait(0) })
    child:kill()
    child:wait()
  end)

  it("and the task that is cancelled meanwhile waits all the same", function()
    local tx, rx = momo.sync.oneshot()
    local pid
    local task = momo.spawn(function()
      momo.time.timeout(0, function()
        pid = momo.shield(start_one, start_deaf, { grace = 0.1 })
        tx:send(true)
        sleep_for_ever()
      end)
    end)
    rx:recv()
    momo.yield_now()
    task:cancel()
    task:join()
    assert.is_false(exists(pid))
  end)
end)

describe("a run that is stopped", function()
  local PRELUDE = [[
    local momo = require "momo"
    local function start(script, grace)
      local child = momo.process.spawn { "sh", "-c", "echo $$; " .. script, stdout = "pipe", grace = grace }
      print((child.stdout:read_until "\n"):sub(1, -2))
      child.stdout:read_until "\n"
      return child
    end
  ]]
  local DEAF_SCRIPT = "trap '' TERM; echo ready; while :; do sleep 0.01; done"

  -- None of the processes whose numbers were printed is there any more.
  local function check(code, complaint)
    local _, out, err = support.momo("-e", PRELUDE .. code)
    assert(err:find(complaint or "^$"), err)
    local n = 0
    for pid in out:gmatch "%d+" do
      n = n + 1
      assert.is_false(exists(pid))
    end
    return n
  end

  it("has ended the children of all its tasks", function()
    assert.equal(3, check(([[
      for _, script in ipairs { "echo; exec sleep 1000", %q } do
        momo.spawn(function() start(script, 0.05) momo.time.sleep(1e6) end)
      end
      start("echo; exec sleep 1000")
      momo.time.sleep(0.05)
      momo.spawn(momo.stop)
      momo.time.sleep(1e6)
    ]]):format(DEAF_SCRIPT)))
  end)

  it("has ended them as well where it could not go on", function()
    assert.equal(1, check(([[
      start(%q, 0.05)
      momo.shield(function() momo.sync.Notify():notified() end)
    ]]):format(DEAF_SCRIPT), "every task waits for another one"))
  end)
end)
