---Modules that libraries for OpenResty require beside the global ngx.

local each = require "momo.internal.each"
local tasks = require "momo.internal.task"

local M = {}

local VERSION = "0.1.28" -- of lua-resty-core, whose interface this has

-- Functions of OpenResty's LuaJIT.
local TABLES = {}

function TABLES.isempty(t)
  return next(t) == nil
end

function TABLES.nkeys(t)
  local n = 0
  for _ in each(t) do
    n = n + 1
  end
  return n
end

function TABLES.isarray(t)
  local n = 0
  for key in each(t) do
    if type(key) ~= "number" or key < 1 or key % 1 ~= 0 then
      return false
    end
    n = n + 1
  end
  return n == #t
end

function TABLES.clone(t)
  local copy = {}
  for key, value in each(t) do
    copy[key] = value
  end
  return copy
end

local function process()
  local worker = require "momo.compat.ngx.worker"
  return {
    version = VERSION,
    type = function() return "single" end,
    get_master_pid = worker.pid,
    signal_graceful_exit = function() tasks.stop() end,
    enable_privileged_agent = function() return nil, "there are no other processes" end,
  }
end

-- What resty.string has in C of nginx's.
local function text()
  local digest = require "momo.compat.ngx.digest"
  return {
    _VERSION = "0.11",
    to_hex = digest.to_hex,
    atoi = function(digits)
      return digits:find "^%d+$" and tonumber(digits) or -1
    end,
  }
end

-- A library's own file, which looks for libcrypto's names in the program.
local function with_crypto(name)
  return function()
    require "momo.compat.ngx.digest"
    local path, err = package.searchpath(name, package.path)
    return assert(loadfile(path or error(("module '%s' not found:%s"):format(name, err), 0)))(name)
  end
end

local function absent(name)
  return function()
    error(("%s: there is no nginx here"):format(name), 0)
  end
end

local LOADERS = {
  ["resty.core"] = function() return { version = VERSION } end,
  ["ngx.re"] = function()
    return { version = VERSION, split = require("momo.compat.ngx.re").split, opt = function() end }
  end,
  ["ngx.semaphore"] = function() return require "momo.compat.ngx.semaphore" end,
  ["ngx.errlog"] = function() return require("momo.compat.ngx.log").errlog end,
  ["ngx.base64"] = function() return require("momo.compat.ngx.base64").url end,
  ["ngx.process"] = process,
  ["resty.string"] = text,
  ["nginx.string"] = text, -- as Debian calls it
}

---Where nobody has another loader.
function M.install()
  for name, fn in each(TABLES) do
    package.preload["table." .. name] = package.preload["table." .. name] or function() return fn end
  end
  for name, loader in each(LOADERS) do
    package.preload[name] = package.preload[name] or loader
  end
  for _, name in ipairs { "md5", "sha", "sha1", "sha224", "sha256", "sha384", "sha512", "aes", "random" } do
    for _, home in ipairs { "resty.", "nginx." } do
      package.preload[home .. name] = package.preload[home .. name] or with_crypto(home .. name)
    end
  end
  for _, name in ipairs { "balancer", "ocsp", "pipe", "req", "resp", "ssl", "ssl.session", "ssl.clienthello" } do
    package.preload["ngx." .. name] = package.preload["ngx." .. name] or absent("ngx." .. name)
  end
end

return M
