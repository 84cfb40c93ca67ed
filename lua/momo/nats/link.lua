---Private: one connection to one server, from its first line to its end.

local base64 = require "momo.http.base64"
local core = require "momo.internal.core"
local json = require "momo.http.json"
local nkey = require "momo.nats.nkey"
local tcp = require "momo.net.tcp"

local M = {}

local LINE_MAX = 1024 * 1024 -- a server tells of its whole cluster in one
local MESSAGE_MAX = 64 * 1024 * 1024 -- bytes: no server can be set to take more

---@class momo.nats.Link
---@field stream momo.Stream
---@field info table what the server says of itself
---@field server momo.nats.Server
---@field heads table<string, {subject: string, sid: integer, size: integer}> what lines before a message say
---@field private known integer how many those are
---@field private bytes string that were read
---@field private at integer where the rest of them begins
local Link = {}
Link.__index = Link

---The next line, without its end.
---@async
---@return string? line
---@return string? err
---@return string? code
function Link:line()
  while true do
    local stop = self.bytes:find("\r\n", self.at, true)
    if stop then
      local text = self.bytes:sub(self.at, stop - 1)
      self.at = stop + 2
      return text
    elseif #self.bytes - self.at > LINE_MAX then
      return nil, "EPROTO: the server sent a line without end", "EPROTO"
    end
    local more, err, code = self.stream:read()
    if not more then
      return nil, err, code
    end
    self.bytes, self.at = self.bytes:sub(self.at) .. more, 1
  end
end

---So many bytes, and the end of a line behind them.
---@async
---@param n integer
---@return string? bytes
---@return string? err
---@return string? code
function Link:exact(n)
  if n > MESSAGE_MAX then
    return nil, ("EPROTO: the server sent a message of %.0f bytes: protocol error"):format(n), "EPROTO"
  end
  local lacking = n + 2 - (#self.bytes - self.at + 1)
  if lacking > 0 then
    local more, err, code = self.stream:read_exact(lacking)
    if not more then
      return nil, err, code
    end
    self.bytes, self.at = self.bytes:sub(self.at) .. more, 1
  end
  local bytes = self.bytes:sub(self.at, self.at + n - 1)
  self.at = self.at + n + 2
  if self.bytes:sub(self.at - 2, self.at - 1) ~= "\r\n" then
    return nil, "EPROTO: the server sent a message without end: protocol error", "EPROTO"
  end
  return bytes
end

---Remembers what a line says.
function Link:know(text, head, max)
  if self.known >= max then
    self.heads, self.known = {}, 0
  end
  self.heads[text], self.known = head, self.known + 1
end

---@param text string
---@return table? info
---@return string? err
---@return string? code
function M.decode_info(text)
  local info, err, code = json.decode(text)
  if code then
    return nil, err, code
  elseif type(info) ~= "table" or type(info.max_payload or 0) ~= "number" then
    return nil, "EPROTO: the server says nothing of itself", "EPROTO"
  end
  return info
end

---@async
local function read_info(self)
  local text, err, code = self:line()
  if not text then
    return nil, err, code
  elseif not text:find "^INFO " then
    return nil, "EPROTO: this is not a NATS server", "EPROTO"
  end
  self.info, err, code = M.decode_info(text:sub(6))
  return self.info, err, code
end

---@async
local function secure(self, options)
  if not (self.info.tls_required == true or self.server.secure or options.tls) then
    return true
  elseif self.info.tls_required ~= true and self.info.tls_available ~= true then
    return nil, ("EPROTO: %s does not offer TLS"):format(self.server.address), "EPROTO"
  elseif self.at <= #self.bytes then
    return nil, "EPROTO: bytes in plain text stood before the beginning of TLS", "EPROTO"
  end
  local client, err, code = options.tls, nil, nil
  if not client then
    client, err, code = require("momo.tls").client()
  end
  if not client then
    return nil, err, code
  end
  return client:wrap(self.stream, self.server.name)
end

---What CONNECT says.
local function introduction(self, options)
  local server, info = self.server, self.info
  local words = {
    verbose = false, pedantic = false, lang = "lua", version = core.string(core.first.momo_version()), protocol = 1,
    headers = info.headers == true, no_responders = info.headers == true, echo = not options.no_echo,
    name = options.name, jwt = options.jwt,
    tls_required = options.tls ~= nil or server.secure or info.tls_required == true,
    user = options.user, pass = options.password, auth_token = options.token,
  }
  if server.password then
    words.user, words.pass = server.user, server.password
  elseif server.user then
    words.auth_token = server.user
  end
  if options.seed and type(info.nonce) == "string" then
    local public, signature, code = nkey.sign(options.seed, info.nonce)
    if not public then
      return nil, signature, code
    end
    words.sig = base64.encode(signature):gsub("+", "-"):gsub("/", "_"):gsub("=", "")
    if not options.jwt then
      words.nkey = public
    end
  end
  return words
end

---@async
local function greet(self, options)
  local words, err, code = introduction(self, options)
  local ok
  if words then
    ok, err, code = self.stream:write("CONNECT " .. json.encode(words) .. "\r\nPING\r\n")
  end
  while ok do
    local text
    text, err, code = self:line()
    if not text then
      return nil, err, code
    elseif text == "PONG" then
      return true
    elseif text:find "^%-ERR" then
      return nil, ("EACCES: %s refuses us: %s"):format(self.server.address, text:match "'(.*)'" or text), "EACCES"
    elseif text == "PING" then
      ok, err, code = self.stream:write "PONG\r\n"
    end
  end
  return nil, err, code
end

---@async
local function begin(self, options)
  local ok, err, code = read_info(self)
  if ok then
    ok, err, code = secure(self, options)
  end
  if ok then
    ok, err, code = greet(self, options)
  end
  return ok, err, code
end

---Connects to a server, up to the point where it takes messages.
---@async
---@param server momo.nats.Server
---@param options momo.nats.ConnectOptions
---@return momo.nats.Link? link
---@return string? err
---@return string? code
function M.open(server, options)
  local stream, err, code = tcp.TcpStream.connect(server.address)
  if not stream then
    return nil, err, code
  end
  local self = setmetatable({ stream = stream, server = server, bytes = "", at = 1, heads = {}, known = 0 }, Link)
  local ok, begun
  ok, begun, err, code = xpcall(begin, core.native.traceback_capture, self, options)
  if ok and begun then
    return self
  end
  stream:close()
  if not ok then
    core.native.rethrow(begun)
  elseif code == "EOF" then
    err = ("EOF: %s has closed the connection at its beginning: end of file"):format(server.address)
  end
  return nil, err, code
end

return M
