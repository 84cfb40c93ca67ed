---The rows that are marked for it as bars, in an SVG: a panel a row, in two columns. Shorter is better, except where
---the panel says that more is; a bar that would be longer than the panel ends in a point.

local contenders = require "harness.contenders"
local report = require "harness.report"

local PANEL, BAR, GAP, LABEL, LENGTH = 420, 15, 34, 84, 250
local AT_MOST = 6 -- times Momo's

local HEAD = [[
<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" viewBox="0 0 %d %d">
<style>
svg { font: 11px sans-serif }
text { fill: #24292f }
.momo { fill: #2f81f7 } .peer { fill: #8c959f } .floor { fill: #d0d7de } .own { font-weight: bold }
@media (prefers-color-scheme: dark) {
  text { fill: #e6edf3 } .peer { fill: #6e7681 } .floor { fill: #3d444d }
}
</style>
]]

local function escape(text)
  return (text:gsub("[&<>]", { ["&"] = "&amp;", ["<"] = "&lt;", [">"] = "&gt;" }))
end

-- Best first.
local function bars_of(entry)
  local bars = {}
  for _, contender in ipairs(contenders.list) do
    local figure = entry.figures[contender.name]
    if type(figure) == "table" then
      bars[#bars + 1] = { contender = contender, value = figure.best }
    end
  end
  table.sort(bars, function(a, b)
    if entry.row.more then
      return a.value > b.value
    end
    return a.value < b.value
  end)
  return bars
end

local function panel(entry, x, y)
  local bars, own, longest = bars_of(entry), entry.figures.momo.best, 0
  for _, bar in ipairs(bars) do
    longest = math.max(longest, math.min(bar.value, own * AT_MOST))
  end
  local out = { ('<text class="own" x="%d" y="%d">%s, %s%s</text>\n'):format(x, y + 12, escape(entry.row.title),
    entry.row.unit, entry.row.more and " (more is better)" or "") }
  for i, bar in ipairs(bars) do
    local top, contender = y + 4 + i * BAR, bar.contender
    local class = contender.name == "momo" and "momo" or contender.floor and "floor" or "peer"
    local clipped = bar.value > longest
    local length = math.max(1, math.min(bar.value, longest) / longest * LENGTH)
    local left, right, bottom = x + LABEL, x + LABEL + length, top + BAR - 3
    out[#out + 1] = ('<text x="%d" y="%d" text-anchor="end"%s>%s</text>\n'):format(left - 6, bottom - 2,
      class == "momo" and ' class="own"' or "", contender.title)
    out[#out + 1] = ('<path class="%s" d="M%d %dH%.1f%sV%dH%dz"/>\n'):format(class, left, top, right,
      clipped and ("l8 %gl-8 %g"):format((bottom - top) / 2, (bottom - top) / 2) or "", bottom, left)
    out[#out + 1] = ('<text x="%.1f" y="%d">%s</text>\n'):format(right + (clipped and 12 or 5), bottom - 2,
      report.number(bar.value))
  end
  return table.concat(out), #bars * BAR + GAP
end

---@param results table<string, table[]> by part
---@param order string[]
---@return string
return function(results, order)
  local out, heights = {}, { 0, 0 }
  for _, part in ipairs(order) do
    for _, entry in ipairs(results[part] or {}) do
      if entry.row.chart and type(entry.figures.momo) == "table" then
        local column = heights[1] <= heights[2] and 1 or 2
        local text, height = panel(entry, 10 + (column - 1) * PANEL, heights[column])
        out[#out + 1] = text
        heights[column] = heights[column] + height
      end
    end
  end
  local width, height = 2 * PANEL, math.max(heights[1], heights[2])
  return HEAD:format(width, height, width, height) .. table.concat(out) .. "</svg>\n"
end
