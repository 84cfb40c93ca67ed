---What disturbs a random program: collections, finalizers that call back, cancellations, allocations that fail.

local ffi = require "ffi"
local momo = require "momo"
local core = require "momo.internal.core"

local M = {}

---Whether allocations can fail here: see spec/support/failing_malloc.c.
M.can_starve = (os.getenv "MOMO_SANITIZE" or "") ~= ""
if M.can_starve then
  pcall(ffi.cdef, "void momo_fail_allocations(long n, long m); int momo_allocation_failed(void);")
end

---From now on, the n-th allocation of the core fails, and the m-th of Lua; 0: none.
function M.fail_allocations(n, m)
  if M.can_starve then
    core.C.momo_fail_allocations(n, m)
  end
end

-- What finalizers call does without pairs: a compiled loop over it may hang in one (LuaJIT 2.1.0-beta3 of 2022).
local function pick_task(world)
  local first = world.chaos(world.WATCHED)
  for i = first, first + world.WATCHED - 1 do
    local task = world.tasks[i % world.WATCHED + 1]
    if task then
      return task
    end
  end
end

local function call_hook(world)
  local hook = world.hooks[1] and world.hooks[world.chaos(#world.hooks)]
  if hook then
    hook()
  end
end

local function look_at_task(world)
  local task = pick_task(world)
  if task then
    local text = task:traceback()
    world:expect(type(text) == "string" and type(task:status()) == "string", "a traceback is a", type(text))
    tostring(task)
  end
end

local function cancel_task(world)
  local task = pick_task(world)
  if task then
    world:log("cancels", tostring(task))
    task:cancel "by chance"
  end
end

local in_finalizers = { call_hook, call_hook, call_hook, look_at_task, cancel_task, momo.metrics }

-- What a finalizer does must not fail: the error would surface in whatever allocates.
local function finalize(world, call)
  if not world.over then
    local ok, err = pcall(call, world)
    if not ok and not world:is_want(err) then
      world:problem("a finalizer failed:", tostring(err))
    end
  end
end

local deeds = {
  function() collectgarbage() end,
  function(world) collectgarbage("step", world.chaos(50)) end,
  function(world) collectgarbage("setpause", 101 + world.chaos(150)) end,
  function(world) collectgarbage("setstepmul", ({ 100, 200, 1000 })[world.chaos(3)]) end,
  call_hook,
  look_at_task,
  function(world)
    if world.chaos(4) == 1 then
      cancel_task(world)
    end
  end,
  function(world)
    if world.starved then
      M.fail_allocations(world.chaos(40), 0)
    elseif world.blind then
      M.fail_allocations(0, world.chaos(3000))
    end
  end,
}

-- Makes what the collector finds. `lives`: it leaves more of it behind, so often.
local function litter(world, n, lives)
  for _ = 1, n do
    local call = in_finalizers[world.chaos(#in_finalizers)]
    local proxy = newproxy(true)
    getmetatable(proxy).__gc = function()
      finalize(world, call)
      if lives > 0 then
        litter(world, 1, lives - 1)
      end
    end
    if world.chaos(8) == 1 then -- it is found when the state is closed
      world.kept[world.chaos(20)] = proxy
    end
  end
end

---Whatever allocates next runs a few finalizers; now and then, nearly all that allocates does. Not with a pause of 100,
---where a compiled loop over pairs does not get on any more.
function M.prime(world)
  litter(world, 3, 2)
  collectgarbage("setstepmul", 1e7)
  if world.chaos(8) == 1 then
    collectgarbage("setpause", 101)
  end
  collectgarbage "restart"
  if world.starved and world.chaos(2) == 1 then
    M.fail_allocations(world.chaos(3), 0)
  end
end

---That is over.
function M.relax()
  collectgarbage("setpause", 200)
  collectgarbage("setstepmul", 200)
end

---Runs as a task beside the conversations, until it is cancelled.
function M.run(world)
  while true do
    for _ = 1, world.chaos(3) do
      deeds[world.chaos(#deeds)](world)
      litter(world, world.chaos(6), 0)
    end
    if world.chaos(3) == 1 then
      momo.yield_now()
    else
      momo.time.sleep((world.chaos(4) - 1) / 1000)
    end
  end
end

---Afterwards all is as it was.
function M.calm()
  M.fail_allocations(0, 0)
  M.relax()
end

return M
