-- Errors of serve's handlers: those that the peer causes are no failures of the program.

local momo = require "momo"
local support = require "spec.support"

local net, sleep = momo.net, momo.time.sleep

-- A server whose handler is `handle`, and a client that does `visit` with its stream and closes it.
local PROGRAM = [[
  local momo = require "momo"
  local listener = assert(momo.net.TcpListener.bind "127.0.0.1:0")
  local seen = momo.sync.Notify()
  local function handle(stream, peer) %s end
  momo.spawn(momo.net.serve, listener, function(stream, peer)
    seen:notify_one()
    handle(stream, peer)
  end)
  local stream = assert(momo.net.TcpStream.connect(listener:local_addr()))
  seen:notified()
  print(stream:local_addr())
  do %s end
  stream:close()
  while momo.metrics().tasks > 4 do momo.time.sleep(0.001) end
  listener:close()
]]

local RESET = "stream:set_option('linger', 0)"

-- handler, visit, what is told behind the peer's address
local ordinary = {
  ["a reset in lines"] = { "for _ in stream:lines() do end", "stream:write 'half' " .. RESET,
    "app.lua:1: ECONNRESET: connection reset by peer" },
  ["a line that is too long"] = { "for _ in stream:lines(10) do end", "stream:write(('x'):rep(11))",
    "app.lua:1: ENOBUFS: no delimiter within 10 bytes" },
  ["a limit that is over in lines"] = { "stream:set_timeout(0.01) for _ in stream:lines() do end",
    "assert(not stream:read())", "app.lua:1: ETIMEDOUT: operation timed out" },
  ["an end in the middle"] = { "assert(stream:read_exact(10))", "stream:write 'half'", "EOF: end of file" },
  ["an end that is asserted"] = { "assert(stream:read())", "", "EOF: end of file" },
  ["a write to one that has gone"] = { "stream:read() while assert(stream:write 'x') do momo.yield_now() end",
    RESET, "E[CP]%u+: .*" },
  ["a copy from one that resets"] = { "assert(momo.io.copy(stream, momo.io.stderr))", RESET,
    "ECONNRESET: connection reset by peer" },
  ["an error that says what was done"] = {
    "local ok, err = stream:read() if not ok then error('greeting: ' .. err, 0) end", "",
    "greeting: EOF: end of file" },
}

-- These are the program's.
local failures = {
  ["a mistake"] = { "local n = nil + 1", "", "attempt to perform arithmetic" },
  ["a failure of another stream"] = {
    "local a, b = momo.net.UnixStream.pair() b:close() assert(a:read())", "", "EOF: end of file" },
  ["a second reader"] = {
    "momo.spawn(stream.read, stream) momo.yield_now() local ok, err = stream:read() told = err assert(ok, err)",
    "while not told do momo.yield_now() end", "EBUSY" },
  ["use after close"] = { "stream:close() assert(stream:read())", "", "EBADF" },
  ["an error object"] = { "stream:read() error { code = 'EOF' }", "", '{ code = "EOF" }' },
}

local function run(handler, visit)
  return support.momo("-e", (PROGRAM:format(handler, visit):gsub("\n%s*", " ")))
end

describe("an error that the peer causes", function()
  for what, case in pairs(ordinary) do
    it("is told in a line, and is no failure: " .. what, function()
      local status, stdout, stderr = run(case[1], case[2])
      assert.equal(0, status, stderr)
      local told = stderr:gsub("%(command line%):1", "app.lua:1")
      local address = assert(stdout:match "^(%S+)\n$")
      assert.matches("^momo: " .. address:gsub("%p", "%%%0") .. ": [^\n]*\n$", told)
      assert.matches(case[3], told)
    end)
  end

  it("is told of a client of a Unix socket with the listener's address", function()
    local status, stdout, stderr = support.momo("-e", [[
      local momo = require "momo"
      local name = "@" .. os.tmpname()
      local listener = assert(momo.net.UnixListener.bind(name))
      momo.spawn(function()
        momo.net.serve(listener, function(stream) listener:close() assert(stream:read()) end)
      end)
      momo.net.UnixStream.connect(name):close()
      print(name)
    ]])
    assert.equal(0, status)
    assert.matches("^momo: " .. stdout:match "^(.*)\n":gsub("%p", "%%%0") .. ": [^\n]*EOF: end of file\n$", stderr)
  end)
end)

describe("an error of the program's own", function()
  for what, case in pairs(failures) do
    it("is reported with its traceback, and counts: " .. what, function()
      local status, _, stderr = run(case[1], case[2])
      assert.equal(1, status)
      assert.is_truthy(stderr:find(case[3], 1, true), stderr)
      assert.matches("\nstack traceback:\n", stderr)
    end)
  end
end)

describe("on_error", function()
  it("is told the peer, and the code of what the peer has caused", function()
    momo.run(function()
      local listener = assert(net.TcpListener.bind "127.0.0.1:0")
      local told, more = {}, momo.sync.Notify()
      local server = momo.spawn(net.serve, listener, function(stream)
        if assert(stream:read()) == "x" then error "mistake" end
      end, { on_error = function(err, peer, code)
        told[#told + 1] = { err, peer, code }
        more:notify_one()
      end })
      local peers = {}
      for i, visit in ipairs {
        function(stream) stream:set_option("linger", 0) end,
        function(stream) stream:shutdown() end,
        function(stream) stream:write "x" end,
      } do
        local stream = assert(net.TcpStream.connect(listener:local_addr()))
        peers[i] = stream:local_addr()
        visit(stream)
        stream:close()
        more:notified()
      end
      listener:close()
      assert(server:join())
      assert.same({ peers[1], "ECONNRESET" }, { told[1][2], told[1][3] })
      assert.same({ peers[2], "EOF" }, { told[2][2], told[2][3] })
      assert.matches("mistake$", told[3][1])
      assert.same({ peers[3], nil }, { told[3][2], told[3][3] })
      sleep(0)
    end)
  end)
end)
