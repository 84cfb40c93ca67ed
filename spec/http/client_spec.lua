local client = require "momo.http.client"
local coding = require "momo.http.coding"
local momo = require "momo"
local scripted = require "spec.support.scripted"
local tcp = require "spec.support.tcp"

local assert_failed, waiting = tcp.assert_failed, tcp.waiting

local listeners = {}
local c -- the client of a run

-- What runs has a client, which it closes in the end, and its servers with it.
local function run(main)
  tcp.run(function()
    c = client.Client()
    main()
    c:close()
    for _, listener in ipairs(listeners) do
      listener:close()
    end
    listeners = {}
  end)
end

local function serve(...)
  local url, server = scripted.serve(...)
  listeners[#listeners + 1] = server.listener
  return url, server
end

local function echo(fn)
  local url, server = scripted.echo(fn)
  listeners[#listeners + 1] = server.listener
  return url, server
end

describe("an answer", function()
  after_each(tcp.check_nothing_left)

  it("has a status, fields and a body", function()
    run(function()
      local url = echo(function(head)
        return 404, "no " .. head[1], "X-A: 1\nSet-Cookie: a=1\nx-a: 2\nSet-Cookie: b=2, c\n"
      end)
      local answer = assert(c:get(url .. "/x?y"))
      assert.equal(404, answer.status)
      assert.equal("X", answer.reason)
      assert.equal("no GET /x?y HTTP/1.1", answer.body)
      assert.equal(url .. "/x?y", answer.url)
      assert.equal("1, 2", answer:header "X-a")
      assert.is_nil(answer:header "none")
      assert.equal("1, 2", answer.headers["x-a"])
      assert.equal("a=1, b=2, c", answer.headers["set-cookie"])
      local cookies = {}
      for name, value in answer:fields() do
        cookies[#cookies + 1] = name == "Set-Cookie" and value or nil
      end
      assert.same({ "a=1", "b=2, c" }, cookies)
    end)
  end)

  it("may have trailers", function()
    run(function()
      local url = serve(function(peer)
        peer:request()
        peer:say "HTTP/1.1 200 OK\nTransfer-Encoding: chunked\n\n1\nx\n0\nX-Sum: 7\n\n"
        peer:request()
      end)
      assert.equal("7", assert(c:get(url)).trailers["x-sum"])
    end)
  end)

  it("may be JSON", function()
    if not pcall(require, "cjson.safe") then
      return pending "lua-cjson is not installed"
    end
    run(function()
      local url = echo(function(head) return 200, head[1]:find "good" and '{"a":[1,2]}' or '{"a"' end)
      assert.same({ a = { 1, 2 } }, c:get(url .. "/good"):json())
      assert_failed("EPROTO", c:get(url .. "/bad"):json())
    end)
  end)

  it("that is too large is none", function()
    run(function()
      local url, server = echo(function() return 200, ("x"):rep(1000) end)
      assert_failed("EMSGSIZE", c:get(url, { max_body = 999 }))
      assert.equal(1000, #assert(c:get(url, { max_body = 1000 })).body)
      assert.equal(2, server.count) -- what was not read is not on the connection of the next one
      url = serve(function(peer)
        peer:request()
        peer:say "HTTP/1.1 200 OK\nTransfer-Encoding: chunked\n\n"
        repeat until not peer.stream:write(("3e8\r\n%s\r\n"):format(("x"):rep(1000)))
      end)
      assert_failed("EMSGSIZE", c:get(url, { max_body = 100000 }))
    end)
  end)

  for _, name in ipairs(coding.available()) do
    it("is decoded, and counted as it is then: " .. name, function()
      run(function()
        local text = ("hello, world. "):rep(1000)
        local url, server = echo(function(head)
          assert.matches(name, head["accept-encoding"], 1, true)
          return 200, coding.encoder(name):encode(text, "finish"), ("Content-Encoding: %s\n"):format(name)
        end)
        for _ = 1, 3 do
          assert.is_true(text == assert(c:get(url, { max_body = #text })).body)
        end
        assert.equal(1, server.count)
        assert_failed("EMSGSIZE", c:get(url, { max_body = #text - 1 }))
        local read = 0
        c:stream("GET", url, nil, function(answer)
          for piece in answer:pieces() do
            read = read + #piece
          end
        end)
        assert.equal(#text, read)
        local raw = assert(c:get(url, { headers = { ["Accept-Encoding"] = name } }))
        assert.is_true(#raw.body < #text) -- who asks by himself decodes by himself
      end)
    end)

    it("can't be a bomb: " .. name, function()
      run(function()
        local bomb = coding.encoder(name):encode(("\0"):rep(50 * 1024 * 1024), "finish")
        local url = echo(function() return 200, bomb, ("Content-Encoding: %s\n"):format(name) end)
        collectgarbage()
        local before = collectgarbage "count"
        assert_failed("EMSGSIZE", c:get(url, { max_body = 1024 * 1024 }))
        assert.is_true(collectgarbage "count" - before < 8 * 1024)
      end)
    end)

    it("that is coded and cut is none: " .. name, function()
      run(function()
        local bytes = coding.encoder(name):encode("hello, world", "finish")
        local url = echo(function() return 200, bytes:sub(1, -2), ("Content-Encoding: %s\n"):format(name) end)
        assert_failed("EPROTO", c:get(url))
        url = echo(function() return 200, "no such thing", ("Content-Encoding: %s\n"):format(name) end)
        assert_failed("EPROTO", c:get(url))
        url = serve(function(peer)
          peer:request()
          peer:say(("HTTP/1.1 200 OK\nContent-Encoding: %s\n\n"):format(name)) -- until the close, which may be early
        end)
        assert_failed("EPROTO", c:get(url))
        url = echo(function() return 200, "", ("Content-Encoding: %s\n"):format(name) end)
        assert.equal("", assert(c:get(url)).body)
      end)
    end)
  end

  it("in a coding that nobody asked for stays as it is", function()
    run(function()
      local url = echo(function() return 200, "xyz", "Content-Encoding: deflate\n" end)
      assert.equal("xyz", assert(c:get(url)).body)
    end)
  end)
end)

describe("a connection", function()
  after_each(tcp.check_nothing_left)

  it("is used again", function()
    run(function()
      local url, server = echo(function(head) return 200, head.body end)
      for i = 1, 20 do
        assert.equal(tostring(i), assert(c:post(url, tostring(i))).body)
      end
      assert.equal(1, server.count)
    end)
  end)

  for name, head in pairs {
    ["its server says that it ends"] = "HTTP/1.1 200 OK\nContent-Length: 1\nConnection: close\n\nx",
    ["its server speaks HTTP/1.0"] = "HTTP/1.0 200 OK\nContent-Length: 1\n\nx",
    ["its server lets it be idle for a second"] = "HTTP/1.1 200 OK\nContent-Length: 1\nKeep-Alive: timeout=1\n\nx",
    ["its server says so in capitals"] = "HTTP/1.1 200 OK\nContent-Length: 1\nKeep-Alive: max=5, TIMEOUT=1\n\nx",
    ["more has come than was asked for"] = "HTTP/1.1 200 OK\nContent-Length: 1\n\nxHTTP/1.1 200 OK\n",
  } do
    it("is not used again where " .. name, function()
      run(function()
        local url, server = serve(function(peer)
          peer:request()
          peer:say(head)
          assert.is_nil(peer:request())
        end)
        for _ = 1, 3 do
          assert.equal("x", assert(c:get(url)).body)
        end
        assert.equal(3, server.count)
      end)
    end)
  end

  it("that was closed while it was idle is never taken", function()
    run(function()
      local url, server = serve(function(peer)
        peer:request()
        peer:answer(200, "x")
      end)
      for i = 1, 10 do
        assert.equal("x", assert(c:post(url, "not to be sent twice")).body)
        if i % 2 == 0 then
          tcp.settle()
        end
      end
      assert.equal(10, server.count)
    end)
  end)

  it("is no other's: clients, and where they go, have their own", function()
    run(function()
      local url, server = echo(function() return 200 end)
      local other = client.Client()
      assert(c:get(url))
      assert(other:get(url))
      assert.equal(2, server.count)
      other:close()
      assert(other:get(url))
      assert.equal(3, server.count)
    end)
  end)

  it("has as many beside it as max_per_host says; others wait in turn", function()
    run(function()
      local served, busy, most = 0, 0, 0
      local url, server = echo(function()
        busy = busy + 1
        most = math.max(most, busy)
        momo.time.sleep(0.002)
        busy, served = busy - 1, served + 1
        return 200
      end)
      c = client.Client { max_per_host = 3 }
      momo.scope(function(scope)
        for _ = 1, 20 do
          scope:spawn(function() assert(c:get(url)) end)
        end
      end)
      assert.equal(20, served)
      assert.equal(3, most)
      assert.equal(3, server.count)
    end)
  end)

  it("is waited for within the timeout, and a place that was given up is free", function()
    run(function()
      local release = momo.sync.Notify()
      local url = echo(function()
        release:notified()
        return 200
      end)
      c = client.Client { max_per_host = 1 }
      local first = waiting(function() return c:get(url) end)
      assert_failed("ETIMEDOUT", c:get(url, { timeout = 0.01 }))
      local cancelled = waiting(function() return c:get(url) end)
      cancelled:cancel()
      cancelled:join()
      release:notify_one()
      local _, answer = first:join()
      assert.equal(200, answer.status)
      release:notify_one()
      assert.equal(200, assert(c:get(url)).status)
    end)
  end)
end)

describe("a request is sent anew", function()
  after_each(tcp.check_nothing_left)

  -- A server whose first connection ends when its second request has come, after these bytes; and how often it was
  -- asked.
  local function dying(bytes)
    local asked = 0
    local url, server = serve(function(peer)
      peer:request()
      peer:answer(200, "first")
      if peer:request() then
        asked = asked + 1
        if bytes ~= "" then
          peer:say(bytes)
        end
      end
    end, function(peer)
      peer:answer_all(function(head)
        asked = asked + 1
        return 200, head.body or "again"
      end)
    end)
    assert.equal("first", assert(c:get(url)).body)
    return url, function() return asked end, server
  end

  for _, method in ipairs { "GET", "HEAD", "PUT", "DELETE", "OPTIONS" } do
    it("once, where a connection that was kept has died: " .. method, function()
      run(function()
        local url, asked = dying ""
        assert.equal(200, assert(c:request(method, url, { body = "x" })).status)
        assert.equal(2, asked())
      end)
    end)
  end

  it("where it says that it may be", function()
    run(function()
      local url, asked = dying ""
      assert.equal("x", assert(c:post(url, "x", { headers = { ["Idempotency-Key"] = "1" } })).body)
      assert.equal(2, asked())
    end)
  end)

  it("but not where it may have done something, or its body is gone, or the answer had begun, or nobody wants it",
    function()
    run(function()
      for _, row in ipairs {
        { "", "POST", { body = "x" } },
        { "", "PATCH", { body = "x" } },
        { "", "PUT", { body = function() return nil end } },
        { "", "GET", { retries = 0 } },
        { "", "GET", { retries = false } },
        { "HTTP/1.1 2", "GET", {} },
        { "HTTP/1.1 100 Continue\n\n", "GET", {} },
      } do
        local url, asked = dying(row[1])
        local answer, _, code = c:request(row[2], url, row[3])
        assert.is_nil(answer)
        assert(code == "EOF" or code == "ECONNRESET", code)
        assert.equal(1, asked())
      end
    end)
  end)

  it("but not where the connection was new", function()
    run(function()
      local url, server = serve(function(peer) peer:request() end)
      assert_failed("EOF", c:get(url))
      assert.equal(1, server.count)
    end)
  end)
end)

describe("redirections", function()
  after_each(tcp.check_nothing_left)

  it("are followed, on the same connection", function()
    run(function()
      local url, server = echo(function(head)
        local n = tonumber(head[1]:match "/(%d+)")
        return n > 0 and 302 or 200, "body " .. n, ("Location: /%d\n"):format(n - 1)
      end)
      local answer = assert(c:get(url .. "/10"))
      assert.equal("body 0", answer.body)
      assert.equal(url .. "/0", answer.url)
      assert.equal(1, server.count)
      assert_failed("ELOOP", c:get(url .. "/11"))
      assert_failed("ELOOP", c:get(url .. "/3", { redirects = 2 }))
      assert.equal("body 0", assert(c:get(url .. "/2", { redirects = 2 })).body)
      assert.equal(302, assert(c:get(url .. "/2", { redirects = 0 })).status)
      assert.equal("body 2", assert(c:get(url .. "/2", { redirects = false })).body)
    end)
  end)

  it("that go in a circle end", function()
    run(function()
      local url = echo(function() return 301, nil, "Location: /\n" end)
      assert_failed("ELOOP", c:get(url))
    end)
  end)

  it("within the timeout of all of it", function()
    run(function()
      local url = echo(function()
        momo.time.sleep(0.01)
        return 301, nil, "Location: /\n"
      end)
      assert_failed("ETIMEDOUT", c:get(url, { timeout = 0.03, redirects = 100000 }))
    end)
  end)
end)

describe("a request", function()
  after_each(tcp.check_nothing_left)

  it("fails as connecting does", function()
    run(function()
      local listener = tcp.listen()
      local address = listener:local_addr()
      listener:close()
      assert_failed("ECONNREFUSED", c:get("http://" .. address))
      assert_failed("EINVAL", c:get "http:/x")
    end)
  end)

  it("has a time to connect in", function()
    run(function()
      local listener, streams = tcp.full_listener()
      assert_failed("ETIMEDOUT", c:get("http://" .. listener:local_addr(), { connect_timeout = 0.01 }))
      assert_failed("ETIMEDOUT", c:get("http://" .. listener:local_addr(), { timeout = 0.01 }))
      listener:close()
      for _, stream in ipairs(streams) do
        stream:close()
      end
    end)
  end)

  it("that is cancelled leaves nothing behind", function()
    run(function()
      for _, script in ipairs {
        function(peer) peer.stream:read_until "no such thing" end,
        function(peer)
          peer:request()
          peer:say "HTTP/1.1 200 OK\nContent-Length: 10\n\nx"
          peer:request()
        end,
      } do
        local url = serve(script)
        local task = waiting(function() c:get(url) end)
        tcp.settle()
        task:cancel()
        local ok, err = task:join()
        assert.is_false(ok)
        assert.is_true(momo.is_cancelled(err))
      end
    end)
  end)
end)

describe("stream", function()
  after_each(tcp.check_nothing_left)

  it("gives the answer piece by piece, and returns what its function returns", function()
    run(function()
      local url, server = serve(function(peer)
        while peer:request() do
          peer:say "HTTP/1.1 200 OK\nTransfer-Encoding: chunked\n\n"
          for _ = 1, 100 do
            peer.stream:write("2710\r\n" .. ("x"):rep(10000) .. "\r\n")
          end
          peer:say "0\n\n"
        end
      end)
      for _ = 1, 3 do
        local size, status, none = c:stream("GET", url, nil, function(answer)
          local size = 0
          for piece in answer:pieces() do
            size = size + #piece
          end
          assert_failed("EOF", answer:read())
          return size, answer.status, nil
        end)
        assert.same({ 1000000, 200 }, { size, status, none })
      end
      assert.equal(1, server.count)
    end)
  end)

  it("ends the connection where its function has left something unread, and keeps it where nothing was", function()
    run(function()
      local body
      local url, server = echo(function() return 200, body end)
      local kept
      body = ("x"):rep(10 * 1024 * 1024)
      assert.equal(10, #c:stream("GET", url, nil, function(answer)
        kept = answer
        return answer:read(10)
      end))
      assert_failed("EBADF", kept:read())
      body = "short"
      assert.equal("short", c:stream("GET", url, nil, function(answer) return answer:read(5) end))
      assert.equal(200, c:stream("GET", url, nil, function(answer) return answer.status end))
      assert.equal("short", c:get(url).body)
      assert.equal(2, server.count)
    end)
  end)

  it("raises what its function raises, and closes the connection", function()
    run(function()
      local url, server = echo(function() return 200, "x" end)
      local ok, err = pcall(c.stream, c, "GET", url, nil, function() error "oops" end)
      assert.is_false(ok)
      assert.matches("client_spec.lua:%d+: oops", err)
      assert.equal("x", c:get(url).body)
      assert.equal(2, server.count)
    end)
  end)

  it("fails as a request does, without calling its function", function()
    run(function()
      local url = serve(function(peer) peer:request() end)
      assert_failed("EOF", c:stream("GET", url, nil, function() error "called" end))
      assert_failed("EINVAL", c:stream("GET", "x", nil, function() error "called" end))
    end)
  end)

  it("tells of a body that is cut", function()
    run(function()
      local url = serve(function(peer)
        peer:request()
        peer:say "HTTP/1.1 200 OK\nContent-Length: 10\n\nx"
      end)
      c:stream("GET", url, nil, function(answer)
        assert.equal("x", answer:read())
        assert_failed("ECONNRESET", answer:read())
      end)
      assert.error_matches(function()
        c:stream("GET", url, nil, function(answer)
          for _ in answer:pieces() do end -- luacheck: ignore
        end)
      end, "ECONNRESET")
    end)
  end)
end)

describe("a client", function()
  it("has no limit where false stands for one", function()
    run(function()
      local much = ("x"):rep(9 * 1024 * 1024)
      local url = echo(function() return 200, much end)
      local free = client.Client { max_body = false, max_per_host = false, timeout = false, connect_timeout = false }
      assert.equal(#much, #assert(free:get(url)).body)
      assert_failed("EMSGSIZE", free:get(url, { max_body = 5 }))
      assert_failed("EMSGSIZE", c:get(url))
      assert.equal(#much, #assert(c:get(url, { max_body = false })).body)
      free:close()
    end)
  end)

  it("refuses what is none of its affairs", function()
    for _, row in ipairs {
      { "Client: max_per_host must be a whole number from 1, or false, got 0", { max_per_host = 0 } },
      { "Client: option timeout must be a number of seconds, or false, got %-1", { timeout = -1 } },
      { "Client: option max_body must be a whole number, or false, got 1.5", { max_body = 1.5 } },
      { "no option \"body\"", { body = "x" } }, { "no option \"form\"", { form = {} } },
      { "options must be a table", 5 },
    } do
      assert.error_matches(function() client.Client(row[2]) end, row[1])
    end
    local other = client.Client()
    assert.error_matches(function() other.get "http://a/" end, "call it with a colon: client:get%(%)")
    assert.error_matches(function() other:stream("GET", "http://a/", nil) end, "argument 4 must be a function, got nil")
    assert.error_matches(function() other:post("http://a/", "x", { body = "y" }) end, "the body is argument 2")
  end)
end)
