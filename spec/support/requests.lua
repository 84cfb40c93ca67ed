---Requests with one or two things wrong, or unusual, each by a name: what servers may understand in different ways.

local random = require "spec.support.random"

local M = {}

---@class spec.Crooked
---@field line string
---@field host string
---@field fields string
---@field body string
---@field eol string behind each line of the head
---@field last string behind the head
---@field before string

local function length(value)
  return function(r) r.fields, r.body = "Content-Length: " .. value .. "\r\n", "hello" end
end

local function coding(value)
  return function(r)
    r.fields, r.body = "Transfer-Encoding: " .. value .. "\r\n", "5\r\nhello\r\n0\r\n\r\n"
  end
end

local function chunked(body)
  return function(r) r.fields, r.body = "Transfer-Encoding: chunked\r\n", body end
end

local function field(text)
  return function(r) r.fields = text .. "\r\n" .. r.fields end
end

local function line(text)
  return function(r) r.line = text end
end

---@type table<string, fun(r: spec.Crooked)>
M.changes = {}

for _, value in ipairs { "5", "+5", "05", "005", "5,5", "5, 5", "5,6", "0x5", "", "-5", "5 5", "5 ", "\t5", "5\t",
  "1e1", "5.0",
  "５", "5;", "\"5\"", "18446744073709551621", "4294967301", "999999999999999999999", "5\11", "five" } do
  M.changes["length " .. value] = length(value)
end
for _, value in ipairs { "chunked", "Chunked", "CHUNKED", "chunked, chunked", "gzip, chunked", "identity",
  "chunked;q=1",
  "\tchunked", "chunked ", "\11chunked", "xchunked", "chunke", "chunked,", ", chunked", "chunked\0", "\"chunked\"",
  "chunked, identity", "identity, chunked", "x", "", "'chunked'", "chunked\r\n , x" } do
  M.changes["coding " .. value] = coding(value)
end
for name, size in pairs {
  plain = "5", zero_before = "05", zeros = "0000000000000005", hex = "0x5", blank_behind = "5 ", blank_before = " 5",
  plus = "+5", minus = "-5", extension = "5;a", value = "5;a=b", quoted = '5;a="b;c"', tab = "5\t",
  blank_extension = "5 ;a", extension_blank = "5; a = b", not_hex = "g", none = "", huge = "10000000000000005",
  wraps = "100000005", nul = "5\0", extension_nul = "5;\0", extension_cr = "5;a\rb", extension_lf = "5;a\nb",
  dot = "5.",
  comma = "5,", semicolon = "5;", bare_cr = "5\r", underscore = "5_", letters = "5h",
} do
  M.changes["chunk size " .. name] = chunked(size .. "\r\nhello\r\n0\r\n\r\n")
end
for name, body in pairs {
  ["size ends in LF"] = "5\nhello\r\n0\r\n\r\n", ["data ends in LF"] = "5\r\nhello\n0\r\n\r\n",
  ["data ends in nothing"] = "5\r\nhello0\r\n\r\n", ["data ends in two"] = "5\r\nhello\r\n\r\n0\r\n\r\n",
  ["data ends in xx"] = "5\r\nhelloxx0\r\n\r\n", ["data is longer"] = "5\r\nhello!\r\n0\r\n\r\n",
  ["data is shorter"] = "5\r\nhell\r\n0\r\n\r\n", ["last in LF"] = "5\r\nhello\r\n0\n\r\n",
  ["end in LF"] = "5\r\nhello\r\n0\r\n\n",
  ["last zeros"] = "5\r\nhello\r\n000\r\n\r\n", ["last extension"] = "5\r\nhello\r\n0;a=b\r\n\r\n",
  ["two chunks"] = "2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n", ["no chunks"] = "0\r\n\r\n",
  ["capital"] = "A\r\nhellohello\r\n0\r\n\r\n",
  ["trailer"] = "5\r\nhello\r\n0\r\nX: y\r\n\r\n", ["trailer of no name"] = "5\r\nhello\r\n0\r\n: y\r\n\r\n",
  ["trailer of no colon"] = "5\r\nhello\r\n0\r\nxy\r\n\r\n",
  ["trailer that folds"] = "5\r\nhello\r\n0\r\nX: y\r\n z\r\n\r\n",
  ["trailer with a blank"] = "5\r\nhello\r\n0\r\nX : y\r\n\r\n", ["trailer with a length"] =
    "5\r\nhello\r\n0\r\nContent-Length: 50\r\n\r\n", ["trailer in LF"] = "5\r\nhello\r\n0\r\nX: y\n\r\n",
  ["trailer with a coding"] = "5\r\nhello\r\n0\r\nTransfer-Encoding: chunked\r\n\r\n",
  ["trailer with CR"] = "5\r\nhello\r\n0\r\nX: a\rb\r\n\r\n",
  ["trailer with NUL"] = "5\r\nhello\r\n0\r\nX: a\0b\r\n\r\n",
} do
  M.changes["chunks: " .. name] = chunked(body)
end
for name, text in pairs {
  ["a second length"] = "Content-Length: 5", ["another length"] = "Content-Length: 6", ["a length of 0"] =
    "Content-Length: 0", ["a coding"] = "Transfer-Encoding: chunked", ["a coding x"] = "Transfer-Encoding: x",
  ["a coding identity"] = "Transfer-Encoding: identity", ["length with a blank"] = "Content-Length : 5",
  ["coding with a blank"] = "Transfer-Encoding : chunked", ["coding with a tab"] = "Transfer-Encoding\t: chunked",
  ["length behind a blank"] = " Content-Length: 5", ["coding that folds"] = "Transfer-Encoding:\r\n chunked",
  ["length that folds"] = "Content-Length:\r\n 5", ["fold"] = "X: a\r\n b", ["fold of a tab"] = "X: a\r\n\tb",
  ["underscore"] = "Content_Length: 5", ["no name"] = ": x", ["no colon"] = "X", ["brackets"] = "X[]: y",
  ["blank in name"] =
    "X Y: z", ["byte 128 in name"] = "X\128: y", ["NUL in name"] = "X\0: y", ["NUL"] = "X: a\0b", ["CR"] = "X: a\rb",
  ["LF"] = "X: a\nY: b", ["CR CR LF"] = "X: a\r", ["DEL"] = "X: a\127b", ["byte 1"] = "X: a\1b",
  ["byte 128"] = "X: a\128b",
  ["tab"] = "X: a\tb", ["empty value"] = "X:", ["no blank"] = "X:y", ["many blanks"] = "X:    y   ",
  ["hidden coding"] = "X: y\nTransfer-Encoding: chunked", ["hidden by CR"] = "X: y\rTransfer-Encoding: chunked",
  ["a second host"] = "Host: b", ["the same host"] = "Host: a", ["length in capitals"] = "CONTENT-LENGTH: 5",
  ["upgrade"] = "Upgrade: x", ["expect x"] = "Expect: x", ["connection x"] = "Connection: x, keep-alive",
} do
  M.changes["field: " .. name] = field(text)
end
for name, text in pairs {
  ["two blanks"] = "POST  /a HTTP/1.1", ["two blanks behind"] = "POST /a  HTTP/1.1", ["tab"] = "POST\t/a HTTP/1.1",
  ["blank behind"] = "POST /a HTTP/1.1 ", ["blank before"] = " POST /a HTTP/1.1", ["lower case"] = "POST /a http/1.1",
  ["no version"] = "POST /a", ["1.0"] = "POST /a HTTP/1.0", ["1.2"] = "POST /a HTTP/1.2",
  ["1.10"] = "POST /a HTTP/1.10",
  ["2.0"] = "POST /a HTTP/2.0", ["0.9"] = "POST /a HTTP/0.9", ["01.1"] = "POST /a HTTP/01.1",
  ["1"] = "POST /a HTTP/1",
  ["1,1"] = "POST /a HTTP/1,1", ["HTTPS"] = "POST /a HTTPS/1.1", ["blank in target"] = "POST /a b HTTP/1.1",
  ["no target"] = "POST HTTP/1.1", ["NUL in target"] = "POST /a\0b HTTP/1.1",
  ["CR in target"] = "POST /a\rb HTTP/1.1",
  ["no slash"] = "POST a HTTP/1.1", ["URL"] = "POST http://a/b HTTP/1.1",
  ["URL of another"] = "POST http://c/b HTTP/1.1",
  ["star"] = "POST * HTTP/1.1", ["empty"] = "", ["colon"] = "POST: /a HTTP/1.1", ["CR behind"] = "POST /a HTTP/1.1\r",
  ["vertical tab"] = "POST /a\11HTTP/1.1", ["lower method"] = "post /a HTTP/1.1",
} do
  M.changes["line: " .. name] = line(text)
end
for name, text in pairs { none = "", empty = "Host:\r\n", ["of a list"] = "Host: a, b\r\n",
  ["with a path"] = "Host: a/b\r\n",
  ["with a user"] = "Host: u@a\r\n", ["with a port"] = "Host: a:80\r\n", ["with a bad port"] = "Host: a:x\r\n",
  ["with a blank"] = "Host: a b\r\n", ["with no port"] = "Host: a:\r\n" } do
  M.changes["host " .. name] = function(r) r.host = text end
end
M.changes["lines end in LF"] = function(r) r.eol = "\n" end
M.changes["lines end in CR"] = function(r) r.eol = "\r" end
M.changes["head ends in LF"] = function(r) r.last = "\n" end
M.changes["head ends in CR"] = function(r) r.last = "\r" end
M.changes["head ends in CR x"] = function(r) r.last = "\rx" end
M.changes["a line before"] = function(r) r.before = "\r\n" end
M.changes["two lines before"] = function(r) r.before = "\r\n\r\n" end
M.changes["three lines before"] = function(r) r.before = "\r\n\r\n\r\n" end
M.changes["LF before"] = function(r) r.before = "\n" end
M.changes["CR before"] = function(r) r.before = "\r" end

M.names = {}
for name in pairs(M.changes) do
  M.names[#M.names + 1] = name
end
table.sort(M.names)

---@param names string[] the changes that are made, one after the other
---@return string bytes
function M.make(names)
  local r = {
    before = "", line = "POST /a HTTP/1.1", host = "Host: a\r\n", fields = "Content-Length: 5\r\n", body = "hello",
    eol = "\r\n", last = "\r\n",
  }
  for _, name in ipairs(names) do
    M.changes[name](r)
  end
  local head = r.line .. "\r\n" .. r.host .. r.fields
  if r.eol ~= "\r\n" then
    head = head:gsub("\r\n", r.eol)
  end
  return r.before .. head .. r.last .. r.body
end

---The changes of the i-th request of a seed: each by itself first, then two at a time.
---@param seed integer
---@param i integer
---@return string[] names
function M.pick(seed, i)
  if i <= #M.names then
    return { M.names[i] }
  end
  local pick = random.of(seed + i)
  pick(2)
  return { random.pick(pick, M.names), random.pick(pick, M.names) }
end

return M
