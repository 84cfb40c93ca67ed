-- The ways of a client to where a URL leads.

local client = require "momo.http.client"
local ffi = require "ffi"
local momo = require "momo"
local scripted = require "spec.support.scripted"
local support = require "spec.support"
local tcp = require "spec.support.tcp"
local tls = require "spec.support.tls"

local assert_failed = tcp.assert_failed

ffi.cdef "int shutdown(int, int);"

-- Runs fn(client, ...) with servers, one for each function of scripts; it gets their URLs.
local function with(scripts, fn)
  tcp.run(function()
    local urls, servers = {}, {}
    for i, script in ipairs(scripts) do
      urls[i], servers[i] = scripted.serve(script)
    end
    local c = client.Client { timeout = 20 }
    fn(c, unpack(urls))
    c:close()
    for _, server in ipairs(servers) do
      server.listener:close()
    end
  end)
end

describe("a client", function()
  after_each(tcp.check_nothing_left)

  it("goes by a name, or an address of either family", function()
    tcp.run(function()
      local c = client.Client()
      for address, host in pairs {
        ["127.0.0.1:0"] = "localhost", ["[::1]:0"] = "[::1]", ["127.0.0.2:0"] = "127.0.0.2",
      } do
        local listener = momo.net.TcpListener.bind(address)
        if listener then
          local port = listener:local_addr():match "%d+$"
          local server = momo.spawn(function()
            local peer = scripted.peer(assert(listener:accept()))
            peer:answer(200, assert(peer:head()).host)
            peer.stream:close()
            listener:close()
          end)
          assert.equal(host .. ":" .. port, assert(c:get(("http://%s:%s/"):format(host, port))).body)
          server:join()
        end
      end
      local _, _, code = c:get "http://no-such-host.invalid/"
      assert.matches("^EAI_", code)
      c:close()
    end)
  end)

  it("goes through a Unix socket", function()
    tcp.run(function()
      local path = os.tmpname()
      os.remove(path)
      local listener = assert(momo.net.UnixListener.bind(path))
      local count = 0
      local server = momo.spawn(function()
        count = count + 1
        local peer = scripted.peer(assert(listener:accept()))
        peer:answer_all(function(head) return 200, head[1] .. " " .. head.host end)
        peer.stream:close()
      end)
      local c = client.Client { unix = path }
      for _ = 1, 3 do
        assert.equal("GET /x HTTP/1.1 docker", assert(c:get "http://docker/x").body)
      end
      assert.equal(1, count)
      c:close()
      server:join()
      listener:close()
      os.remove(path)
      assert_failed("ENOENT", client.get("http://docker/x", { unix = path }))
    end)
  end)

  it("goes through a proxy, with the whole URL", function()
    with({ function(peer)
      peer:answer_all(function(head) return 200, table.concat(head, "|") end)
    end }, function(c, proxy)
      local text = c:get("http://a.example:81/x?y#z", { proxy = (proxy:gsub("//", "//me:p%%77@")) }).body
      assert.matches("GET http://a.example:81/x?y HTTP/1.1|Host: a.example:81|", text, 1, true)
      assert.matches("Proxy-Authorization: Basic bWU6cHc=", text, 1, true)
      assert.is_nil(text:find "\nAuthorization")
      text = c:get("http://b.example/", { proxy = proxy }).body
      assert.is_nil(text:find "Authorization")
    end)
  end)

  it("keeps connections to a proxy for all servers behind it", function()
    tcp.run(function()
      local proxy, server = scripted.echo(function(head) return 200, head.host end)
      local c = client.Client { proxy = proxy }
      for _, host in ipairs { "a.example", "b.example", "a.example" } do
        assert.equal(host, assert(c:get("http://" .. host)).body)
      end
      assert.equal(1, server.count)
      assert_failed("ECONNREFUSED", c:get("http://127.0.0.1:1/", { proxy = false }))
      c:close()
      server.listener:close()
    end)
  end)

  it("says what to install where there is no TLS", function()
    local status, output, stderr = support.luajit [[
      package.preload["momo.tls"] = function() error "no libssl" end
      local momo = require "momo"
      momo.run(function() print(momo.http.get "https://127.0.0.1:1/") end)]]
    assert.equal(0, status, stderr)
    assert.matches("EPROTONOSUPPORT: https needs libssl 3 (Debian: libssl3)", output, 1, true)
  end)
end)

describe("a client of https", function()
  after_each(tcp.check_nothing_left)

  -- Runs fn(client, url, connections) beside a server; connections() is how many it has had.
  local function with_tls(handler, fn)
    tcp.run(function()
      local listener = tcp.listen()
      local peers, count = {}, 0
      local server = momo.spawn(momo.http.serve, listener, function(request, response)
        count = count + (peers[request.peer] and 0 or 1)
        peers[request.peer] = true
        return handler(request, response)
      end, { tls = tls.server() })
      local c = client.Client { tls = tls.client(), timeout = 20 }
      fn(c, "https://localhost:" .. listener:local_addr():match "%d+$", function() return count end)
      c:close()
      listener:close()
      assert(server:join())
    end)
  end

  local function show(request, response)
    response:send(200, request.method .. " " .. request.target .. " " .. (request:body() or ""))
  end

  it("is sure of its server, and keeps the connection", function()
    with_tls(show, function(c, url, connections)
      for i = 1, 5 do
        assert.equal("POST /x body " .. i, assert(c:post(url .. "/x", "body " .. i)).body)
        tcp.settle() -- tickets that come while it is idle are no reason to close it
      end
      assert.equal(1, connections())
      assert_failed("ETLS", client.get(url)) -- nobody known has signed its certificate
    end)
  end)

  it("takes no answer for whole that somebody else may have cut", function()
    tcp.run(function()
      local listener = tcp.listen()
      local texts = {
        "Content-Length: 10\r\n\r\n12345", "Transfer-Encoding: chunked\r\n\r\n5\r\n12345\r\n", "\r\n12345", "",
        "Transfer-Encoding: chunked\r\n\r\n5\r\n12345\r\n0\r\n",
      }
      local server = momo.spawn(function()
        for i = 1, 2 * #texts do
          local stream = listener:accept()
          assert(tls.server():wrap(stream))
          stream:read_until "\r\n\r\n"
          stream:write("HTTP/1.1 200 OK\r\n" .. texts[math.ceil(i / 2)])
          if i % 2 == 1 then
            ffi.C.shutdown(stream:fd(), 1) -- an end that TLS does not tell
          end
          stream:close()
        end
      end)
      local c = client.Client { tls = tls.client(), timeout = 20 }
      local url = "https://localhost:" .. listener:local_addr():match "%d+$"
      for i, text in ipairs(texts) do
        assert_failed("ETLS", c:get(url))
        if i == 3 then
          assert.equal("12345", assert(c:get(url)).body)
        else
          assert_failed(text == "" and "EOF" or "ECONNRESET", c:get(url))
        end
      end
      c:close()
      listener:close()
      server:join()
    end)
  end)

  it("follows no redirection to http", function()
    with_tls(function(_, response) response:redirect("http://127.0.0.1:1/", 302) end, function(c, url)
      local answer = assert(c:get(url))
      assert.equal(302, answer.status)
      assert.equal("http://127.0.0.1:1/", answer:header "location")
    end)
  end)

  it("sends and reads much, both ways at once", function()
    local much = ("0123456789abcdef"):rep(200000)
    with_tls(function(request, response)
      response:start(200, { ["Content-Type"] = "text/plain" })
      for piece in request:pieces() do
        response:write(piece)
      end
    end, function(c, url)
      assert.is_true(much == assert(c:post(url, much)).body)
      assert.is_true(much == assert(c:post(url, (function()
        local at = 1
        return function()
          at = at + 100000
          return at - 100000 <= #much and much:sub(at - 100000, at - 1) or nil
        end
      end)())).body)
    end)
  end)

  it("goes through a proxy, which sees nothing of it", function()
    local asked = {}
    local function proxy(peer)
      local head = peer:head()
      asked[#asked + 1] = head[1] .. " " .. tostring(head["proxy-authorization"])
      local target = assert(momo.net.TcpStream.connect(head[1]:match "^CONNECT (%S+)"))
      peer:say "HTTP/1.1 200 Connection Established\nX-Proxy: 1\n\n"
      momo.io.pipe_both(peer.stream, target)
      target:close()
    end
    with_tls(show, function(c, url, connections)
      local proxy_url, server = scripted.serve(proxy)
      for _ = 1, 3 do
        assert.equal("GET /x ", assert(c:get(url .. "/x", { proxy = (proxy_url:gsub("//", "//me:pw@")) })).body)
      end
      assert.equal(1, connections())
      assert.same({ ("CONNECT %s HTTP/1.1 Basic bWU6cHc="):format(url:match "//(.*)") }, asked)
      c:close()
      server.listener:close()
    end)
  end)

  it("is told what a proxy answers that does not let it through", function()
    for _, row in ipairs {
      { "HTTP/1.1 407 Who\nContent-Length: 2\n\nno", "ECONNREFUSED", "it answered 407 Who" },
      { "HTTP/1.1 502 Bad\nContent-Length: 0\n\n", "ECONNREFUSED", "it answered 502 Bad" },
      { "hello\n\n", "EPROTO", "malformed" },
    } do
      with({ function(peer)
        peer:head()
        peer:say(row[1])
      end }, function(c, proxy)
        local answer, err, code = c:get("https://a.example/", { proxy = proxy })
        assert.is_nil(answer)
        assert.equal(row[2], code)
        assert.matches(row[3], err, 1, true)
      end)
    end
  end)

  it("refuses settings that are none", function()
    assert.error_matches(function() client.Client { tls = { ca = "x" } } end, "tls must be what momo.tls.client")
  end)
end)
