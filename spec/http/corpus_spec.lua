-- Requests of the kinds that other servers' test suites are made of (gunicorn's valid and invalid ones, llhttp's, those
-- of Go's net/http, and of papers on smuggling), in words of our own: what each is answered.

local http = require "spec.support.http"
local tcp = require "spec.support.tcp"

local LINE, HOST, END = "GET / HTTP/1.1\r\n", "Host: a\r\n", "Connection: close\r\n\r\n"
local POST = "POST / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n"

local function get(fields)
  return LINE .. HOST .. fields .. END
end

local function line(text)
  return text .. "\r\n" .. HOST .. END
end

local function post(fields, body)
  return POST .. fields .. "\r\n" .. (body or "")
end

local function length(value, body)
  return post("Content-Length: " .. value .. "\r\n", body or "hello")
end

local function coding(value, body)
  return post("Transfer-Encoding: " .. value .. "\r\n", body or "5\r\nhello\r\n0\r\n\r\n")
end

local function chunks(body)
  return coding("chunked", body)
end

local GROUPS = {
  ["request lines"] = {
    { 200, line "GET /test HTTP/1.1" }, { 200, line "GET /favicon.ico?a=b&c HTTP/1.1" },
    { 200, line "GET //two//slashes HTTP/1.1" }, { 200, line "GET /a;b=c,d?e=f?g HTTP/1.1" },
    { 200, line "GET /with_\"quote\" HTTP/1.1" }, { 200, line "GET /?a=|b^c`{}\\ HTTP/1.1" },
    { 200, line "GET /%zz HTTP/1.1" }, { 200, line "REPORT /a HTTP/1.1" }, { 200, line "M-SEARCH /a HTTP/1.1" },
    { 200, line "MKCOL /a HTTP/1.1" }, { 200, line "get / HTTP/1.1" }, { 200, line "!#$%&'*+-.^_`|~09 / HTTP/1.1" },
    { 200, line "GET http://a HTTP/1.1" }, { 200, line "GET http://a?x=y HTTP/1.1" },
    { 200, line "GET HTTP://a:8080/ HTTP/1.1" }, { 200, line "GET http://[::1]:80/ HTTP/1.1" },
    { 200, line "OPTIONS * HTTP/1.1" }, { 200, "GET / HTTP/1.0\r\n\r\n" },
    { 200, "GET / HTTP/1.0\r\n" .. HOST .. "\r\n" },
    { 400, line "GET HTTP/1.1" }, { 400, line "GET  / HTTP/1.1" }, { 400, line "GET /  HTTP/1.1" },
    { 400, line "GET / HTTP/1.1 " }, { 400, line " GET / HTTP/1.1" }, { 400, line "GET\t/ HTTP/1.1" },
    { 400, line "GET /\tHTTP/1.1" }, { 400, line "GET / a HTTP/1.1" }, { 400, line "GET" }, { 400, line "GET " },
    { 400, line "GET /" }, { 400, line "GET / FTP/1.1" }, { 400, line "GET / HTP/1.1" }, { 400, line "GET / Http/1.1" },
    { 400, line "GET / HTTP/1.1x" }, { 400, line "GET / HTTP/11.1" }, { 400, line "GET / HTTP/01.1" },
    { 400, line "GET / HTTP/1.01" }, { 400, line "GET / HTTP/1,1" }, { 400, line "GET / HTTP/x.y" },
    { 400, line "GET / HTTP/1" }, { 400, line "GET / HTTP/1." }, { 400, line "GET / HTTP/.1" },
    { 400, line "GET / HTTP/" },
    { 400, line "GET / HTTP / 1.1" }, { 400, line "GET / ICE/1.0" }, { 400, line "GET / RTSP/1.0" },
    { 400, line "GET / HTTP/0.9" }, { 505, line "GET / HTTP/1.9" }, { 505, line "GET / HTTP/2.0" },
    { 505, line "GET / HTTP/3.1" }, { 400, line "G\128T / HTTP/1.1" }, { 400, line "G(T / HTTP/1.1" },
    { 400, line "GET: / HTTP/1.1" }, { 400, line "{GET} / HTTP/1.1" }, { 400, line "GET /\0 HTTP/1.1" },
    { 400, line "GET /\127 HTTP/1.1" }, { 400, line "GET /\1 HTTP/1.1" }, { 400, line "GET /a\rb HTTP/1.1" },
    { 400, line "GET /a#b HTTP/1.1" }, { 400, line "GET ? HTTP/1.1" }, { 400, line "GET a/b HTTP/1.1" },
    { 400, line "GET ftp://a/ HTTP/1.1" }, { 400, line "GET http:/a HTTP/1.1" }, { 400, line "GET http:// HTTP/1.1" },
    { 400, line "GET http://u@a/ HTTP/1.1" }, { 400, line "GET http://a:b/ HTTP/1.1" }, { 400, line "POST * HTTP/1.1" },
    { 400, line "OPTIONS ** HTTP/1.1" }, { 501, line "CONNECT a:443 HTTP/1.1" }, { 405, line "TRACE / HTTP/1.1" },
    { 505, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" }, { 400, "\22\3\1\2\0\1\0\1\252\3\3" .. ("\0"):rep(30) .. "\r\n\r\n" },
    { 400, "\0" }, { 400, "{\"json\": true}\r\n\r\n" }, { 400, "GET / HTTP/1.1\r" .. HOST .. END },
    { 400, "\n" .. get "" }, { 400, "\r" .. get "" },
  },
  ["fields"] = {
    { 200, get "A:b\r\n" }, { 200, get "A:\r\n" }, { 200, get "A:   b   \r\n" }, { 200, get "A:\tb\t\r\n" },
    { 200, get "A: b: c\r\n" }, { 200, get "A: \195\188\255\r\n" }, { 200, get "A: b\r\nA: c\r\na: d\r\n" },
    { 200, get "!#$%&'*+-.^_`|~09aZ: b\r\n" }, { 200, get "Content_Length: 5\r\n" }, { 200, get "A: \"b\\\"\r\n" },
    { 400, get "A\r\n" }, { 400, get ":\r\n" }, { 400, get ": b\r\n" }, { 400, get "A : b\r\n" },
    { 400, get "A\t: b\r\n" }, { 400, get " A: b\r\n" }, { 400, get "\tA: b\r\n" }, { 400, get "A: b\r\n c\r\n" },
    { 400, get "A: b\r\n\tc\r\n" }, { 400, get "A:\r\n \r\n" }, { 400, get "A b: c\r\n" }, { 400, get "A\0: b\r\n" },
    { 400, get "A: b\0\r\n" }, { 400, get "A: b\11\r\n" }, { 400, get "A: b\127\r\n" }, { 400, get "A\195\188: b\r\n" },
    { 400, get "A(: b\r\n" }, { 400, get "A[]: b\r\n" }, { 400, get "A{: b\r\n" }, { 400, get "A@: b\r\n" },
    { 400, get "A\": b\r\n" }, { 400, get "A/: b\r\n" }, { 400, get "A: b\n" }, { 400, get "A: b\rC: d\r\n" },
    { 400, get "A: b\r\r\n" }, { 400, get "A: b\n\rC: d\r\n" }, { 400, get "A: b\r\n\n" },
    { 400, LINE .. HOST .. "A: b\r\n\n" },
  },
  ["Host"] = {
    { 200, LINE .. "host:a\r\n" .. END }, { 200, LINE .. "Host: a.b-c_d:80\r\n" .. END },
    { 200, LINE .. "Host: [::1]:80\r\n" .. END }, { 200, LINE .. "Host: [fe80::1]\r\n" .. END },
    { 200, LINE .. "Host:\r\n" .. END }, { 200, LINE .. "Host: a:\r\n" .. END }, { 200, "GET / HTTP/1.0\r\n\r\n" },
    { 400, LINE .. END }, { 400, LINE .. HOST .. HOST .. END }, { 400, LINE .. "Host: a, b\r\n" .. END },
    { 400, LINE .. "Host: a b\r\n" .. END }, { 400, LINE .. "Host: a/b\r\n" .. END },
    { 400, LINE .. "Host: u@a\r\n" .. END }, { 400, LINE .. "Host: a:b\r\n" .. END },
    { 400, LINE .. "Host: a:80:80\r\n" .. END }, { 400, LINE .. "Host: a:65536\r\n" .. END },
    { 400, LINE .. "Host: a?b\r\n" .. END }, { 400, LINE .. "Host: a#b\r\n" .. END },
    { 400, LINE .. "Host: http://a\r\n" .. END }, { 400, LINE .. "Host: [::1\r\n" .. END },
    { 400, LINE .. "Host: a\\b\r\n" .. END }, { 400, "GET / HTTP/1.0\r\n" .. HOST .. HOST .. "\r\n" },
    { 400, "GET http://b/ HTTP/1.1\r\n" .. END },
  },
  ["lengths"] = {
    { 200, length "5" }, { 200, length "05" }, { 200, length("0", "") }, { 200, length("000000000000000005") },
    { 400, length "-5" }, { 400, length "+5" }, { 400, length "0x5" }, { 200, length "5 " }, { 400, length "5 5" },
    { 400, length "5,5" }, { 400, length "5, 5" }, { 400, length "0_5" }, { 400, length "5.0" }, { 400, length "5e0" },
    { 400, length "five" }, { 400, length "" }, { 400, length "\"5\"" }, { 400, length "\217\165" },
    { 400, length "5;" },
    { 400, length "9999999999999999999" }, { 400, length "18446744073709551621" },
    { 400, length "1234567890123456789012345678901234567890" },
    { 400, length "5\r\nContent-Length: 5" }, { 400, length "5\r\nContent-Length: 6" },
    { 400, length "5\r\ncontent-length: 0" }, { 400, length "5\r\nTransfer-Encoding: chunked" },
    { 400, coding "chunked\r\nContent-Length: 5" }, { 400, post("Content-Length : 5\r\n", "hello") },
    { 400, post("Content-Length\t: 5\r\n", "hello") }, { 400, post("Content Length: 5\r\n", "hello") },
  },
  ["codings"] = {
    { 200, coding "chunked" }, { 200, coding "Chunked" }, { 200, coding "CHUNKED" }, { 200, coding "  chunked" },
    { 501, coding "identity" }, { 501, coding "gzip, chunked" }, { 501, coding "chunked, gzip" },
    { 501, coding "chunked, chunked" }, { 501, coding "chunked, identity" }, { 501, coding "identity, chunked" },
    { 501, coding "pigeons" }, { 501, coding "xchunked" }, { 501, coding "chunkedx" }, { 501, coding "chun ked" },
    { 501, coding "\"chunked\"" }, { 501, coding "chunked;a=b" }, { 501, coding "chunked," },
    { 501, coding ",chunked" },
    { 501, coding "" }, { 400, coding "\11chunked" }, { 400, coding "chunked\11" }, { 400, coding "chunked\0" },
    { 501, coding "chunk\195\169d" }, { 400, coding "chunked\r\nTransfer-Encoding: chunked" },
    { 400, coding "chunked\r\nTransfer-Encoding: identity" }, { 400, coding "chunked\r\n , identity" },
    { 400, post("Transfer-Encoding : chunked\r\n", "0\r\n\r\n") }, { 400, post("Transfer-Encoding\0: chunked\r\n") },
    { 400, "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" },
  },
  ["chunks"] = {
    { 200, chunks "0\r\n\r\n" }, { 200, chunks "000\r\n\r\n" }, { 200, chunks "5\r\nhello\r\n000\r\n\r\n" },
    { 200, chunks "a\r\n0123456789\r\n0\r\n\r\n" }, { 200, chunks "A\r\n0123456789\r\n0\r\n\r\n" },
    { 200, chunks "00005\r\nhello\r\n0\r\n\r\n" }, { 200, chunks "5;a\r\nhello\r\n0\r\n\r\n" },
    { 200, chunks "5;a=b;c=\"d;e\"\r\nhello\r\n0;f\r\n\r\n" },
    { 200, chunks "5\r\nhello\r\n0\r\nA: b\r\nC: d\r\n\r\n" },
    { 200, chunks "5\r\nhello\r\n0\r\nContent-Length: 7\r\nHost: b\r\n\r\n" },
    { 400, chunks "\r\nhello\r\n0\r\n\r\n" }, { 400, chunks "g\r\nhello\r\n0\r\n\r\n" },
    { 400, chunks "-5\r\nhello\r\n0\r\n\r\n" }, { 400, chunks "+5\r\nhello\r\n0\r\n\r\n" },
    { 400, chunks "0x5\r\nhello\r\n0\r\n\r\n" }, { 400, chunks "5_0\r\nhello\r\n0\r\n\r\n" },
    { 400, chunks " 5\r\nhello\r\n0\r\n\r\n" }, { 400, chunks "5 \r\nhello\r\n0\r\n\r\n" },
    { 400, chunks "5\t\r\nhello\r\n0\r\n\r\n" }, { 400, chunks "5 ;a\r\nhello\r\n0\r\n\r\n" },
    { 400, chunks "5\nhello\n0\n\n" }, { 400, chunks "5\rhello\r\n0\r\n\r\n" }, { 400, chunks "5\r\nhello0\r\n\r\n" },
    { 400, chunks "5\r\nhello\n0\r\n\r\n" }, { 400, chunks "5\r\nhello\r0\r\n\r\n" },
    { 400, chunks "5\r\nhelloXX0\r\n\r\n" }, { 400, chunks "4\r\nhello\r\n0\r\n\r\n" },
    { 400, chunks "6\r\nhello\r\n0\r\n\r\n" }, { 400, chunks "ffffffffffffffff\r\nhello" },
    { 400, chunks "10000000000000005\r\nhello" }, { 400, chunks "0000000000000005\r\nhello\r\n0\r\n\r\n" },
    { 400, chunks "5;a\nhello\r\n0\r\n\r\n" }, { 400, chunks "5;\0\r\nhello\r\n0\r\n\r\n" },
    { 400, chunks "5;a\rb\r\nhello\r\n0\r\n\r\n" }, { 400, chunks "5\r\nhello\r\n0\r\nA\r\n\r\n" },
    { 400, chunks "5\r\nhello\r\n0\r\n A: b\r\n\r\n" }, { 400, chunks "5\r\nhello\r\n0\r\nA: b\n\r\n" },
    { 400, chunks "5\r\nhello\r\n0\r\nA: b\r\n c\r\n\r\n" }, { 400, chunks "5\r\nhello\r\n0\r\nA: \0\r\n\r\n" },
    { 400, chunks "5\r\nhello\r\n0\n\n" }, { 400, chunks "5\r\nhello\r\n0\r\n\n" },
  },
  ["expectations"] = {
    { 200, post("Content-Length: 5\r\nExpect: 100-continue\r\n", "hello") },
    { 200, post("Content-Length: 5\r\nExpect: 100-CONTINUE\r\n", "hello") },
    { 417, post("Content-Length: 5\r\nExpect: 200-ok\r\n", "hello") },
    { 417, post("Content-Length: 5\r\nExpect: 100-continue, a\r\n", "hello") },
  },
}

local function echo(request, response)
  local body = request:body()
  if body then
    response:send(200, body)
  end
end

describe("requests of other suites:", function()
  after_each(tcp.check_nothing_left)

  for name, rows in pairs(GROUPS) do
    it(name, function()
      local wrong = {}
      http.with_server(echo, nil, function(connect)
        for _, row in ipairs(rows) do
          -- What follows a request that was refused, or said that it is the last one, is never taken for another one.
          local got = http.statuses(http.ask(connect, row[2] .. "GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n"))
          if got ~= tostring(row[1]) then
            wrong[#wrong + 1] = ("%q: %s, not %d"):format(row[2], got, row[1])
          end
        end
      end)
      assert.equal("", table.concat(wrong, "\n"))
    end)
  end
end)
