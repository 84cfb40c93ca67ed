---Dictionaries of nginx's shared memory. Here each thread has its own, and they forget nothing for want of memory.

local each = require "momo.internal.each"
local now = require("momo.time").now

local KEY_MAX = 65535 -- bytes
local KEYS = 1024 -- that get_keys returns unless told otherwise

---@class momo.compat.ngx.Dict
---@field private items table<string, {value: any, expires: number?, flags: integer?, first: integer?, last: integer?}>
local Dict = { __name = "ngx.shared.DICT" }
Dict.__index = Dict

-- A key as text, or what is wrong with it.
local function key_of(key)
  if key == nil then
    return nil, "nil key"
  end
  key = tostring(key)
  if key == "" then
    return nil, "empty key"
  elseif #key > KEY_MAX then
    return nil, "key too long"
  end
  return key
end

local function is_over(item)
  return item.expires and item.expires <= now()
end

local function find(self, key)
  local item = self.items[key]
  return item and not is_over(item) and item or nil
end

local function deadline(seconds)
  if seconds == nil or seconds == 0 then
    return nil
  end
  local number = tonumber(seconds)
  if not number or number < 0 then
    error("bad \"exptime\" argument", 3)
  end
  return now() + number
end

local function flags_of(item)
  return item.flags ~= 0 and item.flags or nil
end

---@return any value
---@return integer|string|nil flags or what is wrong
function Dict:get(key)
  local name, err = key_of(key)
  local item = name and find(self, name)
  if not item then
    return nil, err
  elseif item.first then
    return nil, "value is a list"
  end
  return item.value, flags_of(item)
end

---@return any value
---@return integer|string|nil flags or what is wrong
---@return boolean? stale
function Dict:get_stale(key)
  local name, err = key_of(key)
  local item = name and self.items[name]
  if not item then
    return nil, err
  elseif item.first then
    return nil, "value is a list"
  end
  return item.value, flags_of(item), is_over(item) or false
end

local KINDS = { string = true, number = true, boolean = true, ["nil"] = true }

local function store(self, name, value, expires, flags)
  if not KINDS[type(value)] then
    return nil, "bad value type"
  end
  self.items[name] = value ~= nil and { value = value, expires = expires, flags = tonumber(flags) } or nil
  return true, nil, false
end

---@return boolean? ok
---@return string? err
---@return boolean? forcible never
function Dict:set(key, value, seconds, flags)
  local expires, name, err = deadline(seconds), key_of(key)
  if not name then
    return nil, err
  end
  return store(self, name, value, expires, flags)
end

function Dict:add(key, value, seconds, flags)
  local expires, name, err = deadline(seconds), key_of(key)
  if not name then
    return nil, err
  elseif value == nil then
    return nil, "attempt to add or replace nil values"
  elseif find(self, name) then
    return false, "exists", false
  end
  return store(self, name, value, expires, flags)
end

function Dict:replace(key, value, seconds, flags)
  local expires, name, err = deadline(seconds), key_of(key)
  if not name then
    return nil, err
  elseif value == nil then
    return nil, "attempt to add or replace nil values"
  elseif not find(self, name) then
    return false, "not found", false
  end
  return store(self, name, value, expires, flags)
end

Dict.safe_set, Dict.safe_add = Dict.set, Dict.add

function Dict:delete(key)
  return self:set(key, nil)
end

---@return number? value
---@return string? err
---@return boolean? forcible never
function Dict:incr(key, by, init, init_seconds)
  local expires, name, err = deadline(init_seconds), key_of(key)
  if init_seconds and not init then
    error("must provide \"init\" when providing \"init_ttl\"", 2)
  elseif not name then
    return nil, err
  end
  by = tonumber(by) or error("bad value arg: number expected", 2)
  local item = find(self, name)
  if not item then
    if not init then
      return nil, "not found"
    end
    item = { value = init, expires = expires }
    self.items[name] = item
  elseif type(item.value) ~= "number" then
    return nil, "not a number"
  end
  item.value = item.value + by
  if init then
    return item.value, nil, false
  end
  return item.value
end

-- Lists: item[first] to item[last].

local function push(self, key, value, at_end)
  local name, err = key_of(key)
  if not name then
    return nil, err
  elseif type(value) ~= "string" and type(value) ~= "number" then
    return nil, "bad value type"
  end
  local item = find(self, name)
  if not item then
    item = { first = 1, last = 0 }
    self.items[name] = item
  elseif not item.first then
    return nil, "value not a list"
  end
  if at_end then
    item.last = item.last + 1
    item[item.last] = value
  else
    item.first = item.first - 1
    item[item.first] = value
  end
  return item.last - item.first + 1
end

local function pop(self, key, at_end)
  local name, err = key_of(key)
  local item = name and find(self, name)
  if not item then
    return nil, err
  elseif not item.first then
    return nil, "value not a list"
  end
  local at = at_end and item.last or item.first
  local value = item[at]
  item[at] = nil
  if at_end then
    item.last = at - 1
  else
    item.first = at + 1
  end
  if item.first > item.last then
    self.items[name] = nil
  end
  return value
end

---@return integer? length
---@return string? err
function Dict:lpush(key, value) return push(self, key, value, false) end

---@return integer? length
---@return string? err
function Dict:rpush(key, value) return push(self, key, value, true) end

---@return string|number|nil value
---@return string? err
function Dict:lpop(key) return pop(self, key, false) end

---@return string|number|nil value
---@return string? err
function Dict:rpop(key) return pop(self, key, true) end

---@return integer? length
---@return string? err
function Dict:llen(key)
  local name, err = key_of(key)
  local item = name and find(self, name)
  if not item then
    return name and 0, err
  elseif not item.first then
    return nil, "value not a list"
  end
  return item.last - item.first + 1
end

---@return number? seconds 0: for ever
---@return string? err
function Dict:ttl(key)
  local name, err = key_of(key)
  local item = name and find(self, name)
  if not item then
    return nil, err or "not found"
  end
  return item.expires and item.expires - now() or 0
end

---@return true? ok
---@return string? err
function Dict:expire(key, seconds)
  local expires, name, err = deadline(seconds), key_of(key)
  local item = name and find(self, name)
  if not item then
    return nil, err or "not found"
  end
  item.expires = expires
  return true
end

function Dict:flush_all()
  for _, item in each(self.items) do
    item.expires = 0
  end
end

---@param max integer? 0: all
---@return integer flushed
function Dict:flush_expired(max)
  local n = 0
  for name, item in each(self.items) do
    if is_over(item) then
      self.items[name] = nil
      n = n + 1
      if n == max then
        break
      end
    end
  end
  return n
end

---@param max integer? 0: all; 1024
---@return string[] keys
function Dict:get_keys(max)
  local keys = {}
  max = max or KEYS
  for name, item in each(self.items) do
    if not is_over(item) then
      keys[#keys + 1] = name
      if #keys == max then
        break
      end
    end
  end
  return keys
end

function Dict.capacity()
  return math.huge
end

Dict.free_space = Dict.capacity

---By name, made when it is first asked for.
---@type table<string, momo.compat.ngx.Dict>
return setmetatable({}, {
  __index = function(dicts, name)
    local dict = setmetatable({ items = {} }, Dict)
    rawset(dicts, name, dict)
    return dict
  end,
})
