---The metrics of a program: each thread counts for itself, in plain fields.
---
---    metric "requests_total" {method, status}      children: GET -> 200 -> series {value, text}
---                                                                 404 -> series
---
---A metric without labels is its own series.

local check = require "momo.internal.check"
local names = require "momo.internal.names"
local native = require("momo.internal.core").native
local text = require "momo.metrics.text"

local fail, self_check = check.fail, check.self

local M = {}

-- This thread's, by name, and in the order in which they were defined.
local metrics, defined = {}, {}

---@class momo.metrics.Series
---@field private value number?
---@field private counts number[]? of a histogram, a number for each bucket
---@field private sum number?
---@field private bounds number[]?
---@field private name string
---@field private kind "counter"|"gauge"|"histogram"
---@field private help string
---@field private labels string[]
---@field private children table by the labels' values, one table within the other
---@field private series momo.metrics.Series[]
---@field private text string the labels with their values

local function begin(series)
  if series.kind == "histogram" then
    local counts = {}
    for i = 1, #series.bounds + 1 do
      counts[i] = 0
    end
    series.counts, series.sum = counts, 0
  else
    series.value = 0
  end
end

local function unlabelled(self, method)
  fail(("%s: '%s' has labels: %s:with(%s):%s(...)"):format(method, self.name, self.name,
    table.concat(self.labels, ", "), method))
end

-- A label's value as text. What is equal as text is one value.
local function as_text(self, i, value)
  local kind = type(value)
  if kind ~= "string" and kind ~= "boolean" and not (kind == "number" and check.is_whole(value)) then
    fail(("with: '%s': label '%s' must be a string, a whole number or a boolean, got %s"):format(self.name,
      self.labels[i], check.show(value)))
  end
  return kind == "number" and ("%.0f"):format(value + 0) or tostring(value) -- 0, too, for -0
end

-- The series of these labels, which none has been asked for by these very values.
local function make(self, ...)
  local n, values, node, last = select("#", ...), {}, self.children, nil
  if n ~= #self.labels or n == 0 then
    fail(("with: '%s' has %d labels (%s), got %d"):format(self.name, #self.labels, table.concat(self.labels, ", "), n))
  end
  for i = 1, n do
    values[i] = as_text(self, i, (select(i, ...)))
  end
  for i = 1, n do
    local value, key = (select(i, ...)), values[i]
    last = node[key]
    if not last then
      last = {}
      if i == n then
        last = setmetatable({ name = self.name, kind = self.kind, bounds = self.bounds, labels = {},
          text = text.labels(self.labels, values) }, getmetatable(self))
        begin(last)
        self.series[#self.series + 1] = last
      end
      node[key] = last
    end
    node[value] = last
    node = last
  end
  return last
end

-- Not in `make`, so that what is known is found in compiled code.
local function with(self, ...)
  local labels = self.labels
  if select("#", ...) ~= #labels or #labels == 0 then
    return make(self, ...)
  end
  local node = self.children
  for i = 1, #labels do
    local value = select(i, ...)
    node = value ~= nil and node[value]
    if not node then
      return make(self, ...)
    end
  end
  return node
end

local function class(name)
  local c = { __name = "momo.metrics." .. name }
  c.__index = c
  names.objects(c, name:lower())
  return c
end

---A number that only grows. Each thread has its own; `momo.metrics.prometheus` tells their sum.
---@class momo.metrics.Counter
local Counter = class "Counter"

---Adds to it. Throws where the metric has labels: `with` says which.
---@param n number? 0 or more; 1
function Counter:add(n)
  self_check(self, Counter, "counter", "add")
  n = n or 1
  if type(n) ~= "number" or n < 0 or n ~= n then
    fail("add: a counter takes a number, 0 or more, got " .. check.show(n))
  end
  local value = self.value
  if not value then
    return unlabelled(self, "add")
  end
  self.value = value + n
end

---The counter of these values of the labels. One that is used often may be kept.
---@param ... string|integer|boolean a value for each label, in the order of the definition
---@return momo.metrics.Counter counter
function Counter:with(...)
  self_check(self, Counter, "counter", "with")
  return with(self, ...)
end

---A number that goes up and down. Each thread has its own; `momo.metrics.prometheus` tells their sum.
---@class momo.metrics.Gauge
local Gauge = class "Gauge"

---Adds to it. Throws where the metric has labels: `with` says which.
---@param n number? may be negative; 1
function Gauge:add(n)
  self_check(self, Gauge, "gauge", "add")
  n = n or 1
  check.argument(type(n) == "number", "add: a gauge takes a number", n)
  local value = self.value
  if not value then
    return unlabelled(self, "add")
  end
  self.value = value + n
end

---Throws where the metric has labels: `with` says which.
---@param value number
function Gauge:set(value)
  self_check(self, Gauge, "gauge", "set")
  check.argument(type(value) == "number", "set: a gauge takes a number", value)
  if not self.value then
    return unlabelled(self, "set")
  end
  self.value = value
end

---The gauge of these values of the labels. One that is used often may be kept.
---@param ... string|integer|boolean a value for each label, in the order of the definition
---@return momo.metrics.Gauge gauge
function Gauge:with(...)
  self_check(self, Gauge, "gauge", "with")
  return with(self, ...)
end

---How values are distributed: how many there were up to each of its bounds. Each thread has its own;
---`momo.metrics.prometheus` tells their sum.
---@class momo.metrics.Histogram
local Histogram = class "Histogram"

---Counts a value, such as the seconds that something took. Throws where the metric has labels: `with` says which.
---@param value number
function Histogram:observe(value)
  self_check(self, Histogram, "histogram", "observe")
  if type(value) ~= "number" or value ~= value then
    fail("observe: a histogram takes a number, got " .. check.show(value))
  end
  local counts, bounds = self.counts, self.bounds
  if not counts then
    return unlabelled(self, "observe")
  end
  local i, n = 1, #bounds
  while i <= n and value > bounds[i] do
    i = i + 1
  end
  counts[i] = counts[i] + 1
  self.sum = self.sum + value
end

---The histogram of these values of the labels. One that is used often may be kept.
---@param ... string|integer|boolean a value for each label, in the order of the definition
---@return momo.metrics.Histogram histogram
function Histogram:with(...)
  self_check(self, Histogram, "histogram", "with")
  return with(self, ...)
end

local CLASSES = { counter = Counter, gauge = Gauge, histogram = Histogram }

-- Definitions

local function check_labels(kind, labels)
  check.array(labels, kind .. ": labels must be an array of strings")
  local seen = {}
  for i, label in ipairs(labels) do
    if type(label) ~= "string" or not label:find "^[%a_][%w_]*$" or label:find "^__" then
      fail(("%s: label %d must be letters, digits and _, and not begin with a digit or __, got %s"):format(kind, i,
        check.show(label)))
    elseif seen[label] or (label == "le" and kind == "histogram") then
      fail(("%s: label '%s' is taken"):format(kind, label))
    end
    seen[label] = true
  end
end

local function check_bounds(bounds)
  local what = "histogram: bounds must be an array of numbers, each larger than the one before"
  local n = check.array(bounds, what)
  if n == 0 then
    fail(what .. ", got an empty one")
  end
  for i, bound in ipairs(bounds) do
    local before = i > 1 and bounds[i - 1] or -math.huge
    check.argument(type(bound) == "number" and bound > before and bound < math.huge, what, bound)
  end
end

-- A histogram has lines of these names.
local ENDINGS = { "_bucket", "_sum", "_count" }

-- The lines of a histogram must not be those of another metric.
local function check_lines(kind, name)
  for _, ending in ipairs(ENDINGS) do
    local other = kind == "histogram" and metrics[name .. ending] and name .. ending
      or name:sub(-#ending) == ending and metrics[name:sub(1, -#ending - 1)] and name:sub(1, -#ending - 1)
    if other and (kind == "histogram" or metrics[other].kind == "histogram") then
      fail(("%s: '%s' would have the same lines as '%s'"):format(kind, name, other))
    end
  end
end

local function shape_of(kind, labels, bounds)
  local numbers = {}
  for i, bound in ipairs(bounds or {}) do
    numbers[i] = text.number(bound)
  end
  return ("a %s with the labels (%s)%s"):format(kind, table.concat(labels, ", "),
    bounds and " and the bounds " .. table.concat(numbers, ", ") or "")
end

---@param kind "counter"|"gauge"|"histogram"
---@param name string
---@param help string
---@param labels string[]?
---@param bounds number[]?
---@return any metric
function M.define(kind, name, help, labels, bounds)
  labels = labels or {}
  if type(name) ~= "string" or not name:find "^[%a_:][%w_:]*$" then
    fail(kind .. ": a name must be letters, digits, _ and :, and not begin with a digit, got " .. check.show(name))
  end
  check.argument(not name:find "^momo_", kind .. ": names that begin with momo_ are Momo's own", name)
  check.argument(check.is_text(help), kind .. ": the help must be a string", help)
  check_labels(kind, labels)
  if bounds then
    check_bounds(bounds)
  end
  local shape = shape_of(kind, labels, bounds)
  check_lines(kind, name)
  local first = native.metric_define(name, shape)
  if first ~= shape then
    fail(("%s: '%s' is %s already, and can't be %s"):format(kind, name, first, shape))
  end
  local metric = metrics[name]
  if not metric then
    metric = setmetatable({ name = name, kind = kind, help = help, labels = { unpack(labels) }, children = {},
      series = {}, text = "", bounds = bounds and { unpack(bounds) } }, CLASSES[kind])
    if #labels == 0 then
      begin(metric)
      metric.series[1] = metric
    end
    metrics[name] = metric
    defined[#defined + 1] = metric
  end
  return metric
end

---@param lines string[] it is appended to these
function M.write(lines)
  for _, metric in ipairs(defined) do
    text.family(lines, metric.name, metric.kind, metric.help)
    for _, series in ipairs(metric.series) do
      if metric.kind == "histogram" then
        text.histogram(lines, metric.name, series.text, series.bounds, series.counts, series.sum)
      else
        text.sample(lines, metric.name, series.text, series.value)
      end
    end
  end
end

return M
