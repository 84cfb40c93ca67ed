---Libraries that were written for LuaSocket and LuaSec, unchanged, in tasks, with real servers.

local certs = require "spec.support.certs"
local momo = require "momo"
local process = require "spec.support.process"
local support = require "spec.support"
local tcp = require "spec.support.tcp"

require("momo.compat").install "luasocket"
local socket = require "socket"

local run = tcp.run

describe("momo.compat, luasocket:", function()
  after_each(process.stop_all)
  after_each(tcp.check_nothing_left)

  -- A listener and its port.
  local function bound()
    local listener = assert(socket.bind("127.0.0.1", 0))
    local _, port = listener:getsockname()
    return listener, port
  end

  ---@async
  local function pair()
    local listener, port = bound()
    local one = assert(socket.connect("127.0.0.1", port))
    local other = assert(listener:accept())
    listener:close()
    return one, other
  end

  describe("a stream", function()
    it("receives lines, so many bytes, and all, with prefixes", function()
      run(function()
        local one, other = pair()
        assert.equal(32, one:send "line one\r\nl\rine two\n12345rest\r\n.")
        one:close()
        assert.equal("line one", other:receive())
        assert.equal("prefix line two", other:receive("*l", "prefix "))
        assert.equal("abc12", other:receive(5, "abc"))
        assert.equal("345", other:receive(3))
        assert.equal("ab", other:receive(1, "ab"))
        assert.equal("", other:receive(0))
        assert.same({ "rest\r\n." }, { other:receive "*a" })
        assert.same({ nil, "closed", "" }, { other:receive "*a" })
        assert.same({ nil, "closed", "" }, { other:receive() })
        other:close()
        assert.same({ nil, "closed", "" }, { other:receive() })
      end)
    end)

    it("hands out what came before a time limit or the end", function()
      run(function()
        local one, other = pair()
        other:settimeout(0.01)
        one:send "part"
        assert.same({ nil, "timeout", "part" }, { other:receive() })
        one:send "more"
        assert.same({ nil, "timeout", "partmore" }, { other:receive(100, "part") })
        one:send "all"
        assert.same({ nil, "timeout", "all" }, { other:receive "*a" })
        other:settimeout(0)
        assert.same({ nil, "timeout", "" }, { other:receive() })
        one:send "cut"
        one:close()
        other:settimeout(nil)
        assert.same({ nil, "closed", "cut" }, { other:receive() })
        other:close()
      end)
    end)

    it("limits a call, and not only a wait, in mode t", function()
      run(function()
        local one, other = pair()
        local drip = momo.spawn(function()
          while one:send "x" do
            momo.time.sleep(0.005)
          end
        end)
        other:settimeout(0.05, "t")
        local _, err, part = other:receive "*a"
        assert.equal("timeout", err)
        assert(#part > 0)
        other:close()
        drip:join()
        one:close()
      end)
    end)

    it("tells how much of a send has gone out", function()
      run(function()
        local one, other = pair()
        local much = ("0123456789abcdef"):rep(1024 * 1024)
        one:settimeout(0.02)
        local ok, err, last = one:send(much)
        assert.same({ nil, "timeout" }, { ok, err })
        assert(last > 0 and last < #much)
        local got = {}
        local reader = momo.spawn(function() got = other:receive "*a" end)
        one:settimeout(nil)
        assert.equal(#much, one:send(much, last + 1))
        one:close()
        reader:join()
        assert.is_true(got == much)
        other:close()
      end)
    end)

    it("sends a part of a text", function()
      run(function()
        local one, other = pair()
        assert.same({ 4, 10, 5 }, { one:send("0123456789", 2, 4), one:send("0123456789", -2), one:send(12345) })
        assert.equal(5, one:send("0123456789", 6, 5))
        one:close()
        assert.equal("1238912345", other:receive "*a")
        other:close()
      end)
    end)

    it("knows its addresses, options, and counts", function()
      run(function()
        local one, other = pair()
        local host, port, family = one:getsockname()
        assert.same({ host, port, family }, { other:getpeername() })
        assert.same({ "127.0.0.1", "inet" }, { host, family })
        assert.equal(1, one:setoption("tcp-nodelay", true))
        assert.is_true(one:getoption "tcp-nodelay")
        one:send "12345"
        assert.equal("12345", other:receive(5))
        assert.equal(5, (select(2, one:getstats())))
        assert.equal(5, (other:getstats()))
        assert.matches("^tcp{client}: ", tostring(one))
        one:close()
        other:close()
        assert.same({ nil, "connection refused" }, { socket.connect("127.0.0.1", 1) })
      end)
    end)
  end)

  it("select waits for what can be read, written and accepted", function()
    run(function()
      local listener, port = bound()
      assert.same({ {}, {}, "timeout" }, { socket.select({ listener }, nil, 0.01) })
      local one = assert(socket.connect("127.0.0.1", port))
      local readable, writable, err = socket.select({ listener }, { one }, 5)
      assert.same({ listener, 1, one, 1 }, { readable[1], readable[listener], writable[1], writable[one] })
      assert.is_nil(err)
      local other = listener:accept()
      local waiting = tcp.waiting(function() return socket.select({ other, listener }) end)
      one:send "a\nb\n"
      local _, ready = waiting:join()
      assert.equal(other, ready[1])
      assert.equal("a", other:receive())
      assert.equal(other, socket.select({ other }, nil, 0)[1]) -- what is in the buffer counts
      one:close()
      assert.equal("b", other:receive())
      assert.equal(other, socket.select({ other }, nil, 5)[1]) -- so does the end
      assert.same({ nil, "closed", "" }, { other:receive() })
      other:close()
      listener:close()
    end)
  end)

  it("sends and receives datagrams", function()
    run(function()
      local one, other = socket.udp(), socket.udp()
      one:setsockname("127.0.0.1", 0)
      local host, port = one:getsockname()
      assert.equal(5, other:sendto("hello", host, port))
      local data, from, from_port = one:receivefrom()
      assert.equal("hello", data)
      assert.equal(1, one:setpeername(from, from_port))
      assert.equal(4, one:send "back")
      assert.equal("bac", other:receive(3))
      one:settimeout(0.01)
      assert.same({ nil, "timeout" }, { one:receive() })
      one:close()
      other:close()
      assert.same({ nil, "closed" }, { one:receive() })
      assert.same({ nil, "closed" }, { one:getsockname() })
    end)
  end)

  it("gives up a connect that nobody waited for when it is closed, and at the end of the run", function()
    run(function()
      local listener = assert(momo.net.TcpListener.bind("127.0.0.1:0", { backlog = 1 }))
      local port, full = tonumber(listener:local_addr():match "%d+$"), {}
      repeat
        full[#full + 1] = momo.net.TcpStream.connect(listener:local_addr(), 0.05) or false
      until not full[#full]
      local made = socket.tcp()
      made:settimeout(0)
      assert.same({ nil, "timeout" }, { made:connect("127.0.0.1", port) })
      assert.same({ nil, "Operation already in progress" }, { made:connect("127.0.0.1", port) })
      assert.same({ {}, {}, "timeout" }, { socket.select({ made }, { made }, 0.01) })
      made:close()
      made = socket.tcp()
      made:settimeout(0)
      made:connect("127.0.0.1", port)
      for i = 1, #full - 1 do
        full[i]:close()
      end
      listener:close()
    end)
  end)

  it("lets a function of protect wait, and return what try has found", function()
    run(function()
      local finalized = false
      local try = socket.newtry(function() finalized = true end)
      local fn = socket.protect(function(ok)
        momo.time.sleep(0.001)
        return try(ok, "what is wrong"), "and more"
      end)
      assert.same({ true, "and more" }, { fn(true) })
      assert.same({ nil, "what is wrong" }, { fn(nil) })
      assert.is_true(finalized)
      assert.error_matches(function() socket.protect(function() error "a mistake" end)() end, "a mistake")
      local task = tcp.waiting(socket.protect(function() momo.time.sleep(100) end))
      task:cancel()
      task:join()
      assert.equal("cancelled", task:status())
    end)
  end)

  it("passes through to the library outside of tasks", function()
    local listener = assert(socket.bind("127.0.0.1", 0))
    assert.equal("userdata", type(listener))
    listener:close()
    assert.equal("userdata", type(require "socket.unix"()))
    assert.equal("userdata", type(require "socket.unix".dgram()))
    local context = assert(require("ssl").newcontext { mode = "client", protocol = "tlsv1_2" })
    assert.equal("userdata", type(context))
    listener = assert(socket.bind("127.0.0.1", 0))
    local _, port = listener:getsockname()
    local wrapped = assert(require("ssl").wrap(socket.connect("127.0.0.1", port), context))
    assert.equal("userdata", type(wrapped))
    wrapped:close()
    listener:close()
  end)

  it("runs socket.http: fifty requests at once, and a limit cuts through", function()
    run(function()
      local http = require "socket.http"
      local listener = tcp.listen()
      local url = "http://" .. listener:local_addr()
      local arrived, go = 0, momo.sync.Notify()
      local server = momo.spawn(momo.http.serve, listener, function(request, response)
        if request.path == "/never" then
          momo.time.sleep(100)
        end
        arrived = arrived + 1
        if arrived == 50 then
          go:notify_waiters() -- all are under way
        elseif arrived < 50 then
          go:notified()
        end
        response:send(200, request.path .. (request:body() or ""))
      end)
      momo.scope(function(scope)
        for i = 1, 50 do
          scope:spawn(function()
            local body, status = http.request(url .. "/" .. i, "posted")
            assert.same({ "/" .. i .. "posted", 200 }, { body, status })
          end)
        end
      end)
      assert.same({ nil, "ETIMEDOUT" }, { (function(ok, _, code) return ok, code end)(
        momo.time.timeout(0.02, http.request, url .. "/never")) })
      server:cancel()
      server:join()
      listener:close()
    end)
  end)

  it("runs ssl.https on momo.tls, and refuses whom it can't verify", function()
    run(function()
      local https = require "ssl.https"
      local leaf = certs.localhost()
      local listener = tcp.listen()
      local port = listener:local_addr():match "%d+$"
      local server = momo.spawn(momo.http.serve, listener, function(_, response) response:send(200, "secret") end, {
        tls = assert(momo.tls.server { cert = leaf.cert, key = leaf.key }),
      })
      local body, status = https.request(("https://localhost:%s/"):format(port))
      assert.same({ "secret", 200 }, { body, status })
      local root = certs.root()
      local pieces = {}
      local ok, code = https.request {
        url = ("https://localhost:%s/"):format(port), verify = "peer", cafile = root.cert_path,
        sink = require("ltn12").sink.table(pieces),
      }
      assert.same({ 1, 200, "secret" }, { ok, code, table.concat(pieces) })
      local _, err = https.request {
        url = ("https://localhost:%s/"):format(port), verify = "peer", cafile = certs.make({ ca = true }).cert_path,
      }
      assert.matches("^unknown%-ca: ", err)
      server:cancel()
      server:join()
      listener:close()
    end)
  end)

  it("runs redis-lua with the real redis-server, fifty tasks at once", function()
    run(function()
      local redis = require "redis"
      local free = tcp.listen()
      local port = free:local_addr():match "%d+$"
      free:close()
      process.start("redis-server", "--port", port, "--bind", "127.0.0.1", "--save", "", "--appendonly", "no")
      tcp.wait_for(function()
        local probe = momo.net.TcpStream.connect("127.0.0.1:" .. port)
        if probe then
          probe:close()
        end
        return probe
      end)
      momo.scope(function(scope)
        for i = 1, 50 do
          scope:spawn(function()
            local client = redis.connect("127.0.0.1", tonumber(port))
            for j = 1, 20 do
              client:set("key" .. i, j)
              assert.equal(tostring(j), client:get("key" .. i))
            end
            assert.equal("nobody", client:get "nobody" or "nobody")
            client:quit()
          end)
        end
      end)
      local client = redis.connect("127.0.0.1", tonumber(port))
      local replies = client:pipeline(function(p)
        for _ = 1, 100 do
          p:incr "count"
        end
      end)
      assert.equal(100, replies[100])
      local task = tcp.waiting(function() client:blpop("empty", 0) end)
      task:cancel() -- cuts through
      task:join()
      client.network.socket:close()
    end)
  end)

  it("runs socket.smtp with a server of another language", function()
    local sink = process.start("python3", "-W", "ignore", "-c", [[
import asyncore, smtpd, sys
class Sink(smtpd.SMTPServer):
    def process_message(self, peer, sender, to, data, **more):
        print(sender, to, data.decode().replace("\n", "|"), flush=True)
sink = Sink(("127.0.0.1", 0), None)
print(sink.socket.getsockname()[1], flush=True)
asyncore.loop()]])
    local port = tonumber((process.line_of(sink)))
    run(function()
      local smtp = require "socket.smtp"
      local ok, err = smtp.send {
        from = "<ada@example.org>", rcpt = "<bob@example.org>", server = "127.0.0.1", port = port,
        source = smtp.message { headers = { subject = "greetings" }, body = "Hello, Bob\r\n.\r\n" },
      }
      assert.same({ 1, nil }, { ok, err })
    end)
    assert.matches("^ada@example%.org .*bob@example%.org.*Subject: greetings.*||Hello, Bob|%.|$",
      (process.line_of(sink)))
  end)

  it("runs a server of Copas, beside ours", function()
    local status, stdout, stderr = support.momo("-e", [[
      require("momo.compat").install "luasocket"
      local momo = require "momo"
      local copas, socket = require "copas", require "socket"
      local listener = socket.bind("127.0.0.1", 0)
      local _, port = listener:getsockname()
      copas.addserver(listener, function(client)
        client = copas.wrap(client)
        client:send("echo " .. client:receive() .. "\n")
      end)
      local loop = momo.spawn(copas.loop)
      for i = 1, 3 do
        local stream = assert(momo.net.TcpStream.connect("127.0.0.1:" .. port))
        stream:write(i .. "\n")
        print(stream:read())
        stream:close()
      end
      momo.stop()]])
    assert.same({ 0, "echo 1\n\necho 2\n\necho 3\n\n", "" }, { status, stdout, stderr })
  end)
end)
