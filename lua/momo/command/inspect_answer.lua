---What a thread answers to the page of `momo --inspect`, between two resumes, beside what it counts.

local core = require "momo.internal.core"
local native = core.native

local function start()
  local ok, err = require("momo.profile").start()
  return ok and "started" or err
end

local function stop()
  local profile = require("momo.profile").stop()
  return profile and profile:flame_graph() or ""
end

---@param question string "NUMBER tasks", "NUMBER start KEY" or "NUMBER stop KEY": the latter two are for one thread
---@return string text "NUMBER KEY NAME", and the answer from the next line on
return function(question)
  local number, what, whose = question:match "^(%d+) (%S+) ?(.*)$"
  local key, _, name = tostring(core.executor):match "0x%x+", native.thread_current()
  local answer = ""
  if what == "tasks" then
    answer = require("momo.command.tree").text()
  elseif whose == key then
    answer = what == "start" and start() or stop()
  end
  return ("%s %s %s\n%s"):format(number, key, name or "main", answer)
end
