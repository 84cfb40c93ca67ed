---TLS 1.2 and 1.3: a stream that goes on as an encrypted one, with all that a stream can do.
---
---    local stream = assert(momo.tls.connect("example.org:443", { alpn = { "http/1.1" } }, 5))
---
---It needs libssl 3, and is loaded when it is used first. What fails returns `nil, "ETLS: kind: words", "ETLS"`.

local check = require "momo.internal.check"
local each = require "momo.internal.each"
local dns = require "momo.net.dns"
local facts = require "momo.tls.facts"
local names = require "momo.internal.names"
local native = require("momo.internal.core").native
local settings = require "momo.tls.settings"
local TcpStream = require("momo.net.tcp").TcpStream
local time = require "momo.time"

local function lacks(words)
  package.loaded["momo.tls"] = nil -- so that who asks again is told so again, and of no loop
  error(words, 0)
end

local path = package.searchpath("momo.tls", package.cpath)
if not path then
  local probe, why = io.open "/dev/null" -- to search is to open, and what fails is not told
  if not probe then
    lacks("momo.tls can't be loaded: " .. why)
  end
  probe:close()
  lacks "momo.tls was built without libssl: install libssl-dev (OpenSSL 3) and build Momo anew"
end
local opened, problem = native.tls_open(path)
if not opened then
  lacks(("momo.tls needs libssl 3: install libssl3 (%s)"):format(problem))
end

local traceback_capture, rethrow = native.traceback_capture, native.rethrow
local shake, commit = native.tls_shake, native.tls_commit
local Stream = native.metatables.stream

local M = {}

---@class momo.tls.Options
---@field cert string|string[]|nil path or PEM text of our certificate, its chain behind it; arrays: a kind of key each
---@field key string|string[]|nil path or PEM text of its private key
---@field password string? of the key
---@field alpn string[]? protocols, the dearest first; nothing in common ends the handshake
---@field min_version ("1.2"|"1.3")? "1.2"
---@field max_version ("1.2"|"1.3")?
---@field ciphers string? of TLS 1.2, as OpenSSL names them
---@field ciphersuites string? of TLS 1.3
---@field groups string? for the exchange of keys
---@field truncation ("error"|"eof")? what an end without close_notify is; "error"

---@class momo.tls.ClientOptions: momo.tls.Options
---@field ca string|string[]|nil paths or PEM texts of whom to trust, or "system", which is the default
---@field verify boolean? whether the peer must show a good certificate for its name; true
---@field on_verify (fun(peer: momo.tls.Peer): boolean?)? is asked when all else is good, and may suspend; false refuses
---@field sessions integer? how many are kept to be resumed; 256

---@class momo.tls.ConnectOptions: momo.tls.ClientOptions
---@field name string? the name to verify, in place of the address's

---@class momo.tls.Pair
---@field cert string|string[]
---@field key string|string[]
---@field password string?

---@class momo.tls.ServerOptions: momo.tls.Options
---@field hosts table<string, momo.tls.Pair>? certificates for names: "a.example", "*.b.example"
---@field client_ca string|string[]|nil paths or PEM texts of who signs clients' certificates
---@field client_auth ("none"|"request"|"require")? whether clients show a certificate; "none"
---@field on_hello (fun(hello: momo.tls.Hello): momo.tls.Server?)? chooses another server, and may suspend
---@field tickets integer? that a client gets, to resume with; 2
---@field ocsp string? a response of OCSP in DER, or its path, to be stapled

---Settings of connections that we make. They belong to their thread.
---@class momo.tls.Client
---@field private config userdata
---@field private options table
local Client = { __name = "momo.tls.Client" }
Client.__index = Client
names.objects(Client, "client")

---Settings of connections that are made to us. They belong to their thread.
---@class momo.tls.Server
---@field private config userdata
---@field private options table
---@field private keys string[]?
local Server = { __name = "momo.tls.Server" }
Server.__index = Server
names.objects(Server, "server")

---Makes settings for connections to servers; make them once.
---
---Codes: ETLS a certificate or key is no good, or the system trusts nobody; ENOENT, EACCES a file can't be read.
---@param options momo.tls.ClientOptions?
---@return momo.tls.Client? client
---@return string? err
---@return string? code
function M.client(options)
  local given, list = settings.client(options, "tls.client")
  local config, err, code = native.tls_config(false, list, "tls.client")
  if not config then
    return nil, err, code
  end
  return setmetatable({ config = config, options = given }, Client)
end

---Makes settings for connections of clients; make them once.
---
---Codes: ETLS a certificate or key is no good, or they are not of each other; ENOENT, EACCES a file can't be read.
---@param options momo.tls.ServerOptions
---@return momo.tls.Server? server
---@return string? err
---@return string? code
function M.server(options)
  local given, list = settings.server(options, "tls.server")
  local config, err, code = native.tls_config(true, list, "tls.server")
  if not config then
    return nil, err, code
  end
  return setmetatable({ config = config, options = given }, Server)
end

-- What on_hello answers: the configuration to go on with, or nil.
local function ask(server, stream, handshake)
  local other = server.options.on_hello(facts.hello(stream, handshake))
  if other ~= nil and getmetatable(other) ~= Server then
    check.fail("on_hello must return a server or nil, got " .. check.show(other))
  end
  return other and other.config
end

---@async
local function make(self, stream, handshake, timeout)
  local again, result, err, code
  repeat
    repeat again, result, err, code = shake(stream, handshake, timeout) until not again
    if result == "hello" then
      native.tls_answer(handshake, ask(self, stream, handshake))
    end
  until result ~= "hello"
  if not result then
    return nil, err, code
  end
  local on_verify = self.options.on_verify
  if on_verify and on_verify(facts.peer(stream, handshake)) == false then
    return nil, "ETLS: bad-certificate: on_verify has refused the peer's certificate", "ETLS"
  end
  local ok
  ok, err, code = commit(stream, handshake)
  if not ok then
    return nil, err, code
  end
  return stream
end

---The same where functions of the options are called, for whose time the timeout counts too, and which may fail.
---@async
local function make_asking(self, stream, handshake, timeout)
  if timeout then
    return time.timeout(timeout, make, self, stream, handshake, math.huge)
  end
  return make(self, stream, handshake)
end

-- What a client finds its sessions by, beside the name.
local function session_key(stream)
  local address = stream:peer_addr()
  return address and (address:match ":(%d+)$" or address) or ""
end

---The stream is closed unless the handshake is made.
---@async
local function wrap(self, stream, is_server, name, timeout)
  local handshake, err, code = native.tls_begin(stream, self.config, is_server, name,
    not is_server and session_key(stream) or nil)
  if not handshake then
    return nil, err, code
  end
  if not self.options.on_hello and not self.options.on_verify then
    return make(self, stream, handshake, timeout)
  end
  local ok, wrapped
  ok, wrapped, err, code = xpcall(make_asking, traceback_capture, self, stream, handshake, timeout)
  if not ok or not wrapped then
    stream:close()
  end
  if not ok then
    rethrow(wrapped)
  elseif not wrapped then
    return nil, err, code
  end
  return wrapped
end

local function check_wrap(self, class, object, stream, timeout)
  check.self(self, class, object, "wrap")
  check.argument(getmetatable(stream) == Stream, "wrap: argument 1 must be a stream", stream)
  check.seconds(timeout, "wrap")
end

-- A name as certificates have it: without a trailing dot, and without the zone of an address.
local function plain_name(name, verifies, what)
  if name == false then
    if verifies then
      check.fail(what .. ": the name may be false only with verify = false")
    end
    return nil
  end
  check.argument(check.is_text(name) and #name >= 1 and #name <= 253, what .. ": the name must be a host or an address",
    name)
  if name:find "[\128-\255]" then
    check.fail(("%s: the name must be in ASCII, as IDNs are in the DNS (xn--...), got %q"):format(what, name))
  end
  return (name:gsub("%.$", ""):gsub("^%[(.*)%]$", "%1"):gsub("%%.*$", ""))
end

---The stream speaks TLS from now on, as the client of a server: STARTTLS, TLS over Unix sockets and pipes, TLS in TLS.
---What was peeked and not consumed belongs to the handshake. It fails closed: the stream is wrapped or closed.
---
---Codes: ETLS; EBUSY another task reads or writes it; EPIPE it was shut down; ECONNRESET; ETIMEDOUT; ECANCELED; EBADF.
---@async
---@param stream momo.Stream
---@param name string|false of the peer: a host, or an address; false without verification
---@param timeout number? seconds; the stream's own
---@return momo.Stream? stream the one that was given
---@return string? err
---@return string? code
function Client:wrap(stream, name, timeout)
  check_wrap(self, Client, "client", stream, timeout)
  return wrap(self, stream, false, plain_name(name, self.options.verify ~= false, "wrap"), timeout)
end

---The stream speaks TLS from now on, as the server of a client. What was peeked and not consumed belongs to the
---handshake. It fails closed: the stream is wrapped or closed.
---
---Codes: ETLS; EOF the peer has gone without a word; EBUSY another task reads or writes it; EPIPE it was shut down;
---ECONNRESET; ETIMEDOUT; ECANCELED; EBADF.
---@async
---@param stream momo.Stream
---@param timeout number? seconds; the stream's own
---@return momo.Stream? stream the one that was given
---@return string? err
---@return string? code
function Server:wrap(stream, timeout)
  check_wrap(self, Server, "server", stream, timeout)
  return wrap(self, stream, true, nil, timeout)
end

---Reads the files again. Handshakes that begin from now on use them, connections go on. When it fails, all is as
---before.
---
---Codes: those of `tls.client`.
---@return true? ok
---@return string? err
---@return string? code
function Client:reload()
  check.self(self, Client, "client", "reload")
  local fresh, err, code = M.client(self.options)
  if not fresh then
    return nil, err, code
  end
  self.config = fresh.config
  return true
end

---Reads the files again. Handshakes that begin from now on use them, connections go on. When it fails, all is as
---before.
---
---Codes: those of `tls.server`.
---@param options momo.tls.ServerOptions? in place of those that it has
---@return true? ok
---@return string? err
---@return string? code
function Server:reload(options)
  check.self(self, Server, "server", "reload")
  local fresh, err, code = M.server(options or self.options)
  if not fresh then
    return nil, err, code
  end
  if self.keys then
    native.tls_set_ticket_keys(fresh.config, self.keys)
  end
  self.config, self.options = fresh.config, fresh.options
  return true
end

local TICKET_KEY = 80

---Keys for the tickets with which clients resume, so that other processes, and this one after a restart, can open them.
---The first seals, all open. Without it the process makes its own, for all its threads, a new one each hour, kept for
---two.
---@param keys string[] 80 bytes each, as nginx has them
function Server:set_ticket_keys(keys)
  check.self(self, Server, "server", "set_ticket_keys")
  check.argument(check.array(keys, "set_ticket_keys: argument 1 must be an array of keys") > 0,
    "set_ticket_keys: argument 1 must be an array of keys", keys)
  local copies = {}
  for i, key in ipairs(keys) do
    if type(key) ~= "string" or #key ~= TICKET_KEY then
      check.fail(("set_ticket_keys: key %d must be a string of %d bytes, got %s"):format(i, TICKET_KEY,
        type(key) == "string" and #key .. " bytes" or check.show(key)))
    end
    copies[i] = key
  end
  self.keys = copies
  native.tls_set_ticket_keys(self.config, copies)
end

local standard -- the client of those who pass no options

local function client_of(options)
  if getmetatable(options) == Client then
    return options
  elseif options == nil or next(options) == nil then
    local err, code
    if not standard then
      standard, err, code = M.client()
    end
    return standard, err, code
  end
  return M.client(options)
end

---Connects, and makes the handshake. Each call with a table of options reads its files: for many connections, pass a
---client.
---
---Codes: those of `TcpStream.connect`; ETLS.
---@async
---@overload fun(address: string, timeout: number): momo.net.TcpStream?, string?, string?
---@param address string "example.org:443"
---@param options momo.tls.ConnectOptions|momo.tls.Client|nil
---@param timeout number? seconds, for all of it
---@return momo.net.TcpStream? stream
---@return string? err
---@return string? code
function M.connect(address, options, timeout)
  local host = dns.split(address, "tls.connect", options)
  if type(options) == "number" and timeout == nil then
    options, timeout = nil, options
  end
  check.argument(options == nil or type(options) == "table", "tls.connect: options must be a table or a client",
    options)
  check.seconds(timeout, "tls.connect")
  local name = host
  if options and rawget(options, "name") ~= nil then
    name = options.name
    local rest = {}
    for key, value in each(options) do
      if key ~= "name" then
        rest[key] = value
      end
    end
    options = rest
  end
  local client, err, code = client_of(options)
  if not client then
    return nil, err, code
  end
  plain_name(name, client.options.verify ~= false, "tls.connect") -- before there is a stream that would be left open
  local deadline = timeout and time.now() + timeout
  local stream
  stream, err, code = TcpStream.connect(address, timeout)
  if not stream then
    return nil, err, code
  end
  return client:wrap(stream, name, deadline and math.max(0, deadline - time.now()))
end

local LOCAL_NAMES, DAYS = { "localhost", "127.0.0.1", "::1" }, 7

---@class momo.tls.SelfSignedOptions
---@field days integer? for which it is valid; 7

---A certificate that vouches for itself, and its key, for development: it goes into `tls.server` as it is, and its
---`cert` into a client's `ca`.
---@param hosts string[]? names and addresses; localhost, 127.0.0.1 and ::1
---@param options momo.tls.SelfSignedOptions?
---@return {cert: string, key: string} pair PEM texts
function M.self_signed(hosts, options)
  check.argument(hosts == nil or check.array(hosts, "tls.self_signed: argument 1 must be an array of names") > 0,
    "tls.self_signed: argument 1 must be an array of names", hosts)
  options = check.options(options, { days = "number" }, "tls.self_signed")
  local days = options.days or DAYS
  check.argument(check.is_whole(days) and days >= 1 and days <= 36500,
    "tls.self_signed: option days must be a whole number from 1", days)
  for _, name in ipairs(hosts or LOCAL_NAMES) do
    check.argument(check.is_text(name) and #name >= 1 and not name:find "[\128-\255]",
      "tls.self_signed: a name must be a host in ASCII, or an address", name)
  end
  local certificate, key = native.tls_self_signed(hosts or LOCAL_NAMES, days)
  if not certificate then
    error(key, 0)
  end
  return { cert = certificate, key = key }
end

return names.module(M, "momo.tls")
