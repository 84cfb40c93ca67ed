-- Happy Eyeballs, on the virtual clock: what is tried when, and what becomes of the rest.

local happy_eyeballs = require "momo.net.happy_eyeballs"
local momo = require "momo"

-- Dials on the virtual clock. plan: address -> { seconds until it ends, whether it connects }.
local function connected(addresses, plan, timeout)
  local log, open = {}, 0
  local function connect(address, limit)
    log[#log + 1] = ("%s at %g"):format(address, momo.time.now())
    local step = plan[address]
    if limit and limit < step[1] then
      momo.time.sleep(limit)
      return nil, "ETIMEDOUT: " .. address, "ETIMEDOUT"
    end
    momo.time.sleep(step[1])
    if not step[2] then
      return nil, "ECONNREFUSED: " .. address, "ECONNREFUSED"
    end
    open = open + 1
    return { address = address, close = function() open = open - 1 end }
  end
  local connection, err, code, at
  momo.run({ clock = "virtual" }, function()
    connection, err, code = happy_eyeballs.connect(addresses, connect, timeout)
    at = momo.time.now()
  end)
  return { won = connection and connection.address, err = err, code = code, at = at, open = open, log = log }
end

describe("the addresses of a host", function()
  it("take turns by family, that of the first one first", function()
    assert.same({ "[::1]:1", "1.1.1.1:1", "[::2]:1", "2.2.2.2:1", "[::3]:1" },
      happy_eyeballs.interleave { "[::1]:1", "[::2]:1", "[::3]:1", "1.1.1.1:1", "2.2.2.2:1" })
    assert.same({ "1.1.1.1:1", "[::1]:1", "2.2.2.2:1" },
      happy_eyeballs.interleave { "1.1.1.1:1", "2.2.2.2:1", "[::1]:1" })
  end)

  it("are tried one after the other, a quarter of a second apart, while none answers", function()
    local result = connected({ "a", "b", "c" }, { a = { 10, true }, b = { 10, true }, c = { 1, true } })
    assert.same({ "a at 0", "b at 0.25", "c at 0.5" }, result.log)
    assert.same({ "c", 1.5, 1 }, { result.won, result.at, result.open })
  end)

  it("are tried at once when the one before fails", function()
    local result = connected({ "a", "b", "c" }, { a = { 0.1, false }, b = { 0.1, false }, c = { 0.1, true } })
    assert.same({ "a at 0", "b at 0.1", "c at 0.2" }, result.log)
    assert.equal("c", result.won)
  end)

  it("that was tried first may still win", function()
    local result = connected({ "a", "b" }, { a = { 0.3, true }, b = { 10, true } })
    assert.same({ "a", 0.3, 1 }, { result.won, result.at, result.open })
  end)

  it("are closed where they connect at the same time as another", function()
    local result = connected({ "a", "b" }, { a = { 0.5, true }, b = { 0.25, true } })
    assert.equal(1, result.open)
  end)

  it("fail with the last error when none connects", function()
    local result = connected({ "a", "b" }, { a = { 1, false }, b = { 0.1, false } })
    assert.same({ "ECONNREFUSED: a", "ECONNREFUSED", 1, 0 }, { result.err, result.code, result.at, result.open })
  end)

  it("share one timeout", function()
    local result = connected({ "a", "b" }, { a = { 60, true }, b = { 60, true } }, 2)
    assert.same({ "ETIMEDOUT", 2, 0 }, { result.code, result.at, result.open })
  end)

  it("are tried by the calling task itself where there is one only", function()
    momo.run(function()
      local me = momo.current()
      assert.equal("x", happy_eyeballs.connect({ "a" }, function() return momo.current() == me and "x" end))
    end)
  end)

  it("leave no connection open when the task that waits is cancelled as they succeed", function()
    local closed = 0
    momo.run({ clock = "virtual" }, function()
      local function connecting(seconds)
        return momo.spawn(happy_eyeballs.connect, { "a", "b" }, function(address)
          pcall(momo.time.sleep, seconds[address])
          return { close = function() closed = closed + 1 end }
        end)
      end
      local first = connecting { a = 0.3, b = 0.05 } -- b begins 0.25 seconds later
      momo.time.sleep(0.3)
      momo.yield_now()
      first:cancel()
      assert.is_true((first:join())) -- it had got one before
      assert.equal(1, closed)
      local second = connecting { a = 60, b = 60 }
      momo.time.sleep(1)
      second:cancel()
      assert.is_true(momo.is_cancelled(select(2, second:join())))
      assert.equal(3, closed)
    end)
  end)

  it("are given up when the task that waits is cancelled", function()
    local ended = 0
    momo.run({ clock = "virtual" }, function()
      local task = momo.spawn(happy_eyeballs.connect, { "a", "b" }, function()
        local ok, err = pcall(momo.time.sleep, 60)
        ended = ended + 1
        error(not ok and err, 0)
      end)
      momo.time.sleep(1)
      task:cancel()
      assert.is_false((task:join()))
    end)
    assert.equal(2, ended)
  end)
end)
