---Range and If-Range: the first two bytes are the size of what the range, which follows, is of.

local range = require "momo.http.range"

return function(bytes)
  if #bytes < 2 then
    return
  end
  local size, header = bytes:byte(1) * 256 + bytes:byte(2), bytes:sub(3)
  local first, last = range.parse(header, size)
  if first then
    assert(first % 1 == 0 and last % 1 == 0 and 0 <= first and first <= last and last < size, header)
  else
    assert(last == nil, header)
  end
  assert(type(range.applies(header, '"a"', 784111777)) == "boolean")
end
