---momo.compat's ngx: cosockets, pools, timers and what else a task has.

local certs = require "spec.support.certs"
local folder = require "spec.support.folder"
local momo = require "momo"
local support = require "spec.support"
local tcp = require "spec.support.tcp"

require("momo.compat").install "ngx"
local ngx = _G.ngx

local run = tcp.run

describe("momo.compat, ngx:", function()
  after_each(tcp.check_nothing_left)

  -- A cosocket, the stream at its other end, and the listener's port.
  ---@async
  local function pair()
    local listener = tcp.listen()
    local port = tonumber(listener:local_addr():match "%d+$")
    local socket = ngx.socket.tcp()
    assert.equal(1, socket:connect("127.0.0.1", port))
    local peer = assert(listener:accept())
    listener:close()
    return socket, peer, port
  end

  describe("a cosocket", function()
    it("receives lines, so many bytes, what there is, and all", function()
      run(function()
        local socket, peer = pair()
        peer:write "one\r\ntw\ro\n12345\n\n678any"
        assert.same({ "one", "two" }, { socket:receive(), socket:receive "*l" })
        assert.same({ "123", "45", "" }, { socket:receive(3), socket:receive(), socket:receive "*l" })
        assert.equal("", socket:receive(0))
        assert.same({ "67", "8an", "y" }, { socket:receive "2", socket:receiveany(3), socket:receiveany(100) })
        peer:write(("x"):rep(200000))
        peer:close()
        assert.equal(200000, #socket:receive "*a")
        assert.same({ nil, "closed", "" }, { socket:receive() })
        assert.same({ nil, "closed" }, { socket:receive() })
        assert.equal(1, socket:close())
      end)
    end)

    it("refuses a pattern and a number that mean nothing", function()
      run(function()
        local socket, peer = pair()
        for what, kind in pairs { ["*x"] = "pattern argument", [-1] = "number" } do
          assert.has_error(function() socket:receive(what) end, ("bad argument #1 to 'receive' (bad %s)"):format(kind))
        end
        assert.has_error(function() socket:receiveany(0) end, "bad argument #1 to 'receiveany' (bad max argument)")
        assert.same({ nil, "pattern is empty" }, { socket:receiveuntil "" })
        socket:close()
        peer:close()
      end)
    end)

    it("hands out what came before a time limit, and before the end, after which it can still send", function()
      run(function()
        local socket, peer = pair()
        socket:settimeouts(1000, 1000, 10)
        peer:write "part"
        assert.same({ nil, "timeout", "part" }, { socket:receive() })
        peer:write "more"
        assert.same({ nil, "timeout", "more" }, { socket:receive(10) })
        assert.same({ nil, "timeout", "" }, { socket:receiveany(10) })
        peer:write "all"
        assert.same({ nil, "timeout", "all" }, { socket:receive "*a" })
        peer:write "cut"
        peer:shutdown()
        assert.same({ nil, "closed", "cut" }, { socket:receive(4) })
        assert.same({ nil, "closed" }, { socket:receive(4) })
        assert.same({ nil, "closed" }, { socket:setkeepalive() })
        assert.equal(4, socket:send "last")
        assert.equal(1, socket:close())
        assert.equal("last", peer:read_exact(4))
        peer:close()
      end)
    end)

    it("hands out a partial result of any size", function()
      run(function()
        local socket, peer = pair()
        momo.spawn(function()
          peer:write(("x"):rep(300000))
          peer:close()
        end)
        local _, err, partial = socket:receive(300001)
        assert.same({ "closed", 300000 }, { err, #partial })
      end)
    end)

    it("receives up to a pattern, in pieces of any size, wherever it is cut", function()
      run(function()
        local text = "one--ab--boundary--two--boundary---boundary----boundary-"
        for cut = 1, #text - 1 do
          for size = 0, 12 do
            local socket, peer = pair()
            local parts = {}
            local task = momo.spawn(function()
              local read = socket:receiveuntil "--boundary-"
              for i = 1, 4 do
                local pieces = {}
                local piece = read(size > 0 and size or nil)
                while piece do
                  assert(size == 0 or #piece <= size)
                  pieces[#pieces + 1] = piece
                  piece = size > 0 and read(size) or nil
                end
                parts[i] = table.concat(pieces)
              end
            end)
            peer:write(text:sub(1, cut))
            momo.yield_now()
            momo.yield_now()
            peer:write(text:sub(cut + 1))
            assert(task:join())
            assert.same({ "one--ab", "-two", "", "-" }, parts)
            socket:close()
            peer:close()
          end
        end
      end)
    end)

    it("goes on with the pattern after a time limit, and includes it where that is wanted", function()
      run(function()
        local socket, peer = pair()
        socket:settimeout(10)
        local read = socket:receiveuntil("\r\n\r\n", { inclusive = true })
        peer:write "head\r\n"
        assert.same({ nil, "timeout", "head" }, { read() })
        peer:write "\r\nbody"
        assert.equal("\r\n\r\n", read())
        peer:close()
        assert.same({ nil, "closed", "body" }, { read() })
      end)
    end)

    it("sends texts, numbers, booleans, nil, and arrays of texts and numbers", function()
      run(function()
        local socket, peer = pair()
        assert.equal(4, socket:send "text")
        assert.equal(2, socket:send(12))
        assert.equal(4, socket:send { "a", 1, { "b", { "c" } } })
        assert.equal(4, socket:send(true))
        assert.error_matches(function() socket:send { "a", true } end, "bad data type boolean found")
        assert.equal(3, socket:send(nil))
        socket:close()
        assert.equal("text12a1bctruenil", peer:read_exact(17))
        assert.is_nil(peer:read())
        peer:close()
      end)
    end)

    it("says why it is not connected", function()
      run(function()
        local listener = tcp.listen()
        local port = tonumber(listener:local_addr():match "%d+$")
        listener:close()
        local socket = ngx.socket.tcp()
        assert.same({ nil, "connection refused" }, { socket:connect("127.0.0.1", port) })
        local ok, err = socket:connect("no.such.host.invalid", port)
        assert.is_nil(ok)
        assert.matches("^no.such.host.invalid could not be resolved", err)
        assert.matches("no such file", select(2, socket:connect "unix:/no/such/socket"))
        assert.same({ nil, "closed" }, { socket:receive() })
        assert.same({ nil, "missing the port number" }, { socket:connect("127.0.0.1", "x") })
        assert.same({ nil, "bad port number: 65536" }, { socket:connect("127.0.0.1", 65536) })
        assert.same({ nil, "bad port number: -1" }, { socket:connect("127.0.0.1", "-1") })
        assert.same({ nil, "bad port number: 0.5" }, { socket:connect("127.0.0.1", 0.5) })
        local full, streams = tcp.full_listener()
        socket:settimeouts(20, nil, nil)
        assert.same({ nil, "timeout" }, { socket:connect("127.0.0.1", tonumber(full:local_addr():match "%d+$")) })
        full:close()
        for _, stream in ipairs(streams) do
          stream:close()
        end
      end)
    end)

    it("is read by one task, while another writes", function()
      run(function()
        local socket, peer = pair()
        local reader = tcp.waiting(function() return socket:receive() end)
        assert.same({ nil, "socket busy reading" }, { socket:receive() })
        socket:send "question"
        peer:read()
        peer:write "answer\n"
        assert.same({ true, "answer" }, { reader:join() })
        socket:close()
        peer:close()
      end)
    end)

    it("is cut through by a time limit and a cancellation, and loses nothing", function()
      run(function()
        local socket, peer = pair()
        peer:write "half"
        local ok, err, code = momo.time.timeout(0.01, function() return socket:receive(8) end)
        assert.same({ nil, "ETIMEDOUT" }, { ok, code, err and nil })
        local reader = tcp.waiting(function() return socket:receive(8) end)
        reader:cancel()
        assert.is_false(reader:join())
        peer:write "rest"
        assert.equal("halfrest", socket:receive(8))
        socket:close()
        peer:close()
      end)
    end)

    it("speaks to Unix sockets, and has options", function()
      run(function()
        local path = folder.make {} .. "/s"
        local listener = assert(momo.net.UnixListener.bind(path))
        local socket = assert(ngx.socket.connect("unix:" .. path))
        local peer = assert(listener:accept())
        socket:send "over unix\n"
        assert.equal("over unix\n", peer:read())
        socket:close()
        peer:close()
        listener:close()
        local other, end_ = pair()
        assert.equal(1, other:setoption("keepalive", true))
        assert.equal(1, other:setoption("tcp-nodelay", true))
        assert.equal(1, other:setoption("sndbuf", 65536))
        assert.is_nil(other:setoption("colour", "red"))
        other:close()
        end_:close()
        assert.same({ nil, "closed" }, { other:setoption("keepalive", true) })
      end)
    end)

    it("speaks TLS, and believes nobody whom it shall not", function()
      run(function()
        local pair_of = certs.localhost()
        local settings = assert(momo.tls.server { cert = pair_of.cert, key = pair_of.key })
        local listener = tcp.listen()
        local port = tonumber(listener:local_addr():match "%d+$")
        momo.spawn(function()
          for stream in function() return (listener:accept()) end do
            momo.spawn(function()
              if settings:wrap(stream) then
                stream:write(assert(stream:read_until "\n"))
              end
              stream:close()
            end)
          end
        end)
        local function ask(...)
          local socket = ngx.socket.tcp()
          assert(socket:connect("127.0.0.1", port))
          local session, err = socket:sslhandshake(...)
          if not session then
            return nil, err, socket:receive()
          end
          socket:send "secret\n"
          local answer = socket:receive()
          socket:close()
          return session, answer
        end
        assert.same({ true, "secret" }, { ask(false, "localhost") })
        local session, answer = ask(nil, "localhost", false)
        assert.not_equal(true, session)
        assert.equal("secret", answer)
        assert.equal("secret", (select(2, ask(session, "localhost"))))
        local ok, err, after = ask(nil, "localhost", true)
        assert.is_nil(ok)
        assert.matches("certificate", err)
        assert.is_nil(after)
        listener:close()
      end)
    end)
  end)

  describe("a pool", function()
    -- Runs fn(port) beside a server that echoes lines and counts connections.
    local function with_server(fn)
      run(function()
        local listener = tcp.listen()
        local state = { connections = 0, open = 0 }
        momo.spawn_daemon(function()
          for stream in function() return (listener:accept()) end do
            state.connections, state.open = state.connections + 1, state.open + 1
            momo.spawn_daemon(function()
              for line in function() return (stream:read_until "\n") end do
                stream:write(line)
              end
              state.open = state.open - 1
              stream:close()
            end)
          end
        end)
        fn(tonumber(listener:local_addr():match "%d+$"), state)
        listener:close()
      end)
    end

    ---@async
    local function ask(port, options)
      local socket = ngx.socket.tcp()
      assert.equal(1, socket:connect("127.0.0.1", port, options))
      socket:send "ping\n"
      assert.equal("ping", socket:receive())
      return socket
    end

    it("keeps connections for those who connect to the same place, or name it", function()
      with_server(function(port, state)
        local socket = ask(port)
        assert.equal(0, socket:getreusedtimes())
        assert.equal(1, socket:setkeepalive(10000, 10))
        assert.same({ nil, "closed" }, { socket:receive() })
        assert.same({ nil, "closed" }, { socket:setkeepalive() })
        socket = ask(port)
        assert.equal(1, socket:getreusedtimes())
        socket:setkeepalive()
        socket = ask(port, { pool = "mine" })
        assert.equal(0, socket:getreusedtimes())
        socket:setkeepalive()
        assert.equal(1, ask(port, { pool = "mine" }):getreusedtimes())
        assert.equal(2, state.connections)
      end)
    end)

    it("takes none with unread bytes, gives none that has ended, and closes what is beyond its size", function()
      with_server(function(port, state)
        local socket = ask(port)
        socket:send "more\n"
        assert(socket.stream:peek(5)) -- it has come
        assert.same({ nil, "connection in dubious state" }, { socket:setkeepalive() })
        tcp.wait_for(function() return state.open == 0 end)
        local sockets = {}
        for i = 1, 4 do
          sockets[i] = ask(port, { pool = "small", pool_size = 2 })
        end
        tcp.wait_for(function() return state.open == 4 end)
        for i = 1, 4 do
          sockets[i]:setkeepalive()
        end
        tcp.wait_for(function() return state.open == 2 end)
      end)
    end)

    it("closes what has been idle for too long, and what the peer has closed", function()
      with_server(function(port, state)
        ask(port, { pool = "short" }):setkeepalive(20)
        tcp.wait_for(function() return state.open == 0 end)
        assert.equal(0, ask(port, { pool = "short" }):getreusedtimes())
      end)
    end)

    it("limits how many connections there are, and who waits for one", function()
      with_server(function(port, state)
        local options = { pool = "limited", pool_size = 2, backlog = 1 }
        local one, other = ask(port, options), ask(port, options)
        local third = tcp.waiting(function() return ask(port, options) end)
        local socket = ngx.socket.tcp()
        assert.same({ nil, "too many waiting connect operations" }, { socket:connect("127.0.0.1", port, options) })
        one:setkeepalive()
        local _, got = third:join()
        assert.equal(1, got:getreusedtimes())
        socket:settimeout(20)
        assert.same({ nil, "timeout" }, { socket:connect("127.0.0.1", port, options) })
        local waiting = tcp.waiting(function() return ask(port, options) end)
        waiting:cancel()
        waiting:join()
        other:close()
        assert.equal(0, ask(port, options):getreusedtimes())
        got:close()
        assert.equal(3, state.connections)
      end)
    end)
  end)

  it("sends and receives datagrams", function()
    run(function()
      local server = assert(momo.net.UdpSocket.bind "127.0.0.1:0")
      local port = tonumber(server:local_addr():match "%d+$")
      local socket = ngx.socket.udp()
      assert.same({ nil, "closed" }, { socket:send "x" })
      assert.equal(1, socket:setpeername("127.0.0.1", port))
      assert.equal(1, socket:send { "a", 1, { "b" } })
      local data, from = server:recv_from()
      assert.equal("a1b", data)
      server:send_to("answer", from)
      server:send_to("answer", from)
      assert.same({ "answer", "ans" }, { socket:receive(), socket:receive(3) })
      socket:settimeout(10)
      assert.same({ nil, "timeout" }, { socket:receive() })
      assert.equal(1, socket:close())
      assert.same({ nil, "closed" }, { socket:receive() })
      server:close()
    end)
  end)

  it("runs a thread at once up to where it waits, and kills it", function()
    run(function()
      local log = {}
      local one = ngx.thread.spawn(function(a)
        log[1] = "begun " .. a
        ngx.sleep(60)
      end, "now")
      assert.equal("begun now", log[1])
      assert.equal(1, ngx.thread.kill(one))
      assert.same({ nil, "already waited or killed" }, { ngx.thread.wait(one) })
      local fine, problem = pcall(ngx.thread.wait)
      assert.is_false(fine)
      assert.matches("wait: argument 1 must be a thread, got nil", problem)
      local failing = ngx.thread.spawn(function() ngx.sleep(0) error "no good" end)
      local ok, err = ngx.thread.wait(failing)
      assert.is_false(ok)
      assert.matches("no good", tostring(err))
    end)
  end)

  describe("a timer", function()
    it("keeps no program alive while it waits, and then hears that it is too early", function()
      local heard = {}
      run(function()
        ngx.timer.at(60, function(premature, ...)
          heard.at = { premature, ... }
          ngx.sleep(0.001)
          heard.slept = true
        end, 1, "a")
        ngx.timer.every(60, function(premature) heard.every = premature end)
        ngx.sleep(0)
        assert.equal(2, ngx.timer.pending_count())
      end)
      assert.same({ at = { true, 1, "a" }, slept = true, every = true }, heard)
      assert.equal(0, ngx.timer.pending_count())
    end)

    it("that has come keeps it alive", function()
      local done = false
      run(function()
        ngx.timer.at(0, function(premature)
          assert.equal(1, ngx.timer.running_count())
          ngx.sleep(0.01)
          done = not premature
        end)
      end)
      assert.is_true(done)
      assert.equal(0, ngx.timer.running_count())
    end)

    it("comes again and again, and its failures are reported", function()
      local failures = support.failures_of(function()
        local n = 0
        ngx.timer.every(0.001, function(premature)
          n = n + 1
          if n == 3 then
            error "third"
          end
          return premature
        end)
        tcp.wait_for(function() return n > 4 end)
      end)
      assert.equal(1, #failures)
      assert.matches("third", tostring(failures[1][1]))
      assert.equal(0, ngx.timer.running_count())
    end)
  end)

  it("has a context for a task and those that it spawns, and another for a timer", function()
    run(function()
      ngx.ctx.mine = 1
      local seen = {}
      momo.spawn(function() seen.child = ngx.ctx.mine end)
      ngx.timer.at(0, function() seen.timer = ngx.ctx.mine or "none" end)
      ngx.sleep(0.01)
      assert.same({ child = 1, timer = "none" }, seen)
      ngx.ctx = { mine = 2 }
      assert.equal(2, ngx.ctx.mine)
    end)
    assert.equal("init", ngx.get_phase())
  end)

  it("logs to momo.log", function()
    local records = {}
    local function sink(record)
      records[#records + 1] = { record.level, record.message }
    end
    momo.log.configure { level = "debug", sink = sink }
    ngx.log(ngx.ERR, "an ", nil, " error: ", 12, true)
    ngx.log(ngx.WARN, "w")
    ngx.log(ngx.NOTICE, "n")
    ngx.log(ngx.DEBUG, "d")
    require("ngx.errlog").set_filter_level(ngx.WARN)
    ngx.log(ngx.NOTICE, "not this")
    require("ngx.errlog").set_filter_level(ngx.DEBUG)
    momo.log.configure { level = "info", sink = nil }
    assert.same({ { "error", "an nil error: 12true" }, { "warn", "w" }, { "info", "n" }, { "debug", "d" } }, records)
  end)

  it("says what it does not have, when that is used", function()
    for name, use in pairs {
      ["ngx.say"] = function() ngx.say "x" end,
      ["ngx.exit"] = function() ngx.exit(200) end,
      ["ngx.req.get_headers"] = function() ngx.req.get_headers() end,
      ["ngx.var.uri"] = function() return ngx.var.uri end,
      ["ngx.header.x"] = function() ngx.header.x = 1 end,
      ["ngx.status"] = function() ngx.status = 200 end,
      ["ngx.headers_sent"] = function() return ngx.headers_sent end,
      ["ngx.location.capture"] = function() ngx.location.capture "/" end,
    } do
      local ok, err = pcall(use)
      assert.is_false(ok)
      assert.matches(name .. ": there is no request of nginx's here: serve by momo.http", err, 1, true)
    end
    assert.is_function(ngx.req.socket)
    assert.is_nil(ngx.no_such_thing)
    assert.matches("there is no nginx here", select(2, pcall(require, "ngx.ssl")))
  end)

  it("has the modules that libraries require", function()
    require "resty.core"
    assert.same({ true, 2, true }, { require "table.isempty" {}, require "table.nkeys" { 1, a = 2 },
      require "table.isarray" { 1, 2 } })
    assert.equal("616263", require("resty.string").to_hex "abc")
    assert.equal("single", require("ngx.process").type())
    assert.equal("-_8", require("ngx.base64").encode_base64url "\251\255")
    assert.equal("\251\255", require("ngx.base64").decode_base64url "-_8")
    assert.equal(ngx.null, ngx.null)
    assert.is_true(ngx.worker.pid() > 0)
    assert.is_false(ngx.worker.exiting())
  end)
end)
