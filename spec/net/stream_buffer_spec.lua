-- Reading into a string.buffer, and writing out of one.

local buffer = require "string.buffer"
local finalizer = require "spec.support.finalizer"
local momo = require "momo"
local tcp = require "spec.support.tcp"
local tls = require "spec.support.tls"

local assert_failed, run, settle, waiting = tcp.assert_failed, tcp.run, tcp.settle, tcp.waiting

local HUGE = ("0123456789abcde\n"):rep(2 * 1024 * 1024) -- more than the system buffers

local function filled(text)
  return buffer.new():put(text)
end

local function room(bytes)
  return (select(2, bytes:reserve(0)))
end

-- Reads so many bytes into a buffer.
local function read_all(stream, n)
  local bytes = buffer.new()
  while #bytes < n do
    assert(stream:read_into(bytes, math.min(n - #bytes, 65536), 10))
  end
  return bytes
end

local kinds = {
  ["a TCP stream"] = tcp.pair,
  ["a Unix stream"] = function() return momo.net.UnixStream.pair() end,
  ["a pipe"] = function()
    local reader, writer = momo.io.pipe()
    return writer, reader
  end,
  ["a stream of TLS"] = tls.pair,
}

for name, connected in pairs(kinds) do
  -- Calls fn(writer, reader).
  local function with_pair(fn)
    run(function()
      local one, other = connected()
      fn(one, other)
      one:close()
      other:close()
    end)
  end

  describe("read_into of " .. name, function()
    after_each(tcp.check_nothing_left)

    it("appends what there is, and says how much", function()
      with_pair(function(one, other)
        local bytes = filled "before, "
        one:write "0123456789"
        assert.same({ 4 }, { other:read_into(bytes, 4) })
        assert.equal("before, 0123", tostring(bytes))
        assert.same({ 6 }, { other:read_into(bytes) })
        assert.equal("before, 0123456789", bytes:get())
        local reader = waiting(other.read_into, other, bytes)
        bytes:put "put meanwhile, "
        one:write "then it came"
        assert.same({ true, 12 }, { reader:join() })
        assert.equal("put meanwhile, then it came", bytes:get())
      end)
    end)

    it("takes unread bytes first, and leaves what it does not take to all that reads", function()
      with_pair(function(one, other)
        local bytes = buffer.new(65536)
        one:write "abcdefgh\nand the rest"
        assert.equal("abcdefgh\nand the rest", other:peek(21))
        assert.equal(3, other:read_into(bytes, 3))
        assert.equal("defgh\n", other:read_until "\n")
        assert.equal(4, other:read_into(bytes, 4))
        assert.equal("the rest", other:read())
        assert.equal("abcand ", bytes:get())
      end)
    end)

    it("appends 64 KiB at most, whatever room there is", function()
      with_pair(function(one, other)
        local writer = momo.spawn(one.write, one, HUGE:sub(1, 200000))
        assert.is_true(#other:peek(150000) >= 150000)
        local bytes = buffer.new(300000)
        assert.equal(65536, other:read_into(bytes, 200000))
        assert.equal(65536, other:read_into(bytes))
        assert.is_true(bytes:get() .. other:read_exact(200000 - 131072) == HUGE:sub(1, 200000))
        writer:join()
      end)
    end)

    it("tells the end, and appends nothing then", function()
      with_pair(function(one, other)
        local bytes = filled "kept"
        one:write "last"
        one:shutdown()
        assert.equal(4, other:read_into(bytes))
        assert_failed("EOF", other:read_into(bytes))
        assert_failed("EOF", other:read_into(bytes, 10, 1))
        assert.equal("keptlast", tostring(bytes))
      end)
    end)

    it("gives up when its time is over, and has lost nothing", function()
      with_pair(function(one, other)
        local bytes = filled "kept"
        assert_failed("ETIMEDOUT", other:read_into(bytes, nil, 0))
        assert_failed("ETIMEDOUT", other:read_into(bytes, nil, 0.005))
        other:set_timeout(0.005)
        assert_failed("ETIMEDOUT", other:read_into(bytes))
        other:set_timeout(nil)
        local reader = waiting(other.read_into, other, bytes)
        reader:cancel()
        assert.is_false(reader:join())
        one:write "comes"
        assert.equal(5, other:read_into(bytes, nil, 10))
        assert.equal("keptcomes", bytes:get())
      end)
    end)

    it("is one of the stream's reads: another gets EBUSY, and a close ends it", function()
      with_pair(function(_, other)
        local bytes = buffer.new()
        local reader = waiting(other.read_into, other, bytes)
        assert_failed("EBUSY", other:read_into(bytes))
        assert_failed("EBUSY", other:read())
        other:close()
        local _, value, err, code = reader:join()
        assert_failed("ECANCELED", value, err, code)
        assert_failed("EBADF", other:read_into(bytes))
        assert.equal(0, #bytes)
      end)
    end)

    it("takes no memory while it waits", function()
      with_pair(function(one, other)
        local bytes = buffer.new()
        local reader = waiting(other.read_into, other, bytes)
        assert.equal(0, room(bytes))
        one:write "few"
        assert.same({ true, 3 }, { reader:join() })
        assert.is_true(room(bytes) < 1024)
        bytes:free()
        one:write(HUGE:sub(1, 65536))
        assert.is_true(other:read_exact(65535) ~= nil)
        assert.equal(1, other:read_into(bytes))
        bytes:free()
        assert_failed("ETIMEDOUT", other:read_into(bytes, nil, 0))
        assert.equal(0, room(bytes))
      end)
    end)
  end)

  describe("a write of a string.buffer to " .. name, function()
    after_each(tcp.check_nothing_left)

    -- The reader gets what the buffer has no more, and the writer can't write any further.
    local function check_cut(one, other, bytes)
      local sent = #HUGE - #bytes
      assert.is_true(sent > 0 and #bytes > 0)
      assert.is_true(tostring(bytes) == HUGE:sub(sent + 1))
      assert_failed("EPIPE", one:write "more")
      assert_failed("EPIPE", one:write(bytes))
      assert.equal(#HUGE - sent, #bytes)
      assert.is_true(tostring(read_all(other, sent)) == HUGE:sub(1, sent))
      assert_failed("ETIMEDOUT", other:read(1, 0.005))
    end

    it("sends all of it, and leaves it empty", function()
      with_pair(function(one, other)
        local bytes = filled "some, and "
        assert.same({ 10 }, { one:write(bytes) })
        assert.equal(0, #bytes)
        assert.same({ 0 }, { one:write(bytes) })
        assert.same({ 0 }, { one:write(buffer.new()) })
        bytes:set "more"
        assert.equal(4, one:write(bytes, 10))
        assert.equal("some, and more", other:read_exact(14))
        assert.equal("", tostring(bytes))
      end)
    end)

    it("waits while the peer does not read, and has its turn like any write", function()
      with_pair(function(one, other)
        local bytes = filled(HUGE)
        local writer = waiting(one.write, one, bytes)
        local second, third = waiting(one.write, one, filled "second"), waiting(one.write, one, "third")
        assert.is_true(tostring(read_all(other, #HUGE)) == HUGE)
        assert.equal("secondthird", other:read_exact(11))
        assert.same({ true, #HUGE }, { writer:join() })
        assert.same({ { true, 6 }, { true, 5 } }, { { second:join() }, { third:join() } })
        assert.equal(0, #bytes)
      end)
    end)

    it("sends what is put into it meanwhile, too", function()
      with_pair(function(one, other)
        local bytes = filled(HUGE)
        local writer = waiting(one.write, one, bytes)
        bytes:put "put meanwhile"
        assert.is_true(tostring(read_all(other, #HUGE)) == HUGE)
        assert.equal("put meanwhile", other:read_exact(13))
        assert.same({ true, #HUGE + 13 }, { writer:join() })
      end)
    end)

    it("leaves what was not sent, when its time is over", function()
      with_pair(function(one, other)
        local bytes = filled(HUGE)
        assert_failed("ETIMEDOUT", one:write(bytes, 0.02))
        check_cut(one, other, bytes)
      end)
      with_pair(function(one, other)
        local bytes = filled(HUGE)
        assert_failed("ETIMEDOUT", one:write(bytes, 0))
        check_cut(one, other, bytes)
      end)
    end)

    it("leaves what was not sent, when it is cancelled", function()
      with_pair(function(one, other)
        local bytes = filled(HUGE)
        local writer = waiting(one.write, one, bytes)
        settle()
        writer:cancel()
        assert.is_false(writer:join())
        check_cut(one, other, bytes)
      end)
    end)

    it("has sent nothing while it waits for its turn, and the stream goes on", function()
      with_pair(function(one, other)
        local first, bytes = waiting(one.write, one, HUGE), filled "mine"
        assert_failed("ETIMEDOUT", one:write(bytes, 0.005))
        assert.equal("mine", tostring(bytes))
        assert.is_true(tostring(read_all(other, #HUGE)) == HUGE)
        assert.is_true(first:join())
        assert.equal(4, one:write(bytes))
        assert.equal("mine", other:read())
      end)
    end)

    for how, take in pairs {
      reset = function(bytes) bytes:reset() end,
      free = function(bytes) bytes:free() end,
      skip = function(bytes) bytes:skip(1) end,
      get = function(bytes) bytes:get() end,
      set = function(bytes) bytes:set "other" end,
    } do
      it("throws where somebody else takes from it meanwhile: " .. how, function()
        with_pair(function(one, other)
          local bytes = filled(HUGE)
          local writer = waiting(one.write, one, bytes)
          settle()
          take(bytes)
          collectgarbage()
          momo.spawn(function() while other:read() do end end)
          local ok, err = writer:join()
          assert.is_false(ok)
          assert.matches("write: the data was changed while it was written", err, 1, true)
          assert_failed("EPIPE", one:write "more")
          one:close()
        end)
      end)
    end

    it("says that the peer has gone", function()
      with_pair(function(one, other)
        local bytes = filled(HUGE)
        local writer = waiting(one.write, one, bytes)
        other:close()
        local _, value, err, code = writer:join()
        assert.is_true(code == "EPIPE" or code == "ECONNRESET", code)
        assert_failed(code, value, err, code)
        assert.is_true(#bytes > 0)
      end)
    end)
  end)
end

describe("a string.buffer", function()
  after_each(tcp.check_nothing_left)
  after_each(finalizer.restore)

  -- By the ring, what is written in a turn goes out at its end, or when somebody asks the system or is cancelled.
  for how, asks in pairs { ["are cancelled"] = false, ["are cancelled when they have just gone out"] = true } do
    it("has what was not sent, where many writes of one turn " .. how, function()
      run(function()
        local writers = {}
        for i = 1, 20 do
          local one, other = tcp.pair()
          local bytes = filled(HUGE:sub(1, i * 700))
          writers[i] = { one = one, other = other, bytes = bytes, size = #bytes, read = waiting(one.read, one, 1) }
        end
        for _, writer in ipairs(writers) do
          momo.spawn(writer.other.write, writer.other, "x")
        end
        for _, writer in ipairs(writers) do
          assert.same({ true, "x" }, { writer.read:join() })
        end
        for _, writer in ipairs(writers) do
          writer.task = momo.spawn(writer.one.write, writer.one, writer.bytes)
        end
        momo.spawn(function()
          if asks then
            assert_failed("ETIMEDOUT", writers[1].one:read(1, 0))
          end
          for _, writer in ipairs(writers) do
            writer.task:cancel()
          end
        end):join()
        for _, writer in ipairs(writers) do
          writer.task:join()
          writer.one:close()
          local got = buffer.new()
          while writer.other:read_into(got) do end
          writer.other:close()
          assert.equal(writer.size, #got + #writer.bytes)
          assert.is_true(tostring(got) .. tostring(writer.bytes) == HUGE:sub(1, writer.size))
        end
      end)
    end)
  end

  -- A finalizer that the operation calls, since what it allocates is collected, does this to a stream and a buffer.
  local function interrupted(operation, doing, check)
    run(function()
      local one, other = tcp.pair()
      local bytes = filled "there before, "
      assert(other:write "and what comes")
      assert(one:peek(14))
      local called
      local arm = finalizer.garbage(function()
        called = true
        doing(one, bytes)
      end)
      arm()
      local n = one[operation](one, bytes)
      local was_called = called
      assert.equal(14, n)
      assert.is_true(was_called, "the finalizer was not called: what the operation allocates is not collected")
      check(one, other, bytes)
      one:close()
      other:close()
    end)
  end

  it("is LuaJIT's, and nothing that says it were one", function()
    tcp.run(function()
      local one, other = tcp.pair()
      local forged = newproxy(true)
      local metatable = getmetatable(forged)
      metatable.__metatable = "buffer"
      metatable.__index = { reserve = function() return 1, 1 end, ref = function() return 1, 1 end }
      for _, name in ipairs { "read_into", "write" } do
        local ok, err = pcall(one[name], one, forged)
        assert.is_false(ok)
        assert.is_truthy(err:find("got userdata", 1, true), err)
      end
      one:close()
      other:close()
    end)
  end)

  it("may be changed by a finalizer in a read", function()
    interrupted("read_into", function(_, bytes) bytes:put ", and more" end, function(_, _, bytes)
      assert.equal("there before, and what comes, and more", tostring(bytes))
    end)
    interrupted("read_into", function(_, bytes) bytes:free() end, function(_, _, bytes)
      assert.equal("", tostring(bytes))
    end)
    interrupted("read_into", function(one) one:close() end, function(one, _, bytes)
      assert.equal("there before, and what comes", tostring(bytes))
      assert_failed("EBADF", one:read_into(bytes))
    end)
  end)

  it("may be changed by a finalizer in a write", function()
    interrupted("write", function(_, bytes) bytes:put "for the next one" end, function(_, other, bytes)
      assert.equal("for the next one", tostring(bytes))
      assert.equal("there before, ", other:read())
    end)
    interrupted("write", function(one, bytes)
      bytes:free()
      one:close()
    end, function(_, other)
      assert.equal("there before, ", other:read())
    end)
  end)
end)
