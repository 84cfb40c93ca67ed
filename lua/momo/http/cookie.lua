---Cookies, as RFC 6265bis has them. A value may be any string: what a cookie can't hold is percent-encoded on its way
---out, and decoded when it comes back.

local check = require "momo.internal.check"
local date = require "momo.http.date"
local form = require "momo.http.form"
local percent = require "momo.http.percent"
local trim = require("momo.http.tokens").trim

local M = {}

local SIZE_MAX = 4096 -- bytes of a name and its value; browsers drop what is longer
local ATTRIBUTE_MAX = 1024
local DOMAIN_MAX = 255

---@param header string? the Cookie field
---@return table<string, string|string[]> cookies see form.add
function M.parse(header)
  local cookies = {}
  for pair in (header or ""):gmatch "[^;]+" do
    local name, value = pair:match "^[ \t]*([^= \t]+)[ \t]*=(.*)$"
    if name then
      value = trim(value)
      form.add(cookies, name, percent.decode_leniently(value:match '^"(.*)"$' or value))
    end
  end
  return cookies
end

local OPTIONS = {
  domain = "string", expires = "number", http_only = "boolean", max_age = "number", partitioned = "boolean",
  path = "string", same_site = "any", secure = "boolean",
}
local SAME_SITE = { Lax = true, Strict = true, None = true }

local function check_path(path)
  check.argument(not (path:find "[%z\1-\31;\127-\255]" or #path > ATTRIBUTE_MAX),
    "set_cookie: option path must be ASCII without control bytes and semicolons, of at most 1024 bytes", path)
  check.argument(path:sub(1, 1) == "/", "set_cookie: the path must begin with a slash", path)
end

-- A leading dot, which once said that names below it are meant, does no harm.
local function is_domain(text)
  for label in (text:gsub("^%.", "") .. "."):gmatch "([^.]*)%." do
    if not label:find "^[%w_][%w_-]*$" or label:sub(-1) == "-" then
      return false
    end
  end
  return #text <= DOMAIN_MAX
end

-- Browsers drop a cookie that breaks its promise, without a word.
local function check_promises(name, options, path)
  local prefix = name:lower():match "^__secure%-" or name:lower():match "^__host%-"
  local promise = options.same_site == "None" and "same_site = \"None\"" or (options.partitioned
    and "partitioned = true")
    or (prefix and "a name that begins with " .. prefix)
  check.argument(not promise or options.secure, ("set_cookie: %s needs secure = true"):format(promise), options.secure)
  check.argument(prefix ~= "__host-" or (path == "/" and not options.domain),
    "set_cookie: a name that begins with __host- needs the path \"/\" and no domain", options.domain or path)
end

---@class momo.http.CookieOptions
---@field domain string?
---@field expires number? seconds since 1970
---@field http_only boolean? true: no script sees it
---@field max_age integer? seconds; 0 or less deletes the cookie
---@field partitioned boolean?
---@field path string? "/"
---@field same_site "Lax"|"Strict"|"None"|false|nil "Lax"
---@field secure boolean?

---What the Set-Cookie field says. Throws for what is no cookie.
---@param name string
---@param value string
---@param options momo.http.CookieOptions?
---@return string
function M.format(name, value, options)
  check.argument(type(name) == "string" and name:find "^[%w!#$%%&'*+.^_`|~-]+$",
    "set_cookie: argument 1 must be a name of letters, digits and !#$%&'*+.^_`|~-", name)
  check.argument(type(value) == "string", "set_cookie: argument 2 must be a string", value)
  options = check.options(options, OPTIONS, "set_cookie")
  local domain = options.domain
  check.argument(domain == nil or is_domain(domain), 'set_cookie: option domain must be a name such as "example.org"',
    domain)
  local max_age, expires, same_site, path = options.max_age, options.expires, options.same_site, options.path or "/"
  check_path(path)
  check.argument(max_age == nil or check.is_whole(max_age), "set_cookie: max_age must be a whole number of seconds",
    max_age)
  check.argument(expires == nil or (expires >= 0 and expires < date.END),
    "set_cookie: expires must be a number of seconds since 1970", expires)
  check.argument(not same_site or SAME_SITE[same_site],
    "set_cookie: same_site must be \"Lax\", \"Strict\", \"None\" or false", same_site)
  check_promises(name, options, path)
  local pair = name .. "=" .. percent.encode(value, "[^!#$&'()*+./:<=>?@%[%]^_`{|}~%w-]")
  check.argument(#pair <= SIZE_MAX, (
    "set_cookie: name and value, as they are sent, have at most %d bytes"):format(SIZE_MAX),
    #pair)
  local parts = { pair }
  local function add(ok, text)
    parts[#parts + 1] = ok and text or nil
  end
  add(true, "Path=" .. path)
  add(domain, "Domain=" .. (domain or ""))
  add(max_age, ("Max-Age=%.0f"):format(max_age or 0))
  add(expires, "Expires=" .. date.format(expires or 0))
  add(options.secure, "Secure")
  add(options.http_only ~= false, "HttpOnly")
  add(same_site ~= false, "SameSite=" .. (same_site or "Lax"))
  add(options.partitioned, "Partitioned")
  return table.concat(parts, "; ")
end

return M
