local momo = require "momo"
local tcp = require "spec.support.tcp"

local assert_failed, run = tcp.assert_failed, tcp.run
local connect, bind = momo.net.TcpStream.connect, momo.net.TcpListener.bind

-- The address that the peer sees of a connection.
local function seen(listener, address, from)
  local stream = assert(connect(address, nil, { bind = from }))
  local accepted, peer = listener:accept()
  assert.equal(stream:local_addr(), peer)
  stream:close()
  accepted:close()
  return peer
end

describe("connect with an address of its own", function()
  after_each(tcp.check_nothing_left)

  it("comes from that address", function()
    run(function()
      local listener = tcp.listen()
      local address = listener:local_addr()
      assert.matches("^127%.0%.0%.2:%d+$", seen(listener, address, "127.0.0.2:0"))
      assert.matches("^127%.0%.0%.3:%d+$", seen(listener, "localhost:" .. address:match "%d+$", "127.0.0.3:0"))
      listener:close()
    end)
  end)

  it("comes from that port", function()
    run(function()
      local listener = tcp.listen()
      local other = assert(bind "127.0.0.4:0")
      local free = other:local_addr()
      assert_failed("EADDRINUSE", connect(listener:local_addr(), nil, { bind = free }))
      other:close()
      assert.equal(free, seen(listener, listener:local_addr(), free))
      listener:close()
    end)
  end)

  it("fails where it can't, and leaves nothing open", function()
    run(function()
      local listener = tcp.listen()
      local address = listener:local_addr()
      assert_failed("EADDRNOTAVAIL", connect(address, nil, { bind = "192.0.2.1:0" }))
      assert_failed("EAFNOSUPPORT", connect(address, nil, { bind = "[::1]:0" }))
      assert_failed("EAFNOSUPPORT", connect("[::1]:1", nil, { bind = "127.0.0.1:0" }))
      listener:close()
      assert_failed("ECONNREFUSED", connect("localhost:" .. address:match "%d+$", nil, { bind = "127.0.0.1:0" }))
    end)
  end)

  it("takes no name", function()
    run(function()
      for wrong, text in pairs {
        ["localhost:0"] = 'TcpStream.connect: option bind must be an address such as "192.0.2.1:0", got "localhost:0"',
        ["127.0.0.1"] = 'TcpStream.connect: option bind: "127.0.0.1" is no address',
      } do
        local ok, err = pcall(connect, "127.0.0.1:1", nil, { bind = wrong })
        assert.is_false(ok)
        assert.matches(text, err, 1, true)
      end
      local ok, err = pcall(connect, "127.0.0.1:1", nil, { bnd = "127.0.0.1:0" })
      assert.is_false(ok)
      assert.matches('TcpStream.connect: there is no option "bnd", but bind', err, 1, true)
    end)
  end)
end)
