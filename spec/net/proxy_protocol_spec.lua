---PROXY headers: of HAProxy's own, of ours, at every split of their bytes, and what is none.

local certs = require "spec.support.certs"
local folder = require "spec.support.folder"
local momo = require "momo"
local process = require "spec.support.process"
local proxy_protocol = require "momo.net.proxy_protocol"
local support = require "spec.support"
local tcp = require "spec.support.tcp"

local run = tcp.run

local function binary(command, kind, rest)
  return "\r\n\r\n\0\r\nQUIT\n" .. string.char(command, kind, math.floor(#rest / 256), #rest % 256) .. rest
end

local IPV4 = "\192\0\2\1\198\51\100\7\22\46\0\80"
local MAPPED = ("\0"):rep(10) .. "\255\255\192\0\2\1"
local IPV6 = "\32\1\13\184" .. ("\0"):rep(11) .. "\1" .. ("\0"):rep(15) .. "\1" .. "\22\46\0\80"

-- What comes of a connection to a server with the option: the handler's peer and what it has read, or the report.
---@async
local function serve(bytes, option, size)
  local listener = tcp.listen()
  local got = {}
  local server = momo.spawn(function()
    momo.net.serve(listener, function(stream, peer)
      got.peer, got.bytes = peer, stream:read_until("\n")
      stream:write "ok"
    end, { proxy_protocol = option, on_error = function(err, _, code) got.err, got.code = err, code end })
  end)
  local stream = assert(momo.net.TcpStream.connect(listener:local_addr()))
  got.own = stream:local_addr()
  stream:set_nodelay(true)
  for i = 1, #bytes, size or #bytes do
    stream:write(bytes:sub(i, i + (size or #bytes) - 1))
    momo.yield_now()
  end
  stream:shutdown()
  stream:read()
  stream:close()
  listener:close()
  server:join()
  return got
end

describe("a PROXY header", function()
  after_each(process.stop_all)
  after_each(tcp.check_nothing_left)

  local GOOD = {
    ["version 1, IPv4"] = { "PROXY TCP4 192.0.2.1 198.51.100.7 5678 80\r\n", "192.0.2.1:5678" },
    ["version 1, IPv6"] = { "PROXY TCP6 2001:DB8::1 ::1 5678 80\r\n", "[2001:db8::1]:5678" },
    ["version 1, of something else"] = { "PROXY UNKNOWN\r\n" },
    ["version 1, of something else, with words"] = { "PROXY UNKNOWN ffff::1 ffff::2 1 2\r\n" },
    ["version 2, IPv4"] = { binary(0x21, 0x11, IPV4), "192.0.2.1:5678" },
    ["version 2, IPv6"] = { binary(0x21, 0x21, IPV6), "[2001:db8::1]:5678" },
    ["version 2, with more behind"] = { binary(0x21, 0x11, IPV4 .. "\3\0\4abcd"), "192.0.2.1:5678" },
    ["version 1, of port 0 and the last one"] = { "PROXY TCP4 192.0.2.1 198.51.100.7 0 65535\r\n", "192.0.2.1:0" },
    ["version 1, IPv4 in IPv6"] = { "PROXY TCP6 ::ffff:192.0.2.1 ::1 5678 80\r\n", "192.0.2.1:5678" },
    ["version 2, IPv4 in IPv6"] = { binary(0x21, 0x21, MAPPED .. MAPPED .. "\0\0\255\255"), "192.0.2.1:0" },
    ["version 2, with as much behind as may be"] = { binary(0x21, 0x11, IPV4 .. ("x"):rep(4084)), "192.0.2.1:5678" },
    ["version 2, of no kind"] = { binary(0x21, 0x00, "") },
    ["version 2, of no kind, with more behind"] = { binary(0x21, 0x00, IPV4 .. "\3\0\4abcd") },
    ["version 2, of datagrams"] = { binary(0x21, 0x12, IPV4) },
    ["version 2, the proxy's own"] = { binary(0x20, 0x00, "") },
    ["version 2, the proxy's own with an address"] = { binary(0x20, 0x11, IPV4) },
    ["version 2, of a Unix socket"] = { binary(0x21, 0x31, ("x"):rep(216)) },
  }
  for name, case in pairs(GOOD) do
    it("tells whose connection it is, however it is cut: " .. name, function()
      run(function()
        for _, size in ipairs { 1, 2, 3, 5, 7, 11, 13, 1000 } do
          local got = serve(case[1] .. "hello\n", true, size)
          assert.same({ peer = case[2] or got.own, bytes = "hello\n", own = got.own }, got)
        end
      end)
    end)
  end

  local BAD = {
    ["none"] = "GET / HTTP/1.1\r\n\r\n",
    ["nearly one"] = "PROXX TCP4 192.0.2.1 198.51.100.7 5678 80\r\n",
    ["another family"] = "PROXY TCP5 192.0.2.1 198.51.100.7 5678 80\r\n",
    ["IPv6 for IPv4"] = "PROXY TCP4 ::1 ::1 5678 80\r\n",
    ["IPv4 for IPv6"] = "PROXY TCP6 192.0.2.1 198.51.100.7 5678 80\r\n",
    ["no address"] = "PROXY TCP4 192.0.2.256 198.51.100.7 5678 80\r\n",
    ["a port that is none"] = "PROXY TCP4 192.0.2.1 198.51.100.7 65536 80\r\n",
    ["a port with a zero before"] = "PROXY TCP4 192.0.2.1 198.51.100.7 0567 80\r\n",
    ["two spaces"] = "PROXY TCP4  192.0.2.1 198.51.100.7 5678 80\r\n",
    ["a port below 0"] = "PROXY TCP4 192.0.2.1 198.51.100.7 -1 80\r\n",
    ["no port"] = "PROXY TCP4 192.0.2.1 198.51.100.7 5678\r\n",
    ["nothing but its name"] = "PROXY\r\n",
    ["another end"] = "PROXY TCP4 192.0.2.1 198.51.100.7 5678 80\n" .. ("x"):rep(100),
    ["too long a line"] = "PROXY UNKNOWN " .. ("x"):rep(92) .. "\r\n",
    ["a zero byte"] = "PROXY TCP4 192.0.2.1\0 198.51.100.7 5678 80\r\n",
    ["small letters"] = "proxy tcp4 192.0.2.1 198.51.100.7 5678 80\r\n",
    ["words behind"] = "PROXY TCP4 192.0.2.1 198.51.100.7 5678 80 x\r\n",
    ["no end"] = "PROXY TCP4 " .. ("1"):rep(200),
    ["version 3"] = binary(0x31, 0x11, IPV4),
    ["another command"] = binary(0x22, 0x11, IPV4),
    ["too little behind"] = binary(0x21, 0x11, IPV4:sub(1, 11)),
    ["too much behind"] = binary(0x21, 0x11, IPV4 .. ("x"):rep(5000)),
  }
  for name, bytes in pairs(BAD) do
    it("ends a connection that has another beginning: " .. name, function()
      run(function()
        for _, size in ipairs { 1, #bytes } do
          local got = serve(bytes, true, size)
          assert.is_nil(got.peer)
          assert(got.code == "EPROTO" or got.code == "ENOBUFS", got.code)
          assert.equal(got.code .. ": ", got.err:sub(1, #got.code + 2))
        end
      end)
    end)
  end

  it("is cut off: nothing to tell, and nobody is served", function()
    run(function()
      for _, bytes in ipairs { GOOD["version 1, IPv4"][1], GOOD["version 2, with more behind"][1] } do
        for size = 1, #bytes - 1 do
          local got = serve(bytes:sub(1, size), true)
          assert.is_nil(got.peer)
          assert.is_nil(got.code)
        end
      end
    end)
  end)

  it("has its limit for all of it, however its bytes drip", function()
    run(function()
      local listener, got = tcp.listen(), nil
      local server = momo.spawn(momo.net.serve, listener, print, {
        proxy_protocol = true, handshake_timeout = 0.05,
        on_error = function(_, _, code) got = code end,
      })
      local stream = assert(momo.net.TcpStream.connect(listener:local_addr()))
      for byte in GOOD["version 2, with more behind"][1]:gmatch "." do
        momo.time.sleep(0.01)
        if got or not stream:write(byte) then
          break
        end
      end
      stream:close()
      listener:close()
      server:join()
      assert.equal("ETIMEDOUT", got)
    end)
  end)

  it("stands before TLS and HTTP, in one piece with them or cut anywhere", function()
    run(function()
      local leaf = certs.localhost()
      local listener = tcp.listen()
      local server = momo.spawn(momo.http.serve, listener, function(request, response)
        response:send(200, request.peer)
      end, { tls = assert(momo.tls.server { cert = leaf.cert, key = leaf.key }), proxy_protocol = { "127.0.0.0/8" } })
      local client = assert(momo.tls.client { ca = certs.root().cert })
      -- What goes out is cut here: a peer in between, which writes so many bytes at once.
      local function get(header, size)
        local front = tcp.listen()
        local between = momo.spawn(function()
          local one = front:accept()
          local other = assert(momo.net.TcpStream.connect(listener:local_addr()))
          other:set_nodelay(true)
          local bytes = header .. one:read()
          for i = 1, #bytes, size do
            other:write(bytes:sub(i, i + size - 1))
          end
          momo.io.pipe_both(one, other)
          one:close()
          other:close()
        end)
        local stream = assert(momo.net.TcpStream.connect(front:local_addr()))
        assert(client:wrap(stream, "localhost"))
        stream:write "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
        local answer = stream:read_exact(8192) or stream:peek()
        stream:close()
        between:join()
        front:close()
        return answer:match "\r\n\r\n(.*)$"
      end
      for _, size in ipairs { 1, 7, 28, 1000 } do
        assert.equal("192.0.2.1:5678", get(GOOD["version 2, IPv4"][1], size))
        assert.equal("192.0.2.1:5678", get(GOOD["version 1, IPv4"][1], size))
      end
      server:cancel()
      server:join()
      listener:close()
    end)
  end)

  it("does not come in time", function()
    run(function()
      local listener, got = tcp.listen(), nil
      local server = momo.spawn(momo.net.serve, listener, print, {
        proxy_protocol = true, handshake_timeout = 0.02,
        on_error = function(_, _, code) got = code end,
      })
      local stream = assert(momo.net.TcpStream.connect(listener:local_addr()))
      stream:write "PROX"
      stream:read()
      stream:close()
      listener:close()
      server:join()
      assert.equal("ETIMEDOUT", got)
    end)
  end)

  it("is told on stderr where nobody else is told; a connection without a byte is nothing to tell", function()
    local status, stdout, stderr = support.momo("-e", [[
      local momo = require "momo"
      local listener = momo.net.TcpListener.bind "127.0.0.1:0"
      local server = momo.spawn(momo.net.serve, listener, print, { proxy_protocol = true })
      for _, bytes in ipairs { "", "rubbish" } do
        local stream = momo.net.TcpStream.connect(listener:local_addr())
        stream:write(bytes)
        stream:shutdown()
        stream:read()
        stream:close()
      end
      listener:close()
      server:join()]])
    assert.same({ 0, "" }, { status, stdout })
    assert.matches("^momo: 127%.0%.0%.1:%d+: EPROTO: the PROXY header is missing: protocol error\n$", stderr)
  end)

  it("is believed only of those whom one trusts", function()
    run(function()
      local header = "PROXY TCP4 192.0.2.1 198.51.100.7 5678 80\r\n"
      assert.equal("192.0.2.1:5678", serve(header .. "x\n", { "10.0.0.0/8", "127.0.0.0/8" }).peer)
      local got = serve(header, { "10.0.0.0/8" })
      assert.same({ got.own, header }, { got.peer, got.bytes })
    end)
    assert.error_matches(function()
      momo.run(function() momo.net.serve(tcp.listen(), print, { proxy_protocol = { "x" } }) end)
    end, "serve: option proxy_protocol: a network must be such as")
    assert.error_matches(function()
      momo.run(function() momo.net.serve(tcp.listen(), print, { proxy_protocol = 5 }) end)
    end, "serve: option proxy_protocol must be an array")
  end)

  it("is sent by connect", function()
    run(function()
      local listener = tcp.listen()
      local stream = assert(momo.net.TcpStream.connect(listener:local_addr(), 5, {
        proxy_protocol = { source = "192.0.2.1:5678", destination = "198.51.100.7:80", version = 1 },
      }))
      local other = listener:accept()
      assert.equal("PROXY TCP4 192.0.2.1 198.51.100.7 5678 80\r\n", other:read())
      stream:close()
      other:close()
      listener:close()
      assert.error_matches(function()
        momo.net.TcpStream.connect("127.0.0.1:1", 5, { proxy_protocol = { source = "x" } })
      end, "TcpStream.connect: option proxy_protocol: option source must be an address")
    end)
  end)

  it("is written as it is read", function()
    run(function()
      for _, version in ipairs { 1, 2 } do
        for _, source in ipairs { "192.0.2.1:5678", "[2001:db8::1]:5678" } do
          local bytes = proxy_protocol.encode({ source = source, version = version,
            destination = source:find "%[" and "[::1]:80" or "198.51.100.7:80" }, "connect")
          assert.equal(source, serve(bytes .. "x\n", true).peer)
        end
      end
    end)
    for _, case in ipairs {
      { { source = "1.2.3.4", destination = "1.2.3.4:5" }, "option source must be an address" },
      { { source = "1.2.3.4:5", destination = "localhost:5" }, "option destination must be an address" },
      { { source = "1.2.3.4:5", destination = "[::1]:5" }, "must be both IPv4 or both IPv6" },
      { { source = "1.2.3.4:5", destination = "1.2.3.4:5", version = 3 }, "option version must be 1 or 2" },
    } do
      assert.error_matches(function() proxy_protocol.encode(case[1], "connect") end, case[2])
    end
  end)

  for _, version in ipairs { "send-proxy", "send-proxy-v2" } do
    it("is HAProxy's: " .. version, function()
      local client
      run(function()
        local listener, front = tcp.listen(), tcp.listen()
        local place = front:local_addr()
        front:close()
        local path = folder.make { ["haproxy.cfg"] = ([[
defaults
  mode tcp
  timeout connect 5s
  timeout client 30s
  timeout server 30s
listen all
  bind %s
  server momo %s %s check inter 100
]]):format(place, listener:local_addr(), version) }
        local haproxy = process.start("haproxy", "-db", "-f", path .. "/haproxy.cfg")
        local server = momo.spawn(momo.net.serve, listener, function(stream, peer)
          stream:write(peer)
        end, { proxy_protocol = { "127.0.0.0/8" } })
        local stream
        tcp.wait_for(function()
          stream = momo.net.TcpStream.connect(place)
          client = stream and { stream:local_addr(), stream:read() }
          if stream then
            stream:close()
          end
          return client and client[2]
        end)
        process.stop(haproxy)
        listener:close()
        server:join()
      end)
      assert.equal(client[1], client[2])
    end)
  end
end)
