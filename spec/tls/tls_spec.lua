-- A stream that speaks TLS is a stream.

local certs = require "spec.support.certs"
local momo = require "momo"
local support = require "spec.support"
local tcp = require "spec.support.tcp"
local tls = require "spec.support.tls"

local run, assert_failed = tcp.run, tcp.assert_failed

local VERSIONS = { ["1.2"] = "TLSv1.2", ["1.3"] = "TLSv1.3" }

for version, shown in pairs(VERSIONS) do
  for _, key in ipairs { "ec", "rsa" } do
    describe(("a stream that speaks TLS %s, %s,"):format(version, key), function()
      after_each(tcp.check_nothing_left)

      local function pair(options)
        options = options or {}
        options.server = options.server or {}
        options.server.max_version, options.server.key_kind = version, key
        return tls.pair(options)
      end

      it("reads and writes in both directions", function()
        run(function()
          local one, other = pair()
          assert.equal(5, one:write "hello")
          assert.equal("hello", other:read())
          assert.equal(9, other:write { "one", "two", "six" })
          assert.equal("onetwosix", one:read_exact(9))
          local big = ("0123456789abcdef"):rep(65536)
          momo.spawn(function() assert.equal(#big, one:write(big)) end)
          assert.equal(big, other:read_exact(#big))
          one:close()
          assert_failed("EOF", other:read())
          other:close()
        end)
      end)

      it("has every way of reading", function()
        run(function()
          local one, other = pair()
          one:write "GET /\r\nHost: a\r\n\r\nbody"
          assert.equal("GET", other:peek(3):sub(1, 3))
          assert.equal("GET /\r\n", other:read_until "\r\n")
          local bytes, n = other:peek_ptr(4)
          assert.equal("Host", require("ffi").string(bytes, n):sub(1, 4))
          assert.is_true(other:consume(9))
          local lines = other:lines()
          assert.equal("", lines())
          one:shutdown()
          assert.equal("body", lines())
          assert.is_nil(lines())
          one:close()
          other:close()
        end)
      end)

      it("ends by shutdown, while the other direction goes on", function()
        run(function()
          local one, other = pair()
          assert.is_true(one:shutdown())
          assert_failed("EOF", other:read())
          assert_failed("EOF", other:read())
          assert_failed("EPIPE", one:write "x")
          other:write "more"
          assert.equal("more", one:read())
          other:close()
          assert_failed("EOF", one:read())
          one:close()
        end)
      end)

      it("tells what it is about", function()
        run(function()
          local one, other = pair { server = { alpn = { "h2", "http/1.1" } }, client = { alpn = { "http/1.1" } } }
          local mine, its = one:tls(), other:tls()
          assert.equal(shown, mine.version)
          assert.equal(shown, its.version)
          assert.equal(mine.cipher, its.cipher)
          assert.equal("http/1.1", mine.alpn)
          assert.equal("http/1.1", its.alpn)
          assert.equal("localhost", mine.name)
          assert.equal("localhost", its.name)
          assert.equal(1, mine.layers)
          assert.is_false(mine.resumed)
          assert.is_true(mine.verified)
          assert.is_false(its.verified)
          assert.is_nil(its.peer)
          local peer = mine.peer
          assert.equal("CN=localhost,O=Specs", peer.subject)
          assert.equal("CN=Spec CA,O=Specs", peer.issuer)
          assert.same({ "localhost" }, peer.names)
          assert.same({ "127.0.0.1", "::1" }, peer.ips)
          assert.same({}, peer.emails)
          assert.is_true(peer.not_before < os.time() and peer.not_after > os.time() + 20 * 86400)
          assert.equal(certs.localhost(key).cert, peer.pem)
          local _, digest = support.shell("openssl x509 -outform der | sha256sum", { stdin = peer.pem })
          assert.equal(digest:match "%x+", peer.sha256)
          one:close()
          assert_failed("EBADF", one:tls())
          other:close()
        end)
      end)

      it("loses nothing when a read times out, and is whole again", function()
        run(function()
          local one, other = pair()
          other:set_timeout(0.01)
          assert_failed("ETIMEDOUT", other:read())
          one:write "abc"
          other:set_timeout(10)
          assert.equal("abc", other:read())
          other:set_timeout(0)
          assert_failed("ETIMEDOUT", other:read())
          one:close()
          other:close()
        end)
      end)

      it("lets one task read while another writes, each as much as there is", function()
        run(function()
          local one, other = pair { pair = tcp.narrow_pair }
          local data = ("0123456789abcde"):rep(300000)
          local tasks = {}
          for _, stream in ipairs { one, other } do
            tasks[#tasks + 1] = momo.spawn(function() assert.equal(#data, stream:write(data)) end)
            tasks[#tasks + 1] = momo.spawn(function() assert.equal(data, stream:read_exact(#data)) end)
          end
          for _, task in ipairs(tasks) do
            assert(task:join())
          end
          one:close()
          other:close()
        end)
      end)

      it("can't be written after a write that was cut", function()
        run(function()
          local one, other = pair { pair = tcp.narrow_pair }
          one:set_timeout(0.05)
          assert_failed("ETIMEDOUT", one:write(("x"):rep(8 * 1024 * 1024)))
          assert_failed("EPIPE", one:write "y")
          one:close() -- and the peer does not take what it got for all
          local _, err, code
          repeat _, err, code = other:read() until code
          assert.equal("ETLS: truncated: the stream ended without close_notify", (err:gsub(", within a record", "")))
          other:close()
        end)
      end)

      it("is copied", function()
        run(function()
          local one, other = pair()
          local third, fourth = pair()
          local copying = momo.spawn(momo.io.copy, other, third)
          local data = ("copied "):rep(100000)
          momo.spawn(function()
            one:write(data)
            one:close()
          end)
          assert.equal(data, fourth:read_exact(#data))
          assert.same({ true, #data, n = 2 }, support.pack(copying:join()))
          third:close()
          assert_failed("EOF", fourth:read())
          fourth:close()
          other:close()
        end)
      end)
    end)
  end
end

describe("a stream that speaks TLS", function()
  after_each(tcp.check_nothing_left)

  it("is lent to no child, which would write plain text", function()
    run(function()
      local one, other = tcp.pair()
      local dev = momo.tls.self_signed()
      tls.shake(assert(momo.tls.client { ca = dev.cert }), one, assert(momo.tls.server(dev)), other, "localhost")
      for _, name in ipairs { "stdin", "stdout", "stderr" } do
        local ok, err = pcall(momo.process.spawn, { "echo", "plain", [name] = one })
        assert.is_false(ok)
        assert.matches(("spawn: %s is a stream that speaks TLS, which a child does not: pass \"pipe\", and copy with "
          .. "momo.io.copy"):format(name), err, 1, true)
      end
      one:write "x"
      assert.equal("x", other:read())
      one:close()
      other:close()
      assert_failed("EBADF", momo.process.spawn { "echo", stdout = one })
    end)
  end)
end)

describe("a plain stream", function()
  after_each(tcp.check_nothing_left)

  it("has nothing to tell of TLS", function()
    run(function()
      local one, other = tcp.pair()
      assert.same({ n = 1 }, support.pack(one:tls()))
      one:close()
      assert_failed("EBADF", one:tls())
      other:close()
    end)
  end)

  it("is wrapped in place, and what was peeked belongs to the handshake", function()
    run(function()
      local one, other = tcp.pair()
      local client = momo.spawn(function() return tls.client():wrap(one, "localhost", 10) end)
      assert(other:peek(1):byte() == 22)
      assert.equal(other, tls.server():wrap(other, 10))
      assert.equal(one, select(2, client:join()))
      one:write "x"
      assert.equal("x", other:read())
      one:close()
      other:close()
    end)
  end)

  it("may carry TLS in TLS, up to four layers", function()
    run(function()
      local one, other = tcp.pair()
      local client, server = tls.client(), tls.server()
      for layers = 1, 4 do
        local own, others = tls.shake(client, one, server, other)
        assert(own[1] and others[1], own[2] or others[2])
        assert.equal(layers, one:tls().layers)
        momo.spawn(function() one:write(("x"):rep(300000)) end)
        assert.equal(("x"):rep(300000), other:read_exact(300000))
      end
      local ok, err = pcall(client.wrap, client, one, "localhost")
      assert.is_false(ok)
      assert.matches("wrap: the stream has 4 layers of TLS already", err, 1, true)
      one:close()
      assert_failed("EOF", other:read())
      other:close()
    end)
  end)

  it("may be a Unix socket, or a pipe", function()
    run(function()
      local path = os.tmpname()
      os.remove(path)
      local listener = assert(momo.net.UnixListener.bind(path))
      local one = assert(momo.net.UnixStream.connect(path))
      local other = assert(listener:accept())
      listener:close()
      local own, others = tls.shake(tls.client(), one, tls.server(), other)
      assert(own[1] and others[1], own[2] or others[2])
      one:write "unix"
      assert.equal("unix", other:read())
      one:close()
      assert_failed("EOF", other:read())
      other:close()
    end)
  end)

  it("is closed when wrapping it fails, also while others use it", function()
    run(function()
      local one, other = tcp.pair()
      local reader = tcp.waiting(one.read, one)
      assert_failed("EBUSY", tls.client():wrap(one, "localhost"))
      assert_failed("ECANCELED", select(2, reader:join()))
      assert_failed("EBADF", one:read())
      other:close()
      one, other = tcp.pair()
      one:shutdown()
      assert_failed("EPIPE", tls.client():wrap(one, "localhost"))
      assert_failed("EBADF", one:read())
      assert_failed("EBADF", tls.client():wrap(one, "localhost"))
      other:close()
    end)
  end)

  it("is busy for others while the handshake is made, and closed when that is cancelled", function()
    run(function()
      local one, other = tcp.pair()
      local client = tls.client()
      local task = tcp.waiting(client.wrap, client, one, "localhost")
      assert_failed("EBUSY", one:read())
      assert_failed("EBUSY", client:wrap(one, "localhost"))
      assert_failed("ECANCELED", select(2, task:join()))
      other:close()
      one, other = tcp.pair()
      task = tcp.waiting(client.wrap, client, one, "localhost")
      task:cancel()
      assert.is_false((task:join()))
      assert_failed("EBADF", one:read())
      other:close()
      one, other = tcp.pair()
      assert_failed("ETIMEDOUT", client:wrap(one, "localhost", 0.01))
      assert_failed("EBADF", one:read())
      other:close()
    end)
  end)
end)

describe("tls.connect", function()
  after_each(tcp.check_nothing_left)

  it("connects, verifies the name of the address, and uses sessions again", function()
    run(function()
      local address, server, listener = tls.serve(function(stream)
        stream:write(stream:tls().name or "nobody")
      end, tls.server())
      local client = tls.client()
      for i = 1, 3 do
        local stream = assert(momo.tls.connect(address, client, 10))
        assert.equal("nobody", stream:read()) -- addresses are not sent
        assert.is_nil(stream:tls().name)
        assert.equal(i > 1, stream:tls().resumed)
        assert_failed("EOF", stream:read())
        stream:close()
      end
      local stream = assert(momo.tls.connect(address, { ca = certs.root().cert_path, name = "localhost." }, 10))
      assert.equal("localhost", stream:read())
      stream:close()
      listener:close()
      assert(server:join())
    end)
  end)

  it("takes a name besides the other options, before it connects", function()
    run(function()
      local address, server, listener = tls.serve(function(stream)
        stream:write(stream:tls().name or "nobody")
      end, tls.server())
      for name, told in pairs { [false] = "nobody", ["other.example"] = "other.example" } do
        local stream = assert(momo.tls.connect(address, { verify = false, name = name }, 10))
        assert.equal(told, stream:read())
        assert.is_false(stream:tls().verified)
        stream:close()
      end
      listener:close()
      assert(server:join())
      local mistakes = { [false] = "may be false only with verify = false", ["b\252cher.example"] = "must be in ASCII",
        [""] = "must be a host or an address" }
      for name, words in pairs(mistakes) do
        local ok, err = pcall(momo.tls.connect, address, { name = name }, 10)
        assert.is_false(ok)
        assert.matches("tls.connect: the name " .. words, err, 1, true)
      end
    end)
  end)

  it("fails as connecting does, within one timeout", function()
    run(function()
      local listener = tcp.listen()
      local address = listener:local_addr()
      assert_failed("ETIMEDOUT", momo.tls.connect(address, tls.client(), 0.01))
      assert_failed("ETIMEDOUT", momo.tls.connect(address, 0.01))
      listener:close()
      assert_failed("ECONNREFUSED", momo.tls.connect(address, tls.client(), 10))
    end)
  end)
end)

describe("net.serve with tls", function()
  after_each(tcp.check_nothing_left)

  it("gives no plain connection to the handler, and tells of handshakes that failed, not of who just leaves", function()
    run(function()
      local before, told, handled = momo.metrics().tls_failures, {}, 0
      local address, server, listener = tls.serve(function(stream)
        handled = handled + 1
        stream:write "hello"
      end, tls.server(), { on_tls_error = function(err, peer) told[#told + 1] = { err, peer } end })
      local silent = assert(momo.net.TcpStream.connect(address))
      silent:shutdown()
      assert_failed("EOF", silent:read())
      silent:close()
      local plain = assert(momo.net.TcpStream.connect(address))
      local own = plain:local_addr()
      plain:write "GET / HTTP/1.1\r\n\r\n"
      plain:set_timeout(10)
      repeat local _, _, code = plain:read() until code
      plain:close()
      assert.same({ { "ETLS: not-tls: a plain HTTP request came to a TLS port: \"GET / HTTP/1.1\"", own } }, told)
      assert_failed("ETLS", momo.tls.connect(address, { ca = certs.root().cert, name = "other.example" }, 10))
      local stream = assert(momo.tls.connect(address, tls.client(), 10))
      assert.equal("hello", stream:read())
      stream:close()
      assert.equal(1, handled)
      assert.equal(2, #told)
      assert.equal(2, momo.metrics().tls_failures - before)
      listener:close()
      assert(server:join())
    end)
  end)

  it("ends a handshake that takes too long, and counts its connection", function()
    run(function()
      local errors = {}
      local address, server, listener = tls.serve(function(stream) stream:write "x" end, tls.server(), {
        handshake_timeout = 0.05, max_connections = 1, on_tls_error = function(err) errors[#errors + 1] = err end,
      })
      local silent = assert(momo.net.TcpStream.connect(address))
      local stream = assert(momo.tls.connect(address, tls.client(), 10)) -- when the silent one has been closed
      assert.equal("x", stream:read())
      assert.same({ "ETIMEDOUT: operation timed out" }, errors)
      assert_failed("EOF", silent:read())
      silent:close()
      stream:close()
      listener:close()
      assert(server:join())
    end)
  end)
end)

describe("without libssl", function()
  it("the rest of Momo works, and momo.tls says what to install", function()
    local folder = os.tmpname()
    os.remove(folder)
    local build = assert(os.getenv "MOMO_BUILD_DIR")
    os.execute(("mkdir -p %s/momo && cp %s/lib/momo/native.so %s/momo"):format(folder, build, folder))
    local code = ([[
      package.cpath = %q
      local momo = require "momo"
      momo.run(function()
        momo.time.sleep(0)
        print(pcall(function() return momo.tls end))
        print(pcall(require, "momo.tls"))
      end)]]):format(folder .. "/?.so")
    local status, stdout, stderr = support.luajit(code)
    assert.equal(0, status, stderr)
    local words = "momo.tls was built without libssl: install libssl-dev (OpenSSL 3) and build Momo anew"
    assert.equal(("false\t%s\nfalse\t%s\n"):format(words, words), stdout)
    os.execute("rm -r " .. folder)
  end)
end)
