---The rows that are marked for it as bars, in an SVG that is light or dark as the reader has it: a panel a row,
---in two columns, to be read down the first and then the second. The best bar is on top; one that would be longer than
---the panel ends in a point.

local contenders = require "harness.contenders"
local report = require "harness.report"

local MARGIN, HEADER, PANEL, GUTTER = 24, 78, 400, 32
local TITLE, BAR, GAP = 22, 17, 18 -- heights: of a panel's title, a bar with what is between two, what is below a panel
local LABEL, LENGTH = 124, 220
local AT_MOST = 5 -- times Momo's

local HEAD = [[
<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" viewBox="0 0 %d %d">
<style>
text { font: 12px system-ui, -apple-system, "Segoe UI", Roboto, Helvetica, Arial, sans-serif; fill: #1f2328 }
.paper { fill: #ffffff; stroke: #d1d9e0 }
.head { font-size: 20px; font-weight: 600 } .title { font-size: 13px; font-weight: 600 } .own { font-weight: 600 }
.soft { fill: #59636e; font-weight: 400 } .line { stroke: #d1d9e0 }
.momo { fill: #e8590c } .peer { fill: #8aa4c8 } .floor { fill: #d5dbe3 }
@media (prefers-color-scheme: dark) {
  text { fill: #e6edf3 } .paper { fill: #0d1117; stroke: #30363d }
  .soft { fill: #9198a1 } .line { stroke: #3d444d }
  .momo { fill: #ff8a3d } .peer { fill: #4c6a94 } .floor { fill: #333c48 }
}
</style>
<rect class="paper" x="0.5" y="0.5" width="%d" height="%d" rx="8"/>
]]

local function escape(text)
  return (text:gsub("[&<>]", { ["&"] = "&amp;", ["<"] = "&lt;", [">"] = "&gt;" }))
end

local function class_of(contender)
  return (contender.name == "momo" or contender.own) and "momo" or contender.floor and "floor" or "peer"
end

-- Title, date and what the colours mean.
local function header(about, right)
  local out = {
    ('<text class="head" x="%d" y="38">Momo beside its peers</text>\n'):format(MARGIN),
    ('<text class="soft" x="%d" y="58">%s, %d CPUs; %s</text>\n'):format(MARGIN, escape(about.cpu), about.cpus,
      about.date:match "%S+"),
  }
  local x = right
  for _, entry in ipairs { { "floor", "floor, in C" }, { "peer", "peers" }, { "momo", "Momo" } } do
    x = x - #entry[2] * 6.6
    out[#out + 1] = ('<text x="%.0f" y="38">%s</text>\n'):format(x, entry[2])
    out[#out + 1] = ('<rect class="%s" x="%.0f" y="28" width="12" height="12" rx="2"/>\n'):format(entry[1], x - 18)
    x = x - 36
  end
  return table.concat(out)
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

local function panel(entry, bars, x, y)
  local own, longest = entry.figures.momo.best, 0
  for _, bar in ipairs(bars) do
    longest = math.max(longest, math.min(bar.value, own * AT_MOST))
  end
  local out = { ('<text class="title" x="%d" y="%d">%s <tspan class="soft">%s%s</tspan></text>\n'):format(x, y + 13,
    escape(entry.row.title), entry.row.unit, entry.row.more and ", more is better" or "") }
  local left, bottom = x + LABEL, y + TITLE + #bars * BAR
  for i, bar in ipairs(bars) do
    local top, class = y + TITLE + (i - 1) * BAR + 2, class_of(bar.contender)
    local clipped = bar.value > longest
    local right = left + math.max(2, math.min(bar.value, longest) / longest * LENGTH)
    local height = BAR - 4
    local point = clipped and ("l8 %gl-8 %g"):format(height / 2, height / 2) or ""
    local mark = class == "momo" and "own" or class == "floor" and "soft" or ""
    out[#out + 1] = ('<text class="%s" x="%d" y="%d" text-anchor="end">%s</text>\n'):format(mark, left - 8, top + 11,
      escape(bar.contender.title))
    out[#out + 1] = ('<path class="%s" d="M%d %dH%.1f%sV%dH%dz"/>\n'):format(class, left, top,
      right - (clipped and 8 or 0), point, top + height, left)
    out[#out + 1] = ('<text class="%s" x="%.1f" y="%d">%s</text>\n'):format(mark, right + 6, top + 11,
      report.number(bar.value))
  end
  out[#out + 1] = ('<path class="line" d="M%g %dV%d"/>\n'):format(left - 0.5, y + TITLE, bottom)
  return table.concat(out)
end

---@param parts table[][] the entries of each part
---@param about table where and when
---@return string
return function(parts, about)
  local panels, total = {}, 0
  for _, entries in ipairs(parts) do
    for _, entry in ipairs(entries) do
      if entry.row.chart and type(entry.figures.momo) == "table" then
        local bars = bars_of(entry)
        panels[#panels + 1] = { entry = entry, bars = bars, height = TITLE + #bars * BAR + GAP }
        total = total + panels[#panels].height
      end
    end
  end
  local out, x, y, tallest = {}, MARGIN, 0, 0
  for _, p in ipairs(panels) do
    if x == MARGIN and y + p.height / 2 > total / 2 then
      x, y = MARGIN + PANEL + GUTTER, 0
    end
    out[#out + 1] = panel(p.entry, p.bars, x, HEADER + y)
    y = y + p.height
    tallest = math.max(tallest, y)
  end
  local width, height = 2 * (MARGIN + PANEL) + GUTTER, HEADER + tallest + MARGIN - GAP
  return HEAD:format(width, height, width, height, width - 1, height - 1) .. header(about, width - MARGIN)
    .. table.concat(out) .. "</svg>\n"
end
