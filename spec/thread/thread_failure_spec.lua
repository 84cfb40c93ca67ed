local support = require "spec.support"

describe("a thread that failed", function()
  local FAILING = [[
    local momo = require "momo"
    local thread
    momo.run(function()
      thread = momo.thread.spawn({ name = "worker" }, function()
        error "it broke"
      end)
      %s
    end)
    print "run has returned"
  ]]

  it("unjoined is reported on stderr with its name, place and traceback", function()
    local status, stdout, stderr = support.luajit(FAILING:format "")
    assert.equal(0, status)
    assert.equal("run has returned\n", stdout)
    assert.matches("^momo: thread worker failed: app%.lua:5: it broke\nstack traceback:\n", stderr)
  end)

  it("and is joined is not reported", function()
    local status, stdout, stderr = support.luajit(FAILING:format "thread:join()")
    assert.equal(0, status)
    assert.equal("run has returned\n", stdout)
    assert.equal("", stderr)
  end)

  it("and is joined later was reported, and still gives its error", function()
    local status, stdout, stderr = support.luajit(FAILING:format [[
      while momo.metrics().threads > 0 do momo.time.sleep(0.001) end
      print(select("#", thread:join()), (select(2, thread:join()):match "^[^\n]*"))
    ]])
    assert.equal(0, status)
    assert.equal("2\tapp.lua:5: it broke\nrun has returned\n", stdout)
    assert.matches("^momo: thread worker failed: app%.lua:5: it broke\n", stderr)
  end)

  it("with an error object is reported too", function()
    local status, _, stderr = support.luajit((FAILING:format "":gsub('"it broke"', "{}")))
    assert.equal(0, status)
    assert.matches("^momo: thread worker failed: ", stderr)
  end)

  it("unjoined is told to on_error, with its error and the thread, and counts no more", function()
    local status, stdout, stderr = support.momo("-e", [[
      local momo, threads = require "momo", {}
      momo.on_error(function(err, thread)
        print(thread == threads[1], thread == threads[2], type(err) == "table" and err.code or err:match "^[^\n]*",
          pcall(momo.yield_now))
      end)
      threads[1] = momo.thread.spawn(function() error "it broke" end)
      momo.time.sleep(0)
      while momo.metrics().threads > 0 do momo.time.sleep(0.001) end
      threads[2] = momo.thread.spawn(function() error { code = "E1" } end)
    ]])
    assert.equal("", stderr)
    assert.equal("true\tfalse\t(command line):6: it broke\tfalse\t(command line):4: yield_now: can't suspend inside "
      .. "on_error; spawn a task for it\nfalse\ttrue\tE1\tfalse\t(command line):4: yield_now: can't suspend inside "
      .. "on_error; spawn a task for it\n",
      stdout)
    assert.equal(0, status)
  end)

  it("unjoined, and of which nobody has a handle, is told too", function()
    local status, stdout, stderr = support.momo("-e", [[
      local momo = require "momo"
      momo.on_error(function(err, thread) print(err:match "%w+ %w+\n", thread) end)
      momo.thread.spawn(function() require("momo").time.sleep(0.01) error "it broke" end)
      collectgarbage()
      collectgarbage()
    ]])
    assert.same({ 0, "" }, { status, stderr })
    assert.matches("^it broke\n\tmomo.Thread: 0x%x+\n$", stdout)
  end)

  it("and whose handler fails is reported as without one", function()
    local status, _, stderr = support.momo("-e", [[
      local momo = require "momo"
      momo.on_error(function() error "handler" end)
      momo.thread.spawn({ name = "worker" }, function() error "it broke" end)
    ]])
    assert.equal(1, status)
    assert.matches("^momo: while a failed thread was reported: %(command line%):2: handler\n"
      .. "momo: thread worker failed: %(command line%):3: it broke\n", stderr)
  end)

  it("and is joined by then is not told", function()
    local status, stdout, stderr = support.momo("-e", [[
      local momo = require "momo"
      momo.on_error(print)
      print(momo.thread.spawn(function() error({ 1 }) end):join())
    ]])
    assert.same({ 0, "" }, { status, stderr })
    assert.matches("^false\ttable: 0x%x+\n$", stdout)
  end)

  it("unjoined is reported where the state is closed by a task", function()
    local status, _, stderr = support.momo("-e", [[
      local momo = require "momo"
      local tx, rx = momo.thread.channel(1)
      momo.thread.spawn({ name = "worker" }, function(tx) tx:send(1) error "it broke" end, tx)
      rx:recv()
      os.exit(0, true)
    ]])
    assert.equal(0, status)
    assert.matches("^momo: thread worker failed: %(command line%):3: it broke\n", stderr)
  end)

  it("and was seen to end is reported where the state is closed before that was done, unless it was joined", function()
    local PROGRAM = [[
      local momo = require "momo"
      %s
      local thread = momo.thread.spawn({ name = "worker" }, function() error "it broke" end)
      while momo.metrics().threads > 0 do momo.yield_now() end
      %s
      os.exit(0, true)
    ]]
    local status, _, stderr = support.momo("-e", PROGRAM:format("", ""))
    assert.equal(0, status)
    assert.matches("^momo: thread worker failed: %(command line%):3: it broke\n", stderr)
    -- A window may have ended before the join: then it was told, which is heard.
    status, _, stderr = support.momo("-e", PROGRAM:format("momo.on_error(function() end)", "thread:join()"))
    assert.same({ 0, "" }, { status, stderr })
  end)

  it("is a record of the log where that is JSON", function()
    local _, _, stderr = support.shell(("MOMO_LOG_FORMAT=json %s -e %s"):format(support.quote(os.getenv "MOMO_BIN"),
      support.quote [[require("momo").thread.spawn({ name = "worker" }, function() error("it broke", 0) end)]]))
    assert.matches('"level":"error","message":"a thread failed"', stderr, 1, true)
    assert.matches('"name":"worker"', stderr, 1, true)
  end)

  it("for want of descriptors leaves none behind", function()
    local status, stdout = support.luajit [[
      local momo = require "momo"
      local descriptors = require "spec.support.descriptors"
      local before, after, failed = nil, nil, 0
      momo.run(function()
        before = descriptors.list()
        for round = 1, 10 do
          for left = 3, 16 do
            descriptors.few(left)
            local threads = {}
            for i = 1, 6 do -- which take them from each other
              threads[i] = assert(momo.thread.spawn(function() end))
            end
            for _, thread in ipairs(threads) do
              failed = failed + (thread:join() and 0 or 1)
            end
          end
        end
        descriptors.many()
        after = descriptors.list()
      end)
      print(failed > 0, table.concat(before, " ") == table.concat(after, " ") or table.concat(after, " "))
    ]]
    assert.same({ 0, "true\ttrue\n" }, { status, stdout })
  end)
end)
