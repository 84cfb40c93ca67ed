---Figures in pages that a program can know. A comment of HTML, which readers do not see, says where one comes from:
---
---    128<!--= const core/loop EXECUTOR_WINDOW -->          NAME = a number, in a file or folder; `/ N` divides
---    208<!--= sizeof loop/task.h struct task -->           bytes of a C type
---    337<!--= instructions yield, 1 task -->               counted, as bench/instructions.lua has them
---
---and around lines that are made as a whole: <!--: table KEY, KEY, ... --> ... <!--:-->, with the keys (or part/key) of
---rows in bench/results/results.json. `./dev docs` writes the figures, `./dev lint` fails when one is another than it
---says.

local json = require "docs.tool.json"
local input = require "docs.tool.input"

local M = {}

local function read(path)
  return assert(input.read(path))
end

---Where figures come from.
---@param root string the top of the source
function M.sources(root)
  local S, results = {}, nil
  local cache = {} -- what was read, by path or command

  local function once(key, make)
    if cache[key] == nil then
      cache[key] = make()
    end
    return cache[key]
  end

  local function output_of(command)
    return once(command, function() return input.output_of(command) end)
  end

  ---@param folders string
  ---@return string[] paths in order; of a pair, the source comes first
  function S.files(folders)
    local list = {}
    for path in output_of(("cd '%s' && find %s -name '*.[ch]' -o -name '*.lua' | LC_ALL=C sort"):format(root,
      folders)):gmatch "[^\n]+" do
      list[#list + 1] = path
    end
    return list
  end

  function S.read(path)
    return once(path, function() return read(root .. "/" .. path) end)
  end

  function S.const(words)
    local folder, name, divisor = words:match "^(%S+) (%S+) ?/? ?(%d*)$"
    local expression
    for _, path in ipairs(S.files(folder)) do
      local found = S.read(path):match("%f[%w_]" .. name .. "%f[^%w_] *=? *%(?(%d[%w. *]*)")
      assert(not (found and expression), name .. " stands in several files")
      expression = expression or found
    end
    assert(expression, folder .. " has no constant " .. name)
    local ok, value = pcall(assert(loadstring("return " .. expression:gsub("(%d)[uUlL]+", "%1"))))
    assert(ok and type(value) == "number", name .. " is no number")
    return ("%.10g"):format(value / (tonumber(divisor) or 1))
  end

  function S.sizeof(words)
    local header, kind = words:match "^(%S+) (.+)$"
    local program = ("#include \"%s\"\nchar size[sizeof(%s)];\n"):format(header, kind)
    -- A sanitizer's library, if one is preloaded, is for this process alone.
    local assembly = output_of(("printf '%%s' '%s' | env -u LD_PRELOAD cc -std=c11 -D_GNU_SOURCE -I '%s/core' -x c -S "
      .. "-o - -"):format(program, root))
    return assert(assembly:match "%.comm%s+size,(%d+)" or assembly:match "size:%s+%.zero%s+(%d+)",
      "there is no type " .. words)
  end

  function S.instructions(words)
    local list = assert(loadstring(S.read "bench/instructions.lua"))()
    return ("%.0f"):format(assert(list[words], "bench/instructions.lua has no path " .. words))
  end

  function S.results()
    results = results or json(S.read "bench/results/results.json")
    return results
  end

  return S
end

local function number(value)
  local size = math.abs(value)
  return ((size >= 100 and "%.0f") or (size >= 20 and "%.1f") or "%.2f"):format(value)
end

local function title_of(row)
  return (row.title:gsub("^%s+", "")) .. (row.more_is_better and " (more is better)" or "")
end

---The best of those that are peers, or of those that are floors.
local function best_of(results, row, floor)
  local winner, best
  for _, contender in ipairs(results.contenders) do
    local figure = row.figures[contender.name]
    local rival = contender.name ~= "momo" and not contender.own
    if rival and contender.floor == floor and type(figure) == "table" then
      local ahead = not best or figure.best < best
      if row.more_is_better then
        ahead = not best or figure.best > best
      end
      if ahead then
        winner, best = contender.title, figure.best
      end
    end
  end
  return winner, best
end

local blocks = {}

local function rows_of(results, words)
  local by_key, rows = {}, {}
  for _, row in ipairs(results.rows) do
    by_key[row.key], by_key[row.part .. "/" .. row.key] = row, row
    if words == "chart" and row.chart then
      rows[#rows + 1] = row
    end
  end
  for key in words:gmatch "[^,]+" do
    key = key:match "^%s*(.-)%s*$"
    if words ~= "chart" then
      rows[#rows + 1] = assert(by_key[key], "there is no row " .. key)
    end
  end
  return rows
end

---A line for each row, with the command that measures it.
function blocks.table(source, words)
  local lines = { "| what | unit | Momo | best peer | floor | command |", "| --- | --- | --: | --- | --- | --- |" }
  for _, row in ipairs(rows_of(source.results(), words)) do
    local cells = { title_of(row), row.unit, "**" .. number(row.figures.momo.best) .. "**" }
    for _, floor in ipairs { false, true } do
      local winner, best = best_of(source.results(), row, floor)
      cells[#cells + 1] = winner and winner .. " " .. number(best) or "–"
    end
    cells[#cells + 1] = "`./dev bench " .. row.part .. "`"
    lines[#lines + 1] = "| " .. table.concat(cells, " | ") .. " |"
  end
  return lines
end

---The goals that are missed.
function blocks.missed(source)
  local lines = {}
  for _, goal in ipairs(source.results().goals) do
    if goal.reached == false then
      lines[#lines + 1] = ("* %s: %s, and the goal is %s."):format(goal.title:gsub("^%s+", ""), number(goal.value),
        goal.goal)
    end
  end
  return lines
end

---The rows of the chart in which a peer is ahead.
function blocks.behind(source)
  local lines = {}
  for _, row in ipairs(rows_of(source.results(), "chart")) do
    local winner, best = best_of(source.results(), row, false)
    local own = row.figures.momo.best
    if winner and (row.more_is_better and own < best or not row.more_is_better and own > best) then
      lines[#lines + 1] = ("* %s: %s is ahead, %s %s to %s."):format(row.title:gsub("^%s+", ""), winner, number(best),
        row.unit, number(own))
    end
  end
  return lines
end

---Of what, on what and how it was measured.
function blocks.about(source)
  local results = source.results()
  local about = results.about
  local names = {}
  for _, contender in ipairs(results.contenders) do
    local version = about.versions[contender.name] or ""
    version = version:match "%d[%d.]*%d" or ""
    if version ~= "" and contender.name ~= "momo" then
      names[#names + 1] = contender.title .. " " .. version
    end
  end
  return { ("%s, %d CPUs, %s; %s. The best of %d interleaved rounds, commit %s of %s. Peers: %s."):format(about.cpu,
    about.cpus, about.kernel:match "^%S+ %d+%.%d+", about.luajit:match "^LuaJIT %S+", results.rounds,
    about.commit:sub(1, 7), about.date:match "^%S+", table.concat(names, ", "))
    .. (about.call_ns and (" A system call (getppid) takes %.0f ns there."):format(about.call_ns) or "") }
end

---The first sentence of a file's head.
local function sentence_of(path, text)
  local head
  if path:find "%.lua$" then
    head = text:match "^(%-%-.-)\n[^-]" or ""
  else
    head = text:match "^/%* SPDX[^\n]*\n %*\n(.-)%*/" or ""
  end
  local words = {}
  for line in head:gmatch "[^\n]+" do
    line = line:gsub("^[ *-]+", "")
    if line == "" then
      break
    end
    words[#words + 1] = line
  end
  local paragraph = table.concat(words, " "):gsub("%s+$", "")
  assert(paragraph ~= "", path .. " does not say what it is")
  return paragraph:match "^(.-[^.]%.)%s" or paragraph
end

---What each file is, as its head says; a header speaks for its source.
function blocks.files(source, words)
  local lines, at = {}, {}
  for _, path in ipairs(source.files(words)) do
    local name, is_c = path:match "^(.*)%.[ch]$", path:find "%.c$"
    local place = at[name] or #lines + 1
    local shown = at[name] and name .. ".[ch]" or path
    lines[place] = ("* `%s`: %s"):format(shown, sentence_of(path, source.read(path)))
    at[is_c and name or path] = place
  end
  return lines
end

---@param text string of a page
---@param source table of M.sources
---@return string text with the figures as they are
function M.fill(text, source)
  text = text:gsub("(%d[%d.,]*)(<!%-%-= (%a+) (.-) %-%->)", function(_, comment, kind, words)
    return assert(source[kind], "a figure comes from const, sizeof or instructions, not " .. kind)(words) .. comment
  end)
  return (text:gsub("(<!%-%-: (%a+) ?([^\n]-) %-%->\n).-(<!%-%-:%-%->)", function(head, kind, words, tail)
    local lines = assert(blocks[kind], "there is no block " .. kind)(source, words)
    return head .. "\n" .. table.concat(lines, "\n") .. "\n\n" .. tail
  end))
end

return M
