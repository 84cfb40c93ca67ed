-- A connection that was reset ends in that failure for everybody, whoever hears of it first; never in an end.

local momo = require "momo"
local tcp = require "spec.support.tcp"

local net, io, sleep = momo.net, momo.io, momo.time.sleep

---A stream whose peer says `bytes` and then resets the connection.
local function reset(bytes)
  local stream, peer = tcp.pair()
  if bytes then
    assert(peer:write(bytes))
    sleep(0.002)
  end
  peer:set_option("linger", 0)
  peer:close()
  sleep(0.002)
  return stream
end

local function assert_reset(_, _, code)
  assert.equal("ECONNRESET", code)
end

local reading = {
  read = function(stream) return stream:read() end,
  read_exact = function(stream) return stream:read_exact(5) end,
  read_until = function(stream) return stream:read_until "\n" end,
  peek = function(stream) return stream:peek(5) end,
  peek_ptr = function(stream) return stream:peek_ptr(5) end,
  copy = function(stream)
    local a, b = net.UnixStream.pair()
    local result, err, code = io.copy(stream, a)
    a:close()
    b:close()
    return result, err, code
  end,
  pipe_both = function(stream)
    local a, b = net.UnixStream.pair()
    local result, err, code = io.pipe_both(stream, a)
    a:close()
    b:close()
    return result, err, code
  end,
}

describe("a reset", function()
  after_each(tcp.check_nothing_left)

  for name, read in pairs(reading) do
    it("that a write heard of first is one for " .. name, function()
      tcp.run(function()
        local stream = reset()
        assert_reset(stream:write "x")
        for _ = 1, 3 do
          assert_reset(read(stream))
        end
        tcp.assert_failed("EPIPE", stream:write "x")
        stream:close()
      end)
    end)

    it("that a read heard of before is one for " .. name, function()
      tcp.run(function()
        local stream = reset()
        assert_reset(stream:read())
        assert_reset(read(stream))
        stream:close()
      end)
    end)

    it("that a write hears of while it waits is one for " .. name, function()
      tcp.run(function()
        local stream, peer = tcp.pair()
        local task = momo.spawn(read, stream)
        sleep(0.001)
        momo.scope(function(scope)
          scope:spawn(function()
            peer:set_option("linger", 0)
            peer:close()
          end)
          scope:spawn(function()
            momo.yield_now()
            stream:write "x" -- before the loop has looked
          end)
        end)
        local ok, result, _, code = task:join()
        assert.same({ true, nil, "ECONNRESET" }, { ok, result, code })
        stream:close()
      end)
    end)
  end

  it("comes behind the bytes that came before it", function()
    tcp.run(function()
      local stream, peer = tcp.pair()
      peer:write "before"
      sleep(0.002)
      assert.equal("before", stream:peek(6))
      peer:set_option("linger", 0)
      peer:close()
      sleep(0.002)
      assert_reset(stream:write "x")
      assert.equal("bef", stream:read(3))
      assert.equal("ore", stream:read(3))
      assert_reset(stream:read())
      stream:close()
    end)
  end)

  it("ends lines in an error, not in half a line", function()
    tcp.run(function()
      local stream, peer = tcp.pair()
      peer:write "one\nhal"
      sleep(0.002)
      assert.equal("one\nhal", stream:peek(7))
      peer:set_option("linger", 0)
      peer:close()
      sleep(0.002)
      assert_reset(stream:write "x")
      local lines = {}
      local ok, err = pcall(function()
        for line in stream:lines() do lines[#lines + 1] = line end
      end)
      assert.is_false(ok)
      assert.matches("ECONNRESET: connection reset by peer$", err)
      assert.same({ "one" }, lines)
      stream:close()
    end)
  end)

  it("of a Unix socket, whose peer has not read all, is one", function()
    tcp.run(function()
      local stream, peer = net.UnixStream.pair()
      stream:write "unread"
      peer:close()
      for _ = 1, 3 do
        assert_reset(stream:read())
      end
      stream:close()
    end)
  end)

  it("is none where the connection ends as it should, nor for the next one with its slot", function()
    tcp.run(function()
      reset():close()
      local stream, peer = tcp.pair()
      peer:close()
      tcp.assert_failed("EOF", stream:read())
      tcp.assert_failed("EOF", stream:read())
      stream:close()
    end)
  end)
end)
