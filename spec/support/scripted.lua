---Servers that say what a spec tells them to, byte by byte, for specs of clients.

local momo = require "momo"

local M = {}

---A server whose connections are answered one after the other, each by the next of the functions; the last one serves
---all that follow. A function gets a peer, and its connection is closed when it returns.
---@param ... async fun(peer: momo.spec.Peer)
---@return string url such as "http://127.0.0.1:1234"
---@return momo.spec.Server server
function M.serve(...)
  local scripts = { ... }
  local listener = assert(momo.net.TcpListener.bind "127.0.0.1:0")
  local server = { count = 0, listener = listener }
  server.task = momo.spawn(function()
    while true do
      local stream = listener:accept()
      if not stream then
        return
      end
      server.count = server.count + 1
      local script = scripts[math.min(server.count, #scripts)]
      momo.spawn(function()
        stream:set_timeout(20)
        script(M.peer(stream))
        stream:close()
      end)
    end
  end)
  return "http://" .. listener:local_addr(), server
end

---@class momo.spec.Peer
local Peer = {}
Peer.__index = Peer

function M.peer(stream)
  return setmetatable({ stream = stream }, Peer)
end

-- Lines until the end; one who leaves with something unread resets the connection.
local function lines(stream)
  return function()
    local line, err, code = stream:read_until "\n"
    if line then
      return (line:gsub("\r?\n$", ""))
    elseif code ~= "EOF" and code ~= "ECONNRESET" then
      error(err, 0)
    end
  end
end

---Reads a request's head: its lines are in the array, its fields by name in lower case. Nil at the end.
function Peer:head()
  local head = {}
  for line in lines(self.stream) do
    if line == "" then
      return head
    end
    head[#head + 1] = line
    local name, value = line:match "^([^:%s]+): (.*)$"
    if name then
      head[name:lower()] = value
    end
  end
end

---Reads a request: its head, with its body in `body`. Nil at the end.
function Peer:request()
  local head = self:head()
  if not head then
    return nil
  end
  if head["transfer-encoding"] == "chunked" then
    local pieces = {}
    repeat
      local size = tonumber(assert(self.stream:read_until "\n"):match "^(%x+)\r\n$", 16)
      pieces[#pieces + 1] = size > 0 and self.stream:read_exact(size) or nil
      assert(self.stream:read_exact(2) == "\r\n")
    until size == 0
    head.body = table.concat(pieces)
  elseif tonumber(head["content-length"] or 0) > 0 then
    head.body = assert(self.stream:read_exact(tonumber(head["content-length"])))
  end
  return head
end

---Writes text whose lines end in LF, with CR LF.
function Peer:say(text)
  return self.stream:write((text:gsub("\r?\n", "\r\n")))
end

---An answer with its Content-Length.
---@param status integer
---@param body string?
---@param fields string? such as "Server: x\n"
function Peer:answer(status, body, fields)
  return self.stream:write(("HTTP/1.1 %d X\r\nContent-Length: %d\r\n%s\r\n%s"):format(status, #(body or ""),
    ((fields or ""):gsub("\r?\n", "\r\n")), body or ""))
end

---Answers each request until the client ends: fn(request) returns a status, a body and fields.
function Peer:answer_all(fn)
  while true do
    local request = self:request()
    if not request then
      return
    end
    self:answer(fn(request))
  end
end

---A server that answers each request by fn(request, server), which returns a status, a body and fields.
function M.echo(fn)
  local url, server
  url, server = M.serve(function(peer)
    peer:answer_all(function(request) return fn(request, server) end)
  end)
  return url, server
end

return M
