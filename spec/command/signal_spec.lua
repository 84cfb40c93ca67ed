local support = require "spec.support"

-- signal(name): sends one to this process, and returns when it was sent. (os.execute would ignore SIGINT meanwhile.)
local PRELUDE = [[
  local momo = require "momo"
  local function signal(name)
    io.popen("kill -" .. name .. " $PPID"):close()
  end
  local function clean_up_after(fn, ...)
    local ok, err = pcall(fn, ...)
    io.write(momo.is_cancelled(err) and "cleaned up\n" or tostring(err))
    error(err, 0)
  end
]]

-- What the first task is in when the signal comes.
local waits = {
  sleep = "momo.time.sleep(3600)",
  ["sleep(math.huge)"] = "momo.time.sleep(math.huge)",
  accept = "assert(momo.net.TcpListener.bind '127.0.0.1:0'):accept()",
  read = [[
    local listener = assert(momo.net.TcpListener.bind '127.0.0.1:0')
    local stream = assert(momo.net.TcpStream.connect(listener:local_addr()))
    stream:read()]],
  join = "momo.spawn(momo.time.sleep, 3600):join()",
  ["a loop that yields"] = "while true do momo.yield_now() end",
  ["the join of a thread"] = [[
    momo.thread.spawn(function() require("momo").time.sleep(math.huge) end):join()]],
}

describe("the first", function()
  for _, name in ipairs { "INT", "TERM" } do
    for what, code in pairs(waits) do
      it(("SIG%s during %s stops the program: tasks clean up, status 0"):format(name, what), function()
        local status, stdout, stderr = support.momo("-e", PRELUDE .. ([[
          momo.spawn(clean_up_after, momo.time.sleep, math.huge)
          momo.spawn(function() momo.time.sleep(0.005) signal "%s" end)
          clean_up_after(function() %s end)
          print "not reached"
        ]]):format(name, code))
        assert.equal("", stderr)
        assert.same({ 0, "cleaned up\ncleaned up\n" }, { status, stdout })
      end)
    end

    it(("SIG%s stops every thread of --threads"):format(name), function()
      local path = support.tmpfile ""
      local status, stdout, stderr = support.momo("--threads", "3", "-e", PRELUDE .. ([[
        local listener = assert(momo.net.TcpListener.bind("127.0.0.1:0"))
        local index = momo.thread.current().index
        if index > 0 then
          assert(io.open(arg[1] .. index, "w")):close() -- which is how the first thread hears that it has begun
        else
          momo.spawn(function()
            for i = 1, 2 do
              while not os.remove(arg[1] .. i) do momo.time.sleep(0.001) end
            end
            signal "%s"
          end)
        end
        clean_up_after(listener.accept, listener)
      ]]):format(name), path)
      assert.equal("", stderr)
      assert.same({ 0, "cleaned up\ncleaned up\ncleaned up\n" }, { status, stdout })
    end)
  end

  it("signal of another process does the same", function()
    local program = support.tmpfile [[
      local momo = require "momo"
      local listener = assert(momo.net.TcpListener.bind "127.0.0.1:0")
      print "ready"
      io.stdout:flush()
      listener:accept()
    ]]
    local status, stdout = support.shell(([[
      output=%s
      %s %s >"$output" &
      until grep -q ready "$output"; do sleep 0.01; done
      kill -TERM $!
      wait $!
    ]]):format(support.quote(support.tmpfile ""), support.quote(os.getenv "MOMO_BIN"), support.quote(program)))
    assert.same({ 0, "" }, { status, stdout })
  end)
end)

describe("the second", function()
  for name, number in pairs { INT = 2, TERM = 15 } do
    it(("SIG%s kills a program that does not end"):format(name), function()
      local status, stdout = support.momo("-e", PRELUDE .. ([[
        local ok = pcall(function()
          signal "%s"
          momo.time.sleep(math.huge)
        end)
        print(ok)
        io.stdout:flush()
        while true do
          signal "%s"
        end
      ]]):format(name, name))
      assert.same({ 128 + number, "false\n" }, { status, stdout })
    end)
  end
end)

describe("SIGPIPE", function()
  ---The status of a program whose stdout or stderr has lost its reader, and its other stream.
  local function unread(code, broken, through)
    return support.shell(([[
      exec 3>&1
      { timeout 20 %s %s -e %s %s; echo "status $?" >&3; } | head -n 1 >/dev/null
    ]]):format(through or "", support.quote(os.getenv "MOMO_BIN"),
      support.quote('local momo = require "momo"\n' .. code),
      broken == "stderr" and "2>&1 >&3" or "2>&3"))
  end

  local writes = {
    print = { "stdout", "while true do print 'hello' end" },
    ["io.stderr:write"] = { "stderr", "while true do io.stderr:write 'hello\\n' end" },
    ["momo.io.stdout"] = { "stdout", "while momo.io.stdout:write 'hello\\n' do end momo.time.sleep(60)" },
    ["momo.io.copy"] = { "stdout", [[
      local reader, writer = momo.io.pipe()
      momo.spawn(function() while writer:write(("hello\n"):rep(10000)) do end end)
      momo.io.copy(reader, momo.io.stdout)
      momo.time.sleep(60)]] },
    ["print on another thread"] = { "stdout", [[
      momo.thread.spawn(function() while true do print "hello" end end)
      momo.time.sleep(60)]] },
    ["print on a thread of the pool"] = { "stdout", [[
      momo.spawn_blocking(function() while true do print "hello" end end):join()]] },
  }
  for what, case in pairs(writes) do
    it(("ends a program whose %s is broken, at a write by %s"):format(case[1], what), function()
      for _, through in ipairs { "", "setsid -w", "timeout --preserve-status 15" } do
        local _, stdout, stderr = unread(case[2], case[1], through)
        assert.equal("status 141\n", stdout)
        assert.equal("", stderr)
      end
    end)
  end

  it("does not end it at a write to another pipe, of which it is an error", function()
    assert.same({ 0, "EPIPE\nEPIPE\nEPIPE\nEPIPE\n", "" }, { support.momo("-e", [[
      local momo = require "momo"
      local ffi = require "ffi"
      ffi.cdef "int open(const char *path, int flags, ...); int close(int fd);"
      local function show(_, _, code) print(code) end

      local reader, writer = momo.io.pipe()
      reader:close()
      show(writer:write "x")

      local child = assert(momo.process.spawn { "true", stdin = "pipe" })
      child:wait()
      show(child.stdin:write "x")

      local from, source = momo.io.pipe() -- copied by splice(2)
      reader, writer = momo.io.pipe()
      momo.spawn(function() while source:write(("x"):rep(100000)) do end end)
      local copier = momo.spawn(function() show(momo.io.copy(from, writer)) end)
      repeat until #reader:read() == 65536
      reader:close()
      copier:join()
      source:close()

      local path = os.tmpname()
      os.remove(path)
      os.execute("mkfifo " .. path)
      local fd = ffi.C.open(path, 2048) -- O_NONBLOCK: does not wait for a writer
      momo.spawn(function()
        local fifo = io.open(path)
        fifo:read(1)
        ffi.C.close(fd)
        fifo:close()
      end)
      show(momo.fs.write(path, ("x"):rep(1000000)))
      os.remove(path)
    ]]) })
  end)

  it("is a task's to hear of, if it wants to", function()
    local _, stdout = unread([[
      momo.spawn(function()
        momo.signal.recv "SIGPIPE"
        io.stderr:write "told\n"
        momo.stop()
      end)
      while true do print "hello" momo.yield_now() end]], "stdout")
    assert.equal("told\nstatus 0\n", stdout)
  end)

  it("stays ignored where it was at the start", function()
    local _, stdout = unread([[
      while io.stdout:write(("hello\n"):rep(20000)) do end
      io.stderr:write "goes on\n"]], "stdout", "env --ignore-signal=PIPE")
    assert.equal("goes on\nstatus 0\n", stdout)
  end)
end)

describe("a signal that was ignored at the start", function()
  for _, name in ipairs { "INT", "TERM" } do
    it("stays ignored: SIG" .. name, function()
      local other = name == "INT" and "TERM" or "INT"
      local status, stdout = support.shell(("trap '' %s; exec %s -e %s"):format(name,
        support.quote(os.getenv "MOMO_BIN"), support.quote(PRELUDE .. ([[
          signal "%s"
          momo.time.sleep(0.01)
          print "goes on"
          signal "%s"
          momo.time.sleep(60)
        ]]):format(name, other))))
      assert.same({ 0, "goes on\n" }, { status, stdout })
    end)
  end

  it("stays ignored: SIGQUIT, which else asks for a dump", function()
    local code = [[local file = io.open "/proc/self/status" print(file:read "*a":match "SigIgn:%s*(%x+)")]]
    for before, ignored in pairs { ["trap '' QUIT"] = true, ["true"] = false } do
      local _, stdout = support.shell(("%s; exec %s -e %s"):format(before, support.quote(os.getenv "MOMO_BIN"),
        support.quote(code)))
      assert.equal(ignored, tonumber(stdout, 16) % 8 >= 4, stdout) -- it is number 3
    end
  end)
end)
