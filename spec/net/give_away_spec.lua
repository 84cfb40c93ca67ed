local ffi = require "ffi"
local momo = require "momo"
local tcp = require "spec.support.tcp"
local tls = require "spec.support.tls"

local assert_failed, pair, run, waiting = tcp.assert_failed, tcp.pair, tcp.run, tcp.waiting

ffi.cdef "long write(int fd, const void *bytes, size_t size); int close(int fd);"

describe("into_fd", function()
  after_each(tcp.check_nothing_left)

  it("gives the descriptor away, and closes the stream", function()
    run(function()
      local one, other = pair()
      local number = one:fd()
      assert.equal(number, one:into_fd())
      assert_failed("EBADF", one:read())
      assert_failed("EBADF", one:into_fd())
      one:close()
      assert.equal(5, tonumber(ffi.C.write(number, "hello", 5)))
      assert.equal("hello", other:read())
      ffi.C.close(number)
      assert_failed("EOF", other:read())
      other:close()
    end)
  end)

  it("and from_fd bring a stream from one hand to another, unread bytes of the system's too", function()
    run(function()
      local one, other = pair()
      other:write "before"
      tcp.settle()
      local again = assert(momo.net.TcpStream.from_fd(assert(one:into_fd())))
      assert.equal("before", again:read())
      local reader = waiting(again.read, again)
      other:write "after"
      assert.same({ true, "after" }, { reader:join() })
      again:close()
      other:close()
    end)
  end)

  it("refuses while something of it would be lost, and all goes on", function()
    run(function()
      local one, other = pair()
      other:write "unread"
      one:peek()
      assert_failed("EBUSY", one:into_fd())
      assert.equal("unread", one:read())
      local reader = waiting(one.read, one)
      assert_failed("EBUSY", one:into_fd())
      other:write "more"
      assert_failed("EBUSY", one:into_fd())
      assert.same({ true, "more" }, { reader:join() })
      local writer = waiting(one.write, one, ("x"):rep(16 * 1024 * 1024))
      assert_failed("EBUSY", one:into_fd())
      assert(other:read_exact(16 * 1024 * 1024))
      writer:join()
      ffi.C.close((one:into_fd()))
      other:close()
    end)
  end)

  it("gives no stream of TLS away", function()
    run(function()
      local one, other = tls.pair()
      assert_failed("ENOTSUP", one:into_fd())
      other:write "still here"
      assert.equal("still here", one:read())
      one:close()
      other:close()
    end)
  end)

  it("gives one away by which tasks have waited before", function()
    run(function()
      local one, other = momo.io.pipe()
      assert_failed("ETIMEDOUT", one:read(nil, 0.001))
      local number = assert(one:into_fd())
      other:write "x"
      tcp.settle() -- an event of a descriptor that is nobody's any more would be shown as a stale one
      assert.equal("r", momo.io.poll(number, "r"))
      ffi.C.close(number)
      other:close()
    end)
  end)
end)
