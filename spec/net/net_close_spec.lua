local momo = require "momo"
local support = require "spec.support"
local tcp = require "spec.support.tcp"

local TcpStream = momo.net.TcpStream
local run, listen, pair, waiting, assert_failed = tcp.run, tcp.listen, tcp.pair, tcp.waiting, tcp.assert_failed

describe("close", function()
  after_each(tcp.check_nothing_left)

  it("makes waiting operations return ECANCELED", function()
    run(function()
      local one, other = pair()
      local listener = listen()
      tcp.fill(other)
      other:set_timeout(nil)
      local unbroken, unread = pair()
      local reader, silent = pair()
      local waiters = {
        waiting(function() return listener:accept() end),
        waiting(function() return listener:accept(60) end),
        waiting(function() return other:read() end),
        waiting(function() return reader:read_exact(10) end),
        waiting(function() return unbroken:write(("x"):rep(32 * 1024 * 1024)) end),
        waiting(function() return unbroken:write "behind the first one" end),
      }
      for _, object in ipairs { listener, other, reader, unbroken, one, unread, silent } do
        object:close()
      end
      for _, task in ipairs(waiters) do
        local ok, value, err, code = task:join()
        assert.is_true(ok)
        assert.is_nil(value)
        assert.equal("ECANCELED: operation canceled", err)
        assert.equal("ECANCELED", code)
      end
    end)
  end)

  it("may be repeated; every other operation returns EBADF, also when others have the descriptor", function()
    run(function()
      local listener, stream, other = listen(), pair()
      listener:close()
      stream:close()
      local successors = { listen(), pair() } -- they get the descriptors that are free now
      for _ = 1, 3 do
        listener:close()
        stream:close()
        assert_failed("EBADF", listener:accept())
        assert_failed("EBADF", listener:local_addr())
        assert_failed("EBADF", stream:read())
        assert_failed("EBADF", stream:read_exact(1))
        assert_failed("EBADF", stream:read_until "x")
        assert_failed("EBADF", stream:write "x")
        assert_failed("EBADF", stream:write "")
        assert_failed("EBADF", stream:shutdown())
        assert_failed("EBADF", stream:local_addr())
        assert_failed("EBADF", stream:peer_addr())
        assert_failed("EBADF", stream:set_timeout(1))
        assert_failed("EBADF", stream:set_nodelay(true))
        assert_failed("EBADF", stream:set_keepalive(1))
      end
      assert(successors[2]:write "mine")
      assert.equal("mine", successors[3]:read())
      local client = assert(TcpStream.connect(successors[1]:local_addr()))
      assert(successors[1]:accept(10))
      client:close()
      assert_failed("EOF", other:read())
    end)
  end)

  it("of a listener refuses those who come later", function()
    run(function()
      local listener = listen()
      local address = listener:local_addr()
      waiting(function() listener:accept() end)
      listener:close()
      assert_failed("ECONNREFUSED", TcpStream.connect(address))
    end)
  end)

  it("is done by the collector for what was dropped, and counted", function()
    run(function()
      local function make()
        local address = listen():local_addr()
        return address, (pair())
      end
      local address, kept = make()
      local before = momo.metrics()
      collectgarbage()
      collectgarbage()
      local after = momo.metrics()
      assert.equal(before.collected + 2, after.collected)
      assert.equal(before.handles - 2, after.handles)
      assert_failed("EOF", kept:read())
      assert_failed("ECONNREFUSED", TcpStream.connect(address))
      kept:close()
      kept = nil -- luacheck: ignore
      collectgarbage()
      assert.equal(after.collected, momo.metrics().collected)
    end)
  end)

  it("is done for what a run left open when its process ends", function()
    local status, _, stderr = support.luajit [[
      local momo = require "momo"
      momo.run(function()
        listener = assert(momo.net.TcpListener.bind "127.0.0.1:0")
        stream = assert(momo.net.TcpStream.connect(listener:local_addr()))
        served = assert(listener:accept())
      end)
    ]]
    assert.equal("", stderr)
    assert.equal(0, status)
  end)
end)
