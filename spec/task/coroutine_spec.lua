local momo = require "momo"
local support = require "spec.support"
local tcp = require "spec.support.tcp"
local virtual = require "spec.support.virtual"

local co, now, sleep = momo.coroutine, momo.time.now, momo.time.sleep
local on, settle, waiting = virtual.on, virtual.settle, virtual.waiting

-- A generator of 1 to n that sleeps before each.
local function count(n, seconds)
  return co.wrap(function()
    for i = 1, n do
      sleep(seconds or 1)
      co.yield(i)
    end
  end)
end

describe("a coroutine of momo.coroutine", function()
  it("passes values as the standard one does", on(function()
    local thread = co.create(function(...)
      assert.same({ 1, nil, 3 }, { ... })
      local a, b = co.yield("first", nil)
      assert.same({ "x", "y" }, { a, b })
      return "last", nil, "values"
    end)
    assert.equal("suspended", co.status(thread))
    assert.same({ true, "first" }, { co.resume(thread, 1, nil, 3) })
    local function packed(...) return select("#", ...), ... end
    assert.same({ 4, true, "last", nil, "values" }, { packed(co.resume(thread, "x", "y")) })
    assert.equal("dead", co.status(thread))
    assert.same({ false, "cannot resume dead coroutine" }, { co.resume(thread) })
  end))

  it("may stand in place of the standard library's", function()
    local program = [[
      local momo = require "momo"
      local standard = coroutine
      for _, put in ipairs {
        function() coroutine = momo.coroutine end,
        function() for name, fn in pairs(momo.coroutine) do standard[name] = fn end end,
      } do
        put()
        for name in pairs(standard) do assert(coroutine[name], name) end
        momo.run(function()
          local co = coroutine.create(function(a)
            momo.time.sleep(0.001)
            return a, coroutine.yield(coroutine.running() ~= nil and coroutine.isyieldable())
          end)
          assert(coroutine.status(co) == "suspended")
          assert(select(2, coroutine.resume(co, 1)) == true)
          assert(select(2, coroutine.resume(co)) == 1 and coroutine.status(co) == "dead")
          local seen = 0
          for i in coroutine.wrap(function() for i = 1, 3 do coroutine.yield(i) end end) do seen = seen + i end
          assert(seen == 6)
        end)
      end
      io.write "done"
    ]]
    assert.same({ 0, "done", "" }, { support.luajit(program) })
  end)

  it("that resumes one without end is an error at last, in a task, outside of one and on a thread", function()
    local program = [[
      local momo = require "momo"
      local function endless()
        local co, depth = require("momo").coroutine, 0
        local function deeper()
          depth = depth + 1
          return co.wrap(deeper)()
        end
        local ok, err = pcall(deeper)
        assert(not ok and err:find("C stack overflow: coroutines are resumed inside of each other", 1, true), err)
        local function by_resume() return select(2, co.resume(co.create(by_resume))) end
        assert(by_resume():find("C stack overflow", 1, true))
        assert(co.wrap(function() return depth end)() > 1000) -- and all goes on
        return depth
      end
      endless()
      momo.run(function()
        endless()
        assert(select(2, assert(momo.thread.spawn(endless):join())) > 1000)
      end)
      io.write "done"
    ]]
    assert.same({ 0, "done", "" }, { support.luajit(program) })
  end)

  it("works outside of a run, where nothing suspends", function()
    local generator = co.wrap(function() for i = 1, 3 do co.yield(i) end end)
    assert.same({ 1, 2, 3 }, { generator(), generator(), generator() })
    assert.matches("sleep: needs a runtime", select(2, co.resume(co.create(sleep), 1)))
  end)

  it("may sleep between its values, while other tasks run", on(function()
    local others = 0
    momo.spawn(function()
      for _ = 1, 11 do
        sleep(0.25)
        others = others + 1
      end
    end)
    local seen = {}
    for i in count(3) do
      seen[#seen + 1] = i
      assert.equal(i, now())
    end
    assert.same({ 1, 2, 3 }, seen)
    assert.equal(11, others)
  end))

  it("may wait in every kind of operation, whose results and failures arrive inside", on(function()
    local tx, rx = momo.sync.channel()
    local task = momo.spawn(function() sleep(1) return "joined", nil, 3 end)
    local results = co.wrap(function()
      co.yield(task:join())
      co.yield(rx:recv())
      co.yield(rx:recv(0.5))
      co.yield(momo.select { rx, momo.time.after(1) })
      co.yield(momo.time.timeout(1, sleep, 10))
      momo.yield_now()
      co.yield(momo.scope(function(scope)
        scope:spawn(sleep, 1)
        return "scope"
      end))
    end)
    momo.spawn(function() sleep(2) tx:send "received" end)
    assert.same({ true, "joined", nil, 3 }, { results() })
    assert.equal("received", results())
    assert.equal("ETIMEDOUT", (select(3, results())))
    assert.same({ 2, true }, { results() })
    assert.equal("ETIMEDOUT", (select(3, results())))
    assert.equal("scope", results())
  end))

  it("may do I/O", function()
    tcp.run(function()
      local one, other = tcp.pair()
      momo.spawn(function()
        for _, piece in ipairs { "a\nb", "c\n", "d" } do
          one:write(piece)
          momo.time.sleep(0.001)
        end
        one:close()
      end)
      local lines = co.wrap(function()
        for line in other:lines() do
          co.yield(line)
        end
      end)
      local seen = {}
      for line in lines do seen[#seen + 1] = line end
      assert.same({ "a", "bc", "d" }, seen)
      other:close()
    end)
    tcp.check_nothing_left()
  end)

  it("may be inside of others, to any depth", on(function()
    local function nested(depth)
      return co.wrap(function()
        local inner = depth > 1 and nested(depth - 1) or count(2)
        for i in inner do
          sleep(1)
          co.yield(i)
        end
      end)
    end
    local seen = {}
    for i in nested(10) do seen[#seen + 1] = i end
    assert.same({ 1, 2 }, seen)
    assert.equal(2 * (1 + 10), now())
  end))

  it("that raises is dead, and its error comes out of wrap as it was", on(function()
    local problem = {}
    local thread = co.create(function()
      sleep(1)
      error(problem)
    end)
    local ok, err = co.resume(thread)
    assert.is_false(ok)
    assert.equal(problem, err)
    assert.equal("dead", co.status(thread))
    ok, err = pcall(co.wrap(function() sleep(1) error("text", 0) end))
    assert.same({ false, "text" }, { ok, err })
    sleep(1) -- and its task may go on
  end))

  it("hears of its task's cancellation, and passes it on", on(function()
    local cleaned, reached = false, false
    local task = waiting(function()
      local generator = co.wrap(function()
        local ok, err = pcall(sleep, 100)
        cleaned = not ok and momo.is_cancelled(err)
        error(err, 0)
      end)
      generator()
      reached = true
    end)
    task:cancel "enough"
    local _, err = task:join()
    assert.equal("cancelled: enough", tostring(err))
    assert.same({ true, false }, { cleaned, reached })
  end))

  it("is left in the middle by a timeout around it, and its task goes on", on(function()
    local generator = co.wrap(function()
      local ok = pcall(sleep, 100)
      co.yield("cleaned", ok)
    end)
    assert.same({ "cleaned", false }, { momo.time.timeout(1, generator) })
    sleep(1)
    assert.equal(2, now())
  end))

  it("that goes on catching its cancellation is given up with its task", on(function()
    local task = waiting(function()
      co.wrap(function()
        while true do pcall(sleep, 100) end
      end)()
    end)
    task:cancel()
    assert.is_false((task:join()))
    assert.equal("cancelled", task:status())
  end))

  it("has a status and knows what runs", on(function()
    local outer, inner, seen
    outer = co.create(function()
      assert.equal(outer, (co.running()))
      assert.equal("running", co.status(outer))
      inner = co.create(function()
        seen = co.status(outer)
        sleep(1)
      end)
      co.resume(inner)
      co.yield()
    end)
    co.resume(outer)
    assert.same({ "normal", "dead", "suspended" }, { seen, co.status(inner), co.status(outer) })
  end))

  it("may be resumed by one task after another; operations inside are those of who resumes", on(function()
    local seen = {}
    local generator = co.wrap(function()
      while true do
        sleep(1)
        seen[#seen + 1] = momo.current()
        co.yield(#seen)
      end
    end)
    local tasks = {}
    for i = 1, 3 do
      tasks[i] = momo.spawn(generator)
      assert.same({ true, i }, { tasks[i]:join() })
    end
    assert.same(tasks, seen)
  end))

  it("that waits in one task can't be resumed by another", on(function()
    local thread = co.create(function()
      sleep(1)
      co.yield "value"
    end)
    local first = waiting(co.resume, thread)
    assert.equal("normal", co.status(thread))
    local ok, err = co.resume(thread)
    assert.is_false(ok)
    assert.matches("^cannot resume", err)
    assert.equal("waiting", first:status())
    assert.same({ true, true, "value" }, { first:join() })
    assert.equal(1, now())
    assert.is_true((co.resume(thread)))
  end))

  it("that nobody resumes again is collected, and what it held with it", on(function()
    local weak = setmetatable({}, { __mode = "v" })
    local function abandon()
      local generator = co.wrap(function()
        weak[1] = {}
        local held = weak[1]
        sleep(1)
        co.yield(held)
      end)
      generator()
    end
    abandon()
    collectgarbage()
    collectgarbage()
    assert.is_nil(weak[1])
  end))

  it("whose task was cancelled while it waited inside leaves no timer and nobody in a queue", on(function()
    local tx, rx = momo.sync.channel()
    local task = waiting(co.wrap(function() rx:recv(100) end))
    task:cancel()
    task:join()
    assert.equal(0, momo.metrics().timers)
    tx:send "for another"
    assert.equal("for another", rx:recv(0))
  end))

  it("must leave a timeout or scope before it yields, or that would go on in who resumed it", on(function()
    for _, around in ipairs {
      function(fn) return momo.time.timeout(1, fn) end,
      function(fn)
        return momo.scope(function(scope)
          scope:spawn(function() sleep(1) scope:cancel() end)
          fn()
        end)
      end,
      momo.shield,
    } do
      local ok, err = co.resume(co.create(function() around(co.yield) end))
      assert.is_false(ok)
      assert.matches("a coroutine can't yield beneath", err)
      sleep(5) -- nothing is left of it
      local task = waiting(sleep, 100)
      task:cancel()
      assert.is_false((task:join()))
    end
    assert.same({ true, "left" }, { co.resume(co.create(function()
      momo.time.timeout(1, sleep, 0.5)
      co.yield "left"
    end)) })
  end))
end)

describe("a standard coroutine", function()
  it("refuses operations, with advice", on(function()
    local err = select(2, pcall(coroutine.wrap(function() sleep(1) end)))
    assert.matches("sleep: can't suspend inside coroutine.wrap", err)
    assert.matches("momo.coroutine", err) -- which can
  end))

  it("refuses them inside of one of momo.coroutine's, and around one", on(function()
    local inside = co.wrap(function() coroutine.wrap(function() sleep(1) end)() end)
    assert.matches("sleep: can't suspend inside coroutine.wrap", select(2, pcall(inside)))
    local around = coroutine.wrap(function() co.wrap(function() sleep(1) end)() end)
    assert.matches("sleep: can't suspend inside coroutine.wrap", select(2, pcall(around)))
    sleep(1)
  end))

  it("may enter a time limit, beneath which nothing suspends", on(function()
    for _ = 1, 100 do
      assert.equal(7, coroutine.wrap(function() return momo.time.timeout(10, function() return 7 end) end)())
    end
    assert.equal(0, momo.metrics().timers)
    local place = setmetatable({}, { __mode = "k" })
    place[coroutine.create(function() momo.time.timeout(10, coroutine.yield, 8) end)] = true
    assert.same({ true, 8 }, { coroutine.resume((next(place))) })
    assert.equal(1, momo.metrics().timers) -- the limit is the task's, as long as it stands there
    collectgarbage()
    collectgarbage()
    assert.equal(0, momo.metrics().timers)
    sleep(20)
  end))

  it("still works beside, values and all", on(function()
    local plain = coroutine.wrap(function() for i = 1, 3 do coroutine.yield(i) end end)
    local generator = co.wrap(function()
      for _ = 1, 3 do
        sleep(1)
        co.yield(plain())
      end
    end)
    assert.same({ 1, 2, 3 }, { generator(), generator(), generator() })
    settle()
  end))
end)

describe("mistakes with momo.coroutine", function()
  local told = {
    ["momo.coroutine.wrap(nil)"] = "wrap",
    ["momo.coroutine.create()"] = "create",
    ["momo.coroutine.resume(5)"] = "resume",
  }
  for code, name in pairs(told) do
    it("are told where they were made: " .. code, on(function()
      local err = virtual.mistake(code)
      assert.matches("^app.lua:1: ", err)
      assert.matches(name, err)
    end))
  end
end)
