-- Where the CPU's time went: momo --profile, and momo.profile.

local support = require "spec.support"

local function profiled(code, options)
  return support.shell(("%s %s %s"):format(support.quote(os.getenv "MOMO_BIN"), options or "--profile",
    support.quote(support.tmpfile(code))))
end

-- until the process has computed for so many seconds
local COMPUTE = [[
local momo = require "momo"
local function compute(seconds)
  local till, n = os.clock() + seconds, 0
  repeat for i = 1, 10000 do n = n + i % 7 end until os.clock() > till
  return n
end
]]

local function share(text, pattern)
  return tonumber(text:match("([%d.]+) %%%s+[%d.]+ s  " .. pattern) or 0)
end

describe("a profile", function()
  it("tells which tasks and lines of the program took how much, and in what kind of code", function()
    local status, out, text = profiled(COMPUTE .. [[
      momo.spawn(compute, 0.6):set_name "busy"
      momo.spawn(function() compute(0.2) end)
      momo.time.sleep(0.01)
      print "printed"
    ]])
    assert.equal(0, status, text)
    assert.equal("printed\n", out)
    assert.matches("momo: profile: %d+%.%d+ s computed in %d+%.%d+ s: compiled %d+ %%", text)
    assert.is_true(share(text, "busy\n") > 50, text)
    assert.is_true(share(text, "%(tasks without a name%)\n") > 10, text)
    assert.is_true(share(text, "/[^ ]*:[45], busy\n") > 40, text)
  end)

  it("tells interpreted code, C and the garbage collector apart", function()
    local _, _, text = profiled(COMPUTE .. [[
      jit.off()
      compute(0.3)
      local big = {}
      for i = 1, 1e5 do big[i] = { i } end
      local till = os.clock() + 0.3
      repeat collectgarbage() until os.clock() > till
      local text = ("a"):rep(1e6)
      till = os.clock() + 0.3
      repeat text:find("b.*c") until os.clock() > till
    ]])
    for _, kind in ipairs { "interpreted", "GC", "C" } do
      assert.is_true(tonumber(text:match("[ :]" .. kind .. " (%d+) %%")) >= 10, kind .. " in " .. text)
    end
  end)

  it("counts neither what waits nor what other threads compute", function()
    local _, _, text = profiled(COMPUTE .. [[
      momo.spawn_blocking(function() local till = os.clock() + 0.5 repeat until os.clock() > till end)
    ]])
    assert.is_true(tonumber(text:match "profile: ([%d.]+) s computed") < 0.3, text)
  end)

  it("is drawn as a flame graph", function()
    local path = support.tmpfile ""
    local status, _, text = profiled(COMPUTE .. "momo.current():set_name 'a<b>&c' compute(0.3)", "--profile=" .. path)
    assert.equal(0, status, text)
    local file = assert(io.open(path))
    local svg = file:read "*a"
    file:close()
    assert.matches("^<svg [^>]+>.*</svg>\n$", svg)
    assert.matches("<title>a&lt;b&gt;&amp;c: 0%.%d+ s, %d+%.%d %%</title>", svg)
    assert.matches("<title>compute [^<]*:[45]: 0%.%d+ s", svg)
    assert.matches("<title>compiled: ", svg)
    local _, opened = svg:gsub("<g>", "")
    local _, closed = svg:gsub("</g>", "")
    assert.equal(opened, closed)
  end)

  it("is told whichever way the program ends", function()
    for ending, code in pairs {
      ["os.exit(3)"] = 3, ["momo.spawn(function() os.exit(4, true) end) momo.time.sleep(9)"] = 4, ["error 'no'"] = 1,
      ["os.execute('kill -TERM ' .. io.open('/proc/self/stat'):read '*n') momo.time.sleep(9)"] = 0,
    } do
      local path = support.tmpfile ""
      local program = support.tmpfile(COMPUTE .. "compute(0.1) " .. ending)
      local status, _, text = support.shell(("%s --profile=%s %s"):format(support.quote(os.getenv "MOMO_BIN"), path,
        support.quote(program)), { leaks = true })
      assert.equal(code, status, text)
      assert.matches("momo: profile: .*computed in", text)
      local file = assert(io.open(path))
      assert.matches("^<svg [^>]+>.*</svg>\n$", file:read "*a")
      file:close()
    end
  end)

  it("that can't be written is told, and the program's end as well", function()
    local _, _, full = profiled("", "--profile=/dev/full")
    assert.matches("momo: cannot write the flame graph: /dev/full: No space left on device", full)
    local status, _, text = profiled("error 'of its own'", "--profile=/nowhere/graph.svg")
    assert.equal(1, status)
    assert.matches("of its own", text)
    assert.matches("momo: cannot write the flame graph: /nowhere/graph.svg: No such file", text)
  end)

  it("can be taken by the program, one at a time", function()
    local status, _, text = support.momo("-e", COMPUTE .. [[
      local profile = momo.profile
      assert(profile.stop() == nil and not profile.running())
      assert(profile.start() and profile.running())
      local _, err, code = profile.start()
      assert(code == "EBUSY" and err:find "EBUSY", err)
      local other = momo.thread.spawn(function() return select(3, require("momo").profile.start()) end)
      assert(select(2, other:join()) == "EBUSY")
      compute(0.2)
      local first = assert(profile.stop())
      assert(first.cpu > 0.1 and first.states.compiled > 0 and #first.stacks > 0, first:text())
      assert(profile.start())
      local second = profile.stop()
      assert(second.cpu < 0.1, second.cpu)
      assert(second:text():find "too little to say more" or #second.stacks > 0, second:text())
      assert(second:flame_graph():find "^<svg")
    ]])
    assert.equal(0, status, text)
  end)
end)
