-- io.watch: a descriptor that is somebody else's, waited for again and again.

local ffi = require "ffi"
local momo = require "momo"
local tcp = require "spec.support.tcp"

ffi.cdef [[
  int socketpair(int domain, int type, int protocol, int *ends);
  long read(int fd, void *buffer, size_t size);
  long write(int fd, const void *bytes, size_t size);
  int close(int fd);
]]
local AF_UNIX, SOCK_STREAM = 1, 1

local C, watch = ffi.C, momo.io.watch
local run, waiting, assert_failed = tcp.run, tcp.waiting, tcp.assert_failed
local buffer = ffi.new "char[64]"

local function pair()
  local ends = ffi.new "int[2]"
  assert(C.socketpair(AF_UNIX, SOCK_STREAM, 0, ends) == 0)
  return ends[0], ends[1]
end

local function give(fd)
  assert(C.write(fd, "x", 1) == 1)
end

local function take(fd)
  assert(C.read(fd, buffer, 64) > 0)
end

local function close(...)
  for _, fd in ipairs { ... } do C.close(fd) end
end

describe("io.watch", function()
  after_each(tcp.check_nothing_left)

  it("waits again and again, and asks for no further descriptor", function()
    run(function()
      local one, other = pair()
      local watched = assert(watch(one, "r"))
      local before = momo.metrics().handles
      for _ = 1, 3 do
        assert_failed("ETIMEDOUT", watched:wait(0))
        assert_failed("ETIMEDOUT", watched:wait(0.001))
        local reader = waiting(watched.wait, watched)
        give(other)
        assert.same({ true, "r" }, { reader:join() })
        assert.equal("r", watched:wait(0)) -- until somebody takes it
        take(one)
      end
      assert.equal(before, momo.metrics().handles)
      watched:close()
      close(one, other)
    end)
  end)

  it("is for what it is told, also in the midst of a wait", function()
    run(function()
      local one, other = pair()
      local watched = assert(watch(one, "rw"))
      assert.equal("w", watched:wait())
      give(other)
      assert.equal("rw", watched:wait())
      take(one)
      assert.is_true(watched:set_events "r")
      local reader = waiting(watched.wait, watched)
      assert.is_true(watched:set_events "w")
      assert.same({ true, "w" }, { reader:join() })
      watched:close()
      close(one, other)
    end)
  end)

  it("tells all who wait", function()
    run(function()
      local one, other = pair()
      local watched = assert(watch(one, "r"))
      local first, second = waiting(watched.wait, watched), waiting(watched.wait, watched)
      local third = waiting(momo.select, { watched })
      give(other)
      assert.same({ true, "r" }, { first:join() })
      assert.same({ true, "r" }, { second:join() })
      assert.same({ true, 1, "r" }, { third:join() })
      watched:close()
      close(one, other)
    end)
  end)

  it("tells the end, and an error, as each event", function()
    run(function()
      local one, other = pair()
      local watched = assert(watch(one, "r"))
      local reader = waiting(watched.wait, watched)
      close(other)
      assert.same({ true, "r" }, { reader:join() })
      watched:close()
      close(one)
    end)
  end)

  it("may be waited for beside other things", function()
    run(function()
      local one, other = pair()
      local tx, rx = momo.sync.channel()
      local watched = assert(watch(one, "r"))
      local selecting = waiting(momo.select, { rx, watched })
      give(other)
      assert.same({ true, 2, "r" }, { selecting:join() })
      assert.same({ 2, "r" }, { momo.select { rx, watched } })
      take(one)
      selecting = waiting(momo.select, { rx, watched })
      tx:send "value"
      assert.same({ true, 1, "value" }, { selecting:join() })
      assert.same({ 3, true }, { momo.select { rx, watched, momo.time.after(0.001) } })
      selecting = waiting(momo.select, { watched })
      selecting:cancel()
      assert.is_false(selecting:join())
      give(other) -- nobody waits: nothing is told, and nothing is lost
      tcp.settle()
      assert.same({ 2, "r" }, { momo.select { rx, watched } })
      watched:close()
      close(one, other)
    end)
  end)

  it("waits on when another one has taken what it was woken for", function()
    run(function()
      local one, other = pair()
      local tx, rx = momo.sync.channel()
      local watched = assert(watch(one, "r"))
      local taker = waiting(function()
        watched:wait()
        take(one)
      end)
      local selecting = waiting(momo.select, { watched, rx })
      local waits = waiting(watched.wait, watched)
      give(other)
      assert.is_true(taker:join())
      tcp.settle()
      assert.equal("waiting", selecting:status())
      assert.equal("waiting", waits:status())
      tx:send "instead"
      assert.same({ true, 2, "instead" }, { selecting:join() })
      give(other)
      assert.same({ true, "r" }, { waits:join() })
      watched:close()
      close(one, other)
    end)
  end)

  it("that is closed tells those who wait, and leaves the descriptor open", function()
    run(function()
      local one, other = pair()
      local watched = assert(watch(one, "r"))
      local waits, selecting = waiting(watched.wait, watched), waiting(momo.select, { watched })
      watched:close()
      watched:close()
      assert.same({ true, nil, "ECANCELED: operation canceled", "ECANCELED" }, { waits:join() })
      assert.same({ true, 1, nil, "ECANCELED: operation canceled", "ECANCELED" }, { selecting:join() })
      assert_failed("EBADF", watched:wait())
      assert_failed("EBADF", watched:set_events "r")
      assert.equal("EBADF", (select(4, momo.select { watched })))
      give(other)
      take(one)
      close(one, other)
    end)
  end)

  it("keeps a run alive while a task waits for it, and no longer", function()
    local one, other = pair()
    local kept
    run(function()
      kept = assert(watch(one, "r"))
      momo.spawn(momo.select, { kept })
      momo.time.sleep(0.005)
      give(other)
    end)
    kept:close()
    close(one, other)
  end)

  it("that is dropped is closed by the collector", function()
    run(function()
      local one, other = pair()
      local before = momo.metrics().handles
      watch(one, "r")
      collectgarbage()
      collectgarbage()
      momo.yield_now()
      assert.equal(before, momo.metrics().handles)
      close(one, other)
    end)
  end)

  it("fails for what can't be waited for, and for mistakes", function()
    run(function()
      local file = assert(io.open("/etc/passwd"))
      file:close()
      local before = momo.metrics().handles
      assert_failed("EBADF", watch(1000000, "r"))
      assert.equal(before, momo.metrics().handles)
      for code, text in pairs {
        ["momo.io.watch()"] = "io.watch: argument 1 must be the number of a descriptor, got nil",
        ["momo.io.watch(-1, 'r')"] = "io.watch: argument 1 must be the number of a descriptor, got -1",
        ["momo.io.watch(0)"] = "io.watch: the events must be \"r\", \"w\" or \"rw\", got nil",
        ["momo.io.watch(0, 'wr')"] = "io.watch: the events must be \"r\", \"w\" or \"rw\", got wr",
      } do
        local ok, err = pcall(assert(loadstring("local momo = ... " .. code)), momo)
        assert.is_false(ok)
        assert.matches(text, err, 1, true)
      end
      local one, other = pair()
      local watched = assert(watch(one, "r"))
      assert.matches("wait: call it with a colon", select(2, pcall(watched.wait)), 1, true)
      assert.matches("wait: the timeout must be", select(2, pcall(watched.wait, watched, -1)), 1, true)
      assert.matches("set_events: the events must be", select(2, pcall(watched.set_events, watched, "x")), 1, true)
      assert.matches("momo.Watch: 0x", tostring(watched), 1, true)
      watched:close()
      close(one, other)
    end)
  end)
end)
