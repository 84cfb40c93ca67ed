---JetStream and its values by key, with the real nats-server.

local momo = require "momo"
local nats = require "spec.support.nats"
local process = require "spec.support.process"
local tcp = require "spec.support.tcp"

local run, assert_failed = tcp.run, tcp.assert_failed

describe("momo.nats, JetStream:", function()
  local server, count = nil, 0

  setup(function() server = nats.jetstream() end)
  teardown(process.stop_all)
  after_each(tcp.check_nothing_left)

  ---@async
  local function with_stream(fn, settings)
    count = count + 1
    local name = "S" .. count
    run(function()
      local client = assert(momo.nats.connect(server.url))
      local jetstream = client:jetstream()
      settings = settings or {}
      settings.name, settings.subjects = name, { name .. ".>" }
      assert(jetstream:stream(settings))
      fn(jetstream, name, client)
      assert.is_true(jetstream:delete_stream(name))
      client:close()
    end)
  end

  it("stores what is published, once for each id", function()
    with_stream(function(jetstream, name)
      local ack = assert(jetstream:publish(name .. ".a", "one", { id = "1" }))
      assert.same({ name, 1 }, { ack.stream, ack.seq })
      assert.is_nil(ack.duplicate)
      assert.is_true(assert(jetstream:publish(name .. ".a", "one", { id = "1" })).duplicate)
      assert_failed("ESTALE", jetstream:publish(name .. ".a", "two", { expect_last_sequence = 7 }))
      assert.equal(2, assert(jetstream:publish(name .. ".a", "two", { expect_last_sequence = 1 })).seq)
      assert.equal(2, assert(jetstream:stream_info(name)).state.messages)
    end)
  end)

  it("tells when no stream takes it, and of streams that are not there", function()
    with_stream(function(jetstream)
      assert_failed("EHOSTUNREACH", jetstream:publish("elsewhere", "x", { timeout = 0.1 }))
      assert_failed("ENOENT", jetstream:stream_info "NOSUCH")
      assert_failed("ENOENT", jetstream:delete_stream "NOSUCH")
      assert_failed("ENOENT", jetstream:consumer("NOSUCH", "c"))
      assert.error_matches(function() jetstream:stream_info "a.b" end, "a name must be a text without spaces, dots")
    end)
  end)

  it("holds what is published against what is expected to be there", function()
    with_stream(function(jetstream, name)
      local subject = name .. ".a"
      assert.equal(1, assert(jetstream:publish(subject, "x", { expect_stream = name, expect_last_sequence = 0 })).seq)
      assert_failed("EREMOTEIO", jetstream:publish(subject, "x", { expect_stream = "other" }))
      assert.equal(2, assert(jetstream:publish(subject, "x", { expect_last_subject_sequence = 1, id = "i" })).seq)
      assert_failed("ESTALE", jetstream:publish(subject, "x", { expect_last_subject_sequence = 1 }))
      assert_failed("ESTALE", jetstream:publish(subject, "x", { expect_last_id = "h" }))
      assert.equal(3, assert(jetstream:publish(subject, "x", { expect_last_id = "i" })).seq)
    end)
  end)

  it("takes times of years, which are numbers of many digits", function()
    local year = 365 * 86400 * 1e9
    with_stream(function(jetstream, name)
      assert.equal(year, assert(jetstream:stream_info(name)).config.max_age)
      local consumer = assert(jetstream:consumer(name, "c", { ack_wait = 2 * 86400e9 }))
      assert(jetstream:publish(name .. ".a", "x"))
      local message = assert(consumer:next(2 * 86400))
      assert.is_true(message:nak(2 * 86400))
      assert_failed("ETIMEDOUT", consumer:next(0.01))
      assert(jetstream:key_value("YEARS", { ttl = 365 * 86400, storage = "memory" }))
      assert.equal(year, assert(jetstream:stream_info "KV_YEARS").config.max_age)
      assert(jetstream:delete_stream "KV_YEARS")
    end, { max_age = year })
  end)

  it("gives a message again after the delay that was asked for", function()
    with_stream(function(jetstream, name)
      local consumer = assert(jetstream:consumer(name, "c"))
      assert(jetstream:publish(name .. ".a", "x"))
      local began = momo.time.now()
      assert.is_true(consumer:next(5):nak(0.1))
      assert.equal(2, assert(consumer:next(5)):metadata().delivered)
      assert(momo.time.now() - began >= 0.1)
    end)
  end)

  it("gives each message until it is acknowledged", function()
    with_stream(function(jetstream, name)
      local consumer = assert(jetstream:consumer(name, "c", { ack_wait = 0.2e9 }))
      for i = 1, 5 do
        assert(jetstream:publish(name .. ".a", tostring(i), { headers = { N = tostring(i) } }))
      end
      local got = assert(consumer:fetch(10, 0))
      assert.equal(5, #got)
      local facts = got[2]:metadata()
      assert.same({ name, "c", 1, 2, 2, 3 },
        { facts.stream, facts.consumer, facts.delivered, facts.sequence, facts.consumer_sequence, facts.pending })
      assert(math.abs(facts.time - os.time()) < 60)
      assert.equal("2", got[2].headers.N)
      assert.is_true(got[1]:ack_sync(5))
      assert.is_true(got[2]:ack())
      assert.is_true(got[3]:nak())
      assert.is_true(got[4]:term())
      local again = assert(consumer:next(5))
      assert.same({ "3", 2 }, { again.data, again:metadata().delivered })
      assert.is_true(again:ack_sync())
      assert.is_true(got[5]:in_progress())
      local late = assert(consumer:next(5)) -- its time was over
      assert.same({ "5", 2 }, { late.data, late:metadata().delivered })
      assert.is_true(late:ack_sync())
      assert_failed("ETIMEDOUT", consumer:next(0))
      assert_failed("ETIMEDOUT", consumer:fetch(3, 0.3))
      assert.equal(0, assert(consumer:info()).num_ack_pending)
    end)
  end)

  it("waits for messages, and iterates until the consumer is deleted", function()
    with_stream(function(jetstream, name)
      local consumer = assert(jetstream:consumer(name, "c"))
      local waiting = tcp.waiting(function() return consumer:next() end)
      local all = momo.spawn(function()
        local n = 0
        for message in consumer:iter(7) do
          n = n + 1
          message:ack()
        end
        return n
      end)
      for i = 1, 30 do
        assert(jetstream:publish(name .. ".a", tostring(i)))
      end
      local _, message = waiting:join()
      message:ack_sync()
      tcp.wait_for(function() return assert(consumer:info()).num_pending == 0 end)
      tcp.wait_for(function() return assert(consumer:info()).num_ack_pending == 0 end)
      assert.is_true(jetstream:delete_consumer(name, "c"))
      local _, n = all:join()
      assert.equal(29, n)
    end)
  end)

  it("leaves no subscription behind when a fetch is cancelled", function()
    with_stream(function(jetstream, name, client)
      local consumer = assert(jetstream:consumer(name, "c"))
      local task = tcp.waiting(function() consumer:next() end)
      task:cancel()
      task:join()
      local n = 0
      for _ in pairs(client.connection.subscriptions) do
        n = n + 1
      end
      assert.equal(1, n) -- that of the answers
    end)
  end)

  it("asks anew when a link was lost, or the server ended and came again", function()
    local mortal = nats.jetstream()
    run(function()
      local client = assert(momo.nats.connect(mortal.url, { on_event = function() end }))
      local jetstream = client:jetstream()
      assert(jetstream:stream { name = "J", subjects = { "j" } })
      local consumer = assert(jetstream:consumer("J", "c"))
      local got = {}
      momo.spawn(function()
        for message in consumer:iter() do
          got[#got + 1] = message.data
          message:ack()
        end
      end)
      for i, ending in ipairs { nats.kill, function() process.stop(mortal.process) end } do
        tcp.wait_for(function() return (consumer:info() or {}).num_waiting == 1 end)
        ending(mortal)
        nats.start(mortal)
        tcp.wait_for(function() return jetstream:publish("j", tostring(i)) end)
        tcp.wait_for(function() return got[i] end) -- long before it would ask anew by itself
      end
      assert.same({ "1", "2" }, got)
      client:close()
    end)
  end)

  it("ends an iteration over a consumer that was deleted between two messages", function()
    with_stream(function(jetstream, name)
      local consumer = assert(jetstream:consumer(name, "c"))
      assert(jetstream:publish(name .. ".a", "x"))
      local next = consumer:iter()
      assert.equal("x", next().data)
      assert.is_true(jetstream:delete_consumer(name, "c"))
      assert_failed("ECONNABORTED", next())
      assert_failed("ECONNABORTED", consumer:next())
    end)
  end)

  it("says that JetStream is not ready, rather than that the consumer is gone", function()
    run(function()
      local listener = tcp.listen()
      momo.spawn(function() -- a server that is about to end
        local stream = listener:accept()
        stream:write "INFO {\"headers\":true}\r\nPONG\r\n"
        local sid
        while true do
          local line = stream:read_until "\r\n"
          sid = line and line:match "^SUB %S+  (%d+)" or sid
          local subject, reply, size = (line or ""):match "^PUB (%S+) (%S+) (%d+)"
          if not line then
            break
          elseif subject then
            stream:read_exact(size + 2)
            local body = '{"stream_name":"s","name":"c","config":{}}'
            if subject:find "MSG%.NEXT" then
              stream:write(("HMSG %s %s 32 32\r\nNATS/1.0 409 Server Shutdown\r\n\r\n\r\n"):format(reply, sid))
            else
              stream:write(("MSG %s %s %d\r\n%s\r\n"):format(reply, sid, #body, body))
            end
          end
        end
        stream:close()
        listener:close()
      end)
      local client = assert(momo.nats.connect(listener:local_addr()))
      local consumer = assert(client:jetstream():ephemeral "s")
      assert_failed("EAGAIN", consumer:fetch(1))
      client:close()
    end)
  end)

  it("fetches within its limit also where nothing answers", function()
    run(function()
      local mortal = nats.jetstream()
      local client = assert(momo.nats.connect(mortal.url, { on_event = function() end }))
      local jetstream = client:jetstream()
      assert(jetstream:stream { name = "J", subjects = { "j" } })
      local consumer = assert(jetstream:consumer("J", "c"))
      os.execute("kill -STOP " .. mortal.process.pid)
      local began = momo.time.now()
      assert_failed("ETIMEDOUT", consumer:fetch(1, 0.01))
      assert_failed("ETIMEDOUT", consumer:next(0.01))
      assert(momo.time.now() - began < 4) -- an answer may take 5 s where there is no limit
      client:close()
      os.execute("kill -CONT " .. mortal.process.pid)
      assert_failed("EBADF", consumer:fetch(1))
      assert_failed("EBADF", consumer:iter()())
    end)
  end)

  it("loses nothing that was acknowledged when the server is killed under load", function()
    local mortal = nats.jetstream()
    run(function()
      local client = assert(momo.nats.connect(mortal.url, { on_event = function() end }))
      local jetstream = client:jetstream { timeout = 1 }
      assert(jetstream:stream { name = "J", subjects = { "j" } })
      local acknowledged, seen, total = {}, {}, 0
      local publisher = momo.spawn(function()
        for i = 1, 300 do
          local text = tostring(i)
          while not jetstream:publish("j", text, { id = text }) do -- no answer: again, with its id
            momo.yield_now()
          end
          acknowledged[#acknowledged + 1] = text
        end
      end)
      local reader = momo.spawn(function()
        local consumer = assert(jetstream:consumer("J", "c", { ack_wait = 1e9 }))
        for message in consumer:iter(20) do
          if message:ack_sync(1) and not seen[message.data] then
            seen[message.data], total = true, total + 1
          end
          if total == 300 then
            return
          end
        end
      end)
      for _ = 1, 2 do
        local before = #acknowledged
        tcp.wait_for(function() return #acknowledged >= before + 50 end)
        nats.kill(mortal)
        nats.start(mortal)
      end
      assert.is_true(publisher:join())
      assert.is_true(reader:join())
      for _, text in ipairs(acknowledged) do
        assert.is_true(seen[text], text)
      end
      client:close()
    end)
  end)

  describe("values by key", function()
    ---@async
    local function with_bucket(fn, options)
      count = count + 1
      local name = "B" .. count
      run(function()
        local client = assert(momo.nats.connect(server.url))
        fn(assert(client:jetstream():key_value(name, options)), client, name)
        client:close()
      end)
    end

    it("are set, changed, deleted, and told of", function()
      with_bucket(function(kv, client, name)
        assert_failed("ENOENT", kv:get "a")
        assert.equal(1, kv:put("a", "one"))
        assert.same({ key = "a", value = "one", revision = 1, operation = "put" }, kv:get "a")
        assert_failed("EEXIST", kv:create("a", "x"))
        assert.equal(2, kv:update("a", "two", 1))
        assert_failed("ESTALE", kv:update("a", "x", 1))
        kv:put("b.c", "\0\255")
        assert.equal("\0\255", kv:get("b.c").value)
        local keys = assert(kv:keys())
        table.sort(keys)
        assert.same({ "a", "b.c" }, keys)
        assert(kv:delete "a")
        assert_failed("ENOENT", kv:get "a")
        assert.same({ "b.c" }, kv:keys())
        local same = assert(client:jetstream():key_value(name))
        assert(same:create("a", "again"))
        assert.equal("again", kv:get("a").value)
        local past = {}
        for i, entry in ipairs(assert(kv:history "a")) do
          past[i] = entry.operation .. " " .. entry.value
        end
        assert.same({ "put one", "put two", "delete ", "put again" }, past)
        assert(kv:purge "a")
        assert.same({ "purge" }, { kv:history("a")[1].operation })
        assert.error_matches(function() kv:put("a b", "x") end, "a key must be of letters")
        for _, key in ipairs { "a.*", ".", ".a", "a.", "a..b", "", 5 } do
          assert.error_matches(function() kv:get(key) end, "a key must be of letters")
        end
        for _, history in ipairs { 0, 65, 1.5 } do
          assert.error_matches(function() client:jetstream():key_value("x", { history = history }) end,
            "option history must be a whole number from 1 to 64")
        end
      end, { history = 10, storage = "memory" })
    end)

    it("are watched: what they are, and then each change", function()
      with_bucket(function(kv)
        kv:put("a.x", "1")
        kv:put("b", "1")
        local seen = {}
        local task = momo.spawn(function()
          for entry in assert(kv:watch "a.*") do
            seen[#seen + 1] = entry.key .. " " .. entry.operation .. " " .. entry.value
            if entry.operation == "delete" then
              return
            end
          end
        end)
        tcp.wait_for(function() return seen[1] end)
        kv:put("a.x", "2")
        kv:put("b", "2")
        kv:delete "a.x"
        assert.is_true(task:join())
        assert.same({ "a.x put 1", "a.x put 2", "a.x delete " }, seen)
      end, { history = 10, storage = "memory" }) -- with a history of 1, the server drops what was not yet delivered
    end)

    it("are watched on when the server has forgotten who watches", function()
      with_bucket(function(kv, client, name)
        kv:put("a", "1")
        local next = assert(kv:watch())
        local jetstream = client:jetstream()
        local function forget()
          for _, consumer in ipairs(assert(jetstream:api("CONSUMER.NAMES.KV_" .. name)).consumers) do
            assert(jetstream:delete_consumer("KV_" .. name, consumer))
          end
        end
        forget() -- before anything was seen
        assert.same({ "a", "1" }, { next().key, kv:get("a").value })
        forget()
        kv:put("b", "2")
        assert.equal("b", next().key)
        local task = tcp.waiting(function() return next().value end)
        tcp.wait_for(function() return jetstream:api("CONSUMER.NAMES.KV_" .. name).consumers[1] end)
        forget()
        kv:put("a", "3")
        assert.same({ true, "3" }, { task:join() })
        assert(jetstream:delete_stream("KV_" .. name))
        assert_failed("ENOENT", next())
      end, { history = 10, storage = "memory" })
    end)

    it("are watched without a gap by one who gives up again and again", function()
      with_bucket(function(kv)
        local next, n = assert(kv:watch()), 0
        local writer = momo.spawn(function()
          for i = 1, 100 do
            kv:put("key." .. i, tostring(i))
          end
        end)
        while n < 100 do
          local entry = momo.time.timeout(0.001, next)
          if entry then
            n = n + 1
            assert.equal(tostring(n), entry.value)
          end
        end
        assert.is_true(writer:join())
      end, { storage = "memory" })
    end)

    it("are watched on when the server was killed", function()
      local mortal = nats.jetstream()
      run(function()
        local client = assert(momo.nats.connect(mortal.url, { on_event = function() end }))
        local kv = assert(client:jetstream():key_value("B", { history = 5 }))
        kv:put("a", "1")
        local seen = {}
        momo.spawn(function()
          for entry in assert(kv:watch()) do
            seen[#seen + 1] = entry.value
          end
        end)
        tcp.wait_for(function() return seen[1] end)
        nats.kill(mortal)
        tcp.wait_for(function() return client:status() == "reconnecting" end)
        nats.start(mortal)
        tcp.wait_for(function() return kv:put("a", "2") end)
        tcp.wait_for(function() return seen[2] end)
        assert.same({ "1", "2" }, seen)
        client:close()
      end)
    end)
  end)
end)
