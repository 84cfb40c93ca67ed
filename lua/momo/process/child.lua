---A child process, as momo.process.spawn returns it.

local check = require "momo.internal.check"
local names = require "momo.internal.names"
local native = require("momo.internal.core").native
local waitable = require "momo.internal.waitable"

---How a child ended: `status`, or the `signal` that ended it.
---@class momo.ProcessEnd
---@field status integer? that it exited with
---@field signal string? such as "SIGKILL"; those without a name are "SIGRTMIN+2"

---A child process. `select` waits for its end.
---@class momo.Child
---@field stdin momo.Stream? where it was "pipe": what is written to it, the child reads
---@field stdout momo.Stream? where it was "pipe"
---@field stderr momo.Stream? where it was "pipe"
---@field terminal momo.Stream? with `pty`: both what the child writes and what it reads
local Child = { __name = "momo.Child" }
Child.__index = Child
names.objects(Child, "child")

-- { status = } or { signal = }; false: it runs; nil: nobody will learn.
local function end_of_child(self)
  local status, signal = native.process_end(self.raw)
  if status == false then
    return false
  elseif status or signal then
    return { status = status or nil, signal = signal }
  end
end

local function take_end(self)
  local ended = end_of_child(self)
  if ended == nil then
    return nil, "ECHILD: nobody learned how the child ended: it outlived the run", "ECHILD"
  end
  return ended
end

waitable[Child] = {
  is_ready = function(self) return end_of_child(self) ~= false end,
  consume = take_end,
  waiters = function(self) return self.raw, self end,
  woken = take_end,
}

-- Waits for the end: nothing, or err, code.
local function park(self, timeout)
  local again, err, code
  repeat again, err, code = native.park(self.raw, timeout) until not again
  return err, code
end

local M = { Child = Child }

---SIGTERM, a grace, SIGKILL; no cancellation ends the wait.
---@async
---@param self momo.Child
function M.finish(self)
  while native.process_finish(self.raw) do end
end

---Waits for the child's end; it may be asked again and again. When the task is cancelled meanwhile, so is the child: it
---gets SIGTERM, and SIGKILL after its grace, unless it is detached.
---
---Codes: ETIMEDOUT, then the child runs on; ECHILD it has outlived the run.
---@async
---@param timeout number? seconds
---@return momo.ProcessEnd? ended
---@return string? err
---@return string? code
function Child:wait(timeout)
  check.self(self, Child, "child", "wait")
  check.seconds(timeout, "wait")
  native.check_cancelled()
  if end_of_child(self) == false then
    local ok, err, code = xpcall(park, native.traceback_capture, self, timeout)
    if not ok then
      if not self.lives_on then
        M.finish(self)
      end
      native.rethrow(err)
    elseif err and end_of_child(self) == false then
      return nil, err, code
    end
  end
  return take_end(self)
end

local SIGNALS = { HUP = true, INT = true, QUIT = true, KILL = true, TERM = true, USR1 = true, USR2 = true, STOP = true,
  CONT = true }

---Sends a signal; to its whole group where it leads one.
---
---Codes: ESRCH it has ended; EPERM it runs as another user.
---@param signal string? "SIGTERM"
---@return true? ok
---@return string? err
---@return string? code
function Child:kill(signal)
  check.self(self, Child, "child", "kill")
  check.argument(signal == nil or check.is_text(signal), "kill: argument 1 must be a signal's name such as \"SIGTERM\"",
    signal)
  local ok, err, code = native.process_kill(self.raw, signal or "SIGTERM")
  if ok == false then
    local meant = SIGNALS[signal:upper()] and "SIG" .. signal:upper() or "SIGTERM"
    check.fail(("kill: there is no signal %q; write %q"):format(signal, meant))
  end
  return ok, err, code
end

---The number of the process.
---@return integer pid once it has ended, it may be another one's
function Child:pid()
  check.self(self, Child, "child", "pid")
  return native.process_pid(self.raw)
end

---Tells the programs in its terminal how large that is. Throws without `pty`.
---
---Codes: EBADF the terminal is closed.
---@param rows integer
---@param columns integer
---@return true? ok
---@return string? err
---@return string? code
function Child:resize(rows, columns)
  check.self(self, Child, "child", "resize")
  for i, value in ipairs { rows, columns } do
    check.argument(check.is_whole(value) and value >= 1 and value < 65536,
      ("resize: argument %d must be a whole number from 1 to 65535"):format(i), value)
  end
  if not self.terminal then
    check.fail "resize: the child has no terminal; spawn it with pty = true"
  end
  return native.process_resize(self.terminal, rows, columns)
end

return M
