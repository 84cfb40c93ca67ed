---Patterns of requests as Go 1.22 has them: "[METHOD ][HOST]/path", and which of two is more specific.
---
---    /a/b       this path                         /a/{x}      one segment, whatever it is
---    /a/        all below it, like /a/{rest...}   /a/{x...}   the rest, none included
---    /a/{$}     this path with its slash

local check = require "momo.internal.check"
local percent = require "momo.http.percent"

local M = {}

---@class momo.http.Segment
---@field text string what it must be, decoded; of wildcards the name, which may be "" for the rest
---@field is_wild boolean any one segment
---@field is_rest boolean all that follow, none included
---@field is_end boolean {$}: nothing follows the slash

---@class momo.http.Pattern
---@field text string as it was written
---@field method string? nil: any
---@field host string? in lower case; nil: any
---@field segments momo.http.Segment[]

-- How one set of requests lies to another.
local EQUAL, NARROWER, WIDER, OVERLAPPING, DISJOINT = "equal", "narrower", "wider", "overlapping", "disjoint"
local INVERSE = { [NARROWER] = WIDER, [WIDER] = NARROWER }

local function refuse(text, problem)
  check.fail(("handle: the pattern %q %s"):format(text, problem))
end

local function segment(text, kind)
  return { text = text, is_wild = kind == "wild", is_rest = kind == "rest", is_end = kind == "end" }
end

local function read_wildcard(pattern, word, is_last)
  local name, dots = word:match "^{(.-)(%.?%.?%.?)}$"
  if word == "{$}" then
    if not is_last then
      refuse(pattern, "has {$} before its end")
    end
    return segment("/", "end")
  elseif name == "" then
    refuse(pattern, "has a wildcard without a name: write {name}")
  elseif not name or not name:find "^[%a_][%w_]*$" or (dots ~= "" and dots ~= "...") then
    refuse(pattern, ("has %q: a wildcard is a whole segment, such as {name} or {name...}"):format(word))
  elseif dots == "" then
    return segment(name, "wild")
  elseif not is_last then
    refuse(pattern, ("has %s before its end"):format(word))
  end
  return segment(name, "rest")
end

local function read_literal(pattern, word)
  local name = word:match "^:([%a_][%w_]*)$" or word:match "^<([%a_][%w_]*)>$"
  if name then
    refuse(pattern, ("has %q: a wildcard is written {%s}"):format(word, name))
  elseif word == "*" then
    refuse(pattern, 'has "*": write {name}, or {name...} for all that follows')
  end
  local decoded = percent.decode(word)
  if not decoded or decoded:find("%z") then
    refuse(pattern, ("has %q, which no request can have"):format(word))
  elseif word == "" or percent.has_dots(decoded) then
    refuse(pattern, "has an empty segment, or \".\" or \"..\", which no request can have")
  end
  return segment(decoded, "literal")
end

local function read_segments(pattern, path)
  local segments, names = {}, {}
  for word, at in (path .. "/"):gmatch "/([^/]*)()" do
    local is_last = at > #path
    if at <= #path + 1 then
      local one
      if word == "" and is_last then
        one = segment("", "rest")
      elseif word:find("[{}]") then
        one = read_wildcard(pattern, word, is_last)
      else
        one = read_literal(pattern, word)
      end
      if (one.is_wild or one.is_rest) and one.text ~= "" then
        if names[one.text] then
          refuse(pattern, ("has two wildcards of the name %s"):format(one.text))
        end
        names[one.text] = true
      end
      segments[#segments + 1] = one
    end
  end
  return segments
end

local METHODS = {
  GET = true, HEAD = true, POST = true, PUT = true, DELETE = true, PATCH = true, OPTIONS = true, CONNECT = true,
  TRACE = true,
}

---Throws for what is no pattern.
---@param text string
---@return momo.http.Pattern
function M.parse(text)
  check.argument(type(text) == "string", "handle: argument 1 must be a pattern such as \"GET /path/{name}\"", text)
  local method, rest = text:match "^([^ \t]*)[ \t]+(.*)$"
  if method and not method:find "^[%w!#$%%&'*+.^_`|~-]+$" then
    refuse(text, ("begins with %q, which is no method"):format(method))
  elseif method and METHODS[method:upper()] and not METHODS[method] then
    refuse(text, ("begins with %q: methods are in upper case"):format(method))
  elseif method and METHODS[method:match "^(%u+)|"] then
    refuse(text, ("begins with %q: each method has a pattern of its own, and one without a method takes all")
      :format(method))
  end
  local host, path = (rest or text):match "^([^/]*)(/.*)$"
  if not path then
    refuse(text, "has no slash: a path begins with one")
  elseif host:find "[^%w._:%[%]-]" or host:find ":%d*$" then
    refuse(text, ("has the host %q: it is a name without a port, and a path begins with a slash"):format(host))
  elseif path:find "[?#]" then
    refuse(text, "has a query: only paths are matched")
  end
  return {
    text = text,
    method = method,
    host = host ~= "" and host:lower() or nil,
    segments = read_segments(text, path),
  }
end

-- What two parts that both have to match make of the whole.
local function combine(one, other)
  if one == EQUAL then
    return other
  elseif one == DISJOINT or other == DISJOINT then
    return DISJOINT
  elseif one == OVERLAPPING or other == INVERSE[one] then
    return OVERLAPPING
  end
  return other == EQUAL and one or other
end

local function compare_methods(one, other)
  if one == other then
    return EQUAL
  elseif not one or (one == "GET" and other == "HEAD") then -- GET serves HEAD too
    return WIDER
  elseif not other or (one == "HEAD" and other == "GET") then
    return NARROWER
  end
  return DISJOINT
end

local function compare_segments(one, other)
  if one.is_rest or other.is_rest then
    return one.is_rest and other.is_rest and EQUAL or one.is_rest and WIDER or NARROWER
  elseif one.is_wild or other.is_wild then
    if one.is_end or other.is_end then
      return DISJOINT
    end
    return one.is_wild and other.is_wild and EQUAL or one.is_wild and WIDER or NARROWER
  end
  return one.is_end == other.is_end and one.text == other.text and EQUAL or DISJOINT
end

local function compare_paths(one, other)
  local relation = EQUAL
  for i = 1, math.min(#one, #other) do
    relation = combine(relation, compare_segments(one[i], other[i]))
  end
  if #one < #other then
    return combine(relation, one[#one].is_rest and WIDER or DISJOINT)
  elseif #one > #other then
    return combine(relation, other[#other].is_rest and NARROWER or DISJOINT)
  end
  return relation
end

---How the requests that one pattern matches lie to those of another with the same host.
---@param one momo.http.Pattern
---@param other momo.http.Pattern
---@return "equal"|"narrower"|"wider"|"overlapping"|"disjoint"
function M.compare(one, other)
  return combine(compare_methods(one.method, other.method), compare_paths(one.segments, other.segments))
end

---Whether requests match both, and neither is the more specific one.
---@param one momo.http.Pattern
---@param other momo.http.Pattern
---@return boolean
function M.conflict(one, other)
  if one.host ~= other.host then
    return false -- the one with a host is more specific, or they have nothing in common
  end
  local relation = M.compare(one, other)
  return relation == EQUAL or relation == OVERLAPPING
end

---A request that both match.
---@param one momo.http.Pattern
---@param other momo.http.Pattern of which something matches both
---@return string example such as "GET example.org/a/b"
function M.common(one, other)
  local words = {}
  for i = 1, math.max(#one.segments, #other.segments) do
    local a, b = one.segments[i], other.segments[i]
    local known = (a and not a.is_wild and not a.is_rest and a) or (b and not b.is_wild and not b.is_rest and b)
    local is_last_rest = (not a or a.is_rest) and (not b or b.is_rest)
    words[i] = "/" .. (known and (known.is_end and "" or percent.encode(known.text)) or is_last_rest and ""
      or (a and a.is_wild and a or b).text)
  end
  local method = one.method or other.method or "GET"
  if one.method == "HEAD" or other.method == "HEAD" then
    method = "HEAD"
  end
  return method .. " " .. (one.host or "") .. table.concat(words)
end

return M
