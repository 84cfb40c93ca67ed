---Runs each example as a user would, as a process of its own, and talks to it over loopback.

local momo = require "momo"
local process = require "spec.support.process"
local support = require "spec.support"

local LIMIT_SECONDS = process.LIMIT_SECONDS
local examples = assert(os.getenv "MOMO_SOURCE_DIR") .. "/examples/"
local start_momo, line_of, stop, serve = process.start_momo, process.line_of, process.stop, process.serve

---@async
local function dial(address)
  local stream = assert(momo.net.TcpStream.connect(address, LIMIT_SECONDS))
  stream:set_timeout(LIMIT_SECONDS)
  return stream
end

---The next line, without its end.
---@async
local function receive(stream)
  return (assert(stream:read_until "\n"):gsub("\n$", ""))
end

describe("examples", function()
  after_each(process.stop_all)

  it("hello.lua is what the guide shows", function()
    local function text(path)
      local file = assert(io.open(path, "rb"))
      local content = file:read "*a"
      file:close()
      return content
    end
    local guide = text(examples .. "../docs/guide/start.md")
    assert.equal(text(examples .. "hello.lua"):match "local momo = .*", guide:match "```lua\n(.-)```")
  end)

  it("hello.lua asks, greets, counts down and says bye, to several at once", function()
    local server, address = serve "hello"
    momo.run(function()
      local function visit(name, greeting)
        local stream = dial(address)
        assert.equal("What is your name? ", stream:read_until "? ")
        stream:write(name)
        local lines = {}
        for line in stream:lines() do
          lines[#lines + 1] = line
        end
        assert.same({ greeting, "3...", "2...", "1...", "Bye." }, lines)
        stream:close()
      end
      local visits = { momo.spawn(visit, "Ada\n", "Hello, Ada!"), momo.spawn(visit, " Bob \r\n", "Hello, Bob!") }
      for _, task in ipairs(visits) do
        local ok, err = task:join()
        if not ok then
          error(err, 0)
        end
      end
      dial(address):close() -- who leaves at once hurts nobody
      assert.equal("What is your name? ", dial(address):read_until "? ")
    end)
    assert.equal(4, select(2, stop(server):gsub("a visitor from 127%.0%.0%.1:%d+\n", "")))
  end)

  it("hello.lua brings a countdown to its end on SIGTERM, and ends with status 0", function()
    local server, address = serve "hello"
    momo.run(function()
      local stream = dial(address)
      stream:write "Ada\n"
      assert.equal("What is your name? Hello, Ada!", receive(stream))
      assert.equal("3...\n2...\n1...\n", stream:read_exact(15)) -- what is left takes a second, of the 5 that it has
      assert.truthy(stop(server):find "\nstatus 0\n$")
      assert.equal("Bye.\n", stream:read_exact(5))
      assert.equal("EOF", select(3, stream:read()))
    end)
  end)

  it("echo_server.lua sends back what it reads", function()
    local server, address = serve "echo_server"
    momo.run(function()
      local stream = dial(address)
      local sent = ("all bytes: \0\1\r\n\255 "):rep(100000)
      local writer = momo.spawn(function()
        assert(stream:write(sent))
        assert(stream:shutdown())
      end)
      assert.is_true(sent == stream:read_exact(#sent))
      assert.same({ nil, "EOF: end of file", "EOF" }, { stream:read() })
      assert(writer:join())
      assert.equal(("%s: %d bytes, done"):format(stream:local_addr(), #sent), line_of(server))
    end)
    assert.equal("status 0\n", stop(server))
  end)

  it("udp_echo.lua sends each datagram back", function()
    local server, address = serve "udp_echo"
    momo.run(function()
      local socket = assert(momo.net.UdpSocket.connect(address))
      assert(socket:send "to and fro")
      assert.equal("to and fro", socket:recv(LIMIT_SECONDS))
      socket:close()
    end)
    assert.matches("^127%.0%.0%.1:%d+: 10 bytes$", line_of(server))
    assert.equal("status 0\n", stop(server))
  end)

  it("reload.lua reads its settings again on SIGHUP, and ends with what it serves", function()
    local settings = support.tmpfile "greeting: Hello\n"
    local server = start_momo(examples .. "reload.lua", settings, "127.0.0.1:0")
    local address = assert(line_of(server):match "^reload listens on (.*)$")
    momo.run(function()
      assert.equal("Hello", receive(dial(address)))
      local file = assert(io.open(settings, "w"))
      file:write "greeting: Good evening\n"
      file:close()
      os.execute("kill -HUP " .. server.pid)
      assert.equal("the settings were read again", line_of(server))
      assert.equal("Good evening", receive(dial(address)))
    end)
    assert.equal("status 0\n", stop(server))
  end)

  it("client.lua talks to echo_server.lua", function()
    local server, address = serve "echo_server"
    local status, out, err = support.momo(examples .. "client.lua", address, "one", "and two")
    assert.equal("", err)
    assert.truthy(out:find("^connected to " .. address:gsub("%.", "%%.") .. " from 127%.0%.0%.1:%d+\n"
      .. "echo: one\necho: and two\n2 lines there and back in [%d.]+ ms\n$"), out)
    assert.equal(0, status)
    status, out = support.momo(examples .. "client.lua", address)
    assert.truthy(out:find "\n3 lines there and back")
    assert.equal(0, status)
    stop(server)
  end)

  it("cqueues.lua runs its coroutines beside Momo's tasks", function()
    local status, out, err = support.momo(examples .. "cqueues.lua")
    assert.same({ 0, "" }, { status, err })
    local lines = support.lines(out)
    table.sort(lines)
    assert.same({ "echo: line 1", "echo: line 2", "echo: line 3" }, lines)
  end)

  it("client.lua says so when there is no server", function()
    local listener = assert(momo.net.TcpListener.bind "127.0.0.1:0")
    local address = listener:local_addr()
    listener:close()
    local status, _, err = support.momo(examples .. "client.lua", address)
    assert.truthy(err:find("^momo: is echo_server.lua running%? ECONNREFUSED: connection refused: "), err)
    assert.equal(1, status)
  end)

  it("unix_echo.lua sends back what it reads, and takes over what a killed one has left", function()
    local path = os.tmpname()
    os.remove(path)
    for _ = 1, 2 do
      local server = start_momo(examples .. "unix_echo.lua", path)
      assert.equal("unix_echo listens on " .. path, line_of(server))
      local status, _, err = support.momo(examples .. "unix_echo.lua", path)
      assert.equal(1, status)
      assert.matches("EADDRINUSE", err)
      momo.run(function()
        local stream = assert(momo.net.UnixStream.connect(path))
        stream:write "hello"
        assert.equal("hello", stream:read_exact(5))
        stream:close()
      end)
      assert.equal("0 bytes", line_of(server)) -- the one that was refused had looked whether somebody answers
      assert.equal("5 bytes", line_of(server))
      os.execute("kill -KILL " .. server.pid)
      process.wait(server)
    end
    os.remove(path)
  end)

  it("proxy.lua stands between client.lua and echo_server.lua", function()
    local server, address = serve "echo_server"
    local proxy = start_momo(examples .. "proxy.lua", "127.0.0.1:0", address)
    local own = line_of(proxy):match "^proxy listens on (.*)$"
    local status, out, err = support.momo(examples .. "client.lua", own, "one", "and two")
    assert.equal("", err)
    assert.truthy(out:find "echo: one\necho: and two\n")
    assert.equal(0, status)
    assert.matches("^127%.0%.0%.1:%d+: 12 bytes sent, 12 received$", line_of(proxy))
    stop(server)
    support.momo(examples .. "client.lua", own, "nobody there")
    assert.matches(": ECONNREFUSED: connection refused: " .. address, line_of(proxy), 1, true)
    assert.equal("status 0\n", stop(proxy))
  end)

  it("netcat.lua passes stdin on, and shows the answer", function()
    local server, address = serve "echo_server"
    local text = ("all bytes: \0\1\r\n\255 "):rep(50000)
    local status, out, err = support.momo(examples .. "netcat.lua", address, { stdin = text })
    assert.same({ 0, "" }, { status, err })
    assert.is_true(out == text)
    stop(server)
  end)

  it("restart.lua replaces itself under load, and loses no connection", function()
    local path = os.tmpname()
    os.remove(path)
    local server = start_momo(examples .. "restart.lua", "127.0.0.1:0", path)
    local address = line_of(server):match "^restart listens on (.*)$"
    local processes, connections, over = {}, 0, false
    momo.run(function()
      local function ask(stream, text)
        stream:write(text .. "\n")
        local pid, answer = receive(stream):match "^process (%d+) got: (.*)$"
        assert.equal(text, answer)
        return pid
      end
      local function command(text)
        local stream = assert(momo.net.UnixStream.connect(path, LIMIT_SECONDS))
        stream:write(text .. "\n")
        local answer = stream:read_until "\n"
        stream:close()
        return answer
      end
      local first = dial(address) -- stays all the time
      local pid = ask(first, "first")
      local clients = {}
      for i = 1, 20 do
        clients[i] = momo.spawn(function()
          repeat
            local stream = dial(address)
            local number = ask(stream, "one")
            processes[number] = true
            assert.equal(number, ask(stream, "two"))
            stream:shutdown()
            assert.same({ nil, "EOF: end of file", "EOF" }, { stream:read() })
            stream:close()
            connections = connections + 1
          until over
        end)
      end
      local function serve_some()
        local before = connections
        while connections < before + 100 do
          momo.time.sleep(0.001)
        end
      end
      serve_some()
      for _ = 1, 3 do
        assert.equal("restarted\n", command "restart")
        serve_some()
      end
      over = true
      for _, client in ipairs(clients) do
        assert(client:join())
      end
      assert.equal(pid, ask(first, "still there?"))
      first:close()
      assert.is_nil(command "stop")
    end)
    local count = 0
    for _ in pairs(processes) do
      count = count + 1
    end
    assert.equal(4, count)
    assert.is_true(connections > 400)
    local rest = process.wait(server) -- until the last of them has ended
    assert.equal(3, select(2, rest:gsub("restart listens on " .. address:gsub("%p", "%%%0"), "")))
    assert.falsy(rest:find "momo:")
    os.remove(path)
  end)

  it("sleep_sort.lua sorts", function()
    local status, out, err = support.momo(examples .. "sleep_sort.lua", "9", "3", "6")
    assert.equal("", err)
    assert.equal("unsorted: 9 3 6\n3\n6\n9\nsorted:   3 6 9\n", out)
    assert.equal(0, status)
  end)

  it("sleep_sort.lua ends with status 0 on SIGTERM", function()
    local sorter = start_momo(examples .. "sleep_sort.lua", "1e9")
    assert.equal("unsorted: 1000000000", line_of(sorter))
    assert.equal("status 0\n", stop(sorter))
  end)

  describe("chat.lua", function()
    local server, address

    before_each(function()
      server, address = serve "chat"
    end)

    ---@async
    local function join(nick)
      local stream = dial(address)
      assert.equal("Your nickname? ", stream:read_until "? ")
      stream:write(nick .. "\n")
      assert.equal("* " .. nick .. " joined", receive(stream))
      return stream
    end

    it("sends each line to all the others", function()
      momo.run(function()
        local ada, bob = join "Ada", join "Bob"
        assert.equal("* Bob joined", receive(ada))
        ada:write "Hello, Bob\r\n"
        assert.equal("Ada: Hello, Bob", receive(bob))
        bob:write "Hello, Ada\nand bye"
        assert.equal("Bob: Hello, Ada", receive(ada))
        bob:close()
        assert.equal("Bob: and bye", receive(ada)) -- unterminated, and a line all the same
        assert.equal("* Bob left", receive(ada))
      end)
      local log = "Ada joined\nBob joined\nBob left\n"
      assert.equal(log, stop(server):sub(1, #log))
    end)

    it("takes each nickname once, and frees it at the end", function()
      momo.run(function()
        local ada, bob, other = join "Ada", join "Bob", dial(address)
        assert.equal("Your nickname? ", other:read_until "? ")
        for _, nick in ipairs { "Ada", "", "two words", ("a"):rep(21) } do
          other:write(nick .. "\n")
          assert.equal("Letters and digits, please, 20 at most, that nobody else has. Your nickname? ",
            other:read_until "? ")
        end
        ada:close()
        assert.equal("* Ada left", receive(bob))
        join("Ada"):close()
      end)
    end)

    it("puts out who does not read, and nobody waits for them", function()
      momo.run(function()
        local talker, reader, sleeper = join "talker", join "reader", join "sleeper"
        assert.equal("* sleeper joined", receive(reader))
        local line, expected = ("x"):rep(900), "talker: " .. ("x"):rep(900)
        local count, seen = 0
        repeat -- each line has reached the reader before the next is sent, so only the sleeper's queue grows
          count = count + 1
          talker:write { line, "\n" }
          seen = receive(reader)
        until seen ~= expected or count == 100000
        assert.equal("* sleeper left", seen)
        sleeper:close()
      end)
    end)

    it("ends who sends a line without end", function()
      momo.run(function()
        local ada, bob = join "Ada", join "Bob"
        assert.equal("* Bob joined", receive(ada))
        bob:write(("x"):rep(1001))
        assert.equal("* Bob left", receive(ada))
        ada:write "still here\n"
      end)
      assert.truthy(stop(server):find "ENOBUFS: no delimiter within")
    end)
  end)

  describe("threads.lua", function()
    ---@async
    local function ask(address)
      local stream = dial(address)
      local answer = receive(stream)
      stream:close()
      return assert(tonumber(answer:match "^thread (%d+), connection %d+$"), answer)
    end

    it("serves one address on a thread for each CPU", function()
      local n = momo.thread.available_parallelism()
      local server = start_momo(examples .. "threads.lua", "127.0.0.1:0")
      local text, address, listening = "", nil, {}
      for _ = 1, n do -- a line may come between another one and its end
        text = text .. line_of(server) .. "\n"
      end
      for index, bound in text:gmatch "thread (%d+) listens on (127%.0%.0%.1:%d+)" do
        assert.equal(address or bound, bound, text)
        address = bound
        listening[tonumber(index)] = true
      end
      momo.run(function()
        for i = 0, n - 1 do
          assert.is_true(listening[i])
        end
        local answered, missing = {}, n
        while missing > 0 do -- the system deals connections out by a hash of their ports
          local index = ask(address)
          missing = missing - (answered[index] and 0 or 1)
          answered[index] = true
        end
      end)
      assert.equal("status 0\n", stop(server))
    end)

    it("serves on each of --threads", function()
      local server = start_momo("--threads", "3", examples .. "threads.lua", "127.0.0.1:0")
      local text = ""
      for _ = 1, 3 do -- a line may come between another one and its end
        text = text .. line_of(server) .. "\n"
      end
      local addresses = {} -- three, since each was given port 0
      for index, address in text:gmatch "thread (%d+) listens on (127%.0%.0%.1:%d+)" do
        addresses[tonumber(index)] = address
      end
      momo.run(function()
        for index = 0, 2 do
          assert.equal(index, ask(assert(addresses[index])))
        end
      end)
      assert.equal("status 0\n", stop(server))
    end)
  end)
end)
