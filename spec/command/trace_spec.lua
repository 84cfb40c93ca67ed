-- What tasks do when, as Perfetto and Chrome read it: momo --trace, and momo.trace.

local json = require "cjson"
local support = require "spec.support"

local function traced(code, options)
  local path = support.tmpfile ""
  local status, out, err = support.shell(("%s --trace %s %s %s"):format(support.quote(os.getenv "MOMO_BIN"), path,
    options or "", support.quote(support.tmpfile("local momo = require 'momo'\n" .. code))),
    { leaks = code:find "os.exit" ~= nil })
  assert.equal(0, status, out .. err)
  local file = assert(io.open(path))
  local text = file:read "*a"
  file:close()
  return assert(json.decode(text)), text
end

---The events whose fields are as these.
local function find(events, fields)
  local found = {}
  for _, event in ipairs(events) do
    local good = true
    for name, value in pairs(fields) do
      good = good and event[name] == value
    end
    if good then found[#found + 1] = event end
  end
  return found
end

describe("a trace", function()
  it("has tasks as tracks, with runs and waits, and who wakes whom", function()
    local events = traced [[
      local tx, rx = momo.sync.channel(1)
      local taker = momo.spawn(function() return rx:recv() end)
      taker:set_name 'ta"ker'
      momo.spawn(function() momo.time.sleep(0.05) tx:send(1) end)
      taker:join()
    ]]
    local named = find(events, { ph = "M", name = "thread_name" })
    assert.equal('ta"ker (2)', named[1].args.name)
    assert.equal("main", find(events, { ph = "M", name = "process_name" })[1].args.name)
    local wait = find(events, { ph = "X", cat = "wait", name = "recv", tid = 2 })[1]
    assert.is_true(wait.dur >= 45000, wait.dur) -- microseconds
    local slept = find(events, { ph = "X", cat = "wait", name = "sleep", tid = 3 })[1]
    assert.is_true(slept.dur >= 45000 and slept.ts >= wait.ts, slept.dur)
    local from = find(events, { ph = "s", tid = 3 })
    local to = find(events, { ph = "f", tid = 2 })
    assert.equal(from[#from].id, to[#to].id)
    assert.is_true(to[#to].ts >= from[#from].ts)
    for _, run in ipairs(find(events, { ph = "X", cat = "run" })) do
      assert.is_true(run.dur >= 0 and run.dur < 1e7)
    end
  end)

  it("is UTF-8, whatever the tasks are called", function()
    local events = traced [[
      momo.spawn(function() momo.time.sleep(0.001) end):set_name(("\195\169"):rep(30)) -- is cut within a character
      momo.spawn(function() momo.time.sleep(0.001) end):set_name "a\255\226\130b\n\\"
      momo.spawn(function() momo.time.sleep(0.001) end):set_name "\240\159\144\166"
    ]]
    local named = {}
    for _, event in ipairs(find(events, { ph = "M", name = "thread_name" })) do
      named[event.args.name] = true
    end
    local replaced = "\239\191\189"
    assert.is_true(named[("\195\169"):rep(27) .. replaced .. " (2)"])
    assert.is_true(named["a" .. replaced:rep(3) .. "b \\ (3)"])
    assert.is_true(named["\240\159\144\166 (4)"])
  end)

  it("has threads as processes", function()
    local events = traced("momo.time.sleep(0.01)", "--threads 3")
    local seen = {}
    for _, event in ipairs(find(events, { ph = "M", name = "process_name" })) do
      seen[event.pid] = true
    end
    for _, event in ipairs(find(events, { ph = "X", name = "sleep" })) do
      assert.is_true(seen[event.pid])
      seen[event.pid] = "slept"
    end
    local n = 0
    for _, what in pairs(seen) do n = n + (what == "slept" and 1 or 0) end
    assert.equal(3, n)
  end)

  it("keeps the last events", function()
    local path = support.tmpfile ""
    local status, _, err = support.momo("--trace", path, "-e", [[
      local momo = require "momo"
      momo.time.sleep(0)
      for _ = 1, 400000 do momo.yield_now() end
      momo.time.sleep(0.01)
    ]])
    assert.equal(0, status, err)
    local counted = select(2, support.shell(("grep -c run %s; grep -c sleep %s"):format(path, path)))
    local runs, sleeps = counted:match "^(%d+)\n(%d+)\n$"
    assert.equal(1, tonumber(sleeps))
    assert.is_true(tonumber(runs) >= 250000 and tonumber(runs) < 350000, runs)
  end)

  it("is whole when a task ends the process, and while it is being taken", function()
    for _, closes in ipairs { "", ", true" } do
      local events = traced(([[
        momo.spawn(function()
          momo.current():set_name "ends"
          momo.time.sleep(0.01)
          os.exit(0%s)
        end)
        momo.time.sleep(60)
      ]]):format(closes))
      assert.equal(1, #find(events, { ph = "X", cat = "wait", name = "sleep", tid = 2 }))
      assert.equal(2, #find(events, { ph = "X", cat = "run", tid = 2 }))
      assert.equal("ends (2)", find(events, { ph = "M", name = "thread_name" })[1].args.name)
    end
    local events = traced([[
      momo.time.sleep(0.01)
      if momo.thread.current().index == 1 then os.exit(0) end
      while true do momo.yield_now() end
    ]], "--threads 2 --stall 0")
    assert.equal(1, #find(events, { ph = "X", name = "sleep" }))
    traced [[
      local file = assert(io.open(select(2, io.open("/proc/self/cmdline"):read("*a"):match "(%-%-trace)%z(%Z+)")))
      assert(file:read("*a"):find "^%[.*%]\n$")
    ]]
  end)

  it("is whole when there is no room for it, which is told", function()
    local path = support.tmpfile ""
    local program = support.tmpfile [[
      local momo = require "momo"
      for i = 1, 3 do
        momo.spawn(function() for _ = 1, 2000 do momo.yield_now() end end):set_name("task " .. i)
      end
    ]]
    local status, _, err = support.shell(("ulimit -f 64; exec env --ignore-signal=XFSZ %s --trace %s %s"):format(
      support.quote(os.getenv "MOMO_BIN"), path, support.quote(program)))
    assert.equal(1, status)
    assert.matches("^momo: EFBIG: [^\n]*\n$", err)
    local file = assert(io.open(path))
    local text = file:read "*a"
    file:close()
    assert.equal(1, #json.decode(text), text)
    assert.matches("%]\n$", text)
  end)

  it("wants a file in which its end can be written over", function()
    local _, out, err = support.shell(support.quote(os.getenv "MOMO_BIN")
      .. " --trace /proc/self/fd/1 -e 'print(1)' | cat")
    assert.equal("", out)
    assert.matches("^momo: ESPIPE: .*: /proc/self/fd/1", err)
  end)

  it("can be taken by the program, one at a time", function()
    local path = support.tmpfile ""
    local status, _, err = support.momo("-e", ([[
      local momo = require "momo"
      local path = %q
      assert(momo.trace.stop() == nil and not momo.trace.running())
      assert(momo.trace.start(path) and momo.trace.running())
      local _, _, code = momo.trace.start(path)
      assert(code == "EBUSY")
      momo.yield_now()
      momo.measure(true)
      momo.time.sleep(0.01)
      assert(momo.trace.stop() == path)
      momo.time.sleep(0.01)
      momo.measure(false)
      momo.time.sleep(0.01)
      local _, err, code = momo.trace.start "/nowhere/trace"
      assert(err == "ENOENT: no such file or directory: /nowhere/trace" and code == "ENOENT", err)
      _, _, code = momo.trace.start "/dev/full"
      assert(code == "ENOSPC", code)
      local _, n = assert(io.open(path)):read("*a"):gsub('"sleep"', "")
      assert(n == 1, n)
    ]]):format(path))
    assert.equal(0, status, err)
  end)
end)
