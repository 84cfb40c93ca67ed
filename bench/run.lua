-- Momo beside its peers: one table, in one run. `./dev bench [NAME]` calls this.
--
-- The contenders take turns, round by round, so that a noisy machine disturbs them all alike. A figure is the minimum
-- of the rounds, and in brackets their median; the ratio is Momo's minimum over that of the row's reference.

local ROUNDS = 8
local source, build, momo = os.getenv "MOMO_SOURCE_DIR", os.getenv "MOMO_BUILD_DIR", os.getenv "MOMO_BIN"
if not (source and build and momo) then
  io.stderr:write "bench: run me by ./dev bench\n"
  os.exit(2)
end
local bench, programs = source .. "/bench", build .. "/bench"
local floor = programs .. "/floor_bench"

-- What it prints; a command that fails, or hangs, ends the run.
local function output(command)
  local pipe = assert(io.popen(("timeout 60 %s; echo status $?"):format(command)))
  local text, status = pipe:read("*a"):match "^(.*)status (%d+)\n$"
  pipe:close()
  if status ~= "0" then
    io.stderr:write(("bench: status %s of %s\n%s"):format(status, command, text or ""))
    os.exit(1)
  end
  return text
end

-- What stands beside Momo. `package`: the Debian package without which it is absent.
local peers = {
  { name = "libuv in C", command = programs .. "/echo_uv" },
  { name = "epoll in C", command = programs .. "/echo_epoll" },
  { name = "luv", command = ("luajit %s/echo/echo_luv.lua"):format(bench), package = "lua-luv",
    probe = "luajit -e 'print((pcall(require, \"luv\")))'" },
}

local servers = { { name = "momo", command = ("%s %s/echo/echo_momo.lua"):format(momo, bench) } }
for _, peer in ipairs(peers) do
  peer.absent = peer.probe and not output(peer.probe):find "true"
  servers[#servers + 1] = not peer.absent and peer or nil
end

-- Samples: row -> contender -> { numbers }.

local samples = {}

local function add(row, contender, number)
  samples[row] = samples[row] or {}
  local list = samples[row][contender] or {}
  samples[row][contender] = list
  list[#list + 1] = assert(tonumber(number), row .. ": no figure from " .. contender)
end

-- Lines of "row figure".
local function add_lines(contender, text, suffix)
  for row, number in text:gmatch "(%S+)%s+([%d.]+)\n" do
    add(row .. (suffix or ""), contender, number)
  end
end

-- "5.07 (5.16)" and the minimum.
local function summary(list, scale)
  table.sort(list)
  local minimum, median = list[1] / scale, list[math.ceil(#list / 2)] / scale
  local format = scale == 1 and "%.1f (%.1f)" or "%.2f (%.2f)"
  return (minimum >= 200 and "%.0f (%.0f)" or format):format(minimum, median), minimum
end

local LINE = "%-36s %5s  %-15s %5s  %-20s  %s\n"

local function head(title)
  io.write("\n", LINE:format(title, "", "momo", "ratio", "goal", "beside it"))
end

-- row: { key, text, unit, goal; scale, reference, contenders }
local function print_row(row)
  local figures = samples[row[1]]
  local scale = row.scale or 1
  local own, minimum = summary(figures.momo, scale)
  local others, ratio = {}, ""
  for _, contender in ipairs(row.contenders) do
    if figures[contender.name] then
      local text, least = summary(figures[contender.name], scale)
      others[#others + 1] = contender.name .. " " .. text
      if contender.name == row.reference then
        ratio = ("%.2f"):format(minimum / least)
      end
    elseif contender.absent then
      others[#others + 1] = ("%s absent (%s)"):format(contender.name, contender.package)
    end
  end
  io.write((LINE:format(row[2], row[3], own, ratio, row[4] or "", table.concat(others, ", ")):gsub(" +\n", "\n")))
  io.flush()
end

local function show(title, rows)
  head(title)
  for _, row in ipairs(rows) do
    print_row(row)
  end
end

local benches = {}

local the_floor = { { name = "floor" } }

function benches.tasks()
  for _ = 1, ROUNDS do
    for _, mode in ipairs { "", " off" } do
      add_lines("momo", output(("%s %s/tasks.lua%s"):format(momo, bench, mode)), mode)
      add_lines("floor", output(("%s %s/tasks.lua%s"):format(floor, bench, mode)), mode)
    end
  end
  local function row(key, text, goal)
    return { key, text, "ns", goal, contenders = the_floor, reference = "floor" }
  end
  show("Tasks, CPU time", {
    row("spawn", "spawn + run, bursts of 1000", "<= 3 x floor"),
    row("yield_1", "yield_now, 1 task", "<= 1.3 x floor"),
    row("yield_1000", "yield_now, 1000 tasks", "<= 1.3 x floor"),
    row("spawn off", "JIT off: spawn + run"),
    row("yield_1 off", "JIT off: yield_now, 1 task"),
    row("yield_1000 off", "JIT off: yield_now, 1000 tasks"),
  })
end

function benches.sync()
  local rows = {
    { "channel", "a value through a channel, unbounded", "ns", "<= 10 ns" },
    { "channel_128", "a value through a channel of 128", "ns", "<= 20 ns" },
    { "ping_pong", "ping-pong of two tasks, round trip", "ns", "<= 200 ns" },
    { "spawn_join", "spawn + join", "ns", "<= 200 ns" },
    { "timeout", "a timeout that does not fire", "ns", "<= 150 ns" },
    { "scope", "a scope with 1000 children, a child", "ns", "<= 150 ns" },
  }
  for _ = 1, ROUNDS do
    for _, row in ipairs(rows) do
      row.contenders = {}
      add_lines("momo", output(("%s %s/sync.lua %s"):format(momo, bench, row[1])))
    end
  end
  show("Tasks with each other, CPU time", rows)
end

function benches.echo()
  local loads = { { 1, 20000 }, { 64, 80000 }, { 1000, 80000 } }
  local rows = {}
  for i, load in ipairs(loads) do
    local connections, requests = load[1], load[2]
    for _ = 1, ROUNDS do
      for _, server in ipairs(servers) do
        local text = output(("%s/load echo %d %d %s"):format(programs, connections, requests, server.command))
        add("echo " .. connections, server.name, text:match "^[%d.]+")
      end
    end
    rows[i] = { "echo " .. connections, ("echo, 64 B, %d connection%s"):format(connections, i > 1 and "s" or ""), "us",
      connections == 64 and "<= 1.15 x libuv in C", scale = 1000, contenders = peers, reference = "libuv in C" }
  end
  show("TCP, server CPU a request", rows)
end

-- Sockets that each have one datagram under way: those of a burst, where there are several.
function benches.udp()
  local libuv = {
    { name = "libuv in C", command = programs .. "/udp_uv" },
    { name = "with its recvmmsg", command = programs .. "/udp_uv recvmmsg" },
  }
  local all = { { name = "momo", command = ("%s %s/echo/udp_momo.lua"):format(momo, bench) }, unpack(libuv) }
  for _ = 1, ROUNDS do
    for _, server in ipairs(all) do
      local text = output(("%s/load udp 64 80000 %s"):format(programs, server.command))
      add("udp", server.name, text:match "^[%d.]+")
    end
  end
  show("UDP, server CPU a request", {
    { "udp", "echo, 64 B, 64 sockets", "us", "<= 1.15 x libuv in C", scale = 1000, contenders = libuv,
      reference = "libuv in C" },
  })
end

function benches.memory()
  for _ = 1, 3 do
    add_lines("momo", output(("%s %s/memory.lua"):format(momo, bench)))
    add_lines("floor", output(("%s %s/memory.lua"):format(floor, bench)))
    for _, server in ipairs(servers) do
      add("idle", server.name, output(("%s/load idle 15000 %s"):format(programs, server.command)))
    end
  end
  show("Memory, resident", {
    { "sleeping", "a sleeping task, 1 M of them", "B", "<= 1000 B", contenders = the_floor, reference = "floor" },
    { "park", "spawn + arm a sleep, 1 M of them", "ns", nil, contenders = the_floor, reference = "floor" },
    { "idle", "an idle connection, 15 000", "B", "<= 2048 B", contenders = peers, reference = "libuv in C" },
  })
end

local function program(name, argument)
  return function()
    io.write("\n", output(("%s/%s_bench %s"):format(programs, name, argument or "")))
  end
end

benches.executor = program "executor"
benches.slab = program "slab"
benches.wheel = program("wheel", "1000000")

local order = { "tasks", "sync", "echo", "udp", "memory", "executor", "slab", "wheel" }
local wanted = ...
if wanted and not benches[wanted] then
  io.stderr:write(("bench: there is no '%s', but %s\n"):format(wanted, table.concat(order, ", ")))
  os.exit(2)
end
print(("Minimum (median) of %d interleaved rounds, 3 for memory; C without Lua: minima"):format(ROUNDS))
for _, name in ipairs(order) do
  if not wanted or wanted == name then
    benches[name]()
  end
end
