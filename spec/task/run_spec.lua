local momo = require "momo"
local support = require "spec.support"

local pack, failures_of = support.pack, support.failures_of

describe("run", function()
  it("passes arguments to main and returns its results, nils too", function()
    assert.same(pack(nil, 2, nil, "x", nil), pack(momo.run(function(...) return ... end, nil, 2, nil, "x", nil)))
    assert.same(pack(), pack(momo.run(function() end)))
    assert.same(pack(nil), pack(momo.run({}, function(...) return ... end, nil)))
    assert.same(pack(false), pack(momo.run(function() momo.yield_now() return false end)))
  end)

  it("returns only after every task has ended, those too that main did not know", function()
    local ended = 0
    local function leave_behind(generations)
      momo.time.sleep(0.001)
      ended = ended + 1
      if generations > 0 then momo.spawn(leave_behind, generations - 1) end
    end
    local result = momo.run(function()
      for _ = 1, 3 do momo.spawn(leave_behind, 4) end
      return "main's"
    end)
    assert.same({ 15, "main's" }, { ended, result })
    assert.equal(0, momo.metrics().tasks)
  end)

  it("may be called again and again", function()
    for i = 1, 50 do
      assert.equal(i, momo.run(function()
        momo.time.sleep(i % 2 / 1000)
        return select(2, momo.spawn(function() return i end):join())
      end))
      assert.is_false((pcall(momo.run, error, "x")))
      assert.same(pack(), pack(momo.run(momo.stop)))
    end
  end)

  it("works inside a plain coroutine", function()
    local co = coroutine.wrap(function()
      local result = momo.run(function()
        momo.time.sleep(0.001)
        return momo.spawn(function() coroutine.yield() return "inside" end):join()
      end)
      coroutine.yield(result)
      return momo.run(function() return select(2, momo.spawn(function() return "again" end):join()) end)
    end)
    assert.is_true(co())
    assert.equal("again", co())
  end)

  it("throws inside a task, which goes on", function()
    local ok, err, later = momo.run(function()
      local ok, err = pcall(function() momo.run(print) end)
      momo.time.sleep(0.001)
      return ok, err, "later"
    end)
    assert.same({ false, "later" }, { ok, later })
    assert.matches("^spec/task/run_spec.lua:%d+: run: already inside a runtime; call main%(%) directly$", err)
  end)
end)

describe("stop", function()
  it("cancels every task, the caller too, and run returns nothing", function()
    local raised = {}
    local function wait(name)
      local _, err = pcall(momo.time.sleep, math.huge)
      raised[#raised + 1] = name .. " " .. tostring(momo.is_cancelled(err))
    end
    local results = pack(momo.run(function()
      momo.spawn(wait, "one")
      momo.spawn(wait, "two")
      momo.yield_now()
      momo.stop()
      wait "main"
      return "not returned"
    end))
    assert.equal(0, results.n)
    table.sort(raised)
    assert.same({ "main true", "one true", "two true" }, raised)
  end)

  it("from another task ends main", function()
    local cleaned
    local results = pack(momo.run(function()
      momo.spawn(momo.stop)
      local ok, err = pcall(momo.time.sleep, math.huge)
      cleaned = not ok and momo.is_cancelled(err)
      error(err, 0)
    end))
    assert.same({ 0, true }, { results.n, cleaned })
  end)

  it("returns to its caller, whose next operation raises", function()
    local after
    momo.run(function()
      momo.stop()
      after = true
      momo.yield_now()
      after = "too far"
    end)
    assert.is_true(after)
  end)

  it("cancels what is spawned later, before it begins", function()
    local began = false
    momo.run(function()
      momo.stop()
      momo.spawn(function() began = true end)
    end)
    assert.is_false(began)
  end)

  it("after main's end leaves main's results", function()
    local results = pack(momo.run(function()
      momo.spawn(function()
        momo.time.sleep(0.001)
        momo.stop()
        momo.time.sleep(math.huge)
      end)
      return "main's", nil
    end))
    assert.same(pack("main's", nil), results)
  end)

  it("may be repeated, and does not reach into the next run", function()
    momo.run(function()
      momo.stop()
      momo.stop()
    end)
    assert.equal("fine", momo.run(function()
      momo.time.sleep(0.001)
      return "fine"
    end))
  end)

  it("makes no failure of a cancellation; another error is one", function()
    local failures = failures_of(function()
      momo.spawn(momo.time.sleep, math.huge)
      momo.spawn(function()
        pcall(momo.time.sleep, math.huge)
        error("in clean-up", 0)
      end)
      momo.yield_now()
      momo.stop()
      momo.time.sleep(math.huge)
    end)
    assert.equal(1, #failures)
    assert.equal("in clean-up", failures[1][1])
  end)
end)

describe("a deadlock", function()
  it("ends the run with an error that names the tasks", function()
    local cleaned = 0
    local function cleaning(task)
      local ok, err = pcall(task.join, task)
      cleaned = cleaned + 1
      assert(not ok and momo.is_cancelled(err))
    end
    local ids
    local ok, err = pcall(momo.run, function()
      local main = momo.current()
      local other = momo.spawn(cleaning, main)
      ids = { main:id(), other:id() }
      cleaning(other)
    end)
    assert.is_false(ok)
    assert.matches("run: every task waits for another one", err, 1, true)
    for _, id in ipairs(ids) do
      assert.matches(("task %d in join task "):format(id), err, 1, true)
    end
    assert.equal(2, cleaned)
    assert.equal(1, momo.run(function() return 1 end))
  end)

  it("after main's end is one too", function()
    local ended = 0
    local ok, err = pcall(momo.run, function()
      local tasks = {}
      for i = 1, 12 do
        tasks[i] = momo.spawn(function()
          momo.yield_now()
          pcall(tasks[i % 12 + 1].join, tasks[i % 12 + 1])
          ended = ended + 1
        end)
      end
    end)
    assert.same({ false, 12 }, { ok, ended })
    assert.matches("run: every task waits for another one", err, 1, true)
  end)

  it("is none while a timer may still wake somebody", function()
    assert.equal("woken", momo.run(function()
      local sleeper = momo.spawn(function() momo.time.sleep(0.005) return "woken" end)
      return select(2, momo.spawn(function() return select(2, sleeper:join()) end):join())
    end))
  end)
end)

describe("hundreds of tasks that spawn, join, sleep, cancel and fail at random", function()
  -- A task's number says how it ends; a cancellation may come first. Tasks join older ones only, so that none is stuck.
  local function ends_well(i) return i % 5 ~= 0 end

  local function check(i, task, ok, ...)
    local result = ...
    if ok then
      assert(task:status() == "done" and ends_well(i) and select("#", ...) == 2 and result == i)
    elseif momo.is_cancelled(result) then
      assert(task:status() == "cancelled")
    else
      assert(task:status() == "failed" and not ends_well(i) and result == "error " .. i)
    end
  end

  for seed = 1, 5 do
    it("all end as they should, seed " .. seed, function()
      math.randomseed(seed)
      local random, tasks, broken = math.random, {}, {}
      local live
      local function spawn_one()
        local i = #tasks + 1
        local function body()
          for _ = 1, random(6) do
            local action, other = random(8), random(i)
            if action <= 2 then
              momo.yield_now()
            elseif action == 3 then
              momo.time.sleep(random(0, 3) / 1000)
            elseif action == 4 and #tasks < 800 then
              live(spawn_one)
            elseif action <= 6 and other < i then
              live(check, other, tasks[other], tasks[other]:join())
            elseif action == 7 then
              tasks[random(#tasks)]:cancel(i)
            else
              pcall(momo.time.sleep, random() / 1000)
            end
          end
          if not ends_well(i) then error("error " .. i, 0) end
          return i, nil
        end
        tasks[i] = momo.spawn(body)
      end
      function live(fn, ...) -- what fails in fn is a failure of the spec, not of the task
        local ok, err = pcall(fn, ...)
        if not ok then broken[#broken + 1] = err end
      end
      momo.run({ on_error = function() end }, function()
        for _ = 1, 300 do spawn_one() end
      end)
      assert.same({}, broken)
      assert.is_true(#tasks > 300)
      local ended = { done = 0, failed = 0, cancelled = 0 }
      momo.run(function()
        for i, task in ipairs(tasks) do
          check(i, task, task:join())
          ended[task:status()] = ended[task:status()] + 1
        end
      end)
      assert.is_true(ended.done > 0 and ended.failed > 0 and ended.cancelled > 0)
      local metrics = momo.metrics()
      assert.same({ 0, 0, 0 }, { metrics.tasks, metrics.ready, metrics.timers })
    end)
  end
end)

describe("SIGPIPE", function()
  it("does not kill a host whose output nobody reads", function()
    local code = [[
      for _ = 1, 2000 do io.stdout:write(("x"):rep(1000), "\n") end
      io.stderr:write "survived"
    ]]
    local program = ("require 'momo'.run(function() %s end)"):format(code)
    local _, _, stderr = support.shell(("%s -e %s | head -n 1"):format(os.getenv "MOMO_LUAJIT", support.quote(program)))
    assert.equal("survived", stderr)
  end)

  it("has its usual action in the programs that it starts, also after a pipe was made", function()
    local _, out = support.shell(("%s -e %s"):format(os.getenv "MOMO_LUAJIT", support.quote [[
      local momo = require "momo"
      local reader = momo.io.pipe()
      momo.run(function() os.execute "kill -s PIPE $$; echo survived" end)
      reader:close()
    ]]))
    assert.equal("", out)
  end)
end)
