local ffi = require "ffi"
local momo = require "momo"
local support = require "spec.support"
local tcp = require "spec.support.tcp"

ffi.cdef [[
  int pipe(int *ends);
  int socketpair(int domain, int type, int protocol, int *ends);
  long read(int fd, void *buffer, size_t size);
  long write(int fd, const void *bytes, size_t size);
  int close(int fd);
  int fcntl(int fd, int command, ...);
]]
local AF_UNIX, SOCK_STREAM, F_GETFL, F_SETFL, O_NONBLOCK = 1, 1, 3, 4, 2048

local C, poll = ffi.C, momo.io.poll
local run, waiting, assert_failed = tcp.run, tcp.waiting, tcp.assert_failed

local function pipe()
  local ends = ffi.new "int[2]"
  assert(C.pipe(ends) == 0)
  return ends[0], ends[1]
end

local function pair()
  local ends = ffi.new "int[2]"
  assert(C.socketpair(AF_UNIX, SOCK_STREAM, 0, ends) == 0)
  return ends[0], ends[1]
end

local function give(fd)
  assert(C.write(fd, "x", 1) == 1)
end

local function fill(fd)
  C.fcntl(fd, F_SETFL, ffi.cast("int", O_NONBLOCK))
  while C.write(fd, ("x"):rep(4096), 4096) > 0 do end
end

local function close(...)
  for _, fd in ipairs { ... } do C.close(fd) end
end

-- Open descriptors of this process.
local function descriptors()
  local n = 0
  for fd = 0, 255 do
    n = n + (C.fcntl(fd, F_GETFL) >= 0 and 1 or 0)
  end
  return n
end

describe("io.poll", function()
  after_each(tcp.check_nothing_left)

  it("says at once what is ready, and waits for what is not", function()
    run(function()
      local one, other = pair()
      assert.equal("w", poll(one, "w"))
      assert.equal("w", poll(one, "rw"))
      assert_failed("ETIMEDOUT", poll(one, "r", 0))
      assert_failed("ETIMEDOUT", poll(one, "r", 0.005))
      local reader = waiting(poll, one, "r")
      give(other)
      assert.same({ true, "r" }, { reader:join() })
      assert.equal("rw", poll(one, "rw"))
      fill(one)
      assert.equal("r", poll(one, "rw"))
      local writer = waiting(poll, one, "w")
      C.read(other, ffi.new "char[1000000]", 1000000)
      assert.same({ true, "w" }, { writer:join() })
      close(one, other)
    end)
  end)

  it("may be called by several tasks for one descriptor, also one that Momo's loop watches", function()
    run(function()
      local one, other = pair()
      fill(one)
      local tasks = {}
      for i, events in ipairs { "r", "r", "rw", "w" } do
        tasks[i] = waiting(poll, one, events)
      end
      give(other)
      for i = 1, 3 do
        assert.same({ true, "r" }, { tasks[i]:join() })
      end
      assert.equal("waiting", tasks[4]:status())
      C.read(other, ffi.new "char[1000000]", 1000000)
      assert.same({ true, "w" }, { tasks[4]:join() })
      close(one, other)
    end)
  end)

  it("takes an end or an error for whatever it waits for", function()
    run(function()
      local reading, writing = pipe()
      local reader = waiting(poll, reading, "r")
      close(writing)
      assert.same({ true, "r" }, { reader:join() })
      close(reading)
      reading, writing = pipe()
      fill(writing)
      local writer = waiting(poll, writing, "rw")
      close(reading)
      assert.equal(true, (writer:join()))
      assert.equal("w", poll(writing, "w"))
      close(writing)
    end)
  end)

  it("neither closes nor changes the descriptor, and keeps none of its own", function()
    run(function()
      local before = descriptors()
      local one, other = pipe()
      local flags = C.fcntl(one, F_GETFL)
      local task = waiting(poll, one, "r")
      assert.equal(flags, C.fcntl(one, F_GETFL))
      task:cancel()
      assert.is_false((task:join()))
      assert_failed("ETIMEDOUT", poll(one, "r", 0.001))
      assert.equal(flags, C.fcntl(one, F_GETFL))
      give(other)
      assert.equal("r", poll(one, "r"))
      close(one, other)
      assert.equal(before, descriptors())
    end)
  end)

  it("is not confused by a descriptor that is closed meanwhile, and whose number another one gets", function()
    run(function()
      local one, other = pipe()
      local task = waiting(poll, one, "r")
      close(one)
      local again, another = pipe()
      assert.equal(one, again)
      local second = waiting(poll, again, "r")
      give(another)
      assert.same({ true, "r" }, { second:join() })
      assert.equal("waiting", task:status())
      give(other)
      assert.same({ true, "r" }, { task:join() })
      close(again, other, another)
    end)
  end)

  it("says what can't be waited for", function()
    run(function()
      assert_failed("EBADF", poll(9999, "r"))
      local one, other = pipe()
      close(one, other)
      assert_failed("EBADF", poll(one, "rw", 1))
      local status, out = support.shell(("%s -e %s </etc/passwd"):format(support.quote(os.getenv "MOMO_BIN"),
        support.quote 'print(require("momo").io.poll(0, "r"))'))
      assert.same({ 0, "nil\tEPERM: operation not permitted: there is nothing to wait for with a file or folder"
        .. "\tEPERM\n" }, { status, out })
    end)
  end)

  it("lets others have their turn where the descriptor is always ready", function()
    run(function()
      local one, other = pipe()
      local others = 0
      give(other)
      momo.spawn(function() others = 1 end)
      while others == 0 do
        assert.equal("r", poll(one, "r"))
      end
      close(one, other)
    end)
  end)

  for code, message in pairs {
    ["momo.io.poll()"] = "argument 1 must be the number of a descriptor, got nil",
    ["momo.io.poll(stream, 'r')"] = "argument 1 must be the number of a descriptor, got userdata",
    ["momo.io.poll(1.5, 'r')"] = "argument 1 must be the number of a descriptor, got 1.5",
    ["momo.io.poll(0)"] = "the events must be \"r\", \"w\" or \"rw\", got nil",
    ["momo.io.poll(0, 'x')"] = "the events must be \"r\", \"w\" or \"rw\", got x",
    ["momo.io.poll(0, 'r', -1)"] = "the timeout must be a number of seconds, 0 or more, got -1",
  } do
    it("tells of a mistake: " .. code, function()
      assert.equal("app.lua:2: io.poll: " .. message, tcp.mistake(code))
    end)
  end
end)
