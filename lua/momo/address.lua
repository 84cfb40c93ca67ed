---Addresses: "127.0.0.1:8080", "[::1]:8080", "localhost:8080".

local check = require "momo.check"
local core = require "momo.core"

local executor, native = core.executor, core.native

local M = {}

---Throws for what is no address.
---@param address any
---@param name string of the function
---@return string host
---@return integer port
---@return boolean literal whether the host is a number, not a name
function M.split(address, name)
  if type(address) ~= "string" then
    check.fail(name .. ": the address must be a string such as \"127.0.0.1:8080\", got " .. check.show(address))
  end
  local host, port, literal = native.split(address)
  if not host then
    local digits = address:match "^:?(%d+)$"
    if tonumber(address:match ":(%d+)$" or 0) > 65535 then
      check.fail(("%s: the port of %q must be a number from 0 to 65535"):format(name, address))
    end
    check.fail(("%s: %q is no address; write \"127.0.0.1:%s\""):format(name, address, digits or "8080"))
  end
  return host, port, literal
end

---The literal addresses that a host's name stands for.
---@async
---@param host string
---@param port integer
---@param timeout number? seconds
---@return string[]? addresses
---@return string? err
---@return string? code
function M.resolve(host, port, timeout)
  local lookup, err, code = native.lookup_start(host)
  if not lookup then
    return nil, err, code
  end
  local addresses
  repeat
    addresses, err, code = native.lookup_finish(host, lookup, port, timeout)
  until addresses ~= true
  return addresses, err, code
end

local text = core.new("char[96]")

---One of a socket's own addresses.
---@param get function of the core
---@param socket any
---@return string? address
---@return string? err
---@return string? code
function M.socket(get, socket)
  local length = get(executor, socket, text, 96)
  if length < 0 then
    return core.failure(length)
  end
  return core.string(text, length)
end

return M
