local momo = require "momo"
local support = require "spec.support"

-- Runs fn as a task beside one that only yields, and returns what join returned.
local function beside_another(fn)
  return momo.run({ on_error = function() end }, function()
    local going, turns = true, 0
    local other = momo.spawn(function()
      while going do
        turns = turns + 1
        momo.yield_now()
      end
    end)
    local ok, result = momo.spawn(fn):join()
    going = false
    assert.is_true((other:join()))
    assert.is_true(turns > 0)
    return ok, result
  end)
end

describe("a task may suspend", function()
  for name, suspend in pairs {
    yield_now = momo.yield_now,
    sleep = function() momo.time.sleep(0.001) end,
    join = function() assert(momo.spawn(momo.yield_now):join()) end,
    ["coroutine.yield"] = coroutine.yield,
  } do
    local function through(place, fn)
      it("through " .. place .. ", in " .. name, function()
        assert.same({ true, "result" }, { beside_another(fn) })
      end)
    end

    through("pcall", function()
      local ok, err = pcall(function() suspend() error("after", 0) end)
      assert(not ok and err == "after")
      return "result"
    end)

    through("momo.pcall", function()
      return select(2, assert(momo.pcall(function() suspend() return "result" end)))
    end)

    through("xpcall", function()
      local ok, err = xpcall(function() suspend() error("after", 0) end, function(err) return err .. " handled" end)
      assert(not ok and err == "after handled")
      return "result"
    end)

    through("metamethods", function()
      local object = setmetatable({}, {
        __index = function() suspend() return "re" end,
        __newindex = function() suspend() end,
        __add = function() suspend() return "s" end,
        __concat = function() suspend() return "u" end,
        __eq = function() suspend() return true end,
        __lt = function() suspend() return true end,
        __call = function() suspend() return "lt" end,
        __tostring = function() suspend() return "!" end,
      })
      local same = setmetatable({}, getmetatable(object))
      object.field = 1
      assert(object == same and object < same and tostring(object) == "!")
      return object.field .. object + 1 .. (object .. "x") .. object()
    end)

    through("an iterator", function()
      local parts = {}
      for part in function(_, last)
        suspend()
        return not last and "res" or last == "res" and "ult" or nil
      end do
        parts[#parts + 1] = part
      end
      table.foreach(parts, function() suspend() end)
      return table.concat(parts)
    end)
  end
end)

describe("a task can't suspend", function()
  local operations = {
    yield_now = function() momo.yield_now() end,
    sleep = function() momo.time.sleep(0) end,
    sleep_until = function() momo.time.sleep_until(0) end,
    join = function(task) task:join() end,
  }
  local others = { spawn = function() momo.spawn(print) end, stop = function() momo.stop() end }

  -- place(fn) calls fn where nothing can suspend, and returns the error.
  local function beneath(place_name, call, advice)
    for name, operation in pairs(operations) do
      it("beneath " .. place_name .. ", in " .. name, function()
        local err = momo.run(function()
          local task = momo.spawn(momo.yield_now)
          local err
          call(function()
            local ok
            ok, err = pcall(operation, task)
            assert.is_false(ok)
          end)
          return err
        end)
        local line = debug.getinfo(operation, "S").linedefined
        assert.equal(("spec/task/suspend_spec.lua:%d: %s: can't suspend "):format(line, name), err:match("^.-suspend "))
        assert.matches(advice, err, 1, true)
      end)
    end
  end

  beneath("coroutine.wrap", function(fn) coroutine.wrap(fn)() end, "inside coroutine.wrap; ")
  beneath("coroutine.resume", function(fn) assert(coroutine.resume(coroutine.create(fn))) end, "momo.spawn")
  beneath("require", function(fn)
    package.preload["spec.suspends"] = fn
    require "spec.suspends"
    package.loaded["spec.suspends"] = nil
  end, "require")
  beneath("string.gsub", function(fn) string.gsub("x", "x", fn) end, "string.gsub")
  beneath("table.sort", function(fn)
    table.sort({ 1, 2 }, function(a, b) fn() return a < b end)
  end, "table.sort")
  beneath("__gc", function(fn)
    getmetatable(newproxy(true)).__gc = fn
    collectgarbage()
    collectgarbage()
  end, "__gc")
  beneath("load's reader", function(fn) load(function() fn() end) end, "beneath a C function")
  beneath("__tostring in string.format", function(fn)
    string.format("%s", setmetatable({}, { __tostring = function() fn() return "" end }))
  end, "beneath a C function")
  beneath("xpcall's handler", function(fn) xpcall(error, function() fn() end) end, "beneath a C function")

  it("outside of a runtime", function()
    local task = momo.run(function() return momo.spawn(momo.yield_now) end)
    for _, list in ipairs { operations, others } do
      for name, operation in pairs(list) do
        local ok, err = pcall(operation, task)
        assert.is_false(ok)
        assert.equal(("spec/task/suspend_spec.lua:%d: %s: needs a runtime: call it inside momo.run(main)"):format(
          debug.getinfo(operation, "S").linedefined, name), err:match("^.-%(main%)"))
      end
    end
    assert.is_nil(momo.current())
  end)

  it("in on_error", function()
    local ok, err
    momo.run({ on_error = function() ok, err = pcall(momo.time.sleep, 0) end }, function()
      momo.spawn(error, "reported")
    end)
    assert.is_false(ok)
    assert.matches("sleep: can't suspend inside on_error", err, 1, true)
  end)

  it("and the task goes on after the error as if nothing had happened", function()
    assert.same({ true, "fine" }, { beside_another(function()
      assert(not pcall(coroutine.wrap(function() momo.time.sleep(1) end)))
      assert(not pcall(table.sort, { 1, 2 }, function() momo.yield_now() end))
      momo.time.sleep(0.001)
      return "fine"
    end) })
  end)
end)

describe("a coroutine of the user's own", function()
  it("works inside a task", function()
    assert.same({ true, "1 2 3" }, { beside_another(function()
      local list = {}
      for i in coroutine.wrap(function() for i = 1, 3 do coroutine.yield(i) end end) do
        list[#list + 1] = i
        momo.yield_now()
      end
      return table.concat(list, " ")
    end) })
  end)

  it("may spawn, ask and cancel", function()
    momo.run(function()
      local me = momo.current()
      local task = coroutine.wrap(function()
        assert(momo.current() == me)
        local task = momo.spawn(momo.time.sleep, math.huge)
        task:cancel "from a coroutine"
        return task
      end)()
      assert.equal("cancelled: from a coroutine", tostring(select(2, task:join())))
    end)
  end)
end)

describe("a task's coroutine that the user resumes", function()
  -- start(f) -> the task and its coroutine, which is suspended in f's sleep
  local function start(f)
    local co
    local task = momo.spawn(function()
      co = coroutine.running()
      momo.time.sleep(0.001)
      return f()
    end)
    momo.yield_now()
    return task, co
  end

  local function expect_reported(task)
    local ok, err = task:join()
    assert.is_false(ok)
    assert.matches("resumed by somebody else", tostring(err), 1, true)
    assert.equal("failed", task:status())
  end

  it("to its end is reported, and hurts no other", function()
    assert.same({ true, "fine" }, { beside_another(function()
      local task, co = start(function() end)
      assert.is_true((coroutine.resume(co)))
      expect_reported(task)
      return "fine"
    end) })
  end)

  it("into its next operation is told, and hurts no other", function()
    assert.same({ true, "fine" }, { beside_another(function()
      local task, co = start(function() momo.time.sleep(0.001) end)
      local ok, err = coroutine.resume(co)
      assert.is_false(ok)
      assert.matches("sleep: can't suspend", err, 1, true)
      expect_reported(task)
      return "fine"
    end) })
  end)

  -- A task waits in a coroutine inside of its own, and its own is then resumed by somebody else, whom it hands control
  -- back. Nobody refers to the inner one any more, unless it is kept in keep.inner.
  local function abandon_inner(wait, keep)
    local co
    local task = momo.spawn(function()
      co = coroutine.running()
      local inner = momo.coroutine.create(wait)
      keep.inner, keep.weak = inner, setmetatable({ inner }, { __mode = "v" })
      local passed, err = momo.coroutine.resume(inner)
      inner = nil -- luacheck: ignore 311
      coroutine.yield(passed, err)
      if keep.afterwards then keep.afterwards() end
    end)
    momo.yield_now()
    local ok, passed, err = coroutine.resume(co)
    assert.is_true(ok)
    assert.is_false(passed)
    assert.matches("resumed by somebody else", err, 1, true)
    return task
  end
  local LINE_AFTERWARDS = debug.getinfo(abandon_inner, "S").linedefined + 8

  local function let_go(keep)
    keep.inner = nil
    for _ = 1, 2 do collectgarbage() end
    for i = 1, 100 do -- in its memory, if it was freed
      keep[i] = coroutine.wrap(function() coroutine.yield(i) end)
      keep[i]()
    end
  end

  it("while it waits in an inner one is where tracebacks say the task is", function()
    momo.run(function()
      local keep = {}
      local task = abandon_inner(function() momo.time.sleep(0.001) end, keep)
      let_go(keep)
      assert.is_nil(keep.weak[1])
      assert.matches("suspend_spec.lua:" .. LINE_AFTERWARDS .. ": ", task:traceback(), 1, true)
      assert.is_true(task:join())
    end)
  end)

  it("while it waits in an inner one is where the report of a deadlock says the task is", function()
    local _, rx = momo.sync.channel()
    local ok, err = pcall(momo.run, function()
      local keep = {}
      abandon_inner(function() rx:recv() end, keep)
      let_go(keep)
      rx:recv()
    end)
    assert.is_false(ok)
    assert.matches("in recv at spec/task/suspend_spec.lua:" .. LINE_AFTERWARDS, err, 1, true)
  end)

  it("while it waits in an inner one lets that one wait no more", function()
    local tx, rx = momo.sync.channel()
    momo.run(function()
      local keep, told = {}, {}
      function keep.afterwards()
        for i = 1, 2 do
          told[i] = { coroutine.resume(keep.inner) }
        end
        momo.time.sleep(0.001)
      end
      local task = abandon_inner(function()
        pcall(rx.recv, rx)
        rx:recv()
      end, keep)
      tx:send "wakes the task"
      assert.is_true(task:join())
      assert.is_false(told[1][1])
      assert.matches("recv: can't suspend inside coroutine.wrap", told[1][2], 1, true)
      assert.is_false(told[2][1])
    end)
  end)

  it("after its end does not touch the task that follows in its place", function()
    for _, body in ipairs { function() end, momo.yield_now, coroutine.yield, error } do
      local ran = 0
      assert.same({ true, "fine" }, { beside_another(function()
        local co
        momo.spawn(function() co = coroutine.running() end):join()
        local task = momo.spawn(function()
          ran = ran + 1
          body()
        end)
        coroutine.resume(co)
        momo.time.sleep(0.001)
        task:join()
        return "fine"
      end) })
      assert.equal(1, ran)
    end
  end)
end)

describe("what a task leaves behind", function()
  it("is no environment of its own: setfenv(0, ...) stays with it", function()
    local seen = momo.run(function()
      for _ = 1, 10 do
        momo.spawn(function() setfenv(0, { leaked = true }) end):join()
      end
      local seen = {}
      for i = 1, 10 do
        seen[i] = select(2, momo.spawn(function() return getfenv(0) end):join())
      end
      return seen
    end)
    for i = 1, 10 do
      assert.equal(getfenv(0), seen[i])
    end
  end)
end)

describe("finalizers", function()
  it("may spawn, cancel, close and ask while tasks run", function()
    local finalized, spawned, ended = 0, 0, 0
    local prototype = newproxy(true)
    momo.run(function()
      local victims, listeners = {}, {}
      getmetatable(prototype).__gc = function()
        finalized = finalized + 1
        local n = finalized % 16 + 1
        if momo.current() and spawned < 2000 then
          spawned = spawned + 1
          if victims[n] then victims[n]:cancel "collected" end
          victims[n] = momo.spawn(function()
            ended = ended + 1
            momo.time.sleep(0.001)
          end)
        end
        if listeners[n] then
          listeners[n]:close()
          listeners[n] = nil
        end
        momo.metrics()
      end
      for i = 1, 100 do
        listeners[i % 16 + 1] = listeners[i % 16 + 1] or momo.net.TcpListener.bind "127.0.0.1:0"
        for _ = 1, 100 do
          newproxy(prototype)
          momo.spawn(function()
            newproxy(prototype)
            if i % 3 == 0 then momo.yield_now() end
            return { newproxy(prototype), ("x"):rep(100) .. i }
          end)
        end
        momo.yield_now()
      end
      for n in pairs(listeners) do listeners[n]:close() end
    end)
    assert.is_true(finalized > 1000)
    assert.is_true(spawned > 100 and ended > 0 and ended <= spawned)
    assert.equal(0, momo.metrics().tasks)
  end)

  it("may call anything when the state is closing", function()
    local status, stdout, stderr = support.luajit [[
      local last = newproxy(true) -- older than momo: finalized after it
      local momo = require "momo"
      local listener, task
      momo.run(function()
        listener = assert(momo.net.TcpListener.bind "127.0.0.1:0")
        task = momo.spawn(momo.yield_now)
      end)
      getmetatable(last).__gc = function()
        for _, call in ipairs {
          momo.metrics, momo.current, momo.stop, momo.yield_now, momo.time.now, momo.time.wall,
          function() momo.spawn(print) end, function() momo.run(print) end, function() momo.time.sleep(0) end,
          function() task:status() end, function() task:cancel() end, function() task:join() end,
          function() listener:local_addr() end, function() listener:close() end,
          function() momo.net.TcpListener.bind "127.0.0.1:0" end,
          function() momo.net.TcpStream.connect "127.0.0.1:1" end,
          function() momo.thread.spawn(function() end) end, momo.thread.available_parallelism, momo.thread.current,
        } do
          pcall(call)
        end
        print "closed"
      end
    ]]
    assert.same({ 0, "closed\n", "" }, { status, stdout, stderr })
  end)
end)
