---OpenResty's words for errors.

local each = require "momo.internal.each"

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

local DEFAULT_LIMIT = 60 -- seconds

---A time limit; it blames who called the caller where that is none.
---@param ms any milliseconds; 0, nil: 60 s
---@return number seconds
function M.limit(ms)
  ms = tonumber(ms)
  if ms and ms < 0 then
    error("bad timeout value", 3)
  end
  return ms and ms > 0 and ms / 1000 or DEFAULT_LIMIT
end

-- Puts the texts and numbers of an array and of those in it into pieces.
---@return string? problem
local function flatten(data, pieces)
  local n = 0
  for key in each(data) do
    if type(key) ~= "number" or key < 1 or key % 1 ~= 0 then
      return "non-array table found"
    end
    n = math.max(n, key)
  end
  for i = 1, n do
    local piece, problem = data[i], nil
    if type(piece) == "string" or type(piece) == "number" then
      pieces[#pieces + 1] = piece
    elseif type(piece) == "table" then
      problem = flatten(piece, pieces)
    else
      problem = ("bad data type %s found"):format(type(piece))
    end
    if problem then
      return problem
    end
  end
end

local PLAIN = { string = true, number = true, boolean = true, ["nil"] = true }

---What `send` sends of a value; it blames who called the caller where that can't be sent.
---@param data any
---@return string text
function M.text(data)
  if PLAIN[type(data)] then
    return tostring(data)
  end
  local pieces = {}
  local problem = type(data) == "table" and flatten(data, pieces)
  if type(data) ~= "table" then
    problem = "string, number, boolean, nil, or array table expected, got " .. type(data)
  end
  if problem then
    error(("bad argument #1 to 'send' (%s)"):format(problem), 3)
  end
  return table.concat(pieces)
end

return M
