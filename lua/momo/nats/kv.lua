---Values by key, kept by a stream of JetStream: bucket B is the stream KV_B, key K of it the subject $KV.B.K.

local check = require "momo.internal.check"
local names = require "momo.internal.names"
local time = require "momo.time"

local M = {}

local NANOSECONDS = 1e9
local HISTORY_MAX = 64
local NOT_FOUND = 404
local AGAIN = 0.25 -- seconds: JetStream may be away
local NOBODY = "_INBOX.nobody" -- JetStream does nothing for who wants no answer
local UNUSED = 60 -- seconds after which the server forgets who watches and has not asked for more
local ALL_PENDING = 256 -- messages fetched at a time

---@class momo.nats.KeyValueOptions
---@field history integer? values that are kept of each key; 1
---@field ttl number? seconds that a value is kept
---@field max_bytes integer?
---@field storage ("file"|"memory")? "file"
---@field replicas integer?
---@field description string?

---@class momo.nats.Entry
---@field key string
---@field value string "" where it was deleted
---@field revision integer
---@field operation "put"|"delete"|"purge"

local OPTIONS = {
  history = "number", ttl = "number", max_bytes = "number", storage = "string", replicas = "number",
  description = "string",
}
local AWAY = { EAGAIN = true, EHOSTUNREACH = true, ETIMEDOUT = true }
local OPERATIONS = { DEL = "delete", PURGE = "purge" }

---A bucket of values by key.
---@class momo.nats.KeyValue
---@field bucket string
---@field private jetstream momo.nats.JetStream
---@field private client momo.nats.Client
---@field private prefix string of subjects
---@field private stream string
local KeyValue = { __name = "momo.nats.KeyValue" }
KeyValue.__index = KeyValue
names.objects(KeyValue, "kv")

---@async
---@param jetstream momo.nats.JetStream
---@param bucket string
---@param options momo.nats.KeyValueOptions?
---@return momo.nats.KeyValue? kv
---@return string? err
---@return string? code
function M.open(jetstream, bucket, options)
  options = check.options(options, OPTIONS, "key_value")
  local history = options.history
  check.argument(history == nil or check.is_whole(history) and history >= 1 and history <= HISTORY_MAX,
    ("key_value: option history must be a whole number from 1 to %d"):format(HISTORY_MAX), history)
  local stream = "KV_" .. bucket
  local info, err, code = jetstream:stream_info(stream)
  if code == "ENOENT" then
    info, err, code = jetstream:stream {
      name = stream, subjects = { ("$KV.%s.>"):format(bucket) }, description = options.description,
      max_msgs_per_subject = history or 1, max_age = options.ttl and options.ttl * NANOSECONDS or 0,
      max_bytes = options.max_bytes or -1, storage = options.storage or "file", num_replicas = options.replicas or 1,
      discard = "new", allow_rollup_hdrs = true, deny_delete = true, allow_direct = true,
    }
  end
  if not info then
    return nil, err, code
  end
  return setmetatable({
    bucket = bucket, jetstream = jetstream, client = jetstream.client, prefix = ("$KV.%s."):format(bucket),
    stream = stream,
  }, KeyValue)
end

local function check_key(key, who)
  if type(key) ~= "string" or not key:find "^[-/_=.%w]+$" or ("." .. key .. "."):find("..", 1, true) then
    check.fail(("%s: a key must be of letters, digits and -/_=. , got %s"):format(who, check.show(key)))
  end
  return key
end

local function entry(self, message, subject, revision)
  return {
    key = subject:sub(#self.prefix + 1),
    value = message.data,
    revision = revision,
    operation = message.headers and OPERATIONS[message.headers["KV-Operation"]] or "put",
  }
end

---@async
local function last_of(self, key)
  local subject = ("%s.DIRECT.GET.%s.%s%s"):format(self.jetstream.prefix, self.stream, self.prefix, key)
  local message, err, code = self.client:request(subject, "", self.jetstream.timeout)
  if not message then
    return nil, err, code
  elseif message.status == NOT_FOUND then
    return nil, ("ENOENT: %s has no %s: no such entry"):format(self.bucket, key), "ENOENT"
  elseif message.status then
    return nil, ("EREMOTEIO: JetStream: %s"):format(message.description), "EREMOTEIO"
  end
  return entry(self, message, message.headers["Nats-Subject"], tonumber(message.headers["Nats-Sequence"]))
end

---The value of a key.
---
---Codes: ENOENT it has none; EREMOTEIO other errors of the server's; those of `request`.
---@async
---@param key string
---@return momo.nats.Entry? entry
---@return string? err
---@return string? code
function KeyValue:get(key)
  check.self(self, KeyValue, "kv", "get")
  local found, err, code = last_of(self, check_key(key, "get"))
  if found and found.operation ~= "put" then
    return nil, ("ENOENT: %s was deleted from %s: no such entry"):format(key, self.bucket), "ENOENT"
  end
  return found, err, code
end

---@async
local function store(self, key, value, options)
  local ack, err, code = self.jetstream:publish(self.prefix .. key, value, options)
  return ack and ack.seq, err, code
end

---Sets a value, whatever it was before.
---
---Codes: those of `JetStream.publish`.
---@async
---@param key string
---@param value string
---@return integer? revision
---@return string? err
---@return string? code
function KeyValue:put(key, value)
  check.self(self, KeyValue, "kv", "put")
  return store(self, check_key(key, "put"), value)
end

---Sets a value if the last one is still that of the revision.
---
---Codes: ESTALE somebody else has changed it; those of `JetStream.publish`.
---@async
---@param key string
---@param value string
---@param revision integer
---@return integer? revision
---@return string? err
---@return string? code
function KeyValue:update(key, value, revision)
  check.self(self, KeyValue, "kv", "update")
  check.argument(check.is_whole(revision), "update: the revision must be a whole number", revision)
  return store(self, check_key(key, "update"), value, { expect_last_subject_sequence = revision })
end

---Sets a value if there is none.
---
---Codes: EEXIST there is one; those of `JetStream.publish`.
---@async
---@param key string
---@param value string
---@return integer? revision
---@return string? err
---@return string? code
function KeyValue:create(key, value)
  check.self(self, KeyValue, "kv", "create")
  check_key(key, "create")
  local revision, err, code = store(self, key, value, { expect_last_subject_sequence = 0 })
  if code == "ESTALE" then
    local last = last_of(self, key)
    if last and last.operation ~= "put" then -- what was deleted leaves a mark
      revision, err, code = store(self, key, value, { expect_last_subject_sequence = last.revision })
    end
  end
  if code == "ESTALE" then
    return nil, ("EEXIST: %s has %s already: file exists"):format(self.bucket, key), "EEXIST"
  end
  return revision, err, code
end

---Deletes a value; what it was before is kept, as far as the bucket keeps a history.
---
---Codes: those of `JetStream.publish`.
---@async
---@param key string
---@return integer? revision
---@return string? err
---@return string? code
function KeyValue:delete(key)
  check.self(self, KeyValue, "kv", "delete")
  return store(self, check_key(key, "delete"), "", { headers = { ["KV-Operation"] = "DEL" } })
end

---Deletes a value with its history.
---
---Codes: those of `JetStream.publish`.
---@async
---@param key string
---@return integer? revision
---@return string? err
---@return string? code
function KeyValue:purge(key)
  check.self(self, KeyValue, "kv", "purge")
  return store(self, check_key(key, "purge"), "", { headers = { ["KV-Operation"] = "PURGE", ["Nats-Rollup"] = "sub" } })
end

---@async
local function consumer_of(self, pattern, settings)
  settings.filter_subject, settings.ack_policy = self.prefix .. pattern, "none"
  local consumer, err, code = self.jetstream:ephemeral(self.stream, settings)
  if consumer then
    consumer.ordered = true
  end
  return consumer, err, code
end

local function entry_of(self, message)
  return entry(self, message, message.subject, message:metadata().sequence)
end

-- All that a consumer has now.
---@async
local function read_all(self, pattern, settings)
  local consumer, err, code = consumer_of(self, pattern, settings)
  if not consumer then
    return nil, err, code
  end
  local entries, pending = {}, 1
  while pending > 0 and not code do
    local got
    got, err, code = consumer:fetch(ALL_PENDING, 0)
    for _, message in ipairs(got or {}) do
      entries[#entries + 1], pending = entry_of(self, message), message:metadata().pending
    end
  end
  self.jetstream:delete_consumer(self.stream, consumer.name)
  if code and code ~= "ETIMEDOUT" then
    return nil, err, code
  end
  return entries
end

---The keys that have a value.
---
---Codes: those of `JetStream.api` and `fetch`.
---@async
---@return string[]? keys
---@return string? err
---@return string? code
function KeyValue:keys()
  check.self(self, KeyValue, "kv", "keys")
  local entries, err, code = read_all(self, ">", { deliver_policy = "last_per_subject", headers_only = true })
  if not entries then
    return nil, err, code
  end
  local keys = {}
  for _, one in ipairs(entries) do
    if one.operation == "put" then
      keys[#keys + 1] = one.key
    end
  end
  return keys
end

---What a key was, from the oldest that is kept on.
---
---Codes: those of `JetStream.api` and `fetch`.
---@async
---@param key string
---@return momo.nats.Entry[]? entries
---@return string? err
---@return string? code
function KeyValue:history(key)
  check.self(self, KeyValue, "kv", "history")
  return read_all(self, check_key(key, "history"), { deliver_policy = "all" })
end

-- Of a consumer of what comes after a revision; 0: of what keys are, first.
local function settings_after(last)
  return {
    deliver_policy = last == 0 and "last_per_subject" or "by_start_sequence",
    opt_start_seq = last > 0 and last + 1 or nil,
    inactive_threshold = UNUSED * NANOSECONDS,
  }
end

-- Such a consumer. It waits while JetStream is away.
---@async
local function watcher(self, pattern, last)
  while true do
    local consumer, err, code = consumer_of(self, pattern, settings_after(last))
    if consumer or not AWAY[code] then
      return consumer, err, code
    end
    time.sleep(AGAIN)
  end
end

---Iterates over what keys are, and then over each change as it comes, also after a link was lost, until the bucket is
---deleted or the client closed.
---
---Codes: those of `JetStream.api`.
---@async
---@param pattern string? `*` stands for one word, `>` for all that follow, which is the default
---@return (fun(): momo.nats.Entry?)? next for the `for` loop
---@return string? err
---@return string? code
function KeyValue:watch(pattern)
  check.self(self, KeyValue, "kv", "watch")
  pattern = pattern or ">"
  local consumer, err, code = consumer_of(self, pattern, settings_after(0))
  if not consumer then
    return nil, err, code
  end
  local next, last = consumer:iter(ALL_PENDING), 0
  return function()
    while next do
      local message
      message, err, code = next()
      if message then
        last = message:metadata().sequence
        return entry_of(self, message)
      elseif code ~= "ECONNABORTED" then
        break
      end
      -- The server has forgotten it, as nobody has asked for more for long; or something was sent and did not come.
      self.client:publish(("%s.CONSUMER.DELETE.%s.%s"):format(self.jetstream.prefix, self.stream, consumer.name), "",
        { reply = NOBODY })
      consumer, err, code = watcher(self, pattern, last)
      next = consumer and consumer:iter(ALL_PENDING)
    end
    return nil, err, code
  end
end

return M
