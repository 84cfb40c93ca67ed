---A loop whose tasks compute beyond the deadlines of others: what has come by then is had, and not told to be late.

local http = require "spec.support.http"
local momo = require "momo"
local tcp = require "spec.support.tcp"

local LIMIT = 0.1
local HUGE = ("x"):rep(1024 * 1024)

local function compute(seconds)
  local begun = momo.time.now()
  while momo.time.now() - begun < seconds do
    math.sqrt(begun)
  end
end

---What fn returns, in a task that waits in it when `come` is called; then the loop is busy until its time is over.
---@async
local function late(come, fn, ...)
  local waiting = tcp.waiting(fn, ...)
  come()
  compute(2 * LIMIT)
  return select(2, assert(waiting:join()))
end

local reads = {
  read = function(stream) return stream:read(nil, LIMIT) end,
  read_exact = function(stream) return stream:read_exact(6, LIMIT) end,
  read_until = function(stream) return stream:read_until("\n", nil, LIMIT) end,
  peek = function(stream) return stream:peek(6, LIMIT) end,
}

describe("what came while other tasks computed", function()
  after_each(tcp.check_nothing_left)

  for name, read in pairs(reads) do
    it("is had by " .. name, function()
      tcp.run(function()
        local one, other = tcp.pair()
        assert.equal("begun\n", late(function() other:write "begun\n" end, read, one))
        one:close()
        other:close()
      end)
    end)
  end

  it("is had by accept, recv_from and io.poll", function()
    tcp.run(function()
      local listener = tcp.listen()
      local client
      local stream = late(function()
        local connecting = momo.spawn(momo.net.TcpStream.connect, listener:local_addr())
        client = select(2, assert(connecting:join()))
      end, listener.accept, listener, LIMIT)
      stream:close()
      client:close()
      listener:close()

      local socket = assert(momo.net.UdpSocket.bind "127.0.0.1:0")
      local sender = assert(momo.net.UdpSocket.bind "127.0.0.1:0")
      assert.equal("x", late(function() sender:send_to("x", socket:local_addr()) end, socket.recv_from, socket, LIMIT))
      socket:close()
      sender:close()

      local one, other = tcp.pair()
      assert.equal("r", late(function() other:write "x" end, momo.io.poll, one:fd(), "r", LIMIT))
      one:close()
      other:close()
    end)
  end)

  it("is room to write", function()
    tcp.run(function()
      local one, other = tcp.pair()
      repeat
        local room = one:write_some(HUGE, nil, 0)
      until not room
      local bytes = late(function()
        repeat
          local some = other:read(nil, 0) -- waits for no turn of the loop
        until not some
      end, one.write_some, one, "x", nil, LIMIT)
      assert.equal(1, bytes)
      one:close()
      other:close()
    end)
  end)

  for name, row in pairs {
    ["the rest of a head"] = { { header_timeout = LIMIT }, "GET / HTTP/1.1\r\n" },
    ["the head of a connection's first request"] = { { header_timeout = LIMIT }, "" },
    ["the request that ends the idle time"] = { { idle_timeout = LIMIT }, "GET / HTTP/1.1\r\nHost: a\r\n\r\n" },
    ["the rest of a body"] = {
      { request_timeout = LIMIT }, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nx" },
  } do
    it("is " .. name .. ", which a server takes", function()
      http.with_server(function(request, response)
        response:send(200, assert(request:body()))
      end, row[1], function(connect)
        local stream, whole = connect(), "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nxyzw"
        stream:write(row[2])
        if name:find "idle" then
          assert.equal(200, http.answers(stream:read())[1].status)
        end
        tcp.settle()
        stream:write(name:find "rest of a body" and "yzw" or name:find "rest of a head" and "Host: a\r\n\r\n" or whole)
        compute(2 * LIMIT)
        assert.equal(200, http.answers(stream:read())[1].status)
        stream:close()
      end)
    end)
  end

  it("does not put off for ever what is not whole", function()
    tcp.run(function()
      local one, other = tcp.pair()
      local turns = 0
      local drip = momo.spawn(function()
        while turns < 1000 do
          turns = turns + 1
          other:write "x"
          compute(0.002)
          momo.yield_now()
        end
      end)
      local bytes, _, code = one:read_exact(5000, LIMIT)
      assert.is_nil(bytes)
      assert.equal("ETIMEDOUT", code)
      assert.is_true(turns < 1000)
      drip:cancel()
      drip:join()
      one:close()
      other:close()
    end)
  end)
end)
