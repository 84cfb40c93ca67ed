---What LuaSocket's sockets answer, as lines: luasocket_oracle_spec.lua runs it on LuaSocket itself, and on ours.

local socket = require "socket"
local unix = require "socket.unix"
local folder = ...

local out = {}

local function show(value)
  if type(value) == "string" then
    value = value:gsub(folder, "FOLDER")
    return #value > 200 and ("<%d bytes>"):format(#value) or ("%q"):format(value)
  elseif type(value) == "table" or type(value) == "userdata" then
    local text = tostring(value):gsub(": 0x%x+$", "")
    return "<" .. (text:find "^table" and "table" or text) .. ">"
  elseif type(value) == "number" then
    return ("%.14g"):format(value)
  end
  return tostring(value)
end

local name

-- One line: the case's name, and all values.
local function say(...)
  local words = { name .. ":" }
  local n = select("#", ...)
  while n > 1 and select(n, ...) == nil do -- LuaSocket adds some
    n = n - 1
  end
  for i = 1, n do
    words[#words + 1] = show((select(i, ...)))
  end
  out[#out + 1] = table.concat(words, " ")
end

-- Says what a method answers, or that it throws.
local function try(object, method, ...)
  local function told(ok, ...)
    if ok then
      return say(method, ...)
    end
    local why = tostring((...)):match "%((.*)%)$"
    say(method, "throws", (why:gsub(", got .*$", "")))
  end
  told(pcall(function(...) return object[method](object, ...) end, ...))
end

local function pair()
  local listener = assert(socket.bind("127.0.0.1", 0))
  local host, port = listener:getsockname()
  local one = assert(socket.connect(host, port))
  local other = assert(listener:accept())
  listener:close()
  return one, other
end

-- A peer that sends each word after a pause.
local function dripping(pause, ...)
  local listener = assert(socket.bind("127.0.0.1", 0))
  local _, port = listener:getsockname()
  local script = ([[
import socket, sys, time
peer = socket.create_connection(("127.0.0.1", int(sys.argv[1])))
peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
for word in sys.argv[3:]:
    peer.sendall(word.encode())
    time.sleep(float(sys.argv[2]))
]])
  local command = ("python3 -c '%s' %d %g '%s' 2>/dev/null &"):format(script, port, pause, table.concat({ ... }, "' '"))
  os.execute(command)
  local stream = assert(listener:accept())
  listener:close()
  return stream
end

local MUCH = ("0123456789abcdef"):rep(64 * 1024)

local cases = {
  { "lines", function()
    local one, other = pair()
    say(one:send "line one\r\nl\rine two\n\n\r\nlast\r")
    for _ = 1, 4 do try(other, "receive", "*l", "p ") end
    one:close()
    try(other, "receive")
    try(other, "receive")
    try(other, "receive", "*l", "again")
    other:close()
  end },
  { "numbers", function()
    local one, other = pair()
    one:send "0123456789abcdefghij"
    try(other, "receive", 3)
    try(other, "receive", "2")
    try(other, "receive", 5, "abc")
    try(other, "receive", 2, "abc")
    try(other, "receive", 3, "abc")
    try(other, "receive", 0, "abc")
    try(other, "receive", 0)
    try(other, "receive", 1.9)
    try(other, "receive", 4, 12)
    try(other, "receive", -1)
    try(other, "receive", "x")
    try(other, "receive", "*n")
    try(other, "receive", {})
    try(other, "receive", 3, {})
    other:settimeout(0.02)
    try(other, "receive", "*line")
    try(other, "receive", "*all", "q")
    other:close()
    one:close()
  end },
  { "nothing asked for waits until there is something", function()
    local one, other = pair()
    other:settimeout(0)
    try(other, "receive", 0)
    one:send "x"
    other:settimeout(5)
    try(other, "receive", 0)
    try(other, "receive", 1)
    one:close()
    try(other, "receive", 0)
    try(other, "receive", 0, "abc")
    other:close()
  end },
  { "all", function()
    local one, other = pair()
    other:settimeout(0.02)
    try(other, "receive", "*a")
    one:send "abc"
    try(other, "receive", "*a", "p")
    one:send "def"
    one:close()
    other:settimeout(nil)
    try(other, "receive", "*a", "p")
    try(other, "receive", "*a")
    try(other, "receive", "*a", "p")
    try(other, "receive", 5, "p")
    other:close()
    try(other, "receive", "*a", "p")
    try(other, "receive")
    try(other, "send", "x")
    try(other, "send", "abc", 2)
  end },
  { "partial results", function()
    local one, other = pair()
    other:settimeout(0.02)
    one:send "part"
    try(other, "receive")
    one:send "more"
    try(other, "receive", 100, "part")
    one:send "a\rb"
    try(other, "receive", "*l", "x\r")
    other:settimeout(0)
    try(other, "receive", "*l", "kept")
    try(other, "receive", 7, "kept")
    one:send "cut"
    one:close()
    other:settimeout(nil)
    try(other, "receive", 10, "p")
    try(other, "receive", 10, "p")
    other:close()
  end },
  { "much", function()
    local one, other = pair()
    one:setoption("send-buffer-size", 300000)
    one:settimeout(0.3)
    local _, err, last = one:send(MUCH)
    say(err, last > 0 and last < #MUCH)
    other:settimeout(0.05)
    local all, problem, got = other:receive(#MUCH + 1)
    say(all, problem, MUCH:sub(1, #got) == got)
    one:close()
    other:settimeout(nil)
    local rest, why, tail = other:receive(#MUCH + 1, got)
    say(rest, why, tail and #tail == last and tail == MUCH:sub(1, last))
    other:close()
  end },
  { "much, and its end", function()
    for _, pattern in ipairs { "*l", "*a", 1e7 } do
      local one, other = pair()
      one:settimeout(0.05)
      local _, _, last = one:send(MUCH)
      last = last or #MUCH
      one:close()
      local all, err, got = other:receive(pattern, "p")
      say(pattern, all and #all == last + 1, err, got and #got == last + 1)
      other:close()
    end
  end },
  { "a drip of lines", function()
    local words = {}
    for i = 1, 20 do words[i] = "x" end
    words[21] = "\n"
    for _, mode in ipairs { "b", "t" } do -- both count from the beginning of the call
      for _, pattern in ipairs { "*l", 21, "*a" } do
        local stream = dripping(0.05, unpack(words))
        stream:settimeout(0.4, mode)
        local all, err, part = stream:receive(pattern, "p")
        say(mode, pattern, all, err, part and #part > 1 and #part < 21)
        stream:close()
      end
    end
  end },
  { "timeouts", function()
    local one, other = pair()
    say(other:gettimeout())
    for _, arguments in ipairs {
      { 1 }, { 2, "b" }, { 3, "t" }, { 4, "r" }, { -2 }, { nil, "t" }, { 0 }, { "0.5", "total" }, { 1, "x" },
      { "a" },
    } do
      try(other, "settimeout", unpack(arguments, 1, 2))
      say(other:gettimeout())
    end
    one:close()
    other:close()
  end },
  { "send", function()
    local one, other = pair()
    for _, range in ipairs {
      { 2, 4 }, { -2 }, { -4, -3 }, { 6, 5 }, { 20 }, { 1, 0 }, { 0, 2 }, { 1, 200 }, { -200, 2 }, { 3, -20 },
      { "2", "3" }, { nil, 3 }, { 10, 10 }, { 11 }, { 11, 11 }, { 12 }, { -100, -50 },
    } do
      try(one, "send", "0123456789", unpack(range, 1, 2))
    end
    try(one, "send", 12345)
    try(one, "send", "")
    try(one, "send", nil)
    try(one, "send", {})
    try(one, "send", "x", "y")
    one:close()
    try(other, "receive", "*a")
    try(one, "send", "abc")
    try(one, "send", "abc", 3)
    try(one, "send", "")
    other:close()
  end },
  { "send's end", function()
    local one, other = pair()
    other:close()
    one:settimeout(1)
    one:send "x"
    socket.sleep(0.05)
    try(one, "send", "abcdef", 3, 5)
    try(one, "receive")
    one:close()
  end },
  { "send's limit", function()
    for _, mode in ipairs { "b", "t" } do
      local one, other = pair()
      one:settimeout(0.05, mode)
      local ok, err, at
      repeat
        ok, err, at = one:send(MUCH)
      until not ok
      say(ok, err, at >= 0 and at < #MUCH)
      one:settimeout(0)
      say(mode, one:send(MUCH, 11, 20))
      say(mode, one:send(MUCH, -10))
      one:close()
      other:close()
    end
  end },
  { "shutdown", function()
    local one, other = pair()
    try(one, "shutdown", "send")
    try(other, "receive")
    try(other, "send", "back")
    try(one, "receive", 4)
    try(one, "shutdown", "sideways")
    try(one, "send", "x")
    try(one, "shutdown", "receive")
    try(one, "receive")
    one:close()
    other:close()
    one, other = pair()
    try(one, "shutdown")
    try(one, "receive", 3, "p")
    try(one, "send", "x")
    try(other, "receive", "*a")
    other:close()
    try(one, "shutdown")
    try(one, "close")
  end },
  { "a master", function()
    local master = socket.tcp()
    say(master, master.class, master:getfamily())
    for _, method in ipairs { "receive", "accept", "getpeername", "getsockname", "dirty", "shutdown" } do
      try(master, method)
    end
    try(master, "send", "x")
    say(master:getfd() >= 0)
    try(master, "bind", "127.0.0.1", 0)
    local host, port, family = master:getsockname()
    say(host, tonumber(port) > 0, family, master)
    try(master, "listen")
    say(master, master.class)
    try(master, "receive")
    try(master, "send", "x")
    try(master, "getpeername")
    master:settimeout(0.01)
    try(master, "accept")
    master:settimeout(0)
    try(master, "accept")
    try(master, "close")
    try(master, "close")
    try(master, "accept")
    try(master, "getsockname")
  end },
  { "a client", function()
    local listener = assert(socket.bind("127.0.0.1", 0))
    local _, port = listener:getsockname()
    local made = socket.tcp()
    try(made, "settimeout", 3)
    try(made, "connect", "127.0.0.1", port)
    say(made, made.class, made:getfamily())
    say(made:getpeername() == "127.0.0.1", select("#", made:getpeername()), select("#", made:getsockname()))
    say((select(2, made:getpeername())) == tonumber(port), select(3, made:getpeername()))
    try(made, "accept")
    try(made, "listen")
    local served = listener:accept()
    say(served, (select(2, served:getpeername())) == tonumber((select(2, made:getsockname()))), served:gettimeout())
    made:close()
    try(made, "getpeername")
    try(made, "getsockname")
    say(made, made:getfd())
    served:close()
    listener:close()
    say(socket.connect("127.0.0.1", 1))
    try(socket.tcp(), "connect", "127.0.0.1", 1)
    try(socket.tcp(), "connect", "no.such.name.invalid", 80)
    try(socket.tcp(), "connect", "127.0.0.1", "no")
    try(socket.tcp(), "connect", nil, 1)
    try(socket.tcp(), "connect", "127.0.0.1")
  end },
  { "a client, bound and by family", function()
    local listener = assert(socket.bind("127.0.0.1", 0))
    local _, port = listener:getsockname()
    local made = socket.tcp4()
    try(made, "bind", "127.0.0.2", 0)
    try(made, "connect", "127.0.0.1", port)
    say((made:getsockname()))
    made:close()
    made = socket.connect("127.0.0.1", port, "127.0.0.3", 0)
    say((made:getsockname()))
    made:close()
    made = socket.connect4("127.0.0.1", port)
    say((made:getpeername()))
    made:close()
    made = socket.tcp()
    try(made, "setsockname", "127.0.0.4", 0)
    try(made, "setpeername", "127.0.0.1", port)
    say((made:getsockname()))
    made:close()
    say(socket.connect6("127.0.0.1", port))
    listener:close()
    try(socket.tcp(), "bind", "192.0.2.1", 0)
  end },
  { "a connect that is not waited for", function()
    local listener = assert(socket.bind("127.0.0.1", 0))
    local _, port = listener:getsockname()
    local made = socket.tcp4()
    made:settimeout(0)
    try(made, "connect", "127.0.0.1", port)
    say(made)
    local readable, writable, err = socket.select({ made }, { made }, 5)
    say(#readable, #writable, err, made:getfd() >= 0)
    try(made, "connect", "127.0.0.1", port)
    try(made, "connect", "127.0.0.1", port)
    try(made, "send", "x")
    made:close()
    made = socket.tcp4()
    made:settimeout(0)
    try(made, "connect", "127.0.0.1", 1)
    readable, writable, err = socket.select({ made }, { made }, 5)
    say(#readable, #writable, err)
    try(made, "getoption", "error")
    say((made:connect("127.0.0.1", 1)))
    try(made, "send", "x")
    made:close()
    listener:close()
  end },
  { "IPv6", function()
    local listener = socket.bind("::1", 0)
    if not listener then return end
    local host, port, family = listener:getsockname()
    say(host, family, listener:getfamily())
    local made = assert(socket.connect("::1", port))
    say((made:getpeername()), (select(3, made:getpeername())), made:getfamily())
    local served = listener:accept()
    say((served:getpeername()), served:getfamily())
    made:close()
    served:close()
    listener:close()
    say(socket.tcp6():getfamily(), socket.udp6():getfamily())
  end },
  { "options", function()
    local one, other = pair()
    for _, option in ipairs { "keepalive", "tcp-nodelay", "reuseaddr", "reuseport" } do
      try(one, "setoption", option, true)
      try(one, "getoption", option)
      try(one, "setoption", option, false)
      try(one, "getoption", option)
    end
    try(one, "setoption", "linger", { on = true, timeout = 3 })
    local linger = one:getoption "linger"
    say(linger and linger.on, linger and linger.timeout)
    try(one, "setoption", "linger", { on = false, timeout = 0 })
    linger = one:getoption "linger"
    say(linger and linger.on)
    try(one, "getoption", "error")
    try(one, "setoption", "tcp-keepidle", 30)
    try(one, "getoption", "tcp-keepidle")
    try(one, "setoption", "no-such")
    try(one, "getoption", "no-such")
    try(one, "setoption", "keepalive", 1)
    try(one, "setoption", "keepalive")
    try(one, "setoption", "linger", true)
    one:close()
    other:close()
    local listener = socket.tcp4()
    try(listener, "setoption", "reuseaddr", true)
    try(listener, "getoption", "reuseaddr")
    listener:bind("127.0.0.1", 0)
    listener:listen()
    try(listener, "getoption", "reuseaddr")
    listener:close()
  end },
  { "counts", function()
    local one, other = pair()
    one:send "12345"
    other:receive(2)
    local received, sent, age = other:getstats()
    say(received, sent, age >= 0 and age < 60)
    say((select(2, one:getstats())))
    try(one, "setstats", 7, 8, 9)
    received, sent, age = one:getstats()
    say(received, sent, age >= 9 and age < 60)
    one:send "123"
    say((select(2, one:getstats())))
    one:close()
    other:close()
  end },
  { "dirty", function()
    local one, other = pair()
    try(other, "dirty")
    one:send "a\nb\n"
    other:receive()
    try(other, "dirty")
    other:receive()
    try(other, "dirty")
    one:close()
    other:close()
  end },
  { "select", function()
    local one, other = pair()
    local listener = assert(socket.bind("127.0.0.1", 0))
    local function chosen(...)
      local readable, writable, err = socket.select(...)
      say(#readable, #writable, err, readable[other], readable[listener], writable[one], readable[1] == other)
    end
    chosen({ other, listener }, {}, 0)
    chosen({ other }, nil, 0.01)
    chosen(nil, { one }, 0)
    chosen({ other }, { one }, 1)
    one:send "x\ny\n"
    chosen({ listener, other }, { one }, 1)
    other:receive()
    chosen({ other }, nil, 0) -- in its buffer
    other:receive()
    chosen({ other }, {}, 0)
    local _, port = listener:getsockname()
    local made = socket.connect("127.0.0.1", port)
    chosen({ other, listener }, { one, made }, 1)
    one:close()
    chosen({ other }, {}, 1)
    other:close()
    say(pcall(socket.select, { other }, nil, 0))
    say(pcall(socket.select, { made, made }, nil, 0))
    local closed = socket.tcp()
    closed:close()
    say(pcall(socket.select, { closed, made }, { closed }, 0))
    say((pcall(socket.select, "x", nil, 0)))
    say((pcall(socket.select, { 5 }, nil, 0)))
    say(pcall(socket.select, {}, {}, 0))
    listener:close()
    made:close()
  end },
  { "a select of objects", function()
    local one, other = pair()
    local object = { getfd = function() return other:getfd() end, dirty = function() return true end }
    local readable = socket.select({ object }, nil, 1)
    say(readable[1] == object)
    object.dirty = function() return false end
    one:send "x"
    readable = socket.select({ object }, nil, 1)
    say(readable[1] == object)
    one:close()
    other:close()
  end },
  { "datagrams", function()
    local one, other = socket.udp(), socket.udp()
    say(one, one.class, one:getfamily())
    try(one, "setsockname", "127.0.0.1", 0)
    try(other, "setsockname", "127.0.0.1", 0)
    local _, port = one:getsockname()
    local _, mine = other:getsockname()
    try(one, "getpeername")
    try(other, "sendto", "hello", "127.0.0.1", port)
    try(one, "receive")
    other:sendto("from", "127.0.0.1", port)
    local data, host, from, more = one:receivefrom()
    say(data, host, from == tonumber(mine), more)
    other:sendto("0123456789", "127.0.0.1", port)
    try(one, "receive", 4)
    other:sendto("", "127.0.0.1", port)
    try(one, "receive")
    one:settimeout(0.01)
    try(one, "receive")
    try(one, "receivefrom")
    one:settimeout(0)
    try(one, "receive")
    try(one, "send", "x")
    try(other, "setpeername", "127.0.0.1", port)
    say(other, other.class)
    local peer, peer_port, family = other:getpeername()
    say(peer, peer_port == tonumber(port), family)
    try(other, "send", "connected")
    try(other, "sendto", "x", "127.0.0.1", port)
    try(one, "receive")
    one:sendto("back", "127.0.0.1", mine)
    other:settimeout(1)
    try(other, "receivefrom")
    try(other, "receive")
    try(other, "setpeername", "*")
    say(other)
    try(other, "send", "x")
    try(other, "setpeername", "127.0.0.1", port)
    one:close()
    try(one, "send", "x")
    other:settimeout(1)
    try(other, "send", "to nobody")
    try(other, "receive")
    other:close()
    try(socket.udp(), "sendto", "x")
    try(socket.udp(), "setsockname", "no.such.name.invalid", 0)
    try(socket.udp(), "sendto", "x", "no.such.name", 1)
    say(socket.udp():gettimeout())
    local fresh = socket.udp4()
    say((fresh:getsockname()))
    fresh:settimeout(0)
    try(fresh, "receive")
    fresh:close()
    local options = socket.udp4()
    for _, option in ipairs { "broadcast", "reuseaddr", "reuseport" } do
      try(options, "setoption", option, true)
      try(options, "getoption", option)
    end
    try(options, "setoption", "ip-multicast-ttl", 3)
    try(options, "setoption", "ip-multicast-loop", false)
    try(options, "setoption", "ip-multicast-if", "127.0.0.1")
    try(options, "setoption", "ip-add-membership", { multiaddr = "239.1.2.3", interface = "127.0.0.1" })
    try(options, "setoption", "ip-drop-membership", { multiaddr = "239.1.2.3", interface = "127.0.0.1" })
    options:close()
  end },
  { "names", function()
    local dns = socket.dns
    say(dns.toip "127.0.0.1")
    say((dns.toip "localhost"))
    local ip, facts = dns.toip "127.0.0.1"
    say(ip, type(facts.name), #facts.alias, #facts.ip, facts.ip[1])
    say(dns.toip "no.such.name.invalid")
    local list = dns.getaddrinfo "127.0.0.1"
    say(#list, list[1].addr, list[1].family)
    list = dns.getaddrinfo "::1"
    say(#list, list[1].addr, list[1].family)
    say(dns.getaddrinfo "no.such.name.invalid")
    local host, more = dns.tohostname "127.0.0.1"
    say(host, more.name, #more.ip, more.ip[1])
    say(dns.gethostname() == dns.gethostname(), type(dns.gethostname()))
    local names, service = dns.getnameinfo("127.0.0.1")
    say(type(names), names and names[1], service)
    names, service = dns.getnameinfo("127.0.0.1", "80")
    say(type(names), names and names[1], service)
  end },
  { "try and protect", function()
    local closed = 0
    local try_it = socket.newtry(function() closed = closed + 1 end)
    local guarded = socket.protect(function(...)
      return try_it(...)
    end)
    say(guarded(1, 2, 3))
    say(guarded(nil, "why", "more"))
    say(guarded(false, "why"))
    say(guarded())
    say(closed)
    say(pcall(socket.protect(function() error({}, 0) end)))
    say(pcall(socket.protect(function() error("text", 0) end)))
    say(socket.protect(function() return socket.try(nil, "plain") end)())
    local nested = socket.protect(function()
      return try_it(socket.protect(function() return try_it(nil, "inner") end)())
    end)
    say(nested())
    say(closed)
    say(socket.skip(1, "a", "b", "c"))
    say(socket.skip(5, "a"))
    say(pcall(try_it, nil, "bare"))
    say(socket.protect(function() try_it(nil, { 1 }) end)())
    say(socket.choose ~= nil, socket._SETSIZE > 0, socket._DATAGRAMSIZE)
  end },
  { "Unix", function()
    local path = folder .. "/stream"
    local listener = unix()
    say(listener, listener.class)
    try(listener, "bind", path)
    try(listener, "listen", 5)
    say(listener)
    try(listener, "getsockname")
    listener:settimeout(0)
    try(listener, "accept")
    listener:settimeout(nil)
    local made = unix.stream()
    try(made, "connect", path)
    say(made)
    local served = listener:accept()
    say(served)
    try(made, "send", "hello\n")
    try(served, "receive", "*l", "p")
    served:settimeout(0)
    try(served, "receive")
    try(made, "dirty")
    made:close()
    try(served, "receive")
    served:close()
    listener:close()
    try(unix(), "connect", folder .. "/none")
  end },
  { "Unix datagrams", function()
    local one, other = unix.dgram(), unix.dgram()
    say(one, one.class)
    try(one, "bind", folder .. "/one")
    try(other, "bind", folder .. "/other")
    try(one, "connect", folder .. "/other")
    say(one)
    try(one, "send", "hello")
    try(other, "receive")
    try(other, "sendto", "back", folder .. "/one")
    try(one, "receive")
    try(one, "send", "again")
    try(other, "receivefrom")
    other:settimeout(0)
    try(other, "receive")
    try(other, "receivefrom")
    try(other, "send", "x")
    try(other, "getsockname")
    try(other, "sendto", "x", folder .. "/none")
    other:close()
    one:close()
    say(unix.udp ~= nil, unix.tcp ~= nil)
  end },
}

for _, case in ipairs(cases) do
  name = case[1]
  local ok, err = pcall(case[2])
  if not ok then
    say("fails", err)
  end
end
return out
