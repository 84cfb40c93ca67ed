-- What a running process tells when it is asked from outside, and by itself of a task that holds a thread.

local support = require "spec.support"

local MOMO = support.quote(os.getenv "MOMO_BIN")

---Runs a program in the background; once it has printed "ready", the commands, in which $! is its process, and
---`heard TEXT N` waits until it has written so many lines with that text to stderr. Returns what it has written there.
---A script's background job would ignore SIGQUIT.
local function inside(code, commands, environment)
  local output, errors = support.quote(support.tmpfile ""), support.quote(support.tmpfile "")
  local _, _, stderr = support.shell(([[
    ulimit -t 20
    output=%s errors=%s
    heard() {
      for i in $(seq 2000); do [ $(grep -c "$1" "$errors") -ge $2 ] && return; sleep 0.01; done
    }
    (%s exec env --default-signal=QUIT %s %s >"$output" 2>"$errors") &
    until grep -q ready "$output"; do sleep 0.01; done
    %s
    kill -KILL $!
    wait $! 2>/dev/null
    cat "$errors" >&2
  ]]):format(output, errors, environment or "", MOMO, support.quote(support.tmpfile(code)), commands), { leaks = true })
  return stderr
end

local DUMP = MOMO .. " dump $!; heard '%s' 1"
-- TSan holds a signal back until the thread calls a function of C that it knows.
local STEP = os.getenv "MOMO_SANITIZE" == "thread" and "os.time()" or ""
local READY = 'io.write "ready\\n" io.stdout:flush()\n'

describe("a dump", function()
  it("shows the tasks as a tree of scopes, alike ones in one line with their number", function()
    local text = inside([[
      local momo = require "momo"
      local listener = assert(momo.net.TcpListener.bind "127.0.0.1:0")
      momo.spawn(listener.accept, listener):set_name "acceptor"
      local notify = momo.sync.Notify()
      for i = 1, 10000 do momo.spawn(function() notify:notified() end) end
      momo.spawn(function()
        momo.scope(function(scope)
          for _ = 1, 5 do scope:spawn(function() momo.scope(function(inner)
            inner:spawn(function() notify:notified() end)
          end) end) end
        end)
      end):set_name "nursery"
      momo.yield_now() momo.yield_now() momo.yield_now()
      ]] .. READY .. "momo.time.sleep(60)", DUMP:format "task 10009")
    local lines = support.lines(text)
    assert.equal(7, #lines, text)
    assert.matches("^momo: thread main of process %d+ has 10013 tasks:$", lines[1])
    assert.matches("^  task 1: sleep %d+%.%d s left, for %d+%.%d s, at %S+:15$", lines[2])
    assert.matches("^  task 2 'acceptor': accept 127%.0%.0%.1:%d+, for ", lines[3])
    assert.matches("^  10000 tasks: notified, for .- s, at %S+:5 %(3, 4, 5, %.%.%. 10002%)$", lines[4])
    assert.matches("^  task 10003 'nursery': scope, for .- at %S+:7$", lines[5])
    assert.matches("^    5 tasks: scope, for .- at %S+:8 %(10004, 10005, 10006, %.%.%. 10008%)$", lines[6])
    assert.matches("^      task 10009: notified, for .- at %S+:9$", lines[7])
  end)

  it("has names that make no lines of their own", function()
    local text = inside([[
      local momo = require "momo"
      momo.thread.spawn({ name = "w\27\n" }, function() require("momo").time.sleep(60) end)
      momo.spawn(momo.time.sleep, 60):set_name "a\nmomo: thread of process 1\27[2J\127"
      momo.yield_now()
      momo.current():set_name "held\n\27"
      ]] .. READY .. "local till = os.time() + 4 repeat until os.time() >= till\n"
      .. "io.stderr:write 'over\\n' momo.time.sleep(60)",
      "kill -s QUIT $!; heard 'come round' 1; heard over 1; kill -s QUIT $!; heard 'task 2' 1")
    assert.matches("does not come round: task 1 'held%?%?' ", text)
    assert.matches("\n  task 2 'a%?momo: thread of process 1%?%[2J%?': sleep", text)
    assert.matches("momo: thread w%?%? of process", text)
    assert.is_nil(text:find "[%z\1-\9\11-\31\127]")
  end)

  it("comes of each thread, and of one that is stuck says who holds it and where", function()
    local text = inside([[
      local momo = require "momo"
      local tx, rx = momo.thread.channel(1)
      momo.thread.spawn({ name = "worker" }, function(tx)
        local momo = require "momo"
        momo.current():set_name "waits"
        tx:send(1)
        momo.time.sleep(60)
      end, tx:clone())
      momo.thread.spawn({ name = "stuck" }, function(tx)
        require("momo").current():set_name "culprit"
        tx:send(1)
        while true do ]] .. STEP .. [[ end
      end, tx:clone())
      rx:recv() rx:recv()
      ]] .. READY .. "momo.time.sleep(60)",
      "kill -s QUIT $!; heard 'come round' 1; kill -s QUIT $!; heard 'come round' 2")
    for part, times in pairs {
      ["momo: thread main of process %d+ has 1 task:\n  task 1: sleep "] = 2,
      ["momo: thread worker of process %d+ has 1 task:\n  task 1 'waits': sleep [^\n]*:7\n"] = 2,
      ["momo: a thread does not come round: task 1 'culprit' of thread stuck [^\n]*:12\n"] = 2,
    } do
      local _, n = text:gsub(part, "")
      assert.equal(times, n, text)
    end
  end)

  it("of many nested scopes ends at a depth that can be read", function()
    local text = inside([[
      local momo = require "momo"
      local function nest(n)
        if n == 0 then momo.time.sleep(60) end
        momo.scope(function(scope) scope:spawn(nest, n - 1) end)
      end
      momo.spawn(nest, 3000)
      for _ = 1, 3010 do momo.yield_now() end
      ]] .. READY .. "momo.time.sleep(60)", DUMP:format "beneath")
    local _, n = text:gsub("\n", "")
    assert.is_true(n < 40, text)
    assert.matches("%d+ tasks beneath\n$", text)
  end)

  it("comes when there are no descriptors left", function()
    local text = inside([[
      local momo = require "momo"
      repeat local file = io.open "/dev/null" kept = { kept, file } until not file
      ]] .. READY .. "momo.time.sleep(60)", "kill -s QUIT $!; heard 'sleep\\|told' 1", "ulimit -n 64;")
    assert.matches("has 1 task:\n  task 1: sleep", text)
  end)

  it("is not asked of a process that would die of it", function()
    local status, _, stderr = support.shell(([[sleep 5 & sleep 0.1
      %s dump $!; status=$?; kill $!; exit $status]]):format(MOMO))
    assert.equal(1, status)
    assert.matches("^momo: process %d+ %(sleep%) is not run by momo, or takes no SIGQUIT, as none does while", stderr)
    assert.equal(1, (support.shell(MOMO .. " dump 999999999")))
  end)

  it("is the program's own affair where it has taken SIGQUIT over", function()
    local text = inside([[
      local momo = require "momo"
      momo.spawn(function() momo.signal.recv("SIGQUIT") io.stderr:write "mine\n" end)
      momo.yield_now()
      ]] .. READY .. "momo.time.sleep(60)", "kill -s QUIT $!; heard mine 1")
    assert.equal("mine\n", text)
  end)
end)

describe("the watchdog", function()
  local function stalls(code, environment, options)
    local _, _, stderr = support.shell(("%s %s %s %s"):format(environment or "MOMO_STALL_MS=25", MOMO, options or "",
      support.quote(support.tmpfile(code))))
    return stderr
  end

  local BUSY = [[
    local momo = require "momo"
    local ffi = require "ffi"
    ffi.cdef "typedef struct { long s, ns; } momo_spec_time; int clock_gettime(int, momo_spec_time *);"
    local at = ffi.new "momo_spec_time"
    local function cpu() ffi.C.clock_gettime(3, at) return tonumber(at.s) + tonumber(at.ns) / 1e9 end
    function busy(seconds) local till = cpu() + seconds repeat until cpu() >= till end
    other = momo.spawn(momo.time.sleep, 60)
  ]]

  for kind, prelude in pairs { compiled = "", interpreted = "jit.off() " } do
    it("tells of each task that holds its thread while others wait, in " .. kind .. " code", function()
      local text = stalls(prelude .. BUSY .. [[
        for i = 1, 3 do
          local task = momo.spawn(function() busy(0.15) end)
          task:set_name("culprit " .. i)
          task:join()
          momo.time.sleep(1.05)
        end
        other:cancel()
      ]])
      for i = 1, 3 do
        local said = "momo: stall: for %d+ ms no other task could run: task %d+ 'culprit " .. i .. "' computes "
        assert.matches(said, text)
      end
      local _, n = text:gsub("\n", "")
      assert.equal(3, n, text)
    end)
  end

  it("tells of one that computes in a function of C", function()
    if STEP ~= "" then
      return pending "TSan holds a signal back until the thread calls a function of C that it knows"
    end
    local text = stalls(BUSY .. [[
      momo.spawn(function()
        local text = ("a"):rep(19)
        text:find(("a?"):rep(19) .. text .. "b")
      end):join()
      other:cancel()
    ]])
    assert.matches("^momo: stall: .* task %d+ is in a function of C that does not return, called at %S+:10\n", text)
  end)

  it("says nothing of a task that is alone, of short steps, and of what waits", function()
    assert.equal("", stalls(BUSY .. [[
      for _ = 1, 100 do busy(0.004) momo.yield_now() end
      os.execute "sleep 0.1"
      other:cancel()
      momo.yield_now()
      busy(0.2)
    ]]))
  end)

  it("limits how often it tells, and counts the rest", function()
    local begin = os.time()
    local text = stalls(BUSY .. [[
      for _ = 1, 20 do momo.spawn(busy, 0.1):join() end
      other:cancel()
    ]])
    local lines, more = 0, 0
    for line in text:gmatch "[^\n]+" do
      assert.matches("^momo: stall: for %d+ ms", line)
      lines, more = lines + 1, more + (tonumber(line:match "and (%d+) more since") or 0)
    end
    assert.is_true(lines >= 1 and lines <= os.difftime(os.time(), begin) + 2, text)
    assert.is_true(lines + more <= 20, text)
  end)

  it("can be given another limit, or none", function()
    local code = BUSY .. "momo.spawn(busy, 0.3):join() other:cancel()" -- the system's ticks run together under load
    assert.equal("", stalls(code, "MOMO_STALL_MS=0"))
    assert.equal("", stalls(code, nil, "--stall 0"))
    assert.equal("", stalls(code, nil, "--stall 5000"))
    assert.matches("^momo: stall", stalls(code, "MOMO_STALL_MS=0", "--stall 20"))
    local run = ("require('momo').run({ stall = 0.02 }, function() %s end)"):format(code)
    local _, _, stderr = support.shell(os.getenv "MOMO_LUAJIT" .. " " .. support.quote(support.tmpfile(run)))
    assert.matches("^momo: stall", stderr)
  end)
end)
