---select: waits for the first of several things; exactly one is consumed, and none is lost.

local check = require "momo.internal.check"
local core = require "momo.internal.core"
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
    local status = native.status(self)
    return status == "done" or status == "failed" or status == "cancelled"
  end,
  consume = native.outcome,
  waiters = function(self) return self, self end,
  woken = native.outcome,
}

---Waits for the first of several things: receivers (of channels between threads too, and oneshots), tasks, a Notify,
---`momo.time.after(seconds)`. Exactly one is consumed. Of several that are ready, each has its turn.
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
  local n, some = 0, false
  for i in pairs(entries) do
    if not (check.is_whole(i) and i >= 1) then
      check.fail(("select: there is no option %s; a limit is an entry, momo.time.after(seconds)"):format(check.show(i)))
    end
    n = math.max(n, i)
  end
  local first = native.random()
  for k = 1, n do
    local i = (first + k) % n + 1
    local entry = entries[i]
    if entry then
      local methods = waitable[getmetatable(entry)]
      if not methods then
        check.fail(("select: entry %d must be a receiver, a task, a Notify or momo.time.after(seconds), got %s")
          :format(i, check.show(entry)))
      end
      if methods.is_ready(entry) then
        native.check_cancelled()
        return i, methods.consume(entry)
      end
      some = true
    end
  end
  if not some then
    check.fail("select: there is nothing to wait for")
  end

  local queues, sources, indices, deadline, last = {}, {}, {}, math.huge, nil
  for i = 1, n do
    local entry = entries[i]
    local methods = entry and waitable[getmetatable(entry)]
    if entry and not methods.waiters then -- a time
      if entry.deadline < deadline then
        deadline, last = entry.deadline, i
      end
    elseif entry then
      local k = #indices + 1
      indices[k], queues[k], sources[k] = i, methods.waiters(entry)
    end
  end
  local set = native.wait_set(#queues)
  native.select_park(set, queues, last and math.max(0, deadline - time.now()) or nil)
  local fired = native.fired(set)
  if not fired then
    return last, true
  end
  local i = indices[fired]
  return i, waitable[getmetatable(entries[i])].woken(sources[fired])
end

return M
