---What LuaSocket's streams and datagram sockets share.

local each = require "momo.internal.each"
local now = require("momo.time").now
local words = require "momo.compat.luasocket.words"

---@class momo.compat.Socket private
---@field object any the stream, listener or UDP socket behind it; false: there is none yet, or no longer
---@field class string its class and state, such as "tcp{client}"
---@field block number seconds, below 0: no limit
---@field total number seconds, below 0: no limit
---@field options table<string, any> that are set once it is there
---@field received integer bytes
---@field sent integer bytes
---@field born number
---@field watches table<string, momo.Watch> of select
local Base = {}

function Base.new(class, object)
  return setmetatable({
    object = object or false, class = class.__name .. class.__state, block = -1, total = -1, options = {}, received = 0,
    sent = 0, born = now(), watches = {},
  }, class)
end

function Base:settimeout(value, mode)
  value = value == nil and -1 or words.number(value, 1, "settimeout")
  local first = mode == nil and "b" or words.text(mode, 2, "settimeout"):sub(1, 1)
  if first == "t" or first == "r" then
    self.total = value
  elseif first == "b" then
    self.block = value
  else
    words.refuse(2, "settimeout", "invalid timeout mode")
  end
  return 1
end

function Base:gettimeout()
  return self.block, self.total
end

function Base:__tostring()
  return ("%s: %p"):format(self.class, self)
end

---A class with the methods of others: a table that has all of them itself, since libraries look through it.
---@param name string
---@param state string what it is at first, such as "{master}"
---@param ... table the later ones hide the earlier ones
---@return table class
function Base.make(name, state, ...)
  local class = { __name = name, __state = state }
  for _, methods in ipairs { Base, ... } do
    for key, method in each(methods) do
      class[key] = method
    end
  end
  class.__index, class.new, class.make = class, nil, nil
  return class
end

---Throws unless a socket is in such a state, as LuaSocket does. It is called by the method that the user has called.
---@param method string
---@param state string such as "{client}"
function Base:need(method, state)
  local wanted = getmetatable(self).__name .. state
  if self.class ~= wanted then
    words.refuse(0, method, wanted .. " expected", 3)
  end
end

---How long an operation may wait. LuaSocket's limit of a wait, mode "b", counts from the beginning of the call as well,
---but where both are set.
---@param began number? when the call began; nil: now
---@return number? seconds
function Base:limit(began)
  local block, total = self.block, self.total
  if total < 0 and block < 0 then
    return nil
  end
  local seconds = total < 0 and block or total
  local left = began and math.max(0, began + seconds - now()) or seconds
  return total >= 0 and block >= 0 and math.min(block, left) or left
end

function Base:getfd()
  local fd = self.object and self.object:fd()
  return fd or -1
end

function Base:getstats()
  return self.received, self.sent, now() - self.born
end

function Base:setstats(received, sent, age)
  self.received, self.sent = received or self.received, sent or self.sent
  self.born = age and now() - age or self.born
  return 1
end

---Takes what was made for it, with the options that were set before.
---@return 1|nil ok
---@return string? err
function Base:take(object, err, code)
  if not object then
    return nil, words.error(err, code)
  end
  self.object = object
  for name, value in each(self.options) do
    local ok, problem = words.set_option(object, name, value)
    if not ok then
      return nil, problem
    end
  end
  self.options = {}
  return 1
end

function Base:setoption(name, value)
  words.check_option(name, value)
  if self.object then
    return words.set_option(self.object, name, value)
  end
  self.options[name] = value
  return 1
end

function Base:getoption(name)
  words.check_name(name, "getoption", 2)
  if name == "error" and self.failure then -- of a connect that was not waited for
    local failure = self.failure
    self.failure = nil
    return failure
  end
  if not self.object then
    return self.options[name]
  end
  return words.get_option(self.object, name)
end

function Base:getsockname()
  if not self.object then
    return nil, words.NO_SOCKET
  end
  return words.split(self.object:local_addr())
end

function Base:getpeername()
  if not self.object then
    return nil, words.NO_SOCKET
  end
  local address = self.object.peer_addr
  if not address then -- a listener
    return nil, words.error("", "ENOTCONN")
  end
  return words.split(address(self.object))
end

function Base:getfamily()
  local address = self.object and self.object:local_addr()
  if not address then
    return self.family == "inet6" and "inet6" or "inet4"
  end
  return address:find("]", 1, true) and "inet6" or "inet4"
end

---Sends a datagram. A stream has its own.
---@async
function Base:send(data)
  data = words.text(data, 1, "send")
  self:need("send", "{connected}")
  if not self.object then
    return nil, "closed"
  end
  local bytes, err, code = self.object:send(data, self:limit())
  if not bytes then
    return nil, words.error(err, code)
  end
  return bytes
end

function Base:close()
  for _, watch in each(self.watches) do
    watch:close()
  end
  self.watches = {}
  if self.object then
    self.object:close()
    self.object = false
  end
  return 1
end

return Base
