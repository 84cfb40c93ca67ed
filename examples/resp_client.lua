-- A client of Redis, or of resp_server.lua, on one connection that many tasks share. Each writes its commands and then
-- waits for its turn to read, so nobody waits for another one's round trip. Here each argument is a task, and what
-- stands between semicolons in it a command.
--
--    ./dev run examples/resp_client.lua 127.0.0.1:6379 "SET greeting hello; GET greeting" "INCR visits" "GET nobody"

local momo = require "momo"

local CONNECT_SECONDS, ANSWER_SECONDS = 5, 10

---@async
---@return table client
local function connect(address)
  local stream, err = momo.net.TcpStream.connect(address, CONNECT_SECONDS)
  if not stream then
    error("is Redis running? " .. err, 0)
  end
  stream:set_timeout(ANSWER_SECONDS)
  return { stream = stream, turn = momo.sync.Mutex() }
end

local function encode(words)
  local pieces = { "*" .. #words .. "\r\n" }
  for i, word in ipairs(words) do
    pieces[i + 1] = "$" .. #word .. "\r\n" .. word .. "\r\n"
  end
  return table.concat(pieces)
end

---As Redis's own scripts have it: nil is false, an error is { err = text }, an array is a table.
---@async
---@return string|number|boolean|table
local function read_reply(stream)
  local mark, rest = assert(stream:read_until "\r\n"):match "^([-+:$*])(.*)\r\n$"
  local n = tonumber(rest)
  if mark == "+" then
    return rest
  elseif mark == "-" then
    return { err = rest }
  elseif mark == ":" then
    return n
  elseif not n then
    error("this is not Redis", 0)
  elseif n < 0 then
    return false
  elseif mark == "$" then
    return (stream:read_exact(n + 2) or error("cut short", 0)):sub(1, -3)
  end
  local array = {}
  for i = 1, n do
    array[i] = read_reply(stream)
  end
  return array
end

---@async
local function exchange(client, commands)
  local pieces, replies = {}, {}
  for i, words in ipairs(commands) do
    pieces[i] = encode(words)
  end
  assert(client.stream:write(pieces))
  client.turn:with(function() -- turns are in the order of the writes: first come, first served
    for i = 1, #commands do
      replies[i] = read_reply(client.stream)
    end
  end)
  return replies
end

---Sends commands together, and returns a reply for each. A connection that fails is closed, and the error raised.
---@async
---@param client table
---@param commands string[][]
---@return table replies
local function pipeline(client, commands)
  -- The replies are read even if this task is cancelled meanwhile: the next one must find its own.
  local ok, replies = momo.pcall(momo.shield, exchange, client, commands)
  if not ok then
    client.stream:close()
    error(replies, 0)
  end
  return replies
end

---The reply as redis-cli shows it.
local function show(reply, indent)
  if type(reply) == "number" then
    return "(integer) " .. reply
  elseif type(reply) == "string" then
    return ("%q"):format(reply)
  elseif not reply then
    return "(nil)"
  elseif reply.err then
    return "(error) " .. reply.err
  elseif #reply == 0 then
    return "(empty array)"
  end
  local lines = {}
  indent = indent .. "   "
  for i, item in ipairs(reply) do
    lines[i] = i .. ") " .. show(item, indent)
  end
  return table.concat(lines, "\n" .. indent)
end

---@async
local function run(client, text)
  local commands, lines = {}, {}
  for command in text:gmatch "[^;]+" do
    local words = {}
    for word in command:gmatch "%S+" do
      words[#words + 1] = word
    end
    commands[#commands + 1] = words
  end
  for i, reply in ipairs(pipeline(client, commands)) do
    lines[i] = table.concat(commands[i], " ") .. ": " .. show(reply, "")
  end
  return table.concat(lines, "\n")
end

local client, tasks = connect(arg[1] or "127.0.0.1:6379"), {}
for i = 2, #arg do
  tasks[i - 1] = function() return run(client, arg[i]) end
end
for _, result in ipairs { momo.all(tasks) } do
  print(result[1])
end
client.stream:close()
