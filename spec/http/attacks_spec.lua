-- Clients that mean harm, against a server in a process of its own: what it holds for each is bounded, others go on
-- being served, and when they have left it has no descriptor, task or deadline of theirs.

local core = require "momo.internal.core"
local descriptors = require "spec.support.descriptors"
local frames = require "spec.support.frames"
local momo = require "momo"
local process = require "spec.support.process"
local support = require "spec.support"
local tcp = require "spec.support.tcp"

local SANITIZED, SOAK = (os.getenv "MOMO_SANITIZE" or "") ~= "", os.getenv "MOMO_SOAK"
local IDLE = SANITIZED and 1000 or 10000
local RESETS = SANITIZED and 500 or SOAK and 100000 or 5000
local SLOW = SANITIZED and 100 or SOAK and 1000 or 300
local SLOW_SECONDS = SOAK and 20 or 3
local KIB = 1024
-- Of the ring, where Momo takes it: 256 buffers, and as many blocks, of 16 KiB, which a thread keeps.
local BUFFERS_KIB = core.string(core.C.momo_poller(core.executor)) == "ring" and 8 * KIB or 0

local SERVER = [[
  local momo = require "momo"
  local http = momo.http
  local PIECE = ("x"):rep(65536)
  local sparse = os.tmpname()
  assert(assert(io.open(sparse, "w")):seek("set", 2 ^ 30 - 1))
  local file = assert(io.open(sparse, "w"))
  file:seek("set", 2 ^ 30 - 1)
  file:write "x"
  file:close()

  local function resident()
    for line in io.lines "/proc/self/status" do
      local pages = line:match "^VmRSS:%s*(%d+)"
      if pages then return tonumber(pages) end
    end
  end

  local router = http.Router()
  router:handle("GET /{$}", function(_, response) response:send(200, "hello") end)
  router:handle("GET /state", function(_, response)
    collectgarbage()
    collectgarbage()
    local m = momo.metrics()
    response:send(200, ("%d %d %d %d"):format(m.tasks, m.timers, m.handles, resident()))
  end)
  router:handle("GET /stream", function(_, response)
    response:start(200)
    for _ = 1, 2 ^ 14 do
      if not response:write(PIECE) then return end
    end
  end)
  router:handle("GET /file", function(_, response) response:file(sparse) end)
  router:handle("GET /sleep", function() momo.time.sleep(60) end)
  router:handle("GET /closed", function(request, response)
    momo.select { request.closed }
    response:send(200)
  end)
  router:handle("POST /body", function(request, response)
    local body = request:body()
    if body then response:send(200, tostring(#body)) end
  end)
  router:handle("POST /form", function(request, response)
    local form = request:form()
    if form then response:send(200, "a form") end
  end)
  router:handle("POST /count", function(request, response)
    local size, bytes, err, code = 0
    repeat
      bytes, err, code = request:read()
      size = size + #(bytes or "")
    until not bytes
    if code == "EOF" then response:send(200, tostring(size)) end
  end)
  router:handle("GET /chat", function(request, response)
    local ws = response:websocket(request)
    if not ws then return end
    for message, kind in ws:messages() do ws:send(message, kind) end
  end)
  local listener = assert(momo.net.TcpListener.bind "127.0.0.1:0")
  io.stdout:setvbuf "line"
  print(listener:local_addr())
  assert(http.serve(listener, router, { cancel_on_close = arg[1] == "cancel", header_timeout = 30, write_timeout = 2 }))
  os.remove(sparse)
]]

local function connect(address)
  local stream = assert(momo.net.TcpStream.connect(address))
  stream:set_timeout(60)
  return stream
end

-- What the server holds just now.
local function state_of(address)
  local client = momo.http.Client { timeout = 60 }
  local body = assert(client:get("http://" .. address .. "/state")).body
  client:close()
  local tasks, timers, handles, kib = body:match "(%d+) (%d+) (%d+) (%d+)"
  return { held = ("%s tasks, %s deadlines, %s handles"):format(tasks, timers, handles), kib = tonumber(kib) }
end

local function until_nothing_is_held(address, before)
  local after
  tcp.wait_for(function()
    after = state_of(address)
    return after.held == before.held or momo.time.sleep(0.05)
  end)
  return after
end

-- Runs fn(address, before) beside a server; afterwards it holds no more than before, but for some memory.
local function attack(mode, more_kib, fn)
  local server = process.start_momo(support.tmpfile(SERVER), mode)
  local address = process.line_of(server)
  tcp.run(function()
    local client = momo.http.Client()
    for _ = 1, 20 do
      assert.equal("hello", assert(client:get("http://" .. address)).body)
    end
    client:close()
    local before = state_of(address)
    fn(address, before)
    local more = until_nothing_is_held(address, before).kib - before.kib
    assert(SANITIZED or more <= more_kib + BUFFERS_KIB, more .. " KiB more than before")
  end)
  local rest = process.stop(server)
  assert.equal("status 0\n", rest)
end

-- Asks again and again while fn runs: each time it is answered.
local function beside_a_client(address, fn)
  local client, asked, ended = momo.http.Client(), 0, false
  local asking = momo.spawn(function()
    repeat
      local answer = assert(client:get("http://" .. address))
      assert.equal("hello", answer.body)
      asked = asked + 1
      momo.time.sleep(0.01)
    until ended
  end)
  fn()
  ended = true
  assert(asking:join())
  client:close()
  assert(asked > 1)
end

-- Bytes of a request in which its client is gone, by where that is.
local PHASES = {
  accepted = "",
  ["half a head"] = "GET / HTTP/1.1\r\nHost: a\r\nA: ",
  ["a body"] = "POST /body HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\nabc",
  ["a chunk"] = "POST /body HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab",
  ["a form"] = "POST /form HTTP/1.1\r\nHost: a\r\nContent-Type: multipart/form-data; boundary=b\r\n" ..
    "Content-Length: 999\r\n\r\n--b\r\nContent-Disposition: form-data; name=a\r\n\r\nabc",
  ["100 Continue"] = "POST /body HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\nExpect: 100-continue\r\n\r\n",
  ["an answer"] = "GET / HTTP/1.1\r\nHost: a\r\n\r\n",
  ["a long answer"] = "GET /stream HTTP/1.1\r\nHost: a\r\n\r\n",
  ["a file"] = "GET /file HTTP/1.1\r\nHost: a\r\n\r\n",
  ["many answers"] = ("GET / HTTP/1.1\r\nHost: a\r\n\r\n"):rep(100),
  ["a handler that waits for that"] = "GET /closed HTTP/1.1\r\nHost: a\r\n\r\n",
  ["half a handshake"] = frames.handshake():sub(1, -20):gsub("^GET %S+", "GET /chat"),
  ["a handshake"] = frames.handshake():gsub("^GET %S+", "GET /chat"),
  ["half a frame"] = frames.handshake():gsub("^GET %S+", "GET /chat") .. frames.frame(1, "hello"):sub(1, 8),
  ["a message"] = frames.handshake():gsub("^GET %S+", "GET /chat") .. frames.frame(1, "a", { more = true }),
  ["a WebSocket's close"] = frames.handshake():gsub("^GET %S+", "GET /chat") .. frames.close(1000),
}

describe("under attack,", function()
  after_each(process.stop_all)

  for _, mode in ipairs { "none", "cancel" } do
    it("connections that are reset at each phase leave nothing behind: cancel_on_close " .. mode, function()
      attack(mode, 16 * KIB, function(address)
        momo.scope(function(scope)
          for name, bytes in pairs(PHASES) do
            scope:spawn(function()
              for i = 1, math.ceil(RESETS / 16) do
                local stream = connect(address)
                stream:write(bytes)
                if i % 3 == 0 then
                  momo.time.sleep(0.002) -- let the server come as far as it can
                elseif i % 3 == 1 and name:find "answer" then
                  stream:read()
                end
                if i % 2 == 0 then
                  stream:set_option("so_linger", 0)
                end
                stream:close()
              end
            end)
          end
        end)
      end)
    end)
  end

  it("thousands of idle connections cost little, and others are served", function()
    descriptors.many()
    local most = 3.5 * IDLE
    attack("none", most, function(address, before)
      for wave = 1, 2 do -- the second one gets the memory of the first
        local idle = {}
        for i = 1, IDLE do
          idle[i] = connect(address)
          assert(idle[i]:write "GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        end
        for _, stream in ipairs(idle) do
          assert(assert(stream:read_until "\r\n\r\n"):find "^HTTP/1.1 200 ")
          assert.equal("hello", stream:read_exact(5))
        end
        beside_a_client(address, function() momo.time.sleep(0.1) end)
        local kib = state_of(address).kib - before.kib
        assert(SANITIZED or kib <= most, ("%d KiB in wave %d"):format(kib, wave))
        for _, stream in ipairs(idle) do
          stream:close()
        end
        until_nothing_is_held(address, before)
      end
    end)
  end)

  it("whoever is slow, as slowhttptest is in each of its ways, holds up nobody else", function()
    if os.execute "command -v slowhttptest >/dev/null" ~= 0 then
      return pending "slowhttptest is not installed"
    end
    attack("none", 40 * SLOW, function(address, before) -- 10 KiB of the heap for each connection that there was
      beside_a_client(address, function()
        momo.scope(function(scope)
          for _, words in ipairs {
            "-H -i 1 -x 24 -t GET -u http://%s/",
            "-B -i 1 -x 10 -s 8192 -t POST -u http://%s/body",
            "-R -a 10 -b 3000 -t HEAD -u http://%s/file",
            "-X -w 512 -y 1024 -n 1 -z 32 -k 3 -u http://%s/file",
          } do
            scope:spawn(function()
              local said = assert(momo.process.shell(("exec slowhttptest -c %d -r %d -l %d -p 30 " .. words):format(
                SLOW, SLOW, SLOW_SECONDS, address))).stdout
              assert.matches("service available", said)
              assert.is_nil(said:find "available:[^\n]*NO", said)
            end)
          end
        end)
      end)
      until_nothing_is_held(address, before)
    end)
  end)

  for _, path in ipairs { "/stream", "/file" } do
    it("who does not read an answer of a GiB is held a little of it, and not for long: " .. path, function()
      attack("none", 8 * KIB, function(address, before)
        local silent = {}
        for i = 1, 50 do
          silent[i] = connect(address)
          assert(silent[i]:write("GET " .. path .. " HTTP/1.1\r\nHost: a\r\n\r\n"))
        end
        local most
        beside_a_client(address, function()
          momo.time.sleep(0.3)
          most = state_of(address).kib - before.kib
        end)
        assert(SANITIZED or most < 16 * KIB + BUFFERS_KIB, most .. " KiB more")
        until_nothing_is_held(address, before)
        for _, stream in ipairs(silent) do
          stream:close()
        end
      end)
    end)
  end

  it("bombs are refused", function()
    -- There are 16 at once, of which each may hold a MiB, and garbage as much.
    attack("none", 32 * KIB, function(address, before)
      local post = "POST /%s HTTP/1.1\r\nHost: a\r\n%s\r\n"
      local chunked, part = "Transfer-Encoding: chunked\r\n", "Content-Type: multipart/form-data; boundary=b\r\n"
      local function chunk(text) return ("%x\r\n%s\r\n"):format(#text, text) end
      local rows = {
        { 431, "GET / HTTP/1.1\r\nHost: a\r\n", "A: " .. ("x"):rep(KIB) .. "\r\n" },
        { 431, "GET / HTTP/1.1\r\nHost: a\r\nA: ", ("x"):rep(KIB) },
        { 431, "GET / HTTP/1.1\r\nHost: a\r\n", "A:\r\n" },
        { 414, "GET /", ("x"):rep(KIB) },
        { 501, "", ("x"):rep(KIB) },
        { 400, "", "\r\n" },
        { 413, post:format("body", "Content-Length: 99999999999\r\n"), ("x"):rep(64 * KIB) },
        { 413, post:format("body", chunked), chunk(("x"):rep(64 * KIB)) },
        { 413, post:format("body", chunked), chunk("x"):rep(1000) },
        { 413, post:format("body", chunked) .. "fffffffffff\r\n", ("x"):rep(64 * KIB) },
        { 400, post:format("count", chunked), "1;" .. ("x"):rep(KIB) .. "\r\nx\r\n" },
        { 400, post:format("count", chunked) .. "1;", ("x"):rep(KIB) },
        { 400, post:format("count", chunked) .. "0\r\n", "A: b\r\n" },
        { 413, post:format("form", part .. chunked) .. chunk "--b\r\n", chunk "A: b" },
        { 413, post:format("form", part .. chunked) .. chunk "--b\r\nA: b\r\n\r\n",
          chunk "\r\n--b\r\nA: b\r\n\r\n":rep(100) },
        { 413, post:format("form", "Content-Type: application/x-www-form-urlencoded\r\n" .. chunked),
          chunk "a=b&":rep(1000) },
      }
      momo.scope(function(scope)
        for i, row in ipairs(rows) do
          scope:spawn(function()
            local status, bytes, more = unpack(row)
            local stream = connect(address)
            assert(stream:write(bytes))
            local writer = momo.spawn(function()
              repeat until not stream:write(more)
            end)
            local head = assert(stream:read_until "\r\n\r\n")
            assert(head:find("^HTTP/1.1 " .. status), i .. ": " .. head)
            assert(writer:join())
            stream:close()
          end)
        end
      end)
      local most = state_of(address).kib - before.kib
      assert(SANITIZED or most < 16 * KIB + BUFFERS_KIB, most .. " KiB more")
    end)
  end)
end)
