---What a wrong argument is told: errors at the line where the user's code called Momo.

local native = require("momo.internal.core").native
local each = require "momo.internal.each"

local M = {}

---Throws the text at that line.
---@type fun(text: string)
M.fail = native.fail

---@param value any
---@return string text as it is shown in an error: strings in quotes, NaN, numbers, else the type
function M.show(value)
  if type(value) == "string" then
    return string.format("%q", value)
  elseif value ~= value then
    return "NaN"
  elseif type(value) == "number" or type(value) == "boolean" then
    return tostring(value)
  end
  return type(value)
end

---@param ok any
---@param what string such as "bind: the backlog must be a whole number"
---@param value any what came instead
function M.argument(ok, what, value)
  if not ok then
    M.fail(what .. ", got " .. M.show(value))
  end
end

---@param timeout any nil, or a number of seconds
---@param name string of the function
function M.seconds(timeout, name)
  if timeout ~= nil and not (type(timeout) == "number" and timeout >= 0) then
    M.fail(name .. ": the timeout must be a number of seconds, 0 or more, got " .. M.show(timeout))
  end
end

---@param self any
---@param class table its metatable
---@param object string such as "stream"
---@param method string
function M.self(self, class, object, method)
  if getmetatable(self) ~= class then
    M.fail(("%s: call it with a colon: %s:%s()"):format(method, object, method))
  end
end

---Throws where a function of a module was called with a colon: what came first is the module.
---@param value any
---@param name string of the function
function M.dot(value, name)
  local method = name:match "[%w_]+$"
  if type(value) == "table" and type(rawget(value, method)) == "function" then
    M.fail(("%s: call it with a dot: %s(...)"):format(name, name))
  end
end

---@param value any
---@param what string such as "all: argument 1 must be an array of functions"
---@return integer n how many entries it has; a hole is a mistake, about which `#` may lie, and so they are counted
function M.array(value, what)
  M.argument(type(value) == "table", what, value)
  local n, last = 0, 0
  for key in each(value) do
    if not (M.is_whole(key) and key >= 1) then
      M.fail(("%s, got a table with the key %s"):format(what, M.show(key)))
    end
    n, last = n + 1, math.max(last, key)
  end
  for i = 1, n < last and last or 0 do
    if value[i] == nil then
      M.fail(("%s, and entry %d of this one is nil, before entry %d"):format(what, i, last))
    end
  end
  return n
end

---Throws where something is given behind the data, as io.write takes it.
---@param name string of the function
---@param instead string such as "a .. b"
---@param more any what is
function M.alone(name, instead, more)
  if more ~= nil then
    M.fail(("%s: it takes one value; for several write %s"):format(name, instead))
  end
end

---@param options any
---@param allowed table<string, string> the type of each option; also "array"; "any": the caller checks it
---@param name string of the function
function M.options(options, allowed, name)
  if options == nil then
    return {}
  elseif type(options) ~= "table" then
    M.fail(name .. ": options must be a table, got " .. M.show(options))
  end
  for key, value in each(options) do
    local wanted = allowed[key]
    if not wanted then
      local advice = require("momo.internal.meant").option(name, key)
      if advice then
        M.fail(("%s: there is no option %s: %s"):format(name, M.show(key), advice))
      end
      local known = {}
      for option in each(allowed) do
        known[#known + 1] = option
      end
      table.sort(known)
      M.fail(("%s: there is no option %s, but %s"):format(name, M.show(key), table.concat(known, ", ")))
    elseif wanted == "array" then
      M.array(value, ("%s: option %s must be an array"):format(name, key))
    elseif wanted ~= "any" and type(value) ~= wanted then
      M.fail(("%s: option %s must be a %s, got %s"):format(name, key, wanted, M.show(value)))
    end
  end
  return options
end

---Whether it is a string that C takes whole: one without a zero byte.
---@param value any
---@return boolean
function M.is_text(value)
  return type(value) == "string" and not value:find "%z"
end

---@param value any
---@return boolean
function M.is_whole(value)
  return type(value) == "number" and value % 1 == 0
end

return M
