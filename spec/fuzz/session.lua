---Runs random programs, one after the other: what the specs of this folder start, in a process of its own.
---
---    luajit (or momo) spec/fuzz/session.lua KIND FIRST LAST
---
---KIND: "api", or "thread" for programs of which each has threads; FIRST, LAST: the seeds. Under luajit each program
---has a run of its own, under momo a thread of its own, and so a Lua state that is closed afterwards. A seed that ten
---divides ends the process while all waits, with status 7. What went wrong ends it with status 1, and is shown.

local ffi = require "ffi"
local momo = require "momo"
local chaos = require "spec.fuzz.chaos"
local descriptors = require "spec.support.descriptors"
local generator = require "spec.fuzz.random"
local program = require "spec.fuzz.program"
local worlds = require "spec.fuzz.world"

ffi.cdef "int poll(void *fds, unsigned long count, int ms);"

local PAUSES = 500 -- of 10 ms
local kind, first, last = arg[1], assert(tonumber(arg[2])), assert(tonumber(arg[3]))
local verbose = os.getenv "MOMO_SEED" ~= nil

local function options_of(seed)
  local random, threads = generator(seed + 1), kind == "thread"
  local options = {
    main = true,
    verbose = verbose,
    exits = seed % 10 == 0,
    threads = threads or random(3) == 1,
    only_threads = threads,
  }
  if not threads and not options.exits then
    options.virtual = random(6) == 1
    options.blind = chaos.can_starve and random(6) == 1 and os.getenv "MOMO_SOAK" ~= nil -- LuaJIT itself may crash
  end
  return options
end

local function run_here(seed, options)
  local world = worlds.new(seed, options)
  local ok, err = pcall(momo.run, {
    clock = options.virtual and "virtual" or nil,
    on_error = function() end,
  }, program.run, world, options)
  program.calm()
  if not ok then
    world:problem("run failed:", tostring(err))
  end
  return world.problems, world
end

local function run_on_thread(seed, options)
  options.virtual = false
  local thread, err = momo.thread.spawn("spec.fuzz.child", "main", seed, options)
  if not thread then
    return { err }
  end
  local ok, result, problems = thread:join()
  program.calm()
  if not ok and not options.blind and not (chaos.can_starve and tostring(result):find "not enough memory") then
    return { "the thread failed: " .. tostring(result) }
  end
  return ok and problems or {}
end

local usual_descriptors

-- A job of the pool that nobody waits for any more may still be under way: it ends soon.
local function descriptors_in_the_end()
  local list
  for _ = 1, PAUSES do
    list = table.concat(descriptors.list(), "\n")
    if list == usual_descriptors then break end
    ffi.C.poll(nil, 0, 10)
  end
  return list
end

local function run(seed)
  local options = options_of(seed)
  io.stderr:write("seed ", seed, options.blind and " (allocations of Lua fail)" or "", "\n")
  local problems, world
  if not momo.current() then
    problems, world = run_here(seed, options)
  elseif options.exits then
    world = worlds.new(seed, options)
    program.run(world, options)
    problems = world.problems
  else
    problems = run_on_thread(seed, options)
  end
  if options.exits then
    if (world.starved or world.scarce) and not problems[1] then -- a want has ended the program before its time
      program.exit(world)
    end
    problems[#problems + 1] = "the process has not ended"
  end
  jit.flush() -- a trace keeps the objects alive that it was compiled for
  collectgarbage()
  collectgarbage()
  local m = momo.metrics()
  for name, usual in pairs { tasks = momo.current() and 1 or 0, ready = 0, timers = 0, handles = 0, threads = 0 } do
    if m[name] ~= usual then
      problems[#problems + 1] = ("%d %s left behind"):format(m[name], name)
    end
  end
  local before, after = usual_descriptors, descriptors_in_the_end()
  if before ~= after then
    problems[#problems + 1] = ("descriptors before:\n%s\nand after:\n%s"):format(before, after)
  end
  if problems[1] then
    io.stderr:write(world and world:history() or "", "\n", table.concat(problems, "\n"), "\n")
    os.exit(1)
  end
end

-- The pipe that an executor keeps for its copies is no leak. A copy needs one where much is there to be read at once.
local function copy_much()
  local one, other = assert(momo.net.UnixStream.pair())
  local from, to = assert(momo.net.UnixStream.pair())
  local much = ("x"):rep(1e6)
  momo.scope(function(scope)
    scope:spawn(function()
      one:write(much)
      one:shutdown()
    end)
    scope:spawn(function()
      assert(momo.io.copy(other, from) == #much)
      from:shutdown()
    end)
    assert(to:read_exact(#much) == much)
  end)
  for _, stream in ipairs { one, other, from, to } do stream:close() end
end

-- Nor is the ring, which a thread opens when it waits for a socket first.
local function wait_for_a_socket()
  local one, other = assert(momo.net.UnixStream.pair())
  momo.scope(function(scope)
    scope:spawn(function() assert(other:read() == "x") end)
    scope:spawn(function() assert(one:write "x") end)
  end)
  one:close()
  other:close()
end

local function warm_up()
  wait_for_a_socket()
  local before = #descriptors.list()
  for _ = 1, 100 do
    copy_much()
    if #descriptors.list() == before + 2 then
      return
    end
  end
  error "no pipe is kept for copies"
end

if momo.current() then
  warm_up()
else
  momo.run(warm_up)
end
usual_descriptors = table.concat(descriptors.list(), "\n")
for seed = first, last do
  run(seed)
end
