local momo = require "momo"
local support = require "spec.support"

local pack, yield_times, failures_of = support.pack, support.yield_times, support.failures_of

local WINDOW = 128

describe("main's error", function()
  it("is raised with its traceback, at the place where it happened", function()
    local function inner() error "broken" end
    local ok, err = pcall(momo.run, function()
      momo.yield_now()
      inner()
    end)
    assert.is_false(ok)
    assert.matches("^spec/task/failure_spec.lua:%d+: broken\nstack traceback:\n", err)
    assert.matches("in function 'inner'", err, 1, true)
    assert.equal(1, select(2, err:gsub("stack traceback", "")))
  end)

  it("of any type is raised as it is", function()
    for _, err in ipairs { {}, 42, true, false, print } do
      local ok, raised = pcall(momo.run, function() error(err, 0) end)
      assert.is_false(ok)
      assert.is_true(rawequal(err, raised))
    end
    assert.same(pack(false, nil), pack(pcall(momo.run, function() error(nil) end)))
  end)

  it("cancels the other tasks, and is raised when they have ended", function()
    local seen, ended = {}, 0
    local ok, err = pcall(momo.run, function()
      for i = 1, 3 do
        momo.spawn(function()
          local _, cancellation = pcall(momo.time.sleep, math.huge)
          seen[i] = momo.is_cancelled(cancellation)
          ended = ended + 1
        end)
      end
      momo.yield_now()
      momo.spawn(function() ended = 100 end) -- never begins
      error "main's"
    end)
    assert.is_false(ok)
    assert.matches("main's", err, 1, true)
    assert.same({ { true, true, true }, 3 }, { seen, ended })
  end)

  it("is not reported besides", function()
    local ok, err
    local failures = {}
    ok, err = pcall(momo.run, { on_error = function(e) failures[#failures + 1] = e end }, error, "main's")
    assert.is_false(ok)
    assert.matches("main's", err, 1, true)
    assert.same({}, failures)
  end)
end)

describe("a task's error", function()
  it("of any type reaches the joiner as it is", function()
    local table_error, broken = {}, setmetatable({}, { __tostring = function() error "no text" end })
    momo.run(function()
      for _, err in ipairs { table_error, broken, 42, true, false, print, coroutine.create(print) } do
        local results = pack(momo.spawn(error, err, 0):join())
        assert.is_false(results[1])
        assert.is_true(rawequal(err, results[2]))
      end
      local results = pack(momo.spawn(error):join())
      assert.is_false(results[1])
      assert.is_nil(results[2])
    end)
  end)

  it("never hurts another task", function()
    local ended = 0
    local failures = failures_of(function()
      for i = 1, 300 do
        momo.spawn(function()
          momo.time.sleep(i % 3 / 1000)
          if i % 2 == 0 then error("even " .. i) end
          ended = ended + 1
        end)
      end
    end)
    assert.same({ 150, 150 }, { ended, #failures })
  end)

  it("is contained when a stack or the memory overflows", function()
    local function deep(n) return 1 + deep(n + 1) end
    momo.run(function()
      local bystander = momo.spawn(function() yield_times(3) return "fine" end)
      for message, fn in pairs {
        ["stack overflow"] = deep,
        ["not enough memory"] = function() return ("xx"):rep(2 ^ 31 - 1) end,
      } do
        local ok, err = momo.spawn(fn, 1):join()
        assert.is_false(ok)
        assert.matches(message, err, 1, true)
      end
      assert.same({ true, "fine" }, { bystander:join() })
    end)
  end)
end)

describe("a failed task", function()
  it("that nobody joins is reported once, at the end of the turn; a later join still gets the error", function()
    local failures = failures_of(function(failures)
      local task = momo.spawn(error, "alone")
      momo.yield_now()
      assert.same({ "failed", 0 }, { task:status(), #failures })
      yield_times(WINDOW)
      assert.same({ pack("alone", task) }, failures)
      assert.same({ false, "alone" }, { (task:join()), (select(2, task:join())) })
      yield_times(2 * WINDOW)
    end)
    assert.equal(1, #failures)
  end)

  it("that is waited for, or joined in the same turn, is not reported", function()
    assert.same({}, failures_of(function()
      local waited_for = momo.spawn(function() momo.time.sleep(0.001) error "a" end)
      assert.is_false((waited_for:join()))
    end))
    assert.same({}, failures_of(function() -- the first turn of a run has 8 resumes, however long they take
      local same_turn = momo.spawn(error, "b")
      momo.yield_now()
      assert.equal("failed", same_turn:status())
      assert.is_false((same_turn:join()))
      yield_times(2 * WINDOW)
    end))
  end)

  it("is reported when the one who waited for it was cancelled before", function()
    local failures = failures_of(function()
      local go = momo.sync.Notify()
      local failing = momo.spawn(function() go:notified() error("orphan", 0) end)
      local joiner = momo.spawn(function() failing:join() end)
      momo.yield_now()
      joiner:cancel()
      go:notify_one()
    end)
    assert.equal(1, #failures)
    assert.equal("orphan", failures[1][1])
  end)

  it("after main's end is reported, and main's results are returned", function()
    local reported
    assert.equal("main's", momo.run({ on_error = function(err) reported = err end }, function()
      momo.spawn(function() momo.time.sleep(0.001) error("late", 0) end)
      return "main's"
    end))
    assert.equal("late", reported)
  end)

  it("is shown on stderr with its traceback, whatever the error is", function()
    local status, stdout, stderr = support.luajit [[
      local momo = require "momo"
      local function inner() error "broken" end
      momo.run(function()
        momo.spawn(function() inner() end)
        momo.spawn(error, setmetatable({}, { __tostring = function() return "an object" end }))
        momo.spawn(error, setmetatable({}, { __tostring = function() error "no text" end }))
        momo.spawn(error, setmetatable({}, { __tostring = function() return {} end }))
        momo.spawn(error)
        momo.time.sleep(0.001)
        print "main goes on"
      end)
    ]]
    assert.same({ 0, "main goes on\n" }, { status, stdout })
    assert.matches("momo: app.lua:2: broken\nstack traceback:\n", stderr, 1, true)
    assert.matches("app.lua:2: in function 'inner'\n\tapp.lua:4: in function", stderr, 1, true)
    assert.matches("momo: an object\n", stderr, 1, true)
    assert.equal(2, select(2, stderr:gsub("momo: %(error object whose __tostring failed%)\n", "")))
    assert.matches("momo: nil\n", stderr, 1, true)
    assert.equal(5, select(2, stderr:gsub("momo: ", "")))
  end)
end)

describe("an error in on_error", function()
  it("is shown, and the other failures are reported all the same", function()
    local status, stdout, stderr = support.luajit [[
      local momo = require "momo"
      local n = 0
      momo.run({ on_error = function(err)
        n = n + 1
        if n == 1 then error "reporter broke" elseif n == 2 then error({}) end
        print(n, err)
      end }, function()
        for i = 1, 3 do momo.spawn(error, "failure " .. i) end
        momo.time.sleep(0.001)
        print "main goes on"
      end)
    ]]
    assert.same({ 0, "3\tfailure 3\nmain goes on\n" }, { status, stdout })
    assert.matches("app.lua:5: reporter broke", stderr, 1, true)
    assert.matches("momo: failure 1\n", stderr, 1, true) -- nothing is lost with it
    assert.matches("momo: failure 2\n", stderr, 1, true)
    assert.equal(4, select(2, stderr:gsub("momo: ", "")))
    assert.not_matches("(null)", stderr, 1, true)
  end)
end)

describe("momo.on_error", function()
  it("is told of failures that nobody joins, which don't count then, under the momo command", function()
    local status, stdout, stderr = support.momo(support.tmpfile [[
      local momo = require "momo"
      assert(momo.on_error(function(err, task) print(err, task) end) == nil)
      momo.spawn(error, "no luck"):set_name "gambler"
      momo.spawn(error, "joined"):join()
      momo.yield_now()
    ]])
    assert.same({ 0, "no luck\tmomo.Task 2 'gambler' (failed)\n", "" }, { status, stdout, stderr })
  end)

  it("counts what comes when it is taken back, or fails itself", function()
    local status, _, stderr = support.momo(support.tmpfile [[
      local momo = require "momo"
      local function own() error "own" end
      momo.on_error(own)
      momo.spawn(error, "first")
      momo.time.sleep(0.001)
      assert(momo.on_error() == own)
      momo.spawn(error, "second")
    ]])
    assert.equal(1, status)
    assert.matches("momo: while a failed task was reported: .-:2: own\nmomo: first\n.*momo: second\n", stderr)
  end)

  it("is for its thread, and what a run has is for the run", function()
    local told = {}
    local function before(err) told[#told + 1] = "before: " .. err end
    assert.is_nil(momo.on_error(before))
    momo.run({ on_error = function(err) told[#told + 1] = "run's: " .. err end }, function() momo.spawn(error, "a") end)
    momo.run(function() momo.spawn(error, "b") end)
    assert.equal(before, momo.on_error(nil))
    assert.same({ "run's: a", "before: b" }, told)
    assert.error_matches(function() momo.on_error(1) end, "on_error: argument 1 must be a function, got 1", 1, true)
  end)
end)
