local momo = require "momo"
local support = require "spec.support"
local tcp = require "spec.support.tcp"
local virtual = require "spec.support.virtual"

local net, sync = momo.net, momo.sync
local run, listen, waiting = tcp.run, tcp.listen, tcp.waiting

local function dial(listener)
  return assert(net.TcpStream.connect(listener:local_addr()))
end

-- Serves in a task: the task and its listener.
local function serving(handler, options)
  local listener = listen()
  return waiting(net.serve, listener, handler, options), listener
end

local function echo_line(stream)
  stream:write(assert(stream:read_until "\n"))
end

-- A line there and back.
local function ask(stream, line)
  assert(stream:write(line .. "\n"))
  return stream:read_until "\n"
end

describe("serve", function()
  after_each(tcp.check_nothing_left)

  it("calls the handler with each stream and its peer, and closes it in the end", function()
    run(function()
      local peers = {}
      local server, listener = serving(function(stream, peer)
        peers[#peers + 1] = peer
        echo_line(stream)
      end)
      local one, other = dial(listener), dial(listener)
      assert.equal("b\n", ask(other, "b"))
      assert.equal("a\n", ask(one, "a"))
      tcp.assert_failed("EOF", one:read())
      assert.same({ one:local_addr(), other:local_addr() }, peers)
      listener:close()
      assert.same({ true, true, n = 2 }, support.pack(server:join()))
    end)
  end)

  it("goes on when a handler fails: the error is that of a task which nobody joins", function()
    local failures = support.failures_of(function()
      local server, listener = serving(function(stream)
        if echo_line(stream) == nil and stream:read(1) == "!" then
          error "no luck"
        end
      end)
      local one, other = dial(listener), dial(listener)
      ask(one, "a")
      one:write "!"
      tcp.assert_failed("EOF", one:read())
      assert.equal("b\n", ask(other, "b"))
      other:close()
      listener:close()
      assert.is_true((server:join()))
    end)
    assert.equal(1, #failures)
    assert.matches("serve_spec.lua:%d+: no luck$", failures[1][1])
    assert.matches("in function", failures[1][2]:traceback())
  end)

  it("tells on_error instead, with the peer", function()
    local told = {}
    run(function()
      local server, listener = serving(function() error { "object" } end, { on_error = function(err, peer)
        told[#told + 1] = { err, peer }
      end })
      local stream = dial(listener)
      tcp.assert_failed("EOF", stream:read())
      listener:close()
      assert.is_true((server:join()))
      assert.same({ { { "object" }, stream:local_addr() } }, told)
    end)
  end)

  it("reports an on_error that fails, and goes on", function()
    local failures = support.failures_of(function()
      local server, listener = serving(function() error "first" end, { on_error = function() error "second" end })
      for _ = 1, 2 do
        tcp.assert_failed("EOF", dial(listener):read())
      end
      listener:close()
      assert.is_true((server:join()))
    end)
    assert.equal(2, #failures)
    assert.matches("second$", failures[1][1])
  end)

  it("has no more than max_connections at a time", function()
    run(function()
      local active, most = 0, 0
      local server, listener = serving(function(stream)
        active = active + 1
        most = math.max(most, active)
        tcp.wait_for(function() return most >= 3 end)
        tcp.settle() -- in which a fourth could come
        echo_line(stream)
        active = active - 1
      end, { max_connections = 3 })
      momo.scope(function(scope)
        for i = 1, 20 do
          scope:spawn(function()
            local stream = dial(listener)
            assert.equal(i .. "\n", ask(stream, tostring(i)))
            stream:close()
          end)
        end
      end)
      assert.equal(3, most)
      listener:close()
      server:join()
    end)
  end)

  -- What ends a server, and what its join returns then.
  local ends = {
    ["the listener is closed"] = { function(_, listener) listener:close() end, true },
    ["its task is cancelled"] = { function(server) server:cancel "enough" end, false },
    ["all is stopped"] = { function() momo.stop() end, false },
  }
  for what, case in pairs(ends) do
    local finish, ok = unpack(case)

    it(("cancels the handlers at once when %s, also at max_connections"):format(what), function()
      for _, max in ipairs { 1, 2 } do
        local cancelled, result
        run(function()
          local server, listener = serving(function(stream)
            stream:write "in\n"
            local _, err = pcall(stream.read, stream)
            cancelled = momo.is_cancelled(err)
            error(err, 0)
          end, { max_connections = max })
          local stream = dial(listener)
          assert.equal("in\n", stream:read_until "\n")
          tcp.settle()
          momo.shield(function()
            finish(server, listener)
            result = server:join()
            tcp.assert_failed("EOF", stream:read())
          end)
        end)
        assert.is_true(cancelled)
        assert.equal(ok, result)
      end
    end)

    it(("lets the handlers end within drain when %s"):format(what), function()
      local late
      run(function()
        local server, listener = serving(function(stream)
          echo_line(stream)
          momo.scope(function(scope) -- a handler's own tasks have the time as well
            scope:spawn(function()
              late = stream:read_until "\n"
              stream:write "late\n"
            end)
          end)
        end, { drain = 60 })
        local stream, other = dial(listener), dial(listener)
        assert.equal("early\n", ask(stream, "early"))
        assert.equal("early\n", ask(other, "early"))
        momo.shield(function()
          finish(server, listener)
          tcp.settle()
          assert.equal("waiting", server:status())
          assert.equal("late\n", ask(stream, "late"))
          other:close()
          server:join()
          tcp.assert_failed("EOF", stream:read())
        end)
      end)
      assert.equal(nil, late)
    end)

    it(("cancels those that take longer when %s"):format(what), function()
      run(function()
        local ended, asleep = 0, sync.Notify()
        local server, listener = serving(function(stream)
          local done, err = pcall(function()
            stream:write "in\n"
            momo.time.sleep(math.huge)
          end)
          assert(not done and momo.is_cancelled(err))
          ended = ended + 1
          momo.shield(asleep.notified, asleep, 60)
          error(err, 0)
        end, { drain = 0.02 })
        local streams = { dial(listener), dial(listener) }
        for _, stream in ipairs(streams) do
          assert.equal("in\n", stream:read_until "\n")
        end
        momo.shield(function()
          finish(server, listener)
          tcp.wait_for(function() return ended == 2 end)
          assert.equal("waiting", server:status()) -- it ends after all of them
          asleep:notify_waiters()
          server:join()
        end)
      end)
    end)
  end

  it("passes a timeout's end on, once the handlers have ended", function()
    virtual.run(function()
      local listener, done = listen(), false
      local stream = dial(listener)
      assert.equal("r", momo.io.poll(listener:fd(), "r")) -- no time passes before it is accepted
      tcp.assert_failed("ETIMEDOUT", momo.time.timeout(0.02, net.serve, listener, function()
        momo.time.sleep(0.1)
        done = true
      end, { drain = 60 }))
      assert.is_true(done)
      tcp.assert_failed("EOF", stream:read())
      assert.truthy(listener:local_addr()) -- it stays the caller's
      local server = waiting(net.serve, listener, echo_line)
      assert.equal("again\n", ask(dial(listener), "again"))
      server:cancel()
      server:join()
      listener:close()
    end)
  end)

  it("returns at once on a listener that is closed", function()
    run(function()
      local listener = listen()
      listener:close()
      assert.is_true(net.serve(listener, error))
    end)
  end)

  it("out of descriptors it serves all in the end, without spinning", function()
    local clients = 200
    local program = support.tmpfile [[
      local momo = require "momo"
      local clients, served = tonumber(arg[1]), 0
      local listener = assert(momo.net.TcpListener.bind "127.0.0.1:0")
      print(listener:local_addr())
      io.stdout:flush()
      assert(momo.net.serve(listener, function(stream)
        momo.time.sleep(0.02) -- so that more of them come than fit
        stream:write(assert(stream:read_until "\n"))
        served = served + 1
        if served == clients then
          listener:close()
        end
      end))
      print(served, momo.metrics().polls < 20 * clients)
    ]]
    local server = assert(io.popen(("ulimit -n 40; exec timeout 60 %s %s %d 2>&1"):format(
      support.quote(os.getenv "MOMO_BIN"), support.quote(program), clients)))
    local address = server:read "*l"
    run(function()
      momo.scope(function(scope)
        for _ = 1, clients do
          scope:spawn(function()
            local stream = assert(net.TcpStream.connect(address))
            assert.equal("hello\n", ask(stream, "hello"))
            stream:close()
          end)
        end
      end)
    end)
    assert.equal(clients .. "\ttrue\n", server:read "*a")
    server:close()
  end)

  -- Serves one connection, while strace lets the first two calls of accept4 fail.
  local function serve_one(errno)
    local program = support.tmpfile [[
      local momo = require "momo"
      local listener = assert(momo.net.TcpListener.bind "127.0.0.1:0")
      local client = assert(momo.net.TcpStream.connect(listener:local_addr()))
      print(momo.net.serve(listener, function(stream)
        stream:write "served"
        listener:close()
      end))
      listener:close()
      print(client:read())
    ]]
    local log = support.tmpfile ""
    local status, stdout, stderr = support.shell(("strace -f -o %s -e inject=accept4:error=%s:when=1..2 %s %s"):format(
      log, errno, support.quote(os.getenv "MOMO_BIN"), program))
    return { status, stdout, stderr }
  end

  if (os.getenv "MOMO_SANITIZE" or "") == "" then -- which strace would disturb
    it("goes on after failures of accept that pass, and returns those that do not", function()
      for _, errno in ipairs { "EMFILE", "ENFILE", "ENOBUFS", "ENOMEM", "ECONNABORTED", "ENETDOWN", "EPERM" } do
        assert.same({ 0, "true\nserved\n", "" }, serve_one(errno), errno)
      end
      assert.same({ 0, "nil\tEINVAL: invalid argument\tEINVAL\nnil\tECONNRESET: connection reset by peer\tECONNRESET\n",
        "" }, serve_one "EINVAL")
    end)
  end

  for code, message in pairs {
    ["momo.net.serve()"] = "serve: argument 1 must be a listener, got nil",
    ["momo.net.serve(stream, print)"] = "serve: argument 1 must be a listener, got userdata",
    ["momo.net.serve(listener)"] = "serve: argument 2 must be a function, got nil",
    ["momo.net.serve(listener, print, 5)"] = "serve: options must be a table, got 5",
    ["momo.net.serve(listener, print, {max = 5})"] =
      "serve: there is no option \"max\", but drain, handshake_timeout, max_connections, on_drain, on_error, "
        .. "on_tls_error, proxy_protocol, tls",
    ["momo.net.serve(listener, print, {max_connections = 0})"] =
      "serve: max_connections must be a whole number from 1, got 0",
    ["momo.net.serve(listener, print, {drain = -1})"] = "serve: drain must be a number of seconds, 0 or more, got -1",
    ["momo.net.serve(listener, print, {drain = 0/0})"] = "serve: drain must be a number of seconds, 0 or more, got NaN",
  } do
    it("tells of a mistake: " .. code, function()
      assert.equal("app.lua:2: " .. message, tcp.mistake(code):match "^[^\n]*")
    end)
  end
end)
