---Multipart bodies: parts read from one piece are those that are read from many. The first byte says how long these
---are.

local multipart = require "momo.http.multipart"

local LIMITS = { max_parts = 5, max_head = 60 }

local function pieces(text, size)
  local at = 1
  return function()
    if at > #text then
      return nil, "EOF: end of file", "EOF"
    end
    at = at + size
    return text:sub(at - size, at - 1)
  end
end

-- All that was read, as one string.
local function shown(text, size)
  local parts, seen = multipart.parts(pieces(text, size), "b", LIMITS), {}
  while true do
    local part, _, code = parts:next()
    if not part then
      seen[#seen + 1] = code or "end"
      return table.concat(seen, "|")
    end
    local names = {}
    for name, value in pairs(part.headers) do
      names[#names + 1] = name .. "=" .. value
    end
    table.sort(names)
    local body, _, why = part:body()
    assert(not body or not body:find("\r\n--b", 1, true))
    local all = { part.name or "-", part.filename or "-", table.concat(names, ","), body or why }
    seen[#seen + 1] = table.concat(all, ";")
  end
end

return function(bytes)
  if bytes == "" then
    return
  end
  local text = bytes:sub(2)
  local whole = shown(text, #text + 1)
  assert(shown(text, 1) == whole)
  assert(shown(text, 1 + bytes:byte(1)) == whole)
end
