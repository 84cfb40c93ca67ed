---What streams, listeners and UDP sockets share: closing, addresses, the descriptor, options by name.

local check = require "momo.internal.check"
local core = require "momo.internal.core"

local C, executor, failure, native, status = core.C, core.executor, core.failure, core.native, core.status

local M = {}

local TEXT_MAX = 112 -- holds every address
local text = core.new("char[?]", TEXT_MAX)

---An address of a socket, by momo_local_address or momo_peer_address.
function M.address(get, self)
  local length = get(executor, self, text, TEXT_MAX)
  if length < 0 then
    return failure(length)
  end
  return core.string(text, length)
end

-- Options: name, with or without its prefix -> { index, kind }

local options, names = {}, {}
local kind = core.new "int[1]"

repeat
  local name = C.momo_option(#names, kind)
  if name ~= nil then
    name = core.string(name)
    local option = { index = #names, kind = kind[0] }
    options[name], options[name:gsub("^%l+%d?_", "", 1)] = option, option
    names[#names + 1] = name
  end
until name == nil

-- What a value must be: a test, and its words.
local values = {
  [C.MOMO_FLAG] = { function(value) return type(value) == "boolean" end, "a boolean" },
  [C.MOMO_COUNT] = { check.is_whole, "a whole number" },
  [C.MOMO_SECONDS] = { function(value) return type(value) == "number" and value >= 0 end,
    "a number of seconds, 0 or more" },
  [C.MOMO_SECONDS_OR_OFF] = { function(value) return value == false or (type(value) == "number" and value >= 0) end,
    "a number of seconds, 0 or more, or false" },
  [C.MOMO_TEXT] = { check.is_text, "a string without a zero byte" },
}

local function find(name, method)
  local option = options[name]
  if not option then
    check.fail(("%s: there is no option %s, but %s"):format(method, check.show(name), table.concat(names, ", ")))
  end
  return option
end

---Sets an option whose value was checked.
function M.set(self, name, value)
  local is_text = type(value) == "string"
  local number = is_text and 0 or value == true and 1 or value == false and (name == "so_linger" and -1 or 0) or value
  return status(C.momo_set_option(executor, self, options[name].index, number, is_text and value or nil))
end

local number = core.new "double[1]"

---What streams, listeners and UDP sockets share.
---@class momo.Socket

---Adds the methods to a class.
---@param class momo.Socket
---@param object string what it is called in errors, such as "stream"
function M.extend(class, object)
  ---@class momo.Socket
  local Socket = class

  ---Sets an option of the socket by its name in socket(7), tcp(7), ip(7) and ipv6(7), in lower case; the prefix may be
  ---left out. An unknown name throws, with the list of the known ones. `"close_on_exec"`: false lets programs that are
  ---started inherit the descriptor.
  ---
  ---Codes: EINVAL; EPERM; ENOTSUP the socket has no such option; ENOTSOCK it is a pipe; EBADF it is closed.
  ---@param name string such as "tcp_user_timeout" or "user_timeout"
  ---@param value boolean|number|string times are in seconds; "linger" takes false as well
  ---@return true? ok
  ---@return string? err
  ---@return string? code
  function Socket:set_option(name, value)
    check.self(self, Socket, object, "set_option")
    local option = find(name, "set_option")
    local wanted = values[option.kind]
    check.argument(wanted[1](value), ("set_option: %s must be %s"):format(name, wanted[2]), value)
    return M.set(self, names[option.index + 1], value)
  end

  ---An option's value, as the system tells it.
  ---
  ---Codes: ENOTSUP the socket has no such option; ENOTSOCK it is a pipe; EBADF it is closed.
  ---@param name string as for set_option
  ---@return boolean|number|string? value
  ---@return string? err
  ---@return string? code
  function Socket:get_option(name)
    check.self(self, Socket, object, "get_option")
    local option = find(name, "get_option")
    local length = C.momo_get_option(executor, self, option.index, number, text, TEXT_MAX)
    if length < 0 then
      return failure(length)
    elseif option.kind == C.MOMO_TEXT then
      return core.string(text, length)
    elseif option.kind == C.MOMO_FLAG then
      return number[0] ~= 0
    elseif option.kind == C.MOMO_SECONDS_OR_OFF and number[0] < 0 then
      return false
    end
    return number[0]
  end

  ---The number of its descriptor, which goes on to belong to it. TLS is none of the descriptor's: what others write
  ---there is not encrypted.
  ---
  ---Codes: EBADF it is closed.
  ---@return integer? fd
  ---@return string? err
  ---@return string? code
  function Socket:fd()
    check.self(self, Socket, object, "fd")
    local fd = C.momo_descriptor(executor, self)
    if fd < 0 then
      return failure(fd)
    end
    return fd
  end

  ---Its own address, such as "127.0.0.1:8080" or "/run/app.sock"; "" of a Unix socket that has none.
  ---
  ---Codes: ENOTSOCK it is a pipe; EBADF it is closed.
  ---@return string? address
  ---@return string? err
  ---@return string? code
  function Socket:local_addr()
    check.self(self, Socket, object, "local_addr")
    return M.address(C.momo_local_address, self)
  end

  ---Closes it. May be repeated. Those who wait in an operation of it get ECANCELED; each later operation returns EBADF.
  function Socket:close()
    check.self(self, Socket, object, "close")
    C.momo_close(executor, self)
  end
end

---Whether a descriptor is a socket of this kind.
---@param fd integer
---@param wanted string (a part of) what the core calls its kind: "a TCP stream"
function M.is_kind(fd, wanted)
  local found, err, code = native.socket_kind(fd)
  if not found then
    return nil, ("%s: descriptor %d"):format(err, fd), code
  elseif not found:find(wanted, 1, true) then
    return nil, ("EINVAL: descriptor %d is %s; wanted: %s"):format(fd, found, wanted), "EINVAL"
  end
  return true
end

---Takes over a socket that was opened elsewhere. One that is of another kind stays the caller's.
---@param fd integer
---@param wanted string as for is_kind
function M.adopt(fd, wanted)
  local found, err, code = M.is_kind(fd, wanted)
  if not found then
    return nil, err, code
  end
  found, err, code = native.adopt(fd)
  if not found then
    return nil, ("%s: descriptor %d"):format(err, fd), code
  end
  return found
end

---A class's from_fd.
---@param wanted string
---@param name string of the function
---@return fun(fd: integer): any?, string?, string?
function M.from_fd(wanted, name)
  return function(fd)
    check.argument(check.is_whole(fd) and fd >= 0 and fd < 2 ^ 31,
      name .. ": argument 1 must be the number of a descriptor", fd)
    return M.adopt(fd, wanted)
  end
end

---@param backlog any an option
---@param name string of the function
function M.backlog(backlog, name)
  backlog = backlog or 511
  check.argument(check.is_whole(backlog) and backlog > 0, name .. ": backlog must be a whole number from 1", backlog)
  return math.min(backlog, 2 ^ 31 - 1) -- the system has a limit of its own, and takes it for what is more
end

---Waits until a stream that connects is connected; closes it if that fails.
---@async
function M.connected(address, connecting, timeout)
  local again, stream, err, code
  repeat again, stream, err, code = native.connect_finish(address, connecting, timeout) until not again
  if stream then
    return stream
  end
  return nil, err, code
end

return M
