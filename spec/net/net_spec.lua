local momo = require "momo"
local support = require "spec.support"
local tcp = require "spec.support.tcp"

local TcpListener, TcpStream = momo.net.TcpListener, momo.net.TcpStream
local run, listen, waiting, assert_failed, wait_for = tcp.run, tcp.listen, tcp.waiting, tcp.assert_failed, tcp.wait_for

local function has_ipv6()
  local listener = TcpListener.bind "[::1]:0"
  if listener then
    listener:close()
  end
  return listener ~= nil
end

describe("TCP", function()
  after_each(tcp.check_nothing_left)

  describe("addresses", function()
    it("of port 0 become those of a free port, and of both ends agree", function()
      run(function()
        local listener = listen()
        local address = listener:local_addr()
        assert.matches("^127%.0%.0%.1:%d+$", address)
        assert.are_not.equal("127.0.0.1:0", address)
        local client = assert(TcpStream.connect(address))
        local served, peer = assert(listener:accept())
        assert.equal(address, client:peer_addr())
        assert.equal(address, served:local_addr())
        assert.equal(client:local_addr(), peer)
        assert.equal(client:local_addr(), served:peer_addr())
      end)
    end)

    for _, address in ipairs { "127.0.0.1:0", "0.0.0.0:0", "[::1]:0", "[::]:0", "localhost:0" } do
      it("of a listener on " .. address .. " are taken by connect", function()
        if address:sub(1, 1) == "[" and not has_ipv6() then
          return pending "this machine has no IPv6"
        end
        run(function()
          local listener = assert(TcpListener.bind(address))
          local client = assert(TcpStream.connect(listener:local_addr()))
          local served = assert(listener:accept())
          assert(client:write "hello")
          assert.equal("hello", served:read())
        end)
      end)
    end

    it("may be names: each address of a name is tried", function()
      run(function()
        local listener = listen() -- where localhost is ::1 first, nobody listens on that
        local client = assert(TcpStream.connect("localhost:" .. listener:local_addr():match "%d+$", 10))
        assert.equal(listener:local_addr(), client:peer_addr())
      end)
    end)

    it("of names that can't exist are a failure that says so", function()
      run(function()
        local stream, err, code = TcpStream.connect "a..b:80"
        assert.is_nil(stream)
        assert.matches("^EAI_%u+$", code)
        assert.equal(code .. ": ", err:sub(1, #code + 2))
        assert.matches("a..b", err, 1, true)
        local listener, _, bind_code = TcpListener.bind "a..b:80"
        assert.is_nil(listener)
        assert.equal(code, bind_code)
      end)
    end)
  end)

  describe("bind", function()
    it("to an address that this thread listens on says so", function()
      run(function()
        local address = listen():local_addr()
        local listener, err, code = TcpListener.bind(address)
        assert.is_nil(listener)
        assert.equal("EADDRINUSE", code)
        assert.equal("EADDRINUSE: address already in use: " .. address .. " (this thread listens there already)", err)
      end)
    end)

    it("to an address that another thread listens on tells of reuseport", function()
      run(function()
        local address = listen():local_addr()
        local ok, err = assert(momo.thread.spawn(function(where)
          local there = require "momo"
          return select(2, there.net.TcpListener.bind(where))
        end, address)):join()
        assert.is_true(ok)
        assert.equal("EADDRINUSE: address already in use: " .. address
          .. " (another thread of this process listens there: pass {reuseport = true})", err)
      end)
    end)

    it("to an address of another process gives no advice", function()
      run(function()
        local address = listen():local_addr()
        local status, stdout = support.luajit(
          ([[print((select(2, require("momo").net.TcpListener.bind(%q))))]]):format(address))
        assert.equal(0, status)
        assert.equal("EADDRINUSE: address already in use: " .. address .. "\n", stdout)
      end)
    end)

    it("with reuseport shares the address, and every connection is accepted by one of the listeners", function()
      run(function()
        local one = listen { reuseport = true }
        local two = assert(TcpListener.bind(one:local_addr(), { reuseport = true, backlog = 100 }))
        assert.equal(one:local_addr(), two:local_addr())
        local accepted = 0
        for _, listener in ipairs { one, two } do
          momo.spawn(function()
            while listener:accept() do
              accepted = accepted + 1
            end
          end)
        end
        local clients = {}
        for i = 1, 50 do
          clients[i] = assert(TcpStream.connect(one:local_addr()))
        end
        wait_for(function() return accepted == 50 end)
        one:close()
        two:close()
        assert.equal(#clients, accepted)
      end)
    end)

    it("again after close takes the port at once, although a connection of it lingers", function()
      run(function()
        local listener = listen()
        local address = listener:local_addr()
        local client = assert(TcpStream.connect(address))
        local served = assert(listener:accept())
        served:close() -- the side that closes first lingers
        assert_failed("EOF", client:read())
        listener:close()
        assert(TcpListener.bind(address))
      end)
    end)

    it("to what is no address of this machine fails", function()
      run(function()
        assert_failed("EADDRNOTAVAIL", TcpListener.bind "203.0.113.1:0")
      end)
    end)
  end)

  describe("accept", function()
    it("serves those who wait in turn", function()
      run(function()
        local listener, order, clients, streams = listen(), {}, {}, {}
        for i = 1, 4 do
          waiting(function()
            for _ = 1, 3 do
              local stream = assert(listener:accept())
              streams[#streams + 1] = stream
              order[#order + 1] = i
            end
          end)
        end
        for i = 1, 12 do
          clients[i] = assert(TcpStream.connect(listener:local_addr()))
          wait_for(function() return #order == i end)
        end
        assert.same({ 1, 2, 3, 4, 1, 2, 3, 4, 1, 2, 3, 4 }, order)
        assert.equal(#clients, #streams)
      end)
    end)

    it("serves all who wait when connections come in a burst", function()
      run(function()
        local listener, done, clients = listen(), {}, {}
        for i = 1, 20 do
          waiting(function()
            done[i] = assert(listener:accept(60))
          end)
        end
        for i = 1, 20 do
          clients[i] = assert(TcpStream.connect(listener:local_addr()))
        end
        wait_for(function() return #done == #clients end)
      end)
    end)

    it("gives up after its timeout, and the next one accepts", function()
      run(function()
        local listener = listen()
        assert_failed("ETIMEDOUT", listener:accept(0.01))
        assert_failed("ETIMEDOUT", listener:accept(0))
        local client = assert(TcpStream.connect(listener:local_addr()))
        local served, peer = listener:accept(math.huge)
        assert(served, peer)
        assert.equal(client:local_addr(), peer)
      end)
    end)

    it("that timed out is out of the queue", function()
      run(function()
        local listener, winner = listen(), nil
        local first = waiting(function() return listener:accept(0.01) end)
        waiting(function() winner = assert(listener:accept()) end)
        assert.same({ true, nil, "ETIMEDOUT: operation timed out", "ETIMEDOUT" }, { first:join() })
        local client = assert(TcpStream.connect(listener:local_addr()))
        wait_for(function() return winner end)
        assert.equal(client:local_addr(), winner:peer_addr())
      end)
    end)

    it("passes a connection on when the task that was woken for it is cancelled", function()
      run(function()
        local listener, got = listen(), nil
        local first = waiting(function() return listener:accept() end)
        waiting(function() got = assert(listener:accept()) end)
        local client = assert(TcpStream.connect(listener:local_addr()))
        first:cancel()
        wait_for(function() return got or first:status() == "done" end)
        if not got then -- the first one had its connection before
          client = assert(TcpStream.connect(listener:local_addr()))
          wait_for(function() return got end)
        end
        assert.equal(client:local_addr(), got:peer_addr())
      end)
    end)
  end)

  describe("connect", function()
    it("closes its socket when it is cancelled between two turns", function()
      run(function()
        local listener, connected = listen(), {}
        local address = listener:local_addr()
        local task = momo.spawn(function()
          while true do
            connected[#connected + 1] = assert(TcpStream.connect(address))
          end
        end)
        collectgarbage "stop" -- which would close it as well, some time
        momo.yield_now() -- on loopback no connect waits: the loop is in one that lets others have a turn
        task:cancel()
        task:join()
        assert.equal(1 + #connected, momo.metrics().handles)
        collectgarbage "restart"
      end)
    end)

    it("is refused where nobody listens", function()
      run(function()
        local listener = listen()
        local address = listener:local_addr()
        listener:close()
        local stream, err, code = TcpStream.connect(address)
        assert.is_nil(stream)
        assert.equal("ECONNREFUSED", code)
        assert.equal("ECONNREFUSED: connection refused: " .. address, err)
      end)
    end)

    it("gives up after its timeout and closes its socket", function()
      run(function()
        local listener, streams = listen { backlog = 1 }, {}
        local stream, err, code
        repeat -- nobody accepts: soon the system does not answer any more
          stream, err, code = TcpStream.connect(listener:local_addr(), 0.05)
          streams[#streams + 1] = stream
        until not stream
        assert.equal("ETIMEDOUT", code)
        assert.equal("ETIMEDOUT: operation timed out: " .. listener:local_addr(), err)
        assert.equal(1 + #streams, momo.metrics().handles)
        assert.equal(0, momo.metrics().timers)
      end)
    end)

    it("works for 500 connections at a time", function()
      run(function()
        local listener = listen()
        momo.spawn(function()
          for _ = 1, 500 do
            local served = assert(listener:accept())
            momo.spawn(function()
              served:write { "you said ", served:read_until "\n" }
              served:close()
            end)
          end
        end)
        for i = 1, 500 do
          momo.spawn(function()
            local client = assert(TcpStream.connect(listener:local_addr(), 60))
            assert(client:write(i .. "\n"))
            assert.equal("you said " .. i .. "\n", client:read_until "\n")
            assert_failed("EOF", client:read())
          end)
        end
      end)
    end)
  end)
end)
