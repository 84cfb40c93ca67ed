---The examples of TLS, as a user would run them.

local certs = require "spec.support.certs"
local process = require "spec.support.process"
local support = require "spec.support"

local examples = assert(os.getenv "MOMO_SOURCE_DIR") .. "/examples/"

-- Starts one that listens: the process, its address, and the path of the certificate that it has printed, if it has.
local function serve(name, ...)
  local program = process.start_momo(examples .. name, ...)
  local lines = {}
  while true do
    local line = process.line_of(program)
    local address = line:match "listens on (.*)$"
    if address then
      return program, address, certs.write("printed", table.concat(lines, "\n"))
    end
    lines[#lines + 1] = line
  end
end

local function port(address)
  return "localhost:" .. address:match "%d+$"
end

local function client(input, ...)
  local words = {}
  for i, word in ipairs { ... } do
    words[i] = support.quote(word)
  end
  return support.shell(("printf %s | exec timeout 20 %s %s"):format(support.quote(input), os.getenv "MOMO_BIN",
    table.concat(words, " ")))
end

describe("examples", function()
  after_each(process.stop_all)

  it("tls_echo.lua and tls_client.lua talk over TLS", function()
    local server, address, ca = serve("tls_echo.lua", "127.0.0.1:0")
    local status, out, err = client("hello\n", examples .. "tls_client.lua", port(address), ca)
    assert.equal("hello\n", out)
    assert.equal(0, status)
    assert.matches("^TLSv1.3, [%w_]+; the certificate of localhost is good until %d+%-%d+%-%d+\n$", err)
    status, out, err = client("hello\n", examples .. "tls_client.lua", port(address))
    assert.equal(1, status)
    assert.equal("", out)
    assert.matches("ETLS: self-signed: the certificate of localhost is self-signed; pass {ca = ...}", err, 1, true)
    process.wait_for_line(server, "(refused)")
  end)

  it("tls_echo.lua takes a new certificate on SIGHUP, and keeps the old one if it is no good", function()
    local one, other = certs.make { name = "one" }, certs.make { name = "other" }
    local cert, key = certs.write("echo.pem", one.cert), certs.write("echo.key", one.key)
    local server, address = serve("tls_echo.lua", "127.0.0.1:0", cert, key)
    local function subject()
      local _, out = support.shell(("openssl s_client -connect %s </dev/null 2>/dev/null"):format(address))
      return out:match "subject=[^\n]*CN = (%w+)"
    end
    assert.equal("one", subject())
    certs.write("echo.pem", other.cert)
    os.execute("kill -HUP " .. server.pid)
    assert.matches("is not that of", process.wait_for_line(server, "the certificate stays: (.*)"))
    assert.equal("one", subject())
    certs.write("echo.key", other.key)
    os.execute("kill -HUP " .. server.pid)
    assert.truthy(process.wait_for_line(server, "(the certificate was read again)"))
    assert.equal("other", subject())
  end)

  it("starttls.lua goes on over TLS, and so do others with it", function()
    local _, address, ca = serve("starttls.lua", "serve", "127.0.0.1:0")
    local status, out = client("", examples .. "starttls.lua", port(address), ca)
    assert.equal(0, status)
    assert.matches("client: STARTTLS\nserver: 220 ready\nboth speak TLSv1.3\n", out, 1, true)
    assert.matches("server: 221 bye\n$", out)
    local _, others = support.shell(("echo QUIT | timeout 20 openssl s_client -starttls smtp -connect %s -quiet 2>&1")
      :format(address))
    assert.matches("221 bye", others, 1, true)
  end)

  it("mutual_tls.lua greets whom it knows, and nobody else", function()
    local status, out = client("", examples .. "mutual_tls.lua")
    assert.equal(0, status)
    assert.matches("known: hello, billing.example\n", out, 1, true)
    assert.matches("refused: ETLS: self-signed: the peer's certificate", out, 1, true)
    assert.matches("unknown: nothing read: ETLS: refused: ", out, 1, true)
  end)

  it("https_proxy.lua lets TLS through within TLS", function()
    local host = certs.localhost()
    local target = process.start("openssl", "s_server", "-www", "-accept", "127.0.0.1:0", "-cert", host.cert_path,
      "-key", host.key_path)
    local proxy, address, proxy_ca = serve("https_proxy.lua", "127.0.0.1:0")
    local status, out = support.shell(("curl -sS -m 20 --proxy https://%s --proxy-cacert %s --cacert %s https://%s/")
      :format(port(address), proxy_ca, certs.root().cert_path, port(process.wait_for_line(target, "^ACCEPT (.*)"))))
    assert.equal(0, status)
    assert.matches("TLSv1.3", out, 1, true)
    assert.truthy(process.line_of(proxy):match ": %d+ bytes there, %d+ back$")
    local _, code = support.shell(("curl -sS -k -o /dev/null -w '%%{http_code}' https://%s/"):format(port(address)))
    assert.equal("405", code)
  end)
end)
