-- momo.log: what a record looks like, that it never holds anybody up, and that it is whole at the end.

local momo = require "momo"
local support = require "spec.support"

local log = momo.log
local MOMO = support.quote(os.getenv "MOMO_BIN")

---The records that fn logs, by a sink; they are the log's own, so their parts are copied.
local function records_of(fn, options)
  local records = {}
  options = options or {}
  options.sink = function(record)
    local copy = {}
    for key, value in pairs(record) do copy[key] = value end
    records[#records + 1] = copy
  end
  log.configure(options)
  local ok, err = pcall(fn)
  log.configure { sink = false, level = "info" }
  assert(ok, err)
  return records
end

local function stderr_of(code, environment)
  local program = support.quote(support.tmpfile(code))
  local _, out, stderr = support.shell(("%s %s %s"):format(environment or "", MOMO, program))
  return stderr, out
end

describe("a record", function()
  it("has its level, message and fields, the time, and the task with its locals", function()
    local before = momo.time.wall()
    local id
    local records = records_of(function()
      momo.run(function()
        momo.current():set_name "worker"
        momo.current().locals.request = "r-1"
        momo.current().locals.shadowed = 1
        id = momo.current():id()
        log.warn("slow", { ms = 12, shadowed = 2 })
      end)
      log.info "outside"
    end)
    assert.equal(2, #records)
    local first = records[1]
    assert.is_true(first.time >= before and first.time <= momo.time.wall())
    first.time = nil
    assert.same({ level = "warn", message = "slow", fields = { ms = 12, shadowed = 2, request = "r-1" }, task = id,
      task_name = "worker", thread = "main" }, first)
    assert.same({ nil, nil, {} }, { records[2].task, records[2].task_name, records[2].fields })
  end)

  it("below the level is none", function()
    for level, n in pairs { debug = 4, info = 3, warn = 2, error = 1, off = 0 } do
      assert.equal(n, #records_of(function()
        for _, name in ipairs { "debug", "info", "warn", "error" } do log[name] "x" end
      end, { level = level }))
    end
  end)

  it("as text is one line, whatever is in it", function()
    local text = stderr_of([[
      local log = require "momo".log
      log.info("two\nlines",
        { plain = "a", spaced = "a b", quoted = 'say "x"', n = 1.5, flag = true, t = { 1, k = 2 } })
      require "momo".current():set_name "my task"
      log.error "named"
      log.debug "not shown"
    ]])
    local lines = support.lines(text)
    assert.equal(2, #lines, text)
    assert.matches("^%d%d%d%d%-%d%d%-%d%dT%d%d:%d%d:%d%d%.%d%d%dZ INFO  two\\nlines flag=true n=1.5 plain=a "
      .. 'quoted="say \\"x\\"" spaced="a b" t="{ 1, k = 2 }" task=1$', lines[1])
    assert.matches(' ERROR named task=1:"my task"$', lines[2])
  end)

  it("as JSON is valid, whatever is in it", function()
    local text = stderr_of([[
      local log = require "momo".log
      log.info("a\0\"\\\n", { utf8 = "h\195\169", broken = "\255x\195", nan = 0/0, inf = 1/0, n = 0.1, level = "mine",
        [1] = true, t = {}, big = 5LL })
    ]], "MOMO_LOG_FORMAT=json MOMO_LOG=debug")
    local program = support.tmpfile [[
import json, sys
r = json.loads(sys.stdin.read())
assert r["message"] == 'a\0"\\\n', r
assert r["utf8"] == "h\u00e9" and r["broken"] == "\ufffdx\ufffd" and r["n"] == 0.1 and r["field.level"] == "mine", r
assert r["level"] == "info" and r["1"] is True and r["task"] == 1 and r["thread"] == "main" and r["big"] == "5LL", r
assert isinstance(r["nan"], str) and isinstance(r["inf"], str)
]]
    local status, _, problem = support.shell(("python3 %s <%s"):format(support.quote(program),
      support.quote(support.tmpfile(text))))
    assert.equal("", problem)
    assert.equal(0, status)
  end)
end)

describe("the log", function()
  -- What nobody reads is written by a thread that sleeps until somebody does.
  local function unread(prelude)
    local _, out, err = support.shell(([[
      fifo=%s; rm $fifo; mkfifo $fifo
      (exec 3<$fifo; until [ -e $fifo.go ]; do sleep 0.01; done; cat <&3 >$fifo.text) &
      %s %s 2>$fifo
      wait; grep -c "INFO " $fifo.text; grep dropped $fifo.text
      rm $fifo $fifo.go $fifo.text
    ]]):format(support.tmpfile "", MOMO, support.quote(support.tmpfile(prelude .. [[
      local momo = require "momo"
      local ticks = 0
      momo.spawn(function() while true do momo.time.sleep(0.001) ticks = ticks + 1 end end)
      for i = 1, 30000 do
        momo.log.info("line", { text = ("x"):rep(100) })
        if i % 100 == 0 then momo.yield_now() end
      end
      momo.time.sleep(0.05)
      local pid, looks, state = io.open("/proc/self/stat"):read "*n", 0, nil
      local writer = io.popen(("grep -lx 'momo log' /proc/%d/task/*/comm"):format(pid)):read "*l":gsub("comm$", "stat")
      repeat
        looks, state = looks + 1, io.open(writer):read "*l":match "%) (%a)"
      until state == "S" or looks == 10000
      print(ticks > 5 and state, momo.log.dropped())
      io.stdout:flush()
      local name = io.popen("readlink /proc/" .. "self" .. "/fd/2"):read "*l"
      io.open(name .. ".go", "w"):close()
      momo.stop()
    ]]))))
    local state, dropped, written, said = out:match "^(%a+)\t(%d+)\n(%d+)\nmomo: (%d+) log lines were dropped\n$"
    assert.equal("S", state, out .. err)
    assert.is_true(tonumber(dropped) > 1000)
    assert.equal(dropped, said)
    assert.equal(30000, dropped + written)
  end

  it("holds nobody up while nobody reads it, drops what is too much, and says how much that was", function()
    unread ""
  end)

  it("waits where its descriptor does not block, too", function()
    unread [[
      local ffi = require "ffi"
      ffi.cdef "int fcntl(int fd, int command, ...);"
      assert(ffi.C.fcntl(2, 4, ffi.cast("int", 2048)) == 0) -- F_SETFL, O_NONBLOCK
    ]]
  end)

  it("is whole at the end of a program, also by os.exit, and from each thread", function()
    for _, ending in ipairs { "", "os.exit(3)", "os.exit(3, true)" } do
      local text = stderr_of([[
        local momo = require "momo"
        momo.thread.spawn({ name = "other" }, function() require("momo").log.info "from there" end):join()
        for i = 1, 2000 do momo.log.info("line " .. i) end
      ]] .. ending)
      local _, n = text:gsub("INFO  line", "")
      assert.equal(2000, n, ending)
      assert.matches("INFO  from there task=1 thread=other\n", text)
    end
  end)

  it("takes Momo's own reports of failed tasks, if they are not for people", function()
    local code = 'require("momo").spawn(function() error("it broke", 0) end)'
    assert.matches("^momo: it broke\nstack traceback", stderr_of(code))
    local text = stderr_of(code, "MOMO_LOG_FORMAT=json")
    assert.matches('"level":"error","message":"a task failed","error":"it broke"', text, 1, true)
    assert.matches('"traceback":"stack traceback:\\n', text, 1, true)
    assert.matches('"task":2,', text, 1, true)
  end)

  it("goes on where a sink fails, and where it logs itself", function()
    local text = stderr_of [[
      local log = require "momo".log
      log.configure { sink = function() error("no", 0) end }
      log.info "kept"
      log.configure { sink = function(record) log.info("from the sink: " .. record.message) end }
      log.info "second"
    ]]
    assert.matches("ERROR the sink of the log failed error=no\n", text)
    assert.matches("INFO  kept task=1\n", text)
    assert.matches("INFO  from the sink: second task=1\n", text)
  end)

  it("gives a sink that suspends all that is logged meanwhile", function()
    local text = stderr_of [[
      local momo = require "momo"
      local got = {}
      momo.log.configure { sink = function(record)
        momo.log.info("about " .. record.message)
        momo.time.sleep(0.02)
        got[#got + 1] = record.message
      end }
      local a = momo.spawn(momo.log.info, "a")
      local b = momo.spawn(momo.log.info, "b")
      a:join() b:join()
      momo.log.configure { sink = false }
      momo.log.info("got", { names = table.concat(got) })
    ]]
    assert.matches(" about a .* about b .* got names=ab ", text)
  end)

  it("throws what it can't take", function()
    assert.error_matches(function() log.info(1) end, "log.info: argument 1 must be a string, got 1")
    assert.error_matches(function() log.warn("x", 1) end, "log.warn: argument 2 must be a table of fields, got 1")
    assert.error_matches(function() log.configure { level = "loud" } end, "option level must be", 1, true)
    assert.error_matches(function() log.configure { format = "xml" } end, "option format must be", 1, true)
    assert.error_matches(function() log.configure { sink = 1 } end, "option sink must be a function", 1, true)
    assert.error_matches(function() log.configure { colour = true } end, "there is no option", 1, true)
  end)
end)
