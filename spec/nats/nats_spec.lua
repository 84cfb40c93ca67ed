---momo.nats with the real nats-server.

local certs = require "spec.support.certs"
local momo = require "momo"
local nats = require "spec.support.nats"
local process = require "spec.support.process"
local tcp = require "spec.support.tcp"

local run, assert_failed = tcp.run, tcp.assert_failed

describe("momo.nats:", function()
  local server

  setup(function() server = nats.server() end)
  teardown(process.stop_all)
  after_each(tcp.check_nothing_left)

  ---@async
  local function with_client(fn, options)
    run(function()
      local client = assert(momo.nats.connect(server.url, options))
      fn(client)
      client:close()
    end)
  end

  describe("publish", function()
    it("reaches who has subscribed, in order, with all bytes", function()
      with_client(function(client)
        local rx = client:subscribe "a.*.c"
        local all = client:subscribe "a.>"
        for i = 1, 100 do
          assert.is_true(client:publish("a.b.c", "\0\r\nMSG a 1 5\r\n" .. i))
        end
        client:publish("a.b", "")
        for i = 1, 100 do
          local message = assert(rx:recv(5))
          assert.same({ "a.b.c", "\0\r\nMSG a 1 5\r\n" .. i }, { message.subject, message.data })
          assert.is_nil(message.reply)
          assert.is_nil(message.headers)
          assert.equal(message.data, all:recv(5).data)
        end
        assert.equal("", all:recv(5).data)
        assert_failed("ETIMEDOUT", rx:recv(0))
      end)
    end)

    it("carries headers", function()
      with_client(function(client)
        local rx = client:subscribe "h"
        client:publish("h", "data", { headers = { One = "1", Many = { "a", "b:c" }, Empty = "" }, reply = "back" })
        local message = assert(rx:recv(5))
        assert.same({ One = "1", Many = { "a", "b:c" }, Empty = "" }, message.headers)
        assert.same({ "data", "back" }, { message.data, message.reply })
      end)
    end)

    it("refuses what would break the protocol", function()
      with_client(function(client)
        for _, subject in ipairs {
          "", "a b", "a\r\nPUB b 0", "a\tb", "a\0", 5, ".", ".a", "a.", "a..b", ">.a", "a.>.b",
        } do
          assert.error_matches(function() client:publish(subject, "x") end,
            "publish: the subject must be words with dots between, without spaces, got ")
          assert.error_matches(function() client:subscribe(subject) end, "subscribe: the subject must be words")
          assert.error_matches(function() client:request(subject, "x") end, "request: the subject must be words")
        end
        assert.error_matches(function() client:publish("a", "x", { reply = "b 1" }) end, "option reply must be words")
        assert.error_matches(function() client:publish("a", 5) end, "publish: the data must be a string, got 5")
        assert.error_matches(function() client:publish("a", "", { headers = { ["a b"] = "c" } }) end,
          "the name of a header must be printable")
        assert.error_matches(function() client:publish("a", "", { headers = { a = "c\r\nd: e" } }) end,
          "header a must be a string without line breaks")
        assert.error_matches(function() client:subscribe("a", { queue = "b c" }) end, "option queue must be words")
      end)
    end)

    it("refuses what the server would refuse for its size", function()
      with_client(function(client)
        local rx = client:subscribe "big"
        assert_failed("EMSGSIZE", client:publish("big", ("x"):rep(1024 * 1024 + 1)))
        local most = ("0123456789abcdef"):rep(65536)
        assert.is_true(client:publish("big", most))
        assert.is_true(most == rx:recv(5).data)
      end)
    end)

    it("waits while the outbox is full, and gives up at its time limit", function()
      with_client(function(client)
        local filler = ("x"):rep(1000)
        for _ = 1, 63 do
          client:publish("full", filler) -- nothing is written before this task waits
        end
        assert_failed("ETIMEDOUT", client:publish("full", filler, { timeout = 0 }))
        assert.is_true(client:publish("full", filler))
        assert.is_true(client:flush(5))
      end, { outbox = 64000 })
    end)
  end)

  describe("request", function()
    it("gets the answer, also many at once", function()
      with_client(function(client)
        local service = client:subscribe "double"
        momo.spawn(function()
          for message in service:iter() do
            message:respond(tostring(2 * message.data), { headers = { Of = message.data } })
          end
        end)
        momo.scope(function(scope)
          for i = 1, 100 do
            scope:spawn(function()
              local answer = assert(client:request("double", tostring(i), 5))
              assert.same({ tostring(2 * i), tostring(i) }, { answer.data, answer.headers.Of })
            end)
          end
        end)
      end)
    end)

    it("hears at once that nobody is there, and of a limit", function()
      with_client(function(client)
        assert_failed("EHOSTUNREACH", client:request("nobody", "x", 5))
        local rx = client:subscribe "deaf"
        assert_failed("ETIMEDOUT", client:request("deaf", "x", 0.01))
        assert.equal("x", rx:recv(5).data)
        client:publish("deaf", "y")
        assert_failed("EDESTADDRREQ", rx:recv(5):respond "z")
      end)
    end)

    it("leaves nothing behind when it is cancelled", function()
      with_client(function(client)
        client:subscribe "deaf"
        local task = tcp.waiting(function() client:request("deaf", "x") end)
        task:cancel()
        task:join()
        assert.is_nil(next(client.connection.requests))
      end)
    end)

    it("leaves nothing behind when it can't be put out, and its limit is that of all of it", function()
      with_client(function(client)
        client:subscribe "deaf"
        client:flush(5)
        assert_failed("EMSGSIZE", client:request("deaf", ("x"):rep(1024 * 1024 + 1)))
        local filler = ("x"):rep(64000)
        client:publish("full", filler) -- nothing is written before this task waits
        assert_failed("ETIMEDOUT", client:request("deaf", "x", 0))
        client:publish("full", filler)
        local task = momo.spawn(client.request, client, "deaf", "x")
        task:cancel()
        task:join()
        assert.is_nil(next(client.connection.requests))
      end, { outbox = 64000 })
    end)
  end)

  describe("a subscription", function()
    it("shares messages with others of its queue", function()
      with_client(function(client)
        local other = assert(momo.nats.connect(server.url))
        local one, two = client:subscribe("jobs", { queue = "q" }), other:subscribe("jobs", { queue = "q" })
        other:flush(5)
        for i = 1, 100 do
          client:publish("jobs", tostring(i))
        end
        client:flush(5)
        other:flush(5)
        local seen, n = {}, 0
        for _, rx in ipairs { one, two } do
          for message in function() return (rx:recv(0)) end do
            assert.is_nil(seen[message.data])
            seen[message.data], n = true, n + 1
          end
        end
        assert.equal(100, n)
        other:close()
      end)
    end)

    it("ends after so many messages, by close, and with its client", function()
      with_client(function(client)
        local rx = client:subscribe("a", { max = 2 })
        for _ = 1, 3 do
          client:publish("a", "x")
        end
        local n = 0
        for _ in rx:iter() do
          n = n + 1
        end
        assert.equal(2, n)
        assert_failed("EOF", rx:recv())
        rx = client:subscribe "a"
        rx:close()
        rx:close()
        assert_failed("EBADF", rx:recv())
        client:publish("a", "x")
        client:flush(5)
        rx = client:subscribe "a"
        local task = tcp.waiting(function() assert_failed("EOF", rx:recv()) end)
        client:close()
        assert.is_true(task:join())
      end)
    end)

    it("is taken by select", function()
      with_client(function(client)
        local one, two = client:subscribe "one", client:subscribe "two"
        client:publish("two", "x")
        local index, message = momo.select { one, two }
        assert.same({ 2, "x" }, { index, message.data })
        client:publish("one", "y")
        client:flush(5)
        index, message = momo.select { one, two }
        assert.same({ 1, "y" }, { index, message.data })
      end)
    end)

    local function overrun(policy)
      local events = {}
      local got, subscription = {}, nil
      with_client(function(client)
        local rx = client:subscribe("a", { capacity = 3, policy = policy })
        for i = 1, 6 do
          client:publish("a", tostring(i))
        end
        client:flush(5)
        for message in function() return (rx:recv(0)) end do
          got[#got + 1] = message.data
        end
        subscription = { rx.dropped, select(3, rx:recv(0)) }
      end, { on_event = function(event) events[#events + 1] = event end })
      return table.concat(got, " "), subscription, events
    end

    it("drops the newest, the oldest, or ends, when nobody receives", function()
      local got, state, events = overrun()
      assert.same({ "1 2 3", { 3, "ETIMEDOUT" }, { "slow_consumer" } }, { got, state, events })
      got, state, events = overrun "drop_oldest"
      assert.same({ "4 5 6", { 3, "ETIMEDOUT" }, { "slow_consumer" } }, { got, state, events })
      got, state = overrun "close"
      assert.same({ "1 2 3", { 0, "ENOBUFS" } }, { got, state })
    end)

    it("reads no further while it is full, if it shall wait", function()
      with_client(function(client)
        local rx = client:subscribe("a", { capacity = 2, policy = "wait" })
        for i = 1, 100 do
          client:publish("a", tostring(i))
        end
        assert_failed("ETIMEDOUT", client:flush(0.05)) -- its answer stands behind what is not received
        for i = 1, 100 do
          assert.equal(tostring(i), rx:recv(5).data)
        end
        assert.is_true(client:flush(5))
      end)
    end)
  end)

  describe("drain", function()
    it("loses nothing that has come, nor an answer to it", function()
      run(function()
        local worker, asker = assert(momo.nats.connect(server.url)), assert(momo.nats.connect(server.url))
        local jobs = worker:subscribe("slow", { queue = "workers" })
        local task = momo.spawn(function()
          local n = 0
          for message in jobs:iter() do
            momo.time.sleep(0.001)
            message:respond "done"
            n = n + 1
          end
          return n
        end)
        worker:flush(5)
        local answers = asker:subscribe "answers"
        for _ = 1, 50 do
          asker:publish("slow", "x", { reply = "answers" })
        end
        asker:flush(5)
        assert.is_true(worker:drain(10))
        assert.equal("closed", worker:status())
        local _, n = task:join()
        assert.equal(50, n)
        for _ = 1, 50 do
          assert.equal("done", assert(answers:recv(5)).data)
        end
        assert_failed("EBADF", worker:publish("a", "b"))
        assert_failed("EBADF", worker:subscribe "a")
        assert_failed("EBADF", worker:request("a", "b"))
        assert_failed("EBADF", worker:flush())
        assert_failed("EBADF", worker:drain())
        asker:close()
      end)
    end)

    it("ends at its time limit where somebody does not receive", function()
      run(function()
        local client = assert(momo.nats.connect(server.url))
        client:subscribe "a"
        client:publish("a", "x")
        assert_failed("ETIMEDOUT", client:drain(0.05))
        assert.equal("closed", client:status())
      end)
    end)

    it("ends all the same when it is cancelled", function()
      run(function()
        local client = assert(momo.nats.connect(server.url))
        client:subscribe "a"
        client:publish("a", "x")
        local task = tcp.waiting(function() client:drain(30) end)
        task:cancel()
        task:join()
        assert.equal("closed", client:status())
        client = assert(momo.nats.connect(server.url))
        local rx = client:subscribe "a"
        task = momo.spawn(rx.drain, rx)
        momo.yield_now()
        task:cancel()
        task:join()
        assert_failed("EOF", rx:recv(30))
        client:close()
      end)
    end)
  end)

  describe("connect", function()
    it("tries each server, and tells why none takes us", function()
      run(function()
        local free = tcp.listen()
        local dead = "nats://" .. free:local_addr()
        free:close()
        assert_failed("ECONNREFUSED", momo.nats.connect(dead))
        local client = assert(momo.nats.connect { dead, server.url })
        assert.equal("connected", client:status())
        client:close()
      end)
    end)

    it("refuses URLs that are none", function()
      run(function()
        for _, url in ipairs { "", "http://a", "nats://", "nats://a b", "nats://a:b", "a:1:2" } do
          assert.error_matches(function() momo.nats.connect(url) end, "nats.connect: a URL is nats://")
        end
        assert.error_matches(function() momo.nats.connect {} end, "argument 1 must be a URL")
        assert.error_matches(function() momo.nats.connect(server.url, { nosuch = 1 }) end, "there is no option")
      end)
    end)

    it("authenticates by password, token and key, and is told when it may not", function()
      local nkey = require "momo.nats.nkey"
      local seed = "SUAMLK2ZNL35WSMW37E7UD4VZ7ELPKW7DHC3BWBSD2GCZ7IUQQXZIORRBU"
      local public = nkey.sign(nkey.seed(seed), "")
      local closed = nats.configured(([[authorization { users = [
        { user: ada, password: "s3:c@t" }, { nkey: %s } ] }]]):format(public))
      local token = nats.configured [[authorization { token: "t0k" }]]
      run(function()
        local place, other = closed.url:match "//(.*)", token.url:match "//(.*)"
        for _, case in ipairs {
          { "nats://ada:s3%3Ac%40t@" .. place },
          { closed.url, { user = "ada", password = "s3:c@t" } },
          { "nats://t0k@" .. other },
          { token.url, { token = "t0k" } },
          { closed.url, { nkey = seed } },
        } do
          local client = assert(momo.nats.connect(case[1], case[2]))
          assert.is_true(client:flush(5))
          client:close()
        end
        assert_failed("EACCES", momo.nats.connect(closed.url))
        assert_failed("EACCES", momo.nats.connect("nats://ada:no@" .. place))
        assert_failed("EINVAL", momo.nats.connect(closed.url, { nkey = "SUAM" }))
      end)
    end)

    it("speaks TLS where the server wants it, and believes nobody else", function()
      local leaf = certs.localhost()
      local secure = nats.server("--tls", "--tlscert", leaf.cert_path, "--tlskey", leaf.key_path)
      run(function()
        local trusting = assert(momo.tls.client { ca = certs.root().cert })
        local client = assert(momo.nats.connect("tls://localhost:" .. secure.port, { tls = trusting }))
        assert.is_true(client:flush(5))
        client:close()
        assert_failed("ETLS", momo.nats.connect(secure.url))
        assert_failed("EPROTO", momo.nats.connect((server.url:gsub("nats:", "tls:"))))
      end)
    end)
  end)

  it("tells of what a server forbids", function()
    local events = {}
    local closed = nats.configured [[authorization { users = [
      { user: a, password: b, permissions: { publish: "ok" } } ] }]]
    run(function()
      local client = assert(momo.nats.connect(closed.url, { user = "a", password = "b", on_event = function(event, text)
        events[#events + 1] = event .. ": " .. text
      end }))
      client:publish("forbidden", "x")
      client:flush(5)
      client:close()
    end)
    assert.matches("error: .*Permissions Violation for Publish to \"forbidden\"", events[1])
  end)

  describe("a link that breaks", function()
    it("is made again, with subscriptions; what waits is sent; requests go on", function()
      local mortal = nats.server()
      local events = {}
      run(function()
        local client = assert(momo.nats.connect(mortal.url, { on_event = function(event)
          events[#events + 1] = event
        end }))
        local rx, limited = client:subscribe "a", client:subscribe("a", { max = 3 })
        client:publish("a", "before")
        assert.equal("before", rx:recv(5).data)
        assert.equal("before", limited:recv(5).data)
        nats.kill(mortal)
        tcp.wait_for(function() return client:status() == "reconnecting" end)
        client:publish("a", "meanwhile")
        local late = client:subscribe "late"
        client:publish("late", "too")
        nats.start(mortal)
        assert.equal("meanwhile", rx:recv(30).data)
        assert.equal("too", late:recv(30).data)
        client:publish("a", "3")
        client:publish("a", "4")
        assert.is_true(client:flush(5))
        assert.same({ "meanwhile", "3" }, { limited:recv(5).data, limited:recv(5).data })
        assert_failed("EOF", limited:recv(5))
        client:close()
      end)
      assert.same({ "disconnected", "reconnected" }, events)
    end)

    it("ends all that waits, if it shall not be made again", function()
      local mortal = nats.server()
      run(function()
        local client = assert(momo.nats.connect(mortal.url, { reconnect = false }))
        local rx = client:subscribe "a"
        local reader = tcp.waiting(function() return select(3, rx:recv()) end)
        local asker = tcp.waiting(function() return select(3, client:request("a", "b", 30)) end)
        nats.kill(mortal)
        for _, task in ipairs { reader, asker } do
          local ok, code = task:join()
          assert.is_true(ok)
          assert(code == "EOF" or code == "ECONNRESET" or code == "EPIPE", code)
        end
        assert.equal("closed", client:status())
      end)
    end)

    it("is found dead when it answers nothing", function()
      local mortal = nats.server()
      local events = {}
      run(function()
        local client = assert(momo.nats.connect(mortal.url, { ping_interval = 0.02, on_event = function(_, text)
          events[#events + 1] = text
        end }))
        os.execute("kill -STOP " .. mortal.process.pid)
        tcp.wait_for(function() return events[1] end)
        assert.matches("ETIMEDOUT: 127.0.0.1:%d+ does not answer any more", events[1])
        os.execute("kill -CONT " .. mortal.process.pid)
        client:close()
      end)
    end)

    it("leads to another server of its cluster", function()
      local first = nats.server("--cluster_name", "c", "--cluster", "nats://127.0.0.1:-1")
      run(function()
        local there
        local client = assert(momo.nats.connect({ first.url, server.url }, { on_event = function(event, text)
          there = event == "reconnected" and text
        end }))
        local rx = client:subscribe "a"
        nats.kill(first)
        tcp.wait_for(function() return there end)
        assert.equal(server.url, "nats://" .. there)
        client:publish("a", "x")
        assert.equal("x", rx:recv(30).data)
        client:close()
      end)
    end)
  end)

  it("says what waits, when the program ends without a close", function()
    local heard
    run(function()
      local listener = assert(momo.nats.connect(server.url))
      local rx = listener:subscribe "last"
      listener:flush(5)
      local speaker = assert(momo.nats.connect(server.url))
      speaker:publish("last", "words")
      speaker.connection.task:cancel()
      heard = assert(rx:recv(5)).data
      listener:close()
    end)
    assert.equal("words", heard)
  end)

  it("keeps no program alive that does not close it, and what was published goes out", function()
    local heard
    run(function()
      local listener = assert(momo.nats.connect(server.url))
      local rx = listener:subscribe "left"
      listener:flush(5)
      momo.spawn(function()
        heard = assert(rx:recv(5)).data
      end)
      assert(momo.nats.connect(server.url)):publish("left", "open")
    end)
    assert.equal("open", heard)
  end)
end)
