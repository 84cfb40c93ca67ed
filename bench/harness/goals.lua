---What Momo's figures are held against: goals of rows (see workloads.lua), and of the C benches, which are here.

local contenders = require "harness.contenders"
local measure = require "harness.measure"

local M = {}

---One of most and least is given. The bound is a figure in the row's unit, or so many times another one's.
---@class bench.Goal
---@field most? number
---@field least? number
---@field of? string a contender
---@field row? string the key of another row of the part: Momo's figure there
---@field by? string the contender whose figure it is, where it isn't Momo's

---@class bench.Verdict
---@field title string
---@field goal string as in "at most 2 x floor"
---@field value number? what Momo has, in the same terms; nil: it was not measured
---@field reached boolean?

local function verdict(title, goal, value, terms)
  local bound = goal.most or goal.least
  local reached
  if value then
    reached = (goal.most and value <= bound) or (goal.least and value >= bound) or false
  end
  local text = ("%s %g %s"):format(goal.most and "at most" or "at least", bound, terms)
  return { title = title, goal = text, value = value, reached = reached }
end

local function figure_of(entry, name)
  local figure = entry and entry.figures[name]
  return type(figure) == "table" and figure or nil
end

local function by_key(entries, key)
  for _, entry in ipairs(entries) do
    if entry.row.key == key then
      return entry
    end
  end
  error("no row has the key " .. key)
end

---The verdicts on a row.
---@param entry table
---@param entries table[] those of its part
---@return bench.Verdict[]
function M.of_row(entry, entries)
  local verdicts, row = {}, entry.row
  for i, goal in ipairs(row.goal or {}) do
    local own, title = figure_of(entry, goal.by or "momo"), row.full_title or row.title
    local value, terms = own and own.best, row.unit
    if goal.of or goal.row then
      local other = goal.row and by_key(entries, goal.row)
      local reference = figure_of(other or entry, goal.of or "momo")
      value = own and reference and measure.ratio(own, reference)
      terms = "x " .. (other and other.row.title or contenders.by_name[goal.of].title)
    end
    if goal.by then
      title = ("%s (%s)"):format(title, contenders.by_name[goal.by].title)
    end
    verdicts[i] = verdict(title, goal, value, terms)
  end
  return verdicts
end

-- The largest of the numbers that a pattern finds.
local function largest(text, pattern)
  local most
  for number in text:gmatch(pattern) do
    most = math.max(most or 0, tonumber(number))
  end
  return most
end

local NUMBER = "%s+([%d.]+)"
-- A row of the wheel's table: name, deadlines, pending, fill, insert, hot.
local WHEEL = "wheel%s+%a+%s+%d+%s+[%d.]+"

local C_GOALS = {
  { bench = "wheel", title = "wheel: insert, 10 to 10 M pending", pattern = WHEEL .. NUMBER, most = 12 },
  { bench = "wheel", title = "wheel: cancel, hot", pattern = WHEEL .. "%s+[%d.]+" .. NUMBER, most = 8 },
  { bench = "slab", title = "slab: take and release", pattern = "take %+ release, hot" .. NUMBER, most = 3 },
  { bench = "lane", title = "lane: one way", pattern = "one way, 8 bytes" .. NUMBER, most = 12 },
  { bench = "lane", title = "lane: round trip", pattern = "over two lanes%s+[%d.]+" .. NUMBER, most = 1.3,
    terms = "x bare atomics" },
}

---The verdicts on what a C bench has printed.
---@param name string of the bench
---@param text string
---@return bench.Verdict[]
function M.of_program(name, text)
  local verdicts = {}
  for _, goal in ipairs(C_GOALS) do
    if goal.bench == name then
      verdicts[#verdicts + 1] = verdict(goal.title, goal, largest(text, goal.pattern), goal.terms or "ns")
    end
  end
  return verdicts
end

return M
