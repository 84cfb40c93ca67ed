-- TLS beside what others have written, in both roles: TLS 1.2 and 1.3, keys of P-256 and RSA.

local certs = require "spec.support.certs"
local momo = require "momo"
local support = require "spec.support"
local tls = require "spec.support.tls"
local process = momo.process
require("momo.busted").timeout = 100 -- it is a guard: other programs start slowly where much else runs

local SOURCE = assert(os.getenv "MOMO_SOURCE_DIR")
local VERSIONS, KEYS = { "1.2", "1.3" }, { "ec", "rsa" }
local MESSAGE = {}
for i = 1, 100000 do
  MESSAGE[i] = string.char(i * 7919 % 251)
end
MESSAGE = table.concat(MESSAGE)

local function installed(name)
  return support.shell("command -v " .. name) == 0
end

local function echo(stream)
  momo.io.copy(stream, stream)
  stream:shutdown()
end

-- Runs fn(port) beside a server of ours.
local function serving(options, fn, handler)
  momo.scope(function(scope)
    local listener = assert(momo.net.TcpListener.bind "127.0.0.1:0")
    scope:spawn(momo.net.serve, listener, handler or echo, { tls = tls.server(options) })
    fn(listener:local_addr():match "%d+$")
    scope:cancel()
  end)
end

-- The same beside one of each version and kind of key: fn(ports, versions).
local function serving_all(fn, handler)
  local ports, versions = {}, {}
  local function next_one(i)
    if i == 4 then
      return fn(ports, versions)
    end
    local version = VERSIONS[i % 2 + 1]
    serving({ key_kind = KEYS[math.floor(i / 2) + 1], min_version = version, max_version = version }, function(port)
      ports[i + 1], versions[i + 1] = port, "TLSv" .. version
      next_one(i + 1)
    end, handler)
  end
  next_one(0)
end

local function run(...)
  local result = assert(process.run { ... })
  return result.stdout .. result.stderr, result.status
end

local function check_echo(port, version)
  local client = tls.client { min_version = version, max_version = version }
  for turn = 1, 2 do
    local stream = assert(momo.tls.connect("localhost:" .. port, client, 20))
    stream:set_timeout(20)
    momo.scope(function(scope)
      scope:spawn(function() assert(stream:write(MESSAGE)) end)
      assert.is_true(stream:read_exact(#MESSAGE) == MESSAGE)
    end)
    local facts = stream:tls()
    assert.equal("TLSv" .. version, facts.version)
    assert.equal(turn == 2, facts.resumed)
    stream:close()
  end
end

-- Runs fn beside a program, of which `first` is what it prints first: its capture is passed on.
local function beside(first, command, fn)
  command.stdout, command.stderr, command.stdin = "pipe", command.stderr or "null", "pipe"
  local child = assert(process.spawn(command))
  local ok, err = pcall(function()
    child.stdout:set_timeout(60)
    local found
    while not found do
      found = assert(child.stdout:read_until("\n", 65536)):match(first)
    end
    fn(found, child)
  end)
  child:kill "SIGKILL"
  child:wait()
  if not ok then
    error(err, 0)
  end
end

local function free_port()
  local listener = assert(momo.net.TcpListener.bind "127.0.0.1:0")
  local port = listener:local_addr():match "%d+$"
  listener:close()
  return port
end

-- Waits until somebody listens there.
local function wait_for(port)
  local stream
  repeat
    stream = momo.net.TcpStream.connect("127.0.0.1:" .. port, 5)
    if not stream then
      momo.time.sleep(0.02)
    end
  until stream
  stream:close()
end

-- The programs of spec/support/tls_echo.*
local LANGUAGES = {
  { "python3", function() return { "python3", SOURCE .. "/spec/support/tls_echo.py" } end },
  { "node", function() return { "node", SOURCE .. "/spec/support/tls_echo.js" } end },
  { "go", function()
    local path = certs.path "tls_echo_go"
    local out, status = run("sh", "-c", ("GOCACHE=${GOCACHE:-/tmp/momo-go-cache} exec go build -o %s %s"):format(path,
      SOURCE .. "/spec/support/tls_echo.go"))
    assert(status == 0, out)
    return { path }
  end },
}

local function with(command, ...)
  local whole = { unpack(command) }
  for _, word in ipairs { ... } do
    whole[#whole + 1] = word
  end
  return whole
end

local function read_all(stream)
  local parts = {}
  for bytes in function() return (stream:read()) end do
    parts[#parts + 1] = bytes
  end
  return table.concat(parts)
end

describe("TLS and", function()
  local function peer(name, body)
    it(name, function()
      if not installed(name) then
        return pending("it needs " .. name)
      end
      body()
    end)
  end

  for _, language in ipairs(LANGUAGES) do
    local name, command_of = language[1], language[2]
    peer(name, function()
      local command = command_of()
      for _, key in ipairs(KEYS) do
        local host = certs.localhost(key)
        beside("^(%d+)\n", with(command, "server", host.cert_path, host.key_path), function(port)
          for _, version in ipairs(VERSIONS) do
            check_echo(port, version)
          end
        end)
      end
      serving_all(function(ports, versions)
        local out = run(unpack(with(command, "client", certs.root().cert_path, unpack(ports))))
        assert.equal(table.concat(versions, "\n") .. "\n", out)
      end)
    end)
  end

  peer("curl", function()
    serving_all(function(ports, versions)
      for i, port in ipairs(ports) do
        local out, status = run("curl", "-sS", "--max-time", "20", "--cacert", certs.root().cert_path, "-w",
          "%{http_code}", "https://localhost:" .. port .. "/" .. versions[i])
        assert.equal("hello200", out)
        assert.equal(0, status)
      end
      local out = run("curl", "-sS", "--cacert", certs.root().cert_path, "https://127.0.0.1.nip.invalid:" .. ports[1]
        .. "/", "--resolve", "127.0.0.1.nip.invalid:" .. ports[1] .. ":127.0.0.1")
      assert.matches("no alternative certificate subject name matches", out)
    end, function(stream)
      stream:read_until "\r\n\r\n"
      stream:write "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"
    end)
  end)

  peer("nginx", function()
    local host, rsa = certs.localhost "ec", certs.localhost "rsa"
    local folder = assert(momo.fs.tempdir())
    serving_all(function(ports, versions)
      local plain, sealed = free_port(), free_port()
      local locations = {}
      for i, port in ipairs(ports) do
        locations[i] = ([[location /%d { proxy_pass https://127.0.0.1:%s/; proxy_ssl_protocols %s; }]]):format(i, port,
          versions[i])
      end
      assert(momo.fs.write(folder .. "/nginx.conf", ([[
        daemon off; master_process off; pid %s/pid; error_log stderr; events {}
        http {
          access_log off; client_body_temp_path %s/a; proxy_temp_path %s/b; fastcgi_temp_path %s/c;
          uwsgi_temp_path %s/d; scgi_temp_path %s/e;
          server {
            listen 127.0.0.1:%s;
            proxy_ssl_verify on; proxy_ssl_name localhost; proxy_ssl_server_name on;
            proxy_ssl_trusted_certificate %s;
            %s
          }
          server {
            listen 127.0.0.1:%s ssl; ssl_certificate %s; ssl_certificate_key %s;
            ssl_certificate %s; ssl_certificate_key %s;
            ssl_protocols TLSv1.2 TLSv1.3; ssl_session_cache builtin; ssl_session_tickets on;
            location / { return 200 "$ssl_protocol $ssl_session_reused"; }
          }
        }]]):format(folder, folder, folder, folder, folder, folder, plain, certs.root().cert_path,
        table.concat(locations, "\n"), sealed, host.cert_path, host.key_path, rsa.cert_path, rsa.key_path)))
      local nginx = assert(process.spawn { "nginx", "-p", folder, "-c", folder .. "/nginx.conf", stderr = "null" })
      local ok, err = pcall(function()
        wait_for(plain)
        for i in ipairs(ports) do
          for _ = 1, 2 do
            local response = assert(momo.http.get("http://127.0.0.1:" .. plain .. "/" .. i))
            assert.equal("hello", response.body)
          end
        end
        for _, version in ipairs(VERSIONS) do
          for _, sigalgs in ipairs { "ECDHE-ECDSA-AES128-GCM-SHA256", "ECDHE-RSA-AES128-GCM-SHA256" } do
            local client = tls.client { min_version = version, max_version = version, ciphers = sigalgs }
            for turn = 1, 2 do
              local stream = assert(momo.tls.connect("localhost:" .. sealed, client, 20))
              stream:write "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
              local reused = turn == 1 and "%." or "r"
              assert.matches("\r\n\r\nTLSv" .. version .. " " .. reused .. "$", read_all(stream))
              stream:close()
            end
          end
        end
      end)
      nginx:kill "SIGTERM"
      nginx:wait()
      assert(momo.fs.remove(folder, { recursive = true }))
      if not ok then
        error(err, 0)
      end
    end, function(stream)
      stream:read_until "\r\n\r\n"
      stream:write "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: close\r\n\r\nhello"
    end)
  end)

  peer("stunnel4", function()
    local host = certs.localhost()
    local plain, sealed = free_port(), free_port()
    serving({}, function(port)
      -- We speak TLS to its server, which speaks plain text to its client, and that one TLS to our server.
      local config = certs.write("stunnel.conf", ([[
        foreground = yes
        pid =
        [client]
        client = yes
        accept = 127.0.0.1:%s
        connect = 127.0.0.1:%s
        CAfile = %s
        verifyChain = yes
        checkHost = localhost
        [server]
        accept = 127.0.0.1:%s
        connect = 127.0.0.1:%s
        cert = %s
        key = %s
      ]]):gsub("\n%s+", "\n"):format(plain, port, certs.root().cert_path, sealed, plain, host.cert_path, host.key_path))
      local stunnel = assert(process.spawn { "stunnel4", config, stdout = "null", stderr = "null" })
      local ok, err = pcall(function()
        wait_for(sealed)
        for _, version in ipairs(VERSIONS) do
          check_echo(sealed, version)
        end
      end)
      stunnel:kill "SIGKILL"
      stunnel:wait()
      if not ok then
        error(err, 0)
      end
    end)
  end)
end)

describe("openssl", function()
  -- Runs fn(say, read) beside an s_client or s_server with these words; read(pattern) is what it prints up to there.
  local function with_openssl(words, fn)
    local child = assert(process.spawn { "sh", "-c", "exec openssl " .. words .. " 2>&1", stdin = "pipe",
      stdout = "pipe" })
    child.stdout:set_timeout(20)
    local seen = ""
    local ok, err = pcall(fn, function(text)
      assert(child.stdin:write(text))
    end, function(pattern)
      while true do
        local from, to = seen:find(pattern)
        if from then
          local found = seen:match(pattern)
          seen = seen:sub(to + 1)
          return found
        end
        local more, problem = child.stdout:read()
        seen = seen .. (more or error(("%s, and no %q in:\n%s"):format(problem, pattern, seen), 0))
      end
    end)
    child:kill "SIGKILL"
    child:wait()
    if not ok then
      error(err, 0)
    end
  end

  local function client(port, options)
    return ("s_client -connect localhost:%s -CAfile %s -verify_return_error -verify_hostname localhost %s"):format(port,
      certs.root().cert_path, options or "")
  end

  it("s_client renews keys in both directions, with an answer and without", function()
    serving({}, function(port)
      with_openssl(client(port, "-tls1_3"), function(say, read)
        read "Verify return code: 0 %(ok%)"
        for i, letter in ipairs { "K", "k", "K", "K", "k" } do
          say(letter .. "\n")
          read "KEYUPDATE"
          say(("line %d\n"):format(i))
          read(("line %d\n"):format(i))
        end
      end)
    end)
  end)

  it("s_client resumes what it has left, under each version", function()
    serving({}, function(port)
      with_openssl(client(port, "-tls1_2 -reconnect"), function(_, read)
        for _ = 1, 5 do
          read "Reused, TLSv1.2"
        end
      end)
      local path = certs.path "session"
      with_openssl(client(port, "-tls1_3 -sess_out " .. path), function(say, read)
        say "hello\n"
        read "\nhello\n"
        say "Q\n"
        read "DONE"
      end)
      with_openssl(client(port, "-tls1_3 -sess_in " .. path), function(_, read)
        read "Reused, TLSv1.3"
      end)
    end)
  end)

  it("s_client may not renegotiate", function()
    serving({}, function(port)
      with_openssl(client(port, "-tls1_2"), function(say, read)
        read "Verify return code: 0 %(ok%)"
        say "R\n"
        read "RENEGOTIATING"
        read "no renegotiation"
      end)
      check_echo(port, "1.2") -- and others go on
    end)
  end)

  it("s_client is told what it lacks", function()
    serving({ min_version = "1.3" }, function(port)
      with_openssl(client(port, "-tls1_2"), function(_, read) read "alert protocol version" end)
    end)
    serving({ max_version = "1.2" }, function(port)
      with_openssl(client(port, "-tls1_3"), function(_, read) read "alert protocol version" end)
    end)
    serving({ alpn = { "a" } }, function(port)
      with_openssl(client(port, "-alpn b"), function(_, read) read "alert no application protocol" end)
      with_openssl(client(port, "-alpn b,a"), function(_, read) read "ALPN protocol: a" end)
    end)
  end)

  it("s_server takes a client of ours, renews keys, and asks for a certificate", function()
    local host, known = certs.localhost(), certs.make { name = "known", issuer = certs.root(), usage = "clientAuth" }
    local server = ("s_server -accept 127.0.0.1:0 -cert %s -key %s -CAfile %s -Verify 2 -verify_return_error"):format(
      host.cert_path, host.key_path, certs.root().cert_path)
    for _, version in ipairs(VERSIONS) do
      with_openssl(server .. " -tls" .. version:gsub("%.", "_"), function(say, read)
        local port = read "ACCEPT 127.0.0.1:(%d+)"
        local stream = assert(momo.tls.connect("localhost:" .. port,
          { ca = certs.root().cert, cert = known.cert, key = known.key }, 20))
        stream:set_timeout(20)
        read "CN = known"
        for _, letter in ipairs { version == "1.3" and "K" or "", version == "1.3" and "k" or "" } do
          say(letter .. "\n")
          assert(stream:write "ours\n")
          read "ours\n"
          say "theirs\n"
          assert.matches("theirs", stream:read_until "theirs\n")
        end
        stream:close()
      end)
    end
  end)

  it("s_server without our certificate ends the connection, and says why", function()
    local host = certs.localhost()
    local server = ("s_server -accept 127.0.0.1:0 -cert %s -key %s -CAfile %s -Verify 2 -verify_return_error"):format(
      host.cert_path, host.key_path, certs.root().cert_path)
    with_openssl(server, function(_, read)
      local port = read "ACCEPT 127.0.0.1:(%d+)"
      local stream = assert(momo.tls.connect("localhost:" .. port, { ca = certs.root().cert }, 20))
      stream:set_timeout(20)
      assert.matches("^ETLS: refused: .*certificate required", select(2, stream:read()))
    end)
  end)
end)

describe("sslscan", function()
  it("finds nothing that is weak", function()
    if not installed "sslscan" then
      return pending "it needs sslscan"
    end
    serving({}, function(port)
      local out = run("sslscan", "--no-colour", "127.0.0.1:" .. port)
      for _, version in ipairs { "SSLv2", "SSLv3", "TLSv1.0", "TLSv1.1" } do
        assert.matches(version .. "%s+disabled", out)
      end
      assert.matches("TLSv1.2%s+enabled", out)
      assert.matches("TLSv1.3%s+enabled", out)
      assert.matches("Session renegotiation not supported", out, 1, true)
      assert.is_nil(out:find("Compression enabled", 1, true))
      for version in out:gmatch "(%S+) not vulnerable to heartbleed" do
        assert.truthy(version)
      end
      assert.is_nil(out:find("[^t] vulnerable"))
      for cipher in out:gmatch "TLSv1%.2%s+%d+ bits%s+(%S+)" do
        assert.is_nil(cipher:find "RC4" or cipher:find "3DES" or cipher:find "NULL" or cipher:find "EXP")
      end
    end)
  end)
end)
