---JetStream: streams that keep messages until they are acknowledged, or as long as their settings say.

local check = require "momo.internal.check"
local encode = require "momo.nats.body"
local each = require "momo.internal.each"
local consumers = require "momo.nats.consumer"
local json = require "momo.http.json"
local names = require "momo.internal.names"
local time = require "momo.time"

local M = {}

local SECONDS = 5 -- that an answer may take
local AGAIN = 0.25 -- seconds: JetStream may have no leader yet

---@class momo.nats.JetStreamOptions
---@field domain string?
---@field prefix string? of the subjects of its API; "$JS.API"
---@field timeout number? seconds for each answer; 5

---@class momo.nats.JetStreamPublishOptions
---@field id string? a message whose id the stream has seen lately is stored once
---@field headers table<string, string|string[]>?
---@field timeout number? seconds
---@field expect_stream string?
---@field expect_last_sequence integer?
---@field expect_last_id string?
---@field expect_last_subject_sequence integer?

---@class momo.nats.Ack
---@field stream string that has stored it
---@field seq integer its number there
---@field duplicate boolean? it was there already

local PUBLISH_OPTIONS = {
  id = "string", headers = "table", timeout = "number", expect_stream = "string", expect_last_sequence = "number",
  expect_last_id = "string", expect_last_subject_sequence = "number",
}
local FIELDS = {
  id = "Nats-Msg-Id", expect_stream = "Nats-Expected-Stream", expect_last_sequence = "Nats-Expected-Last-Sequence",
  expect_last_id = "Nats-Expected-Last-Msg-Id",
  expect_last_subject_sequence = "Nats-Expected-Last-Subject-Sequence",
}
local NOT_LAST = { [10070] = true, [10071] = true, [10164] = true }

---The face of a server's JetStream.
---@class momo.nats.JetStream
---@field private client momo.nats.Client
---@field private prefix string
---@field private timeout number
local JetStream = { __name = "momo.nats.JetStream" }
JetStream.__index = JetStream
names.objects(JetStream, "jetstream")

---@param client momo.nats.Client
---@param options momo.nats.JetStreamOptions?
---@return momo.nats.JetStream
function M.new(client, options)
  options = check.options(options, { domain = "string", prefix = "string", timeout = "number" }, "jetstream")
  return setmetatable({
    client = client,
    prefix = options.prefix or options.domain and ("$JS.%s.API"):format(options.domain) or "$JS.API",
    timeout = options.timeout or SECONDS,
  }, JetStream)
end

-- What an error of the server's is called here.
local function code_of(err)
  if NOT_LAST[err.err_code] then
    return "ESTALE"
  elseif err.code == 404 then
    return "ENOENT"
  elseif err.code == 503 then
    return "EAGAIN"
  end
  return "EREMOTEIO"
end

---@param text string
---@return table? answer
---@return string? err
---@return string? code
local function decode(text)
  local answer, err, code = json.decode(text)
  if type(answer) ~= "table" then
    return nil, err or "EPROTO: JetStream answered no object", code or "EPROTO"
  elseif type(answer.error) == "table" then
    code = code_of(answer.error)
    return nil, ("%s: JetStream: %s"):format(code, tostring(answer.error.description)), code
  end
  return answer
end

-- Asks until somebody is there to answer, or the time is over.
---@async
local function ask(self, subject, text, timeout, fields)
  local deadline = time.now() + timeout
  while true do
    local left = math.max(0, deadline - time.now())
    local message, err, code = self.client:request(subject, text, left, fields)
    if code ~= "EHOSTUNREACH" then
      return message, err, code
    elseif left <= AGAIN then
      return nil, "EHOSTUNREACH: no stream takes it, or JetStream is not on: no route to host", code
    end
    time.sleep(AGAIN)
  end
end

---Calls JetStream's API, for what has no function here.
---
---Codes: ENOENT there is no such stream, consumer or message; ESTALE it is not the last any more; EAGAIN JetStream is
---not ready; EREMOTEIO other errors of the server's, with its text; those of `request`.
---@async
---@param name string such as "STREAM.INFO.ORDERS"
---@param body table? is sent as JSON
---@return table? answer
---@return string? err
---@return string? code
function JetStream:api(name, body)
  check.self(self, JetStream, "jetstream", "api")
  local message, err, code = ask(self, self.prefix .. "." .. name, body and encode(body) or "", self.timeout)
  if not message then
    return nil, err, code
  end
  return decode(message.data)
end

local function check_name(name, who)
  if type(name) ~= "string" or not name:find "^[^%s%z.*>/\\]+$" then
    check.fail(("%s: a name must be a text without spaces, dots and slashes, got %s"):format(who, check.show(name)))
  end
  return name
end

---Publishes a message and waits until the stream has stored it. Called again with the same `id`, it is stored once.
---
---Codes: ETIMEDOUT perhaps it is stored; EHOSTUNREACH no stream takes the subject; ESTALE an `expect_` option does not
---hold; those of `api`.
---@async
---@param subject string
---@param data string
---@param options momo.nats.JetStreamPublishOptions?
---@return momo.nats.Ack? ack
---@return string? err
---@return string? code
function JetStream:publish(subject, data, options)
  check.self(self, JetStream, "jetstream", "publish")
  options = check.options(options, PUBLISH_OPTIONS, "publish")
  local fields
  for option, name in each(FIELDS) do
    if options[option] then
      fields = fields or {}
      fields[name] = options[option]
    end
  end
  for name, value in each(options.headers or {}) do
    fields = fields or {}
    fields[name] = value
  end
  local message, err, code = ask(self, subject, data, options.timeout or self.timeout, fields)
  if not message then
    return nil, err, code
  end
  return decode(message.data)
end

---Makes a stream, or changes its settings to these.
---
---Codes: those of `api`.
---@async
---@param settings table as JetStream has them: `{ name = "ORDERS", subjects = { "orders.>" } }`;
---times are in nanoseconds
---@return table? info
---@return string? err
---@return string? code
function JetStream:stream(settings)
  check.self(self, JetStream, "jetstream", "stream")
  check.argument(type(settings) == "table", "stream: argument 1 must be a table of settings", settings)
  local name = check_name(settings.name, "stream")
  local info, err, code = self:api("STREAM.CREATE." .. name, settings)
  if not info and code == "EREMOTEIO" and err:find "already in use" then
    return self:api("STREAM.UPDATE." .. name, settings)
  end
  return info, err, code
end

---What a stream is and holds.
---
---Codes: those of `api`.
---@async
---@param name string
---@return table? info `info.state.messages` and others, as JetStream tells them
---@return string? err
---@return string? code
function JetStream:stream_info(name)
  check.self(self, JetStream, "jetstream", "stream_info")
  return self:api("STREAM.INFO." .. check_name(name, "stream_info"))
end

---Deletes a stream and all that it holds.
---
---Codes: those of `api`.
---@async
---@param name string
---@return true? ok
---@return string? err
---@return string? code
function JetStream:delete_stream(name)
  check.self(self, JetStream, "jetstream", "delete_stream")
  local answer, err, code = self:api("STREAM.DELETE." .. check_name(name, "delete_stream"))
  return answer and true, err, code
end

---Makes a consumer of a stream that stays, or uses the one of that name: each message goes to one of those who fetch
---from it, and comes again until it is acknowledged.
---
---Codes: those of `api`.
---@async
---@param stream string
---@param name string
---@param settings table? as JetStream has them: `{ filter_subject = "orders.eu.*", max_deliver = 5 }`
---@return momo.nats.Consumer? consumer
---@return string? err
---@return string? code
function JetStream:consumer(stream, name, settings)
  check.self(self, JetStream, "jetstream", "consumer")
  check_name(stream, "consumer")
  check_name(name, "consumer")
  local config = { durable_name = name, ack_policy = "explicit", deliver_policy = "all" }
  for key, value in each(settings or {}) do
    config[key] = value
  end
  local info, err, code = self:api(("CONSUMER.DURABLE.CREATE.%s.%s"):format(stream, name),
    { stream_name = stream, config = config })
  if not info then
    return nil, err, code
  end
  return consumers.new(self, self.client, self.prefix, info)
end

---Makes a consumer without a name, which JetStream forgets when nobody has used it for a while.
---
---Codes: those of `api`.
---@async
---@param stream string
---@param settings table?
---@return momo.nats.Consumer? consumer
---@return string? err
---@return string? code
function JetStream:ephemeral(stream, settings)
  check.self(self, JetStream, "jetstream", "ephemeral")
  check_name(stream, "ephemeral")
  local config = { ack_policy = "explicit", deliver_policy = "all" }
  for key, value in each(settings or {}) do
    config[key] = value
  end
  local info, err, code = self:api("CONSUMER.CREATE." .. stream, { stream_name = stream, config = config })
  if not info then
    return nil, err, code
  end
  return consumers.new(self, self.client, self.prefix, info)
end

---Deletes a consumer.
---
---Codes: those of `api`.
---@async
---@param stream string
---@param name string
---@return true? ok
---@return string? err
---@return string? code
function JetStream:delete_consumer(stream, name)
  check.self(self, JetStream, "jetstream", "delete_consumer")
  local answer, err, code = self:api(("CONSUMER.DELETE.%s.%s"):format(check_name(stream, "delete_consumer"),
    check_name(name, "delete_consumer")))
  return answer and true, err, code
end

---Values by key, of which a stream keeps the last ones; made if there is none of that name.
---
---Codes: those of `api`.
---@async
---@param bucket string
---@param options momo.nats.KeyValueOptions?
---@return momo.nats.KeyValue? kv
---@return string? err
---@return string? code
function JetStream:key_value(bucket, options)
  check.self(self, JetStream, "jetstream", "key_value")
  return require("momo.nats.kv").open(self, check_name(bucket, "key_value"), options)
end

return M
