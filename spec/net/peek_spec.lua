-- Looking at unread bytes.

local ffi = require "ffi"
local momo = require "momo"
local tcp = require "spec.support.tcp"

local run, pair, waiting, assert_failed = tcp.run, tcp.pair, tcp.waiting, tcp.assert_failed

describe("peek", function()
  after_each(tcp.check_nothing_left)

  it("shows what is unread, as often as it is asked", function()
    run(function()
      local one, other = pair()
      one:write "hello, world"
      assert.equal("hello, world", other:peek())
      assert.equal("hello, world", other:peek(5))
      assert.is_true(other:consume(7))
      assert.equal("world", other:peek())
      assert.equal("wo", other:read(2))
      assert.is_true(other:consume(0) and other:consume(3))
      assert_failed("EBADF", (function() other:close() return other:peek() end)())
    end)
  end)

  it("waits until there are so many", function()
    run(function()
      local one, other = pair()
      local peeking = waiting(other.peek, other, 6)
      one:write "abc"
      tcp.settle()
      assert.equal("waiting", peeking:status())
      assert_failed("EBUSY", other:peek())
      assert_failed("EBUSY", other:consume(1))
      one:write "defg"
      assert.same({ true, "abcdefg" }, { peeking:join() })
      assert.equal("abcdefg", other:read())
    end)
  end)

  it("that fails leaves what has come", function()
    run(function()
      local one, other = pair()
      one:write "abc"
      other:set_timeout(0.005)
      assert_failed("ETIMEDOUT", other:peek(4))
      one:shutdown()
      other:set_timeout(nil)
      assert_failed("EOF", other:peek(4))
      assert.equal("abc", other:peek(3))
      assert.equal("abc", other:read())
      assert_failed("EOF", other:peek())
    end)
  end)

  it("holds a megabyte", function()
    run(function()
      local one, other = pair()
      local much = ("0123456789abcdef"):rep(65536)
      momo.spawn(one.write, one, much)
      assert.is_true(other:peek(#much) == much)
      other:consume(#much - 3)
      assert.equal("def", other:read())
    end)
  end)

  it("gives parsers a pointer", function()
    run(function()
      local one, other = pair()
      one:write "GET / HTTP/1.1\r\n"
      local bytes, length = other:peek_ptr(4)
      assert.equal(16, length)
      assert.equal("GET / HTTP/1.1\r\n", ffi.string(bytes, length))
      other:consume(4)
      bytes, length = other:peek_ptr()
      assert.equal("/ HTTP/1.1\r\n", ffi.string(bytes, length))
      one:shutdown()
      assert_failed("EOF", other:peek_ptr(13))
    end)
  end)

  it("tells of wrong arguments", function()
    for code, text in pairs {
      ["stream.peek()"] = "peek: call it with a colon: stream:peek()",
      ["stream:peek(0)"] = "peek: min must be a whole number from 1 to 2147483647, got 0",
      ["stream:consume()"] = "consume: n must be a whole number from 0, got nil",
      ["stream:consume(1)"] = "consume: there are no 1 unread bytes",
    } do
      assert.matches("app.lua:2: " .. text, tcp.mistake(code), 1, true)
    end
  end)
end)
