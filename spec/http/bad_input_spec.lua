-- What the server does with bad input: each row at every split of its bytes, over each transport.

local folder = require "spec.support.folder"
local http = require "spec.support.http"
local momo = require "momo"
local tcp = require "spec.support.tcp"

local LINE, HOST, END = "GET / HTTP/1.1\r\n", "Host: a\r\n", "Connection: close\r\n\r\n"
local POST = "POST / HTTP/1.1\r\nHost: a\r\n"
local CHUNKED = POST .. "Connection: close\r\nTransfer-Encoding: chunked\r\n\r\n"

local function times(text, n)
  return text:rep(n)
end

-- The statuses of all answers to bytes. A row is followed by a request that must not be seen where it was refused.
local ROWS = {
  { "200", LINE .. HOST .. END },
  { "400", LINE .. HOST .. "A: b\rc\r\n" .. END },
  { "400", LINE .. HOST .. "A: b\0c\r\n" .. END },
  { "200 400", LINE .. HOST .. "\r\n\rx" },
  { "400", LINE .. "Host: a\n" .. END },
  { "400", "GET / HTTP/1.1\n" .. HOST .. END },
  { "400", LINE .. HOST .. "A: b\1c\r\n" .. END },
  { "400", LINE .. HOST .. "X[]: b\r\n" .. END },
  { "400", LINE .. HOST .. "nocolon\r\n" .. END },
  { "400", LINE .. HOST .. "A: b\r\n c\r\n" .. END },
  { "400", LINE .. HOST .. ": b\r\n" .. END },
  { "400", LINE .. HOST .. "A : b\r\n" .. END },
  { "400", LINE .. " " .. HOST .. END },
  { "400", LINE .. END },
  { "400", LINE .. HOST .. HOST .. END },
  { "400", LINE .. "Host: a/b\r\n" .. END },
  { "400", LINE .. "Host: u@a\r\n" .. END },
  { "400", LINE .. "Host: a:99999\r\n" .. END },
  { "400", POST .. "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" },
  { "400", "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" },
  { "400", POST .. "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" },
  { "501", POST .. "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n" },
  { "501", POST .. "Transfer-Encoding: identity\r\n\r\n" },
  { "400", POST .. "Content-Length: 2\r\nContent-Length: 2\r\n\r\nab" },
  { "400", POST .. "Content-Length: 2, 2\r\n\r\nab" },
  { "400", POST .. "Content-Length: +2\r\n\r\nab" },
  { "400", POST .. "Content-Length:\t2\r\n\r\nab" },
  { "400", POST .. "Content-Length: 2 \t\r\n\r\nab" },
  { "501", POST .. "Transfer-Encoding: \tchunked\r\n\r\n0\r\n\r\n" },
  { "501", POST .. "Transfer-Encoding: chunked\t\r\n\r\n0\r\n\r\n" },
  { "400", POST .. "Content-Length: 0x2\r\n\r\nab" },
  { "400", POST .. "Content-Length:\r\n\r\nab" },
  { "400", POST .. "Content-Length: 0000000000000000002\r\n\r\nab" },
  { "200", POST .. "Connection: close\r\nContent-Length: 2\r\n\r\nab" },
  { "200", CHUNKED .. "2\r\nab\r\n00\r\n\r\n" },
  { "200", CHUNKED .. "2;a=b\r\nab\r\n0;c\r\nT: d\r\n\r\n" },
  { "400", CHUNKED .. "0x2\r\nab\r\n0\r\n\r\n" },
  { "400", CHUNKED .. "+2\r\nab\r\n0\r\n\r\n" },
  { "400", CHUNKED .. " 2\r\nab\r\n0\r\n\r\n" },
  { "400", CHUNKED .. "2 \r\nab\r\n0\r\n\r\n" },
  { "400", CHUNKED .. "0000000000000002\r\nab\r\n0\r\n\r\n" },
  { "400", CHUNKED .. "2\nab\r\n0\r\n\r\n" },
  { "400", CHUNKED .. "2\r\nabc0\r\n\r\n" },
  { "400", CHUNKED .. "2\r\nab\n0\r\n\r\n" },
  { "400", CHUNKED .. "\r\nab\r\n0\r\n\r\n" },
  { "400", CHUNKED .. "2\r\nab\r\n0\r\nT : d\r\n\r\n" },
  { "400", CHUNKED .. "2\r\nab\r\n0\r\nT: d\n\r\n" },
  { "505", "GET / HTTP/1.2\r\n" .. HOST .. END },
  { "505", "GET / HTTP/2.0\r\n" .. HOST .. END },
  { "400", "GET / HTTP/0.9\r\n" .. HOST .. END },
  { "400", "GET / http/1.1\r\n" .. HOST .. END },
  { "400", "GET /\r\n" },
  { "200", "FOO / HTTP/1.1\r\n" .. HOST .. END },
  { "405", "TRACE / HTTP/1.1\r\n" .. HOST .. END },
  { "501", "CONNECT a:1 HTTP/1.1\r\n" .. HOST .. END },
  { "400", "G T / HTTP/1.1\r\n" .. HOST .. END },
  { "200", times("X", 32) .. " / HTTP/1.1\r\n" .. HOST .. END },
  { "501", times("X", 33) .. " / HTTP/1.1\r\n" .. HOST .. END },
  { "200", "GET http://b/c HTTP/1.1\r\n" .. HOST .. END },
  { "200", "OPTIONS * HTTP/1.1\r\n" .. HOST .. END },
  { "400", "GET * HTTP/1.1\r\n" .. HOST .. END },
  { "400", "GET x HTTP/1.1\r\n" .. HOST .. END },
  { "400", "GET /#a HTTP/1.1\r\n" .. HOST .. END },
  { "400", "GET /a b HTTP/1.1\r\n" .. HOST .. END },
  { "400", "GET /\195\188 HTTP/1.1\r\n" .. HOST .. END },
  { "417", LINE .. HOST .. "Expect: x\r\n" .. END },
  { "200", "\r\n\r\n" .. LINE .. HOST .. END },
  { "400", "\r\n\r\n\r\n" .. LINE .. HOST .. END },
  { "200 200", LINE .. HOST .. "\r\n" .. LINE .. HOST .. END },
  { "200 400", LINE .. HOST .. "\r\n" .. LINE .. END },
}

local function get(path)
  return "GET " .. path .. " HTTP/1.1\r\n" .. HOST .. END
end

-- What routers and files refuse, and programs that would send what they may not.
local PATHS = {
  { "200", get "/x/%41" }, { "200", get "/x/..a" }, { "200", get "/f/a.txt" }, { "200", get "/f/%61.txt?%zz" },
  { "400", get "/x/%zz" }, { "400", get "/x/%4" }, { "400", get "/x/%" }, { "400", get "/x/%00" },
  { "400", get "/x/." }, { "400", get "/x/.." }, { "400", get "/../x" }, { "400", get "/x/%2e" },
  { "400", get "/x/.%2E" },
  { "400", get "/x/a%2f..%2fb" }, { "400", get "/none/%2e%2e/x" }, { "400", get "/f/%zz" },
  { "400", get "/f/a.txt%00" },
  { "400", get "/f/../a.txt" }, { "400", get "/f/%2e%2e/a.txt" }, { "400", get "/f/..%2fa.txt" },
  { "404", get "/f/.a" }, { "404", get "/f/%2ea" }, { "404", get "/none" }, { "405", "POST" .. get("/x/a"):sub(4) },
  { "204", "OPTIONS" .. get("/x/a"):sub(4) }, { "204", "OPTIONS" .. get("*"):sub(4) }, { "301", get "/x//a" },
  { "500", get "/bad/cr" }, { "500", get "/bad/lf" }, { "500", get "/bad/nul" }, { "500", get "/bad/name" },
  { "500", get "/bad/coding" }, { "500", get "/bad/trailer" }, { "204", get "/bad/204" }, { "304", get "/bad/304" },
}

-- Of their size: not at every split.
local LARGE = {
  { "431", LINE .. HOST .. "A: " .. times("x", 17000) },
  { "431", LINE .. HOST .. times("A: b\r\n", 100) .. END },
  { "200", LINE .. HOST .. times("A: b\r\n", 98) .. END },
  { "414", "GET /" .. times("x", 8192) .. " HTTP/1.1\r\n" .. HOST .. END },
  { "200", "GET /" .. times("x", 8191) .. " HTTP/1.1\r\n" .. HOST .. END },
  { "400", CHUNKED .. "1;" .. times("x", 17000) .. "\r\na\r\n0\r\n\r\n" },
  { "400", CHUNKED .. times("1;" .. times("x", 99) .. "\r\na\r\n", 200) .. "0\r\n\r\n" },
  { "200", CHUNKED .. times("1;" .. times("x", 99) .. "\r\na\r\n", 150) .. "0\r\n\r\n" },
  { "400", CHUNKED .. "0\r\nA: " .. times("x", 17000) .. "\r\n\r\n" },
}

local function handler(request, response)
  local body = request:body()
  if body then
    response:send(200, body)
  end
end

local BAD = {
  cr = function(response) response:send(200, "", { X = "a\r\nb" }) end,
  lf = function(response) response:send(200, "", { X = "a\nb" }) end,
  nul = function(response) response:start(200, { X = "a\0b" }) end,
  name = function(response) response:send(200, "", { ["X\r\nY"] = "a" }) end,
  coding = function(response) response:send(200, "", { ["Transfer-Encoding"] = "chunked" }) end,
  trailer = function(response)
    response:start(200)
    response:finish { ["Transfer-Encoding"] = "chunked" }
  end,
  ["204"] = function(response) response:send(204, "a body") end,
  ["304"] = function(response)
    response:start(304)
    response:write "a body"
  end,
}

local function router()
  local routes = momo.http.Router()
  routes:handle("GET /x/{id}", handler)
  routes:handle("GET /f/{path...}", momo.http.files(folder.make { ["a.txt"] = "a", [".a"] = "a" }))
  routes:handle("GET /bad/{what}", function(request, response) BAD[request.params.what](response) end)
  return routes
end

local function show(bytes)
  return #bytes > 200 and bytes:sub(1, 60) .. "... of " .. #bytes .. " bytes" or bytes
end

local function check_rows(served, rows, transport)
  http.with_server(served, { on_error = function() end }, function(connect)
    for _, row in ipairs(rows) do
      local status, bytes = row[1], row[2]
      momo.scope(function(scope)
        for split = 1, #bytes, transport == "tls" and 3 or 1 do -- its handshake takes much longer
          scope:spawn(function()
            local got = http.statuses(http.ask(connect, bytes, split))
            assert(got == status, ("%q split behind %d: %s, not %s"):format(bytes, split, got, status))
          end)
        end
      end)
    end
  end, transport)
end

describe("bad input", function()
  after_each(tcp.check_nothing_left)

  for transport in pairs(http.transports) do
    it("gets the same over " .. transport .. ", however it is split", function()
      check_rows(handler, ROWS, transport)
    end)

    it("gets the same of routers, files and programs over " .. transport .. ", however it is split", function()
      check_rows(router(), PATHS, transport)
    end)
  end

  it("is refused where it is too large", function()
    http.with_server(handler, nil, function(connect)
      for _, row in ipairs(LARGE) do
        local status, bytes = row[1], row[2]
        for _, split in ipairs { 1, 100, #bytes / 2, #bytes - 1 } do
          local got = http.statuses(http.ask(connect, bytes, split))
          assert(got == status, ("%q split behind %d: %s, not %s"):format(show(bytes), split, got, status))
        end
      end
    end)
  end)

  it("closes the connection with its answer, whatever comes behind", function()
    http.with_server(handler, nil, function(connect)
      for _, row in ipairs(ROWS) do
        if row[1]:find "^[45]" then
          local answer = http.answer(connect, row[2] .. "\r\n\r\n" .. LINE .. HOST .. END)
          assert.equal("close", answer.headers.connection)
          assert.truthy(answer.headers.date)
          assert.equal("text/plain; charset=utf-8", answer.headers["content-type"])
        end
      end
    end)
  end)

  it("names methods with a 405", function()
    http.with_server(handler, nil, function(connect)
      assert.matches("GET", http.answer(connect, "TRACE / HTTP/1.1\r\n" .. HOST .. END).headers.allow)
    end)
  end)
end)
