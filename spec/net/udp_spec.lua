local momo = require "momo"
local process = require "spec.support.process"
local support = require "spec.support"
local tcp = require "spec.support.tcp"

local UdpSocket = momo.net.UdpSocket
local run, waiting, assert_failed = tcp.run, tcp.waiting, tcp.assert_failed

local function bind(address, options)
  return assert(UdpSocket.bind(address or "127.0.0.1:0", options))
end

-- An address with another host.
local function at(host, address)
  return host .. address:match ":%d+$"
end

describe("a UDP socket", function()
  after_each(tcp.check_nothing_left)
  after_each(process.stop_all)

  it("sends datagrams to addresses and tells where they came from, of both families", function()
    run(function()
      for _, host in ipairs { "127.0.0.1:0", "[::1]:0" } do
        local one, other = bind(host), bind(host)
        assert.equal(5, one:send_to("hello", other:local_addr()))
        assert.same({ "hello", one:local_addr() }, { other:recv_from() })
        assert.equal(3, other:send_to("and", one:local_addr()))
        assert.equal(4, other:send_to("more", one:local_addr()))
        assert.same({ "and", "more" }, { one:recv(), (one:recv()) })
        one:close()
        other:close()
      end
    end)
  end)

  it("takes what is empty and what is as long as may be, uncut; longer ones are refused", function()
    run(function()
      local one, other = bind(), bind()
      for _, data in ipairs { "", ("x"):rep(65507), "", "\0a\0" } do
        assert.equal(#data, one:send_to(data, other:local_addr()))
        assert.is_true(data == other:recv())
      end
      assert_failed("EMSGSIZE", one:send_to(("x"):rep(65508), other:local_addr()))
      one:close()
      other:close()
    end)
  end)

  it("keeps the order of a burst, with few system calls, while others receive as well", function()
    run(function()
      local one, other, third = bind(), bind(), bind()
      for i = 1, 100 do
        one:send_to("burst " .. i, other:local_addr())
        one:send_to("beside " .. i, third:local_addr())
      end
      for i = 1, 100 do
        assert.equal("burst " .. i, other:recv())
        assert.equal("beside " .. i, third:recv())
      end
      for _, socket in ipairs { one, other, third } do socket:close() end
    end)
    local _, _, calls = support.shell(([[strace -f -c -e trace=recvmmsg,recvmsg,recvfrom %s -e '
      local momo = require "momo"
      local one = assert(momo.net.UdpSocket.bind "127.0.0.1:0")
      for i = 1, 96 do one:send_to("x", one:local_addr()) end
      for i = 1, 96 do assert(one:recv() == "x") end
      one:close()
    ']]):format(support.quote(os.getenv "MOMO_BIN")))
    local n = calls:match "(%d+)%s+recvmmsg" or calls:match "(%d+)%s+%d*%s+recvmmsg"
    assert(n and tonumber(n) <= 7 and not calls:find "recvmsg", calls)
  end)

  it("serves those who wait in turn", function()
    run(function()
      local one, other, got = bind(), bind(), {}
      local tasks = {}
      for i = 1, 5 do
        tasks[i] = waiting(function() got[i] = other:recv() end)
      end
      tasks[2]:cancel()
      for i = 1, 4 do one:send_to(tostring(i), other:local_addr()) end
      for i = 1, 5 do tasks[i]:join() end
      assert.same({ "1", nil, "2", "3", "4" }, got)
      one:close()
      other:close()
    end)
  end)

  it("when connected sends there, receives from there only, and hears of a refusal", function()
    run(function()
      local server, stranger = bind(), bind()
      local client = assert(UdpSocket.connect(server:local_addr()))
      assert.equal(server:local_addr(), client:peer_addr())
      assert.equal(4, client:send "ping")
      local data, from = server:recv_from()
      assert.same({ "ping", client:local_addr() }, { data, from })
      stranger:send_to("not for you", client:local_addr())
      server:send_to("pong", client:local_addr())
      assert.equal("pong", client:recv())
      assert_failed("ETIMEDOUT", client:recv(0))
      server:close()
      client:send "anybody?"
      assert_failed("ECONNREFUSED", client:recv())
      assert_failed("ETIMEDOUT", client:recv(0))
      local waiter = waiting(function() assert_failed("ECONNREFUSED", client:recv()) end)
      client:send "nobody?"
      assert.is_true((waiter:join()))
      local again = bind()
      assert.equal(client, client:connect(again:local_addr()))
      client:send "again"
      assert.equal("again", again:recv())
      assert_failed("EDESTADDRREQ", again:send "where to?")
      assert_failed("ENOTCONN", again:peer_addr())
      for _, socket in ipairs { client, stranger, again } do socket:close() end
    end)
  end)

  describe("that was refused", function()
    -- A socket whose peer is gone, and which the system has told so. Nothing has been asked since.
    local function refused()
      local server = bind()
      local client = assert(UdpSocket.connect(server:local_addr()))
      server:close()
      return client
    end

    it("is told to who waits for an answer, though a send heard of it first", function()
      run(function()
        local client = refused()
        for _, recv in ipairs { client.recv, client.recv_from } do
          local reader = waiting(recv, client, 10)
          client:send "anybody?"
          assert_failed("ECONNREFUSED", client:send "nobody?") -- before the loop has looked
          local ok, data, _, code = reader:join()
          assert.same({ true, nil, "ECONNREFUSED" }, { ok, data, code })
        end
        client:close()
      end)
    end)

    it("is told to who receives later", function()
      run(function()
        local client = refused()
        momo.scope(function(scope)
          scope:spawn(function()
            client:send "anybody?"
            assert_failed("ECONNREFUSED", client:send "nobody?")
          end)
        end)
        assert_failed("ECONNREFUSED", client:recv(0))
        assert_failed("ETIMEDOUT", client:recv(0))
        client:close()
      end)
    end)

    it("is told to who sends, though a recv heard of it first", function()
      run(function()
        local client = refused()
        local reader = waiting(function() return client:recv() end)
        client:send "anybody?"
        assert.equal("ECONNREFUSED", select(4, reader:join()))
        assert_failed("ECONNREFUSED", client:send "nobody?")
        assert.equal(7, client:send "nobody?")
        client:close()
      end)
    end)

    it("is told once to a task that does both, and not of a peer before", function()
      run(function()
        local client = refused()
        for _ = 1, 3 do
          client:send "anybody?"
          assert_failed("ECONNREFUSED", client:recv())
        end
        client:send "anybody?"
        assert_failed("ECONNREFUSED", client:send "nobody?")
        assert_failed("ETIMEDOUT", client:recv(0))
        local reader = waiting(function() return client:recv() end)
        client:send "anybody?"
        reader:join()
        local again = bind()
        client:connect(again:local_addr())
        assert.equal(5, client:send "again")
        assert.equal("again", again:recv())
        client:close()
        again:close()
      end)
    end)
  end)

  it("takes host names, of the family that it speaks", function()
    run(function()
      local one, other = assert(UdpSocket.bind "localhost:0"), bind()
      assert.equal(1, other:send_to("a", at("localhost", other:local_addr())))
      assert.equal("a", other:recv())
      local client = assert(UdpSocket.connect(at("localhost", one:local_addr())))
      assert.equal(1, client:send "b")
      assert.equal("b", one:recv())
      assert_failed("EAI_NONAME", other:send_to("a", "no..host:1", 60))
      assert_failed("EAFNOSUPPORT", other:send_to("a", "[::1]:1"))
      for _, socket in ipairs { one, other, client } do socket:close() end
    end)
  end)

  it("is closed like a stream: who waits gets ECANCELED, who comes later EBADF", function()
    run(function()
      local one = bind()
      local waiters = {
        waiting(function() assert_failed("ECANCELED", one:recv()) end),
        waiting(function() assert_failed("ECANCELED", one:recv_from(60)) end),
      }
      one:close()
      one:close()
      local successor = bind()
      for _, waiter in ipairs(waiters) do assert(waiter:join()) end
      assert_failed("EBADF", one:recv())
      assert_failed("EBADF", one:recv_from(0))
      assert_failed("EBADF", one:send "x")
      assert_failed("EBADF", one:send_to("x", successor:local_addr()))
      assert_failed("EBADF", one:connect(successor:local_addr()))
      assert_failed("EBADF", one:local_addr())
      assert_failed("EBADF", one:peer_addr())
      assert_failed("EBADF", one:set_broadcast(true))
      assert_failed("EBADF", one:set_multicast_ttl(1))
      assert_failed("EBADF", one:set_multicast_loop(true))
      assert_failed("EBADF", one:set_multicast_interface "lo")
      assert_failed("EBADF", one:join_multicast "239.1.2.3")
      successor:close()
    end)
  end)

  it("is closed by the collector when it was dropped", function()
    run(function()
      local function make() return bind():local_addr() end
      local before = momo.metrics().collected
      local address = make()
      jit.flush()
      collectgarbage()
      collectgarbage()
      assert.equal(before + 1, momo.metrics().collected)
      bind(address):close()
    end)
  end)

  it("shares its address only where asked to", function()
    run(function()
      local one = bind("127.0.0.1:0", { reuseport = true })
      assert_failed("EADDRINUSE", UdpSocket.bind(one:local_addr()))
      bind(one:local_addr(), { reuseport = true }):close()
      one:close()
    end)
  end)

  it("broadcasts only where allowed to", function()
    run(function()
      local one, other = bind "0.0.0.0:0", bind "0.0.0.0:0"
      local address = at("127.255.255.255", other:local_addr())
      assert_failed("EACCES", one:send_to("all", address))
      assert.is_true(one:set_broadcast(true))
      assert.equal(3, one:send_to("all", address))
      assert.equal("all", other:recv())
      assert.is_true(one:set_broadcast(false))
      assert_failed("EACCES", one:send_to("all", address))
      one:close()
      other:close()
    end)
  end)

  it("has the options of sockets, and a descriptor", function()
    run(function()
      local socket = bind "127.0.0.1:0"
      assert.is_true(socket:set_option("ip_ttl", 3))
      assert.equal(3, socket:get_option "ttl")
      assert.is_true(socket:get_option "close_on_exec")
      assert.is_true(socket:fd() > 2)
      socket:close()
      assert_failed("EBADF", socket:get_option "ttl")
      assert_failed("EBADF", socket:fd())
    end)
  end)

  -- The interface that has a route for IPv6's groups; lo has none.
  local function multicast_interface()
    for line in io.lines "/proc/net/ipv6_route" do
      local interface = line:match "^ff00.*%s(%S+)$"
      if interface then return interface end
    end
  end

  -- A family's wildcard, a group, the group as an address to send to, an interface on which that can be done.
  local families = {
    IPv4 = { "0.0.0.0", "239.7.8.9", "239.7.8.9", "lo" },
    IPv6 = { "[::]", "ff11::789", "[ff11::789]", multicast_interface() },
  }
  for family, case in pairs(families) do
    local any, group, target, interface = unpack(case)

    it("joins and leaves groups: " .. family, function()
      run(function()
        local one = bind(any .. ":0")
        assert.is_true(one:join_multicast(group, "lo"))
        assert_failed("EADDRINUSE", one:join_multicast(group, "lo"))
        assert.is_true(one:leave_multicast(group, "lo"))
        assert_failed("EADDRNOTAVAIL", one:leave_multicast(group, "lo"))
        assert_failed("EINVAL", one:join_multicast "no group")
        assert_failed("ENODEV", one:join_multicast(group, "no-such-if"))
        assert_failed("ENODEV", one:set_multicast_interface "no-such-if")
        assert.is_true(one:set_multicast_interface "lo")
        assert.is_true(one:set_multicast_loop(false))
        one:close()
      end)
    end)

    if interface then
      it("sends to each member of a group: " .. family, function()
        run(function()
          local one = bind(any .. ":0", { reuseaddr = true })
          local address = one:local_addr()
          local members = { one, bind(address, { reuseaddr = true }) }
          local sender = bind(any .. ":0")
          for _, member in ipairs(members) do
            assert.is_true(member:join_multicast(group, interface))
          end
          assert.is_true(sender:set_multicast_interface(interface))
          assert.is_true(sender:set_multicast_ttl(0))
          assert.equal(4, sender:send_to("each", at(target, address)))
          for _, member in ipairs(members) do
            assert.equal("each", member:recv())
            member:close()
          end
          sender:close()
        end)
      end)
    end
  end

  it("talks to nc and socat", function()
    run(function()
      local socket = bind()
      local host, port = socket:local_addr():match "^(.*):(%d+)$"
      for _, client in ipairs {
        ("exec nc -u -w 60 %s %s < <(printf 'from nc')"):format(host, port),
        ("exec socat -t 60 - UDP:%s:%s < <(printf 'from socat')"):format(host, port),
      } do
        local started = process.start("bash", "-c", client)
        local data, from = socket:recv_from(60)
        assert.equal(client:match "'(.-)'", data)
        assert(socket:send_to("answer", from))
        assert.equal("answer", started.pipe:read(6))
        process.stop(started)
      end
      socket:close()
    end)
  end)

  local MISTAKES = {
    [ [[momo.net.UdpSocket.bind()]] ] =
      [[UdpSocket.bind: the address must be a string such as "127.0.0.1:8080", got nil]],
    [ [[momo.net.UdpSocket.bind("127.0.0.1:0", {reuse = true})]] ] =
      [[UdpSocket.bind: there is no option "reuse", but reuseaddr, reuseport]],
    [ [[momo.net.UdpSocket.connect(5)]] ] =
      [[UdpSocket.connect: the address must be a string such as "127.0.0.1:8080", got 5]],
    [ [[udp:connect()]] ] = [[connect: the address must be a string such as "127.0.0.1:8080", got nil]],
    [ [[udp:send_to("x", "8080")]] ] = [[send_to: "8080" is no address; write "127.0.0.1:8080"]],
    [ [[udp:send_to("x")]] ] = [[send_to: the address must be a string such as "127.0.0.1:8080", got nil]],
    [ [[udp:send_to(5, "127.0.0.1:1")]] ] = [[send_to: data must be a string, got number]],
    [ [[udp:send()]] ] = [[send: data must be a string, got nil]],
    [ [[udp:recv "x"]] ] = [[recv: the timeout must be a number of seconds, 0 or more, got string]],
    [ [[udp:send_to("x", "localhost:1", -1)]] ] =
      [[send_to: the timeout must be a number of seconds, 0 or more, got -1]],
    [ [[udp.recv()]] ] = [[recv: call it with a colon: socket:recv()]],
    [ [[udp.recv_from(stream)]] ] = [[recv_from: call it with a colon: socket:recv_from()]],
    [ [[udp.close(stream)]] ] = [[close: call it with a colon: socket:close()]],
    [ [[udp:set_broadcast(1)]] ] = [[set_broadcast: argument 1 must be a boolean, got 1]],
    [ [[udp:set_multicast_ttl(256)]] ] =
      [[set_multicast_ttl: argument 1 must be a whole number from 0 to 255, got 256]],
    [ [[udp:join_multicast()]] ] =
      [[join_multicast: argument 1 must be a group's address, such as "239.1.2.3", got nil]],
    [ [[udp:join_multicast("239.1.2.3", 1)]] ] = [[join_multicast: argument 2 must be an interface's name, got 1]],
  }
  for code, message in pairs(MISTAKES) do
    it("tells of a mistake: " .. code, function()
      local err = tcp.mistake(("local udp = momo.net.UdpSocket.bind '127.0.0.1:0'; %s"):format(code))
      assert.equal("app.lua:2: " .. message, err)
    end)
  end
end)
