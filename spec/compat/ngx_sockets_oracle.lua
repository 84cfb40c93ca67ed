---What cosockets, light threads and semaphores answer, for OpenResty and for momo.compat: what it prints must not
---depend on which of the two runs it. It gets ngx, a function that writes a line, and the port of a server that plays
---what the first line of a connection asks for: text, "~" for a newline, "@" for a pause of 0.1 s, and then an end.

local ngx, write, port = ...

local name

local function show(value)
  if type(value) == "string" then
    return (("%q"):format(value):gsub("\\\n", "\\n"))
  elseif type(value) == "table" or type(value) == "function" then
    return type(value)
  end
  return tostring(value)
end

-- A line, without nils at the end.
local function say(...)
  local n, words = select("#", ...), { name .. ":" }
  while n > 0 and select(n, ...) == nil do
    n = n - 1
  end
  for i = 1, n do
    words[#words + 1] = show((select(i, ...)))
  end
  write(table.concat(words, " "))
end

-- What a call returns, or that it throws.
local function called(fn, ...)
  local function told(ok, ...)
    if ok then
      return ...
    end
    return "throws"
  end
  return told(pcall(fn, ...))
end

local function try(object, method, ...)
  say(method, called(object[method], object, ...))
end

local function open(script, pool)
  local socket = ngx.socket.tcp()
  socket:settimeout(5000)
  assert(socket:connect("127.0.0.1", port, { pool = pool or script }))
  assert(socket:send(script .. "\n"))
  return socket
end

local cases = {
  lines = function()
    local socket = open "a\r~b\rc~~last"
    for _ = 1, 6 do try(socket, "receive") end
    try(socket, "send", "x")
    try(socket, "getreusedtimes")
    try(socket, "setkeepalive")
    try(socket, "close")
    try(socket, "close")
  end,
  numbers = function()
    local socket = open "0123456789abcdef"
    for _, what in ipairs { 3, "2", 0, -1, 1.5, "*x", "x", true, {}, 100, 1 } do
      try(socket, "receive", what)
    end
  end,
  all = function()
    local socket = open "abc"
    try(socket, "receive", "*a")
    try(socket, "receive", "*a")
    try(socket, "send", "x")
    try(socket, "setkeepalive")
    try(socket, "close")
    socket = open ""
    try(socket, "receive", 1)
    try(socket, "receive", "*a")
    socket = open "abc"
    try(socket, "receive", 3)
    try(socket, "receive", "*a")
    try(socket, "receive", "*a")
  end,
  any = function()
    local socket = open "abcdef@"
    socket:receive(1)
    for _, most in ipairs { 3, 10, 10, 10 } do try(socket, "receiveany", most) end
    socket = open "x"
    for _, most in ipairs { 0, -1, "a", "5" } do try(socket, "receiveany", most) end
  end,
  ["time limits"] = function()
    local script = "part" .. ("@"):rep(50)
    for _, what in ipairs { "*l", 10, "*a" } do
      local socket = open(script)
      socket:settimeout(100)
      try(socket, "receive", what)
      try(socket, "receive", what)
      socket:close()
    end
    local socket = open(script)
    socket:settimeout(100)
    try(socket, "receiveany", 100)
    try(socket, "receiveany", 100)
    try(socket, "send", "x")
    try(socket, "close")
    socket = open("part-" .. ("@"):rep(50))
    socket:settimeout(100)
    local read = socket:receiveuntil "--"
    say(read())
    say(read())
    for _, ms in ipairs { -1, 0, 1.5, "100" } do try(socket, "settimeout", ms) end
    try(socket, "settimeouts", 1, 2, 3)
    try(socket, "settimeouts", 1, 2, -3)
  end,
  ["until"] = function()
    local function times(n, script, pattern, options, ...)
      local socket = open(script)
      local read = socket:receiveuntil(pattern, options or {})
      for _ = 1, n do say(read(...)) end
      socket:close()
    end
    times(4, "abc--def--ghi", "--")
    times(4, "abc--def--ghi--", "--", { inclusive = true })
    times(9, "abcdef--gh--", "--", nil, 4)
    times(9, "abcdef--gh--i", "--", { inclusive = true }, 4)
    times(4, "ab--cd", "--", nil, 0)
    times(2, "aababaabaab--", "abaa")
    times(2, "a5b", 5)
    local socket = open "ab--cd"
    local read = socket:receiveuntil "--"
    say(read())
    say(socket:receive(1))
    say(read())
    socket = open ""
    for _, arguments in ipairs { { "", {} }, { nil, {} }, { "a", { inclusive = 1 } }, { "a", 5 }, { {} } } do
      try(socket, "receiveuntil", unpack(arguments, 1, 2))
    end
    read = socket:receiveuntil "x"
    say(called(read, -1))
    say(called(read, "a"))
    socket = open "abc--d"
    read = socket:receiveuntil "--"
    socket:close()
    say(read())
  end,
  sends = function()
    local socket = open "@@@@"
    for _, data in ipairs {
      { { "a", { 1, 2.5, { "b" } } } }, { 12 }, {}, { true }, { {} }, { { x = 1 } }, { { "a", print } }, { print },
      { "" }, { ngx.null }, { { "a", true } },
    } do
      try(socket, "send", data[1])
    end
    socket:close()
    try(socket, "send", "x")
  end,
  ["without a connection"] = function()
    for _, method in ipairs { "receive", "close", "setkeepalive", "getreusedtimes" } do
      try(ngx.socket.tcp(), method)
    end
    local socket = ngx.socket.tcp()
    try(socket, "send", "x")
    try(socket, "receiveany", 1)
    try(socket, "connect", "127.0.0.1")
    try(socket, "connect", "127.0.0.1", 1)
    try(socket, "connect", "127.0.0.1", "x")
    try(socket, "connect", "127.0.0.1", 70000)
    try(socket, "connect", "unix:/nonexistent")
    for _, options in ipairs {
      { pool = true }, { pool_size = 0 }, { pool_size = -1 }, { backlog = -1 }, { pool = 5 },
    } do
      try(socket, "connect", "127.0.0.1", port, options)
    end
    socket:close()
    say(ngx.socket.connect("127.0.0.1", 1))
  end,
  pools = function()
    local kept = "ok~" .. ("@"):rep(20)
    local socket = open(kept)
    try(socket, "receive")
    try(socket, "setkeepalive", 2000, 5)
    try(socket, "setkeepalive")
    try(socket, "getreusedtimes")
    try(socket, "close")
    socket = ngx.socket.tcp()
    socket:connect("127.0.0.1", port, { pool = kept })
    try(socket, "getreusedtimes")
    local reader = ngx.thread.spawn(function() return socket:receive() end)
    try(socket, "setkeepalive")
    try(socket, "receive")
    say(ngx.thread.wait(reader))
    try(socket, "close")
    socket = open "ok~"
    try(socket, "receive")
    ngx.sleep(0.1)
    try(socket, "setkeepalive")
  end,
  threads = function()
    local spawn, wait, kill = ngx.thread.spawn, ngx.thread.wait, ngx.thread.kill
    local function later(seconds, ...)
      ngx.sleep(seconds)
      return ...
    end
    local thread = spawn(later, 0.01, 1, nil, 3)
    say(wait(thread))
    say(wait(thread))
    say(wait(spawn(function() error("bad", 0) end)))
    say(wait(spawn(function() error {} end)))
    thread = spawn(later, 10)
    say(kill(thread))
    say(kill(thread))
    say(wait(thread))
    say(kill(spawn(function() return 1 end)))
    for _, fn in ipairs { wait, spawn, kill } do
      say(called(fn))
      say(called(fn, 5))
    end
    local one, other = spawn(later, 0.2, "one"), spawn(later, 0.01, "other")
    say(wait(one, other))
    say(wait(one))
  end,
  timers = function()
    local function nothing() end
    for _, arguments in ipairs { { 0, nothing }, { "x", nothing }, { "9", nothing } } do
      say("at", called(ngx.timer.at, arguments[1], arguments[2]))
    end
    for _, arguments in ipairs { { 0, nothing }, { "x", nothing } } do
      say("every", called(ngx.timer.every, arguments[1], arguments[2]))
    end
  end,
  semaphores = function()
    local semaphores = require "ngx.semaphore"
    local one = semaphores.new(1)
    say(one:count(), one:wait(0))
    say(one:wait(0))
    say(one:wait(0.01))
    say(one:post(2), one:count())
    say(one:post(), one:count())
    for _, n in ipairs { 0, -1, "a" } do
      say("post", called(one.post, one, n))
      say("new", type((called(semaphores.new, n))))
    end
    say(called(one.wait, one, -1))
    local other = semaphores.new()
    local first = ngx.thread.spawn(function() return other:wait(5) end)
    local second = ngx.thread.spawn(function() return other:wait(5) end)
    say(other:count())
    say(other:post(), other:count())
    say(ngx.thread.wait(first))
    say(other:count())
    say(other:post(2), other:count())
    say(ngx.thread.wait(second))
    say(other:count())
  end,
  datagrams = function()
    local socket = ngx.socket.udp()
    try(socket, "send", "x")
    try(socket, "receive")
    try(socket, "close")
    try(socket, "setpeername", "127.0.0.1", 9)
    for _, ms in ipairs { -1, 0, 1.5, "100" } do try(socket, "settimeout", ms) end
    socket:settimeout(1000)
    try(socket, "send", { "a", { 1 } })
    try(socket, "send", { x = 1 })
    try(socket, "receive")
    try(socket, "receive", "x")
    try(socket, "close")
    try(socket, "close")
  end,
}

local names = {}
for key in pairs(cases) do
  names[#names + 1] = key
end
table.sort(names)
for _, key in ipairs(names) do
  name = key
  local ok, err = pcall(cases[key])
  if not ok then
    say("fails", err)
  end
end
