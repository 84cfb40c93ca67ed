---The examples of HTTP, each as a process of its own, asked by the client.

local frames = require "spec.support.frames"
local momo = require "momo"
local process = require "spec.support.process"
local tcp = require "spec.support.tcp"

local http = momo.http

-- Serves an example while fn(url, address) asks it; it ends well on SIGTERM.
local function with(name, fn)
  local server, address = process.serve(name)
  momo.run(function() fn("http://" .. address, address) end)
  process.stop(server)
end

describe("examples", function()
  after_each(process.stop_all)

  it("http_hello.lua greets", function()
    with("http_hello", function(url)
      assert.equal("Hello, Ada!\n", http.get(url .. "/hello/Ada").body)
      assert.equal(404, http.get(url .. "/nobody").status)
    end)
  end)

  it("http_api.lua keeps notes", function()
    with("http_api", function(url)
      assert.equal(400, http.post(url .. "/notes", "text=x").status)
      local made = assert(http.post(url .. "/notes", nil, { form = { text = "milk & honey" } }))
      assert.equal(201, made.status)
      assert.equal("/notes/1", made:header "location")
      assert.equal("milk & honey\n", http.get(url .. "/notes/1").body)
      assert.equal("1: milk & honey\n", http.get(url .. "/notes?word=honey").body)
      assert.equal("", http.get(url .. "/notes?word=bread").body)
      assert.equal(204, http.request("DELETE", url .. "/notes/1").status)
      assert.equal(404, http.get(url .. "/notes/1").status)
      assert.equal(405, http.request("PUT", url .. "/notes/1").status)
    end)
  end)

  it("upload.lua counts what it takes", function()
    with("upload", function(url)
      assert.equal("3000000 bytes, 1000000 lines\n", http.post(url, ("ab\n"):rep(1000000)).body)
      assert.equal(405, http.get(url).status)
    end)
  end)

  it("events.lua tells the time", function()
    with("events", function(url)
      assert.matches("EventSource", http.get(url).body)
      http.Client({}):stream("GET", url .. "/events", nil, function(answer)
        assert.matches("^id: 1\ndata: %d%d:%d%d:%d%d\n\n$", (answer:read()))
      end)
    end)
  end)

  it("live.lua shows what comes, in three ways", function()
    with("live", function(url, address)
      assert.matches("EventSource", http.get(url).body)
      assert.equal("piece 1piece 2piece 3piece 4piece 5", http.get(url .. "/stream").body)
      assert.matches("^data: event 1\n\n.*data: event 5\n\nevent: end\n", http.get(url .. "/events").body)
      local ws = assert(http.websocket("ws://" .. address .. "/chat"))
      assert(ws:send "hello")
      for n = 1, 5 do
        assert.equal("hello " .. n, (ws:recv()))
      end
      tcp.assert_failed("EOF", ws:recv())
      assert.equal(1000, ws.close_code)
    end)
  end)

  it("chat_web.lua passes each line to all", function()
    with("chat_web", function(url, address)
      assert.matches("WebSocket", http.get(url).body)
      local visitors = {}
      for i = 1, 2 do
        visitors[i] = assert(momo.net.TcpStream.connect(address))
        visitors[i]:write((frames.handshake():gsub("Origin[^\n]*\n", "")))
        assert.matches("^HTTP/1.1 101 ", visitors[i]:read_until "\r\n\r\n")
      end
      visitors[1]:write(frames.frame(1, "hello"))
      for _, visitor in ipairs(visitors) do
        assert.equal("1:hello", frames.show((visitor:read_exact(7))))
        visitor:write(frames.close(1000))
        assert.equal("8:1000", frames.show((visitor:read_exact(4))))
        visitor:close()
      end
    end)
  end)
end)
