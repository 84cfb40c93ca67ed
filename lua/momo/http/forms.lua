---Forms in the body of a request: urlencoded ones, and multipart ones part by part.

local check = require "momo.internal.check"
local form = require "momo.http.form"
local media = require "momo.http.media"
local multipart = require "momo.http.multipart"

local FIELDS_MAX = 1000 -- of an urlencoded form; each costs far more than the two bytes that it may come in

local M = {}

local function too_large(max)
  return nil, ("EMSGSIZE: the form has more than %.0f bytes"):format(max), "EMSGSIZE"
end

local function source_of(request)
  return function() return request.content:read() end
end

-- All parts in memory.
local function read_multipart(request, max)
  local boundary, err, code = multipart.boundary(request:header "content-type")
  if not boundary then
    return nil, err, code
  end
  local args, left = {}, max
  local parts = multipart.parts(source_of(request), boundary)
  while true do
    local part
    part, err, code = parts:next()
    if not part then
      if code then
        return nil, err, code
      end
      return args
    end
    local body
    body, err, code = part:body(left)
    if not body then
      if code == "EMSGSIZE" then
        return too_large(max)
      end
      return nil, err, code
    end
    left = left - #body
    if part.name then
      form.add(args, part.name, body)
    end
  end
end

---@async
---@param request momo.http.Request
---@param max number bytes
---@return table<string, string|string[]>? args
---@return string? err
---@return string? code
function M.read(request, max)
  local name = media.parse(request:header "content-type" or "")
  if name == "multipart/form-data" then
    return read_multipart(request, max)
  elseif name ~= "application/x-www-form-urlencoded" then
    return nil, ("EPROTO: the body is %s, and no form"):format(name or "of no type"), "EPROTO"
  end
  local text, err, code = request.content:all(max)
  if not text then
    return nil, err, code
  end
  return form.decode(text, FIELDS_MAX)
end

---@param request momo.http.Request
---@param limits {max_parts: integer?, max_head: integer?}?
---@return fun(): momo.http.Part?
function M.parts(request, limits)
  local boundary, err, code = multipart.boundary(request:header "content-type")
  if not boundary then
    request.failure = code
    check.fail(err)
  end
  local parts = multipart.parts(source_of(request), boundary, limits)
  return function()
    local part
    part, err, code = parts:next()
    if not part and code then
      request.failure = code
      check.fail(err)
    end
    return part
  end
end

return M
