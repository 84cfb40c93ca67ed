local momo = require "momo"
local tcp = require "spec.support.tcp"

local run, pair, waiting, assert_failed = tcp.run, tcp.pair, tcp.waiting, tcp.assert_failed

-- Sends the pieces one by one, each as a packet of its own, and ends the stream.
local function send(stream, pieces)
  assert(stream:set_nodelay(true))
  momo.spawn(function()
    for _, piece in ipairs(pieces) do
      assert(stream:write(piece))
      momo.time.sleep(0.001)
    end
    stream:close()
  end)
end

-- The end of a connection whose other end has sent these bytes at once, and then ended.
local function receiver(bytes)
  local one, other = pair()
  assert(one:write(bytes))
  one:close()
  return other
end

describe("a stream that is read", function()
  after_each(tcp.check_nothing_left)

  describe("by read", function()
    it("gives what there is, as soon as there is any", function()
      run(function()
        local one, other = pair()
        assert(one:write "first")
        assert.equal("first", other:read())
        local reader = waiting(function() return other:read() end)
        assert(one:write "second")
        assert.same({ true, "second" }, { reader:join() })
      end)
    end)

    it("gives at most max bytes, and keeps the others", function()
      run(function()
        local stream = receiver "abcdefgh"
        assert.equal("abc", stream:read(3))
        assert.equal("d", stream:read(1))
        assert.equal("efgh", stream:read(2 ^ 31 - 1))
        assert_failed("EOF", stream:read(1))
      end)
    end)

    it("gives at most 64 KiB when it names no max", function()
      run(function()
        local one, other = pair()
        momo.spawn(function()
          assert(one:write(("x"):rep(1024 * 1024)))
          one:close()
        end)
        local total, largest = 0, 0
        for bytes in function() return (other:read()) end do
          total = total + #bytes
          largest = math.max(largest, #bytes)
        end
        assert.equal(1024 * 1024, total)
        assert.is_true(largest <= 65536)
      end)
    end)

    it("says EOF at the end, as often as it is asked", function()
      run(function()
        local stream = receiver ""
        for _ = 1, 3 do
          assert.same({ nil, "EOF: end of file", "EOF" }, { stream:read() })
        end
        assert_failed("EOF", stream:read_exact(1))
        assert_failed("EOF", stream:read_until "\n")
      end)
    end)

    it("passes every byte on", function()
      run(function()
        local bytes = {}
        for i = 0, 255 do
          bytes[i + 1] = string.char(i)
        end
        local all = table.concat(bytes)
        assert.equal(all, receiver(all):read())
      end)
    end)
  end)

  describe("by read_exact", function()
    it("gives exactly n bytes, from however many packets", function()
      run(function()
        local one, other = pair()
        send(one, { "ab", "c", "defg", "h" })
        assert.equal("abc", other:read_exact(3))
        assert.equal("d", other:read_exact(1))
        assert.equal("efgh", other:read_exact(4))
        assert_failed("EOF", other:read_exact(1))
      end)
    end)

    it("says EOF when fewer come, and keeps them", function()
      run(function()
        local stream = receiver "abc"
        assert_failed("EOF", stream:read_exact(4))
        assert_failed("EOF", stream:read_exact(2 ^ 31 - 1))
        assert.equal("abc", stream:read_exact(3))
        assert_failed("EOF", stream:read_exact(1))
      end)
    end)

    it("gives more than any buffer holds", function()
      run(function()
        local one, other = pair()
        local big = ("0123456789abcdef"):rep(256 * 1024)
        momo.spawn(function() assert(one:write { "<", big, ">" }) end)
        assert.equal("<", other:read_exact(1))
        assert.is_true(other:read_exact(#big) == big)
        assert.equal(">", other:read_exact(1))
      end)
    end)
  end)

  describe("by read_until", function()
    it("gives all up to the delimiter, which is included", function()
      run(function()
        local stream = receiver "one\ntwo\n\nthree"
        assert.equal("one\n", stream:read_until "\n")
        assert.equal("two\n", stream:read_until "\n")
        assert.equal("\n", stream:read_until "\n")
        assert_failed("EOF", stream:read_until "\n")
        assert.equal("three", stream:read())
      end)
    end)

    it("finds a delimiter that is split over packets, wherever", function()
      run(function()
        local text = "head\r\n\r\nbody"
        for cut = 1, #text - 1 do
          for second = cut, #text - 1 do
            local one, other = pair()
            send(one, { text:sub(1, cut), text:sub(cut + 1, second), text:sub(second + 1) })
            assert.equal("head\r\n\r\n", other:read_until "\r\n\r\n")
            assert.equal("body", other:read_exact(4))
            other:close()
          end
        end
      end)
    end)

    it("finds a delimiter whose beginning comes twice", function()
      run(function()
        local one, other = pair()
        send(one, { "aa", "a", "ab", "aab" })
        assert.equal("aaaab", other:read_until "aab")
        assert.equal("aab", other:read_until "aab")
      end)
    end)

    it("takes zero bytes and patterns' magic as they are", function()
      run(function()
        local stream = receiver "a.b%d\0\0c\0"
        assert.equal("a.b%d", stream:read_until "%d")
        assert.equal("\0\0", stream:read_until "\0\0")
        assert.equal("c\0", stream:read_until "\0")
      end)
    end)

    it("says ENOBUFS when max bytes hold none, and keeps them", function()
      run(function()
        local stream = receiver "12345678\n"
        assert_failed("ENOBUFS", stream:read_until("\n", 8))
        assert_failed("ENOBUFS", stream:read_until("\n", 1))
        assert.equal("12345678\n", stream:read_until("\n", 9))
        stream = receiver "12345\r\n" -- the delimiter begins within max, and ends beyond
        assert_failed("ENOBUFS", stream:read_until("\r\n", 6))
        assert.equal("12345\r\n", stream:read_until("\r\n", 7))
      end)
    end)

    it("has a max of 64 KiB when it names none", function()
      run(function()
        local one, other = pair()
        local line = ("x"):rep(65535) .. "\n"
        momo.spawn(function() assert(one:write { line, "x", line }) end)
        assert.is_true(other:read_until "\n" == line)
        assert_failed("ENOBUFS", other:read_until "\n")
        assert.is_true(other:read_until("\n", 65537) == "x" .. line)
      end)
    end)
  end)

  describe("by lines", function()
    local function lines(stream, max)
      local list = {}
      for line in stream:lines(max) do
        list[#list + 1] = line
      end
      return list
    end

    it("gives each without its end, \\n or \\r\\n, and an unterminated last one", function()
      run(function()
        assert.same({ "one", "two", "", "", "a\rb", "\r", "last" },
          lines(receiver "one\ntwo\r\n\n\r\na\rb\n\r\r\nlast"))
        assert.same({ "last\r" }, lines(receiver "last\r"))
        assert.same({ "one" }, lines(receiver "one\n"))
        assert.same({ "" }, lines(receiver "\n"))
        assert.same({}, lines(receiver ""))
        assert.same({ "", "" }, lines(receiver "\n\n", 1))
        assert.same({ "ab", "" }, lines(receiver "ab\n\n", 3))
        assert.has_error(function() lines(receiver "ab\n", 2) end)
      end)
    end)

    it("raises failures at the loop's line", function()
      run(function()
        local stream = receiver "short\nand longer\n"
        local seen = {}
        local ok, err = pcall(function()
          for line in stream:lines(8) do
            seen[#seen + 1] = line
          end
        end)
        assert.same({ "short" }, seen)
        assert.is_false(ok)
        assert.matches("^[^\n]*stream_read_spec%.lua:%d+: ENOBUFS: ", err)
        stream:close()
        assert.has_error(function() lines(stream) end)
      end)
    end)

    it("can be left and begun again", function()
      run(function()
        local stream = receiver "a\nb\nc"
        assert.equal("a", stream:lines()())
        assert.equal("b\n", stream:read_until "\n")
        assert.same({ "c" }, lines(stream))
      end)
    end)
  end)

  describe("with a timeout", function()
    it("says ETIMEDOUT and has lost nothing", function()
      run(function()
        local one, other = pair()
        other:set_timeout(0.01)
        assert(one:write "abc")
        assert_failed("ETIMEDOUT", other:read_exact(4))
        assert_failed("ETIMEDOUT", other:read_until "\n")
        assert(one:write "d")
        other:set_timeout(60)
        assert.equal("abcd", other:read_exact(4))
        other:set_timeout(0.01)
        assert_failed("ETIMEDOUT", other:read())
        local ok, err = pcall(other:lines())
        assert.is_false(ok)
        assert.matches("ETIMEDOUT: ", err)
        assert(one:write "e\n")
        other:set_timeout(nil)
        assert.equal("e\n", other:read_until "\n")
        local reader = waiting(function() return other:read() end)
        assert.equal(0, momo.metrics().timers)
        assert(one:write "f")
        assert.same({ true, "f" }, { reader:join() })
      end)
    end)

    it("of 0 gives what is there, or ETIMEDOUT at once", function()
      run(function()
        local one, other = pair()
        other:set_timeout(0)
        assert_failed("ETIMEDOUT", other:read())
        assert(one:write "x")
        local bytes
        tcp.wait_for(function()
          bytes = other:read()
          return bytes
        end)
        assert.equal("x", bytes)
      end)
    end)
  end)

  it("belongs to one reader at a time: a second one gets EBUSY", function()
    run(function()
      local one, other = pair()
      local reader = waiting(function() return other:read_exact(4) end)
      assert(one:write "ab")
      tcp.settle()
      assert_failed("EBUSY", other:read())
      assert_failed("EBUSY", other:read_exact(1))
      assert_failed("EBUSY", other:read_until "b")
      assert(one:write "cd")
      assert_failed("EBUSY", other:read())
      assert.same({ true, "abcd" }, { reader:join() })
      assert(one:write "e")
      assert.equal("e", other:read())
    end)
  end)

  it("says ECONNRESET when the peer left without reading", function()
    run(function()
      local one, other = pair()
      assert(one:write "unread")
      assert.equal("r", momo.io.poll(other:fd(), "r"))
      other:close()
      assert_failed("ECONNRESET", one:read())
      local third, fourth = pair()
      local reader = waiting(function() return third:read_exact(10) end)
      assert(third:write "unread")
      assert.equal("r", momo.io.poll(fourth:fd(), "r"))
      fourth:close()
      assert.same({ true, nil, "ECONNRESET: connection reset by peer", "ECONNRESET" }, { reader:join() })
    end)
  end)

  it("by tasks with few variables leaves them on the stack that a coroutine begins with", function()
    local TASKS, MOST = 300, 690 -- bytes: 488 the coroutine, 80 the handle, tables; a stack that has grown, 100 more

    local function echo(stream)
      while true do
        local bytes = stream:read()
        if not bytes or not stream:write(bytes) then
          return stream:close()
        end
      end
    end

    local function kilobytes()
      collectgarbage()
      collectgarbage()
      return collectgarbage "count"
    end

    run(function()
      local clients, servers, tasks = {}, {}, {}
      for i = 1, TASKS do
        clients[i], servers[i] = pair()
        tasks[i] = false
      end
      local before = kilobytes()
      for i = 1, TASKS do
        tasks[i] = momo.spawn(echo, servers[i])
        for _ = 1, 3 do
          assert(clients[i]:write "x")
          assert.equal("x", clients[i]:read())
        end
      end
      local took = (kilobytes() - before) * 1024 / TASKS
      for i = 1, TASKS do
        clients[i]:close()
        tasks[i]:join()
      end
      assert.is_true(took < MOST, took .. " bytes a task")
    end)
  end)

  it("that always has bytes does not keep the other tasks waiting", function()
    run(function()
      local one, other = pair()
      assert(one:write(("x"):rep(30000)))
      tcp.settle()
      local reading, turns = true, 0
      momo.spawn(function()
        while reading do
          turns = turns + 1
          momo.yield_now()
        end
      end)
      for _ = 1, 30000 do
        assert.equal("x", other:read(1))
      end
      reading = false
      assert.is_true(turns >= 30000 / 128, turns .. " turns")
    end)
  end)
end)
