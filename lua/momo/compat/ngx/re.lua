---ngx.re: match, find, gmatch, sub, gsub; and split of `require "ngx.re"`.

local pcre = require "momo.compat.ngx.pcre"

local M = {}

local BEYOND = "pcre2_match() failed: it begins beyond the subject"

-- Compiled, or nil and what is wrong with it; a wrong option throws at the caller of the caller.
local function compile(pattern, options)
  local ok, regex, err = pcall(pcre.compile, tostring(pattern), options)
  if not ok then
    error(regex, 3)
  end
  return regex, err
end

local function piece(regex, subject, n, group)
  if group >= n then
    return false
  end
  local from, to = tonumber(regex.offsets[2 * group]), tonumber(regex.offsets[2 * group + 1])
  return to <= #subject and subject:sub(from + 1, to) -- a group that did not take part has offsets beyond all
end

-- The groups of a match: false for those that did not take part.
local function captures_of(regex, subject, n, into)
  local captures = into or {}
  for group = 0, regex.groups do
    captures[group] = piece(regex, subject, n, group)
  end
  for _, entry in ipairs(regex.names) do
    local name, value = entry[1], captures[entry[2]]
    if not regex.doubled then
      captures[name] = value
    elseif value then
      captures[name] = captures[name] or {}
      table.insert(captures[name], value)
    end
  end
  return captures
end

local function start_of(context)
  return context and context.pos and math.max(0, context.pos - 1) or 0
end

-- Where the next match is looked for by who calls with the same context.
local function move(context, regex)
  if context then
    context.pos = tonumber(regex.offsets[1]) + 1
  end
end

---@param subject any
---@param pattern string
---@param options string?
---@param context {pos: integer?}?
---@param into table? in place of a new table
---@return table? captures
---@return string? err
function M.match(subject, pattern, options, context, into)
  local regex, err = compile(pattern, options)
  if not regex then
    return nil, err
  end
  subject = tostring(subject)
  local start = start_of(context)
  if start > #subject then
    return nil, BEYOND
  end
  local n, problem = regex:match(subject, start)
  if not n then
    return nil, problem
  end
  move(context, regex)
  return captures_of(regex, subject, n, into)
end

---@param subject any
---@param pattern string
---@param options string?
---@param context {pos: integer?}?
---@param group integer? 0
---@return integer? from
---@return integer? to
---@return string? err
function M.find(subject, pattern, options, context, group)
  local regex, err = compile(pattern, options)
  if not regex then
    return nil, nil, err
  end
  subject, group = tostring(subject), group or 0
  if group < 0 or group > regex.groups then
    return nil, nil, "nth out of bound"
  end
  local start = start_of(context)
  if start > #subject then
    return nil, nil, BEYOND
  end
  local n, problem = regex:match(subject, start)
  if not n then
    return nil, nil, problem
  end
  move(context, regex)
  local from, to = tonumber(regex.offsets[2 * group]), tonumber(regex.offsets[2 * group + 1])
  if group >= n or to > #subject then
    return nil, nil
  end
  return from + 1, to
end

---@param subject any
---@param pattern string
---@param options string?
---@return (fun(): table?, string?)? next
---@return string? err
function M.gmatch(subject, pattern, options)
  local regex, err = compile(pattern, options)
  if not regex then
    return nil, err
  end
  subject = tostring(subject)
  local at = 0
  return function()
    local n, problem = regex:match(subject, at)
    if not n then
      at = #subject + 1
      return nil, problem
    end
    local from, to = tonumber(regex.offsets[0]), tonumber(regex.offsets[1])
    at = from == to and regex:behind(subject, to) or to
    return captures_of(regex, subject, n)
  end
end

-- The pieces of a replacement: texts, and numbers of groups.
local function template_of(replacement)
  local pieces, at = {}, 1
  while true do
    local dollar = replacement:find("$", at, true)
    pieces[#pieces + 1] = replacement:sub(at, (dollar or 0) - 1)
    if not dollar then
      return pieces
    end
    local group, behind = replacement:match("^(%d+)()", dollar + 1)
    if not group then
      group, behind = replacement:match("^{(%d+)}()", dollar + 1)
    end
    if not group and replacement:sub(dollar + 1, dollar + 1) == "$" then
      group, behind = "$", dollar + 2
    end
    if not group then
      return nil, "failed to compile the replacement template"
    end
    pieces[#pieces + 1] = tonumber(group) or group
    at = behind
  end
end

local function filled(template, regex, subject, n)
  local pieces = {}
  for i, part in ipairs(template) do
    pieces[i] = type(part) == "string" and part or piece(regex, subject, n, part) or ""
  end
  return table.concat(pieces)
end

local function called(fn, captures)
  local value = fn(captures)
  if type(value) ~= "string" and type(value) ~= "number" then
    error(("string or number expected to be returned by the replace function, got %s"):format(type(value)), 0)
  end
  return value
end

local function substitute(subject, regex, replacement, global)
  local template, err
  if type(replacement) ~= "function" then
    template, err = template_of(tostring(replacement))
    if not template then
      return nil, nil, err
    end
  end
  local pieces, count, at, done = {}, 0, 0, 0
  repeat
    local n, problem = regex:match(subject, at)
    if problem then
      return nil, nil, problem
    elseif not n then
      break
    end
    local from, to = tonumber(regex.offsets[0]), tonumber(regex.offsets[1])
    count = count + 1
    pieces[2 * count - 1] = subject:sub(done + 1, from)
    pieces[2 * count] = template and filled(template, regex, subject, n)
      or called(replacement, captures_of(regex, subject, n))
    done = to
    at = from == to and regex:behind(subject, to) or to
  until not global
  pieces[2 * count + 1] = subject:sub(done + 1)
  return table.concat(pieces), count
end

---Replaces the first match.
---@param subject any
---@param pattern string
---@param replacement string|number|fun(captures: table): string|number text with $0, $1, ${1} and $$, or a function
---@param options string?
---@return string? text
---@return integer? count
---@return string? err
function M.sub(subject, pattern, replacement, options)
  local regex, err = compile(pattern, options)
  if not regex then
    return nil, nil, err
  end
  return substitute(tostring(subject), regex, replacement, false)
end

---Replaces all matches.
---@param subject any
---@param pattern string
---@param replacement string|number|fun(captures: table): string|number
---@param options string?
---@return string? text
---@return integer? count
---@return string? err
function M.gsub(subject, pattern, replacement, options)
  local regex, err = compile(pattern, options)
  if not regex then
    return nil, nil, err
  end
  return substitute(tostring(subject), regex, replacement, true)
end

-- Empty texts at the end are dropped.
local function trimmed(pieces, n)
  while n > 0 and pieces[n] == "" do
    pieces[n] = nil
    n = n - 1
  end
  return n
end

---The texts between matches, and the first group of each match.
---@param subject any
---@param pattern string
---@param options string?
---@param context {pos: integer?}?
---@param max integer? pieces
---@param into table? in place of a new table
---@return string[]? pieces
---@return string? err
function M.split(subject, pattern, options, context, max, into)
  local regex, err = compile(pattern, options)
  if not regex then
    return nil, err
  end
  subject, max = tostring(subject), max and max > 0 and max or math.huge
  local pieces, n, count, begin = into or {}, 0, 1, context and context.pos or 1
  local at, empty = begin - 1, nil
  if begin > #subject then
    pieces[1] = nil
    return pieces
  end
  while count < max and (max == math.huge or begin <= #subject) do
    local groups, problem = regex:match(subject, math.max(0, at))
    if problem then
      return nil, problem
    elseif not groups then
      break
    end
    local from, to = tonumber(regex.offsets[0]) + 1, tonumber(regex.offsets[1]) + 1
    at = from == to and regex:behind(subject, to - 1) or to - 1
    begin, empty = empty or begin, from == to and from or empty
    if from > begin or not empty then
      count = count + 1
      n = n + 1
      pieces[n] = subject:sub(begin, from - 1)
      local group = regex.groups > 0 and piece(regex, subject, groups, 1)
      if group then
        n = n + 1
        pieces[n] = group
      end
      begin = to
    end
  end
  if context then
    context.pos = at + 1
  end
  if max == math.huge and begin > #subject then
    n = trimmed(pieces, n)
  else
    n = n + 1
    pieces[n] = subject:sub(begin)
  end
  pieces[n + 1] = nil
  return pieces
end

return M
