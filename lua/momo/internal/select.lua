---select: waits for the first of several things; exactly one is consumed, and none is lost.

local check = require "momo.internal.check"
local core = require "momo.internal.core"
local each = require "momo.internal.each"
local time = require "momo.time"
local waitable = require "momo.internal.waitable"

local native = core.native
local Task = native.metatables.task

local M = {}

waitable[Task] = {
  is_ready = function(self)
    if self == native.current() then
      check.fail "select: a task can't wait for itself"
    end
    return native.has_ended(self)
  end,
  consume = native.outcome,
  waiters = function(self) return self, self end,
  woken = native.outcome,
}

---The first that is ready, beginning anywhere.
local function first_ready(entries, n)
  local first = native.random()
  for k = 1, n do
    local i = (first + k) % n + 1
    local entry = entries[i]
    if entry and waitable[getmetatable(entry)].is_ready(entry) then
      return i
    end
  end
end

local first_of

---Waits for the first that is woken; the tables have room for what comes into them.
---@async
local function wait(entries, n, indices, queues, sources, set, deadline, last)
  for k = 1, #indices do
    local entry = entries[indices[k]]
    queues[k], sources[k] = waitable[getmetatable(entry)].waiters(entry)
  end
  local again, woken
  repeat
    again, woken = native.select(set, queues, last and math.max(0, deadline - time.now()) or nil)
  until not again
  if not woken then
    return last, true
  end
  local i = indices[woken]
  local methods = waitable[getmetatable(entries[i])]
  if methods.still and not methods.still(sources[woken]) then
    return first_of(entries, n, indices, queues, sources, deadline, last) -- what it was woken for is gone
  end
  return i, methods.woken(sources[woken])
end

---@async
function first_of(entries, n, indices, queues, sources, deadline, last)
  local set = native.wait_set(#indices)
  local ready = first_ready(entries, n)
  if ready then
    native.check_cancelled()
    return ready, waitable[getmetatable(entries[ready])].consume(entries[ready])
  end
  return wait(entries, n, indices, queues, sources, set, deadline, last)
end

-- Between the look whether anything is ready and the wait nothing may be allocated: a finalizer could make it ready.

---Waits for the first of several things: receivers (of channels between threads too, and oneshots), tasks, a Notify, a
---watch of `momo.io`, `momo.time.after(seconds)`. Exactly one is consumed. Of several that are ready, each has its
---turn.
---
---Entries that are false are skipped: `momo.select { open and rx, other }`. A receiver at its end is always ready, with
---EOF: put false in its place then.
---@async
---@param entries table an array of them
---@return integer index of the entry
---@return any ... what its recv, join or notified returns, and true for a time
function M.select(entries)
  check.argument(type(entries) == "table", "select: argument 1 must be an array of waitables", entries)
  if waitable[getmetatable(entries)] then
    check.fail "select: argument 1 must be an array of waitables: write select{rx}, not select(rx)"
  end
  local n = 0
  for i in each(entries) do
    if not (check.is_whole(i) and i >= 1) then
      check.fail(("select: there is no option %s; a limit is an entry, momo.time.after(seconds)"):format(check.show(i)))
    end
    n = math.max(n, i)
  end
  local indices, queues, sources, deadline, last = {}, {}, {}, math.huge, nil
  for i = 1, n do
    local entry = entries[i]
    local methods = entry and waitable[getmetatable(entry)]
    if entry and not methods then
      check.fail(("select: entry %d must be a receiver, a task, a Notify, a watch or momo.time.after(seconds), "
        .. "got %s"):format(i, check.show(entry)))
    elseif entry and not methods.waiters then -- a time
      if entry.deadline < deadline then
        deadline, last = entry.deadline, i
      end
    elseif entry then
      local k = #indices + 1
      indices[k], queues[k], sources[k] = i, false, false
    end
  end
  if not (last or indices[1]) then
    check.fail("select: there is nothing to wait for")
  end
  return first_of(entries, n, indices, queues, sources, deadline, last)
end

return M
