-- The server beside programs that others have written: clients, and proxies in front of it and behind it.

local folder = require "spec.support.folder"
local http = require "spec.support.http"
local momo = require "momo"
local support = require "spec.support"
local support_beside = require "spec.support.beside"
local tcp = require "spec.support.tcp"

local LARGE = {}
for i = 1, 300000 do
  LARGE[i] = string.char(i * 7919 % 251)
end
LARGE = table.concat(LARGE)

local root = folder.make { ["large.bin"] = LARGE, ["text.txt"] = ("some text\n"):rep(1000), ["empty"] = "" }

local function installed(name)
  return support.shell("command -v " .. name) == 0
end

local function app()
  local router = momo.http.Router()
  router:handle("GET /{$}", function(_, response) response:send(200, "hello") end)
  router:handle("POST /echo", function(request, response)
    response:start(200, { ["Content-Type"] = "application/octet-stream" })
    assert(momo.io.copy(request, response))
    response:finish()
  end)
  router:handle("PUT /put", function(request, response)
    local size = 0
    for piece in request:pieces() do size = size + #piece end
    response:send(201, tostring(size))
  end)
  router:handle("GET /pieces", function(_, response)
    response:start(200)
    for i = 1, 5 do
      response:write("piece " .. i .. "\n")
      momo.yield_now()
    end
  end)
  router:handle("POST /refuse", function(_, response) response:send(403, "no") end)
  router:handle("GET /text", momo.http.compressed(function(_, response)
    response:send(200, ("some text\n"):rep(1000), { ["Content-Type"] = "text/plain" })
  end))
  router:handle("GET /files/{path...}", momo.http.files(root))
  router:handle("GET /chat", function(request, response)
    local ws = response:websocket(request, { origins = "*", protocols = { "echo" } })
    if ws then
      for message, kind in ws:messages() do ws:send(message, kind) end
    end
  end)
  return router
end

-- Runs fn(sh, url, address) beside a server; sh(command, ...) is what a command of the shell prints, which ends well.
local function serve(fn, options, handler)
  http.with_server(handler or app(), options, function(_, _, listener)
    local address = listener:local_addr()
    fn(function(command, ...)
      local done = assert(momo.process.shell(command, { ..., cwd = root, timeout = 100 }))
      assert(done.status == 0, ("%s\n%s ended with %s"):format(done.stderr, command, tostring(done.status)))
      return done.stdout
    end, "http://" .. address, address)
  end)
end

local function lacks(...)
  for _, name in ipairs { ... } do
    if not installed(name) then
      return name .. " is not installed"
    end
  end
end

local function beside(words, port, fn)
  words.cwd = root
  support_beside.run(words, port, fn)
end

describe("the server", function()
  after_each(tcp.check_nothing_left)

  it("serves curl, whatever it is told", function()
    local absent = lacks "curl"
    if absent then
      return pending(absent)
    end
    serve(function(sh, url)
      local function curl(words) return sh("curl -sS " .. words:gsub("URL", url)) end
      assert.equal("hello", curl "URL/")
      assert.equal("hello", curl "--http1.0 URL/")
      assert.equal("hellohello2", curl "-w '%{num_connects}' URL/ URL/":gsub("[01]", function(n)
        return n == "1" and "" or "2"
      end))
      assert.equal("200 0", curl "-I -o out -w '%{http_code} %{size_download}' URL/")
      for _, more in ipairs { "", "--http1.0", "--expect100-timeout 20", "-H 'Expect: 100-continue'", "-H Expect:",
        "-H 'Transfer-Encoding: chunked'" } do
        curl(more .. " --data-binary @large.bin -o got URL/echo")
        sh "cmp got large.bin"
      end
      assert.equal("300000", curl "-T large.bin URL/put")
      assert.equal("300000", sh("cat large.bin | curl -sS -T - " .. url .. "/put"))
      assert.equal("0", curl "-T empty URL/put")
      assert.equal("403", curl "-o out -w '%{http_code}' -H 'Expect: 100-continue' --data-binary @large.bin URL/refuse")
      assert.equal("piece 1\npiece 2\npiece 3\npiece 4\npiece 5\n", curl "-N URL/pieces")
      assert.equal("piece 5\n", curl "--http1.0 URL/pieces":match "piece 5\n$")
      curl "--compressed -o got URL/text"
      sh "cmp got text.txt"
      assert.matches("\ncontent%-encoding: ", curl "--compressed -D - -o out URL/text":lower())
      curl "-r 1000-1999 -o got URL/files/large.bin"
      assert.equal(LARGE:sub(1001, 2000), sh "cat got")
      assert.equal("206 1000", curl "-r -1000 -o out -w '%{http_code} %{size_download}' URL/files/large.bin")
      sh "head -c 100000 large.bin > part"
      curl "-C - -o part URL/files/large.bin"
      sh "cmp part large.bin"
      curl "-o got -R URL/files/text.txt"
      assert.equal("304", curl "-z got -o out -w '%{http_code}' URL/files/text.txt")
      assert.equal("404", curl "-o out -w '%{http_code}' URL/none")
      assert.equal("405", curl "-o out -w '%{http_code}' -X DELETE URL/put")
    end, { max_body = 1024 * 1024 })
  end)

  it("serves wrk, h2load and hey, none of whose requests fails", function()
    local absent = lacks("wrk", "h2load")
    if absent then
      return pending(absent)
    end
    serve(function(sh, url)
      local got = sh("wrk -t1 -c20 -d1s " .. url .. "/")
      assert.matches("requests in", got)
      assert.is_nil(got:find "Socket errors" or got:find "Non%-2xx")
      got = sh("h2load --h1 -n2000 -c20 -m5 " .. url .. "/")
      assert.matches("2000 done, 2000 succeeded, 0 failed, 0 errored, 0 timeout", got, 1, true)
      if installed "hey" then
        got = sh("hey -n 500 -c 20 " .. url .. "/pieces")
        assert.matches("%[200%]%s+500 responses", got)
      end
    end)
  end)

  it("serves Node's fetch, and its WebSocket where it has one", function()
    local absent = lacks "node"
    if absent then
      return pending(absent)
    end
    folder.write(root, "client.js", [[
      const [, , url] = process.argv
      const fail = e => { console.error(e); process.exit(1) }
      process.on("unhandledRejection", fail)
      ;(async () => {
        const large = require("fs").readFileSync("large.bin")
        for (let i = 0; i < 5; i++) {
          if (await (await fetch(url + "/")).text() != "hello") fail("hello")
          const echo = await fetch(url + "/echo", { method: "POST", body: large })
          if (Buffer.compare(Buffer.from(await echo.arrayBuffer()), large) != 0) fail("echo")
          const body = new ReadableStream({ start(c) { for (let i = 0; i < 10; i++) c.enqueue(large); c.close() } })
          const put = await fetch(url + "/put", { method: "PUT", body, duplex: "half" })
          if (put.status != 201 || await put.text() != String(10 * large.length)) fail("put")
          let pieces = ""
          for await (const piece of (await fetch(url + "/pieces")).body) pieces += Buffer.from(piece)
          if (!pieces.endsWith("piece 5\n")) fail("pieces")
          if ((await (await fetch(url + "/text")).text()).length != 10000) fail("text")
        }
        await Promise.all([...Array(50)].map(async () => (await fetch(url + "/files/large.bin")).arrayBuffer()))
        if (typeof WebSocket == "undefined") return console.log("no WebSocket")
        const ws = new WebSocket(url.replace("http", "ws") + "/chat", ["other", "echo"])
        ws.binaryType = "arraybuffer"
        const sent = ["hello", "x".repeat(100000), new Uint8Array(70000)]
        let n = 0
        ws.onopen = () => { if (ws.protocol != "echo") fail(ws.protocol); ws.send(sent[0]) }
        ws.onerror = fail
        ws.onmessage = e => {
          if ((e.data.length ?? e.data.byteLength) != sent[n].length) fail("message " + n)
          if (++n < sent.length) ws.send(sent[n]); else ws.close(4000, "bye")
        }
        ws.onclose = e => { console.log("closed", e.code, e.reason, e.wasClean); process.exit(0) }
      })()]])
    serve(function(sh, url)
      local flag = sh "node --experimental-websocket -e '' 2>/dev/null && echo --experimental-websocket || true"
      local got = sh("node " .. flag:gsub("\n", " ") .. "client.js " .. url .. " 2>&1")
      assert.is_truthy(got:find "closed 4000" or got:find "no WebSocket", got)
    end)
  end)

  it("speaks WebSocket with Python's websockets, either way", function()
    if not installed "python3" or support.shell "/usr/bin/python3 -c 'import websockets'" ~= 0 then
      return pending "python3-websockets is not installed"
    end
    folder.write(root, "client.py", [[
import asyncio, sys, websockets
async def main():
    async with websockets.connect(sys.argv[1] + "/chat", subprotocols=["echo"], max_size=None) as ws:
        assert ws.subprotocol == "echo" and not ws.extensions
        for message in ["hello", "\u00e4" * 1000, "", b"\xff" * 70000, b"x" * 1000000]:
            await ws.send(message)
            assert await ws.recv() == message
        await ws.send(["frag", "ment", "s"])
        assert await ws.recv() == "fragments"
        await (await ws.ping(b"are you there"))
    assert ws.close_code == 1000, ws.close_code
    async with websockets.connect(sys.argv[1] + "/chat") as ws:
        try:
            await ws.send(b"x" * 2000000)
            await ws.recv()
            assert False
        except websockets.ConnectionClosed as e:
            assert e.rcvd.code == 1009, e
asyncio.run(main())
]])
    folder.write(root, "server.py", [==[
import asyncio, sys, websockets
async def echo(ws, path=None):
    async for message in ws:
        if message == "bye":
            await ws.close(4001, "as you say")
        elif message == "ping":
            await (await ws.ping())
            await ws.send("ponged")
        else:
            await ws.send(message if isinstance(message, str) else [message[:10], message[10:]])
async def main():
    async with websockets.serve(echo, "127.0.0.1", int(sys.argv[1]), subprotocols=["echo"], max_size=200000):
        await asyncio.Future()
asyncio.run(main())
]==])
    serve(function(sh, url)
      sh("/usr/bin/python3 client.py " .. url:gsub("http", "ws") .. " 2>&1")
      local port = support_beside.free_port()
      beside({ "/usr/bin/python3", "server.py", port }, port, function()
        local ws = assert(momo.http.websocket("ws://127.0.0.1:" .. port, { protocols = { "echo" } }))
        assert.equal("echo", ws.protocol)
        for _, message in ipairs { "hello", ("ä"):rep(1000), "" } do
          assert(ws:send(message))
          assert.same({ message, "text" }, { ws:recv(20) })
        end
        assert(ws:send(("\255"):rep(100000), "binary"))
        assert.same({ ("\255"):rep(100000), "binary" }, { ws:recv(20) })
        assert(ws:send "ping")
        assert.equal("ponged", (ws:recv(20)))
        assert(ws:send "bye")
        assert.is_nil((ws:recv(20)))
        assert.same({ 4001, "as you say" }, { ws.close_code, ws.close_reason })
        ws = assert(momo.http.websocket("ws://127.0.0.1:" .. port))
        assert(ws:send(("x"):rep(200001)))
        assert.is_nil((ws:recv(20)))
        assert.equal(1009, ws.close_code)
      end)
    end)
  end)

  it("serves Go's client, and is a client of Go's server", function()
    local absent = lacks "go"
    if absent then
      return pending(absent)
    end
    folder.write(root, "peer.go", [[
package main

import ("bytes"; "fmt"; "io"; "net/http"; "os"; "strings")

func must(ok bool, what string) { if !ok { fmt.Fprintln(os.Stderr, what); os.Exit(1) } }

func get(r *http.Response, err error) string {
	if err != nil { must(false, err.Error()) }
	defer r.Body.Close()
	b, err := io.ReadAll(r.Body)
	if err != nil { must(false, err.Error()) }
	return string(b)
}

func main() {
	if os.Args[1] == "serve" {
		http.HandleFunc("/echo", func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Trailer", "X-Sum")
			n, _ := io.Copy(w, r.Body)
			w.Header().Set("X-Sum", fmt.Sprint(n, r.Trailer.Get("X-None")))
		})
		http.Handle("/", http.FileServer(http.Dir(".")))
		must(http.ListenAndServe("127.0.0.1:" + os.Args[2], nil) == nil, "serve")
	}
	url := os.Args[2]
	large, _ := os.ReadFile("large.bin")
	for i := 0; i < 5; i++ {
		must(get(http.Get(url + "/")) == "hello", "hello")
		must(get(http.Post(url + "/echo", "x/y", bytes.NewReader(large))) == string(large), "echo")
		must(get(http.Post(url + "/echo", "x/y", io.MultiReader(bytes.NewReader(large)))) == string(large), "chunked")
		must(strings.HasSuffix(get(http.Get(url + "/pieces")), "piece 5\n"), "pieces")
		must(get(http.Get(url + "/files/large.bin")) == string(large), "files")
		must(len(get(http.Get(url + "/text"))) == 10000, "text")
	}
}
]])
    serve(function(sh, url)
      sh "go build -o peer peer.go 2>&1"
      sh("./peer ask " .. url .. " 2>&1")
      local port = support_beside.free_port()
      beside({ "./peer", "serve", port }, port, function()
        local go = "http://127.0.0.1:" .. port
        local client = momo.http.Client { timeout = 20 }
        for _ = 1, 5 do
          assert.is_true(assert(client:get(go .. "/large.bin")).body == LARGE)
          local answer = assert(client:post(go .. "/echo", LARGE))
          assert.is_true(answer.body == LARGE)
          assert.equal("300000", answer.trailers["x-sum"])
          local part = assert(client:get(go .. "/large.bin", { headers = { Range = "bytes=5-9" } }))
          assert.same({ 206, LARGE:sub(6, 10) }, { part.status, part.body })
          assert.equal(404, assert(client:get(go .. "/none")).status)
        end
        client:close()
      end)
    end)
  end)
end)

describe("a proxy", function()
  after_each(tcp.check_nothing_left)

  -- What goes through whatever proxies there are to the server.
  local function check(url)
    local client = momo.http.Client { timeout = 20 }
    for _ = 1, 3 do
      assert.equal("hello", assert(client:get(url .. "/")).body)
      assert.is_true(assert(client:post(url .. "/echo", LARGE)).body == LARGE)
      local at = 1
      assert.equal("300000", assert(client:request("PUT", url .. "/put", { body = function()
        at = at + 50000
        return at - 50000 <= #LARGE and LARGE:sub(at - 50000, at - 1) or nil
      end })).body)
      assert.matches("piece 5\n$", assert(client:get(url .. "/pieces")).body)
      assert.is_true(assert(client:get(url .. "/files/large.bin")).body == LARGE)
      assert.equal(404, assert(client:get(url .. "/none")).status)
      assert.equal("", assert(client:request("HEAD", url .. "/")).body)
    end
    local ws = assert(momo.http.websocket(url:gsub("^http", "ws") .. "/chat"))
    assert(ws:send(("x"):rep(100000)))
    assert.equal(100000, #assert(ws:recv(20)))
    assert(ws:close())
    momo.scope(function(scope)
      for _ = 1, 20 do
        scope:spawn(function()
          assert.is_true(assert(client:get(url .. "/files/large.bin")).body == LARGE)
        end)
      end
    end)
    client:close()
  end

  local NGINX = [[
    daemon off; master_process off; error_log stderr crit; pid ROOT/nginx.pid; events {}
    http {
      access_log off; client_body_temp_path ROOT/t1; proxy_temp_path ROOT/t2; fastcgi_temp_path ROOT/t3;
      uwsgi_temp_path ROOT/t4; scgi_temp_path ROOT/t5;
      upstream momo { server ADDRESS; keepalive 4; }
      map $http_upgrade $hop { default upgrade; '' ''; }
      server {
        listen 127.0.0.1:PORT;
        location / { proxy_pass http://momo; proxy_http_version 1.1; proxy_set_header Host $host;
          proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection $hop; }
      }
    }]]
  local HAPROXY = [[
global
  maxconn 100
defaults
  mode http
  timeout connect 10s
  timeout client 20s
  timeout server 20s
  timeout tunnel 20s
listen momo
  bind 127.0.0.1:PORT
  server momo ADDRESS
]]

  local function through(text, name, words, fn)
    serve(function(_, _, address)
      local port = support_beside.free_port()
      text = text:gsub("ROOT", (root:gsub("%%", "%%%%"))):gsub("PORT", port):gsub("ADDRESS", address)
      folder.write(root, name, text)
      beside(words, port, function()
        local url = "http://127.0.0.1:" .. port
        tcp.wait_for(function() return momo.http.get(url .. "/") ~= nil end) -- nginx resets who comes early
        fn(url)
      end)
    end)
  end

  -- The same with a proxy of ours in front of that.
  local function behind(url)
    http.with_server_inside(momo.http.proxy(url), nil, function(address) check("http://" .. address) end)
  end

  it("of nginx may stand in front of it, and one of ours in front of that", function()
    local absent = lacks "nginx"
    if absent then
      return pending(absent)
    end
    through(NGINX, "nginx.conf", { "nginx", "-p", ".", "-c", root .. "/nginx.conf" }, function(url)
      check(url)
      behind(url)
    end)
  end)

  it("of HAProxy may stand in front of it, and one of ours in front of that", function()
    local absent = lacks "haproxy"
    if absent then
      return pending(absent)
    end
    through(HAPROXY, "haproxy.cfg", { "haproxy", "-db", "-f", root .. "/haproxy.cfg" }, function(url)
      check(url)
      behind(url)
    end)
  end)
end)
