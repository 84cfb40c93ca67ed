---The reference as Markdown, a page for each module and each class of objects, out of the annotations in lua/momo.

local annotations = require "docs.tool.annotations"
local public = require "docs.tool.public"

local M = {}

-- What an object is called in an example, where that is not the last word of its class.
local OBJECTS = { Sender = "tx", Receiver = "rx" }

local HEAD = "<!-- Made by ./dev docs from the comments in lua/momo: change those. -->\n\n"
local BACK = "[Reference](README.md)\n\n"

---@param name string of a class: "momo.net.UdpSocket"
---@return string
local function object_of(name)
  local last = name:match "[^.]+$"
  return OBJECTS[last] or last:match "%u%l+$":lower()
end

local function sentence(paragraph)
  return paragraph and (paragraph:match "^(.-[^.]%.)%s" or paragraph) or ""
end

---@class docs.Writer
---@field pages table<string, docs.Page> by name
---@field out string[]

---@param pages table<string, docs.Page>
---@param kind string a type
---@return string # with links to classes that have a page
local function type_text(pages, kind)
  local parts = {}
  for i, part in ipairs(annotations.split_list(kind, "|")) do
    local name, array = part:match "^(momo[%w_.]*)(%[?%]?)%??$"
    local page = pages[name]
    if page and not page.inline then
      parts[i] = ("[%s](%s.md)%s"):format(name, name, array == "[]" and " array" or "")
    elseif page then
      parts[i] = "table"
    else
      parts[i] = "`" .. part .. "`"
    end
  end
  return table.concat(parts, " or ")
end

---The fields of a class of options, those of its parents first.
local function fields_of(pages, page)
  local list = {}
  for _, field in ipairs(page.parent and pages[page.parent] and fields_of(pages, pages[page.parent]) or {}) do
    list[#list + 1] = field
  end
  for _, field in ipairs(page.fields) do
    list[#list + 1] = field
  end
  return list
end

---Fields as a list; below each, the fields of the classes without a page that its type names.
local function list_fields(pages, out, fields, indent, above)
  for _, field in ipairs(fields) do
    local notes = { field.name ~= "" and "`" .. field.name .. "`" or nil }
    notes[#notes + 1] = type_text(pages, field.type) .. (field.optional and ", optional" or "")
    out[#out + 1] = ("%s* %s%s"):format(indent, table.concat(notes, " "), field.text ~= "" and ": " .. field.text or "")
    for name in field.type:gmatch "momo%.[%w_.]*%w" do
      local page, inner = pages[name], indent .. "  "
      if page and page.inline and not (above or {})[name] then
        if not field.type:find("^" .. name:gsub("%.", "%%.") .. "%f[^%w_.]") then
          out[#out + 1] = ("%s* where `%s` has"):format(inner, name)
          inner = inner .. "  "
        end
        list_fields(pages, out, fields_of(pages, page), inner, setmetatable({ [name] = true }, { __index = above }))
      end
    end
  end
end

---"[, max]": parameters, those that may be left out in brackets.
local function parameters(params)
  local text, open = "", 0
  for i, param in ipairs(params) do
    local comma = i > 1 and ", " or ""
    if param.optional and i > 1 then
      text, open = text .. " [" .. comma:sub(1, 1) .. " " .. param.name, open + 1
    elseif param.optional then
      text, open = text .. "[" .. param.name, open + 1
    else
      text = text .. comma .. param.name
    end
  end
  return "(" .. text .. ("]"):rep(open) .. ")"
end

local function can_fail(item)
  return item.codes ~= nil
end

---What a call returns when it does not fail.
local function results_of(item)
  local list = {}
  for _, result in ipairs(item.returns) do
    if not (can_fail(item) and (result.name == "err" or result.name == "code")) then
      list[#list + 1] = result
    end
  end
  return list
end

local function signature(item, params)
  local prefix = item.method and object_of(item.class) .. ":" or item.path:match "^(.*)%.[%w_]+$" .. "."
  local names = {}
  for i, result in ipairs(results_of(item)) do
    names[i] = result.name ~= "" and result.name or result.type
  end
  return prefix .. item.name .. parameters(params) .. (names[1] and " → " .. table.concat(names, ", ") or "")
end

local function add(out, ...)
  for i = 1, select("#", ...) do
    out[#out + 1] = (select(i, ...))
  end
end

local function describe(pages, out, item)
  add(out, "## " .. item.name, "", "```")
  for _, params in ipairs(item.overloads) do
    add(out, signature(item, params))
  end
  add(out, signature(item, item.params), "```", "")
  if item.suspends then
    add(out, item.suspends == true and "*Suspends.*" or "*Suspends " .. item.suspends .. ".*", "")
  end
  for _, paragraph in ipairs(item.text) do
    add(out, paragraph, "")
  end
  if item.params[1] then
    list_fields(pages, out, item.params, "")
    add(out, "")
  end
  local results = {}
  for _, result in ipairs(results_of(item)) do
    local copy = setmetatable({}, { __index = result })
    if can_fail(item) then -- what stands in the place of the error is said below
      copy.optional = false
      copy.text = result.text:gsub("[;,]? ?or the error$", "")
      copy.type = result.text:find "or the error$" and result.type:gsub("|string$", "") or result.type
    end
    results[#results + 1] = copy
  end
  if results[1] then
    add(out, "Returns", "")
    list_fields(pages, out, results, "")
    add(out, "")
  end
  if can_fail(item) then
    local codes = {}
    for i, entry in ipairs(item.codes) do
      local words = {}
      for k, code in ipairs(entry.codes) do
        words[k] = "`" .. code .. "`"
      end
      codes[i] = table.concat(words, ", ") .. (words[1] and entry.text ~= "" and " " or "") .. entry.text
    end
    add(out, "Or `nil, err, code`: " .. table.concat(codes, "; ") .. ".", "")
  end
end

---@param pages table<string, docs.Page>
---@param page docs.Page
---@return string
local function render(pages, page)
  local out = { "# " .. page.name, "" }
  for _, paragraph in ipairs(page.text) do
    add(out, paragraph, "")
  end
  if page.parent then
    add(out, ("It is a [%s](%s.md), and has the methods of that as well."):format(page.parent, page.parent), "")
  end
  if page.fields[1] then
    list_fields(pages, out, page.fields, "")
    add(out, "")
  end
  if page.items[2] then
    add(out, "| | |", "|---|---|")
    for _, item in ipairs(page.items) do
      add(out, ("| [`%s`](#%s)%s | %s |"):format(item.name, item.name:lower(), item.suspends and " *S*" or "",
        (sentence(item.text[1]):gsub("|", "\\|"))))
    end
    add(out, "")
  end
  for _, item in ipairs(page.items) do
    describe(pages, out, item)
  end
  out[#out] = nil
  return HEAD .. BACK .. table.concat(out, "\n") .. "\n"
end

local INDEX = [[
# Reference

A page for each module and each kind of object. How to read them:

* *S* and "Suspends": the call may suspend its task, and raises a cancellation once that is cancelled. No other does.
* What can fail at run time returns `nil, err, code`: `code` is libuv's name, such as `"ECONNRESET"`, and `err` is
  `"ECONNRESET: connection reset by peer"`. The pages list the codes that are usual; the system may have others.
  [Errors](../guide/errors.md) tells what they mean.
* A wrong argument throws, at the caller's line.
* Times are in seconds. A `timeout` is the most that a call waits: without one there is no limit, and 0 only tries,
  without suspending. When it is over, the call returns `nil, err, "ETIMEDOUT"` and has taken nothing: no connection,
  value, permit or lock is lost by it.
* Every operation on a closed object returns `EBADF`, except `close`.
]]

local function index(list)
  local out = { INDEX }
  for _, kind in ipairs { { "Modules", false }, { "Objects", true } } do
    add(out, "## " .. kind[1], "", "| | |", "|---|---|")
    for _, page in ipairs(list) do
      if page.is_class == kind[2] and not page.inline then
        add(out, ("| [%s](%s.md) | %s |"):format(page.name, page.name, sentence(page.text[1])))
      end
    end
    add(out, "")
  end
  out[#out] = nil
  return HEAD .. table.concat(out, "\n") .. "\n"
end

---@param root string the folder that holds momo.lua
---@return table<string, string> files text by name
---@return string[] problems what is public, and not annotated as it must be
function M.make(root)
  local list, problems = public.collect(root)
  local pages, files = {}, {}
  for _, page in ipairs(list) do
    pages[page.name] = page
  end
  for _, page in ipairs(list) do
    if not page.inline then
      files[page.name .. ".md"] = render(pages, page)
    end
  end
  files["README.md"] = index(list)
  return files, problems
end

return M
