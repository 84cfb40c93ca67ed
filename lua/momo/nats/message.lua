---Messages that were received.

local check = require "momo.internal.check"
local names = require "momo.internal.names"

local M = {}

---A message that was received.
---@class momo.nats.Message
---@field subject string
---@field data string
---@field reply string? where its sender awaits an answer
---@field headers table<string, string|string[]>? those that came more than once as an array
---@field status integer? what the server says of itself, such as 503
---@field description string? of the status
---@field private client momo.nats.Client
local Message = { __name = "momo.nats.Message" }
Message.__index = Message
names.objects(Message, "message")
local kinds = { [Message] = true } -- whose objects have its methods

---Answers it, as `publish` does.
---
---Codes: EDESTADDRREQ it asks for no answer; those of `publish`.
---@async
---@param data string
---@param options momo.nats.PublishOptions?
---@return true? ok
---@return string? err
---@return string? code
function Message:respond(data, options)
  if not kinds[getmetatable(self)] then
    check.self(self, Message, "message", "respond")
  end
  if not self.reply then
    return nil, "EDESTADDRREQ: the message asks for no answer", "EDESTADDRREQ"
  end
  return self.client:publish(self.reply, data, options)
end

---@param client momo.nats.Client
---@return momo.nats.Message
function M.new(client, subject, reply, data)
  return setmetatable({ subject = subject, data = data, reply = reply, client = client }, Message)
end

---A kind of message that can do more.
---@generic T: table
---@param class T
---@return T
function M.extend(class)
  class.__index, kinds[class] = class, true
  return names.class(class, Message, "message")
end

return M
