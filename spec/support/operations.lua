---Every operation of Momo that suspends, for operations_spec.lua: a feature that brings one adds a row.
---
---A row is a name and a function, called in a task, which makes something to wait for and returns
---    wait(timeout)   waits until it is given up
---    own             it takes a timeout of its own: wait's argument
---    limit(seconds)  or that is set beforehand
---    children        it waits for tasks that it has started, even when it is cancelled
---    brief           it may be over before a timeout
---    served          it is a server's affair: that ends first when all is stopped, so that it fails
---    ends            given up, it has ended what it was called on
---    once            given up after it had tried, it can't be tried again
---    yields          it is always ready again at once; wait goes on for ever
---    check(began)    called in another task: fails unless giving it up has left everything as it should be; began: it
---                    had waited or tried

local buffer = require "string.buffer"
local ffi = require "ffi"
local momo = require "momo"
local tcp = require "spec.support.tcp"
local tls = require "spec.support.tls"

local net, sync, time, thread = momo.net, momo.sync, momo.time, momo.thread
local assert_failed, waiting = tcp.assert_failed, tcp.waiting

local MUCH = ("x"):rep(16 * 1024 * 1024) -- more than two sockets hold

local function sleep_for_ever()
  time.sleep(math.huge)
end

-- A row of a stream's read operation: first is there already, rest makes it complete.
local function reading(method, argument, first, rest, whole, pair)
  return function()
    local one, other = (pair or tcp.pair)()
    if first ~= "" then other:write(first) end
    return {
      wait = function(timeout)
        if method == "read_until" then return one:read_until(argument, nil, timeout) end
        return one[method](one, argument, timeout)
      end,
      limit = function(seconds) one:set_timeout(seconds) end,
      check = function() -- no byte is lost
        one:set_timeout(10)
        other:write(rest)
        assert(one[method](one, argument) == whole)
      end,
    }
  end
end

-- The same, with a timeout of its own.
local function limited(make)
  return function()
    local row = make()
    row.own, row.limit = true, nil
    return row
  end
end

local rows = {}

function rows.yield_now()
  return { yields = true, wait = function() while true do momo.yield_now() end end }
end

rows["sleep(0)"] = function()
  return { yields = true, wait = function() while true do time.sleep(0) end end }
end

function rows.sleep()
  return { wait = function() time.sleep(1000) end }
end

rows["sleep for ever"] = function()
  return { wait = sleep_for_ever }
end

function rows.sleep_until()
  return { wait = function() time.sleep_until(time.now() + 1000) end }
end

rows["task:join"] = function()
  local task = waiting(sleep_for_ever)
  return {
    own = true,
    wait = function(timeout) return task:join(timeout) end,
    check = function() assert(task:status() == "waiting") end,
  }
end

rows["thread:join"] = function()
  local child = thread.spawn(function() momo.time.sleep(math.huge) end)
  return {
    own = true,
    wait = function(timeout) return child:join(timeout) end,
    check = function() assert(momo.metrics().threads == 1) end,
  }
end

function rows.accept()
  local listener = tcp.listen()
  return {
    own = true,
    wait = function(timeout) return listener:accept(timeout) end,
    check = function() -- it has taken no connection from who comes next
      local client = net.TcpStream.connect(listener:local_addr(), 10)
      local _, peer = assert(listener:accept(10))
      assert(peer == client:local_addr())
    end,
  }
end

function rows.connect()
  local listener, streams = tcp.full_listener()
  return {
    own = true,
    wait = function(timeout) return net.TcpStream.connect(listener:local_addr(), timeout) end,
    check = function() assert(streams[1]:peer_addr() == listener:local_addr()) end,
  }
end

rows["connect by name"] = function()
  local listener, streams = tcp.full_listener()
  local address = listener:local_addr():gsub("^.*:", "localhost:")
  return {
    own = true,
    wait = function(timeout) return net.TcpStream.connect(address, timeout) end,
    check = function() assert(streams[1]:peer_addr() == listener:local_addr()) end,
  }
end

rows["bind by name"] = function()
  return {
    brief = true,
    wait = function() net.TcpListener.bind "localhost:0":close() end, -- where the answer came too soon to be waited for
  }
end

rows.lookup_addr = function()
  return { brief = true, wait = function() return net.lookup_addr "127.0.0.1" end }
end

rows.read = reading("read", nil, "", "abc", "abc")
rows.read_exact = reading("read_exact", 5, "ab", "cde", "abcde")
rows.peek = reading("peek", 5, "ab", "cde", "abcde")
rows.read_until = reading("read_until", "\r\n", "ab\r", "\n", "ab\r\n")
for _, name in ipairs { "read", "read_exact", "peek", "read_until" } do
  rows[name .. " with a timeout"] = limited(rows[name])
end

function rows.read_into()
  local one, other = tcp.pair()
  local bytes = buffer.new()
  return {
    wait = function(timeout) return one:read_into(bytes, nil, timeout) end,
    limit = function(seconds) one:set_timeout(seconds) end,
    check = function()
      one:set_timeout(10)
      other:write "abc"
      assert(one:read_into(bytes) == 3 and bytes:get() == "abc")
    end,
  }
end

rows["read_into with a timeout"] = limited(rows.read_into)

function rows.lines()
  local one, other = tcp.pair()
  other:write "be"
  local lines = one:lines()
  return {
    wait = lines,
    check = function()
      other:write "gun\n"
      assert(lines() == "begun")
    end,
  }
end

local function writing(pair, data)
  local one, other = pair()
  return {
    once = true,
    wait = function(timeout) return one:write(data or MUCH, timeout) end,
    limit = function(seconds) one:set_timeout(seconds) end,
    check = function(began)
      one:set_timeout(10)
      if began then
        assert_failed("EPIPE", one:write "after an unknown part")
      else
        assert(one:write "first" == 5)
        assert(other:read_exact(5) == "first")
      end
      other:write "the other way"
      assert(one:read_exact(13) == "the other way")
    end,
  }
end

function rows.write()
  return writing(tcp.pair)
end

rows["write with a timeout"] = limited(rows.write)

rows["write of a buffer"] = function()
  return writing(tcp.pair, buffer.new():put(MUCH))
end

function rows.write_some()
  local one, other = net.UnixStream.pair() -- whose room stays as it is: TCP moves bytes on later
  local sent = 0
  repeat
    local bytes = one:write_some(MUCH, nil, 0)
    sent = sent + (bytes or 0)
  until not bytes
  return {
    own = true,
    wait = function(timeout) return one:write_some("never", nil, timeout) end,
    check = function() -- it has sent nothing, and the stream goes on
      local writer = momo.spawn(one.write, one, "next")
      assert(other:read_exact(sent) and other:read_exact(4) == "next")
      assert(writer:join())
    end,
  }
end

rows["read of TLS"] = reading("read", nil, "", "abc", "abc", tls.pair)
rows["read_exact of TLS"] = reading("read_exact", 5, "ab", "cde", "abcde", tls.pair)

rows["write of TLS"] = function()
  return writing(tls.pair)
end

rows["tls.connect"] = function()
  local listener, client = tcp.listen(), tls.client()
  return {
    own = true,
    wait = function(timeout) return momo.tls.connect(listener:local_addr(), client, timeout) end,
    check = function(began)
      if began then -- it has given up what it had begun
        local stream = assert(listener:accept(10))
        repeat local _, _, code = stream:read() until code
        stream:close()
      end
    end,
  }
end

rows["server:wrap"] = function()
  local listener, server, limit = tcp.listen(), tls.server(), nil
  return {
    wait = function()
      local stream = assert(net.TcpStream.connect(listener:local_addr()))
      stream:set_timeout(limit)
      return server:wrap(stream)
    end,
    limit = function(seconds) limit = seconds end,
  }
end

rows["write behind another"] = function()
  local one, other = tcp.pair()
  local first = waiting(one.write, one, MUCH)
  return {
    wait = function() return one:write "queued" end,
    limit = function(seconds) one:set_timeout(seconds) end,
    check = function() -- it has sent nothing, and the first one all
      one:set_timeout(10)
      local rest = #MUCH
      while rest > 0 do
        local bytes = assert(other:read(rest))
        assert(not bytes:find "[^x]")
        rest = rest - #bytes
      end
      assert(select(2, first:join()) == #MUCH)
      assert(one:write "next" == 4)
      assert(other:read_exact(4) == "next")
    end,
  }
end

local function first_three(bytes, err, code)
  return bytes, err, code
end

-- Copies wait on either side; what was not written in the end is still unread.
rows["copy from who is silent"] = function()
  local source, from = tcp.pair()
  local to, sink = tcp.pair()
  return {
    wait = function() return first_three(momo.io.copy(from, to)) end,
    limit = function(seconds) from:set_timeout(seconds) end,
    check = function()
      from:set_timeout(10)
      source:write "hello"
      source:shutdown()
      assert(momo.io.copy(from, to) == 5)
      assert(sink:read_exact(5) == "hello")
    end,
  }
end

rows["copy to who does not read"] = function()
  local source, from = tcp.narrow_pair()
  local to, sink = tcp.narrow_pair()
  local feeding = waiting(source.write, source, MUCH)
  return {
    wait = function() return first_three(momo.io.copy(from, to)) end,
    limit = function(seconds) to:set_timeout(seconds) end,
    check = function()
      to:set_timeout(10)
      local copying = momo.spawn(momo.io.copy, from, to)
      assert(sink:read_exact(#MUCH) == MUCH)
      assert(feeding:join())
      source:shutdown()
      assert(copying:join())
    end,
  }
end

function rows.pipe_both()
  local client, a = tcp.pair()
  local b, server = tcp.pair()
  return {
    children = true,
    wait = function() return momo.io.pipe_both(a, b) end,
    limit = function(seconds) a:set_timeout(seconds) end,
    check = function()
      a:set_timeout(10)
      local proxy = momo.spawn(momo.io.pipe_both, a, b)
      client:write "question"
      assert(server:read_exact(8) == "question")
      client:shutdown()
      server:shutdown()
      assert(proxy:join())
    end,
  }
end

rows["accept of a Unix listener"] = function()
  local path = "@momo " .. tostring {}
  local listener = assert(net.UnixListener.bind(path))
  return {
    own = true,
    wait = function(timeout) return listener:accept(timeout) end,
    check = function()
      local client = net.UnixStream.connect(path, 10)
      local served = assert(listener:accept(10))
      client:write "hello"
      assert(served:read() == "hello")
    end,
  }
end

rows["connect to a full Unix listener"] = function()
  local path, streams = "@momo " .. tostring {}, {}
  local listener = assert(net.UnixListener.bind(path, { backlog = 1 }))
  repeat
    streams[#streams + 1] = net.UnixStream.connect(path, 0)
  until #streams == 2
  return {
    own = true,
    wait = function(timeout) return net.UnixStream.connect(path, timeout) end,
    check = function() assert(streams[1]:peer_addr() == listener:local_addr()) end,
  }
end
-- Rows of a UDP socket that nothing has come to.
local function receiving(method)
  return function()
    local socket = assert(net.UdpSocket.bind "127.0.0.1:0")
    return {
      own = true,
      wait = function(timeout) return socket[method](socket, timeout) end,
      check = function() -- no datagram is lost
        socket:send_to("next", socket:local_addr())
        assert(socket[method](socket, 10) == "next")
      end,
    }
  end
end

rows["recv of a UDP socket"] = receiving "recv"
rows.recv_from = receiving "recv_from"

rows["metrics.prometheus"] = function()
  thread.spawn(function()
    local poll = require "ffi"
    poll.cdef "int poll(void *, unsigned long, int);"
    poll.C.poll(nil, 0, 300) -- so that there is somebody to wait for
  end)
  return { wait = momo.metrics.prometheus, brief = true }
end

-- Rows of a channel, within a thread or between threads.
for kind, channel in pairs { [""] = sync.channel, [" between threads"] = thread.channel } do
  local function receiving_by(wait_of)
    return function()
      local tx, rx = channel(1)
      local wait, own = wait_of(rx)
      return {
        own = own,
        wait = wait,
        check = function()
          assert(tx:send("value", 0))
          assert(rx:recv(0) == "value")
        end,
      }
    end
  end

  rows["recv" .. kind] = receiving_by(function(rx)
    return function(timeout) return rx:recv(timeout) end, true
  end)
  rows["recv_many" .. kind] = receiving_by(function(rx)
    return function(timeout) return rx:recv_many(2, timeout) end, true
  end)
  rows["iter" .. kind] = receiving_by(function(rx) return rx:iter() end)

  rows["send" .. kind] = function()
    local tx, rx = channel(1)
    tx:send(1)
    return {
      own = true,
      wait = function(timeout) return tx:send(2, timeout) end,
      check = function()
        assert(rx:recv(0) == 1)
        assert_failed("ETIMEDOUT", rx:recv(0))
        assert(tx:send(3, 0) and rx:recv(0) == 3)
      end,
    }
  end

  rows["select" .. kind] = function()
    local tx, rx = channel(1)
    local notify, task = sync.Notify(), waiting(sleep_for_ever)
    return {
      wait = function() return momo.select { rx, notify, task, time.after(1000) } end,
      check = function()
        tx:send "value"
        notify:notify_one()
        assert(rx:recv(0) == "value" and notify:notified(0))
        assert(task:status() == "waiting")
      end,
    }
  end
end

rows["recv of a oneshot"] = function()
  local tx, rx = sync.oneshot()
  return {
    own = true,
    wait = function(timeout) return rx:recv(timeout) end,
    check = function()
      tx:send "value"
      assert(rx:recv(0) == "value")
    end,
  }
end

function rows.notified()
  local notify = sync.Notify()
  return {
    own = true,
    wait = function(timeout) return notify:notified(timeout) end,
    check = function()
      notify:notify_one()
      assert(notify:notified(0))
      assert_failed("ETIMEDOUT", notify:notified(0))
    end,
  }
end

-- Rows of a semaphore without permits: its user waits for one.
local function of_semaphore(own, use)
  return function()
    local semaphore = sync.Semaphore(0)
    return {
      own = own,
      wait = function(timeout) return use(semaphore, timeout) end,
      check = function()
        semaphore:release()
        assert(semaphore:acquire(0))
        assert_failed("ETIMEDOUT", semaphore:acquire(0))
      end,
    }
  end
end

-- Rows of a mutex that somebody else holds.
local function of_mutex(own, use)
  return function()
    local mutex, go = sync.Mutex(), sync.Notify()
    local holder = waiting(mutex.with, mutex, go.notified, go)
    return {
      own = own,
      wait = function(timeout) return use(mutex, timeout) end,
      check = function()
        assert_failed("ETIMEDOUT", mutex:lock(0))
        go:notify_one()
        holder:join()
        assert(mutex:lock(0))
      end,
    }
  end
end

local function with(object)
  object:with(error, "it has got in")
end

rows.acquire = of_semaphore(true, function(semaphore, timeout) return semaphore:acquire(timeout) end)
rows["semaphore:with"] = of_semaphore(false, with)
rows.lock = of_mutex(true, function(mutex, timeout) return mutex:lock(timeout) end)
rows["mutex:with"] = of_mutex(false, with)

rows["interval:tick"] = function()
  local interval = time.interval(1000)
  return { wait = function() return interval:tick() end }
end

function rows.scope()
  return { children = true, wait = function() momo.scope(function(scope) scope:spawn(sleep_for_ever) end) end }
end

rows["scope's function"] = function()
  return { wait = function() momo.scope(sleep_for_ever) end }
end

function rows.timeout()
  return { wait = function() time.timeout(1000, sleep_for_ever) end }
end

function rows.race()
  return { children = true, wait = function() momo.race { sleep_for_ever, sleep_for_ever } end }
end

function rows.any()
  return { children = true, wait = function() momo.any { sleep_for_ever, sleep_for_ever } end }
end

rows["spawn in a full scope"] = function()
  return {
    children = true,
    wait = function()
      momo.scope({ limit = 1 }, function(scope)
        scope:spawn(sleep_for_ever)
        scope:spawn(sleep_for_ever)
      end)
    end,
  }
end

function rows.all()
  return { children = true, wait = function() momo.all { momo.yield_now, sleep_for_ever } end }
end

rows["signal.recv"] = function()
  return { wait = function() momo.signal.recv "SIGUSR2" end }
end

ffi.cdef "int pipe(int *ends); long write(int fd, const void *bytes, size_t size); int close(int fd);"

rows["child:wait"] = function()
  local child = assert(momo.process.spawn { "cat", stdin = "pipe", detached = true })
  return {
    own = true,
    wait = function(timeout) return child:wait(timeout) end,
    check = function()
      child.stdin:close()
      assert(child:wait(10).status == 0)
    end,
  }
end

rows["process.run"] = function()
  return { wait = function() return momo.process.run { "sleep", "1000" } end }
end

rows["watcher:recv"] = function()
  local folder = assert(momo.fs.tempdir())
  local watcher = assert(momo.fs.watch(folder))
  return {
    own = true,
    wait = function(timeout) return watcher:recv(timeout) end,
    check = function()
      momo.fs.append(folder .. "/a", "x")
      assert(watcher:recv(10).kind == "create")
      watcher:close()
      assert(momo.fs.remove(folder, { recursive = true }))
    end,
  }
end

rows["fs.lock"] = function()
  local file = assert(momo.fs.tempfile())
  file:close()
  local held = waiting(function() momo.fs.lock(file.path, sleep_for_ever) end)
  return {
    wait = function() return momo.fs.lock(file.path, sleep_for_ever) end,
    check = function()
      held:cancel()
      held:join()
      assert(momo.fs.lock(file.path, function() return true end))
      assert(momo.fs.remove(file.path))
    end,
  }
end

rows["recv of a Unix datagram"] = function()
  local one, other = net.UnixDatagram.pair()
  return {
    own = true,
    wait = function(timeout) return one:recv(timeout) end,
    check = function()
      other:send "whole"
      assert(one:recv() == "whole")
    end,
  }
end

rows["send of a Unix datagram"] = function()
  local one, other = net.UnixDatagram.pair()
  local sent = 0
  while one:send("fills the queue", 0) do sent = sent + 1 end
  return {
    own = true,
    wait = function(timeout) return one:send("never", timeout) end,
    check = function()
      for _ = 1, sent do assert(other:recv() == "fills the queue") end
      assert(one:send "next" and other:recv() == "next")
    end,
  }
end

rows["watch:wait"] = function()
  local one, other = tcp.pair()
  local watch = momo.io.watch(one:fd(), "r")
  return {
    own = true,
    wait = function(timeout) return watch:wait(timeout) end,
    check = function()
      other:write "x"
      assert(watch:wait(10) == "r")
      watch:close()
    end,
  }
end

rows["select of a watch"] = function()
  local one, other = tcp.pair()
  local function wait()
    return momo.scope(function(scope)
      local watch = momo.io.watch(one:fd(), "r")
      scope:defer(watch.close, watch)
      return momo.select { watch }
    end)
  end
  return {
    wait = wait,
    check = function()
      other:write "x"
      assert(wait() == 1)
    end,
  }
end

rows["io.poll"] = function()
  local ends = ffi.new "int[2]"
  assert(ffi.C.pipe(ends) == 0)
  return {
    own = true,
    wait = function(timeout) return momo.io.poll(ends[0], "r", timeout) end,
    check = function()
      assert(ffi.C.write(ends[1], "x", 1) == 1)
      assert(momo.io.poll(ends[0], "r", 10) == "r")
      assert(ffi.C.close(ends[0]) == 0 and ffi.C.close(ends[1]) == 0)
    end,
  }
end

for _, more in ipairs { "operations_http", "operations_nats", "operations_compat" } do
  for name, row in pairs(require("spec.support." .. more)) do
    rows[name] = row
  end
end

return rows
