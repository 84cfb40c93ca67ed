---How answers leave a connection of a server. Those to requests that have come together gather in C; the last of them,
---or a task, or whatever else is written, sends them.

local core = require "momo.internal.core"
local pieces = require "momo.internal.pieces"
local spawn = require("momo.internal.task").spawn

local http_waiting = core.native.http_waiting
local DEFERRED, LEFT = core.C.MOMO_DEFERRED, core.C.MOMO_LEFT

---@class momo.http.Connection
local Connection = {}

---Nothing more can be sent.
---@return nil, string err, string code
function Connection:broken(err, code)
  self.closing, self.failed = true, true
  return nil, err, code
end

---@async
local function write(self, data)
  local ok, err, code = self.stream:write(data)
  if not ok then
    return self:broken(err, code)
  end
  return true
end

---Sends this behind what waits.
---@async
---@param data string|string[]
---@return true? ok
---@return string? err
---@return string? code
function Connection:write(data)
  local before = self.waiting and http_waiting(self.stream)
  return write(self, before and pieces.between(before, data) or data)
end

---Sends what waits.
---@async
function Connection:flush()
  local before = http_waiting(self.stream)
  if before then
    return write(self, before)
  end
  return true
end

---@async
local function flush_later(self)
  self.waiting = false
  self:flush()
end

---An answer waits for those to the requests that have come with its own. If the handler of one of these suspends, a
---task sees to it that what waits leaves.
function Connection:defer()
  if not self.waiting then
    self.waiting = true
    spawn(flush_later, self)
  end
  return true
end

---What http_send has not sent.
---@async
---@param left string|false
---@param whole boolean? the body is in it
---@param body string|string[]|nil
---@return true? ok
---@return string? err
---@return string? code
function Connection:send_rest(left, whole, body)
  if left == false then
    return self:defer()
  elseif whole then
    return self:write(left)
  end
  return self:write(pieces.between(left, body))
end

---What momo_http_send has not sent.
---@async
---@param outcome integer
---@return true? ok
---@return string? err
---@return string? code
function Connection:send_later(outcome)
  if outcome == DEFERRED then
    return self:defer()
  elseif outcome == LEFT then
    return self:flush()
  end
  return self:broken(select(2, core.failure(outcome)))
end

return Connection
