-- Scopes that are cancelled: by scope:cancel, and from outside. And shield, which holds that off.

local momo = require "momo"
local support = require "spec.support"

local now, sleep = momo.time.now, momo.time.sleep

local function pack(...)
  return { n = select("#", ...), ... }
end

local function run(main)
  return momo.run({ clock = "virtual" }, main)
end

-- Sleeps until it is cancelled, and notes when that was and why.
local function until_cancelled(record)
  local ok, err = pcall(sleep, 1000)
  assert(not ok and momo.is_cancelled(err))
  record.at, record.reason = now(), err.reason
  error(err, 0)
end

describe("scope:cancel", function()
  it("ends the children and the function; the scope returns nil, ECANCELED and the reason", function()
    run(function()
      local child, mine = {}, {}
      local results = pack(momo.scope(function(scope)
        scope:spawn(until_cancelled, child)
        scope:spawn(function()
          sleep(2)
          scope:cancel "enough"
        end)
        until_cancelled(mine)
      end))
      assert.same(pack(nil, "ECANCELED: enough", "ECANCELED"), results)
      assert.same({ { at = 2, reason = "enough" }, { at = 2, reason = "enough" } }, { child, mine })
      sleep(1) -- the caller is not cancelled
      assert.equal(3, now())
    end)
  end)

  it("without a reason, with one that is no text, twice: the first counts", function()
    run(function()
      local _, err, code = momo.scope(function(scope) scope:cancel() end)
      assert.same({ "ECANCELED: the scope was cancelled", "ECANCELED" }, { err, code })
      assert.equal("ECANCELED: false", select(2, momo.scope(function(scope) scope:cancel(false) end)))
      assert.equal("ECANCELED: one", select(2, momo.scope(function(scope)
        scope:cancel "one"
        scope:cancel "two"
      end)))
    end)
  end)

  it("by the function itself raises in its next operation", function()
    run(function()
      local reached = "before"
      local _, _, code = momo.scope(function(scope)
        scope:cancel()
        reached = "after"
        momo.yield_now()
        reached = "too far"
      end)
      assert.same({ "ECANCELED", "after" }, { code, reached })
    end)
  end)

  it("takes the function's results away, even if it goes on to return some", function()
    run(function()
      assert.same(pack(nil, "ECANCELED: x", "ECANCELED"), pack(momo.scope(function(scope)
        scope:cancel "x"
        return "result"
      end)))
    end)
  end)

  it("keeps what is spawned later from beginning", function()
    run(function()
      local began, child = false, nil
      momo.scope(function(scope)
        scope:cancel()
        child = scope:spawn(function() began = true end)
      end)
      assert.same({ false, "cancelled" }, { began, child:status() })
    end)
  end)

  it("leaves an error that cleaning up raises to be raised", function()
    run(function()
      local ok, err = pcall(momo.scope, function(scope)
        scope:spawn(function()
          pcall(sleep, 5)
          error("in clean-up", 0)
        end)
        momo.yield_now()
        scope:cancel()
      end)
      assert.same({ false, "in clean-up" }, { ok, err })
    end)
  end)

  it("of the outer scope ends the inner ones, at which nothing stops", function()
    run(function()
      local grandchild, reached = {}, false
      local results = pack(momo.scope(function(outer)
        outer:spawn(function()
          sleep(1)
          outer:cancel "outer"
        end)
        momo.scope(function(inner)
          inner:spawn(momo.scope, function(innermost) innermost:spawn(until_cancelled, grandchild) end)
        end)
        reached = true
      end))
      assert.same(pack(nil, "ECANCELED: outer", "ECANCELED"), results)
      assert.is_false(reached)
      assert.equal(1, grandchild.at)
    end)
  end)

  it("of the inner scope leaves the outer one alone", function()
    run(function()
      local sibling
      assert.equal("ECANCELED then on", momo.scope(function(outer)
        sibling = outer:spawn(sleep, 3)
        local _, _, code = momo.scope(function(inner)
          inner:cancel()
          sleep(100)
        end)
        sleep(1)
        return code .. " then on"
      end))
      assert.same({ "done", 3 }, { sibling:status(), now() })
    end)
  end)

  it("after a cancellation that was the scope's own, another one raises at once", function()
    run(function()
      local reached = false
      local task = momo.spawn(function()
        momo.scope(function(scope)
          scope:cancel()
          momo.yield_now()
        end)
        momo.current():cancel "the task's"
        momo.yield_now()
        reached = true
      end)
      local _, err = task:join()
      assert.same({ "cancelled: the task's", false }, { tostring(err), reached })
    end)
  end)
end)

describe("a scope that is cancelled from outside", function()
  it("by task:cancel passes that on to its children, and raises it", function()
    for _, body in ipairs {
      function() sleep(1000) end, -- it comes while the function works
      function() end, -- or while the scope waits for the children
      function() momo.scope(function(inner) inner:spawn(sleep, 1000) end) end,
    } do
      run(function()
        local child = {}
        local task = momo.spawn(function()
          momo.scope(function(scope)
            scope:spawn(until_cancelled, child)
            body()
          end)
          error "reached"
        end)
        sleep(1)
        task:cancel "the reason"
        local ok, err = task:join()
        assert.same({ false, "cancelled: the reason", "cancelled" }, { ok, tostring(err), task:status() })
        assert.same({ at = 1, reason = "the reason" }, child)
      end)
    end
  end)

  it("has it raised even if the children end well all the same", function()
    run(function()
      local reached = false
      local task = momo.spawn(function()
        momo.scope(function(scope) scope:spawn(momo.shield, sleep, 3) end)
        reached = true
      end)
      sleep(1)
      task:cancel()
      assert.is_true(momo.is_cancelled(select(2, task:join())))
      assert.same({ false, 3 }, { reached, now() })
    end)
  end)

  it("cancels its children at once, while the function still cleans up", function()
    run(function()
      local child = {}
      local task = momo.spawn(momo.scope, function(scope)
        scope:spawn(until_cancelled, child)
        momo.shield(sleep, 50)
      end)
      sleep(1)
      task:cancel "why"
      task:join()
      assert.same({ 1, 50 }, { child.at, now() })
    end)
  end)

  it("takes no new work: what is spawned in it never begins", function()
    run(function()
      local began = 0
      local task = momo.spawn(momo.scope, function(scope)
        local function work()
          began = began + 1
          pcall(sleep, 1000)
          scope:spawn(work)
        end
        scope:spawn(work)
      end)
      sleep(1)
      task:cancel()
      task:join()
      assert.same({ 1, 1 }, { began, now() })
    end)
  end)

  it("and by itself, raises the cancellation from outside", function()
    run(function()
      local task = momo.spawn(function()
        momo.scope(function(scope)
          scope:spawn(momo.shield, sleep, 5)
          sleep(1)
          scope:cancel "inner"
          sleep(1)
        end)
        error "reached"
      end)
      sleep(2)
      task:cancel "outer"
      assert.is_true(momo.is_cancelled(select(2, task:join())))
      assert.equal(5, now())
    end)
  end)

  it("by the cancellation of one child loses that child only", function()
    run(function()
      local sibling
      assert.equal("result", momo.scope(function(scope)
        sibling = scope:spawn(sleep, 3)
        scope:spawn(sleep, 1000):cancel()
        return "result"
      end))
      assert.same({ "done", 3 }, { sibling:status(), now() })
    end)
  end)

  it("and whose owner goes on catching that until it is given up, ends its children", function()
    local status, stdout, stderr = support.luajit [[
      local momo = require "momo"
      momo.run({ clock = "virtual" }, function()
        local kept
        local task = momo.spawn(momo.scope, function(scope)
          kept = scope
          scope:spawn(function()
            print(momo.is_cancelled(select(2, pcall(momo.time.sleep, 1000))), momo.time.now())
          end)
          while true do
            pcall(momo.time.sleep, 1000)
          end
        end)
        task:set_name "stubborn"
        momo.time.sleep(1)
        task:cancel()
        print(task:join())
        print(pcall(kept.spawn, kept, print))
      end)
    ]]
    assert.same({ 0, "true\t1\nfalse\tcancelled\nfalse\tapp.lua:17: spawn: the scope has ended\n" }, { status, stdout })
    assert.matches("^momo: task 2 'stubborn' at app.lua:10 goes on catching its cancellation[^\n]*\n$", stderr)
  end)
end)

describe("shield", function()
  it("passes arguments, results and errors through", function()
    run(function()
      assert.same(pack(nil, 2, nil), pack(momo.shield(function(...) return ... end, nil, 2, nil)))
      assert.same(pack(false, "x"), pack(pcall(momo.shield, error, "x", 0)))
      assert.matches("^spec/task/scope_cancel_spec.lua:%d+: shield: argument 1 must be a function, got 1",
        select(2, pcall(function() momo.shield(1) end)))
    end)
  end)

  it("holds a cancellation off, which the first suspending call afterwards raises", function()
    run(function()
      local order = {}
      local task = momo.spawn(function()
        momo.shield(function()
          sleep(2)
          momo.yield_now()
          order[#order + 1] = "shielded"
        end)
        order[#order + 1] = "after"
        momo.yield_now()
        order[#order + 1] = "too far"
      end)
      sleep(1)
      task:cancel "held off"
      assert.equal("waiting", task:status())
      local _, err = task:join()
      assert.same({ "cancelled: held off", "shielded", "after", 2 }, { tostring(err), order[1], order[2], now() })
      assert.equal(2, #order)
    end)
  end)

  it("lets clean-up suspend after a cancellation was raised", function()
    run(function()
      local cleaned
      local task = momo.spawn(function()
        local ok, err = pcall(sleep, 1000)
        momo.shield(function()
          for _ = 1, 200 do sleep(0.5) end -- more than the times that a cancellation is raised
          momo.spawn(sleep, 1):join()
          cleaned = not ok
        end)
        error(err, 0)
      end)
      sleep(1)
      task:cancel()
      assert.equal("cancelled", (task:join() or true) and task:status())
      assert.same({ true, 102 }, { cleaned, now() })
    end)
  end)

  it("does not hold off what was cancelled within it", function()
    run(function()
      local _, _, timeout = momo.shield(momo.time.timeout, 1, sleep, 100)
      local _, _, cancel = momo.shield(momo.scope, function(scope)
        scope:cancel()
        sleep(100)
      end)
      assert.same({ "ETIMEDOUT", "ECANCELED", 1 }, { timeout, cancel, now() })
    end)
  end)

  it("around a scope shields its children too", function()
    run(function()
      local child
      local _, _, code = momo.time.timeout(1, function()
        momo.shield(momo.scope, function(scope) child = scope:spawn(sleep, 5) end)
        momo.yield_now()
      end)
      assert.same({ "done", "ETIMEDOUT", 5 }, { child:status(), code, now() })
    end)
  end)

  it("shields them from momo.stop, those that come later too; what it does not shield is stopped at once", function()
    local children, beside, order = {}, nil, {}
    run(function()
      beside = momo.spawn(sleep, 5)
      momo.shield(momo.scope, function(scope)
        children[1] = scope:spawn(sleep, 3)
        sleep(1)
        momo.stop()
        children[2] = scope:spawn(sleep, 1)
        beside:join()
        order[1] = now()
      end)
      order[2] = now()
      sleep(1)
      order[3] = now()
    end)
    assert.same({ "done", "done", "cancelled" }, { children[1]:status(), children[2]:status(), beside:status() })
    assert.same({ 1, 3 }, order)
  end)
end)
