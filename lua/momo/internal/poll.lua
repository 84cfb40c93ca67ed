---Descriptors that are somebody else's, such as the socket of a library that is called through FFI.

local check = require "momo.internal.check"
local core = require "momo.internal.core"
local names = require "momo.internal.names"
local waitable = require "momo.internal.waitable"

local C, executor, native = core.C, core.executor, core.native
local look, wait, watch_wait = native.poll_look, native.poll_wait, native.watch_wait

local M = {}

---Waits until a descriptor that is not Momo's, such as a library's socket, can be read or written without waiting; an
---error or an end counts as either. It is never closed, nor changed. Several tasks may wait for the same one. Its owner
---should not close it before they have ended: until then, what it is open for stays open.
---
---Codes: ETIMEDOUT; EPERM it is a file or a folder; EBADF.
---@async
---@param fd integer
---@param events "r"|"w"|"rw" what to wait for
---@param timeout number? seconds; 0 only looks
---@return "r"|"w"|"rw"|nil ready which of the events
---@return string? err
---@return string? code
function M.poll(fd, events, timeout)
  local again, ready, err, code
  repeat again, ready, err, code = look(fd, events, timeout) until not again
  if type(ready) == "userdata" then
    local watch = ready
    repeat again, ready, err, code = wait(watch, timeout) until not again
  end
  if ready then
    return ready
  end
  return nil, err, code
end

---A descriptor that is not Momo's, to be waited for again and again; `select` takes it. It costs no system call that
---`momo.io.poll` makes for each wait but the look.
---@class momo.Watch
local Watch = native.metatables.watch
Watch.__name = "momo.Watch"
Watch.__index = Watch

---Watches a descriptor that is not Momo's. It is never closed, nor changed. Close the watch before its owner closes the
---descriptor: until then, what it is open for stays open.
---
---Codes: EPERM it is a file or a folder; EBADF; EMFILE.
---@param fd integer
---@param events "r"|"w"|"rw" what to wait for
---@return momo.Watch? watch
---@return string? err
---@return string? code
function M.watch(fd, events)
  return native.watch_new(fd, events)
end

---Waits until one of the events can be had without waiting; an error or an end counts as each. Several tasks may wait;
---all are told.
---
---Codes: ETIMEDOUT; ECANCELED it was closed meanwhile; EBADF it is closed.
---@async
---@param timeout number? seconds; 0 only looks
---@return "r"|"w"|"rw"|nil ready which of the events
---@return string? err
---@return string? code
function Watch:wait(timeout)
  check.self(self, Watch, "watch", "wait")
  local again, ready, err, code
  repeat again, ready, err, code = watch_wait(self, timeout) until not again
  if ready then
    return ready
  end
  return nil, err, code
end

---What to wait for from now on.
---
---Codes: EBADF it is closed.
---@param events "r"|"w"|"rw"
---@return true? ok
---@return string? err
---@return string? code
function Watch:set_events(events)
  check.self(self, Watch, "watch", "set_events")
  return native.watch_set_events(self, events)
end

---Ends it; the descriptor stays open. May be repeated. Those who wait get ECANCELED.
function Watch:close()
  check.self(self, Watch, "watch", "close")
  C.momo_close(executor, self)
end

waitable[Watch] = {
  is_ready = native.watch_is_ready,
  consume = function(self) return self:wait(0) end,
  waiters = function(self)
    local status = native.watch_arm(self)
    if status < 0 then
      check.fail("select: " .. select(2, core.failure(status)))
    end
    return self, self
  end,
  still = native.watch_is_ready,
  woken = function(self)
    local ready, err, code = self:wait(0)
    if code == "EBADF" then
      return nil, "ECANCELED: operation canceled", "ECANCELED"
    end
    return ready, err, code
  end,
}

names.objects(Watch, "watch")

return M
