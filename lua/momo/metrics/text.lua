---The text format of Prometheus, version 0.0.4: written, and added up.
---
---    # HELP name text
---    # TYPE name counter|gauge|histogram
---    name{label="value"} number
---
---What several threads have counted is the sum of their lines: also of a histogram, whose buckets are lines.

local well_formed = require("momo.internal.json_text").well_formed

local M = {}

local ESCAPES = { ["\0"] = "\239\191\189", ["\\"] = "\\\\", ["\n"] = "\\n", ['"'] = '\\"' }

local NO_DIGITS = { ["+Inf"] = math.huge, ["-Inf"] = -math.huge, NaN = 0 / 0 }

---@param value number
---@return string
function M.number(value)
  if value ~= value then
    return "NaN"
  elseif value == math.huge or value == -math.huge then
    return value > 0 and "+Inf" or "-Inf"
  end
  local short = ("%.14g"):format(value)
  return tonumber(short) == value and short or ("%.17g"):format(value)
end

---As all of the text must be UTF-8, what is none in a value is replaced, and so are zero bytes, which end the text for
---those who read it.
---@param names string[]
---@param values string[]
---@return string text `name="value",...`
function M.labels(names, values)
  local parts = {}
  for i, name in ipairs(names) do
    parts[i] = ('%s="%s"'):format(name, (well_formed(values[i]):gsub('[%z\\\n"]', ESCAPES)))
  end
  return table.concat(parts, ",")
end

---@param lines string[] it is appended to these
---@param name string
---@param kind "counter"|"gauge"|"histogram"
---@param help string
function M.family(lines, name, kind, help)
  lines[#lines + 1] = ("# HELP %s %s"):format(name, (well_formed(help):gsub("[\\\n]", ESCAPES)))
  lines[#lines + 1] = ("# TYPE %s %s"):format(name, kind)
end

---@param lines string[]
---@param name string
---@param labels string as `labels` makes it
---@param value number
function M.sample(lines, name, labels, value)
  lines[#lines + 1] = (labels == "" and "%s%s %s" or "%s{%s} %s"):format(name, labels, M.number(value))
end

---@param lines string[]
---@param name string
---@param labels string
---@param bounds number[] of the buckets, but for the last, which has none
---@param counts number[] of the buckets
---@param sum number
function M.histogram(lines, name, labels, bounds, counts, sum)
  local total, before = 0, labels == "" and "" or labels .. ","
  for i = 1, #bounds + 1 do
    total = total + counts[i]
    M.sample(lines, name .. "_bucket", ('%sle="%s"'):format(before, M.number(bounds[i] or math.huge)), total)
  end
  M.sample(lines, name .. "_sum", labels, sum)
  M.sample(lines, name .. "_count", labels, total)
end

---@class momo.metrics.Family
---@field head string[] its lines of HELP and TYPE
---@field kind string
---@field keys string[] names with labels, in the order in which they were seen first
---@field values table<string, number> by these

-- The families of a text, in the order in which they were seen first; a name may come again.
local function families_of(text)
  local families, by_name, family = {}, {}, nil
  for line in text:gmatch "[^\n]+" do
    local word, name, rest = line:match "^# (%u+) (%S+) ?(.*)$"
    if word then
      family = by_name[name] or { head = {}, keys = {}, values = {} }
      if not by_name[name] then
        by_name[name] = family
        families[#families + 1] = family
      end
      family.head[word == "HELP" and 1 or 2] = line
      family.kind = word == "TYPE" and rest or family.kind
    else
      local key, value = line:match "^(.*) (%S+)$"
      if not family.values[key] then
        family.keys[#family.keys + 1] = key
      end
      family.values[key] = (family.values[key] or 0) + (NO_DIGITS[value] or tonumber(value))
    end
  end
  return families
end

---@param text string texts one behind the other
---@param past boolean? without gauges: what there was and is gone
---@return string text one in which each family and each line comes once
function M.sum(text, past)
  local lines = {}
  for _, family in ipairs(families_of(text)) do
    if not past or family.kind ~= "gauge" then
      lines[#lines + 1], lines[#lines + 2] = family.head[1], family.head[2]
      for _, key in ipairs(family.keys) do
        lines[#lines + 1] = key .. " " .. M.number(family.values[key])
      end
    end
  end
  lines[#lines + 1] = ""
  return table.concat(lines, "\n")
end

return M
