local coding = require "momo.http.coding"
local client = require "momo.http.client"
local folder = require "spec.support.folder"
local http = require "spec.support.http"
local momo = require "momo"
local support = require "spec.support"
local tcp = require "spec.support.tcp"

local TEXT = ("The quick brown fox jumps over the lazy dog.\n"):rep(100)
local LONG = TEXT:rep(100)
local HTML = { ["Content-Type"] = "text/html" }

-- The answer of a handler beneath the middleware, as it is sent: its bytes are not decoded, unless fields is nil.
local function get(handler, fields, options)
  local answer
  http.with_server(momo.http.compressed(handler, options), nil, function(_, _, listener)
    local c = client.Client()
    answer = assert(c:request(fields and fields.method or "GET", "http://" .. listener:local_addr() .. "/", {
      headers = fields and { ["Accept-Encoding"] = fields[1] },
    }))
    c:close()
  end)
  return answer
end

local function send(body, headers, status)
  return function(_, response)
    response:send(status or 200, body, headers or HTML)
  end
end

local function decode(name, bytes)
  local is_first = true
  local decoder = coding.decoder(function()
    if is_first then
      is_first = false
      return bytes
    end
    return nil, "EOF", "EOF"
  end, { name })
  local pieces = {}
  for piece in function() return (decoder:read()) end do
    pieces[#pieces + 1] = piece
  end
  return table.concat(pieces)
end

describe("an answer", function()
  after_each(tcp.check_nothing_left)

  for _, name in ipairs { "gzip", "br", "zstd" } do
    it("is compressed as the client likes: " .. name, function()
      for _, body in ipairs { TEXT, LONG } do
        for _, handler in ipairs {
          send(body),
          send { body:sub(1, 10), body:sub(11) },
          function(_, response)
            response:start(200, HTML)
            for piece in body:gmatch(("."):rep(450)) do
              assert(response:write(piece) == 450)
            end
          end,
          function(_, response)
            response:start(200, { ["content-type"] = "text/plain", ["Content-Length"] = #body })
            response:write(body)
            response:finish()
          end,
        } do
          local answer = get(handler, { name })
          assert.equal(name, answer:header "content-encoding")
          assert.equal("Accept-Encoding", answer:header "vary")
          assert.is_true(#answer.body < #body / 2)
          assert.is_true(body == decode(name, answer.body))
        end
      end
    end)
  end

  it("has its own length where it is short, and none where it is streamed", function()
    local answer = get(send(TEXT), { "gzip" })
    assert.equal(tostring(#answer.body), answer:header "content-length")
    answer = get(send(LONG), { "gzip" })
    assert.is_nil(answer:header "content-length")
    assert.equal("chunked", answer:header "transfer-encoding")
  end)

  for name, row in pairs {
    ["the client does not take it"] = { send(TEXT), { "identity" } },
    ["the client does not say that it takes it"] = { send(TEXT), { "" } },
    ["it is small"] = { send(TEXT:sub(1, 1023)), { "gzip" } },
    ["it is empty"] = { send(""), { "gzip" } },
    ["it is no text"] = { send(TEXT, { ["Content-Type"] = "image/png" }), { "gzip" } },
    ["it is of no type"] = { send(TEXT, {}), { "gzip" } },
    ["it is coded already"] = { send(TEXT, { ["Content-Type"] = "text/html", ["content-encoding"] = "x" }),
    { "gzip" } },
    ["it is a part"] = { send(TEXT, { ["Content-Type"] = "text/html", ["Content-Range"] = "bytes 0-1/9" }, 206),
    { "gzip" } },
    ["nobody may change it"] = { send(TEXT, { ["Content-Type"] = "text/html",
    ["Cache-Control"] = "public, No-Transform" }),
      { "gzip" } },
  } do
    it("stays as it is where " .. name, function()
      local answer = get(row[1], row[2])
      local encoding = answer:header "content-encoding"
      assert(encoding == nil or encoding == "x")
      assert.is_true(TEXT:sub(1, #answer.body) == answer.body)
      assert.equal(tostring(#answer.body), answer:header "content-length")
    end)
  end

  it("to HEAD says what one to GET does", function()
    local path = support.tmpfile(TEXT)
    local function stream(_, response)
      response:start(200, HTML)
      response:write(TEXT)
    end
    for _, handler in ipairs { send(TEXT), send(TEXT, { ETag = '"x"', ["Content-Type"] = "text/html" }),
      send(LONG), stream, function(_, response) response:file(path, HTML) end } do
      local whole, head = get(handler, { "gzip" }), get(handler, { "gzip", method = "HEAD" })
      for _, name in ipairs { "content-encoding", "vary", "etag", "content-type", "accept-ranges" } do
        assert.equal(whole:header(name), head:header(name))
      end
      assert.equal("gzip", head:header "content-encoding")
      local length = head:header "content-length"
      assert.is_true(length == nil or length == whole:header "content-length")
      assert.equal("", head.body)
    end
  end)

  it("of 204 and 304 has no body to compress", function()
    local answer
    assert.equal(204, get(send(nil, {}, 204), { "gzip" }).status)
    answer = get(send(nil, { ["Content-Type"] = "text/html", ETag = '"x"' }, 304), { "gzip" })
    assert.equal("Accept-Encoding", answer:header "vary")
  end)

  it("keeps what else its fields say", function()
    local answer = get(function(_, response)
      response.headers.Vary = "Origin"
      response.headers["ETag"] = '"abc"'
      response.headers["content-length"] = #TEXT
      response.headers["X-A"] = "1"
      response:set_cookie("a", "b")
      response:send(200, TEXT, { ["content-type"] = "text/html", ["Accept-Ranges"] = "bytes" })
    end, { "gzip" })
    assert.equal("Origin, Accept-Encoding", answer:header "vary")
    assert.equal('W/"abc"', answer:header "etag")
    assert.equal("1", answer:header "x-a")
    assert.matches("^a=b;", answer:header "set-cookie")
    assert.is_nil(answer:header "accept-ranges")
    assert.equal(tostring(#answer.body), answer:header "content-length")
    assert.is_true(TEXT == decode("gzip", answer.body))
    for vary, expected in pairs {
      ["*"] = "*", ["accept-encoding"] = "accept-encoding", ["Origin, Accept-Encoding"] = "Origin, Accept-Encoding",
    } do
      answer = get(send(TEXT, { ["Content-Type"] = "text/html", Vary = vary }), { "gzip" })
      assert.equal(expected, answer:header "vary")
    end
  end)

  it("is compressed in codings of one's own, from a size of one's own", function()
    assert.equal("gzip", get(send(TEXT), { "br, gzip" }, { codings = { "gzip" } }):header "content-encoding")
    assert.equal("br", get(send "hello", { "br, gzip" }, { min_size = 5 }):header "content-encoding")
  end)

  it("of a router, JSON and errors is compressed too", function()
    local router = momo.http.Router()
    router:handle("/", function(_, response)
      response:send(500, TEXT, { ["Content-Type"] = "application/problem+json" })
    end)
    local answer = get(router)
    assert.equal(500, answer.status)
    assert.equal("br", answer:header "content-encoding")
    assert.is_true(TEXT == answer.body)
  end)

  it("that is streamed comes with each write, and is counted as it was sent", function()
    local seen
    local handler = momo.http.compressed(function(_, response)
      response:start(200, { ["Content-Type"] = "text/event-stream" })
      for i = 1, 5 do
        assert(response:write { "data: ", tostring(i), "\n\n" })
        seen:notified()
      end
      assert.is_true(response.bytes > 0)
    end)
    http.with_server(handler, nil, function(_, _, listener)
      seen = momo.sync.Notify()
      local c = client.Client()
      c:stream("GET", "http://" .. listener:local_addr() .. "/", nil, function(answer)
        assert.equal("br", answer:header "content-encoding")
        for i = 1, 5 do
          assert.equal(("data: %d\n\n"):format(i), answer:read())
          seen:notify_one()
        end
        tcp.assert_failed("EOF", answer:read())
      end)
      c:close()
    end)
  end)

  it("of a file is compressed, small or large, and its part is not", function()
    local root = folder.make { ["small.txt"] = TEXT, ["large.txt"] = LONG, ["large.bin"] = LONG }
    http.with_server(momo.http.compressed(momo.http.files(root)), nil, function(_, _, listener)
      local c, url = client.Client(), "http://" .. listener:local_addr()
      for _, row in ipairs {
        { "/small.txt", TEXT, "br" }, { "/large.txt", LONG, "br" }, { "/large.bin", LONG },
      } do
        local answer = assert(c:get(url .. row[1]))
        assert.equal(row[3], answer:header "content-encoding" or nil)
        assert.is_true(row[2] == answer.body)
        local again = assert(c:get(url .. row[1], { headers = { ["If-None-Match"] = answer:header "etag" } }))
        assert.equal(304, again.status)
        local part = assert(c:get(url .. row[1], { headers = { Range = "bytes=5-99", ["Accept-Encoding"] = "br" } }))
        assert.equal(206, part.status)
        assert.is_nil(part.headers["content-encoding"])
        assert.is_true(row[2]:sub(6, 100) == part.body)
      end
      c:close()
    end)
  end)

  it("of a handler that fails is an error, or cut", function()
    for _, row in ipairs {
      { function() error "oops" end, 500 },
      { function(_, response)
        response:start(200, HTML)
        response:write(TEXT)
        error "oops"
      end },
    } do
      http.with_server(momo.http.compressed(row[1]), { on_error = function(err) assert.matches("oops", err) end },
        function(_, _, listener)
          local c = client.Client()
          local answer, _, code = c:get("http://" .. listener:local_addr() .. "/")
          assert.equal(row[2], answer and answer.status)
          assert(answer or code == "ECONNRESET", code)
          c:close()
        end)
    end
  end)

  it("is decoded by curl --compressed", function()
    if support.shell "command -v curl" ~= 0 then
      return pending "curl is not installed"
    end
    local path = support.tmpfile ""
    http.with_server(momo.http.compressed(send(LONG)), nil, function(_, _, listener)
      local _, status = momo.spawn_blocking(function(line) return os.execute(line) end,
        ("curl -sS --compressed -o %s http://%s/"):format(path, listener:local_addr())):join()
      assert.equal(0, status)
    end)
    assert.is_true(LONG == io.open(path, "rb"):read "*a")
  end)
end)

describe("compressed", function()
  it("refuses what is no handler, and codings that there are not", function()
    assert.error_matches(function() momo.http.compressed() end, "argument 1 must be a handler, got nil")
    assert.error_matches(function() momo.http.compressed(print, { codings = { "deflate" } }) end, "no content coding")
    assert.error_matches(function() momo.http.compressed(print, { level = 1 }) end, 'no option "level"')
  end)
end)
