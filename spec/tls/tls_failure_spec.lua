-- What fails, in words: which side, what came and what was wanted.

local certs = require "spec.support.certs"
local ffi = require "ffi"
local momo = require "momo"
local support = require "spec.support"
local tcp = require "spec.support.tcp"
local tls = require "spec.support.tls"

local run, assert_failed = tcp.run, tcp.assert_failed

ffi.cdef "int shutdown(int, int);"

-- What both ends of a handshake are told.
local function told(server, client, name)
  local one, other = tcp.pair()
  local own, others = tls.shake(tls.client(client), one, tls.server(server), other, name)
  one:close()
  other:close()
  return own[2], others[2]
end

local ROWS = {
  ["versions"] = {
    { max_version = "1.2" }, { min_version = "1.3" },
    "ETLS: protocol-version: we want TLS 1.3 or later, which the peer does not speak (tlsv1 alert protocol version)",
    "ETLS: protocol-version: the peer offers TLS 1.3 and we want TLS 1.2 (unsupported protocol)",
  },
  ["versions, the other way"] = {
    { min_version = "1.3" }, { max_version = "1.2" },
    "ETLS: protocol-version: we want TLS 1.2, which the peer does not speak (tlsv1 alert protocol version)",
    "ETLS: protocol-version: the peer offers TLS 1.2 and we want TLS 1.3 or later (unsupported protocol)",
  },
  ["ciphers of TLS 1.2"] = {
    { max_version = "1.2", ciphers = "ECDHE-RSA-AES128-GCM-SHA256:AES128-SHA", key_kind = "rsa" },
    { ciphers = "ECDHE-RSA-AES256-GCM-SHA384", max_version = "1.2" },
    "ETLS: refused: the peer ended the handshake: alert 40, handshake failure: nothing that both sides can do",
    "ETLS: no-cipher: the peer offers ECDHE-RSA-AES256-GCM-SHA384; we have ECDHE-RSA-AES128-GCM-SHA256, AES128-SHA, "
      .. "and what our certificate's key can do (no shared cipher)",
  },
  ["a key that is not for the ciphers"] = {
    { max_version = "1.2" }, { ciphers = "ECDHE-RSA-AES256-GCM-SHA384" },
    "ETLS: refused: the peer ended the handshake: alert 40, handshake failure: nothing that both sides can do",
    "^ETLS: no%-cipher: the peer offers TLS_AES_256_GCM_SHA384, .* %(no shared cipher%)$",
  },
  ["ciphers of TLS 1.3"] = {
    { ciphersuites = "TLS_AES_128_GCM_SHA256", min_version = "1.3" }, { ciphersuites = "TLS_AES_256_GCM_SHA384" },
    "ETLS: refused: the peer ended the handshake: alert 40, handshake failure: nothing that both sides can do",
    "^ETLS: no%-cipher: the peer offers TLS_AES_256_GCM_SHA384.*; we have TLS_AES_128_GCM_SHA256",
  },
  ["groups"] = {
    { groups = "X448", min_version = "1.3" }, { groups = "X25519" },
    "ETLS: refused: the peer ended the handshake: alert 40, handshake failure: nothing that both sides can do",
    "ETLS: no-cipher: for the exchange of keys the peer offers x25519, and we have none of these "
      .. "(no suitable key share)",
  },
  ["groups of TLS 1.2"] = {
    { groups = "P-521", max_version = "1.2" }, { groups = "X25519:P-384" },
    "ETLS: refused: the peer ended the handshake: alert 40, handshake failure: nothing that both sides can do",
    "^ETLS: no%-cipher: ",
  },
  ["protocols"] = {
    { alpn = { "h2", "http/1.1" } }, { alpn = { "imap", "pop3" } },
    "ETLS: no-alpn: the peer has none of the protocols that we offer (alert 120, no application protocol)",
    "ETLS: no-alpn: the peer speaks imap, pop3 and we speak h2, http/1.1",
  },
}

local function matches(expected, got)
  if expected:find "^%^" then
    assert.matches(expected, got)
  else
    assert.equal(expected, got)
  end
end

describe("a handshake of which both sides have nothing in common says what each has:", function()
  after_each(tcp.check_nothing_left)

  for name, row in pairs(ROWS) do
    it(name, function()
      run(function()
        local mine, its = told(row[1], row[2])
        matches(row[3], mine)
        matches(row[4], its)
      end)
    end)
  end

  it("what one side does not care for", function()
    run(function()
      assert.same({ n = 2 }, support.pack(told({ alpn = { "h2" } }, {})))
      assert.same({ n = 2 }, support.pack(told({}, { alpn = { "h2" } })))
    end)
  end)
end)

-- What wrapping a stream is told whose peer sends these bytes and then ends.
local function answered(wrap, bytes)
  local err
  run(function()
    local one, other = tcp.pair()
    local peer = momo.spawn(function()
      other:write(bytes)
      other:shutdown()
      repeat local _, _, code = other:read() until code
    end)
    err = select(2, wrap(one))
    assert_failed("EBADF", one:read())
    assert(peer:join())
    other:close()
  end)
  return err
end

local function as_client(stream) return tls.client():wrap(stream, "localhost", 10) end
local function as_server(stream) return tls.server():wrap(stream, 10) end

describe("a peer that does not speak TLS", function()
  after_each(tcp.check_nothing_left)

  for _, row in ipairs {
    { as_server, "GET / HTTP/1.1\r\nHost: a\r\n\r\n",
      "ETLS: not-tls: a plain HTTP request came to a TLS port: \"GET / HTTP/1.1\"" },
    { as_server, "POST /a HTTP/1.1\r\n\r\n",
      "ETLS: not-tls: a plain HTTP request came to a TLS port: \"POST /a HTTP/1.1\"" },
    { as_server, "CONNECT a.example:443 HTTP/1.1\r\n\r\n",
      "ETLS: not-tls: a plain HTTP request came to a TLS port: \"CONNECT a.example:443 HTTP/1.1\"" },
    { as_server, "EHLO a.example\r\n", "ETLS: not-tls: the peer does not speak TLS, it sent \"EHLO a.example\"" },
    { as_server, "\0\1\2\255\254 binary",
      "ETLS: not-tls: the peer does not speak TLS, it sent \"...\255\254 binary\"" },
    { as_client, "220 mail ESMTP\r\n", "ETLS: not-tls: the peer does not speak TLS, it sent \"220 mail ESMTP\"" },
    { as_client, "HTTP/1.1 400 Bad Request\r\n\r\n",
      "ETLS: not-tls: the peer does not speak TLS, it sent \"HTTP/1.1 400 Bad Request\"" },
    { as_client, "", "ETLS: closed: the peer closed in the handshake, after the ClientHello" },
    { as_client, "\22\3\3", "ETLS: closed: the peer closed in the handshake, after a part of its answer" },
    { as_server, "", "EOF: end of file" },
    { as_server, "\22\3\1", "ETLS: closed: the peer closed in the handshake, within the ClientHello" },
  } do
    it(("is quoted: %q"):format(row[2]):gsub("%c", "?") .. (row[1] == as_server and " to a server" or ""), function()
      assert.equal(row[3], answered(row[1], row[2]))
    end)
  end

  it("may send anything", function()
    local seed = os.time()
    math.randomseed(seed)
    for _ = 1, 60 do
      local bytes = {}
      for i = 1, math.random(2000) do bytes[i] = string.char(math.random(0, 255)) end
      if math.random(2) == 1 then -- what looks like a record
        table.insert(bytes, 1, string.char(22, 3, math.random(0, 4), math.random(0, 8), math.random(0, 255)))
      end
      for _, wrap in ipairs { as_client, as_server } do
        local err = answered(wrap, table.concat(bytes))
        assert(err:find "^ETLS: [%l%-]+: " or err:find "^ECONNRESET", err .. " of seed " .. seed)
      end
    end
  end)

  it("may send a ClientHello of 64 KiB, or one without an end", function()
    local body = ("\0"):rep(65536)
    local hello = "\1\1\0\0" .. body
    local records = {}
    for at = 1, #hello, 16384 do
      local part = hello:sub(at, at + 16383)
      records[#records + 1] = string.char(22, 3, 1, math.floor(#part / 256), #part % 256) .. part
    end
    assert.matches("^ETLS: [%l%-]+: ", answered(as_server, table.concat(records)))
    local endless = "\22\3\1\64\0\1\255\255\255" .. ("x"):rep(16380) .. ("\22\3\1\64\0" .. ("x"):rep(16384)):rep(40)
    assert.matches("^ETLS: broken: ", answered(as_server, endless))
  end)
end)

describe("a stream of TLS that is damaged after the handshake", function()
  after_each(tcp.check_nothing_left)

  -- What the server's next read is told when these bytes come in place of the client's.
  local function damaged(make)
    local err
    run(function()
      local one, middle = tcp.pair()
      local far, other = tcp.pair()
      local back = momo.spawn(momo.io.copy, far, middle)
      local tamper = false
      local forth = momo.spawn(function()
        while true do
          local bytes = middle:read()
          if not bytes then return far:close() end
          far:write(tamper and make(bytes) or bytes)
        end
      end)
      local own, others = tls.shake(tls.client(), one, tls.server(), other)
      assert(own[1] and others[1])
      tamper = true
      one:write "attack at dawn"
      other:set_timeout(10)
      err = select(2, other:read())
      assert_failed("ETLS", other:read()) -- and so it stays
      assert_failed("ETLS", other:write "x")
      one:close()
      forth:join()
      back:join()
      middle:close()
      other:close()
    end)
    return err
  end

  it("says so: a bit", function()
    assert.matches("^ETLS: broken: what came is no good, from byte %d+ of the stream on.* %(.*mac%)$",
      damaged(function(bytes) return bytes:sub(1, -2) .. string.char((bytes:byte(-1) + 1) % 256) end))
  end)

  it("says so: a record that is too long", function()
    assert.matches("^ETLS: broken: .* 17 03 03 41 01 %(", damaged(function()
      return "\23\3\3\65\1" .. ("x"):rep(16384 + 257)
    end))
  end)

  it("says so: plain text", function()
    assert.matches("^ETLS: broken: ", damaged(function(bytes) return "plain text " .. bytes end))
  end)

  it("says so: records without data", function()
    assert.matches("^ETLS: broken: ", damaged(function() return ("\23\3\3\0\0"):rep(33) end))
  end)
end)

describe("an end without close_notify", function()
  after_each(tcp.check_nothing_left)

  local function ended(truncation, more)
    local result
    run(function()
      local one, other = tcp.pair()
      local own, others = tls.shake(tls.client(), one, tls.server { truncation = truncation }, other)
      assert(own[1] and others[1])
      one:write "data"
      assert.equal("data", other:read())
      if more then
        one:write(more)
      end
      ffi.C.shutdown(one:fd(), 1)
      if more then
        assert.equal(more, other:read())
      end
      other:set_timeout(10)
      result = select(2, other:read())
      assert.equal(result, select(2, other:read()))
      one:close()
      other:close()
    end)
    return result
  end

  it("is a failure", function()
    assert.equal("ETLS: truncated: the stream ended without close_notify", ended())
    assert.equal("ETLS: truncated: the stream ended without close_notify", ended("error", "more"))
  end)

  it("is an end where that is wanted", function()
    assert.equal("EOF: end of file", ended "eof")
  end)
end)

describe("momo.tls tells of a mistake:", function()
  local host = certs.localhost()
  local pair = ("cert = %q, key = %q"):format(host.cert_path, host.key_path)
  for code, message in pairs {
    ["momo.tls.client(5)"] = "tls.client: options must be a table, got 5",
    ["momo.tls.client { ca = 5 }"] = "tls.client: option ca must be a path, PEM text or an array of both, got 5",
    ["momo.tls.client { ca = {} }"] = "tls.client: option ca must be a path, PEM text or an array of both, got table",
    ["momo.tls.client { cert = 'a' }"] =
      "tls.client: option key must be a path, PEM text or an array of both, got nil",
    ["momo.tls.client { cert = {'a', 'b'}, key = 'c' }"] =
      "tls.client: option key: there are 1 keys for 2 certificates",
    ["momo.tls.client { alpn = {} }"] =
      "tls.client: option alpn must be an array of strings of 1 to 255 bytes, got table",
    ["momo.tls.client { alpn = { '' } }"] =
      "tls.client: option alpn must be an array of strings of 1 to 255 bytes, got \"\"",
    ["momo.tls.client { min_version = '1.1' }"] =
      "tls.client: option min_version must be \"1.2\" or \"1.3\", got \"1.1\"",
    ["momo.tls.client { min_version = '1.3', max_version = '1.2' }"] =
      "tls.client: option min_version is above max_version",
    ["momo.tls.client { ciphers = 'nonsense' }"] = "tls.client: ciphers: nonsense",
    ["momo.tls.client { groups = 'nonsense' }"] = "tls.client: groups: nonsense",
    ["momo.tls.client { ciphersuites = 'nonsense' }"] = "tls.client: ciphersuites: nonsense",
    ["momo.tls.client { sessions = -1 }"] = "tls.client: option sessions must be a whole number from 0, got -1",
    ["momo.tls.client { truncation = 'maybe' }"] =
      "tls.client: option truncation must be \"error\" or \"eof\", got \"maybe\"",
    ["momo.tls.server {}"] = "tls.server: it needs a certificate: pass {cert = ..., key = ...}, hosts or on_hello",
    ["momo.tls.server { hosts = { ['a b'] = {} } }"] =
      "tls.server: option hosts: a key must be a name in ASCII, such as \"a.example\" or \"*.b.example\", got \"a b\"",
    ["momo.tls.server { hosts = { a = { cert = 'x' } } }"] =
      "tls.server: option hosts[\"a\"].key must be a path, PEM text or an array of both, got nil",
    ["momo.tls.server { " .. pair .. ", client_auth = 'yes' }"] =
      "tls.server: option client_auth must be \"none\" or \"request\" or \"require\", got \"yes\"",
    ["momo.tls.server { " .. pair .. ", client_auth = 'require' }"] =
      "tls.server: option client_ca must be a path, PEM text or an array of both, got nil",
    ["momo.tls.server { " .. pair .. ", client_ca = 'a' }"] =
      "tls.server: option client_ca serves nothing without client_auth = \"request\" or \"require\"",
    ["momo.tls.server(nil):set_ticket_keys {}"] =
      "tls.server: it needs a certificate: pass {cert = ..., key = ...}, hosts or on_hello",
    ["momo.tls.server({ " .. pair .. " }):set_ticket_keys {}"] =
      "set_ticket_keys: argument 1 must be an array of keys, got table",
    ["momo.tls.server({ " .. pair .. " }):set_ticket_keys { 'short' }"] =
      "set_ticket_keys: key 1 must be a string of 80 bytes, got 5 bytes",
    ["momo.tls.client():wrap(5, 'a')"] = "wrap: argument 1 must be a stream, got 5",
    ["momo.tls.client():wrap(stream)"] = "wrap: the name must be a host or an address, got nil",
    ["momo.tls.client():wrap(stream, false)"] = "wrap: the name may be false only with verify = false",
    ["momo.tls.client():wrap(stream, 'b\\195\\188cher.example')"] =
      "wrap: the name must be in ASCII, as IDNs are in the DNS (xn--...), got \"b\195\188cher.example\"",
    ["momo.tls.client():wrap(stream, 'a', -1)"] = "wrap: the timeout must be a number of seconds, 0 or more, got -1",
    ["momo.tls.client().wrap(stream, 'a')"] = "wrap: call it with a colon: client:wrap()",
    ["momo.tls.connect('nowhere')"] = "tls.connect: \"nowhere\" is no address; write \"127.0.0.1:8080\"",
    ["momo.tls.connect('127.0.0.1:1', 'a')"] = "tls.connect: options must be a table or a client, got \"a\"",
    ["momo.tls.self_signed {}"] = "tls.self_signed: argument 1 must be an array of names, got table",
    ["momo.tls.self_signed({ 'a' }, { days = 0 })"] =
      "tls.self_signed: option days must be a whole number from 1, got 0",
    ["momo.net.serve(listener, print, { tls = 5 })"] =
      "serve: option tls must be what momo.tls.server{...} has returned, got 5",
    ["momo.net.serve(listener, print, { tls = momo.tls.server { " .. pair .. " }, handshake_timeout = 0 })"] =
      "serve: option handshake_timeout must be a number of seconds above 0, got 0",
    ["stream.tls()"] = "tls: call it with a colon: stream:tls()",
  } do
    it(code:gsub("/tmp/%w+/", ""), function()
      assert.equal("app.lua:2: " .. message, tcp.mistake(code):match "^[^\n]*")
    end)
  end
end)
