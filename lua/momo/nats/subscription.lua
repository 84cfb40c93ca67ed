---What a client has subscribed to: a receiver of messages.

local check = require "momo.internal.check"
local names = require "momo.internal.names"
local native = require("momo.internal.core").native
local sync = require "momo.sync"
local tasks = require "momo.internal.task"
local waitable = require "momo.internal.waitable"

local M = {}

local CAPACITY = 65536
local ENDED = { done = true, failed = true, cancelled = true }

---@class momo.nats.SubscribeOptions
---@field queue string? of all who subscribe with one name, each message goes to one
---@field capacity integer? messages that wait to be received; 65536
---@field policy ("drop_newest"|"drop_oldest"|"wait"|"close")? what happens to a message that finds them all there: it
---is dropped, which is the default; or the oldest is; the client reads no further until there is room, so that the
---server cuts it off in the end; the subscription ends with ENOBUFS
---@field max integer? messages after which it ends

local OPTIONS = { queue = "string", capacity = "number", policy = "string", max = "number" }
local POLICIES = { drop_newest = true, drop_oldest = true, wait = true, close = true }

---The receiving end of a subscription; `momo.select` takes it, too.
---@class momo.nats.Subscription
---@field subject string
---@field queue string?
---@field dropped integer messages that found no room
---@field private connection momo.nats.Connection
---@field private sid integer
---@field private tx momo.Sender
---@field private rx momo.Receiver
---@field private policy string
---@field private received integer that have come
---@field private max number
---@field private receiving momo.Task? who has received last
---@field private failure {[1]: string, [2]: string}? why it ended, if not for good
---@field private handler fun(self: momo.nats.Subscription, message: momo.nats.Message) what is done with a message
---@field of_link boolean? it ends when the link breaks
---@field lost boolean? that has happened
---@field private seen_end boolean who receives has seen the end
local Subscription = { __name = "momo.nats.Subscription" }
Subscription.__index = Subscription
names.objects(Subscription, "rx", "for message in rx:iter() do")

local Receiver = getmetatable((select(2, sync.channel(1))))
local receiver = waitable[Receiver]

---@param options momo.nats.SubscribeOptions?
---@return momo.nats.SubscribeOptions
function M.check_options(options)
  options = check.options(options, OPTIONS, "subscribe")
  check.argument(options.capacity == nil or check.is_whole(options.capacity) and options.capacity >= 1,
    "subscribe: option capacity must be a whole number from 1", options.capacity)
  check.argument(options.max == nil or check.is_whole(options.max) and options.max >= 1,
    "subscribe: option max must be a whole number from 1", options.max)
  if options.policy and not POLICIES[options.policy] then
    check.fail(("subscribe: option policy must be drop_newest, drop_oldest, wait or close, got %q"):format(
      options.policy))
  end
  return options
end

---@param connection momo.nats.Connection
---@param sid integer its number
---@param subject string
---@param options momo.nats.SubscribeOptions
---@param handler fun(self: momo.nats.Subscription, message: momo.nats.Message)?
---@return momo.nats.Subscription
function M.new(connection, sid, subject, options, handler)
  local tx, rx = sync.channel(options.capacity or CAPACITY)
  return setmetatable({
    subject = subject,
    queue = options.queue,
    dropped = 0,
    connection = connection,
    sid = sid,
    tx = tx,
    rx = rx,
    policy = options.policy or "drop_newest",
    received = 0,
    max = options.max or math.huge,
    handler = handler or M.deliver,
    seen_end = false,
  }, Subscription)
end

---No more will come. What has come can still be received.
---@param self momo.nats.Subscription
---@param err string?
---@param code string?
function M.finish(self, err, code)
  self.failure = self.failure or err and { err, code }
  self.connection:forget(self)
  self.tx:close()
end

local FULL = {
  drop_newest = function(self)
    self.connection:dropped(self)
  end,
  drop_oldest = function(self, message)
    self.rx:recv(0)
    self.tx:send(message, 0)
    self.connection:dropped(self)
  end,
  ---@async
  wait = function(self, message)
    self.tx:send(message)
  end,
  close = function(self)
    self.connection:unsubscribe(self)
    M.finish(self, "ENOBUFS: messages were not received as fast as they came: no buffer space available", "ENOBUFS")
  end,
}

---What the server has sent for it.
---@async
---@param self momo.nats.Subscription
---@param message momo.nats.Message
function M.deliver(self, message)
  if not self.tx:send(message, 0) and self.rx.from then
    FULL[self.policy](self, message)
  end
end

---Whether all is received, and who has received it has come back for more, has ended, or is the one who asks.
---@param self momo.nats.Subscription
---@return boolean
function M.is_done(self)
  local channel, task = self.rx.from, self.receiving
  return self.seen_end or not channel
    or channel.head == channel.tail and (not task or task == tasks.current() or ENDED[task:status()] or false)
end

local function result(self, message, err, code)
  if message then
    return message
  elseif code == "EOF" then
    self.seen_end = true
    self.connection.ended:notify_one()
    if self.failure then
      return nil, self.failure[1], self.failure[2]
    end
  end
  return nil, err, code
end

---The oldest message; waits for one.
---
---Codes: EOF it has ended; ETIMEDOUT; ENOBUFS it was closed by its policy; EBADF it is closed; EACCES the server does
---not allow it; those of a connection that was lost and not made again.
---@async
---@param timeout number? seconds; 0 only tries
---@return momo.nats.Message? message
---@return string? err
---@return string? code
function Subscription:recv(timeout)
  check.self(self, Subscription, "rx", "recv")
  self.receiving = tasks.current()
  return result(self, self.rx:recv(timeout))
end

---Iterates until it ends.
---@async
---@return fun(): momo.nats.Message? next for the `for` loop
function Subscription:iter()
  check.self(self, Subscription, "rx", "iter")
  return function() return (self:recv()) end
end

---Ends it, and drops what was not received. May be repeated.
function Subscription:close()
  check.self(self, Subscription, "rx", "close")
  self.connection:unsubscribe(self)
  M.finish(self)
  self.rx:close()
  self.connection.ended:notify_one()
end

---Ends it once all is here that the server has for it until now; that is still received, and then EOF.
---
---Codes: ETIMEDOUT; those of `flush`.
---@async
---@param timeout number? seconds
---@return true? ok
---@return string? err
---@return string? code
function Subscription:drain(timeout)
  check.self(self, Subscription, "rx", "drain")
  check.seconds(timeout, "drain")
  self.connection:unsubscribe(self)
  local done, ok, err, code = xpcall(self.connection.flush, native.traceback_capture, self.connection, timeout)
  M.finish(self)
  if not done then -- cancelled
    native.rethrow(ok)
  end
  return ok, err, code
end

waitable[Subscription] = {
  is_ready = function(self) return receiver.is_ready(self.rx) end,
  consume = function(self) return self:recv(0) end,
  waiters = function(self)
    self.receiving = tasks.current()
    return receiver.waiters(self.rx), self
  end,
  woken = function(self) return result(self, receiver.woken(self.rx.from)) end,
}

return M
