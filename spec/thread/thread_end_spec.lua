-- What becomes of a run whose threads, or whose channels between threads, have nobody left who could end it.

local support = require "spec.support"

local function momo(code)
  return { support.momo("-e", 'local momo = require "momo"\n' .. code, { leaks = true }) } -- of threads left behind
end

describe("a thread that computes without a pause", function()
  local COMPUTES = [[
    local tx, rx = momo.thread.channel(1)
    momo.thread.spawn({ name = "busy" }, function(tx) tx:close() while true do end end, tx)
    rx:recv()
  ]]
  local LEFT = "momo: thread busy goes on computing, and is left behind\n"

  it("is left behind by a main that has failed", function()
    local result = momo(COMPUTES .. 'error("main failed", 0)')
    assert.equal(1, result[1])
    assert.equal(LEFT .. "momo: main failed\n", result[3]:sub(1, #LEFT + 18))
  end)

  it("is left behind by momo.stop", function()
    assert.same({ 0, "", LEFT }, momo(COMPUTES .. "momo.stop()"))
  end)

  it("is not outlived by a process that a signal ends: it is told which task computes", function()
    -- raised on the main thread, since TSan holds a signal back that hits a thread which calls nothing
    local status, _, stderr = unpack(momo(COMPUTES .. [[
      local ffi = require "ffi"
      ffi.cdef "int raise(int number);"
      ffi.C.raise(15)
      momo.time.sleep(60)
    ]]))
    assert.equal(128 + 15, status)
    assert.matches("^momo: SIGTERM is not heard for 3 s: [^\n]*thread busy [^\n]*\n", stderr)
  end)
end)

describe("a thread that takes long to end after a stop", function()
  it("is waited for, since it has heard of it", function()
    assert.same({ 0, "cleaned\n", "" }, momo [[
      local tx, rx = momo.thread.channel(1)
      momo.thread.spawn(function(tx)
        local m = require "momo"
        tx:close()
        pcall(m.time.sleep, 60)
        m.shield(m.time.sleep, 3.5)
        print "cleaned"
      end, tx)
      rx:recv()
      momo.stop()
    ]])
  end)
end)

describe("a task that waits for a channel between threads", function()
  local function deadlock(code)
    local result = momo(code)
    assert.equal(1, result[1])
    assert.matches("every task waits for another one", result[3], 1, true)
    assert.matches("task 1 in %a+ at %(command line%):%d+", result[3])
  end

  it("whose other ends are all its own, is told that nobody can wake it", function()
    deadlock "local tx, rx = momo.thread.channel(1) rx:recv() tx:close()"
    deadlock "local tx, rx = momo.thread.channel(1) tx:send(1) tx:send(2) rx:close()"
    deadlock "local tx, rx = momo.thread.channel(1) momo.select { rx } tx:close()"
  end)

  it("is told so when the last thread has ended", function()
    deadlock [[
      local tx, rx = momo.thread.channel(1)
      momo.thread.spawn(function(tx) tx:send(1) end, tx:clone())
      for _ in rx:iter() do end -- tx was forgotten
      tx:close()
    ]]
  end)

  it("goes on waiting while a thread may have them", function()
    assert.same({ 0, "late\tnil\n", "" }, momo [[
      local tx, rx = momo.thread.channel(1)
      momo.thread.spawn(function(tx) require("momo").time.sleep(0.2) tx:send "late" end, tx)
      print(rx:recv(), (rx:recv()))
    ]])
  end)
end)

describe("an iterator over a receiver", function()
  it("that was closed or given away throws", function()
    for _, code in ipairs {
      "local _, rx = momo.thread.channel(1) rx:close() for _ in rx:iter() do end",
      "local _, rx = momo.sync.channel(1) rx:close() for _ in rx:iter() do end",
    } do
      local result = momo(code)
      assert.equal(1, result[1])
      assert.matches("iter: the receiver is closed", result[3], 1, true)
    end
  end)
end)

describe("Momo's modules in a thread", function()
  it("are found without their files, and show them all the same", function()
    assert.same({ 0, "true\ttrue\n", "" }, momo [[
      local path = package.searchpath("momo.process", package.path)
      local _, shown, there = assert(momo.thread.spawn(function(path)
        package.path = ""
        return debug.getinfo(require("momo.process").spawn, "S").source == "@" .. path, type(momo.sync) == "table"
      end, path):join())
      print(shown, there)
    ]])
  end)
end)
