---What runs on a new thread (core/binding/thread/thread.c calls it).

local native = require("momo.internal.core").native
local portable = require "momo.internal.portable"
local report = require "momo.internal.report"
local task = require "momo.internal.task"
require "momo.thread" -- the classes of what it may be given

---An error that is no text is passed on as it is; what is reported of it, if nobody joins, is told beforehand.
local function results(ok, ...)
  if ok then
    return ...
  elseif ok == false then
    local err, traceback = ...
    local text = report.describe(err, traceback)
    if type(err) == "string" then
      error(text, 0)
    end
    native.thread_describe_failure(text)
    error(err, 0)
  end
end

---@param code string a dumped function, or a module's name
---@param modules string[]? of the function's upvalues
---@param n integer arguments
return function(code, modules, n, ...)
  if native.thread_attach() then
    require "momo.internal.compiled"()
  end
  return results(task.start({}, portable.load(code, modules, "thread.spawn"), unpack({ ... }, 1, n)))
end
