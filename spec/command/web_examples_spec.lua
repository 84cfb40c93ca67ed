---Runs the examples of static files, the HTTP client and the reverse proxy, as a user would.

local folder = require "spec.support.folder"
local momo = require "momo"
local process = require "spec.support.process"
local scripted = require "spec.support.scripted"
local tcp = require "spec.support.tcp"

local examples = assert(os.getenv "MOMO_SOURCE_DIR") .. "/examples/"
local http = momo.http

-- Starts an example that listens, with further arguments.
local function serve(name, ...)
  local program = process.start_momo(examples .. name .. ".lua", "127.0.0.1:0", ...)
  local first = process.line_of(program)
  return program, "http://" .. assert(first:match("^" .. name .. " listens on (127%.0%.0%.1:%d+)$"), first)
end

-- Runs fn, and a server of the spec's own beside it that answers by answer(request).
local function with_server(answer, fn)
  tcp.run(function()
    local url, server = scripted.echo(answer)
    fn(url)
    server.listener:close()
    momo.stop()
  end)
end

-- What the example prints, and its status, while the spec's own server serves it.
---@async
local function run(name, ...)
  local env = momo.process.environ()
  env.SECONDS = 1
  local result = assert(momo.process.run {
    env = env, stderr = "stdout", timeout = process.LIMIT_SECONDS, assert(os.getenv "MOMO_BIN"),
    examples .. name, ...
  })
  return result.stdout .. "status " .. result.status
end

describe("examples", function()
  after_each(process.stop_all)

  it("static.lua serves a folder, compressed and in part, and logs it", function()
    local text = ("hello, world\n"):rep(1000)
    local root = folder.make { ["a.txt"] = text, ["index.html"] = "<p>index" }
    local program, url = serve("static", root)
    tcp.run(function()
      local answer = assert(http.get(url .. "/a.txt"))
      assert.equal("br", answer:header "content-encoding")
      assert.is_true(text == answer.body)
      assert.equal("hello", assert(http.get(url .. "/a.txt", { headers = { Range = "bytes=0-4" } })).body)
      assert.equal("<p>index", assert(http.get(url)).body)
      assert.equal(404, assert(http.get(url .. "/none")).status)
      assert.equal(400, assert(http.request("GET", url .. "/%2e%2e/x")).status)
    end)
    local log = process.stop(program)
    assert.matches("GET /a.txt: 200, %d+ bytes in [%d.]+ ms\n", log)
    assert.matches("GET /a.txt: 206, 5 bytes in ", log)
    assert.matches("GET /none: 404, ", log)
  end)

  it("http_client.lua downloads, and goes on where it has ended", function()
    local text = ("0123456789"):rep(30000)
    local target = folder.make { ["got"] = text:sub(1, 100000) }
    with_server(function(request)
      if request[1]:find "/none" then
        return 404
      end
      local from = tonumber((request.range or ""):match "bytes=(%d+)%-")
      if from and from >= #text then
        return 416
      end
      return from and 206 or 200, text:sub((from or 0) + 1)
    end, function(url)
      local output = run("http_client.lua", url .. "/x", target .. "/got")
      assert.matches("/x: 200000 bytes\n.*status 0", output)
      assert.is_true(text == io.open(target .. "/got"):read "*a")
      assert.matches(": 0 bytes\n.*status 0", run("http_client.lua", url .. "/x", target .. "/got"))
      assert.matches("/x: 300000 bytes", run("http_client.lua", url .. "/x", target .. "/new"))
      assert.matches("0123456789", run("http_client.lua", url .. "/x"), 1, true)
      assert.matches("/none: 404 X\n.*status 1", run("http_client.lua", url .. "/none"))
      assert.matches("ECONNREFUSED.*status 1", run("http_client.lua", "http://127.0.0.1:1/"))
      assert.matches("which URL%?.*status 1", run("http_client.lua"))
    end)
  end)

  it("crawler.lua follows links, and gives a host its time", function()
    local pages = {
      ["/"] = '<a href="a.html">a</a> <A class=x HREF=\'/b/\'>b</A> <a href="http://other.example/">o</a>',
      ["/a.html"] = '<a href="/b/">b</a> <a href="none?x&amp;y">none</a> <a href="mailto:x@y.example">m</a>',
      ["/b/"] = '<a href="../a.html#top">a</a> <a href="c">c</a>',
      ["/b/c"] = '<a href="/slow">slow</a>',
    }
    local asked = {}
    with_server(function(request)
      local path = request[1]:match "^GET (%S+)"
      asked[#asked + 1] = path
      if path == "/slow" then
        momo.time.sleep(60)
      end
      return pages[path] and 200 or 404, pages[path], "Content-Type: text/html\n"
    end, function(url)
      local output = run("crawler.lua", url)
      assert.matches(("%s/none?x&y, on %s/a.html: 404\n"):format(url, url), output, 1, true)
      assert.matches(("%s/slow, on %s/b/c: ETIMEDOUT"):format(url, url), output, 1, true)
      assert.matches("6 pages, 2 of them can't be had\n", output, 1, true)
      table.sort(asked)
      assert.same({ "/", "/a.html", "/b/", "/b/c", "/none?x&y", "/slow" }, asked)
    end)
  end)

  it("reverse_proxy.lua leads to those servers that are up", function()
    with_server(function(request)
      return 200, request[1] .. " for " .. request["x-forwarded-for"]
    end, function(url)
      local _, proxy = serve("reverse_proxy", url, "http://127.0.0.1:1")
      for _ = 1, 6 do
        assert.equal("GET /x HTTP/1.1 for 127.0.0.1", assert(http.get(proxy .. "/x")).body)
      end
      assert.equal("up\n", assert(http.get(proxy .. "/health")).body)
    end)
  end)
end)
