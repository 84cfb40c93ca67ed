---A console in a running process, over a Unix socket that only its owner may open: momo --console PATH, and
---momo attach PID.
---
---A client sends a line at a time; what is answered ends with a byte: ANSWERED, or MORE where the text goes on. All
---tasks of it are daemons: the console keeps no program running.

local evaluate = require "momo.command.evaluate"
local native = require("momo.internal.core").native
local task = require "momo.internal.task"
local sleep = require("momo.time").sleep

local LINE_MAX = 1024 * 1024
local LEFT = "the console's client has left"
local FAILED = "momo: the process has no memory for a console\n"
local PAUSE = 1 -- seconds until the next accept when one has failed

local M = { ANSWERED = "\4", MORE = "\5" }

local HELP = [[
Lua is run as a task, and what it returns is shown. Besides the program's globals there are:
  tasks()             what every task does, as momo dump tells it
  cancel(id)          cancels a task
  log_level(name)     "debug", "info", "warn", "error"
  profile.start(), profile.stop()     where the CPU's time goes
  trace.start(path), trace.stop()     what tasks do when, for Perfetto
  momo                the module
Ctrl-D leaves, and cancels what was typed last.
]]

local function find_task(id)
  for _, row in ipairs(native.live_tasks()) do
    if native.id(row.task) == id then
      return row.task
    end
  end
end

local function cancel(id)
  local found = find_task(id)
  if not found then
    error("there is no task " .. tostring(id), 0)
  end
  found:cancel "by the console"
  return found
end

local function environment(write)
  return evaluate.environment(setmetatable({
    help = HELP,
    tasks = function() return require("momo.command.tree").text() end,
    cancel = cancel,
    log_level = function(name) require("momo.log").configure { level = name } end,
    print = function(...)
      local texts = {}
      for i = 1, select("#", ...) do
        texts[i] = tostring((select(i, ...)))
      end
      write(table.concat(texts, "\t") .. "\n")
    end,
  }, { __index = function(_, name)
    if name == "momo" then
      return require "momo"
    elseif name == "profile" or name == "trace" then
      return require("momo." .. name)
    end
  end }))
end

---Until no more lines come; raises LEFT when the client takes no answers.
---@async
local function answer(stream, lines)
  local function write(text)
    if not stream:write(text) then
      error(LEFT, 0)
    end
  end
  local env, text = environment(write), ""
  while true do
    local line = lines:recv()
    if not line then
      return
    end
    text = text .. line
    local chunk, err = evaluate.compile(text)
    if chunk then
      evaluate.run(chunk, env, write)
    elseif err then
      write(err .. "\n")
    end
    local goes_on = not chunk and not err and line ~= "\n"
    text = goes_on and text or ""
    write(goes_on and M.MORE or M.ANSWERED)
  end
end

-- Reads while it answers, and so learns that the client has left.
---@async
local function attend(stream)
  local tx, lines = require("momo.sync").channel(16)
  local answering = task.spawn_daemon(function()
    local ok, err = pcall(answer, stream, lines)
    lines:close()
    if not ok and err ~= LEFT then
      error(err, 0)
    end
  end)
  answering:set_name "momo: console"
  repeat
    local line = stream:read_until("\n", LINE_MAX)
  until not line or not tx:send(line)
  tx:close()
  answering:cancel(LEFT)
  answering:join()
end

-- What goes wrong with one client is told to it, and to no other.
---@async
local function attend_one(stream)
  local ok, err = pcall(attend, stream)
  if not ok and not task.is_cancelled(err) then
    pcall(stream.write, stream, FAILED)
  end
  stream:close()
  if task.is_cancelled(err) then
    error(err, 0)
  end
end

---Returns whether there may be more.
---@async
local function accept_one(listener)
  local stream, _, code = listener:accept()
  if stream and not native.console_may(stream) then
    stream:write "momo: the console is for the process's owner alone\n"
    stream:close()
  elseif stream then
    local ok, attending = pcall(task.spawn_daemon, attend_one, stream)
    if not ok then
      pcall(stream.write, stream, FAILED)
      stream:close()
    else
      attending:set_name "momo: console"
    end
  elseif code == "EBADF" or code == "ECANCELED" then
    return false
  else
    sleep(PAUSE)
  end
  return true
end

---@async
local function accept_all(listener)
  repeat
    local ok, goes_on = pcall(accept_one, listener)
    if not ok then
      if task.is_cancelled(goes_on) then
        error(goes_on, 0)
      end
      sleep(PAUSE) -- there was no memory
    end
  until ok and not goes_on
end

---Opens it. For a task.
---@param path string
---@return true? ok
---@return string? err
function M.open(path)
  local listener, err = require("momo.net.unix").UnixListener.bind(path, { mode = "600" })
  if not listener then
    return nil, err
  end
  task.spawn_daemon(accept_all, listener):set_name "momo: console"
  return true
end

return M
