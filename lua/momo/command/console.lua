---A console in a running process, over a Unix socket that only its owner may open: momo --console PATH, and
---momo attach PID.
---
---A client waits for ANSWERED, and then sends a line at a time; what is answered ends with a byte: ANSWERED, or MORE
---where the text goes on. All tasks of it are daemons: the console keeps no program running.

local evaluate = require "momo.command.evaluate"
local native = require("momo.internal.core").native
local task = require "momo.internal.task"
local threads = require "momo.command.console_threads"
local sleep = require("momo.time").sleep

local LINE_MAX = 1024 * 1024
local LEFT = "the console's client has left"
local FAILED = "momo: the process has no memory for a console\n"
local PAUSE = 1 -- seconds until the next accept when one has failed
local ENDS = { [threads.ANSWERED] = "\\4", [threads.MORE] = "\\5" } -- as they are shown within an answer

local M = {}

local HELP = [[
Lua is run as a task, and what it returns is shown. Besides the program's globals there are:
  tasks()             what every task of all threads does, as momo dump tells it
  cancel(id)          cancels a task of the first thread
  on(thread, code)    runs code on another thread, by its name or number, as if it was typed there:
                      on("momo-2", "cancel(7)")
  log_level(name)     "debug", "info", "warn", "error"
  profile.start(), profile.stop()     where the CPU's time goes, on this thread
  trace.start(path), trace.stop()     what tasks do when, on this thread, for Perfetto
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

-- path: of the console; nil on other threads.
local function environment(write, path)
  return evaluate.environment(setmetatable({
    help = HELP,
    tasks = path and threads.tasks or require("momo.command.tree").text,
    cancel = cancel,
    on = path and function(thread, code) threads.on(path, thread, code, write) end,
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
local function answer(stream, lines, path)
  local function send(bytes)
    if not stream:write(bytes) then
      error(LEFT, 0)
    end
  end
  local function write(text)
    local has_end = text:find(threads.ANSWERED, 1, true) or text:find(threads.MORE, 1, true)
    send(has_end and text:gsub("[\4\5]", ENDS) or text)
  end
  local env, text = environment(write, path), ""
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
    send(goes_on and threads.MORE or threads.ANSWERED)
  end
end

-- Reads while it answers, and so learns that the client has left. line: that was read first.
---@async
local function attend(stream, line, path)
  local tx, lines = require("momo.sync").channel(16)
  local answering = task.spawn_daemon(function()
    local ok, err = pcall(answer, stream, lines, path)
    lines:close()
    if not ok and err ~= LEFT then
      error(err, 0)
    end
  end)
  answering:set_name "momo: console"
  while line and tx:send(line) do
    line = stream:read_until("\n", LINE_MAX)
  end
  tx:close()
  answering:cancel(LEFT)
  answering:join()
end

---Answers on another thread than the console's, for its `on`. For a task.
---@async
---@param path string of the console
---@param of string the number of the question
function M.join(path, of)
  local stream = threads.come(path, of)
  if stream then
    attend(stream, stream:read_until("\n", LINE_MAX))
    stream:close()
  end
end

-- What goes wrong with one client is told to it, and to no other.
---@async
local function attend_one(console, stream)
  local taken = false
  local ok, err = pcall(function()
    stream:write(threads.ANSWERED)
    local line = stream:read_until("\n", LINE_MAX)
    taken = threads.take(stream, line)
    if not taken then
      attend(stream, line, console.path)
    end
  end)
  if not ok and not task.is_cancelled(err) then
    pcall(stream.write, stream, FAILED)
  end
  if not taken then
    stream:close()
  end
  console.spare = console.spare or io.open "/dev/null"
  if task.is_cancelled(err) then
    error(err, 0)
  end
end

---@async
local function accept(console)
  local stream, err, code = console.listener:accept()
  if not stream and console.spare and (code == "EMFILE" or code == "ENFILE") then
    console.spare:close()
    console.spare = nil
    return console.listener:accept(0)
  end
  return stream, err, code
end

---Returns whether there may be more.
---@async
local function accept_one(console)
  local stream, _, code = accept(console)
  if stream and not native.console_may(stream) then
    stream:write "momo: the console is for the process's owner alone\n"
    stream:close()
  elseif stream then
    local ok, attending = pcall(task.spawn_daemon, attend_one, console, stream)
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
local function accept_all(console)
  repeat
    local ok, goes_on = pcall(accept_one, console)
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
  -- A descriptor is held in reserve for when the program has used up all.
  local console = { listener = listener, path = path, spare = io.open "/dev/null" }
  task.spawn_daemon(accept_all, console):set_name "momo: console"
  return true
end

return M
