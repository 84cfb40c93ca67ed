---Private: what a server sends to a client.

local each = require "momo.internal.each"
local headers = require "momo.nats.headers"
local links = require "momo.nats.link"
local messages = require "momo.nats.message"
local servers = require "momo.nats.servers"
local subscriptions = require "momo.nats.subscription"

local SPACE = 32
local HEADS_MAX = 1000 -- lines that are known

local function take_message(self, sid, message)
  local subscription = self.subscriptions[sid]
  if subscription then
    subscription.received = subscription.received + 1
    subscription.handler(subscription, message)
    if subscription.received >= subscription.max then
      subscriptions.finish(subscription)
    end
  end
end

-- Where an answer is awaited, of the text with the space behind it, or ""; false: it is neither.
local function reply_of(text)
  if text ~= "" then
    return text:byte(-1) == SPACE and text:sub(1, -2)
  end
end

local function malformed(text)
  return ("EPROTO: the server sent %q"):format(text:sub(1, 100)), "EPROTO"
end

---@async
local function receive_message(self, head, reply)
  local data, err, code = self.link:exact(head.size)
  if not data then
    return err, code
  end
  take_message(self, head.sid, messages.new(self.client, head.subject, reply, data))
end

---What there is for each first word: returns an error and its code where the link is no good any more.
local WORDS = {
  ---@async
  MSG = function(self, text)
    local subject, sid, reply, size = text:match "^MSG (%S+) (%d+) (%S- ?)(%d+)$"
    reply = reply and reply_of(reply)
    if not subject or reply == false then
      return malformed(text)
    end
    local head = { subject = subject, sid = tonumber(sid), size = tonumber(size) }
    if not reply then -- that line comes again and again
      self.link:know(text, head, HEADS_MAX)
    end
    return receive_message(self, head, reply)
  end,

  ---@async
  HMSG = function(self, text)
    local subject, sid, reply, head, size = text:match "^HMSG (%S+) (%d+) (%S- ?)(%d+) (%d+)$"
    reply, head, size = reply and reply_of(reply), tonumber(head), tonumber(size)
    if not subject or reply == false or head > size then
      return malformed(text)
    end
    local bytes, err, code = self.link:exact(size)
    if not bytes then
      return err, code
    end
    local message = messages.new(self.client, subject, reply, bytes:sub(head + 1))
    message.headers, message.status, message.description = headers.decode(bytes:sub(1, head))
    if not message.headers then
      return malformed(bytes:sub(1, head))
    end
    take_message(self, tonumber(sid), message)
  end,

  PING = function(self)
    self.outbox:line "PONG"
  end,

  PONG = function(self)
    self.unanswered = 0
    for _, tx in ipairs(table.remove(self.pongs, 1) or {}) do
      tx:send(true)
    end
  end,

  INFO = function(self, text)
    local info, err, code = links.decode_info(text:sub(6))
    if not info then
      return err, code
    end
    self.link.info = info
    servers.add(self.servers, info.connect_urls, self.link.server)
    if info.ldm == true then
      self:tell("lame_duck", self.link.server.address .. " will soon end")
    end
  end,

  ["+OK"] = function() end,

  ["-ERR"] = function(self, text)
    text = ("%s says: %s"):format(self.link.server.address, text:match "'(.*)'" or text)
    self:tell("error", text)
    local forbidden = text:match 'Permissions Violation for Subscription to "([^"]*)"'
    for _, subscription in each(self.subscriptions) do
      if subscription.subject == forbidden then
        subscriptions.finish(subscription, ("EACCES: %s: permission denied"):format(text), "EACCES")
      end
    end
  end,
}

---Reads what the server sends, until the link is no good any more.
---@async
---@param self momo.nats.Connection
---@return string err
---@return string code
return function(self)
  while true do
    local text, err, code = self.link:line()
    if not text then
      return err, code
    end
    local head = self.link.heads[text]
    if head then
      err, code = receive_message(self, head)
    else
      local word = WORDS[text:match "^%S+"]
      if not word then
        return malformed(text)
      end
      err, code = word(self, text)
    end
    if err then
      return err, code
    end
  end
end
