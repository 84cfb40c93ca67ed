---Where the CPU's time goes: LuaJIT's own profiler, by task, and by line of the program. While it is off it costs
---nothing. `momo --profile app.lua` profiles a whole run.
---
---There is one profiler for the process. It tells of the thread that has started it; that thread's code is compiled
---anew when it starts and when it stops.

local check = require "momo.internal.check"
local core = require "momo.internal.core"
local each = require "momo.internal.each"
local names = require "momo.internal.names"
local now = require("momo.time").now

local native = core.native

local STACK_MAX = 100    -- frames of one that is noted
local STACKS_MAX = 20000 -- that are told apart
local STATES = { N = "compiled", I = "interpreted", C = "C", G = "GC", J = "compiler" }
local LOOP, UNNAMED, OTHER = "(the loop)", "(tasks without a name)", "(other)"
local TASKS_SHOWN, LINES_SHOWN = 5, 12

local M = {}

local current -- what is being gathered

---What a profile has found.
---@class momo.Profile
---@field seconds number from start to stop
---@field cpu number seconds that the thread has computed
---@field states table<string, number> seconds in "compiled" and "interpreted" code, in "C", the "GC", the "compiler"
---@field stacks momo.ProfileStack[]
local Profile = { __name = "momo.Profile" }
Profile.__index = Profile
names.objects(Profile, "profile")

---A stack that was found, and how long.
---@class momo.ProfileStack
---@field task string the task's name, "(tasks without a name)", or "(the loop)", which is what runs tasks
---@field state string as in `states`
---@field frames string[] "function file:line", the outermost first
---@field line string? "file:line" of the innermost that is not Momo's own
---@field seconds number

---Called by the VM.
local function on_sample(thread, _, state)
  local seconds, id, name = native.profile_sample()
  local running = native.current()
  local stack = ""
  if running and id == native.id(running) then
    stack = current.dumpstack(thread, "pf\tl\n", -STACK_MAX)
  end
  local task = id == 0 and LOOP or name ~= "" and name:gsub("%c", "?") or UNNAMED
  local key = task .. "\n" .. state .. "\n" .. stack
  local ran = current.ran[key]
  if not ran then
    if current.n >= STACKS_MAX then
      key = OTHER .. "\n" .. state .. "\n"
      ran = current.ran[key]
    else
      current.n = current.n + 1
    end
  end
  current.ran[key] = (ran or 0) + seconds
end

---Begins to profile this thread.
---
---Codes: EBUSY somebody profiles already; EAGAIN, ENOMEM the system has no timer.
---@return true? ok
---@return string? err
---@return string? code
function M.start()
  if native.profile_is_on() then
    return nil, "EBUSY: a profile is being taken", "EBUSY"
  end
  local profiler = require "jit.profile"
  current = { ran = {}, n = 0, begin = now(), dumpstack = profiler.dumpstack }
  profiler.start("li1", on_sample)
  local ok, err, code = native.profile_begin()
  if not ok then
    profiler.stop()
    current = nil
    return nil, err, code
  end
  return true
end

---Whether this thread is being profiled.
---@return boolean running
function M.running()
  return current ~= nil
end

local OWN = debug.getinfo(1, "S").source:gsub("^@", ""):gsub("profile%.lua$", "")
local ABOVE = #OWN - #"momo/"

---"function file:line"; the function is left out where it has no name.
local function frame_of(name, place)
  if place:sub(1, #OWN) == OWN then
    place = place:sub(ABOVE + 1)
  end
  if not place:find ":%d+$" then
    return name
  end
  return name:find ":%d+$" and place or name .. " " .. place
end

local function stack_of(key, seconds)
  local task, state, rest = key:match "^(.-)\n(.)\n(.*)$"
  local stack = { task = task, state = STATES[state] or state, frames = {}, seconds = seconds }
  for name, place in rest:gmatch "([^\n\t]*)\t([^\n]*)" do
    stack.frames[#stack.frames + 1] = frame_of(name, place)
    if place:find ":%d+$" and place:sub(1, #OWN) ~= OWN then
      stack.line = place
    end
  end
  return stack
end

---Ends it.
---@return momo.Profile? profile nil: this thread is not being profiled
function M.stop()
  if not current then
    return nil
  end
  native.profile_end()
  require("jit.profile").stop()
  local gathered = current
  current = nil
  local profile = { seconds = now() - gathered.begin, cpu = 0, states = {}, stacks = {} }
  for _, state in each(STATES) do
    profile.states[state] = 0
  end
  for key, seconds in each(gathered.ran) do
    local stack = stack_of(key, seconds)
    profile.stacks[#profile.stacks + 1] = stack
    profile.cpu = profile.cpu + seconds
    profile.states[stack.state] = (profile.states[stack.state] or 0) + seconds
  end
  return setmetatable(profile, Profile)
end

---{ { key, seconds }, ... } by seconds, of what key_of says of stacks.
local function totals(profile, key_of)
  local seconds, rows = {}, {}
  for _, stack in ipairs(profile.stacks) do
    local key = key_of(stack)
    seconds[key] = (seconds[key] or 0) + stack.seconds
  end
  for key, of in each(seconds) do
    rows[#rows + 1] = { key, of }
  end
  table.sort(rows, function(a, b) return a[2] > b[2] or (a[2] == b[2] and a[1] < b[1]) end)
  return rows
end

local function percent(part, whole)
  return whole > 0 and 100 * part / whole or 0
end

local function add_rows(lines, profile, title, rows, limit)
  lines[#lines + 1] = "  " .. title
  for i = 1, math.min(#rows, limit) do
    lines[#lines + 1] = ("  %5.1f %%  %8.3f s  %s"):format(percent(rows[i][2], profile.cpu), rows[i][2], rows[i][1])
  end
end

---A short table: the kinds of code, the tasks and the lines that took most.
---@return string text of several lines
function Profile:text()
  check.self(self, Profile, "profile", "text")
  local kinds = {}
  for _, row in ipairs(totals(self, function(stack) return stack.state end)) do
    kinds[#kinds + 1] = ("%s %.0f %%"):format(row[1], percent(row[2], self.cpu))
  end
  local lines = { ("momo: profile: %.3f s computed in %.3f s: %s"):format(self.cpu, self.seconds,
    kinds[1] and table.concat(kinds, ", ") or "too little to say more") }
  if kinds[1] then
    add_rows(lines, self, "by task", totals(self, function(stack) return stack.task end), TASKS_SHOWN)
    add_rows(lines, self, "by line", totals(self, function(stack)
      return (stack.line or "(no line of the program's)") .. ", " .. stack.task
    end), LINES_SHOWN)
  end
  return table.concat(lines, "\n")
end

---A flame graph: each box is a function at a line, as wide as what it and those above it took; at the top is the kind
---of code, and at the foot the task.
---@return string svg
function Profile:flame_graph()
  check.self(self, Profile, "profile", "flame_graph")
  return require "momo.command.flame"(self)
end

return M
