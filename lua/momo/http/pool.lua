---Connections of a client that are used again, by where they lead. As many tasks as `max` have one at a time, the
---others wait in turn; so, with those that are idle, no more than `max` are open.
---
---    take: an idle one, the last that was given back; or none, and the place to open one
---    give: idle from now on, or closed

local core = require "momo.internal.core"
local each = require "momo.internal.each"
local sync = require "momo.sync"

local C, executor, native = core.C, core.executor, core.native

local M = {}

local SWEEP_LEAST = 64

---@class momo.http.PooledConnection
---@field stream momo.Stream
---@field used boolean it has carried an answer

---@class momo.http.Place what a client keeps of where it goes
---@field permits momo.Semaphore
---@field taken integer
---@field idle momo.http.PooledConnection[]

---Private: connections by where they lead.
---@class momo.http.Pool
---@field max integer
---@field places table<string, momo.http.Place>
---@field stored integer connections that were given back since the last sweep, and those it has left
---@field sweep_at integer
---@field closed boolean
local Pool = { __name = "momo.http.Pool" }
Pool.__index = Pool

---@param max integer connections a place
---@return momo.http.Pool
function M.Pool(max)
  return setmetatable({ max = max, places = {}, stored = 0, sweep_at = SWEEP_LEAST, closed = false }, Pool)
end

-- Forgets those that the loop has closed, and places that nobody has to do with.
local function sweep(pool)
  pool.stored = 0
  for key, place in each(pool.places) do
    local alive = {}
    for _, connection in ipairs(place.idle) do
      if C.momo_is_idle(executor, connection.stream) == 1 then
        alive[#alive + 1] = connection
      end
    end
    place.idle = alive
    pool.stored = pool.stored + #alive
    if place.taken == 0 and not alive[1] then
      pool.places[key] = nil
    end
  end
  pool.sweep_at = math.max(SWEEP_LEAST, 2 * pool.stored)
end

---Waits for its turn. Who has got it ends it by give.
---@async
---@param key string where to
---@return momo.http.PooledConnection? connection nil: none is idle, open one
function Pool:take(key)
  local place = self.places[key]
  if not place then
    place = { permits = sync.Semaphore(self.max), taken = 0, idle = {} }
    self.places[key] = place
  end
  place.taken = place.taken + 1
  local ok, err = xpcall(place.permits.acquire, native.traceback_capture, place.permits)
  if not ok then
    place.taken = place.taken - 1
    native.rethrow(err)
  end
  return self:idle(key)
end

---The last one that was given back and is still open.
---@param key string
---@return momo.http.PooledConnection? connection it is the caller's now
function Pool:idle(key)
  local idle = self.places[key].idle
  while idle[1] do
    local connection = table.remove(idle)
    if C.momo_end_idle(executor, connection.stream) == 0 then
      return connection
    end
  end
  return nil
end

---Ends what take has begun.
---@param key string
---@param connection momo.http.PooledConnection? nil: it is closed
---@param seconds number? how long it may be idle
function Pool:give(key, connection, seconds)
  local place = self.places[key]
  place.taken = place.taken - 1
  if connection then
    if not self.closed and C.momo_begin_idle(executor, connection.stream, seconds) == 0 then
      place.idle[#place.idle + 1] = connection
      self.stored = self.stored + 1
    else
      connection.stream:close()
    end
  end
  place.permits:release()
  if self.stored >= self.sweep_at then
    sweep(self)
  end
end

---Closes those that are idle, now and from now on.
function Pool:close()
  self.closed = true
  for _, place in each(self.places) do
    for _, connection in ipairs(place.idle) do
      connection.stream:close()
    end
    place.idle = {}
  end
end

return M
