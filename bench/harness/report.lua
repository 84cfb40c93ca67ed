---The results as text for the terminal, as Markdown and as JSON.

local contenders = require "harness.contenders"
local goals = require "harness.goals"
local measure = require "harness.measure"

local M = {}

---@param value number
---@return string # with three digits or so
function M.number(value)
  local size = math.abs(value)
  return ((size >= 100 and "%.0f") or (size >= 20 and "%.1f") or "%.2f"):format(value)
end

---The best peer's name and figure, and the floor's: of the C programs and the bare loop whichever is best.
---@param entry table
---@param floor boolean
---@return bench.Contender?, bench.Figure?
local function best_of(entry, floor)
  local winner, best
  for _, contender in ipairs(contenders.list) do
    local figure = entry.figures[contender.name]
    local rival = contender.name ~= "momo" and not contender.own
    if rival and (contender.floor or false) == floor and type(figure) == "table" then
      local ahead = not best or figure.best < best.best
      if entry.row.more then
        ahead = not best or figure.best > best.best
      end
      if ahead then
        winner, best = contender, figure
      end
    end
  end
  return winner, best
end

---What Momo takes for each unit that the other takes, the median of the rounds: below 1 it is ahead.
---@return number?
local function ratio(entry, other)
  local own = entry.figures.momo
  local above, below = own, other
  if entry.row.more then
    above, below = other, own
  end
  return type(own) == "table" and other and measure.ratio(above, below) or nil
end

---@return string peer, string floor "0.85 x Go" and "1.20 x floor", "" where there is none
function M.ratios(entry)
  local texts = {}
  for i, floor in ipairs { false, true } do
    local winner, best = best_of(entry, floor)
    local value = not entry.row.aside and ratio(entry, best)
    texts[i] = value and ("%.2f x %s"):format(value, winner.title) or ""
  end
  return texts[1], texts[2]
end

-- The contenders that have a column: those that have, or would have, a figure in one of the rows.
local function columns_of(entries)
  local columns = {}
  for _, contender in ipairs(contenders.list) do
    for _, entry in ipairs(entries) do
      if entry.figures[contender.name] then
        columns[#columns + 1] = contender
        break
      end
    end
  end
  return columns
end

local function cell(figure, with_median)
  if type(figure) ~= "table" then
    return figure or "–"
  end
  return with_median and ("%s (%s)"):format(M.number(figure.best), M.number(figure.median)) or M.number(figure.best)
end

-- Lines of aligned columns; the first one to the left. A dash is three bytes and one character.
local function aligned(lines)
  local widths, out = {}, {}
  local function width(text)
    return #text:gsub("–", "-")
  end
  for _, line in ipairs(lines) do
    for i, text in ipairs(line) do
      widths[i] = math.max(widths[i] or 0, width(text))
    end
  end
  for _, line in ipairs(lines) do
    local cells = {}
    for i, text in ipairs(line) do
      local blank = (" "):rep(widths[i] - width(text))
      cells[i] = i == 1 and text .. blank or blank .. text
    end
    out[#out + 1] = table.concat(cells, "  "):gsub("%s+$", "")
  end
  return table.concat(out, "\n") .. "\n"
end

---@param verdict bench.Verdict
---@return string # "goal: at most 2 x floor; it is 2.94: missed"
local function sentence(verdict)
  if not verdict.value then
    return ("goal: %s; not measured"):format(verdict.goal)
  end
  return ("goal: %s; it is %s: %s"):format(verdict.goal, M.number(verdict.value),
    verdict.reached and "reached" or "missed")
end

---A part as text: best (median) of each contender, the ratios, and the goals.
---@return string
function M.text(name, entries)
  local columns = columns_of(entries)
  local head = { name, "" }
  for _, contender in ipairs(columns) do
    head[#head + 1] = contender.title
  end
  head[#head + 1] = "x best peer"
  head[#head + 1] = "x floor"
  local lines, verdicts = { head }, {}
  for _, entry in ipairs(entries) do
    local line = { entry.row.title, entry.row.unit }
    for _, contender in ipairs(columns) do
      line[#line + 1] = cell(entry.figures[contender.name], true)
    end
    local peer, floor = M.ratios(entry)
    line[#line + 1] = peer
    line[#line + 1] = floor
    lines[#lines + 1] = line
    for _, verdict in ipairs(goals.of_row(entry, entries)) do
      verdicts[#verdicts + 1] = verdict
    end
  end
  return aligned(lines) .. M.sentences(verdicts)
end

---A line for each goal.
---@param verdicts bench.Verdict[]
---@return string
function M.sentences(verdicts)
  local lines = {}
  for i, verdict in ipairs(verdicts) do
    lines[i] = ("%s: %s\n"):format(verdict.title:gsub("^%s+", ""), sentence(verdict))
  end
  return table.concat(lines)
end

---What is not installed, a line for each package.
---@return string
function M.absent()
  local lines = {}
  for _, contender in ipairs(contenders.list) do
    if contender.absent then
      lines[#lines + 1] = ("absent: %s (%s)\n"):format(contender.title,
        contender.package and "Debian: " .. contender.package or contender.needs)
    end
  end
  return table.concat(lines)
end

local function markdown(lines)
  local out = {}
  for i, line in ipairs(lines) do
    out[i] = "| " .. table.concat(line, " | ") .. " |\n"
  end
  return table.concat(out)
end

local function title_of(entry)
  return entry.row.full_title or (entry.row.title:gsub("^%s+", ""))
end

---A part as a Markdown table of the best figures.
---@return string
function M.markdown(entries)
  local columns = columns_of(entries)
  local head, rule = { "what", "unit" }, { "---", "---" }
  for _, contender in ipairs(columns) do
    head[#head + 1] = contender.title
    rule[#rule + 1] = "--:"
  end
  head[#head + 1], rule[#rule + 1] = "Momo takes", "---"
  local lines = { head, rule }
  for _, entry in ipairs(entries) do
    local line = { title_of(entry), entry.row.unit }
    for _, contender in ipairs(columns) do
      local text = cell(entry.figures[contender.name])
      line[#line + 1] = contender.name == "momo" and "**" .. text .. "**" or text
    end
    local peer, floor = M.ratios(entry)
    line[#line + 1] = peer .. (peer ~= "" and floor ~= "" and ", " or "") .. floor
    lines[#lines + 1] = line
  end
  return markdown(lines)
end

---The goals as a Markdown table.
---@param verdicts bench.Verdict[]
---@return string
function M.goals(verdicts)
  local lines = { { "what", "goal", "Momo", "" }, { "---", "---", "--:", "---" } }
  for _, verdict in ipairs(verdicts) do
    lines[#lines + 1] = { (verdict.title:gsub("^%s+", "")), verdict.goal,
      verdict.value and M.number(verdict.value) or "–",
      (not verdict.value and "not measured") or (verdict.reached and "reached" or "**missed**") }
  end
  return markdown(lines)
end

local ESCAPES = { ['"'] = '\\"', ["\\"] = "\\\\", ["\n"] = "\\n", ["\t"] = "\\t" }

---Plain values as JSON; tables with a first item are arrays, keys are sorted.
---@return string
function M.json(value, indent)
  indent = indent or ""
  if type(value) == "string" then
    return '"' .. value:gsub('["\\\n\t]', ESCAPES) .. '"'
  elseif type(value) ~= "table" then
    return type(value) == "number" and ("%.10g"):format(value) or tostring(value)
  end
  local items, inner = {}, indent .. "  "
  if type(value[1]) == "number" then
    for i, item in ipairs(value) do
      items[i] = M.json(item)
    end
    return "[" .. table.concat(items, ", ") .. "]"
  elseif value[1] ~= nil then
    for i, item in ipairs(value) do
      items[i] = inner .. M.json(item, inner)
    end
    return "[\n" .. table.concat(items, ",\n") .. "\n" .. indent .. "]"
  end
  local keys = {}
  for key in pairs(value) do
    keys[#keys + 1] = key
  end
  table.sort(keys)
  for i, key in ipairs(keys) do
    items[i] = ("%s%s: %s"):format(inner, M.json(key), M.json(value[key], inner))
  end
  return "{\n" .. table.concat(items, ",\n") .. "\n" .. indent .. "}"
end

return M
