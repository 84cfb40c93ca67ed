---What the specs of TLS share: clients and servers that trust each other, and connected pairs.

local certs = require "spec.support.certs"
local momo = require "momo"
local tcp = require "spec.support.tcp"

local M = {}

local function with(base, more)
  for name, value in pairs(more or {}) do
    base[name] = value
  end
  return base
end

---@param options table? more of its options
function M.server(options)
  local host = certs.localhost(options and options.key_kind)
  options = with({ cert = host.cert, key = host.key }, options)
  options.key_kind = nil
  return assert(momo.tls.server(options))
end

---@param options table? more of its options
function M.client(options)
  return assert(momo.tls.client(with({ ca = certs.root().cert }, options)))
end

---Makes the handshake of both ends.
---@return table client_end what its wrap has returned
---@return table server_end
function M.shake(client, client_stream, server, server_stream, name)
  local other = momo.spawn(function() return { server:wrap(server_stream, 10) } end)
  local own = { client:wrap(client_stream, name or "localhost", 10) }
  return own, select(2, other:join())
end

---Two ends of a connection that speaks TLS: the client's, the server's.
---@param options {client: table?, server: table?, pair: function?}?
function M.pair(options)
  options = options or {}
  local one, other = (options.pair or tcp.pair)()
  local own, others = M.shake(M.client(options.client), one, M.server(options.server), other)
  return assert(own[1], own[2]), assert(others[1], others[2])
end

---Serves in a task; a second task may connect to the address.
---@return string address
---@return momo.Task server
---@return momo.Listener listener
function M.serve(handler, server, options)
  local listener = tcp.listen()
  local task = tcp.waiting(momo.net.serve, listener, handler, with({ tls = server }, options))
  return listener:local_addr(), task, listener
end

return M
