local ffi = require "ffi"
local momo = require "momo"
local tcp = require "spec.support.tcp"

local UnixDatagram = momo.net.UnixDatagram
local assert_failed, run, waiting = tcp.assert_failed, tcp.run, tcp.waiting


local function name_of(i)
  return ("@momo-spec-%d-%d"):format(ffi.C.getpid(), i)
end
ffi.cdef "int getpid(void);"

-- Sends until nothing more is taken: how many were.
local function fill(send)
  local n = 0
  while true do
    local bytes, _, code = send(("x"):rep(1000))
    if not bytes then
      assert.equal("ETIMEDOUT", code)
      return n
    end
    n = n + 1
  end
end

describe("a Unix socket for datagrams", function()
  after_each(tcp.check_nothing_left)

  it("sends and receives, each whole and in order, with who sent it", function()
    run(function()
      local one, other = assert(UnixDatagram.bind(name_of(1))), assert(UnixDatagram.bind(name_of(2)))
      assert.equal(name_of(1), one:local_addr())
      assert_failed("ENOTCONN", one:peer_addr())
      assert.equal(5, one:send_to("hello", name_of(2)))
      assert.equal(0, one:send_to("", name_of(2)))
      assert.equal(3, one:send_to("a\0b", name_of(2)))
      assert.same({ "hello", name_of(1) }, { other:recv_from() })
      assert.equal("", other:recv())
      assert.equal("a\0b", other:recv())
      local reader = waiting(other.recv_from, other)
      one:send_to("later", name_of(2))
      assert.same({ true, "later", name_of(1) }, { reader:join() })
      assert_failed("ETIMEDOUT", other:recv(0))
      assert_failed("ETIMEDOUT", other:recv_from(0.001))
      assert_failed("ENOTCONN", one:send "where")
      one:close()
      other:close()
      assert_failed("EBADF", one:send_to("x", name_of(2)))
      assert_failed("EBADF", one:recv())
    end)
  end)

  it("may be connected, and one without an address is seen as \"\"", function()
    run(function()
      local server = assert(UnixDatagram.bind(name_of(3)))
      local client = assert(UnixDatagram.connect(name_of(3)))
      assert.equal(name_of(3), client:peer_addr())
      assert.equal("", client:local_addr())
      assert.equal(2, client:send "hi")
      assert.same({ "hi", "" }, { server:recv_from() })
      local named = assert(UnixDatagram.bind(name_of(4)))
      assert.equal(named, named:connect(name_of(3)))
      assert(named:send "from a name")
      assert.same({ "from a name", name_of(4) }, { server:recv_from() })
      assert.equal(6, server:send_to("answer", name_of(4)))
      assert.equal("answer", named:recv())
      server:close()
      assert_failed("ECONNREFUSED", client:send "nobody")
      client:close()
      named:close()
    end)
  end)

  it("comes as a pair", function()
    run(function()
      local one, other = UnixDatagram.pair()
      assert(one:send "there")
      assert(other:send "back")
      assert.equal("there", other:recv())
      assert.equal("back", one:recv())
      one:close()
      other:close()
    end)
  end)

  it("waits while the queue is full, whoever has filled it", function()
    run(function()
      local server = assert(UnixDatagram.bind(name_of(5)))
      local client, stranger = assert(UnixDatagram.connect(name_of(5))), assert(UnixDatagram.bind(name_of(6)))
      local n = fill(function(data) return client:send(data, 0) end)
      assert.is_true(n > 0)
      assert_failed("ETIMEDOUT", client:send("x", 0.001))
      assert_failed("ETIMEDOUT", stranger:send_to("x", name_of(5), 0))
      assert_failed("ETIMEDOUT", stranger:send_to("x", name_of(5), 0.005))
      local sends, strange = waiting(client.send, client, "connected"), waiting(stranger.send_to, stranger, "strange",
        name_of(5))
      for _ = 1, n do
        assert.equal(1000, #server:recv())
      end
      local seen = { [server:recv()] = true, [server:recv()] = true }
      assert.same({ connected = true, strange = true }, seen)
      assert.same({ true, 9 }, { sends:join() })
      assert.same({ true, 7 }, { strange:join() })
      server:close()
      client:close()
      stranger:close()
    end)
  end)

  it("has a file with its permissions, which is replaced when nobody receives there any more", function()
    run(function()
      local path = os.tmpname()
      os.remove(path)
      local one = assert(UnixDatagram.bind(path, { mode = "600" }))
      assert_failed("EADDRINUSE", UnixDatagram.bind(path))
      local stat = assert(io.popen("stat -c %a " .. path))
      assert.equal("600\n", stat:read "*a")
      stat:close()
      assert_failed("EPROTOTYPE", momo.net.UnixStream.connect(path))
      one:close()
      assert_failed("ECONNREFUSED", UnixDatagram.connect(path))
      one = assert(UnixDatagram.bind(path))
      one:close()
      os.remove(path)
      assert_failed("ENOENT", UnixDatagram.connect(path))
      local file = assert(io.open(path, "w"))
      file:close()
      assert_failed("EADDRINUSE", UnixDatagram.bind(path)) -- a file that is no socket stays
      os.remove(path)
      assert_failed("ENOENT", UnixDatagram.bind "/nowhere/at/all")
    end)
  end)

  it("gives a failure for what is too large, and goes on", function()
    run(function()
      local one, other = UnixDatagram.pair()
      assert_failed("EMSGSIZE", one:send(("x"):rep(16 * 1024 * 1024)))
      assert.equal(65536, one:send(("x"):rep(65536)))
      assert.equal(65536, #other:recv())
      assert(one:send(("x"):rep(65537)))
      assert_failed("EMSGSIZE", other:recv())
      assert(one:send "next")
      assert.equal("next", other:recv())
      one:close()
      other:close()
    end)
  end)

  it("that is closed tells those who wait", function()
    run(function()
      local one, other = UnixDatagram.pair()
      local reader = waiting(one.recv, one)
      fill(function(data) return one:send(data, 0) end)
      local sender = waiting(one.send, one, "x")
      one:close()
      assert.same({ true, nil, "ECANCELED: operation canceled", "ECANCELED" }, { reader:join() })
      assert.same({ true, nil, "ECANCELED: operation canceled", "ECANCELED" }, { sender:join() })
      other:close()
    end)
  end)

  it("says what is wrong with a call", function()
    run(function()
      local one, other = UnixDatagram.pair()
      for text, call in pairs {
        ['UnixDatagram.bind: the path must be a string such as "/run/app.sock", got nil'] =
          function() UnixDatagram.bind() end,
        ['UnixDatagram.bind: mode must be permissions such as "660", got "999"'] =
          function() UnixDatagram.bind("/tmp/x", { mode = "999" }) end,
        ['UnixDatagram.connect: the path must be'] = function() UnixDatagram.connect(5) end,
        ['connect: a path has at most 107 bytes'] = function() one:connect(("x"):rep(108)) end,
        ['send_to: the path must be'] = function() one:send_to("x", "a\0b") end,
        ['send_to: data must be a string, got number'] = function() one:send_to(5, "@x") end,
        ['send: data must be a string, got nil'] = function() one:send() end,
        ['recv: the timeout must be'] = function() one:recv(-1) end,
        ['recv: call it with a colon: socket:recv()'] = function() one.recv() end,
      } do
        local ok, err = pcall(call)
        assert.is_false(ok)
        assert.matches(text, err, 1, true)
        assert.matches("unix_datagram_spec.lua:%d+: ", err)
      end
      one:close()
      other:close()
    end)
  end)
end)
