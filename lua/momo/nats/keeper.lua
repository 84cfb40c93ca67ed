---Private: the task of a client. It keeps a link to a server, and makes another one when it breaks; in it one task
---reads, one writes, one asks whether the server still lives.

local each = require "momo.internal.each"
local links = require "momo.nats.link"
local native = require("momo.internal.core").native
local receive = require "momo.nats.receive"
local scopes = require "momo.internal.scope"
local servers = require "momo.nats.servers"
local time = require "momo.time"

local M = {}

local UNANSWERED_MAX = 2 -- questions whether the server lives
local FIRST_WAIT = 0.05 -- seconds between two rounds of all servers; then twice as long each time
local LAST_WORDS = 1 -- seconds for what is still to be written when the program ends

---How a server is told of a subscription.
---@param subscription momo.nats.Subscription
---@return string
function M.subscribe_line(subscription)
  return ("SUB %s %s %d\r\n"):format(subscription.subject, subscription.queue or "", subscription.sid)
end

---And that it ends after so many more messages.
---@param subscription momo.nats.Subscription
---@return string
function M.limit_line(subscription)
  local left = subscription.max - subscription.received
  return left < math.huge and ("UNSUB %d %d\r\n"):format(subscription.sid, left) or ""
end

---@async
local function write(self)
  local stream, blocks = self.link.stream, {}
  for _, subscription in each(self.subscriptions) do -- which a new server has to be told
    blocks[#blocks + 1] = M.subscribe_line(subscription) .. M.limit_line(subscription)
  end
  self.introduced = true
  while true do
    if blocks[1] then
      self.writing = true
      local n, err, code = stream:write(blocks)
      self.writing = false
      if not n then
        return err, code
      end
    end
    self.outbox:await()
    blocks = self.outbox:take()
    if self.flushing then
      blocks[#blocks + 1] = "PING\r\n"
      self.pongs[#self.pongs + 1], self.flushing = self.flushing, nil
    end
  end
end

---@async
local function watch(self)
  while true do
    time.sleep(self.options.ping_interval)
    if self.unanswered >= UNANSWERED_MAX then
      return ("ETIMEDOUT: %s does not answer any more"):format(self.link.server.address), "ETIMEDOUT"
    end
    self.unanswered = self.unanswered + 1
    self.flushing = self.flushing or {}
    self.outbox:wake()
  end
end

---Uses the link until it breaks.
---@async
local function use(self)
  self.unanswered, self.pongs, self.writing = 0, {}, false
  servers.add(self.servers, self.link.info.connect_urls, self.link.server)
  local _, err, code = scopes.race {
    function() return receive(self) end,
    function() return write(self) end,
    function() return watch(self) end,
  }
  self.link.stream:close()
  return err, code
end

---Tries each server once.
---@async
---@param self momo.nats.Connection
---@return momo.nats.Link? link
---@return string? err
---@return string? code
function M.try_all(self)
  local list, err, code = self.servers, nil, nil
  for i = 1, #list do
    local server = list[(self.turn + i - 1) % #list + 1]
    local link
    link, err, code = time.timeout(self.options.connect_timeout, links.open, server, self.options)
    if link then
      self.turn = (self.turn + i) % #list
      return link
    end
  end
  return nil, err, code
end

---@async
local function reconnect(self)
  local wait, told = FIRST_WAIT, false
  while true do
    local link, err, code = M.try_all(self)
    if link then
      return link
    elseif code == "EACCES" and not told then
      self:tell("error", err)
      told = true
    end
    time.sleep(wait * (0.5 + math.random()))
    wait = math.min(2 * wait, self.options.reconnect_wait)
  end
end

---@async
local function live(self)
  while true do
    local err, code = use(self)
    if self.state == "closed" then
      return
    end
    self.lost, self.introduced = { err, code }, false
    self:fail_flushes()
    self:fail_pulls(err, code)
    if not self.options.reconnect then
      self:tell("closed", err)
      return self:finish(err, code)
    end
    self:tell("disconnected", err)
    self.state = self.state == "connected" and "reconnecting" or self.state
    self.link = reconnect(self)
    self.state = self.state == "reconnecting" and "connected" or self.state
    self:tell("reconnected", self.link.server.address)
  end
end

-- What was not written is, when the program ends before the client is closed.
---@async
local function say_rest(self)
  local rest = self.outbox:take()
  if not self.writing and rest[1] then
    self.link.stream:write(rest)
  end
end

---What the task does.
---@async
---@param self momo.nats.Connection
function M.work(self)
  local ok, err = xpcall(live, native.traceback_capture, self)
  if not ok then
    if self.state ~= "closed" then
      scopes.shield(time.timeout, LAST_WORDS, say_rest, self)
      self:finish()
    end
    native.rethrow(err)
  end
end

return M
