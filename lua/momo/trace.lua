---What tasks do when, as a file that Perfetto (ui.perfetto.dev) and Chrome open: tasks are tracks, what they wait for
---is a slice, who wakes whom an arrow, each thread a process. While it is off it costs nothing.
---`momo --trace FILE app.lua` traces a whole run.
---
---Each thread keeps its last quarter of a million events, in 5 MB.

local check = require "momo.internal.check"
local native = require("momo.internal.core").native

local M = {}

local path -- of this thread's trace

local function begin(file, is_first)
  local index, name = native.thread_current()
  local ok, err, code = native.trace_begin(file, index or 0, name or "main", is_first)
  if not ok then
    return nil, err and err .. ": " .. file or "EBUSY: this thread is traced already", code or "EBUSY"
  end
  path = file
  return true
end

---Begins to trace this thread. What the file has is lost at once; it is written when the trace ends.
---
---Codes: EBUSY this thread is traced already; ENOMEM; ENOENT, ENOSPC and others of the file.
---@param file string its path
---@return true? ok
---@return string? err
---@return string? code
function M.start(file)
  check.argument(check.is_text(file), "start: argument 1 must be the path of a file", file)
  if path then
    return nil, "EBUSY: this thread is traced already, to " .. path, "EBUSY"
  end
  return begin(file, true)
end

---As `start`, for a further thread of a process whose trace has begun: it adds to the file, at the latest when it ends.
---
---Codes: EBUSY; ENOMEM.
---@param file string
---@return true? ok
---@return string? err
---@return string? code
function M.join(file)
  return begin(file, false)
end

---Whether this thread is being traced.
---@return boolean running
function M.running()
  return path ~= nil
end

---Ends it, and writes the file.
---
---Codes: ENOSPC and others of the file; ENOMEM.
---@return string? path of the file; nil: this thread is not being traced
---@return string? err
---@return string? code
function M.stop()
  if not path then
    return nil
  end
  local file = path
  path = nil
  local ok, err, code = native.trace_end()
  if not ok then
    return nil, err, code
  end
  return file
end

return M
