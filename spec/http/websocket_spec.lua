local cases = require "spec.support.websocket_cases"
local frames = require "spec.support.frames"
local http = require "spec.support.http"
local momo = require "momo"
local tcp = require "spec.support.tcp"

local frame, close = frames.frame, frames.close
local TEXT, BINARY, PONG = 1, 2, 10
local with_server = http.with_server

-- Sends each message back; notes how the connection has ended.
local function echo(ended, options)
  return function(request, response)
    local ws = response:websocket(request, options)
    if ws then
      for message, kind in ws:messages() do
        ws:send(message, kind)
      end
      ended[#ended + 1] = ws.close_code
    end
  end
end

-- A connection that has left HTTP.
local function open(connect, more)
  local stream = connect()
  stream:write(frames.handshake(more))
  local head = assert(stream:read_until "\r\n\r\n")
  assert(head:find "^HTTP/1.1 101 ", head)
  return stream, head
end

-- All frames that come back until the end.
local function talk(connect, bytes, split)
  local stream = open(connect)
  if split then
    assert(stream:write(bytes:sub(1, split)))
    http.settle()
  end
  stream:write(bytes:sub((split or 0) + 1))
  local got = http.read_all(stream)
  stream:close()
  return frames.show(got)
end

describe("WebSocket", function()
  after_each(tcp.check_nothing_left)

  -- Over TLS, where each split costs a handshake, they are behind every eighth byte.
  local function by_the_rules(rows, transport, step)
    return function()
      local ended = {}
      with_server(echo(ended), nil, function(connect)
        for _, row in ipairs(rows) do
          local want, bytes = row[1], row[2]
          momo.scope(function(scope)
            for split = 0, #bytes > 2000 and 0 or math.min(#bytes, 40), step do
              scope:spawn(function()
                local got = talk(connect, bytes, split > 0 and split or nil)
                assert(got == want, ("%q split behind %d: %s, not %s"):format(bytes:sub(1, 50), split, got, want))
              end)
            end
          end)
        end
      end, transport)
      for _, code in ipairs(ended) do
        assert.is_number(code)
      end
    end
  end

  for section, rows in pairs(cases.of(frame)) do
    for transport, step in pairs { tcp = 1, unix = 1, tls = 8 } do
      it(("answers an echo's client by the rules, over %s: %s"):format(transport, section),
        by_the_rules(rows, transport, step))
    end
  end

  it("agrees on no extension, and takes no frame of one", function()
    with_server(echo {}, nil, function(connect)
      for _, offer in ipairs { "permessage-deflate", "permessage-deflate; client_max_window_bits=15",
        "x-webkit-deflate-frame, permessage-bzip2", ";" } do
        local stream, head = open(connect, "Sec-WebSocket-Extensions: " .. offer .. "\r\n")
        assert.is_nil(head:lower():find "extensions")
        stream:write(frame(TEXT, "plain") .. frame(TEXT, "\202H\205\201\201\7\0", { rsv = 64 }))
        assert.equal("1:plain 8:1002", frames.show(http.read_all(stream)))
        stream:close()
      end
    end)
  end)

  it("takes messages of megabytes, in one frame and in many", function()
    local much = ("0123456789abcdef"):rep(65536)
    with_server(echo {}, nil, function(connect)
      assert.equal("1:1048576 bytes 8:1000", talk(connect, frame(TEXT, much) .. close(1000)))
      local pieces = { frame(BINARY, "", { more = true }) }
      for i = 1, #much, 4096 do
        pieces[#pieces + 1] = frame(0, much:sub(i, i + 4095), { more = true })
      end
      assert.equal("2:1048576 bytes 8:1000", talk(connect, table.concat(pieces) .. frame(0, "") .. close(1000)))
    end)
  end)

  it("holds no more of a message than its bytes, however many frames it comes in", function()
    local rows = {
      { frame(BINARY, "", { more = true }), frame(0, "", { more = true }), 0 },
      { frame(BINARY, "", { more = true }), frame(0, "abcd", { more = true }), 4 },
    }
    for _, row in ipairs(rows) do
      local got
      with_server(function(request, response)
        local ws = response:websocket(request)
        got = ws:recv()
      end, nil, function(connect)
        local stream, each = open(connect), row[2]:rep(1000)
        assert(stream:write(row[1]))
        collectgarbage()
        collectgarbage()
        local before = collectgarbage "count"
        for _ = 1, 200 do
          assert(stream:write(each))
        end
        http.settle()
        collectgarbage()
        collectgarbage()
        local more = collectgarbage "count" - before
        assert(more < 200 * row[3] + 200, ("%.0f KiB more"):format(more))
        assert(stream:write(frame(0, "")))
        http.read_all(stream)
        stream:close()
      end)
      assert.equal(200000 * row[3], #got)
    end
  end)

  it("agrees on a subprotocol, and answers the key", function()
    with_server(echo({}, { protocols = { "best", "good" } }), nil, function(connect)
      local stream, head = open(connect, "Sec-WebSocket-Protocol: good, better\r\n" ..
        "Sec-WebSocket-Extensions: permessage-deflate\r\n")
      assert.truthy(head:find("Sec-WebSocket-Accept: " .. frames.ACCEPT, 1, true))
      assert.truthy(head:find("Sec-WebSocket-Protocol: good\r", 1, true))
      assert.falsy(head:find "Extensions")
      stream:close()
      stream, head = open(connect, "Sec-WebSocket-Protocol: other\r\n")
      assert.falsy(head:find "Protocol:")
      stream:close()
    end)
  end)

  it("is refused where the handshake is none", function()
    local good = frames.handshake()
    with_server(echo {}, nil, function(connect)
      for _, row in ipairs {
        { 426, "GET / HTTP/1.1\r\nHost: a\r\n\r\n" },
        { 426, (good:gsub("Upgrade: websocket", "Upgrade: h2c")) },
        { 426, (good:gsub("Connection: Upgrade", "Connection: x")) },
        { 426, (good:gsub("Version: 13", "Version: 8")) },
        { 426, (good:gsub("HTTP/1.1", "HTTP/1.0")) },
        { 400, (good:gsub("GET", "POST")) },
        { 400, (good:gsub("Key: d", "Key: ")) },
        { 400, (good:gsub("Key: [^\r]*", "Key: x")) },
        { 403, frames.handshake "Origin: http://b\r\n" },
        { 403, frames.handshake "Origin: null\r\n" },
        { 403, frames.handshake "Origin: http://a:81\r\n" },
      } do
        local got = http.answer(connect, row[2])
        assert(got.status == row[1], row[2] .. got.status)
        assert.equal(row[1] == 426 and "13" or nil, got.headers["sec-websocket-version"])
        assert.equal(row[1] == 426, (got.headers.connection or ""):find "Upgrade" ~= nil)
      end
      for _, origin in ipairs { "http://a", "http://A:80", "HTTP://a" } do
        open(connect, "Origin: " .. origin .. "\r\n"):close()
      end
    end)
    with_server(echo({}, { origins = { "https://b" } }), nil, function(connect)
      open(connect, "Origin: https://b\r\n"):close()
      assert.equal(403, http.answer(connect, frames.handshake "Origin: http://a\r\n").status)
    end)
    with_server(echo({}, { origins = "*" }), nil, function(connect)
      open(connect, "Origin: null\r\n"):close()
    end)
  end)

  it("asks a silent client whether it is there, and knows when it is not", function()
    local ended = {}
    with_server(echo(ended, { ping_interval = 0.02 }), nil, function(connect)
      local stream = open(connect)
      assert.equal("9:", frames.show((assert(stream:read()))))
      stream:write(frame(PONG, ""))
      assert.equal("9:", frames.show((assert(stream:read()))))
      stream:write(frame(TEXT, "x"))
      assert.equal("1:x 9:", frames.show(http.read_all(stream)))
      assert.same({ 1006 }, ended)
      stream:close()
    end)
  end)

  it("loses nothing when recv times out", function()
    local waited = momo.sync.Notify()
    with_server(function(request, response)
      local ws = assert(response:websocket(request))
      for _ = 1, 3 do
        tcp.assert_failed("ETIMEDOUT", ws:recv(0.005))
      end
      waited:notify_one()
      assert(ws:send((assert(ws:recv(10)))))
      ws:close(4000, "bye")
      assert.equal(4000, ws.close_code)
    end, nil, function(connect)
      local stream = open(connect)
      local bytes = frame(TEXT, "hello")
      stream:write(bytes:sub(1, 4))
      waited:notified()
      stream:write(bytes:sub(5))
      assert.equal("1:hello 8:4000", frames.show((assert(stream:read_exact(14)))))
      stream:write(close(4000))
      assert.equal("", http.read_all(stream))
      stream:close()
    end)
  end)

  it("says what has ended it", function()
    local codes = {}
    with_server(function(request, response)
      local ws = assert(response:websocket(request))
      local _, _, code = ws:recv()
      codes[#codes + 1] = code .. " " .. ws.close_code .. " " .. tostring(ws.close_reason)
      tcp.assert_failed(code, ws:recv())
      tcp.assert_failed(code, ws:send "x")
    end, nil, function(connect)
      for _, bytes in ipairs { close(1001, "gone"), frame(8, ""), frame(TEXT, "\255"), frame(TEXT, "x"):sub(1, 5) } do
        local stream = open(connect)
        stream:write(bytes)
        stream:shutdown()
        http.read_all(stream)
        stream:close()
      end
      assert.same({ "EOF 1001 gone", "EOF 1005 ", "EPROTO 1007 nil", "ECONNRESET 1006 nil" }, codes)
    end)
  end)

  it("reads and forgets what follows a close, so that its answer arrives", function()
    local ended, much = {}, frame(BINARY, ("x"):rep(60000)):rep(20)
    with_server(echo(ended), nil, function(connect)
      for _, later in ipairs { false, true } do
        local stream = open(connect)
        assert(stream:write(close(1000) .. frame(TEXT, "late") .. (later and "" or much)))
        http.settle()
        assert(stream:write(later and much or frame(TEXT, "later")))
        assert(stream:shutdown())
        assert.equal("\136\2\3\232", assert(stream:read_exact(4)))
        tcp.assert_failed("EOF", stream:read())
        stream:close()
      end
      while #ended < 2 do
        momo.yield_now()
      end
    end)
    assert.same({ 1000, 1000 }, ended)
  end)

  it("closes with 1000 when the handler returns, and with 1011 when it fails", function()
    with_server(function(request, response)
      assert(response:websocket(request))
      if request:header "x-fail" then
        error "no luck"
      end
    end, { on_error = function() end }, function(connect)
      for more, want in pairs { [""] = "8:1000", ["X-Fail: 1\r\n"] = "8:1011" } do
        local stream = open(connect, more)
        assert.equal(want, frames.show((assert(stream:read()))))
        stream:write(close(1000))
        assert.equal("", http.read_all(stream))
        stream:close()
      end
    end)
  end)

  it("sends messages of several tasks, each whole", function()
    local much = ("x"):rep(300000)
    with_server(function(request, response)
      local ws = assert(response:websocket(request))
      momo.scope(function(scope)
        for _ = 1, 5 do
          scope:spawn(function()
            for _ = 1, 5 do
              assert(ws:send(much, "binary"))
              assert(ws:send("small", "text"))
            end
          end)
        end
      end)
    end, nil, function(connect)
      local stream = open(connect)
      local got = {}
      repeat
        got[#got + 1] = assert(stream:read())
        momo.yield_now()
      until got[#got]:sub(-4, -3) == "\136\2"
      stream:write(close(1000))
      local shown = frames.show(table.concat(got))
      local _, large = shown:gsub("2:300000 bytes", "")
      local _, small = shown:gsub("1:small", "")
      assert.same({ 25, 25 }, { large, small })
      stream:close()
    end)
  end)

  it("is told 1001 when the server ends, whatever its handler does", function()
    local go = momo.sync.Notify()
    with_server(function(request, response)
      local ws = assert(response:websocket(request))
      if request:header "x-wait" then
        go:notified()
        return
      end
      for message in ws:messages() do
        ws:send(message)
      end
    end, { drain = 30 }, function(connect, server, listener)
      local reads, waits = open(connect), open(connect, "X-Wait: 1\r\n")
      listener:close()
      for _, stream in ipairs { reads, waits } do
        assert.equal("8:1001", frames.show((assert(stream:read()))))
        stream:write(close(1001))
      end
      go:notify_one()
      assert.is_true((server:join()))
      reads:close()
      waits:close()
    end)
  end)

  it("throws for what can't be sent", function()
    local errors = {}
    with_server(function(request, response)
      local ws = assert(response:websocket(request))
      for _, fn in ipairs {
        function() ws:send(1) end, function() ws:send("x", "other") end, function() ws:send "\255" end,
        function() ws:close(1005) end, function() ws:close(1000, ("x"):rep(124)) end,
        function() ws:close(1000, "\226\130") end, function() ws:ping(("x"):rep(126)) end, function() ws.send("x") end,
      } do
        local _, err = pcall(fn)
        errors[#errors + 1] = err:match "websocket_spec.lua:%d+: (.*)"
      end
    end, nil, function(connect)
      local stream = open(connect)
      stream:write(close(1000))
      http.read_all(stream)
      stream:close()
      assert.same({
        "send: the message must be a string, got 1",
        'send: the kind must be "text" or "binary", got "other"',
        'send: a text must be UTF-8; send other bytes with "binary"',
        "close: the code must be one that may be sent, such as 1000 or 3000 to 4999, got 1005",
        'close: the reason must be a string of at most 123 bytes, in UTF-8, got "' .. ("x"):rep(124) .. '"',
        'close: the reason must be a string of at most 123 bytes, in UTF-8, got "\226\130"',
        'ping: the data must be a string of at most 125 bytes, got "' .. ("x"):rep(126) .. '"',
        "send: call it with a colon: ws:send()",
      }, errors)
    end)
  end)
end)
