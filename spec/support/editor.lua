---What an editor with LuaLS sees of the sources as they are installed: it reads, and runs nothing. A class has the
---fields that its `@class` lists, and what the file assigns to the variable that stands beneath a `@class`; a variable
---that only has the type of a class adds nothing to it. A module has what its file's table has.

local M = {}

---@class spec.Sight
---@field classes table<string, {parents: string[], members: table<string, string>, functions: table<string, true>}>
---  members: where each is
---@field modules table<string, table<string, true>> by name: what its table has
---@field problems string[]

local BUILTIN = {}
for name in ("nil any unknown boolean true false string number integer function table thread userdata "
  .. "lightuserdata self ffi.cdata* ffi.ctype* string.buffer"):gmatch "%S+" do
  BUILTIN[name] = true
end

---The names in a type, or what is wrong with it.
---@param text string
---@return string[]? names
---@return string rest what follows the type, or what is wrong
local function parse_type(text)
  local at, names = 1, {}

  local function skip() at = text:match("^%s*()", at) end

  local function try(pattern)
    skip()
    local found, after = text:match("^(" .. pattern .. ")()", at)
    at = after or at
    return found
  end

  local function expect(pattern, what)
    return try(pattern) or error({ ("%s expected at %q"):format(what, text:sub(at)) }, 0)
  end

  local union

  -- Of a function, parameters: names, with a type or without one.
  local function parameters()
    while not try "%)" do
      expect("[%a_.][%w_.]*%??", "a parameter")
      if try ":" then union() end
      if not try "," then
        expect("%)", "')'")
        return
      end
    end
  end

  -- Of a table, fields: a name or a type in brackets, and a type; of a generic class, types.
  local function fields(close)
    while not try(close) do
      if try "%[" then
        union()
        expect("%]", "']'")
        expect(":", "':'")
      else
        local before = at
        if not (try "[%a_][%w_]*%??" and try ":") then at = before end
      end
      union()
      if not try "," then
        expect(close, "an end")
        return
      end
    end
  end

  -- Of a function, results: types that may have names, in parentheses or not.
  local function results()
    local inside = try "%("
    repeat
      local before = at
      if not (try "[%a_.][%w_]*%.*" and try ":") then at = before end
      union()
      local comma = text:match("^%s*,%s*()", at)
      local go_on = comma and (inside or not text:find("^[%a_][%w_]*%??:", comma)) -- else the list around goes on
      at = go_on and comma or at
    until not go_on
    if inside then expect("%)", "')'") end
  end

  local function primary()
    if try "%(" then
      union()
      expect("%)", "')'")
    elseif try "{" then
      fields "}"
    elseif try '"[^"]*"' or try "'[^']*'" or try "%-?%d[%d.]*" or try "%.%.%." then
      return
    elseif try "fun%s*%(" then
      parameters()
      if try ":" then results() end
    else
      local name = expect("[%a_][%w_.]*%*?", "a type")
      names[#names + 1] = name
      if text:sub(at, at) == "<" then
        at = at + 1
        fields ">"
      end
    end
  end

  function union()
    try "async"
    repeat
      primary()
      while text:match("^%[%]", at) do at = at + 2 end
      at = text:match("^%?()", at) or at
      while text:match("^%[%]", at) do at = at + 2 end
    until not try "|"
  end

  local ok, err = pcall(union)
  if not ok then
    return nil, type(err) == "table" and err[1] or err
  end
  return names, text:sub(at)
end

local function lines_of(path)
  local lines = {}
  for line in io.lines(path) do
    lines[#lines + 1] = line
  end
  return lines
end

-- The keys of a table that is written out, from the line after its brace.
local function keys_of(lines, n, indent)
  local keys = {}
  for i = n + 1, #lines do
    local blank, key = lines[i]:match "^(%s*)([%a_][%w_]*) = "
    if lines[i]:match "^(%s*)}" == indent then
      break
    elseif key and #blank == #indent + 2 then
      keys[key] = true
    end
  end
  return keys
end

-- Takes in one file.
local function read_file(sight, root, path)
  local lines = lines_of(root .. "/" .. path)
  local module = path:gsub("%.lua$", ""):gsub("/", ".")
  local bound, tables, comment, class, generic = {}, {}, {}, nil, {}

  local function say(n, ...)
    sight.problems[#sight.problems + 1] = ("%s:%d: %s"):format(path, n, (...):format(select(2, ...)))
  end

  local function take_type(n, text)
    local names, rest = parse_type(text)
    if not names then
      say(n, "not a type: %s: %s", text, rest)
      return ""
    end
    for _, name in ipairs(names) do
      sight.named[#sight.named + 1] = { name = name, place = ("%s:%d"):format(path, n), generic = generic }
    end
    return rest
  end

  local function add(owner, key, value, n)
    if bound[owner] then
      sight.classes[bound[owner]].members[key] = ("%s:%d"):format(path, n)
    end
    if tables[owner] then
      tables[owner][key] = value or true
    end
  end

  -- A line of the annotation that stands above a definition.
  local function take_tag(n, tag, text)
    if tag == "class" then
      class = text:match "^[%w_.]+"
      local known = sight.classes[class] or { parents = {}, members = {}, functions = {} }
      sight.classes[class] = known
      local parents = text:match "^[%w_.]+%s*:%s*([%w_., ]*[%w_])"
      for parent in (parents and parents:match "^[%w_.]+" or ""):gmatch "[%w_.]+" do
        known.parents[#known.parents + 1] = parent
        take_type(n, parent)
      end
    elseif tag == "field" then
      local name, kind = text:gsub("^private ", ""):match "^(%S+)%s+(.*)$"
      if not (class and name) then
        say(n, "a @field without a @class, or without a type")
        return
      end
      sight.classes[class].members[name:gsub("%?$", "")] = ("%s:%d"):format(path, n)
      take_type(n, kind)
    elseif tag == "param" then
      local name, kind = text:match "^(%S+)%s+(.*)$"
      comment[#comment + 1] = name and name:gsub("%?$", "")
      take_type(n, kind or "")
    elseif tag == "return" or tag == "type" or tag == "overload" then
      take_type(n, text)
    elseif tag == "generic" then
      for name, bound_by in text:gmatch "([%a_][%w_]*)%s*:?%s*([%w_.]*)" do
        generic[name] = true
        if bound_by ~= "" then take_type(n, bound_by) end
      end
    elseif tag ~= "async" and tag ~= "private" then
      say(n, "@%s is not one that the sources use", tag)
    end
  end

  -- A function's parameters are those that its annotation names, in their order.
  local function check_params(n, arguments)
    local names = {}
    for name in arguments:gmatch "[%a_.][%w_.]*" do
      names[#names + 1] = name
    end
    local at = 0
    for _, name in ipairs(comment) do
      repeat
        at = at + 1
      until not names[at] or names[at] == name
      if not names[at] then
        say(n, "@param %s is none of the parameters, or not in their order: %s", name, arguments)
        return
      end
    end
  end

  local pending -- generics of the block that is being read
  for n, line in ipairs(lines) do
    local words = line:match "^%s*%-%-%-(.*)$"
    if words and not words:find "^%-" then
      local tag, text = words:match "^@(%a+)%s*(.*)$"
      if not pending then
        pending, generic = true, {}
      end
      if tag then take_tag(n, tag, text) end
    else
      local variable = line:match "^%s*local ([%w_]+)%f[^%w_]"
      if class and variable and line:find "^%s*local [%w_]+ =" then
        bound[variable] = class
      elseif variable and not class then
        bound[variable] = nil
      end
      local indent, fresh = line:match "^(%s*)local ([%w_]+) = .*{$"
      if fresh then
        tables[fresh] = keys_of(lines, n, indent)
        for key in pairs(bound[fresh] and tables[fresh] or {}) do
          add(fresh, key, true, n)
        end
      elseif line:find "^local [%w_]+ = " then
        local name, inner = line:match "^local ([%w_]+) = {?(.*)"
        tables[name] = {}
        for key in inner:gmatch "([%a_][%w_]*) = " do
          add(name, key, true, n)
        end
      end
      local owner, key, arguments = line:match "^%s*function ([%w_]+)[.:]([%w_]+)%((.-)%)"
      if owner then
        add(owner, key, true, n)
        if bound[owner] then sight.classes[bound[owner]].functions[key] = true end
        check_params(n, arguments)
      else
        owner, key = line:match "^%s*([%w_]+)%.([%w_]+) = "
        if owner then add(owner, key, true, n) end
        arguments = line:match "^%s*local function [%w_]+%((.-)%)"
        if arguments then check_params(n, arguments) end
      end
      local returned = line:match "^return names%.module%(([%w_]+)[,)]" or line:match "^return ([%w_]+)$"
        or line:match "^return setmetatable%(([%w_]+),"
      if returned and tables[returned] then
        sight.modules[module] = tables[returned]
        if bound[returned] then sight.modules[module] = sight.classes[bound[returned]].members end
      elseif line:find "^return .*{$" then
        sight.modules[module] = keys_of(lines, n, "")
      end
      comment, class, pending = {}, nil, nil
    end
  end
end

---@param root string the folder that holds momo.lua
---@return spec.Sight
function M.look(root)
  local sight = { classes = {}, modules = {}, problems = {}, named = {} }
  local pipe = assert(io.popen(("cd '%s' && find momo.lua momo -name '*.lua' | LC_ALL=C sort"):format(root)))
  for path in pipe:lines() do
    read_file(sight, root, path)
  end
  pipe:close()
  for _, use in ipairs(sight.named) do
    if not (BUILTIN[use.name] or use.generic[use.name] or sight.classes[use.name]) then
      sight.problems[#sight.problems + 1] = ("%s: no class is called %s"):format(use.place, use.name)
    end
  end
  return sight
end

---The functions that a class has, its own and its parents'.
---@param sight spec.Sight
---@param class string
---@param list table<string, true>?
---@return table<string, true>
function M.functions(sight, class, list)
  list = list or {}
  local known = sight.classes[class]
  for name in pairs(known and known.functions or {}) do
    list[name] = true
  end
  for _, parent in ipairs(known and known.parents or {}) do
    M.functions(sight, parent, list)
  end
  return list
end

---Where a class or one of its parents has a member; nil: an editor knows of none.
---@param sight spec.Sight
---@param class string
---@param name string
---@return string? place
function M.member(sight, class, name)
  local known = sight.classes[class]
  if not known then
    return nil
  end
  local place = known.members[name]
  for _, parent in ipairs(known.parents) do
    place = place or M.member(sight, parent, name)
  end
  return place
end

return M
