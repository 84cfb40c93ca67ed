---OpenResty's words for errors.

local M = {}

local WORDS = {
  ETIMEDOUT = "timeout", EOF = "closed", EPIPE = "broken pipe", ECONNRESET = "connection reset by peer",
  EBADF = "closed", ECANCELED = "closed", ECONNREFUSED = "connection refused",
}

---@param err string
---@param code string
---@return string
function M.error(err, code)
  return WORDS[code] or err:match "^%w+: ([^:]*)" or err
end

---Why there is no connection to a host.
---@return string
function M.refusal(host, err, code)
  if code:find "^EAI_" then
    return ("%s could not be resolved (%s)"):format(host, err:match "^%w+: ([^:]*)" or err)
  end
  return M.error(err, code)
end

---@param host string
---@param port integer|string
---@return string address
function M.join(host, port)
  return (host:find(":", 1, true) and host:byte() ~= 0x5b and "[%s]:%d" or "%s:%d"):format(host, port)
end

---A value of a kind that is sent: numbers, booleans and nil become text, arrays are flattened.
---@param data any
---@param pieces (string|number)[]
---@return (string|number)[] pieces
function M.flatten(data, pieces)
  if type(data) == "table" then
    for _, piece in ipairs(data) do
      M.flatten(piece, pieces)
    end
  else
    pieces[#pieces + 1] = tostring(data)
  end
  return pieces
end

return M
