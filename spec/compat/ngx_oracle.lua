-- A program for OpenResty and for momo.compat: what it prints must not depend on which of the two runs it. It gets ngx,
-- a function that writes a line, and whether PCRE is one of the two.

local ngx, write = ...

local function show(value)
  if type(value) == "string" then
    return (("%q"):format(value):gsub("\\\n", "\\n"))
  elseif type(value) ~= "table" then
    return tostring(value)
  end
  local keys, pieces = {}, {}
  for key in pairs(value) do
    keys[#keys + 1] = key
  end
  table.sort(keys, function(a, b)
    return type(a) == type(b) and a < b or type(a) ~= type(b) and type(a) == "number"
  end)
  for i, key in ipairs(keys) do
    pieces[i] = tostring(key) .. "=" .. show(value[key])
  end
  return "{" .. table.concat(pieces, ", ") .. "}"
end

-- Without nils at the end.
local function line(name, ...)
  local pieces, n = {}, select("#", ...)
  while n > 0 and (select(n, ...)) == nil do
    n = n - 1
  end
  for i = 1, n do
    pieces[i] = show((select(i, ...)))
  end
  write(name .. ": " .. table.concat(pieces, " "))
end

local all = {}
for i = 0, 255 do
  all[i + 1] = string.char(i)
end
all = table.concat(all)

for i, text in ipairs { "", "a", "ab", "abc", "abcd", "a b+c%20%zz%4", "x=1&y=2", "\0\1\255", all } do
  line("texts " .. i, ngx.escape_uri(text), ngx.escape_uri(text, 0), ngx.escape_uri(text, 2), ngx.unescape_uri(text),
    ngx.encode_base64(text), ngx.encode_base64(text, true), ngx.decode_base64(text), ngx.quote_sql_str(text),
    ngx.md5(text), ngx.encode_base64(ngx.md5_bin(text)), ngx.encode_base64(ngx.sha1_bin(text)),
    ngx.encode_base64(ngx.hmac_sha1("key", text)), ngx.crc32_short(text), ngx.crc32_long(text))
end
line("numbers", ngx.escape_uri(12), ngx.md5(12), ngx.md5(nil), ngx.encode_base64(12), ngx.encode_base64(nil),
  ngx.unescape_uri(12), ngx.crc32_long "12")
for _, text in ipairs { "YQ==", "YQ", "YWI=", "YWI", "YWJj", "Y", "YWJjZ", "Y Q", "YQ==YQ==", "=", "-_-_", "+/+/" } do
  line("decode_base64", text, ngx.decode_base64(text))
end

line("encode_args", ngx.encode_args { a = 1 }, ngx.encode_args { a = true }, ngx.encode_args { a = false },
  ngx.encode_args { ["a b"] = { "1 2", true, 3, false } }, ngx.encode_args { a = {} }, ngx.encode_args {})
for _, query in ipairs {
  "", "a", "a=", "a=1", "a=1&a=2&a", "a=b=c", "&&a&&", "=x", "a%20b=c+d", "a=1&b", "%", "a&=b&c", "a=%4",
} do
  line("decode_args", query, ngx.decode_args(query))
end
line("decode_args, 2", ngx.decode_args("a=1&b=2&c=3", 2))
line("decode_args, 0", ngx.decode_args("a=1&b=2&c=3", 0))

line("times", ngx.http_time(1290079655), ngx.cookie_time(1290079655), ngx.cookie_time(2 ^ 31),
  ngx.parse_http_time "Thu, 18 Nov 2010 11:27:35 GMT", ngx.parse_http_time "Thursday, 18-Nov-10 11:27:35 GMT",
  ngx.parse_http_time "Thu Nov 18 11:27:35 2010", ngx.parse_http_time "soon")

-- Whether it fails is compared, and not with which words.
local function failing(name, ...)
  local results = { ... }
  local n = select("#", ...)
  if n > 1 and type(results[n]) == "string" and results[1] == nil then
    results[n] = "(words)"
  end
  line(name, unpack(results, 1, n))
end

local subjects = { "", "hello, world", "a1b22c333", "foo\nbar\n", "ä ö", "aaa", "key=value; other=thing" }
local patterns = {
  { "", "" }, { "[a-z]+", "jo" }, { "([a-z])([0-9])?", "" }, { "(?<name>[a-z]+)(?<digit>\\d)?", "jo" }, { "\\d+", "d" },
  { "^\\w+$", "m" }, { "^\\w+$", "" }, { "A", "i" }, { "a*", "" },
  { "a*?", "jo" }, { ".", "u" }, { ".", "" }, { ".+", "s" },
  { "l l o", "x" }, { "l", "a" }, { "(?<n>a)|(?<n>o)", "D" }, { "x|(y)|(o)", "jo" },
  { "\\s*;\\s*", "" }, { "(o)|b", "" },
  { "$", "" }, { "\\b", "" }, { "(?=l)", "" }, -- not { "", "u" }: nginx cuts letters into bytes
}
for _, subject in ipairs(subjects) do
  for _, pattern in ipairs(patterns) do
    local re, options = pattern[1], pattern[2]
    local name = ("%s ~ %s %s"):format(show(subject), show(re), options)
    failing(name .. " match", ngx.re.match(subject, re, options))
    failing(name .. " find", ngx.re.find(subject, re, options))
    for pos = 0, 4 do
      local context = { pos = pos }
      failing(name .. " match from " .. pos, ngx.re.match(subject, re, options, context))
      line("", context)
      context = { pos = pos }
      failing(name .. " find from " .. pos, ngx.re.find(subject, re, options, context, 0))
      line("", context)
    end
    failing(name .. " sub", ngx.re.sub(subject, re, "[$0]", options))
    failing(name .. " gsub", ngx.re.gsub(subject, re, "<$1${0}>$$", options))
    failing(name .. " gsub by function", ngx.re.gsub(subject, re, function(m) return show(m) end, options))
    local n = 0
    for m, err in ngx.re.gmatch(subject, re, options) do
      n = n + 1
      line(name .. " gmatch " .. n, m, err)
      if n > 40 then
        break
      end
    end
    if not re:find("|", 1, true) then -- for a first group that has no part in a match, nginx puts the whole subject
      for _, max in ipairs { 0, 1, 2, 3 } do
        failing(name .. " split " .. max, require("ngx.re").split(subject, re, options, nil, max))
      end
      failing(name .. " split from 2", require("ngx.re").split(subject, re, options, { pos = 2 }))
    end
  end
end
failing("groups", ngx.re.find("hello", "(h)(x)?", "", nil, 1))
failing("groups", ngx.re.find("hello", "(h)(x)?", "", nil, 2))
failing("groups", ngx.re.find("hello", "(h)(x)?", "", nil, 3))
failing("bad pattern", ngx.re.match("hello", "(h"))
failing("bad pattern", ngx.re.find("hello", "(h"))
failing("bad pattern", ngx.re.gmatch("hello", "(h"))
failing("bad pattern", ngx.re.sub("hello", "(h", ""))
failing("bad replacement", ngx.re.sub("hello", "h", "$x"))
line("bad flag", (pcall(ngx.re.match, "hello", "h", "z")))
line("numbers", ngx.re.match(12345, "3"), ngx.re.sub(12345, "3", 4))
line("bad function", (pcall(ngx.re.sub, "hello", "h", function() end)))
line("split into", require("ngx.re").split("a,b", ",", nil, nil, nil, { 1, 2, 3, 4, 5 }))

local dict = ngx.shared.oracle
local function dictionary(method, ...)
  failing("dict " .. method .. " " .. show { ... }, dict[method](dict, ...))
end
dictionary("get", "a")
dictionary("set", "a", 1)
dictionary("get", "a")
dictionary("set", "a", "text", 0, 7)
dictionary("get", "a")
dictionary("get_stale", "a")
dictionary("add", "a", 2)
dictionary("add", "b", true)
dictionary("get", "b")
dictionary("replace", "b", false)
dictionary("get", "b")
dictionary("replace", "c", 1)
dictionary("incr", "c", 1)
dictionary("incr", "c", 2, 5)
dictionary("incr", "c", 2, 5)
dictionary("incr", "a", 1)
dictionary("incr", "d", 1, 0, 100)
dictionary("ttl", "a")
dictionary("ttl", "none")
dictionary("expire", "none", 1)
dictionary("expire", "a", 100)
dictionary("delete", "a")
dictionary("get", "a")
dictionary("set", "table", {})
dictionary("get", "")
dictionary("set", "", 1)
dictionary("lpush", "list", "a")
dictionary("rpush", "list", "b")
dictionary("lpush", "list", 3)
dictionary("llen", "list")
dictionary("lpop", "list")
dictionary("rpop", "list")
dictionary("rpop", "list")
dictionary("rpop", "list")
dictionary("llen", "list")
dictionary("llen", "c")
dictionary("lpush", "c", 1)
dictionary("set", "short", 1, 0.01)
ngx.sleep(0.05)
dictionary("get", "short")
dictionary("get_stale", "short")
dictionary("flush_expired")
dictionary("get_stale", "short")
dictionary("set", "x", 1)
dictionary("flush_all")
dictionary("get", "x")
dictionary("get_keys")
dictionary("set", 12, 1)
dictionary("get", "12")

line("status", ngx.OK, ngx.ERROR, ngx.AGAIN, ngx.DONE, ngx.DECLINED, ngx.HTTP_OK, ngx.HTTP_GET, ngx.HTTP_PATCH,
  ngx.HTTP_TOO_MANY_REQUESTS, ngx.ERR, ngx.DEBUG, ngx.config.subsystem)

local log = {}
local one = ngx.thread.spawn(function(a)
  log[#log + 1] = "one begins " .. a
  ngx.sleep(0.02)
  log[#log + 1] = "one ends"
  return "one", 1
end, "now")
log[#log + 1] = "spawned"
local other = ngx.thread.spawn(function()
  ngx.sleep(0.05)
  return "other"
end)
line("wait", ngx.thread.wait(other, one))
line("wait", ngx.thread.wait(other))
line("log", log)
local third = ngx.thread.spawn(function() ngx.sleep(10) end)
line("kill", ngx.thread.kill(third))
line("kill again", (ngx.thread.kill(third)))
local semaphore = require("ngx.semaphore").new(1)
line("semaphore", semaphore:count(), semaphore:wait(0), semaphore:count(), semaphore:wait(0.001), semaphore:count())
local waiting = ngx.thread.spawn(function() return semaphore:wait(1) end)
line("semaphore", semaphore:count(), semaphore:post(2))
line("semaphore", ngx.thread.wait(waiting))
line("semaphore", semaphore:count())
ngx.ctx.mine = 1
local seen
ngx.thread.wait(ngx.thread.spawn(function() seen = ngx.ctx.mine end))
line("ctx", seen)
local heard = {}
ngx.timer.at(0, function(premature, ...) heard[1] = { premature, ngx.ctx.mine, ... } end, "a", 2)
ngx.timer.at(0.01, function(premature) heard[2] = { premature, ngx.get_phase() } end)
ngx.sleep(0.05)
line("timers", heard)
