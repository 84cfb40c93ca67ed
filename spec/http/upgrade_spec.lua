-- The client's side of WebSocket: the way to a server, its handshake, and what it takes from servers.

local cases = require "spec.support.websocket_cases"
local frames = require "spec.support.frames"
local http = require "spec.support.http"
local momo = require "momo"
local scripted = require "spec.support.scripted"
local support_tls = require "spec.support.tls"
local tcp = require "spec.support.tcp"

local assert_failed = tcp.assert_failed
local frame = frames.server_frame
local TEXT, BINARY, CLOSE, PING, PONG = 1, 2, 8, 9, 10

local function accept_of(key)
  return require("momo.internal.core").native.websocket_accept(key)
end

-- What a server says that takes a handshake; changed by a function, if there is one.
local function welcome(head, change)
  local text = "HTTP/1.1 101 Switching Protocols\nUpgrade: websocket\nConnection: Upgrade\n" ..
    "Sec-WebSocket-Accept: " .. accept_of(head["sec-websocket-key"]) .. "\n\n"
  return change and change(text) or text
end

-- Runs fn(url) beside a server that takes handshakes, and then does script(stream, head).
local function with(script, fn)
  tcp.run(function()
    local url, server = scripted.serve(function(peer)
      local head = peer:head()
      assert(peer:say(welcome(head)))
      script(peer.stream, head)
    end)
    fn((url:gsub("^http", "ws")))
    server.listener:close()
  end)
end

-- What a client answers to these bytes, until the end.
local function talk(bytes, fn, options)
  local got
  with(function(stream)
    stream:write(bytes)
    got = frames.show(http.read_all(stream))
  end, function(url)
    local ws = assert(momo.http.websocket(url, options))
    fn(ws)
    ws:close()
  end)
  return got
end

local function close(code, reason)
  return frame(CLOSE, string.char(math.floor(code / 256), code % 256) .. (reason or ""))
end

describe("http.websocket", function()
  after_each(tcp.check_nothing_left)

  it("asks for a WebSocket, and takes what was agreed on", function()
    tcp.run(function()
      local keys = {}
      local url, server = scripted.serve(function(peer)
        local head = peer:head()
        assert.equal("GET /chat?room=1 HTTP/1.1", head[1])
        assert.equal("websocket", head.upgrade)
        assert.equal("Upgrade", head.connection)
        assert.equal("13", head["sec-websocket-version"])
        assert.equal("good, better", head["sec-websocket-protocol"])
        assert.equal("http://a", head.origin)
        assert.equal("Basic YTpi", head.authorization)
        assert.matches("^127.0.0.1:%d+$", head.host)
        keys[#keys + 1] = head["sec-websocket-key"]
        assert.matches("^[%w+/]+==$", keys[#keys])
        assert.equal(24, #keys[#keys])
        peer:say(welcome(head, function(text)
          return (text:gsub("\n\n$", "\nSec-WebSocket-Protocol: better\n\n"):gsub("Upgrade\n", "keep-alive, UPGRADE\n"))
        end))
        peer.stream:write(frame(TEXT, "hello") .. close(1000))
        peer.stream:read()
      end)
      for _ = 1, 2 do
        local ws = assert(momo.http.websocket(url:gsub("^http://", "ws://a:b@") .. "/chat?room=1#part", {
          protocols = { "good", "better" }, headers = { Origin = "http://a" },
        }))
        assert.equal("better", ws.protocol)
        assert.same({ "hello", "text" }, { ws:recv() })
        assert_failed("EOF", ws:recv())
        assert.equal(1000, ws.close_code)
      end
      assert.not_equal(keys[1], keys[2])
      server.listener:close()
    end)
  end)

  local WRONG = {
    { "403", function() return "HTTP/1.1 403 Forbidden\nContent-Length: 2\n\nno" end, "it answered 403 Forbidden" },
    { "200", function() return "HTTP/1.1 200 OK\nContent-Length: 0\n\n" end, "it answered 200" },
    { "a redirection", function() return "HTTP/1.1 302 Found\nLocation: /\nContent-Length: 0\n\n" end,
      "it answered 302" },
    { "another key", function(text) return (text:gsub("Accept: ...", "Accept: xxx")) end, "Accept" },
    { "no key", function(text) return (text:gsub("Sec%-WebSocket%-Accept: [^\n]*\n", "")) end, "Accept" },
    { "no Upgrade", function(text) return (text:gsub("Upgrade: websocket\n", "")) end, "another protocol" },
    { "another protocol", function(text) return (text:gsub(": websocket", ": h2c")) end, "another protocol" },
    { "no Connection", function(text) return (text:gsub("Connection: Upgrade\n", "")) end, "another protocol" },
    { "an extension",
      function(text) return (text:gsub("\n\n$", "\nSec-WebSocket-Extensions: permessage-deflate\n\n")) end,
      "an extension that was not offered" },
    { "a subprotocol", function(text) return (text:gsub("\n\n$", "\nSec-WebSocket-Protocol: other\n\n")) end,
      "a subprotocol that was not offered: other" },
    { "no HTTP", function() return "hello\n\n" end, "malformed answer" },
  }
  for _, row in ipairs(WRONG) do
    it("refuses a server that answers with " .. row[1], function()
      tcp.run(function()
        local url, server = scripted.serve(function(peer)
          peer:say(welcome(peer:head(), row[2]))
          assert.is_nil((peer.stream:read()))
        end)
        local ws, err, code = momo.http.websocket(url:gsub("^http", "ws"), { protocols = { "chat" } })
        assert_failed("EPROTO", ws, err, code)
        assert.truthy(err:find(row[3], 1, true), err)
        server.listener:close()
      end)
    end)
  end

  it("fails where the server leaves, is silent, or is not there, and leaves nothing open", function()
    tcp.run(function()
      local url, server = scripted.serve(function(peer) peer:head() end, function(peer)
        peer:head()
        peer:say "HTTP/1.1 101 X\n"
        assert.is_nil((peer.stream:read()))
      end)
      url = url:gsub("^http", "ws")
      assert_failed("EOF", momo.http.websocket(url))
      assert_failed("ETIMEDOUT", momo.http.websocket(url, { timeout = 0.05 }))
      assert_failed("ETIMEDOUT", momo.time.timeout(0.05, momo.http.websocket, url, { timeout = false }))
      server.listener:close()
      assert_failed("ECONNREFUSED", momo.http.websocket(url))
      assert_failed("ENOENT", momo.http.websocket("ws://a/", { unix = "/no/such.sock" }))
      for _, wrong in ipairs { "http://a/", "a", "ws://", "ws:///x", "ws://a:99999/" } do
        assert_failed("EINVAL", momo.http.websocket(wrong))
      end
    end)
  end)

  it("goes over TLS, Unix sockets and proxies", function()
    tcp.run(function()
      local function echo(request, response)
        local ws = assert(response:websocket(request, { origins = "*" }))
        for message, kind in ws:messages() do
          ws:send(request.path .. " " .. message, kind)
        end
      end
      local function check(url, options)
        local ws = assert(momo.http.websocket(url, options))
        assert(ws:send "hello")
        assert.same({ "/x hello", "text" }, { ws:recv() })
        assert(ws:send(("\255"):rep(100000), "binary"))
        assert.equal(100003, #assert(ws:recv()))
        assert.is_true(ws:close())
        assert.equal(1000, ws.close_code)
      end
      local trusting = support_tls.client()
      local plain, secure = tcp.listen(), tcp.listen()
      local path = os.tmpname()
      os.remove(path)
      local unix = assert(momo.net.UnixListener.bind(path))
      momo.spawn(momo.http.serve, plain, echo)
      momo.spawn(momo.http.serve, unix, echo)
      momo.spawn(momo.http.serve, secure, echo, { tls = support_tls.server() })
      local port = secure:local_addr():match "%d+$"
      check("ws://" .. plain:local_addr() .. "/x")
      check("wss://localhost:" .. port .. "/x", { tls = trusting })
      check("ws://any/x", { unix = path })
      local tunnels = {}
      local proxy, server = scripted.serve(function(peer)
        local head = peer:head()
        tunnels[#tunnels + 1] = head[1]
        local onward = assert(momo.net.TcpStream.connect(head[1]:match "^CONNECT (%S+)"))
        peer:say "HTTP/1.1 200 OK\n\n"
        momo.io.pipe_both(peer.stream, onward)
        onward:close()
      end)
      check("ws://" .. plain:local_addr() .. "/x", { proxy = proxy })
      check("wss://localhost:" .. port .. "/x", { proxy = proxy, tls = trusting })
      local connects = "CONNECT %s HTTP/1.1"
      assert.same({ connects:format(plain:local_addr()), connects:format("localhost:" .. port) },
        tunnels)
      assert_failed("ETLS", momo.http.websocket("wss://localhost:" .. port .. "/x"))
      for _, listener in ipairs { plain, secure, unix, server.listener } do
        listener:close()
      end
      os.remove(path)
    end)
  end)

  for section, rows in pairs(cases.of(frame)) do
    it("answers, as an echo, by the rules: " .. section, function()
      for _, row in ipairs(rows) do
        local got = talk(row[2], function(ws)
          for message, kind in ws:messages() do
            ws:send(message, kind)
          end
          assert.is_number(ws.close_code)
        end)
        assert(got == row[1], ("%q: %s, not %s"):format(row[2]:sub(1, 50), got, row[1]))
      end
    end)
  end

  -- What a server sends; what the client answers; what recv says last, and close_code.
  local CASES = {
    { frame(TEXT, "a") .. frame(BINARY, "b") .. close(1000, "bye"), "8:1000", "EOF", 1000 },
    { frame(TEXT, "a", { more = true }) .. frame(PING, "p") .. frame(0, "b") .. close(1001), "10:p 8:1001", "EOF",
      1001 },
    { frame(PONG, "unasked") .. frame(CLOSE, ""), "8:", "EOF", 1005 },
    { frames.frame(TEXT, "masked"), "8:1002", "EPROTO", 1002 },
    { frame(TEXT, "x", { rsv = 64 }), "8:1002", "EPROTO", 1002 },
    { frame(3, "x"), "8:1002", "EPROTO", 1002 },
    { frame(PING, ("x"):rep(126)), "8:1002", "EPROTO", 1002 },
    { frame(PING, "x", { more = true }), "8:1002", "EPROTO", 1002 },
    { frame(0, "x"), "8:1002", "EPROTO", 1002 },
    { frame(TEXT, "x", { wide = 2 }), "8:1002", "EPROTO", 1002 },
    { frame(TEXT, "a", { more = true }) .. frame(TEXT, "b"), "8:1002", "EPROTO", 1002 },
    { close(1006), "8:1002", "EPROTO", 1002 },
    { frame(TEXT, "\255"), "8:1007", "EPROTO", 1007 },
    { close(1000, "\255"), "8:1007", "EPROTO", 1007 },
    { frame(BINARY, "", { length = 1001 }), "8:1009", "EMSGSIZE", 1009 },
    { frame(BINARY, ("x"):rep(600), { more = true }) .. frame(0, "", { length = 401 }), "8:1009", "EMSGSIZE", 1009 },
  }
  it("takes from a server what the rules allow, within max_message, and tells it what they don't", function()
    for _, row in ipairs(CASES) do
      local code, close_code
      local got = talk(row[1], function(ws)
        local message
        repeat
          message, _, code = ws:recv(20)
        until not message
        close_code = ws.close_code
        assert_failed(code, ws:send "late")
      end, { max_message = 1000 })
      assert.same({ row[2], row[3], row[4] }, { got, code, close_code })
    end
  end)

  it("masks what it sends, each frame by a key of its own", function()
    local raw
    with(function(stream)
      raw = assert(stream:read_exact(2 * (2 + 4 + 5)))
      stream:write(close(1000))
      http.read_all(stream)
    end, function(url)
      local ws = assert(momo.http.websocket(url))
      assert(ws:send "hello" and ws:send "hello")
      for _ in ws:messages() do end
    end)
    assert.equal("1:hello 1:hello", frames.show(raw))
    assert.not_equal(raw:sub(3, 6), raw:sub(14, 17))
    assert.is_true(raw:byte(2) > 128)
  end)

  it("closes with a code and a reason, and waits for the server's", function()
    local got
    with(function(stream)
      got = assert(stream:read_exact(2 + 4 + 5))
      stream:write(frame(TEXT, "late") .. close(4000, "bye"))
      assert.equal("", http.read_all(stream))
    end, function(url)
      local ws = assert(momo.http.websocket(url))
      assert.is_true(ws:close(4000, "bye"))
      assert.same({ 4000, "bye" }, { ws.close_code, ws.close_reason })
      assert_failed("EOF", ws:recv())
      assert.is_true((ws:close())) -- once more is no failure
    end)
    assert.equal("8:4000", frames.show(got))
  end)

  it("asks nothing behind its close, and reads and forgets what follows the server's", function()
    local got
    with(function(stream)
      got = assert(stream:read_exact(2 + 4 + 2))
      momo.time.sleep(0.1)
      assert(stream:write(close(1000) .. frame(BINARY, ("x"):rep(60000)):rep(20)))
      assert(stream:shutdown())
      assert.equal("", http.read_all(stream))
    end, function(url)
      local ws = assert(momo.http.websocket(url, { ping_interval = 0.02 }))
      assert.is_true(ws:close())
      assert.equal(1000, ws.close_code)
    end)
    assert.equal("8:1000", frames.show(got))
  end)

  it("answers a server's close so that it arrives, whatever follows", function()
    local got
    with(function(stream)
      assert(stream:write(close(1001) .. frame(TEXT, "late") .. frame(BINARY, ("x"):rep(60000)):rep(20)))
      assert(stream:shutdown())
      got = assert(stream:read_exact(2 + 4 + 2))
      assert_failed("EOF", stream:read())
    end, function(url)
      local ws = assert(momo.http.websocket(url))
      assert_failed("EOF", ws:recv())
      assert.equal(1001, ws.close_code)
    end)
    assert.equal("8:1001", frames.show(got))
  end)

  it("asks a silent server whether it is there, and knows when it is not", function()
    local got
    with(function(stream)
      got = http.read_all(stream)
    end, function(url)
      local ws = assert(momo.http.websocket(url, { ping_interval = 0.02 }))
      assert_failed("ETIMEDOUT", ws:recv())
      assert.equal(1006, ws.close_code)
    end)
    assert.equal("9:", frames.show(got))
  end)

  it("gives up on a server that does not read", function()
    local done = momo.sync.Notify()
    with(function() done:notified() end, function(url)
      local ws = assert(momo.http.websocket(url, { write_timeout = 0.05 }))
      local ok, err, code
      repeat
        ok, err, code = ws:send(("x"):rep(1024 * 1024))
      until not ok
      assert_failed("ETIMEDOUT", ok, err, code)
      assert.equal(1006, ws.close_code)
      done:notify_one()
    end)
  end)

  for _, row in ipairs {
    { "1", "websocket: the URL must be a string, got 1" },
    { "'ws://a', { headers = { Upgrade = 'x' } }", "websocket: the field Upgrade is Momo's own affair" },
    { "'ws://a', { headers = { ['sec-websocket-key'] = 'x' } }",
      "websocket: the field sec-websocket-key is Momo's own affair" },
    { "'ws://a', { protocols = { 'a b' } }",
      'websocket: option protocols must be an array of names such as "chat", got "a b"' },
    { "'ws://a', { timeout = 'x' }", 'websocket: option timeout must be a number of seconds, or false, got "x"' },
    { "'ws://a', { max_message = 0 }", "websocket: option max_message must be a whole number from 1, got 0" },
    { "'ws://a', { tls = 1 }", "websocket: tls must be what momo.tls.client{...} has returned, got 1" },
    { "'ws://a', { redirects = 1 }",
      "websocket: there is no option \"redirects\", but connect_timeout, headers, max_message, ping_interval" },
  } do
    it("is told of the mistake in " .. row[1], function()
      assert.matches("^app.lua:2: " .. row[2]:gsub("%p", "%%%0"), tcp.mistake("momo.http.websocket(" .. row[1] .. ")"))
    end)
  end
end)
