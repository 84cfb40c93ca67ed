-- Who looks inside of a process that has no memory or no descriptor left gets an answer or a clear error, and hurts
-- nothing.

local support = require "spec.support"

local MOMO = support.quote(os.getenv "MOMO_BIN")
local SANITIZE = os.getenv "MOMO_SANITIZE" or ""

---Runs a program with a console and the page, under limits of `ulimit`, and once it has printed "ready", the commands,
---in which `attach LINES` types lines, `page` asks the page and says how the server answers, `said TEXT` waits until
---the program has written such a line, and $program is its process. Returns what the commands print, and what it says.
---The page's thread does not end, and keeps its memory: leaks are not looked for.
local function exhausted(limits, code, commands)
  local said, console = support.tmpfile "", support.tmpfile ""
  os.remove(console)
  local _, out = support.shell(([[
    ulimit -t 120
    said=%s
    said() { for i in $(seq 3000); do grep -q "$1" "$said" && return; sleep 0.01; done; echo "never said: $1"; }
    export LSAN_OPTIONS=detect_leaks=0
    (%s exec env --default-signal=QUIT %s --inspect --stall 25 --console %s %s >"$said" 2>&1) &
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
  ]]):format(said, limits, MOMO, console, support.quote(support.tmpfile(code)), MOMO,
    commands))
  local file = assert(io.open(said))
  local text = file:read "*a"
  file:close()
  return out, text
end

local READY = 'io.write "ready\\n" io.stdout:flush()\n'
local STALL = [[
  momo.time.sleep(1.5) -- one a second is told
  local till = os.clock() + 0.3
  repeat until os.clock() > till
  momo.time.sleep(60)
]]

describe("who looks inside of a process", function()
  it("is answered when it has used up all descriptors", function()
    local out, said = exhausted("ulimit -n 64;", [[
      local momo = require "momo"
      momo.current():set_name "culprit"
      repeat local file = io.open "/dev/null" kept = { kept, file } until not file
      ]] .. READY .. STALL, [[
      attach 'tasks()\n'
      page
      kill -QUIT $program; said "task 1 'culprit': sleep"
      said "stall: .*task 1 'culprit' "
      kill -HUP $program; said 'no new process can be started (EMFILE'
      attach 'kept = nil collectgarbage() return 1 + 1\n'
      kill -HUP $program; said 'SIGHUP: process [0-9]* serves'
    ]])
    assert.matches("^momo: thread main of process %d+ has %d tasks:\n  task 1 'culprit': sleep .*\n200\n2\nstatus 0\n$",
      out, said)
  end)

  if SANITIZE == "" then -- its memory can't be limited
    it("is answered, or told why not, when it has used up all memory", function()
      local out, said = exhausted("ulimit -v 250000;", [[
        local momo = require "momo"
        momo.current():set_name "culprit"
        local kept = { {}, {}, {}, {}, {}, {} }
        local function keep(all, size)
          while true do all[#all + 1] = ("x"):rep(size) .. #all end
        end
        momo.spawn(function()
          momo.signal.recv "SIGUSR1"
          kept = nil
          collectgarbage()
          print "freed"
          io.stdout:flush()
        end)
        momo.yield_now()
        for i, size in ipairs { 1e6, 1e5, 1e4, 1000, 100, 10 } do
          pcall(keep, kept[i], size)
        end
        ]] .. READY .. STALL, [[
        kill -QUIT $program; said "task 1 'culprit': sleep\|not enough memory"
        said "stall: .*task 1 'culprit' "
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

  -- What both programs below begin with, and `check`, which says whether the console and the page still answer.
  local CODE = [[
    local momo = require "momo"
    C = require("momo.internal.core").C
    require("ffi").cdef "void momo_fail_allocations(long n, long m);"
    momo.spawn(function() while true do momo.time.sleep(0.01) end end):set_name "beside"
  ]] .. READY .. "momo.time.sleep(600)"
  local CHECK = [[
    # how many lines with a text there are, or more
    many() { for i in $(seq 1000); do [ $(grep -c "$1" "$said") -ge $2 ] && break; sleep 0.01; done; }
    check() {
      attach 'C.momo_fail_allocations(0, 0)\n' >/dev/null # which may fail itself
      attach 'C.momo_fail_allocations(0, 0) return 6 * 7\n'
      page
    }
  ]]

  it("is answered, or told why not, whichever allocation fails", function()
    local out, said = exhausted("MOMO_SPEC_INTERPRETED=1", CODE, CHECK .. [[
      dumps=0
      for n in 1 2 3 5 9 17 33 65 129 257 513; do
        for kind in "$n, 0" "0, $n"; do
          attach "C.momo_fail_allocations($kind) return tasks()\n" >/dev/null
          attach "C.momo_fail_allocations($kind)\n" >/dev/null
          page >/dev/null
          attach "C.momo_fail_allocations($kind)\n" >/dev/null
          kill -QUIT $program
          dumps=$((dumps + 1))
          many 'thread main of\|be told: ' $dumps
          check
        done
      done | sort | uniq -c
    ]])
    assert.matches("^%s*22 200\n%s*22 42\nstatus 0\n$", out, said)
    assert.matches("beside", said)
  end)

  it("hands over, or goes on, whichever allocation fails, and hands over the next time", function()
    local out, said = exhausted("MOMO_SPEC_INTERPRETED=1", CODE, CHECK .. [[
      over=0
      try() {
        attach "local begin = require('momo.command.succession').begin C.momo_fail_allocations($1) if not pcall(begin) \
          then C.momo_fail_allocations(0, 0) io.stderr:write 'it goes on\\\\n' end momo.time.sleep(0.1)\n" >/dev/null
        over=$((over + 1))
        many 'goes on$\|serves, and' $over
        check
      }
      for n in 1 2 3 4 6 8 11 15; do try "$n, 0"; done >"$said.answers"
      for n in 1 2 3 4 6 8 11 15 20 27 36 48 64 85 113 150; do try "0, $n"; done >>"$said.answers"
      sort "$said.answers" | uniq -c
      rm "$said.answers"
      done=$(grep -c 'serves, and' "$said")
      kill -HUP $program
      many 'serves, and' $((done + 1))
      check
      grep -c 'serves, and' "$said" | grep -cx $((done + 1))
    ]])
    assert.matches("^%s*24 200\n%s*24 42\n42\n200\n1\nstatus 0\n$", out, said)
  end)
end)
