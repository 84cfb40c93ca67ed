-- What an error tells about the place where it happened, whatever it came through; and what a deadlock tells.

local momo = require "momo"
local support = require "spec.support"

local sleep = momo.time.sleep

local function run(main)
  return momo.run({ clock = "virtual", on_error = function() end }, main)
end

-- What momo.run raises for it, as text.
local function raised_by(main)
  local ok, err = pcall(run, main)
  assert.is_false(ok)
  return err
end

-- Each fails deep inside. They are no locals, so that a traceback names them.
local at = {}

function at.the_bottom(err)
  sleep(1)
  error(err or "it broke", 0)
end

function at.the_middle(err)
  at.the_bottom(err)
  return "no tail call"
end

function at.another_bottom(err)
  error(err or "it broke", 0)
end

local function line_of(fn)
  local info = debug.getinfo(fn, "S")
  return info.linedefined, info.lastlinedefined
end

-- Whether the traceback in the text passes through the function.
local function shows(text, fn)
  local first, last = line_of(fn)
  for line in text:gmatch "spec/task/traceback_spec.lua:(%d+): in " do
    if tonumber(line) >= first and tonumber(line) <= last then return true end
  end
  return false
end

local function assert_shows(text, fn)
  assert(shows(text, fn), "line " .. line_of(fn) .. " is missing in: " .. text)
end

local function assert_hides(text, fn)
  assert(not shows(text, fn), "line " .. line_of(fn) .. " should not be in: " .. text)
end

-- Ways for an error to come from at.the_middle to the caller.
local ways = {
  timeout = function() momo.time.timeout(10, at.the_middle) end,
  shield = function() momo.shield(at.the_middle) end,
  ["a scope's function"] = function() momo.scope(function() at.the_middle() end) end,
  ["a lock"] = function() momo.sync.Mutex():with(at.the_middle) end,
  ["a nest of them"] = function()
    momo.scope(function()
      momo.time.timeout(5, function()
        momo.shield(function() momo.scope(function() momo.time.timeout(3, at.the_middle) end) end)
      end)
    end)
  end,
}

-- Ways for an error to come from at.the_middle in the task "worker" to the caller.
local function worker()
  momo.current():set_name "worker"
  at.the_middle()
end

local ways_of_tasks = {
  join = function()
    local ok, err = momo.spawn(worker):join()
    assert(not ok)
    error(err, 0)
  end,
  ["a scope's child"] = function() momo.scope(function(scope) scope:spawn(worker) end) end,
  ["a child while the function waits"] = function()
    momo.scope(function(scope)
      scope:spawn(worker)
      sleep(5)
    end)
  end,
  race = function() momo.race { function() sleep(5) end, worker } end,
  all = function() momo.all { function() sleep(5) end, worker } end,
  ["a nest of scopes"] = function()
    momo.scope(function(scope)
      scope:spawn(momo.time.timeout, 5, momo.scope, function(inner)
        inner:spawn(function() momo.all { worker } end)
      end)
    end)
  end,
}

describe("an error that came through", function()
  for name, way in pairs(ways) do
    it(name .. " shows where it happened, once", function()
      local text = raised_by(way)
      assert.matches("^it broke\n", text)
      assert_shows(text, at.the_bottom)
      assert_shows(text, at.the_middle)
      local _, n = text:gsub("in function 'error'", "")
      assert.equal(1, n, text)
    end)
  end

  for name, way in pairs(ways_of_tasks) do
    it(name .. " shows where it happened, and names the task", function()
      local text = raised_by(way)
      assert.matches("^it broke\n", text)
      assert.matches("task %d+ 'worker'", text)
      assert_shows(text, at.the_bottom)
      assert_shows(text, at.the_middle)
    end)
  end

  for kind, all_ways in pairs { here = ways, ["in a task"] = ways_of_tasks } do
    for name, way in pairs(all_ways) do
      it(name .. " shows it too in the report of a task that nobody joins, and in task:traceback: " .. kind, function()
        local reported
        momo.run({ clock = "virtual", on_error = function(err, task) reported = { err, task:traceback() } end },
          function() momo.spawn(way) end)
        assert.equal("it broke", reported[1])
        assert_shows(reported[2], at.the_bottom)
      end)
    end
  end

  it("a task without a name is named by its number", function()
    local id
    local text = raised_by(function()
      momo.scope(function(scope) id = scope:spawn(at.the_middle):id() end)
    end)
    assert.matches(("task %d\n"):format(id), text)
  end)

  it("them as an object stays that object", function()
    local problem = setmetatable({}, { __tostring = function() return "an object" end })
    for _, all_ways in ipairs { ways, ways_of_tasks } do
      for name, way in pairs(all_ways) do
        local middle = at.the_middle
        at.the_middle = function() at.the_bottom(problem) end
        local ok, err = pcall(run, way)
        at.the_middle = middle
        assert(not ok and err == problem, name)
      end
    end
  end)
end)

describe("an error with the text of an earlier one that was caught", function()
  it("shows its own place, not the other's", function()
    for name, through in pairs { timeout = function(fn) momo.time.timeout(5, fn) end, shield = momo.shield,
      scope = momo.scope } do
      local text = raised_by(function()
        assert(not pcall(through, function() at.the_middle "again" end))
        through(function() at.another_bottom "again" end)
      end)
      assert.matches("^again\n", text, name)
      assert_shows(text, at.another_bottom)
      assert_hides(text, at.the_middle)
    end
  end)

  it("from another task names its own task", function()
    local text = raised_by(function()
      local first, second = momo.spawn(at.the_middle), momo.spawn(at.another_bottom)
      first:set_name "first"
      second:set_name "second"
      assert(not first:join())
      local _, err = second:join()
      error(err, 0)
    end)
    assert.matches("task %d+ 'second'", text)
    assert_shows(text, at.another_bottom)
    assert_hides(text, at.the_middle)
  end)
end)

describe("the report on stderr", function()
  it("shows task, place and what the error came through", function()
    local status, _, stderr = support.luajit [[
      local momo = require "momo"
      momo.run({ clock = "virtual" }, function()
        momo.spawn(function()
          momo.scope(function(scope)
            local child = scope:spawn(function()
              momo.time.sleep(1)
              error "it broke"
            end)
            child:set_name "fetcher"
          end)
        end)
      end)
    ]]
    assert.equal(0, status)
    assert.matches("^momo: app.lua:7: it broke\n", stderr)
    assert.matches("task %d+ 'fetcher'", stderr)
    assert.matches("app.lua:7: in function", stderr)
    local _, n = stderr:gsub("it broke", "")
    assert.equal(1, n)
  end)
end)

describe("the error of a deadlock", function()
  -- The error's lines, without the first one, and the line where this was called.
  local function deadlock_of(main)
    local text = raised_by(main)
    local first, rest = text:match "^([^\n]*)\n(.*)$"
    assert.matches("run: every task waits for another one", first, 1, true)
    return rest
  end

  it("lists who waits for what, and where", function()
    local lines
    local text = deadlock_of(function()
      local here = debug.getinfo(1, "S").linedefined + 2
      local semaphore, mutex, notify = momo.sync.Semaphore(0), momo.sync.Mutex(), momo.sync.Notify()
      lines = {
        acquire = here + 11, lock = here + 12, notified = here + 13, recv = here + 14, send = here + 15,
        join = here + 16, scope = here + 17, select = here + 18,
      }
      local _, rx = momo.sync.channel()
      local tx, kept = momo.sync.channel(1)
      local stuck = momo.spawn(function() kept = { kept, rx } notify:notified() end)
      tx:send(1)
      mutex:lock()
      local waits = {
        acquire = function() semaphore:acquire() end,
        lock = function() mutex:lock() end,
        notified = function() notify:notified() end,
        recv = function() rx:recv() end,
        send = function() tx:send(2) end,
        join = function() stuck:join() end,
        scope = function() momo.scope(function(scope) scope:spawn(function() stuck:join() end) end) end,
        select = function() momo.select { notify, stuck } end,
      }
      for name, fn in pairs(waits) do momo.spawn(fn):set_name("in " .. name) end
    end)
    for name, line in pairs(lines) do
      local said = ("task %%d+ 'in %s' in %s[^\n]* at [^\n]*spec/task/traceback_spec.lua:%d\n"):format(name, name, line)
      assert.matches(said,
        text .. "\n", name)
    end
  end)

  it("gives places in a folder that is called momo, too", function()
    local _, _, stderr = support.shell([[
      folder=$(mktemp -d) && mkdir $folder/momo &&
      echo 'local t = require "momo".spawn(function() require "momo".sync.Notify():notified() end) t:join()' \
        > $folder/momo/app.lua && exec "$MOMO_BIN" $folder/momo/app.lua; rm -r $folder]])
    assert.matches("in notified at [^\n]*/momo/app.lua:1\n", stderr)
    assert.matches("in join task %d+ at [^\n]*/momo/app.lua:1\n", stderr)
  end)

  it("counts those that are too many to list", function()
    local text = deadlock_of(function()
      for _ = 1, 100 do momo.spawn(function() momo.sync.Notify():notified() end) end
    end)
    local _, n = text:gsub("task %d+ in notified at ", "")
    local more = tonumber(text:match "and (%d+) more")
    assert.is_true(n >= 10)
    assert.equal(100, n + more)
  end)

  it("comes too when the tasks are shielded, and leaves nothing of them", function()
    local cleaned = false
    local text = deadlock_of(function()
      momo.scope(function(scope)
        scope:defer(function() cleaned = true end)
        momo.shield(function() momo.sync.Notify():notified() end)
      end)
    end)
    assert.matches("in notified", text)
    local metrics = momo.metrics()
    assert.same({ 0, 0 }, { metrics.tasks, metrics.timers })
    assert.equal("fine", run(function() return "fine" end))
    assert.is_true(cleaned)
  end)

  it("does not come while a task sleeps that may wake the others", function()
    run(function()
      local notify = momo.sync.Notify()
      local waiter = momo.spawn(notify.notified, notify)
      momo.spawn(function()
        sleep(1e6)
        notify:notify_one()
      end)
      assert.same({ true, true }, { waiter:join() })
    end)
  end)

  it("does not come while a task is in accept, or in sleep(math.huge)", function()
    local status, stdout, stderr = support.luajit [[
      local momo = require "momo"
      local client = [=[
        require("momo").run(function() require("momo").net.TcpStream.connect(arg[1]):write "from outside" end)
      ]=]
      local path = os.tmpname()
      local file = io.open(path, "w")
      file:write(client)
      file:close()
      momo.run(function()
        local listener = momo.net.TcpListener.bind "127.0.0.1:0"
        local server = momo.spawn(function() return listener:accept():read() end)
        local forever = momo.spawn(momo.time.sleep, math.huge)
        os.execute(os.getenv "MOMO_LUAJIT" .. " " .. path .. " " .. listener:local_addr() .. " &")
        print(server:join())
        forever:cancel()
        os.remove(path)
      end)
    ]]
    assert.same({ 0, "true\tfrom outside\n", "" }, { status, stdout, stderr })
    status, stdout, stderr = support.momo("-e", [[
      require("momo").spawn(require("momo").time.sleep, math.huge)
      os.execute "kill -TERM $PPID"
    ]])
    assert.same({ 0, "", "" }, { status, stdout, stderr })
  end)
end)
