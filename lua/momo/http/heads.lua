---The head of an answer, as a client reads it.

local http_response = require("momo.internal.core").native.http_response

local M = {}

local HEAD_MAX = 64 * 1024
local FIELDS_MAX = 256
local INTERIM_MAX = 32
local KEEP_ALIVE = 1 -- of the flags

---@class momo.http.Head
---@field status integer
---@field reason string?
---@field bytes string in which the fields begin at first_field
---@field first_field integer
---@field keep_alive boolean a further request may follow
---@field framing number|boolean|nil of the body: see body.new

---Reads a head. Interim ones before it are skipped, or told of.
---@async
---@param stream momo.Stream
---@param is_bodiless boolean it answers HEAD or CONNECT
---@param on_interim async fun(head: momo.http.Head)?
---@param left (fun(): number)? seconds for which it may still be waited
---@return momo.http.Head? head
---@return string? err
---@return string? code EPROTO: it is malformed; EOF, or what the stream failed with
---@return boolean? nothing no byte of an answer has come
function M.read(stream, is_bodiless, on_interim, left)
  local interim, seen = 0, 0
  while true do
    local status, have, head, first_field, flags, framing =
      http_response(stream, is_bodiless, HEAD_MAX, FIELDS_MAX, seen)
    if status == nil then
      return nil, "EPROTO: malformed answer: " .. tostring(head), "EPROTO"
    elseif not status then
      seen = have
      if left then
        stream:set_timeout(math.max(0, left()))
      end
      local ok, err, code = stream:peek_ptr(have + 1)
      if not ok and not (code == "ETIMEDOUT" and left and left() > 0) then
        return nil, code == "EOF" and "EOF: the server closed the connection without a whole answer" or err, code,
          have == 0 and interim == 0
      end
    else
      local found = {
        status = status, reason = have, bytes = head, first_field = first_field, keep_alive = flags % 2 == KEEP_ALIVE,
        framing = framing,
      }
      if status >= 200 or status == 101 then
        return found
      elseif interim == INTERIM_MAX then
        return nil, "EPROTO: malformed answer: there is no end of interim ones", "EPROTO"
      elseif on_interim then
        on_interim(found)
      end
      interim, seen = interim + 1, 0
    end
  end
end

return M
