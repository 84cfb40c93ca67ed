local support = require "spec.support"
local tcp = require "spec.support.tcp"

-- What the programs share. kill(name): sends a signal to this process, and returns when it was sent.
local PRELUDE = [[
  local momo = require "momo"
  local recv, sleep = momo.signal.recv, momo.time.sleep
  local function kill(name)
    io.popen("kill -" .. name .. " $PPID"):close()
  end
  io.stdout:setvbuf "line"
  local listener = assert(momo.net.TcpListener.bind "127.0.0.1:0")
  local address = listener:local_addr()
  local function hear_of(threads) -- each connects once it has taken its signal over
    for _ = 1, threads do
      assert(listener:accept()):close()
    end
    listener:close()
  end
]]

local function run(code)
  return { support.momo("-e", PRELUDE .. code) }
end

describe("signal.recv", function()
  it("returns the name of the signal that came, of those that it was asked for", function()
    assert.same({ 0, "SIGUSR1\nSIGHUP\nSIGTERM\n", "" }, run [[
      local task = momo.spawn(function()
        for _ = 1, 3 do print(recv("SIGHUP", "SIGUSR1", "SIGTERM")) end
      end)
      for _, name in ipairs { "USR1", "HUP", "TERM" } do
        sleep(0.01)
        kill(name)
      end
      task:join()
    ]])
  end)

  it("keeps what comes between two calls, each signal once", function()
    assert.same({ 0, "SIGHUP\nSIGUSR1\nnil\n", "" }, run [[
      momo.time.timeout(0, recv, "SIGHUP", "SIGUSR1")
      for _, name in ipairs { "USR1", "HUP", "HUP" } do kill(name) end
      sleep(0.05)
      print(recv("SIGUSR1", "SIGHUP"))
      print(recv "SIGUSR1")
      print((momo.time.timeout(0.02, recv, "SIGUSR1", "SIGHUP")))
    ]])
  end)

  it("gives each signal to one of those who wait on a thread, the first that asked for it", function()
    assert.same({ 0, "1 SIGHUP\n3 SIGHUP\n2 SIGUSR1\n", "" }, run [[
      for i, name in ipairs { "SIGHUP", "SIGUSR1", "SIGHUP" } do
        momo.spawn(function() print(i .. " " .. recv(name)) end)
      end
      for _, name in ipairs { "HUP", "HUP", "USR1" } do
        sleep(0.01)
        kill(name)
      end
      sleep(0.01)
    ]])
  end)

  it("tells every thread that took the signal, once", function()
    assert.same({ 0, "SIGUSR1 SIGUSR1 SIGUSR1 nil\n", "" }, run [[
      local function take(address)
        local momo = require "momo"
        momo.time.timeout(0, momo.signal.recv, "SIGUSR1")
        assert(momo.net.TcpStream.connect(address)):close()
        local name = momo.signal.recv "SIGUSR1"
        return name, (momo.time.timeout(0.05, momo.signal.recv, "SIGUSR1"))
      end
      local threads = { momo.thread.spawn(take, address), momo.thread.spawn(take, address) }
      local mine = momo.spawn(take, address)
      hear_of(3)
      kill "USR1"
      local _, one = threads[1]:join()
      local _, two = threads[2]:join()
      local _, three, again = mine:join()
      print(table.concat({ one, two, three, tostring(again) }, " "))
    ]])
  end)

  it("takes the signal over for the life of the process, also when the thread that did has ended", function()
    assert.same({ 0, "alive\n", "" }, run [[
      momo.thread.spawn(function()
        local momo = require "momo"
        momo.time.timeout(0.01, momo.signal.recv, "SIGHUP")
      end):join()
      kill "HUP"
      sleep(0.01)
      print "alive"
    ]])
  end)

  it("takes SIGINT over from the momo command, and leaves it SIGTERM", function()
    assert.same({ 0, "SIGINT\nSIGINT\nstopped\n", "" }, run [[
      momo.spawn(function() while true do print(recv "SIGINT") end end)
      local ok, err = pcall(function()
        for _, name in ipairs { "INT", "INT", "TERM" } do
          sleep(0.01)
          kill(name)
        end
        sleep(60)
      end)
      print(not ok and momo.is_cancelled(err) and "stopped")
      error(err, 0)
    ]])
  end)

  it("does so for all threads", function()
    assert.same({ 0, "SIGINT\n", "" }, run [[
      local thread = momo.thread.spawn(function(address)
        local momo = require "momo"
        momo.time.timeout(0, momo.signal.recv, "SIGINT")
        assert(momo.net.TcpStream.connect(address)):close()
        return momo.signal.recv "SIGINT"
      end, address)
      hear_of(1)
      kill "INT"
      print(select(2, thread:join()))
    ]])
  end)

  it("is cancelled by a signal that stops the program and came just before", function()
    assert.same({ 0, "", "" }, run [[
      kill "TERM"
      recv "SIGHUP"
    ]])
  end)
end)

describe("a task that waits for signals", function()
  it("keeps no process alive: it is cancelled when nothing else can happen", function()
    assert.same({ 0, "cancelled\nafter\n", "" }, run [[
      momo.spawn(function()
        local _, err = pcall(recv, "SIGHUP")
        print(tostring(err))
        momo.shield(sleep, 0.01) -- it may clean up
        print "after"
        error(err, 0)
      end)
      sleep(0.05)
    ]])
  end)

  it("nor alone, nor joined, nor in a scope; run goes on to its end", function()
    assert.same({ 0, "" , "" }, run 'recv "SIGHUP" print "not reached"')
    assert.same({ 0, "false\tcancelled\n" , "" }, run 'print(momo.spawn(recv, "SIGHUP"):join())')
    local status, stdout, stderr = support.luajit [[
      local momo = require "momo"
      print(momo.run(function()
        return momo.scope(function(scope)
          scope:spawn(momo.signal.recv, "SIGHUP")
          momo.time.sleep(0.01)
          return 42
        end)
      end))
      print(select("#", momo.run(momo.signal.recv, "SIGHUP")))
    ]]
    assert.same({ 0, "42\n0\n", "" }, { status, stdout, stderr })
  end)

  it("nor on another thread, whose other tasks and sibling threads have ended; until then it waits", function()
    assert.same({ 0, "SIGUSR1\ntrue\ntrue\n", "" }, run [[
      local function wait(address)
        local momo = require "momo"
        momo.time.timeout(0, momo.signal.recv, "SIGUSR1")
        assert(momo.net.TcpStream.connect(address)):close()
        momo.thread.spawn(function() require("momo").signal.recv "SIGUSR2" end)
        print(momo.signal.recv "SIGUSR1")
        momo.signal.recv "SIGUSR2"
        print "not reached"
      end
      local thread = momo.thread.spawn(wait, address)
      momo.spawn(recv, "SIGHUP")
      hear_of(1)
      kill "USR1"
      print((thread:join()))
      print((momo.thread.spawn(function() require("momo").signal.recv "SIGUSR1" end):join()))
    ]])
  end)

  it("does not hide that the others wait for each other", function()
    local status, stdout, stderr = unpack(run [[
      local tx, rx = momo.sync.channel()
      momo.spawn(recv, "SIGHUP")
      rx:recv()
      tx:close()
    ]])
    assert.same({ 1, "" }, { status, stdout })
    assert.matches("every task waits for another one", stderr, 1, true)
    assert.is_nil(stderr:find "signal.recv")
  end)

  it("does not hold up a virtual clock, nor keep the run alive beneath a shield", function()
    local status, stdout, stderr = support.momo("--virtual", "-e", PRELUDE .. [[
      momo.spawn(recv, "SIGHUP")
      sleep(86400)
      print(momo.time.now())
    ]])
    assert.same({ 0, "86400\n", "" }, { status, stdout, stderr })
    status, stdout, stderr = support.momo("-e", PRELUDE .. 'momo.shield(recv, "SIGHUP") print "not reached"')
    assert.same({ 1, "" }, { status, stdout })
    assert.matches("signal.recv", stderr, 1, true)
  end)
end)

describe("a mistake with signals is told at the caller's line:", function()
  for code, message in pairs {
    ["momo.signal.recv()"] = "argument 1 must be a signal's name such as \"SIGHUP\", got no value",
    ["momo.signal.recv('SIGHUP', 1)"] = "argument 2 must be a signal's name such as \"SIGHUP\", got number",
    ["momo.signal.recv 'HUP'"] = "there is no signal \"HUP\"; write \"SIGHUP\"",
    ["momo.signal.recv 'TERM'"] = "there is no signal \"TERM\"; write \"SIGTERM\"",
    ["momo.signal.recv 'SIGNONE'"] = "there is no signal \"SIGNONE\"; write \"SIGHUP\"",
    ["momo.signal.recv 'SIGKILL'"] = "SIGKILL can't be caught",
    ["momo.signal.recv 'SIGSTOP'"] = "SIGSTOP can't be caught",
    ["momo.signal.recv 'SIGSEGV'"] = "SIGSEGV tells of a fault of the program itself, which can't go on",
  } do
    it(code, function()
      assert.equal("app.lua:2: signal.recv: " .. message, tcp.mistake(code))
    end)
  end
end)
