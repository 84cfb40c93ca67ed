-- spawn_blocking: work on the pool of threads, as the task that waits for it sees it.

local momo = require "momo"
local support = require "spec.support"
local tcp = require "spec.support.tcp"

local run = tcp.run

describe("spawn_blocking", function()
  after_each(tcp.check_nothing_left)

  it("returns a task that ends with what the function returned", function()
    run(function()
      local task = momo.spawn_blocking(function(a, b, t) return a + b, t, nil end, 1, 2, { deep = { true } })
      assert.same({ n = 4, true, 3, { deep = { true } } }, support.pack(task:join()))
    end)
  end)

  it("runs on any CPU that the process may use, wherever its caller is pinned to", function()
    local status, out = support.luajit [[
      local momo = require "momo"
      local function allowed() -- the thread's
        local cpus
        for line in io.lines "/proc/thread-self/status" do
          cpus = line:match "^Cpus_allowed_list:%s*(.*)" or cpus
        end
        return cpus
      end
      local all = allowed()
      momo.run(function()
        assert(momo.thread.pin((tonumber(all:match "^%d+"))))
        local ok, cpus = momo.spawn_blocking(allowed):join()
        print(ok and cpus == all, allowed() == all:match "^%d+")
      end)
    ]]
    assert.same({ 0, "true\ttrue\n" }, { status, out })
  end)

  it("gets ends of channels with their methods, whatever its thread has loaded before", function()
    local result = { support.shell(support.quote(os.getenv "MOMO_BIN") .. " -e " .. support.quote [[
      local momo = require "momo"
      for _ = 1, 8 do
        assert(momo.spawn_blocking(function() return require "momo.internal.core" ~= nil end):join())
      end
      local tx, rx = momo.thread.channel(1)
      assert(momo.spawn_blocking(function(end_) end_:close() end, tx):join())
      print(rx:recv(), momo.spawn_blocking(function() return 1LL end):join())
    ]]) }
    assert.same({ 0, "nil\ttrue\t1LL\n", "" }, result)
  end)

  it("holds no other task up", function()
    run(function()
      local path = support.tmpfile ""
      local task = momo.spawn_blocking(function(file)
        for _ = 1, 3000 do -- half a minute: this thread's other task has to come first
          if os.remove(file .. ".go") then return "gone on" end
          os.execute "sleep 0.01"
        end
      end, path)
      momo.spawn(function()
        for _ = 1, 10 do
          momo.time.sleep(0.001)
        end
        assert(io.open(path .. ".go", "w")):close()
      end)
      assert.same({ true, "gone on" }, { task:join() })
    end)
  end)

  it("runs more jobs than there are threads, each once", function()
    run(function()
      local tasks = {}
      for i = 1, 100 do
        tasks[i] = momo.spawn_blocking(function(n) return n * n end, i)
      end
      for i, task in ipairs(tasks) do
        assert.same({ true, i * i }, { task:join() })
      end
    end)
  end)

  it("passes errors on with the traceback of where they happened", function()
    run(function()
      local ok, err = momo.spawn_blocking(function()
        local function inner() error "bad luck" end
        inner()
      end):join()
      assert.is_false(ok)
      local first, rest = err:match "^([^\n]*)\n(.*)$"
      assert.matches("thread_blocking_spec.lua:%d+: bad luck$", first)
      assert.matches("in function 'inner'", rest, 1, true)
      assert.is_nil(rest:find "portable")
    end)
  end)

  it("passes on an error that is a table as a copy, and names what can't be copied", function()
    run(function()
      assert.same({ false, { code = 5 } }, { momo.spawn_blocking(function() error { code = 5 } end):join() })
      assert.same({ false, "result 1 is a function, and can't be copied to another thread" },
        { momo.spawn_blocking(function() return print end):join() })
    end)
  end)

  it("keeps a failed job from hurting the next one on its thread", function()
    run(function()
      for i = 1, 30 do
        assert.is_false((momo.spawn_blocking(function() error "x" end):join()))
        assert.same({ true, i }, { momo.spawn_blocking(function(n) return n end, i):join() })
      end
    end)
  end)

  it("throws at the call what can't go to another thread", function()
    run(function()
      local up = {}
      for message, arguments in pairs {
        ["spawn_blocking: needs a function or the name of a module, got nil"] = {},
        ["spawn_blocking: a C function can't be copied to another thread; wrap it in a Lua function"] = { print },
        ["spawn_blocking: the function's argument 1.x is a function, and can't be copied to another thread"] =
          { function() end, { x = print } },
        ["uses the upvalue 'up'; a thread has a Lua state of its own: pass it as an argument"] =
          { function() return up end },
      } do
        local ok, err = pcall(momo.spawn_blocking, unpack(arguments))
        assert.is_false(ok)
        assert.matches(message, err, 1, true)
        assert.matches("^[^\n]*thread_blocking_spec.lua:%d+: spawn_blocking: ", err)
      end
    end)
  end)

  it("lets the function use modules, and modules be functions", function()
    run(function()
      package.path = package.path .. ";./?.lua"
      assert.same({ true, "momo.Receiver" }, { momo.spawn_blocking(function()
        return getmetatable(select(2, momo.sync.channel())).__name
      end):join() })
      local ok, err = momo.spawn_blocking("string"):join()
      assert.is_false(ok)
      assert.matches('module "string" must return a function, and returned a table', err, 1, true)
    end)
  end)

  it("tells that nothing can suspend there", function()
    run(function()
      local ok, err = momo.spawn_blocking(function() momo.time.sleep(1) end):join()
      assert.is_false(ok)
      assert.matches("sleep: needs a runtime", err, 1, true)
    end)
  end)

  it("cancelled while it runs, ends the waiting and says that the work goes on", function()
    run(function()
      local tx, rx = momo.thread.channel(1)
      local path = support.tmpfile ""
      local task = momo.spawn_blocking(function(begun, file)
        begun:close() -- which is how the other side hears that it runs
        while not io.open(file .. ".go") do os.execute "sleep 0.01" end
        os.remove(file .. ".go")
        local output = assert(io.open(file, "w"))
        output:write "done"
        output:close()
      end, tx, path)
      assert.is_nil(rx:recv())
      task:cancel "enough"
      local ok, err = task:join()
      assert.is_false(ok)
      assert.is_true(momo.is_cancelled(err))
      assert.equal("enough", err.reason)
      assert.equal("cancelled: enough (the blocking work that it waited for goes on)", tostring(err))
      assert(io.open(path .. ".go", "w")):close()
      tcp.wait_for(function() return assert(io.open(path)):read "*a" == "done" end)
    end)
  end)

  it("cancelled before it has begun, never begins", function()
    run(function()
      local path = support.tmpfile ""
      local blockers, waiting = {}, {}
      for i = 1, 8 do
        local tx, rx = momo.thread.channel(1)
        blockers[i] = { rx = rx, task = momo.spawn_blocking(function(begun, file)
          begun:close()
          while not io.open(file .. ".go") do os.execute "sleep 0.01" end
        end, tx, path) }
      end
      for _, blocker in ipairs(blockers) do
        assert.is_nil(blocker.rx:recv())
      end
      for i = 1, 10 do
        waiting[i] = tcp.waiting(function()
          return assert(momo.spawn_blocking(function(file) assert(io.open(file, "w")):write "ran" end, path):join())
        end)
      end
      local last = momo.spawn_blocking(function(file) assert(io.open(file, "w")):write "ran" end, path)
      tcp.until_waiting(last)
      last:cancel()
      local ok, err = last:join()
      assert.is_false(ok)
      assert.equal("cancelled", tostring(err)) -- nothing goes on
      assert(io.open(path .. ".go", "w")):close()
      for i = 1, 10 do
        assert.is_true((waiting[i]:join()))
      end
      for _, blocker in ipairs(blockers) do
        assert.is_true((blocker.task:join()))
      end
      os.remove(path .. ".go")
    end)
  end)

  it("moves the ends of channels to the work and back", function()
    run(function()
      local tx, rx = momo.thread.channel(1)
      local _, again = assert(momo.spawn_blocking(function(end_) return end_ end, tx):join())
      assert.same({ nil, "EBADF: the sender is closed", "EBADF" }, { tx:send(1) })
      assert.is_true(again:send(2))
      assert.equal(2, rx:recv())
    end)
  end)

  it("closes the ends that a call has at its end, as a thread does, however it ends", function()
    run(function()
      for _, fails in ipairs { false, true } do
        local tx, rx = momo.thread.channel(1)
        momo.spawn_blocking(function(end_, wrong)
          rawset(_G, "kept", end_) -- in the state of a thread that waits for the next call, for seconds
          assert(not wrong, "wrong")
        end, tx, fails):join()
        assert.same({ nil, "EOF: end of file", "EOF" }, { rx:recv(8) })
      end
    end)
  end)
end)

describe("a process with blocking work under way", function()
  for _, how in ipairs {
    "return", "os.exit(0)", "os.exit(0, true)", "momo.stop()",
  } do
    it("ends cleanly by " .. how, function()
      local status, _, stderr = support.momo("-e", [[
        local momo = require "momo"
        local tx, rx = momo.thread.channel(1)
        local task = momo.spawn_blocking(function(begun)
          begun:close()
          os.execute "exec >/dev/null 2>&1; sleep 30"
        end, tx)
        rx:recv()
        task:cancel()
        task:join()
      ]] .. how)
      assert.same({ 0, "" }, { status, stderr })
    end)
  end

  it("ends cleanly when its host closes the state", function()
    local status, stdout, stderr = support.luajit [[
      local momo = require "momo"
      momo.run(function()
        local tx, rx = momo.thread.channel(1)
        momo.spawn_blocking(function(begun)
          begun:close()
          os.execute "exec >/dev/null 2>&1; sleep 30"
        end, tx)
        rx:recv()
        momo.stop()
      end)
      print "after"
    ]]
    assert.same({ 0, "after\n", "" }, { status, stdout, stderr })
  end)
end)

describe("a process whose blocking work is done", function()
  it("ends after the states that it ran in have been closed, and their finalizers have run", function()
    assert.same({ 0, "closed\n", "" }, { support.momo("-e", [[
      require("momo").spawn_blocking(function()
        local held = newproxy(true)
        getmetatable(held).__gc = function()
          os.execute "sleep 0.05"
          print "closed"
        end
        rawset(_G, "held", held)
      end):join()
    ]]) })
  end)
end)
