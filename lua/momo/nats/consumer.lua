---Consumers of a stream of JetStream: messages are fetched, and come again until they are acknowledged.

local check = require "momo.internal.check"
local encode = require "momo.nats.body"
local messages = require "momo.nats.message"
local names = require "momo.internal.names"
local native = require("momo.internal.core").native
local time = require "momo.time"

local M = {}

local NANOSECONDS = 1e9
local MARGIN = 0.2 -- seconds before ours that the server gives up
local EXPIRES = 30 -- seconds, after which who waits without a limit asks anew
local ACK_SECONDS = 5
local ANSWER_SECONDS = 2 -- after which it is asked whether the consumer is still there
local NO_MESSAGES, TIME_OVER, CONFLICT, HEARTBEAT = 404, 408, 409, 100
local GONE = "ECONNABORTED: JetStream has no such consumer any more: software caused connection abort"
-- Conflicts that pass: the server says so in place of messages.
local PASSING = { "Server Shutdown", "Leadership Change", "Exceeded MaxWaiting" }

---A message of a stream; who does not acknowledge it gets it again.
---@class momo.nats.StreamMessage: momo.nats.Message
local StreamMessage = messages.extend { __name = "momo.nats.StreamMessage" }

---@class momo.nats.Metadata
---@field stream string
---@field consumer string
---@field delivered integer how often it has come, from 1
---@field sequence integer its number in the stream
---@field consumer_sequence integer
---@field time number when it was stored: seconds of the system's clock
---@field pending integer messages that are to come after it

---@async
local function acknowledge(self, text)
  return self.client:publish(self.reply, text)
end

---It is done with. Nobody waits for the server to know that; `ack_sync` does.
---
---Codes: those of `publish`.
---@async
---@return true? ok
---@return string? err
---@return string? code
function StreamMessage:ack()
  check.self(self, StreamMessage, "message", "ack")
  return acknowledge(self, "+ACK")
end

---It is done with, and the server knows it.
---
---Codes: those of `request`.
---@async
---@param timeout number? seconds; 5
---@return true? ok
---@return string? err
---@return string? code
function StreamMessage:ack_sync(timeout)
  check.self(self, StreamMessage, "message", "ack_sync")
  check.seconds(timeout, "ack_sync")
  local answer, err, code = self.client:request(self.reply, "+ACK", timeout or ACK_SECONDS)
  return answer and true, err, code
end

---It could not be done: it shall come again.
---
---Codes: those of `publish`.
---@async
---@param delay number? seconds; at once
---@return true? ok
---@return string? err
---@return string? code
function StreamMessage:nak(delay)
  check.self(self, StreamMessage, "message", "nak")
  check.seconds(delay, "nak")
  return acknowledge(self, delay and ("-NAK {\"delay\": %d}"):format(delay * NANOSECONDS) or "-NAK")
end

---It can't be done, and shall not come again.
---
---Codes: those of `publish`.
---@async
---@return true? ok
---@return string? err
---@return string? code
function StreamMessage:term()
  check.self(self, StreamMessage, "message", "term")
  return acknowledge(self, "+TERM")
end

---It takes longer: the time until it comes again begins anew.
---
---Codes: those of `publish`.
---@async
---@return true? ok
---@return string? err
---@return string? code
function StreamMessage:in_progress()
  check.self(self, StreamMessage, "message", "in_progress")
  return acknowledge(self, "+WPI")
end

---Where it comes from, and how often it has come.
---@return momo.nats.Metadata metadata
function StreamMessage:metadata()
  check.self(self, StreamMessage, "message", "metadata")
  local words = {}
  for word in self.reply:gmatch "[^.]+" do
    words[#words + 1] = word
  end
  local first = #words > 9 and 5 or 3 -- newer servers tell domain and account before
  return {
    stream = words[first],
    consumer = words[first + 1],
    delivered = tonumber(words[first + 2]),
    sequence = tonumber(words[first + 3]),
    consumer_sequence = tonumber(words[first + 4]),
    time = tonumber(words[first + 5]) / NANOSECONDS,
    pending = tonumber(words[first + 6]),
  }
end

---A consumer. Several tasks, and several processes, may fetch from one.
---@class momo.nats.Consumer
---@field stream string
---@field name string
---@field private jetstream momo.nats.JetStream
---@field private client momo.nats.Client
---@field private prefix string
---@field private ordered boolean? what is not acknowledged does not come again: a message may not be missed
---@field private torn boolean? messages may have been sent that did not come
local Consumer = { __name = "momo.nats.Consumer" }
Consumer.__index = Consumer
names.objects(Consumer, "consumer")

---@return momo.nats.Consumer
function M.new(jetstream, client, prefix, info)
  return setmetatable({
    jetstream = jetstream, client = client, prefix = prefix, stream = info.stream_name, name = info.name,
  }, Consumer)
end

---What the consumer is, and how far it is.
---
---Codes: those of `api`.
---@async
---@return table? info `info.num_pending`, `info.num_ack_pending` and others, as JetStream tells them
---@return string? err
---@return string? code
function Consumer:info()
  check.self(self, Consumer, "consumer", "info")
  return self.jetstream:api(("CONSUMER.INFO.%s.%s"):format(self.stream, self.name))
end

-- What the server says in place of a message: nil where it is one.
local function status_of(message)
  local status = message.status
  if not status then
    return nil
  elseif status == NO_MESSAGES or status == TIME_OVER then
    return "end"
  elseif status == HEARTBEAT then
    return "go on"
  elseif status == CONFLICT and message.description:find "Batch Completed" then
    return "end"
  end
  return "failed"
end

-- Why there will be no message.
local function failure(message)
  if message.status == 503 then
    return "EHOSTUNREACH: JetStream does not answer: no route to host", "EHOSTUNREACH"
  end
  local code = "ECONNABORTED"
  for _, text in ipairs(PASSING) do
    code = message.description:find(text, 1, true) and "EAGAIN" or code
  end
  return ("%s: JetStream: %s"):format(code, message.description), code
end

---@async
local function collect(rx, n, timeout)
  local got, deadline = {}, time.now() + timeout
  while #got < n do
    local message, err, code = rx:recv(math.max(0, deadline - time.now()))
    if not message then
      return got, err, code
    end
    local status = status_of(message)
    if not status then
      got[#got + 1] = setmetatable(message, StreamMessage)
    elseif status == "end" then
      return got
    elseif status == "failed" then
      return got, failure(message)
    end
  end
  return got
end

---@async
local function ask(self, rx, n, body, timeout)
  local subject = ("%s.CONSUMER.MSG.NEXT.%s.%s"):format(self.prefix, self.stream, self.name)
  local ok, err, code = self.client:publish(subject, encode(body), { reply = rx.subject, timeout = timeout })
  if not ok then
    return {}, err, code
  end
  return collect(rx, n, timeout)
end

-- Asks for n messages, and waits so many seconds for the answer.
---@async
---@param body table what else is asked
---@return momo.nats.StreamMessage[]? messages
---@return string? err
---@return string? code
---@return ("lost"|"silent")? state the link was lost on which it was asked, or nobody has answered in time
local function pull(self, n, body, timeout)
  local connection = self.client.connection
  if connection.state == "closed" then
    return connection:why_closed()
  end
  body.batch = n
  local rx = connection:expect_many(n + 8)
  local done, got, err, code = xpcall(ask, native.traceback_capture, self, rx, n, body, timeout)
  rx:close()
  local state = rx.lost and "lost" or code == "ETIMEDOUT" and "silent" or nil
  self.torn = self.torn or state ~= nil or not done
  if not done then
    native.rethrow(got)
  elseif got[1] then
    return got
  end
  return nil, err or "ETIMEDOUT: there is no message: operation timed out", code or "ETIMEDOUT", state
end

-- Whether the server has forgotten the consumer: it leaves unanswered what is asked of one that is not there.
---@async
local function is_gone(self, seconds)
  local _, _, code = time.timeout(seconds, self.info, self)
  return code == "ENOENT"
end

-- What is there; else the first that comes. So a batch that does not fill keeps nobody waiting. It begins anew when the
-- link is lost.
---@async
local function fetch(self, n, timeout)
  local deadline = time.now() + timeout
  while not (self.ordered and self.torn) do
    local limit = timeout == 0 and ACK_SECONDS or math.min(ANSWER_SECONDS, math.max(deadline - time.now(), MARGIN))
    local got, err, code, state = pull(self, n, { no_wait = true }, limit)
    local left = deadline - time.now()
    if state == "silent" and left > 0 and is_gone(self, left) then
      return nil, GONE, "ECONNABORTED"
    end
    left = deadline - time.now()
    if not got and state ~= "lost" and code == "ETIMEDOUT" and left > 0 and not (self.ordered and self.torn) then
      local expires = math.floor(math.max(left - MARGIN, left / 2) * NANOSECONDS)
      got, err, code, state = pull(self, 1, { expires = expires }, left)
    end
    if got or state ~= "lost" or time.now() >= deadline then
      return got, err, code
    end
  end
  return nil, "ECONNABORTED: messages may have been lost: software caused connection abort", "ECONNABORTED"
end

---Up to n messages: those that are there, or else the first that comes.
---
---Codes: ETIMEDOUT there is none; EHOSTUNREACH JetStream does not answer; EAGAIN it is not ready; ECONNABORTED the
---consumer is not there any more or has ended it, with the server's text; those of `publish`.
---@async
---@param n integer
---@param timeout number? seconds; 0 takes what is there; 5
---@return momo.nats.StreamMessage[]? messages
---@return string? err
---@return string? code
function Consumer:fetch(n, timeout)
  check.self(self, Consumer, "consumer", "fetch")
  check.argument(check.is_whole(n) and n >= 1, "fetch: argument 1 must be a whole number from 1", n)
  check.seconds(timeout, "fetch")
  return fetch(self, n, timeout or ACK_SECONDS)
end

---The next message.
---
---Codes: those of `fetch`.
---@async
---@param timeout number? seconds; without one it waits for it
---@return momo.nats.StreamMessage? message
---@return string? err
---@return string? code
function Consumer:next(timeout)
  check.self(self, Consumer, "consumer", "next")
  check.seconds(timeout, "next")
  while true do
    local got, err, code = fetch(self, 1, timeout or EXPIRES)
    if got then
      return got[1]
    elseif timeout or code ~= "ETIMEDOUT" then
      return nil, err, code
    end
  end
end

---Iterates over messages as they come, also after a link was lost, until the consumer is deleted or the client closed.
---@async
---@param batch integer? messages that are fetched at a time; 1
---@return fun(): momo.nats.StreamMessage? next for the `for` loop; at the end nil, err, code
function Consumer:iter(batch)
  check.self(self, Consumer, "consumer", "iter")
  check.argument(batch == nil or check.is_whole(batch) and batch >= 1, "iter: the batch must be a whole number from 1",
    batch)
  local got, i = {}, 0
  return function()
    while not got[i + 1] do
      local more, err, code = fetch(self, batch or 1, EXPIRES)
      if more then
        got, i = more, 0
      elseif code == "EAGAIN" or code == "EHOSTUNREACH" then
        time.sleep(MARGIN)
      elseif code ~= "ETIMEDOUT" then
        return nil, err, code
      end
    end
    i = i + 1
    return got[i]
  end
end

return M
