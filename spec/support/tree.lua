-- Random trees of tasks on the virtual clock: a seed makes a tree. Beside each task runs a dumb model of what was
-- cancelled, and when; what happens is held against it, and written down.

local momo = require "momo"

local ACTIONS, DEPTH, TOKEN = 100, 6, {}

local M = {}

local function pack(...)
  return { n = select("#", ...), ... }
end

-- random(n): a whole number from 1 to n.
local function generator(seed)
  local state = seed % 2147483646 + 1
  local function random(n)
    state = state * 16807 % 2147483647
    return math.floor(state / 2147483647 * n) + 1
  end
  for _ = 1, 3 do random(1) end
  return random
end

-- The model. A frame is what a task is in: a scope, a timeout or a shield. Times are whole seconds.
--   task:  id, random, parent: the frame of its scope, frame: the innermost, spawned, asked: it was cancelled,
--          raised: when it was last raised a cancellation, ending, failure
--   frame: kind, task, outer, cancelled, deadline, children, deferred, failure: the first, closing: the children ended

local world -- of the tree that runs: { trace, problems, tasks, actions: still allowed, stopped, counts }

local function log(task, ...)
  world.trace[#world.trace + 1] = ("%d: task %d: %s"):format(momo.time.now(), task.id, table.concat({ ... }, " "))
end

local function expect(condition, task, ...)
  if not condition then
    log(task, "WRONG:", ...)
    world.problems = world.problems + 1
  end
end

local function count(what)
  world.counts[what] = (world.counts[what] or 0) + 1
end

-- Whether what is in the frame must raise at its next operation. A deadline of this very second counts if `due`.
local function is_cancelled(task, frame, due)
  local now = momo.time.now()
  while frame do
    if frame.cancelled or frame.deadline and (now > frame.deadline or due and now == frame.deadline) then
      return true
    elseif frame.kind == "shield" then
      return false
    end
    frame = frame.outer
  end
  if task.asked or not task.parent then
    return task.asked or world.stopped
  end
  return is_cancelled(task.parent.task, task.parent, due)
end

local function has_ended(task)
  local status = task.handle:status()
  return status == "done" or status == "failed" or status == "cancelled"
end

local function ask(task)
  task.asked = task.asked or not has_ended(task)
end

local function cancel_frame(frame)
  frame.cancelled = true
  for _, child in ipairs(frame.children) do ask(child) end
end

-- Something in the scope ended with an error.
local function fail_frame(frame, err)
  if not momo.is_cancelled(err) then
    frame.failure = frame.failure or err
  end
  cancel_frame(frame)
end

-- Calls a suspending operation, and checks whether it raised as it should.
local function wait(task, name, operation, ...)
  local sure = is_cancelled(task, task.frame)
  local quiet = name == "yield_now" and task.raised == momo.time.now() -- once a turn
  log(task, name, "...")
  local results = pack(pcall(operation, ...))
  if results[1] then
    expect(quiet or not sure, task, "it was cancelled, and went on after", name)
  else
    expect(momo.is_cancelled(results[2]), task, name, "raised", tostring(results[2]))
    expect(is_cancelled(task, task.frame, true), task, name, "raised a cancellation that nobody asked for")
    count "cancelled"
    task.raised = momo.time.now()
    log(task, name, "was cancelled")
    error(results[2], 0)
  end
  return unpack(results, 2, results.n)
end

local function sleep(task, seconds)
  local until_ = momo.time.now() + seconds
  wait(task, "sleep", momo.time.sleep, seconds)
  expect(momo.time.now() == until_, task, "slept not until", until_)
end

-- One of the open scopes that a task is in, or lives in.
local function pick_scope(task)
  local seen, frame, random = {}, task.frame, task.random
  repeat
    while frame do
      if frame.kind == "scope" and not frame.closing then seen[#seen + 1] = frame end
      frame = frame.outer
    end
    frame = task.parent
    task = frame and frame.task
  until not frame
  return seen[1] and seen[random(#seen)]
end

local actions = {}
local names = {} -- of actions; one that is there twice is twice as likely
for name, times in ([[sleep 6, yield 2, spawn 8, scope 5, timeout 3, timed_sleeps 2, shield 1, attempt 2, catch 1,
  join 2, join_any 2, cancel_scope 1, cancel_task 1, fail 1, defer 2, stop 1]]):gmatch "([%w_]+) (%d+)" do
  for _ = 1, times do names[#names + 1] = name end
end

local function body(task, depth)
  for _ = 1, depth == 0 and 12 or task.random(4) do
    world.actions = world.actions - 1
    if world.actions < 0 or depth > DEPTH then return end
    actions[names[task.random(#names)]](task, depth + 1)
  end
end

local function new_task(parent, random)
  local task = { id = #world.tasks + 1, random = generator(random(2 ^ 31 - 2)), parent = parent, spawned = {} }
  world.tasks[task.id] = task
  return task
end

local function run_task(task, depth)
  log(task, "begins")
  local ok, err = pcall(body, task, depth)
  task.ending = ok and "done" or momo.is_cancelled(err) and "cancelled" or "failed"
  log(task, "ends", task.ending)
  if not ok then
    if task.parent and task.ending == "failed" then fail_frame(task.parent, err) end
    task.failure = err
    error(err, 0)
  end
end

-- Runs enter(fn), which is expected to call fn in the frame. Returns what pcall does.
local function inside(task, frame, enter)
  frame.task, frame.outer = task, task.frame
  task.frame = frame
  log(task, "enters", frame.kind, frame.deadline or "")
  local results = pack(pcall(enter))
  task.frame = frame.outer
  log(task, "leaves", frame.kind, tostring(results[1]), tostring(results[4]))
  return results
end

local function leave_scope(task, frame, results)
  for _, child in ipairs(frame.children) do
    expect(has_ended(child), task, "the scope ended before its task", child.id)
  end
  expect(#frame.deferred == 0, task, #frame.deferred, "deferred calls did not run")
  local ok, value = results[1], results[2]
  if frame.failure then
    expect(not ok and value == frame.failure, task, "raised is not", frame.failure, "but", tostring(value))
    count "failed scope"
  elseif not ok then
    expect(momo.is_cancelled(value) and is_cancelled(task, task.frame, true), task, "it raised", tostring(value))
  elseif frame.reason then
    expect(value == nil and results[4] == "ECANCELED" and results[3] == "ECANCELED: " .. frame.reason, task,
      "the cancelled scope returned", tostring(results[3]))
    count "cancelled scope"
  else
    expect(value == TOKEN, task, "the scope returned", tostring(value))
    count "scope"
  end
  if not ok then error(value, 0) end
end

local function leave_timeout(task, frame, results)
  local ok, value = results[1], results[2]
  if ok and value ~= TOKEN then
    expect(value == nil and results[4] == "ETIMEDOUT", task, "the timeout returned", tostring(value))
    expect(momo.time.now() >= frame.deadline, task, "the timeout was early")
    expect(not is_cancelled(task, task.frame), task, "the timeout returned, though its task was cancelled")
    count "timeout"
  elseif not ok then
    expect(value == frame.raised, task, "the timeout raised", tostring(value))
    expect(not momo.is_cancelled(value) or is_cancelled(task, task.frame, true), task, "the timeout raised its own")
    error(value, 0)
  end
end

function actions.sleep(task) sleep(task, task.random(12) - 1) end

function actions.yield(task) wait(task, "yield_now", momo.yield_now) end

function actions.spawn(task, depth)
  local frame = pick_scope(task)
  if not frame then return end
  local child = new_task(frame, task.random)
  child.asked = frame.cancelled
  table.insert(frame.children, child)
  table.insert(task.spawned, child)
  log(task, "spawns", child.id)
  child.handle = frame.scope:spawn(run_task, child, depth)
end

function actions.scope(task, depth)
  local frame = { kind = "scope", children = {}, deferred = {} }
  leave_scope(task, frame, inside(task, frame, function()
    return momo.scope(function(scope)
      frame.scope = scope
      local ok, err = pcall(body, task, depth)
      if not ok then
        fail_frame(frame, err)
        error(err, 0)
      end
      return TOKEN
    end)
  end))
end

function actions.timeout(task, depth)
  local seconds = task.random(15) - 1
  local frame = { kind = "timeout", deadline = momo.time.now() + seconds }
  leave_timeout(task, frame, inside(task, frame, function()
    return momo.time.timeout(seconds, function()
      local ok, err = pcall(body, task, depth)
      if not ok then
        frame.raised = err
        error(err, 0)
      end
      return TOKEN
    end)
  end))
end

-- A body that only sleeps ends when it should, to the second.
function actions.timed_sleeps(task)
  local seconds, start, total = task.random(15) - 1, momo.time.now(), 0
  local frame = { kind = "timeout", deadline = start + seconds }
  local results = inside(task, frame, function()
    return momo.time.timeout(seconds, function()
      for _ = 1, task.random(3) do
        local part = task.random(8)
        total = total + part
        sleep(task, part)
      end
      return TOKEN
    end)
  end)
  if not results[1] then error(results[2], 0) end
  local ended = momo.time.now() - start
  if results[2] == TOKEN then
    expect(ended == total and total <= seconds, task, "slept for", ended, "of", total, "within", seconds)
  else
    expect(ended == seconds, task, "the timeout came after", ended, "not", seconds)
    count "exact timeout"
  end
end

function actions.shield(task, depth)
  local frame = { kind = "shield" }
  local results = inside(task, frame, function() return momo.shield(body, task, depth) end)
  if not results[1] then error(results[2], 0) end
end

function actions.attempt(task, depth) momo.pcall(body, task, depth) end

function actions.catch(task) -- its cancellation, and goes on
  pcall(sleep, task, task.random(5))
end

function actions.join(task)
  local child = task.spawned[task.random(math.max(1, #task.spawned))]
  if child then
    local ok = wait(task, "join", child.handle.join, child.handle)
    expect(has_ended(child) and ok == (child.ending == "done"), task, "joined", child.id, tostring(ok))
  end
end

function actions.join_any(task)
  local other, seconds = world.tasks[task.random(#world.tasks)], task.random(8) - 1
  local until_ = momo.time.now() + seconds
  if other == task or not other.handle then return end
  local ok, _, code = wait(task, "join", other.handle.join, other.handle, seconds)
  expect(ok ~= nil or code == "ETIMEDOUT" and momo.time.now() == until_, task, "join returned", tostring(code))
end

function actions.cancel_scope(task)
  local frame = pick_scope(task)
  if not frame or frame.reason then return end
  frame.reason = "by task " .. task.id
  log(task, "cancels a scope of", frame.task.id)
  frame.scope:cancel(frame.reason)
  cancel_frame(frame)
end

function actions.cancel_task(task)
  local other = world.tasks[task.random(#world.tasks)]
  log(task, "cancels", other.id)
  ask(other)
  other.handle:cancel("by task " .. task.id)
end

function actions.fail(task)
  world.failures = world.failures + 1
  log(task, "fails with", world.failures)
  error("failure " .. world.failures, 0)
end

function actions.defer(task)
  local frame = pick_scope(task)
  if not frame then return end
  local entry = { seconds = task.random(4) - 1 }
  table.insert(frame.deferred, entry)
  frame.scope:defer(function()
    local owner = frame.task
    frame.closing = true
    expect(table.remove(frame.deferred) == entry, owner, "a deferred call was not the last")
    for _, child in ipairs(frame.children) do
      expect(has_ended(child), owner, "a deferred call ran before the end of", child.id)
    end
    count "deferred"
    local results = inside(owner, { kind = "shield" }, function() sleep(owner, entry.seconds) end)
    expect(results[1], owner, "a deferred call was cancelled")
  end)
end

function actions.stop(task)
  if task.random(12) > 1 then return end
  log(task, "stops all")
  count "stop"
  world.stopped = true
  momo.stop()
end

---@param seed integer
---@return string trace what happened
---@return table<string, integer> counts of what
---@return integer problems lines of the trace that say WRONG
function M.run(seed)
  world = { trace = {}, counts = {}, tasks = {}, problems = 0, actions = ACTIONS, failures = 0, stopped = false }
  local root = new_task(nil, generator(seed))
  local reported = {}
  local ok, err = pcall(momo.run, { clock = "virtual", on_error = function(problem)
    reported[#reported + 1] = problem
  end }, function()
    root.handle = momo.spawn(run_task, root, 0)
    root.handle:join()
  end)
  expect(ok, root, "run raised", tostring(err))
  expect(#reported == 0 or world.stopped and #reported == 1 and reported[1] == root.failure, root, "reported:",
    tostring(reported[1]))
  for _, task in ipairs(world.tasks) do
    expect(has_ended(task), task, "has not ended")
    expect(task.handle:status() == (task.ending or "cancelled"), task, "is", task.handle:status())
  end
  local metrics = momo.metrics()
  for _, what in ipairs { "tasks", "ready", "timers" } do
    expect(metrics[what] == 0, root, metrics[what], what, "are left")
  end
  return table.concat(world.trace, "\n"), world.counts, world.problems
end

return M
