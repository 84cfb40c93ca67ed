---LuaSec's `ssl` on momo.tls: wrap, newcontext and the methods that libraries use.

local Base = require "momo.compat.luasocket.base"
local tasks = require "momo.internal.task"
local words = require "momo.compat.luasocket.words"
local each = require "momo.internal.each"

local M = { _VERSION = "1.0.2 (momo)", config = { protocols = {}, options = {}, algorithms = {}, curves = {} } }

-- LuaSec itself, for who is in no task; nil: it is not there.
local real
local looked

---@return table? ssl
local function theirs()
  if not looked then
    looked = true
    local path = package.searchpath("ssl", package.path)
    local ok, module = pcall(path and loadfile(path) or error, "ssl")
    real = ok and module or nil
  end
  return real
end

local VERSIONS = { tlsv1_2 = "1.2", tlsv1_3 = "1.3" }

local function has(list, word)
  if type(list) == "string" then
    list = { list }
  end
  for _, one in ipairs(list or {}) do
    if one == word then
      return true
    end
  end
  return false
end

---@class momo.compat.Context private
---@field params table
---@field settings momo.tls.Client|momo.tls.Server
local Context = {}
Context.__index = Context

-- TLS needs its library only here.
local function settings_of(params)
  local tls = require "momo.tls"
  local version = VERSIONS[params.protocol]
  local password = params.password
  local options = {
    cert = params.certificate, key = params.key, password = type(password) == "function" and password() or password,
    alpn = type(params.alpn) == "string" and { params.alpn } or type(params.alpn) == "table" and params.alpn or nil,
    ciphers = params.ciphers, ciphersuites = params.ciphersuites, min_version = version, max_version = version,
    truncation = "eof",
  }
  local verify = has(params.verify, "peer")
  if params.mode == "server" then
    options.client_ca = verify and params.cafile or nil
    options.client_auth = verify and (has(params.verify, "fail_if_no_peer_cert") and "require" or "request") or nil
    return tls.server(options)
  end
  options.verify, options.ca = verify, verify and params.cafile or nil
  return tls.client(options)
end

---@param params table as LuaSec has them: mode, protocol, certificate, key, password, cafile, verify, ciphers, alpn
---@return momo.compat.Context? context
---@return string? err
function M.newcontext(params)
  if not tasks.current() and theirs() then
    return real.newcontext(params)
  end
  if params.mode ~= "client" and params.mode ~= "server" then
    return nil, "invalid mode"
  end
  local settings, err = settings_of(params)
  if not settings then
    return nil, err
  end
  return setmetatable({ params = params, settings = settings }, Context)
end

-- The methods that a wrapped socket has beside those of its class.
local METHODS = {}

function METHODS:sni(name)
  self.server_name = name
end

---@async
function METHODS:dohandshake()
  if self.shaken then
    return true
  end
  local settings = self.context.settings
  local ok, err, code
  if self.context.params.mode == "server" then
    ok, err, code = settings:wrap(self.object, self:limit())
  else
    local host = self.server_name or words.split(self.object:peer_addr())
    ok, err, code = settings:wrap(self.object, host, self:limit())
  end
  if not ok then
    return false, code == "ETIMEDOUT" and "timeout" or err:match "^ETLS: (.*)" or words.error(err, code)
  end
  self.shaken = true
  return true
end

function METHODS:info(field)
  local facts = self.object and self.object:tls()
  if not facts then
    return nil
  end
  local info = { protocol = facts.version, cipher = facts.cipher, compression = nil }
  if field then
    return info[field]
  end
  return info
end

function METHODS:getalpn()
  local facts = self.object and self.object:tls()
  return facts and facts.alpn
end

function METHODS:getsniname()
  return self.server_name
end

function METHODS:getpeercertificate()
  local facts = self.object and self.object:tls()
  return facts and facts.peer
end

function METHODS.getpeerverification()
  return true -- who did not pass has failed the handshake
end

function METHODS.want()
  return "nothing"
end

local classes = {}

-- The class of a socket with these methods.
local function class_of(class)
  classes[class] = classes[class] or Base.make(class.__name, "{master}", class, METHODS)
  return classes[class]
end

---Makes a socket of ours speak TLS, once `dohandshake` is called.
---@param socket momo.compat.Stream
---@param params table|momo.compat.Context
---@return momo.compat.Stream? wrapped
---@return string? err
function M.wrap(socket, params)
  if type(socket) == "userdata" and theirs() then
    return real.wrap(socket, params)
  end
  local context, err = params, nil
  if getmetatable(params) ~= Context then
    context, err = M.newcontext(params)
  end
  if not context then
    return nil, err
  end
  local wrapped = {}
  for key, value in each(socket) do
    wrapped[key] = value
  end
  wrapped.context, wrapped.watches = context, {}
  socket.object = false -- it is the wrapped one's now
  return setmetatable(wrapped, class_of(getmetatable(socket)))
end

return M
