-- A process that is followed by another one, which runs the program anew: SIGHUP, momo reload PID, momo --watch.

local process = require "spec.support.process"
local support = require "spec.support"

local SERVER = [[
local momo = require "momo"
local pid = assert(io.open "/proc/self/stat"):read "*n"
local listener = assert(momo.net.TcpListener.bind(arg[1] or "127.0.0.1:0", { reuseport = true }))
print("serves " .. listener:local_addr() .. " in " .. pid)
io.stdout:flush()
assert(momo.http.serve(listener, function(request, response)
  if request.path == "/slow" then momo.time.sleep(1) end
  response:send(200, pid .. "\n")
end, { drain = 10 }))
]]

-- What the programs that talk to a server begin with: its process, where it serves.
local CLIENT = [[
local momo = require "momo"
local server, address = tonumber(arg[1]), arg[2]
local function get(path)
  local answer = assert(momo.http.get("http://" .. address .. (path or "/")))
  assert(answer.status == 200, answer.status)
  return answer.body
end
local function rest_of(stream)
  local parts = {}
  for part in function() return stream:read() end do parts[#parts + 1] = part end
  stream:close()
  return table.concat(parts)
end
local function once() -- on a connection of its own
  local stream = assert(momo.net.TcpStream.connect(address))
  assert(stream:write "GET / HTTP/1.0\r\n\r\n")
  return (assert(rest_of(stream):match "200 OK.*\r\n\r\n(.*)$"))
end
]]

---Starts a server: the process, and where it serves.
local function serve(code, ...)
  local words = { ... }
  words[#words + 1] = support.tmpfile(code)
  local started = process.start_momo(unpack(words))
  return started, assert(process.wait_for_line(started, "^serves (%S+)"))
end

local function talk(server, address, code)
  local status, out, err = support.momo(support.tmpfile(CLIENT .. code), tostring(server.pid), address)
  assert.equal(0, status, out .. err)
  return out
end

local function await(server, pattern)
  return assert(process.wait_for_line(server, pattern), pattern)
end

---Has it followed by another one: the number of that process.
local function reload(server)
  assert(os.execute("kill -HUP " .. server.pid) == 0)
  return await(server, "^momo: SIGHUP: process (%d+) serves")
end

describe("a process that is told SIGHUP", function()
  after_each(process.stop_all)

  it("is followed by another one at the same address, and stands for it", function()
    local server, address = serve(SERVER)
    talk(server, address, "assert(once() == server .. '\\n')")
    for _ = 1, 2 do
      local newest = reload(server)
      assert.equal(newest .. "\n", talk(server, address, "io.write(once())"))
    end
    assert.matches("status 0\n$", process.stop(server)) -- of SIGTERM, which the newest hears
    talk(server, address, "assert(not momo.net.TcpStream.connect(address))")
  end)

  it("keeps its trace, and the newest has a file of its own", function()
    local path = support.tmpfile ""
    local server = serve(SERVER, "--trace", path)
    local newest = reload(server)
    assert.matches("status 0\n$", process.stop(server))
    for _, name in ipairs { path, path .. "." .. newest } do
      local file = assert(io.open(name))
      local events = require("cjson").decode(file:read "*a")
      file:close()
      assert.is_true(#events > 1, name)
    end
    os.remove(path .. "." .. newest)
  end)

  it("answers whom it has taken", function()
    local server, address = serve(SERVER)
    talk(server, address, [[
      local slow = momo.spawn(get, "/slow")
      momo.time.sleep(0.2)
      momo.process.run { "kill", "-HUP", arg[1] }
      repeat until once() ~= server .. "\n"
      assert(select(2, slow:join()) == server .. "\n")
    ]])
  end)

  it("loses no request of a load", function()
    local server, address = serve(SERVER)
    local load = process.start_momo(support.tmpfile(CLIENT .. [[
      local over, n, least = false, 0, tonumber(arg[3])
      for i = 1, 8 do
        momo.spawn(function()
          while not over or n < least do
            local _ = i % 2 == 0 and get() or once()
            n = n + 1
          end
        end)
      end
      momo.signal.recv "SIGUSR1"
      over = true
    ]]), tostring(server.pid), address, os.getenv "MOMO_SANITIZE" == "" and "10000" or "1000")
    for _ = 1, 20 do
      reload(server)
    end
    os.execute("kill -USR1 " .. load.pid)
    assert.equal("status 0\n", process.wait(load))
  end)

  it("goes on serving when the new program fails", function()
    local path = support.tmpfile(SERVER)
    local server = process.start_momo(path)
    local address = await(server, "^serves (%S+)")
    local function change(code)
      local file = assert(io.open(path, "w"))
      file:write(code)
      file:close()
    end
    change "error 'not yet'"
    os.execute("kill -HUP " .. server.pid)
    await(server, "not yet")
    await(server, "momo: SIGHUP: process %d+ has ended before it served; this one goes on")
    change "local = "
    talk(server, address, "assert(once() == server .. '\\n')")
    os.execute("kill -HUP " .. server.pid)
    await(server, "has ended before it served")
    change(SERVER)
    assert.equal(reload(server) .. "\n", talk(server, address, "io.write(once())"))
  end)

  it("hands over the listeners of all its threads, and those of Unix sockets", function()
    local path = support.tmpfile ""
    os.remove(path)
    local server, address = serve(([[
      local momo = require "momo"
      local first = momo.thread.current().index == 0
      if first then
        momo.spawn(momo.net.serve, assert(momo.net.UnixListener.bind %q), function(stream) stream:write "here" end)
      end
      local tx, rx
      if first then
        local listener = assert(momo.net.TcpListener.bind("127.0.0.1:0", { reuseport = true }))
        tx, rx = momo.thread.channel(1)
        tx:send(listener:local_addr())
        momo.thread.spawn(function(rx)
          local momo = require "momo"
          local other = assert(momo.net.TcpListener.bind(rx:recv(), { reuseport = true }))
          momo.net.serve(other, function(stream) stream:write "HTTP/1.0 200 OK\r\n\r\nother" end)
        end, rx)
        momo.time.sleep(0.1)
        print("serves " .. listener:local_addr())
        io.stdout:flush()
        momo.net.serve(listener, function(stream) stream:write "HTTP/1.0 200 OK\r\n\r\nfirst" end)
      end
    ]]):format(path))
    reload(server)
    talk(server, address, ([[
      local seen = {}
      for _ = 1, 50 do seen[once()] = true end
      assert(seen.first and seen.other)
      assert(rest_of(assert(momo.net.UnixStream.connect %q)) == "here")
    ]]):format(path))
  end)

  it("hands over the page of --inspect", function()
    for _, option in ipairs { "--inspect", "--inspect=127.0.0.3:45673" } do
      local server = process.start_momo(option, support.tmpfile(SERVER))
      local page = await(server, "^momo: inspect: http://(%S+)/")
      local address = await(server, "^serves (%S+)")
      for _ = 1, 2 do
        assert(os.execute("kill -HUP " .. server.pid) == 0)
        assert.equal(page, await(server, "^momo: inspect: http://(%S+)/"))
        assert.equal(address, await(server, "^serves (%S+)"))
        local pid = await(server, "^momo: SIGHUP: process (%d+) serves")
        for _ = 1, 5 do
          local out = talk(server, page, [[print(get("/state?since=0"):match '^{"pid":(%d+)')]])
          assert.equal(pid .. "\n", out)
        end
        assert.equal(pid .. "\n", talk(server, address, "io.write(once())"))
      end
      process.stop(server)
    end
  end)

  it("hands on what socket activation has given", function()
    local path = support.tmpfile [[
      local momo = require "momo"
      local listener = assert(momo.net.inherited_listeners())[1]
      print("serves " .. listener:local_addr())
      io.stdout:flush()
      momo.net.serve(listener, function(stream) stream:write "HTTP/1.0 200 OK\r\n\r\n" end)
    ]]
    local starter = support.tmpfile(([[
      local momo = require "momo"
      local listener = assert(momo.net.TcpListener.bind "127.0.0.1:0")
      listener:set_option("close_on_exec", false)
      os.execute(("bash -c 'exec 3<&%%d; LISTEN_FDS=1 LISTEN_PID=$$ exec %%s %%s'"):format(listener:fd(), %q, %q))
    ]]):format(os.getenv "MOMO_BIN", path))
    local server = process.start_momo(starter)
    local address = await(server, "^serves (%S+)")
    local pid = tonumber(support.pack(support.shell("pgrep -P $(pgrep -P " .. server.pid .. ")"))[2]:match "%d+")
    os.execute("kill -HUP " .. pid)
    assert.equal(address, await(server, "^serves (%S+)"))
    await(server, "momo: SIGHUP: process %d+ serves")
    talk({ pid = pid }, address, "once() momo.process.run { 'kill', '-TERM', tostring(server) }")
  end)

  it("does as it likes when it has taken the signal over", function()
    local server, address = serve([[
      local momo = require "momo"
      momo.spawn(function() momo.signal.recv "SIGHUP" print "heard" io.stdout:flush() end)
      momo.yield_now()
    ]] .. SERVER)
    os.execute("kill -HUP " .. server.pid)
    await(server, "^heard$")
    talk(server, address, "assert(once() == server .. '\\n')")
  end)

  it("is asked by momo reload, as no other process is", function()
    local server, address = serve(SERVER)
    local momo = support.quote(os.getenv "MOMO_BIN")
    assert.equal(0, (support.shell(momo .. " reload " .. server.pid)))
    await(server, "momo: SIGHUP: process %d+ serves")
    talk(server, address, "assert(once() ~= server .. '\\n')")
    local status, _, err = support.shell(("sleep 10 & %s reload $!; status=$?; kill $!; exit $status"):format(momo))
    assert.equal(1, status)
    assert.matches("is not run by momo, or takes no SIGHUP", err)
  end)
end)

describe("momo --watch", function()
  after_each(process.stop_all)

  it("runs the program anew when a file that it has required has changed", function()
    local folder = support.tmpfile ""
    os.remove(folder)
    assert(os.execute("mkdir " .. folder) == 0)
    local function write(name, text)
      local file = assert(io.open(folder .. "/new", "w"))
      file:write(text)
      file:close()
      assert(os.rename(folder .. "/new", folder .. "/" .. name))
    end
    write("part.lua", "return 'one'")
    write("app.lua", ("package.path = %q .. package.path\nprint('part ' .. require 'part')\n")
      :format(folder .. "/?.lua;") .. SERVER)
    local server = process.start_momo("--watch", folder .. "/app.lua")
    await(server, "^part one$")
    local address = await(server, "^serves (%S+)")
    write("part.lua", "return 'two'")
    await(server, "^part two$")
    assert.equal(address, await(server, "^serves (%S+)"))
    await(server, "part%.lua has changed: process %d+ serves")
    write("part.lua", "retrn 'three'")
    await(server, "retrn")
    await(server, "part%.lua has changed: process %d+ has ended before it served; this one goes on")
    talk(server, address, "once()")
    write("part.lua", "return 'four'")
    await(server, "^part four$")
    await(server, "part%.lua has changed: process %d+ serves")
    talk(server, address, "once()")
    os.execute("rm -r " .. folder)
  end)

  it("runs the program anew when a file is mended that it could not require", function()
    local folder = support.tmpfile ""
    os.remove(folder)
    assert(os.execute("mkdir -p " .. folder .. "/lib") == 0)
    local function write(name, text)
      local file = assert(io.open(folder .. "/" .. name, "w"))
      file:write(text)
      file:close()
    end
    local head = ("package.path = %q .. package.path\n"):format(folder .. "/?.lua;")
    write("lib/part.lua", "retrn 'one'")
    local tail = " io.stdout:flush() require('momo').time.sleep(60)"
    write("app.lua", head .. "local part = require 'lib.part' print('part ' .. part)" .. tail)
    local server = process.start_momo("--watch", folder .. "/app.lua")
    await(server, "retrn")
    write("lib/part.lua", "return 'two'")
    await(server, "^part two$")
    await(server, "part%.lua has changed: process %d+ serves")
    write("lib/other.lua", "retrn 'three'")
    write("app.lua", head .. 'local part = require("lib.other") print("part " .. part)' .. tail)
    await(server, "app%.lua has changed: process %d+ has ended before it served; this one goes on")
    write("lib/other.lua", "return 'four'")
    await(server, "^part four$")
    await(server, "other%.lua has changed: process %d+ serves")
    os.execute("rm " .. folder .. "/app.lua") -- as some editors do for a moment
    await(server, "app%.lua has changed: process %d+ has ended before it served; this one goes on")
    write("app.lua", "print 'back'" .. tail)
    await(server, "^back$")
    os.execute("rm -r " .. folder)
  end)

  it("waits for a change when the program fails at once, or has ended", function()
    local path = support.tmpfile "local = 1"
    local program = process.start_momo("--watch", path)
    await(program, "^momo: .*expected near")
    local file = assert(io.open(path, "w"))
    file:write "print 'good' io.stdout:flush()"
    file:close()
    await(program, "^good$")
    await(program, "has changed: process %d+ serves")
    assert.matches("status 0\n$", process.stop(program))
  end)

  it("wants a file", function()
    local status, _, err = support.momo("--watch", "-e", "print(1)")
    assert.equal(2, status)
    assert.matches("%-%-watch wants a file", err)
  end)
end)
