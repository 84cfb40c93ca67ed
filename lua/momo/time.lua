---Time: seconds as numbers.

local check = require "momo.internal.check"
local core = require "momo.internal.core"
local names = require "momo.internal.names"
local waitable = require "momo.internal.waitable"
local C, executor = core.first, core.executor
local sleep, sleep_until = core.native.sleep, core.native.sleep_until

local M = {}

---Monotonic seconds, from an arbitrary beginning; with the virtual clock, from 0.
---@return number seconds
function M.now()
  return C.momo_now(executor)
end

---Seconds since 1970, as the system's clock has them; a virtual clock moves it too.
---@return number seconds
function M.wall()
  return C.momo_wall(executor)
end

---Suspends the task for some time. It never ends early; timers go by milliseconds, so it ends within one after that, if
---the thread is free. 0 yields; `math.huge` sleeps until the task is cancelled.
---@async
---@param seconds number 0 or more
function M.sleep(seconds)
  while sleep(seconds) do end
end

---Suspends the task until a time.
---@async
---@param t number seconds, as `now` gives them; a time that has passed yields
function M.sleep_until(t)
  while sleep_until(t) do end
end

local PERIOD_MIN = 1e-9 -- seconds

---A clock that ticks; see `interval`.
---@class momo.time.Interval
local Interval = { __name = "momo.time.Interval" }
Interval.__index = Interval

-- What was given behind the seconds is most often a function.
local function takes_no_callback(name, instead, ...)
  if select("#", ...) > 0 then
    check.fail(("%s: takes the seconds alone, as there are no callbacks: call %s (momo.spawn)"):format(name, instead))
  end
end

---Ticks without drift: the n-th is n periods after the call, so the first after one period.
---@param period number seconds, from 1e-9
---@param ... nil nothing: there are no callbacks
---@return momo.time.Interval interval
function M.interval(period, ...)
  check.argument(type(period) == "number" and period > 0 and period < math.huge,
    "interval: argument 1 must be a number of seconds, more than 0", period)
  takes_no_callback("interval", "interval:tick() in a task", ...)
  check.argument(period >= PERIOD_MIN, "interval: argument 1 must be at least 1e-9 seconds", period)
  return setmetatable({ period = period, start = M.now(), n = 0 }, Interval)
end

---Waits for the next tick; those that have been missed are skipped.
---@async
---@return number scheduled when it was due, in seconds of `now`
---@return integer missed how many ticks were skipped before it
function Interval:tick()
  check.self(self, Interval, "interval", "tick")
  local due = self.n + 1
  local passed = math.floor((M.now() - self.start) / self.period)
  local missed = math.max(0, passed - due)
  local scheduled = self.start + (due + missed) * self.period
  while sleep_until(scheduled, true) do end
  self.n = due + missed -- a tick that was given up is still to come
  return scheduled, missed
end

---A time for `momo.select`; see `after`.
---@class momo.time.After
local After = { __name = "momo.time.After" }
After.__index = After

---A waitable for `momo.select`, ready when the time is over; select returns true for it.
---@param seconds number 0 or more
---@param ... nil nothing: there are no callbacks
---@return momo.time.After after
function M.after(seconds, ...)
  check.argument(type(seconds) == "number" and seconds >= 0,
    "after: argument 1 must be a number of seconds, 0 or more", seconds)
  takes_no_callback("after", "momo.time.sleep(seconds) in a task", ...)
  return setmetatable({ deadline = M.now() + seconds }, After)
end

waitable[After] = {
  is_ready = function(self) return M.now() >= self.deadline end,
  consume = function() return true end,
}

names.objects(Interval, "interval", "while interval:tick() do")
names.objects(After, "waitable")

return names.module(M, "momo.time", {
  timeout = function()
    M.timeout = require("momo.internal.scope").timeout
    return M.timeout
  end,
})
