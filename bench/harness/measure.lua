---Rounds. The contenders take turns, round by round, so that a noisy machine disturbs them all alike.

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
  if not command or (workload.only and not workload.only[contender.name])
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
---@field samples number[] in the order of the rounds

local function summary(samples, more)
  local sorted = {}
  for i, sample in ipairs(samples) do
    sorted[i] = sample
  end
  table.sort(sorted)
  return { best = more and sorted[#sorted] or sorted[1], median = sorted[math.ceil(#sorted / 2)], samples = samples }
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

  local function sample(contender, workload)
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
        list[#list + 1] = row.rate and row.rate / figure or figure / (row.scale or 1)
      end
    end
  end

  for round = 1, M.rounds do
    for _, workload in ipairs(workloads) do
      local takes_part = round <= (workload.rounds or round)
      for i = 1, #contenders.list do -- each round begins with another one
        local contender = contenders.list[(i + round) % #contenders.list + 1]
        if takes_part and not contender.absent then
          sample(contender, workload)
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
