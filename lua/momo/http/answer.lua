---What a server has answered, as a client sees it. Strings are made when they are asked for.

local bodies = require "momo.http.body"
local check = require "momo.internal.check"
local header = require "momo.http.field"
local names = require "momo.internal.names"
local native = require("momo.internal.core").native

local headers, next_field = native.http_headers, native.http_field

---What a server has answered, of any status. Its strings are made when they are asked for.
---@class momo.http.Answer
---@field status integer
---@field reason string? the words behind it
---@field url string where it came from, after redirections
---@field headers table<string, string> as they came, names in lower case
---@field trailers table<string, string>? after the end of the body
---@field body string? all of it, decoded; in `stream` the callback reads it by itself
---@field private head string the bytes of the head, in which the fields begin at first_field
---@field private first_field integer
---@field private content momo.http.Body as it comes
---@field private source momo.http.Body|momo.http.Decoder the same, decoded
local Answer = { __name = "momo.http.Answer" }
local missing = names.own_index(Answer, "answer")

local M = {}

-- Fields that are made when they are first asked for.
local later = {}

function later.headers(self)
  return headers(self.head, self.first_field)
end

function later.trailers(self)
  return bodies.trailers(self.content)
end

function Answer.__index(self, key)
  local method, make = Answer[key], later[key]
  if method ~= nil then
    return method
  elseif make then
    local value = make(self)
    self[key] = value
    return value
  end
  return missing(key)
end

---The value of a field; several of its name are joined by ", ".
---@param name string in any case
---@return string? value
function Answer:header(name)
  check.self(self, Answer, "answer", "header")
  check.argument(type(name) == "string", "header: the name must be a string", name)
  return header(self.head, self.first_field, name)
end

---All fields as they were sent, such as each Set-Cookie by itself.
---@return fun(): string?, string? iterator of names and values
function Answer:fields()
  check.self(self, Answer, "answer", "fields")
  local at = self.first_field
  return function()
    local name, value
    at, name, value = next_field(self.head, at)
    at = at or #self.head
    return name, value
  end
end

---The next bytes of the body, decoded.
---
---Codes: EOF at its end; EPROTO: it is malformed; ECONNRESET: it was cut short.
---@async
---@param max integer? bytes; 64 KiB, of which more is never returned at once
---@return string? bytes
---@return string? err
---@return string? code
function Answer:read(max)
  check.self(self, Answer, "answer", "read")
  check.argument(max == nil or (check.is_whole(max) and max >= 1), "read: max must be a whole number from 1", max)
  return self.source:read(max)
end

---Iterates over the pieces of the body. A body that is malformed or cut short raises, as io.lines does.
---@async
---@return fun(): string?
function Answer:pieces()
  check.self(self, Answer, "answer", "pieces")
  return bodies.pieces(self.source)
end

---The value that `body` is, by lua-cjson.
---
---Codes: EPROTO: it is malformed.
---@return any value
---@return string? err
---@return string? code
function Answer:json()
  check.self(self, Answer, "answer", "json")
  check.argument(self.body, "json: the answer's body must have been read, as http.get does it", self.body)
  return require("momo.http.json").decode(self.body)
end

---One whose body, if it has any, is to be set yet.
---@param head momo.http.Head
---@return momo.http.Answer
function M.of(head)
  return setmetatable({
    status = head.status, reason = head.reason, head = head.bytes, first_field = head.first_field,
  }, Answer)
end

---@param head momo.http.Head
---@param content momo.http.Body
---@param source momo.http.Body|momo.http.Decoder
---@param url momo.http.Url
---@return momo.http.Answer
function M.new(head, content, source, url)
  local answer = M.of(head)
  answer.url, answer.content, answer.source = url.href, content, source
  return answer
end

return M
