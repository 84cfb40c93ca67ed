---The momo command. Returns a function of the command line's words that gives the exit status.

local command_line = require "momo.command.options"

local OK, FAILED, USAGE_ERROR = 0, 1, 2
local STALL = 25 -- milliseconds

local function complain(text)
  io.stderr:write("momo: ", text, "\n")
end

---The program's text and the name that errors show it under.
local function read_source(options)
  if options.code or not options.file then
    return options.code or "", "=(command line)"
  elseif options.file == "-" then
    return io.read "*a", "=stdin"
  end
  local file, err = io.open(options.file, "rb")
  if not file then
    return nil, "cannot open " .. err
  end
  local source
  source, err = file:read "*a"
  file:close()
  if not source then
    return nil, "cannot read " .. options.file .. ": " .. err
  end
  return (source:gsub("^#[^\n]*", "")), "@" .. options.file
end

---momo attach PID
local function attach(pid)
  local client = require "momo.command.attach"
  local path, err = client.path_of(pid)
  if path then
    local _, ok, problem = require("momo.internal.task").start({}, function()
      return client.run(pid, path, require("momo.internal.typed").reader())
    end)
    err = not ok and problem or nil
  end
  if err then
    complain(err)
  end
  return err and FAILED or OK
end

local HUP, QUIT = 1, 3

local function stall_of_environment()
  local ms = tonumber(os.getenv "MOMO_STALL_MS")
  return ms and ms >= 0 and ms <= command_line.STALL_MAX and ms or STALL
end

---momo dump PID, momo reload PID: sends a signal that momo handles, and that would end another process.
local function signal(pid, number, send)
  local status, err = io.open("/proc/" .. pid .. "/status")
  if not status then
    complain(err)
    return FAILED
  end
  local name, caught = status:read "*a":match "^Name:%s*([^\n]*).*SigCgt:%s*%x-(%x)\n"
  status:close()
  if not caught or math.floor(tonumber(caught, 16) / 2 ^ (number - 1)) % 2 == 0 then
    complain(("process %s (%s) is not run by momo, or takes no %s"):format(pid, name or "?",
      number == HUP and "SIGHUP" or "SIGQUIT, as none does while os.execute runs"))
    return FAILED
  end
  local ok, problem = require("momo.internal.core").native[send](tonumber(pid))
  if not ok then
    complain(problem)
    return FAILED
  end
  return OK
end

---Starts to serve the page that shows what is inside, until a successor does.
local function inspect(native, address)
  require "momo.net.stream" -- the class of what follows
  local mine, its = native.unix_pair()
  if not mine then
    complain("--inspect: " .. its)
    return false
  end
  require("momo.command.succession").hands_over(function() mine:close() end)
  local where, err = native.inspect_start(address, package.path, package.cpath, its:into_fd())
  if not where then
    complain("--inspect: " .. err)
    return false
  end
  io.stderr:write("momo: inspect: ", where, "\n")
  return true
end

---@return boolean? ok
---@return string? err
local function write_file(path, text)
  local file, err = io.open(path, "w")
  if not file then
    return nil, err
  end
  local ok, problem = file:write(text)
  local closed, late = file:close()
  return ok and closed, path .. ": " .. tostring(problem or late)
end

---Ends the profile: its table goes to stderr, and its graph to the file, if there is one.
local function tell_profile(path)
  local profile = require("momo.profile").stop()
  if not profile then -- the program has ended it, or it has been told
    return true
  end
  io.stderr:write(profile:text(), "\n")
  if path == true then
    return true
  end
  local ok, err = write_file(path, profile:flame_graph())
  if not ok then
    complain("cannot write the flame graph: " .. err)
  end
  return ok
end

---Begins a profile that is told also where the program ends itself.
local function begin_profile(path)
  assert(require("momo.profile").start())
  local exit = os.exit
  rawset(os, "exit", function(...)
    tell_profile(path)
    return exit(...)
  end)
end

---What the first task does: the program, and beside it what keeps it up to date.
local function main(options, program)
  local succession = require "momo.command.succession"
  local follows = succession.is_awaited()
  succession.announce()
  if options.console then
    local ok, err = require("momo.command.console").open(options.console)
    if not ok then
      error("--console: " .. err, 0)
    end
  end
  if options.interactive then
    require("momo.internal.task").spawn(program)
    return require("momo.command.repl").run()
  elseif not options.watch then
    return program()
  end
  local task = require "momo.internal.task"
  task.spawn(require("momo.command.watching").run, options.file, require("momo.time").wall()):set_name "momo: watch"
  if follows then
    return program()
  end
  local ok, err = xpcall(program, require("momo.internal.core").native.traceback_capture)
  if not ok and not task.is_cancelled(err) then
    complain(require("momo.internal.report").describe(err))
  end
end

local function run(options, words)
  local source, name = read_source(options)
  if not source then
    complain(name)
    return FAILED
  end
  local _, problem = loadstring(source, name)
  if problem and not options.watch then
    complain(problem)
    return FAILED
  end
  options.words[0] = options.file or options.code and "-e" or "-i"

  local core = require "momo.internal.core"
  local task = require "momo.internal.task"
  local run_program = require "momo.command.program"
  local threads = options.threads == "auto" and core.first.momo_parallelism(core.executor) or options.threads
  local cpus = {}
  for i = 1, options.pin and threads or 0 do
    cpus[i] = core.first.momo_usable_cpu(core.executor, i - 1)
    if cpus[i] < 0 then
      complain(("--pin: the process may use %d CPUs, not %d")
        :format(core.first.momo_parallelism(core.executor), threads))
      return FAILED
    end
  end
  if cpus[1] then
    require("momo.thread").pin(cpus[1])
  end
  if options.file ~= "-" then
    require("momo.command.succession").prepare(words)
  end
  core.first.momo_stop_on_signals(core.executor, options.grace)
  require "momo.internal.compiled"()
  core.native.dump_on_quit()
  core.native.set_usual_stall((options.stall or stall_of_environment()) / 1e3)

  if options.inspect and not inspect(core.native, options.inspect) then
    return FAILED
  end
  if options.trace then
    if require("momo.command.succession").is_awaited() then -- the file is its predecessor's
      options.trace = options.trace .. "." .. core.native.pid()
    end
    local ok, err = require("momo.trace").start(options.trace)
    if not ok then
      complain(err)
      return FAILED
    end
  end
  if options.profile then
    begin_profile(options.profile)
  end
  local failed = false
  local ok, err, traceback = task.start({ clock = options.clock, grace = options.grace }, function()
    for i = 2, threads do
      task.spawn(function() -- and joins it in the same turn: one that fails unjoined is reported by itself
        local other, err = require("momo.thread").spawn({ cpu = cpus[i] }, "momo.command.program", source, name,
          options.words, options.trace)
        local other_ok, other_err = false, err
        if other then
          other_ok, other_err = other:join()
        end
        if not other_ok then
          failed = true
          complain(require("momo.internal.show").text(other_err))
          task.stop()
        end
      end)
    end
    if threads > 1 then
      task.yield_now()
    end
    return main(options, function() return run_program(source, name, options.words) end)
  end)
  if ok == false then
    complain(require("momo.internal.report").describe(err, traceback))
  end
  if options.trace then
    local _, lost = require("momo.trace").stop()
    if lost then
      complain(lost)
      failed = true
    end
  end
  if options.profile then
    failed = not tell_profile(options.profile) or failed
  end
  return core.native.succession_stand((ok == false or failed or core.native.unjoined() > 0) and FAILED or OK)
end

---@param program string with which it was started
return function(program, ...)
  local first, pid = ...
  if (first == "dump" or first == "reload") and select("#", ...) == 2 and pid:find "^%d+$" then
    return signal(pid, first == "dump" and QUIT or HUP, first .. "_process")
  end
  if first == "attach" and select("#", ...) == 2 and pid:find "^%d+$" then
    return attach(pid)
  end
  local options, err = command_line.parse { ... }
  if not options then
    complain(err)
    io.stderr:write(command_line.USAGE)
    return USAGE_ERROR
  elseif options.show == "usage" then
    io.stdout:write(command_line.USAGE)
    return OK
  elseif options.show == "version" then
    print(require("momo")._VERSION)
    if options.verbose then
      local core = require "momo.internal.core"
      print("poller: " .. core.string(core.C.momo_poller(core.executor)))
    end
    return OK
  end
  return run(options, { [0] = program, ... })
end
