---What tasks of one thread coordinate themselves with. All who wait are served first come, first served; who gives up
---waiting, by a timeout or a cancellation, loses nothing for the others.
---
---An operation that need not wait does not suspend. A timeout is in seconds; 0 only tries; ETIMEDOUT when it is over.

local channel = require "momo.internal.channel"
local check = require "momo.internal.check"
local core = require "momo.internal.core"
local names = require "momo.internal.names"
local waitable = require "momo.internal.waitable"

local C, native = core.first, core.native
local park, queue = native.park, native.queue

local M = { channel = channel.channel, oneshot = channel.oneshot }

-- Notify

---Wakes tasks that wait, without a value.
---@class momo.Notify
local Notify = { __name = "momo.Notify" }
Notify.__index = Notify

---Something to wait for that carries no value.
---@return momo.Notify notify
function M.Notify()
  return setmetatable({ permit = false, queue = queue "notified" }, Notify)
end

---Waits for a notification.
---
---Codes: ETIMEDOUT.
---@async
---@param timeout number? seconds; 0 only tries
---@return true? ok
---@return string? err
---@return string? code
function Notify:notified(timeout)
  check.self(self, Notify, "notify", "notified")
  check.seconds(timeout, "notified")
  if self.permit then
    self.permit = false
    return true
  end
  if park(self.queue, timeout) then
    return channel.give_up(self.queue, timeout)
  end
  return true
end

---Wakes the first that waits; if nobody does, the next call of `notified` does not wait.
function Notify:notify_one()
  check.self(self, Notify, "notify", "notify_one")
  if C.momo_queue_wake(self.queue) == 0 then
    self.permit = true
  end
end

---Wakes all that wait now.
function Notify:notify_waiters()
  check.self(self, Notify, "notify", "notify_waiters")
  C.momo_queue_wake_all(self.queue)
end

waitable[Notify] = {
  is_ready = function(self) return self.permit end,
  consume = function(self)
    self.permit = false
    return true
  end,
  waiters = function(self) return self.queue, self end,
  woken = function() return true end,
}

-- Semaphore and Mutex

local OUTSIDE = "no task" -- who locks a mutex, or has a permit, outside of a runtime
local LISTED_MAX = 8 -- holders of permits that a semaphore knows by name

---Permits, of which each is held by one task at a time.
---@class momo.Semaphore
local Semaphore = { __name = "momo.Semaphore" }
Semaphore.__index = Semaphore

---So many permits: to have at most 10 requests under way, or a connection out of a pool.
---@param permits integer 0 or more
---@return momo.Semaphore semaphore
function M.Semaphore(permits)
  check.argument(check.is_whole(permits) and permits >= 0,
    "Semaphore: argument 1 must be a whole number of permits, 0 or more", permits)
  return setmetatable({ permits = permits, queue = queue "acquire", holders = {}, unlisted = 0 }, Semaphore)
end

-- Who has permits is known for the reports: the first tasks, as those that give theirs back make room for others, and
-- those that never do stay.
local function add_holder(self)
  local holders = self.holders
  local n = #holders
  if n < LISTED_MAX then
    holders[n + 1] = native.current() or OUTSIDE
  else
    self.unlisted = self.unlisted + 1
  end
end

-- A task that is not listed gives back what one has that is not listed either, or else the oldest permit.
local function remove_holder(self)
  local holders, me = self.holders, native.current() or OUTSIDE
  local at = self.unlisted == 0 and 1 or nil
  for i = 1, #holders do
    at = holders[i] == me and i or at
  end
  if at then
    table.remove(holders, at)
  else
    self.unlisted = self.unlisted - 1
  end
end

---Takes a permit, waiting for one.
---
---Codes: ETIMEDOUT.
---@async
---@param timeout number? seconds; 0 only tries
---@return true? ok
---@return string? err
---@return string? code
function Semaphore:acquire(timeout)
  check.self(self, Semaphore, "semaphore", "acquire")
  check.seconds(timeout, "acquire")
  if self.permits > 0 then
    self.permits = self.permits - 1
    add_holder(self)
    return true
  end
  if park(self.queue, timeout) then
    return channel.give_up(self.queue, timeout)
  end
  add_holder(self) -- release has handed its permit over
  return true
end

---Gives a permit back, from any task, or hands it to the first that waits.
function Semaphore:release()
  check.self(self, Semaphore, "semaphore", "release")
  remove_holder(self)
  if C.momo_queue_wake(self.queue) == 0 then
    self.permits = self.permits + 1
  end
end

---How many permits nobody holds; 0 while a task waits for one.
---@return integer permits
function Semaphore:available()
  check.self(self, Semaphore, "semaphore", "available")
  return self.permits
end

local function give_back(held, release, ok, ...)
  release(held)
  if not ok then
    native.rethrow((...))
  end
  return ...
end

---Calls fn with a permit, which is given back however fn ends.
---@async
---@param fn function
---@param ... any its arguments
---@return any ... what fn returns
function Semaphore:with(fn, ...)
  check.self(self, Semaphore, "semaphore", "with")
  check.argument(type(fn) == "function", "with: argument 1 must be a function", fn)
  self:acquire()
  return give_back(self, self.release, xpcall(fn, native.traceback_capture, ...))
end

---A lock for what must not be interleaved although it suspends; nothing else needs one.
---@class momo.Mutex
local Mutex = { __name = "momo.Mutex" }
Mutex.__index = Mutex

---A lock, which nobody holds.
---@return momo.Mutex mutex
function M.Mutex()
  return setmetatable({ queue = queue "lock", owner = false }, Mutex)
end

---Waits until nobody holds it. Throws in the task that holds it.
---
---Codes: ETIMEDOUT.
---@async
---@param timeout number? seconds; 0 only tries
---@return true? ok
---@return string? err
---@return string? code
function Mutex:lock(timeout)
  check.self(self, Mutex, "mutex", "lock")
  check.seconds(timeout, "lock")
  local me = native.current() or OUTSIDE
  if not self.owner then
    self.owner = me
    return true
  elseif self.owner == me then
    check.fail("lock: this task holds the mutex already")
  end
  if park(self.queue, timeout) then
    return channel.give_up(self.queue, timeout)
  end
  self.owner = me
  return true
end

---Hands it to the first that waits. Throws in a task that does not hold it.
function Mutex:unlock()
  check.self(self, Mutex, "mutex", "unlock")
  if self.owner ~= (native.current() or OUTSIDE) then
    check.fail("unlock: this task does not hold the mutex")
  end
  -- until the one that was woken runs, it belongs to nobody who could ask for it
  self.owner = C.momo_queue_wake(self.queue) ~= 0 and self
end

---Calls fn with the mutex locked; it is unlocked however fn ends.
---@async
---@param fn function
---@param ... any its arguments
---@return any ... what fn returns
function Mutex:with(fn, ...)
  check.self(self, Mutex, "mutex", "with")
  check.argument(type(fn) == "function", "with: argument 1 must be a function", fn)
  self:lock()
  return give_back(self, self.unlock, xpcall(fn, native.traceback_capture, ...))
end

names.objects(Notify, "notify")
names.objects(Semaphore, "semaphore")
names.objects(Mutex, "mutex")

return names.module(M, "momo.sync")
