-- The console of a running process (momo --console, momo attach), the REPL (momo -i), and examples/stuck.lua.

local process = require "spec.support.process"
local support = require "spec.support"

local MOMO = support.quote(os.getenv "MOMO_BIN")
local READY = "print 'ready' io.stdout:flush() momo.time.sleep(60)"

---Starts a program with a console.
local function start(code)
  local path = support.tmpfile ""
  os.remove(path)
  local program = support.tmpfile("local momo = require 'momo'\n" .. code .. READY)
  local started = process.start_momo("--console", path, program)
  assert(process.wait_for_line(started, "^ready"))
  return started, path
end

---What the console says to these lines.
local function attach(program, lines)
  local typed = support.quote(lines)
  local status, out, err = support.shell(("printf %%s %s | %s attach %d"):format(typed, MOMO, program.pid))
  assert.equal(0, status, out .. err)
  return (out:gsub("momo> ", ""))
end

describe("a console", function()
  after_each(process.stop_all)

  it("runs what is typed as tasks, and shows values and errors", function()
    local program = start "counter = 5 "
    assert.equal('3\t"a"\n', attach(program, "1 + 2, 'a'\n"))
    assert.equal("5\n", attach(program, "= counter\n"))
    attach(program, "counter = counter + 1\n")
    assert.equal("6\n", attach(program, "counter\n"))
    assert.equal("   ..    .. 3\n", attach(program, "for i = 3, 3 do\nprint(i)\nend\n"))
    assert.matches("momo.Task %d+ 'typed' %(running%)", attach(program, "tostring(momo.current())\n"))
    assert.equal("slept\n", attach(program, "momo.time.sleep(0.01) print 'slept'\n"))
    assert.matches("^%(typed%):1: no\nstack traceback:\n.*error", attach(program, "local x = 1 error 'no'\n"))
    assert.matches("^%(typed%):1: .*near", attach(program, "x = = 1\n"))
    assert.matches("nothing", attach(program, "nothing()\n"))
    assert.equal("7\n", attach(program, "7\n"))
    assert.matches("tasks%(%)", attach(program, "help\n"))
  end)

  it("shows and cancels tasks, and profiles", function()
    local program = start "momo.spawn(function() momo.time.sleep(60) end):set_name 'victim' "
    local shown = attach(program, "tasks()\n")
    local id = shown:match "task (%d+) 'victim': sleep"
    assert.is_string(id, shown)
    attach(program, ("cancel(%d)\n"):format(id))
    assert.is_nil(attach(program, "tasks()\n"):find "victim")
    assert.matches("there is no task 9999", attach(program, "cancel(9999)\n"))
    assert.matches("momo: profile: .* computed in", attach(program,
      "profile.start()\nfor i = 1, 1e7 do end\nprofile.stop()\n"))
    attach(program, "log_level 'error'\n")
    assert.matches("level", attach(program, "log_level 'nonsense'\n"))
  end)

  it("shows the tasks of all threads, and runs what is typed on any", function()
    local program = start [[
      local tx, rx = momo.thread.channel(1)
      for i = 1, 2 do
        momo.thread.spawn({ name = i == 1 and "worker" or nil }, function(tx)
          local momo = require "momo"
          mine = momo.thread.current().name
          momo.spawn(momo.time.sleep, 60):set_name("victim of " .. mine)
          momo.yield_now()
          tx:send(1)
          momo.time.sleep(60)
        end, tx:clone())
        rx:recv()
      end
    ]]
    local shown = attach(program, "tasks()\n")
    for _, part in ipairs { "momo: thread main of .-'momo: console'", "momo: thread worker of .- 'victim of worker'",
      "momo: thread momo%-2 of .- 'victim of momo%-2'" } do
      assert.matches(part, shown)
    end
    assert.equal('"worker"\n"momo-2"\n"momo-2"\n', attach(program,
      "on('worker', 'mine')\non(2, 'mine')\non('momo-2', 'do\\nreturn mine\\nend')\n"))
    local id = shown:match "task (%d+) 'victim of worker'"
    attach(program, ("on('worker', 'cancel(%d)')\n"):format(id))
    shown = attach(program, "tasks()\n")
    assert.is_nil(shown:find "victim of worker")
    assert.is_truthy(shown:find "victim of momo%-2")
    assert.matches("momo: profile: ", attach(program, "on(1, 'profile.start() return profile.stop()')\n"))
    assert.matches("^planted\n", attach(program, "on(1, 'error \"planted\"')\n"))
    assert.equal("there is no other thread nobody that comes round, but: 1 worker, 2 momo-2\n",
      attach(program, "on('nobody', '1')\n"):match "^[^\n]*\n")
    assert.matches("the code goes on", attach(program, "on(1, 'for')\n"))
    assert.matches("must be a thread's name", attach(program, "on(1)\n"))
    assert.equal("status 0\n", process.stop(program))
  end)

  it("tells of a thread that computes, and of its own", function()
    local program = start [[
      local tx, rx = momo.thread.channel(1)
      momo.thread.spawn({ name = "stuck" }, function(tx)
        tx:send(1)
        while true do end
      end, tx)
      rx:recv()
    ]]
    assert.matches("1 thread does not come round: `momo dump %d+` tells who holds it", attach(program, "tasks()\n"))
    assert.matches("no other thread stuck that comes round", attach(program, "on('stuck', '1')\n"))
    os.execute("kill -KILL " .. program.pid)
    for _, way in ipairs { "while true do end ", "io.popen('exec sleep 60'):read() " } do
      local held = start("print 'ready' io.stdout:flush() " .. way)
      local status, out, err = support.shell(("echo 1 | %s attach %d"):format(MOMO, held.pid))
      assert.same({ 1, "" }, { status, out })
      assert.matches("the console does not answer: `momo dump %d+` tells who holds it", err)
      os.execute(("pkill -KILL -P %d; kill -KILL %d"):format(held.pid, held.pid))
    end
  end)

  it("cancels what was typed when its client leaves, and nothing else", function()
    local program = start ""
    support.shell(("(echo 'momo.time.sleep(50)'; sleep 0.3) | timeout -s KILL 1 %s attach %d")
      :format(MOMO, program.pid))
    local text
    repeat
      text = attach(program, "tasks()\n")
    until not text:find "sleep 4%d"
    assert.matches("task 1: sleep", text)
  end)

  it("says nothing of a client that leaves before it has read the answers, and forgets it", function()
    local program, path = start ""
    local status, _, err = support.shell(("%s -e %s"):format(MOMO, support.quote(([[
      local stream = assert(require("momo.net.unix").UnixStream.connect %q)
      stream:write(("print(('x'):rep(1e7))\n"):rep(40))
      stream:read(1)
      stream:close()
    ]]):format(path))))
    assert.equal(0, status, err)
    local text
    repeat
      text = attach(program, "tasks()\n")
    until select(2, text:gsub("'momo: console'", "")) == 3 -- who accepts, who reads, and who answers
    assert.equal("status 0\n", process.stop(program))
  end)

  it("can be opened by its owner alone, and is found by its process", function()
    local program, path = start ""
    local _, mode = support.shell("stat -c %a " .. support.quote(path))
    assert.equal("600\n", mode)
    if select(2, support.shell "id -u") == "0\n" then
      os.execute("chmod 666 " .. path) -- the socket's peer is asked as well
      local status, out = support.shell(("setpriv --reuid 65534 --clear-groups sh -c 'echo 1 | %s attach %d' 2>&1")
        :format(MOMO, program.pid))
      assert.is_true(status ~= 0 or out:find "owner alone" ~= nil, out)
    end
    local bare = process.start_momo(support.tmpfile("local momo = require 'momo' " .. READY))
    assert(process.wait_for_line(bare, "^ready"))
    local status, _, err = support.shell(MOMO .. " attach " .. bare.pid)
    assert.equal(1, status)
    assert.matches("has no console: start it as `momo %-%-console PATH app.lua`", err)
    status, _, err = support.shell(MOMO .. " attach 4194305")
    assert.equal(1, status)
    assert.matches("there is no process", err)
  end)

  it("is not looked for among the program's own words", function()
    local path = support.tmpfile ""
    os.remove(path)
    local program = support.tmpfile("local momo = require 'momo' " .. READY)
    local theirs = { "-e", "print 'ready' io.stdout:flush() require 'momo'.time.sleep(60)", "--console", "/nowhere" }
    for _, words in ipairs { { program, "--console", "/nowhere" }, theirs } do
      local bare = process.start_momo(unpack(words))
      assert(process.wait_for_line(bare, "^ready"))
      local status, _, err = support.shell(MOMO .. " attach " .. bare.pid)
      assert.equal(1, status)
      assert.matches("has no console", err)
    end
    local both = process.start_momo("--console", path, program, "", "--console", "/nowhere")
    assert(process.wait_for_line(both, "^ready"))
    assert.equal("3\n", attach(both, "1 + 2\n"))
  end)

  it("shows bytes that end an answer as text", function()
    local program = start ""
    assert.equal("a\\4\n6\n", attach(program, "print 'a\\4'\n2 * 3\n"))
    assert.equal("b\\5\n6\n", attach(program, "print 'b\\5'\n2 * 3\n"))
    assert.equal("c\\4\\5\n\n6\n", attach(program, "'c\\4\\5\\n'\n2 * 3\n"))
  end)

  it("keeps no program running, and a path that can't be had is told", function()
    local path = support.tmpfile ""
    os.remove(path)
    local status, out = support.shell(("%s --console %s -e 'print(1)'"):format(MOMO, path))
    assert.equal(0, status)
    assert.equal("1\n", out)
    local _, _, err = support.shell(MOMO .. " --console /nowhere/socket -e 'print(1)'")
    assert.matches("%-%-console: ENOENT", err)
  end)
end)

describe("momo -i", function()
  local function typed(lines, file)
    local status, out, err = support.shell(("printf %%s %s | %s -i %s"):format(support.quote(lines), MOMO, file or ""))
    assert.equal(0, status, err)
    return (out:gsub("momo> ", ""):gsub("   %.%. ", "")), err
  end

  it("runs lines as tasks of one executor, which goes on meanwhile", function()
    assert.equal("2\n", typed "1 + 1\n")
    assert.equal('"b"\n', typed "= 'b'\n")
    assert.equal("3\n", typed "1 + 2")
    local path = support.tmpfile(("#'%s'\n4"):format(("x"):rep(100000)))
    assert.equal("momo> 100000\nmomo> 4\nmomo> ", (select(2, support.shell(MOMO .. " -i <" .. path))))
    assert.equal("here\n", typed "function f()\nreturn 'here'\nend\nprint(f())\n")
    local out = typed("n = 0 momo.spawn(function() while true do n = n + 1 momo.time.sleep(0.001) end end)\n"
      .. "repeat momo.time.sleep(0.01) until n > 5\n'more'\n")
    assert.equal('"more"\n', out)
  end)

  it("shows errors and goes on", function()
    local out, err = typed "local n = 1 error 'one'\nx = = 2\nlocal =\n\n3\n"
    assert.matches("%(typed%):1: one\nstack traceback", out)
    assert.matches("unexpected symbol near '='", err)
    assert.matches("3\n$", out)
  end)

  it("runs a file first", function()
    assert.equal("from the file\n5\n", typed("value\n", support.tmpfile "print 'from the file' value = 5"))
  end)

  it("edits lines on a terminal", function()
    local status, out = support.momo("-e", ([[
      local momo = require "momo"
      local env = { TERM = "dumb", LUA_PATH = os.getenv "LUA_PATH", LUA_CPATH = os.getenv "LUA_CPATH" }
      local child = assert(momo.process.spawn { %q, "-i", pty = true, env = env })
      local seen = ""
      local function await(what)
        while not seen:find(what, 1, true) do seen = seen .. assert(child.terminal:read(nil, 10)) end
        seen = seen:sub(select(2, seen:find(what, 1, true)) + 1)
      end
      await "momo> "
      child.terminal:write "6 * 6\n"
      await "36"
      await "momo> "
      child.terminal:write "7 * 7"
      child.terminal:write "\b8\n" -- the last digit is taken back
      await "56"
      await "momo> "
      child.terminal:write "\4"
      print(child:wait().status)
    ]]):format(os.getenv "MOMO_BIN"))
    assert.equal(0, status, out)
  end)
end)

describe("examples/stuck.lua hangs, and momo dump finds", function()
  after_each(process.stop_all)

  for way, lines in pairs {
    deadlock = { "task %d+ 'transfer': lock held by task %d+ 'audit', .* at .*stuck.lua:18",
      "task %d+ 'audit': lock held by task %d+ 'transfer', .* at .*stuck.lua:18" },
    loop = { "a thread does not come round: task %d+ 'report' computes .*stuck.lua:2[67]" },
    channel = { "task %d+ 'producer': send, for .* at .*stuck.lua:38" },
    blocking = { "a thread does not come round: task %d+ 'backup' is in a function of C that does not return, "
      .. "called at .*stuck.lua:47" },
  } do
    it("a " .. way, function()
      if (way == "loop" or way == "blocking") and os.getenv "MOMO_SANITIZE" == "thread" then
        return pending "TSan holds a signal back until the thread calls a function of C that it knows"
      end
      local stuck = process.start_momo("--stall", "0", os.getenv "MOMO_SOURCE_DIR" .. "/examples/stuck.lua", way)
      local pid = process.wait_for_line(stuck, "^stuck: process (%d+) hangs")
      assert.equal(stuck.pid, tonumber(pid))
      os.execute "sleep 1"
      assert.equal(0, (support.shell(MOMO .. " dump " .. pid)))
      for _, line in ipairs(lines) do
        assert.is_not_nil(process.wait_for_line(stuck, "(" .. line .. ")"), line)
      end
      os.execute(("pkill -KILL -P %s; kill -KILL %s"):format(pid, pid)) -- what it has started, too
    end)
  end
end)
