local momo = require "momo"
local support = require "spec.support"

local pack, yield_times = support.pack, support.yield_times

local WINDOW = 128

describe("spawn", function()
  it("puts the task at the tail of the ready queue: first in, first out, across windows", function()
    local order, n = {}, 3 * WINDOW + 7
    momo.run(function()
      for i = 1, n do
        momo.spawn(function()
          order[#order + 1] = i
          momo.yield_now()
          order[#order + 1] = n + i
        end)
      end
      assert.equal(0, #order)
    end)
    assert.equal(2 * n, #order)
    for i = 1, 2 * n do
      assert.equal(i, order[i])
    end
  end)

  it("passes every argument on, nils too", function()
    local got
    momo.run(function()
      momo.spawn(function(...) got = pack(...) end, nil, 1, nil, "x", nil)
    end)
    assert.same({ n = 5, nil, 1, nil, "x", nil }, got)
  end)

  it("takes 3000 arguments", function()
    local list = {}
    for i = 1, 3000 do list[i] = i end
    local n, last = momo.run(function()
      local ok, count, value = momo.spawn(function(...) return select("#", ...), (select(3000, ...)) end,
        unpack(list)):join()
      assert.is_true(ok)
      return count, value
    end)
    assert.same({ 3000, 3000 }, { n, last })
  end)

  it("takes C functions", function()
    momo.run(function()
      assert.same({ true, 7 }, { momo.spawn(math.max, 3, 7):join() })
      assert.same({ true }, { momo.spawn(momo.yield_now):join() })
      assert.same({ true, true, 5 }, { momo.spawn(pcall, function() momo.yield_now() return 5 end):join() })
      local ok, err = momo.spawn(error, "from C"):join()
      assert.same({ false, "from C" }, { ok, err })
    end)
  end)

  it("gives memory back after 100 000 tasks", function()
    local function round()
      local ended = 0
      momo.run(function()
        for _ = 1, 100000 do
          momo.spawn(function()
            momo.yield_now()
            ended = ended + 1
          end)
        end
      end)
      collectgarbage()
      collectgarbage()
      assert.equal(100000, ended)
      return collectgarbage "count"
    end
    collectgarbage()
    local before = collectgarbage "count"
    local first = round()
    assert.is_true(first - before < 16 * 1024, "KiB kept: " .. first - before)
    local second = round()
    assert.is_true(second - first < 64, "KiB that a second round added: " .. second - first)
  end)

  it("keeps a task going whose handle nobody holds, and frees the handle after its end", function()
    local weak, ended = setmetatable({}, { __mode = "k" }), 0
    momo.run(function()
      for _ = 1, 50 do
        weak[momo.spawn(function()
          momo.time.sleep(0.001)
          ended = ended + 1
          return {}
        end)] = true
      end
      momo.yield_now()
      collectgarbage()
      collectgarbage()
    end)
    assert.equal(50, ended)
    collectgarbage()
    collectgarbage()
    assert.is_nil((next(weak)))
  end)
end)

describe("yield_now", function()
  it("goes behind those that are ready", function()
    local order = {}
    momo.run(function()
      for _, name in ipairs { "a", "b", "c" } do
        momo.spawn(function()
          for round = 1, 3 do
            order[#order + 1] = name .. round
            momo.yield_now()
          end
        end)
      end
    end)
    assert.equal("a1 b1 c1 a2 b2 c2 a3 b3 c3", table.concat(order, " "))
  end)

  it("takes turns in compiled loops too", function()
    local turn, strayed = 1, 0
    momo.run(function()
      for me = 1, 2 do
        momo.spawn(function()
          for _ = 1, 50000 do
            if turn ~= me then strayed = strayed + 1 end
            turn = 3 - me
            momo.yield_now()
          end
        end)
      end
    end)
    assert.equal(0, strayed)
  end)

  it("lets a due timer in after at most one window", function()
    local yields = momo.run(function()
      local woken = false
      momo.spawn(function()
        momo.time.sleep(0.001)
        woken = true
      end)
      momo.yield_now()
      local due = momo.time.now() + 0.005
      while momo.time.now() < due do end
      local n = 0
      while not woken do
        momo.yield_now()
        n = n + 1
      end
      return n
    end)
    assert.is_true(yields <= WINDOW + 1, "yields before the timer: " .. yields)
  end)

  it("lets I/O in after each window", function()
    momo.run(function()
      local listener = assert(momo.net.TcpListener.bind "127.0.0.1:0")
      local acceptor = momo.spawn(listener.accept, listener)
      momo.yield_now()
      local polls = momo.metrics().polls
      yield_times(10 * WINDOW)
      assert.is_true(momo.metrics().polls - polls >= 9)

      local accepted
      momo.spawn(function() accepted = select(2, acceptor:join()) end)
      local client = momo.spawn(momo.net.TcpStream.connect, (listener:local_addr()))
      while not accepted do momo.yield_now() end
      local _, connected = assert(client:join())
      connected:close()
      accepted:close()
      listener:close()
    end)
  end)

  it("is what a bare coroutine.yield does, which returns nothing", function()
    local order, got = {}, nil
    momo.run(function()
      momo.spawn(function()
        order[#order + 1] = "a1"
        got = pack(coroutine.yield(1, nil, "x"))
        order[#order + 1] = "a2"
      end)
      momo.spawn(function() order[#order + 1] = "b" end)
    end)
    assert.equal("a1 b a2", table.concat(order, " "))
    assert.equal(0, got.n)
  end)
end)

describe("a task whose operations never have to wait", function()
  it("does not starve the others", function()
    local joins, others = momo.run(function()
      local ended, turns, n = momo.spawn(function() end), 0, 0
      local other = momo.spawn(function()
        while turns < 10 do
          turns = turns + 1
          momo.yield_now()
        end
      end)
      while other:status() ~= "done" and n < 1e5 do
        ended:join()
        n = n + 1
      end
      return n, turns
    end)
    assert.equal(10, others)
    assert.is_true(joins < 1e5)
  end)
end)

describe("join", function()
  it("returns true and every result, nils too", function()
    momo.run(function()
      assert.same(pack(true, nil, 2, nil), pack(momo.spawn(function() return nil, 2, nil end):join()))
      assert.same(pack(true), pack(momo.spawn(function() end):join()))
      assert.same(pack(true, nil), pack(momo.spawn(function() return nil end):join()))
      assert.same(pack(true, false), pack(momo.spawn(function() momo.yield_now() return false end):join()))
    end)
  end)

  it("returns one value of any kind, as often as it is asked", function()
    momo.run(function()
      for _, value in ipairs { 0, -0.5, 1 / 0, 2 ^ 53, true, false, "text", { 1 }, 7ULL, print, momo.current() } do
        for _, name in ipairs { false, "named" } do
          local task = momo.spawn(function() return value end)
          if name then task:set_name(name) end
          for _ = 1, 2 do
            assert.same(pack(true, value), pack(task:join()))
          end
          task.locals.x = 1
          assert.is_true(rawequal(value, select(2, task:join())))
        end
      end
      local zero, nan = momo.spawn(function() return -0 end), momo.spawn(function() return 0 / 0 end)
      assert.equal(-1 / 0, 1 / select(2, zero:join()))
      local _, value = nan:join()
      assert.is_true(value ~= value)
    end)
  end)

  it("returns thousands of results", function()
    momo.run(function()
      local list = {}
      for i = 1, 5000 do list[i] = i end
      local results = pack(momo.spawn(unpack, list):join())
      assert.same({ 5001, true, 1, 5000 }, { results.n, results[1], results[2], results[5001] })
    end)
  end)

  it("serves several joiners, in their order, and later ones", function()
    local order = {}
    momo.run(function()
      local task = momo.spawn(function()
        momo.time.sleep(0.001)
        return "r", nil, 3
      end)
      local joiners = {}
      for i = 1, 5 do
        joiners[i] = momo.spawn(function()
          local results = pack(task:join())
          order[#order + 1] = i
          return results
        end)
      end
      for i = 1, 5 do
        assert.same({ true, pack(true, "r", nil, 3) }, { joiners[i]:join() })
      end
      assert.same(pack(true, "r", nil, 3), pack(task:join()))
      assert.same(pack(true, "r", nil, 3), pack(task:join()))
    end)
    assert.same({ 1, 2, 3, 4, 5 }, order)
  end)

  it("goes on after the run in which the task ended", function()
    local done, failed
    momo.run(function()
      done = momo.spawn(function() return 42 end)
      failed = momo.spawn(error, "gone")
      failed:join()
    end)
    momo.run(function()
      assert.same({ true, 42 }, { done:join() })
      assert.same({ false, "gone" }, { (failed:join()), (select(2, failed:join())) })
    end)
  end)

  it("of itself throws", function()
    local ok, err = momo.run(function()
      local task
      task = momo.spawn(function() return task:join() end)
      return task:join()
    end)
    assert.is_false(ok)
    assert.matches("join: a task can't join itself", err, 1, true)
  end)
end)

describe("a handle", function()
  it("tells the status", function()
    momo.run(function()
      local task
      task = momo.spawn(function()
        assert(task:status() == "running")
        momo.yield_now()
        momo.time.sleep(0.001)
      end)
      assert.equal("ready", task:status())
      momo.yield_now()
      assert.equal("ready", task:status())
      momo.yield_now()
      assert.equal("waiting", task:status())
      assert.same({ true }, { task:join() })
      assert.equal("done", task:status())

      local failing = momo.spawn(error, "x")
      failing:join()
      assert.equal("failed", failing:status())

      local victim = momo.spawn(momo.yield_now)
      victim:cancel()
      assert.equal("ready", victim:status())
      victim:join()
      assert.equal("cancelled", victim:status())
      assert.equal("running", momo.current():status())
    end)
  end)

  it("has an id that no other task of this thread ever has", function()
    local seen, n = {}, 0
    local function note(task)
      local id = task:id()
      assert(type(id) == "number" and id % 1 == 0 and not seen[id])
      seen[id], n = true, n + 1
      return id
    end
    for _ = 1, 3 do
      momo.run(function()
        note(momo.current())
        for _ = 1, 100 do
          local task = momo.spawn(momo.yield_now)
          local id = note(task)
          task:join()
          assert.equal(id, task:id())
        end
      end)
    end
    assert.equal(303, n)
  end)

  it("is what current returns in the task", function()
    assert.is_nil(momo.current())
    momo.run(function()
      local inside
      local task = momo.spawn(function()
        inside = momo.current()
        momo.time.sleep(0.001)
        assert(momo.current() == inside)
      end)
      assert.is_true((task:join()))
      assert.equal(task, inside)
      assert.not_equal(task, momo.current())
    end)
    assert.is_nil(momo.current())
  end)

  it("has a traceback of where the task is, or failed", function()
    momo.run(function()
      local function asleep() momo.time.sleep(math.huge) end
      local task = momo.spawn(function() asleep() end)
      assert.equal("string", type(task:traceback()))
      momo.yield_now()
      assert.matches("in function 'asleep'", task:traceback(), 1, true)
      task:cancel()
      task:join()
      assert.matches("in function 'asleep'", task:traceback(), 1, true)
      local function fails() error "x" end
      local failing = momo.spawn(function() fails() end)
      failing:join()
      assert.matches("in function 'fails'", failing:traceback(), 1, true)
      local me = momo.current()
      assert.matches("task_spec.lua", me:traceback(), 1, true)
    end)
  end)
end)
