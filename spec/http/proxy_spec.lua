local client = require "momo.http.client"
local http = require "spec.support.http"
local momo = require "momo"
local scripted = require "spec.support.scripted"
local tcp = require "spec.support.tcp"
local tls = require "spec.support.tls"

local failures -- what the proxy's on_error was told

-- Runs fn(client, proxy's url, proxy's listener) beside servers, one for each function, and a proxy to them.
local function with(scripts, options, fn, server_options)
  tcp.run(function()
    local urls, servers = {}, {}
    for i, script in ipairs(scripts) do
      urls[i], servers[i] = scripted.serve(script)
    end
    options = options or {}
    local suffix = options.path or ""
    options.path = nil
    for i, url in ipairs(urls) do
      urls[i] = url .. suffix
    end
    local listener = tcp.listen()
    failures = {}
    server_options = server_options or {}
    server_options.on_error = function(err) failures[#failures + 1] = err end
    local proxy = momo.spawn(momo.http.serve, listener, momo.http.proxy(urls, options), server_options)
    local c = client.Client { timeout = 20 }
    fn(c, "http://" .. listener:local_addr(), listener, servers)
    c:close()
    listener:close()
    assert(proxy:join())
    for _, server in ipairs(servers) do
      server.listener:close()
    end
    momo.stop() -- connections that the proxy has kept
  end)
end

-- A server that answers with what it was sent.
local function mirror(peer)
  peer:answer_all(function(head)
    return 200, table.concat(head, "\n") .. "\n\n" .. (head.body or ""), "X-Up: 1\n"
  end)
end

describe("a proxy", function()
  after_each(tcp.check_nothing_left)

  it("sends requests on, and answers back", function()
    with({ mirror }, nil, function(c, url, _, servers)
      for i = 1, 5 do
        local answer = assert(c:post(url .. "/a%20b/../c?x=y&z", "body " .. i, { headers = { ["X-A"] = "1" } }))
        assert.equal(200, answer.status)
        assert.equal("1", answer:header "x-up")
        assert.equal("1.1 momo", answer:header "via")
        assert.matches("^POST /c%?x=y&z HTTP/1.1\n", answer.body)
        assert.matches("\nX%-A: 1\n", answer.body)
        assert.matches("\n\nbody " .. i .. "$", answer.body)
      end
      assert.equal(1, servers[1].count) -- by one connection
    end)
  end)

  it("tells who has asked, and for what", function()
    with({ mirror }, nil, function(c, url)
      local text = assert(c:get(url, { headers = {
        ["X-Forwarded-For"] = "1.2.3.4", ["X-Forwarded-Proto"] = "https", ["X-Forwarded-Host"] = "evil", Via = "1.0 x",
        Host = "h.example",
      } })).body
      assert.matches("\nX-Forwarded-For: 1.2.3.4, 127.0.0.1\n", text, 1, true)
      assert.matches("\nX-Forwarded-Proto: http\n", text, 1, true)
      assert.matches("\nX-Forwarded-Host: h.example\n", text, 1, true)
      assert.matches("\nVia: 1.0 x, 1.1 momo\n", text, 1, true)
      assert.matches("\nHost: 127.0.0.1:%d+\n", text)
      assert.is_nil(text:find "evil")
    end)
  end)

  it("passes the client's Host, fields of one's own, and a path before the request's", function()
    with({ mirror }, { keep_host = true, headers = { ["x-KEY"] = "k", ["X-None"] = "n" }, path = "/base/" },
      function(c, url)
      local text = assert(c:get(url .. "/x", { headers = { Host = "h.example", ["X-Key"] = "client" } })).body
      assert.matches("^GET /base/x HTTP", text)
      assert.matches("\nHost: h.example\n", text, 1, true)
      assert.matches("\nx-KEY: k\n", text, 1, true)
      assert.is_nil(text:find "client")
    end)
  end)

  it("drops what is said between neighbours only, both ways", function()
    with({ function(peer)
      local head = peer:request()
      peer:answer(200, table.concat(head, "\n"),
        "Keep-Alive: timeout=5\nConnection: X-Hop\nX-Hop: 1\nProxy-Authenticate: x\n"
        .. "Set-Cookie: a=1\nSet-Cookie: b=2\nDate: Sun, 06 Nov 1994 08:49:37 GMT\nServer: up\n")
    end }, nil, function(_, _, listener)
      local stream = assert(momo.net.TcpStream.connect(listener:local_addr()))
      stream:write(([[GET / HTTP/1.1|Host: x|Connection: close, X-Secret, X-Forwarded-For|X-Secret: s|TE: trailers|]]
        .. [[Proxy-Authorization: p|Proxy-Connection: x|Keep-Alive: 5|Upgrade: h2c|X-Keep: k|X-Keep: l||]])
        :gsub("|", "\r\n"))
      local text = http.read_all(stream)
      stream:close()
      local head, body = text:match "^(.-)\r\n\r\n(.*)$"
      for _, name in ipairs { "X-Secret", "TE", "Proxy-Authorization", "Proxy-Connection", "Keep-Alive", "Upgrade",
        "Connection" } do
        assert.is_nil(body:find("\n" .. name .. ":", 1, true), name)
      end
      assert.matches("X%-Keep: k\nX%-Keep: l", body)
      assert.matches("\nX-Forwarded-For: 127.0.0.1", body, 1, true)
      for _, name in ipairs { "Keep-Alive", "X-Hop", "Proxy-Authenticate" } do
        assert.is_nil(head:find("\n" .. name .. ":", 1, true), name)
      end
      assert.matches("Set%-Cookie: a=1\r\nSet%-Cookie: b=2", head)
      assert.matches("Date: Sun, 06 Nov 1994 08:49:37 GMT", head)
      assert.matches("Server: up", head)
      assert.equal(1, select(2, head:gsub("Date:", "")))
    end)
  end)

  it("passes trailers both ways, but for those that say how to read a message or who sent it", function()
    with({ function(peer)
      local head = peer:head()
      assert.equal("trailers", head.te)
      local rest = assert(peer.stream:read_until "\r\n\r\n")
      peer:say("HTTP/1.1 200 OK\nTrailer: X-Down\nTransfer-Encoding: chunked\n\n")
      peer.stream:write(("%x\r\n%s\r\n0\r\nX-Down: 1\r\nContent-Length: 5\r\nSet-Cookie: a\r\n\r\n"):format(#rest,
        rest))
    end }, nil, function(_, _, listener)
      local stream = assert(momo.net.TcpStream.connect(listener:local_addr()))
      stream:write("POST / HTTP/1.1\r\nHost: x\r\nConnection: close, TE\r\nTE: trailers\r\n" ..
        "Transfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\nX-Up: 1\r\nHost: evil\r\nAuthorization: a\r\n\r\n")
      local text = http.read_all(stream)
      stream:close()
      assert.matches("Trailer: X%-Down\r\n", text)
      assert.matches("\r\n1\r\na\r\n0\r\nx%-up: 1\r\n\r\n\r\n0\r\nx%-down: 1\r\n\r\n$", text)
    end)
  end)

  it("passes early hints, but no 100 Continue, and none to HTTP/1.0", function()
    local function up(peer)
      peer:request()
      peer:say("HTTP/1.1 100 Continue\n\nHTTP/1.1 103 Early Hints\nLink: </a>\nConnection: X-Hop\nX-Hop: 1\n\n" ..
        "HTTP/1.1 103 Early Hints\nLink: </b>\n\nHTTP/1.1 200 OK\nContent-Length: 2\n\nok")
    end
    with({ up, up }, nil, function(_, _, listener)
      for _, row in ipairs { { "1.1", "103 103 200" }, { "1.0", "200" } } do
        local stream = assert(momo.net.TcpStream.connect(listener:local_addr()))
        stream:write(("GET / HTTP/%s\r\nHost: x\r\nConnection: close\r\n\r\n"):format(row[1]))
        local text = http.read_all(stream)
        stream:close()
        assert.equal(row[2], http.statuses(text))
        assert.is_nil(text:find "X%-Hop: 1")
      end
    end)
  end)

  it("adds nothing of its own, and decodes nothing", function()
    with({ function(peer)
      peer:answer_all(function(head)
        return 200, head["accept-encoding"] or "none " .. tostring(head["user-agent"]), "Content-Encoding: gzip\n"
      end)
    end }, nil, function(_, _, listener)
      for sent, got in pairs { [""] = "none nil", ["Accept-Encoding: x\r\n"] = "x" } do
        local stream = assert(momo.net.TcpStream.connect(listener:local_addr()))
        stream:write("GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n" .. sent .. "\r\n")
        local text = http.read_all(stream)
        stream:close()
        assert.equal(got, text:match "\r\n\r\n(.*)$")
        assert.matches("Content%-Encoding: gzip", text)
      end
    end)
  end)

  it("answers HEAD, 204 and 304 as its server does", function()
    with({ function(peer)
      while true do
        local head = peer:request()
        if not head then return end
        if head[1]:find "^HEAD" then
          peer:say "HTTP/1.1 200 OK\nContent-Length: 1000\nETag: x\n\n"
        elseif head[1]:find "/204" then
          peer:say "HTTP/1.1 204 No Content\n\n"
        else
          peer:say "HTTP/1.1 304 Not Modified\nETag: x\n\n"
        end
      end
    end }, nil, function(c, url)
      local answer = assert(c:request("HEAD", url))
      assert.equal("1000", answer:header "content-length")
      assert.equal(204, assert(c:get(url .. "/204")).status)
      answer = assert(c:get(url .. "/304"))
      assert.equal(304, answer.status)
      assert.equal("x", answer:header "etag")
    end)
  end)

  it("streams both ways at once", function()
    local much = ("0123456789abcdef"):rep(200000)
    with({ function(peer)
      local head = peer:head()
      assert(head["transfer-encoding"] == "chunked" or tonumber(head["content-length"]) == #much)
      peer:say "HTTP/1.1 200 OK\nTransfer-Encoding: chunked\n\n"
      local left = #much
      while left > 0 do
        local bytes
        if head["content-length"] then
          bytes = peer.stream:read()
        else
          bytes = peer.stream:read_exact(tonumber(peer.stream:read_until "\n":match "%x+", 16))
          peer.stream:read_exact(2)
        end
        left = left - #bytes
        peer.stream:write { ("%x\r\n"):format(#bytes), bytes, "\r\n" }
      end
      if not head["content-length"] then
        peer.stream:read_exact(5)
      end
      peer:say "0\n\n"
    end }, nil, function(c, url)
      assert.is_true(much == assert(c:post(url, much)).body)
      local at = 1
      assert.is_true(much == assert(c:post(url, function()
        at = at + 100000
        return at - 100000 <= #much and much:sub(at - 100000, at - 1) or nil
      end)).body)
    end)
  end)

  it("passes each piece on as it comes", function()
    local seen
    with({ function(peer)
      peer:request()
      peer:say "HTTP/1.1 200 OK\nContent-Type: text/event-stream\nTransfer-Encoding: chunked\n\n"
      for i = 1, 5 do
        seen:notified()
        peer:say("1\n" .. i .. "\n")
      end
      peer:say "0\n\n"
    end }, nil, function(c, url)
      seen = momo.sync.Notify()
      c:stream("GET", url, nil, function(answer) -- its head has come before anything else
        for i = 1, 5 do
          seen:notify_one()
          assert.equal(tostring(i), answer:read())
        end
        tcp.assert_failed("EOF", answer:read())
      end)
    end)
  end)

  it("cuts what its server has cut", function()
    for _, text in ipairs {
      "HTTP/1.1 200 OK\nContent-Length: 10\n\nabc", "HTTP/1.1 200 OK\nTransfer-Encoding: chunked\n\n5\nab",
      "HTTP/1.1 200 OK\nTransfer-Encoding: chunked\n\n5\nabcde\nx\n",
    } do
      with({ function(peer)
        peer:request()
        peer:say(text)
      end }, nil, function(c, url)
        local answer, _, code = c:get(url)
        assert.is_nil(answer)
        assert(code == "ECONNRESET" or code == "EOF", code)
      end)
      assert.equal(1, #failures)
    end
  end)

  it("answers 502 where there is no answer, 504 where it takes too long, 400 where it is asked for what can't be",
    function()
    for _, row in ipairs {
      { 502, function() end },
      { 502, function(peer) peer:request() end },
      { 502, function(peer)
        peer:request()
        peer:say "hello\n\n"
      end },
      { 502, function(peer)
        peer:request()
        peer:say "HTTP/1.1 200 OK\nContent-"
      end },
      { 502, function(peer)
        peer:request()
        peer:say "HTTP/1.1 200 OK\nTransfer-Encoding: chunked\n\nx\n"
      end },
      { 504, function(peer)
        peer:request()
        momo.time.sleep(0.2)
      end },
    } do
      with({ row[2] }, { timeout = 0.1 }, function(c, url)
        assert.equal(row[1], assert(c:get(url)).status)
      end)
      assert.same({}, failures)
    end
    with({ mirror }, nil, function(_, _, listener)
      local stream = assert(momo.net.TcpStream.connect(listener:local_addr()))
      stream:write "GET /%zz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
      assert.matches("^HTTP/1.1 400 ", http.read_all(stream))
      stream:close()
    end)
  end)

  it("gives a server its time from the end of a body on, which may take longer; and one that takes none of it, too",
    function()
    with({ mirror }, { timeout = 0.1 }, function(c, url)
      local left = 6
      local answer = assert(c:post(url, function()
        momo.time.sleep(0.04)
        left = left - 1
        return left > 0 and "piece" or nil
      end))
      assert.equal(200, answer.status)
      assert.matches("\n\n" .. ("piece"):rep(5) .. "$", answer.body)
    end)
    local over = momo.sync.Notify()
    with({ function() over:notified() end }, { timeout = 0.1 }, function(c, url)
      local piece = ("x"):rep(65536)
      assert.equal(504, assert(c:post(url, function() return piece end)).status)
      over:notify_one()
    end)
  end)

  it("says that the client has left where its body ends too early, whatever was answered", function()
    local over = momo.sync.Notify()
    with({ function(peer)
      peer:head()
      peer:say "HTTP/1.1 200 OK\nTransfer-Encoding: chunked\n\n5\nhello\n"
      over:notified()
    end }, nil, function(_, _, listener)
      local stream = assert(momo.net.TcpStream.connect(listener:local_addr()))
      stream:write "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nabc"
      assert(stream:read_until "hello")
      stream:close()
      tcp.wait_for(function() return failures[1] end)
      over:notify_one()
    end)
    assert.same({ "ECONNRESET: the connection ended within the body" }, failures)
  end)

  it("refuses bodies that its own server refuses", function()
    with({ function(peer) pcall(mirror, peer) end }, nil, function(c, url)
      assert.equal(413, assert(c:post(url, ("x"):rep(2000))).status)
      assert.equal(200, assert(c:post(url, ("x"):rep(1000))).status)
    end, { max_stream = 1000 })
  end)

  it("lets servers take turns, and leaves out those that are down", function()
    local counts = { 0, 0, 0 }
    local function server(i)
      return function(peer)
        peer:answer_all(function()
          counts[i] = counts[i] + 1
          return 200, tostring(i)
        end)
      end
    end
    with({ server(1), server(2), server(3) }, nil, function(c, url, _, servers)
      for _ = 1, 9 do
        assert.equal(200, assert(c:get(url)).status)
      end
      assert.same({ 3, 3, 3 }, counts)
      servers[2].listener:close()
      servers[2].dead = true
      for _ = 1, 9 do
        assert.equal(200, assert(c:post(url, "x")).status)
      end
      assert.equal(18, counts[1] + counts[2] + counts[3])
    end)
  end)

  it("asks another server where the first can't be reached, whatever the request", function()
    local dead = tcp.listen()
    local address = dead:local_addr()
    dead:close()
    tcp.run(function()
      local url, server = scripted.echo(function(head) return 200, head.body end)
      local listener = tcp.listen()
      local proxy = momo.spawn(momo.http.serve, listener, momo.http.proxy { "http://" .. address, url, "http://"
        .. address })
      local c = client.Client()
      for i = 1, 6 do
        assert.equal(tostring(i), assert(c:post("http://" .. listener:local_addr(), tostring(i))).body)
      end
      c:close()
      listener:close()
      proxy:join()
      server.listener:close()
      momo.stop()
    end)
  end)

  it("asks no other one where a request may have done something", function()
    for _, row in ipairs { { "POST", 502, 1 }, { "GET", 200, 2 }, { "DELETE", 200, 2 } } do
      local asked = 0
      local function dies(peer)
        peer:request()
        asked = asked + 1
      end
      local function lives(peer)
        peer:answer_all(function()
          asked = asked + 1
          return 200
        end)
      end
      with({ dies, lives }, nil, function(c, url)
        assert.equal(row[2], assert(c:request(row[1], url)).status)
        assert.equal(row[3], asked)
      end)
    end
  end)

  it("passes upgrades, and what is said then", function()
    with({ function(peer)
      local head = peer:head()
      assert(head.upgrade == "chat" and head.connection == "Upgrade")
      if head[1]:find "/no" then
        return peer:answer(400, "no")
      end
      peer:say "HTTP/1.1 101 Switching Protocols\nUpgrade: chat\nConnection: Upgrade\nX-Chat: 1\n\nfirst"
      while true do
        local bytes = peer.stream:read()
        if not bytes then return end
        peer.stream:write(bytes:upper())
      end
    end }, nil, function(_, _, listener)
      local stream = assert(momo.net.TcpStream.connect(listener:local_addr()))
      stream:write "GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: chat\r\n\r\nearly"
      local head = assert(stream:read_until "\r\n\r\n")
      assert.matches("^HTTP/1.1 101 ", head)
      assert.matches("Upgrade: chat\r\n", head)
      assert.matches("X%-Chat: 1\r\n", head)
      assert.equal("firstEARLY", stream:read_exact(10))
      stream:write "hello"
      assert.equal("HELLO", stream:read_exact(5))
      stream:close()
      stream = assert(momo.net.TcpStream.connect(listener:local_addr()))
      stream:write "GET /no HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: chat\r\n\r\n"
      assert.matches("^HTTP/1.1 400 ", assert(stream:read_until "\r\n\r\n"))
      stream:close()
    end)
  end)

  it("passes no upgrade to another protocol than what was asked for, and none to HTTP/2", function()
    with({ function(peer)
      local head = peer:head()
      peer:say(head.upgrade == "chat" and "HTTP/1.1 101 X\nUpgrade: other\nConnection: Upgrade\n\nfirst"
        or "HTTP/1.1 101 X\n\nfirst")
    end }, nil, function(_, _, listener)
      for _, protocol in ipairs { "chat", "x" } do
        local stream = assert(momo.net.TcpStream.connect(listener:local_addr()))
        stream:write("GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: " .. protocol .. "\r\n\r\n")
        assert.matches("^HTTP/1.1 502 ", assert(stream:read_until "\r\n\r\n"))
        stream:close()
      end
    end)
    with({ mirror }, nil, function(_, _, listener)
      local stream = assert(momo.net.TcpStream.connect(listener:local_addr()))
      stream:write("GET / HTTP/1.1\r\nHost: x\r\nConnection: close, Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n" ..
        "HTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA\r\n\r\n")
      local answer = http.read_all(stream):lower()
      assert.matches("^http/1.1 200 ", answer)
      assert.is_nil(answer:find("h2c", 1, true))
      assert.is_nil(answer:find("http2-settings", 1, true))
      stream:close()
    end)
  end)

  it("asks for what it was asked, byte by byte, within the path of its server's URL", function()
    local function ask(listener, target, method)
      local stream = assert(momo.net.TcpStream.connect(listener:local_addr()))
      stream:write(("%s %s HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"):format(method or "GET", target))
      local answer = http.read_all(stream)
      stream:close()
      return answer:match "\r\n\r\n%u+ (%S+) HTTP" or answer:match "^HTTP/1.1 (%d+)"
    end
    for _, path in ipairs { "", "/", "/public", "/public/" } do
      with({ mirror }, { path = path }, function(_, _, listener)
        local prefix = path:gsub("/$", "")
        for _, target in ipairs { "/", "/a//b/", "/%41%7e?x=%20&y=[]|\\", "/a?../..", "/a...", "/?", "//a/b", "/@a",
          "/a%2fb" } do
          assert.equal(prefix .. target, ask(listener, target))
        end
        for _, target in ipairs { "/..", "/../x", "/a/../../x", "/%2e%2E/x", "/a%2f..%2f..%2fx", "/..\\x", "/..%5cx",
          "/./x", "/a/.", "/%00", "http://x/../a" } do
          assert.equal("400", ask(listener, target), target)
        end
        assert.equal(prefix .. "/x?y", ask(listener, "http://a/x?y"))
        assert.equal(prefix .. "/?y", ask(listener, "http://a?y"))
        assert.equal(prefix == "" and "*" or prefix, ask(listener, "*", "OPTIONS"))
      end)
    end
  end)

  it("stands between https and a Unix socket", function()
    tcp.run(function()
      local path = os.tmpname()
      os.remove(path)
      local behind = assert(momo.net.UnixListener.bind(path))
      local server = momo.spawn(momo.http.serve, behind, function(request, response)
        response:send(200, request:header "x-forwarded-proto")
      end)
      local listener = tcp.listen()
      local proxy = momo.spawn(momo.http.serve, listener, momo.http.proxy("http://behind", { unix = path }),
        { tls = tls.server() })
      local c = client.Client { tls = tls.client() }
      assert.equal("https", assert(c:get("https://localhost:" .. listener:local_addr():match "%d+$")).body)
      c:close()
      listener:close()
      proxy:join()
      behind:close()
      server:cancel()
      server:join()
      momo.stop()
      os.remove(path)
    end)
  end)

  it("refuses what is no server", function()
    for _, row in ipairs {
      { "argument 1 must be a URL, or an array of URLs, got nil" }, { "argument 1 must be a URL", {} },
      { "argument 1 must be a URL such as", "127.0.0.1:80" }, { "argument 1 must be a URL such as", "ftp://a" },
      { "argument 1 must be a URL such as", "http://a/?b" }, { "timeout must be a number of seconds", "http://a",
        { timeout = "x" } },
      { 'no option "host"', "http://a", { host = "x" } },
    } do
      local ok, err = pcall(momo.http.proxy, row[2], row[3])
      assert.is_false(ok)
      assert.matches(row[1], err, 1, true)
    end
  end)
end)
