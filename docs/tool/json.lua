---Reads JSON, as bench/harness/report.lua writes it.

local ESCAPES = { n = "\n", t = "\t" }
local WORDS = { ["true"] = true, ["false"] = false, null = nil }

local value

local function items(text, at, closing, take)
  at = text:match("^%s*()", at)
  while text:sub(at, at) ~= closing do
    at = take(at)
    at = text:match("^%s*,%s*()", at) or text:match("^%s*()", at)
    assert(at <= #text, "the JSON text ends too early")
  end
  return at + 1
end

---@return any value
---@return integer at what follows it
function value(text, at)
  at = text:match("^%s*()", at)
  local c = text:sub(at, at)
  local result = {}
  if c == "{" then
    return result, items(text, at + 1, "}", function(from)
      local key, after = value(text, from)
      result[key], after = value(text, assert(text:match("^%s*:()", after), "a key has no value"))
      return after
    end)
  elseif c == "[" then
    return result, items(text, at + 1, "]", function(from)
      local item, after = value(text, from)
      result[#result + 1] = item
      return after
    end)
  elseif c == '"' then
    local closing = at + 1
    while text:sub(closing, closing) ~= '"' do
      closing = closing + (text:sub(closing, closing) == "\\" and 2 or 1)
    end
    return text:sub(at + 1, closing - 1):gsub("\\(.)", function(e) return ESCAPES[e] or e end), closing + 1
  end
  local word, after = text:match("^([%w.+-]+)()", at)
  assert(word, "this is no JSON")
  if tonumber(word) then
    return tonumber(word), after
  end
  return WORDS[word], after
end

---@param text string
---@return any
return function(text)
  return (value(text, 1))
end
