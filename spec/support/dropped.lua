-- What spec/task/dropped_spec.lua does, under busted and under the momo command: operations of what nobody else holds.

local momo = require "momo"
local tcp = require "spec.support.tcp"

local net, waiting = momo.net, tcp.waiting
local M = {}

---Collects everything that can be, while the others wait.
function M.collect()
  for _ = 1, 3 do
    tcp.settle()
    collectgarbage()
  end
end

-- A string that nothing else holds.
local function fresh(text, n)
  return (text .. "-"):rep(n)
end

---Each returns a task that waits, and a function that makes it end, and returns what the task is to return.
M.operations = {
  ["a TCP listener"] = function()
    local listener = tcp.listen()
    local address = listener:local_addr()
    return waiting(function(l) return (assert(l:accept()):read()) end, listener), function()
      local stream = assert(net.TcpStream.connect(address))
      stream:write(fresh("abc", 2))
      return "abc-abc-"
    end
  end,
  ["a Unix listener"] = function()
    local path = os.tmpname()
    os.remove(path)
    local listener = assert(net.UnixListener.bind(path))
    return waiting(function(l) return (assert(l:accept()):read()) end, listener), function()
      local stream = assert(net.UnixStream.connect(path))
      os.remove(path)
      stream:write(fresh("abc", 2))
      return "abc-abc-"
    end
  end,
  ["a stream that is read"] = function()
    local one, other = tcp.pair()
    return waiting(function(s) return (s:read_exact(8)) end, one), function()
      other:write(fresh("abc", 2))
      return "abc-abc-"
    end
  end,
  ["a stream, and the strings that it writes"] = function()
    local one, other = tcp.narrow_pair()
    return waiting(function(s)
      local pieces = {}
      for i = 1, 100 do
        pieces[i] = fresh(("%07d"):format(i), 2000)
      end
      return (s:write(pieces))
    end, one), function()
      for i = 1, 100 do
        assert(other:read_exact(16000) == fresh(("%07d"):format(i), 2000))
        if i % 10 == 0 then
          M.collect()
        end
      end
      return 1600000
    end
  end,
  ["a UDP socket"] = function()
    local socket = assert(net.UdpSocket.bind "127.0.0.1:0")
    local address = socket:local_addr()
    return waiting(function(s) return (s:recv_from()) end, socket), function()
      assert(net.UdpSocket.bind "127.0.0.1:0"):send_to(fresh("abc", 2), address)
      return "abc-abc-"
    end
  end,
  ["a pipe"] = function()
    local reader, writer = momo.io.pipe()
    return waiting(function(r) return (r:read_exact(8)) end, reader), function()
      writer:write(fresh("abc", 2))
      return "abc-abc-"
    end
  end,
  ["a receiver between threads"] = function()
    local tx, rx = momo.thread.channel(1)
    return waiting(function(r) return (r:recv()) end, rx), function()
      tx:send(fresh("abc", 2))
      return "abc-abc-"
    end
  end,
  ["a sender between threads, and the string that it sends"] = function()
    local tx, rx = momo.thread.channel(1)
    tx:send "first"
    return waiting(function(t) return (t:send(fresh("abc", 2))) and "sent" end, tx), function()
      assert(rx:recv() == "first")
      assert(rx:recv() == "abc-abc-")
      return "sent"
    end
  end,
  ["a receiver between tasks, and a value that waits for a place"] = function()
    local tx, rx = momo.sync.channel(1)
    tx:send "first"
    momo.spawn(function() tx:send { fresh("abc", 2) } end)
    M.collect()
    return waiting(function(r)
      momo.time.sleep(0.001)
      return r:recv() == "first" and r:recv()[1]
    end, rx), function() return "abc-abc-" end
  end,
  ["a thread"] = function()
    local tx, rx = momo.thread.channel(1)
    local thread = assert(momo.thread.spawn(function(r) return r:recv() end, rx))
    return waiting(function(t) return (select(2, t:join())) end, thread), function()
      tx:send(fresh("abc", 2))
      return "abc-abc-"
    end
  end,
  ["the task that is joined"] = function()
    local notify = momo.sync.Notify()
    local task = momo.spawn(function()
      notify:notified()
      return fresh("abc", 2)
    end)
    return waiting(function(t) return (select(2, t:join())) end, task), function()
      notify:notify_one()
      return "abc-abc-"
    end
  end,
  ["what a blocking function is given"] = function()
    local task = momo.spawn(function()
      return (select(2, momo.spawn_blocking(function(s) return s end, fresh("abc", 2)):join()))
    end)
    momo.yield_now() -- the answer may come before it is seen to wait
    return task, function() return "abc-abc-" end
  end,
  ["a stream that io.poll waits for"] = function()
    local reader, writer = momo.io.pipe()
    return waiting(function(r) return (momo.io.poll(r:fd(), "r")) end, reader), function()
      writer:write "x"
      return "r"
    end
  end,
}

---Until the operation has ended.
function M.finish(start)
  local task, finish = start()
  M.collect()
  local expected = finish()
  M.collect()
  local ok, result = task:join()
  assert(ok and result == expected, result)
end

---Until its task was cancelled. What it waited for may go on to wait.
function M.cancel(start)
  local task = start()
  M.collect()
  task:cancel()
  task:join()
  M.collect()
end

---Gives all of them up at once.
function M.stop()
  for _, start in pairs(M.operations) do
    start()
  end
  M.collect()
  momo.stop()
end

return M
