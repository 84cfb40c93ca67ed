local momo = require "momo"
local finalizer = require "spec.support.finalizer"
local virtual = require "spec.support.virtual"

local channel, oneshot, now, sleep = momo.sync.channel, momo.sync.oneshot, momo.time.now, momo.time.sleep
local on, settle, waiting, assert_failed = virtual.on, virtual.settle, virtual.waiting, virtual.assert_failed

local function receive_all(rx)
  local values = {}
  for value in rx:iter() do
    values[#values + 1] = value
  end
  return values
end

local function send_all(tx, first, last)
  for i = first, last do
    assert(tx:send(i))
  end
end

describe("a channel", function()
  it("hands values over in their order, as many as come", on(function()
    local tx, rx = channel()
    send_all(tx, 1, 1000)
    for i = 1, 500 do assert.equal(i, rx:recv()) end
    send_all(tx, 1001, 3000)
    for i = 501, 3000 do assert.equal(i, rx:recv()) end
  end))

  it("keeps what a finalizer sends in the midst of a send", on(function()
    finally(finalizer.restore)
    for n = 1, 40 do
      local tx, rx = channel()
      send_all(tx, 1, n - 1)
      collectgarbage "stop"
      local arm = finalizer.garbage(function() assert(tx:send "of the finalizer") end)
      arm()
      tx:send(n)
      collectgarbage()
      tx:close()
      assert.equal(n + 1, #receive_all(rx), n)
    end
  end))

  it("lets a receiver wait", on(function()
    local tx, rx = channel()
    local task = waiting(rx.recv, rx)
    sleep(5)
    tx:send "late"
    assert.same({ true, "late" }, { task:join() })
  end))

  it("keeps capacity values; the next send waits until one is received", on(function()
    local tx, rx = channel(3)
    local sent = 0
    local sender = waiting(function()
      for i = 1, 5 do
        tx:send(i)
        sent = i
      end
    end)
    assert.equal(3, sent)
    assert.equal(1, rx:recv())
    settle()
    assert.equal(4, sent)
    assert.equal("waiting", sender:status())
    for i = 2, 5 do assert.equal(i, rx:recv()) end
    sender:join()
  end))

  it("serves waiting senders first come, first served, before those who come later", on(function()
    local tx, rx = channel(1)
    tx:send(0)
    for i = 1, 4 do waiting(tx.send, tx, i) end
    assert.equal(0, rx:recv()) -- makes room, which is for the first that waits
    assert_failed("ETIMEDOUT", tx:send(5, 0))
    local last = waiting(tx.send, tx, 6)
    for i = 1, 4 do assert.equal(i, rx:recv()) end
    assert.equal(6, rx:recv())
    last:join()
  end))

  it("does not let a sender overtake one that was woken and has not run yet", on(function()
    local tx, rx = channel(2)
    send_all(tx, 1, 2)
    local first = waiting(tx.send, tx, 3)
    for i = 1, 2 do assert.equal(i, rx:recv()) end -- there is room for two now
    assert_failed("ETIMEDOUT", tx:send("overtakes", 0))
    tx:send(4)
    for i = 3, 4 do assert.equal(i, rx:recv()) end
    first:join()
  end))

  it("serves waiting receivers first come, first served, before those who come later", on(function()
    local tx, rx = channel()
    local order = {}
    for i = 1, 3 do
      waiting(function() order[i] = rx:recv() end)
    end
    send_all(tx, 1, 3)
    assert_failed("ETIMEDOUT", rx:recv(0)) -- all are promised
    tx:send "mine"
    assert.equal("mine", (select(2, momo.spawn(rx.recv, rx):join())))
    settle()
    assert.same({ 1, 2, 3 }, order)
  end))

  it("takes every value but nil; false is one", on(function()
    local tx, rx = channel()
    for _, value in ipairs { false, 0, "", {}, print } do
      tx:send(value)
      assert.equal(value, rx:recv())
    end
    local task = waiting(rx.recv, rx)
    tx:send(false)
    assert.same({ true, false }, { task:join() })
  end))

  it("iterates until the end", on(function()
    local tx, rx = channel(2)
    local task = momo.spawn(receive_all, rx)
    send_all(tx, 1, 7)
    tx:close()
    assert.same({ 1, 2, 3, 4, 5, 6, 7 }, select(2, task:join()))
  end))

  it("works outside of a run as long as nothing has to wait", function()
    local tx, rx = channel(1)
    assert.is_true(tx:send "x")
    assert.equal("x", rx:recv())
    assert.matches("^app.lua:1: recv: needs a runtime", virtual.mistake("a:recv()", rx))
  end)

  it("does not keep what was received", on(function()
    local tx, rx = channel()
    local weak = setmetatable({}, { __mode = "v" })
    local function pass()
      weak[1] = {}
      tx:send(weak[1])
      rx:recv()
    end
    pass()
    collectgarbage()
    collectgarbage()
    assert.is_nil(weak[1])
  end))
end)

describe("the end of a channel", function()
  it("comes with the last sender's close, after what was sent", on(function()
    local tx, rx = channel()
    local other = tx:clone()
    tx:send(1)
    tx:close()
    tx:close() -- counts once
    assert.equal(1, rx:recv())
    assert_failed("ETIMEDOUT", rx:recv(0))
    other:send(2)
    other:close()
    assert.equal(2, rx:recv())
    for _ = 1, 3 do assert_failed("EOF", rx:recv()) end
  end))

  it("wakes all who wait in recv", on(function()
    local tx, rx = channel()
    local tasks = { waiting(rx.recv, rx), waiting(rx.recv, rx, 60) }
    tx:close()
    for _, task in ipairs(tasks) do
      assert_failed("EOF", select(2, task:join()))
    end
  end))

  it("is final: nothing comes after it, and what a send returned true for comes before", on(function()
    local tx, rx = channel(1)
    tx:send(1)
    local sender = waiting(tx.send, tx, 2)
    tx:close()
    local received = receive_all(rx)
    local _, sent = sender:join()
    assert_failed("EOF", rx:recv())
    assert.same(sent and { 1, 2 } or { 1 }, received)
  end))

  it("comes to all who wait when the last sender that waited has sent", on(function()
    local tx, rx = channel(1)
    tx:send(1)
    local sender = waiting(tx.send, tx, 2)
    tx:close()
    local other = momo.spawn(rx.recv, rx)
    assert.equal(1, rx:recv()) -- the sender's turn comes after the other receiver's
    assert.equal(2, rx:recv())
    assert_failed("EOF", select(2, other:join()))
    assert.same({ true, true }, { sender:join() })
  end))

  it("is EPIPE for those who send when nobody will receive, waiting ones too", on(function()
    local tx, rx = channel(1)
    local other = tx:clone()
    tx:send "dropped"
    local waiter = waiting(other.send, other, "never received")
    rx:close()
    rx:close()
    assert_failed("EPIPE", select(2, waiter:join()))
    assert_failed("EPIPE", tx:send "x")
    assert_failed("EPIPE", tx:clone():send("x", 0))
    assert_failed("EBADF", rx:recv())
    tx:close()
    assert_failed("EBADF", tx:send "x")
  end))

  it("makes a recv that waits return ECANCELED, also when a value had been sent to it", on(function()
    local _, rx = channel()
    local task = waiting(rx.recv, rx)
    rx:close()
    assert_failed("ECANCELED", select(2, task:join()))

    local tx
    tx, rx = channel()
    task = waiting(rx.recv, rx)
    tx:send "in time"
    rx:close()
    local function check(value, ...)
      if value ~= "in time" then -- then it says what happened
        assert_failed("ECANCELED", value, ...)
      end
    end
    check(select(2, task:join()))
  end))
end)

describe("a timeout", function()
  it("is ETIMEDOUT when it is over, of recv and of send", on(function()
    local tx, rx = channel(1)
    assert_failed("ETIMEDOUT", rx:recv(0.5))
    assert.equal(0.5, now())
    tx:send(1)
    assert_failed("ETIMEDOUT", tx:send(2, 1.5))
    assert.equal(2, now())
    assert.equal(1, rx:recv(10))
    assert_failed("ETIMEDOUT", rx:recv(0)) -- the second was not sent
    assert.equal(2, now())
  end))

  it("of 0 only tries, and never suspends, however often it is asked", on(function()
    local tx, rx = channel(1)
    local others = 0
    momo.spawn(function() others = others + 1 end)
    for _ = 1, 1000 do
      assert_failed("ETIMEDOUT", rx:recv(0))
      assert.is_true(tx:send("x", 0))
      assert_failed("ETIMEDOUT", tx:send("y", 0))
      assert.equal("x", rx:recv(0))
    end
    assert.equal(0, others)
  end))

  it("of 0 leaves a later call without one its patience", on(function()
    local tx, rx = channel()
    for tries = 30, 34 do
      momo.spawn(function()
        sleep(1)
        tx:send "came"
      end)
      settle()
      for _ = 1, tries do rx:recv(0) end
      assert.equal("came", rx:recv(), tries)
    end
  end))

  it("or a cancellation of one who waits takes nothing from the others", on(function()
    local tx, rx = channel()
    local tasks = { waiting(rx.recv, rx), waiting(rx.recv, rx, 1), waiting(rx.recv, rx) }
    tasks[1]:cancel()
    sleep(2)
    tx:send "for the third"
    assert.same({ true, "for the third" }, { tasks[3]:join() })
    assert_failed("ETIMEDOUT", select(2, tasks[2]:join()))

    tx, rx = channel(1)
    tx:send(1)
    tasks = { waiting(tx.send, tx, "cancelled"), waiting(tx.send, tx, "timed out", 1), waiting(tx.send, tx, 2) }
    tasks[1]:cancel()
    sleep(2)
    assert.equal(1, rx:recv())
    assert.equal(2, rx:recv())
    tx:close()
    assert_failed("EOF", rx:recv())
  end))

  it("or a cancellation that comes after the wake-up leaves the operation its result", on(function()
    local tx, rx = channel()
    local task = momo.spawn(function() return rx:recv() end)
    virtual.settle()
    tx:send "kept"
    task:cancel()
    assert.same({ true, "kept" }, { task:join() })
  end))
end)

describe("a oneshot", function()
  it("carries one value", on(function()
    local tx, rx = oneshot()
    local task = waiting(rx.recv, rx)
    assert.is_true(tx:send(false))
    assert.same({ true, false }, { task:join() })
    assert_failed("EOF", rx:recv())
    assert_failed("EBADF", tx:send "a second one")
  end))

  it("never waits in send, and keeps its value until it is asked for", on(function()
    local tx, rx = oneshot()
    assert.is_true(tx:send "early")
    assert.equal("early", rx:recv())
  end))

  it("says EOF when it was closed without a value, and EPIPE when nobody will receive", on(function()
    local tx, rx = oneshot()
    tx:close()
    assert_failed("EOF", rx:recv())
    tx, rx = oneshot()
    rx:close()
    assert_failed("EPIPE", tx:send "x")
  end))
end)

describe("mistakes with channels", function()
  local tx, rx = channel()
  local told = {
    ["a:send()"] = "send: nil can't be sent",
    ["a:send(nil, 1)"] = "send: nil can't be sent",
    ["a.send(1)"] = "send: call it with a colon",
    ["a.send('text')"] = "send: call it with a colon",
    ["a.clone()"] = "clone: call it with a colon: tx:clone()",
    ["a.close()"] = "close: call it with a colon: tx:close()",
    ["b.recv()"] = "recv: call it with a colon: rx:recv()",
    ["b.recv(1)"] = "recv: call it with a colon: rx:recv()",
    ["b.iter()"] = "iter: call it with a colon: rx:iter()",
    ["b.close()"] = "close: call it with a colon: rx:close()",
    ["b:recv('soon')"] = "recv: the timeout must be a number of seconds",
    ["b:recv(-1)"] = "recv: the timeout must be a number of seconds",
    ["momo.sync.channel(0)"] = "channel: the capacity must be a whole number from 1, or nil, got 0",
    ["momo.sync.channel(1.5)"] = "channel: the capacity must be a whole number from 1, or nil, got 1.5",
    ["momo.sync.channel('x')"] = "channel: the capacity must be a whole number from 1, or nil, got \"x\"",
  }
  for code, text in pairs(told) do
    it("are told where they were made: " .. code, on(function()
      local err = virtual.mistake(code, tx, rx)
      assert.equal("app.lua:1: " .. text, err:sub(1, #text + 11))
    end))
  end
end)
