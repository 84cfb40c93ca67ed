---TCP with the programs that people use. The spec is one side; socat, nc, curl or Python's HTTP server is the other.

local momo = require "momo"
local process = require "spec.support.process"
local support = require "spec.support"
local tcp = require "spec.support.tcp"

local LIMIT_SECONDS = process.LIMIT_SECONDS
local BYTES = {} -- all of them, in an order that repeats late
for i = 1, 700000 do
  BYTES[i] = string.char((i * i + i / 251) % 256)
end
BYTES = table.concat(BYTES)

---Runs a command line on a thread of the pool, while the tasks of this one serve it; it must succeed.
---@async
---@return string stdout
local function shell(command, stdin)
  local _, status, out, err = assert(momo.spawn_blocking(function(line, input)
    return require("spec.support").shell(line, { stdin = input })
  end, command, stdin):join())
  assert(status == 0, ("%s: status %s: %s"):format(command, status, err))
  return out
end

---@async
local function dial(address)
  local stream = assert(momo.net.TcpStream.connect(address))
  stream:set_timeout(LIMIT_SECONDS)
  return stream
end

---Runs main(address, port) beside a listener whose connections are handled by a task each.
local function serving(handler, main)
  tcp.run(function()
    local listener = tcp.listen()
    local acceptor = momo.spawn(function()
      for stream in function() return (listener:accept()) end do
        stream:set_timeout(LIMIT_SECONDS)
        momo.spawn(handler, stream)
      end
    end)
    local address = listener:local_addr()
    main(address, address:match "%d+$")
    listener:close()
    assert(acceptor:join())
  end)
end

---@async
local function read_all(stream)
  local pieces = {}
  local bytes, _, code = stream:read()
  while bytes do
    pieces[#pieces + 1] = bytes
    bytes, _, code = stream:read()
  end
  return table.concat(pieces), code
end

---@async
local function echo(stream)
  local bytes = stream:read()
  while bytes do
    assert(stream:write(bytes))
    bytes = stream:read()
  end
  stream:close()
end

---Sends all bytes while it reads them back, and ends its side of the connection in between.
---@async
local function check_echo(address)
  local stream = dial(address)
  local writer = momo.spawn(function()
    assert(stream:write(BYTES))
    assert(stream:shutdown())
  end)
  local back, code = read_all(stream)
  assert.is_true(BYTES == back)
  assert.equal("EOF", code)
  assert(writer:join())
  stream:close()
end

describe("socat", function()
  after_each(process.stop_all)

  it("gets back what it sends, after it has ended its side too", function()
    serving(echo, function(address)
      assert.is_true(BYTES == shell(("socat -t %d - TCP:%s"):format(LIMIT_SECONDS, address), BYTES))
    end)
  end)

  it("sends back what it gets, after we have ended our side too", function()
    local server = process.start("socat", "-d", "-d", "-t", LIMIT_SECONDS .. "", "TCP-LISTEN:0,bind=127.0.0.1,fork",
      "EXEC:cat")
    local address = assert(process.wait_for_line(server, "listening on AF=2 (127%.0%.0%.1:%d+)"))
    tcp.run(function()
      check_echo(address)
      check_echo(address)
    end)
  end)

  it("leaves with most of it unread, and the writer is told", function()
    local code
    serving(function(stream)
      local _
      repeat
        _, _, code = stream:write(BYTES)
      until code
      stream:close()
    end, function(address)
      assert.equal(BYTES:sub(1, 1), shell(("socat -u TCP:%s,readbytes=1 -"):format(address)))
      tcp.wait_for(function() return code end)
    end)
    assert.is_true(code == "ECONNRESET" or code == "EPIPE", code)
  end)
end)

describe("nc", function()
  after_each(process.stop_all)

  it("as a client gets back what it sends", function()
    serving(echo, function(_, port)
      assert.is_true(BYTES == shell("nc -N 127.0.0.1 " .. port, BYTES))
    end)
  end)

  it("as a server prints what we send", function()
    local server = process.start("nc", "-v", "-l", "127.0.0.1", "0")
    local port = assert(process.wait_for_line(server, "^Listening on %S+ (%d+)$"))
    tcp.run(function()
      local stream = dial("127.0.0.1:" .. port)
      assert(stream:write { "one\n", "and ", "two\n" })
      assert(stream:shutdown())
      assert.same({ nil, "EOF: end of file", "EOF" }, { stream:read() })
      stream:close()
    end)
    assert.matches("one\nand two\nstatus 0\n$", process.wait(server))
  end)
end)

---Answers requests as HTTP/1.1 has it, with the method, the path and the body that came.
---@async
local function answer_http(stream)
  for head in function() return (stream:read_until "\r\n\r\n") end do
    local method, path = head:match "^(%u+) (%S+) HTTP/1.1\r\n"
    local size = tonumber(head:lower():match "\r\ncontent%-length: (%d+)\r\n" or 0)
    if head:lower():find "\r\nexpect: 100%-continue\r\n" then
      assert(stream:write "HTTP/1.1 100 Continue\r\n\r\n")
    end
    local body = size > 0 and assert(stream:read_exact(size)) or ""
    local text = method .. " " .. path .. "\n" .. body
    assert(stream:write { "HTTP/1.1 200 OK\r\nContent-Length: ", #text .. "", "\r\n\r\n", text })
  end
  stream:close()
end

describe("curl", function()
  it("gets its answers, all on one connection", function()
    local connections = 0
    serving(function(stream)
      connections = connections + 1
      answer_http(stream)
    end, function(address)
      local url = "http://" .. address
      assert.equal("GET /a\nGET /b?c=d\nGET /e\n",
        shell(("curl -sS --fail %s/a '%s/b?c=d' %s/e"):format(url, url, url)))
    end)
    assert.equal(1, connections)
  end)

  it("sends a body, and gets it back", function()
    serving(answer_http, function(address)
      local out = shell(("curl -sS --fail -H 'Expect: 100-continue' --data-binary @- http://%s/body"):format(address),
        BYTES)
      assert.is_true("POST /body\n" .. BYTES == out)
    end)
  end)

  it("is served on 20 connections at once", function()
    serving(answer_http, function(address)
      local out = shell(("curl -sS --fail --parallel --parallel-max 20 'http://%s/[1-200]'"):format(address))
      assert.equal(200, select(2, out:gsub("GET /%d+\n", "")))
    end)
  end)
end)

describe("Python's HTTP server", function()
  after_each(process.stop_all)

  it("sends a file", function()
    local path = support.tmpfile(BYTES)
    local folder, name = path:match "^(.*)/([^/]+)$"
    local server = process.start("python3", "-u", "-m", "http.server", "--bind", "127.0.0.1", "-d", folder, "0")
    local port = assert(process.wait_for_line(server, "^Serving HTTP on 127%.0%.0%.1 port (%d+)"))
    tcp.run(function()
      local stream = dial("localhost:" .. port)
      assert(stream:write { "GET /", name, " HTTP/1.0\r\n\r\n" })
      local head = assert(stream:read_until "\r\n\r\n")
      assert.matches("^HTTP/1.0 200 OK\r\n", head)
      assert.equal(#BYTES, tonumber(head:match "\r\nContent%-Length: (%d+)\r\n"))
      assert.is_true(BYTES == stream:read_exact(#BYTES))
      assert.same({ nil, "EOF: end of file", "EOF" }, { stream:read() })
      stream:close()
    end)
  end)
end)
