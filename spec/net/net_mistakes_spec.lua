local tcp = require "spec.support.tcp"

-- What line 2 of app.lua is told; the message begins so.
local MISTAKES = {
  [ [[momo.net.TcpListener.bind "8080"]] ] = [[TcpListener.bind: "8080" is no address; write "127.0.0.1:8080"]],
  [ [[momo.net.TcpListener.bind ":9000"]] ] = [[TcpListener.bind: ":9000" is no address; write "127.0.0.1:9000"]],
  [ [[momo.net.TcpListener.bind(8080)]] ] =
    [[TcpListener.bind: the address must be a string such as "127.0.0.1:8080", got 8080]],
  [ [[momo.net.TcpListener.bind()]] ] =
    [[TcpListener.bind: the address must be a string such as "127.0.0.1:8080", got nil]],
  [ [[momo.net.TcpListener.bind("127.0.0.1:0", 5)]] ] = [[TcpListener.bind: options must be a table, got 5]],
  [ [[momo.net.TcpListener.bind("127.0.0.1:0", {reuse = true})]] ] =
    [[TcpListener.bind: there is no option "reuse"]],
  [ [[momo.net.TcpListener.bind("127.0.0.1:0", {reuseport = 1})]] ] =
    [[TcpListener.bind: option reuseport must be a boolean, got 1]],
  [ [[momo.net.TcpListener.bind("127.0.0.1:0", {backlog = 0})]] ] =
    [[TcpListener.bind: backlog must be a whole number from 1, got 0]],
  [ [[momo.net.TcpListener.bind("127.0.0.1:0", {backlog = 1.5})]] ] =
    [[TcpListener.bind: backlog must be a whole number from 1, got 1.5]],
  [ [[momo.net.TcpStream.connect "::1:80"]] ] = [[TcpStream.connect: "::1:80" is no address]],
  [ [[momo.net.TcpStream.connect({})]] ] =
    [[TcpStream.connect: the address must be a string such as "127.0.0.1:8080", got table]],
  [ [[momo.net.TcpStream.connect("127.0.0.1:1", -1)]] ] =
    [[TcpStream.connect: the timeout must be a number of seconds, 0 or more, got -1]],
  [ [[momo.net.TcpStream.connect("127.0.0.1:1", 0/0)]] ] =
    [[TcpStream.connect: the timeout must be a number of seconds, 0 or more, got NaN]],
  [ [[momo.net.TcpStream.connect("127.0.0.1:1", "1")]] ] =
    [[TcpStream.connect: the timeout must be a number of seconds, 0 or more, got "1"]],
  [ [[listener:accept(-1)]] ] = [[accept: the timeout must be a number of seconds, 0 or more, got -1]],
  [ [[listener:accept(0/0)]] ] = [[accept: the timeout must be a number of seconds, 0 or more, got ]],
  [ [[listener:accept("1")]] ] = [[accept: the timeout must be a number of seconds, 0 or more, got string]],
  [ [[listener.accept()]] ] = [[accept: call it with a colon: listener:accept()]],
  [ [[listener.accept(5)]] ] = [[accept: call it with a colon: listener:accept()]],
  [ [[listener.accept(stream)]] ] = [[accept: call it with a colon: listener:accept()]],
  [ [[listener.local_addr()]] ] = [[local_addr: call it with a colon: listener:local_addr()]],
  [ [[listener.close()]] ] = [[close: call it with a colon: listener:close()]],
  [ [[listener.close(stream)]] ] = [[close: call it with a colon: listener:close()]],
  [ [[stream.close(io.stdout)]] ] = [[close: call it with a colon: stream:close()]],
  [ [[stream.read()]] ] = [[read: call it with a colon: stream:read()]],
  [ [[stream.read(10)]] ] = [[read: call it with a colon: stream:read()]],
  [ [[stream.read(listener)]] ] = [[read: call it with a colon: stream:read()]],
  [ [[stream.read_into(require("string.buffer").new())]] ] = [[read_into: call it with a colon: stream:read_into()]],
  [ [[stream.read_exact(10)]] ] = [[read_exact: call it with a colon: stream:read_exact()]],
  [ [[stream.read_until("\n")]] ] = [[read_until: call it with a colon: stream:read_until()]],
  [ [[stream.lines()]] ] = [[lines: call it with a colon: stream:lines()]],
  [ [[stream.write("x")]] ] = [[write: call it with a colon: stream:write()]],
  [ [[stream.shutdown()]] ] = [[shutdown: call it with a colon: stream:shutdown()]],
  [ [[stream.set_timeout(1)]] ] = [[set_timeout: call it with a colon: stream:set_timeout()]],
  [ [[stream.set_nodelay(true)]] ] = [[set_nodelay: call it with a colon: stream:set_nodelay()]],
  [ [[stream.set_keepalive(1)]] ] = [[set_keepalive: call it with a colon: stream:set_keepalive()]],
  [ [[stream.local_addr()]] ] = [[local_addr: call it with a colon: stream:local_addr()]],
  [ [[stream.peer_addr()]] ] = [[peer_addr: call it with a colon: stream:peer_addr()]],
  [ [[stream:read(0)]] ] = [[read: max must be a whole number from 1 to 2147483647, got 0]],
  [ [[stream:read(-1)]] ] = [[read: max must be a whole number from 1 to 2147483647, got -1]],
  [ [[stream:read(1.5)]] ] = [[read: max must be a whole number from 1 to 2147483647, got 1.5]],
  [ [[stream:read(math.huge)]] ] = [[read: max must be a whole number from 1 to 2147483647, got inf]],
  [ [[stream:read("*a")]] ] = [[read: max must be a whole number from 1 to 2147483647, got string]],
  [ [[stream:read("10")]] ] = [[read: max must be a whole number from 1 to 2147483647, got string]],
  [ [[stream:read_exact()]] ] = [[read_exact: n must be a whole number from 1 to 2147483647, got nil]],
  [ [[stream:read_exact(2^31)]] ] = [[read_exact: n must be a whole number from 1 to 2147483647, got 2147483648]],
  [ [[stream:read_until()]] ] = [[read_until: delim must be a string of 1 byte or more, got nil]],
  [ [[stream:read_until("")]] ] = [[read_until: delim must be a string of 1 byte or more, got an empty one]],
  [ [[stream:read_until(10)]] ] = [[read_until: delim must be a string of 1 byte or more, got number]],
  [ [[stream:read_until("x", 0)]] ] = [[read_until: max must be a whole number from 1 to 2147483647, got 0]],
  [ [[for _ in stream:lines(0) do break end]] ] = [[lines: max must be a whole number from 1]],
  [ [[for _ in stream:lines("x") do break end]] ] = [[lines: max must be a whole number from 1]],
  [ [[stream:read(1, -1)]] ] = [[read: the timeout must be a number of seconds, 0 or more, got -1]],
  [ [[stream:read_exact(1, "1")]] ] = [[read_exact: the timeout must be a number of seconds, 0 or more, got string]],
  [ [[stream:read_until("x", nil, 0/0)]] ] =
    [[read_until: the timeout must be a number of seconds, 0 or more, got nan]],
  [ [[stream:peek(1, {})]] ] = [[peek: the timeout must be a number of seconds, 0 or more, got table]],
  [ [[stream:write("x", -1)]] ] = [[write: the timeout must be a number of seconds, 0 or more, got -1]],
  [ [[stream:write_some {}]] ] = [[write_some: data must be a string, got table]],
  [ [[stream:write_some("abc", 0)]] ] = [[write_some: first must be a place in the data, from 1 to 4, got 0]],
  [ [[stream:write_some("abc", 5)]] ] = [[write_some: first must be a place in the data, from 1 to 4, got 5]],
  [ [[stream:write_some("abc", 1.5)]] ] = [[write_some: first must be a place in the data, from 1 to 4, got 1.5]],
  [ [[stream:write_some("abc", "1")]] ] = [[write_some: first must be a place in the data, from 1 to 4, got string]],
  [ [[stream:write_some("abc", 1, -1)]] ] = [[write_some: the timeout must be a number of seconds, 0 or more, got -1]],
  [ [[stream:write()]] ] = [[write: data must be a string, a number, an array of these or a string.buffer, got nil]],
  [ [[stream:write(true)]] ] =
    [[write: data must be a string, a number, an array of these or a string.buffer, got boolean]],
  [ [[stream:write(newproxy(true))]] ] =
    [[write: data must be a string, a number, an array of these or a string.buffer, got userdata]],
  [ [[stream:write { "a", require("string.buffer").new() }]] ] =
    [[write: piece 2 must be a string or a number, got userdata]],
  [ [[stream:read_into()]] ] = [[read_into: buffer must be a string.buffer, got nil]],
  [ [[stream:read_into(newproxy())]] ] = [[read_into: buffer must be a string.buffer, got userdata]],
  [ [[stream:read_into(require("string.buffer").new(), 0)]] ] =
    [[read_into: max must be a whole number from 1 to 2147483647, got 0]],
  [ [[stream:read_into(require("string.buffer").new(), 1, -1)]] ] =
    [[read_into: the timeout must be a number of seconds, 0 or more, got -1]],
  [ [[stream:write {a = 1}]] ] = "write: the pieces must be an array of strings, got a table with the key a",
  [ [[stream:write {"a", true}]] ] = [[write: piece 2 must be a string or a number, got boolean]],
  [ [[stream:write {"a", {}, "b"}]] ] = [[write: piece 2 must be a string or a number, got table]],
  [ [[stream:set_timeout(-1)]] ] =
    [[set_timeout: argument 1 must be a number of seconds, 0 or more, or nil, got -1]],
  [ [[stream:set_timeout(0/0)]] ] =
    [[set_timeout: argument 1 must be a number of seconds, 0 or more, or nil, got NaN]],
  [ [[stream:set_timeout("1")]] ] =
    [[set_timeout: argument 1 must be a number of seconds, 0 or more, or nil, got "1"]],
  [ [[stream:set_nodelay(1)]] ] = [[set_nodelay: argument 1 must be a boolean, got 1]],
  [ [[stream:set_nodelay()]] ] = [[set_nodelay: argument 1 must be a boolean, got nil]],
  [ [[stream:set_keepalive(true)]] ] =
    [[set_keepalive: argument 1 must be a whole number of seconds from 1, or false, got true]],
  [ [[stream:set_keepalive(0)]] ] =
    [[set_keepalive: argument 1 must be a whole number of seconds from 1, or false, got 0]],
  [ [[stream:set_keepalive(0.5)]] ] =
    [[set_keepalive: argument 1 must be a whole number of seconds from 1, or false, got 0.5]],
}

describe("a mistake with a socket is told at the caller's line:", function()
  after_each(tcp.check_nothing_left)

  for code, message in pairs(MISTAKES) do
    it(code, function()
      message = "app.lua:2: " .. message
      assert.equal(message, tcp.mistake(code):sub(1, #message))
    end)
  end
end)
