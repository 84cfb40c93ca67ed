-- Unix sockets.

local momo = require "momo"
local support = require "spec.support"
local tcp = require "spec.support.tcp"

local UnixListener, UnixStream = momo.net.UnixListener, momo.net.UnixStream
local run, waiting, assert_failed = tcp.run, tcp.waiting, tcp.assert_failed

describe("Unix sockets", function()
  local path

  before_each(function()
    path = os.tmpname()
    os.remove(path)
  end)

  after_each(function()
    os.remove(path)
    tcp.check_nothing_left()
  end)

  local function mode_of(file)
    local _, out = support.shell("stat -c %a " .. support.quote(file))
    return out:match "%d+"
  end

  it("connect and talk", function()
    run(function()
      local listener = assert(UnixListener.bind(path))
      assert.equal(path, listener:local_addr())
      local client = assert(UnixStream.connect(path))
      local served, peer = assert(listener:accept())
      assert.equal("", peer) -- a client has no name
      assert.equal(path, client:peer_addr())
      assert.equal("", client:local_addr())
      client:write "hello\n"
      assert.equal("hello\n", served:read_until "\n")
      served:write { "good", "bye" }
      served:shutdown()
      assert.equal("goodbye", client:read())
      assert_failed("EOF", client:read())
    end)
  end)

  it("with names in no folder", function()
    run(function()
      local name = "@" .. path
      local listener = assert(UnixListener.bind(name))
      assert.equal(name, listener:local_addr())
      assert_failed("EADDRINUSE", UnixListener.bind(name))
      local client = assert(UnixStream.connect(name))
      assert.equal(name, client:peer_addr())
      listener:close()
      assert(UnixListener.bind(name))
    end)
  end)

  it("are refused where there is no listener", function()
    run(function()
      local _, err, code = UnixStream.connect(path)
      assert.same({ "ENOENT: no such file or directory: " .. path, "ENOENT" }, { err, code })
      assert(UnixListener.bind(path)):close()
      _, err, code = UnixStream.connect(path)
      assert.same({ "ECONNREFUSED: connection refused: " .. path, "ECONNREFUSED" }, { err, code })
    end)
  end)

  it("replace the file of a socket that nobody answers at, and no other", function()
    run(function()
      local first = assert(UnixListener.bind(path))
      local _, err, code = UnixListener.bind(path)
      assert.same({ "EADDRINUSE: address already in use: " .. path, "EADDRINUSE" }, { err, code })
      first:close() -- as a process that was killed would leave it
      local second = assert(UnixListener.bind(path))
      local client = assert(UnixStream.connect(path))
      assert(second:accept(10))
      client:close()
      second:close()
      os.remove(path)
      local file = assert(io.open(path, "w"))
      file:write "precious"
      file:close()
      assert_failed("EADDRINUSE", UnixListener.bind(path))
      file = assert(io.open(path))
      assert.equal("precious", file:read "*a")
      file:close()
    end)
  end)

  it("have the permissions that are asked for, whatever the umask", function()
    run(function()
      local modes = { ["600"] = "600", ["0660"] = "660", ["777"] = "777", [tonumber("640", 8)] = "640", [0] = "0" }
      for mode, octal in pairs(modes) do
        local listener = assert(UnixListener.bind(path, { mode = mode }))
        assert.equal(octal, mode_of(path))
        listener:close()
      end
    end)
  end)

  it("wait while the listener's queue is full", function()
    run(function()
      local listener, streams = assert(UnixListener.bind(path, { backlog = 1 })), {}
      local stream, err, code
      repeat
        stream, err, code = UnixStream.connect(path, 0.01)
        streams[#streams + 1] = stream
      until not stream
      assert.same({ "ETIMEDOUT: operation timed out: " .. path, "ETIMEDOUT" }, { err, code })
      local late = momo.spawn(function() return assert(UnixStream.connect(path, 60)) end)
      for _ = 1, #streams + 1 do
        assert(listener:accept(60))
      end
      assert.is_true((late:join()))
    end)
  end)

  it("queue as many as the system lets where the backlog is beyond all limits", function()
    run(function()
      local listener, streams = assert(UnixListener.bind(path, { backlog = 2 ^ 32 })), {}
      for i = 1, 8 do
        streams[i] = assert(UnixStream.connect(path, 0))
      end
      for _, stream in ipairs(streams) do
        stream:close()
      end
      listener:close()
    end)
  end)

  it("come in pairs", function()
    run(function()
      local one, other = assert(UnixStream.pair())
      local reading = waiting(other.read, other)
      one:write "x"
      assert.same({ true, "x" }, { reading:join() })
      one:close()
      assert_failed("EOF", other:read())
      assert_failed("EPIPE", other:write "x")
    end)
  end)

  it("serve 300 clients", function()
    run(function()
      local listener = assert(UnixListener.bind(path))
      momo.spawn(function()
        for _ = 1, 300 do
          local served = assert(listener:accept())
          momo.spawn(function() momo.io.copy(served, served) end)
        end
      end)
      for i = 1, 300 do
        momo.spawn(function()
          local client = assert(UnixStream.connect(path, 60))
          client:write(i .. "\n")
          assert.equal(i .. "\n", client:read_until "\n")
          client:close()
        end)
      end
    end)
  end)

  it("tell of wrong arguments", function()
    local long = ("p"):rep(108)
    for code, text in pairs {
      ["momo.net.UnixListener.bind(8080)"] =
        'UnixListener.bind: the path must be a string such as "/run/app.sock", got 8080',
      ["momo.net.UnixStream.connect ''"] =
        'UnixStream.connect: the path must be a string such as "/run/app.sock", got ""',
      ["momo.net.UnixStream.connect(('p'):rep(108))"] =
        ("UnixStream.connect: a path has at most 107 bytes, and %q has 108"):format(long),
      ["momo.net.UnixListener.bind('/tmp/x', {mode = '999'})"] =
        'UnixListener.bind: mode must be permissions such as "660", got "999"',
      ["momo.net.UnixListener.bind('/tmp/x', {reuseport = true})"] =
        'UnixListener.bind: there is no option "reuseport"',
      ["momo.net.UnixStream.connect('/tmp/x', 'soon')"] =
        'UnixStream.connect: the timeout must be a number of seconds, 0 or more, got "soon"',
    } do
      assert.matches("app.lua:2: " .. text, tcp.mistake(code), 1, true)
    end
  end)
end)
