-- A small Redis: strings in memory, for redis-cli, redis-benchmark and any client that speaks RESP2.
-- Each connection is read as plain sequential code. Answers gather until the next request has not come yet, and go out
-- together then: what a client pipelines costs one read and one write.
--
--    ./dev run examples/resp_server.lua [ADDRESS]
--    then:  redis-cli -p 6380   or  redis-benchmark -p 6380 -t ping,set,get -P 16

local momo = require "momo"

local find, sub = string.find, string.sub

local WORDS_MAX, VALUE_MAX, LINE_MAX = 1024, 64 * 1024 * 1024, 64 * 1024 -- words of a request; bytes
local OUTPUT_MAX = 64 * 1024 -- bytes of answers that wait for the next read

local store = {}

-- Answers

local OK, NIL, EMPTY_ARRAY = "+OK\r\n", "$-1\r\n", "*0\r\n"

local function bulk(value)
  return "$" .. #value .. "\r\n" .. value .. "\r\n"
end

local function integer(n)
  return (":%d\r\n"):format(n)
end

local function failure(text)
  return "-ERR " .. text:sub(1, 200):gsub("%c", " ") .. "\r\n"
end

-- Commands: the least and the most words they take, their name included, and what answers them.

local commands = {}

local function command(name, least, most, answer)
  commands[name] = { least = least, most = most, answer = answer }
end

command("PING", 1, 2, function(_, text)
  return text and bulk(text) or "+PONG\r\n"
end)

command("ECHO", 2, 2, function(_, text)
  return bulk(text)
end)

command("GET", 2, 2, function(_, key)
  local value = store[key]
  return value and bulk(value) or NIL
end)

command("SET", 3, 3, function(_, key, value)
  store[key] = value
  return OK
end)

command("DEL", 2, WORDS_MAX, function(_, ...)
  local count = 0
  for _, key in ipairs { ... } do
    count = count + (store[key] and 1 or 0)
    store[key] = nil
  end
  return integer(count)
end)

command("INCR", 2, 2, function(_, key)
  local value = store[key] or "0"
  if not value:find "^-?%d+$" or #value > 15 then -- a Lua number holds 15 digits
    return failure "value is not an integer or out of range"
  end
  store[key] = ("%d"):format(value + 1)
  return ":" .. store[key] .. "\r\n"
end)

command("COMMAND", 1, WORDS_MAX, function() -- redis-cli asks what there is, to help who types
  return EMPTY_ARRAY
end)

command("CONFIG", 3, 3, function(_, what, name) -- redis-benchmark asks whether we save to disk
  return what:upper() == "GET" and "*2\r\n" .. bulk(name) .. bulk "" or failure "CONFIG GET only"
end)

local function answer(words)
  local name = words[1]
  local found = commands[name] or commands[name:upper()]
  if not found then
    return failure("unknown command '" .. name .. "'")
  elseif #words < found.least or #words > found.most then
    return failure("wrong number of arguments for '" .. name:lower() .. "' command")
  end
  return found.answer(unpack(words))
end

-- Connections. What ends one is raised: the peer's end, or a request that is none.

local function put(c, text)
  c.output[#c.output + 1] = text
  c.size = c.size + #text
end

---Sends the answers that wait.
---@async
local function flush(c)
  if c.size > 0 then
    local data = table.concat(c.output)
    c.output, c.size = {}, 0
    assert(c.stream:write(data))
  end
end

---Reads what there is, once nothing is owed.
---@async
local function read_more(c)
  flush(c)
  c.input, c.at = sub(c.input, c.at) .. assert(c.stream:read()), 1
end

---@async
---@return string line without its end
local function read_line(c)
  local stop = find(c.input, "\r\n", c.at, true)
  while not stop do
    assert(#c.input - c.at < LINE_MAX, "Protocol error: too big request")
    read_more(c)
    stop = find(c.input, "\r\n", c.at, true)
  end
  local line = sub(c.input, c.at, stop - 1)
  c.at = stop + 2
  return line
end

---@async
---@return string word of n bytes
local function read_word(c, n)
  local missing = c.at + n + 1 - #c.input
  if missing > 0 then
    flush(c)
    c.input, c.at = sub(c.input, c.at) .. assert(c.stream:read_exact(missing)), 1
  end
  local word = sub(c.input, c.at, c.at + n - 1)
  c.at = c.at + n + 2
  return word
end

---The number in a line such as "$5".
local function length(line, mark, max)
  local n = sub(line, 1, 1) == mark and tonumber(sub(line, 2))
  return assert(n and n >= 0 and n <= max and n % 1 == 0 and n, "Protocol error: invalid length")
end

---@async
---@return string[] words of a request; none in an empty line
local function read_request(c)
  local line, words = read_line(c), {}
  if sub(line, 1, 1) == "*" then
    for i = 1, length(line, "*", WORDS_MAX) do
      words[i] = read_word(c, length(read_line(c), "$", VALUE_MAX))
    end
  else -- typed by hand: the words of a line
    for word in line:gmatch "%S+" do
      words[#words + 1] = word
    end
  end
  return words
end

---@async
local function converse(c)
  while true do
    local words = read_request(c)
    if words[1] then
      put(c, answer(words))
      if c.size > OUTPUT_MAX then
        flush(c)
      end
    end
  end
end

---@async
local function serve(stream)
  local c = { stream = stream, input = "", at = 1, output = {}, size = 0 }
  local _, err = momo.pcall(converse, c)
  local refusal = err:match "Protocol error.*"
  if refusal then
    put(c, failure(refusal))
    momo.pcall(flush, c)
  end
  stream:close()
end

io.stdout:setvbuf "line"
local listener = assert(momo.net.TcpListener.bind(arg[1] or "127.0.0.1:6380"))
print("resp_server listens on " .. listener:local_addr())
while true do
  local stream, err = listener:accept()
  if stream then
    momo.spawn(serve, stream)
  else
    print("accept failed, next try in a second: " .. err)
    momo.time.sleep(1)
  end
end
