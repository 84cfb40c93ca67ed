---A function that runs in another Lua state: as code, with modules for upvalues.
---
---This module loads no other by itself: a state that only calls what it was sent opens no executor.

local M = {}

local each = pairs -- as momo.internal.each, which says why

local function module_of(value)
  if type(value) == "table" or type(value) == "function" then
    for name, module in each(package.loaded) do
      if module == value and type(name) == "string" then
        return name
      end
    end
  end
end

---@param fn function|string a function without upvalues but modules, or the name of a module that returns one
---@param name string of the function that wants it
---@return string code
---@return string[]? modules the name of each upvalue's; nil: code is the name of a module
function M.dump(fn, name)
  local check = require "momo.internal.check"
  for _, path in ipairs { "path", "cpath" } do
    check.argument(check.is_text(package[path]), ("%s: package.%s must be a string"):format(name, path), package[path])
  end
  if type(fn) == "string" then
    check.argument(check.is_text(fn), name .. ": the name of a module must have no zero byte", fn)
    if fn:find "/" or fn:find "%.lua$" then
      check.fail(("%s: %q is a file; write the name of a module, as for require: %q"):format(name, fn,
        (fn:gsub("%.lua$", ""):gsub("^%./", ""):gsub("/", "."))))
    end
    return fn
  elseif type(fn) ~= "function" then
    check.fail(name .. ": needs a function or the name of a module, got " .. check.show(fn))
  end
  local info = debug.getinfo(fn, "S")
  if info.what == "C" then
    check.fail(name .. ": a C function can't be copied to another thread; wrap it in a Lua function")
  end
  local modules = {}
  for i = 1, math.huge do
    local upvalue, value = debug.getupvalue(fn, i)
    if not upvalue then
      break
    end
    modules[i] = module_of(value)
    if not modules[i] then
      check.fail(("%s: the function at %s:%d uses the upvalue '%s'; a thread has a Lua state of its own: %s")
        :format(name, info.short_src, info.linedefined, upvalue, type(value) == "function"
          and "define the function inside, or in a module" or "pass it as an argument"))
    end
  end
  return string.dump(fn), modules
end

---@param code string
---@param modules string[]?
---@param name string of the function that wants it
---@return function
function M.load(code, modules, name)
  if modules then
    local fn = assert(loadstring(code))
    for i, module in ipairs(modules) do
      debug.setupvalue(fn, i, require(module))
    end
    return fn
  end
  local fn = require(code)
  if type(fn) ~= "function" then
    error(("%s: module %q must return a function, and returned a %s"):format(name, code, type(fn)), 0)
  end
  return fn
end

---Without the frames that are not the function's: xpcall, and who has called that.
local function with_traceback(err)
  return type(err) == "string" and debug.traceback(err, 2):gsub("\n[^\n]*\n[^\n]*$", "") or err
end

---Loads and calls the function. Returns whether it went well, and its results, or its error with the traceback.
---@param code string
---@param modules string[]?
---@param n integer arguments
function M.call(code, modules, n, ...)
  return xpcall(M.load(code, modules, "spawn_blocking"), with_traceback, unpack({ ... }, 1, n))
end

return M
