-- Peers that stop, go or say little, at every byte of a handshake; much in both directions; and what a request costs.

local certs = require "spec.support.certs"
local momo = require "momo"
local support = require "spec.support"
local tcp = require "spec.support.tcp"
local tls = require "spec.support.tls"

local run, assert_failed = tcp.run, tcp.assert_failed
local SANITIZED = (os.getenv "MOMO_SANITIZE" or "") ~= ""
local STEP = SANITIZED and 211 or 23 -- bytes between two places of a handshake that are looked at

-- Two ends with a relay between them, which passes on at most so many bytes of one direction; then it calls
-- over(near, far). size: of the segments in which it passes them on.
local function relayed(limit, of_client, over, size)
  local client, near = tcp.pair()
  local far, server = tcp.pair()
  near:set_nodelay(true)
  far:set_nodelay(true)
  local function pass(from, to, max)
    local passed = 0
    while true do
      local bytes = from:read(max and math.min(size or 65536, math.max(1, max - passed)) or size)
      if not bytes then
        return to:shutdown()
      end
      if max and passed + #bytes > max then
        return over(near, far)
      end
      passed = passed + #bytes
      if not to:write(bytes) then return end
    end
  end
  local tasks = {
    momo.spawn(pass, near, far, of_client and limit or nil),
    momo.spawn(pass, far, near, not of_client and limit or nil),
  }
  return client, server, function()
    near:close()
    far:close()
    for _, task in ipairs(tasks) do task:join() end
  end
end

local function settings(version)
  return tls.client { max_version = version, sessions = 0 }, tls.server { max_version = version }
end

local FATES = {
  ["stops"] = function() end,
  ["ends"] = function(near, far)
    near:close()
    far:close()
  end,
  ["breaks off"] = function(near, far)
    for _, stream in ipairs { near, far } do
      local ffi = require "ffi"
      ffi.cdef "int setsockopt(int, int, int, const void *, unsigned);"
      ffi.C.setsockopt(stream:fd(), 1, 13, ffi.new("int[2]", 1, 0), 8) -- SO_LINGER: a reset
      stream:close()
    end
  end,
}

describe("a handshake whose peer", function()
  after_each(tcp.check_nothing_left)

  for fate, over in pairs(FATES) do
    for _, version in ipairs { "1.2", "1.3" } do
      for _, of_client in ipairs { true, false } do
        it(("%s within what the %s of TLS %s sends, after any byte, ends"):format(fate,
          of_client and "client" or "server", version), function()
          run(function()
            local client, server = settings(version)
            local whole = false
            for limit = 0, 5000, STEP do
              local one, other, close = relayed(limit, of_client, over)
              local timeout = fate == "stops" and 0.03 or 10
              local serving = momo.spawn(function() return select(2, server:wrap(other, timeout)) end)
              local _, mine = client:wrap(one, "localhost", timeout)
              local _, its = serving:join()
              for stream, err in pairs { [one] = mine or false, [other] = its or false } do
                if err then
                  assert(err:find "^ETIMEDOUT" or err:find "^ETLS: closed" or err:find "^EOF" or err:find "^ECONNRESET"
                    or err:find "^EPIPE", err)
                  assert_failed("EBADF", stream:read())
                end
                stream:close()
              end
              close()
              whole = not mine and not its
              if whole then break end
            end
            assert.is_true(whole)
          end)
        end)
      end
    end
  end

  it("is cancelled in any step leaves no stream", function()
    run(function()
      local client, server = settings "1.3"
      for limit = 0, 1500, 5 * STEP do
        for _, of_client in ipairs { true, false } do
          local one, other, close = relayed(limit, of_client, FATES.stops)
          local wrapping = { momo.spawn(client.wrap, client, one, "localhost"), momo.spawn(server.wrap, server, other) }
          tcp.settle()
          for i, task in ipairs(wrapping) do
            local status = task:status() -- a ready one may still come to its end, or hear of it in its next step
            task:cancel()
            local ok = task:join()
            assert.is_true(status == "ready" or ok == (status == "done"))
            if not ok then
              assert_failed("EBADF", ({ one, other })[i]:read())
            end
          end
          one:close()
          other:close()
          close()
        end
      end
    end)
  end)

  for _, version in ipairs { "1.2", "1.3" } do
    it("sends one byte at a time is made all the same, in TLS " .. version, function()
      run(function()
        local client, server = settings(version)
        local one, other, close = relayed(nil, true, nil, 1)
        local own, others = tls.shake(client, one, server, other)
        assert(own[1] and others[1], own[2] or others[2])
        one:write "slow"
        assert.equal("slow", other:read_exact(4))
        other:write "slowly"
        assert.equal("slowly", one:read_exact(6))
        one:close()
        assert_failed("EOF", other:read())
        other:close()
        close()
      end)
    end)
  end

  it("fails does not touch another's stream", function()
    run(function()
      local one, other = tls.pair()
      local client, server = settings "1.3"
      for i = 1, 40 do
        local plain, its = tcp.pair()
        plain:write(i % 2 == 0 and "GET / HTTP/1.1\r\n\r\n" or "\22\3\1\0\5hello")
        assert_failed("ETLS", server:wrap(its, 10))
        plain:close()
        local third, fourth = tcp.pair()
        local own, others = tls.shake(client, third, server, fourth, "other.example")
        assert(own[3] == "ETLS" and others[3] == "ETLS")
        one:write("message " .. i)
        assert.equal("message " .. i, other:read())
        other:write("answer " .. i)
        assert.equal("answer " .. i, one:read())
      end
      one:close()
      other:close()
    end)
  end)
end)

describe("a server of TLS", function()
  after_each(tcp.check_nothing_left)

  it("accepts others while handshakes hang", function()
    run(function()
      local address, serving, listener = tls.serve(function(stream) stream:write "x" end, tls.server(),
        { handshake_timeout = 10 })
      local silent = {}
      for i = 1, 100 do
        silent[i] = assert(momo.net.TcpStream.connect(address))
        silent[i]:write "\22"
      end
      local stream = assert(momo.tls.connect(address, tls.client(), 10))
      assert.equal("x", stream:read())
      stream:close()
      for i = 1, 100 do silent[i]:close() end
      listener:close()
      assert(serving:join())
    end)
  end)

  it("makes some handshakes in a window, and lets the others wait, while tasks go on", function()
    run(function()
      local n = SANITIZED and 50 or 300
      local address, serving, listener = tls.serve(function(stream) stream:write "x" end, tls.server(),
        { handshake_timeout = 100 })
      local client, tasks = tls.client { sessions = 0 }, {}
      for i = 1, n do
        tasks[i] = momo.spawn(function()
          local stream = assert(momo.tls.connect(address, client, 100))
          assert.equal("x", stream:read())
          stream:close()
        end)
      end
      local turns = 0
      while tasks[n]:status() ~= "done" do
        momo.yield_now()
        turns = turns + 1
      end
      for i = 1, n do assert(tasks[i]:join()) end
      assert.is_true(turns > n / 8, turns .. " turns")
      listener:close()
      assert(serving:join())
    end)
  end)
end)

describe("both directions at once", function()
  after_each(tcp.check_nothing_left)

  local MIB = 1024 * 1024
  local AMOUNT = SANITIZED and 4 or 64 -- MiB

  for _, version in ipairs { "1.2", "1.3" } do
    it(("carry %d MiB each through small buffers, in TLS %s"):format(AMOUNT, version), function()
      run(function()
        local one, other = tls.pair { server = { max_version = version }, pair = function()
          local path = "@momo " .. tostring {} -- TCP waits for a clock where so little fits
          local listener = assert(momo.net.UnixListener.bind(path))
          local first = assert(momo.net.UnixStream.connect(path))
          local second = assert(listener:accept())
          listener:close()
          for _, stream in ipairs { first, second } do
            assert(stream:set_option("so_sndbuf", 4096) and stream:set_option("so_rcvbuf", 4096))
          end
          return first, second
        end }
        local chunk = ("0123456789abcdef"):rep(MIB / 16)
        local tasks = {}
        for _, stream in ipairs { one, other } do
          tasks[#tasks + 1] = momo.spawn(function()
            for i = 1, AMOUNT do assert(stream:write { tostring(i % 10), chunk }) end
            stream:shutdown()
          end)
          tasks[#tasks + 1] = momo.spawn(function()
            for i = 1, AMOUNT do
              assert.equal(tostring(i % 10), stream:read_exact(1))
              assert(chunk == stream:read_exact(MIB))
            end
            assert_failed("EOF", stream:read())
          end)
        end
        for _, task in ipairs(tasks) do assert(task:join()) end
        one:close()
        other:close()
      end)
    end)
  end

  for _, role in ipairs { "server", "client" } do
    it(("carry %d MiB each, while a %s asks for new keys after each MiB"):format(AMOUNT, role), function()
      run(function()
        local own, its = momo.net.UnixStream.pair()
        for _, stream in ipairs { own, its } do
          assert(stream:set_option("so_sndbuf", 4096) and stream:set_option("so_rcvbuf", 4096))
        end
        local host = certs.localhost()
        local child = assert(momo.process.spawn { "luajit", "spec/support/tls_keys.lua", role, host.cert_path,
          host.key_path, tostring(AMOUNT), stdin = its, stderr = "pipe" })
        its:close()
        local stream = role == "client" and assert(tls.server():wrap(own, 20))
          or assert(tls.client():wrap(own, "localhost", 20))
        local chunk = ("0123456789abcdef"):rep(MIB / 16)
        local writer = momo.spawn(function()
          for _ = 1, AMOUNT do assert(stream:write(chunk)) end
          stream:shutdown()
        end)
        for _ = 1, AMOUNT do
          assert.is_true(chunk == stream:read_exact(MIB))
        end
        assert_failed("EOF", stream:read())
        assert(writer:join())
        assert.is_true(tonumber(child.stderr:read_until("\n"):match "^(%d+) updates") >= AMOUNT)
        assert.same({ status = 0 }, child:wait())
        stream:close()
      end)
    end)
  end

  it("pass proxies: plain to TLS to TLS in TLS, and back", function()
    run(function()
      local plain, its = tcp.pair()
      local first, second = tls.pair()
      local third, fourth = tls.pair()
      local own, others = tls.shake(tls.client(), third, tls.server(), fourth)
      assert(own[1] and others[1])
      assert.equal(2, third:tls().layers)
      local proxies = { momo.spawn(momo.io.pipe_both, its, first), momo.spawn(momo.io.pipe_both, second, third) }
      local data = ("through and through "):rep(200000)
      local echo = momo.spawn(function() return momo.io.copy(fourth, fourth) end)
      local writer = momo.spawn(function()
        assert(plain:write(data))
        plain:shutdown()
      end)
      assert.equal(data, plain:read_exact(#data))
      assert(writer:join())
      assert.equal(#data, select(2, echo:join()))
      fourth:close()
      assert_failed("EOF", plain:read())
      for _, proxy in ipairs(proxies) do assert(proxy:join()) end
      for _, stream in ipairs { plain, its, first, second, third } do stream:close() end
    end)
  end)
end)

describe("STARTTLS", function()
  after_each(tcp.check_nothing_left)

  it("lets no plain text that was sent behind the command reach the reader", function()
    run(function()
      local client, server = tcp.pair()
      client:write "STARTTLS\r\nMAIL FROM:<evil@a.example>\r\n" -- as somebody on the way would
      assert.equal("STARTTLS\r\n", server:read_until "\r\n")
      server:write "220 go ahead\r\n"
      local task = momo.spawn(function()
        assert.equal("220 go ahead\r\n", client:read_until "\r\n")
        return tls.client():wrap(client, "localhost", 10)
      end)
      local _, err = tls.server():wrap(server, 10)
      assert.equal("ETLS: not-tls: the peer does not speak TLS, it sent \"MAIL FROM:<evil@a.example>\"", err)
      assert_failed("EBADF", server:read())
      assert.is_nil((select(2, task:join())))
      client:close()
      -- and where the plain text comes from a server, before its handshake
      client, server = tcp.pair()
      server:write "220 go ahead\r\n250 all is well\r\n"
      assert.equal("220 go ahead\r\n", client:read_until "\r\n")
      _, err = tls.client():wrap(client, "localhost", 10)
      assert.equal("ETLS: not-tls: the peer does not speak TLS, it sent \"250 all is well\"", err)
      server:close()
    end)
  end)
end)

describe("a request over TLS", function()
  it("takes one recv and one send", function()
    if SANITIZED then return pending "a sanitizer's process is not to be traced" end
    local code = [[
      local momo = require "momo"
      local dev = momo.tls.self_signed()
      local server, client = momo.tls.server(dev), momo.tls.client { ca = dev.cert }
      local listener = momo.net.TcpListener.bind "127.0.0.1:0"
      momo.spawn(momo.net.serve, listener, function(stream)
        while true do
          local bytes = stream:read()
          if not bytes then return end
          stream:write(bytes)
        end
      end, { tls = server })
      local stream = momo.tls.connect(listener:local_addr(), client, 10)
      for i = 1, tonumber(arg[1]) do
        stream:write "0123456789abcdef"
        stream:read_exact(16)
      end
      stream:close()
      listener:close()]]
    local path = support.tmpfile(code)
    local function calls(n)
      local trace = support.tmpfile ""
      local status, _, stderr = support.shell(("strace -f -o %s -e trace=network,read,write,writev,epoll_wait %s %s %d")
        :format(trace, os.getenv "MOMO_BIN", path, n))
      assert.equal(0, status, stderr)
      local counted = { recvfrom = 0, sendto = 0, recvmsg = 0, sendmsg = 0, read = 0, write = 0, writev = 0 }
      for line in io.lines(trace) do
        local name = line:match "^%d+ +([%w_]+)%("
        if counted[name] then counted[name] = counted[name] + 1 end
      end
      return counted
    end
    local few, many = calls(10), calls(110)
    local each = {}
    for name, n in pairs(many) do each[name] = (n - few[name]) / 100 end
    -- both ends are in the process; a read that finds nothing comes before each wait, as on a plain stream
    assert.same({ recvfrom = each.recvfrom, sendto = 2, recvmsg = 0, sendmsg = 0, read = 0, write = 0, writev = 0 },
      each)
    assert.is_true(each.recvfrom <= 2.1, each.recvfrom .. " recv")
  end)
end)
