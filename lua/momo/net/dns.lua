---Host names, and addresses as text: "127.0.0.1:8080", "[::1]:8080", "localhost:8080".

local check = require "momo.internal.check"
local native = require("momo.internal.core").native

local HOST_MAX = 253 -- bytes of a name in the DNS

local M = {}

---@param address any
---@param name string of the function that was given it
---@param next any its next argument, which may be a port
---@return string host
---@return integer port
---@return boolean literal whether host is no name
function M.split(address, name, next)
  check.dot(address, name)
  if type(address) ~= "string" then
    check.fail(name .. ": the address must be a string such as \"127.0.0.1:8080\", got " .. check.show(address))
  end
  local host, port, literal = native.split(address)
  if not host then
    local digits = address:match "^:?(%d+)$"
    if tonumber(address:match ":(%d+)$" or 0) > 65535 then
      check.fail(("%s: the port of %q must be a number from 0 to 65535"):format(name, address))
    end
    if type(next) == "number" and address ~= "" and not digits then
      check.fail(("%s: the port is a part of the address; write \"%s:%d\""):format(name, address, next))
    end
    check.fail(("%s: %q is no address; write \"127.0.0.1:%s\""):format(name, address, digits or "8080"))
  end
  return host, port, literal
end

-- What the system's resolver knows.
---@async
---@param host string
---@param port integer? nil: host is an address, and its name is wanted
---@param timeout number?
---@return any? answer
---@return string? err
---@return string? code
local function look_up(host, port, timeout)
  local lookup, err, code = native.lookup_start(host, not port)
  if not lookup then
    return nil, err, code
  end
  local again, answer
  repeat
    again, answer, err, code = native.lookup_finish(host, lookup, port, timeout)
  until not again
  return answer, err, code
end

---The literal addresses that a name stands for, in the order in which the system prefers them.
---@async
---@type fun(host: string, port: integer, timeout: number?): (addresses: string[]?, err: string?, code: string?)
M.resolve = look_up

---The addresses that a host name stands for, as the system prefers them. It is looked up on a pool of threads: other
---tasks go on, and so do other look-ups, up to 32 at a time.
---
---Codes: EAI_NONAME there is no such host; EAI_AGAIN; ENODEV it is of a zone that there is not; EINVAL it has no byte,
---more than 253, or one that is 0.
---@async
---@param host string a name, or an address, which stands for itself
---@param port integer? with it, the results can be given to connect
---@return string[]? addresses `{ "127.0.0.1", "::1" }`; with a port `{ "127.0.0.1:80", "[::1]:80" }`
---@return string? err
---@return string? code
function M.lookup_host(host, port)
  check.argument(type(host) == "string", "lookup_host: argument 1 must be a host name", host)
  check.argument(port == nil or (check.is_whole(port) and port >= 0 and port <= 65535),
    "lookup_host: argument 2 must be a port from 0 to 65535", port)
  if host == "" or #host > HOST_MAX or host:find "%z" then
    return nil, ("EINVAL: a host name has 1 to %d bytes, none of them 0: this one has %d"):format(HOST_MAX, #host),
      "EINVAL"
  end
  local addresses, err, code = M.resolve(host, port or 0)
  if addresses and not port then
    for i, address in ipairs(addresses) do
      addresses[i] = address:match "^%[(.*)%]:0$" or address:match "^(.*):0$"
    end
  end
  return addresses, err, code
end

---The name of an address: a look-up the other way round, on the same pool. Whoever has the address says what its name
---is, so look that up, too, before you trust it.
---
---Codes: EAI_NONAME it has none; EAI_AGAIN; ENODEV it is of a zone that there is not; ETIMEDOUT.
---@async
---@param address string without a port: "127.0.0.1", "::1"
---@param timeout number? seconds
---@return string? name
---@return string? err
---@return string? code
function M.lookup_addr(address, timeout)
  check.argument(check.is_text(address), "lookup_addr: argument 1 must be an address without a port", address)
  check.seconds(timeout, "lookup_addr")
  local name, err, code = look_up(address, nil, timeout)
  if code == "EINVAL" then
    check.fail(("lookup_addr: %q is no address; write \"127.0.0.1\", or \"::1\""):format(address))
  end
  return name, err, code
end

return M
