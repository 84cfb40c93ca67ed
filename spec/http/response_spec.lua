-- What a handler says in answer.

local client = require "momo.http.client"
local http = require "spec.support.http"
local momo = require "momo"
local tcp = require "spec.support.tcp"

local with_server = http.with_server
local assert_failed = tcp.assert_failed

local GET = "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
local HEAD, OLD = GET:gsub("GET", "HEAD"), GET:gsub("HTTP/1.1", "HTTP/1.0")

-- All bytes that are answered where fn(response, request) handles them.
local function answered(bytes, fn, options)
  local got
  with_server(function(request, response) fn(response, request) end, options, function(connect)
    got = http.ask(connect, bytes)
  end)
  return got
end

-- The same, as an answer; and what fn has returned.
local function handled(bytes, fn, options)
  local result
  local list = http.answers(answered(bytes, function(response, request)
    result = { fn(response, request) }
  end, options), bytes:find "^HEAD" ~= nil)
  assert(#list == 1, #list .. " answers came")
  return list[1], result
end

-- The error of fn(response), without its place.
local function mistake(fn)
  local err
  handled(GET, function(response)
    err = select(2, pcall(fn, response))
    if not response.status then
      response:send(200)
    end
  end)
  return err:match "response_spec.lua:%d+: (.*)" or err
end

describe("send", function()
  after_each(tcp.check_nothing_left)

  it("gives the whole answer: a status, a body, fields", function()
    local answer, result = handled(GET, function(response)
      response.headers["X-Before"] = "1"
      response.headers["x-both"] = "common"
      local headers = { ["X-Both"] = "own", ["X-Many"] = { "1", "2" }, ["X-Number"] = 5 }
      local ok = response:send(201, { "a", "b", "" }, headers)
      return ok, response.status, response.sent, response.bytes
    end)
    assert.same({ true, 201, true, 2 }, result)
    assert.same({ "1", "ab", "2", "own", "1, 2", "5", "1" }, { answer.minor, answer.body,
      answer.headers["content-length"], answer.headers["x-both"], answer.headers["x-many"], answer.headers["x-number"],
      answer.headers["x-before"] })
    assert.matches("^%a%a%a, %d%d %a%a%a %d%d%d%d %d%d:%d%d:%d%d GMT$", answer.headers.date)
  end)

  it("has no body where there is none", function()
    for _, row in ipairs { { 200, "0" }, { 204, nil }, { 304, nil }, { 500, "0" } } do
      local answer = handled(GET, function(response) response:send(row[1]) end)
      assert.same({ row[1], row[2], "" }, { answer.status, answer.headers["content-length"], answer.body })
    end
    for _, status in ipairs { 204, 304 } do
      local text = answered(GET, function(response) response:send(status, "body") end)
      assert.is_nil(text:find "body")
    end
    local text = answered(HEAD, function(response) response:send(200, "body") end)
    assert.matches("Content%-Length: 4\r\n", text)
    assert.matches("\r\n\r\n$", text)
  end)

  it("goes once, and not after the exchange", function()
    assert.equal("send: the request was answered already", mistake(function(response)
      response:send(200)
      response:send(200)
    end))
    local kept
    handled(GET, function(response)
      kept = response
      response:send(200)
    end)
    tcp.run(function()
      assert_failed("EBADF", kept:send(200))
      assert_failed("EBADF", kept:start(200))
      assert_failed("EBADF", kept:write "x")
      assert_failed("EBADF", kept:finish())
      assert_failed("EBADF", kept:redirect "/")
      assert_failed("EBADF", kept:file "/dev/null")
      assert_failed("EBADF", kept:interim(103))
      assert_failed("EBADF", kept:upgrade "x")
    end)
  end)

  for what, fn in pairs {
    ["a line in a value"] = function(r) r:send(200, "", { X = "a\r\nSet-Cookie: b" }) end,
    ["a bare LF"] = function(r) r:send(200, "", { X = "a\nb" }) end,
    ["a NUL"] = function(r) r:send(200, "", { X = "a\0b" }) end,
    ["a line in a name"] = function(r) r:send(200, "", { ["X\r\nY"] = "a" }) end,
    ["a blank in a name"] = function(r) r:send(200, "", { ["X "] = "a" }) end,
    ["an empty name"] = function(r) r:send(200, "", { [""] = "a" }) end,
    ["a line in one of several"] = function(r) r:send(200, "", { X = { "a", "b\r\nc" } }) end,
    ["a line in response.headers"] = function(r) r.headers.X = "a\rb" r:send(200) end,
    ["a Transfer-Encoding of its own"] = function(r) r:send(200, "", { ["transfer-encoding"] = "chunked" }) end,
    ["a Content-Length that is not the body's"] = function(r) r:send(200, "abc", { ["Content-Length"] = 4 }) end,
    ["a line in a location"] = function(r) r:redirect "/\r\nX: y" end,
    ["a line in trailers"] = function(r) r:start(200) r:finish { X = "a\r\nb" } end,
    ["a Transfer-Encoding behind the body"] = function(r) r:start(200) r:finish { ["Transfer-encoding"] = "x" } end,
    ["a Content-Length behind the body"] = function(r) r:start(200) r:finish { ["Content-Length"] = 0 } end,
    ["a Transfer-Encoding of early hints"] = function(r) r:interim(103, { ["Transfer-Encoding"] = "chunked" }) end,
    ["a Transfer-Encoding in response.headers"] = function(r) r.headers["TRANSFER-ENCODING"] = "gzip" r:start(200) end,
    ["a Transfer-Encoding of an upgrade"] = function(r) r:upgrade("x", { ["Transfer-Encoding"] = "chunked" }) end,
    ["a line in early hints"] = function(r) r:interim(103, { Link = "a\r\nb" }) end,
    ["a line in a protocol"] = function(r) r:upgrade "a\r\nb" end,
    ["a line in a cookie's name"] = function(r) r:set_cookie("a\r\nX: y", "b") end,
    ["a line in a cookie's path"] = function(r) r:set_cookie("a", "b", { path = "/\r\nX: y" }) end,
    ["a line in a cookie's domain"] = function(r) r:set_cookie("a", "b", { domain = "a\r\nX: y" }) end,
    ["a status of 99"] = function(r) r:send(99) end,
    ["a status of 1000"] = function(r) r:send(1000) end,
    ["a status of 101"] = function(r) r:send(101) end,
    ["a body of another type"] = function(r) r:send(200, print) end,
    ["a piece of another type"] = function(r) r:send(200, { "a", {} }) end,
    ["a value of another type"] = function(r) r:send(200, "", { X = print }) end,
  } do
    it("throws for " .. what .. ", and nothing of it leaves", function()
      local told
      local text = answered(GET, function(response)
        told = not pcall(fn, response)
        error "500"
      end, { on_error = function() end })
      assert.is_true(told)
      assert.matches("^HTTP/1.1 [25]00 ", text)
      assert.is_nil(text:find "Set%-Cookie: b" or text:find "\nc" or text:find "\nX: y")
    end)
  end
end)

describe("an answer in pieces", function()
  after_each(tcp.check_nothing_left)

  it("is chunked, or of the length given, or lasts until the close", function()
    local function stream(length)
      return function(response)
        response:start(200, { ["Content-Length"] = length })
        return response:write "ab", response:write { "c", "", "de" }, response:write "", response.bytes
      end
    end
    local answer, result = handled(GET, stream())
    assert.same({ "chunked", nil, "abcde" }, { answer.headers["transfer-encoding"], answer.headers["content-length"],
      answer.body })
    assert.same({ 2, 3, 0, 5 }, result)
    answer = handled(GET, stream(5))
    assert.same({ nil, "5", "abcde" }, { answer.headers["transfer-encoding"], answer.headers["content-length"],
      answer.body })
    answer = handled(OLD, stream())
    assert.same({ nil, nil, "abcde" }, { answer.headers["transfer-encoding"], answer.headers["content-length"],
      answer.body })
    answer = handled(HEAD, stream())
    assert.same({ 200, "" }, { answer.status, answer.body })
  end)

  it("leaves piece by piece", function()
    local go = momo.sync.Notify()
    with_server(function(_, response)
      response:start(200)
      assert(response:flush())
      for i = 1, 3 do
        go:notified()
        response:write("piece " .. i)
      end
    end, nil, function(connect)
      local stream = connect()
      stream:write(GET)
      assert.matches("chunked\r\n\r\n$", (stream:read_until "\r\n\r\n"))
      for i = 1, 3 do
        go:notify_one()
        assert.equal("7\r\npiece " .. i .. "\r\n", stream:read_exact(12))
      end
      assert.equal("0\r\n\r\n", http.read_all(stream))
      stream:close()
    end)
  end)

  it("has the length that it has promised, or is cut", function()
    assert.matches("^write: Content%-Length leaves 2 bytes, and these are 3", mistake(function(response)
      response:start(200, { ["Content-Length"] = 2 })
      local _, err = pcall(response.write, response, "abc")
      response:write "ab"
      error(err, 0)
    end))
    local text = answered(GET, function(response)
      response:start(200, { ["Content-Length"] = 5 })
      response:write "ab"
    end, { on_error = function() end })
    assert.matches("\r\n\r\nab", text)
    assert.matches("ECONNRESET", text)
    text = answered(GET, function(response)
      response:start(200)
      response:write "ab"
      error "no luck"
    end, { on_error = function() end })
    assert.is_nil(text:find "0\r\n\r\n$")
  end)

  for _, transport in ipairs { "tcp", "tls" } do
    it("that lasts until the close has no clean end where its handler fails, over " .. transport, function()
      local got
      with_server(function(_, response)
        response:start(200)
        response:write "ab"
        error "no"
      end, { on_error = function() end }, function(connect) got = http.ask(connect, OLD) end, transport)
      assert.matches("\r\n\r\nab%[", got)
    end)
  end

  it("comes from streams and answers by momo.io.copy", function()
    local much = ("0123456789"):rep(30000)
    local answer, result = handled(GET, function(response)
      local reader, writer = momo.io.pipe()
      momo.spawn(function()
        writer:write(much)
        writer:close()
      end)
      response:start(200)
      local bytes = momo.io.copy(reader, response)
      reader:close()
      return bytes
    end)
    assert.same({ #much }, result)
    assert.is_true(answer.body == much)
    local address
    with_server(function(request, response)
      if request.path == "/from" then
        return response:send(200, much)
      end
      local c = client.Client()
      response:start(200, { ["Content-Length"] = #much })
      c:stream("GET", "http://" .. address .. "/from", nil, function(from)
        return momo.io.copy(from, response)
      end)
      c:close()
    end, nil, function(connect, _, listener)
      address = listener:local_addr()
      assert.is_true(http.answer(connect, GET).body == much)
    end)
  end)

  it("tells who writes that the client has left", function()
    local left = momo.sync.Notify()
    local ended
    with_server(function(_, response)
      response:start(200)
      response:write "x"
      left:notified()
      local ok, err, code
      repeat
        ok, err, code = response:write(("x"):rep(100000))
      until not ok
      ended = code
      assert_failed(code, ok, err, code)
    end, nil, function(connect)
      local stream = connect()
      stream:write(GET)
      stream:read()
      stream:close()
      left:notify_one()
    end)
    assert.is_true(ended == "EPIPE" or ended == "ECONNRESET", ended)
  end)

  it("ends with trailers", function()
    local text = answered(GET, function(response)
      response:start(200, { Trailer = "X-Sum" })
      response:write "x"
      response:finish { ["X-Sum"] = 1 }
    end)
    assert.matches("\r\n1\r\nx\r\n0\r\nX%-Sum: 1\r\n\r\n$", text)
    text = answered(OLD, function(response)
      response:start(200)
      response:finish { ["X-Sum"] = 1 }
    end)
    assert.is_nil(text:find "X%-Sum")
  end)
end)

describe("before an answer", function()
  after_each(tcp.check_nothing_left)

  it("early hints go, to those who know them", function()
    local function hints(response)
      assert(response:interim(103, { Link = { "</a.css>; rel=preload", "</b.js>; rel=preload" } }))
      assert(response:interim(103, { Link = "</c>" }))
      response:send(200, "x")
    end
    assert.equal("103 103 200", http.statuses(answered(GET, hints)))
    assert.matches("^HTTP/1.1 103 Early Hints\r\nLink: </a.css>; rel=preload\r\nLink: </b.js>; rel=preload\r\n\r\n",
      answered(GET, hints))
    assert.equal("200", http.statuses(answered(OLD, hints)))
    for _, status in ipairs { 99, 101, 200 } do
      assert.matches("^interim: the status must be", mistake(function(response) response:interim(status) end))
    end
    assert.matches("^interim: ", mistake(function(response)
      response:start(200)
      response:interim(103)
    end))
  end)

  it("an answer that waits leaves with them", function()
    local text = answered("GET /1 HTTP/1.1\r\nHost: a\r\n\r\n" .. GET, function(response, request)
      if request.path == "/" then
        response:interim(103, { Link = "</a>" })
      end
      response:send(200)
    end)
    assert.equal("200 103 200", http.statuses(text))
  end)
end)

describe("in a word", function()
  after_each(tcp.check_nothing_left)

  it("redirect sends elsewhere", function()
    local answer = handled(GET, function(response) response:redirect "/login" end)
    assert.same({ 303, "/login", "" }, { answer.status, answer.headers.location, answer.body })
    answer = handled(GET, function(response) response:redirect("/x", 308) end)
    assert.equal(308, answer.status)
  end)

  it("set_cookie adds cookies that scripts and other sites don't get", function()
    local text = answered(GET, function(response)
      response:set_cookie("a", "1")
      response:set_cookie("b", "2", { http_only = false, same_site = "None", secure = true, path = "/x", max_age = 60 })
      response:send(200)
    end)
    assert.matches("\r\nSet%-Cookie: a=1; Path=/; HttpOnly; SameSite=Lax\r\n", text)
    local second = text:match "\r\nSet%-Cookie: (b=2[^\r]*)\r\n"
    assert.is_truthy(second:find("Secure", 1, true) and second:find("Max-Age=60", 1, true))
    assert.is_nil(second:find "HttpOnly")
  end)

  it("upgrade gives the stream, with what is unread", function()
    with_server(function(_, response)
      local stream = assert(response:upgrade "echo")
      stream:write(stream:read_exact(5):upper())
    end, { write_timeout = 0.001 }, function(connect)
      local stream = connect()
      stream:write "GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\nhello"
      assert.matches("^HTTP/1.1 101 Switching Protocols\r\n", (stream:read_until "\r\n\r\n"))
      assert.equal("HELLO", http.read_all(stream))
      stream:close()
    end)
  end)
end)

describe("a client that does not read", function()
  after_each(tcp.check_nothing_left)

  it("is given up after write_timeout, in each way to answer", function()
    local much = ("x"):rep(64 * 1024 * 1024)
    local path = os.tmpname()
    local file = io.open(path, "wb")
    file:write(much)
    file:close()
    local codes = {}
    with_server(function(request, response)
      local ok, _, code
      if request.path == "/send" then
        ok, _, code = response:send(200, much)
      elseif request.path == "/file" then
        ok, _, code = response:file(path)
      else
        response:start(200)
        ok, _, code = response:write(much)
      end
      assert(not ok)
      codes[request.path:sub(2)] = code
    end, { write_timeout = 0.05 }, function(connect)
      for _, name in ipairs { "send", "file", "write" } do
        local stream = connect()
        stream:write(GET:gsub("/", "/" .. name, 1))
        tcp.wait_for(function() return codes[name] end)
        stream:close()
      end
    end)
    os.remove(path)
    assert.same({ send = "ETIMEDOUT", file = "ETIMEDOUT", write = "ETIMEDOUT" }, codes)
  end)

  it("costs no more memory than the pieces that are written", function()
    local piece = ("x"):rep(64 * 1024)
    local written, stuck = 0, momo.sync.Notify()
    with_server(function(_, response)
      response:start(200, { ["Content-Length"] = 2 ^ 30 })
      for _ = 1, 2 ^ 30 / #piece do
        if not response:write(piece) then
          return
        end
        written = written + #piece
        stuck:notify_one()
      end
    end, nil, function(connect)
      local stream = connect()
      stream:write(GET)
      while stuck:notified(0.2) do end -- luacheck: ignore 542
      assert.is_true(written < 32 * 1024 * 1024)
      stream:close()
    end)
  end)
end)
