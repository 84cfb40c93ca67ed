-- Fields that a peer has made for their readers to take long: 128 KiB of blanks, or of what may be the beginning of
-- something. A reader whose time grows with the square of their size would not end within any spec's time.

local accept = require "momo.http.accept"
local client_ip = require("momo.http.client_ip").client_ip
local conditional = require "momo.http.conditional"
local cookie = require "momo.http.cookie"
local form = require "momo.http.form"
local media = require "momo.http.media"
local multipart = require "momo.http.multipart"
local range = require "momo.http.range"
local tokens = require "momo.http.tokens"
local urls = require "momo.http.url"

local N = 128 * 1024

local VALUES = {}
for _, piece in ipairs { " ", "\t ", ",", ", ", ";", "; ", "=", '"', '\\"', "/", "..", "%2", "a", "@", ":", "a=",
  "W/" } do
  local run = piece:rep(math.floor(N / #piece))
  for _, value in ipairs { run, "x" .. run .. "x", "x" .. run .. "/", '"' .. run, "bytes=" .. run .. "x",
    "a=" .. run .. "\0", "a/b; a=" .. run .. "x", "a/b;" .. run .. "@" } do
    VALUES[#VALUES + 1] = value
  end
end

local function request_with(value)
  return { method = "GET", header = function() return value end, peer = "127.0.0.1:1" }
end

local READERS = {
  ["Accept-Encoding"] = function(value) accept.encoding(value, { "gzip", "br" }) end,
  ["X-Forwarded-For"] = function(value) client_ip(request_with(value), { "127.0.0.0/8" }) end,
  ["If-Match, If-None-Match, If-Modified-Since"] = function(value)
    conditional.evaluate(request_with(value), '"a"', 0)
  end,
  Cookie = cookie.parse,
  ["a form"] = form.decode,
  ["Content-Type"] = function(value)
    media.parse(value)
    media.is_text(value)
    multipart.boundary(value)
  end,
  Range = function(value) range.parse(value, 100) end,
  ["If-Range"] = function(value) range.applies(value, '"a"', 0) end,
  Connection = function(value) tokens.has(value, "upgrade") end,
  Location = function(value) urls.parse("http://a/" .. value) end,
  ["a host"] = function(value) urls.parse("http://" .. value) end,
  ["the head of a part"] = function(value)
    for _, name in ipairs { "A: ", "Content-Disposition: form-data; ", 'Content-Disposition: form-data; filename="' } do
      local text = "--b\r\n" .. name .. value .. '"\r\n\r\nbody\r\n--b--'
      local parts = multipart.parts(function()
        local bytes = text
        text = nil
        return bytes, "EOF: end of file", "EOF"
      end, "b", { max_head = 4 * N })
      parts:next()
    end
  end,
}

describe("a reader takes no longer than a field is long:", function()
  for name, read in pairs(READERS) do
    it(name, function()
      for _, value in ipairs(VALUES) do
        read(value)
      end
    end)
  end
end)
