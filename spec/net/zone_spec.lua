-- The zone of an IPv6 address: an interface by its name or number. One that there is not is a failure that names it,
-- wherever an address is taken. And localhost, in networks of one family or of none.

local momo = require "momo"
local support = require "spec.support"

local net = momo.net

---Runs fn as a task.
local function on(fn)
  return function() momo.run(fn) end
end

describe("a zone", function()
  for _, zone in ipairs { "nosuch", "0x1", "4000000000", "12345", "lo ", "1 ", "-1", "" } do
    local address, host = ("[fe80::1%%%s]:9"):format(zone), "fe80::1%" .. zone

    it(("that there is not is told: %q"):format(zone), on(function()
      local udp = assert(net.UdpSocket.bind "[::]:0")
      for name, call in pairs {
        listen = function() return net.TcpListener.bind(address) end,
        listen_on_loopback = function() return net.TcpListener.bind(("[::1%%%s]:0"):format(zone)) end,
        connect = function() return net.TcpStream.connect(address) end,
        udp_bind = function() return net.UdpSocket.bind(address) end,
        udp_connect = function() return net.UdpSocket.connect(address) end,
        connect_this = function() return udp:connect(address) end,
        send_to = function() return udp:send_to("x", address) end,
        send_to_group = function() return udp:send_to("x", ("[ff02::1%%%s]:9"):format(zone)) end,
        lookup = function() return net.lookup_host(host) end,
        join = function() return udp:join_multicast("ff02::1234%" .. zone) end,
        leave = function() return udp:leave_multicast("ff02::1234%" .. zone) end,
        join_on = function() return udp:join_multicast("ff02::1234", zone) end,
        interface = function() return udp:set_multicast_interface(zone) end,
      } do
        local result, err, code = call()
        assert.is_nil(result, name)
        assert.equal("ENODEV", code, name)
        assert.matches("^ENODEV: no such device: ", err, name)
        assert.is_truthy(err:find(zone, 1, true), name)
      end
      udp:close()
    end))
  end

  it("is a name or a number, and stays with the address", on(function()
    for _, zone in ipairs { "lo", "1" } do
      local listener = assert(net.TcpListener.bind(("[::1%%%s]:0"):format(zone)))
      local stream = assert(net.TcpStream.connect(listener:local_addr()))
      stream:close()
      listener:close()
      assert.same({ "fe80::1%lo" }, net.lookup_host("fe80::1%" .. zone))
      assert.same({ "[fe80::1%lo]:80" }, net.lookup_host("fe80::1%" .. zone, 80))
    end
    assert.same({ "fe80::1" }, net.lookup_host "fe80::1%0") -- the system's choice
  end))

  -- The interface that has a route for IPv6's groups; lo has none.
  local function multicast_interface()
    for line in io.lines "/proc/net/ipv6_route" do
      local interface = line:match "^ff00.*%s(%S+)$"
      if interface then
        return interface, assert(io.open("/sys/class/net/" .. interface .. "/ifindex")):read "*l"
      end
    end
  end

  it("of a group is the interface", on(function()
    local interface, number = multicast_interface()
    if not interface then
      return pending "no interface has a route for groups"
    end
    local socket = assert(net.UdpSocket.bind "[::]:0")
    local sender = assert(net.UdpSocket.bind "[::]:0")
    local port = socket:local_addr():match ":(%d+)$"
    assert.is_true(sender:set_multicast_ttl(0))
    assert.is_true(socket:join_multicast("ff12::1234%" .. interface))
    assert.equal("EADDRINUSE", select(3, socket:join_multicast("ff12::1234", interface)))
    assert.equal(1, assert(sender:send_to("x", ("[ff12::1234%%%s]:%s"):format(number, port))))
    assert.equal("x", (socket:recv()))
    assert.is_true(socket:leave_multicast("ff12::1234", number))
    assert.is_true(socket:join_multicast("ff12::1234%" .. interface, number)) -- both say it
    socket:close()
    sender:close()
  end))

  it("of a group contradicts no other interface", function()
    if support.shell "unshare -rn true" ~= 0 then
      return pending "this system allows no namespaces"
    end
    local program = support.tmpfile [[
      local momo = require "momo"
      local socket = assert(momo.net.UdpSocket.bind "[::]:0")
      for line in io.lines "/proc/net/dev" do
        local other = line:match "^%s*(%S+):"
        if other and other ~= "lo" then
          print(select(2, socket:join_multicast("ff02::1234%lo", other)))
          return
        end
      end
      print "EINVAL: no other interface"
    ]]
    local _, stdout, stderr = support.shell("unshare -rn sh -c "
      .. support.quote("ip link set lo up; ip tuntap add t0 mode tun; \"$MOMO_BIN\" " .. program))
    assert.matches("^EINVAL: ", stdout, stderr)
  end)
end)

describe("localhost", function()
  local PROGRAM = [[
    local momo = require "momo"
    for _, address in ipairs { "127.0.0.1:0", "[::1]:0" } do
      local listener = assert(momo.net.TcpListener.bind(address))
      local port = listener:local_addr():match ":(%d+)$"
      local ok, err = momo.net.TcpStream.connect("localhost:" .. port)
      print(ok and "connected" or err)
    end
  ]]
  local ways = {
    { "where there is nothing else", "true" },
    { "beside an address of IPv6 alone", "ip addr add fd00::1/128 dev lo" },
    { "beside an address of IPv4 alone", "ip addr add 10.0.0.1/32 dev lo" },
    { "beside both", "ip addr add 10.0.0.1/32 dev lo; ip addr add fd00::1/128 dev lo" },
  }

  for _, way in ipairs(ways) do
    it("is found " .. way[1], function()
      if support.shell "unshare -rmn true" ~= 0 then
        return pending "this system allows no namespaces"
      end
      local hosts = support.tmpfile "127.0.0.1 localhost\n::1 localhost\n"
      local status, stdout, stderr = support.shell("unshare -rmn sh -c " .. support.quote(
        ("ip link set lo up; %s; mount --bind %s /etc/hosts; exec \"$MOMO_BIN\" %s"):format(
          way[2], hosts, support.tmpfile(PROGRAM))))
      assert.same({ 0, "connected\nconnected\n", "" }, { status, stdout, stderr })
    end)
  end
end)
