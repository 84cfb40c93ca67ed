local momo = require "momo"
local tcp = require "spec.support.tcp"
local virtual = require "spec.support.virtual"

local run, pair, waiting, assert_failed = tcp.run, tcp.pair, tcp.waiting, tcp.assert_failed

local MIB = 1024 * 1024
local HUGE = ("x"):rep(32 * MIB) -- more than the system buffers

local function read_all(stream)
  local pieces = {}
  for bytes in function() return (stream:read()) end do
    pieces[#pieces + 1] = bytes
  end
  return table.concat(pieces)
end

-- KiB of this process that are in memory.
local function resident()
  local file = assert(io.open "/proc/self/status")
  local kib = file:read("*a"):match "VmRSS:%s*(%d+)"
  file:close()
  return tonumber(kib)
end

describe("a stream that is written", function()
  after_each(tcp.check_nothing_left)

  it("takes a string or an array of pieces, and returns the number of bytes", function()
    run(function()
      local one, other = pair()
      assert.equal(5, one:write "hello")
      assert.equal(6, one:write { ",", "", " ", "you", "!" })
      assert.equal(2, one:write "\0\0")
      one:close()
      assert.equal("hello, you!\0\0", read_all(other))
    end)
  end)

  it("takes nothing at all", function()
    run(function()
      local one, other = pair()
      assert.equal(0, one:write "")
      assert.equal(0, one:write {})
      assert.equal(0, one:write { "", "" })
      one:close()
      assert.equal("", read_all(other))
    end)
  end)

  it("takes thousands of pieces, short and long", function()
    run(function()
      local one, other = pair()
      local pieces = {}
      for i = 1, 5000 do
        pieces[i] = i % 7 == 0 and "" or (i .. ","):rep(i % 50)
      end
      momo.spawn(function()
        assert.equal(#table.concat(pieces), one:write(pieces))
        one:close()
      end)
      assert.is_true(read_all(other) == table.concat(pieces))
    end)
  end)

  it("waits while the peer does not read, and memory stays bounded", function()
    run(function()
      local one, other = pair()
      local pieces = {}
      for i = 1, 1024 do -- 64 MiB, made of four strings of 64 KiB
        pieces[i] = string.char(65 + i % 4):rep(65536)
      end
      local before = resident()
      local writer = waiting(function()
        assert.equal(64 * MIB, one:write(pieces))
        one:close()
      end)
      tcp.settle()
      assert.equal("waiting", writer:status())
      local most = resident()
      for i = 1, 1024 do
        assert.is_true(other:read_exact(65536) == pieces[i])
        if i % 64 == 0 then
          collectgarbage() -- what has been read is not the stream's any more
          most = math.max(most, resident())
        end
      end
      assert_failed("EOF", other:read())
      assert.is_true(most - before < 16 * 1024, most - before .. " KiB more")
    end)
  end)

  it("by several tasks at once is written in turn, each write whole", function()
    run(function()
      local one, other = pair()
      local n, order = 20, {}
      for i = 1, n do
        momo.spawn(function()
          for round = 1, 5 do
            order[#order + 1] = i
            local letter = string.char(64 + i)
            assert.equal(100 * 1024 + i, one:write { letter:rep(i), letter:rep(100 * 1024) })
            if round == 5 and i == n then
              one:shutdown()
            end
          end
        end)
      end
      local at = 0
      repeat
        at = at + 1
        local letter = other:read_exact(1)
        local i = letter:byte() - 64
        assert.equal(order[at], i)
        assert.is_true(other:read_exact(100 * 1024 + i - 1) == letter:rep(100 * 1024 + i - 1))
      until at == 5 * n
      assert_failed("EOF", other:read())
    end)
  end)

  it("wrongly is another's turn at once, also while its task lives", function()
    run(function()
      local one, other = pair()
      assert.has_error(function() one:write { "lost", {} } end)
      local task = momo.spawn(one.write, one, "next")
      assert.same({ true, 4 }, { task:join(10) })
      assert.equal("next", other:read())
    end)
  end)

  it("while another task reads goes on in both directions", function()
    run(function()
      local one, other = pair()
      local text = ("0123456789"):rep(400 * 1024)
      for _, stream in ipairs { one, other } do
        momo.spawn(function()
          assert.equal(#text, stream:write(text))
          assert(stream:shutdown())
        end)
        momo.spawn(function()
          assert.is_true(read_all(stream) == text)
        end)
      end
    end)
  end)

  describe("and cut short", function()
    it("by a timeout returns EPIPE from then on, and reads go on", function()
      run(function()
        local one, other = pair()
        one:set_timeout(0.02)
        assert_failed("ETIMEDOUT", one:write(HUGE))
        assert_failed("EPIPE", one:write "more")
        assert_failed("EPIPE", one:write "")
        one:set_timeout(nil)
        assert(other:write "still here")
        assert.equal("still here", one:read())
        one:close()
        local got = read_all(other)
        assert.is_true(#got > 0 and got == HUGE:sub(1, #got))
      end)
    end)

    it("by a timeout while the peer reads, but not by a limit on its silence", function()
      local core = require "momo.internal.core"
      virtual.run(function()
        for _, data in ipairs { HUGE, { HUGE:sub(1, 100), HUGE:sub(101) } } do
          for _, limit in ipairs { "timeout", "silence" } do
            local one, other = tcp.narrow_pair()
            -- A busy system is late now and then to say that there is room, and this clock does not wait for it.
            core.C["momo_set_" .. limit](core.executor, one, limit == "timeout" and 1 or 10)
            local writer = waiting(one.write, one, data)
            local got = 0
            repeat -- so much that the system says each time that there is room
              local bytes = other:read_exact(math.min(256 * 1024, #HUGE - got))
              got = got + #(bytes or "")
              momo.time.sleep(0.6)
            until not bytes or got == #HUGE or writer:status() ~= "waiting"
            if limit == "timeout" then
              assert.same({ true, nil, "ETIMEDOUT: operation timed out", "ETIMEDOUT" }, { writer:join() })
            else
              assert.same({ true, #HUGE }, { writer:join() })
              assert_failed("ETIMEDOUT", one:write(HUGE)) -- which nobody reads
            end
            one:close()
            other:close()
          end
        end
      end)
    end)

    it("by a cancellation returns EPIPE from then on, and reads go on", function()
      run(function()
        local one, other = pair()
        local writer = waiting(function() one:write(HUGE) end)
        local behind = waiting(function() return one:write "behind it" end)
        writer:cancel "enough"
        assert.is_false((writer:join()))
        assert.equal("cancelled", writer:status())
        assert.same({ true, nil, "EPIPE: broken pipe", "EPIPE" }, { behind:join() })
        assert_failed("EPIPE", one:write "more")
        assert(other:write "still here")
        assert.equal("still here", one:read())
      end)
    end)

    it("before its turn has sent nothing, and the others go on", function()
      run(function()
        local one, other = pair()
        local first = waiting(function() return one:write(HUGE) end)
        one:set_timeout(0.01)
        local late = momo.spawn(function() return one:write "late" end)
        momo.yield_now() -- in which it begins; its time may be over when it is looked at
        one:set_timeout(nil)
        local dropped = waiting(function() return one:write "dropped" end)
        local last = waiting(function()
          return one:write "last"
        end)
        dropped:cancel()
        assert.same({ true, nil, "ETIMEDOUT: operation timed out", "ETIMEDOUT" }, { late:join() })
        assert.is_true(other:read_exact(#HUGE) == HUGE)
        assert.equal("last", other:read())
        assert.same({ true, #HUGE }, { first:join() })
        assert.same({ true, 4 }, { last:join() })
        assert.equal(5, one:write "after")
        assert.equal("after", other:read())
      end)
    end)
  end)

  describe("to a peer that has left", function()
    it("fails with EPIPE or ECONNRESET, and no signal kills the process", function()
      run(function()
        local one, other = pair()
        other:close()
        local code
        tcp.wait_for(function()
          code = select(3, one:write "x")
          return code
        end)
        assert.is_true(code == "EPIPE" or code == "ECONNRESET", code)
        for _ = 1, 3 do
          assert_failed("EPIPE", one:write "x")
        end
      end)
    end)

    it("fails while it waits", function()
      run(function()
        local one, other = pair()
        local writer = waiting(function() return one:write(HUGE) end)
        local behind = waiting(function() return one:write "behind it" end)
        other:close()
        local ok, value, _, code = writer:join()
        assert.is_true(ok)
        assert.is_nil(value)
        assert.is_true(code == "EPIPE" or code == "ECONNRESET", code)
        assert.is_nil((select(2, behind:join())))
      end)
    end)
  end)

  describe("and shut down", function()
    it("is at its end for the peer, which can still answer", function()
      run(function()
        local one, other = pair()
        assert(one:write "question")
        assert.is_true(one:shutdown())
        assert.equal("question", other:read())
        assert_failed("EOF", other:read())
        assert(other:write "answer")
        assert.equal("answer", one:read())
        assert_failed("EPIPE", one:write "x")
        other:close()
        assert_failed("EOF", one:read())
      end)
    end)

    it("twice fails no worse than with a code", function()
      run(function()
        local one = pair()
        assert.is_true(one:shutdown())
        local ok, _, code = one:shutdown()
        assert.is_true(ok or code == "ENOTCONN")
      end)
    end)

    it("is EBUSY while a write is under way", function()
      run(function()
        local one, other = pair()
        local writer = waiting(function() return one:write(HUGE) end)
        assert_failed("EBUSY", one:shutdown())
        assert.is_true(other:read_exact(#HUGE) == HUGE)
        assert.same({ true, #HUGE }, { writer:join() })
        assert.is_true(one:shutdown())
      end)
    end)
  end)

  it("takes a piece that is kept by nobody else, whatever the collector does meanwhile", function()
    run(function()
      local one, other = pair()
      local n = 8 * MIB
      local writer = waiting(function()
        return one:write { ("a"):rep(n), tostring(momo.time.now()):sub(1, 0) .. ("b"):rep(n) }
      end)
      for _ = 1, 3 do
        collectgarbage()
      end
      assert.is_true(other:read_exact(n) == ("a"):rep(n))
      collectgarbage()
      assert.is_true(other:read_exact(n) == ("b"):rep(n))
      assert.same({ true, 2 * n }, { writer:join() })
    end)
  end)

  -- Of those that took the square of the pieces' number, these would take hours.
  it("takes millions of pieces, and lets others have turns meanwhile", function()
    run(function()
      local one, other = pair()
      local pieces = {}
      for i = 1, 2e6 do
        pieces[i] = i % 3 == 0 and "y" or "x"
      end
      local read = momo.spawn(read_all, other)
      local writing, turns = true, 0
      momo.spawn(function()
        while writing do
          turns = turns + 1
          momo.yield_now()
        end
      end)
      assert.equal(#pieces, one:write(pieces))
      writing = false
      one:close()
      assert.is_true(select(2, read:join()) == table.concat(pieces))
      assert.is_true(turns > 2e6 / 32768, turns .. " turns")
    end)
  end)

  it("takes pieces of any size, in parts of any size", function()
    run(function()
      local one, other = tcp.narrow_pair()
      local pieces, random = {}, 1
      for i = 1, 4000 do
        random = random * 16807 % 2147483647
        pieces[i] = string.char(97 + i % 26):rep(random % 100 == 0 and random % 200000 or random % 1500)
      end
      local writer = momo.spawn(function()
        local n = one:write(pieces)
        one:close()
        return n
      end)
      local all = table.concat(pieces)
      assert.is_true(read_all(other) == all)
      assert.same({ true, #all }, { writer:join() })
    end)
  end)

  it("throws when a piece is replaced before it is written, and others write on while its task lives", function()
    run(function()
      local one, other = pair()
      local first = waiting(one.write, one, HUGE)
      local data, err = { "never", "sent" }, nil
      local second = waiting(function()
        err = select(2, pcall(one.write, one, data))
        momo.time.sleep(math.huge)
      end)
      data[2] = true
      assert.is_true(other:read_exact(#HUGE) == HUGE)
      assert.is_true(first:join())
      assert.equal(4, one:write "next")
      assert.equal("next", other:read())
      assert.matches("write: piece 2 must be a string or a number, got boolean", err, 1, true)
      second:cancel()
    end)
  end)

  it("throws when a piece is replaced, or taken away, while it is written, and is broken from then on", function()
    for _, change in ipairs { function(data) data[3] = {} end, function(data) data[3] = nil end } do
      run(function()
        local one, other = pair()
        local data = { "first", HUGE, "last" }
        local writer = waiting(function() return pcall(one.write, one, data) end)
        change(data)
        local reader = momo.spawn(read_all, other)
        local _, ok, err = writer:join()
        reader:cancel()
        assert.is_false(ok)
        assert.matches("write: the data was changed while it was written", err, 1, true)
        assert_failed("EPIPE", one:write "more")
      end)
    end
  end)

  it("that never has to wait does not keep the other tasks waiting", function()
    run(function()
      local one, other = pair()
      momo.spawn(function()
        while other:read() do
        end
      end)
      local writing, turns = true, 0
      momo.spawn(function()
        while writing do
          turns = turns + 1
          momo.yield_now()
        end
      end)
      for _ = 1, 10000 do
        assert(one:write "x")
      end
      writing = false
      one:close()
      assert.is_true(turns >= 10000 / 128, turns .. " turns")
    end)
  end)
end)
