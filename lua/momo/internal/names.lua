---What a module or a class answers for a name that it does not have. A name that it has costs nothing: the metatable is
---asked only where nothing is found.

local M = {}

---A __tostring, as that of Lua 5.3 by itself.
function M.tell_name(object)
  return ("%s: %p"):format(getmetatable(object).__name, object)
end

---What such a name is told, if it is text that a program may have written: names that begin with "_" are Lua's, and of
---those who look what an object is.
---@param names table whose keys are the names that there are
---@param shown string what has them: "momo.net", or "stream"
---@param key any
---@param more table? whose keys are names, too
function M.missing(names, shown, key, more)
  if type(key) == "string" and key:find "^%a" then
    require("momo.internal.meant").answer(names, shown, key, more)
  end
end

---@generic T: table
---@param module T
---@param name string such as "momo.net"
---@param later table<string, fun(): any>? what is loaded when it is first asked for
---@return T module
function M.module(module, name, later)
  return setmetatable(module, { later = later, __index = function(_, key)
    local load = later and later[key]
    if not load then
      return M.missing(module, name, key, later)
    end
    module[key] = load()
    return module[key]
  end })
end

local HARMLESS_MAX = 64 -- names that are kept of a class

---What an object answers for a name that it does not have, such as a field that is not set: those that are no mistake
---are kept, so that to ask for one again and again costs little.
---@param class table where the methods are found
---@param object string such as "stream"
---@param fields string? names of those that may be nil
---@return fun(key: any)
local function asker(class, object, fields)
  local harmless, left = {}, HARMLESS_MAX
  for name in (fields or ""):gmatch "%S+" do
    harmless[name] = true
  end
  return function(key)
    if type(key) == "string" and not harmless[key] then
      M.missing(class, object, key)
      if left > 0 then
        harmless[key], left = true, left - 1
      end
    end
  end
end

---@param class table the metatable of objects, where their methods are found
---@param object string such as "stream"
---@param iterated string? how one goes through what it gives, such as "for value in rx:iter() do": what is told to a
---program that writes `for value in rx do`
function M.objects(class, object, iterated)
  class.__tostring = class.__tostring or M.tell_name
  if iterated then
    function class.__call()
      require("momo.internal.check").fail(("%s is no function: write %s"):format(object, iterated))
    end
  end
  local ask = asker(class, object)
  setmetatable(class, { __index = function(_, key) ask(key) end })
end

---As `objects`, for a class whose __index is a function of its own, which ends in the one that is returned.
---@param class table
---@param object string such as "request"
---@param fields string? names of fields that may be nil, between blanks
---@return fun(key: any)
function M.own_index(class, object, fields)
  class.__tostring = class.__tostring or M.tell_name
  return asker(class, object, fields)
end

---A table of constructors of objects whose methods it has, too.
---@generic T: table
---@param class T
---@param base table
---@param name string such as "momo.net.TcpStream"
---@return T class
function M.class(class, base, name)
  class.__tostring = class.__tostring or class.__name and M.tell_name
  return setmetatable(class, { __index = function(_, key)
    local method = rawget(base, key)
    if method == nil then
      M.missing(class, name, key, base)
    end
    return method
  end })
end

return M
