---momo.nats, and what servers say: in any pieces, of themselves and their cluster, and what none should say.

local beside = require "spec.support.beside"
local folder = require "spec.support.folder"
local momo = require "momo"
local nkey = require "momo.nats.nkey"
local nats = require "spec.support.nats"
local process = require "spec.support.process"
local random = require "spec.support.random"
local support = require "spec.support"
local tcp = require "spec.support.tcp"

local run, assert_failed = tcp.run, tcp.assert_failed

local GREETING = "INFO {\"max_payload\":1000,\"headers\":true}\r\nPONG\r\n"

describe("momo.nats:", function()
  teardown(process.stop_all)
  after_each(tcp.check_nothing_left)

  -- A server that greets, hears a subscription to a, says what it has to in pieces, and ends its side.
  ---@async
  local function with_server(bytes, size, fn, greeting)
    run(function()
      local listener = tcp.listen()
      local task = momo.spawn(function()
        local stream = listener:accept()
        stream:set_nodelay(true)
        local function say(text)
          for i = 1, #text, size do
            stream:write(text:sub(i, i + size - 1))
            momo.yield_now()
          end
        end
        say(greeting or GREETING)
        if stream:read_until "SUB a  1\r\n" then
          say(bytes)
          stream:shutdown()
        end
        local heard = stream:read_exact(1000) or stream:peek()
        stream:close()
        listener:close()
        return heard
      end)
      local client = assert(momo.nats.connect(listener:local_addr(), { reconnect = false, on_event = function() end }))
      fn(client:subscribe "a", client)
      client:close()
      assert(task:join())
    end)
  end

  it("takes bytes from the server however they are cut", function()
    local bytes = "MSG a 1 5\r\nhello\r\nHMSG a 1 back 20 22\r\nNATS/1.0\r\nA: b  \r\n\r\nxy\r\nPING\r\nPONG\r\n"
      .. "+OK\r\nMSG a 9 0\r\n\r\nINFO {\"max_payload\":5}\r\n-ERR 'Slow'\r\n"
    for size = 1, 20 do
      with_server(bytes, size, function(rx, client)
        assert.equal("hello", rx:recv(5).data)
        local second = rx:recv(5)
        assert.same({ "xy", "back", "b" }, { second.data, second.reply, second.headers.A })
        assert_failed("EOF", rx:recv(5))
        assert.equal(5, client.connection.link.info.max_payload)
      end)
    end
  end)

  local RUBBISH = {
    "WHAT\r\n", "\r\n", "MSG a b c\r\n", "MSG a 1\r\n", "MSG a 1 -5\r\n", "MSG a 1 b c 5\r\n",
    "MSG a 1 99999999999\r\n", "MSG a 1 " .. ("9"):rep(400) .. "\r\n", "MSG a 1 3\r\nhello\r\n",
    "MSG a 1 7\r\nhello\r\n..\r\n", "HMSG a 1 5 3\r\n", "HMSG a 1 5 5\r\nhello\r\n", "HMSG a 1 12 99999999999\r\n",
    "INFO\r\n", "INFO {\r\n", "INFO null\r\n", "INFO 5\r\n", "INFO {\"max_payload\":\"x\"}\r\n",
    "INFO {\"max_payload\":{}}\r\n", "\0\255\r\n", ("x"):rep(1024 * 1024 + 10),
  }
  for _, bytes in ipairs(RUBBISH) do
    it("gives a server up that says " .. ("%q"):format(bytes:sub(1, 40)), function()
      for _, size in ipairs { #bytes < 100 and 1 or 65536, #bytes } do
        with_server(bytes, size, function(rx) assert_failed("EPROTO", rx:recv(5)) end)
      end
    end)
  end

  it("gives a server up that ends in the midst of a message", function()
    for _, bytes in ipairs {
      "MS", "MSG a 1 5\r", "MSG a 1 5\r\nhel", "MSG a 1 5\r\nhello\r", "HMSG a 1 12 20\r\nNATS",
    } do
      with_server(bytes, 1, function(rx) assert_failed("EOF", rx:recv(5)) end)
    end
  end)

  it("does not fail of any bytes of a server's", function()
    local below = random.of(1)
    local whole = "MSG a 1 5\r\nhello\r\nHMSG a 1 b 21 23\r\nNATS/1.0 503\r\nA:b \r\n\r\nxy\r\nPING\r\nPONG\r\n+OK\r\n"
      .. "INFO {\"max_payload\":5,\"connect_urls\":[\"a:1\",5,{}],\"ldm\":true}\r\n-ERR 'x'\r\n"
    for _ = 1, 100 do
      local bytes = whole
      for _ = 0, below(3) do
        local at = 1 + below(#bytes)
        bytes = bytes:sub(1, at - below(2)) .. string.char(below(256)):rep(below(3)) .. bytes:sub(at + below(10))
      end
      with_server(bytes, #bytes, function(rx)
        local code
        repeat
          local message
          message, _, code = rx:recv(5)
        until not message
        assert(code == "EOF" or code == "EPROTO", code)
      end)
    end
  end)

  it("believes no beginning that is none", function()
    run(function()
      for _, greeting in ipairs {
        "HTTP/1.1 400 Bad Request\r\n", "INFO nothing\r\n", "INFO 5\r\n", "INFO null\r\n",
        "INFO {\"max_payload\":\"much\"}\r\n", "-ERR 'full'\r\n", ("x"):rep(1024 * 1024 + 10),
      } do
        local listener = tcp.listen()
        local task = momo.spawn(function()
          local stream = listener:accept()
          stream:write(greeting)
          stream:read()
          stream:close()
        end)
        assert_failed("EPROTO", momo.nats.connect(listener:local_addr()))
        task:join()
        listener:close()
      end
      local silent = tcp.listen()
      assert_failed("ETIMEDOUT", momo.nats.connect(silent:local_addr(), { connect_timeout = 0.05 }))
      silent:close()
    end)
  end)

  it("sends no headers to a server that takes none, and so is told of nobody's absence", function()
    local plain = nats.configured "no_header_support: true"
    run(function()
      local client = assert(momo.nats.connect(plain.url))
      assert_failed("EPROTONOSUPPORT", client:publish("a", "b", { headers = { C = "d" } }))
      assert_failed("EPROTONOSUPPORT", client:request("a", "b", 5, { C = "d" }))
      assert_failed("ETIMEDOUT", client:request("a", "b", 0.01))
      assert.is_true(client:flush(5))
      client:close()
    end)
  end)

  it("ends a subscription that the server does not allow", function()
    local closed = nats.configured [[authorization { users = [
      { user: a, password: b, permissions: { subscribe: ["ok", "_INBOX.>"] } } ] }]]
    run(function()
      local client = assert(momo.nats.connect(closed.url, { user = "a", password = "b", on_event = function() end }))
      local rx, grouped, good = client:subscribe "no", client:subscribe("no", { queue = "q" }), client:subscribe "ok"
      assert_failed("EACCES", rx:recv(5))
      assert_failed("EACCES", grouped:recv(5))
      client:publish("ok", "x")
      assert.equal("x", good:recv(5).data)
      client:close()
    end)
  end)

  it("sends the token and the signature of a file of credentials", function()
    local seed = "SUAMLK2ZNL35WSMW37E7UD4VZ7ELPKW7DHC3BWBSD2GCZ7IUQQXZIORRBU"
    local path = folder.make { ["user.creds"] = ([[
-----BEGIN NATS USER JWT-----
a.token.here
------END NATS USER JWT------

-----BEGIN USER NKEY SEED-----
%s
------END USER NKEY SEED------
]]):format(seed) } .. "/user.creds"
    run(function()
      local listener = tcp.listen()
      local task = momo.spawn(function()
        local stream = listener:accept()
        stream:write "INFO {\"nonce\":\"once\"}\r\nPONG\r\n"
        local line = stream:read_until "\r\n"
        stream:close()
        return require("cjson").decode(line:match "^CONNECT (.*)\r\n$")
      end)
      assert(momo.nats.connect(listener:local_addr(), { credentials = path, reconnect = false })):close()
      local _, words = task:join()
      local _, signature = nkey.sign(nkey.seed(seed), "once")
      local text = require("momo.http.base64").encode(signature):gsub("[+/=]", { ["+"] = "-", ["/"] = "_", ["="] = "" })
      assert.same({ "a.token.here", text }, { words.jwt, words.sig })
      listener:close()
      assert_failed("ENOENT", momo.nats.connect("127.0.0.1:1", { credentials = path .. ".no" }))
      assert_failed("EINVAL", momo.nats.connect("127.0.0.1:1", { credentials = os.getenv "MOMO_SOURCE_DIR" .. "/dev" }))
    end)
  end)

  describe("a cluster", function()
    local servers = require "momo.nats.servers"

    local function addresses(list)
      local texts = {}
      for i, server in ipairs(list) do
        texts[i] = server.address
      end
      return table.concat(texts, " ")
    end

    it("is what servers tell of it now, and what was given", function()
      local list = servers.list { "nats://u:p@one", "nats://two:5" }
      servers.add(list, { "10.0.0.1:4222", "one:4222", "[::1]:6", 5, "rub bish", "10.0.0.1:4222" }, list[1])
      assert.equal("one:4222 two:5 10.0.0.1:4222 [::1]:6", addresses(list))
      assert.same({ "u", "p" }, { list[3].user, list[3].password })
      servers.add(list, { "10.0.0.2:4222" }, list[3]) -- by one that tells nothing of itself
      assert.equal("one:4222 two:5 10.0.0.1:4222 10.0.0.2:4222", addresses(list))
      servers.add(list, { "10.0.0.2:4222" }, list[4])
      assert.equal("one:4222 two:5 10.0.0.2:4222", addresses(list))
      servers.add(list, nil, list[1])
      servers.add(list, {}, list[1])
      assert.equal("one:4222 two:5", addresses(list))
    end)

    it("has addresses whose certificates are of the name that was given", function()
      local list = servers.list "tls://nats.example.com"
      servers.add(list, { "10.0.0.1:4222", "other.example.com:4222" }, list[1])
      servers.add(list, { "10.0.0.1:4222", "10.0.0.2:4222" }, list[2])
      assert.same({ "nats.example.com", "nats.example.com", "nats.example.com" },
        { list[1].name, list[2].name, list[3].name })
    end)

    it("is told of by its servers, and of their end", function()
      local port = beside.free_port()
      local first = nats.configured(([[cluster { name: c, listen: "127.0.0.1:%s" }
        lame_duck_grace_period: "10ms"]]):format(port))
      local events, there = {}, nil
      run(function()
        local client = assert(momo.nats.connect(first.url, { on_event = function(event, text)
          events[#events + 1] = event
          there = event == "reconnected" and text or there
        end }))
        local rx = client:subscribe "a"
        client:flush(5)
        local second = nats.server("--cluster_name", "c", "--cluster", "nats://127.0.0.1:-1", "--routes",
          "nats://127.0.0.1:" .. port)
        tcp.wait_for(function() return client.connection.servers[2] end)
        assert.equal("127.0.0.1:" .. second.port, client.connection.servers[2].address)
        assert.equal(0, (support.shell("nats-server --signal ldm=" .. first.process.pid)))
        tcp.wait_for(function() return there end)
        assert.equal("127.0.0.1:" .. second.port, there)
        assert.equal("lame_duck", events[1])
        client:publish("a", "x")
        assert.equal("x", rx:recv(30).data)
        client:close()
      end)
    end)
  end)
end)
