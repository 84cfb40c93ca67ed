local lfs = require "lfs"
local momo = require "momo"
local support = require "spec.support"
local tcp = require "spec.support.tcp"

local run = tcp.run

-- A module in a file of its own: its name. package.path goes along to threads.
local function module_of(source)
  local path = support.tmpfile(source)
  local folder, name = path:match "^(.*)/([^/]+)$"
  if not package.path:find(folder .. "/?;", 1, true) then
    package.path = folder .. "/?;" .. package.path
  end
  return name
end

local function spawn(...)
  return assert(momo.thread.spawn(...))
end

local function open_descriptors()
  local n = 0
  for _ in lfs.dir "/proc/self/fd" do
    n = n + 1
  end
  return n
end

-- CPUs that this process may use, as the system tells it.
local function usable_cpus()
  local cpus = {}
  for line in io.lines "/proc/self/status" do
    for first, last in (line:match "^Cpus_allowed_list:%s*(.*)" or ""):gmatch "(%d+)%-?(%d*)" do
      for cpu = tonumber(first), tonumber(last) or tonumber(first) do
        cpus[#cpus + 1] = cpu
      end
    end
  end
  return cpus
end

describe("a thread", function()
  after_each(tcp.check_nothing_left)

  describe("runs", function()
    it("a function in a runtime of its own, and join gives what it returned", function()
      run(function()
        local thread = spawn(function(a, b)
          local there = require "momo"
          local task = there.spawn(function() there.time.sleep(0.001) return a + b end)
          local _, sum = task:join()
          return sum, "and more", nil
        end, 20, 22)
        local ok, sum, text, none = thread:join()
        assert.same({ true, 42, "and more" }, { ok, sum, text, none })
        assert.equal(4, select("#", thread:join()))
      end)
    end)

    it("the function that a module returns", function()
      local name = module_of "return function(...) return 'module got', select('#', ...), ... end"
      run(function()
        assert.same({ true, "module got", 3, "x", false, 5 }, { spawn(name, "x", false, 5):join() })
      end)
    end)

    it("beside the tasks of its parent, which go on", function()
      run(function()
        local tx, rx = momo.thread.channel(1)
        local thread = spawn(function(go) return go:recv() end, rx)
        local other = momo.spawn(function()
          for _ = 1, 3 do
            momo.time.sleep(0.001)
          end
          return tx:send "go"
        end)
        assert.same({ true, "go" }, { thread:join() })
        assert.same({ true, true }, { other:join() })
      end)
    end)

    it("in a Lua state of its own", function()
      run(function()
        _G.set_by_parent = "here"
        assert.same({ true, "nil" }, { spawn(function()
          _G.set_by_child = "there"
          return type(rawget(_G, "set_by_parent"))
        end):join() })
        _G.set_by_parent = nil
        assert.is_nil(rawget(_G, "set_by_child"))
      end)
    end)

    it("until its end before run returns, joined or not", function()
      local path = support.tmpfile ""
      run(function()
        spawn(function(file)
          require("momo").time.sleep(0.02)
          local output = assert(io.open(file, "w"))
          output:write "ended"
          output:close()
        end, path)
      end)
      assert.equal("ended", io.lines(path)())
      collectgarbage()
    end)

    it("on when its handle is dropped", function()
      run(function()
        local listener = tcp.listen()
        spawn(function(address)
          assert(assert(require("momo").net.TcpStream.connect(address)):write "alive")
        end, listener:local_addr())
        collectgarbage()
        collectgarbage()
        assert.equal("alive", assert(listener:accept()):read())
      end)
    end)

    it("threads of its own", function()
      run(function()
        local name = module_of [[
          local name = ...
          return function(depth)
            local momo = require "momo"
            if depth == 0 then
              return "bottom"
            end
            return select(2, assert(momo.thread.spawn(name, depth - 1)):join())
          end
        ]]
        assert.same({ true, "bottom" }, { spawn(name, 4):join() })
      end)
    end)
  end)

  describe("joined", function()
    it("by several tasks, several times, gives the same to each", function()
      run(function()
        local thread = spawn(function() return { "result" } end)
        local joiners = {}
        for i = 1, 5 do
          joiners[i] = momo.spawn(function() return thread:join() end)
        end
        for i = 1, 5 do
          assert.same({ true, true, { "result" } }, { joiners[i]:join() })
        end
        assert.same({ true, { "result" } }, { thread:join() })
        assert.are_not.equal(select(2, thread:join()), select(2, thread:join()))
      end)
    end)

    it("by a task that is cancelled goes on", function()
      run(function()
        local tx, rx = momo.thread.channel(1)
        local thread = spawn(function(go) return go:recv() end, rx)
        local joiner = tcp.waiting(function() thread:join() end)
        joiner:cancel()
        assert.is_false((joiner:join()))
        assert(tx:send "went on")
        assert.same({ true, "went on" }, { thread:join() })
      end)
    end)

    it("after it has failed gives the error, with its place and traceback", function()
      run(function()
        local thread = spawn(function() local function inner() error "it broke" end inner() end)
        local ok, err = thread:join()
        assert.is_false(ok)
        assert.matches("thread_spec%.lua:%d+: it broke\n", err)
        assert.matches("stack traceback:", err, 1, true)
        assert.matches("inner", err, 1, true)
        assert.same({ ok, err }, { thread:join() })
      end)
    end)

    it("after it has failed gives error objects as copies", function()
      run(function()
        assert.same({ false, { code = 5 } }, { spawn(function() error { code = 5 } end):join() })
      end)
    end)
  end)

  describe("stops", function()
    local function sleep_for_ever()
      local there = require "momo"
      there.spawn(there.time.sleep, math.huge)
      there.time.sleep(math.huge)
    end

    it("when its parent stops", function()
      run(function()
        for _ = 1, 3 do
          spawn(sleep_for_ever)
        end
        momo.time.sleep(0.01)
        momo.stop()
      end)
    end)

    it("when its parent stops before it has begun", function()
      run(function()
        for _ = 1, 20 do
          spawn(sleep_for_ever)
        end
        momo.stop()
        assert.has_error(function() momo.time.sleep(0) end)
      end)
    end)

    it("when its parent's main fails", function()
      local ok, err = pcall(momo.run, function()
        spawn(sleep_for_ever)
        error("main failed", 0)
      end)
      assert.is_false(ok)
      assert.matches("^main failed", err)
    end)

    it("with all threads below it", function()
      run(function()
        spawn(function()
          local there = require "momo"
          there.thread.spawn(function()
            local below = require "momo"
            below.time.sleep(math.huge)
          end)
          there.time.sleep(math.huge)
        end)
        momo.time.sleep(0.02)
        momo.stop()
      end)
    end)

    it("alone when it stops itself", function()
      run(function()
        local other = spawn(function() require("momo").time.sleep(0.02) return "other" end)
        local thread = spawn(function()
          local there = require "momo"
          there.spawn(there.time.sleep, math.huge)
          there.stop()
          there.time.sleep(0)
        end)
        assert.same({ true }, { thread:join() })
        assert.same({ true, "other" }, { other:join() })
        momo.time.sleep(0)
      end)
    end)

    it("200 times, and leaves nothing behind", function()
      run(function()
        assert(spawn(function() end):join())
        collectgarbage()
        local before = open_descriptors()
        for _ = 1, 20 do
          local threads = {}
          for i = 1, 10 do
            threads[i] = spawn(function(n) return n end, i)
          end
          assert.equal(10, momo.metrics().threads)
          for i = 1, 10 do
            assert.same({ true, i }, { threads[i]:join() })
          end
          assert.equal(0, momo.metrics().threads)
        end
        assert.equal(before, open_descriptors())
      end)
    end)
  end)

  describe("is called", function()
    it("by its name, or by its number", function()
      run(function()
        local function name() return require("momo").thread.current().name end
        assert.same({ true, "worker" }, { spawn({ name = "worker" }, name):join() })
        assert.matches("^momo%-%d+$", select(2, spawn(name):join()))
        local long = ("long name "):rep(6)
        assert.same({ true, long }, { spawn({ name = long }, name):join() })
      end)
    end)

    it("main, with the index 0, where Momo did not start it", function()
      assert.same({ index = 0, name = "main" }, momo.thread.current())
      run(function()
        assert.same({ index = 0, name = "main" }, momo.thread.current())
        local function index() return require("momo").thread.current().index end
        local _, first = spawn(index):join()
        assert.is_true(first > 0)
        assert.same({ true, first + 1 }, { spawn(index):join() })
      end)
    end)
  end)

  describe("may run", function()
    local function where()
      local cpus
      for line in io.lines "/proc/thread-self/status" do
        cpus = line:match "^Cpus_allowed_list:%s*(.*)" or cpus
      end
      local there = require "momo"
      return there.thread.current().cpu, cpus, there.thread.available_parallelism()
    end

    it("on every CPU of the process, which available_parallelism counts", function()
      run(function()
        assert.equal(#usable_cpus(), momo.thread.available_parallelism())
        local ok, cpu, _, parallelism = spawn(where):join()
        assert.is_true(ok)
        assert.is_nil(cpu)
        assert.equal(#usable_cpus(), parallelism)
      end)
    end)

    it("on one CPU, which current tells", function()
      run(function()
        for _, cpu in ipairs(usable_cpus()) do
          assert.same({ true, cpu, tostring(cpu), #usable_cpus() }, { spawn({ cpu = cpu }, where):join() })
        end
      end)
    end)

    it("not on a CPU that is not there", function()
      run(function()
        local refused = { nil, "EINVAL: this process can't use CPU 1023", "EINVAL" }
        assert.same(refused, { momo.thread.spawn({ cpu = 1023 }, where) })
        assert.same(refused, { momo.thread.pin(1023) })
      end)
    end)

    it("on the CPU that it has pinned itself to", function()
      run(function()
        local cpu = usable_cpus()[1]
        assert.same({ true, true, cpu }, { spawn(function(number)
          return momo.thread.pin(number), momo.thread.current().cpu
        end, cpu):join() })
      end)
    end)
  end)
end)
