---The other threads of a process, for its console (momo.command.console). One that is wanted connects to the console's
---socket, says for which question, and is a console itself on that connection:
---
---    console -- question: connect to PATH, and say NUMBER --> thread
---            <-- NUMBER, and then answers to what is typed --

local asking = require "momo.command.asking"
local each = require "momo.internal.each"
local native = require("momo.internal.core").native
local sync = require "momo.sync"
local tree = require "momo.command.tree"

local TRIES = 8             -- a question is lost where somebody else asks at the same time
local CONNECT_SECONDS = 5

local M = {
  ANSWERED = "\4", -- what ends an answer, and what the first line is waited for with,
  MORE = "\5",     -- or where the text goes on
}

local ask = asking(1)
local waiting, number = setmetatable({}, { __mode = "v" }), 0 -- by number: who waits for a thread to connect

---What every task does, of all threads.
---@async
---@return string
function M.tasks()
  local _, answers, silent = ask "tasks"
  local others = {}
  for _, answer in each(answers) do
    if answer.is_new then
      others[#others + 1] = answer
    else
      silent = math.max(silent, 1)
    end
  end
  table.sort(others, function(a, b) return a.index < b.index end)
  local texts = { tree.text() }
  for i, other in ipairs(others) do
    texts[i + 1] = other.text
  end
  if silent > 0 then
    texts[#texts + 1] = ("momo: %d thread%s not come round: `momo dump %d` tells who holds %s"):format(silent,
      silent == 1 and " does" or "s do", native.pid(), silent == 1 and "it" or "them")
  end
  return table.concat(texts, "\n")
end

-- The key of the thread that is called so, or has that number.
local function find(which)
  local _, answers = ask "name"
  local found, names
  names = {}
  for key, answer in each(answers) do
    if answer.name == which or answer.index == which then
      if found then
        error(("several threads are called %s: say the number of one"):format(which), 0)
      end
      found = key
    end
    names[#names + 1] = ("%d %s"):format(answer.index, answer.name)
  end
  if not found then
    table.sort(names)
    error(("there is no other thread %s that comes round, but: %s"):format(tostring(which),
      names[1] and table.concat(names, ", ") or "none"), 0)
  end
  return found
end

-- A stream at which the thread answers.
local function connect(key, which, path)
  number = number + 1
  local mine = { come = sync.Notify() }
  waiting[number] = mine
  for _ = 1, TRIES do
    local _, answers = ask(("console %s %d %s"):format(key, number, path))
    if answers[key] and answers[key].is_new then
      mine.come:notified(CONNECT_SECONDS)
      break
    end
  end
  waiting[number] = nil
  if not mine.stream then
    error(("thread %s does not come round: `momo dump %d` tells who holds it"):format(which, native.pid()), 0)
  end
  return mine.stream
end

---A thread has connected. Returns whether somebody waits for it, whose the stream is then.
---@param stream momo.Stream
---@param line string? that it has said first
---@return boolean
function M.take(stream, line)
  local mine = line and waiting[tonumber(line:match "^\6(%d+)\n$")]
  if mine then
    mine.stream = stream
    mine.come:notify_one()
  end
  return mine ~= nil
end

-- The answer's last byte.
local function pass(stream, write)
  while true do
    local text = assert(stream:read())
    local last = text:sub(-1)
    local over = last == M.ANSWERED or last == M.MORE
    write(over and text:sub(1, -2) or text)
    if over then
      return last
    end
  end
end

---Runs code on another thread as if it was typed there.
---@async
---@param path string of the console
---@param which string|integer the thread's name or number
---@param code string
---@param write fun(text: string) is given what it shows
function M.on(path, which, code, write)
  if type(which) ~= "string" and type(which) ~= "number" or type(code) ~= "string" then
    error("on: the arguments must be a thread's name or number, and code as a string", 0)
  end
  local stream = connect(find(which), which, path)
  local ok, err = pcall(function()
    local last
    for line in (code .. "\n"):gmatch "[^\n]*\n" do
      assert(stream:write(line))
      last = pass(stream, write)
    end
    if last == M.MORE then
      error("on: the code goes on", 0)
    end
  end)
  stream:close()
  if not ok then
    error(err, 0)
  end
end

---On the thread that was asked for: connects.
---@async
---@param path string
---@param of string the number
---@return momo.Stream? stream
---@return string? err
function M.come(path, of)
  local stream, err = require("momo.net.unix").UnixStream.connect(path, CONNECT_SECONDS)
  if not stream then
    return nil, err
  end
  stream:read(1, CONNECT_SECONDS)
  stream:write("\6" .. of .. "\n")
  return stream
end

return M
