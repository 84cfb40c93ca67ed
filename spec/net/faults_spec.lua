-- What the network does to streams: resets in every state, short reads and writes, and peers that do not read.

local ffi = require "ffi"
local momo = require "momo"
local support = require "spec.support"
local tcp = require "spec.support.tcp"

local run, pair, assert_failed = tcp.run, tcp.pair, tcp.assert_failed
local SANITIZED = (os.getenv "MOMO_SANITIZE" or "") ~= ""
local RESETS = SANITIZED and 2000 or os.getenv "MOMO_SOAK" and 1000000 or 50000
local MUCH = ("x"):rep(16 * 1024 * 1024) -- more than two sockets hold

ffi.cdef [[
  typedef struct { size_t arena, ordblks, smblks, hblks, hblkhd, usmblks, fsmblks, uordblks, fordblks, keepcost; } info;
  info mallinfo2(void);
  int fcntl(int, int, ...);
]]

local function descriptors()
  local open = 0
  for fd = 0, 9999 do
    open = open + (ffi.C.fcntl(fd, 1) >= 0 and 1 or 0)
  end
  return open
end

-- Closes by RST.
local function reset(stream)
  stream:set_option("so_linger", 0)
  stream:close()
end

describe("a reset", function()
  after_each(tcp.check_nothing_left)

  -- What a stream does when its peer resets, and what it is told.
  local operations = {
    read = function(stream) return stream:read() end,
    read_exact = function(stream) return stream:read_exact(100) end,
    read_until = function(stream) return stream:read_until "never" end,
    peek = function(stream) return stream:peek(100) end,
    lines = function(stream) return stream:lines()() end,
    write = function(stream) return stream:write(MUCH) end,
    copy = function(stream) return momo.io.copy(stream, (pair())) end,
    pipe_both = function(stream) return momo.io.pipe_both(stream, (pair())) end,
  }

  for name, operation in pairs(operations) do
    for state, prepare in pairs {
      ["with nothing unread"] = function() end,
      ["behind unread bytes"] = function(_, other) other:write "abc" end,
      ["after its own shutdown"] = function(stream) stream:shutdown() end,
    } do
      it(("ends a %s that waits, %s"):format(name, state), function()
        run(function()
          local stream, other = pair()
          prepare(stream, other)
          local result
          local task = momo.spawn(function() result = support.pack(momo.pcall(operation, stream)) end)
          tcp.settle()
          reset(other)
          task:join()
          if name == "read" and state == "behind unread bytes" then
            assert.equal("abc", result[2])
            result = support.pack(momo.pcall(stream.read, stream))
          end
          local err = name == "lines" and result[2] or result[3]
          assert.truthy(tostring(err):match "ECONNRESET: " or tostring(err):match "EPIPE: ", err)
          stream:set_timeout(60)
          local bytes, _, code = stream:write "x"
          assert.is_nil(bytes)
          assert.truthy(code == "EPIPE" or code == "ECONNRESET", code)
          stream:close()
        end)
      end)
    end
  end

  it("in the accept queue hurts nobody", function()
    run(function()
      local listener = tcp.listen()
      for _ = 1, 5 do
        reset(assert(momo.net.TcpStream.connect(listener:local_addr())))
      end
      local client = assert(momo.net.TcpStream.connect(listener:local_addr()))
      local served
      repeat
        local stream, peer = assert(listener:accept(60))
        served = peer == client:local_addr() and stream
      until served
      client:write "hello"
      assert.equal("hello", served:read())
    end)
  end)

  it(("%d times leaves no descriptor, no task and no byte"):format(RESETS), function()
    run(function()
      local listener, made, ended = tcp.listen(), 0, 0
      local accepting = momo.spawn(function()
        while true do
          local stream = listener:accept()
          if not stream then return end
          momo.spawn(function()
            stream:read()
            stream:close()
            ended = ended + 1
          end)
        end
      end)
      local function clients(n)
        for i = 1, n do
          reset(assert(momo.net.TcpStream.connect(listener:local_addr(), 60)))
          made = made + 1
          if i % 100 == 0 then -- before the accept queue is full
            tcp.wait_for(function() return ended == made end)
          end
        end
        tcp.wait_for(function() return momo.metrics().handles == 1 end)
      end
      local function held()
        collectgarbage()
        collectgarbage()
        return { descriptors(), tonumber(ffi.C.mallinfo2().uordblks), collectgarbage "count" }
      end
      clients(1000)
      local before = held()
      clients(RESETS - 1000)
      local after = held()
      assert.equal(before[1], after[1], "descriptors")
      assert.is_true(after[2] <= before[2] + 64, "bytes of malloc left behind") -- it counts now more, now less
      assert.is_true(after[3] < before[3] + 64, "KiB of Lua left behind") -- by traces, say
      listener:close()
      accepting:join()
    end)
  end)
end)

describe("a half-closed connection", function()
  it("takes a megabyte of answer", function()
    run(function()
      for _, make in ipairs { pair, momo.net.UnixStream.pair } do
        local one, other = make()
        local answer = ("0123456789abcdef"):rep(65536)
        momo.spawn(function()
          assert.equal("question", other:read_exact(8))
          assert_failed("EOF", other:read())
          other:write(answer)
          other:shutdown()
        end)
        one:write "question"
        one:shutdown()
        assert.is_true(one:read_exact(#answer) == answer)
        assert_failed("EOF", one:read())
        assert_failed("EPIPE", one:write "x")
      end
    end)
  end)
end)

describe("peers that do not read", function()
  local function resident()
    for line in io.lines "/proc/self/status" do
      local kilobytes = line:match "^VmRSS:%s+(%d+)"
      if kilobytes then return tonumber(kilobytes) end
    end
  end

  it("make who offers them much wait, and hold no memory", function()
    run(function()
      local peers, writers = {}, {}
      local before = resident()
      for i = 1, SANITIZED and 300 or 1000 do -- 16 GiB in all
        local one, other = tcp.narrow_pair()
        peers[i] = other
        writers[i] = momo.spawn(one.write, one, MUCH)
      end
      tcp.settle()
      for _, writer in ipairs(writers) do
        tcp.until_waiting(writer)
      end
      if not SANITIZED then
        assert.is_true(resident() - before < 64 * 1024, resident() - before .. " KiB")
      end
      for i, writer in ipairs(writers) do
        peers[i]:close()
        assert_failed(select(4, writer:join()), select(2, writer:join()))
      end
    end)
    tcp.check_nothing_left()
  end)
end)

describe("system calls that move one byte at a time", function()
  -- A library that makes them so short; it stands before libc.
  local SHORT = [[
    #define _GNU_SOURCE
    #include <dlfcn.h>
    #include <sys/socket.h>
    #include <sys/uio.h>
    #include <sys/syscall.h>
    #include <unistd.h>
    #include <fcntl.h>
    #define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))
    static size_t least(size_t n) { return n ? 1 : 0; }
    ssize_t recv(int fd, void *p, size_t n, int f) { return REAL(recv)(fd, p, least(n), f); }
    ssize_t send(int fd, const void *p, size_t n, int f) { return REAL(send)(fd, p, least(n), f); }
    ssize_t sendmsg(int fd, const struct msghdr *m, int f) {
        for (size_t i = 0; i < m->msg_iovlen; i++)
            if (m->msg_iov[i].iov_len) return REAL(send)(fd, m->msg_iov[i].iov_base, 1, f);
        return 0;
    }
    ssize_t writev(int fd, const struct iovec *v, int n) {
        for (int i = 0; i < n; i++)
            if (v[i].iov_len) return syscall(SYS_write, fd, v[i].iov_base, 1);
        return 0;
    }
    ssize_t splice(int a, off64_t *x, int b, off64_t *y, size_t n, unsigned f) {
        return REAL(splice)(a, x, b, y, least(n), f);
    }
    /* Pipes only: LuaJIT reads its files by this too, and libuv its events. */
    ssize_t read(int fd, void *p, size_t n) {
        return syscall(SYS_read, fd, p, n == 65536 ? least(n) : n);
    }
  ]]

  it("give the same bytes", function()
    local library = os.tmpname()
    local status, _, err = support.shell(("cc -shared -fPIC -O1 -x c %s -o %s -ldl"):format(support.tmpfile(SHORT),
      library))
    assert.same({ 0, "" }, { status, err })
    local program = support.tmpfile [[
      local momo = require "momo"
      local text = {}
      for i = 1, 150 do text[i] = "line " .. i .. "\r\n" end
      local whole = table.concat(text)
      local listener = assert(momo.net.TcpListener.bind "127.0.0.1:0")
      local function check(to, from)
        momo.spawn(function()
          assert(to:write(text) == #whole)
          assert(to:write(whole) == #whole)
          to:shutdown()
        end)
        local lines = from:lines()
        for i = 1, 50 do assert(lines() == "line " .. i) end
        assert(from:peek(20):sub(1, 20) == "line 51\r\nline 52\r\nli")
        from:consume(9)
        assert(from:read_until "150\r\n" == whole:match "line 52\r\n.*")
        assert(from:read_exact(#whole) == whole)
        assert(select(3, from:read()) == "EOF")
      end
      local client = assert(momo.net.TcpStream.connect(listener:local_addr()))
      check(client, (assert(listener:accept())))
      check(momo.net.UnixStream.pair())
      local reader, writer = momo.io.pipe()
      check(writer, reader)
      local first, a = momo.net.UnixStream.pair()
      local b, last = momo.net.UnixStream.pair()
      momo.spawn(function() assert(momo.io.pipe_both(a, b) == 2 * #whole) end)
      check(first, last)
      last:shutdown()
      momo.io.stdout:write(text)
    ]]
    local expected = {}
    for i = 1, 150 do
      expected[i] = "line " .. i .. "\r\n"
    end
    local out
    status, out, err = support.shell(("ASAN_OPTIONS=verify_asan_link_order=0 LD_PRELOAD=%s %s %s | cat"):format(library,
      support.quote(os.getenv "MOMO_BIN"), program))
    os.remove(library)
    assert.equal("", err)
    assert.equal(table.concat(expected), out)
    assert.equal(0, status)
  end)
end)
