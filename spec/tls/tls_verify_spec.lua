-- Whether the peer is who it should be, and what is said when it is not.

local certs = require "spec.support.certs"
local momo = require "momo"
local tcp = require "spec.support.tcp"
local tls = require "spec.support.tls"

local run, assert_failed = tcp.run, tcp.assert_failed

local function day(days)
  return os.date("!%Y-%m-%d", os.time() + days * 86400)
end

-- What the client is told of a server with these certificates.
local function told(server, client, name)
  local err
  run(function()
    local one, other = tcp.pair()
    local own, others = tls.shake(assert(momo.tls.client(client)), one, assert(momo.tls.server(server)), other, name)
    err = own[2]
    if not err then
      assert(others[1], others[2])
      own[1]:write "x"
      assert.equal("x", others[1]:read())
    end
    one:close()
    other:close()
  end)
  return err or "good"
end

local function leaf(options)
  options.issuer = options.issuer or certs.root()
  options.name = options.name or "localhost"
  options.sans = options.sans or "DNS:localhost"
  return certs.make(options)
end

-- { what, the server's certificate, the name that is asked for, what the client is told; its options }
local rows = {
  { "a good one", leaf {}, "localhost", "good" },
  { "one that has expired", leaf { from = -20, to = -10 }, "localhost",
    ("ETLS: expired: the certificate of localhost expired on %s (it is %s here)"):format(day(-10), day(0)) },
  { "one that is not valid yet", leaf { from = 10, to = 20 }, "localhost",
    ("ETLS: not-yet-valid: the certificate of localhost is valid from %s on (it is %s here)"):format(day(10), day(0)) },
  { "one for another host", leaf { sans = "DNS:a.example,DNS:*.b.example" }, "localhost",
    "ETLS: wrong-host: the certificate is for a.example, *.b.example, and not for localhost" },
  { "an address", leaf { sans = "IP:192.0.2.1,IP:2001:db8::1" }, "192.0.2.1", "good" },
  { "an IPv6 address", leaf { sans = "IP:192.0.2.1,IP:2001:db8::1" }, "2001:db8::1", "good" },
  { "an IPv6 address in brackets", leaf { sans = "IP:2001:db8::1" }, "[2001:DB8:0::1]", "good" },
  { "another address", leaf { sans = "IP:192.0.2.1" }, "192.0.2.2",
    "ETLS: wrong-host: the certificate is for 192.0.2.1, and not for 192.0.2.2" },
  { "an address that is among the names only", leaf { sans = "DNS:192.0.2.1" }, "192.0.2.1",
    "ETLS: wrong-host: the certificate is for 192.0.2.1, and not for 192.0.2.1" },
  { "a common name alone", certs.make { name = "localhost", issuer = certs.root() }, "localhost", "good" },
  { "a common name beside names", leaf { sans = "DNS:a.example" }, "localhost",
    "ETLS: wrong-host: the certificate is for a.example, and not for localhost" },
  { "a common name beside addresses", leaf { sans = "IP:192.0.2.1" }, "localhost",
    "ETLS: wrong-host: the certificate is for 192.0.2.1, and not for localhost" },
  { "a wildcard", leaf { sans = "DNS:*.b.example" }, "a.b.example", "good" },
  { "a trailing dot, capitals", leaf { sans = "DNS:a.B.example" }, "A.b.example.", "good" },
  { "a wildcard for one label", leaf { sans = "DNS:*.b.example" }, "x.a.b.example",
    "ETLS: wrong-host: the certificate is for *.b.example, and not for x.a.b.example" },
  { "a wildcard, and not what it stands before", leaf { sans = "DNS:*.b.example" }, "b.example",
    "ETLS: wrong-host: the certificate is for *.b.example, and not for b.example" },
  { "a partial wildcard", leaf { sans = "DNS:a*.b.example" }, "ab.b.example",
    "ETLS: wrong-host: the certificate is for a*.b.example, and not for ab.b.example" },
  { "nobody's", leaf { issuer = certs.make { name = "Corp CA", ca = true } }, "localhost",
    "ETLS: unknown-ca: nobody known has signed the certificate of localhost: issuer \"Corp CA\"; pass {ca = ...} "
      .. "(unable to get local issuer certificate)" },
  { "its own", certs.make { name = "localhost", sans = "DNS:localhost" }, "localhost",
    "ETLS: self-signed: the certificate of localhost is self-signed; pass {ca = ...} to trust it "
      .. "(self-signed certificate)" },
  { "a weak key", leaf { key = "weak" }, "localhost",
    "ETLS: bad-certificate: the certificate of localhost has a weak key, of 1024 bits (EE certificate key too weak)",
    server = { ciphers = "DEFAULT@SECLEVEL=0" } },
  { "one for clients", leaf { usage = "clientAuth" }, "localhost",
    "ETLS: bad-certificate: the certificate of localhost is not for a server (unsuitable certificate purpose)" },
}

local middle = certs.make { name = "Middle CA", ca = true, issuer = certs.root() }
local beneath = leaf { issuer = middle }
rows[#rows + 1] = { "a chain", { cert = beneath.cert .. middle.cert, key = beneath.key }, "localhost", "good" }
rows[#rows + 1] = { "a chain that lacks the middle", beneath, "localhost",
  "ETLS: unknown-ca: nobody known has signed the certificate of localhost: issuer \"Middle CA\"; pass {ca = ...} "
    .. "(unable to get local issuer certificate)" }
rows[#rows + 1] = { "a chain up to whom the client names, who is no root", beneath, "localhost", "good",
  client = { ca = middle.cert } }
rows[#rows + 1] = { "the very certificate that the client names", beneath, "localhost", "good",
  client = { ca = beneath.cert_path } }

local no_ca = certs.make { name = "No CA", issuer = certs.root() }
local below_no_ca = leaf { issuer = no_ca }
rows[#rows + 1] = { "a signature of one who is no CA", { cert = below_no_ca.cert .. no_ca.cert, key = below_no_ca.key },
  "localhost", "ETLS: bad-certificate: the certificate of the CA \"No CA\", on which that of localhost rests, may sign "
    .. "no others: it is not a CA's (invalid CA certificate)" }

local old = certs.make { name = "Old CA", ca = true, issuer = certs.root(), from = -20, to = -10 }
local below_old = leaf { issuer = old }
rows[#rows + 1] = { "a CA that has expired", { cert = below_old.cert .. old.cert, key = below_old.key }, "localhost",
  ("ETLS: expired: the certificate of the CA \"Old CA\", on which that of localhost rests, expired on %s (it is %s "
    .. "here)"):format(day(-10), day(0)) }

-- The same key and name, signed by another: a client that knows only the older authority takes the way to it.
local older = certs.make { name = "Older CA", ca = true }
local crossed = certs.make { name = "Spec CA", ca = true, issuer = older, key_of = certs.root() }
local good = leaf {}
rows[#rows + 1] = { "a chain that is cross-signed", { cert = good.cert .. crossed.cert, key = good.key }, "localhost",
  "good", client = { ca = older.cert } }
rows[#rows + 1] = { "a chain that is cross-signed, by the shorter way",
  { cert = good.cert .. crossed.cert, key = good.key }, "localhost", "good" }

describe("a client", function()
  after_each(tcp.check_nothing_left)

  for _, row in ipairs(rows) do
    for _, version in ipairs { "1.2", "1.3" } do
      it(("of TLS %s is shown %s"):format(version, row[1]), function()
        local server = { cert = row[2].cert, key = row[2].key, max_version = version }
        local client = { ca = certs.root().cert }
        for key, value in pairs(row.server or {}) do server[key] = value end
        for key, value in pairs(row.client or {}) do client[key] = value end
        assert.equal(row[4], told(server, client, row[3]))
      end)
    end
  end

  it("asks on_verify when all else is good, and may refuse", function()
    local asked = {}
    local server = { cert = certs.localhost().cert, key = certs.localhost().key }
    local client = { ca = certs.root().cert, on_verify = function(peer)
      momo.time.sleep(0)
      asked[#asked + 1] = peer.sha256
      return #asked < 2
    end }
    assert.equal("good", told(server, client, "localhost"))
    assert.equal("ETLS: bad-certificate: on_verify has refused the peer's certificate",
      told(server, client, "localhost"))
    assert.equal(2, #asked)
    assert.equal(asked[1], asked[2])
    assert.matches("^ETLS: wrong%-host", told(server, client, "other.example"))
    assert.equal(2, #asked)
  end)

  it("whose on_verify fails passes that on, and the stream is closed", function()
    run(function()
      local one, other = tcp.pair()
      local peer = momo.spawn(function() tls.server():wrap(other, 10) end)
      local client = tls.client { on_verify = function() error "no idea" end }
      local ok, err = pcall(client.wrap, client, one, "localhost", 10)
      assert.is_false(ok)
      assert.matches("no idea", err)
      assert_failed("EBADF", one:read())
      peer:join()
      other:close()
    end)
  end)

  it("whose on_verify is cancelled leaves no stream", function()
    run(function()
      local one, other = tcp.pair()
      local peer = momo.spawn(function() tls.server():wrap(other, 10) end)
      local asked = momo.sync.Notify()
      local client = tls.client { on_verify = function()
        asked:notify_one()
        momo.time.sleep(1000)
      end }
      local task = momo.spawn(client.wrap, client, one, "localhost", 10)
      asked:notified()
      assert_failed("EBUSY", one:read())
      task:cancel()
      assert.is_false((task:join()))
      assert_failed("EBADF", one:read())
      peer:join()
      other:close()
    end)
  end)

  it("may verify nobody, and says so", function()
    run(function()
      local one, other = tcp.pair()
      local own = tls.shake(tls.client { verify = false }, one, tls.server(), other, false)
      assert(own[1], own[2])
      assert.is_false(one:tls().verified)
      assert.equal("CN=localhost,O=Specs", one:tls().peer.subject)
      one:close()
      other:close()
    end)
  end)

  it("sends no byte to a peer that is not verified", function()
    run(function()
      local one, other = tcp.pair()
      local received = momo.spawn(function()
        assert_failed("ETLS", tls.server():wrap(other, 10))
      end)
      assert_failed("ETLS", tls.client():wrap(one, "other.example", 10))
      assert_failed("EBADF", one:write "secret")
      assert(received:join())
    end)
  end)
end)

describe("what the system trusts", function()
  local support = require "spec.support"

  local function outcome(environment, code)
    local words = "env -u SSL_CERT_FILE -u SSL_CERT_DIR %s %s -e %s"
    local status, stdout, stderr = support.shell(words:format(environment, os.getenv "MOMO_BIN",
      support.quote("local tls = require('momo').tls " .. code)))
    assert.equal(0, status, stderr)
    return stdout
  end

  it("is in SSL_CERT_FILE or SSL_CERT_DIR, where these are set", function()
    local file = certs.write("trusted.pem", certs.root().cert)
    local folder = certs.path "trusted"
    os.execute(("mkdir -p %s && cp %s %s/ca.pem && openssl rehash %s"):format(folder, file, folder, folder))
    local host = certs.localhost()
    local code = ([[
      local server = assert(tls.server { cert = %q, key = %q })
      local listener = momo.net.TcpListener.bind "127.0.0.1:0"
      momo.spawn(momo.net.serve, listener, function(stream) stream:write "hello" end, { tls = server })
      local stream, err = tls.connect(listener:local_addr(), nil, 10)
      io.write(stream and stream:read() or err)
      listener:close()]]):format(host.cert_path, host.key_path)
    code = "local momo = require 'momo' " .. code
    assert.equal("hello", outcome("SSL_CERT_FILE=" .. file, code))
    assert.equal("hello", outcome("SSL_CERT_DIR=" .. folder, code))
    assert.matches("^ETLS: unknown%-ca", outcome("", code))
  end)

  it("may be nothing", function()
    local code = "io.write((select(2, tls.client())))"
    local words = "ETLS: no-ca: there are no certificates of CAs where SSL_CERT_FILE (%s) and SSL_CERT_DIR (%s) say"
    assert.equal(words:format("/nonexistent", ""), outcome("SSL_CERT_FILE=/nonexistent", code))
    assert.equal(words:format("", "/nonexistent:/dev"), outcome("SSL_CERT_DIR=/nonexistent:/dev", code))
  end)
end)
