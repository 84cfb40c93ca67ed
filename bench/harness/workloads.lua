---What is measured. The parts, in the order in which they run and are shown; `./dev bench NAME` runs one of them.

local LOAD = os.getenv "MOMO_BUILD_DIR" .. "/bench/load/load"

---@class bench.Row
---@field key string
---@field title string
---@field unit string
---@field scale? number what the program's figure is divided by
---@field more? boolean whether more is better
---@field chart? boolean whether it is in the chart and in the short table

---@class bench.Workload
---@field kind string the folder of its programs
---@field rows bench.Row[] one for each figure that the program prints, in that order; false: not shown
---@field prefix? string what stands before the program's command
---@field arguments string what stands behind it; %d is the count
---@field count? number operations; a slower contender gets a part of it
---@field size? integer what the count must be a multiple of
---@field only? table<string, boolean> contenders
---@field connections? integer
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

local function chart()
  return { chart = true }
end

-- The same without the JIT compiler, which only those have that run bench/tasks/momo.lua.
local function jit_off(entry)
  local row = entry.rows[1]
  row.key, row.title = row.key .. " off", row.title .. ", without the JIT compiler"
  entry.arguments, entry.only = entry.arguments .. " off", { momo = true, floor = true }
end

task("tasks", "spawn", 1000, 200000, "spawn + run, bursts of 1000", chart())
jit_off(task("tasks", "spawn", 1000, 200000, "  the same"))
task("tasks", "join", 1, 100000, "spawn + join", chart())
task("tasks", "scope", 1000, 100000, "a child of a scope of 1000")
task("tasks", "yield", 1, 500000, "yield, 1 task", chart())
jit_off(task("tasks", "yield", 1, 500000, "  the same"))
task("tasks", "yield", 1000, 500000, "yield, 1000 tasks", chart())
task("tasks", "yield", 100000, 500000, "yield, 100 000 tasks")

task("channels", "channel", 0, 500000, "a value through a channel, unbounded", chart())
task("channels", "channel", 128, 500000, "a value through a channel of 128", chart())
task("channels", "ping_pong", 1, 100000, "ping-pong of two tasks, round trip", chart())

task("sleep", "timeout", 1, 100000, "a time limit that is not reached")
for _, n in ipairs { 10, 1000, 100000, 1000000 } do
  local key, many = "asleep " .. n, grouped(n)
  local rows = {
    { key = key .. " arm", title = ("spawn + arm a sleep, %s new tasks"):format(many), unit = "ns" },
    { key = key .. " memory", title = ("memory of a sleeping task, of %s"):format(many), unit = "B",
      chart = n == 100000 },
    { key = key .. " cancel", title = ("arm and cancel a sleep, %s others asleep"):format(many), unit = "ns",
      chart = n == 1000 },
  }
  if n < 100000 then -- too few to tell what each of them takes
    rows[1], rows[2] = false, false
  end
  table.insert(parts.sleep, { kind = "tasks", arguments = ("asleep %d %%d"):format(n), count = 10000, rows = rows })
end

-- The loads of an echo server; the server lives through all of them.

local LOADS = {
  { 1, 64, 3000 }, { 64, 64, 10000 }, { 1000, 64, 10000 },
  { 1, 4096, 3000 }, { 64, 4096, 8000 }, { 1000, 4096, 6000 },
  { 1, 65536, 400 }, { 64, 65536, 1500 }, { 1000, 65536, 2000 },
}

local function echo_rows(connections, size)
  local what = ("%s, %d connection%s"):format(size < 1024 and size .. " B" or size / 1024 .. " KiB", connections,
    connections > 1 and "s" or "")
  local key = ("echo %dx%d "):format(connections, size)
  return {
    { key = key .. "cpu", title = "echo, " .. what .. ": server CPU", unit = "us", scale = 1000,
      chart = size == 64 and connections > 1 },
    { key = key .. "rate", title = "  requests a second", unit = "k/s", scale = 1000, more = true },
    { key = key .. "p50", title = "  latency, p50", unit = "us" },
    { key = key .. "p99", title = "  p99", unit = "us" },
    { key = key .. "p99.9", title = "  p99.9", unit = "us" },
  }
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

parts.connections = {
  { kind = "echo", prefix = LOAD .. " storm 3000 ", arguments = "", rows = {
    { key = "storm", title = "accept, echo once, close: server CPU", unit = "us", scale = 1000, chart = true },
    { key = "storm rate", title = "  connections a second", unit = "k/s", scale = 1000, more = true },
  } },
  { kind = "echo", prefix = LOAD .. " idle 900 ", arguments = "", rows = {
    { key = "idle 900", title = "memory of an idle connection, of 900", unit = "B" },
  } },
  { kind = "echo", prefix = LOAD .. " idle 5000 ", arguments = "", connections = 5000, rows = {
    { key = "idle 5000", title = "memory of an idle connection, of 5000", unit = "B", chart = true },
  } },
}

parts.threads = {}
for _, what in ipairs {
  { "numbers", 200000, "a number from one thread to another", true },
  { "strings", 100000, "a string of 64 B from one thread to another", true },
  { "round_trip", 5000, "round trip between two threads" },
} do
  table.insert(parts.threads, { kind = "threads", arguments = what[1] .. " 1024 %d", count = what[2],
    rows = { { key = what[1], title = what[3], unit = "ns", chart = what[4] } } })
end
for threads = 1, 2 do
  table.insert(parts.threads, { kind = "service", prefix = LOAD .. " service 64:64:3000 ",
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

return {
  parts = parts,
  order = { "tasks", "channels", "sleep", "echo", "connections", "threads", "start" },
}
