-- A chat room: your first line is your nickname, each later one goes to all the others.
-- A line waits in a queue for each member. Who does not read is put out when the queue is full, and holds nobody up.
--
--    ./dev run examples/chat.lua [ADDRESS]      then, in several terminals:  nc 127.0.0.1 8082

local momo = require "momo"

local LINE_MAX, NICK_MAX, QUEUE_MAX = 1000, 20, 100 -- bytes, bytes, lines
local NICK_SECONDS, PROBE_SECONDS = 60, 60

local members = {} -- by nickname

---Writes what is queued, then ends: one such task a member, and only while there is something to write.
---@async
local function write_queue(member)
  while member.queue[1] do
    local lines = member.queue
    member.queue = {}
    if not member.stream:write(lines) then
      break -- the connection is gone, as the member's own task will notice
    end
  end
  member.writing = false
end

---Never suspends: nobody waits for another member's connection.
local function broadcast(line, sender)
  for _, member in pairs(members) do
    if #member.queue == QUEUE_MAX then
      member.stream:close() -- ends the read that the member's own task waits in
    elseif member ~= sender then
      table.insert(member.queue, line .. "\n")
      if not member.writing then
        member.writing = true
        momo.spawn(write_queue, member)
      end
    end
  end
end

---@async
local function talk(member)
  local stream = member.stream
  stream:set_keepalive(PROBE_SECONDS) -- a peer that vanished is noticed
  stream:set_timeout(NICK_SECONDS)
  stream:write "Your nickname? "
  for line in stream:lines(LINE_MAX) do
    line = line:gsub("%c", "")
    if member.nick then
      broadcast(member.nick .. ": " .. line, member)
    elseif line:match "^%w+$" and #line <= NICK_MAX and not members[line] then
      member.nick = line
      members[line] = member
      stream:set_timeout(nil)
      print(line .. " joined")
      broadcast("* " .. line .. " joined")
    else
      stream:write "Letters and digits, please, 20 at most, that nobody else has. Your nickname? "
    end
  end
end

---@async
local function visit(stream)
  local member = { stream = stream, queue = {}, writing = false }
  local ok, err = momo.pcall(talk, member) -- lines() raises what is not a plain end
  if member.nick then
    members[member.nick] = nil
    print(member.nick .. " left")
    broadcast("* " .. member.nick .. " left")
  end
  if not ok then
    print(err)
  end
end

io.stdout:setvbuf "line"
local listener = assert(momo.net.TcpListener.bind(arg[1] or "127.0.0.1:8082"))
print("chat listens on " .. listener:local_addr())
assert(momo.net.serve(listener, visit))
