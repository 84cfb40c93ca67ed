---What to do about an error of LuaJIT's that says only that something is nil, or of another type than was thought.

local meant = require "momo.internal.meant"

local M = {}

-- Globals that other environments have, and the names that programs give to parts of Momo.
local parts = { "time", "net", "io", "sync", "http", "fs", "tls", "process", "thread", "signal", "log", "nats" }
local environments = {
  socket = "LuaSocket", copas = "Copas", cqueues = "cqueues", uv = "luv", luv = "luv", ngx = "OpenResty",
  turbo = "Turbo",
}

---What a global was meant by.
local function of_global(name)
  if name == "momo" then
    return 'write: local momo = require "momo"'
  elseif environments[name] then
    return ("%s is of %s; what Momo has instead is in docs/guide, and libraries for others run through momo.compat")
      :format(name, environments[name])
  end
  for _, part in ipairs(parts) do
    if name == part then
      return ("write: local %s = momo.%s"):format(name, name)
    end
  end
  local place = meant.place(name)
  return place and ("did you mean %s?"):format(place)
end

-- Functions of Momo's that return nil and an error, by their last name.
local failing = {}
for name in ([[accept bind body client connect form from_fd get json list lookup_host open pair peek post read
  read_exact read_until recv recv_from request run server spawn stat tempfile timeout watch websocket]]):gmatch "%S+" do
  failing[name] = true
end

local function last_name(called)
  return called:match "[%w_]+$"
end

---@param called string? as the source has it: "momo.fs.open"
---@param line integer where
---@param of string the type that its result was
local function of_call(called, line, of)
  if not called then
    return nil
  elseif of == "nil" and failing[last_name(called)] then
    return ("%s in line %d has returned nil, and why as its second value: look at that, or write assert(%s(...))")
      :format(called, line, called)
  elseif of == "boolean" and last_name(called) == "join" then
    return ("%s in line %d returns true before what the task has returned: local ok, value = %s()")
      :format(called, line, called)
  end
end

---Calls f with each line of a file, and its number, up to the last.
local function each_line(path, last, f)
  local file = io.open(path)
  if file then
    local n = 0
    for text in file:lines() do
      n = n + 1
      if n > last then
        break
      end
      f(text, n)
    end
    file:close()
  end
end

---Which call a variable had its value from, as the source has it: the last assignment above that line, or anywhere
---where a function uses it from outside.
local function of_variable(path, last, name, of)
  local called, at
  each_line(path, last, function(text, n)
    local value = text:match("%f[%w_]local%s+" .. name .. "%f[^%w_][^=]*=%s*(.*)$")
      or text:match("^%s*" .. name .. "%f[^%w_][^=]*=%s*(.*)$")
    if value then
      called, at = value:match "^([%a_][%w_.:]*)%s*[%({\"']", n
    end
  end)
  return of_call(called, at, of)
end

-- Whether what stands around a call uses its result in this way.
local uses = {
  index = function(_, after) return after:find "^%s*[.:%[]" and not after:find "^%s*%.%." end,
  concatenate = function(before, after) return before:find "%.%.%s*$" or after:find "^%s*%.%." end,
  ["perform arithmetic on"] = function(before, after)
    return before:find "[-+*/%%^]%s*$" or after:find "^%s*[-+*/%%^]"
  end,
}

---Which call in a line had the result that is used so, where it has no name.
local function of_result(path, line, verb, of)
  local found
  each_line(path, line, function(text, n)
    local from = 1
    while n == line and uses[verb] and from do
      local first, name_end, called = text:find("%f[%w_]([%a_][%w_.:]*)", from)
      local rest = first and text:sub(name_end + 1)
      local arguments = first and (rest:match "^%s*%b()" or rest:match '^%s*"[^"]*"' or rest:match "^%s*'[^']*'")
      if arguments and uses[verb](text:sub(1, first - 1), rest:sub(#arguments + 1)) then
        found = of_call(called, line, of) or found
      end
      from = first and name_end + 1
    end
  end)
  return found
end

---@param text string an error's
---@return string? hint
function M.hint(text)
  local path, line, verb, what, of = text:match "^([^\n]-):(%d+): attempt to (%l[%l ]-) ([^\n]-) ?%(?a (%l+) value%)?"
  if not path then
    return nil
  end
  line = tonumber(line)
  local kind, name = what:match "(%l+) '([%a_][%w_]*)'$"
  if not kind then
    verb = (verb .. " " .. what):match "^%s*(.-)%s*$"
    return of_result(path, line, verb, of)
  end
  local hint = of == "nil" and kind == "global" and of_global(name)
  if hint then
    return hint
  elseif of == "nil" and kind == "field" and (name == "stdin" or name == "stdout" or name == "stderr") then
    return ("a child has it that was spawned with %s = \"pipe\""):format(name)
  elseif of == "nil" and kind == "field" and name == "params" then
    return "a request has params once a momo.http.Router has found its handler"
  elseif of == "function" then
    return ("%s is a function, which was not called: write %s(...), or object:%s(...) if it is a method")
      :format(name, name, name)
  elseif kind == "method" and (of == "string" or of == "number") then
    return ("%s is a field, and its value is a %s: write object.%s"):format(name, of, name)
  end
  local last = kind == "local" and line or (kind == "upvalue" or kind == "global") and math.huge
  return last and of_variable(path, last, name, of) or nil
end

return M
