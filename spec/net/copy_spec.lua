-- momo.io.copy and pipe_both, over streams of all kinds.

local momo = require "momo"
local support = require "spec.support"
local tcp = require "spec.support.tcp"
local virtual = require "spec.support.virtual"

local run, pair, waiting, assert_failed = tcp.run, tcp.pair, tcp.waiting, tcp.assert_failed
local io, time = momo.io, momo.time

-- Bytes of which each stretch is told from the others.
local function sample(size)
  local pieces = {}
  for i = 1, math.ceil(size / 8) do
    pieces[i] = ("%08x"):format(i)
  end
  return table.concat(pieces):sub(1, size)
end

local MUCH = sample(5 * 1000 * 1000)

-- What can be copied from and to: a function that returns the end to write to, and the end to read from.
local kinds = {
  tcp = pair,
  unix = momo.net.UnixStream.pair,
  pipe = function()
    local reader, writer = io.pipe()
    return writer, reader
  end,
}

-- Writes all in pieces, and then ends the stream.
local function feed(stream, text, size)
  for i = 1, #text, size do
    assert(stream:write(text:sub(i, i + size - 1)))
  end
  stream:shutdown()
end

local function read_all(stream)
  local pieces = {}
  while true do
    local bytes, err, code = stream:read()
    if not bytes then
      assert(code == "EOF", err)
      return table.concat(pieces)
    end
    pieces[#pieces + 1] = bytes
  end
end

describe("copy", function()
  after_each(tcp.check_nothing_left)

  for from_kind, make_from in pairs(kinds) do
    for to_kind, make_to in pairs(kinds) do
      it(("takes all from a %s to a %s, much and little at a time"):format(from_kind, to_kind), function()
        run(function()
          for _, size in ipairs { #MUCH, 100000, 5000 } do
            local source, from = make_from()
            local to, sink = make_to()
            momo.spawn(feed, source, MUCH, size)
            momo.spawn(function()
              assert.equal(#MUCH, io.copy(from, to))
              to:shutdown()
            end)
            assert.is_true(read_all(sink) == MUCH)
            for _, stream in ipairs { source, from, to, sink } do
              stream:close()
            end
          end
        end)
      end)
    end
  end

  it("begins with what is unread, and ends after n bytes", function()
    run(function()
      local source, from = pair()
      local to, sink = pair()
      source:write "head:0123456789"
      assert.equal("head:", from:read_until ":")
      assert.equal(4, io.copy(from, to, 4))
      assert.equal("0123", sink:read_exact(4))
      assert.equal(0, io.copy(from, to, 0))
      assert.equal("45", from:read(2))
      source:shutdown()
      assert.equal(4, io.copy(from, to, 1000)) -- fewer: the end came first
      assert.equal("6789", sink:read_exact(4))
      assert.equal(0, io.copy(from, to))
      for _, stream in ipairs { source, from, to, sink } do
        stream:close()
      end
    end)
  end)

  it("copies all where n is more than anybody can count", function()
    run(function()
      local from, into = assert(momo.io.pipe())
      local out, to = assert(momo.io.pipe())
      into:write "hello"
      into:close()
      assert.equal(5, momo.io.copy(from, to, 2 ^ 64))
      assert.equal("hello", out:read())
      for _, stream in ipairs { from, out, to } do
        stream:close()
      end
    end)
  end)

  it("leaves exactly what is behind n bytes, when it moves much", function()
    run(function()
      local source, from = pair()
      local to, sink = pair()
      momo.spawn(feed, source, MUCH, #MUCH)
      local n = 3333333
      local copying = momo.spawn(io.copy, from, to, n)
      assert.is_true(sink:read_exact(n) == MUCH:sub(1, n))
      assert.same({ true, n }, { copying:join() })
      assert.is_true(read_all(from) == MUCH:sub(n + 1))
    end)
  end)

  it("loses nothing when it is cancelled while the receiver does not read", function()
    run(function()
      local source, from = tcp.narrow_pair()
      local to, sink = tcp.narrow_pair()
      local feeding = momo.spawn(feed, source, MUCH, #MUCH)
      local received = {}
      for round = 1, 20 do
        local copying = momo.spawn(io.copy, from, to)
        tcp.wait_for(function() return not momo.io.poll(to:fd(), "w", 0) end)
        tcp.until_waiting(copying)
        copying:cancel()
        assert.is_false((copying:join()))
        received[round] = sink:read(50000)
      end
      local rest = momo.spawn(function()
        io.copy(from, to)
        to:shutdown()
      end)
      received[#received + 1] = read_all(sink)
      assert.is_true(table.concat(received) == MUCH)
      assert.is_true(feeding:join() and rest:join())
    end)
  end)

  it("keeps to the timeouts of both streams, and says which side it was", function()
    run(function()
      local source, from = tcp.narrow_pair()
      local to = tcp.narrow_pair()
      from:set_timeout(0.005)
      assert.same({ n = 4, nil, "ETIMEDOUT: operation timed out", "ETIMEDOUT", "from" },
        support.pack(io.copy(from, to)))
      to:set_timeout(0.02)
      from:set_timeout(nil)
      local feeding = momo.spawn(source.write, source, MUCH .. MUCH)
      local _, _, code, side = io.copy(from, to)
      assert.same({ "ETIMEDOUT", "to" }, { code, side })
      feeding:cancel()
      feeding:join()
    end)
  end)

  it("says when the receiver is gone, and keeps the bytes", function()
    run(function()
      local source, from = pair()
      local to, sink = pair()
      to:set_option("so_linger", 0)
      sink:set_option("so_linger", 0)
      sink:close() -- by RST
      momo.io.poll(to:fd(), "r") -- until that has come
      source:write "important"
      local bytes, err, code, side = io.copy(from, to)
      assert.is_nil(bytes)
      assert.truthy(code == "EPIPE" or code == "ECONNRESET", err)
      assert.equal("to", side)
      assert.equal("important", from:read())
    end)
  end)

  it("says when the sender is gone", function()
    run(function()
      local source, from = pair()
      local to = pair()
      source:set_option("so_linger", 0)
      source:close()
      assert.same({ n = 4, nil, "ECONNRESET: connection reset by peer", "ECONNRESET", "from" },
        support.pack(io.copy(from, to)))
    end)
  end)

  it("ends when a stream is closed", function()
    run(function()
      local _, from = pair()
      local to = pair()
      local copying = waiting(io.copy, from, to)
      from:close()
      assert.same({ n = 5, true, nil, "ECANCELED: operation canceled", "ECANCELED", "from" },
        support.pack(copying:join()))
      assert.same({ n = 4, nil, "EBADF: bad file descriptor", "EBADF", "from" }, support.pack(io.copy(from, to)))
      to:close()
      assert.same({ n = 4, nil, "EBADF: bad file descriptor", "EBADF", "to" },
        support.pack(io.copy((pair()), to)))
    end)
  end)

  it("keeps other readers off, and lets other writers between", function()
    run(function()
      local source, from = pair()
      local to, sink = pair()
      local copying = waiting(io.copy, from, to)
      assert_failed("EBUSY", from:read())
      local _, _, code, side = io.copy(from, to)
      assert.same({ "EBUSY", "from" }, { code, side })
      assert.equal(4, to:write "mine")
      assert.equal("mine", sink:read())
      source:write "theirs"
      assert.equal("theirs", sink:read())
      source:shutdown()
      assert.same({ true, 6 }, { copying:join() })
    end)
  end)

  it("waits for the write that is under way", function()
    run(function()
      local source, from = pair()
      local to, sink = pair()
      local writing = waiting(to.write, to, MUCH .. MUCH)
      local copying = momo.spawn(io.copy, from, to)
      source:write "after it"
      source:shutdown()
      assert.is_true(sink:read_exact(2 * #MUCH) == MUCH .. MUCH)
      assert.equal("after it", sink:read_exact(8))
      assert.is_true(writing:join() and copying:join())
    end)
  end)

  it("from a stream to itself is an echo", function()
    run(function()
      local one, other = pair()
      local copying = momo.spawn(io.copy, other, other)
      momo.spawn(feed, one, MUCH, #MUCH)
      assert.is_true(one:read_exact(#MUCH) == MUCH)
      assert.same({ true, #MUCH }, { copying:join() })
    end)
  end)

  it("that never has to wait lets the others have a turn", function()
    local status, out, err = support.momo("-e", [[
      local momo = require "momo"
      local turns, ended = 0, false
      momo.spawn(function() while not ended do turns = turns + 1 momo.yield_now() end end)
      local bytes = assert(momo.io.copy(momo.io.stdin, momo.io.stdout)) -- files are always ready
      ended = true
      io.stderr:write(bytes, turns > 1 and " turns" or turns)
    ]], { stdin = MUCH })
    assert.equal(#MUCH .. " turns", err)
    assert.equal(0, status)
    assert.is_true(out == MUCH)
  end)

  it("tells of wrong arguments", function()
    assert.matches("app.lua:2: copy: argument 1 must be a stream, or an object with a method read, got nil",
      tcp.mistake "momo.io.copy(nil, stream)", 1, true)
    assert.matches("app.lua:2: copy: argument 2 must be a stream, or an object with a method write, got userdata",
      tcp.mistake "momo.io.copy(stream, listener)", 1, true)
    assert.matches("app.lua:2: copy: n must be a whole number from 0, got 1.5",
      tcp.mistake "momo.io.copy(stream, other, 1.5)", 1, true)
    assert.matches("app.lua:2: pipe_both: argument 2 must be a stream, got nil",
      tcp.mistake "momo.io.pipe_both(stream)", 1, true)
  end)
end)

describe("pipe_both", function()
  after_each(tcp.check_nothing_left)

  -- client <-> a, b <-> server, with a and b joined.
  local function proxied(fn)
    run(function()
      local client, a = pair()
      local b, server = pair()
      local proxy = momo.spawn(io.pipe_both, a, b)
      fn(client, server, proxy, a, b)
    end)
  end

  it("passes on what both say, and ends when both have ended", function()
    proxied(function(client, server, proxy)
      client:write "question"
      assert.equal("question", server:read())
      server:write "answer"
      assert.equal("answer", client:read())
      client:shutdown()
      assert_failed("EOF", server:read())
      local echo = waiting(read_all, client)
      server:write(MUCH) -- the other way is still open
      server:shutdown()
      assert.is_true(select(2, echo:join()) == MUCH)
      assert.same({ true, 8, 6 + #MUCH }, { proxy:join() })
    end)
  end)

  it("ends the other way when one fails", function()
    proxied(function(client, server, proxy)
      client:write "hello"
      assert.equal("hello", server:read())
      server:set_option("so_linger", 0)
      server:close()
      local ok, bytes, err, code = proxy:join()
      assert.is_true(ok)
      assert.same({ nil, "ECONNRESET: connection reset by peer", "ECONNRESET" }, { bytes, err, code })
      client:write "still there?"
    end)
  end)

  it("ends when it is cancelled", function()
    proxied(function(_, _, proxy, a)
      tcp.until_waiting(proxy)
      proxy:cancel "enough"
      local ok, err = proxy:join()
      assert.is_false(ok)
      assert.is_true(momo.is_cancelled(err))
      a:set_timeout(0)
      assert_failed("ETIMEDOUT", a:read())
    end)
  end)

  it("ends with a failure when a stream is closed", function()
    proxied(function(_, _, proxy, a)
      tcp.settle()
      tcp.until_waiting(proxy)
      a:close()
      local _, bytes, _, code = proxy:join()
      assert.is_nil(bytes)
      assert.equal("ECANCELED", code)
    end)
  end)

  describe("with a limit to its silence", function()
    -- Of each it is known when it ended, on the virtual clock: client <-> a, b <-> server, with a and b joined.
    local function idle(fn)
      virtual.run(function()
        local client, a = pair()
        local b, server = pair()
        a:set_timeout(1) -- which alone would end it
        local begun = time.now()
        local proxy = momo.spawn(function()
          local there, back, code = io.pipe_both(a, b, { idle = 3 })
          return { there, back, code, time.now() - begun }
        end)
        fn(client, server)
        local _, result = assert(proxy:join())
        for _, stream in ipairs { client, a, b, server } do
          stream:close()
        end
        result[4] = math.floor(result[4] * 10 + 0.5) / 10
        return assert.same(fn(), result)
      end)
    end

    local function silence(at)
      return { nil, "ETIMEDOUT: operation timed out", "ETIMEDOUT", at }
    end

    it("ends when neither way moves anything", function()
      idle(function() return silence(3) end)
    end)

    for name, way in pairs { there = function(client, server) return client, server end,
      back = function(client, server) return server, client end } do
      it("lives as long as there is something to move, " .. name, function()
        idle(function(client, server)
          if client then
            local from, to = way(client, server)
            for _ = 1, 5 do
              time.sleep(2)
              from:write "piece"
              assert.equal("piece", to:read())
            end
          end
          return silence(13)
        end)
      end)
    end

    it("begins anew when one way has ended, and ends the other", function()
      idle(function(client, server)
        if client then
          time.sleep(2)
          client:write "question"
          client:shutdown()
          assert.equal("question", server:read())
          time.sleep(2)
          server:write "answer"
        end
        return silence(7)
      end)
    end)

    it("ends when what comes is not taken", function()
      idle(function(client)
        if client then
          client:set_timeout(0)
          local written
          repeat written = client:write_some(MUCH) until not written
        end
        return silence(3)
      end)
    end)

    it("must be a time that can pass", function()
      assert.matches("app.lua:2: pipe_both: option idle must be a number of seconds, more than 0, got 0",
        tcp.mistake("momo.io.pipe_both(stream, stream, { idle = 0 })", 1, true))
      assert.matches('app.lua:2: pipe_both: there is no option "idel", but idle',
        tcp.mistake("momo.io.pipe_both(stream, stream, { idel = 1 })", 1, true))
    end)
  end)
end)
