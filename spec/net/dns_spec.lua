-- Host names: what they stand for, and that look-ups that hang hold nothing else up.

local momo = require "momo"
local support = require "spec.support"
local tcp = require "spec.support.tcp"

local lookup_host, run = momo.net.lookup_host, tcp.run

local function has(list, wanted)
  for _, value in ipairs(list) do
    if value == wanted then
      return true
    end
  end
  return false
end

describe("lookup_addr", function()
  after_each(tcp.check_nothing_left)

  it("gives an address's name, which has that address", function()
    run(function()
      local name = assert(momo.net.lookup_addr "127.0.0.1")
      assert.is_true(has(assert(lookup_host(name)), "127.0.0.1"))
    end)
  end)

  it("fails for one that has none, and for a zone that there is not", function()
    run(function()
      local name, err, code = momo.net.lookup_addr "192.0.2.123" -- which is nobody's (RFC 5737)
      assert.is_nil(name)
      assert.is_true(code == "EAI_NONAME" or code == "EAI_AGAIN")
      assert.matches(code .. ": .+: 192%.0%.2%.123", err)
      tcp.assert_failed("ENODEV", momo.net.lookup_addr "fe80::1%nosuch")
    end)
  end)

  it("takes an address, and nothing else", function()
    run(function()
      for _, wrong in ipairs { "localhost", "127.0.0.1:80", "[::1]", "", "127.0.0.1\0x", 1 } do
        local ok, err = pcall(momo.net.lookup_addr, wrong)
        assert.is_false(ok)
        assert.matches("dns_spec.lua:%d+: lookup_addr: ", err)
      end
    end)
  end)
end)

describe("lookup_host", function()
  after_each(tcp.check_nothing_left)

  it("gives a host's addresses", function()
    run(function()
      local addresses = assert(lookup_host "localhost")
      assert.is_true(has(addresses, "127.0.0.1") or has(addresses, "::1"))
    end)
  end)

  it("gives addresses for connect, with a port", function()
    run(function()
      local listener = assert(momo.net.TcpListener.bind "127.0.0.1:0")
      local port = tonumber(listener:local_addr():match "%d+$")
      local addresses = assert(lookup_host("localhost", port))
      assert.is_true(has(addresses, "127.0.0.1:" .. port) or has(addresses, ("[::1]:%d"):format(port)))
      assert.same({ "127.0.0.1:" .. port }, lookup_host("127.0.0.1", port))
      assert(momo.net.TcpStream.connect("127.0.0.1:" .. port)):close()
      listener:close()
    end)
  end)

  it("takes an address for itself", function()
    run(function()
      assert.same({ "127.0.0.1" }, lookup_host "127.0.0.1")
      assert.same({ "::1" }, lookup_host "::1")
      assert.same({ "[::1]:80" }, lookup_host("::1", 80))
    end)
  end)

  it("returns what the system says of a name that there is not", function()
    run(function()
      local addresses, err, code = lookup_host "no-such-host.invalid"
      assert.is_nil(addresses)
      assert.matches("^EAI_%u+: .*no%-such%-host%.invalid", err)
      assert.matches("^EAI_", code)
    end)
  end)

  it("refuses names that no DNS could hold", function()
    run(function()
      for _, name in ipairs { "", ("a"):rep(254), ("a."):rep(200), "a\0b" } do
        local addresses, err, code = lookup_host(name)
        assert.is_nil(addresses)
        assert.equal("EINVAL", code)
        assert.matches("1 to 253 bytes", err, 1, true)
      end
      local label = ("a"):rep(63)
      for _, long in ipairs { label .. ".invalid", ("a"):rep(53) .. ("." .. label):rep(3) .. ".invalid" } do
        local _, _, code = lookup_host(long) -- not too long
        assert.matches("^EAI_", code)
      end
    end)
  end)

  it("throws for what is no host, or no port", function()
    run(function()
      for _, arguments in ipairs {
        {}, { 80 }, { "localhost", "80" }, { "localhost", 65536 }, { "localhost", -1 },
      } do
        local ok, err = pcall(lookup_host, unpack(arguments))
        assert.is_false(ok)
        assert.matches("dns_spec.lua:%d+: lookup_host: argument", err)
      end
    end)
  end)

  it("is given up when its task is cancelled", function()
    run(function()
      for _ = 1, 20 do
        local task = momo.spawn(function() lookup_host "localhost" momo.time.sleep(math.huge) end)
        momo.yield_now()
        task:cancel()
        assert.is_false((task:join()))
      end
    end)
  end)
end)

describe("examples/lookup.lua", function()
  it("prints what each name stands for, or why not", function()
    local status, stdout, stderr = support.momo(assert(os.getenv "MOMO_SOURCE_DIR") .. "/examples/lookup.lua",
      "127.0.0.1", "no..host", ("a"):rep(254)) -- no name server has to be asked
    assert.same({ 0, "" }, { status, stderr })
    assert.matches("127.0.0.1\t127.0.0.1\n", stdout, 1, true)
    assert.matches("no%.%.host\tEAI_%u+: ", stdout)
    assert.matches("a\tEINVAL: a host name has 1 to 253 bytes", stdout, 1, true)
  end)
end)

-- In a network and a file system of its own, where a name server takes questions, and answers none of them for long.
local STALLED = [[
  ip link set lo up
  printf 'nameserver 127.0.0.1\noptions timeout:30 attempts:1\n' >%s
  mount --bind %s /etc/resolv.conf
  exec "$MOMO_BIN" %s
]]

describe("a hundred look-ups that hang", function()
  it("hold up neither files, nor other tasks, nor each other for ever", function()
    if support.shell "unshare -rmn true" ~= 0 then
      return pending "this system allows no namespaces"
    end
    local resolv, program = support.tmpfile "", support.tmpfile [[
      local momo = require "momo"
      local silent = assert(momo.net.UdpSocket.bind "127.0.0.1:53")
      local left, order = 100, {}
      for i = 1, 100 do
        momo.spawn(function()
          local _, _, code = momo.net.lookup_host(("host-%d.example"):format(i))
          assert(code == "EAI_NONAME", code)
          left = left - 1
        end)
      end
      local question, from = assert(silent:recv_from()) -- the first has been asked
      assert(momo.spawn_blocking(function() return assert(io.open "/etc/resolv.conf"):read "*a" end):join())
      order[1] = left == 100
      momo.time.sleep(0.01)
      order[2] = left == 100
      local server = momo.spawn(function()
        while true do -- there is no such name
          silent:send_to(question:sub(1, 2) .. "\129\131" .. question:sub(5), from)
          question, from = assert(silent:recv_from())
        end
      end)
      assert(momo.net.lookup_host "127.0.0.1")
      while left > 0 do momo.time.sleep(0.001) end
      server:cancel()
      print(order[1], order[2], left)
    ]]
    local status, stdout, stderr = support.shell("unshare -rmn sh -c "
      .. support.quote(STALLED:format(resolv, resolv, program)))
    assert.same({ 0, "true\ttrue\t0\n", "" }, { status, stdout, stderr })
  end)
end)
