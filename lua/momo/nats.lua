---A client of NATS, on which services spread over machines: publish and subscribe, requests, and with JetStream
---messages that are kept until they are acknowledged. The protocol is that of docs.nats.io, "NATS client protocol".
---
---    local client = assert(momo.nats.connect "nats://127.0.0.1:4222")
---    local jobs = client:subscribe("jobs.*", { queue = "workers" })
---    for message in jobs:iter() do
---      message:respond("done: " .. message.data)
---    end
---
---A client belongs to its thread; any of its tasks may use it. A link that breaks is made again, with what was
---subscribed; what was published meanwhile waits in a bounded outbox. Subjects are texts of words with dots between,
---without spaces. It needs lua-cjson.

local check = require "momo.internal.check"
local each = require "momo.internal.each"
local connections = require "momo.nats.connection"
local headers = require "momo.nats.headers"
local names = require "momo.internal.names"
local native = require("momo.internal.core").native
local nkey = require "momo.nats.nkey"
local subscriptions = require "momo.nats.subscription"
local time = require "momo.time"

local M = {}

local SUBJECTS_MAX = 10000 -- that a client remembers
local REQUEST_SECONDS, DRAIN_SECONDS = 5, 30

---@class momo.nats.ConnectOptions
---@field name string? of this client, as the server shows it
---@field user string?
---@field password string?
---@field token string?
---@field nkey string? a user's seed, "SU..."; it needs libsodium
---@field credentials string? path of a file with a JWT and the seed
---@field tls momo.tls.Client? settings of TLS; without them those of the system, where the server wants TLS
---@field connect_timeout number? seconds for each server; 5
---@field reconnect boolean? whether a link that broke is made again; true
---@field reconnect_wait number? seconds, the longest between two rounds of all servers; 2
---@field ping_interval number? seconds; a server that leaves two questions open is given up; 30
---@field outbox integer? bytes that wait to be written, from which on `publish` waits; 1 MiB
---@field no_echo boolean? our own messages don't come back to us
---@field on_event fun(event: string, text: string)? is called in a task of its own: "disconnected", "reconnected",
---"closed", "lame_duck", "slow_consumer", "error" of the server's; without it the last two are told on stderr
---@field seed string? private
---@field jwt string? private

local OPTIONS = {
  name = "string", user = "string", password = "string", token = "string", nkey = "string", credentials = "string",
  tls = "table", connect_timeout = "number", reconnect = "boolean", reconnect_wait = "number",
  ping_interval = "number", outbox = "number", no_echo = "boolean", on_event = "function",
}
local DEFAULTS = {
  connect_timeout = 5, reconnect = true, reconnect_wait = 2, ping_interval = 30, outbox = 1024 * 1024,
}

---@class momo.nats.PublishOptions
---@field reply string? where answers are awaited
---@field headers table<string, string|string[]>?
---@field timeout number? seconds to wait for room in the outbox

local PUBLISH_OPTIONS = { reply = "string", headers = "table", timeout = "number" }

---A client: a connection to one of several servers, as long as it is not closed.
---It keeps no program alive: what waits for a message does.
---@class momo.nats.Client
---@field private connection momo.nats.Connection
---@field private heads table<string, string> what a message to a subject begins with
---@field private known integer how many those are
local Client = { __name = "momo.nats.Client" }
Client.__index = Client
names.objects(Client, "client")

local function check_subject(subject, who, what)
  local words = type(subject) == "string" and "." .. subject .. "." or ".."
  local rest = words:find(".>.", 1, true)
  if words:find "[%s%z]" or words:find("..", 1, true) or rest and rest < #words - 2 then
    check.fail(("%s: %s must be words with dots between, without spaces, got %s"):format(who, what or "the subject",
      check.show(subject)))
  end
end

---@async
local function read_credentials(path)
  local text, err, code = require("momo.fs").read(path)
  if not text then
    return nil, err, code
  end
  local jwt = text:match "%-%-BEGIN NATS USER JWT%-%-+%s+(%S+)"
  local seed = text:match "%-%-BEGIN USER NKEY SEED%-%-+%s+(%S+)"
  if not jwt or not seed then
    return nil, ("EINVAL: %s is no file of credentials: invalid argument"):format(path), "EINVAL"
  end
  return jwt, seed
end

---@async
local function with_keys(options)
  local seed = options.nkey
  if options.credentials then
    local jwt, found, code = read_credentials(options.credentials)
    if not jwt then
      return nil, found, code
    end
    options.jwt, seed = jwt, found
  end
  if seed then
    options.seed = nkey.seed(seed)
    if not options.seed then
      return nil, "EINVAL: the nkey is no user's seed, \"SU...\": invalid argument", "EINVAL"
    end
  end
  return options
end

local function check_options(given)
  local options = {}
  for key, value in each(check.options(given, OPTIONS, "nats.connect")) do
    options[key] = value
  end
  for key, value in each(DEFAULTS) do
    if options[key] == nil then
      options[key] = value
    end
  end
  for _, key in ipairs { "connect_timeout", "reconnect_wait", "ping_interval", "outbox" } do
    check.argument(options[key] > 0, ("nats.connect: option %s must be above 0"):format(key), options[key])
  end
  return options
end

---Connects to a NATS server, the first that can be had.
---
---Codes: ECONNREFUSED, ETIMEDOUT and others of `TcpStream.connect`; EACCES it refuses us; ETLS; EPROTO it is no NATS
---server; EINVAL, ENOENT a key or a file of credentials is no good; EPROTONOSUPPORT libsodium is not there.
---@async
---@param servers string|string[] "nats://[user:password@]host[:4222]", "tls://...", or several
---@param options momo.nats.ConnectOptions?
---@return momo.nats.Client? client
---@return string? err
---@return string? code
function M.connect(servers, options)
  local given, err, code = with_keys(check_options(options))
  if not given then
    return nil, err, code
  end
  local client = setmetatable({ heads = {}, known = 0 }, Client)
  client.connection, err, code = connections.open(client, servers, given)
  if not client.connection then
    return nil, err, code
  end
  return client
end

local function head_of(client, subject, who)
  check_subject(subject, who)
  if client.known >= SUBJECTS_MAX then
    client.heads, client.known = {}, 0
  end
  local head = "PUB " .. subject .. " "
  client.heads[subject], client.known = head, client.known + 1
  return head
end

-- Whether a message may be put out; waits for room.
---@async
local function admit(connection, size, fields, timeout)
  local info, outbox = connection.link.info, connection.outbox
  if connection.state == "closed" then
    return connection:why_closed()
  elseif size > (info.max_payload or math.huge) then
    return nil, ("EMSGSIZE: the server takes no message of %d bytes: message too long"):format(size), "EMSGSIZE"
  elseif fields and info.headers ~= true then
    return nil, "EPROTONOSUPPORT: the server takes no headers: protocol not supported", "EPROTONOSUPPORT"
  elseif outbox.bytes >= outbox.limit then
    local ok, err, code = outbox:wait(timeout)
    if not ok then
      return nil, err, code
    elseif connection.state == "closed" then
      return connection:why_closed()
    end
  end
  return true
end

local function put(outbox, head, data, size, reply, fields)
  if reply then
    head = head .. reply .. " "
  end
  if fields then
    outbox:put("H" .. head, #fields .. " " .. size .. "\r\n" .. fields, data, "\r\n")
  else
    outbox:put(head, size .. "\r\n", data, "\r\n")
  end
end

-- Bytes that count for the server's limit.
local function size_of(data, fields)
  return #data + (fields and #fields or 0)
end

---Publishes a message. It suspends only while the outbox is full. A link that breaks may lose what was not flushed.
---
---Codes: EBADF the client is closed; EMSGSIZE the server takes none of that size; EPROTONOSUPPORT it takes no headers;
---ETIMEDOUT by the option `timeout`.
---@async
---@param subject string
---@param data string
---@param options momo.nats.PublishOptions?
---@return true? ok
---@return string? err
---@return string? code
function Client:publish(subject, data, options)
  check.self(self, Client, "client", "publish")
  local head = self.heads[subject] or head_of(self, subject, "publish")
  if type(data) ~= "string" then
    check.fail("publish: the data must be a string, got " .. check.show(data))
  end
  local reply, fields, timeout
  if options then
    check.options(options, PUBLISH_OPTIONS, "publish")
    check.seconds(options.timeout, "publish")
    if options.reply then
      check_subject(options.reply, "publish", "option reply")
    end
    reply, timeout = options.reply, options.timeout
    fields = options.headers and headers.encode(options.headers, "publish")
  end
  local size = size_of(data, fields)
  local ok, err, code = admit(self.connection, size, fields, timeout)
  if not ok then
    return nil, err, code
  end
  put(self.connection.outbox, head, data, size, reply, fields)
  return true
end

---Subscribes to a subject; `*` stands for one word of it, `>` for all that follow.
---
---Codes: EBADF the client is closed. Where the server does not allow it, receiving says EACCES.
---@param subject string
---@param options momo.nats.SubscribeOptions?
---@return momo.nats.Subscription? rx
---@return string? err
---@return string? code
function Client:subscribe(subject, options)
  check.self(self, Client, "client", "subscribe")
  check_subject(subject, "subscribe")
  options = subscriptions.check_options(options)
  if options.queue then
    check_subject(options.queue, "subscribe", "option queue")
  end
  if self.connection.state == "closed" then
    return self.connection:why_closed()
  end
  return self.connection:subscribe(subject, options)
end

---Publishes a message and waits for an answer.
---
---Codes: ETIMEDOUT; EHOSTUNREACH nobody has subscribed to it; those of `publish`.
---@async
---@param subject string
---@param data string
---@param timeout number? seconds; 5
---@param fields table<string, string|string[]>? headers
---@return momo.nats.Message? message
---@return string? err
---@return string? code
function Client:request(subject, data, timeout, fields)
  check.self(self, Client, "client", "request")
  check.seconds(timeout, "request")
  local head = self.heads[subject] or head_of(self, subject, "request")
  if type(data) ~= "string" then
    check.fail("request: the data must be a string, got " .. check.show(data))
  end
  fields = fields and headers.encode(fields, "request")
  local connection, size, deadline = self.connection, size_of(data, fields), time.now() + (timeout or REQUEST_SECONDS)
  local ok, problem, why = admit(connection, size, fields, timeout or REQUEST_SECONDS)
  if not ok then
    return nil, problem, why
  end
  local reply, number, rx = connection:expect()
  put(connection.outbox, head, data, size, reply, fields)
  local message, err, code = connection:await(number, rx, math.max(0, deadline - time.now()))
  if message and message.status == 503 then
    return nil, ("EHOSTUNREACH: nobody has subscribed to %s: no route to host"):format(subject), "EHOSTUNREACH"
  end
  return message, err, code
end

---Waits until the server has all that was published until now.
---
---Codes: ETIMEDOUT; EBADF the client is closed; those of a link that broke meanwhile: something may be lost.
---@async
---@param timeout number? seconds
---@return true? ok
---@return string? err
---@return string? code
function Client:flush(timeout)
  check.self(self, Client, "client", "flush")
  check.seconds(timeout, "flush")
  return self.connection:flush(timeout)
end

---Ends all subscriptions, waits until what has come for them is received and who receives has come back for more,
---writes what was published, and closes the client.
---
---Codes: ETIMEDOUT somebody did not receive; those of `flush`.
---@async
---@param timeout number? seconds; 30
---@return true? ok
---@return string? err
---@return string? code
function Client:drain(timeout)
  check.self(self, Client, "client", "drain")
  check.seconds(timeout, "drain")
  if self.connection.state == "closed" then
    return self.connection:why_closed()
  end
  self.connection.state = "draining"
  local done, ok, err, code = xpcall(time.timeout, native.traceback_capture, timeout or DRAIN_SECONDS,
    self.connection.drain, self.connection)
  self.connection:close()
  if not done then -- cancelled
    native.rethrow(ok)
  end
  return ok, err, code
end

---Closes it at once: what was not flushed may be lost. May be repeated.
function Client:close()
  check.self(self, Client, "client", "close")
  self.connection:close()
end

---Whether there is a link.
---@return "connected"|"reconnecting"|"draining"|"closed" status
function Client:status()
  check.self(self, Client, "client", "status")
  return self.connection.state
end

---Streams whose messages are kept until they are acknowledged, by a server that has JetStream on.
---@param options momo.nats.JetStreamOptions?
---@return momo.nats.JetStream jetstream
function Client:jetstream(options)
  check.self(self, Client, "client", "jetstream")
  return require("momo.nats.jetstream").new(self, options)
end

return names.module(M, "momo.nats")
