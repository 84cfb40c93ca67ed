---What happens while a random program runs: its log, what went wrong, and its actors, each a task that takes steps.
---
---A step is one operation of Momo's, performed in a random way: as it is, with a deadline, shielded, in a scope, by a
---child, in a coroutine, in a race, or in several of these. So a cancellation may reach it from any side. What it has
---done is noted where it returns, with nothing in between, whatever becomes of it further out.

local momo = require "momo"
local generator = require "spec.fuzz.random"

local KEPT = 300    -- lines of the log
local CATCHES = 130 -- cancellations that a stubborn actor catches: more than 100 of one, and its task is given up

local World = { WATCHED = 64 }
World.__index = World

local M = {}

---@class fuzz.World
---@field seed integer
---@field random fun(n: integer): integer
---@field problems string[] what went wrong
---@field hooks function[] what finalizers, and others, may call at any time; they never suspend
---@field tasks momo.Task[] some of those that may be cancelled
---@field scarce boolean there are few descriptors
---@field starved boolean allocations fail: an operation may be told so
---@field blind boolean allocations of Lua fail: nothing that is noted is to be relied on
---@field over boolean all conversations have ended
---@field prime fun(world: fuzz.World)? has what allocates next run finalizers, and calm ends that
---@field calm fun(world: fuzz.World)?

---@param seed integer
---@param options {verbose: boolean?}
---@return fuzz.World
function M.new(seed, options)
  return setmetatable({
    seed = seed,
    random = generator(seed),
    verbose = options.verbose,
    lines = {},
    n_lines = 0,
    problems = {},
    hooks = {},
    tasks = setmetatable({}, { __mode = "v" }),
    n_tasks = 0,
    actors = 0,
  }, World)
end

local function sentence(...)
  local words = { ... }
  for i = 1, select("#", ...) do
    words[i] = tostring(words[i])
  end
  return table.concat(words, " ")
end

function World:log(...)
  local line = sentence(...)
  self.n_lines = self.n_lines + 1
  self.lines[self.n_lines % KEPT + 1] = line
  if self.verbose then
    io.stderr:write(line, "\n")
  end
end

---The last lines of the log.
function World:history()
  local lines = {}
  for i = math.max(1, self.n_lines - KEPT + 1), self.n_lines do
    lines[#lines + 1] = self.lines[i % KEPT + 1]
  end
  return table.concat(lines, "\n")
end

function World:problem(...)
  local text = sentence(...)
  self:log("WRONG:", text)
  if not self.blind then
    self.problems[#self.problems + 1] = text
  end
end

function World:expect(condition, ...)
  if not condition then
    self:problem(...)
  end
  return condition
end

---Numbers of its own, so that what others do changes nothing in what one actor chooses.
function World:split()
  return generator(self.random(2 ^ 30))
end

-- How want of memory or of descriptors is told.
local WANT = { "not enough memory", "ENOMEM", "EMFILE", "ENFILE", "ENOBUFS", "EAGAIN", "EAI_",
  "too many open files", "Too many open files", "unable to dump given function", "not found:", "Cannot allocate",
  "Resource temporarily unavailable", "is not on package.cpath" }

function World:is_short()
  return self.scarce or self.starved or self.blind
end

---Whether an error may be the consequence of what the program is short of.
function World:is_want(err)
  if self:is_short() then
    for _, text in ipairs(WANT) do
      if tostring(err):find(text, 1, true) then
        return true
      end
    end
  end
  return self.blind
end

---What an operation has returned in place of a result. allowed: the codes that it may.
---@param allowed string words
function World:failed(name, err, code, allowed)
  if type(err) ~= "string" or type(code) ~= "string" or err:sub(1, #code + 2) ~= code .. ": " then
    self:problem(name, "returned", tostring(err), tostring(code))
  elseif not (" " .. allowed .. " "):find(" " .. code .. " ", 1, true) and not self:is_want(err) then
    self:problem(name, "returned", err)
  end
end

---@class fuzz.Actor
---@field random fun(n: integer): integer
---@field stubborn boolean it catches cancellations, and goes on
---@field left integer steps that it still takes
---@field given_up boolean? its task was given up: what it held it holds for ever
local Actor = {}
Actor.__index = Actor

---0 to n - 1 milliseconds.
function Actor:ms(n)
  return (self.random(n) - 1) / 1000
end

---Now and then a timeout for an operation; otherwise nil.
function Actor:timeout()
  local choice = self.random(8)
  if choice == 1 then
    return 0
  elseif choice <= 3 then
    return self:ms(5)
  end
end

local ways = {}

function ways.timeout(actor, op)
  momo.time.timeout(actor:ms(6), op)
end

function ways.shield(actor, op) -- not for ever: what it waits for may have been cancelled
  momo.shield(momo.time.timeout, actor:ms(20), op)
end

function ways.scope(_, op)
  momo.scope(function() op() end)
end

function ways.child(actor, op)
  momo.scope(function(scope)
    local task = actor.world:watch(scope:spawn(op))
    if actor.random(2) == 1 then
      task:join(actor:timeout())
    end
  end)
end

function ways.coroutine(_, op)
  momo.coroutine.wrap(op)()
end

function ways.race(actor, op)
  momo.race { op, function() momo.time.sleep(actor:ms(8)) end }
end

function ways.cancelled(actor, op)
  momo.scope(function(scope)
    scope:spawn(function()
      momo.time.sleep(actor:ms(8))
      scope:cancel("its time has come")
    end)
    op()
  end)
end

local names = {}
for name in pairs(ways) do names[#names + 1] = name end
table.sort(names)

local function perform(actor, op, depth)
  local choice = actor.random(2 * #names)
  local way = ways[names[choice]]
  if not way then
    return op()
  end
  actor.world:log(actor.name, "  by", names[choice])
  if depth > 0 then
    way(actor, function() perform(actor, op, depth - 1) end)
  else
    way(actor, op)
  end
end

-- Now and then finalizers are about to run in the midst of it: of what it pushes, say.
local function attempt(actor, op)
  local world = actor.world
  if not world.prime or actor.random(12) > 1 then
    return op()
  end
  world:prime()
  local ok, err = pcall(op)
  world:calm()
  if not ok then
    error(err, 0)
  end
end

---Performs the operation in a random way. Whether it was performed to its end; raises a cancellation, unless the actor
---is stubborn.
---@param name string for the log
---@param op function which returns nothing, and notes itself what it has done
---@return boolean done
function Actor:step(name, op)
  local world, done = self.world, false
  self.left = self.left - 1
  world:log(self.name, name)
  local ok, err = pcall(perform, self, function()
    attempt(self, op)
    done = true
  end, self.random(3) == 1 and 2 or 0)
  if ok then
    return done
  elseif not momo.is_cancelled(err) then
    world:log(self.name, name, "raised", err)
    if not world:is_want(err) then
      error(err, 0)
    end
  else
    world:log(self.name, name, "was cancelled")
    self.caught = self.caught + 1
    if not self.stubborn or self.caught > CATCHES then
      error(err, 0)
    end
  end
  return done
end

---Performs the operation until that has gone well once; false: it was given up.
---@return boolean done
function Actor:insist(name, op)
  for _ = 1, 200 do
    if self:step(name, op) then
      return true
    end
  end
  return false
end

---Whether the actor is to take another step.
function Actor:goes_on()
  return self.left > 0
end

---A task that may be cancelled from elsewhere, once it has begun.
function World:watch(task)
  self.n_tasks = self.n_tasks + 1
  self.tasks[self.n_tasks % self.WATCHED + 1] = task
  return task
end

-- Ends what the actor was to end. Its task may be given up, and then does nothing any more.
local function end_actor(actor, at_end)
  if not actor.over then
    actor.over = true
    if at_end then
      at_end(actor)
    end
  end
end

---Starts an actor in the scope.
---@param name string what it does, and in which conversation
---@param fn fun(actor: fuzz.Actor)
---@param at_end function? called when it has ended, however it did
---@return fuzz.Actor
function World:act(scope, name, fn, at_end)
  self.actors = self.actors + 1
  local random = self:split()
  local actor = setmetatable({
    world = self,
    name = ("%d %s"):format(self.actors, name),
    caught = 0,
    random = random,
    stubborn = random(4) == 1,
    left = random(12) == 1 and 160 or 5 + random(25),
  }, Actor)
  actor.task = scope:spawn(function()
    self:watch(momo.current())
    self:log(actor.name, "begins")
    local ok, err = pcall(fn, actor)
    self:log(actor.name, "ends", ok and "" or err)
    actor.ended = ok
    end_actor(actor, at_end)
    if not ok and not momo.is_cancelled(err) and not self:is_want(err) and err ~= M.FAILURE then
      self:problem(actor.name, "ended with", tostring(err))
    end
    if not ok then
      error(err, 0)
    end
  end)
  actor.task:set_name(actor.name)
  if actor.stubborn then
    scope:spawn(function()
      actor.task:join()
      actor.given_up = not actor.over
      end_actor(actor, at_end)
    end)
  end
  return actor
end

---What a program that is to fail raises.
M.FAILURE = "the failure that was asked for"

return M
