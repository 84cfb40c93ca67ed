---select: waits for the first of several things; exactly one is consumed, and none is lost.

local check = require "momo.check"
local core = require "momo.core"
local sync = require "momo.sync"
local time = require "momo.time"

local native = core.native
local Task = native.metatables.task
local After = time.After

local M = {}

-- What select asks of a waitable: whether it is ready, where to wait for it, and what it then gives.
local waitable = {
  [sync.classes.Receiver] = sync.classes.Receiver,
  [sync.classes.Notify] = sync.classes.Notify,
  [After] = After,
  [Task] = {
    is_ready = function(self)
      local status = native.status(self)
      return status == "done" or status == "failed" or status == "cancelled"
    end,
    waiters = function(self)
      return self
    end,
    collect = native.outcome,
  },
}

local first = 0

---Waits for a receiver, a oneshot's receiver, a task, a Notify or momo.time.after(seconds). Of several that are
---ready, each has its turn. Entries that are false are skipped.
---@async
---@param entries table
---@return integer index of the entry
---@return any ... what its recv, join or notified returns
function M.select(entries)
  check.argument(type(entries) == "table", "select: argument 1 must be an array of waitables", entries)
  local n, some = 0, false
  for i in pairs(entries) do
    n = type(i) == "number" and math.max(n, i) or n
  end
  first = first + 1
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
        return i, methods.collect(entry)
      end
      some = true
    end
  end
  if not some then
    check.fail("select: there is nothing to wait for")
  end

  local queues, indices, deadline, last = {}, {}, math.huge, nil
  for i = 1, n do
    local entry = entries[i]
    if entry and getmetatable(entry) == After then
      if entry.deadline < deadline then
        deadline, last = entry.deadline, i
      end
    elseif entry then
      queues[#queues + 1] = waitable[getmetatable(entry)].waiters(entry)
      indices[#indices + 1] = i
    end
  end
  local set = native.wait_set(#queues)
  local fired
  if native.select_park(set, queues, last and math.max(0, deadline - time.now()) or nil) then
    fired = native.fired(set)
    if not fired then
      return last, true
    end
  else
    fired = native.fired(set)
  end
  local i = indices[fired]
  return i, waitable[getmetatable(entries[i])].collect(entries[i])
end

return M
