---The live tasks of this thread as a tree of scopes, to be read at a glance: tasks that are alike stand in one line,
---with their number.
---
---Alike are siblings of the same name, in the same operation at the same line, whose children are alike.

local live = require "momo.internal.live"
local native = require("momo.internal.core").native
local now = require("momo.time").now

local DEPTH_MAX = 24  -- of the levels that are shown
local LINES_MAX = 400
local IDS_SHOWN = 3

local M = {}

-- A name that makes no lines of its own.
local function plain(name)
  return name and (name:gsub("%c", "?"))
end

---The rows with their words, each in its parent's `children`; those without a parent. In the order of their ids.
local function gather()
  local rows, by_task, roots = native.live_tasks(), {}, {}
  for _, row in ipairs(rows) do
    row.id, row.children = native.id(row.task), {}
    by_task[row.task] = row
  end
  table.sort(rows, function(a, b) return a.id < b.id end)
  for _, row in ipairs(rows) do
    local siblings = by_task[row.parent] and by_task[row.parent].children or roots
    siblings[#siblings + 1] = row
    row.name = plain(native.fields(row.task).name)
    row.at = live.place(row)
    row.words = live.operation(row) or native.status(row.task)
  end
  return rows, roots
end

---Puts together siblings that are alike: an array of groups, of rows each, in the order of the first.
local function fold(rows)
  local groups, by_key = {}, {}
  for _, row in ipairs(rows) do
    local group = by_key[row.key]
    if not group then
      group = {}
      by_key[row.key] = group
      groups[#groups + 1] = group
    end
    group[#group + 1] = row
  end
  return groups
end

---Gives each row a `key` that is the same for those that are alike, children first.
local function find_alike(roots)
  local order, numbers, n, i = {}, {}, 0, 1
  for k, row in ipairs(roots) do order[k] = row end
  while order[i] do
    for _, child in ipairs(order[i].children) do order[#order + 1] = child end
    i = i + 1
  end
  for j = #order, 1, -1 do
    local row = order[j]
    row.groups = fold(row.children)
    local parts = { row.scope or 0, row.name or "", row.operation or row.words, row.at }
    row.beneath = #row.children
    for k, group in ipairs(row.groups) do
      parts[k + 4] = group[1].key .. "x" .. #group
    end
    for _, child in ipairs(row.children) do
      row.beneath = row.beneath + child.beneath
    end
    local text = table.concat(parts, "\0")
    if not numbers[text] then
      n = n + 1
      numbers[text] = n
    end
    row.key = numbers[text]
  end
end

---How long ago a group's tasks have last run.
local function ages(group, time)
  local least, most = math.huge, 0
  for _, row in ipairs(group) do
    local age = math.max(0, time - row.since)
    least, most = math.min(least, age), math.max(most, age)
  end
  local from, to = ("%.1f"):format(least), ("%.1f"):format(most)
  return from == to and to .. " s" or from .. " .. " .. to .. " s"
end

local function ids(group)
  local texts = {}
  for i = 1, math.min(#group, IDS_SHOWN) do
    texts[i] = tostring(group[i].id)
  end
  return table.concat(texts, ", ") .. (#group > IDS_SHOWN and ", ... " .. group[#group].id or "")
end

local function words_of(group)
  local row = group[1]
  for _, other in ipairs(group) do
    if other.words ~= row.words then
      return row.operation
    end
  end
  return row.words
end

local function line_of(group, time)
  local row = group[1]
  local name = row.name and (" '%s'"):format(row.name) or ""
  local ran = row.ran and #group == 1 and (", ran %.3f s in %d resumes"):format(row.ran, row.resumes) or ""
  if #group == 1 then
    return ("task %d%s: %s, for %s, at %s%s"):format(row.id, name, row.words, ages(group, time), row.at, ran)
  end
  return ("%d tasks%s: %s, for %s, at %s (%s)"):format(#group, name, words_of(group), ages(group, time), row.at,
    ids(group))
end

local function add(lines, groups, depth, time)
  for _, group in ipairs(groups) do
    if #lines > LINES_MAX then
      return
    end
    local row = group[1]
    lines[#lines + 1] = ("  "):rep(depth) .. line_of(group, time)
    if depth < DEPTH_MAX then
      add(lines, row.groups, depth + 1, time)
    elseif row.beneath > 0 then
      lines[#lines + 1] = ("  "):rep(depth + 1) .. ("%d tasks beneath"):format(row.beneath)
    end
  end
end

---@return string text of several lines
function M.text()
  local rows, roots = gather()
  find_alike(roots)
  local _, name = native.thread_current()
  local lines = { ("momo: thread %s of process %d has %d task%s:"):format(plain(name) or "main", native.pid(), #rows,
    #rows == 1 and "" or "s") }
  add(lines, fold(roots), 1, now())
  if #lines > LINES_MAX then
    lines[#lines + 1] = "  and more"
  end
  return table.concat(lines, "\n")
end

return M
