-- First come, first served, with a third in between: one waits, is woken, and has not run yet; meanwhile another one
-- tries over and over. It takes nothing that was the first one's: neither where there is one, nor where there are two.
-- (Of a channel between tasks, a value is kept for the first, and the third may have its own before.)

local momo = require "momo"
local tcp = require "spec.support.tcp"
local tls = require "spec.support.tls"

local net, io, sync, thread = momo.net, momo.io, momo.sync, momo.thread
local ROUNDS = (os.getenv "MOMO_SANITIZE" or "") ~= "" and 3 or 10

-- A row makes something and returns
--   take(timeout, i)  takes one; 0: only tries. nil: there is none
--   give(i)           there is one more, the i-th
--   got               what take returned to the first and to the third; nil: it does not tell them apart
--   told()            the same, where it shows elsewhere
local rows = {}

local function receiving(channel, method)
  return function()
    local tx, rx = channel(4)
    return {
      take = function(timeout)
        if method == "recv_many" then
          local values = rx:recv_many(1, timeout)
          return values and values[1]
        end
        return (rx:recv(timeout))
      end,
      give = function(i) assert(tx:send(i)) end,
      got = channel == thread.channel and { 1, 2 } or nil,
    }
  end
end

local function sending(channel)
  return function()
    local tx, rx = channel(2)
    assert(tx:send "full")
    assert(tx:send "full")
    return {
      take = function(timeout, i) return tx:send(i, timeout) end,
      give = function() assert(rx:recv() == "full") end,
      told = function() return { (rx:recv()), (rx:recv()) } end,
      got = { 1, 2 },
    }
  end
end

rows["channel:recv"] = receiving(sync.channel)
rows["channel:recv_many"] = receiving(sync.channel, "recv_many")
rows["channel:send"] = sending(sync.channel)
rows["thread channel:recv"] = receiving(thread.channel)
rows["thread channel:recv_many"] = receiving(thread.channel, "recv_many")
rows["thread channel:send"] = sending(thread.channel)

rows["semaphore:acquire"] = function()
  local semaphore = sync.Semaphore(0)
  return {
    take = function(timeout) return semaphore:acquire(timeout) end,
    give = function() semaphore:release() end,
  }
end

rows["notify:notified"] = function()
  local notify = sync.Notify()
  return {
    take = function(timeout) return notify:notified(timeout) end,
    give = function() notify:notify_one() end,
  }
end

rows["mutex:lock"] = function()
  local mutex = sync.Mutex()
  assert(mutex:lock())
  return {
    take = function(timeout)
      local ok = mutex:lock(timeout)
      if ok then mutex:unlock() end
      return ok
    end,
    give = function(i)
      if i == 1 then mutex:unlock() end -- those who had it give it on
    end,
  }
end

-- Streams: each takes a byte.
local function reading(make, method)
  return function()
    local one, other = make()
    return {
      take = function(timeout) return one[method](one, 1, timeout) end,
      give = function(i) assert(other:write(tostring(i))) end,
      got = { "1", "2" },
    }
  end
end

rows["stream:read"] = reading(tcp.pair, "read")
rows["stream:read_exact"] = reading(tcp.pair, "read_exact")
rows["stream:read of a Unix socket"] = reading(net.UnixStream.pair, "read")
rows["stream:read of a pipe"] = reading(io.pipe, "read")
rows["stream:read of TLS"] = reading(tls.pair, "read")

rows["listener:accept"] = function()
  local listener = tcp.listen()
  local number = {}
  return {
    take = function(timeout)
      local _, peer = listener:accept(timeout)
      return number[peer]
    end,
    give = function(i)
      local client = assert(net.TcpStream.connect(listener:local_addr()))
      number[client:local_addr()] = i
    end,
    got = { 1, 2 },
  }
end

rows["socket:recv_from"] = function()
  local one, other = assert(net.UdpSocket.bind "127.0.0.1:0"), assert(net.UdpSocket.bind "127.0.0.1:0")
  return {
    take = function(timeout) return (one:recv_from(timeout)) end,
    give = function(i) assert(other:send_to(tostring(i), one:local_addr())) end,
    got = { "1", "2" },
  }
end

rows["datagram:recv"] = function()
  local one, other = net.UnixDatagram.pair()
  return {
    take = function(timeout) return (one:recv(timeout)) end,
    give = function(i) assert(other:send(tostring(i))) end,
    got = { "1", "2" },
  }
end

rows["datagram:send"] = function()
  local one, other = net.UnixDatagram.pair()
  local queued = 0
  while one:send("full", 0) do queued = queued + 1 end
  return {
    take = function(timeout, i) return one:send(tostring(i), timeout) end,
    give = function(i) -- it takes more than one to make room
      while i == 1 and queued > 0 do
        assert(other:recv(0) == "full")
        queued = queued - 1
      end
    end,
    told = function() return { (other:recv(0)), (other:recv(0)) } end,
    got = { "1", "2" },
  }
end

-- Has one wait and another one try, and calls fn with the row, what they got, and who was first.
local function compete(make, fn)
  tcp.run(function()
    local row, got, order = make(), {}, {}
    local first = tcp.waiting(function()
      got[1] = row.take(10, 1)
      order[1] = order[1] or "first"
    end)
    local third = momo.spawn(function()
      repeat
        got[2] = row.take(0, 2)
        if not got[2] then momo.yield_now() end
      until got[2]
      order[1] = order[1] or "third"
    end)
    momo.yield_now()
    fn(row, first, third, order)
    if row.got then
      assert.same(row.got, row.told and row.told() or got)
    end
    momo.stop()
  end)
end

local function join(task)
  assert(task:join(10))
end

describe("one that was woken and has not run yet", function()
  for name, make in pairs(rows) do
    it("is not overtaken where there is one: " .. name, function()
      for _ = 1, ROUNDS do
        compete(make, function(row, first, third, order)
          row.give(1)
          join(first)
          assert.same({ "first" }, order)
          row.give(2)
          join(third)
        end)
      end
    end)

    it("gets its own where there are two: " .. name, function()
      for _ = 1, ROUNDS do
        compete(make, function(row, first, third)
          row.give(1)
          row.give(2)
          join(first)
          join(third)
        end)
      end
    end)
  end
end)
