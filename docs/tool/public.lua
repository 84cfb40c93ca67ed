---What Momo offers, found by loading it: the modules that a user requires, their functions, and the classes of objects,
---each with its annotation. What has none is a problem.

local annotations = require "docs.tool.annotations"
local input = require "docs.tool.input"

local M = {}

---@class docs.Page a module or a class
---@field name string "momo.time", "momo.Stream"
---@field title string? of a module that is no table of functions
---@field is_class boolean
---@field parent string? of a class
---@field text string[]
---@field fields docs.Field[]
---@field items docs.Item[] in the order of the source
---@field inline boolean a class of options: it is shown where it is a parameter, and has no page

local function read(path)
  return assert(input.read(path))
end

---@param command string
---@return string[] lines
local function lines_of(command)
  local lines = {}
  for line in input.output_of(command):gmatch "[^\n]+" do
    lines[#lines + 1] = line
  end
  return lines
end

local function module_name(path)
  return (path:gsub("%.lua$", ""):gsub("/", "."))
end

---Loads what a module would load when it is first asked for (lua/momo/internal/names.lua).
local function load_all_of(module)
  local index = (getmetatable(module) or {}).__index
  for i = 1, type(index) == "function" and math.huge or 0 do
    local name, later = debug.getupvalue(index, i)
    if not name then
      break
    elseif name == "later" then
      for key in pairs(later or {}) do
        assert(module[key] ~= nil, key)
      end
    end
  end
end

---Requires a module as a spec that busted runs does, since one of them can't be had otherwise.
local function load_module(name)
  local module
  local function body()
    module = require(name) -- no tail call: the module looks at who requires it
  end
  setfenv(body, setmetatable({ it = function() end }, { __index = _G }))
  body()
  load_all_of(module)
  return module
end

local function is_own(name)
  return type(name) == "string" and (name == "momo" or name:find "^momo%." ~= nil)
end

---Calls visit for each table that the modules lead to: by fields, metatables and upvalues.
local function walk(visit)
  local seen = {}
  local function follow(value)
    local kind = type(value)
    if (kind ~= "table" and kind ~= "function") or seen[value] or value == _G or value == package.loaded then
      return
    end
    seen[value] = true
    if kind == "function" then
      local i, name, upvalue = 1, debug.getupvalue(value, 1)
      while name do
        follow(upvalue)
        i = i + 1
        name, upvalue = debug.getupvalue(value, i)
      end
      return
    end
    visit(value)
    for _, field in next, value do
      follow(field)
    end
    follow(debug.getmetatable(value))
  end
  for name, module in pairs(package.loaded) do
    if is_own(name) then
      follow(module)
    end
  end
end

---The functions that objects of a class have: those of its __index, or, where that is a function, of the table of
---methods that it asks.
local function methods_of(class)
  local methods = {}
  local function take(source)
    for name, value in next, source do
      if type(name) == "string" and type(value) == "function" and not name:find "^__" then
        methods[name] = value
      end
    end
  end
  take(class)
  local index = rawget(class, "__index")
  for i = 1, type(index) == "function" and math.huge or 0 do
    local name, value = debug.getupvalue(index, i)
    if not name then
      break
    elseif name == "methods" then
      take(value)
    end
  end
  return methods
end

---The annotations below a folder, in ways to find one: by owner and name, by the place of a function.
local function index_annotations(root)
  local index = { files = {}, texts = {}, by_name = {}, by_place = {}, classes = {}, order = {} }
  for _, path in ipairs(lines_of(("cd '%s' && find momo.lua momo -name '*.lua' | LC_ALL=C sort"):format(root))) do
    local text = read(root .. "/" .. path)
    local file = annotations.parse(text, path)
    index.files[module_name(path)], index.texts[module_name(path)] = file, text
    for _, class in ipairs(file.classes) do
      local known = index.classes[class.name]
      if not known or #known.text == 0 then
        index.classes[class.name] = class
      end
    end
    for _, item in ipairs(file.items) do
      local owner = file.class_of[item.owner] or module_name(path)
      index.by_name[owner .. ":" .. item.name] = item
      index.by_place[path .. ":" .. item.line] = item
      index.order[#index.order + 1] = item
      item.order, item.class = #index.order, owner
    end
  end
  return index
end

---The annotation of a function that is found as `name` of a public module or class.
local function find(index, root, owner, name, value)
  local item = index.by_name[owner .. ":" .. name]
  if item then
    return item
  end
  local info = debug.getinfo(value, "S")
  local path = info.source:match "^@(.*)$"
  if path and path:sub(1, #root + 1) == root .. "/" then
    item = index.by_place[path:sub(#root + 2) .. ":" .. info.linedefined]
  end
  for module, table in pairs(package.loaded) do
    if not item and is_own(module) and type(table) == "table" and rawget(table, name) == value then
      item = index.by_name[module .. ":" .. name]
    end
  end
  return item
end

---What an annotation lacks.
local function complain(problems, path, item)
  local function say(text)
    problems[#problems + 1] = ("%s:%d: %s %s"):format(item.source, item.line, path, text)
  end
  if #item.text == 0 then
    say "has no description"
  end
  local known, can_fail = {}, false
  for _, param in ipairs(item.params) do
    known[param.name] = true
  end
  for _, argument in ipairs(item.arguments or {}) do
    if not known[argument] then
      say(("has no @param %s"):format(argument))
    end
  end
  for _, result in ipairs(item.returns) do
    can_fail = can_fail or result.name == "code"
  end
  if can_fail and not item.codes then
    say "returns a code, and has no \"Codes:\""
  elseif item.codes and not can_fail then
    say "has \"Codes:\", and no @return that is called code"
  end
end

---The functions of each class, once its module was loaded.
---@return table<string, table<string, function>> methods
function M.methods()
  local methods = {}
  walk(function(value)
    local name = rawget(value, "__name")
    if is_own(name) then
      methods[name] = methods_of(value)
    end
  end)
  return methods
end

---@param root string the folder that holds momo.lua
---@return docs.Page[] pages
---@return string[] problems
function M.collect(root)
  local index, problems = index_annotations(root), {}
  local pages, classes = {}, {}

  local function new_page(name, is_class)
    local class = index.classes[name] or {}
    local page = { name = name, is_class = is_class, parent = class.parent, text = class.text or {},
      fields = class.fields or {}, items = {}, inline = false }
    pages[#pages + 1] = page
    return page
  end

  local function take(page, name, value)
    local item = find(index, root, page.name, name, value)
    local path = page.name .. (item and item.method and ":" or ".") .. name
    if not item then
      problems[#problems + 1] = path .. " has no annotation"
    elseif item.private then
      problems[#problems + 1] = path .. " is private: it belongs where no program finds it, in a module of its own"
    elseif item.class ~= page.parent then -- else it is on the parent's page
      complain(problems, path, item)
      page.items[#page.items + 1] = setmetatable({ path = path }, { __index = item })
    end
  end

  local function class_page(name, class)
    if not classes[name] then
      local page = new_page(name, true)
      classes[name] = page
      for method, value in pairs(methods_of(class)) do
        take(page, method, value)
      end
    end
  end

  local modules = {} -- those of lua/momo, and what stands in them in folders of their own: momo.http.url
  for name in pairs(index.files) do
    if not name:find "^momo%.[%w_]+%." then
      modules[#modules + 1] = name
    end
  end
  table.sort(modules)
  for _, name in ipairs(modules) do
    local page, module = new_page(name, false), load_module(name)
    page.text = index.files[name].text
    local call = rawget(getmetatable(module) or {}, "__call")
    if call then -- the module itself is a function, too
      local short = name:match "[%w_]+$"
      take(page, short, call)
      rawset(page.items[#page.items], "path", name)
      rawset(page.items[#page.items], "name", short)
    end
    for key, value in pairs(module) do
      local inner = name .. "." .. tostring(key)
      if type(value) == "function" then
        take(page, key, value)
      elseif type(value) == "table" and index.files[inner] and value == package.loaded[inner] then
        if inner:find "^momo%.[%w_]+%." then
          modules[#modules + 1] = inner
        end
      elseif type(value) == "table" then
        local class = name .. "." .. key
        local declared = index.classes[rawget(value, "__name") or class]
        if not declared then
          problems[#problems + 1] = class .. " has no @class"
        elseif not declared.private then
          class_page(declared.name, value)
        end
      end
    end
  end
  walk(function(value)
    local name = rawget(value, "__name")
    if is_own(name) then
      local declared = index.classes[name]
      if not declared then
        problems[#problems + 1] = name .. " has no @class"
      elseif not declared.private then
        class_page(name, value)
      end
    end
  end)
  -- Classes that are no tables of Momo's, but named by the types of what is: options, or what several classes share.
  local function refer(text)
    for name in (text or ""):gmatch "momo%.[%w_.]*%w" do
      if index.classes[name] and not index.classes[name].private and not classes[name] then
        local page = new_page(name, true)
        classes[name] = page
        page.inline = true
        for _, item in ipairs(index.order) do
          if item.class == name and not item.private and not item.name:find "^__" then
            page.inline = false
            local path = name .. (item.method and ":" or ".") .. item.name
            complain(problems, path, item)
            page.items[#page.items + 1] = setmetatable({ path = path }, { __index = item })
          end
        end
      end
    end
  end
  local done = 0
  while pages[done + 1] do
    done = done + 1
    local page = pages[done]
    refer(page.parent)
    for _, field in ipairs(page.fields) do
      refer(field.type)
    end
    for _, item in ipairs(page.items) do
      for _, list in ipairs { item.params, item.returns } do
        for _, field in ipairs(list) do
          refer(field.type)
        end
      end
    end
  end
  for _, page in ipairs(pages) do
    local place = {}
    for _, item in ipairs(page.items) do -- where a module's own file names it, if it is defined elsewhere
      local text = not page.is_class and index.texts[page.name] or ""
      place[item] = text:find("\n +" .. item.name .. " = ") or text:find("M%." .. item.name .. "[ (]") or math.huge
    end
    table.sort(page.items, function(a, b)
      if place[a] ~= place[b] then
        return place[a] < place[b]
      end
      return a.order < b.order
    end)
    if #page.text == 0 and not page.inline then
      problems[#problems + 1] = page.name .. " has no description"
    end
  end
  table.sort(pages, function(a, b) return a.name < b.name end)
  table.sort(problems)
  return pages, problems
end

return M
