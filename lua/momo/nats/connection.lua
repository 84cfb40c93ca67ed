---Private: what a client is behind its face: what it has subscribed to, what it waits for, what is to be written. The
---task of keeper.lua connects it to a server.

local each = require "momo.internal.each"
local Outbox = require "momo.nats.outbox"
local keeper = require "momo.nats.keeper"
local native = require("momo.internal.core").native
local servers = require "momo.nats.servers"
local subscriptions = require "momo.nats.subscription"
local sync = require "momo.sync"
local tasks = require "momo.internal.task"

local M = {}

local LOOK_AGAIN = 0.05 -- seconds: whether a task that has received has ended meanwhile
local CLOSED = "EBADF: the client is closed"

---@class momo.nats.Connection
---@field client momo.nats.Client
---@field options momo.nats.ConnectOptions
---@field servers momo.nats.Server[]
---@field link momo.nats.Link
---@field outbox momo.nats.Outbox
---@field state "connected"|"reconnecting"|"draining"|"closed"
---@field ended momo.Notify somebody has received all of a subscription
---@field private subscriptions table<integer, momo.nats.Subscription> by number
---@field private last_sid integer
---@field private flushing momo.Sender[]? who waits for the answer to a PING that is not written yet; {}: nobody
---@field private pongs momo.Sender[][] the same of those that are written
---@field private unanswered integer
---@field private writing boolean
---@field private introduced boolean the server was told of all subscriptions
---@field private turn integer places in `servers` before the one to try first
---@field private lost {[1]: string, [2]: string}? why the last link broke
---@field private inbox string before the numbers of our requests
---@field private hearing boolean? it is subscribed to
---@field private requests table<string, momo.Sender> by number
---@field private last_request integer
---@field private failure {[1]: string, [2]: string}? why it is closed
---@field private task momo.Task
local Connection = {}
Connection.__index = Connection

-- What nobody can guess.
local function token()
  local source = assert(io.open("/dev/urandom", "rb"))
  local bytes = source:read(12)
  source:close()
  return (bytes:gsub(".", function(byte) return ("%02x"):format(byte:byte()) end))
end

---Tells the program of something that no call of its own would tell it.
function Connection:tell(event, text)
  if self.options.on_event then
    tasks.spawn(self.options.on_event, event, text)
  elseif event == "error" or event == "slow_consumer" then
    io.stderr:write(("momo: nats: %s\n"):format(text))
  end
end

---Who waits for an answer to a PING hears that none will come.
function Connection:fail_flushes()
  for _, waiting in ipairs(self.pongs) do
    for _, tx in ipairs(waiting) do
      tx:close()
    end
  end
  self.pongs = {}
end

---Ends it all. May be repeated.
---@param err string? why, if not because it was wanted
---@param code string?
function Connection:finish(err, code)
  if self.state == "closed" then
    return
  end
  self.state = "closed"
  self.failure = err and { err, code } or { CLOSED, "EBADF" }
  self.link.stream:close()
  self.outbox:close()
  for _, subscription in each(self.subscriptions) do
    subscriptions.finish(subscription, err, code)
  end
  self.pongs[#self.pongs + 1], self.flushing = self.flushing, nil
  self:fail_flushes()
  for _, tx in each(self.requests) do
    tx:close()
  end
  self.requests = {}
end

---@async
function Connection:close()
  self:finish()
  self.task:cancel()
end

---@return nil, string err, string code
function Connection:why_closed()
  return nil, self.failure[1], self.failure[2]
end

---@async
function Connection:flush(timeout)
  if self.state == "closed" then
    return self:why_closed()
  end
  local tx, rx = sync.oneshot()
  self.flushing = self.flushing or {}
  table.insert(self.flushing, tx)
  self.outbox:wake()
  local ok, err, code = rx:recv(timeout)
  if code == "EOF" then
    local why = self.failure or self.lost
    return nil, why[1], why[2]
  end
  return ok, err, code
end

function Connection:subscribe(subject, options, handler)
  local sid = self.last_sid + 1
  local subscription = subscriptions.new(self, sid, subject, options, handler)
  self.last_sid = sid
  self.subscriptions[sid] = subscription
  if self.introduced then
    self.outbox:put(keeper.subscribe_line(subscription), "", keeper.limit_line(subscription), "")
  end
  return subscription
end

---The server sends no more for it.
function Connection:unsubscribe(subscription)
  if self.subscriptions[subscription.sid] and self.state ~= "closed" then
    self.outbox:line("UNSUB " .. subscription.sid)
  end
end

function Connection:forget(subscription)
  self.subscriptions[subscription.sid] = nil
end

---What was asked of a link that broke will not be answered.
---@param err string
---@param code string
function Connection:fail_pulls(err, code)
  for _, subscription in each(self.subscriptions) do
    if subscription.of_link then
      subscription.lost = true
      self:unsubscribe(subscription) -- the next link may still be told of it, by what waits in the outbox
      subscriptions.finish(subscription, err, code)
    end
  end
end

---A message found no room: the first of a row is told.
function Connection:dropped(subscription)
  subscription.dropped = subscription.dropped + 1
  if subscription.dropped == 1 then
    self:tell("slow_consumer", ("messages for %s are dropped: they are not received as fast as they come"):format(
      subscription.subject))
  end
end

-- What has come for one of our requests.
local function answer(self, message)
  local number = message.subject:match "[^.]*$"
  local tx = self.connection.requests[number]
  if tx then
    self.connection.requests[number] = nil
    tx:send(message)
  end
end

-- Each has one of its own.
local function next_number(self)
  self.last_request = self.last_request + 1
  return ("%d"):format(self.last_request)
end

---A place to which one answer is sent.
---@return string reply
---@return string number
---@return momo.Receiver rx
function Connection:expect()
  if not self.hearing then
    self.hearing = true
    self:subscribe(self.inbox .. "*", {}, answer)
  end
  local number = next_number(self)
  local tx, rx = sync.oneshot()
  self.requests[number] = tx
  return self.inbox .. number, number, rx
end

---A place to which several answers are sent; it ends with the link, on which they were asked for.
---@param capacity integer
---@return momo.nats.Subscription rx
function Connection:expect_many(capacity)
  local rx = self:subscribe(self.inbox .. next_number(self) .. ".all", { capacity = capacity })
  rx.of_link = true
  return rx
end

---@async
---@param number string of the request
---@param rx momo.Receiver
---@param timeout number
---@return momo.nats.Message? message
---@return string? err
---@return string? code
function Connection:await(number, rx, timeout)
  local ok, message, err, code = xpcall(rx.recv, native.traceback_capture, rx, timeout)
  self.requests[number] = nil
  if not ok then
    native.rethrow(message)
  elseif code == "EOF" then
    return self:why_closed()
  end
  return message, err, code
end

---Waits until the rest of each subscription is received.
---@async
function Connection:drain()
  local open = {}
  for sid, subscription in each(self.subscriptions) do
    if subscription.handler == subscriptions.deliver then
      self:unsubscribe(subscription)
      open[sid] = subscription
    end
  end
  local ok, err, code = self:flush()
  for _, subscription in each(open) do
    subscriptions.finish(subscription)
  end
  for _, subscription in each(open) do
    while not subscriptions.is_done(subscription) do
      self.ended:notified(LOOK_AGAIN)
    end
  end
  if ok then
    ok, err, code = self:flush()
  end
  return ok, err, code
end

---@async
---@param client momo.nats.Client
---@param given string|string[]
---@param options momo.nats.ConnectOptions with all defaults
---@return momo.nats.Connection? connection
---@return string? err
---@return string? code
function M.open(client, given, options)
  local self = setmetatable({
    client = client, options = options, servers = servers.list(given), turn = 0, state = "connected",
    introduced = false, outbox = Outbox(options.outbox), ended = sync.Notify(), subscriptions = {}, last_sid = 0,
    pongs = {}, requests = {}, last_request = 0, inbox = "_INBOX." .. token() .. ".",
  }, Connection)
  local err, code
  self.link, err, code = keeper.try_all(self)
  if not self.link then
    return nil, err, code
  end
  self.task = tasks.spawn_daemon(keeper.work, self)
  self.task:set_name "nats"
  tasks.yield_now() -- it begins: a cancellation finds it where it writes what waits
  return self
end

return M
