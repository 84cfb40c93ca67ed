local momo = require "momo"

describe("metrics", function()
  it("count tasks, those that are ready, timers, spawns, resumes and handles", function()
    local idle = momo.metrics()
    assert.same({ 0, 0, 0, 0 }, { idle.tasks, idle.ready, idle.timers, idle.handles })
    momo.run({ clock = "virtual" }, function()
      for _ = 1, 5 do momo.spawn(momo.time.sleep, 0.01) end
      for _ = 1, 3 do momo.spawn(momo.yield_now) end
      local spawned = momo.metrics()
      assert.same({ 9, 8, 0, 9 }, { spawned.tasks, spawned.ready, spawned.timers, spawned.spawned - idle.spawned })
      momo.yield_now()
      local parked = momo.metrics()
      assert.same({ 9, 3, 5 }, { parked.tasks, parked.ready, parked.timers })
      local listener = assert(momo.net.TcpListener.bind "127.0.0.1:0")
      assert.equal(1, momo.metrics().handles)
      listener:close()
      assert.equal(0, momo.metrics().handles)
    end)
    local after = momo.metrics()
    assert.same({ 0, 0, 0, 0 }, { after.tasks, after.ready, after.timers, after.handles })
    assert.equal(9 * 2, after.resumes - idle.resumes)
  end)

  it("count what was dropped without close, which the collector closes", function()
    local before = momo.metrics().collected
    momo.run(function()
      for _ = 1, 10 do assert(momo.net.TcpListener.bind "127.0.0.1:0") end
      collectgarbage()
      collectgarbage()
    end)
    assert.equal(0, momo.metrics().handles)
    assert.equal(10, momo.metrics().collected - before)
  end)

  it("count bytes, accepts, and handles by kind", function()
    momo.run(function()
      local before = momo.metrics()
      local listener = assert(momo.net.TcpListener.bind "127.0.0.1:0")
      local one = assert(momo.net.TcpStream.connect(listener:local_addr()))
      local other = assert(listener:accept())
      local left, right = momo.net.UnixStream.pair()
      local udp = assert(momo.net.UdpSocket.bind "127.0.0.1:0")
      one:write(("x"):rep(1000))
      other:read_exact(1000)
      left:write "12345"
      right:read_exact(5)
      udp:send_to("123", udp:local_addr())
      udp:recv_from()
      local now = momo.metrics()
      assert.same({ tcp = 2, unix = 2, datagram = 1, listener = 1, other = 0 }, now.kinds)
      assert.same({ 1008, 1008, 1, 0 }, { now.bytes_in - before.bytes_in, now.bytes_out - before.bytes_out,
        now.accepts - before.accepts, now.accept_failures - before.accept_failures })
      for _, each in ipairs { listener, one, other, left, right, udp } do each:close() end
    end)
  end)

  it("count bytes that a copy moves within the system", function()
    momo.run(function()
      local function pair()
        local listener = assert(momo.net.TcpListener.bind "127.0.0.1:0")
        local one = assert(momo.net.TcpStream.connect(listener:local_addr()))
        return one, assert(listener:accept())
      end
      local size, before = 4 * 1024 * 1024, momo.metrics()
      local source, from = pair()
      local to, sink = pair()
      momo.spawn(function()
        source:write(("x"):rep(size))
        source:shutdown()
      end)
      local received = momo.spawn(function() return #sink:read_exact(size) end)
      momo.io.copy(from, to)
      to:shutdown()
      assert.equal(size, select(2, received:join()))
      local now = momo.metrics()
      assert.same({ 2 * size, 2 * size }, { now.bytes_in - before.bytes_in, now.bytes_out - before.bytes_out })
    end)
  end)

  it("count requests of HTTP, and answers by their status", function()
    momo.run(function()
      local before = momo.metrics()
      local listener = assert(momo.net.TcpListener.bind "127.0.0.1:0")
      momo.spawn(momo.http.serve, listener, function(request, response)
        response:send(request.path == "/" and 200 or 404, "")
      end)
      local client = momo.http.Client()
      for _, path in ipairs { "/", "/", "/none" } do
        assert(client:get("http://" .. listener:local_addr() .. path))
      end
      client:close()
      listener:close()
      local now = momo.metrics()
      assert.equal(3, now.requests - before.requests)
      assert.equal(2, now.responses["2xx"] - before.responses["2xx"])
      assert.equal(1, now.responses["4xx"] - before.responses["4xx"])
    end)
  end)

  it("count what lies in channels between threads", function()
    momo.run(function()
      local tx, rx = momo.thread.channel(8)
      for i = 1, 5 do tx:send(i) end
      rx:recv()
      local now = momo.metrics()
      assert.same({ 1, 4 }, { now.channels, now.messages })
      while rx:recv(0) do end
      momo.yield_now()
      assert.equal(0, momo.metrics().messages)
      tx:close()
      rx:close()
      assert.equal(0, momo.metrics().channels)
    end)
  end)

  it("tell of the threads that block, and of who waits for them", function()
    momo.run(function()
      local calls = {}
      for i = 1, 9 do -- one more than there are threads
        calls[i] = momo.spawn_blocking(function()
          local ffi = require "ffi"
          ffi.cdef "int poll(void *, unsigned long, int);"
          ffi.C.poll(nil, 0, 500)
        end)
      end
      local found
      repeat
        momo.time.sleep(0.001)
        for _, pool in next, momo.metrics().pools do
          found = pool.threads == 8 and pool.idle == 0 and pool.queued == 1 or found
        end
      until found
      for _, call in ipairs(calls) do call:join() end
    end)
  end)

  it("measure turns, and how long ready tasks wait", function()
    local before = momo.metrics()
    momo.run(function()
      for _ = 1, 3 do
        momo.spawn(function()
          local stop = momo.time.now() + 0.02
          while momo.time.now() < stop do end
        end)
      end
      momo.time.sleep(0.01)
      for _ = 1, 5 do momo.time.sleep(0.001) end
    end)
    local now = momo.metrics()
    local turns, delays = now.turns, now.delays
    assert.equal(#turns.bounds + 1, #turns.buckets)
    assert.is_true(turns.sum - before.turns.sum >= 0.06)
    assert.is_true(delays.sum - before.delays.sum >= 0.02) -- the last of the three waits for the others
    local count = 0
    for _, n in ipairs(turns.buckets) do count = count + n end
    assert.equal(turns.count, count)
    assert.is_true(count > before.turns.count + 5)
  end)

  it("count cycles of the garbage collector, and what Lua's objects take", function()
    local before = momo.metrics()
    local kept = ("x"):rep(10 * 1024 * 1024)
    assert.is_true(momo.metrics().gc_bytes - before.gc_bytes >= #kept)
    collectgarbage()
    collectgarbage()
    assert.is_true(momo.metrics().gc_cycles >= before.gc_cycles + 1)
  end)
end)
