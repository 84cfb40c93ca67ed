---momo attach PID: the client of a console (momo.command.console).

local console = require "momo.command.console_threads"
local options = require "momo.command.options"
local unix = require "momo.net.unix"

local ANSWER_SECONDS = 5 -- that a console has to say that it is there

local CLOSED = "the process has closed the console"

local M = {}

---The words with which a process was started, behind its program.
local function words_of(pid)
  local file, err = io.open("/proc/" .. pid .. "/cmdline")
  if not file then
    return nil, err
  end
  local words = {}
  for word in file:read("*a"):gsub("^%Z*%z", ""):gmatch "(%Z*)%z" do
    words[#words + 1] = word
  end
  file:close()
  return words
end

---@param pid string
---@return string? path of its console
---@return string? err
function M.path_of(pid)
  local words, err = words_of(pid)
  if not words then
    return nil, "there is no process " .. pid .. ", or it is somebody else's: " .. err
  end
  local path = (options.parse(words) or {}).console -- what else stands there may be the program's
  if not path then
    return nil, ("process %s has no console: start it as `momo --console PATH app.lua`"):format(pid)
  end
  return path:find "^[/@]" and path or "/proc/" .. pid .. "/cwd/" .. path
end

---@async
local function answer_of(stream)
  while true do
    local text, _, code = stream:read()
    if not text then
      return nil, code
    end
    local last = text:sub(-1)
    local over = last == console.ANSWERED or last == console.MORE
    io.stdout:write(over and text:sub(1, -2) or text)
    io.stdout:flush()
    if over then
      return last
    end
  end
end

---Speaks with the console until one of both ends.
---@async
---@param pid string
---@param path string
---@param read fun(prompt: string): string? a line
---@return true? ok
---@return string? err
function M.run(pid, path, read)
  local stream, err, code = unix.UnixStream.connect(path, ANSWER_SECONDS)
  local state
  if stream then
    stream:set_timeout(ANSWER_SECONDS)
    state, code = answer_of(stream)
    err = CLOSED
  end
  if not state then
    return nil, code == "ETIMEDOUT" and ("the console does not answer: `momo dump %s` tells who holds it"):format(pid)
      or err
  end
  stream:set_timeout(nil)
  local line = read "momo> "
  while line do
    state = stream:write(line .. "\n") and answer_of(stream)
    if not state then
      return nil, CLOSED
    end
    line = read(state == console.MORE and "   .. " or "momo> ")
  end
  stream:close()
  return true
end

return M
