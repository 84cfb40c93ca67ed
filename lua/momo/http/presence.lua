---Whether the client is still there while a handler works. The stream tells: once the body has been read, nothing comes
---there but the next request, or the end.

local scopes = require "momo.internal.scope"
local sync = require "momo.sync"
local task = require "momo.internal.task"

local UNREAD_MAX = 64 * 1024 -- bytes of later requests that are let in to see what is behind them

local M = {}

---@class momo.http.Watch
---@field request momo.http.Request
---@field task momo.Task? that waits for what comes, once the body has been read

---@async
local function watch(stream, gone)
  local have = 0
  while have < UNREAD_MAX do
    stream:set_timeout(nil)
    local bytes, n, code = stream:peek_ptr(have + 1)
    if not bytes then
      if code ~= "EBADF" and code ~= "ECANCELED" then
        gone()
      end
      return
    end
    have = n
  end
end

-- Calls gone once the client has left; the connection stops that before anybody else reads.
local function start(request, gone)
  local connection, content = request.connection, request.content
  local self = { request = request }
  connection.watch = self
  local function begin()
    self.task = task.spawn(watch, connection.stream, gone)
  end
  if content.done then
    begin()
  else
    content.on_end = begin
  end
end

---Ends what a connection watches for, if it does.
---@async
---@param connection momo.http.Connection
function M.stop(connection)
  local self = connection.watch
  connection.watch = false
  if self.request.content.on_end then
    self.request.content.on_end = nil
  end
  if self.task then
    self.task:cancel()
    scopes.shield(function() self.task:join() end)
  end
end

---@param request momo.http.Request
---@return momo.Notify
function M.notify(request)
  local notify = sync.Notify()
  local connection = request.connection
  if connection.request ~= request or not connection.handling then -- the exchange is over
    notify:notify_one()
  elseif not connection.watch then
    start(request, function() notify:notify_one() end)
  end
  return notify
end

---A handler that is cancelled when its client has gone.
---@param handler async fun(request: momo.http.Request, response: momo.http.Response)
---@return async fun(request: momo.http.Request, response: momo.http.Response)
function M.cancelling(handler)
  return function(request, response)
    local connection = request.connection
    local ok = scopes.scope(function(scope)
      request.watched = true
      start(request, function() scope:cancel "the client has gone" end)
      handler(request, response)
      return true
    end)
    if not ok then
      connection.closing, connection.failed = true, true
    end
  end
end

return M
