---Threads: each a Lua state and an executor of its own. Nothing is shared; plain values are copied.

local check = require "momo.internal.check"
local core = require "momo.internal.core"
local names = require "momo.internal.names"
local portable = require "momo.internal.portable"
local task = require "momo.internal.task"

local C, native = core.first, core.native

---@class momo.thread.Options
---@field name string? shown in errors, and by the system
---@field cpu integer? pins it to that CPU; from 0

---A thread, as `momo.thread.spawn` returns it. What one fails with while nobody is joining it is told to
---`momo.on_error`, or on stderr.
---@class momo.Thread
local Thread = native.metatables.thread
Thread.__name = "momo.Thread"
Thread.__index = Thread

local M = { channel = require("momo.internal.thread_channel").channel }
local started, pinned = 0, nil

local function check_cpu(cpu, name)
  check.argument(check.is_whole(cpu) and cpu >= 0 and cpu < 1024, name .. " must be the number of a CPU", cpu)
end

local NAME_MAX = 63 -- see core/binding/thread/thread.c

local function not_usable(cpu)
  return nil, ("EINVAL: this process can't use CPU %d"):format(cpu), "EINVAL"
end

local function start(options, fn, ...)
  check.options(options, { name = "string", cpu = "number" }, "thread.spawn")
  if options.cpu then
    check_cpu(options.cpu, "thread.spawn: option cpu")
  end
  check.argument(options.name == nil or (check.is_text(options.name) and #options.name <= NAME_MAX),
    ("thread.spawn: option name must be a string of at most %d bytes, none of them 0"):format(NAME_MAX), options.name)
  if not task.current() then
    check.fail("thread.spawn: needs a runtime: call it inside momo.run(main), or run the file with the momo command")
  end
  local code, modules = portable.dump(fn, "thread.spawn")
  started = started + 1
  local name = options.name or "momo-" .. started
  local ok, thread, err, errcode = pcall(native.thread_start, started, name, options.cpu, package.path, package.cpath,
    code, modules, select("#", ...), ...)
  if not ok then
    check.fail("thread.spawn: " .. tostring(thread))
  elseif errcode == "EINVAL" and options.cpu then
    return not_usable(options.cpu)
  end
  return thread, err, errcode
end

---Starts a thread that runs a function in a runtime of its own, as `momo.run` would. It belongs to this executor: `run`
---does not return before the thread has ended, and `stop` stops it.
---
---The function has no upvalues but modules, which are required again there. Arguments and results are copied, or moved,
---as values of a channel are (see `momo.thread.Sender`); nil can be one.
---
---`stop` reaches a thread when it suspends. One that has not heard of it for 3 seconds (option `grace` of `run`), as it
---computes, is left behind with a message on stderr, and ends with the process; so is one that has not ended as long
---after its parent's Lua state was closed.
---
---Codes: EINVAL this process can't use that CPU; EAGAIN the system has no more threads; EMFILE.
---@overload fun(fn: function|string, ...: any): momo.Thread?, string?, string?
---@param options momo.thread.Options
---@param ... any the function, or the name of a module that returns one, and its arguments
---@return momo.Thread? thread
---@return string? err
---@return string? code
function M.spawn(options, ...)
  check.dot(options, "thread.spawn")
  if type(options) == "table" then
    return start(options, ...)
  end
  return start({}, options, ...)
end

---Waits for the thread's end. May be repeated, by several tasks.
---@async
---@param timeout number? seconds; 0 only tries
---@return boolean? ok
---@return any ... what its function returned; false: the error, with its traceback; nil: the time was over (ETIMEDOUT)
function Thread:join(timeout)
  local again, err, code
  repeat again, err, code = native.thread_join(self, timeout) until not again
  if err then
    return nil, err, code
  end
  return native.thread_outcome(self)
end

---How many CPUs this process may use.
---@return integer n
function M.available_parallelism()
  return C.momo_parallelism(core.executor)
end

---The thread that calls runs on this CPU only, from now on.
---
---Codes: EINVAL this process can't use that CPU.
---@param cpu integer from 0
---@return true? ok
---@return string? err
---@return string? code
function M.pin(cpu)
  check_cpu(cpu, "thread.pin: argument 1")
  if C.momo_pin(cpu) < 0 then
    return not_usable(cpu)
  end
  pinned = cpu
  return true
end

---What is known of the thread that calls. Its index is 0 on the main thread, else its number among those that its
---parent has started; its cpu is the one that it is pinned to.
---@return {index: integer, name: string, cpu: integer?} thread
function M.current()
  local index, name, cpu = native.thread_current()
  return { index = index or 0, name = name or "main", cpu = cpu or pinned }
end

names.objects(Thread, "thread")

return names.module(M, "momo.thread")
