---How the failure of a task or a thread that nobody joins is told: to a function of the program's, to its log, or on
---stderr.

local native = require("momo.internal.core").native
local show = require "momo.internal.show"

local M = {
  log = false, ---@type {takes_reports: fun(): boolean, add: function}|false the log, once it is loaded
}

local handler

---@param fn fun(err: any, source: momo.Task|momo.Thread)? nil: as without one
---@return fun(err: any, source: momo.Task|momo.Thread)? before
function M.set_handler(fn)
  local before = handler
  handler = fn
  return before
end

---LuaJIT does not know the line of a coroutine's last frame once that has failed. The error's text does.
local function with_line(traceback, text)
  local path, line = text:match "^([^\n]-):(%d+): "
  local frame = path and "stack traceback:\n\t" .. path .. ":"
  if frame and traceback:sub(1, #frame + 1) == frame .. " " then
    return frame .. line .. ":" .. traceback:sub(#frame + 1)
  end
  return traceback
end

---An error as text, with the place where it happened.
---@param err any
---@param traceback string?
---@return string
function M.describe(err, traceback)
  local text = show.text(err)
  traceback = traceback and with_line(traceback, text)
  local hint = text:find("attempt to", 1, true) and require("momo.internal.hint").hint(text)
  if hint then
    text = text .. "\n(" .. hint .. ")"
  end
  if traceback and traceback ~= "" then
    text = text .. "\n" .. traceback
  end
  return text
end

local function log_of_reports()
  if not M.log and os.getenv "MOMO_LOG_FORMAT" == "json" then
    require "momo.log"
  end
  return M.log and M.log.takes_reports() and M.log
end

---What went wrong where nobody can be told by an error.
---@param what string such as "while a scope was left"
---@param err any
function M.complain(what, err)
  local log = log_of_reports()
  if log then
    log.add("error", what, { error = err })
  else
    io.stderr:write("momo: ", what, ": ", show.text(err), "\n")
  end
end

local function of_thread(thread, text)
  local name = native.thread_name(thread)
  if native.incidents_are_kept() then
    native.incident("failed", ("thread %s: %s"):format(name, text))
  end
  local log = log_of_reports()
  if log then
    log.add("error", "a thread failed", { error = text, name = name })
  else
    io.stderr:write("momo: thread ", name, " failed: ", text, "\n")
  end
end

local function of_task(task, err, traceback)
  if native.incidents_are_kept() then
    native.incident("failed", native.task_name(task) .. ": " .. M.describe(err, traceback))
  end
  local log = log_of_reports()
  if log then
    log.add("error", "a task failed", { error = err, traceback = traceback }, task)
    return
  end
  if native.fields(task).name then
    traceback = "in " .. native.task_name(task) .. "\n" .. traceback
  end
  io.stderr:write("momo: ", M.describe(err, traceback), "\n")
end

-- Whether a handler has dealt with a failure: it was told, and has returned.
local function handled(what, err, source)
  if not handler then
    return false
  end
  local ok, problem = pcall(handler, err, source)
  if not ok then
    M.complain("while a failed " .. what .. " was reported", problem)
  end
  return ok
end

---Tells of a task, or of a thread. What a handler has dealt with does not count any more.
---@param source momo.Task|momo.Thread
---@param err any of a task; a thread has its own
---@param traceback string? of a task
function M.tell(source, err, traceback)
  if debug.getmetatable(source) ~= native.metatables.thread then
    if handled("task", err, source) then
      native.outcome(source)
    else
      of_task(source, err, traceback)
    end
    return
  end
  local text, thrown = native.thread_failure(source)
  if handled("thread", thrown, source) then
    native.thread_outcome(source)
  else
    of_thread(source, text)
  end
end

return M
