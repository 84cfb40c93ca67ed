---Conversations that only wait: locks, notifications, tasks, blocking work, deferred calls.

local momo = require "momo"

local sync = momo.sync

local M = {}

-- No more are inside than may be, and none of the permits is lost.
function M.semaphore(world, random)
  local permits = random(3)
  local semaphore = sync.Semaphore(permits)
  local inside = 0
  local function visit(actor)
    inside = inside + 1
    world:expect(inside <= permits, actor.name, "is one too many inside")
    local ok, err = pcall(momo.time.sleep, actor:ms(3))
    inside = inside - 1
    if not ok then
      error(err, 0)
    end
  end
  local actors = {}
  for i = 1, 1 + random(5) do
    actors[i] = { "visitor", function(actor)
      while actor:goes_on() do
        actor:step("acquire", function()
          if actor.random(2) == 1 then
            return semaphore:with(visit, actor)
          end
          local got, err, code = semaphore:acquire(actor:timeout())
          if not got then
            return world:failed("acquire", err, code, "ETIMEDOUT")
          end
          local ok, problem = pcall(visit, actor)
          semaphore:release()
          if not ok then
            error(problem, 0)
          end
        end)
      end
    end }
  end
  return {
    actors = actors,
    close = function() end,
    check = function()
      local free = 0
      while semaphore:acquire(0) do free = free + 1 end
      world:expect(free == permits, "a semaphore has", tostring(free), "permits of", tostring(permits))
    end,
  }
end

function M.mutex(world, random)
  local mutex, owner = sync.Mutex(), nil
  local function visit(actor)
    world:expect(owner == nil, actor.name, "is inside with another one")
    owner = actor
    local ok, err = pcall(momo.yield_now)
    owner = nil
    if not ok then
      error(err, 0)
    end
  end
  local actors = {}
  for i = 1, 1 + random(4) do
    actors[i] = { "owner", function(actor)
      while actor:goes_on() do
        actor:step("lock", function()
          if actor.random(2) == 1 then
            return mutex:with(visit, actor)
          end
          local got, err, code = mutex:lock(actor:timeout())
          if not got then
            return world:failed("lock", err, code, "ETIMEDOUT")
          end
          local ok, problem = pcall(visit, actor)
          mutex:unlock()
          if not ok then
            error(problem, 0)
          end
        end)
      end
    end }
  end
  return {
    actors = actors,
    close = function() end,
    check = function()
      world:expect(mutex:lock(0), "a mutex that nobody holds is locked")
      mutex:unlock()
    end,
  }
end

-- Nobody is woken more often than was notified.
function M.notify(world, random)
  local notify, told, woken, waiting = sync.Notify(), 0, 0, 1 + random(4)
  local actors = {}
  for i = 1, waiting do
    actors[i] = { "notified", function(actor)
      while actor:goes_on() do
        actor:step("notified", function()
          local ok, err, code
          if actor.random(3) == 1 then
            ok = momo.select { notify, momo.time.after(0.002) } == 1
          else
            ok, err, code = notify:notified(actor:timeout() or 0.005)
            if not ok then
              world:failed("notified", err, code, "ETIMEDOUT")
            end
          end
          woken = ok and woken + 1 or woken
          world:expect(woken <= told, actor.name, "was woken by nobody")
        end)
      end
    end, function() waiting = waiting - 1 end }
  end
  local function tell()
    told = told + 1
    notify:notify_one()
  end
  world.hooks[#world.hooks + 1] = tell
  actors[#actors + 1] = { "notifier", function(actor)
    while actor:goes_on() and waiting > 0 do
      actor:step("notify", function()
        if actor.random(4) == 1 then
          told = told + waiting + 1
          notify:notify_waiters()
        else
          tell()
        end
        momo.time.sleep(actor:ms(2))
      end)
    end
  end }
  return { actors = actors, close = function() end, check = function() end }
end

-- A task that ends in one of many ways, and what is expected of its end.
local endings = {
  function(_, value) return value end,
  function(actor, value)
    momo.time.sleep(actor:ms(4))
    return value
  end,
  function(_, value) error { value = value } end,
  function(actor, value)
    momo.scope(function(scope)
      scope:spawn(momo.time.sleep, actor:ms(3))
      scope:spawn(momo.yield_now)
    end)
    return value
  end,
  function(actor, value)
    local ok = pcall(momo.time.timeout, actor:ms(3), function()
      for _ = 1, 120 do pcall(momo.time.sleep, 0.001) end
    end)
    return ok and value or value
  end,
}

-- What join has returned must be what the task has, or that it was cancelled.
local function check_end(world, value, ok, result, code)
  if ok == nil then
    return world:failed("join", result, code, "ETIMEDOUT")
  elseif ok then
    return world:expect(result == value, "a task returned", tostring(result), "in place of", tostring(value))
  end
  local told = type(result) == "table" and result.value or result
  world:expect(told == value or momo.is_cancelled(result) or world:is_want(result),
    "a task ended with", tostring(told))
end

local function join(actor, value)
  local world = actor.world
  momo.scope(function(scope)
    local task
    local child = scope:spawn(function() -- it spawns one that is nobody's child, and fails by itself
      task = momo.spawn(endings[actor.random(#endings)], actor, value)
      world:watch(task)
      for _ = 1, 20 do
        local ok, result, code = task:join(actor:timeout())
        check_end(world, value, ok, result, code)
        if ok ~= nil then
          return
        end
      end
      task:cancel "for want of patience"
      task:join()
    end)
    local i = momo.select { child, momo.time.after(0.02) }
    if i == 2 and task then
      task:cancel "its time is over"
    end
  end)
end

local function race(actor, value)
  local winner, result = momo.race {
    function() momo.time.sleep(actor:ms(4)) return value end,
    function() momo.time.sleep(actor:ms(4)) return value end,
    function() momo.yield_now() momo.time.sleep(0.001) return value end,
  }
  actor.world:expect(winner >= 1 and winner <= 3 and result == value, "a race returned", tostring(winner))
end

local function all(actor, value)
  local one, two = momo.all {
    function() momo.time.sleep(actor:ms(3)) return value, 1 end,
    function() momo.yield_now() return value, 2, nil end,
  }
  actor.world:expect(one.n == 2 and one[1] == value and two.n == 3 and two[2] == 2, "all returned something else")
end

-- Deferred calls run once, in order, when the children have ended.
local function defer(actor)
  local order, open = {}, 0
  local ok, err = pcall(momo.scope, function(scope)
    for i = 1, 3 do
      scope:defer(function()
        order[#order + 1] = i
        actor.world:expect(open == 0, "a deferred call ran before a child had ended")
        momo.yield_now()
      end)
    end
    scope:spawn(function()
      open = open + 1
      pcall(momo.time.sleep, actor:ms(4))
      open = open - 1
    end)
    if actor.random(3) == 1 then
      momo.yield_now()
      scope:cancel()
    end
    momo.time.sleep(actor:ms(3))
  end)
  actor.world:expect(#order == 0 and not ok or table.concat(order) == "321", "deferred calls ran as",
    table.concat(order))
  if not ok then
    error(err, 0)
  end
end

local function blocking(actor, value)
  local task = momo.spawn_blocking(function(ms, result)
    local ffi = require "ffi"
    pcall(ffi.cdef, "int usleep(unsigned);")
    ffi.C.usleep(ms * 1000)
    if ms == 2 then
      error({ value = result }, 0)
    end
    return result
  end, actor.random(3), value)
  check_end(actor.world, value, actor.world:watch(task):join(actor:timeout()))
end

local function generator(actor)
  local seen = 0
  for i in momo.coroutine.wrap(function()
    for i = 1, 5 do
      momo.time.sleep(actor:ms(2))
      momo.coroutine.yield(i)
    end
  end) do
    seen = seen + 1
    actor.world:expect(i == seen, "a generator lost its place")
  end
end

local function look_up(actor)
  local addresses, err, code = momo.net.lookup_host "localhost"
  if not addresses then
    actor.world:failed("lookup_host", err, code, "")
  end
end

local function poll(actor)
  local reader, writer, code = momo.io.pipe()
  if not reader then
    return actor.world:failed("pipe", writer, code, "")
  end
  writer:write "x"
  local ready, err
  ready, err, code = momo.io.poll(reader:fd(), "r", actor:timeout())
  if not ready then
    actor.world:failed("poll", err, code, "ETIMEDOUT")
  end
  reader:close()
  writer:close()
end

-- Somebody else resumes the coroutine in which an operation waits.
local function intrude(actor)
  local co = momo.coroutine.create(function() momo.time.sleep(actor:ms(5)) end)
  momo.scope(function(scope)
    local task = scope:spawn(function() momo.coroutine.resume(co) end)
    actor.world:watch(task)
    momo.yield_now()
    if actor.random(2) == 1 then
      coroutine.resume(co)
      task:traceback()
    end
  end)
end

local deeds = { join, join, race, all, defer, blocking, generator, look_up, poll, intrude }

-- Each actor does many things that tasks can do by themselves.
function M.tasks(_, random)
  local actors = {}
  for i = 1, random(4) do
    actors[i] = { "doer", function(actor)
      actor.left = math.min(actor.left, 40)
      while actor:goes_on() do
        local deed, value = actor.random(#deeds), actor.random(1e6)
        actor:step("deed " .. deed, function() deeds[deed](actor, value) end)
      end
    end }
  end
  return { actors = actors, close = function() end, check = function() end }
end

return M
