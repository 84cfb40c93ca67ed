---Lua that somebody types, for the console and the REPL: each piece is a task, its values are shown.

local report = require "momo.internal.report"
local show = require "momo.internal.show"
local task = require "momo.internal.task"

local M = {}

---@param text string one or more lines
---@return function? chunk nil: it is no Lua
---@return string? err nil: the text goes on
function M.compile(text)
  text = text:gsub("^%s*=", "return ", 1)
  local chunk = loadstring("return " .. text, "=(typed)")
  if chunk then
    return chunk
  end
  local err
  chunk, err = loadstring(text, "=(typed)")
  if chunk then
    return chunk
  elseif err:find "'<eof>'$" then
    return nil, nil
  end
  return nil, err
end

---A value as it is shown.
local function text_of(value)
  local metatable = debug.getmetatable(value)
  if type(metatable) == "table" and rawget(metatable, "__name") == "momo.Profile" then
    return value:text()
  elseif type(value) == "string" and (value:find "\n" or value == "") then
    return value
  end
  return type(value) == "string" and ("%q"):format(value) or show.text(value)
end

---What is typed sees the program's globals, and these besides: what it assigns is the program's.
---@param more table<string, any>
---@return table env
function M.environment(more)
  return setmetatable({}, {
    __index = function(_, name)
      local value = more[name]
      if value == nil then
        value = rawget(_G, name)
      end
      return value
    end,
    __newindex = _G,
  })
end

local function tell(write, ran, ok, ...)
  if not ok then
    local err = ...
    local text = task.is_cancelled(err) and tostring(err) or report.describe(err, ran:traceback())
    write(text .. "\n")
    return
  end
  local texts = {}
  for i = 1, select("#", ...) do
    texts[i] = text_of((select(i, ...)))
  end
  if texts[1] then
    write(table.concat(texts, "\t") .. "\n")
  end
end

---Runs it as a task, and writes what it returns, or its error with its traceback. If the caller is cancelled meanwhile,
---it is, too.
---@async
---@param chunk function as `compile` gives it
---@param env table
---@param write fun(text: string)
function M.run(chunk, env, write)
  local ran = task.spawn(setfenv(chunk, env))
  ran:set_name "typed"
  local function wait()
    tell(write, ran, ran:join())
  end
  local ok, err = pcall(wait)
  if not ok then
    ran:cancel()
    error(err, 0)
  end
end

return M
