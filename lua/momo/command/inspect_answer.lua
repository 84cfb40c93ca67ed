---What a thread answers to the page of `momo --inspect` and to the console of another thread, between two resumes,
---beside what it counts.

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

-- The console runs something here: "KEY NUMBER PATH".
local function come(whose, key)
  local wanted, number, path = whose:match "^(%S+) (%d+) (.*)$"
  if wanted == key then
    require("momo.internal.task").spawn_daemon(require("momo.command.console").join, path, number)
      :set_name "momo: console"
  end
end

---@param question string "NUMBER tasks", "NUMBER name", "NUMBER start KEY", "NUMBER stop KEY" or "NUMBER console KEY
---NUMBER PATH": where there is a KEY, it is for one thread
---@return string text "NUMBER WORD KEY INDEX NAME", and the answer from the next line on
return function(question)
  local number, what, whose = question:match "^(%d+) (%S+) ?(.*)$"
  local key, index, name = tostring(core.executor):match "0x%x+", native.thread_current()
  local answer = ""
  if what == "tasks" then
    answer = require("momo.command.tree").text()
  elseif what == "console" then
    come(whose, key)
  elseif whose == key then
    answer = what == "start" and start() or stop()
  end
  name = (name or "main"):gsub("%c", "?")
  return ("%s %s %s %d %s\n%s"):format(number, what, key, index or 0, name, answer)
end
