local momo = require "momo"
local virtual = require "spec.support.virtual"

local now, scope, sleep = momo.time.now, momo.scope, momo.time.sleep
local on, settle, waiting = virtual.on, virtual.settle, virtual.waiting

describe("a scope with a limit", function()
  it("has so many children at once, and spawn waits for a place", on(function()
    local running, most, ended = 0, 0, 0
    scope({ limit = 3 }, function(work)
      for i = 1, 10 do
        work:spawn(function()
          running = running + 1
          most = math.max(most, running)
          sleep(1)
          running, ended = running - 1, ended + 1
        end)
        assert.is_true(now() >= math.floor((i - 1) / 3))
      end
    end)
    assert.same({ 3, 10, 4 }, { most, ended, now() })
  end))

  it("gives its function the arguments, and returns what that returns", on(function()
    assert.same({ "a", nil, 3 }, { scope({ limit = 1 }, function(work, a)
      work:spawn(sleep, 1)
      return a, nil, 3
    end, "a") })
    assert.equal("b", (scope({}, function() return "b" end)))
  end))

  it("serves those who wait for a place in turn, before one that comes later", on(function()
    local order = {}
    scope({ limit = 1 }, function(work)
      local gate = momo.sync.Notify()
      work:spawn(gate.notified, gate)
      local spawners = {}
      for i = 1, 3 do
        spawners[i] = waiting(function()
          work:spawn(function() order[#order + 1] = i end)
        end)
      end
      gate:notify_one()
      momo.yield_now() -- the child has ended: the first that waits was woken, and has not run yet
      work:spawn(function() order[#order + 1] = "later" end)
      for _, spawner in ipairs(spawners) do spawner:join() end
    end)
    assert.same({ 1, 2, 3, "later" }, order)
  end))

  it("gets the place of a child back that was cancelled before it began", on(function()
    local ran = 0
    scope({ limit = 2 }, function(work)
      for _ = 1, 5 do
        work:spawn(function() ran = ran + 100 end):cancel()
      end
      for _ = 1, 5 do
        work:spawn(function() ran = ran + 1 end)
      end
    end)
    assert.equal(5, ran)
  end))

  it("is cancelled while spawn waits: by a failure, by its cancel, by a timeout", on(function()
    local function full(work)
      work:spawn(sleep, 100)
      work:spawn(sleep, 100)
      error "never here"
    end
    assert.same({ nil, "ETIMEDOUT: not done within 1 s", "ETIMEDOUT" },
      { momo.time.timeout(1, scope, { limit = 1 }, full) })
    local ok, err = pcall(scope, { limit = 1 }, function(work)
      work:spawn(function() sleep(1) error("the child failed", 0) end)
      full(work)
    end)
    assert.same({ false, "the child failed" }, { ok, err })
    local _, code = scope({ limit = 1 }, function(work)
      momo.spawn(function() sleep(1) work:cancel "enough" end)
      full(work)
    end)
    assert.equal("ECANCELED: enough", code)
  end))

  it("takes children of tasks that are not in it, while it has not ended", on(function()
    local child, kept
    scope({ limit = 1 }, function(work)
      kept = work
      work:spawn(sleep, 1)
      waiting(function() child = work:spawn(sleep, 100) end)
      work:cancel()
    end)
    assert.equal("cancelled", child:status()) -- from birth
    assert.matches("spawn: the scope has ended", select(2, pcall(kept.spawn, kept, sleep, 1)), 1, true)
    assert.equal(0, now())
  end))

  it("gives a place that was taken and not used to the next: one who gives up waiting has none", on(function()
    scope({ limit = 1 }, function(work)
      local child = work:spawn(sleep, 2)
      local first = waiting(function() work:spawn(sleep, 1) end)
      local second = waiting(function() work:spawn(sleep, 1) end)
      first:cancel()
      first:join()
      child:join()
      settle()
      assert.equal("done", second:status())
    end)
    assert.equal(3, now())
  end))

  it("leaves scopes that use its memory again without one", on(function()
    for _ = 1, 3 do
      scope({ limit = 1 }, function(work) work:spawn(sleep, 1) end)
      scope(function(work)
        for _ = 1, 50 do work:spawn(sleep, 1) end
        assert.equal(0, now() % 1)
      end)
    end
    assert.equal(6, now())
  end))

  it("says what is wrong with a call", on(function()
    for text, call in pairs {
      ["scope: option limit must be a whole number from 1, got 0"] = function() scope({ limit = 0 }, print) end,
      ["scope: option limit must be a whole number from 1, got 1.5"] = function() scope({ limit = 1.5 }, print) end,
      ['scope: there is no option "limt", but limit'] = function() scope({ limt = 1 }, print) end,
      ["scope: argument 2 must be a function, got nil"] = function() scope({ limit = 1 }) end,
      ["scope: argument 1 must be a function, got nil"] = function() scope() end,
      ["spawn: argument 1 must be a function, got nil"] = function()
        scope({ limit = 1 }, function(work) work:spawn() end)
      end,
    } do
      local ok, err = pcall(call)
      assert.is_false(ok)
      assert.matches(text, err, 1, true)
    end
  end))
end)
