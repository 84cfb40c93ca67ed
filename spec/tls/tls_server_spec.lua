-- What a server of TLS does besides: names, questions, reloading, tickets, certificates of clients.

local certs = require "spec.support.certs"
local momo = require "momo"
local process = require "spec.support.process"
local support = require "spec.support"
local tcp = require "spec.support.tcp"
local tls = require "spec.support.tls"

local run, assert_failed = tcp.run, tcp.assert_failed

local function named(name)
  return certs.make { name = name, sans = "DNS:" .. name, issuer = certs.root() }
end

local one_name, other_name, below = named "one.example", named "other.example", named "*.below.example"

-- What both ends are told: the name on the certificate or an error, what the server's wrap has returned.
local function dial(client, server, name)
  local one, other = tcp.pair()
  local own, others = tls.shake(client, one, server, other, name)
  local shown = own[1] and own[1]:tls().peer.names[1] or own[2]
  one:close()
  other:close()
  return shown, others[2]
end

describe("a server with hosts", function()
  after_each(tcp.check_nothing_left)

  local hosts = {
    ["one.example"] = { cert = one_name.cert_path, key = one_name.key_path },
    ["*.below.example"] = { cert = below.cert, key = below.key },
  }

  it("shows each name its certificate, and others the one for any", function()
    run(function()
      local server, client = tls.server { hosts = hosts }, tls.client()
      assert.equal("one.example", dial(client, server, "one.example"))
      assert.equal("one.example", dial(client, server, "ONE.example"))
      assert.equal("*.below.example", dial(client, server, "a.below.example"))
      assert.equal("localhost", dial(client, server, "localhost"))
      assert.matches("^ETLS: wrong%-host", (dial(client, server, "a.b.below.example")))
    end)
  end)

  it("and none for any refuses other names", function()
    run(function()
      local server, client = assert(momo.tls.server { hosts = hosts }), tls.client()
      assert.equal("one.example", dial(client, server, "one.example"))
      local mine, its = dial(client, server, "localhost")
      assert.equal("ETLS: refused: the peer ended the handshake: alert 112, unrecognized name: it has no certificate "
        .. "for this name", mine)
      assert.equal("ETLS: wrong-host: the client asks for \"localhost\", for which there is no certificate", its)
      mine, its = dial(client, server, "127.0.0.1")
      assert.equal("ETLS: refused: the peer ended the handshake: alert 112, unrecognized name: we sent no name; did "
        .. "you pass it?", mine)
      assert.equal("ETLS: wrong-host: the client has sent no name, and there is no certificate without one", its)
    end)
  end)

  it("has certificates for several kinds of keys", function()
    run(function()
      local ec, rsa = certs.localhost "ec", certs.localhost "rsa"
      local server = assert(momo.tls.server { cert = { ec.cert, rsa.cert }, key = { ec.key, rsa.key_path } })
      for kind, cipher in pairs { EC = "ECDHE-ECDSA-AES128-GCM-SHA256", RSA = "ECDHE-RSA-AES128-GCM-SHA256" } do
        local one, other = tcp.pair()
        tls.shake(tls.client { max_version = "1.2", ciphers = cipher }, one, server, other)
        assert.equal(cipher, one:tls().cipher)
        assert.equal((kind == "EC" and ec or rsa).cert, one:tls().peer.pem)
        one:close()
        other:close()
      end
    end)
  end)
end)

describe("a server with on_hello", function()
  after_each(tcp.check_nothing_left)

  it("asks what the client wants, may wait, and goes on with the server that is answered", function()
    run(function()
      local asked = {}
      local another = assert(momo.tls.server {
        cert = other_name.cert, key = other_name.key, alpn = { "other" }, max_version = "1.2",
        on_hello = function() error "it is asked once" end,
      })
      local server = tls.server { alpn = { "h2" }, on_hello = function(hello)
        momo.time.sleep(0.001)
        asked[#asked + 1] = hello
        return hello.name == "other.example" and another or nil
      end }
      local one, other = tcp.pair()
      local own = tls.shake(tls.client { alpn = { "h2", "other" } }, one, server, other, "other.example")
      assert(own[1], own[2])
      local facts = one:tls()
      assert.same({ "other", "TLSv1.2", "other.example" }, { facts.alpn, facts.version, facts.peer.names[1] })
      one:close()
      other:close()
      assert.equal("localhost", dial(tls.client { max_version = "1.2" }, server))
      assert.same({
        { name = "other.example", alpn = { "h2", "other" }, versions = { "1.3", "1.2" } },
        { name = "localhost", alpn = {}, versions = { "1.2" } },
      }, asked)
    end)
  end)

  it("closes the stream when that fails, or answers nonsense, or takes too long", function()
    run(function()
      for words, on_hello in pairs {
        ["out of order"] = function() error "out of order" end,
        ["on_hello must return a server or nil, got 5"] = function() return 5 end,
      } do
        local one, other = tcp.pair()
        local client = momo.spawn(function() return select(3, tls.client():wrap(one, "localhost", 10)) end)
        local server = tls.server { on_hello = on_hello }
        local ok, err = pcall(server.wrap, server, other, 10)
        assert.is_false(ok)
        assert.matches(words, err, 1, true)
        assert_failed("EBADF", other:read())
        assert.equal("ETLS", select(2, client:join()))
        one:close()
      end
      local one, other = tcp.pair()
      local client = momo.spawn(function() return select(3, tls.client():wrap(one, "localhost", 10)) end)
      local server = tls.server { on_hello = function() momo.time.sleep(1000) end }
      assert_failed("ETIMEDOUT", server:wrap(other, 0.02))
      assert_failed("EBADF", other:read())
      client:join()
      one:close()
    end)
  end)
end)

describe("a server's reload", function()
  after_each(tcp.check_nothing_left)

  it("takes new files for new handshakes, while connections go on", function()
    run(function()
      local cert, key = certs.write("live.pem", one_name.cert), certs.write("live.key", one_name.key)
      local server, client = assert(momo.tls.server { cert = cert, key = key }), tls.client()
      local one, other = tcp.pair()
      tls.shake(client, one, server, other, "one.example")
      certs.write("live.pem", other_name.cert)
      certs.write("live.key", other_name.key)
      assert.equal("one.example", dial(client, server, "one.example"))
      assert.is_true(server:reload())
      assert.equal("other.example", dial(client, server, "other.example"))
      one:write "still there"
      assert.equal("still there", other:read())
      one:close()
      other:close()
    end)
  end)

  it("leaves all as it was when it fails", function()
    run(function()
      local cert, key = certs.write("live.pem", one_name.cert), certs.write("live.key", one_name.key)
      local server, client = assert(momo.tls.server { cert = cert, key = key }), tls.client()
      certs.write("live.key", other_name.key)
      local ok, err, code = server:reload()
      assert.is_nil(ok)
      assert.equal(("ETLS: bad-certificate: the key in %s is not that of the certificate of \"one.example\" in %s")
        :format(key, cert), err)
      assert.equal("ETLS", code)
      os.remove(key)
      assert_failed("ENOENT", server:reload())
      assert.equal("one.example", dial(client, server, "one.example"))
      assert.is_true(server:reload { cert = other_name.cert, key = other_name.key })
      assert.equal("other.example", dial(client, server, "other.example"))
    end)
  end)

  it("under load fails no connection", function()
    run(function()
      local cert, key = certs.write("live.pem", one_name.cert), certs.write("live.key", one_name.key)
      local server, failed, done = assert(momo.tls.server { cert = cert, key = key }), 0, 0
      local address, serving, listener = tls.serve(function(stream)
        stream:write(assert(stream:read_until "\n"))
      end, server, { on_tls_error = function() failed = failed + 1 end })
      local client = tls.client { sessions = 0 }
      local workers = {}
      for i = 1, 8 do
        workers[i] = momo.spawn(function()
          for _ = 1, 50 do
            local stream = assert(momo.net.TcpStream.connect(address))
            assert(client:wrap(stream, "one.example", 10))
            stream:write "hello\n"
            assert.equal("hello\n", stream:read_until "\n")
            stream:close()
            done = done + 1
          end
        end)
      end
      local reloader = momo.spawn(function()
        while done < 400 do
          assert(server:reload())
          momo.time.sleep(0.002)
        end
      end)
      for _, worker in ipairs(workers) do
        assert(worker:join())
      end
      assert(reloader:join())
      assert.same({ 400, 0 }, { done, failed })
      listener:close()
      assert(serving:join())
    end)
  end)
end)

describe("tickets", function()
  after_each(tcp.check_nothing_left)
  after_each(process.stop_all)

  -- Whether each of so many connections was resumed.
  local function resumed(client, address, n)
    local list = {}
    for i = 1, n do
      local stream = assert(momo.net.TcpStream.connect(address))
      assert(client:wrap(stream, "localhost", 10))
      assert.equal("x", stream:read())
      list[i] = stream:tls().resumed
      stream:close()
    end
    return list
  end

  for _, version in ipairs { "1.2", "1.3" } do
    it("of TLS " .. version .. " are good on every thread", function()
      run(function()
        local host = certs.localhost()
        local first = tcp.listen { reuseport = true }
        local address, control, threads = first:local_addr(), tcp.listen(), {}
        for i = 1, 2 do
          threads[i] = assert(momo.thread.spawn(function(where, report, cert, key)
            local listener = assert(momo.net.TcpListener.bind(where, { reuseport = true }))
            local served = 0
            local serving = momo.spawn(momo.net.serve, listener, function(stream)
              served = served + 1
              stream:write "x"
            end, { tls = assert(momo.tls.server { cert = cert, key = key }) })
            local parent = assert(momo.net.TcpStream.connect(report))
            parent:write "ready"
            parent:read()
            listener:close()
            serving:join()
            return served
          end, address, control:local_addr(), host.cert, host.key))
        end
        local controls = { assert(control:accept()), assert(control:accept()) }
        assert(controls[1]:read() and controls[2]:read())
        first:close()
        local client, expected = tls.client { max_version = version }, { false }
        for i = 2, 24 do expected[i] = true end
        assert.same(expected, resumed(client, address, 24))
        for i = 1, 2 do controls[i]:close() end
        local _, one = threads[1]:join()
        local _, other = threads[2]:join()
        assert.equal(24, one + other)
        assert.is_true(one > 0 and other > 0)
        control:close()
      end)
    end)
  end

  it("with keys that are set are good after a restart, also when the keys move on", function()
    local host = certs.localhost()
    local code = ([[
      local momo = require "momo"
      local keys = {}
      for letter in arg[2]:gmatch "." do keys[#keys + 1] = letter:rep(80) end
      local server = assert(momo.tls.server { cert = %q, key = %q })
      server:set_ticket_keys(keys)
      assert(server:reload())
      local listener = assert(momo.net.TcpListener.bind(arg[1]))
      io.write(listener:local_addr(), "\n")
      io.flush()
      momo.net.serve(listener, function(stream) stream:write "x" end, { tls = server })
    ]]):format(host.cert_path, host.key_path)
    local path = support.tmpfile(code)
    local program = process.start_momo(path, "127.0.0.1:0", "a")
    local address = process.line_of(program)
    run(function()
      local client = tls.client()
      assert.same({ false, true }, resumed(client, address, 2))
      for keys, expected in pairs { ba = { true, true } } do
        process.stop(program)
        program = process.start_momo(path, address, keys)
        process.line_of(program)
        assert.same(expected, resumed(client, address, 2))
      end
      process.stop(program)
      program = process.start_momo(path, address, "c")
      process.line_of(program)
      assert.is_false(resumed(client, address, 1)[1])
    end)
  end)

  it("are not given where there are none, nor taken from another server's clients", function()
    run(function()
      local client = tls.client()
      local address, serving, listener = tls.serve(function(stream) stream:write "x" end, tls.server { tickets = 0 })
      assert.same({ false, false }, resumed(client, address, 2))
      listener:close()
      serving:join()
      address, serving, listener = tls.serve(function(stream) stream:write "x" end, tls.server())
      assert.same({ false, false }, resumed(tls.client { sessions = 0 }, address, 2))
      listener:close()
      serving:join()
    end)
  end)

  it("of a server with other authorities for clients are worth nothing", function()
    run(function()
      local user = certs.make { name = "user", issuer = certs.root() }
      local others = certs.make { name = "Other CA", ca = true }
      local client = tls.client { cert = user.cert, key = user.key }
      local server = tls.server { client_ca = certs.root().cert, client_auth = "request" }
      local address, serving, listener = tls.serve(function(stream)
        stream:write(stream:tls().verified and "x" or "y")
      end, server)
      assert.same({ false, true }, resumed(client, address, 2))
      local host = certs.localhost()
      assert(server:reload { cert = host.cert, key = host.key, client_auth = "request",
        client_ca = { certs.root().cert, others.cert } })
      assert.same({ false, true }, resumed(client, address, 2))
      listener:close()
      serving:join()
    end)
  end)
end)

describe("certificates of clients", function()
  after_each(tcp.check_nothing_left)

  local user = certs.make { name = "user", sans = "email:user@a.example,URI:spiffe://a/user", issuer = certs.root() }
  local stranger = certs.make { name = "stranger", issuer = certs.make { name = "Corp CA", ca = true } }
  local stale = certs.make { name = "stale", issuer = certs.root(), from = -20, to = -10 }

  local function outcome(server_options, client_options)
    local result = {}
    run(function()
      local one, other = tcp.pair()
      server_options.client_ca = server_options.client_ca or certs.root().cert
      local own, others = tls.shake(tls.client(client_options), one, tls.server(server_options), other)
      result.server = others[2] or others[1]:tls()
      if others[1] and result.server.peer then -- read while it is open
        result.peer = result.server.peer
      end
      result.client = own[2]
      if own[1] then
        if others[1] then others[1]:write "x" end
        local bytes, err = one:read()
        result.client = bytes or err
      end
      one:close()
      other:close()
    end)
    return result
  end

  for _, version in ipairs { "1.2", "1.3" } do
    it("are asked for, and told of, in TLS " .. version, function()
      for _, auth in ipairs { "request", "require" } do
        local result = outcome({ client_auth = auth, max_version = version }, { cert = user.cert, key = user.key })
        assert.equal("x", result.client)
        assert.is_true(result.server.verified)
        assert.equal("CN=user,O=Specs", result.peer.subject)
        assert.same({ "user@a.example" }, result.peer.emails)
        assert.same({ "spiffe://a/user" }, result.peer.uris)
      end
    end)

    it("may lack where they are only asked for, in TLS " .. version, function()
      local result = outcome { client_auth = "request", max_version = version }
      assert.equal("x", result.client)
      assert.is_false(result.server.verified)
      assert.is_nil(result.peer)
    end)

    it("may not lack where they are required, in TLS " .. version, function()
      local result = outcome { client_auth = "require", max_version = version }
      assert.equal("ETLS: no-client-certificate: the client sent none, and one is required", result.server)
      assert.matches("^ETLS: refused: the peer ended the", result.client)
      assert.matches("pass {cert = ..., key = ...}", result.client, 1, true)
    end)

    it("must be good, in TLS " .. version, function()
      for _, auth in ipairs { "request", "require" } do
        local options = { client_auth = auth, max_version = version }
        local result = outcome(options, { cert = stranger.cert, key = stranger.key })
        assert.equal("ETLS: unknown-ca: nobody known has signed the peer's certificate \"stranger\": issuer "
          .. "\"Corp CA\"; pass {client_ca = ...} (unable to get local issuer certificate)", result.server)
        assert.matches("^ETLS: refused: the peer ended the %w+: alert 48, unknown CA: it does not trust our "
          .. "certificate", result.client)
        result = outcome(options, { cert = stale.cert, key = stale.key })
        assert.matches("^ETLS: expired: the peer's certificate \"stale\" expired on ", result.server)
        assert.matches("alert 45, certificate expired: our certificate has expired for it", result.client, 1, true)
      end
    end)
  end
end)

describe("SSLKEYLOGFILE", function()
  it("gets the secrets of connections, and is for its owner alone", function()
    local path = certs.path "keys.log"
    local code = [[
      local momo = require "momo"
      local dev = momo.tls.self_signed()
      local listener = momo.net.TcpListener.bind "127.0.0.1:0"
      momo.spawn(momo.net.serve, listener, function() end, { tls = momo.tls.server(dev) })
      local stream = assert(momo.tls.connect(listener:local_addr(), { ca = dev.cert }, 10))
      stream:close()
      listener:close()]]
    local status, _, stderr = support.shell(("SSLKEYLOGFILE=%s %s -e %s"):format(path, os.getenv "MOMO_BIN",
      support.quote(code)))
    assert.equal(0, status, stderr)
    local lines = {}
    for line in io.lines(path) do
      lines[#lines + 1] = line:match "^%u[%u_%d]+ %x+ %x+$"
    end
    assert.is_true(#lines >= 8, #lines .. " lines") -- four at least of each side
    local _, mode = support.shell("stat -c %a " .. path)
    assert.equal("600\n", mode)
  end)
end)

describe("a server's file", function()
  after_each(tcp.check_nothing_left)

  local host = certs.localhost()
  local encrypted = certs.path "encrypted.key"
  os.execute(("openssl pkcs8 -topk8 -in %s -out %s -passout pass:secret"):format(host.key_path, encrypted))
  local empty = certs.write("empty.pem", "nothing here\n")
  local damaged = certs.write("damaged.pem", (host.cert:gsub("MII", "XXX", 1)))

  for words, options in pairs {
    ["ENOENT: No such file or directory: /nonexistent (the certificate)"] = { cert = "/nonexistent", key = host.key },
    ["ETLS: bad-certificate: there is no good certificate in /tmp"] = { cert = "/tmp", key = host.key },
    [("ETLS: bad-certificate: there is no good certificate in %s (no start line)"):format(empty)] =
      { cert = empty, key = host.key },
    ["ETLS: bad-certificate: there is no good certificate in " .. damaged] = { cert = damaged, key = host.key },
    ["ETLS: bad-certificate: there is no good private key in the PEM text"] = { cert = host.cert, key = host.cert },
    [("ETLS: bad-certificate: a password is needed ({password = ...}) for the key in %s"):format(encrypted)] =
      { cert = host.cert, key = encrypted },
    [("ETLS: bad-certificate: the password is wrong for the key in %s"):format(encrypted)] =
      { cert = host.cert, key = encrypted, password = "guess" },
    ["ENOENT: No such file or directory: /nonexistent.der (the OCSP response)"] =
      { cert = host.cert, key = host.key, ocsp = "/nonexistent.der" },
    [("ETLS: bad-certificate: there is no OCSP response in %s"):format(empty)] =
      { cert = host.cert, key = host.key, ocsp = empty },
  } do
    it("is told of: " .. words, function()
      local server, err, code = momo.tls.server(options)
      assert.is_nil(server)
      assert.equal(words, err:sub(1, #words))
      assert.equal(words:match "^%u+", code)
    end)
  end

  it("may be encrypted, with its password", function()
    assert(momo.tls.server { cert = host.cert, key = encrypted, password = "secret" })
  end)
end)
