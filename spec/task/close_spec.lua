-- A state that is closed while all waits: finalizers that run after the runtime's own may still call all of Momo.

local support = require "spec.support"

local PROGRAM = [[
  local calls, told = {}, {}
  local function finalizer()
    kept = newproxy(true)
    getmetatable(kept).__gc = function()
      for _, call in ipairs(calls) do
        pcall(call)
      end
      io.stdout:write("finalized: ", tostring(told.status), " ", tostring(told.traceback),
        " ", tostring(told.stop):match "needs a runtime" or tostring(told.stop), "\n")
    end
  end
  if OLD then finalizer() end

  local momo = require "momo"
  local channel, sleep = momo.sync.channel, momo.time.sleep

  -- By then LuaJIT has closed the library, and finds in it only what was called before.
  local function call_once()
    local notify, tx, rx = momo.sync.Notify(), channel(1)
    notify:notify_one()
    notify:notify_waiters()
    rx:close()
    local reader, writer = momo.io.pipe()
    reader:consume(0)
    reader:close()
    writer:close()
    momo.metrics()
  end

  local function main()
    if not OLD then finalizer() end
    call_once()
    local notify, semaphore, mutex = momo.sync.Notify(), momo.sync.Semaphore(0), momo.sync.Mutex()
    local tx, rx = channel(1)
    local full, full_rx = channel(1)
    local thread_tx, thread_rx = momo.thread.channel(1)
    local reader, writer = momo.io.pipe()
    local scopes, tasks = {}, {}
    local waits = {
      function() notify:notified() end,
      function() semaphore:acquire() end,
      function() mutex:lock() end,
      function() rx:recv() end,
      function() full:send(1) full:send(2) end,
      function() thread_rx:recv() end,
      function() reader:read() end,
      function() momo.select { rx, notify, thread_rx, momo.time.after(1000) } end,
      function() tasks[1]:join() end,
      function() momo.select { tasks[1], tasks[2] } end,
      function() sleep(1000) end,
      function() momo.time.timeout(1000, sleep, 2000) end,
      function() momo.shield(momo.time.timeout, 1000, sleep, 2000) end,
      function()
        momo.scope(function(scope)
          scopes[1] = scope
          scope:spawn(sleep, 1000)
          scope:spawn(sleep, 1000)
          sleep(1000)
        end)
      end,
      function() momo.spawn_blocking(function() return 1 end):join() sleep(1000) end,
    }
    mutex:lock()
    for i, wait in ipairs(waits) do
      tasks[i] = momo.spawn(wait)
    end
    calls = {
      function() notify:notify_one() end,
      function() notify:notify_waiters() end,
      function() semaphore:release() end,
      function() mutex:unlock() end,
      function() tx:send(1, 0) end,
      function() full_rx:recv(0) end,
      function() thread_tx:send(1, 0) end,
      function() reader:consume(1) end,
      function() scopes[1]:cancel() end,
      function() scopes[1]:spawn(sleep, 1) end,
      function() momo.spawn(sleep, 1) end,
      function() told.stop = select(2, pcall(momo.stop)) end,
      function() told.status = tasks[11]:status() end,
      function() told.traceback = type(tasks[11]:traceback()) end,
      function() for _, task in ipairs(tasks) do task:cancel() end end,
      function() for _, task in ipairs(tasks) do task:join(0) end end,
      function() tx:close() rx:close() full:close() full_rx:close() thread_tx:close() thread_rx:close() end,
      function() reader:close() writer:close() end,
      function() momo.metrics() end,
      collectgarbage,
      function() notify:notify_one() semaphore:release() end,
    }
    for _ = 1, 10 do sleep(0) end
    print "closes"
    os.exit(3, true)
  end
]]

-- Finalizers of what is older than the runtime are called after the runtime's own.
describe("a state that is closed while all waits", function()
  local function check(run, main, is_older, status)
    it(("lets finalizers call what they like: %s, of what is older: %s"):format(main, is_older), function()
      local program = ("local OLD = %s\n"):format(is_older) .. PROGRAM .. main
      assert.same({ 3, ("closes\nfinalized: %s string %s\n"):format(status,
        is_older and "needs a runtime" or "nil"), "" }, { run(program) })
    end)
  end

  check(support.luajit, "momo.run(main)", false, "ready")
  check(support.luajit, "momo.run(main)", true, "cancelled")
  check(function(program) return support.momo("-e", program) end, "main()", false, "ready")
end)
