-- Every bound that the text of a mistake states: what is just within is taken, what is just beyond is refused.

local momo = require "momo"
local folder = require "spec.support.folder"
local tcp = require "spec.support.tcp"

local net, io, fs, sync, time = momo.net, momo.io, momo.fs, momo.sync, momo.time
local thread, process = momo.thread, momo.process
local here = folder.make { file = "some text\n" }
local INFINITE, NAN = math.huge, 0 / 0
local LEAST = 5e-324 -- the smallest number above 0

local NOT_WHOLE = { 0.5, 1.5, INFINITE, NAN }

-- A whole number from `first` to `last`, or without an upper bound.
local function whole(first, last, also)
  local row = { good = { first, first + 1, last }, bad = { first - 1, last and last + 1, unpack(NOT_WHOLE) } }
  for _, value in ipairs(also or {}) do
    row.good[#row.good + 1] = value
  end
  return row
end

local SECONDS = { good = { 0, LEAST, INFINITE }, bad = { -LEAST, -1, NAN } }

local function text(n)
  return ("x"):rep(n)
end

local function texts(first, last)
  return { good = { text(first), text(last) }, bad = { text(last + 1), first > 0 and text(first - 1) or nil } }
end

local rows = {}

-- What is called with each value: its name, the values, and a function that makes the call out of a world of its own.
local function add(name, values, make)
  rows[#rows + 1] = { name = name, values = values, make = make }
end

local function on_stream(method, before)
  return function()
    local one, other = tcp.pair()
    if before then other:write(before) end
    return function(...) return one[method](one, ...) end
  end
end

local function plain(fn)
  return function() return fn end
end

add("from_fd", { good = { 2 ^ 31 - 1 }, bad = { -1, 2 ^ 31, unpack(NOT_WHOLE) } },
  plain(function(fd) return net.TcpStream.from_fd(fd) end))
add("stream:read", whole(1, 2 ^ 31 - 1), on_stream("read", "abc"))
add("stream:read_into, max", whole(1, 2 ^ 31 - 1), function()
  local one, other = tcp.pair()
  other:write "abc"
  return function(max) return one:read_into(require("string.buffer").new(), max) end
end)
add("stream:read_exact", whole(1), on_stream("read_exact", "abc"))
add("stream:peek", whole(1), on_stream("peek", "abc"))
add("stream:consume", { good = { 0, 2, 1 }, bad = { -1, 4, unpack(NOT_WHOLE) } }, function()
  local one, other = tcp.pair()
  other:write "abc"
  assert(one:peek(3))
  return function(n) return one:consume(n) end
end)
add("stream:lines", whole(1, 2 ^ 31 - 1), on_stream "lines")
add("stream:read_until", texts(1, 1), function()
  local one, other = tcp.pair()
  other:write "ax"
  return function(delim) return one:read_until(delim) end
end)
rows[#rows].values.bad = { "" }
add("stream:read_until, max", whole(1, 2 ^ 31 - 1), function()
  local one, other = tcp.pair()
  other:write "a\n"
  return function(max) return one:read_until("\n", max) end
end)
add("stream:set_timeout", SECONDS, on_stream "set_timeout")
add("stream:set_keepalive", whole(1), on_stream "set_keepalive")
rows[#rows].values.good = { 1, 2, false }
add("stream:write_some, first", { good = { 1, 3, 4 }, bad = { 0, 5, 1.5, NAN } }, function()
  local one = tcp.pair()
  return function(first) return one:write_some("abc", first) end
end)
for _, method in ipairs { "read", "read_exact" } do
  add(("stream:%s, timeout"):format(method), SECONDS, function()
    local one, other = tcp.pair()
    other:write "abcdef"
    return function(seconds) return one[method](one, 1, seconds) end
  end)
end
add("set_multicast_ttl", whole(0, 255), function()
  local socket = assert(net.UdpSocket.bind "127.0.0.1:0")
  return function(hops) return socket:set_multicast_ttl(hops) end
end)
add("TcpListener.bind, backlog", whole(1), plain(function(n)
  local listener = assert(net.TcpListener.bind("127.0.0.1:0", { backlog = n }))
  return listener:close()
end))
add("TcpListener.bind, port", { good = { "127.0.0.1:0" }, bad = { "127.0.0.1:65536" } },
  plain(net.TcpListener.bind))
add("TcpStream.connect, port", { good = { "127.0.0.1:65535", "127.0.0.1:1" }, bad = { "127.0.0.1:65536" } },
  plain(function(address) return net.TcpStream.connect(address, 0) end))
add("lookup_host, port", whole(0, 65535), plain(function(port) return net.lookup_host("127.0.0.1", port) end))
add("UnixStream.connect, path", { good = { "/" .. text(106) }, bad = { "/" .. text(107) } },
  plain(net.UnixStream.connect))
add("serve, max_connections", whole(1, nil, { INFINITE }), function()
  local listener = tcp.listen()
  listener:close()
  return function(max) return net.serve(listener, print, { max_connections = max }) end
end)
rows[#rows].values.bad = { 0, 0.5, 1.5, -INFINITE, NAN }
add("serve, drain", SECONDS, function()
  local listener = tcp.listen()
  listener:close()
  return function(seconds) return net.serve(listener, print, { drain = seconds }) end
end)
add("serve, handshake_timeout", { good = { LEAST, INFINITE }, bad = { 0, -1, NAN } }, function()
  local listener = tcp.listen()
  listener:close()
  return function(seconds) return net.serve(listener, print, { handshake_timeout = seconds }) end
end)
add("io.copy, n", whole(0), function()
  local one, other = tcp.pair()
  local sink = tcp.pair()
  other:write "abcdef"
  return function(n) return io.copy(one, sink, n) end
end)

add("sync.Semaphore", whole(0), plain(sync.Semaphore))
add("sync.channel", whole(1), plain(sync.channel))
add("thread.channel", whole(1, 2 ^ 31), plain(function(n)
  local tx, rx = thread.channel(n)
  tx:close()
  rx:close()
end))
for name, channel in pairs { ["sync"] = sync.channel, ["thread"] = thread.channel } do
  add(name .. ": recv_many, max", whole(1), function()
    local tx, rx = channel(4)
    return function(max)
      tx:send(1, 0)
      return rx:recv_many(max)
    end
  end)
  add(name .. ": send, timeout", SECONDS, function()
    local tx = channel(10)
    return function(seconds) return tx:send(1, seconds) end
  end)
  add(name .. ": recv, timeout", SECONDS, function()
    local tx, rx = channel(10)
    return function(seconds)
      tx:send(1)
      return rx:recv(seconds)
    end
  end)
end
add("thread.spawn, name", texts(1, 63), plain(function(name)
  return thread.spawn({ name = name }, function() end):join()
end))
rows[#rows].values.bad = { text(64), "a\0b" }
add("time.interval", { good = { 1e-9, 1e300 }, bad = { 0.99e-9, 0, -1, NAN, INFINITE } }, plain(time.interval))
add("time.after", SECONDS, plain(time.after))
add("time.sleep", { good = { 0, LEAST }, bad = { -LEAST, NAN } }, plain(time.sleep))
add("time.timeout", SECONDS, plain(function(seconds) return time.timeout(seconds, function() end) end))
add("scope, limit", whole(1, 2 ^ 31 - 1), plain(function(limit)
  return momo.scope({ limit = limit }, function(scope) scope:spawn(function() end) end)
end))
for _, name in ipairs { "race", "any" } do
  add(name .. ", functions", { good = { { function() return 1 end } }, bad = { {} } }, plain(momo[name]))
end
add("task:join", SECONDS, function()
  local task = momo.spawn(function() end)
  return function(seconds) return task:join(seconds) end
end)

add("fs.read, max", whole(0), plain(function(max) return fs.read(here .. "/file", max) end))
add("fs.open, permissions", whole(0, 4095), plain(function(bits)
  local file = assert(fs.open(here .. "/other", "a", bits))
  file:close()
  return fs.remove(here .. "/other")
end))
add("fs.chmod", whole(0, 4095), plain(function(bits) return fs.chmod(here .. "/file", bits) end))
local function on_file(make)
  return function()
    local file = assert(fs.open(here .. "/file", "r+"))
    return function(value) return make(file, value) end
  end
end
add("file:read_at, offset", whole(0), on_file(function(file, offset) return file:read_at(offset, 1) end))
add("file:read_at, n", whole(1, 2 ^ 31 - 1), on_file(function(file, n) return file:read_at(0, n) end))
add("process.run, limit", whole(0), plain(function(limit) return process.run { "true", limit = limit } end))
add("process.spawn, timeout", SECONDS, plain(function(seconds) return process.run { "true", timeout = seconds } end))

describe("a stated bound:", function()
  for _, row in ipairs(rows) do
    it(row.name, function()
      tcp.run(function()
        local call = row.make()
        for _, value in pairs(row.values.bad) do
          local ok, err = momo.pcall(call, value)
          assert.is_false(ok, ("%s was taken"):format(tostring(value)))
          err = tostring(err)
          assert.truthy(err:find " must " or err:find "at most" or err:find "there are no", err)
        end
        for _, value in pairs(row.values.good) do
          local ok, err = momo.pcall(momo.time.timeout, 0.01, call, value)
          assert.is_true(ok, ("%s: %s"):format(tostring(value), tostring(err)))
        end
        momo.stop()
      end)
    end)
  end
end)
