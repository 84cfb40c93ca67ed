-- The page of `momo --inspect`, in headless Chromium and as others might reach it.

local support = require "spec.support"

local MOMO = support.quote(os.getenv "MOMO_BIN")
local BROWSE = "/usr/bin/python3 spec/support/browse.py"

---Runs a program with --inspect; once it serves, the commands, in which $url is the page's address, and
---`ask [OPTION]...` prints body and status of an answer. Returns what they print, and their status. limits: of ulimit.
local function inspected(code, commands, option, limits)
  local output, errors = support.quote(support.tmpfile ""), support.quote(support.tmpfile "")
  local status, stdout, stderr = support.shell(([[
    ulimit -t 60
    errors=%s
    (%s exec %s %s %s >%s 2>"$errors") &
    program=$!
    for i in $(seq 1000); do grep -q "inspect: " "$errors" && break; sleep 0.01; done
    url=$(sed -n 's/^momo: inspect: //p' "$errors" | head -1)
    ask() { curl -s -m 10 -w '%%{http_code}\n' "$@"; }
    main() {
      curl -s -m 10 "${url}state?since=0" | grep -o '"key":"0x[0-9a-f]*","name":"main"' | grep -o '0x[0-9a-f]*'
    }
    { %s
    }
    status=$?
    kill -KILL $program 2>/dev/null
    wait $program 2>/dev/null
    cat "$errors" >&2
    exit $status
  ]]):format(errors, limits or "", MOMO, option or "--inspect", support.quote(support.tmpfile(code)), output, commands),
    { leaks = true })
  return stdout, status, stderr
end

local WAIT = 'require("momo").time.sleep(60)'

local APP = [[
local momo = require "momo"
momo.spawn(function()
  momo.scope(function(scope)
    for i = 1, 3 do scope:spawn(function() momo.time.sleep(60) end):set_name("child " .. i) end
  end)
end):set_name "nursery"
for _ = 1, 500 do momo.spawn(function() momo.time.sleep(50) end) end
momo.spawn(function() error "planted <b>failure</b>" end):set_name "unlucky"
momo.spawn(function()
  local till = os.time() + 2
  repeat until os.time() >= till -- a call of C, for TSan, which holds signals back until there is one
  momo.time.sleep(60)
end):set_name "greedy"
momo.thread.spawn({ name = "worker" }, function()
  local m = require "momo"
  m.spawn(function() m.time.sleep(60) end):set_name "beside"
  m.time.sleep(60)
end)
while true do
  local n = 0
  for i = 1, 1e6 do n = n + i % 3 end
  momo.time.sleep(0.01)
end
]]

describe("the page of momo --inspect", function()
  it("shows tasks as a tree, plots, stalls and failures, and profiles a thread", function()
    if support.shell "command -v chromium && /usr/bin/python3 -c 'import websockets'" ~= 0 then
      return pending "chromium and python3-websockets are not installed"
    end
    local expressions = {
      -- A tree, alike tasks in one line.
      "document.readyState === 'complete' && !!(window.text = id => document.getElementById(id).textContent)",
      "/nursery.*scope/.test(text('tasks'))",
      "[...document.querySelectorAll('details details summary')].some(e => e.textContent.includes('nursery'))",
      "/500 tasks: sleep/.test(text('tasks'))",
      "text('tasks').includes('thread worker: 2 tasks')",
      -- The plots have lines.
      "[...document.querySelectorAll('polyline')].every(e => e.points.length > 2)",
      -- The log; what comes from the program is text.
      "text('incidents').includes('planted <b>failure</b>')",
      "/no other task could run: task \\d+ 'greedy'/.test(text('incidents'))",
      "!document.querySelector('#incidents b')",
      -- A search leaves what is found, beneath what it stands in.
      "document.getElementById('search').value = 'child 2'",
      "document.getElementById('search').dispatchEvent(new Event('input'))",
      "/thread main.*nursery.*child 2/.test(text('tasks')) && !/child 1|worker|500/.test(text('tasks'))",
      -- The profile of the first thread.
      "document.getElementById('thread').selectedOptions[0].textContent === 'main'",
      "document.getElementById('seconds').value = 1",
      "document.getElementById('profile').click() || true",
      "(document.querySelector('#graph img') || {}).naturalWidth > 0",
    }
    for i, expression in ipairs(expressions) do
      expressions[i] = support.quote(expression)
    end
    local output, status, errors = inspected(APP, ('%s "$url" %s 2>&1'):format(BROWSE, table.concat(expressions, " ")),
      "--inspect --stall 25")
    assert.equal(0, status, output .. errors)
  end)

  it("is on loopback, at a port that is told, or where it is said", function()
    local output = inspected(WAIT, 'echo "$url"')
    assert.matches("^http://127%.0%.0%.1:%d+/\n$", output)
    output = inspected(WAIT, 'echo "$url"', "--inspect=127.0.0.2:0")
    assert.matches("^http://127%.0%.0%.2:%d+/\n$", output)
  end)

  it("is refused where the address is taken or none, and the program does not begin", function()
    local status, output, errors = support.momo("--inspect=1.2.3.4:5", "-e", 'print "began"')
    assert.same({ 1, "" }, { status, output })
    assert.matches("^momo: %-%-inspect: EADDRNOTAVAIL", errors)
    status, output, errors = support.momo("--inspect=nowhere", "-e", 'print "began"')
    assert.same({ 1, "" }, { status, output })
    assert.matches("^momo: %-%-inspect: ", errors)
  end)

  it("keeps no program alive", function()
    local status, output = support.momo("--inspect", "-e", 'print "done"', { leaks = true })
    assert.same({ 0, "done\n" }, { status, output })
  end)

  it("is not for other sites, nor for a name that leads here", function()
    local output = inspected(WAIT, [[
      for header in 'Host: evil.example' 'Host: evil.example:80' 'Host: localhost.evil.example' 'Host: 127.0.0.1.evil' \
          'Origin: http://evil.example' 'Origin: null' 'Sec-Fetch-Site: cross-site' 'Sec-Fetch-Site: same-site'; do
        for path in '' script.js state profile; do ask -o /dev/null -H "$header" "$url$path"; done
        ask -o /dev/null -X POST -H "$header" "${url}profile?thread=0x1&seconds=1"
      done | sort | uniq -c
      for header in 'Host: localhost' 'Host: localhost:1234' 'Host: [::1]:80' 'Sec-Fetch-Site: same-origin' \
          'Sec-Fetch-Site: none' "Origin: $(echo "$url" | sed 's:/$::')"; do
        ask -o /dev/null -H "$header" "$url"
      done | sort | uniq -c
    ]])
    assert.equal("40 403, 6 200", (output:gsub("^%s+", ""):gsub("\n%s*(%d)", ", %1"):gsub("\n", "")))
  end)

  it("lets nothing from elsewhere in, and none frame it", function()
    local output = inspected(WAIT, 'curl -s -m 10 -D - "$url"')
    assert.matches("Content%-Security%-Policy: default%-src 'none';[^\n]*frame%-ancestors 'none'", output)
    assert.is_nil(output:find("https?://"))
  end)

  it("is there while the program computes, and says so", function()
    local output, _, errors = inspected([[
      require("momo").time.sleep(1.5)
      while true do end
    ]], [[
      curl -s -m 10 "${url}state?since=0" >/dev/null
      for i in $(seq 100); do
        state=$(curl -s -m 10 "${url}state?since=0")
        case $state in *'"silent":1'*) break; esac
        sleep 0.1
      done
      echo "$state" | grep -o '"name":"main","silent":true'
      echo "$state" | grep -o 'task 1: sleep'
    ]])
    assert.equal('"name":"main","silent":true\ntask 1: sleep\n', output, errors)
  end)

  it("shows a thread that comes round too late for each question", function()
    local output, _, errors = inspected([[
      while true do
        local till = os.clock() + 1.2
        repeat until os.clock() > till
        require("momo").yield_now()
      end
    ]], [[
      for i in $(seq 100); do
        curl -s -m 10 "${url}state?since=0" | grep -o '"name":"main","silent":true.*task 1: ready' && break
      done | grep -o 'task 1: ready'
    ]])
    assert.equal("task 1: ready\n", output, errors)
  end)

  it("is served while others are slow or idle, however many they are", function()
    local output = inspected(WAIT, [[
      port=$(echo "$url" | grep -o '[0-9]*/$' | tr -d /)
      for what in 'GET' 'GET / HTTP/1.1\r\nHost: localhost\r\n\r\n'; do
        timeout 20 bash -c 'for i in $(seq 40); do exec {fd}<>/dev/tcp/127.0.0.1/$0; printf "$1" >&$fd; done
          echo open; read _ <&$fd; sleep 20' "$port" "$what" >"$errors.open" &
        slow=$!
        until [ -s "$errors.open" ]; do sleep 0.01; done
        ask -o /dev/null "$url"
        kill $slow
        rm "$errors.open"
      done
    ]])
    assert.equal("200\n200\n", output)
  end)

  it("is served when the program has used up all descriptors", function()
    local output, _, errors = inspected([[
      local momo = require "momo"
      repeat local file = io.open "/dev/null" kept = { kept, file } until not file
      momo.time.sleep(60)
    ]], [[
      ask -o /dev/null "$url"
      ask "${url}state?since=0" | grep -o 'task 1: sleep'
    ]], "--inspect", "ulimit -n 64;")
    assert.equal("200\ntask 1: sleep\n", output, errors)
  end)

  it("profiles on request, with limits", function()
    local output = inspected([[
      local momo = require "momo"
      while true do
        local n = 0
        for i = 1, 1e6 do n = n + i % 3 end
        momo.yield_now()
      end
    ]], [[
      key=$(main)
      ask -X POST "${url}profile?thread=$key&seconds=1" | grep -c '^<svg\|^200$'
      ask -X POST "${url}profile?thread=$key&seconds=1000"
      ask -X POST "${url}profile?thread=0x1&seconds=1"
      ask -X POST "${url}profile"
      ask -o /dev/null "${url}profile?thread=$key&seconds=1"
    ]])
    assert.equal(table.concat({ "2", "which thread, and for how many seconds?", "400",
      "this thread does not come round", "409", "which thread, and for how many seconds?", "400", "405", "" }, "\n"),
      (output:gsub("\n\n", "\n")))
  end)
end)
