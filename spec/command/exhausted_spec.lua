-- Who looks inside of a process that has no memory or no descriptor left gets an answer or a clear error, and hurts
-- nothing.

local support = require "spec.support"

local MOMO = support.quote(os.getenv "MOMO_BIN")
local SANITIZE = os.getenv "MOMO_SANITIZE" or ""

---Runs a program with a console and the page, under limits of `ulimit`, and once it has printed "ready", the commands,
---in which `attach LINES` types lines, `page` asks the page and says how the server answers, `said TEXT` waits until
---the program has written such a line, and $program is its process. Returns what the commands print, and what it says.
---The page's thread does not end, and keeps its memory: leaks are not looked for. It can do without the page.
local function exhausted(limits, code, commands, without_page)
  local said, console = support.tmpfile "", support.tmpfile ""
  os.remove(console)
  local _, out = support.shell(([[
    ulimit -t 120
    said=%s
    said() { for i in $(seq 3000); do grep -q "$1" "$said" && return; sleep 0.01; done; echo "never said: $1"; }
    export LSAN_OPTIONS=detect_leaks=0
    (%s exec env --default-signal=QUIT %s %s --stall 0 --console %s %s >"$said" 2>&1) &
    program=$!
    said ready
    url=$(sed -n 's/^momo: inspect: //p' "$said")
    attach() { printf "$1" | timeout -k 1 20 %s attach $program 2>&1 | sed 's/momo> //g'; }
    page() { curl -s -m 20 -o /dev/null -w '%%{http_code}\n' "${url}state?since=0"; }
    { %s
    }
    kill -TERM $program
    wait $program
    echo "status $?"
  ]]):format(said, limits, MOMO, without_page and "" or "--inspect", console, support.quote(support.tmpfile(code)),
    MOMO, commands))
  local file = assert(io.open(said))
  local text = file:read "*a"
  file:close()
  return out, text
end

local READY = 'io.write "ready\\n" io.stdout:flush()\n'

describe("who looks inside of a process", function()
  it("is answered when it has used up all descriptors", function()
    local out, said = exhausted("ulimit -n 64;", [[
      local momo = require "momo"
      repeat local file = io.open "/dev/null" kept = { kept, file } until not file
      ]] .. READY .. "momo.time.sleep(60)", [[
      attach 'tasks()\n'
      page
      kill -QUIT $program; said 'task 1: sleep'
      kill -HUP $program; said 'no new process can be started (EMFILE'
      attach 'kept = nil collectgarbage() return 1 + 1\n'
      kill -HUP $program; said 'SIGHUP: process [0-9]* serves'
    ]])
    assert.matches("^momo: thread main of process %d+ has %d tasks:\n  task 1: sleep .*\n200\n2\nstatus 0\n$", out,
      said)
  end)

  if SANITIZE == "" then -- its memory can't be limited
    it("is answered, or told why not, when it has used up all memory", function()
      local out, said = exhausted("ulimit -v 250000;", [[
        local momo = require "momo"
        local kept, last = {}, {}
        local function keep(size)
          while true do last[#last + 1] = ("x"):rep(size) .. #last end
        end
        momo.spawn(function()
          momo.signal.recv "SIGUSR1"
          kept, last = nil, nil
          collectgarbage()
          print "freed"
          io.stdout:flush()
        end)
        momo.yield_now()
        for _, size in ipairs { 1e6, 1e5, 1e4, 1000, 100, 10 } do
          pcall(keep, size)
          kept, last = last, { kept }
        end
        ]] .. READY .. "momo.time.sleep(60)", [[
        kill -QUIT $program; said 'task 1: sleep\|not enough memory'
        attach '1 + 1\n' >/dev/null
        page >/dev/null
        kill -HUP $program; said 'can be started\|SIGHUP: process'
        kill -USR1 $program; said freed
        attach '1 + 1\n'
        page
      ]])
      assert.equal("2\n200\nstatus 0\n", out, said)
    end)
    return
  end

  it("is answered, or told why not, whichever allocation fails", function()
    local out, said = exhausted("", [[
      jit.off() -- where a trace allocates, LuaJIT does not survive that it can't; so there is no page either
      jit.flush()
      local momo = require "momo"
      C = require("momo.internal.core").C
      require("ffi").cdef "void momo_fail_allocations(long n, long m);"
      momo.spawn(function() while true do momo.time.sleep(0.01) end end):set_name "beside"
      ]] .. READY .. "momo.time.sleep(600)", [[
      dumps=0
      check() {
        attach 'C.momo_fail_allocations(0, 0)\n' >/dev/null # which may fail itself
        attach 'C.momo_fail_allocations(0, 0) return 6 * 7\n'
      }
      for n in 1 2 3 5 9 17 33 65 129 257 513; do
        for kind in "$n, 0" "0, $n"; do
          attach "C.momo_fail_allocations($kind) return tasks()\n" >/dev/null
          attach "C.momo_fail_allocations($kind)\n" >/dev/null
          attach "C.momo_fail_allocations($kind)\n" >/dev/null
          kill -QUIT $program
          dumps=$((dumps + 1))
          for i in $(seq 1000); do
            [ $(grep -c 'thread main of\|be told: ' "$said") -ge $dumps ] && break; sleep 0.01
          done
          check
        done
      done | sort | uniq -c
    ]], true)
    assert.matches("^%s*22 42\nstatus 0\n$", out, said)
    assert.matches("beside", said)
  end)
end)
