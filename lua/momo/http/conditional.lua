---Requests that depend on what the client has already: RFC 9110, section 13.

local date = require "momo.http.date"
local trim = require("momo.http.tokens").trim

local M = {}

---Whether two entity tags are the same by the strong comparison: a weak one is equal to none.
---@param one string
---@param other string
---@return boolean
function M.equal(one, other)
  return one == other and one:sub(1, 1) == '"'
end

-- Whether a list of entity tags has this one. What is malformed ends the list.
local function has(list, etag, is_strong)
  if trim(list) == "*" then
    return true
  elseif not etag or (is_strong and etag:find "^W/") then
    return false
  end
  local bare = etag:gsub("^W/", "")
  local at = 1
  while true do
    local weak, tag, next_at = list:match('^[%s,]*(W?/?)("[^"%c%s]*")()', at)
    if not tag or weak == "W" or weak == "/" then
      return false
    elseif tag == bare and not (is_strong and weak ~= "") then
      return true
    end
    at = next_at
  end
end

local function date_of(request, name)
  local text = request:header(name)
  return text and date.parse(text)
end

---@param request momo.http.Request
---@param etag string? of what would be sent
---@param modified number? seconds since 1970
---@return 304|412|nil status nil: go on
function M.evaluate(request, etag, modified)
  local reads = request.method == "GET" or request.method == "HEAD"
  modified = modified and math.floor(modified)
  local if_match = request:header "if-match"
  if if_match then
    if not has(if_match, etag, true) then
      return 412
    end
  else
    local since = date_of(request, "if-unmodified-since")
    if since and modified and modified > since then
      return 412
    end
  end
  local if_none_match = request:header "if-none-match"
  if if_none_match then
    if has(if_none_match, etag, false) then
      return reads and 304 or 412
    end
  elseif reads then
    local since = date_of(request, "if-modified-since")
    if since and modified and modified <= since then
      return 304
    end
  end
  return nil
end

return M
