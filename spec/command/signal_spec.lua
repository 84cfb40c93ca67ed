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
  it("does not kill a program whose stdout is closed: the write fails", function()
    local status, stdout = support.shell(([[
      exec 3>&1
      { %s -e '
        local ok, err
        repeat
          ok, err = io.stdout:write(("x"):rep(100000))
        until not ok
        io.stderr:write(err)
      ' 2>&3; echo ", status $?" >&3; } | head -c 1 >/dev/null
    ]]):format(support.quote(os.getenv "MOMO_BIN")))
    assert.same({ 0, "Broken pipe, status 0\n" }, { status, stdout })
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
end)
