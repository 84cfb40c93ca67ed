---What is given of Unix sockets: their paths, and the permissions of the files there.

local check = require "momo.internal.check"

local PATH_MAX = 107

local M = {}

---@param path any
---@param name string of the function
function M.check(path, name)
  check.argument(type(path) == "string" and #path > 0 and not path:find "%z",
    name .. ": the path must be a string such as \"/run/app.sock\"", path)
  if #path > PATH_MAX then
    check.fail(("%s: a path has at most %d bytes, and %q has %d"):format(name, PATH_MAX, path, #path))
  end
end

---The bits of permissions: a number, or octal digits.
---@param mode any
---@param name string of the function
---@return integer? bits
function M.mode(mode, name)
  local bits = type(mode) == "string" and mode:match "^0*[0-7]?[0-7]?[0-7]$" and tonumber(mode, 8) or mode
  check.argument(bits == nil or (check.is_whole(bits) and bits >= 0 and bits <= 511),
    name .. ": mode must be permissions such as \"660\"", mode)
  return bits
end

return M
