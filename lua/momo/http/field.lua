---A field of a head, as who reads a message asks for it.

local core = require "momo.internal.core"

local C, header = core.C, core.native.http_header
local sub = string.sub

local span = core.new "int[2]"

---The value of a field; several of its name are joined by ", ", those of Cookie by "; ".
---@param head string
---@param first_field integer? where its fields begin; nil: behind its first line
---@param name string in any case
---@return string? value
return function(head, first_field, name)
  local count = C.momo_http_field(head, #head, first_field or 0, name, #name, span)
  if count == 1 then
    return sub(head, span[0], span[1])
  elseif count > 1 then
    return header(head, first_field, name)
  end
  return nil
end
