---How the failure of a task that nobody joins is told: to a function of the program's, to its log, or on stderr.

local native = require("momo.internal.core").native
local show = require "momo.internal.show"

local M = {
  log = false, ---@type {takes_reports: fun(): boolean, add: function}|false the log, once it is loaded
}

local handler

---@param fn fun(err: any, task: momo.Task)? nil: as without one
---@return fun(err: any, task: momo.Task)? before
function M.set_handler(fn)
  local before = handler
  handler = fn
  return before
end

---An error as text, with the place where it happened.
---@param err any
---@param traceback string?
---@return string
function M.describe(err, traceback)
  local text = show.text(err)
  local hint = text:find("attempt to", 1, true) and require("momo.internal.meant").hint(text)
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

local function without_handler(err, traceback, task)
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

---A handler that has returned has dealt with the failure, which then does not count any more.
function M.tell(err, traceback, task)
  if not handler then
    return without_handler(err, traceback, task)
  end
  local ok, problem = pcall(handler, err, task)
  if ok then
    native.outcome(task)
  else
    M.complain("while a failed task was reported", problem)
    without_handler(err, traceback, task)
  end
end

return M
