---Connections that are kept for later: pools by name, of this thread.

local each = require "momo.internal.each"
local scopes = require "momo.internal.scope"
local sync = require "momo.sync"
local tasks = require "momo.internal.task"
local time = require "momo.time"

local M = {}

local DEFAULT_SIZE = 30
local DEFAULT_IDLE = 60 -- seconds
local LOOK_EVERY = 1 -- seconds

---@class momo.compat.ngx.Pool
---@field idle {stream: momo.Stream, reused: integer, expires: number}[] the longest idle first
---@field size integer? once it is known
---@field places momo.Semaphore? so many connections at once
---@field waiting integer who waits for a place
---@field backlog integer?

---@type table<string, momo.compat.ngx.Pool>
local pools = {}
local watching = false

local function check_number(options, name, least)
  local value = options[name]
  if value ~= nil and type(value) ~= "number" then
    error(("bad argument #3 to 'connect' (bad \"%s\" option type: %s)"):format(name, type(value)), 4)
  elseif value and value < least then
    error(("bad argument #3 to 'connect' (bad \"%s\" option value: %s)"):format(name, value), 4)
  end
end

---Throws, at who called the caller, where options of connect are none.
---@param options any
function M.check(options)
  if options == nil then
    return
  elseif type(options) ~= "table" then
    error(("bad argument #3 to 'connect' (table expected, got %s)"):format(type(options)), 3)
  end
  local pool = options.pool
  if pool ~= nil and type(pool) ~= "string" and type(pool) ~= "number" then
    error(("bad argument #3 to 'connect' (bad \"pool\" option type: %s)"):format(type(pool)), 3)
  end
  check_number(options, "pool_size", 1)
  check_number(options, "backlog", 0)
end

---@param name string|number
---@param options {pool_size: integer?, backlog: integer?}?
---@return momo.compat.ngx.Pool
function M.of(name, options)
  name = tostring(name)
  local pool = pools[name]
  if not pool then
    pool = { idle = {}, waiting = 0 }
    pools[name] = pool
  end
  if options and not pool.size and (options.pool_size or options.backlog) then
    pool.size = options.pool_size or DEFAULT_SIZE
    pool.backlog = options.backlog
    pool.places = options.backlog and sync.Semaphore(pool.size)
  end
  return pool
end

---Takes a place in a pool that limits how many connections there are.
---@async
---@param pool momo.compat.ngx.Pool
---@param limit number seconds
---@return boolean ok
---@return string? err
function M.enter(pool, limit)
  local places = pool.places
  if not places or places:acquire(0) then
    return true
  elseif pool.waiting >= pool.backlog then
    return false, "too many waiting connect operations"
  end
  pool.waiting = pool.waiting + 1
  local ok, got = pcall(places.acquire, places, limit)
  pool.waiting = pool.waiting - 1
  if not ok then
    error(got, 0)
  end
  return got or false, "timeout"
end

---@param pool momo.compat.ngx.Pool
function M.leave(pool)
  if pool.places then
    pool.places:release()
  end
end

---Whether nothing has come, nor the end.
---@async
---@param stream momo.Stream
---@return boolean alive
---@return string? why not
function M.alive(stream)
  local bytes, _, code = stream:peek(1, 0)
  if code == "ETIMEDOUT" then
    return true
  end
  return false, code == "EBUSY" and "socket busy reading" or bytes and "connection in dubious state" or "closed"
end

---The connection that was put there last, if it still lives.
---@async
---@param pool momo.compat.ngx.Pool
---@return {stream: momo.Stream, reused: integer}? idle
function M.take(pool)
  while true do
    local idle = table.remove(pool.idle)
    if not idle then
      return nil
    elseif idle.expires > time.now() and M.alive(idle.stream) then
      return idle
    end
    idle.stream:close()
  end
end

-- Closes those whose time is over, and those that the peer has closed.
---@return boolean left whether some are left
---@async
local function sweep()
  local now, left = time.now(), false
  for _, pool in each(pools) do
    for i = #pool.idle, 1, -1 do
      local idle = pool.idle[i]
      if idle.expires <= now or not M.alive(idle.stream) then
        table.remove(pool.idle, i)
        idle.stream:close()
      end
    end
    left = left or pool.idle[1] ~= nil
  end
  return left
end

local function close_all()
  watching = false
  for _, pool in each(pools) do
    for _, idle in ipairs(pool.idle) do
      idle.stream:close()
    end
    pool.idle = {}
  end
end

-- What the daemon does as long as there are idle connections. When it is cancelled, the run ends.
---@async
local function watch()
  scopes.scope(function(scope)
    scope:defer(close_all)
    repeat
      time.sleep(LOOK_EVERY)
    until not sweep()
  end)
end

---@param pool momo.compat.ngx.Pool
---@param stream momo.Stream
---@param reused integer
---@param ms integer? how long it may be idle; 0: for ever
---@param size integer? of the pool, unless that is known
function M.put(pool, stream, reused, ms, size)
  pool.size = pool.size or size or DEFAULT_SIZE
  if #pool.idle >= pool.size then
    table.remove(pool.idle, 1).stream:close()
  end
  local seconds = ms == 0 and math.huge or ms and ms / 1000 or DEFAULT_IDLE
  pool.idle[#pool.idle + 1] = { stream = stream, reused = reused, expires = time.now() + seconds }
  if not watching then
    watching = true
    tasks.spawn_daemon(watch):set_name "ngx pools"
  end
end

return M
