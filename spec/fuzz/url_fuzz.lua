---URLs: one, or a base and a reference behind a line feed. What is taken is written so that it is taken as the same,
---and nothing in it can end a line, a host or a field.

local percent = require "momo.http.percent"
local url = require "momo.http.url"

local function check(one, text)
  assert(one.path:sub(1, 1) == "/" and not percent.has_dots(one.path), text)
  assert(not one.host:find "[%z\1-\32/?#@\\\127-\255%u]", text)
  assert(not one.authority:find "[%z\1-\32/?#@\\\127-\255]", text)
  assert(not one.target:find "[%z\1-\32#\127-\255]" and one.target:sub(1, #one.path) == one.path, text)
  assert(one.port % 1 == 0 and one.port >= 1 and one.port <= 65535, text)
  local again = url.parse(one.href)
  assert(again, one.href)
  assert(again.href == one.href and again.target == one.target and again.authority == one.authority, one.href)
end

return function(text)
  local first, reference = text:match "^([^\n]*)\n?(.*)$"
  local base, err, code = url.parse(first)
  if not base then
    assert(err:find "^EINVAL: " and code == "EINVAL")
    base = url.parse "http://example.com/a/b?c"
  else
    check(base, first)
  end
  local target
  target, err, code = url.resolve(base, reference)
  if target then
    check(target, reference)
  else
    assert(err:find "^EINVAL: " and code == "EINVAL")
  end
end
