-- How a client reads the head of an answer, and its body behind it: what is malformed or cut is no answer.

local client = require "momo.http.client"
local momo = require "momo"
local scripted = require "spec.support.scripted"
local tcp = require "spec.support.tcp"

local run = tcp.run

-- What a client makes of bytes that are followed by the end.
local function get(bytes, method, cut)
  local answer, err, code
  run(function()
    local url, server = scripted.serve(function(peer)
      peer:head()
      if bytes ~= "" then
        peer.stream:write(bytes)
      end
      if cut == "reset" then
        peer.stream:set_option("linger", 0)
      elseif cut == "silent" then
        peer.stream:read()
      end
    end)
    local c = client.Client { timeout = cut == "silent" and 0.05 or 20 }
    answer, err, code = c:request(method or "GET", url)
    c:close()
    server.listener:close()
  end)
  return answer, err, code
end

describe("an answer", function()
  after_each(tcp.check_nothing_left)

  for _, row in ipairs {
    -- bytes, status, body
    { "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", 200, "hello" },
    { "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello, and more", 200, "hello" },
    { "HTTP/1.1 200\r\nContent-Length: 0\r\n\r\n", 200, "" },
    { "HTTP/1.0 200 OK\r\n\r\nuntil the end", 200, "until the end" },
    { "HTTP/1.1 200 OK\r\n\r\n", 200, "" },
    { "HTTP/1.1 599 What Is This\r\nContent-Length: 1\r\n\r\nx", 599, "x" },
    { "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\nB;x=y\r\n, and more.\r\n0\r\n\r\n", 200,
      "hello, and more." },
    { "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\nX-Sum: 1\r\n\r\n", 200, "x" },
    { "HTTP/1.1 204 No Content\r\n\r\n", 204, "" },
    { "HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n", 304, "" },
    { "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx", 200, "x" },
    { "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 404 No\r\nContent-Length: "
      .. "1\r\n\r\nx", 404, "x" },
  } do
    it(("is read: %q"):format(row[1]:sub(1, 60)), function()
      local answer = assert(get(row[1]))
      assert.equal(row[2], answer.status)
      assert.equal(row[3], answer.body)
    end)
  end

  it("may come byte by byte, however long its lines are", function()
    run(function()
      local url, server = scripted.serve(function(peer)
        peer:head()
        peer.stream:set_option("tcp_nodelay", true)
        local long = "A: " .. ("x"):rep(1500) .. "\r\n"
        local bytes = "HTTP/1.1 103 Early Hints\r\n" .. long .. "\r\nHTTP/1.1 200 OK\r\n" .. long
          .. "Content-Length: 2\r\n\r\nok"
        for byte in bytes:gmatch "." do
          peer.stream:write(byte)
          momo.yield_now()
        end
      end)
      local c = client.Client { timeout = 20 }
      local answer = assert(c:get(url))
      assert.equal("ok", answer.body)
      assert.equal(1500, #answer:header "a")
      c:close()
      server.listener:close()
    end)
  end)

  it("to HEAD has no body, whatever it says", function()
    for _, fields in ipairs { "Content-Length: 5\r\n", "Transfer-Encoding: chunked\r\n", "" } do
      local answer = assert(get("HTTP/1.1 200 OK\r\n" .. fields .. "\r\n", "HEAD"))
      assert.equal("", answer.body)
    end
  end)

  for _, row in ipairs {
    -- complete bytes, and how many of them may be missing without harm
    { "HTTP/1.1 200 OK\r\nContent-Length: 12\r\n\r\nhello, world", 0 },
    { "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nX: y\r\n\r\n", 0 },
    { "HTTP/1.1 204 No Content\r\nX: y\r\n\r\n", 0 },
    { "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx", 0 },
    { "HTTP/1.1 200 OK\r\nServer: x\r\n\r\nbody", 4 }, -- its end is all that tells its length
  } do
    it(("that ends too early is none, wherever: %q"):format(row[1]:sub(1, 60)), function()
      for size = 0, #row[1] - row[2] - 1 do
        local answer, err, code = get(row[1]:sub(1, size))
        assert.is_nil(answer, size)
        assert(code == "EOF" or code == "ECONNRESET", err)
        assert.equal(code .. ":", err:match "^%S+")
      end
      assert.is_table(get(row[1]))
    end)

    it(("that is reset is none: %q"):format(row[1]:sub(1, 60)), function()
      for size = 1, #row[1] - row[2] - 1, 7 do
        local answer, err, code = get(row[1]:sub(1, size), "GET", "reset")
        assert.is_nil(answer)
        assert(code == "EOF" or code == "ECONNRESET", err)
      end
    end)
  end

  it("that does not go on is none", function()
    for _, bytes in ipairs { "", "HTTP/1.1 200 OK\r\n", "HTTP/1.1 200 OK\r\n\r\nx",
      "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nx" } do
      local answer, _, code = get(bytes, "GET", "silent")
      assert.is_nil(answer)
      assert.equal("ETIMEDOUT", code)
    end
  end)

  for _, bytes in ipairs {
    "hello\r\n\r\n", "HTTP/2.0 200 OK\r\n\r\n", "HTTP/1.1 OK\r\n\r\n", "HTTP/1.1 20 OK\r\n\r\n",
    "HTTP/1.1 2000 OK\r\n\r\n",
    "HTTP/1.1 099 OK\r\n\r\n", "http/1.1 200 OK\r\n\r\n", "HTTP/1.1  200 OK\r\n\r\n", "\0\0\0\0",
    "SSH-2.0-OpenSSH_9.2\r\n",
    "HTTP/1.1 200 OK\nContent-Length: 0\n\n", "HTTP/1.1 200 OK\r\nX : y\r\n\r\n", "HTTP/1.1 200 OK\r\n X: y\r\n\r\n",
    "HTTP/1.1 200 OK\r\nX: a\r\n b\r\n\r\n", "HTTP/1.1 200 OK\r\nX: a\0b\r\n\r\n", "HTTP/1.1 200 OK\r\nX\r\n\r\n",
    "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nxy",
    "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
    "HTTP/1.1 200 OK\r\nContent-Length: 1x\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999\r\n\r\n",
    "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n",
    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n",
    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-1\r\n",
    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nxy\r\n0\r\n\r\n",
    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0x1\r\nx\r\n0\r\n\r\n",
    "HTTP/1.1 200 OK\r\nX: " .. ("x"):rep(70000) .. "\r\n\r\n", "HTTP/1.1 200 OK\r\n" .. ("X: y\r\n"):rep(300)
    .. "\r\n",
    ("HTTP/1.1 100 Continue\r\n\r\n"):rep(40) .. "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
    "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n",
  } do
    it(("is malformed: %q"):format(bytes:sub(1, 70)), function()
      local answer, err, code = get(bytes, "GET", "silent")
      assert.is_nil(answer)
      assert.equal("EPROTO", code, err)
      assert.matches("^EPROTO: ", err)
    end)
  end
end)
