---Reads the annotations of a Lua file: the `---` comments of LuaLS, and what stands beneath each.
---
---Beyond LuaLS there are two conventions. A text that begins with "Private:" says what `@private` does. A paragraph
---that begins with "Codes:" lists the codes with which a call may fail, separated by semicolons, with or without a few
---words: "Codes: EOF at the end; EPIPE, ECONNRESET it has gone."

local M = {}

local CLOSING = { ["("] = ")", ["{"] = "}", ["["] = "]", ["<"] = ">" }

---@class docs.Field a parameter, a result or a field of a class
---@field name string "..." for several
---@field type string
---@field optional boolean
---@field text string

---@class docs.Item an annotated function
---@field owner string the local variable that it is a field of, in the source
---@field name string
---@field method boolean it is called with a colon
---@field source string path of the file
---@field line integer of the definition
---@field arguments string[]? names in the source; nil: it is assigned, not defined
---@field text string[] paragraphs
---@field codes {codes: string[], text: string}[]?
---@field params docs.Field[]
---@field returns docs.Field[]
---@field overloads docs.Field[][] parameters
---@field suspends string|true|nil the condition, or true
---@field private boolean

---@class docs.Class
---@field name string
---@field parent string?
---@field text string[]
---@field fields docs.Field[]
---@field private boolean

---@class docs.File
---@field text string[] paragraphs of the head
---@field items docs.Item[]
---@field classes docs.Class[]
---@field class_of table<string, string> the class's name by the local variable that holds it

---Splits a type off its text: it ends at the first blank outside of brackets that no `|`, `:` or `async` goes over.
---@param text string
---@return string type
---@return string rest
local function split_type(text)
  local open, i = {}, 1
  while i <= #text do
    local c = text:sub(i, i)
    if CLOSING[c] then
      open[#open + 1] = CLOSING[c]
    elseif c == open[#open] then
      open[#open] = nil
    elseif c == " " and #open == 0 then
      local before, after = text:sub(1, i - 1), text:sub(i + 1)
      if not (before:find "[:|]$" or before == "async" or after:find "^|") then
        return before, after
      end
    end
    i = i + 1
  end
  return text, ""
end

---@param text string "name type text", or of a result "type name text"
---@param type_first boolean
---@return docs.Field
local function field(text, type_first)
  local name, kind, rest
  if type_first then
    kind, rest = split_type(text)
    name, rest = rest:match "^(%S*)%s*(.*)$"
  else
    name, rest = text:match "^(%S+)%s+(.*)$"
    kind, rest = split_type(rest)
    if name:sub(-1) == "?" then
      name, kind = name:sub(1, -2), kind .. "?"
    end
  end
  local optional = kind:sub(-1) == "?"
  return { name = name, type = optional and kind:sub(1, -2) or kind, optional = optional, text = rest }
end

---Lines as paragraphs. A blank line ends one; indented lines (code) keep their line ends.
---@param lines string[]
---@return string[]
local function paragraphs(lines)
  local list, open = {}, nil
  for _, line in ipairs(lines) do
    local is_code = line:find "^    " ~= nil
    if line:find "^%s*$" then
      open = nil
    elseif open and not line:find "^Codes:" and is_code == (list[#list]:find "^    " ~= nil) then
      list[#list] = list[#list] .. (is_code and "\n" or " ") .. line
    else
      open = true
      list[#list + 1] = line
    end
  end
  return list
end

---@param text string of a paragraph, without "Codes:"
---@return {codes: string[], text: string}[]
local function codes_of(text)
  local list = {}
  for entry in text:gsub("%.$", ""):gmatch "[^;]+" do
    local codes, rest = {}, entry:match "^%s*(.-)%s*$"
    local code, after = rest:match "^([A-Z][A-Z0-9_]+)()"
    while code do
      codes[#codes + 1], rest = code, rest:sub(after)
      code, after = rest:match "^, ([A-Z][A-Z0-9_]+)()"
    end
    list[#list + 1] = { codes = codes, text = rest:gsub("^:? ", "") }
  end
  return list
end

---Parts between the commas, or bars, that stand outside of brackets.
---@param text string
---@param separator string? "," or "|"
---@return string[]
local function split_list(text, separator)
  separator = separator or ","
  local parts, depth, from = {}, 0, 1
  for at, c in (text .. separator):gmatch "()([%(%)%[%]{}<>,|])" do
    if CLOSING[c] then
      depth = depth + 1
    elseif c == ")" or c == "]" or c == "}" or c == ">" then
      depth = depth - 1
    elseif c == separator and depth == 0 then
      parts[#parts + 1] = text:sub(from, at - 1):match "^%s*(.-)%s*$"
      from = at + 1
    end
  end
  return parts[1] == "" and {} or parts
end

M.split_list = split_list

---`---@type fun(self: X, a: b): c` says as much as the tags of a definition, but for texts.
local function take_type(item)
  local arguments, results = item.type:match "^fun(%b()):?%s*(.*)$"
  if not arguments then
    return
  end
  local known, params = {}, {}
  for _, param in ipairs(item.params) do
    known[param.name] = param
  end
  for _, argument in ipairs(split_list(arguments:sub(2, -2))) do
    local name, kind = argument:match "^([%w_.]+%??):%s*(.*)$"
    if name == "self" then
      item.method = true
    else
      params[#params + 1] = known[name] or field(name .. " " .. kind, false)
    end
  end
  item.params = params
  if #item.returns == 0 then
    for _, result in ipairs(split_list(results:match "^%((.*)%)$" or results)) do
      local name, kind = result:match "^([%w_.]+):%s*(.*)$"
      item.returns[#item.returns + 1] = field(name and kind .. " " .. name or result, true)
    end
  end
end

---@param lines string[] of one comment, without the dashes
---@return table block what docs.Item and docs.Class have in common, and `class`
local function parse_block(lines)
  local block = { params = {}, returns = {}, overloads = {}, fields = {} }
  local text = {}
  for _, line in ipairs(lines) do
    local tag, argument = line:match "^@(%a+)%s*(.*)$"
    if not tag then
      text[#text + 1] = line
    elseif tag == "param" then
      block.params[#block.params + 1] = field(argument, false)
    elseif tag == "return" then
      block.returns[#block.returns + 1] = field(argument, true)
    elseif tag == "field" and not argument:find "^private " then
      block.fields[#block.fields + 1] = field(argument, false)
    elseif tag == "overload" then
      local item = { type = argument, params = {}, returns = {} }
      take_type(item)
      block.overloads[#block.overloads + 1] = item.params
    elseif tag == "type" then
      block.type = argument
    elseif tag == "async" then
      block.suspends = argument ~= "" and argument or true
    elseif tag == "private" then
      block.private = true
    elseif tag == "class" then
      block.class, block.parent = argument:match "^([%w_.]+)", argument:match ":%s*([%w_.]+)"
    end
  end
  block.text = {}
  block.private = block.private or (text[1] or ""):find "^Private:" ~= nil
  for _, paragraph in ipairs(paragraphs(text)) do
    local list = paragraph:match "^Codes:%s*(.*)$"
    if list then
      block.codes = codes_of(list)
    else
      block.text[#block.text + 1] = paragraph
    end
  end
  return block
end

---What a line defines: a local variable, or a function or value as a field of one.
local function definition(line)
  local owner, dot, name, arguments = line:match "^%s*function ([%w_]+)([.:])([%w_]+)%((.-)%)"
  if owner then
    local list = {}
    for argument in arguments:gmatch "[^,%s]+" do
      list[#list + 1] = argument
    end
    return { owner = owner, name = name, method = dot == ":", arguments = list }
  end
  owner, name = line:match "^%s*([%w_]+)%.([%w_]+) = "
  if owner then
    return { owner = owner, name = name }
  end
  local variable = line:match "^%s*local ([%w_]+) ="
  return variable and { variable = variable } or {}
end

---@param text string of a Lua file
---@param path string
---@return docs.File
function M.parse(text, path)
  local file = { text = {}, items = {}, classes = {}, class_of = {} }
  local lines, comment = {}, {}
  for line in (text .. "\n"):gmatch "(.-)\n" do
    lines[#lines + 1] = line
  end
  for n, line in ipairs(lines) do
    local words = line:match "^%s*%-%-%-(.*)$"
    if words and not words:find "^%-" then
      comment[#comment + 1] = words
    elseif #comment > 0 then
      local block, found = parse_block(comment), definition(line)
      if #comment == n - 1 and not block.class then
        file.text = block.text
      end
      if block.class then
        file.classes[#file.classes + 1] = { name = block.class, parent = block.parent, text = block.text,
          fields = block.fields, private = block.private }
        if found.variable then
          file.class_of[found.variable] = block.class
        end
      elseif found.name then
        local item = block
        item.source, item.line = path, n
        item.owner, item.name, item.method, item.arguments = found.owner, found.name, found.method, found.arguments
        if item.type then
          take_type(item)
        end
        file.items[#file.items + 1] = item
      end
      for _, param in ipairs(block.params) do -- a function that adds methods to the class that it is given
        if param.type:find "^momo%." and not file.class_of[param.name] and found.name == "extend" then
          file.class_of[param.name] = param.type
        end
      end
      comment = {}
    end
  end
  return file
end

return M
