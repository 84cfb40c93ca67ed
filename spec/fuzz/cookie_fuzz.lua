---Cookies: what a client has sent can be set, and comes back as it was.

local cookie = require "momo.http.cookie"

return function(header)
  for name, value in pairs(cookie.parse(header)) do
    local is_token = name:find "^[%w!#$%%&'*+.^_`|~-]+$" and not name:lower():find "^__%l+%-"
    if type(value) == "table" then
      assert(name:sub(-2) == "[]" and #value > 0, name)
    elseif is_token and #name + 3 * #value <= 4096 then
      local set = cookie.format(name, value)
      assert(not set:find "[%z\1-\31\127-\255]", set)
      assert(cookie.parse(set:match "^[^;]*")[name] == value, set)
    end
  end
end
