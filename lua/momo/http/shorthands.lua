---Methods of a response that say in a word what send and start could be told.

local check = require "momo.internal.check"
local each = require "momo.internal.each"

-- See momo.http.response, whose class these are methods of.
local function fresh(self, method)
  return require("momo.http.response").fresh(self, method)
end

local function check_self(self, method)
  check.self(self, require("momo.http.response").Response, "response", method)
end

---@class momo.http.Response
local M = {}

---Sends the client elsewhere.
---Codes: EPIPE, ECONNRESET the client has gone; ETIMEDOUT it does not read; ECANCELED; EBADF the exchange is over.
---@async
---@param location string
---@param status integer? 303: with GET, whatever the method was
---@return true? ok
---@return string? err
---@return string? code
function M:redirect(location, status)
  check_self(self, "redirect")
  check.argument(type(location) == "string", "redirect: the location must be a string", location)
  return self:send(status or 303, nil, { Location = location })
end

---Sends a value as JSON, by lua-cjson.
---Codes: EPIPE, ECONNRESET the client has gone; ETIMEDOUT it does not read; ECANCELED; EBADF the exchange is over.
---@async
---@param status integer
---@param value any
---@return true? ok
---@return string? err
---@return string? code
function M:json(status, value)
  check_self(self, "json")
  return self:send(status, require("momo.http.json").encode(value), { ["Content-Type"] = "application/json" })
end

---Adds a cookie to what is sent later: HttpOnly, SameSite=Lax, Path=/ unless said otherwise.
---@param name string
---@param value string
---@param options momo.http.CookieOptions?
function M:set_cookie(name, value, options)
  fresh(self, "set_cookie")
  local headers = self.headers
  local cookies = headers["Set-Cookie"] or {}
  if type(cookies) ~= "table" then
    cookies = { cookies }
  end
  cookies[#cookies + 1] = require("momo.http.cookie").format(name, value, options)
  headers["Set-Cookie"] = cookies
end

---Sends a file, with conditions and ranges as http.files does. Its type is that of its name, unless headers say it.
---
---Codes: ENOENT, EACCES and others: the file can't be opened, and nothing was sent; EPIPE, ECONNRESET the client has
---gone; ETIMEDOUT it does not read; ECANCELED the connection was closed; EBADF the exchange is over.
---@async
---@param path string|integer a path, or the descriptor of a file, which stays the caller's
---@param headers table<string, string|number|string[]>?
---@return true? ok
---@return string? err
---@return string? code
function M:file(path, headers)
  local connection, err, code = fresh(self, "file")
  check.argument(type(path) == "string" or check.is_whole(path),
    "file: argument 1 must be a path or a descriptor", path)
  if not connection then
    return nil, err, code
  end
  local file = require "momo.http.file"
  local found
  found, err, code = file.of(path)
  if not found then
    return nil, err, code
  end
  local own = {}
  for name, value in each(headers or {}) do
    own[name] = value
  end
  if type(path) == "string" and not own["Content-Type"] then
    own["Content-Type"] = require("momo.http.media").type_of(path)
  end
  return file.send(connection.request, self, found, own)
end

return M
