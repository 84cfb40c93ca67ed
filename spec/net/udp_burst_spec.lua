-- Datagrams that come together, of which one call takes several: who gets them, and what becomes of those kept.

local momo = require "momo"
local finalizer = require "spec.support.finalizer"
local support = require "spec.support"
local tcp = require "spec.support.tcp"

local UdpSocket, UnixDatagram = momo.net.UdpSocket, momo.net.UnixDatagram
local run, waiting, assert_failed = tcp.run, tcp.waiting, tcp.assert_failed

local function bind(address)
  return assert(UdpSocket.bind(address or "127.0.0.1:0"))
end

local function close(...)
  for i = 1, select("#", ...) do (select(i, ...)):close() end
end

local function send_numbers(from, to, first, last)
  for i = first, last do
    assert(from:send_to(tostring(i), to:local_addr()))
  end
end

local function assert_numbers(socket, first, last)
  for i = first, last do
    assert.equal(tostring(i), socket:recv(10))
  end
  assert_failed("ETIMEDOUT", socket:recv(0))
end

for how, switch in pairs { compiled = jit.on, interpreted = jit.off } do
  describe("datagrams that came together, " .. how .. ":", function()
    before_each(function() switch() jit.flush() end)
    after_each(jit.on)
    after_each(tcp.check_nothing_left)

    it("each is received once, in order, and answered to who sent it", function()
      run(function()
        local server = bind()
        local task = momo.spawn(function()
          while true do
            local data, from = assert(server:recv_from())
            assert.equal(#data + 1, server:send_to(data .. "!", from))
          end
        end)
        local clients = { bind(), bind(), bind "127.0.0.2:0" }
        for round = 1, 30 do
          for i = 1, 20 do
            for c, client in ipairs(clients) do
              client:send_to(("%d %d %d"):format(c, round, i), server:local_addr())
            end
          end
          for c, client in ipairs(clients) do
            for i = 1, 20 do
              assert.same({ ("%d %d %d!"):format(c, round, i), server:local_addr() }, { client:recv_from(10) })
            end
          end
        end
        task:cancel()
        task:join()
        close(server, unpack(clients))
      end)
    end)

    it("each is answered later to its own sender, of both families", function()
      run(function()
        for _, host in ipairs { "127.0.0.1:0", "[::1]:0" } do
          local server, one, other = bind(host), bind(host), bind(host)
          for round = 1, 60 do
            one:send_to("one", server:local_addr())
            other:send_to("other", server:local_addr())
            local first, its = server:recv_from()
            local second, whose = server:recv_from()
            if round % 2 == 0 then
              server:send_to(second, whose)
            end
            server:send_to(first, its)
            if round % 2 == 1 then
              server:send_to(second, whose)
            end
            assert.same({ "one", "other" }, { one:recv(), (other:recv()) })
          end
          close(server, one, other)
        end
      end)
    end)

    it("an address is one of the socket's own kind, whoever was heard of last", function()
      run(function()
        local four, six, path = bind(), bind "[::1]:0", assert(UnixDatagram.bind("@momo " .. tostring {}))
        six:send_to("a", six:local_addr())
        local _, from = six:recv_from()
        assert_failed("EAFNOSUPPORT", four:send_to("b", from))
        path:send_to("c", path:local_addr())
        _, from = path:recv_from()
        assert.equal(path:local_addr(), from)
        local ok, err = pcall(four.send_to, four, "d", from)
        assert.is_false(ok)
        assert.matches('is no address; write "127.0.0.1:8080"', err, 1, true)
        assert.equal(1, path:send_to("e", from))
        assert.equal("e", path:recv())
        close(four, six, path)
      end)
    end)

    it("those who wait come first, also once they were woken", function()
      run(function()
        local one, other = bind(), bind()
        local waiter = waiting(function() return other:recv() end)
        send_numbers(one, other, 1, 2)
        assert.equal("2", other:recv())
        assert.equal("1", select(2, waiter:join()))

        waiter = waiting(function() return other:recv() end)
        send_numbers(one, other, 3, 3)
        for _ = 1, 2000 do -- until the loop has looked
          assert_failed("ETIMEDOUT", other:recv(0))
          momo.yield_now()
        end
        assert.equal("3", select(2, waiter:join()))
        close(one, other)
      end)
    end)

    it("none is lost with who is cancelled in the middle of them", function()
      run(function()
        local one, other, got, tasks = bind(), bind(), {}, {}
        for i = 1, 3 do
          tasks[i] = waiting(function()
            local number = other:recv()
            got[#got + 1] = number
            if i == 1 then tasks[2]:cancel() end
          end)
        end
        send_numbers(one, other, 1, 40)
        for i = 1, 3 do tasks[i]:join() end
        for i, number in ipairs(got) do assert.equal(tostring(i), number) end
        assert_numbers(other, #got + 1, 40)
        close(one, other)
      end)
    end)

    it("a task that was cancelled takes and sends none", function()
      run(function()
        local one, other, task = bind(), bind(), nil
        send_numbers(one, other, 1, 20)
        task = momo.spawn(function()
          assert.equal("1", other:recv())
          task:cancel()
          assert.is_false(pcall(other.recv, other))
          assert.is_false(pcall(other.recv_from, other, 10))
          assert.is_false(pcall(one.send_to, one, "never", other:local_addr()))
        end)
        task:join()
        assert_numbers(other, 2, 20)
        close(one, other)
      end)
    end)

    it("who takes and sends many lets others have their turns", function()
      run(function()
        local one, other, turns = bind(), bind(), 0
        local task = momo.spawn(function()
          while true do
            turns = turns + 1
            momo.yield_now()
          end
        end)
        for _ = 1, 5 do
          local before = turns
          send_numbers(one, other, 1, 100)
          assert(turns >= before + 2, turns)
          before = turns
          assert_numbers(other, 1, 100)
          assert(turns >= before + 2, turns)
        end
        task:cancel()
        task:join()
        close(one, other)
      end)
    end)

    it("what is too long is told of to who sends it, and to nobody else", function()
      run(function()
        local one, other = bind(), bind()
        for i = 1, 60 do
          send_numbers(one, other, i, i)
          assert_failed("EMSGSIZE", one:send_to(("x"):rep(65508), other:local_addr()))
        end
        assert_numbers(other, 1, 60)
        close(one, other)
      end)
    end)

    it("those that are kept go with their socket, and stay where another receives", function()
      run(function()
        local one, other, third = bind(), bind(), bind()
        send_numbers(one, other, 1, 20)
        send_numbers(one, third, 1, 20)
        assert.equal("1", third:recv())
        assert.equal("1", other:recv())
        third:close()
        assert_failed("EBADF", third:recv())
        assert_numbers(other, 2, 20)
        send_numbers(one, other, 1, 20)
        assert.equal("1", other:recv())
        other:close()
        assert_failed("EBADF", other:recv_from(0))
        one:close()
      end)
    end)

    it("those that are kept need no event, and do not hinder one", function()
      run(function()
        local one, other = bind(), bind()
        send_numbers(one, other, 1, 10)
        assert.equal("1", other:recv())
        assert.is_nil(momo.io.poll(other:fd(), "r", 0)) -- they have left the descriptor
        assert_numbers(other, 2, 10)
        local reader = waiting(function() return other:recv() end)
        send_numbers(one, other, 11, 11)
        assert.equal("11", select(2, reader:join()))
        close(one, other)
      end)
    end)
  end)
end

it("datagrams come and go where the compiler was off from the first", function()
  local status, output, err = support.shell(([[%s -e '
    jit.off()
    local momo = require "momo"
    local one, other = momo.net.UdpSocket.bind "127.0.0.1:0", momo.net.UdpSocket.bind "127.0.0.1:0"
    assert(one:connect(other:local_addr()))
    for i = 1, 20 do assert(one:send(tostring(i)) == #tostring(i)) end
    for i = 1, 20 do
      local data, from = other:recv_from()
      assert(data == tostring(i) and from == one:local_addr() and other:send_to(data, from))
    end
    for i = 1, 20 do assert(one:recv() == tostring(i)) end
    print((select(3, one:recv(0))))
    one:close()
    other:close()
  ']]):format(support.quote(os.getenv "MOMO_BIN")))
  assert.same({ 0, "ETIMEDOUT\n", "" }, { status, output, err })
end)

describe("a finalizer that is called while a datagram is received", function()
  before_each(function() jit.off() jit.flush() end) -- compiled code calls one at any of its exits
  after_each(jit.on)
  after_each(tcp.check_nothing_left)
  after_each(finalizer.restore)

  -- Receives in `method`, while a finalizer does something to the socket, or another one: each has several unread, the
  -- next one LARGE.
  local LARGE = ("large"):rep(12000)
  local function interrupted(method, doing, check)
    run(function()
      local sender, one, other = bind(), bind(), bind()
      for _, socket in ipairs { other, one } do
        for _, data in ipairs { "first", LARGE, "last" } do sender:send_to(data, socket:local_addr()) end
        assert.equal("first", socket:recv())
      end
      local called
      local arm = finalizer.garbage(function()
        called = true
        doing(one, other)
      end)
      arm()
      local ok, data, from = pcall(one[method], one)
      assert.is_true(called, "the finalizer was not called")
      check(one, ok, data)
      if ok and method == "recv_from" then assert.equal(sender:local_addr(), from) end
      assert.is_true(LARGE == other:recv())
      assert.equal("last", other:recv())
      close(sender, one, other)
    end)
  end

  it("may raise, and an answer goes to who sent the one before", function()
    run(function()
      local server, one, other = bind(), bind(), bind()
      one:send_to("one", server:local_addr())
      one:send_to("one again", server:local_addr())
      other:send_to("other", server:local_addr())
      assert.equal("one", server:recv())
      local _, from = server:recv_from()
      local arm = finalizer.garbage(function() error("in the finalizer", 0) end)
      arm()
      local ok, err = pcall(server.recv_from, server)
      assert.same({ false, "in the finalizer" }, { ok, err })
      server:send_to("to one", from)
      assert.equal("to one", one:recv(10))
      close(server, one, other)
    end)
  end)

  for _, method in ipairs { "recv", "recv_from" } do
    it("can't take it, nor another, from under " .. method, function()
      local taken = {}
      interrupted(method, function(one, other)
        for _, socket in ipairs { one, other } do
          taken[#taken + 1] = pcall(socket.recv, socket, 0)
          taken[#taken + 1] = pcall(socket.recv_from, socket)
        end
      end, function(one, ok, data)
        assert.same({ false, false, false, false }, taken)
        assert.is_true(ok and data == LARGE)
        assert.equal("last", one:recv())
        assert_failed("ETIMEDOUT", one:recv(0))
      end)
    end)

    it("may close the socket under " .. method, function()
      interrupted(method, function(one) one:close() end, function(one, ok, data)
        assert.is_true(ok and data == LARGE)
        assert_failed("EBADF", one:recv())
      end)
    end)

    it("may raise, which takes nothing from " .. method, function()
      interrupted(method, function() error("in the finalizer", 0) end, function(one, ok, err)
        assert.same({ false, "in the finalizer" }, { ok, err })
        assert.is_true(LARGE == one:recv())
        assert.equal("last", one:recv())
      end)
    end)
  end
end)
