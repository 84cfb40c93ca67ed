local momo = require "momo"

local now, sleep = momo.time.now, momo.time.sleep

local function pack(...)
  return { n = select("#", ...), ... }
end

-- Runs main on the virtual clock. Nothing may be reported, nor left behind.
local function run(main)
  local reported = {}
  momo.run({ clock = "virtual", on_error = function(err)
    reported[#reported + 1] = err
  end }, function()
    main()
    local metrics = momo.metrics()
    assert.same({ 1, 0 }, { metrics.tasks, metrics.timers })
  end)
  assert.same({}, reported)
end

-- A function that returns values after that many seconds.
local function after(seconds, ...)
  local values = pack(...)
  return function()
    sleep(seconds)
    return unpack(values, 1, values.n)
  end
end

local function failing(seconds, err)
  return function()
    sleep(seconds)
    error(err, 0)
  end
end

-- Cleans up for so long when it is cancelled, and tells.
local function cleaning(seconds, ended)
  return function()
    local ok, err = pcall(sleep, 100)
    assert(not ok and momo.is_cancelled(err))
    momo.shield(sleep, seconds)
    ended[#ended + 1] = now()
    error(err, 0)
  end
end

local function never() sleep(math.huge) end

for name, combine in pairs { race = momo.race, all = momo.all } do
  describe(name, function()
    it("raises the first failure, when the others have been cancelled and have cleaned up", function()
      run(function()
        local ended, problem = {}, {}
        local ok, err = pcall(combine, { cleaning(2, ended), failing(1, problem), failing(3, "later"), never })
        assert.is_false(ok)
        assert.equal(problem, err)
        assert.same({ 3 }, ended)
      end)
    end)

    it("that is cancelled cancels the functions, and raises it when they have cleaned up", function()
      run(function()
        local ended, reached = {}, false
        local task = momo.spawn(function()
          combine { cleaning(2, ended), cleaning(4, ended) }
          reached = true
        end)
        sleep(1)
        task:cancel "from outside"
        local _, err = task:join()
        assert.same({ "cancelled: from outside", false }, { tostring(err), reached })
        assert.same({ 3, 5 }, ended)
      end)
    end)

    it("within a timeout that fires leaves nothing behind", function()
      run(function()
        local ended = {}
        local _, _, code = momo.time.timeout(1, combine, { cleaning(1, ended), never })
        assert.same({ "ETIMEDOUT", 2 }, { code, ended[1] })
      end)
    end)

    it("runs its functions at once, in their order, as tasks of their own", function()
      run(function()
        local order, tasks = {}, { [momo.current()] = true }
        local function note(i)
          return function()
            order[#order + 1] = i
            assert.is_nil(tasks[momo.current()])
            tasks[momo.current()] = true
            sleep(1)
          end
        end
        combine { note(1), note(2), note(3) }
        assert.same({ 1, 2, 3 }, order)
        assert.equal(1, now())
      end)
    end)

    it("nests", function()
      run(function()
        local ended = {}
        combine { function() combine { after(1), after(2) } end, function() combine { after(3), after(1) } end }
        combine { function() return momo.race { after(1), cleaning(1, ended), cleaning(2, ended) } end }
        assert.equal(2, #ended)
      end)
    end)

    it("raises the cancellation of a function that cancelled itself, if there is nothing to return", function()
      run(function()
        local ok, err = pcall(combine, { function()
          momo.current():cancel "myself"
          momo.yield_now()
        end })
        assert.same({ false, "cancelled: myself" }, { ok, tostring(err) })
      end)
    end)

    it("throws at the caller's line for what is no array of functions", function()
      run(function()
        for said, value in pairs {
          ["argument 1 must be an array of functions, got nil"] = false,
          [name == "race" and "argument 1 must be an array of functions, with one at least" or "entry 1 must be"] =
            name == "race" and {} or { 1 },
          ["entry 2 must be a function"] = { print, 5, print },
        } do
          local _, err = pcall(function()
            combine(value or nil)
            return nil
          end)
          assert.matches("^spec/task/race_spec.lua:%d+: " .. name .. ": " .. said, err)
        end
      end)
    end)
  end)
end

describe("race", function()
  it("returns the first one's index and results, nils too, when the others have cleaned up", function()
    run(function()
      local ended = {}
      local results = pack(momo.race { cleaning(3, ended), after(2, nil, "won", nil), after(5), never })
      assert.same(pack(2, nil, "won", nil), results)
      assert.same({ 5 }, ended)
      assert.equal(5, now())
      assert.same(pack(1), pack(momo.race { function() end }))
    end)
  end)

  it("of which several are ready is won by the first in the queue, and by it alone", function()
    run(function()
      local returned = 0
      local function quick()
        returned = returned + 1
        return returned
      end
      assert.same(pack(1, 1), pack(momo.race { quick, quick, quick }))
      assert.same(pack(2, 0), pack(momo.race { after(1), function() return 0 end }))
    end)
  end)

  it("is lost by those who only return while they clean up", function()
    run(function()
      assert.same(pack(2, "first"), pack(momo.race {
        function()
          pcall(sleep, 100)
          return "late"
        end,
        after(1, "first"),
      }))
    end)
  end)

  it("raises what fails while the others clean up", function()
    run(function()
      local ok, err = pcall(momo.race, { after(1), function()
        pcall(sleep, 100)
        error("in clean-up", 0)
      end })
      assert.same({ false, "in clean-up" }, { ok, err })
    end)
  end)

  it("goes on without a function that cancelled itself", function()
    run(function()
      assert.same(pack(2, "won"), pack(momo.race { function()
        momo.current():cancel()
        momo.yield_now()
      end, after(3, "won") }))
    end)
  end)
end)

describe("all", function()
  it("returns what each returned, in their order, nils too", function()
    run(function()
      assert.same(pack(pack(3), pack(nil, "two", nil), pack()),
        pack(momo.all { after(3, 3), after(2, nil, "two", nil), function() end }))
      assert.equal(3, now())
    end)
  end)

  it("takes hundreds", function()
    run(function()
      local functions = {}
      for i = 1, 200 do functions[i] = after(i % 7, i) end
      local results = pack(momo.all(functions))
      assert.same({ 200, 6 }, { results.n, now() })
      for i = 1, 200 do assert.same(pack(i), results[i]) end
    end)
  end)
end)
