---A request and a response without a connection, for specs of handlers: what was sent is noted.

local M = {}

---@param method string
---@param target string
---@param fields table<string, string>? by name in lower case
---@return table request
function M.request(method, target, fields)
  local path, query = target:match "^([^?]*)%??(.*)$"
  return {
    method = method, target = target, path = path, query = target:find("?", 1, true) and query or nil,
    host = "h.example", peer = "127.0.0.1:1234", headers = fields or {},
    header = function(self, name) return self.headers[name] end,
  }
end

local Response = {}
Response.__index = Response

---@return table response `status`, `head` and `body` are what was sent
function M.response()
  return setmetatable({ headers = {}, body = "", sent = false, bytes = 0 }, Response)
end

function Response:start(status, headers)
  assert(not self.head, "it has an answer already")
  self.status, self.head, self.sent = status, {}, true
  for _, fields in ipairs { self.headers, headers or {} } do
    for name, value in pairs(fields) do
      self.head[name:lower()] = value
    end
  end
  return true
end

function Response:write(bytes)
  self.body, self.bytes = self.body .. bytes, self.bytes + #bytes
  return #bytes
end

Response[require("momo.http.response").COPY] = function(self, stream, n)
  local copied = 0
  while copied < n do
    local bytes = stream:read(math.min(n - copied, 65536))
    if not bytes then
      break
    end
    copied = copied + self:write(bytes)
  end
  return copied
end

function Response:finish()
  self.finished = true
  return true
end

function Response:send(status, body, headers)
  self:start(status, headers)
  if body then
    self:write(type(body) == "table" and table.concat(body) or body)
  end
  return self:finish()
end

function Response:redirect(location, status)
  return self:send(status or 303, nil, { Location = location })
end

return M
