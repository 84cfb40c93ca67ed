-- However a thread or the process ends while messages fly: it ends, and says why.

local support = require "spec.support"

-- Two threads that send to each other and to main without end, and main's `rx` of them.
local FLYING = [[
  local momo = require "momo"
  local function fly(tx, rx, report)
    momo.spawn(function()
      for value in rx:iter() do
        if not report:send(value) then return end
      end
    end)
    for i = 1, math.huge do
      if not tx:send { i } then return end
    end
  end
  local function start()
    local a_tx, a_rx = momo.thread.channel(8)
    local b_tx, b_rx = momo.thread.channel(8)
    local tx, rx = momo.thread.channel(8)
    local one = momo.thread.spawn({ name = "one" }, fly, a_tx, b_rx, tx:clone())
    local two = momo.thread.spawn({ name = "two" }, fly, b_tx, a_rx, tx)
    for _ = 1, 100 do assert(rx:recv()) end
    return rx, one, two
  end
]]

local LEAKS = { leaks = true } -- a process that ends without its threads

local function assert_ends(status, stdout, stderr, got_status, got_stdout, got_stderr)
  assert.equal(stderr, got_stderr)
  assert.same({ status, stdout }, { got_status, got_stdout })
end

-- Under the momo command and under plain luajit.
local function both(name, code, status, stdout, stderr, options)
  it(name .. ", under the momo command", function()
    assert_ends(status, stdout, stderr, support.momo("-e", FLYING .. code, options))
  end)
  it(name .. ", under luajit", function()
    assert_ends(status, stdout, stderr, support.luajit(FLYING .. "momo.run(function() " .. code .. " end)", options))
  end)
end

describe("while messages fly", function()
  both("stop in main ends every thread", [[start() momo.stop()]], 0, "", "")

  both("a closed receiver ends the threads that send to it", [[
    local rx, one, two = start()
    rx:close()
    print("closed")
    one:join(0.001)
    momo.stop()]], 0, "closed\n", "")

  both("os.exit in main ends the process", [[start() print "exits" os.exit(3)]], 3, "exits\n", "", LEAKS)
  both("os.exit that closes the state ends the process", [[start() print "exits" os.exit(4, true)]], 4, "exits\n", "")

  for _, close in ipairs { "false", "true" } do
    both(("os.exit(5, %s) in a thread ends the process"):format(close), ([[
      local rx = start()
      momo.thread.spawn(function() momo.time.sleep(0.005) os.exit(5, %s) end)
      for _ in rx:iter() do end]]):format(close), 5, "", "", LEAKS)
  end

  both("a thread's own stop ends that thread only", [[
    local rx = start()
    local thread = momo.thread.spawn(function()
      momo.spawn(momo.time.sleep, math.huge)
      momo.stop()
    end)
    print(thread:join())
    for _ = 1, 100 do assert(rx:recv()) end
    momo.stop()]], 0, "true\n", "")

  both("a thread's Lua error loses only what was its own, and join tells why", [[
    local rx = start()
    local tx, mine = momo.thread.channel(8)
    local thread = momo.thread.spawn(function(tx)
      for i = 1, 3 do tx:send(i) end
      local nothing
      return nothing.field
    end, tx)
    local ok, err = thread:join()
    print(ok, (err:match "attempt to index[^\n]*"), err:match "stack traceback" ~= nil)
    print(mine:recv(), mine:recv(), mine:recv(), select(3, mine:recv()))
    for _ = 1, 100 do assert(rx:recv()) end
    momo.stop()]], 0, "false\tattempt to index local 'nothing' (a nil value)\ttrue\n1\t2\t3\tEOF\n", "")

  it("an error in main ends every thread", function()
    local status, stdout, stderr = support.momo("-e", FLYING .. [[start() error "in main"]])
    assert.same({ 1, "" }, { status, stdout })
    assert.matches("in main", stderr, 1, true)
    status, stdout, stderr = support.luajit(FLYING .. [[momo.run(function() start() error "in main" end)]])
    assert.same({ 1, "" }, { status, stdout })
    assert.matches("in main", stderr, 1, true)
  end)

  it("the host may close its state, in the middle of a run or after one", function()
    -- an error that leaves a task's coroutine for good: the state is closed with the threads running
    assert_ends(0, "closing\n", "", support.luajit(FLYING .. [[
      momo.run(function()
        start()
        print "closing"
        os.exit(0, true)
      end)]]))
    assert_ends(0, "done\n", "", support.luajit(FLYING .. [[
      kept = {}
      momo.run(function() kept = { start() } momo.stop() end)
      print "done"]]))
  end)

  it("a thread that computes for ever is left behind with a message when the state is closed", function()
    local status, stdout, stderr = support.luajit(FLYING .. [[
      momo.run(function()
        start()
        local tx, rx = momo.thread.channel(1)
        momo.thread.spawn({ name = "busy" }, function(tx)
          tx:send "computes"
          momo.yield_now()
          while true do end
        end, tx)
        print(rx:recv())
        os.exit(0, true)
      end)]], LEAKS)
    assert.same({ 0, "computes\n", "momo: thread busy goes on computing, and is left behind\n" },
      { status, stdout, stderr })
  end)
end)
