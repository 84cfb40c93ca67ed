-- Typical mistakes, and what they are told: the message, and the line of the one who made it.

local momo = require "momo"

-- Runs fn as a task. Returns its error, and asserts that it names the line where fn begins.
local function told(fn, ...)
  local ok, err = momo.run(function(...)
    return momo.spawn(fn, ...):join()
  end, ...)
  assert.is_false(ok)
  local place = ("spec/house/mistakes_spec.lua:%d: "):format(debug.getinfo(fn, "S").linedefined)
  assert.equal(place, tostring(err):sub(1, #place))
  return err:sub(#place + 1)
end

-- The same for what is called outside of a runtime.
local function told_outside(fn)
  local ok, err = pcall(fn)
  assert.is_false(ok)
  local place = ("spec/house/mistakes_spec.lua:%d: "):format(debug.getinfo(fn, "S").linedefined)
  assert.equal(place, tostring(err):sub(1, #place))
  return err:sub(#place + 1)
end

local function f() end

describe("spawn", function()
  it("of a function's result", function()
    assert.equal("spawn: argument 1 must be a function, got nil (write spawn(f, x), not spawn(f(x)))",
      told(function() momo.spawn(f(1)) end))
    assert.equal("spawn: argument 1 must be a function, got nil (write spawn(f, x), not spawn(f(x)))",
      told(function() momo.spawn(nil) end))
    assert.equal("spawn: argument 1 must be a function, got table (write spawn(f, x), not spawn(f(x)))",
      told(function() momo.spawn({}) end))
    assert.equal("spawn: argument 1 must be a function, got string (write spawn(f, x), not spawn(f(x)))",
      told(function() momo.spawn("f") end))
  end)

  it("outside of a runtime", function()
    assert.equal("spawn: needs a runtime: call it inside momo.run(main), or run the file with the momo command",
      told_outside(function() momo.spawn(f) end))
  end)
end)

describe("run", function()
  it("inside a runtime", function()
    assert.equal("run: already inside a runtime; call main() directly", told(function() momo.run(f) end))
    assert.equal("run: already inside a runtime; call main() directly", told(function() momo.run({}, f) end))
  end)

  it("of something else than a function", function()
    local wanted = "run: argument 1 must be a function, or a table of options and then a function, got %s "
      .. "(write run(main), not run(main()))"
    assert.equal(wanted:format "nil", told_outside(function() momo.run(f()) end))
    assert.equal(wanted:format "string", told_outside(function() momo.run "main" end))
    assert.equal("run: argument 2 must be a function, got nil", told_outside(function() momo.run({}) end))
  end)

  it("with options that there are not", function()
    assert.equal('run: there is no option "onerror", but clock, grace, measure, on_error, stall',
      told_outside(function() momo.run({ onerror = f }, f) end))
    assert.equal("run: there is no option 1, but clock, grace, measure, on_error, stall",
      told_outside(function() momo.run({ f }, f) end))
    assert.equal("run: option on_error must be a function, got true",
      told_outside(function() momo.run({ on_error = true }, f) end))
  end)
end)

describe("a method", function()
  it("of a task, without its colon or on something else", function()
    momo.run(function()
      local task = momo.spawn(f)
      for _, method in ipairs { "join", "cancel", "status", "id", "traceback" } do
        local wanted = ("%s: call it with a colon: task:%s()"):format(method, method)
        for _, value in ipairs { {}, "reason", 1, io.stdout } do
          local _, err = pcall(function() task[method](value) return nil end)
          assert.matches("^spec/house/mistakes_spec.lua:%d+: ", err)
          assert.equal(wanted, (err:gsub("^.-:%d+: ", "")))
        end
        local _, err = pcall(function() task[method]() return nil end)
        assert.equal(wanted, (err:gsub("^.-:%d+: ", "")))
      end
    end)
  end)

  it("outside of a runtime", function()
    local ended = momo.run(function() return momo.spawn(f) end)
    assert.equal("join: needs a runtime: call it inside momo.run(main), or run the file with the momo command",
      told_outside(function() ended:join() end))
    assert.same({ "done", "number", "" }, { ended:status(), type(ended:id()), ended:traceback() })
    ended:cancel()
    assert.equal("done", ended:status())
  end)
end)

describe("join", function()
  it("of oneself", function()
    assert.equal("join: a task can't join itself", told(function() momo.current():join() end))
  end)
end)

describe("sleep", function()
  it("of what is no duration", function()
    assert.equal("sleep: argument 1 must be a number of seconds, got nil", told(function() momo.time.sleep() end))
    assert.equal("sleep: argument 1 must be a number of seconds, got string",
      told(function() momo.time.sleep "0.5" end))
    assert.equal("sleep: argument 1 must be a number of seconds, got NaN", told(function() momo.time.sleep(0 / 0) end))
    assert.equal("sleep: argument 1 must not be negative, got -0.5", told(function() momo.time.sleep(-0.5) end))
  end)

  it("until a wall clock's time", function()
    local text = told(function() momo.time.sleep_until(os.time()) end)
    assert.matches("^sleep_until: %d+ years ahead; pass momo%.time%.now%(%) %+ seconds, not os%.time%(%)$", text)
  end)

  it("outside of a runtime, which is told first", function()
    assert.equal("sleep: needs a runtime: call it inside momo.run(main), or run the file with the momo command",
      told_outside(function() momo.time.sleep(1) end))
    assert.matches("^sleep: needs a runtime", told_outside(function() momo.time.sleep(-1) end))
  end)
end)

describe("suspending", function()
  local inside_wrap = "can't suspend inside coroutine.wrap; use momo.coroutine.wrap, through which it can, or make "
    .. "the coroutine a task with momo.spawn"
  local beneath = "can't suspend beneath a C function such as require, string.gsub, table.sort or __gc; call it "
    .. "before or after that function"

  it("inside coroutine.wrap", function()
    local function told_through(fn) -- wrap puts the place before the error a second time
      return (told(fn):gsub("^spec/house/mistakes_spec.lua:%d+: ", ""))
    end
    assert.equal("sleep: " .. inside_wrap,
      told_through(function() coroutine.wrap(function() momo.time.sleep(1) end)() end))
    assert.equal("yield_now: " .. inside_wrap,
      told_through(function() coroutine.wrap(function() momo.yield_now() end)() end))
    assert.equal("join: " .. inside_wrap,
      told_through(function() local t = momo.spawn(f) coroutine.wrap(function() t:join() end)() end))
  end)

  it("beneath string.gsub and table.sort", function()
    assert.equal("sleep: " .. beneath, told(function() ("x"):gsub("x", function() momo.time.sleep(1) end) end))
    assert.equal("yield_now: " .. beneath,
      told(function() table.sort({ 1, 2 }, function() momo.yield_now() end) end))
  end)

  it("beneath require", function()
    local err
    momo.run(function()
      package.preload["spec.sleeps"] = function() momo.time.sleep(1) end
      err = select(2, pcall(require, "spec.sleeps"))
    end)
    assert.matches("sleep: " .. beneath, err, 1, true)
    package.preload["spec.sleeps"], package.loaded["spec.sleeps"] = nil, nil
  end)
end)

describe("stop", function()
  it("outside of a runtime", function()
    assert.matches("^stop: needs a runtime: call it inside momo%.run%(main%)", told_outside(function() momo.stop() end))
  end)
end)

describe("a mistake", function()
  it("changes nothing: the runtime goes on", function()
    assert.equal("fine", momo.run(function()
      for _ = 1, 200 do
        pcall(momo.spawn, nil)
        pcall(momo.run, f)
        pcall(momo.time.sleep, -1)
        pcall(momo.current().join, nil)
        pcall(coroutine.wrap(momo.yield_now))
      end
      assert.equal(1, momo.metrics().tasks)
      momo.time.sleep(0.001)
      return "fine"
    end))
  end)
end)
