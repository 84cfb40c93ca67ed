---Libraries that were written for OpenResty, unchanged, in tasks, with real servers; those that Debian has.

local beside = require "spec.support.beside"
local momo = require "momo"
local openresty = require "spec.support.openresty"
local tcp = require "spec.support.tcp"

package.path = package.path .. ";" .. openresty.path
require("momo.compat").install "ngx"
local ngx = _G.ngx

local run = tcp.run
local TASKS = 50

-- A name that a library has in Debian, or its own.
local function library(debian, own)
  local ok, found = pcall(require, debian)
  return ok and found or require(own)
end

-- Runs fn(i) in as many tasks at once as a library has to serve.
---@async
local function at_once(fn)
  momo.scope(function(scope)
    for i = 1, TASKS do
      scope:spawn(fn, i)
    end
  end)
end

describe("momo.compat, ngx:", function()
  if not openresty.is_there() then
    return pending "./dev test unpacks libraries for OpenResty, from Debian's packages"
  end
  after_each(tcp.check_nothing_left)

  ---@async
  local function with_redis(fn)
    run(function()
      local port = beside.free_port()
      beside.run({ "redis-server", "--port", port, "--bind", "127.0.0.1", "--save", "", "--appendonly", "no" }, port,
        function() fn(tonumber(port)) end)
    end)
  end

  ---@async
  local function redis_at(port)
    local redis = library("nginx.redis", "resty.redis"):new()
    redis:set_timeouts(5000, 5000, 5000)
    assert(redis:connect("127.0.0.1", port))
    return redis
  end

  it("runs lua-resty-redis with the real redis-server, in many tasks, on few connections", function()
    with_redis(function(port)
      at_once(function(i)
        for round = 1, 20 do
          local redis = redis_at(port)
          assert.equal("OK", redis:set("key" .. i, "value\r\n" .. round))
          assert.equal("value\r\n" .. round, redis:get("key" .. i))
          assert.equal(ngx.null, redis:get "none")
          redis:init_pipeline()
          redis:incr("count" .. i)
          redis:lpush("list" .. i, "a", "b")
          assert.same({ round, 2 * round }, redis:commit_pipeline())
          assert.equal(1, redis:set_keepalive(10000, TASKS))
        end
      end)
      local redis = redis_at(port)
      assert.is_true(redis:get_reused_times() > 0)
      local ok, err = redis:incr "list1"
      assert.is_false(ok)
      assert.matches("^WRONGTYPE", err)
      local clients = redis:client "list"
      assert(select(2, clients:gsub("\n", "")) <= TASKS + 1)
      redis:close()
    end)
  end)

  it("lets a time limit and a cancellation cut through it", function()
    with_redis(function(port)
      local redis = redis_at(port)
      redis:set_timeout(20)
      assert.same({ nil, "timeout" }, { redis:blpop("nothing", 0) })
      local waiting = tcp.waiting(function() return redis_at(port):blpop("nothing", 0) end)
      waiting:cancel()
      assert.is_false(waiting:join())
      local other = redis_at(port)
      local _, _, code = momo.time.timeout(0.02, other.blpop, other, "nothing", 0)
      assert.equal("ETIMEDOUT", code)
    end)
  end)

  it("delivers what is published to a subscription", function()
    with_redis(function(port)
      local redis = redis_at(port)
      assert(redis:subscribe "news")
      local publisher = redis_at(port)
      assert.equal(1, publisher:publish("news", "today"))
      assert.same({ "message", "news", "today" }, redis:read_reply())
    end)
  end)

  it("runs the connector of lua-resty-redis", function()
    with_redis(function(port)
      local connector = library("nginx.redis.connector", "resty.redis.connector")
      local redis = assert(connector.new { host = "127.0.0.1", port = port } :connect())
      assert.equal("OK", redis:set("a", "1"))
      assert.equal("1", redis:get "a")
    end)
  end)

  it("runs lua-resty-memcached with the real memcached", function()
    run(function()
      local port = beside.free_port()
      beside.run({ "memcached", "-l", "127.0.0.1", "-p", port, "-U", "0", "-u", "nobody" }, port, function()
        local memcached = library("nginx.memcached", "resty.memcached")
        at_once(function(i)
          for round = 1, 10 do
            local client = assert(memcached:new())
            client:set_timeout(5000)
            assert(client:connect("127.0.0.1", tonumber(port)))
            assert.equal(1, client:set("key " .. i, "value\r\n" .. round))
            assert.equal("value\r\n" .. round, (client:get("key " .. i)))
            assert.is_nil((client:get "none"))
            assert.equal(1, client:set_keepalive(10000, TASKS))
          end
        end)
        local client = assert(memcached:new())
        assert(client:connect("127.0.0.1", tonumber(port)))
        assert.equal(1, client:set("n", "1"))
        assert.equal(6, tonumber((client:incr("n", 5))))
        assert.is_string(client:version())
        client:close()
      end)
    end)
  end)

  local WEBSOCKETS = [[
import asyncio, sys, websockets
async def echo(socket):
    try:
        async for message in socket:
            await socket.send(message)
    except websockets.ConnectionClosed:
        pass
async def main():
    async with websockets.serve(echo, "127.0.0.1", int(sys.argv[1])):
        await asyncio.Future()
asyncio.run(main())]]

  it("runs lua-resty-websocket's client with a server of python3-websockets", function()
    run(function()
      local port = beside.free_port()
      beside.run({ "/usr/bin/python3", "-c", WEBSOCKETS, port, stderr = "null" }, port, function()
        local client = library("nginx.websocket.client", "resty.websocket.client")
        at_once(function(i)
          local socket = assert(client:new { timeout = 5000 })
          assert(socket:connect("ws://127.0.0.1:" .. port .. "/"))
          for _, text in ipairs { "hello " .. i, "", ("x"):rep(60000 - 59000 * (i % 2)) } do
            assert(socket:send_text(text))
            assert.same({ text, "text" }, { socket:recv_frame() })
          end
          assert(socket:send_binary "\0\1")
          assert.same({ "\0\1", "binary" }, { socket:recv_frame() })
          assert(socket:send_ping "p")
          assert.same({ "p", "pong" }, { socket:recv_frame() })
          assert(socket:close())
        end)
      end)
    end)
  end)

  -- A name server for a.example (two addresses, after a canonical name) and nothing else; over UDP it is silent for
  -- silent.example, and cuts long.example short, for which it wants to be asked over TCP.
  local function answer_of(query, over_tcp)
    local name, at = {}, 13
    while query:byte(at) ~= 0 do
      name[#name + 1] = query:sub(at + 1, at + query:byte(at))
      at = at + query:byte(at) + 1
    end
    name = table.concat(name, ".")
    local question, flags, answers, n = query:sub(13, at + 4), "\133\128", "", 0
    local function record(kind, data)
      n = n + 1
      answers = answers .. "\192\12\0" .. string.char(kind) .. "\0\1\0\0\0\60\0" .. string.char(#data) .. data
    end
    if name == "silent.example" then
      return nil
    elseif name == "long.example" and not over_tcp then
      flags = "\135\128"
    elseif name == "long.example" then
      record(16, "\4text")
    elseif name == "a.example" then
      record(1, "\127\0\0\1")
      record(1, "\127\0\0\2")
    else
      flags = "\133\131"
    end
    return query:sub(1, 2) .. flags .. "\0\1\0" .. string.char(n) .. "\0\0\0\0" .. question .. answers
  end

  it("runs lua-resty-dns with a name server, over UDP and TCP", function()
    run(function()
      local listener = tcp.listen()
      local address = listener:local_addr()
      local udp = assert(momo.net.UdpSocket.bind(address)) -- hardly anybody has its number for datagrams
      local serving = momo.spawn(function()
        while true do
          local query, from = udp:recv_from()
          local answer = answer_of(query)
          if answer then
            udp:send_to(answer, from)
          end
        end
      end)
      local listening = momo.spawn(function()
        while true do
          local stream = listener:accept()
          local n = stream:read_exact(2)
          local answer = answer_of(stream:read_exact(n:byte(1) * 256 + n:byte(2)), true)
          stream:write { string.char(math.floor(#answer / 256), #answer % 256), answer }
          stream:close()
        end
      end)
      local host, port = address:match "^(.*):(%d+)$"
      local resolver = library("nginx.dns.resolver", "resty.dns.resolver")
      local function ask(name, options)
        local one = assert(resolver:new { nameservers = { { host, tonumber(port) } }, retrans = 2, timeout = 50 })
        return one:query(name, options)
      end
      at_once(function()
        local answers = assert(ask("a.example", { qtype = 1 }))
        assert.same({ "127.0.0.1", "127.0.0.2" }, { answers[1].address, answers[2].address })
        assert.equal(60, answers[1].ttl)
        assert.equal(3, assert(ask "none.example").errcode)
      end)
      assert.equal("text", assert(ask("long.example", { qtype = 16 }))[1].txt)
      local answers, err = ask "silent.example"
      assert.is_nil(answers)
      assert.matches("timeout", err)
      serving:cancel()
      listening:cancel()
      serving:join()
      listening:join()
      udp:close()
      listener:close()
    end)
  end)

  local function int(value, bytes)
    local text = ""
    for _ = 1, bytes do
      text, value = string.char(value % 256) .. text, math.floor(value / 256)
    end
    return text
  end

  local function text(value)
    return int(#value, 2) .. value
  end

  -- A broker of Kafka with one topic, "words", of one partition; what it is sent comes into log.
  ---@async
  local function broker(stream, port, log)
    for size in function() return (stream:read_exact(4)) end do
      local a, b, c, d = size:byte(1, 4)
      local request = stream:read_exact(((a * 256 + b) * 256 + c) * 256 + d)
      local body = int(1, 4) .. text "words" .. int(1, 4) .. int(0, 4) .. int(0, 2) .. int(#log, 8)
      if request:byte(2) == 3 then
        body = int(1, 4) .. int(1, 4) .. text "127.0.0.1" .. int(port, 4) .. int(1, 4) .. int(0, 2) .. text "words" ..
          int(1, 4) .. int(0, 2) .. int(0, 4) .. int(1, 4) .. int(1, 4) .. int(1, 4) .. int(1, 4) .. int(1, 4)
      else
        for word in request:gmatch "word%d+" do
          log[#log + 1] = word
        end
      end
      stream:write { int(#body + 4, 4), request:sub(5, 8), body }
    end
    stream:close()
  end

  it("runs lua-resty-kafka's producer, which sends at once or by a timer", function()
    run(function()
      local listener, log = tcp.listen(), {}
      local port = tonumber(listener:local_addr():match "%d+$")
      momo.spawn_daemon(function()
        while true do
          momo.spawn_daemon(broker, (listener:accept()), port, log)
        end
      end)
      local producer = library("nginx.kafka.producer", "resty.kafka.producer")
      local brokers = { { host = "127.0.0.1", port = port } }
      at_once(function(i) -- a producer that sends at once is for one task
        local offset, err = producer:new(brokers):send("words", nil, "word" .. i)
        assert(offset, err)
      end)
      assert.equal(TASKS, #log)
      local async = producer:new(brokers, { producer_type = "async", flush_time = 5 }, "async")
      for i = 1, 10 do
        assert(async:send("words", nil, "word" .. i))
      end
      tcp.wait_for(function() return #log == TASKS + 10 end)
    end)
  end)

  it("runs lua-resty-string, by libcrypto, and lua-resty-lrucache", function()
    local to_hex = library("resty.string", "nginx.string").to_hex
    local hashes = {
      md5 = "900150983cd24fb0d6963f7d28e17f72", sha1 = "a9993e364706816aba3e25717850c26c9cd0d89d",
      sha256 = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
    }
    for name, expected in pairs(hashes) do
      local hash = library("nginx." .. name, "resty." .. name):new()
      hash:update "abc"
      assert.equal(expected, to_hex(hash:final()))
    end
    assert.equal(16, #library("nginx.random", "resty.random").bytes(16))
    local cache = require("resty.lrucache").new(2)
    cache:set("a", 1)
    cache:set("b", 2, 60)
    cache:set("c", 3)
    assert.same({ nil, 2, 3 }, { cache:get "a", (cache:get "b"), (cache:get "c") })
  end)
end)
