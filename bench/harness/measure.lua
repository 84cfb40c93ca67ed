---Rounds. The contenders take turns, round by round, each time in another order by chance, so that a noisy machine
---disturbs them all alike. A machine that is slower for a while is so for a round: what holds one contender against
---another is the median of their ratios within a round.

local contenders = require "harness.contenders"
local shell = require "harness.shell"

local M = { rounds = 8 }

local function numbers(text)
  local list = {}
  for number in text:gmatch "%-?%d[%d.e+-]*" do
    list[#list + 1] = assert(tonumber(number), text)
  end
  return list
end

---The command of a contender for a workload, nil when it has no program for it.
local function command_of(contender, workload)
  local command = contenders.command(contender, workload.kind)
  if not command or (workload.only and not workload.only[contender.as or contender.name])
    or (contender.connections_max or math.huge) < (workload.connections or 0) then
    return nil
  end
  local size, pace = math.max(workload.size or 1, 1), contender.pace and contender.pace[workload.kind] or 1
  local count = math.ceil((workload.count or 0) * pace / size) * size
  return ("%s%s %s"):format(workload.prefix or "", command, workload.arguments:format(count))
end

---The figures of the rounds.
---@class bench.Figure
---@field best number the minimum, of what more is better the maximum
---@field median number
---@field samples table<integer, number> by round

local function sorted_of(samples)
  local sorted = {}
  for round = 1, M.rounds do
    sorted[#sorted + 1] = samples[round]
  end
  table.sort(sorted)
  return sorted
end

local function summary(samples, more)
  local sorted = sorted_of(samples)
  return { best = more and sorted[#sorted] or sorted[1], median = sorted[math.ceil(#sorted / 2)], samples = samples }
end

---The median of the ratios that two have within a round; nil where there is none.
---@param above bench.Figure
---@param below bench.Figure
---@return number?
function M.ratio(above, below)
  local ratios = {}
  for round = 1, M.rounds do
    local one, other = above.samples[round], below.samples[round]
    ratios[round] = one and other and other > 0 and one / other or nil
  end
  local sorted = sorted_of(ratios)
  return sorted[math.ceil(#sorted / 2)]
end

-- All of them, in an order by chance.
local function shuffled(list)
  local order = {}
  for i, item in ipairs(list) do
    local place = math.random(i)
    order[i] = order[place]
    order[place] = item
  end
  return order
end

---Runs a part: a list of { row =, figures = }. A figure, by contender's name, is "absent" where it is not installed,
---and nil where it has no such thing.
---@param workloads bench.Workload[]
---@return table[]
function M.part(workloads)
  local rows, without = {}, {}
  for _, workload in ipairs(workloads) do
    for i, row in ipairs(workload.rows) do
      rows[#rows + 1] = row and { row = row, workload = workload, place = i, samples = {}, figures = {} } or nil
    end
  end

  local function sample(round, contender, workload)
    local command = command_of(contender, workload)
    if not command or (without[contender] or {})[workload] then
      return
    end
    local figures = numbers(shell.output(command))
    if #figures == 0 then -- it has no such thing; asked once
      without[contender] = without[contender] or {}
      without[contender][workload] = true
      return
    end
    for _, entry in ipairs(rows) do
      if entry.workload == workload and figures[entry.place] then
        local list = entry.samples[contender.name] or {}
        entry.samples[contender.name] = list
        local figure, row = figures[entry.place], entry.row
        list[round] = row.rate and row.rate / figure or figure / (row.scale or 1)
      end
    end
  end

  for round = 1, M.rounds do
    for _, workload in ipairs(workloads) do
      local takes_part = round <= (workload.rounds or round)
      for _, contender in ipairs(shuffled(contenders.list)) do
        if takes_part and not contender.absent then
          sample(round, contender, workload)
        end
      end
    end
  end

  for _, entry in ipairs(rows) do
    for _, contender in ipairs(contenders.list) do
      local samples = entry.samples[contender.name]
      if samples then
        entry.figures[contender.name] = summary(samples, entry.row.more)
      elseif contender.absent and contenders.command(contender, entry.workload.kind) then
        entry.figures[contender.name] = "absent"
      elseif contender.name == "momo" then
        entry.figures.momo = "absent"
      end
    end
  end
  return rows
end

return M
