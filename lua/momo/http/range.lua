---A part of a file: the fields Range and If-Range of RFC 9110, sections 13.1.5 and 14. One range is served; several,
---and what is malformed, are answered with the whole, as the standard allows.

local conditional = require "momo.http.conditional"
local date = require "momo.http.date"
local trim = require("momo.http.tokens").trim

local M = {}

---@param header string? the Range field
---@param size integer bytes of the whole
---@return integer|false|nil first its offset; nil: send the whole; false: no byte is in range, which is status 416
---@return integer? last
function M.parse(header, size)
  local set = header and header:match "^[bB][yY][tT][eE][sS]=(.*)$"
  if not set or size == 0 then
    return nil
  end
  set = trim(set, "[^%s,]")
  local from, to = set:match "^(%d*)%-(%d*)$"
  if not from or (from == "" and to == "") then
    return nil
  elseif from == "" then
    local count = math.min(tonumber(to), size)
    if count == 0 then
      return false
    end
    return size - count, size - 1
  end
  local first, last = tonumber(from), to == "" and size - 1 or tonumber(to)
  if last < first and to ~= "" then
    return nil
  elseif first >= size then
    return false
  end
  return first, math.min(last, size - 1)
end

---Whether the range may be served: the client has the rest of this very version.
---@param header string? the If-Range field
---@param etag string? of what would be sent
---@param modified number? seconds since 1970
---@return boolean
function M.applies(header, etag, modified)
  if not header then
    return true
  elseif header:find '^"' or header:find '^[wW]/"' then
    return etag ~= nil and conditional.equal(header, etag)
  end
  return modified ~= nil and date.parse(header) == math.floor(modified)
end

return M
