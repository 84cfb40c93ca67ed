local momo = require "momo"

local now, sleep = momo.time.now, momo.time.sleep

local function pack(...)
  return { n = select("#", ...), ... }
end

-- Runs main on the virtual clock, where times are exact. Nothing may be reported.
local function run(main)
  local reported = {}
  local results = pack(momo.run({ clock = "virtual", on_error = function(err)
    reported[#reported + 1] = err
  end }, main))
  assert.same({}, reported)
  return unpack(results, 1, results.n)
end

-- Calls fn and returns its error's text.
local function error_of(fn, ...)
  local ok, err = pcall(fn, ...)
  assert.is_false(ok)
  return tostring(err)
end

describe("scope", function()
  it("returns what its function returned, nils too, and passes it arguments", function()
    run(function()
      assert.same(pack(nil, 1, nil), pack(momo.scope(function(_, ...) return ... end, nil, 1, nil)))
      assert.same(pack(), pack(momo.scope(function() end)))
      assert.same(pack(false, nil), pack(momo.scope(function(scope)
        scope:spawn(sleep, 5)
        return false, nil
      end)))
    end)
  end)

  it("returns when every child has ended, never before", function()
    run(function()
      local ended = {}
      momo.scope(function(scope)
        for _, seconds in ipairs { 3, 1, 2 } do
          scope:spawn(function()
            sleep(seconds)
            ended[#ended + 1] = seconds
          end)
        end
      end)
      assert.same({ 1, 2, 3 }, ended)
      assert.equal(3, now())
    end)
  end)

  it("waits for what its children spawn in it, also while it waits already", function()
    run(function()
      local deepest
      momo.scope(function(scope)
        local function generation(n)
          sleep(1)
          deepest = n
          if n < 10 then scope:spawn(generation, n + 1) end
        end
        scope:spawn(generation, 1)
      end)
      assert.same({ 10, 10 }, { deepest, now() })
    end)
  end)

  it("does not wait for tasks of others", function()
    run(function()
      local other = momo.spawn(sleep, 100)
      momo.scope(function(scope)
        momo.spawn(sleep, 50)
        scope:spawn(sleep, 1)
      end)
      assert.equal(1, now())
      other:cancel()
    end)
  end)

  it("gives tasks that can be joined", function()
    run(function()
      momo.scope(function(scope)
        local adder = scope:spawn(function(a, b)
          sleep(1)
          return a + b, nil
        end, 1, 2)
        assert.same(pack(true, 3, nil), pack(adder:join()))
      end)
    end)
  end)

  it("of thousands of children leaves nothing behind", function()
    run(function()
      local before, ended = momo.metrics(), 0
      for _ = 1, 3 do
        momo.scope(function(scope)
          for i = 1, 5000 do
            scope:spawn(function()
              sleep(i % 7)
              ended = ended + 1
            end)
          end
        end)
      end
      local after = momo.metrics()
      assert.same({ 15000, before.tasks, before.timers }, { ended, after.tasks, after.timers })
    end)
  end)

  it("throws for what is no function, at the caller's line", function()
    local here = "^spec/task/scope_spec.lua:%d+: "
    run(function()
      assert.matches(here .. "scope: argument 1 must be a function, got nil", error_of(function() momo.scope() end))
      momo.scope(function(scope)
        assert.matches(here .. "spawn: argument 1 must be a function, got nil", error_of(function() scope:spawn() end))
        assert.matches(here .. "defer: argument 1 must be a function, got nil", error_of(function() scope:defer() end))
        assert.matches(here .. "spawn: call it with a colon: scope:spawn%(%)",
          error_of(function() scope.spawn(sleep) end))
        assert.matches(here .. "cancel: call it with a colon: scope:cancel%(%)",
          error_of(function() scope.cancel "why" end))
      end)
    end)
    assert.matches(here .. "scope: needs a runtime", error_of(function() momo.scope(print) end))
  end)

  it("that has ended takes nothing more", function()
    local kept
    run(function()
      momo.scope(function(scope) kept = scope end)
      assert.matches("spawn: the scope has ended", error_of(function() kept:spawn(print) end), 1, true)
      assert.matches("defer: the scope has ended", error_of(function() kept:defer(print) end), 1, true)
      momo.scope(function(other)
        kept:cancel() -- which is not the other's, that may use its memory
        sleep(1)
        return other
      end)
      assert.equal(1, now())
    end)
    assert.matches("spawn: the scope has ended", error_of(function() kept:spawn(print) end), 1, true)
  end)

  it("of a stopped run has ended as well", function()
    local kept, child_ended
    run(function()
      momo.scope(function(scope)
        kept = scope
        scope:spawn(function()
          sleep(1)
          momo.stop()
        end)
        scope:spawn(function()
          local _, err = pcall(sleep, 5)
          momo.shield(sleep, 1)
          child_ended = momo.is_cancelled(err)
        end)
      end)
      error "reached"
    end)
    assert.is_true(child_ended)
    run(function()
      assert.matches("spawn: the scope has ended", error_of(function() kept:spawn(print) end), 1, true)
    end)
  end)
end)

describe("a failure", function()
  it("of a child cancels the function and the other children, and is raised when they have ended", function()
    run(function()
      local problem, ended = {}, 0
      local function clean_up()
        local ok, err = pcall(sleep, 100)
        assert(not ok and momo.is_cancelled(err))
        momo.shield(sleep, 3)
        ended = ended + 1
        error(err, 0)
      end
      local ok, err = pcall(momo.scope, function(scope)
        scope:spawn(clean_up)
        scope:spawn(function()
          sleep(2)
          error(problem)
        end)
        scope:spawn(clean_up)
        clean_up()
      end)
      assert.is_false(ok)
      assert.equal(problem, err)
      assert.same({ 3, 5 }, { ended, now() })
    end)
  end)

  it("of the function cancels the children", function()
    run(function()
      local child
      assert.equal("mine", error_of(momo.scope, function(scope)
        child = scope:spawn(sleep, 100)
        sleep(1)
        error("mine", 0)
      end))
      assert.same({ "cancelled", 1 }, { child:status(), now() })
    end)
  end)

  it("that comes first is the one that is raised; the later ones are not reported", function()
    run(function()
      local function fail_late(name)
        pcall(sleep, 100)
        error(name, 0)
      end
      assert.equal("child", error_of(momo.scope, function(scope)
        scope:spawn(fail_late, "later child")
        scope:spawn(function()
          sleep(1)
          error("child", 0)
        end)
        fail_late "function"
      end))
      assert.equal("function", error_of(momo.scope, function(scope)
        scope:spawn(fail_late, "child")
        sleep(1)
        error("function", 0)
      end))
    end)
  end)

  it("of a child that the function joins and forgives still fails the scope", function()
    run(function()
      assert.equal("child", error_of(momo.scope, function(scope)
        assert.is_false((scope:spawn(error, "child", 0):join()))
      end))
    end)
  end)

  it("is handled within an inner scope, if that is caught", function()
    run(function()
      local sibling
      local result = momo.scope(function(scope)
        sibling = scope:spawn(sleep, 5)
        scope:spawn(function()
          assert(not momo.pcall(momo.scope, function(inner) inner:spawn(error, "caught") end))
        end)
        return "fine"
      end)
      assert.same({ "fine", "done", 5 }, { result, sibling:status(), now() })
    end)
  end)

  it("passes through nested scopes, each of which ends its own children first", function()
    run(function()
      local order = {}
      local function child(name, seconds)
        pcall(sleep, 100)
        momo.shield(sleep, seconds)
        order[#order + 1] = name
      end
      assert.equal("inner", error_of(momo.scope, function(outer)
        outer:spawn(child, "outer", 1)
        momo.scope(function(inner)
          inner:spawn(child, "inner", 5)
          sleep(1)
          error("inner", 0)
        end)
      end))
      assert.same({ "inner", "outer", 7 }, { order[1], order[2], now() })
    end)
  end)

  it("false or nil is one too", function()
    run(function()
      assert.same(pack(false, false), pack(pcall(momo.scope, function(scope) scope:spawn(error, false) end)))
      assert.same(pack(false, nil), pack(pcall(momo.scope, function(scope) scope:spawn(error, nil) end)))
    end)
  end)
end)

describe("scope:defer", function()
  it("runs when the children have ended, last first, with its arguments", function()
    run(function()
      local order = {}
      local function note(...) order[#order + 1] = table.concat({ now(), ... }, " ") end
      local result = momo.scope(function(scope)
        scope:defer(note, "first", 1, 2)
        scope:defer(note, "second")
        scope:spawn(function()
          sleep(3)
          scope:defer(note, "by a child")
        end)
        return "result"
      end)
      assert.same({ "3 by a child", "3 second", "3 first 1 2" }, order)
      assert.equal("result", result)
    end)
  end)

  it("runs after a failure, a cancellation and a stop, and may suspend", function()
    run(function()
      local cleaned = {}
      local function enter(name, fn)
        momo.scope(function(scope)
          scope:defer(function()
            sleep(1)
            momo.yield_now()
            cleaned[#cleaned + 1] = name
          end)
          fn(scope)
        end)
      end
      pcall(enter, "failure", error)
      enter("scope:cancel", function(scope) scope:cancel() sleep(5) end)
      momo.time.timeout(1, enter, "timeout", function() sleep(5) end)
      local task = momo.spawn(enter, "cancel", function() sleep(5) end)
      momo.yield_now()
      task:cancel()
      task:join()
      pcall(enter, "stop", function() momo.stop() sleep(5) end)
      assert.same({ "failure", "scope:cancel", "timeout", "cancel", "stop" }, cleaned)
    end)
  end)

  it("inside a deferred call runs too, before the earlier ones", function()
    run(function()
      local order = {}
      momo.scope(function(scope)
        scope:defer(table.insert, order, "first")
        scope:defer(function() scope:defer(table.insert, order, "inside") end)
      end)
      assert.same({ "inside", "first" }, order)
    end)
  end)

  it("whose call fails raises that, after the others have run; a failure of the work comes first", function()
    run(function()
      local ran = false
      assert.equal("deferred", error_of(momo.scope, function(scope)
        scope:defer(function() ran = true end)
        scope:defer(error, "deferred", 0)
      end))
      assert.is_true(ran)
      assert.equal("work", error_of(momo.scope, function(scope)
        scope:defer(error, "deferred", 0)
        error("work", 0)
      end))
    end)
  end)
end)
