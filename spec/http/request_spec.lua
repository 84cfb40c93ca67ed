-- What a handler learns of a request.

local client = require "momo.http.client"
local http = require "spec.support.http"
local momo = require "momo"
local refusal = require("momo.http.request").refusal
local tcp = require "spec.support.tcp"

local with_server = http.with_server
local assert_failed = tcp.assert_failed

-- What fn(request) returns as it handles these bytes, and the answer.
local function handled(bytes, fn, options)
  local result, answer
  with_server(function(request, response)
    result = { fn(request, response) }
    if not response.status and not refusal(request) then
      response:send(200, "fine")
    end
  end, options, function(connect)
    answer = http.answer(connect, bytes)
  end)
  return result, answer
end

local function post(body, fields)
  return ("POST /p?q=1 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n%sContent-Length: %d\r\n\r\n%s"):format(
    fields and fields .. "\r\n" or "", #body, body)
end

local function chunked(body, trailers)
  return "POST / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n" .. body ..
    "0\r\n" .. (trailers or "") .. "\r\n"
end

describe("a request", function()
  after_each(tcp.check_nothing_left)

  it("has what its line says, as it came", function()
    for line, want in pairs {
      ["GET /a%20b/../c?x=&y=%zz HTTP/1.1"] = { "GET", "/a%20b/../c?x=&y=%zz", "/a%20b/../c", "x=&y=%zz", "b:81", 1 },
      ["PATCH /? HTTP/1.0"] = { "PATCH", "/?", "/", "", "b:81", 0 },
      ["GET http://c:82/d?e HTTP/1.1"] = { "GET", "http://c:82/d?e", "/d", "e", "c:82", 1 },
      ["GET http://c HTTP/1.1"] = { "GET", "http://c", "/", nil, "c", 1 },
      ["OPTIONS * HTTP/1.1"] = { "OPTIONS", "*", "*", nil, "b:81", 1 },
    } do
      local got
      handled(line .. "\r\nHost: b:81\r\nConnection: close\r\n\r\n", function(request)
        got = { request.method, request.target, request.path, request.query, request.host, request.minor }
      end)
      assert.same(want, got)
    end
  end)

  it("has fields, in any case, joined where there are several", function()
    local got
    handled("GET / HTTP/1.1\r\nHost: a\r\nX-One:  1 \r\nx-two: a\r\nCookie: a=1\r\nX-TWO: b\r\ncookie: b=2; a=3\r\n" ..
      "X-Empty:\r\nConnection: close\r\n\r\n", function(request)
      local list = {}
      for name, value in request:fields() do
        list[#list + 1] = name .. "=" .. value
      end
      got = {
        request:header "x-one", request:header "X-Two", request:header "COOKIE", request:header "x-empty",
        tostring(request:header "x-none"), request.headers["x-two"], request.headers.cookie, table.concat(list, ","),
        request:cookies().a, request:cookies().b, table.concat(request:cookies()["a[]"], " "),
      }
      assert.equal(request.headers, request.headers)
    end)
    assert.same({ "1", "a, b", "a=1; b=2; a=3", "", "nil", "a, b", "a=1; b=2; a=3",
      "Host=a,X-One=1,x-two=a,Cookie=a=1,X-TWO=b,cookie=b=2; a=3,X-Empty=,Connection=close", "1", "2", "1 3" }, got)
  end)

  it("has a decoded query", function()
    local args
    handled("GET /?a=1&b=x+y%26&a=2&c[]=3&d HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", function(request)
      args = request:query_args()
    end)
    assert.same({ a = "1", ["a[]"] = { "1", "2" }, b = "x y&", ["b[]"] = { "x y&" }, ["c[]"] = { "3" }, d = "",
      ["d[]"] = { "" } }, args)
  end)

  it("knows who is at the other end of the connection, whatever a field says", function()
    local got
    with_server(function(request, response)
      got = request.peer
      response:send(200)
    end, nil, function(connect)
      local stream = connect()
      stream:write "GET / HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: 9.9.9.9\r\nConnection: close\r\n\r\n"
      http.read_all(stream)
      assert.equal(got, stream:local_addr() or got)
      stream:close()
    end)
    assert.matches("^127%.0%.0%.1:%d+$", got)
  end)

  it("keeps what was read of it, and nothing else, once it is over", function()
    local kept
    handled(post("hello", "X-Late: yes"), function(request)
      kept = request
      request:body()
    end)
    assert.same({ "/p", "yes" }, { kept.path, kept:header "x-late" })
    tcp.run(function() assert_failed("EBADF", kept:read()) end)
  end)
end)

describe("the body of a request", function()
  after_each(tcp.check_nothing_left)

  it("is read whole, in pieces, or by reads of a size, however it came", function()
    local text = ("0123456789"):rep(20000)
    local in_chunks = {}
    for i = 1, #text, 7001 do
      local piece = text:sub(i, i + 7000)
      in_chunks[#in_chunks + 1] = ("%x;ext=1\r\n%s\r\n"):format(#piece, piece)
    end
    for _, bytes in ipairs { post(text), chunked(table.concat(in_chunks)) } do
      assert.is_true(handled(bytes, function(request) return request:body() end)[1] == text)
      assert.is_true(handled(bytes, function(request)
        local pieces = {}
        for piece in request:pieces() do pieces[#pieces + 1] = piece end
        return table.concat(pieces)
      end)[1] == text)
      local result = handled(bytes, function(request)
        local size, count = 0, 0
        repeat
          local piece = request:read(1000)
          size, count = size + #(piece or ""), count + 1
          assert(not piece or #piece <= 1000)
        until not piece
        assert_failed("EOF", request:read())
        return size, count >= 200
      end)
      assert.same({ #text, true }, result)
    end
    assert.same({ "" }, (handled("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", function(request)
      assert_failed("EOF", request:read())
      return request:body()
    end)))
  end)

  it("is 413 where it is too large, unless something else is sent", function()
    local result, answer = handled(post(("x"):rep(101)), function(request) return request:body(100) end)
    assert.equal("EMSGSIZE", result[3])
    assert.equal(413, answer.status)
    result, answer = handled(chunked(("%x\r\n%s\r\n"):format(101, ("x"):rep(101))), function(request)
      return request:body(100)
    end)
    assert.equal("EMSGSIZE", result[3])
    assert.equal(413, answer.status)
    result, answer = handled(post(("x"):rep(101)), function(request) return request:body() end, { max_body = 100 })
    assert.equal("EMSGSIZE", result[3])
    assert.equal(413, answer.status)
    answer = select(2, handled(post(("x"):rep(101)), function(request, response)
      request:body(100)
      response:send(422, "mine")
    end))
    assert.equal(422, answer.status)
    result, answer = handled(post(("x"):rep(100)), function(request) return #request:body(100) end)
    assert.same({ 100 }, result)
    assert.equal(200, answer.status)
    local two = ("32\r\n%s\r\n33\r\n%s\r\n"):format(("x"):rep(50), ("x"):rep(51))
    local one = ("%x\r\n%s\r\n"):format(101, ("x"):rep(101))
    for _, bytes in ipairs { post(("x"):rep(101)), chunked(one), chunked(two) } do
      result, answer = handled(bytes, function(request)
        local ok, err, code
        repeat ok, err, code = request:read() until not ok
        return code, err
      end, { max_stream = 100 })
      assert.same({ "EMSGSIZE", "EMSGSIZE: the body has more than 100 bytes" }, result)
      assert.equal(413, answer.status)
    end
  end)

  it("goes into streams and files by momo.io.copy", function()
    local text = ("0123456789"):rep(30000)
    local reader, writer
    local result = handled(post(text), function(request)
      reader, writer = momo.io.pipe()
      local copying = momo.spawn(function()
        local bytes = momo.io.copy(request, writer)
        writer:close()
        return bytes
      end)
      local got = http.read_all(reader)
      reader:close()
      return got == text, select(2, copying:join())
    end)
    assert.same({ true, #text }, result)
    local path = os.tmpname()
    result = handled(chunked(("%x\r\n%s\r\n"):format(#text, text)), function(request)
      local file = assert(momo.fs.open(path, "w"))
      local first = assert(momo.io.copy(request, file, 1000))
      local rest = assert(momo.io.copy(request, file))
      file:close()
      return first, rest
    end)
    assert.same({ 1000, #text - 1000 }, result)
    assert.is_true(momo.run(function() return assert(momo.fs.read(path)) end) == text)
    os.remove(path)
    result = handled(post(text), function(request)
      local one, other = tcp.pair()
      other:close()
      local _, _, code, side = momo.io.copy(request, one)
      one:close()
      return side, code == "EPIPE" or code == "ECONNRESET"
    end)
    assert.same({ "to", true }, result)
    result = handled(chunked("zz\r\n"), function(request, response)
      local one, other = tcp.pair()
      local _, _, code, side = momo.io.copy(request, one)
      one:close()
      other:close()
      response:send(200)
      return side, code
    end)
    assert.same({ "from", "EPROTO" }, result)
  end)

  it("may be followed by trailers, but for those that say how to read, route or trust it", function()
    local result = handled(chunked("2\r\nhi\r\n", "X-Sum: 1\r\nx-sum: 2\r\nHost: evil\r\nContent-Length: 5\r\n" ..
      "Authorization: x\r\nCookie: x\r\nTransfer-Encoding: x\r\n"), function(request)
      local before = request.trailers
      request:body()
      return before == nil, request.trailers
    end)
    assert.same({ true, { ["x-sum"] = "1, 2" } }, result)
    result = handled(post "hi", function(request)
      request:body()
      return request.trailers == nil
    end)
    assert.same({ true }, result)
  end)

  it("is 400 where it is malformed, 408 where it comes too slowly, and cut where the client leaves", function()
    for _, bytes in ipairs { chunked "x\r\n", chunked "1\r\nabc\r\n", chunked("", "no field\r\n") } do
      local result, answer = handled(bytes, function(request) return request:body() end)
      assert.equal("EPROTO", result[3])
      assert.equal(400, answer.status)
    end
    local codes = {}
    with_server(function(request)
      for _ = 1, 2 do
        local _, _, code = request:read()
        codes[#codes + 1] = code
      end
    end, { read_timeout = 0.02 }, function(connect)
      local head = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n"
      local silent = connect()
      silent:write(head)
      assert.equal("408", http.statuses(http.read_all(silent)))
      silent:close()
      http.ask(connect, head)
    end)
    assert.same({ "ETIMEDOUT", "ETIMEDOUT", "ECONNRESET", "ECONNRESET" }, codes)
  end)

  it("raises in a for loop where it is cut", function()
    local result = handled(chunked "x\r\n", function(request)
      return pcall(function() for _ in request:pieces() do end end) -- luacheck: ignore 542
    end)
    assert.is_false(result[1])
    assert.matches("EPROTO", result[2])
  end)
end)

describe("a form", function()
  after_each(tcp.check_nothing_left)

  local URLENCODED = "Content-Type: application/x-www-form-urlencoded; charset=utf-8"
  local MULTIPART = "Content-Type: multipart/form-data; boundary=B"

  local function part(name, body, more)
    return ('--B\r\nContent-Disposition: form-data; name="%s"%s\r\n\r\n%s\r\n'):format(name, more or "", body)
  end

  it("is a table, in either coding", function()
    local want = { a = "1", ["a[]"] = { "1", "2" }, b = "x y", ["b[]"] = { "x y" } }
    for _, bytes in ipairs {
      post("a=1&b=x+y&a=2", URLENCODED),
      post(part("a", "1") .. part("b", "x y") .. part("a", "2") .. "--B--\r\n", MULTIPART),
    } do
      assert.same({ want }, (handled(bytes, function(request) return request:form() end)))
    end
  end)

  it("is refused where it is too large, has too many fields, is malformed, or is none", function()
    local many = {}
    for i = 1, 1001 do
      many[i] = part("a", "")
    end
    local exactly = {}
    for i = 1, 1000 do
      exactly[i] = part("a", "")
    end
    for _, row in ipairs {
      { "EMSGSIZE", 413, post("a=" .. ("x"):rep(1000), URLENCODED) },
      { "EMSGSIZE", 413, post(part("a", ("x"):rep(600)) .. part("b", ("x"):rep(600)) .. "--B--", MULTIPART) },
      { "EMSGSIZE", 413, post(("a&"):rep(1001), URLENCODED), 10000 },
      { "EMSGSIZE", 413, post(table.concat(many) .. "--B--", MULTIPART) },
      { "EPROTO", 400, post(part("a", "x"), MULTIPART) },
      { "EPROTO", 400, post("--B\r\nno field\r\n\r\n\r\n--B--", MULTIPART) },
      { "EPROTO", 400, post("a=1", "Content-Type: text/plain") },
      { "EPROTO", 400, post("a=1") },
      { "EPROTO", 400, post("--B--", "Content-Type: multipart/form-data") },
      { nil, 200, post(("a&"):rep(1000), URLENCODED), 10000 },
      { nil, 200, post(table.concat(exactly) .. "--B--", MULTIPART) },
    } do
      local result, answer = handled(row[3], function(request) return request:form(row[4] or 1000) end)
      assert.same({ row[1], row[2] }, { result[3], answer.status })
    end
  end)

  it("gives its parts one after the other, of any size", function()
    local much = ("0123456789"):rep(30000)
    local bytes = post(part("a", "1") .. part("file", much, '; filename="../x/y.txt"\r\nContent-Type: text/plain') ..
      part("skipped", much) .. part("b", "2") .. "--B--\r\n", MULTIPART)
    local result = handled(bytes, function(request)
      local list = {}
      for each in request:parts() do
        local body = each.name ~= "skipped" and assert(each:body(1000000))
        list[#list + 1] = ("%s %s %s %s"):format(each.name, each.filename, each.headers["content-type"],
          body and (body == much and "much" or body))
      end
      return list
    end, { max_body = 10 })
    assert.same({ { "a nil nil 1", "file y.txt text/plain much", "skipped nil nil false", "b nil nil 2" } }, result)
  end)

  it("has its parts within limits", function()
    local bytes = post(part("a", "1") .. part("b", "2") .. "--B--", MULTIPART)
    for _, row in ipairs {
      { { max_parts = 1 }, 413 }, { { max_head = 10 }, 413 }, { { max_parts = 2, max_head = 100 }, 200 },
    } do
      local _, answer = handled(bytes, function(request)
        pcall(function() for _ in request:parts(row[1]) do end end) -- luacheck: ignore 542
      end)
      assert.equal(row[2], answer.status)
    end
    local _, answer = handled(post("x", "Content-Type: text/plain"), function(request)
      for _ in request:parts() do end -- luacheck: ignore 542
    end, { on_error = function() end })
    assert.equal(400, answer.status)
  end)

  it("copies a part into a stream", function()
    local much = ("0123456789"):rep(30000)
    local result = handled(post(part("file", much) .. "--B--", MULTIPART), function(request)
      local reader, writer = momo.io.pipe()
      momo.spawn(function()
        for each in request:parts() do
          momo.io.copy(each, writer)
        end
        writer:close()
      end)
      local got = http.read_all(reader)
      reader:close()
      return got == much
    end)
    assert.same({ true }, result)
  end)
end)

describe("JSON", function()
  after_each(tcp.check_nothing_left)

  if not pcall(require, "cjson.safe") then
    return it("needs lua-cjson", function() pending "lua-cjson is not installed" end)
  end

  it("is read and sent", function()
    local result, answer = handled(post '{"a":[1,2,{"b":null}],"c":"\\u00e4"}', function(request, response)
      local value = assert(request:json())
      response:json(201, { sum = value.a[1] + value.a[2], c = value.c })
      return value.a[2]
    end)
    assert.same({ 2 }, result)
    assert.equal(201, answer.status)
    assert.equal("application/json", answer.headers["content-type"])
    assert.same({ sum = 3, c = "ä" }, require("cjson.safe").decode(answer.body))
  end)

  it("is 400 where it is malformed or nested without end, 413 where it is too large", function()
    for _, row in ipairs {
      { "EPROTO", 400, post "{" }, { "EPROTO", 400, post "" }, { "EPROTO", 400, post '{"a":1} x' },
      { "EPROTO", 400, post(("["):rep(5000) .. ("]"):rep(5000)), 20000 },
      { "EMSGSIZE", 413, post('"' .. ("x"):rep(1000) .. '"') },
    } do
      local result, answer = handled(row[3], function(request) return request:json(row[4] or 1000) end)
      assert.same({ row[1], row[2] }, { result[3], answer.status })
    end
    local got = handled(post "false", function(request) return request:json() end)
    assert.same({ false }, got)
  end)

  it("of a value that has none throws", function()
    local result, answer = handled(post "", function(_, response)
      return pcall(response.json, response, 200, { print })
    end)
    assert.is_false(result[1])
    assert.matches("JSON: ", result[2])
    assert.equal(200, answer.status)
  end)
end)

-- client is used so that what it says of one server's trailers is what another one of ours has sent.
describe("trailers", function()
  after_each(tcp.check_nothing_left)

  it("go from a response to an answer", function()
    with_server(function(_, response)
      response:start(200)
      response:write "x"
      response:finish { ["X-Sum"] = "1" }
    end, nil, function(_, _, listener)
      local c = client.Client()
      c:stream("GET", "http://" .. listener:local_addr(), nil, function(answer)
        assert.is_nil(answer.trailers)
        assert.equal("x", (answer:read()))
        assert_failed("EOF", answer:read())
        assert.same({ ["x-sum"] = "1" }, answer.trailers)
      end)
      c:close()
    end)
  end)
end)
