---Routers: lines of patterns, and the last one a request "METHOD host path". Of all patterns that match, which is asked
---of each by itself, the most specific one gets the request.

local pattern = require "momo.http.pattern"
local percent = require "momo.http.percent"
local routers = require "momo.http.router"

local INVERSE = { equal = "equal", narrower = "wider", wider = "narrower", overlapping = "overlapping",
  disjoint = "disjoint" }

local function words_of(path)
  local words = {}
  for word in path:sub(2):gmatch "[^/]+" do
    words[#words + 1] = percent.decode(word)
  end
  return words, path:sub(-1) == "/"
end

local function matches(one, method, host, path)
  if (one.method and one.method ~= method and not (one.method == "GET" and method == "HEAD"))
    or (one.host and one.host ~= host) then
    return false
  end
  local words, has_slash = words_of(path)
  for i, segment in ipairs(one.segments) do
    if segment.is_rest then
      return has_slash or words[i] ~= nil
    elseif segment.is_end then
      return has_slash and words[i] == nil
    elseif not words[i] or not (segment.is_wild or segment.text == words[i]) then
      return false
    end
  end
  return not has_slash and #words == #one.segments
end

local function comes_before(one, other)
  if one.host ~= other.host then
    return one.host ~= nil
  end
  return pattern.compare(one, other) == "narrower"
end

local function check_pair(one, other)
  assert(pattern.compare(one, other) == INVERSE[pattern.compare(other, one)])
  assert(pattern.conflict(one, other) == (one == other), one.text)
end

return function(bytes)
  local router, taken, asked, status = routers.Router(), {}
  local lines = {}
  for line in bytes:gmatch "[^\n]+" do
    lines[#lines + 1] = line
  end
  local method, host, path = (table.remove(lines) or ""):match "^(%u+) ([%l%d.]*) (/[^?#]*)$"
  for _, line in ipairs(lines) do
    local ok, err = pcall(router.handle, router, line, function() asked = line end)
    if ok then
      taken[#taken + 1] = pattern.parse(line)
    else
      assert(tostring(err):find("handle: the pattern", 1, true), err)
    end
  end
  for _, one in ipairs(taken) do
    for _, other in ipairs(taken) do
      check_pair(one, other)
    end
  end
  if not path then
    return
  end
  local function answer(_, code) status = code or 0 end
  router({ method = method, host = host, path = path, target = path }, { send = answer, redirect = answer })
  local best
  for _, one in ipairs(taken) do
    if matches(one, method, host, path) and (not best or comes_before(one, best)) then
      best = one
    end
  end
  if asked then
    assert(best and best.text == asked, asked)
  else
    assert(status and (status ~= 404 and status ~= 405 or not best), best and best.text)
  end
end
