-- Options of sockets by name, and descriptors that were opened elsewhere.

local ffi = require "ffi"
local momo = require "momo"
local support = require "spec.support"
local tcp = require "spec.support.tcp"

local net = momo.net
local run, pair, assert_failed = tcp.run, tcp.pair, tcp.assert_failed

ffi.cdef "int fcntl(int fd, int command, ...); int socket(int, int, int); int close(int); int dup(int);"
local F_SETFL, O_RDWR = 4, 2

describe("set_option and get_option", function()
  after_each(tcp.check_nothing_left)

  it("know booleans, numbers, times and texts, with or without the prefix", function()
    run(function()
      local stream = pair()
      for _, row in ipairs {
        { "tcp_nodelay", true }, { "nodelay", false },
        { "so_keepalive", true }, { "keepidle", 7 }, { "keepintvl", 3 }, { "tcp_keepcnt", 4 },
        { "tcp_user_timeout", 5 }, { "user_timeout", 0.25 },
        { "linger", 5 }, { "linger", 0 }, { "so_linger", false },
        { "ip_tos", 16 }, { "priority", 3 }, { "congestion", "reno" }, { "notsent_lowat", 16384 },
        { "close_on_exec", false }, { "close_on_exec", true },
      } do
        local name, value = row[1], row[2]
        assert.is_true(stream:set_option(name, value), name)
        assert.equal(value, stream:get_option(name), name)
      end
      assert.is_true(stream:set_option("tcp_user_timeout", 0.0001)) -- rounded up: 0 would be no limit
      assert.equal(0.001, stream:get_option "tcp_user_timeout")
      assert.is_true(stream:set_option("tcp_user_timeout", 0)) -- no limit
      assert.equal(0, stream:get_option "tcp_user_timeout")
      stream:set_option("rcvbuf", 50000)
      assert.is_true(stream:get_option "rcvbuf" >= 50000)
    end)
  end)

  it("say that small writes leave at once, on either side, unless the program says otherwise", function()
    run(function()
      local one, other = pair()
      assert.is_true(one:get_option "tcp_nodelay")
      assert.is_true(other:get_option "tcp_nodelay")
      local listener = tcp.listen()
      assert.is_true(listener:set_option("tcp_nodelay", false))
      local adopted = assert(net.TcpListener.from_fd(ffi.C.dup(listener:fd())))
      local client = assert(net.TcpStream.connect(adopted:local_addr()))
      local accepted = assert(adopted:accept())
      assert.is_true(accepted:get_option "tcp_nodelay")
      for _, object in ipairs { one, other, listener, adopted, client, accepted } do
        object:close()
      end
    end)
  end)

  it("are for listeners too", function()
    run(function()
      local listener = tcp.listen()
      assert.is_true(listener:get_option "reuseaddr")
      assert.is_true(listener:set_option("tcp_defer_accept", 1))
      assert.is_true(listener:set_option("fastopen", 10))
      assert.equal(10, listener:get_option "tcp_fastopen")
      listener:close()
      assert_failed("EBADF", listener:set_option("fastopen", 10))
      assert_failed("EBADF", listener:get_option "fastopen")
    end)
  end)

  it("pass on what the system says", function()
    run(function()
      local one = net.UnixStream.pair()
      assert_failed("ENOTSUP", one:set_option("tcp_nodelay", true))
      local reader = momo.io.pipe()
      assert_failed("ENOTSOCK", reader:get_option "so_rcvbuf")
      local stream = pair()
      assert_failed("ENODEV", stream:set_option("bindtodevice", "no-such-device"))
      assert_failed("EINVAL", stream:set_option("keepidle", 1e9))
      assert_failed("EINVAL", stream:set_option("keepidle", 1e300))
    end)
  end)

  it("tell of wrong arguments", function()
    for code, text in pairs {
      ["stream:set_option('nagle', true)"] = 'set_option: there is no option "nagle", but so_broadcast, so_keepalive,',
      ["listener:get_option(1)"] = "get_option: there is no option 1, but so_broadcast,",
      ["stream:set_option('nodelay', 1)"] = "set_option: nodelay must be a boolean, got 1",
      ["stream:set_option('ip_ttl', 1.5)"] = "set_option: ip_ttl must be a whole number, got 1.5",
      ["stream:set_option('user_timeout', -1)"] =
        "set_option: user_timeout must be a number of seconds, 0 or more, got -1",
      ["stream:set_option('linger', true)"] =
        "set_option: linger must be a number of seconds, 0 or more, or false, got true",
      ["stream:set_option('congestion')"] = "set_option: congestion must be a string without a zero byte, got nil",
      ["stream.set_option('nodelay', true)"] = "set_option: call it with a colon: stream:set_option()",
    } do
      assert.matches("app.lua:2: " .. text, tcp.mistake(code), 1, true)
    end
  end)
end)

describe("from_fd", function()
  after_each(tcp.check_nothing_left)

  -- A program that the shell starts with these variables and redirections, and what it prints.
  local function program(code, redirections, variables)
    local command = ("%s exec %s -e %s %s"):format(variables or "", support.quote(os.getenv "MOMO_BIN"),
      support.quote('local momo = require "momo" local net = momo.net ' .. code), redirections or "")
    -- sh knows no descriptor above 9
    local status, out, err = support.shell("exec bash -c " .. support.quote(command))
    assert.equal("", err)
    assert.equal(0, status)
    return out
  end

  it("takes over connected and listening sockets", function()
    run(function()
      local listener, path = tcp.listen(), os.tmpname()
      os.remove(path)
      local unix_listener = assert(net.UnixListener.bind(path))
      local one, other = pair()
      local here, there = net.UnixStream.pair()
      for _, each in ipairs { listener, unix_listener, one, here } do
        each:set_option("close_on_exec", false) -- for the program below
      end
      local out = program([[
        local listener = assert(net.TcpListener.from_fd(60))
        local client = assert(net.TcpStream.connect(listener:local_addr()))
        print((assert(listener:accept(10))):peer_addr() == client:local_addr())
        listener = assert(net.UnixListener.from_fd(61))
        client = assert(net.UnixStream.connect(listener:local_addr()))
        print(listener:accept(10) ~= nil)
        net.TcpStream.from_fd(62):write "by TCP"
        net.UnixStream.from_fd(63):write "by Unix"
      ]], ("60<&%d 61<&%d 62<&%d 63<&%d"):format(listener:fd(), unix_listener:fd(), one:fd(), here:fd()))
      assert.equal("true\ntrue\n", out)
      assert.equal("by TCP", other:read())
      assert.equal("by Unix", there:read())
      os.remove(path)
    end)
  end)

  it("does not block in a listener that blocks", function()
    run(function()
      local listener = tcp.listen()
      listener:set_option("close_on_exec", false)
      ffi.C.fcntl(listener:fd(), F_SETFL, ffi.cast("int", O_RDWR))
      assert.equal("ETIMEDOUT\n", program([[
        local ffi = require "ffi"
        ffi.cdef "unsigned alarm(unsigned)"
        ffi.C.alarm(10)
        print((select(3, net.TcpListener.from_fd(60):accept(0))))
      ]], ("60<&%d"):format(listener:fd())))
    end)
  end)

  it("takes SCTP for no TCP", function()
    local fd = ffi.C.socket(2, 1, 132)
    if fd < 0 then
      return pending "the system has no SCTP"
    end
    local text = ("EINVAL: descriptor %d is a socket of another kind; wanted: a TCP stream"):format(fd)
    run(function() assert.same({ nil, text, "EINVAL" }, { net.TcpStream.from_fd(fd) }) end)
    ffi.C.close(fd)
  end)

  it("refuses, and leaves alone, what is of another kind", function()
    run(function()
      local listener, stream = tcp.listen(), pair()
      local reader = momo.io.pipe()
      local one = net.UnixStream.pair()
      local function refused(text, code, result, err, got)
        assert.same({ nil, text, code }, { result, err, got })
      end
      refused(("EINVAL: descriptor %d is a TCP listener; wanted: a TCP stream"):format(listener:fd()), "EINVAL",
        net.TcpStream.from_fd(listener:fd()))
      refused(("EINVAL: descriptor %d is a TCP stream; wanted: a Unix stream"):format(stream:fd()), "EINVAL",
        net.UnixStream.from_fd(stream:fd()))
      refused(("EINVAL: descriptor %d is a Unix stream; wanted: a Unix listener"):format(one:fd()), "EINVAL",
        net.UnixListener.from_fd(one:fd()))
      refused(("ENOTSOCK: socket operation on non-socket: descriptor %d"):format(reader:fd()), "ENOTSOCK",
        net.TcpListener.from_fd(reader:fd()))
      refused("EBADF: bad file descriptor: descriptor 9999", "EBADF", net.TcpStream.from_fd(9999))
      refused(("EBUSY: resource busy or locked: descriptor %d"):format(stream:fd()), "EBUSY",
        net.TcpStream.from_fd(stream:fd())) -- it is open here already
      assert.is_string(stream:peer_addr())
    end)
  end)

  it("tells of wrong arguments", function()
    for code, text in pairs {
      ["momo.net.TcpStream.from_fd '3'"] = 'TcpStream.from_fd: argument 1 must be the number of a descriptor, got "3"',
      ["momo.net.UnixListener.from_fd(-1)"] =
        "UnixListener.from_fd: argument 1 must be the number of a descriptor, got -1",
    } do
      assert.matches("app.lua:2: " .. text, tcp.mistake(code), 1, true)
    end
  end)

  describe("inherited_listeners", function()
    local show = [[
      local listeners, names = assert(net.inherited_listeners())
      for i, listener in ipairs(listeners) do print(listener:local_addr(), names[i]) end
      print(#listeners, net.inherited_listeners() == listeners)
    ]]

    it("are those that systemd's protocol names", function()
      run(function()
        local listener, path = tcp.listen(), os.tmpname()
        os.remove(path)
        local unix_listener = assert(net.UnixListener.bind(path))
        listener:set_option("close_on_exec", false)
        unix_listener:set_option("close_on_exec", false)
        local out = program(show, ("3<&%d 4<&%d"):format(listener:fd(), unix_listener:fd()),
          "LISTEN_FDS=2 LISTEN_PID=$$ LISTEN_FDNAMES=web:control")
        os.remove(path)
        assert.equal(listener:local_addr() .. "\tweb\n" .. path .. "\tcontrol\n2\ttrue\n", out)
      end)
    end)

    it("are none without it, and none when it means another process", function()
      assert.equal("0\ttrue\n", program(show))
      assert.equal("0\ttrue\n", program(show, "", "LISTEN_FDS=2 LISTEN_PID=1"))
    end)

    it("may be the standard input, as inetd has it", function()
      run(function()
        local listener = tcp.listen()
        listener:set_option("close_on_exec", false)
        local out = program([[
          local listener = assert(net.TcpListener.from_fd(0))
          print(listener:fd(), (listener:local_addr()))
        ]], ("0<&%d"):format(listener:fd()))
        assert.equal("0\t" .. listener:local_addr() .. "\n", out)
        local stream, other = tcp.pair()
        stream:set_option("close_on_exec", false)
        out = program("print(assert(net.TcpStream.from_fd(0)):into_fd())", ("0<&%d"):format(stream:fd()))
        assert.equal("0\n", out)
        stream:close()
        other:close()
      end)
    end)

    it("are taken over all or not at all", function()
      run(function()
        local listener = tcp.listen()
        listener:set_option("close_on_exec", false)
        local out = program([[
          print(select(3, net.inherited_listeners()))
          print((net.TcpListener.from_fd(3):local_addr()))
        ]], ("3<&%d 4</dev/null"):format(listener:fd()), "LISTEN_FDS=2 LISTEN_PID=$$")
        assert.equal("ENOTSOCK\n" .. listener:local_addr() .. "\n", out)
      end)
    end)

    it("that are none at all are a failure", function()
      assert.equal("nil\tENOTSOCK: socket operation on non-socket: descriptor 3\tENOTSOCK\n",
        program("print(net.inherited_listeners())", "3</dev/null", "LISTEN_FDS=1 LISTEN_PID=$$"))
    end)
  end)
end)
