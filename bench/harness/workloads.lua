---What is measured. The parts, in the order in which they run and are shown; `./dev bench NAME` runs one of them.

local BENCH, SOURCE = os.getenv "MOMO_BUILD_DIR" .. "/bench", os.getenv "MOMO_SOURCE_DIR"
local LOAD = BENCH .. "/load_load"

---@class bench.Row
---@field key string
---@field title string
---@field full_title? string what stands by itself, where the title only goes on from the row above
---@field unit string
---@field scale? number what the program's figure is divided by
---@field rate? number what is divided by the program's figure, instead
---@field more? boolean whether more is better
---@field aside? boolean whether it is no figure of the contender's, and has no ratio
---@field chart? boolean whether it is in the chart and in the short table
---@field goal? bench.Goal[]

---@class bench.Workload
---@field kind string the folder of its programs
---@field rows bench.Row[] one for each figure that the program prints, in that order; false: not shown
---@field prefix? string what stands before the program's command
---@field arguments string what stands behind it; %d is the count
---@field count? number operations; a slower contender gets a part of it
---@field size? integer what the count must be a multiple of
---@field only? table<string, boolean> contenders
---@field connections? integer
---@field rounds? integer the most of them that it takes part in
---@type table<string, bench.Workload[]>
local parts = {}

local function grouped(n)
  return n >= 1e6 and n / 1e6 .. " M" or (tostring(n):gsub("^(%d%d+)(%d%d%d)$", "%1 %2"))
end

-- A row of nanoseconds from bench/tasks.
local function task(part, workload, size, count, title, row)
  row = row or {}
  row.key, row.title, row.unit = ("%s %d"):format(workload, size), title, "ns"
  parts[part] = parts[part] or {}
  local entry = { kind = "tasks", arguments = ("%s %d %%d"):format(workload, size), size = size, count = count,
    rows = { row } }
  table.insert(parts[part], entry)
  return entry
end

-- A row of the chart, with its goals.
local function chart(...)
  return { chart = true, goal = { ... } }
end

-- The same without the JIT compiler, which only those have that run bench/tasks/momo.lua.
local function jit_off(entry)
  local row = entry.rows[1]
  row.key, row.title = row.key .. " off", row.title .. ", without the JIT compiler"
  entry.arguments, entry.only = entry.arguments .. " off", { momo = true, floor = true }
end

task("tasks", "spawn", 1000, 1000000, "spawn + run, bursts of 1000", chart { most = 2, of = "floor" })
jit_off(task("tasks", "spawn", 1000, 1000000, "  the same"))
task("tasks", "join", 1, 500000, "spawn + join", chart { most = 150 })
task("tasks", "result", 1, 500000, "spawn + join, with a result", chart({ most = 150 }, { most = 1, of = "tokio" }))
task("tasks", "scope", 1000, 500000, "a child of a scope of 1000")
task("tasks", "yield", 1, 2000000, "yield, 1 task", chart { most = 1.15, of = "floor" })
jit_off(task("tasks", "yield", 1, 2000000, "  the same"))
task("tasks", "yield", 1000, 2000000, "yield, 1000 tasks", chart { most = 1.15, of = "floor" })
task("tasks", "yield", 100000, 2000000, "yield, 100 000 tasks")

task("channels", "channel", 0, 2000000, "a value through a channel, unbounded", chart { most = 7 })
task("channels", "channel", 128, 2000000, "a value through a channel of 128", chart { most = 15 })
task("channels", "ping_pong", 1, 300000, "ping-pong of two tasks, round trip", chart({ most = 150 }, { most = 100 }))

task("sleep", "timeout", 1, 500000, "a time limit that is not reached")
for _, n in ipairs { 10, 1000, 10000, 100000, 1000000 } do
  local key, many = "asleep " .. n, grouped(n)
  local rows = {
    { key = key .. " arm", title = ("spawn + arm a sleep, %s new tasks"):format(many), unit = "ns" },
    { key = key .. " memory", title = ("memory of a sleeping task, of %s"):format(many), unit = "B",
      chart = n == 100000 },
    { key = key .. " cancel", title = ("arm and cancel a sleep, %s others asleep"):format(many), unit = "ns",
      chart = n == 1000 },
  }
  if n == 1000000 then
    rows[1].goal = { { most = 1.3, of = "floor" }, { most = 1.5, row = "asleep 10000 arm" } }
    rows[2].goal = { { most = 800 } }
  elseif n < 10000 then -- too few to tell what each of them takes
    rows[1], rows[2] = false, false
  end
  table.insert(parts.sleep, { kind = "tasks", arguments = ("asleep %d %%d"):format(n), count = 50000, rows = rows })
end

-- The loads of an echo server; the server lives through all of them.

local LOADS = {
  { 1, 64, 10000 }, { 64, 64, 50000 }, { 1000, 64, 50000 },
  { 1, 4096, 8000 }, { 64, 4096, 30000 }, { 1000, 4096, 30000 },
  { 1, 65536, 2000 }, { 64, 65536, 5000 }, { 1000, 65536, 10000 },
}

-- The rows of what load.c prints for a load.
local function load_rows(key, title, row)
  row = row or {}
  row.key, row.title, row.unit, row.scale = key .. " cpu", title .. ": server CPU", "us", 1000
  local function more(figure, words, unit)
    return { key = key .. " " .. figure, title = "  " .. words, full_title = title .. ": " .. words, unit = unit }
  end
  local rate = more("rate", "requests a second", "k/s")
  rate.scale, rate.more = 1000, true
  local load = more("load", "the load's own CPU", "us")
  load.scale, load.aside = 1000, true
  return { row, rate, more("p50", "latency, p50", "us"), more("p99", "p99", "us"), more("p99.9", "p99.9", "us"), load }
end

local function bytes(size)
  return size < 1024 and size .. " B" or size / 1024 .. " KiB"
end

local function echo_rows(connections, size)
  local goal = size == 64 and connections > 1 and chart({ most = 1.1, of = "uv" }, { most = 1.05, of = "uv" })
  return load_rows(("echo %dx%d"):format(connections, size), ("echo, %s, %d connection%s"):format(bytes(size),
    connections, connections > 1 and "s" or ""), goal or nil)
end

local echo = { kind = "echo", arguments = "", connections = 1000, rows = {} }
local loads = {}
for i, load in ipairs(LOADS) do
  loads[i] = table.concat(load, ":")
  for _, row in ipairs(echo_rows(load[1], load[2])) do
    table.insert(echo.rows, row)
  end
end
echo.prefix = ("%s echo %s "):format(LOAD, table.concat(loads, ","))
parts.echo = { echo }

-- A server that has a CPU to itself is at times no busier than its load is fast: it makes many turns, each for few, and
-- what is measured is the load. On one CPU for both, the server finds work for all connections in each turn.
parts.one_cpu = {}
for _, load in ipairs { { "echo", 1, 20000 }, { "echo", 64, 60000 }, { "echo", 1000, 60000 }, { "unix", 64, 60000 } } do
  local kind, connections = load[1], load[2]
  local goal
  if connections == 1 then
    goal = { { most = 1.02, of = "tokio" }, { most = 1.02, of = "uv" } }
  elseif kind == "echo" then
    goal = { { most = 1.03, of = "uv", by = "momo_epoll" }, { most = 0.5, of = "tokio" }, { most = 0.5, of = "epoll" } }
  else
    goal = { { most = 1.1, of = "tokio", by = "momo_epoll" }, { most = 0.4, of = "tokio" } }
  end
  local title = ("one CPU for all, %s, 64 B, %d connection%s"):format(kind == "unix" and "Unix socket" or "TCP",
    connections, connections > 1 and "s" or "")
  local rows = load_rows(("one_cpu %s %d"):format(kind, connections), title, { goal = goal })
  rows[3], rows[4], rows[5] = false, false, false -- latencies: those of whoever waits for the CPU
  table.insert(parts.one_cpu, { kind = kind, arguments = "", connections = connections, rows = rows,
    prefix = ("%s --one-cpu %s %d:64:%d "):format(LOAD, kind, connections, load[3]) })
end

-- Requests that become due, whether or not those before them are answered.
parts.paced = {}
for _, rate in ipairs { 20000, 50000, 80000 } do
  table.insert(parts.paced, { kind = "echo", arguments = "", connections = 64,
    prefix = ("%s echo 64:64:%d:%d "):format(LOAD, rate / 2, rate),
    rows = load_rows("paced " .. rate, ("echo, 64 B, 64 connections, %s requests a second due"):format(grouped(rate)),
      { goal = { { most = 1, of = "tokio" } } }) })
end

parts.connections = {
  { kind = "echo", prefix = LOAD .. " storm 2000 ", arguments = "", rows = {
    { key = "storm", title = "accept, echo once, close: server CPU", unit = "us", scale = 1000, chart = true },
    { key = "storm rate", title = "  connections a second", full_title = "accept storm: connections a second",
      unit = "k/s", scale = 1000, more = true, goal = { { least = 0.9, of = "uv" } } },
  } },
  { kind = "echo", prefix = LOAD .. " idle 900 ", arguments = "", rounds = 2, rows = {
    { key = "idle 900", title = "memory of an idle connection, of 900", unit = "B" },
  } },
  { kind = "echo", prefix = LOAD .. " idle 5000 ", arguments = "", connections = 5000, rounds = 2, rows = {
    { key = "idle 5000", title = "memory of an idle connection, of 5000", unit = "B", chart = true,
      goal = { { most = 1536 }, { most = 1024 } } },
  } },
}

-- The other kinds of servers, each with 64 connections. That of TCP is here again, to be measured beside the others.
parts.network = {
  { kind = "echo", prefix = LOAD .. " echo 64:64:40000 ", arguments = "",
    rows = load_rows("tcp", "echo over TCP, 64 B") },
  { kind = "unix", prefix = LOAD .. " unix 64:64:40000 ", arguments = "",
    rows = load_rows("unix", "echo over a Unix socket, 64 B", chart { most = 1, row = "tcp cpu" }) },
  { kind = "udp", prefix = LOAD .. " udp 64:64:40000 ", arguments = "",
    rows = load_rows("udp", "echo over UDP, 64 B", chart { most = 1.15, of = "uv" }) },
  { kind = "proxy", prefix = ("%s proxy 64:64:20000,64:65536:4000 %s/echo_epoll "):format(LOAD, BENCH), arguments = "",
    rows = {} },
  { kind = "resp", prefix = SOURCE .. "/bench/load/resp.sh 30000 ", arguments = "", rows = {
    { key = "resp", title = "Redis PING, 50 connections", unit = "k/s", scale = 1000, more = true,
      chart = true, goal = { { least = 0.8, of = "redis" } } },
    { key = "resp cpu", title = "  server CPU", unit = "us", scale = 1000 },
  } },
}
for _, size in ipairs { 64, 65536 } do
  for _, row in ipairs(load_rows("proxy " .. size, ("TCP proxy, %s"):format(bytes(size)),
    { chart = size == 64, goal = { { most = 1.15, of = "epoll" } } })) do
    table.insert(parts.network[4].rows, row)
  end
end

-- HTTP: each kind of request by itself, and a client.
local HTTP_CPU = { hello = chart({ most = 1.2, of = "epoll" }, { most = 1, of = "nginx" }),
  pipelined = chart { most = 2, of = "epoll" } }
local SECURE = { momo = true, nginx = true, go = true, node = true }

parts.http = {}
local function http_load(kind, title, connections, requests, only)
  local row = HTTP_CPU[kind] or {}
  HTTP_CPU[kind] = nil
  local rows = load_rows(("http %s %d"):format(kind, connections),
    ("HTTP, %s, %s connections"):format(title, grouped(connections)), row)
  table.insert(parts.http, { kind = "http", arguments = "", only = only, rows = rows,
    prefix = ("%s/load_http %s:%d:%d "):format(BENCH, kind, connections, requests) })
end
http_load("hello", "hello", 64, 24000)
http_load("hello", "hello", 1000, 48000)
http_load("header", "a header is read", 64, 24000)
http_load("json", "JSON", 64, 24000)
http_load("small", "1 KiB from memory", 64, 20000)
http_load("large", "1 MiB from memory", 8, 600)
http_load("upload", "upload of 64 KiB", 64, 6000)
http_load("file_small", "file of 1 KiB", 64, 16000)
http_load("file_small", "file of 1 KiB", 1000, 32000)
http_load("file_large", "file of 1 MiB", 8, 600)
http_load("pipelined", "16 pipelined, all of them", 64, 4000)
http_load("tls", "hello over TLS", 64, 16000, SECURE)
http_load("websocket", "WebSocket echo of 64 B", 64, 24000, { momo = true })
table.insert(parts.http, { kind = "http_client", prefix = BENCH .. "/load_http client ", arguments = "64 %d",
  count = 25600, rows = {
    { key = "http client", title = "HTTP client, 64 connections kept: its CPU", unit = "us",
      scale = 1000, chart = true },
  } })

parts.threads = {}
for _, row in ipairs {
  { key = "numbers", count = 300000, title = "numbers between two threads", unit = "M/s", rate = 1000,
    more = true, chart = true, goal = { { least = 5 } } },
  { key = "strings", count = 200000, title = "strings of 64 B between two threads", unit = "M/s", rate = 1000,
    more = true, chart = true, goal = { { least = 2 } } },
  { key = "round_trip", count = 3000, title = "round trip, two sleeping threads on two CPUs", unit = "us",
    scale = 1000, chart = true, goal = { { most = 15 } } },
  { key = "anywhere", count = 5000, title = "  the same, wherever the system lets them run", unit = "us", scale = 1000,
    full_title = "round trip, two sleeping threads, wherever the system lets them run",
    goal = { { most = 15 } } },
  { key = "busy", count = 30000, title = "round trip, two busy threads on two CPUs", unit = "us", scale = 1000,
    goal = { { most = 2 } } },
  { key = "start", count = 20, title = "start of a thread with its state", unit = "us", scale = 1000,
    goal = { { most = 1000 } } },
} do
  local entry = { kind = "threads", arguments = row.key .. " 1024 %d", count = row.count, rows = { row } }
  table.insert(parts.threads, entry)
end
for threads = 1, 2 do
  table.insert(parts.threads, { kind = "service", prefix = LOAD .. " service 64:64:10000 ",
    arguments = tostring(threads), rows = {
      false,
      { key = "service " .. threads, unit = "k/s", scale = 1000, more = true,
        title = ("a service that computes, %d thread%s: requests"):format(threads, threads > 1 and "s" or "") },
    } })
end

parts.start = {
  { kind = "hello", prefix = LOAD .. " start 3 ", arguments = "", rows = {
    { key = "start", title = "start-up to exit of a hello world", unit = "ms", scale = 1000, chart = true },
    { key = "start cpu", title = "  CPU time", unit = "ms", scale = 1000 },
  } },
}

-- TLS 1.3 with a certificate of P-256; "epoll in C" is OpenSSL over epoll.
local TLS = BENCH .. "/load_tls"
parts.tls = {}
for _, load in ipairs { { 64, 64, 64000 }, { 1, 65536, 2000 } } do
  local key, title = ("tls echo %dx%d"):format(load[1], load[2]), ("echo over TLS, %s, %d connection%s"):format(
    bytes(load[2]), load[1], load[1] > 1 and "s" or "")
  local prefix = ("%s echo %d:%d:%d "):format(TLS, unpack(load))
  table.insert(parts.tls, { kind = "tls", prefix = prefix, arguments = "", rows = {
    { key = key, title = title .. ": server CPU", unit = "us", scale = 1000, chart = load[1] > 1,
      goal = { { most = load[1] > 1 and 1.3 or 1.1, of = "epoll" } } },
    { key = key .. " rate", title = "  requests a second", full_title = title .. ": requests a second", unit = "k/s",
      scale = 1000, more = true },
  } })
end
for _, one in ipairs {
  { "full", 500, "handshake: server CPU", { most = 1.05, of = "epoll" } },
  { "resumed", 500, "  the same, resumed", { most = 1.05, of = "epoll" } },
} do
  table.insert(parts.tls, { kind = "tls", prefix = ("%s %s %d "):format(TLS, one[1], one[2]), arguments = "", rows = {
    { key = "tls " .. one[1], title = one[3], full_title = "TLS handshake, " .. one[1] .. ": server CPU", unit = "us",
      scale = 1000, chart = one[1] == "full", goal = { one[4] } } } })
end
table.insert(parts.tls, { kind = "tls", prefix = TLS .. " idle 900 ", arguments = "", rounds = 2, rows = {
  { key = "tls idle", title = "memory of an idle TLS connection, of 900", unit = "B", goal = { { most = 16384 } } } } })

local FILES = BENCH .. "/load_files "
parts.files = {}
for _, one in ipairs {
  { "read", 8000, "64 KiB of a file in memory", "us", { most = 1.25, row = "file plain" } },
  { "plain", 8000, "  the same by Lua's io", "us" },
  { "copy", 200, "a MiB of a file to a socket", "us", { most = 1.12, of = "bare" } },
  { "small", 10000, "stat and read of a file of 1000 B", "us", { most = 1, of = "go" } },
} do
  table.insert(parts.files, { kind = "files", prefix = FILES, arguments = one[1] .. " %d", count = one[2], rows = {
    { key = "file " .. one[1], title = one[3], full_title = one[1] == "plain" and "64 KiB of a file by Lua's io" or nil,
      unit = one[4], scale = 1000, chart = one[1] ~= "plain", goal = one[5] and { one[5] } } } })
end

parts.processes = {}
for _, at_once in ipairs { 1, 16 } do
  table.insert(parts.processes, { kind = "processes", arguments = "%d " .. at_once, count = 480, rows = {
    { key = "process " .. at_once, unit = "us", scale = 1000, chart = at_once == 1,
      title = ("start and end of /bin/true, %d at once"):format(at_once), goal = { { most = 1.2, of = "bare" } } } } })
end

return {
  parts = parts,
  order = { "tasks", "channels", "sleep", "echo", "one_cpu", "paced", "connections", "network", "http", "tls", "files",
    "processes", "threads", "start" },
}
