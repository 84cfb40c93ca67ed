-- What a client sends, as a server sees it.

local client = require "momo.http.client"
local outgoing = require "momo.http.outgoing"
local scripted = require "spec.support.scripted"
local tcp = require "spec.support.tcp"

local run = tcp.run

-- The request that a server gets.
local function sent(method, target, options, client_options)
  local request
  run(function()
    local url, server = scripted.echo(function(head)
      request = head
      return 200
    end)
    local c = client.Client(client_options)
    assert(c:request(method, url .. target, options))
    request.authority = url:match "//(.*)"
    c:close()
    server.listener:close()
  end)
  return request
end

local function thrown(method, url, options)
  local ok, err
  run(function()
    ok, err = pcall(client.request, method, url, options)
  end)
  assert.is_false(ok)
  return err
end

describe("a request", function()
  after_each(tcp.check_nothing_left)

  it("names its target, its host and who sends it", function()
    local head = sent("GET", "/a/../b?c=d#e")
    assert.equal("GET /b?c=d HTTP/1.1", head[1])
    assert.equal("Host: " .. head.authority, head[2])
    assert.matches("^momo/%d", head["user-agent"])
    assert.equal("br, zstd, gzip", head["accept-encoding"])
    assert.is_nil(head["content-length"])
    assert.is_nil(head.connection)
    assert.equal("GET / HTTP/1.1", sent("GET", "")[1])
    assert.equal("FOO /%C3%BC HTTP/1.1", sent("FOO", "/ü")[1])
  end)

  it("has a length where a body is expected, and where there is one", function()
    assert.equal("0", sent("POST", "/")["content-length"])
    assert.equal("0", sent("PATCH", "/")["content-length"])
    assert.is_nil(sent("DELETE", "/")["content-length"])
    assert.equal("5", sent("DELETE", "/", { body = "hello" })["content-length"])
  end)

  it("carries a string, an array, a form, or what a function returns", function()
    assert.equal("hello", sent("POST", "/", { body = "hello" }).body)
    assert.equal("hello, world", sent("POST", "/", { body = { "hello", ", ", "world" } }).body)
    local form = sent("POST", "/", { form = { a = "x y", b = { 1, 2 } } })
    assert.equal("a=x+y&b=1&b=2", form.body)
    assert.equal("application/x-www-form-urlencoded", form["content-type"])
    local pieces = { "one", "", "two", ("x"):rep(100000) }
    local streamed = sent("POST", "/", { body = function() return table.remove(pieces, 1) end })
    assert.equal("chunked", streamed["transfer-encoding"])
    assert.is_nil(streamed["content-length"])
    assert.is_true("onetwo" .. ("x"):rep(100000) == streamed.body)
    pieces = { "one", "two" }
    local measured = sent("PUT", "/", {
      body = function() return table.remove(pieces, 1) end, headers = { ["Content-Length"] = 6 },
    })
    assert.equal("6", measured["content-length"])
    assert.is_nil(measured["transfer-encoding"])
    assert.equal("onetwo", measured.body)
  end)

  it("may say the length of its body by itself, if that is right", function()
    for _, length in ipairs { 3, "3" } do
      local head = sent("POST", "/", { body = "abc", headers = { ["content-length"] = length } })
      assert.equal("3", head["content-length"])
      assert.equal("abc", head.body)
    end
    assert.equal("0", sent("GET", "/", { headers = { ["Content-Length"] = 0 } })["content-length"])
  end)

  it("carries much", function()
    local body = ("0123456789"):rep(300000)
    assert.is_true(body == sent("POST", "/", { body = body }).body)
    assert.is_true(body == sent("POST", "/", { body = { body:sub(1, 7), body:sub(8) } }).body)
  end)

  it("adds a query to that of the URL", function()
    assert.equal("GET /a?b=c+d&e=%26 HTTP/1.1", sent("GET", "/a", { query = { b = "c d", e = "&" } })[1])
    assert.equal("GET /a?x=y&b=1 HTTP/1.1", sent("GET", "/a?x=y#z", { query = { b = 1 } })[1])
    assert.equal("GET /a?b=1 HTTP/1.1", sent("GET", "/a?", { query = { b = 1 } })[1])
  end)

  it("has the program's headers in place of Momo's, those of the request in place of the client's", function()
    local head = sent("GET", "/", {
      headers = { host = "h.example", ["USER-agent"] = "me", ["X-A"] = 1, ["X-List"] = { "a", "b" },
        Accept = "text/*" },
    }, { headers = { ["x-a"] = "client", ["X-B"] = "client", ["Accept-Encoding"] = "identity" } })
    assert.equal("Host: h.example", head[2])
    assert.equal("me", head["user-agent"])
    assert.equal("1", head["x-a"])
    assert.equal("client", head["x-b"])
    assert.equal("text/*", head.accept)
    assert.equal("identity", head["accept-encoding"])
    local text = table.concat(head, "\n")
    assert.matches("\nX%-List: a\nX%-List: b", text)
    assert.equal(1, select(2, text:lower():gsub("\nhost:", "")))
    assert.equal(1, select(2, text:lower():gsub("\nuser%-agent:", "")))
    assert.equal(1, select(2, text:lower():gsub("\nx%-a:", "")))
  end)

  it("asks for a part as it is", function()
    assert.is_nil(sent("GET", "/", { headers = { Range = "bytes=0-1" } })["accept-encoding"])
  end)

  it("says who asks, if the URL does", function()
    local head
    run(function()
      local url, server = scripted.echo(function(request)
        head = request
        return 200
      end)
      local with_user, c = url:gsub("//", "//Aladdin:open%%20sesame@"), client.Client()
      local answer = assert(c:get(with_user))
      assert.equal("Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==", head.authorization)
      assert.equal(url .. "/", answer.url) -- nobody else need know
      assert(c:get(with_user, { headers = { authorization = "Bearer x" } }))
      assert.equal("Bearer x", head.authorization)
      c:close()
      server.listener:close()
    end)
  end)

  for _, row in ipairs {
    { "the method must be such as \"GET\", got nil" }, { "the method must be", "GE T" }, { "the method must be", "" },
    { "the method must be", "GET\r\n" }, { "the method must be", "CONNECT" },
    { "the URL must be a string, got nil", "GET" }, { "there is no option \"boddy\"", "GET", {}, { boddy = "" } },
    { "body must be a string, an array", "GET", "http://a/", { body = true } },
    { "piece 2 of the body must be a string or a number, got boolean", "GET", "http://a/", { body = { "a", true } } },
    { "a body or a form, not both", "GET", "http://a/", { body = "", form = {} } },
    { "Transfer-Encoding is Momo's own affair", "GET", "http://a/",
      { headers = { ["transfer-encoding"] = "chunked" } } },
    { "Content-Length must be that of the body, 0, got 5", "GET", "http://a/",
      { headers = { ["content-length"] = 5 } } },
    { "Content-Length must be a number", "GET", "http://a/", { body = print, headers = { ["Content-Length"] = "x" } } },
    { "Host must be a name", "GET", "http://a/", { headers = { Host = "a\r\nX: y" } } },
    { "the name of a header must be a string", "GET", "http://a/", { headers = { "X" } } },
    { "timeout must be a number of seconds, or false", "GET", "http://a/", { timeout = "x" } },
    { "redirects must be a whole number", "GET", "http://a/", { redirects = 1.5 } },
    { "max_body must be", "GET", "http://a/", { max_body = -1 } },
    { "proxy must be a URL such as", "GET", "http://a/", { proxy = "127.0.0.1:80" } },
    { "proxy must be a URL such as", "GET", "http://a/", { proxy = "socks5://127.0.0.1:80" } },
    { "a proxy or a Unix socket, not both", "GET", "http://a/", { proxy = "http://p", unix = "/x" } },
    { "no option \"max_per_host\"", "GET", "http://a/", { max_per_host = 1 } },
  } do
    it("is refused: " .. row[1], function()
      assert.matches(row[1], thrown(row[2], row[3], row[4]), 1, true)
    end)
  end

  for _, headers in ipairs {
    { ["X\r\nY"] = "a" }, { ["X Y"] = "a" }, { [""] = "a" }, { X = "a\r\nY: b" }, { X = "a\nY: b" }, { X = "a\0" },
    { X = { "a", "b\r\n" } }, { X = true },
  } do
    it(("can't be split by a header: %q"):format(tostring(next(headers))), function()
      thrown("GET", "http://127.0.0.1:1/", { headers = headers })
    end)
  end

  for _, url in ipairs { "", "/a", "127.0.0.1", "ftp://a/", "ws://a/", "http://", "http://a b/",
    "http://a/\r\nX: y" } do
    it(("is none to %q"):format(url), function()
      run(function()
        tcp.assert_failed("EINVAL", client.get(url))
      end)
    end)
  end
end)

describe("a redirection", function()
  -- What a request becomes: its method, URL, body and the names of its fields; "stays", or a code.
  local function redirected(row)
    local result
    run(function()
      local headers = { Authorization = "a", Cookie = "c", Host = "own", ["X-A"] = "x", ["Content-Type"] = "t" }
      local it = assert(outgoing.new(row.method or "GET", row.from or "http://me:pw@a.example/b/c?d",
        { headers = headers, body = row.body, unix = row.unix }))
      local status, location = row.status or 302, row.to
      local changed, _, code = outgoing.redirect(it, {
        status = status, header = function(_, name) return name == "location" and location or nil end,
      })
      local names = {}
      for name in pairs(it.fields) do
        names[#names + 1] = name
      end
      table.sort(names)
      result = changed and ("%s %s %s [%s]%s"):format(it.method, it.url.href, it.body or "-", table.concat(names, " "),
        it.url.userinfo and " " .. it.url.userinfo or "") or changed == false and "stays" or code
    end)
    return result
  end

  local ALL, FEW = "authorization content-type cookie host x-a", "content-type x-a"
  for _, row in ipairs {
    { to = "e", becomes = "GET http://a.example/b/e - [" .. ALL .. "] me:pw" },
    { to = "/e?f", becomes = "GET http://a.example/e?f - [" .. ALL .. "] me:pw" },
    { to = "http://a.example:80/e", becomes = "GET http://a.example/e - [" .. ALL .. "] me:pw" },
    -- what is for one server is not for another
    { to = "http://b.example/e", becomes = "GET http://b.example/e - [" .. FEW .. "]" },
    { to = "//b.example/e", becomes = "GET http://b.example/e - [" .. FEW .. "]" },
    { to = "http://a.example:81/e", becomes = "GET http://a.example:81/e - [" .. FEW .. "]" },
    { to = "http://sub.a.example/e", becomes = "GET http://sub.a.example/e - [" .. FEW .. "]" },
    { to = "https://a.example/e", becomes = "GET https://a.example/e - [" .. FEW .. "]" },
    { to = "http://x:y@b.example/e", becomes = "GET http://b.example/e - [" .. FEW .. "]" },
    { from = "https://a.example/", to = "http://a.example/", becomes = "stays" },
    { from = "https://a.example/", to = "http://b.example/", becomes = "stays" },
    { unix = "/x", to = "/e", becomes = "GET http://a.example/e - [" .. ALL .. "] me:pw" },
    { unix = "/x", to = "http://b.example/e", becomes = "stays" },
    -- methods
    { method = "POST", body = "x", status = 301, to = "e",
      becomes = "GET http://a.example/b/e - [authorization cookie host x-a] me:pw" },
    { method = "POST", body = "x", status = 302, to = "e",
      becomes = "GET http://a.example/b/e - [authorization cookie host x-a] me:pw" },
    { method = "PUT", body = "x", status = 303, to = "e",
      becomes = "GET http://a.example/b/e - [authorization cookie host x-a] me:pw" },
    { method = "POST", body = "x", status = 307, to = "e", becomes = "POST http://a.example/b/e x [" .. ALL
      .. "] me:pw" },
    { method = "POST", body = "x", status = 308, to = "e", becomes = "POST http://a.example/b/e x [" .. ALL
      .. "] me:pw" },
    { method = "HEAD", status = 303, to = "e", becomes = "HEAD http://a.example/b/e - [" .. ALL .. "] me:pw" },
    { method = "POST", body = print, status = 307, to = "e", becomes = "stays" },
    { method = "POST", body = print, status = 303, to = "e",
      becomes = "GET http://a.example/b/e - [authorization cookie host x-a] me:pw" },
    -- none
    { status = 200, to = "e", becomes = "stays" }, { status = 300, to = "e", becomes = "stays" },
    { status = 304, to = "e", becomes = "stays" }, { status = 305, to = "e", becomes = "stays" },
    { status = 302, becomes = "stays" },
    { to = "ftp://a/", becomes = "EPROTO" }, { to = "http://", becomes = "EPROTO" }, { to = "http://a b/",
      becomes = "EPROTO" },
    { to = "javascript:alert(1)", becomes = "EPROTO" }, { to = "/%zz", becomes = "EPROTO" },
  } do
    it(("of %s %s to %s by %d"):format(row.method or "GET", row.from or "", tostring(row.to), row.status or 302),
      function()
      assert.equal(row.becomes, redirected(row))
    end)
  end

  it("to another server is sent there without what was the first one's", function()
    run(function()
      local seen
      local other, other_server = scripted.echo(function(head)
        seen = head
        return 200, "there"
      end)
      local url, server = scripted.echo(function() return 307, "", "Location: " .. other .. "/x\n" end)
      local c = client.Client()
      local answer = assert(c:post(url, "secret?", { headers = { Authorization = "a", Cookie = "c" } }))
      assert.equal("there", answer.body)
      assert.equal(other .. "/x", answer.url)
      assert.is_nil(seen.authorization)
      assert.is_nil(seen.cookie)
      assert.equal("secret?", seen.body)
      c:close()
      other_server.listener:close()
      server.listener:close()
    end)
  end)
end)
