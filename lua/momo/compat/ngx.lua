---Stands in for OpenResty's ngx, for libraries that stand on it. Each part is loaded when it is first used.

local absent = require "momo.compat.ngx.absent"
local modules = require "momo.compat.ngx.modules"
local each = require "momo.internal.each"
local tasks = require "momo.internal.task"

local M = {}

local HOME = "momo.compat.ngx."

-- Which module has what, under the name that it has there.
local PARTS = {
  clock = { "now", "time", "update_time", "today", "localtime", "utctime", "http_time", "parse_http_time",
    "cookie_time", "sleep" },
  log = { "log" },
  escape = { "escape_uri", "unescape_uri", "encode_args", "decode_args", "quote_sql_str" },
  base64 = { "encode_base64", "decode_base64" },
  digest = { "md5", "md5_bin", "sha1_bin", "hmac_sha1", "crc32_short", "crc32_long" },
}
local WHOLE = { re = "re", shared = "shared", thread = "threads", timer = "timers", worker = "worker" }

local ngx = {
  STDERR = 0, EMERG = 1, ALERT = 2, CRIT = 3, ERR = 4, WARN = 5, NOTICE = 6, INFO = 7, DEBUG = 8,
  OK = 0, ERROR = -1, AGAIN = -2, DONE = -4, DECLINED = -5,
  HTTP_GET = 2, HTTP_HEAD = 4, HTTP_POST = 8, HTTP_PUT = 16, HTTP_DELETE = 32, HTTP_MKCOL = 64, HTTP_COPY = 128,
  HTTP_MOVE = 256, HTTP_OPTIONS = 512, HTTP_PROPFIND = 1024, HTTP_PROPPATCH = 2048, HTTP_LOCK = 4096,
  HTTP_UNLOCK = 8192, HTTP_PATCH = 16384, HTTP_TRACE = 32768,
  HTTP_CONTINUE = 100, HTTP_SWITCHING_PROTOCOLS = 101, HTTP_OK = 200, HTTP_CREATED = 201, HTTP_ACCEPTED = 202,
  HTTP_NO_CONTENT = 204, HTTP_PARTIAL_CONTENT = 206, HTTP_SPECIAL_RESPONSE = 300, HTTP_MOVED_PERMANENTLY = 301,
  HTTP_MOVED_TEMPORARILY = 302, HTTP_SEE_OTHER = 303, HTTP_NOT_MODIFIED = 304, HTTP_TEMPORARY_REDIRECT = 307,
  HTTP_PERMANENT_REDIRECT = 308, HTTP_BAD_REQUEST = 400, HTTP_UNAUTHORIZED = 401, HTTP_PAYMENT_REQUIRED = 402,
  HTTP_FORBIDDEN = 403, HTTP_NOT_FOUND = 404, HTTP_NOT_ALLOWED = 405, HTTP_NOT_ACCEPTABLE = 406,
  HTTP_REQUEST_TIMEOUT = 408, HTTP_CONFLICT = 409, HTTP_GONE = 410, HTTP_UPGRADE_REQUIRED = 426,
  HTTP_TOO_MANY_REQUESTS = 429, HTTP_CLOSE = 444, HTTP_ILLEGAL = 451, HTTP_INTERNAL_SERVER_ERROR = 500,
  HTTP_METHOD_NOT_IMPLEMENTED = 501, HTTP_BAD_GATEWAY = 502, HTTP_SERVICE_UNAVAILABLE = 503,
  HTTP_GATEWAY_TIMEOUT = 504, HTTP_VERSION_NOT_SUPPORTED = 505, HTTP_INSUFFICIENT_STORAGE = 507,
  config = {
    subsystem = "http", ngx_lua_version = 10028, nginx_version = 1027001, debug = false,
    prefix = function() return "./" end,
    nginx_configure = function() return "" end,
  },
}

function ngx.get_phase()
  return tasks.current() and "timer" or "init"
end

-- The context is the task's, and that of tasks which it spawns later.
local function context(value)
  local task = tasks.current()
  if not task then
    error("ngx.ctx: there is none outside of a task", 3)
  end
  task.locals.ngx_ctx = value or task.locals.ngx_ctx or {}
  return task.locals.ngx_ctx
end

local function sockets()
  local tcp, udp = require(HOME .. "tcp"), require(HOME .. "udp")
  return {
    tcp = tcp, stream = tcp, udp = udp,
    connect = function(...)
      local socket = tcp()
      local ok, err = socket:connect(...)
      return ok and socket or nil, err
    end,
  }
end

-- What cjson decodes null to, so that the two compare equal.
local function null()
  local ok, cjson = pcall(require, "cjson")
  return ok and cjson.null or newproxy()
end

local MAKERS = { socket = sockets, null = null }
for module, found in each(PARTS) do
  for _, name in ipairs(found) do
    MAKERS[name] = function() return require(HOME .. module)[name] end
  end
end
for name, module in each(WHOLE) do
  MAKERS[name] = function() return require(HOME .. module) end
end

setmetatable(ngx, {
  __index = function(_, name)
    if name == "ctx" then
      return context()
    elseif MAKERS[name] then
      local made = MAKERS[name]()
      rawset(ngx, name, made)
      return made
    elseif absent.values[name] then
      return absent.value(name)
    end
    return absent[name]
  end,
  __newindex = function(_, name, value)
    if name == "ctx" then
      context(value)
    elseif absent.values[name] then
      absent.value(name)
    else
      rawset(ngx, name, value)
    end
  end,
})

---Does nothing when it is called again.
function M.install()
  if rawget(_G, "ngx") ~= ngx then
    rawset(_G, "ngx", ngx)
    modules.install()
  end
end

return M
