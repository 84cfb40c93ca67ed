local support = require "spec.support"

-- Runs busted on spec files with this content, one after the other; what it printed, without colours.
local function busted(options, ...)
  local paths, runner = {}, assert(os.getenv "MOMO_SOURCE_DIR") .. "/spec/support/run.lua"
  for i, content in ipairs { ... } do
    local path = support.tmpfile(content)
    paths[i] = path .. ".lua" -- which busted insists on
    assert(os.rename(path, paths[i]))
  end
  local status, stdout, stderr = support.shell(("exec %s %s -o plainTerminal %s %s"):format(
    assert(os.getenv "MOMO_LUAJIT"), support.quote(runner), options, table.concat(paths, " ")))
  for _, path in ipairs(paths) do os.remove(path) end
  return stdout .. stderr, status
end

local function assert_counts(text, successes, failures, errors, pending)
  local counts = { text:match "(%d+) success%w* / (%d+) failure%w* / (%d+) error%w* / (%d+) pending" }
  assert.same({ successes, failures, errors, pending or 0 }, {
    tonumber(counts[1]), tonumber(counts[2]), tonumber(counts[3]), tonumber(counts[4]) }, text)
end

describe("momo.busted", function()
  it("runs each test as a task", function()
    local text, status = busted("", [[
      local momo = require "momo"
      require "momo.busted"
      describe("tasks", function()
        it("may sleep", function()
          momo.time.sleep(0.001)
          assert.equal("running", momo.current():status())
        end)
        it("may spawn", function()
          assert.same({ true, 1 }, { momo.spawn(function() return 1 end):join() })
        end)
        test("too", momo.yield_now)
      end)
      it("outside of any describe", function() momo.yield_now() end)
    ]])
    assert_counts(text, 4, 0, 0)
    assert.equal(0, status)
  end)

  it("runs the tests of a file on the virtual clock", function()
    local text = busted("", [[
      local momo = require "momo"
      require("momo.busted").clock = "virtual"
      describe("a day", function()
        local ticks
        before_each(function() ticks = 0 momo.time.sleep(60) end)
        it("is over at once", function()
          local interval = momo.time.interval(3600)
          for _ = 1, 24 do interval:tick() ticks = ticks + 1 end
          assert.equal(24, ticks)
          assert.is_true(momo.time.now() >= 23 * 3600)
        end)
        it("ends when nothing can happen any more", function() momo.sync.Notify():notified() end)
      end)
    ]], [[
      local momo = require "momo"
      require "momo.busted"
      it("has the real one in another file", function()
        local before = momo.time.now()
        momo.time.sleep(0.01)
        assert.is_true(momo.time.now() < before + 1000)
        assert.is_nil(require("momo.busted").clock)
      end)
    ]])
    assert_counts(text, 2, 0, 1)
    assert.matches("not done within 1e%+06 s; its tasks:\n\ttask %d+ in notified", text)
  end)

  it("tells of a wrong setting, and of what is no function", function()
    local text = busted("", [[
      local mine = require "momo.busted"
      it("a", function() mine.clok = "virtual" end)
      it("b", function() mine.clock = "real" end)
      it("c", function() mine.timeout = "1" end)
    ]]) .. busted("", [[
      require "momo.busted"
      it("d", { clock = "virtual" }, function() end)
    ]])
    assert.matches('2: momo.busted has no "clok", but clock and timeout', text, 1, true)
    assert.matches('momo.busted: clock must be "virtual", got "real"', text, 1, true)
    assert.matches('momo.busted: timeout must be a number of seconds, got "1"', text, 1, true)
    assert.matches("2: it: argument 2 must be a function, got table", text, 1, true)
  end)

  it("leaves spec files that do not ask for it alone", function()
    local plain = [[
      local momo = require "momo"
      it("is no task", function()
        assert.is_nil(momo.current())
        assert.equal(5, momo.run(function() return 5 end))
      end)
    ]]
    local asking = [[
      require "momo.busted"
      it("is a task", function() assert(require("momo").current()) end)
    ]]
    assert_counts(busted("", plain, asking, plain, asking), 4, 0, 0)
  end)

  it("lets busted report failures, errors and pending tests as ever, with where they came from", function()
    local text, status = busted("", [[
      local momo = require "momo"
      require "momo.busted"
      local function helper()
        momo.yield_now()
        assert.equal(1, 2)
      end
      it("fails", function() helper() end)
      it("errors", function() error "oh no" end)
      it("raises a table", function() error { 1 } end)
      it("waits for better times", function() pending "not yet" end)
      it("is cancelled", function() momo.current():cancel "why" momo.yield_now() end)
      it("nests", function() it("x", function() end) end)
    ]])
    assert_counts(text, 0, 1, 4, 1)
    assert.equal(1, status)
    assert.matches("Failure %-> [^\n]* @ 7\nfails\n[^\n]*:5: Expected objects to be equal.\n", text)
    assert.matches(":5: in function 'helper'\n%s*[^\n]*:7: in function", text)
    assert.matches("Error %-> [^\n]* @ 8\nerrors\n[^\n]*:8: oh no\n", text)
    assert.matches(":10: not yet", text)
    assert.matches("cancelled: why", text)
    assert.matches("'it' not supported inside current context block", text)
  end)

  it("ends a test whose time is over, and says where it was", function()
    local text = busted("", [[
      local momo = require "momo"
      require("momo.busted").timeout = 0.05
      it("hangs", function()
        select(2, momo.sync.channel()):recv()
      end)
      it("gives those that follow more", function() require("momo.busted").timeout = 60 end)
      it("takes longer, which it may", function() momo.time.sleep(0.06) end)
    ]])
    assert_counts(text, 2, 0, 1)
    assert.matches(":4: not done within 0.05 s", text)
  end)

  it("tells of each task of such a test what it waits for, where, and since which calls", function()
    local text = busted("", [[
      local momo = require "momo"
      require("momo.busted").timeout = 0.05
      local function deeper(rx) rx:recv() end
      it("hangs", function()
        local mutex = momo.sync.Mutex()
        local tx, rx = momo.sync.channel(1, "jobs")
        momo.spawn(function() mutex:lock() end)
        momo.spawn(function() deeper(rx) end):set_name "worker"
        momo.yield_now()
        mutex:lock()
      end)
      describe("has hooks", function()
        after_each(function() momo.time.sleep(1000) end)
        it("ends in one", function() momo.time.sleep(0.001) end)
      end)
      it("has too many", function()
        for _ = 1, 30 do momo.spawn(momo.time.sleep, 1000) end -- line 17
        momo.time.sleep(1000)
      end)
    ]])
    assert_counts(text, 0, 0, 3)
    local file = "[^\n]+_%w+%.lua"
    assert.matches("\n" .. file .. ":10: not done within 0.05 s; its tasks:\n"
      .. "\ttask %d+ in lock held by task %d+ %(which has returned%) at " .. file .. ":10\n"
      .. "\t\t" .. file .. ":10: in function 'fn'\n"
      .. "\ttask %d+ 'worker' in recv jobs at " .. file .. ":3\n"
      .. "\t\t" .. file .. ":3: in function 'deeper'\n"
      .. "\t\t" .. file .. ":8: in function <", text)
    assert.matches(file .. ":13: not done within 0.05 s; its tasks:\n", text)
    assert.matches("\ttask %d+ in sleep %d+%.%d s left at " .. file .. ":13\n", text)
    assert.matches("\ttask %d+ in sleep %d+%.%d s left at " .. file .. ":17 %(where it was spawned%)\n", text)
    assert.equal(1, select(2, text:gsub("lua:13\n\t\t[^\n]*:13: in function 'hook'\n\n", "")))
    assert.matches("\ttask %d+ and 10 more\n", text)
  end)

  it("fails a test that momo.stop has ended", function()
    assert_counts(busted("", [[
      local momo = require "momo"
      require "momo.busted"
      it("stops", function()
        momo.stop()
        momo.yield_now()
      end)
    ]]), 0, 0, 1)
  end)

  it("fails a test whose task failed, and cancels tasks that still run", function()
    local text = busted("", [[
      local momo = require "momo"
      require "momo.busted"
      local ended
      it("fails", function()
        momo.spawn(function() error "the child" end)
        momo.time.sleep(1000)
      end)
      it("leaves a task", function()
        momo.spawn(function()
          pcall(momo.time.sleep, 1000)
          ended = true
        end)
        momo.yield_now()
      end)
      it("left none", function()
        assert.is_true(ended)
        assert.equal(2, momo.metrics().tasks) -- this one, and who waits for it
      end)
    ]])
    assert_counts(text, 2, 0, 1)
    assert.matches(":5: the child", text)
  end)

  it("runs before_each, after_each and finally in the test's run, whatever happens", function()
    local text = busted("", [[
      local momo = require "momo"
      require "momo.busted"
      local log = {}
      local function note(word)
        momo.yield_now()
        log[#log + 1] = word
      end
      describe("outer", function()
        local echo
        before_each(function()
          note "before outer"
          local tx, rx = momo.sync.channel(1)
          echo = tx
          momo.spawn(function() for word in rx:iter() do note(word) end end)
        end)
        after_each(function() echo:close() note "after outer" end)
        describe("inner", function()
          before_each(function() note "before inner" end)
          after_each(function() note "after inner" end)
          it("fails", function()
            finally(function() note "finally" end)
            echo:send "test"
            momo.yield_now()
            error "on purpose"
          end)
        end)
        it("comes next", function()
          assert.equal("before outer test before inner after outer",
            table.concat({ log[1], log[3], log[2], log[6] }, " "))
          assert.same({ "finally", "after inner", "after outer", "before outer" }, { unpack(log, 4) })
        end)
      end)
      it("has none of them", function() assert.equal("after outer", log[#log]) end)
    ]])
    assert_counts(text, 2, 0, 1)
    assert.matches(":24: on purpose", text)
  end)

  it("reports what fails in before_each and after_each", function()
    local text = busted("", [[
      local momo = require "momo"
      require("momo.busted").timeout = 0.05
      local reached = false
      describe("before", function()
        before_each(function() error "early" end)
        it("never", function() reached = true end)
      end)
      describe("after", function()
        after_each(function() error "late" end)
        it("is well, but for that", function() end)
      end)
      describe("hanging", function()
        after_each(function() momo.time.sleep(1000) end)
        it("is ended", function() end)
      end)
      it("was not reached", function() assert.is_false(reached) end)
    ]])
    assert_counts(text, 1, 0, 3)
    assert.matches(":5: early", text)
    assert.matches(":9: late", text)
    assert.matches("not done within 0.05 s", text)
  end)

  it("may be run again and again", function()
    assert_counts(busted("--repeat=3", [[
      local momo = require "momo"
      require "momo.busted"
      before_each(momo.yield_now)
      it("is run", function() finally(momo.yield_now) momo.yield_now() end)
    ]]), 1, 0, 0)
  end)

  it("says what to do when no spec file requires it, each time", function()
    local status, _, stderr = support.luajit [[
      require "momo"
      pcall(require, "momo.busted")
      require "momo.busted"
    ]]
    assert.equal(1, status)
    assert.matches("app.lua:3: momo.busted: require it at the top of a spec file", stderr)
  end)
end)
