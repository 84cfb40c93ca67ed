---Conversations that connect: clients and servers over TCP and Unix sockets, and datagrams.

local ffi = require "ffi"
local momo = require "momo"

pcall(ffi.cdef, "int getpid(void);")

local net = momo.net

local M = {}

-- Each client says who it is, and must be answered by name.
local function clients(world, random, connect, address, count)
  local actors = {}
  for i = 1, count do
    actors[i] = { "client", function(actor)
      for k = 1, random(3) do
        local stream
        actor:step("connect", function()
          local err, code
          stream, err, code = connect(address, actor:timeout())
          if not stream then
            world:failed("connect", err, code, "ETIMEDOUT ECONNREFUSED ECONNRESET ENOENT")
          end
        end)
        local name = ("client %d %d"):format(i, k)
        if stream then
          actor:step("talk", function()
            stream:set_timeout(random(3) == 1 and actor:ms(8) or nil)
            local ok = stream:write(name .. "\n")
            local answer, err, code = stream:read_until "\n"
            world:log(actor.name, "  answer", answer or err)
            if answer then
              world:expect(ok and answer == "hello " .. name .. "\n", "an answer to somebody else:", name, answer)
            else
              world:failed("answer", err, code, "ETIMEDOUT EOF ECONNRESET")
            end
          end)
          if random(4) > 1 then -- else the collector closes it
            stream:close()
          end
        end
      end
    end }
  end
  return actors
end

local function answer(stream)
  stream:set_timeout(0.05)
  local name = stream:read_until("\n", 100)
  if name then
    stream:write { "hello ", name }
  end
end

local function listening(world, random, listener, connect, address, at_close)
  local actors = clients(world, random, connect, address, random(4))
  local clients_left = #actors
  for _, client in ipairs(actors) do
    client[3] = function()
      clients_left = clients_left - 1
      if clients_left == 0 then
        listener:close()
      end
    end
  end
  local function close()
    listener:close()
    at_close()
  end
  if random(3) == 1 then
    actors[#actors + 1] = { "server", function(actor)
      actor:step("serve", function()
        local ok, err, code = net.serve(listener, answer, {
          max_connections = random(3) == 1 and random(3) or nil,
          drain = random(2) == 1 and 0.01 or nil,
        })
        if not ok then
          world:failed("serve", err, code, "")
        end
      end)
    end, function() listener:close() end }
  else
    for _ = 1, random(2) do
      actors[#actors + 1] = { "acceptor", function(actor)
        actor.left = 60
        local closed
        while actor:goes_on() and not closed do
          local stream
          actor:step("accept", function()
            local peer, code
            stream, peer, code = listener:accept(actor:timeout())
            if not stream then
              world:failed("accept", peer, code, "ETIMEDOUT EBADF ECANCELED ECONNABORTED")
              closed = code == "EBADF" or code == "ECANCELED"
            end
          end)
          if stream then
            actor:step("answer", function() answer(stream) end)
            stream:close()
          end
        end
      end, function() listener:close() end }
    end
  end
  if random(6) == 1 then
    world.hooks[#world.hooks + 1] = function() listener:close() end
  end
  return { actors = actors, close = close, check = function() end }
end

function M.tcp(world, random)
  local listener, err, code = net.TcpListener.bind("127.0.0.1:0", { backlog = random(4) == 1 and 1 or nil })
  if not listener then
    return world:failed("bind", err, code, "")
  end
  return listening(world, random, listener, net.TcpStream.connect, assert(listener:local_addr()), function() end)
end

function M.unix(world, random)
  M.paths = (M.paths or 0) + 1
  local path = ("/tmp/momo-fuzz-%d-%d-%d"):format(ffi.C.getpid(), world.seed, M.paths)
  local listener, err, code = net.UnixListener.bind(path, { backlog = random(4) == 1 and 1 or nil })
  if not listener then
    return world:failed("bind", err, code, "ENOENT")
  end
  return listening(world, random, listener, net.UnixStream.connect, path, function() os.remove(path) end)
end

-- Datagrams may get lost where a queue is full, but come whole, once and in order.
function M.datagrams(world, random)
  local reads, err, code = net.UdpSocket.bind "127.0.0.1:0"
  if not reads then
    return world:failed("bind", err, code, "")
  end
  local address = assert(reads:local_addr())
  local writes
  local connected = random(2) == 1
  if connected then
    writes, err, code = net.UdpSocket.connect(address)
  else
    writes, err, code = net.UdpSocket.bind "127.0.0.1:0"
  end
  if not writes then
    reads:close()
    return world:failed("bind", err, code, "")
  end
  local from = assert(writes:local_addr())
  local sent, got, seen, sending, receiving = 0, 0, {}, true, random(2)
  local actors = {
    { "datagram sender", function(actor)
      while actor:goes_on() and receiving > 0 do
        local text = ("%d %s"):format(sent + 1, ("d"):rep(random(4) == 1 and random(2000) or random(50)))
        actor:step("send", function()
          sent = sent + 1
          local ok, bytes, problem, number
          if connected then
            ok, bytes, problem, number = pcall(writes.send, writes, text, actor:timeout())
          else
            ok, bytes, problem, number = pcall(writes.send_to, writes, text, address, actor:timeout())
          end
          if not (ok and bytes) then
            sent = sent - 1
          end
          if not ok then
            error(bytes, 0)
          elseif not bytes then
            world:failed("send", problem, number, "ETIMEDOUT ECONNREFUSED ECANCELED EBADF")
          end
        end)
      end
    end, function()
      sending = false
      writes:close()
    end },
  }
  for _ = 1, receiving do
    actors[#actors + 1] = { "datagram receiver", function(actor)
      while actor:goes_on() and (sending or random(3) > 1) do
        actor:step("recv_from", function()
          local data, peer, problem = reads:recv_from(math.min(actor:timeout() or 0.005, 0.005))
          if not data then
            return world:failed("recv_from", peer, problem, "ETIMEDOUT ECANCELED EBADF")
          end
          local i, letters = data:match "^(%d+) (d*)$"
          i = tonumber(i)
          world:expect(i and i <= sent and not seen[i] and peer == from and #letters > 0,
            "a datagram came twice, or torn:", data:sub(1, 40), peer)
          seen[i or 0] = true
          got = got + 1
        end)
      end
    end, function()
      receiving = receiving - 1
      if receiving == 0 then
        reads:close()
      end
    end }
  end
  return {
    actors = actors,
    close = function()
      reads:close()
      writes:close()
    end,
    check = function() world:expect(got <= sent, "more datagrams came than were sent") end,
  }
end

return M
