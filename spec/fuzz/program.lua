---A random program: some conversations at once, what disturbs them, and one of many ways to end.

local momo = require "momo"
local channels = require "spec.fuzz.channels"
local chaos = require "spec.fuzz.chaos"
local copies = require "spec.fuzz.copies"
local descriptors = require "spec.support.descriptors"
local sockets = require "spec.fuzz.sockets"
local streams = require "spec.fuzz.streams"
local system = require "spec.fuzz.system"
local threads = require "spec.fuzz.threads"
local waiting = require "spec.fuzz.waiting"
local worlds = require "spec.fuzz.world"

local LIMIT_SECONDS = (os.getenv "MOMO_SANITIZE" or "") ~= "" and 60 or 20

local M = {}

-- Those that need no descriptor and no thread, so that time may be virtual.
local waits = { waiting.semaphore, waiting.mutex, waiting.notify, channels.of_tasks, channels.oneshots }
local moves = { streams.conversation, streams.conversation, copies.chain, copies.both, copies.frames, sockets.tcp,
  sockets.unix, sockets.datagrams }
local others = { channels.of_threads, waiting.tasks, waiting.tasks, system.files, system.programs, system.http }
-- TSan runs a handler late, and so libuv's where libuv has its lock and has blocked signals.
if os.getenv "MOMO_SANITIZE" ~= "thread" then
  others[#others + 1] = system.signals
end
local across = { threads.gather, threads.echo, threads.program }

local function kinds_of(options)
  local kinds = {}
  for _, list in ipairs { waits, not options.virtual and moves or {}, not options.virtual and others or {},
    options.threads and across or {} } do
    for _, kind in ipairs(list) do kinds[#kinds + 1] = kind end
  end
  return options.only_threads and across or kinds
end

-- Runs one conversation to its end. crosses: threads wait for what it closes.
local function converse(world, kind, random, number)
  world:log("conversation", number, "begins")
  local conversation = kind(world, random)
  if not conversation then
    return
  end
  local actors = {}
  local ok, err = pcall(momo.scope, function(scope)
    for i, actor in ipairs(conversation.actors) do
      actors[i] = world:act(scope, ("%s of %d"):format(actor[1], number), actor[2], actor[3])
    end
  end)
  world:log("conversation", number, "ends", ok, err)
  if ok or conversation.crosses or random(4) > 1 then -- else it is left to the collector
    conversation.close()
  end
  for _, actor in ipairs(actors) do
    if actor.given_up then
      return
    end
  end
  if not ok then
    error(err, 0)
  end
  conversation.check()
end

local frames = {
  function(_, ...) converse(...) end,
  function(_, ...) converse(...) end,
  function(random, ...) momo.time.timeout(random(40) / 1000, converse, ...) end,
  function(random, ...) momo.shield(momo.time.timeout, 5 + random(10), converse, ...) end,
  function(random, ...)
    momo.scope(function(scope, ...)
      scope:spawn(function()
        momo.time.sleep(random(60) / 1000)
        scope:cancel()
      end)
      converse(...)
    end, ...)
  end,
}

---Ends the process, with all that is open and all who wait.
function M.exit(world)
  world:log "exits"
  io.stdout:write "exits\n"
  io.stdout:flush()
  os.exit(7, true)
end

-- Ways to end before all has been said: called in a child of the conversations' scope.
local endings = {
  cancel = function(_, scope) scope:cancel("the program is over") end,
  stop = function(world)
    world.stopping = true -- threads end in the midst
    momo.stop()
  end,
  fail = function() error(worlds.FAILURE, 0) end,
  exit = M.exit,
}

local function pick_ending(random, options)
  if options.exits then
    return "exit"
  end
  return ({ "cancel", "stop", "fail" })[random(12)]
end

-- What hangs is shown, and ends the process.
local function watch(world)
  momo.time.sleep(LIMIT_SECONDS)
  local lines = { "this program hangs:" }
  for _, task in pairs(world.tasks) do
    lines[#lines + 1] = tostring(task) .. "\n" .. task:traceback()
  end
  io.stderr:write(table.concat(lines, "\n"), "\n", world:history(), "\nhangs\n")
  os.exit(9)
end

local function run_all(world, options)
  local random, kinds = world.random, kinds_of(options)
  local ending = pick_ending(random, options)
  momo.scope(function(scope)
    if ending then
      local ms = random(30)
      world:log("its end:", ending, "after", ms, "ms")
      scope:spawn(function()
        momo.time.sleep(ms / 1000)
        endings[ending](world, scope)
      end)
    end
    local tasks = {}
    for i = 1, random(options.threads and 5 or 3) do
      local kind, frame, own = kinds[random(#kinds)], frames[random(#frames)], world:split()
      tasks[i] = scope:spawn(frame, own, world, kind, own, i)
    end
    for _, task in ipairs(tasks) do task:join() end
    if ending == "exit" then
      endings.exit(world)
    end
    scope:cancel "all is said"
  end)
end

---Nothing is scarce any more.
function M.calm()
  descriptors.many()
  chaos.calm()
  jit.on()
end

---Runs it, in a task. What went wrong is in world.problems.
---@class fuzz.Options
---@field threads boolean? it has threads
---@field only_threads boolean? it has nothing else
---@field virtual boolean? time is virtual
---@field exits boolean? it ends the process
---@field blind boolean? allocations of Lua fail
---@field main boolean? it is no thread of another program, and may do things to the whole process

---@param options fuzz.Options
function M.run(world, options)
  local random = world.random
  world.chaos = world:split()
  world.kept = {}
  world.prime, world.calm = chaos.prime, chaos.relax
  world.blind = options.blind
  if world.blind then
    jit.off() -- where a trace allocates, LuaJIT does not survive that it can't
    jit.flush()
  end
  if options.main then -- the whole process
    world.starved = chaos.can_starve and not options.blind and random(4) == 1
    world.scarce = random(8) == 1
    if world.scarce then
      descriptors.few(random(12))
    end
  end
  world:log(world.scarce and "few descriptors" or "", world.starved and "allocations fail" or "")
  local ok, err = pcall(momo.scope, function(scope)
    local disturber = scope:spawn(function()
      local calm, problem = pcall(chaos.run, world)
      if not calm and not momo.is_cancelled(problem) and not world:is_want(problem) then
        world:problem("chaos failed:", tostring(problem))
      end
    end)
    local watcher = scope:spawn(watch, world)
    local ok, err
    if world.blind then -- its actors may fail to end what they were to end
      ok, err = pcall(momo.time.timeout, 0.5, run_all, world, options)
    else
      ok, err = pcall(run_all, world, options)
    end
    world.over = true
    disturber:cancel()
    watcher:cancel()
    if not ok then
      error(err, 0)
    end
  end)
  world.over, world.hooks, world.kept = true, {}, {} -- which know what was left to the collector
  if options.main then
    M.calm()
  end
  if not ok and err ~= worlds.FAILURE and not momo.is_cancelled(err) and not world:is_want(err) then
    world:problem("the program failed:", tostring(err))
  end
end

return M
