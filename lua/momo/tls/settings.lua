---Options of clients and servers, checked, as the settings that the core takes: arrays of a name and its values.

local check = require "momo.internal.check"
local each = require "momo.internal.each"

local M = {}

local COMMON = {
  cert = "any", key = "any", password = "string", alpn = "table", min_version = "string", max_version = "string",
  ciphers = "string", ciphersuites = "string", groups = "string", truncation = "string",
}
local CLIENT = { ca = "any", verify = "boolean", on_verify = "function", sessions = "number" }
local SERVER = {
  hosts = "table", client_ca = "any", client_auth = "string", on_hello = "function", tickets = "number",
  ocsp = "string",
}
for name, kind in each(COMMON) do
  CLIENT[name], SERVER[name] = kind, kind
end

local VERSIONS = { ["1.2"] = 2, ["1.3"] = 3 }
local PROTOCOL_MAX, PROTOCOLS_MAX = 255, 65535 -- bytes of one, and of all with their lengths
local COUNT_MAX = 65535

-- A path, PEM text, or an array of both, as an array.
local function sources(value, what)
  local list = type(value) == "table" and value or { value }
  what = what .. " must be a path, PEM text or an array of both"
  check.argument(check.array(list, what) > 0, what, value)
  for _, source in ipairs(list) do
    check.argument(check.is_text(source) and source ~= "", what, source)
  end
  return list
end

-- A certificate and its key for each place of the arrays.
local function add_pairs(settings, host, options, what)
  if options.cert == nil and options.key == nil then
    return
  end
  local certificates, keys = sources(options.cert, what .. "cert"), sources(options.key, what .. "key")
  if #certificates ~= #keys then
    check.fail(("%skey: there are %d keys for %d certificates"):format(what, #keys, #certificates))
  end
  for i, certificate in ipairs(certificates) do
    settings[#settings + 1] = { "pair", host, certificate, keys[i], options.password or "" }
  end
end

local function add_text(settings, options, name, what)
  local value = options[name]
  if value then
    check.argument(check.is_text(value), what .. name .. " must be a string without zero bytes", value)
    settings[#settings + 1] = { name, value }
  end
end

local function add_choice(settings, options, name, choices, what)
  local value = options[name]
  if value ~= nil then
    for _, choice in ipairs(choices) do
      if value == choice then
        settings[#settings + 1] = { name, value }
        return
      end
    end
    check.fail(("%s%s must be \"%s\", got %s"):format(what, name, table.concat(choices, "\" or \""), check.show(value)))
  end
end

local function add_count(settings, options, name, standard, what)
  local value = options[name]
  if value == nil then
    value = standard
  end
  check.argument(check.is_whole(value) and value >= 0 and value <= COUNT_MAX,
    what .. name .. " must be a whole number from 0", value)
  settings[#settings + 1] = { name, tostring(value) }
end

local function add_alpn(settings, options, what)
  if not options.alpn then
    return
  end
  check.array(options.alpn, what .. "alpn must be an array of strings of 1 to 255 bytes")
  local setting, size = { "alpn" }, 0
  for _, protocol in ipairs(options.alpn) do
    check.argument(type(protocol) == "string" and #protocol >= 1 and #protocol <= PROTOCOL_MAX,
      what .. "alpn must be an array of strings of 1 to 255 bytes", protocol)
    setting[#setting + 1] = protocol
    size = size + 1 + #protocol
  end
  check.argument(size > 0 and size <= PROTOCOLS_MAX, what .. "alpn must be an array of strings of 1 to 255 bytes",
    options.alpn)
  settings[#settings + 1] = setting
end

local function add_common(settings, options, what)
  add_choice(settings, options, "min_version", { "1.2", "1.3" }, what)
  add_choice(settings, options, "max_version", { "1.2", "1.3" }, what)
  if (VERSIONS[options.min_version] or 2) > (VERSIONS[options.max_version] or 3) then
    check.fail(what .. "min_version is above max_version")
  end
  add_text(settings, options, "ciphers", what) -- before certificates: it may name the least strength of keys
  add_text(settings, options, "ciphersuites", what)
  add_text(settings, options, "groups", what)
  add_choice(settings, options, "truncation", { "error", "eof" }, what)
  add_alpn(settings, options, what)
  add_pairs(settings, "", options, what)
end

---@param options table?
---@param name string of the function
---@return table options
---@return string[][] settings
function M.client(options, name)
  options = check.options(options, CLIENT, name)
  local what, settings = name .. ": option ", {}
  add_common(settings, options, what)
  add_count(settings, options, "sessions", 256, what)
  settings[#settings + 1] = { "verify", options.verify == false and "0" or "1" }
  if options.verify ~= false then
    local ca = { "ca" }
    for i, source in ipairs(sources(options.ca == nil and "system" or options.ca, what .. "ca")) do
      ca[i + 1] = source
    end
    settings[#settings + 1] = ca
  end
  return options, settings
end

local function add_hosts(settings, options, what)
  for host, pair in each(options.hosts or {}) do
    check.argument(check.is_text(host) and #host < 256 and host:find "^%*?[%w%.%-_:]+$",
      what .. "hosts: a key must be a name in ASCII, such as \"a.example\" or \"*.b.example\"", host)
    local its = ("%shosts[%q]."):format(what, host)
    check.options(pair, { cert = "any", key = "any", password = "string" }, its:sub(1, -2))
    check.argument(pair.cert ~= nil, its .. "cert must be a path, PEM text or an array of both", nil)
    add_pairs(settings, host, pair, its)
  end
end

---@param options table?
---@param name string of the function
---@return table options
---@return string[][] settings
function M.server(options, name)
  options = check.options(options, SERVER, name)
  local what, settings = name .. ": option ", {}
  add_common(settings, options, what)
  add_hosts(settings, options, what)
  if options.cert == nil and not next(options.hosts or {}) and not options.on_hello then
    check.fail(name .. ": it needs a certificate: pass {cert = ..., key = ...}, hosts or on_hello")
  end
  local auth = options.client_auth
  add_choice({}, options, "client_auth", { "none", "request", "require" }, what)
  if auth == "request" or auth == "require" then
    local ca = { "client_ca" }
    for i, source in ipairs(sources(options.client_ca, what .. "client_ca")) do
      ca[i + 1] = source
    end
    settings[#settings + 1] = ca
    settings[#settings + 1] = { "client_auth", auth }
  elseif options.client_ca ~= nil then
    check.fail(what .. "client_ca serves nothing without client_auth = \"request\" or \"require\"")
  end
  add_count(settings, options, "tickets", 2, what)
  if options.ocsp then
    settings[#settings + 1] = { "ocsp", options.ocsp }
  end
  if options.on_hello then
    settings[#settings + 1] = { "on_hello", "1" }
  end
  return options, settings
end

return M
