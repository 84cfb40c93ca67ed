---Runs each example as a user would, as a process of its own, and talks to it over loopback.

local momo = require "momo"
local process = require "spec.process"
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

  it("hello.lua is what the README shows", function()
    local function text(path)
      local file = assert(io.open(path, "rb"))
      local content = file:read "*a"
      file:close()
      return content
    end
    local readme = text(examples .. "../README.md")
    assert.equal(text(examples .. "hello.lua"):match "local momo = .*", readme:match "```lua\n(.-)```")
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

  it("hello.lua ends with status 0 on SIGTERM, in the middle of a conversation too", function()
    local server, address = serve "hello"
    momo.run(function()
      local stream = dial(address)
      stream:write "Ada\n"
      assert.equal("What is your name? Hello, Ada!", receive(stream))
      assert.truthy(stop(server):find "\nstatus 0\n$")
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

  it("client.lua says so when there is no server", function()
    local listener = assert(momo.net.TcpListener.bind "127.0.0.1:0")
    local address = listener:local_addr()
    listener:close()
    local status, _, err = support.momo(examples .. "client.lua", address)
    assert.truthy(err:find("^momo: is echo_server.lua running%? ECONNREFUSED: connection refused: "), err)
    assert.equal(1, status)
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
      local address, listening = nil, {}
      for _ = 1, n do
        local line = line_of(server)
        local index, bound = line:match "^thread (%d+) listens on (127%.0%.0%.1:%d+)$"
        assert.equal(address or bound, bound, line)
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
      local addresses = {} -- three, since each was given port 0
      for _ = 1, 3 do
        local line = line_of(server)
        local index, address = line:match "^thread (%d+) listens on (127%.0%.0%.1:%d+)$"
        addresses[tonumber(index) or line] = address
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
