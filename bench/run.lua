-- Momo beside its peers, in one run. `./dev bench` builds all that it needs and calls this.
--
-- Usage: run.lua [--rounds N] [NAME]        all parts, or one of them: tasks, channels, ..., or a C bench: wheel, ...
--        run.lua [--rounds N] compat        what a GET costs a client of Redis on momo.compat, beside LuaSocket
--        run.lua [--rounds N] nats          small messages through a NATS server, beside Go's client
--        run.lua --check [--update | PATH]  the instructions of the hot paths, against bench/instructions.lua
--        run.lua --absent                   the Debian packages of the contenders that are not installed
--
-- A figure is the best of the rounds, the minimum where less is better, and in brackets their median; a ratio is the
-- median of the ratios within a round. Figures that rest on saved system calls depend on what such a call takes: that
-- is in the head. A run of all parts writes into bench/results: results.json, table.md (all rows and goals) and
-- chart.svg. `./dev docs` takes the figures in the pages from there.

local SOURCE, BUILD = os.getenv "MOMO_SOURCE_DIR", os.getenv "MOMO_BUILD_DIR"
if not (SOURCE and BUILD and os.getenv "MOMO_BIN") then
  io.stderr:write "bench: run me by ./dev bench\n"
  os.exit(2)
end
package.path = SOURCE .. "/bench/?.lua;" .. package.path

local contenders = require "harness.contenders"
local goals = require "harness.goals"
local measure = require "harness.measure"
local report = require "harness.report"
local shell = require "harness.shell"
local workloads = require "harness.workloads"

local option, argument, third = ...

if option == "--check" then
  local update = argument == "--update"
  os.exit(require "harness.check"(update, not update and argument or nil) and 0 or 1)
elseif option == "--absent" then
  for _, contender in ipairs(contenders.list) do
    if contender.absent and contender.package then
      print(contender.package)
    end
  end
  os.exit(0)
elseif option == "--rounds" then
  measure.rounds, option = assert(tonumber(argument), "how many rounds?"), third
end

if option == "compat" or option == "nats" then
  require("harness." .. option)(measure.rounds)
  os.exit(0)
end

-- The C benches have a table of their own each: Momo's floors, beside what stands in for them elsewhere.
local c_benches, is_c_bench = {}, {}
for path in shell.output(("ls %s/bench/core/*_bench.c"):format(shell.quote(SOURCE))):gmatch "[^\n]+" do
  local name = path:match "([^/]+)_bench%.c$"
  if name ~= "floor" then
    c_benches[#c_benches + 1] = name
    is_c_bench[name] = true
  end
end

local results, programs = {}, {}

local function say(text)
  io.stderr:write(("bench: %s  %s\n"):format(os.date "%H:%M:%S", text))
end

local function run_part(name)
  say(name)
  results[name] = measure.part(workloads.parts[name])
  io.write(report.text(name, results[name]), "\n")
  io.flush()
end

local function run_c_bench(name)
  say(name)
  programs[name] = shell.output(("%s/bench/%s_bench"):format(BUILD, name))
  io.write(programs[name], report.sentences(goals.of_program(name, programs[name])), "\n")
  io.flush()
end

local function write(name, text)
  local folder = SOURCE .. "/bench/results"
  shell.output("mkdir -p " .. shell.quote(folder))
  local file = assert(io.open(folder .. "/" .. name, "w"))
  assert(file:write(text))
  assert(file:close())
end

-- What a system call takes here.
local call_ns = assert(tonumber(shell.output(shell.quote(BUILD .. "/bench/load_load") .. " call")))

-- Where, when and of what.
local function circumstances()
  local git = "git -C " .. shell.quote(SOURCE) .. " "
  local versions = {}
  for _, contender in ipairs(contenders.list) do
    versions[contender.name] = contender.absent and "absent" or contenders.version(contender)
  end
  return {
    commit = shell.line(git .. "rev-parse HEAD"),
    modified = shell.line(git .. "status --porcelain --untracked-files=no") ~= "",
    date = os.date "!%Y-%m-%d %H:%M:%S UTC",
    cpu = shell.line "sed -n 's/^model name.*: //p' /proc/cpuinfo",
    cpus = tonumber(shell.line "nproc"),
    kernel = shell.line "uname -sr",
    luajit = shell.line "luajit -v",
    call_ns = call_ns,
    versions = versions,
  }
end

local function write_results(about)
  local rows, verdicts, parts = {}, {}, {}
  local text = { "# All figures\n\n", ("Commit %s%s, %s; %s, %d CPUs, %s. The best of %d interleaved rounds; "
    .. "\"Momo takes\" is the median of the ratios within a round. A system call (getppid) takes %.0f ns.\n"):format(
    about.commit, about.modified and ", modified" or "", about.date, about.cpu, about.cpus, about.kernel,
    measure.rounds, about.call_ns) }
  local function add(list)
    for _, verdict in ipairs(list) do
      verdicts[#verdicts + 1] = verdict
    end
    return list
  end
  for i, part in ipairs(workloads.order) do
    local entries = results[part]
    parts[i] = entries
    text[#text + 1] = ("\n## %s\n\n"):format(part) .. report.markdown(entries)
    for _, entry in ipairs(entries) do
      local row = entry.row
      rows[#rows + 1] = { part = part, key = row.key, title = row.full_title or row.title, unit = row.unit,
        chart = row.chart or false, more_is_better = row.more or false, figures = entry.figures,
        goals = add(goals.of_row(entry, entries)) }
    end
  end
  for _, name in ipairs(c_benches) do
    text[#text + 1] = ("\n## %s, C without Lua\n\n```\n%s```\n"):format(name, programs[name])
    add(goals.of_program(name, programs[name]))
  end
  text[#text + 1] = "\n## Goals\n\n" .. report.goals(verdicts)
  local names = {}
  for i, contender in ipairs(contenders.list) do
    names[i] = { name = contender.name, title = contender.title, floor = contender.floor or false,
      own = contender.own or false }
  end
  write("results.json", report.json { about = about, contenders = names, rounds = measure.rounds, rows = rows,
    goals = verdicts, c_benches = programs })
  write("table.md", table.concat(text))
  write("chart.svg", require "harness.chart"(parts, about))
end

math.randomseed(os.time())
print(("Best (median) of %d interleaved rounds; a system call takes %.0f ns\n%s"):format(measure.rounds, call_ns,
  report.absent()))
if not option then
  local about = circumstances() -- now: the checkout may move on meanwhile
  for _, name in ipairs(workloads.order) do
    run_part(name)
  end
  for _, name in ipairs(c_benches) do
    run_c_bench(name)
  end
  write_results(about)
  say "done"
elseif workloads.parts[option] then
  run_part(option)
elseif is_c_bench[option] then
  run_c_bench(option)
else
  io.stderr:write(("bench: there is no '%s', but %s, %s\n"):format(option, table.concat(workloads.order, ", "),
    table.concat(c_benches, ", ")))
  os.exit(2)
end
