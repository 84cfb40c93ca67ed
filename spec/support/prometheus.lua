---A strict reader of Prometheus's text format 0.0.4: what it takes, Prometheus takes.

local M = {}

local NAME, LABEL = "^[%a_:][%w_:]*$", "^[%a_][%w_]*$"

local function labels_of(text)
  local labels, order, at = {}, {}, 1
  while at <= #text do
    local name, value_at = text:match('^([^=,{}"]+)="()', at)
    assert(name and name:find(LABEL), "no label at " .. text:sub(at))
    local value, stop = {}, value_at
    while text:sub(stop, stop) ~= '"' do
      local char = text:sub(stop, stop)
      assert(char ~= "", "no end of a value: " .. text)
      if char == "\\" then
        stop = stop + 1
        char = assert(({ n = "\n", ["\\"] = "\\", ['"'] = '"' })[text:sub(stop, stop)], "an unknown escape: " .. text)
      end
      value[#value + 1] = char
      stop = stop + 1
    end
    assert(labels[name] == nil, "a label comes twice: " .. text)
    labels[name], order[#order + 1] = table.concat(value), name
    local rest = text:sub(stop + 1, stop + 1)
    assert(rest == "" or rest == ",", "no comma: " .. text)
    at = stop + 2
  end
  return labels, order
end

local function number_of(text)
  local special = ({ ["+Inf"] = math.huge, ["-Inf"] = -math.huge, NaN = 0 / 0 })[text]
  return special or assert(text:find "^[%d%.e+-]+$" and tonumber(text), "no number: " .. text)
end

-- Buckets in order, ended by +Inf, which is the count.
local function check_histogram(name, family)
  local groups = {}
  for _, sample in ipairs(family.samples) do
    local key = {}
    for _, label in ipairs(sample.order) do
      if label ~= "le" then key[#key + 1] = label .. "=" .. sample.labels[label] end
    end
    key = table.concat(key, ",")
    groups[key] = groups[key] or { bound = -math.huge, count = -1 }
    local group = groups[key]
    if sample.name == name .. "_bucket" then
      local bound = number_of(assert(sample.labels.le, "a bucket without le"))
      assert(bound > group.bound and sample.value >= group.count, "buckets out of order: " .. name)
      group.bound, group.count = bound, sample.value
    elseif sample.name == name .. "_sum" then
      group.sum = sample.value
    else
      assert(sample.name == name .. "_count", sample.name)
      group.total = sample.value
    end
  end
  for _, group in pairs(groups) do
    assert(group.bound == math.huge and group.total == group.count and group.sum, "no whole histogram: " .. name)
  end
end

---@param text string
---@return table<string, table> families each {kind, help, samples = {{name, labels, value}, ...}}
---@return fun(line: string): number? value of a name with its labels, as it is written
function M.parse(text)
  local families, values, family, name = {}, {}, nil, nil
  assert(text:sub(-1) == "\n", "no newline at the end")
  for line in text:gmatch "([^\n]*)\n" do
    local word, of, rest = line:match "^# (%u+) (%S+) (.*)$"
    if word == "HELP" then
      assert(not families[of], "a family comes twice: " .. of)
      assert(of:find(NAME), of)
      name, family = of, { help = rest, samples = {} }
      families[of] = family
    elseif word == "TYPE" then
      assert(of == name and not family.kind and #family.samples == 0, "TYPE is not behind HELP: " .. line)
      assert(rest == "counter" or rest == "gauge" or rest == "histogram", line)
      family.kind = rest
    else
      local key, value = line:match "^(.-) (%S+)$"
      assert(key, "no sample: " .. line)
      local sample_name, labels = key:match "^([^{]+){(.*)}$"
      sample_name = sample_name or key
      assert(sample_name:find(NAME), line)
      assert(sample_name == name or (family.kind == "histogram" and sample_name:sub(1, #name) == name),
        "a sample of another family: " .. line)
      assert(values[key] == nil, "a sample comes twice: " .. line)
      values[key] = number_of(value)
      local by_name, order = labels_of(labels or "")
      table.insert(family.samples, { name = sample_name, labels = by_name, order = order, value = values[key] })
    end
  end
  for of, each in pairs(families) do
    if each.kind == "histogram" then check_histogram(of, each) end
  end
  return families, function(key) return values[key] end
end

return M
