---The rows of operations.lua for libraries' sockets, as momo.compat makes them: LuaSocket's and OpenResty's.

local momo = require "momo"
local tcp = require "spec.support.tcp"

require("momo.compat").install "luasocket"
require("momo.compat").install "ngx"
local ngx = _G.ngx
local semaphores = require "ngx.semaphore"
local socket = require "socket"

local MUCH = ("x"):rep(16 * 1024 * 1024) -- more than two sockets hold

local rows = {}

-- A cosocket, and the peer that it is connected with.
local function cosocket()
  local listener = tcp.listen()
  local one = ngx.socket.tcp()
  one:settimeout(1e12)
  assert(one:connect("127.0.0.1", tonumber(listener:local_addr():match "%d+$")))
  local peer = listener:accept()
  listener:close()
  return one, peer
end

-- The rows of what reads: first is there already, rest makes it complete, and no byte is lost meanwhile.
local function reading(first, rest, whole, read, pair)
  return function()
    local one, peer = pair()
    if first ~= "" then peer:write(first) end
    return {
      wait = function() return read(one) end,
      check = function()
        peer:write(rest)
        assert(read(one) == whole)
        one:close()
        peer:close()
      end,
    }
  end
end

-- What has sent some may not begin anew; it can still be closed.
local function writing(pair)
  return function()
    local one, peer = pair()
    return {
      once = true,
      wait = function() return one:send(MUCH) end,
      check = function()
        assert(one:close() == 1)
        peer:close()
      end,
    }
  end
end

local function line(one) return (one:receive()) end
local function seven(one) return (one:receive(7)) end
local function all(one) return (one:receive(1e6)) end

rows["ngx socket:receive"] = reading("par", "tial\n", "partial", line, cosocket)
rows["ngx socket:receive(n)"] = reading("par", "tial", "partial", seven, cosocket)
rows["ngx socket:receiveany"] = reading("", "any", "any", function(one) return (one:receiveany(10)) end, cosocket)
rows["ngx socket:receiveuntil"] = reading("par", "tial--", "partial", function(one)
  return (one:receiveuntil "--"())
end, cosocket)
rows["ngx socket:send"] = writing(cosocket)

rows["ngx socket:sslhandshake"] = function()
  local one, peer = cosocket()
  return {
    once = true,
    ends = true,
    wait = function() return one:sslhandshake(nil, "localhost") end,
    check = function()
      assert(select(2, one:close()) == "closed")
      peer:close()
    end,
  }
end

rows["ngx socket:connect"] = function()
  local full, streams = tcp.full_listener()
  local one = ngx.socket.tcp()
  one:settimeout(1e12)
  local port = tonumber(full:local_addr():match "%d+$")
  return {
    wait = function() return one:connect("127.0.0.1", port) end,
    check = function()
      assert(select(2, one:close()) == "closed")
      for _, stream in ipairs(streams) do stream:close() end
      full:close()
    end,
  }
end

rows["ngx socket:connect, where a place in the pool is waited for"] = function()
  local listener = tcp.listen()
  local port = tonumber(listener:local_addr():match "%d+$")
  local options = { pool = "operations " .. port, pool_size = 1, backlog = 1 }
  local first, one = ngx.socket.tcp(), ngx.socket.tcp()
  assert(first:connect("127.0.0.1", port, options))
  one:settimeout(1e12)
  return {
    wait = function() return one:connect("127.0.0.1", port, options) end,
    check = function()
      first:close()
      assert(one:connect("127.0.0.1", port, options)) -- it has the place now
      one:close()
      listener:close()
    end,
  }
end

rows["ngx udp:receive"] = function()
  local peer = assert(momo.net.UdpSocket.bind "127.0.0.1:0")
  local one = ngx.socket.udp()
  one:settimeout(1e12)
  assert(one:setpeername("127.0.0.1", tonumber(peer:local_addr():match "%d+$")))
  one:send "hello"
  local _, from = peer:recv_from()
  return {
    wait = function() return one:receive() end,
    check = function()
      peer:send_to("whole", from)
      assert(one:receive() == "whole")
      one:close()
      peer:close()
    end,
  }
end

rows["ngx.sleep"] = function()
  return { wait = function() ngx.sleep(1e6) end }
end

rows["ngx.thread.wait"] = function()
  local thread = ngx.thread.spawn(function() ngx.sleep(1e6) end)
  return { wait = function() return ngx.thread.wait(thread) end, check = function() ngx.thread.kill(thread) end }
end

rows["ngx.thread.wait for several"] = function()
  local one = ngx.thread.spawn(function() ngx.sleep(1e6) end)
  local other = ngx.thread.spawn(function() ngx.sleep(1e6) end)
  return {
    wait = function() return ngx.thread.wait(one, other) end,
    check = function()
      ngx.thread.kill(one)
      ngx.thread.kill(other)
    end,
  }
end

rows["ngx semaphore:wait"] = function()
  local semaphore = semaphores.new(0)
  return {
    wait = function() return semaphore:wait(1e6) end,
    check = function()
      assert(semaphore:count() == 0)
      semaphore:post()
      assert(semaphore:count() == 1 and semaphore:wait(0))
    end,
  }
end

-- A socket of LuaSocket's, and the peer that it is connected with.
local function luasocket()
  local listener = tcp.listen()
  local one = assert(socket.connect("127.0.0.1", tonumber(listener:local_addr():match "%d+$")))
  local peer = listener:accept()
  listener:close()
  return one, peer
end

rows["luasocket stream:receive"] = reading("par", "tial\n", "partial", line, luasocket)
rows["luasocket stream:receive(n)"] = reading("par", "tial", "partial", seven, luasocket)
rows["luasocket stream:receive of much"] = reading(MUCH:sub(1, 1e5), MUCH:sub(1, 9e5), MUCH:sub(1, 1e6), all, luasocket)
rows["luasocket stream:receive(0)"] = reading("", "x", "", function(one) return (one:receive(0)) end, luasocket)
rows["luasocket stream:send"] = writing(luasocket)

rows["luasocket stream:accept"] = function()
  local listener = assert(socket.bind("127.0.0.1", 0))
  local _, port = listener:getsockname()
  return {
    wait = function() return listener:accept() end,
    check = function()
      local one = assert(socket.connect("127.0.0.1", port))
      assert(listener:accept()):close()
      one:close()
      listener:close()
    end,
  }
end

rows["luasocket stream:connect"] = function()
  local full, streams = tcp.full_listener()
  local port = tonumber(full:local_addr():match "%d+$")
  return {
    wait = function() return socket.tcp():connect("127.0.0.1", port) end,
    check = function()
      for _, stream in ipairs(streams) do stream:close() end
      full:close()
    end,
  }
end

rows["luasocket udp:receive"] = function()
  local one, other = socket.udp(), socket.udp()
  one:setsockname("127.0.0.1", 0)
  return {
    wait = function() return one:receive() end,
    check = function()
      other:sendto("whole", one:getsockname())
      assert(one:receive() == "whole")
      one:close()
      other:close()
    end,
  }
end

rows["luasocket select, of an object with a descriptor"] = function()
  local one, peer = luasocket()
  local object = { getfd = function() return one:getfd() end }
  local function wait() return socket.select({ object }, nil) end
  return {
    wait = wait,
    check = function()
      peer:write "x"
      assert(wait()[1] == object and one:receive(1) == "x")
      one:close()
      peer:close()
    end,
  }
end

rows["luasocket sleep"] = function()
  return { wait = function() socket.sleep(1e6) end }
end

return rows
