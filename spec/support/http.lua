---What the specs of HTTP share: servers on each kind of transport, and clients that send bytes as they please.

local momo = require "momo"
local tcp = require "spec.support.tcp"
local tls = require "spec.support.tls"

local net, time = momo.net, momo.time

local M = {}

---@class spec.Transport
---@field listen fun(): any a listener
---@field connect fun(listener: any): any a stream
---@field server fun(): momo.tls.Server? that the server has

---@type table<string, spec.Transport>
M.transports = {
  tcp = {
    listen = function() return tcp.listen() end,
    connect = function(listener) return assert(net.TcpStream.connect(listener:local_addr())) end,
  },
  unix = {
    listen = function() return assert(net.UnixListener.bind("@momo-http-spec-" .. tostring {})) end,
    connect = function(listener) return assert(net.UnixStream.connect(listener:local_addr())) end,
  },
  tls = {
    listen = function() return tcp.listen() end,
    connect = function(listener)
      M.tls_client = M.tls_client or tls.client()
      local stream = assert(net.TcpStream.connect(listener:local_addr()))
      assert(M.tls_client:wrap(stream, "localhost"))
      return stream
    end,
    server = function()
      M.tls_server = M.tls_server or tls.server()
      return M.tls_server
    end,
  },
}

---A server for the time of `fn(connect, server)`; it has ended when this returns. connect() gives a stream to it.
---@param handler any
---@param options table?
---@param fn fun(connect: (fun(): any), server: any)
---@param transport string? "tcp"
function M.with_server(handler, options, fn, transport)
  tcp.run(function()
    local kind = M.transports[transport or "tcp"]
    local listener = kind.listen()
    if kind.server then
      options = options or {}
      options.tls = kind.server()
    end
    local server = momo.spawn(momo.http.serve, listener, handler, options)
    fn(function()
      local stream = kind.connect(listener)
      stream:set_timeout(30)
      return stream
    end, server, listener)
    listener:close()
    assert(server:join())
  end)
end

---A further server, within a run: fn(address) while it serves.
function M.with_server_inside(handler, options, fn)
  local listener = tcp.listen()
  local server = momo.spawn(momo.http.serve, listener, handler, options)
  fn(listener:local_addr())
  listener:close()
  assert(server:join())
end

---All that comes until the end.
function M.read_all(stream)
  local pieces = {}
  while true do
    local bytes, err, code = stream:read()
    if not bytes then
      if code ~= "EOF" then
        pieces[#pieces + 1] = "[" .. err .. "]"
      end
      return table.concat(pieces)
    end
    pieces[#pieces + 1] = bytes
  end
end

---Lets the server see what was written.
function M.settle()
  for _ = 1, 4 do
    time.sleep(0)
  end
end

---Sends bytes, cut behind the first `split` of them, ends its side, and returns all that is answered.
---@param connect fun(): any
---@param bytes string
---@param split integer?
---@return string
function M.ask(connect, bytes, split)
  local stream = connect()
  if split then
    assert(stream:write(bytes:sub(1, split)))
    M.settle()
  end
  stream:write(bytes:sub((split or 0) + 1)) -- it may have been refused already
  stream:shutdown()
  local answer = M.read_all(stream)
  stream:close()
  return answer
end

local function dechunk(text)
  local pieces, at = {}, 1
  while true do
    local size, next_at = text:match("^(%x+)\r\n()", at)
    assert(size, "no chunk: " .. text:sub(at, at + 20))
    size = tonumber(size, 16)
    if size == 0 then
      local trailers, behind = text:match("^(.-)\r\n()", next_at)
      while trailers ~= "" do
        trailers, behind = text:match("^(.-)\r\n()", behind)
      end
      return table.concat(pieces), behind
    end
    pieces[#pieces + 1] = text:sub(next_at, next_at + size - 1)
    assert(text:sub(next_at + size, next_at + size + 1) == "\r\n")
    at = next_at + size + 2
  end
end

---Takes answers apart.
---@param text string
---@param bodiless boolean? they answer HEAD
---@return {status: integer, reason: string, headers: table<string, string>, body: string, rest: string}[]
function M.answers(text, bodiless)
  local list, at = {}, 1
  while at <= #text do
    local minor, status, reason, head, next_at =
      text:match("^HTTP/1%.(%d) (%d%d%d) ([^\r\n]*)(\r\n.-)\r\n\r\n()", at)
    assert(status, "no answer: " .. text:sub(at, at + 200))
    local answer = { minor = minor, status = tonumber(status), reason = reason, headers = {}, body = "" }
    head = head .. "\r\n"
    for name, value in head:gmatch "([^:\r\n]+): ([^\r\n]*)\r\n" do
      name = name:lower()
      answer.headers[name] = answer.headers[name] and answer.headers[name] .. ", " .. value or value
    end
    local length = tonumber(answer.headers["content-length"])
    if bodiless or answer.status < 200 or answer.status == 204 or answer.status == 304 then
      length = 0
    end
    if length then
      answer.body = text:sub(next_at, next_at + length - 1)
      assert(#answer.body == length, "the body is cut short")
      at = next_at + length
    elseif answer.headers["transfer-encoding"] == "chunked" then
      local behind
      answer.body, behind = dechunk(text:sub(next_at))
      at = next_at + behind - 1
    else
      answer.body = text:sub(next_at)
      at = #text + 1
    end
    list[#list + 1] = answer
  end
  return list
end

---The only answer to these bytes.
function M.answer(connect, bytes, split)
  local list = M.answers(M.ask(connect, bytes, split), bytes:find "^HEAD" ~= nil)
  assert(#list == 1, #list .. " answers came")
  return list[1]
end

---The statuses of all answers, such as "200 400".
function M.statuses(text)
  local list = {}
  for _, answer in ipairs(M.answers(text)) do
    list[#list + 1] = answer.status
  end
  return table.concat(list, " ")
end

return M
