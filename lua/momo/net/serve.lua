---serve: a task for each connection, a limit on them, and an orderly end.
---
---    serve's task ---- scope ---- acceptor: accepts, as long as there is room
---         |              '------- watcher: wakes the acceptor when the listener is closed
---      shield
---         '---- scope that supervises ---- a task for each connection
---
---A cancellation of serve's task ends the acceptor at once, and is held off from the connections by the shield, beneath
---which serve's task gives them their time.

local check = require "momo.internal.check"
local core = require "momo.internal.core"
local drain = require "momo.internal.drain"
local first = require("momo.internal.select").select
local scopes = require "momo.internal.scope"
local show = require "momo.internal.show"
local sync = require "momo.sync"
local now = require("momo.time").now
local timeout = require("momo.time").timeout

local C, executor, native = core.C, core.executor, core.native
local traceback_capture, rethrow = native.traceback_capture, native.rethrow
local Cancelled = native.metatables.cancelled

-- What passes: the process or the system has too much open, or, as accept(2) warns, the network has failed the next
-- connection. Then one of ours that ends is waited for, or this long: it may be others who hold what is missing.
local PASSING = {}
for code in ([[EMFILE ENFILE ENOBUFS ENOMEM
    ENETDOWN EPROTO ENOPROTOOPT EHOSTDOWN ENONET EHOSTUNREACH ENETUNREACH EPERM ETIMEDOUT]]):gmatch "%S+" do
  PASSING[code] = true
end
local PAUSE_SECONDS = 0.1

---@class momo.net.ServeOptions
---@field max_connections integer? connections at a time; when there are so many, it accepts no more
---@field drain number? seconds that the handlers are given at the end; 0
---@field on_error fun(err: any, peer: string, code: string?)? in place of a report; code: of what the peer has caused
---@field on_drain fun()? is called when no more is accepted, and may suspend: `drain` has begun
---@field tls momo.tls.Server? the handshake of each connection is made in its task, before the handler is called
---@field handshake_timeout number? seconds for it, and for the PROXY header; 10
---@field proxy_protocol true|string[]|nil each connection begins with a PROXY header, version 1 or 2, and the handler's
---`peer` is whom that names; an array: networks of one's proxies, as {"10.0.0.0/8"}, others are served as they are
---@field on_tls_error fun(err: string, peer: string)? is called for a handshake that failed; who has just left is none

---@class momo.net.Server
---@private
---@field listener momo.net.TcpListener
---@field address string? its address
---@field handler fun(stream: momo.net.TcpStream, peer: string)
---@field on_error fun(err: any, peer: string, code: string?)?
---@field on_drain fun()?
---@field max integer connections at a time
---@field active integer connections now
---@field changed momo.Notify a connection has ended, or the listener is closed
---@field closed boolean the listener is

-- What a program does wrong with a stream, and no peer.
local OWN_MISTAKES = { EBADF = true, EBUSY = true, EINVAL = true }

---The code of an error that an operation of the connection itself has failed with, as it is passed on by assert or by
---`lines`: its peer has gone, or says what it should not. That is no failure of the program.
local function code_of(stream, err)
  local failed = C.momo_failure(executor, stream)
  if failed == 0 or getmetatable(err) == Cancelled then
    return nil
  end
  local _, _, code = core.failure(failed)
  return not OWN_MISTAKES[code] and show.text(err):find(code .. ": ", 1, true) and code or nil
end

-- What stays on the stack while the handler runs is kept short: a few values more, and each connection's stack doubles.
local function connection(server, stream, peer)
  local ok, err = xpcall(server.handler, traceback_capture, stream, peer)
  local code = not ok and code_of(stream, err)
  stream:close()
  server.active = server.active - 1
  server.changed:notify_one()
  if not ok then
    if server.on_error and getmetatable(err) ~= Cancelled then
      server.on_error(err, peer, code or nil)
    elseif code then
      io.stderr:write(("momo: %s: %s\n"):format(peer ~= "" and peer or server.address, show.text(err)))
    else
      rethrow(err)
    end
  end
end

local HANDSHAKE_SECONDS = 10

-- What a connection has begun with is no good; that is no failure of the program.
local function report(options, err, peer, code)
  if options.on_error then
    options.on_error(err, peer, code)
  else
    io.stderr:write(("momo: %s: %s\n"):format(peer, err))
  end
end

-- A handler of connections that begin with a PROXY header, of one that is given the peer whom that names.
local function announced(handler, options)
  local networks, proxy_protocol = require "momo.net.network", require "momo.net.proxy_protocol"
  local trusted = options.proxy_protocol ~= true
    and networks.list(options.proxy_protocol, "serve: option proxy_protocol")
  return function(stream, peer)
    local bytes = trusted and networks.parse(networks.without_port(peer))
    if trusted and not (bytes and networks.is_in(trusted, bytes)) then
      return handler(stream, peer)
    end
    local ok, client, code = timeout(options.handshake_timeout or HANDSHAKE_SECONDS, proxy_protocol.read, stream)
    if ok then
      return handler(stream, client or peer)
    elseif code ~= "EOF" then
      report(options, client, peer, code)
    end
  end
end

local M = { tls_failures = 0 } -- handshakes that have failed

-- A handler of connections that speak TLS, of one that is given what came of their handshake.
local function sealed(handler, options)
  local tls, seconds, on_tls_error = options.tls, options.handshake_timeout or HANDSHAKE_SECONDS, options.on_tls_error
  check.argument(type(tls) == "table" and type(tls.wrap) == "function",
    "serve: option tls must be what momo.tls.server{...} has returned", tls)
  return function(stream, peer)
    local wrapped, err, code = tls:wrap(stream, seconds)
    if wrapped then
      return handler(stream, peer)
    elseif code == "EOF" then -- who only looks whether somebody listens, and leaves without a byte
      return
    end
    M.tls_failures = M.tls_failures + 1
    if on_tls_error then
      on_tls_error(err, peer)
    end
  end
end

local function begin(server, connections, stream, peer)
  server.active = server.active + 1
  connections:spawn(connection, server, stream, peer)
end

---Returns what accept failed with, unless the listener was closed.
---@async
local function accept_all(server, connections)
  local listener, changed = server.listener, server.changed
  while not server.closed do
    if server.active >= server.max then
      changed:notified()
    else
      local stream, peer, code = listener:accept()
      if stream then
        begin(server, connections, stream, peer)
      elseif PASSING[code] then
        changed:notified(PAUSE_SECONDS)
      elseif code == "ECANCELED" or code == "EBADF" then
        return
      else
        return peer, code
      end
    end
  end
end

---The program stops: those who have connected by now are served, if there is room, and then the listener is closed. One
---that others may have, too, such as a successor that inherits it, is left to them at once.
---@async
local function close_listener(server, connections, deadline)
  local listener = server.listener
  local left = C.momo_refuse(executor, listener) == 0 and now() <= deadline
  while left do
    if server.active >= server.max then
      left = now() < deadline
      server.changed:notified(math.max(0, deadline - now()))
    else
      local stream, peer = listener:accept(0)
      if stream then
        begin(server, connections, stream, peer)
      end
      left = stream
    end
  end
  listener:close()
end

---@async
local function watch(server)
  while native.wait_closed(server.listener) do end
  server.closed = true
  server.changed:notify_one()
end

---@async
local function run(server, seconds)
  local err, code
  scopes.scope(function(scope)
    local watcher = scope:spawn(watch, server)
    scopes.shield(scopes.supervise, function(connections)
      local acceptor = scope:spawn(accept_all, server, connections)
      if first { acceptor, drain.until_draining() } == 2 then
        acceptor:cancel()
      end
      err, code = select(2, acceptor:join())
      watcher:cancel()
      local deadline = now() + seconds
      if drain.draining() then
        err, code = nil, nil
        close_listener(server, connections, deadline)
      end
      if server.on_drain then
        server.on_drain()
      end
      while server.active > 0 and now() < deadline do
        server.changed:notified(deadline - now())
      end
      if server.active > 0 then
        connections:cancel "the server ends"
      end
    end)
  end)
  if code then
    return nil, err, code
  end
  return true
end

---Accepts connections and calls `handler(stream, peer)` for each in a task of its own, which closes the stream when
---that has ended. An error of a handler ends its connection only. One that is passed on from an operation of the
---connection itself, as by assert(stream:read()), is told in one line with the peer's address, and is no failure of
---the program; any other is reported like that of a task that nobody joins.
---
---Ends when the listener is closed, the calling task is cancelled, or the program stops (`momo.stop`, or Ctrl-C):
---then it accepts no more, gives the handlers `drain` seconds to end, and cancels those that have not. Returns, or
---raises its cancellation, when all have ended. The listener stays the caller's, but for a stop: that closes it at
---once, and all else in the program goes on until the handlers have ended. See `momo.draining`.
---
---When too many descriptors are open, it waits until a connection of its own has ended, or a tenth of a second, and
---goes on.
---
---Codes: those of accept that do not pass.
---@async
---@param listener momo.Listener
---@param handler fun(stream: momo.Stream, peer: string) it may suspend
---@param options momo.net.ServeOptions?
---@return true? ok
---@return string? err
---@return string? code
function M.serve(listener, handler, options)
  local class = type(listener) == "userdata" and getmetatable(listener)
  check.argument(type(class) == "table" and rawget(class, "accept"), "serve: argument 1 must be a listener", listener)
  check.argument(type(handler) == "function", "serve: argument 2 must be a function", handler)
  options = check.options(options, { max_connections = "number", on_error = "function", drain = "number",
    on_drain = "function", tls = "any", handshake_timeout = "number", on_tls_error = "function",
    proxy_protocol = "any" }, "serve")
  local max, seconds = options.max_connections or math.huge, options.drain or 0
  check.argument(max == math.huge or (check.is_whole(max) and max >= 1),
    "serve: max_connections must be a whole number from 1", max)
  check.argument(seconds >= 0, "serve: drain must be a number of seconds, 0 or more", seconds)
  check.argument((options.handshake_timeout or 1) > 0,
    "serve: option handshake_timeout must be a number of seconds above 0", options.handshake_timeout)
  handler = options.tls and sealed(handler, options) or handler
  return drain.serving(run, {
    listener = listener,
    address = listener:local_addr(),
    handler = options.proxy_protocol and announced(handler, options) or handler,
    on_error = options.on_error,
    on_drain = options.on_drain,
    max = max,
    active = 0,
    changed = sync.Notify(),
    closed = false,
  }, seconds)
end

return M
