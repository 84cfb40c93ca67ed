local http = require "spec.support.http"
local momo = require "momo"
local support = require "spec.support"
local tcp = require "spec.support.tcp"
local virtual = require "spec.support.virtual"

local GET = "GET / HTTP/1.1\r\nHost: a\r\n\r\n"
local LAST = "GET /last HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
local with_server, ask, answer = http.with_server, http.ask, http.answer

local function hello(_, response)
  response:send(200, "hello")
end

-- Reads until the text is there.
local function read_until(stream, text)
  local got = ""
  while not got:find(text, 1, true) do
    got = got .. assert(stream:read())
  end
  return got
end

describe("http.serve", function()
  after_each(tcp.check_nothing_left)

  it("answers one request after the other on a connection", function()
    with_server(function(request, response)
      response:send(200, request.method .. " " .. request.target)
    end, nil, function(connect)
      local stream = connect()
      for i = 1, 3 do
        stream:write(("GET /%d?x HTTP/1.1\r\nHost: a\r\n\r\n"):format(i))
        assert.matches("GET /" .. i .. "%?x$", read_until(stream, "?x"))
      end
      stream:write(LAST)
      local text = http.read_all(stream)
      assert.equal("close", http.answers(text)[1].headers.connection)
      stream:close()
    end)
  end)

  it("says Date and Content-Length, and nothing of itself unless told to", function()
    for _, name in ipairs { "", "Momo" } do
      with_server(hello, name ~= "" and { server = name } or nil, function(connect)
        local got = answer(connect, LAST)
        assert.equal("5", got.headers["content-length"])
        assert.matches("^%a%a%a, %d%d %a%a%a %d%d%d%d %d%d:%d%d:%d%d GMT$", got.headers.date)
        assert.equal(name ~= "" and name or nil, got.headers.server)
      end)
    end
  end)

  it("says the Date of a virtual clock, of each run by itself", function()
    local dates = {}
    for i = 1, 2 do
      virtual.run(function()
        local listener = tcp.listen()
        local server = momo.spawn(momo.http.serve, listener, hello)
        for n = 1, 2 do
          local stream = assert(momo.net.TcpStream.connect(listener:local_addr()))
          stream:write(LAST)
          dates[2 * i - 2 + n] = http.answers(http.read_all(stream))[1].headers.date
          stream:close()
        end
        listener:close()
        assert(server:join())
      end)
      os.execute "sleep 1.1"
    end
    assert.equal(dates[1], dates[2])
    assert.are_not.equal(dates[2], dates[3])
  end)

  it("keeps a connection of HTTP/1.0 only if the client asks, and tells it so", function()
    with_server(hello, nil, function(connect)
      local got = answer(connect, "GET / HTTP/1.0\r\n\r\n")
      assert.equal("hello", got.body)
      assert.equal("close", got.headers.connection)
      local both = http.answers(ask(connect, ("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n"):rep(2)))
      assert.equal(2, #both)
      assert.equal("keep-alive", both[2].headers.connection)
    end)
  end)

  it("sends the answers of requests that come together in one write", function()
    with_server(function(request, response)
      response:send(200, request.path)
    end, nil, function(connect)
      local stream = connect()
      local requests = {}
      for i = 1, 16 do
        requests[i] = ("GET /%d HTTP/1.1\r\nHost: a\r\n\r\n"):format(i)
      end
      stream:write(table.concat(requests))
      local list = http.answers((assert(stream:read())))
      assert.equal(16, #list)
      for i, got in ipairs(list) do
        assert.equal("/" .. i, got.body)
      end
      stream:close()
    end)
  end)

  it("holds no answer back while a later handler waits", function()
    local go = momo.sync.Notify()
    with_server(function(request, response)
      if request.path == "/last" then
        go:notified()
      end
      response:send(200, request.path)
    end, nil, function(connect)
      local stream = connect()
      stream:write(GET .. GET .. LAST)
      local text = ""
      while #http.answers(text) < 2 do
        text = text .. assert(stream:read())
      end
      go:notify_one()
      assert.equal("/last", http.answers(http.read_all(stream))[1].body)
      stream:close()
    end)
  end)

  it("sends 32 KiB of answers that wait", function()
    local body = ("x"):rep(10000)
    with_server(function(_, response) response:send(200, body) end, nil, function(connect)
      local list = http.answers(ask(connect, GET:rep(20) .. LAST))
      assert.equal(21, #list)
      for _, got in ipairs(list) do
        assert.equal(body, got.body)
      end
    end)
  end)

  it("answers 500 for a handler that fails, and reports that", function()
    local failures = support.failures_of(function()
      local listener = tcp.listen()
      local server = momo.spawn(momo.http.serve, listener, function(request, response)
        if request.path == "/last" then
          response:start(200)
          response:write "begun"
        end
        error("no luck", 0)
      end)
      local function connect() return assert(momo.net.TcpStream.connect(listener:local_addr())) end
      local got = answer(connect, GET)
      assert.equal(500, got.status)
      assert.equal("close", got.headers.connection)
      local cut = ask(connect, LAST)
      assert.falsy(cut:find("\r\n0\r\n", 1, true))
      listener:close()
      server:join()
    end)
    assert.equal(2, #failures)
    assert.equal("no luck", failures[1][1])
  end)

  it("tells on_error instead, and goes on", function()
    local told = {}
    with_server(function(request, response)
      if request.path == "/last" then
        return response:send(200, "fine")
      end
      error { "object" }
    end, { on_error = function(err, request) told[#told + 1] = { err[1], request.path } end }, function(connect)
      assert.equal("500 200", http.statuses(ask(connect, GET .. LAST)))
      assert.same({ { "object", "/" } }, told)
    end)
  end)

  it("answers 500 for a handler that does not answer, and names it", function()
    local told
    with_server(function() end, { on_error = function(err) told = err end }, function(connect)
      assert.equal("500 500", http.statuses(ask(connect, GET .. LAST)))
      assert.matches("the handler of spec/http/server_spec.lua:%d+ returned without an answer to GET /last", told)
    end)
  end)

  it("tells access_log what was answered", function()
    local log = {}
    with_server(hello, { access_log = function(request, response, seconds)
      log[#log + 1] = ("%s %d %d %s"):format(request.path, response.status, response.bytes, seconds >= 0)
    end }, function(connect)
      ask(connect, GET .. LAST:gsub("GET", "HEAD"))
      assert.same({ "/ 200 5 true", "/last 200 0 true" }, log)
    end)
  end)

  it("loses no answer that was given when access_log or on_error fails, and ends the connection with it", function()
    for _, name in ipairs { "access_log", "on_error" } do
      local text, options = "fails: " .. name, { on_error = function() end }
      options[name] = function(first)
        if name == "on_error" or first.path == "/bad" then
          error(text, 0)
        end
      end
      local ok, err = pcall(with_server, function(request, response)
        if request.path == "/bad" then
          error "bad"
        end
        response:send(200, "hello")
      end, options, function(connect)
        local got = ask(connect, GET .. GET .. GET:gsub("/ ", "/bad ") .. LAST)
        assert.equal("200 200 500", http.statuses(got))
      end)
      assert.is_false(ok)
      assert.matches(text, err)
    end
  end)

  it("refuses a body that is too large, even while the client still sends", function()
    local much = ("x"):rep(8 * 1024 * 1024)
    with_server(function(request, response)
      local body, _, code = request:body()
      if body or request.path == "/own" then
        response:send(200, body and #body .. "" or code)
      end
    end, { max_body = 1000 }, function(connect)
      for path, status in pairs { ["/"] = 413, ["/own"] = 200 } do
        local head = "POST " .. path .. " HTTP/1.1\r\nHost: a\r\n"
        for _, rest in ipairs { "Content-Length: " .. #much .. "\r\n\r\n" .. much,
          "Transfer-Encoding: chunked\r\n\r\n" .. ("%x\r\n"):format(#much) .. much .. "\r\n0\r\n\r\n" } do
          local got = answer(connect, head .. rest)
          assert.equal(status, got.status)
          assert.equal("close", got.headers.connection)
        end
      end
      assert.equal("1000", answer(connect, "POST / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n" ..
        "Content-Length: 1000\r\n\r\n" .. ("x"):rep(1000)).body)
    end)
  end)

  for transport in pairs(http.transports) do
    it("ends a connection so that its last answer arrives, though more is sent, over " .. transport, function()
      with_server(function(request, response)
        if request.path == "/closes" then
          response:send(200, "x", { Connection = "close" })
        elseif request.path == "/late" then
          response:send(200, "x")
          request:body()
        else
          response:start(200)
        end
      end, nil, function(connect)
        local more = ("GET /closes HTTP/1.1\r\nHost: a\r\n\r\n"):rep(1000)
        for _, bytes in ipairs { "GET /closes HTTP/1.1\r\nHost: a\r\n\r\n",
          "POST /late HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\nx",
          "GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n" } do
          local stream = connect()
          assert(stream:write(bytes))
          local head = assert(stream:read_until "\r\n\r\n")
          assert.matches("Connection: close", head)
          http.settle() -- it has done all that it wants to
          for _ = 1, 3 do
            assert(stream:write(more))
            http.settle()
          end
          assert.is_nil(http.read_all(stream):find("[", 1, true))
          stream:close()
        end
      end, transport)
    end)
  end

  it("forgets a body that nobody reads, if it is small", function()
    with_server(hello, nil, function(connect)
      local small = ("x"):rep(200000)
      assert.equal("200 200", http.statuses(ask(connect,
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 200000\r\n\r\n" .. small .. LAST)))
      assert.equal("200 200", http.statuses(ask(connect,
        "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n" ..
        "30d40\r\n" .. small .. "\r\n0\r\n\r\n" .. LAST)))
      assert.equal("200", http.statuses(ask(connect,
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 400000\r\n\r\n" .. small .. small .. LAST)))
    end)
  end)

  it("lets a client go on that waits for 100 Continue, when its body is read", function()
    with_server(function(request, response)
      if request.path == "/no" then
        return response:send(403, "no")
      end
      response:send(200, request:body())
    end, nil, function(connect)
      local head = "Host: a\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n"
      local stream = connect()
      stream:write("POST / HTTP/1.1\r\n" .. head)
      assert.equal("HTTP/1.1 100 Continue\r\n\r\n", read_until(stream, "\r\n\r\n"))
      stream:write "ab"
      assert.matches("ab$", read_until(stream, "ab"))
      stream:write("POST /no HTTP/1.1\r\n" .. head)
      local got = http.answers(http.read_all(stream))
      assert.equal(403, got[1].status)
      assert.equal("close", got[1].headers.connection)
      stream:close()
      assert.equal("200", http.statuses(ask(connect, "POST / HTTP/1.1\r\nConnection: close\r\n" .. head .. "ab")))
      assert.equal("200", http.statuses(ask(connect, "POST / HTTP/1.0\r\n" .. head .. "ab")))
    end)
  end)

  it("gives a client a time for its head, for its silence, and for its body", function()
    local codes = {}
    with_server(function(request, response)
      local body, _, code = request:body()
      codes[#codes + 1] = code
      if body then
        response:send(200, body)
      end
    end, { header_timeout = 0.02, idle_timeout = 0.03, read_timeout = 0.02, request_timeout = 0.05 }, function(connect)
      local function hear(text, drip)
        local stream = connect()
        stream:write(text)
        local dripping = drip and momo.spawn(function()
          repeat momo.time.sleep(0.005) until not stream:write(drip)
        end)
        local got = http.read_all(stream)
        stream:close()
        if dripping then
          dripping:join()
        end
        return got == "" and "" or http.statuses(got)
      end
      local post = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\n"
      assert.equal("", hear "")
      assert.equal("408", hear "GET /")
      assert.equal("408", hear("GET /", "x"))
      assert.equal("200", hear(GET))
      assert.equal("200 408", hear(GET .. "GET"))
      assert.equal("408", hear(post .. "x"))
      assert.equal("408", hear(post, "x"))
      assert.same({ "ETIMEDOUT", "ETIMEDOUT" }, codes)
      local chunked = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
      assert.equal("408", hear(chunked .. "5\r\nx"))
      assert.equal("408", hear(chunked, "1\r\nx\r\n"))
      assert.equal("408", hear(chunked .. "5;", "x")) -- no line is whole
      assert.equal("408", hear(chunked .. "0\r\nA: ", "x"))
      assert.same({ "ETIMEDOUT", "ETIMEDOUT", "ETIMEDOUT", "ETIMEDOUT" }, { unpack(codes, 3) })
    end)
  end)

  it("does not take a client for idle of which something is unread, though the loop was busy", function()
    with_server(hello, { idle_timeout = 0.02, header_timeout = 30 }, function(connect)
      local stream = connect()
      stream:write(GET .. GET:sub(1, 7))
      read_until(stream, "hello")
      momo.time.sleep(0.05)
      stream:write(GET:sub(8))
      read_until(stream, "hello")
      stream:write(GET)
      local busy_until = os.clock() + 0.05
      repeat until os.clock() > busy_until
      read_until(stream, "hello")
      stream:close()
    end)
  end)

  it("gives a body that nobody reads no more time", function()
    with_server(hello, { request_timeout = 0.05 }, function(connect)
      for _, framing in ipairs { "Content-Length: 1000\r\n\r\n", "Transfer-Encoding: chunked\r\n\r\n5;" } do
        local stream = connect()
        stream:write("POST / HTTP/1.1\r\nHost: a\r\n" .. framing)
        local dripping = momo.spawn(function()
          for _ = 1, 40 do
            momo.time.sleep(0.005)
            stream:write "x"
          end
          stream:shutdown()
        end)
        assert.equal("200", http.statuses(http.read_all(stream)))
        dripping:join()
        stream:close()
      end
    end)
  end)

  it("takes no more time for a body that comes without a pause", function()
    local code
    with_server(function(request, response)
      local bytes
      repeat
        local _
        bytes, _, code = request:read()
      until not bytes
      response:send(200, code)
    end, { request_timeout = 0.05 }, function(connect)
      local stream, size = connect(), 100 * 1024
      stream:write "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
      local chunk = ("%x\r\n%s\r\n"):format(size, ("x"):rep(size))
      local writer = momo.spawn(function()
        repeat until not stream:write(chunk)
      end)
      assert.equal("ETIMEDOUT", http.answers(http.read_all(stream))[1].body)
      stream:close()
      writer:join()
    end)
  end)

  it("says that it closes where it will: a body over max_stream, a stream to HTTP/1.0", function()
    with_server(hello, { max_stream = 10 }, function(connect)
      local post = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: "
      assert.is_nil(http.answers(ask(connect, post .. "10\r\n\r\n0123456789"))[1].headers.connection)
      assert.equal("close", http.answers(ask(connect, post .. "11\r\n\r\n0123456789a"))[1].headers.connection)
    end)
    for _, headers in ipairs { {}, { ["Content-Length"] = 2 } } do
      with_server(function(_, response)
        response:start(200, headers)
        response:write "ok"
      end, nil, function(connect)
        local got = answer(connect, "GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
        assert.equal("ok", got.body)
        assert.equal("close", got.headers.connection)
      end)
    end
  end)

  it("takes 0 and false for none of each option", function()
    for _, off in ipairs { 0, false } do
      local options = {}
      for name in ([[header_timeout idle_timeout request_timeout read_timeout write_timeout max_head max_target
          max_fields max_body max_stream max_connections drain on_error access_log cancel_on_close server tls
          proxy_protocol]]):gmatch "%S+" do
        options[name] = off
      end
      with_server(function(request, response) response:send(200, #request:body() .. "") end, options, function(connect)
        local fields = ("X: y\r\n"):rep(5000) .. "Connection: close\r\nContent-Length: 2000000\r\n"
        local got = answer(connect, "POST /" .. ("a"):rep(100000) .. " HTTP/1.1\r\nHost: a\r\n" .. fields .. "\r\n"
          .. ("x"):rep(2000000))
        assert.same({ "2000000", nil }, { got.body, got.headers.server })
      end)
    end
  end)

  it("never takes a request that is cut short for a whole one", function()
    local seen = {}
    with_server(function(request, response)
      local body, _, code = request:body()
      seen[#seen + 1] = body or code
      response:send(200)
    end, nil, function(connect)
      for _, text in ipairs { "Content-Length: 5\r\n\r\nhell", "Transfer-Encoding: chunked\r\n\r\n5\r\nhell",
        "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n", "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n" } do
        ask(connect, "POST / HTTP/1.1\r\nHost: a\r\n" .. text)
      end
      assert.same({ "ECONNRESET", "ECONNRESET", "ECONNRESET", "ECONNRESET" }, seen)
    end)
  end)

  it("serves an address, which it binds, and says when it can't", function()
    tcp.run(function()
      local listener = tcp.listen()
      tcp.assert_failed("EADDRINUSE", momo.http.serve(listener:local_addr(), hello))
      local address = listener:local_addr()
      listener:close()
      local server = tcp.waiting(momo.http.serve, address, hello)
      local function connect() return assert(momo.net.TcpStream.connect(address)) end
      assert.equal("hello", answer(connect, LAST).body)
      server:cancel()
      server:join()
      tcp.assert_failed("ECONNREFUSED", momo.net.TcpStream.connect(address))
    end)
  end)

  for _, row in ipairs {
    { "momo.http.serve(1, print)", "serve: argument 1 must be an address such as " },
    { "momo.http.serve(listener, 1)", "serve: argument 2 must be a function or a router, got 1" },
    { "momo.http.serve(listener, print, { max_heads = 1 })", "serve: there is no option \"max_heads\"" },
    { "momo.http.serve(listener, print, { max_head = 'x' })",
      "serve: option max_head must be a whole number, or false, got" },
    { "momo.http.serve(listener, print, { idle_timeout = -1 })",
      "serve: option idle_timeout must be a number of seconds, or false, got -1" },
    { "momo.http.serve(listener, print, { server = 1 })", "serve: option server must be a string, got 1" },
    { "momo.http.serve(listener, print, { on_error = true })", "serve: option on_error must be a function, got true" },
    { "momo.http.serve(listener, print, { drian = false })", "serve: there is no option \"drian\"" },
    { "momo.http.serve(listener, print, 5)", "serve: options must be a table, got 5" },
  } do
    it("is told of the mistake in " .. row[1], function()
      assert.matches("^app.lua:2: " .. row[2]:gsub("%p", "%%%0"), tcp.mistake(row[1]))
    end)
  end
end)

describe("the end of http.serve", function()
  after_each(tcp.check_nothing_left)

  it("closes idle connections at once, and lets running requests end", function()
    local arrived, go = momo.sync.Notify(), momo.sync.Notify()
    with_server(function(request, response)
      if request.path == "/last" then
        arrived:notify_one()
        go:notified()
      end
      response:send(200, "done")
    end, { drain = 30 }, function(connect, server, listener)
      local idle, fresh, running = connect(), connect(), connect()
      idle:write(GET)
      read_until(idle, "done")
      running:write(LAST:gsub("Connection: close\r\n", ""))
      arrived:notified()
      listener:close()
      tcp.assert_failed("EOF", idle:read())
      tcp.assert_failed("EOF", fresh:read())
      assert.equal("ready", server:status() == "waiting" and "ready" or server:status())
      go:notify_one()
      local got = http.answers(http.read_all(running))
      assert.equal("close", got[1].headers.connection)
      assert.is_true((server:join()))
      idle:close() fresh:close() running:close()
    end)
  end)

  for transport in pairs(http.transports) do
    it("ends connections that were idle for long, and waits for those that were not, over " .. transport, function()
      with_server(hello, { drain = 30 }, function(connect, server, listener)
        local idle, fresh, busy = connect(), connect(), connect()
        for _, stream in ipairs { idle, busy } do
          stream:write(GET)
          read_until(stream, "hello")
        end
        momo.time.sleep(0.25) -- more than server.lua's GRACE_SECONDS
        busy:write(GET)
        read_until(busy, "hello")
        listener:close()
        busy:write(GET) -- which was on its way
        tcp.assert_failed("EOF", idle:read())
        tcp.assert_failed("EOF", fresh:read())
        assert.equal("hello", http.answers(http.read_all(busy))[1].body)
        assert.is_true((server:join()))
        idle:close() fresh:close() busy:close()
      end, transport)
    end)
  end

  it("ends connections through a Unix socket that were idle for long without a further wait", function()
    virtual.run(function()
      local kind = http.transports.unix
      local listener = kind.listen()
      local server = momo.spawn(momo.http.serve, listener, hello, { drain = 30 })
      local stream = kind.connect(listener)
      stream:write(GET)
      read_until(stream, "hello")
      momo.time.sleep(1)
      listener:close()
      local closed_at = momo.time.now()
      tcp.assert_failed("EOF", stream:read())
      assert.equal(closed_at, momo.time.now())
      assert.is_true((server:join()))
      stream:close()
    end)
  end)

  it("serves a request that is on its way when idle connections are closed", function()
    with_server(hello, { drain = 30 }, function(connect, _, listener)
      local streams = {}
      for i = 1, 20 do
        streams[i] = connect()
        streams[i]:write(GET)
        read_until(streams[i], "hello")
      end
      listener:close()
      for _, stream in ipairs(streams) do
        stream:write(GET)
      end
      for _, stream in ipairs(streams) do
        assert.equal("hello", http.answers(http.read_all(stream))[1].body)
        stream:close()
      end
    end)
  end)

  it("cancels what has not ended after drain", function()
    local cancelled
    with_server(function()
      local ok, err = pcall(momo.time.sleep, 1000)
      cancelled = not ok and momo.is_cancelled(err)
      error(err, 0)
    end, { drain = 0.02 }, function(connect, _, listener)
      local stream = connect()
      stream:write(GET)
      http.settle()
      listener:close()
      tcp.assert_failed("EOF", stream:read())
      assert.is_true(cancelled)
      stream:close()
    end)
  end)
end)
