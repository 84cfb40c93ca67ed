---Listeners: what those of TCP and of Unix sockets can do.

local check = require "momo.internal.check"
local names = require "momo.internal.names"
local native = require("momo.internal.core").native
local socket = require "momo.net.socket"
require "momo.net.stream" -- what is accepted

local accept = native.accept

---A listening socket, of TCP or Unix. `momo.net.serve` accepts its connections; so may tasks by themselves.
---@class momo.Listener: momo.Socket
local Listener = native.metatables.listener
Listener.__name = "momo.Listener"
Listener.__index = Listener
socket.extend(Listener, "listener")

---The next connection. Those who wait are served in turn.
---
---Codes: ETIMEDOUT; ECANCELED it was closed meanwhile; EMFILE too many descriptors are open; ECONNABORTED; EBADF it is
---closed.
---@async
---@param timeout number? seconds; 0 only tries
---@return momo.Stream? stream
---@return string peer its address, "" of a Unix client that has none; or the error
---@return string? code
function Listener:accept(timeout)
  check.self(self, Listener, "listener", "accept")
  local again, stream, peer, code
  repeat again, stream, peer, code = accept(self, timeout) until not again
  if stream then
    return stream, peer
  end
  return nil, peer, code
end

names.objects(Listener, "listener")

return Listener
