-- A zero byte ends a text in C: where one in the middle of a string would cut it short, the string is refused.

local momo = require "momo"

local function told(fn)
  local ok, err = momo.run(function() return momo.spawn(fn):join() end)
  assert.is_false(ok)
  return (tostring(err):gsub("^spec/house/zero_spec.lua:%d+: ", ""))
end

describe("a text with a zero byte", function()
  it("is no group and no interface", function()
    local socket
    local function with(fn)
      return told(function()
        socket = assert(momo.net.UdpSocket.bind "0.0.0.0:0")
        fn()
      end)
    end
    assert.equal([[join_multicast: argument 1 must be a group's address, such as "239.1.2.3", got "239.1.2.3\0junk"]],
      with(function() socket:join_multicast "239.1.2.3\0junk" end))
    assert.equal([[leave_multicast: argument 1 must be a group's address, such as "239.1.2.3", got "239.1.2.3\0"]],
      with(function() socket:leave_multicast "239.1.2.3\0" end))
    assert.equal([[join_multicast: argument 2 must be an interface's name, got "lo\0x"]],
      with(function() socket:join_multicast("239.1.2.3", "lo\0x") end))
    assert.equal([[set_multicast_interface: argument 1 must be an interface's name, got "lo\0x"]],
      with(function() socket:set_multicast_interface "lo\0x" end))
    assert.equal([[set_option: bindtodevice must be a string without a zero byte, got "lo\0x"]],
      with(function() socket:set_option("bindtodevice", "lo\0x") end))
    assert.matches("^set_option: there is no option \"broadcast\\0x\", but ",
      with(function() socket:set_option("broadcast\0x", true) end))
  end)

  it("is no address, host or path", function()
    for _, fn in ipairs {
      function() momo.net.TcpListener.bind "127.0.0.1\0:0" end,
      function() momo.net.TcpStream.connect "127.0.0.1:80\0" end,
      function() momo.net.UdpSocket.bind "127.0.0.1:0\0x" end,
      function() momo.net.UdpSocket.connect "127.0.0.1:1\0" end,
    } do
      assert.matches("is no address; write", told(fn))
    end
    assert.matches("UnixListener.bind: the path must be a string", told(function()
      momo.net.UnixListener.bind "/tmp/a\0b"
    end))
    assert.matches("UnixStream.connect: the path must be a string", told(function()
      momo.net.UnixStream.connect "/tmp/a\0b"
    end))
    momo.run(function()
      assert.equal("EINVAL", select(3, momo.net.lookup_host "localhost\0x"))
    end)
  end)

  it("is no signal", function()
    assert.equal("signal.recv: argument 1 must be a signal's name, and has a zero byte",
      told(function() momo.signal.recv "SIGUSR1\0x" end))
    assert.equal("signal.recv: argument 2 must be a signal's name, and has a zero byte",
      told(function() momo.signal.recv("SIGUSR1", "SIGUSR2\0") end))
  end)

  it("is no direction of a poll", function()
    local expected = [[io.poll: the events must be "r", "w" or "rw", got a text with a zero byte]]
    assert.equal(expected, told(function() momo.io.poll(0, "w\0x") end))
    assert.equal(expected, told(function() momo.io.poll(0, "rw\0") end))
  end)

  it("names no task and no thread", function()
    assert.equal([[set_name: argument 1 must be a string without a zero byte, got "a\0b"]],
      told(function() momo.current():set_name "a\0b" end))
    assert.equal([[thread.spawn: option name must be a string of at most 63 bytes, none of them 0, got "a\0b"]],
      told(function() momo.thread.spawn({ name = "a\0b" }, function() end) end))
  end)

  it("is no path of modules", function()
    for _, name in ipairs { "path", "cpath" } do
      for _, wrong in ipairs { "x\0y", false } do
        local kept = package[name]
        finally(function() package[name] = kept end)
        package[name] = wrong
        local message = ("%%s: package.%s must be a string, got %s"):format(name, wrong and [["x\0y"]] or "false")
        local ok, err = momo.run(function() return momo.spawn(momo.thread.spawn, function() end):join() end)
        local blocking_ok, blocking = momo.run(function()
          return momo.spawn(momo.spawn_blocking, function() end):join()
        end)
        package[name] = kept
        assert.same({ false, false }, { ok, blocking_ok })
        assert.is_truthy(err:find(message:format "thread.spawn", 1, true), err)
        assert.is_truthy(blocking:find(message:format "spawn_blocking", 1, true), blocking)
      end
    end
  end)
end)

describe("a thread's name", function()
  it("has at most 63 bytes", function()
    local name = ("x"):rep(63)
    local _, longest = momo.run(function()
      return momo.thread.spawn({ name = name }, function()
        return require("momo").thread.current().name
      end):join()
    end)
    assert.equal(name, longest)
    assert.matches("^thread.spawn: option name must be a string of at most 63 bytes, none of them 0, got \"x+\"$",
      told(function() momo.thread.spawn({ name = name .. "x" }, function() end) end))
  end)
end)
