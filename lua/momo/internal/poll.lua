---Descriptors that are somebody else's, such as the socket of a library that is called through FFI.

local native = require("momo.internal.core").native

local look, wait = native.poll_look, native.poll_wait

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

return M
