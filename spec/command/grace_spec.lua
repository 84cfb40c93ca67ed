-- A process that is told to end, and does not hear of it: who holds it is said, and it ends all the same.

local support = require "spec.support"

local MOMO = support.quote(os.getenv "MOMO_BIN")

---The status, stdout and stderr of a program that a shell starts in the background (where it would ignore SIGINT), and
---signals once it has printed "ready".
local function signalled(code, kills, options)
  local output, program = support.quote(support.tmpfile ""), support.quote(support.tmpfile(code))
  return support.shell(([[
    ulimit -t 20 # seconds of CPU: whoever hears of nothing is not to go on for ever
    output=%s
    %s env --default-signal=INT %s %s %s >"$output" &
    until grep -q ready "$output"; do sleep 0.01; done
    %s
    wait $! 2>/dev/null
    status=$?
    cat "$output"
    exit $status
  ]]):format(output, options.through or "", MOMO, options.grace or "--grace 0.2", program, kills), { leaks = true })
end

local TIMEOUT = "setsid -w timeout --preserve-status 0.3 "
local READY = 'io.write "ready\\n" io.stdout:flush()\n'

local CALLED = "is in a function of C that does not return, called at"

-- By what is running at line 3 when the signal comes: what is said of it.
local held = {
  ["a compiled loop"] = { "while true do end", "computes %(compiled code%) near" },
  ["an interpreted loop"] = { "jit.off() while true do end", "computes at" },
  ["a call that sleeps"] = { "while true do io.popen('setsid sleep 60'):read() end", CALLED },
  ["a call that computes"] = { "(('a'):rep(40)):find(('a?'):rep(40) .. ('a'):rep(40))", CALLED },
  ["a comparison, called by table.sort"] = { "table.sort({ 1, 2 }, function() while true do end end)", "computes .-" },
  ["a coroutine of its own"] = { "coroutine.wrap(function() while true do end end)()", "computes .-" },
  ["a foreign function"] = { "for _ = 1, 1e9 do require('ffi').C.usleep(60e6) end", "[^\n]*" },
}

describe("a task that does not hear of a stop", function()
  for what, case in pairs(held) do
    it("as it is in " .. what .. ", is told of after the grace, and where; the process ends by the signal", function()
      local status, _, stderr = signalled(READY .. [[
        require("ffi").cdef "int usleep(unsigned);" require("momo").current():set_name "the culprit"
        ]] .. (case[1]:gsub("^%(", ";(")), "kill -TERM $!", {})
      assert.equal(128 + 15, status)
      assert.matches("^momo: SIGTERM is not heard for 0.2 s: task 1 'the culprit' " .. case[2] .. " ?%S+:3\n", stderr)
    end)
  end

  it("by SIGINT as well, and as the leader of a session", function()
    local status, _, stderr = signalled(READY .. "while true do end", "kill -INT $!", { through = "setsid" })
    assert.equal(128 + 2, status)
    assert.matches("^momo: SIGINT is not heard for 0.2 s: task 1 computes [^\n]*:2\n", stderr)
  end)

  it("under timeout, which sends its signal twice", function()
    local status, _, stderr = support.shell(TIMEOUT .. MOMO .. " --grace 0.2 -e 'while true do end'")
    assert.equal(128 + 15, status)
    assert.matches("^momo: SIGTERM is not heard for 0.2 s: task 1 computes [^\n]*:1\n", stderr)
  end)

  it("on each of several threads, is told of for each", function()
    local status, _, stderr = signalled([[
      local momo = require "momo"
      local tx, rx = momo.thread.channel(1)
      for i = 1, 2 do
        momo.thread.spawn({ name = "busy " .. i }, function(tx)
          require("momo").current():set_name "counts"
          tx:send(true)
          while true do end
        end, tx:clone())
      end
      rx:recv()
      rx:recv()
      ]] .. READY .. "momo.time.sleep(60)", "kill -TERM $!", {})
    assert.equal(128 + 15, status)
    for i = 1, 2 do
      assert.matches("SIGTERM is not heard for 0.2 s: task 1 'counts' of thread busy " .. i, stderr, 1, true)
    end
  end)

  it("as it computes while it cleans up, is told of as well", function()
    local status, _, stderr = signalled([[
      local momo = require "momo"
      ]] .. READY .. [[
      pcall(momo.time.sleep, 60)
      while true do end]], "kill -TERM $!", {})
    assert.equal(128 + 15, status)
    assert.matches("^momo: SIGTERM is not heard for 0.2 s: task 1 computes", stderr)
  end)

  it("and ends by itself within the grace, ends as usual", function()
    assert.same({ 0, "ready\nheard\n", "" }, { signalled([[
      local momo = require "momo"
      ]] .. READY .. [[
      local begin = os.clock()
      while os.clock() < begin + 0.2 do end
      print(pcall(momo.time.sleep, 60) or "heard")]], "kill -TERM $!", { grace = "--grace 60" }) })
  end)
end)

describe("a signal that comes", function()
  local CLEANS = [[
    local momo = require "momo"
    ]] .. READY .. [[
    pcall(momo.time.sleep, 60)
    momo.shield(momo.time.sleep, %s)
    print "cleaned up"]]

  it("twice in a row, as that of timeout does, counts as one", function()
    assert.same({ 0, "ready\ncleaned up\n", "" },
      { signalled(CLEANS:format "0.3", "kill -TERM $!; kill -TERM $!", { through = "setsid" }) })
    assert.same({ 0, "ready\ncleaned up\n", "" },
      { support.shell(TIMEOUT .. MOMO .. " -e " .. support.quote(CLEANS:format "0.3")) })
  end)

  it("again later, ends the process at once", function()
    local status, stdout, stderr = signalled(CLEANS:format "60", "kill -TERM $!; sleep 0.3; kill -TERM $!", {})
    assert.same({ 128 + 15, "ready\n" }, { status, stdout })
    assert.not_matches("momo", stderr)
  end)

  it("after one of the other kind, ends the process at once", function()
    local status, stdout, stderr = signalled(CLEANS:format "60", "kill -INT $!; kill -TERM $!", {})
    assert.same({ 128 + 15, "ready\n" }, { status, stdout })
    assert.not_matches("momo", stderr)
  end)
end)

describe("option grace", function()
  it("of run is what a thread has before it is left behind", function()
    assert.same({ 0, "", "momo: thread busy goes on computing, and is left behind\n" }, { support.luajit([[
      local momo = require "momo"
      momo.run({ grace = 0.05 }, function()
        local tx, rx = momo.thread.channel(1)
        momo.thread.spawn({ name = "busy" }, function(tx) tx:close() while true do end end, tx)
        rx:recv()
        momo.stop()
      end)
      os.exit(0)
    ]], { leaks = true }) })
  end)

  it("is a number of seconds, more than 0", function()
    local momo = require "momo"
    for _, wrong in ipairs { 0, -1, 0 / 0 } do
      assert.has_error(function() momo.run({ grace = wrong }, function() end) end)
    end
    assert.has_error(function() momo.run({ grace = "3" }, function() end) end)
    for _, wrong in ipairs { "0", "-1", "nan", "soon", "" } do
      local status, _, stderr = support.momo("--grace", wrong, "-e", "")
      assert.equal(2, status)
      assert.matches("^momo: %-%-grace wants a number of seconds, more than 0\n", stderr)
    end
  end)
end)

-- What it looks for of a trace that was given up was looked for beneath the stack.
describe("the command, which notes where compiled code comes from", function()
  local ends = {
    ["tostring"] = "tostring(sum)",
    ["select"] = "select(1, sum)",
    ["assert"] = "assert(sum)",
    ["pcall"] = "pcall(math.floor, sum)",
    ["table.concat"] = "table.concat({ sum })",
    ["a Lua function, which does"] = "(function() return tostring(sum) end)()",
  }
  for name, call in pairs(ends) do
    it("compiles coroutines that end in a tail call of " .. name, function()
      local status, stdout, stderr = support.momo(support.tmpfile(([[
        local momo = require "momo"
        local function body(n)
          local sum = 0
          for i = 1, 60 + n %% 7 do
            sum = sum + i
          end
          return %s
        end
        for n = 1, 400 do
          coroutine.resume(coroutine.create(body), n)
          coroutine.wrap(pcall)(body, n)
          momo.spawn(body, n):join()
        end
        local thread = momo.thread.spawn(function(source)
          for n = 1, 400 do
            coroutine.wrap(loadstring(source))(n)
          end
        end, "local n = ... local sum = 0 for i = 1, 60 + n %% 7 do sum = sum + i end return %s")
        print(thread:join())
      ]]):format(call, call)), { leaks = true })
      assert.same({ 0, "true\n", "" }, { status, stdout, stderr })
    end)
  end
end)
