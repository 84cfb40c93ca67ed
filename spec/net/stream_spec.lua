local momo = require "momo"
local tcp = require "spec.support.tcp"

local TcpStream = momo.net.TcpStream
local run, listen, pair, waiting, assert_failed = tcp.run, tcp.listen, tcp.pair, tcp.waiting, tcp.assert_failed

-- Whole numbers from 0 to n - 1, the same ones for the same seed.
local function random_of(seed)
  local state = seed % 2147483647 + 1
  return function(n)
    state = state * 48271 % 2147483647
    return math.floor(state / 2147483647 * n)
  end
end

-- Each parks on what `make` gives it: the end of a connection whose other end keeps silent, and does not read.
local waits = {
  read = function(stream) return stream:read() end,
  read_exact = function(stream) return stream:read_exact(10) end,
  read_until = function(stream) return stream:read_until "\n" end,
  lines = function(stream) return stream:lines()() end,
  write = function(stream) return stream:write(("x"):rep(32 * 1024 * 1024)) end,
}

describe("a stream", function()
  after_each(tcp.check_nothing_left)

  describe("whose task is cancelled in", function()
    for name, wait in pairs(waits) do
      for _, timeout in ipairs { "without", "with" } do
        it(name .. ", " .. timeout .. " a timeout, raises there and leaves nothing behind", function()
          run(function()
            local one, other = pair()
            one:set_timeout(timeout == "with" and 3600 or nil)
            local raised
            local task = waiting(function()
              local ok, err = pcall(wait, one)
              raised = not ok and err
              error(err, 0)
            end)
            assert.equal(timeout == "with" and 1 or 0, momo.metrics().timers)
            task:cancel "enough"
            assert.equal(0, momo.metrics().timers)
            assert.is_false((task:join()))
            assert.is_true(momo.is_cancelled(raised))
            assert.equal("cancelled", task:status())
            if name ~= "write" then -- nothing is lost, and nobody stands in the way
              assert(other:write "later\n")
              assert.equal("later\n", one:read_until "\n")
            end
            assert(other:write "x")
            assert.equal("x", one:read())
          end)
        end)
      end
    end

    it("accept leaves the listener to others", function()
      run(function()
        local listener = listen()
        local task = waiting(function() listener:accept(3600) end)
        task:cancel()
        assert.is_false((task:join()))
        assert.equal(0, momo.metrics().timers)
        local client = assert(TcpStream.connect(listener:local_addr()))
        local _, peer = assert(listener:accept())
        assert.equal(client:local_addr(), peer)
      end)
    end)

    it("connect leaves no socket behind", function()
      run(function()
        local listener, streams = tcp.full_listener()
        local task = waiting(function() TcpStream.connect(listener:local_addr(), 3600) end)
        assert.equal(2 + #streams, momo.metrics().handles)
        task:cancel()
        assert.is_false((task:join()))
        assert.equal(1 + #streams, momo.metrics().handles)
        assert.equal(0, momo.metrics().timers)
      end)
    end)

    it("connect to a name leaves the look-up behind without harm", function()
      run(function()
        local address = "localhost:" .. listen():local_addr():match "%d+$"
        for _ = 1, 50 do
          local task = momo.spawn(function() -- the answer may have come already
            TcpStream.connect(address, 3600)
            momo.time.sleep(math.huge)
          end)
          momo.yield_now()
          task:cancel()
          assert.is_false((task:join()))
          assert.equal("cancelled", task:status())
        end
      end)
    end)

    it("a chain of operations raises in the next one when one had completed", function()
      run(function()
        local one, other = pair()
        local got
        local task = waiting(function()
          got = one:read()
          one:read()
        end)
        assert(other:write "kept")
        while task:status() == "waiting" do
          momo.yield_now()
        end
        task:cancel() -- the bytes are there, the task has not run yet, or it waits for the next ones
        assert.is_false((task:join()))
        assert.equal("cancelled", task:status())
        assert.equal("kept", got or one:read())
      end)
    end)
  end)

  it("survives the collector while tasks wait in all its operations", function()
    run(function()
      local tasks, others, listener = {}, {}, listen()
      for i = 1, 30 do
        for _, wait in pairs(waits) do
          local one, other = pair()
          others[#others + 1] = other
          tasks[#tasks + 1] = waiting(function() return wait(one) end)
        end
        tasks[#tasks + 1] = waiting(function() return listener:accept() end)
        if i % 10 == 0 then
          collectgarbage()
          collectgarbage()
        end
      end
      local collected = momo.metrics().collected
      for _, other in ipairs(others) do
        other:close()
      end
      listener:close()
      for _, task in ipairs(tasks) do
        task:join()
      end
      assert.equal(collected, momo.metrics().collected)
    end)
  end)

  it("is collected although its task was dropped with it", function()
    run(function()
      local before = momo.metrics().handles
      for _ = 1, 20 do
        momo.spawn(function()
          local one, other = pair()
          assert(one:write "x")
          other:read()
          error(setmetatable({}, { __tostring = function() return "planned" end }))
        end):join()
      end
      jit.flush()
      collectgarbage()
      collectgarbage()
      assert.equal(before, momo.metrics().handles)
    end)
  end)

  it("takes its options", function()
    run(function()
      local one = pair()
      for _, value in ipairs { true, false } do
        assert.is_true(one:set_nodelay(value))
      end
      for _, value in ipairs { 1, 60, 32767, false } do
        assert.is_true(one:set_keepalive(value))
      end
      for _, value in ipairs { 0, 0.5, 60, math.huge } do
        assert.is_true(one:set_timeout(value))
      end
      assert.is_true(one:set_timeout(nil))
    end)
  end)

  -- What a call must return, given what is left of the text.
  local function expected_until(left, delim, max)
    local first, last = left:find(delim, 1, true)
    if first and last <= max then
      return left:sub(1, last)
    end
    return nil, #left >= max and "ENOBUFS" or "EOF"
  end

  local function random_text(random)
    local pieces = {}
    for i = 1, 2000 + random(4000) do
      local kind = random(12)
      pieces[i] = kind == 0 and "\r\n" or kind == 1 and "\n" or kind == 2 and "--"
        or kind == 3 and ("z"):rep(random(3000)) or string.char(97 + random(6)):rep(random(20))
    end
    return table.concat(pieces)
  end

  local function write_randomly(random, stream, text)
    local at = 1
    while at <= #text do
      local pieces, total = {}, 0
      for i = 1, 1 + random(4) do
        local size = random(4) == 0 and random(70000) or random(40)
        pieces[i] = text:sub(at, at + size - 1)
        at, total = at + #pieces[i], total + #pieces[i]
      end
      assert(stream:write(#pieces == 1 and pieces[1] or pieces) == total)
      if random(3) == 0 then
        momo.yield_now()
      elseif random(20) == 0 then
        momo.time.sleep(0.001)
      end
    end
    assert(stream:shutdown())
  end

  local function read_randomly(random, stream, text)
    local at, delims = 1, { "\n", "\r\n", "--", "a", "abc", "\n\n" }
    local function check(bytes, code, want, want_code)
      assert(bytes == want and code == want_code,
        ("at byte %d: %s %s instead of %s %s"):format(at, tostring(bytes), tostring(code), tostring(want),
          tostring(want_code)))
      at = at + #(bytes or "")
    end
    while at <= #text do
      local choice, max = random(5), random(3) == 0 and 1 + random(70000) or 1 + random(50)
      if choice == 0 then
        local bytes, _, code = stream:read(max)
        assert(bytes and #bytes > 0 and #bytes <= max, code)
        check(bytes, code, text:sub(at, at + #bytes - 1))
      elseif choice == 1 then
        local bytes, _, code = stream:read_exact(max)
        local enough = at + max - 1 <= #text
        check(bytes, code, enough and text:sub(at, at + max - 1) or nil, not enough and "EOF" or nil)
      else
        local delim = delims[1 + random(#delims)]
        local bytes, _, code = stream:read_until(delim, max)
        local want, want_code = expected_until(text:sub(at, at + max - 1), delim, max)
        check(bytes, code, want, want_code)
      end
    end
    assert_failed("EOF", stream:read())
  end

  it("gives the bytes that were sent, however they were cut, joined and asked for", function()
    local seed = tonumber(os.getenv "MOMO_SEED") or os.time()
    for round = seed, seed + 7 do
      local ok, err = pcall(run, function()
        local random = random_of(round)
        for _ = 1, 4 do
          local one, other = pair()
          for _, direction in ipairs { { one, other }, { other, one } } do
            local text, reads, writes = random_text(random), random_of(random(1e9)), random_of(random(1e9))
            momo.spawn(write_randomly, writes, direction[1], text)
            momo.spawn(read_randomly, reads, direction[2], text)
          end
        end
      end)
      assert(ok, ("MOMO_SEED=%d: %s"):format(round, tostring(err)))
    end
  end)
end)
