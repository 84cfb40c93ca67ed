-- The client beside servers that others have written.

local client = require "momo.http.client"
local folder = require "spec.support.folder"
local momo = require "momo"
local support = require "spec.support"
local tcp = require "spec.support.tcp"

local TEXT = ("The quick brown fox.\n"):rep(5000)
local BINARY = {}
for i = 1, 100000 do
  BINARY[i] = string.char(i * 7919 % 251)
end
BINARY = table.concat(BINARY)

local root = folder.make { ["text.txt"] = TEXT, ["binary.bin"] = BINARY, ["empty.txt"] = "" }

-- A port that is free now.
local function free_port()
  local listener = assert(momo.net.TcpListener.bind "127.0.0.1:0")
  local port = listener:local_addr():match "%d+$"
  listener:close()
  return port
end

-- Runs fn(client, url) beside a program, whose command gets the port.
local function beside(command, fn)
  tcp.run(function()
    local port = free_port()
    local pipe = io.popen(("exec 2>%s/err; cd %s; %s & echo $!"):format(root, root, command:gsub("PORT", port)))
    local pid = pipe:read "*l"
    local c = client.Client { timeout = 20 }
    local url = "http://127.0.0.1:" .. port
    tcp.wait_for(function() return c:get(url .. "/empty.txt") ~= nil end)
    local ok, err = pcall(fn, c, url)
    c:close()
    os.execute("kill " .. pid)
    pipe:close()
    if not ok then
      error(err, 0)
    end
  end)
end

local function check_files(c, url, at_once)
  for _ = 1, 3 do
    assert.is_true(TEXT == assert(c:get(url .. "/text.txt")).body)
    assert.is_true(BINARY == assert(c:get(url .. "/binary.bin")).body)
    assert.equal("", assert(c:get(url .. "/empty.txt")).body)
    assert.equal(404, assert(c:get(url .. "/none")).status)
    local head = assert(c:request("HEAD", url .. "/binary.bin"))
    assert.equal("", head.body)
    assert.equal(tostring(#BINARY), head:header "content-length")
  end
  momo.scope(function(scope)
    for _ = 1, at_once do
      scope:spawn(function()
        assert.is_true(BINARY == assert(c:get(url .. "/binary.bin")).body)
      end)
    end
  end)
end

local function installed(name)
  return support.shell("command -v " .. name) == 0
end

describe("the client", function()
  after_each(tcp.check_nothing_left)

  it("reads files from Python's http.server, of HTTP/1.0 and 1.1", function()
    if not installed "python3" then
      return pending "python3 is not installed"
    end
    for _, options in ipairs { "", "-p HTTP/1.1" } do
      beside(("python3 -m http.server --bind 127.0.0.1 %s PORT >/dev/null"):format(options), function(c, url)
        check_files(c, url, 4) -- its queue of connections holds five
      end)
    end
  end)

  it("reads files from nginx, compressed, in part, through its proxy and its buffers", function()
    if not installed "nginx" then
      return pending "nginx is not installed"
    end
    folder.write(root, "nginx.conf", ([[
      daemon off; master_process off; error_log stderr crit; pid ROOT/nginx.pid; events {}
      http {
        access_log off; gzip on; gzip_types text/plain; gzip_min_length 100; types { text/plain txt; }
        default_type application/octet-stream;
        client_body_temp_path ROOT/t1; proxy_temp_path ROOT/t2; fastcgi_temp_path ROOT/t3; uwsgi_temp_path ROOT/t4;
        scgi_temp_path ROOT/t5; keepalive_requests 10;
        server {
          listen 127.0.0.1:PORT; root ROOT;
          location = /moved { return 301 /text.txt; }
          location = /small { client_max_body_size 1k; proxy_pass http://127.0.0.1:PORT/echo; }
        }
      }]]):gsub("ROOT", (root:gsub("%%", "%%%%"))))
    beside("sed 's/PO[R]T/PORT/' nginx.conf > now.conf; nginx -p . -c now.conf", function(c, url)
      check_files(c, url, 50)
      local answer = assert(c:get(url .. "/text.txt"))
      assert.equal("gzip", answer:header "content-encoding")
      local part = assert(c:get(url .. "/binary.bin", { headers = { Range = "bytes=5-9" } }))
      assert.equal(206, part.status)
      assert.equal(BINARY:sub(6, 10), part.body)
      local moved = assert(c:get(url .. "/moved"))
      assert.equal(url .. "/text.txt", moved.url)
      assert.is_true(TEXT == moved.body)
      assert.equal(413, assert(c:post(url .. "/small", BINARY)).status)
      local etag = answer:header "etag"
      assert.equal(304, assert(c:get(url .. "/text.txt", { headers = { ["If-None-Match"] = etag } })).status)
    end)
  end)

  it("sends bodies to Node, which sends them back", function()
    if not installed "node" then
      return pending "node is not installed"
    end
    folder.write(root, "server.js", [[
      require('http').createServer((request, response) => {
        response.writeHead(request.method == 'PUT' ? 201 : 200,
          { 'X-Length': request.headers['content-length'] || 'none',
          'Set-Cookie': ['a=1', 'b=2'] });
        request.pipe(response);
      }).listen(Number(process.argv[2]), '127.0.0.1');]])
    beside("node server.js PORT", function(c, url)
      for _ = 1, 3 do
        for _, body in ipairs { "", "x", TEXT, BINARY, BINARY:rep(50) } do
          local answer = assert(c:post(url, body))
          assert.equal(tostring(#body), answer:header "x-length")
          assert.is_true(body == answer.body)
          local at = 1
          answer = assert(c:request("PUT", url, { body = function()
            at = at + 50000
            return at - 50000 <= #body and body:sub(at - 50000, at - 1) or nil
          end }))
          assert.equal(201, answer.status)
          assert.equal("none", answer:header "x-length")
          assert.is_true(body == answer.body)
        end
      end
    end)
  end)
end)
