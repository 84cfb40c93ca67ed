---Counts the instructions of the hot paths by callgrind, and holds them against bench/instructions.lua.
---
---An operation is what a run of more of them takes beyond a run of fewer, divided by how many more: start-up, warm-up
---and compiling cancel out. What else would differ between two runs is taken away: the clock (it is virtual),
---random seeds (check/seed.c), addresses (valgrind lays them out), and the C library's choice by CPU. The least of
---three seeds counts, as a change elsewhere may make other strings collide, or LuaJIT compile other traces: by that
---alone a request of the HTTP client takes 66 000 to 73 000 instructions. So a path is called heavier only if it is by
---nine seeds.

local shell = require "harness.shell"

local SOURCE, BUILD = os.getenv "MOMO_SOURCE_DIR", os.getenv "MOMO_BUILD_DIR"
local TABLE = SOURCE .. "/bench/instructions.lua"
local SEEDS, MOST_SEEDS, FEWER = 3, 9, 1000

-- Workloads of bench/tasks/momo.lua: name, workload and size, how many more, how many fewer if not FEWER. Or a program
-- that is counted from start to exit.
local PATHS = {
  { "spawn", "spawn 1000", 20000 },
  { "join", "join 1", 10000 },
  { "join, with a result", "result 1", 10000 },
  { "child of a scope", "scope 1000", 20000 },
  { "yield, 1 task", "yield 1", 50000 },
  { "yield, 1000 tasks", "yield 1000", 50000 },
  { "sleep", "sleep 1", 20000 },
  { "timeout", "timeout 1", 10000 },
  { "arm and cancel", "cancel 10", 5000 },
  { "channel, unbounded", "channel 0", 100000 },
  { "channel of 128", "channel 128", 100000 },
  { "ping-pong", "ping_pong 1", 10000 },
  { "thread channel, number", "thread_number 1", 50000 },
  { "thread channel, string", "thread_string 64", 20000 },
  { "echo", "echo 64", 4000 },
  { "echo over UDP", "udp 1", 4000 },
  { "echo over UDP, bursts of 16", "udp 16", 8000 },
  { "http, hello", "http 1", 4000 },
  { "http, one header", "http_header 1", 4000 },
  { "http, 16 pipelined", "http 16", 8000 },
  { "http, a file", "http_file 1", 2000 },
  { "http, the client's get", "http_get 1", 2000 },
  { "thread", "thread 0", 20, 3 },
  { "start to exit", program = "hello" },
}

local COMMAND = "MOMO_POLLER=epoll "
  .. "GLIBC_TUNABLES=glibc.cpu.hwcaps=-AVX512F,-AVX512VL,-AVX2,-AVX,-ERMS,-FSRM,-BMI1,-BMI2,-LZCNT,-MOVBE "
  .. "LD_PRELOAD=%s MOMO_BENCH_SEED=%d valgrind --tool=callgrind --callgrind-out-file=/dev/null %s --virtual "
  .. "%s/bench/%s/momo.lua %s >%s 2>&1"

local function instructions(text)
  return tonumber(text:match "Collected : (%d+)") or error("callgrind counted nothing:\n" .. text, 0)
end

-- The two runs of one path and seed go side by side.
local function measure(path, seed)
  local files, commands = {}, {}
  local fewer = path[4] or FEWER
  for i, count in ipairs { fewer, fewer + (path[3] or 0) } do
    files[i] = os.tmpname()
    commands[i] = COMMAND:format(shell.quote(BUILD .. "/bench/seed.so"), seed, shell.quote(os.getenv "MOMO_BIN"),
      shell.quote(SOURCE), path.program or "tasks", path.program and "" or path[2] .. " " .. count, files[i])
  end
  shell.run(commands[1] .. " & " .. commands[2] .. "; wait", 300)
  local counts = {}
  for i, name in ipairs(files) do
    local file = assert(io.open(name))
    counts[i] = instructions(file:read "*a")
    file:close()
    os.remove(name)
  end
  return path.program and counts[1] or (counts[2] - counts[1]) / path[3]
end

-- The least of SEEDS seeds, or of up to MOST_SEEDS while it is beyond the limit.
local function least(path, limit)
  local best, seed = math.huge, 0
  repeat
    seed = seed + 1
    best = math.min(best, measure(path, seed))
  until seed >= SEEDS and (best <= limit or seed == MOST_SEEDS)
  return best
end

local HEAD = [[
-- Instructions an operation, as `./dev bench --check` counts them. A path that takes more than `tolerance` beyond this
-- fails the check. After a change that is meant to cost, or has made a path lighter: ./dev bench --check --update

]]

local function write_table(tolerance, found)
  local lines = { HEAD, "return {\n  tolerance = " .. tolerance .. ",\n" }
  for _, path in ipairs(PATHS) do
    lines[#lines + 1] = ("  [%q] = %.1f,\n"):format(path[1], found[path[1]])
  end
  lines[#lines + 1] = "}\n"
  local file = assert(io.open(TABLE, "w"))
  assert(file:write(table.concat(lines)))
  assert(file:close())
end

---The paths that are checked: all, or the one of that name.
local function chosen(name)
  for _, path in ipairs(PATHS) do
    if path[1] == name then
      return { path }
    end
  end
  return not name and PATHS or error(("there is no path '%s'; see bench/instructions.lua"):format(name), 0)
end

---@param update boolean whether the table is written anew instead
---@param only string? the name of a path, if not all are checked
---@return boolean # whether no path got heavier
return function(update, only)
  local known = dofile(TABLE)
  local found, heavier, lighter = {}, {}, {}
  print(("%-22s %12s %12s %8s"):format("instructions", "table", "now", "change"))
  for _, path in ipairs(chosen(only)) do
    local name = path[1]
    local before = known[name]
    found[name] = least(path, before and not update and before * (1 + known.tolerance) or math.huge)
    local change = before and found[name] / before - 1 or 0
    if change > known.tolerance or not (before or update) then
      heavier[#heavier + 1] = name
    elseif change < -known.tolerance then
      lighter[#lighter + 1] = name
    end
    print(("%-22s %12s %12.1f %+7.1f%%"):format(name, before and ("%.1f"):format(before) or "none", found[name],
      change * 100))
    io.flush()
  end
  if update then
    write_table(known.tolerance, found)
    print "bench/instructions.lua is written"
    return true
  end
  if #lighter > 0 then
    print(("lighter by more than %d %%: %s\nto keep it so: ./dev bench --check --update")
      :format(known.tolerance * 100, table.concat(lighter, ", ")))
  end
  if #heavier > 0 then
    print(("heavier by more than %d %%: %s\nif that is meant: ./dev bench --check --update")
      :format(known.tolerance * 100, table.concat(heavier, ", ")))
  end
  return #heavier == 0
end
