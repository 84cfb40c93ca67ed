---What runs on a new thread (core/binding/thread.c calls it).

local native = require("momo.internal.core").native
local portable = require "momo.internal.portable"
local task = require "momo.internal.task"
require "momo.thread" -- the classes of what it may be given

---@param code string a dumped function, or a module's name
---@param modules string[]? of the function's upvalues
---@param n integer arguments
return function(code, modules, n, ...)
  native.thread_attach()
  return task.run(portable.load(code, modules, "thread.spawn"), unpack({ ... }, 1, n))
end
