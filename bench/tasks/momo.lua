-- Tasks on Momo, and on the floor (bench/core/floor_bench.c) as far as that goes.
--
-- Usage: momo.lua WORKLOAD SIZE COUNT [off]      off: without the JIT compiler
--        momo.lua asleep SIZE COUNT
--
-- Prints nanoseconds of CPU time an operation, over COUNT of them. `asleep` is SIZE new tasks that go to sleep: what it
-- takes to spawn and arm one, bytes of resident memory for each, and what it takes to arm and cancel another one while
-- they sleep. So do the programs beside this one. What a program does not have, or not in this size, it prints nothing
-- for.

local floor = rawget(_G, "floor")
local runtime = floor or require "momo"
local spawn, yield_now = runtime.spawn, runtime.yield_now
local sleep = floor and floor.sleep or runtime.time.sleep
local HOUR, WARM_UP = 3600, 3000

local function noop() end

-- A task goes to sleep, is cancelled and joined.
local function cancel(n)
  for _ = 1, n do
    local task = spawn(sleep, HOUR)
    yield_now()
    task:cancel()
    task:join()
  end
end

local function resident_bytes()
  local file = assert(io.open "/proc/self/statm")
  local pages = file:read("*a"):match "^%d+ (%d+)"
  file:close()
  return pages * 4096
end

-- Each workload: given its size, a function that does `count` operations. By itself in a process, since what the
-- compiler makes of one depends on what ran before it.
local workloads = {}

-- In bursts of `size`: the task that spawns goes to the tail of the queue, and comes back when all have run.
function workloads.spawn(size)
  return function(count)
    for _ = 1, math.ceil(count / size) do
      for _ = 1, size do
        spawn(noop)
      end
      yield_now()
    end
  end
end

-- While this task yields once, each of the others does.
function workloads.yield(size)
  for _ = 2, size do
    spawn(function()
      while true do
        yield_now()
      end
    end)
  end
  return function(count)
    for _ = 1, math.ceil(count / size) do
      yield_now()
    end
  end
end

if not floor then
  local channel, timeout = runtime.sync.channel, runtime.time.timeout

  function workloads.join()
    return function(count)
      for _ = 1, count do
        spawn(noop):join()
      end
    end
  end

  function workloads.result()
    local function answer() return 7 end
    return function(count)
      for _ = 1, count do
        spawn(answer):join()
      end
    end
  end

  -- `size` children in a scope.
  function workloads.scope(size)
    return function(count)
      for _ = 1, math.ceil(count / size) do
        runtime.scope(function(scope)
          for _ = 1, size do
            scope:spawn(noop)
          end
        end)
      end
    end
  end

  -- One task sends in bursts of 1000, another receives; a size of 0 is an unbounded channel.
  function workloads.channel(size)
    return function(count)
      local tx, rx = channel(size > 0 and size or nil)
      local receiver = spawn(function()
        for _ = 1, count do
          rx:recv()
        end
      end)
      for i = 1, count do
        tx:send(i)
        if i % 1000 == 0 then
          yield_now()
        end
      end
      receiver:join()
    end
  end

  -- Through a channel between threads, both of whose ends this task has.
  local function through(value)
    local tx, rx = runtime.thread.channel(100)
    return function(count)
      for _ = 1, math.ceil(count / 100) do
        for _ = 1, 100 do
          tx:send(value)
        end
        for _ = 1, 100 do
          rx:recv()
        end
      end
    end
  end

  function workloads.thread_number()
    return through(1)
  end

  function workloads.thread_string(size)
    return through(("x"):rep(size))
  end

  -- The start of a thread, with its Lua state, and its end.
  function workloads.thread()
    return function(count)
      for _ = 1, count do
        runtime.thread.spawn(function() end):join()
      end
    end, 2
  end

  function workloads.ping_pong()
    return function(count)
      local to, at_echo = channel()
      local back, here = channel()
      spawn(function()
        for _ = 1, count do
          back:send(at_echo:recv())
        end
      end)
      for i = 1, count do
        to:send(i)
        here:recv()
      end
    end
  end

  -- Sleeps of 1 ms on the virtual clock (`momo --virtual`), where no time passes by itself.
  function workloads.sleep()
    return function(count)
      for _ = 1, count do
        sleep(0.001)
      end
    end
  end

  -- While `size` others sleep.
  function workloads.cancel(size)
    for _ = 1, size do
      spawn(sleep, HOUR)
    end
    yield_now()
    return cancel
  end

  -- A time limit that is not reached.
  function workloads.timeout()
    return function(count)
      for _ = 1, count do
        timeout(HOUR, noop)
      end
    end
  end

  -- A message to and fro over a TCP connection between two tasks of this thread.
  function workloads.echo(size)
    local listener = assert(runtime.net.TcpListener.bind "127.0.0.1:0")
    local client = assert(runtime.net.TcpStream.connect(listener:local_addr()))
    local server, message = assert(listener:accept()), ("x"):rep(size)
    spawn(function()
      while true do
        server:write(assert(server:read()))
      end
    end)
    return function(count)
      for _ = 1, count do
        client:write(message)
        client:read_exact(size)
      end
    end
  end

  -- So many datagrams at a time to a server in this thread, and back.
  function workloads.udp(burst)
    local UdpSocket = runtime.net.UdpSocket
    local server, message = assert(UdpSocket.bind "127.0.0.1:0"), ("x"):rep(64)
    local client = assert(UdpSocket.connect(server:local_addr()))
    spawn(function()
      while true do
        local data, from = server:recv_from()
        server:send_to(data, from)
      end
    end)
    return function(count)
      for _ = 1, count / burst do
        for _ = 1, burst do
          client:send(message)
        end
        for _ = 1, burst do
          assert(client:recv(1))
        end
      end
    end
  end

  -- So many requests at a time to a server in this thread, and their answers; the client is a task that reads and
  -- writes, as in an echo.
  local function http(requests, handler)
    local listener = assert(runtime.net.TcpListener.bind "127.0.0.1:0")
    spawn(runtime.http.serve, listener, handler)
    local client = assert(runtime.net.TcpStream.connect(listener:local_addr()))
    local message = ("GET / HTTP/1.1\r\nHost: 127.0.0.1:8080\r\nUser-Agent: bench\r\nAccept: */*\r\n\r\n"):rep(requests)
    client:write(message)
    local size = #client:read_until "Hello, world!\n" * requests
    for _ = 2, requests do
      client:read_exact(size / requests)
    end
    return function(count)
      for _ = 1, count / requests do
        client:write(message)
        client:read_exact(size)
      end
    end
  end

  function workloads.http(requests)
    return http(requests, function(_, response) response:send(200, "Hello, world!\n") end)
  end

  function workloads.http_header()
    return http(1, function(request, response)
      if request:header "user-agent" then
        response:send(200, "Hello, world!\n")
      end
    end)
  end

  function workloads.http_file()
    return http(1, runtime.http.files(os.getenv "MOMO_SOURCE_DIR" .. "/bench/tasks/page"))
  end

  -- The client, and the server of a hello beside it.
  function workloads.http_get()
    local listener = assert(runtime.net.TcpListener.bind "127.0.0.1:0")
    spawn(runtime.http.serve, listener, function(_, response) response:send(200, "Hello, world!\n") end)
    local url = "http://" .. listener:local_addr() .. "/"
    return function(count)
      for _ = 1, count do
        assert(runtime.http.get(url))
      end
    end
  end
end

local name, size, count, mode = ...
size, count = tonumber(size), tonumber(count)
if mode == "off" then
  jit.off()
end

-- The CPU time of body(count) in nanoseconds an operation.
local function measure(body, warm_up)
  body(warm_up or WARM_UP)
  collectgarbage()
  local begin = os.clock()
  body(count)
  return (os.clock() - begin) / count * 1e9
end

if name == "asleep" then
  collectgarbage()
  local before, begin = resident_bytes(), os.clock()
  for _ = 1, size do
    spawn(sleep, HOUR)
  end
  yield_now()
  local cpu = os.clock() - begin
  collectgarbage()
  print(cpu / size * 1e9, (resident_bytes() - before) / size, not floor and measure(cancel) or "")
elseif workloads[name] then
  print(measure(workloads[name](size)))
end
os.exit(0)
