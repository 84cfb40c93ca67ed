---lua-http, and what else stands on cqueues, unchanged, in tasks.

local folder = require "spec.support.folder"
local momo = require "momo"
local tcp = require "spec.support.tcp"

require("momo.compat").install "cqueues"
local cqueues = require "cqueues"

local run = tcp.run

describe("momo.compat, cqueues:", function()
  after_each(tcp.check_nothing_left)

  it("runs lua-http's client: twenty requests at once", function()
    run(function()
      local request = require "http.request"
      local listener = tcp.listen()
      local url = "http://" .. listener:local_addr() .. "/"
      local arrived, go = 0, momo.sync.Notify()
      local server = momo.spawn(momo.http.serve, listener, function(incoming, response)
        arrived = arrived + 1
        if arrived == 20 then
          go:notify_waiters()
        elseif arrived < 20 then
          go:notified()
        end
        response:send(200, incoming.path)
      end)
      momo.scope(function(scope)
        for i = 1, 20 do
          scope:spawn(function()
            local headers, stream = assert(request.new_from_uri(url .. i):go(10))
            assert.same({ "200", "/" .. i }, { headers:get ":status", stream:get_body_as_string(10) })
          end)
        end
      end)
      server:cancel()
      server:join()
      listener:close()
    end)
  end)

  it("runs a controller's loop in a task, while others go on", function()
    run(function()
      local ticks, order = 0, {}
      local ticker = momo.spawn(function()
        while true do
          momo.time.sleep(0.002)
          ticks = ticks + 1
        end
      end)
      local controller = cqueues.new()
      for i = 1, 3 do
        controller:wrap(function()
          cqueues.sleep(0.01 * i)
          order[i] = i
        end)
      end
      assert(controller:loop())
      controller:close()
      ticker:cancel()
      assert.same({ 1, 2, 3 }, order)
      assert(ticks > 0)
    end)
  end)

  it("is cut short by a cancellation and a limit", function()
    run(function()
      local task = tcp.waiting(function() cqueues.poll(1000) end)
      task:cancel()
      task:join()
      assert.equal("cancelled", task:status())
      assert.is_nil((momo.time.timeout(0.01, cqueues.poll, 1000)))
      cqueues.poll(0.001)
    end)
  end)

  it("waits for its own objects in tasks: conditions, promises, threads, files, signals, sockets", function()
    run(function()
      local condition, promise = require "cqueues.condition", require "cqueues.promise"
      local socket, signal = require "cqueues.socket", require "cqueues.signal"
      local one, woken = condition.new(), 0
      momo.scope(function(scope)
        for _ = 1, 5 do
          scope:spawn(function()
            assert.is_true((one:wait()))
            woken = woken + 1
          end)
        end
        momo.yield_now()
        one:signal()
      end)
      assert.equal(5, woken)
      assert.is_false((one:wait(0.001)))
      local value = promise.new()
      assert.is_nil(value:wait(0.001))
      momo.spawn(function() value:set(true, 42) end)
      assert.equal(42, value:get())
      local a, b = socket.pair()
      momo.spawn(function() b:xwrite("line\n", "n") end)
      assert.equal("line", a:xread "*l")
      local other, pipe = require("cqueues.thread").start(function(peer) peer:write "from a thread\n" end)
      assert.equal("from a thread", pipe:read "*l")
      assert.is_true((other:join()))
      local place = folder.make {}
      local watch = require("cqueues.notify").opendir(place)
      watch:add "new"
      momo.spawn(function() folder.write(place, "new", "") end)
      assert.equal("new", select(2, watch:get()))
      signal.block(signal.SIGUSR2)
      local listener = signal.listen(signal.SIGUSR2)
      momo.spawn(function() signal.raise(signal.SIGUSR2) end)
      assert.equal(signal.SIGUSR2, listener:wait())
      signal.unblock(signal.SIGUSR2)
      a:close()
      b:close()
      pipe:close()
    end)
  end)

  it("polls whatever has a descriptor, events, a time", function()
    run(function()
      local listener = tcp.listen()
      local stream = assert(momo.net.TcpStream.connect(listener:local_addr()))
      local plain = { pollfd = listener:fd(), events = "r" }
      local called = {
        pollfd = function() return listener:fd() end, events = function() return "r" end, timeout = function() end,
      }
      local silent = { timeout = 1000 }
      assert.equal(plain, cqueues.poll(silent, plain, 1000))
      assert.equal(called, cqueues.poll(called))
      assert.equal(0.001, cqueues.poll(silent, 0.001))
      local late = { pollfd = stream:fd(), events = "r", timeout = 0.001 }
      assert.equal(late, cqueues.poll(late, silent))
      stream:close()
      listener:close()
      assert.error_matches(function() cqueues.poll { pollfd = 99999, events = "r" } end, "Bad file descriptor")
    end)
  end)

  it("tells a loop's error, and that of a coroutine that would suspend a task", function()
    run(function()
      local controller = cqueues.new()
      controller:wrap(error, "oops", 0)
      local ok, err = controller:loop()
      assert.same({ nil, "oops" }, { ok, err })
      controller:wrap(momo.time.sleep, 1)
      ok, err = controller:loop()
      assert.is_nil(ok)
      assert.matches("sleep: can't suspend inside coroutine", err)
      controller:close()
    end)
  end)

  -- lua-http's server in a task.
  ---@async
  local function with_server(fn)
    local server = assert(require("http.server").listen {
      host = "127.0.0.1", port = 0, tls = false,
      onstream = function(_, stream)
        local path = assert(stream:get_headers()):get ":path"
        if path == "/slow" then
          cqueues.sleep(1000)
        end
        local headers = require("http.headers").new()
        headers:append(":status", "200")
        assert(stream:write_headers(headers, false))
        assert(stream:write_chunk(path, true))
      end,
      onerror = function(_, _, _, err) error(err, 0) end,
    })
    assert(server:listen())
    local _, _, port = server:localname()
    local task = momo.spawn(server.loop, server)
    fn("http://127.0.0.1:" .. port)
    task:cancel()
    task:join()
    assert.equal("cancelled", task:status())
    server:close()
  end

  it("runs lua-http's server beside momo's client and its own", function()
    run(function()
      with_server(function(url)
        local request, ours = require "http.request", momo.http.Client()
        momo.scope(function(scope)
          for i = 1, 20 do
            scope:spawn(function()
              local headers, stream = assert(request.new_from_uri(url .. "/" .. i):go(10))
              assert.same({ "200", "/" .. i }, { headers:get ":status", stream:get_body_as_string(10) })
              stream:shutdown()
              assert.equal("/" .. i, assert(ours:get(url .. "/" .. i)).body)
            end)
          end
        end)
        ours:close()
      end)
    end)
  end)

  it("gives up a request of lua-http's at its limit, at ours, and by a cancellation", function()
    run(function()
      with_server(function(url)
        local request = require "http.request"
        local function go(seconds) return request.new_from_uri(url .. "/slow"):go(seconds) end
        local headers, _, code = go(0.01)
        assert.same({ nil, 110 }, { headers, code }) -- ETIMEDOUT
        headers, _, code = momo.time.timeout(0.01, go)
        assert.same({ nil, "ETIMEDOUT" }, { headers, code })
        local task = tcp.waiting(go)
        task:cancel()
        task:join()
        assert.equal("cancelled", task:status())
      end)
    end)
  end)

  it("runs lua-http's client of WebSockets", function()
    run(function()
      local listener = tcp.listen()
      local server = momo.spawn(momo.http.serve, listener, function(incoming, response)
        local ws = response:websocket(incoming)
        for message in function() return (ws:recv()) end do
          ws:send(message)
        end
      end)
      local ws = require("http.websocket").new_from_uri("ws://" .. listener:local_addr() .. "/")
      assert(ws:connect(10))
      assert(ws:send("hello"))
      assert.equal("hello", ws:receive(10))
      ws:close()
      server:cancel()
      server:join()
      listener:close()
    end)
  end)

  it("is as it was outside of tasks", function()
    local controller, done = cqueues.new(), false
    controller:wrap(function()
      cqueues.sleep(0.001)
      done = true
    end)
    assert(controller:loop())
    assert.is_true(done)
  end)
end)
