---How the process that the momo command is hands over to a new one, which runs the program anew: on SIGHUP, or on a
---change of a file of the program's (momo.command.watching). See core/net/succession.h.
---
---The successor serves when it has bound all addresses that this process listens at, and its main chunk waits. Until
---then this process serves, and it goes on to if the successor ends before, or takes too long.

local each = require "momo.internal.each"
local core = require "momo.internal.core"
local drain = require "momo.internal.drain"
local show = require "momo.internal.show"
local task = require "momo.internal.task"
local time = require "momo.time"

local native = core.native

local FIRST = 3       -- the number of the first descriptor that a successor inherits
local READY = 60      -- seconds that a successor has to serve
local CLAIMS = 5      -- seconds after which one that waits serves, though it has not bound every address
local LOOK = 0.01     -- seconds between two looks

local M = {}

local program                    -- the command's words; its program; or nil: none that can be run anew
local ready, leader              -- descriptors that the predecessor has given
local news_reader, news_writer   -- of the process that was first
local under_way, again           -- the task; and whether it has been asked for once more
local leave                      -- function; or nil: what else ends when a successor serves
local successor                  -- that serves in place of this process

local function say(text)
  io.stderr:write("momo: ", text, "\n")
end

---For the command, before anything is bound.
---@param words string[] with which it was started: [0] is the program
function M.prepare(words)
  program = words
  ready, leader = native.succession_take()
  native.succession_on_hangup()
end

---@param fn fun() is called when a successor serves
function M.hands_over(fn)
  leave = fn
end

---Whether this process follows another one that still waits for it.
function M.is_awaited()
  return ready ~= nil
end

---What it is told in its environment, { "NAME=value", ... }.
local function environment(activated, listeners, marks)
  local env = { ("MOMO_SUCCESSION=%d %d %d %s"):format(activated, FIRST + listeners, FIRST + listeners + 1, marks) }
  for name, value in each(native.environ()) do
    env[#env + 1] = name .. "=" .. value
  end
  return env
end

---Starts it, with these at its descriptors from 3 on: our listeners, where it says that it serves, and where it tells
---the process that was first who the newest is.
local function spawn(listeners, activated, marks, writer)
  if not leader and not news_reader then
    local err
    news_reader, err = native.succession_pair()
    if not news_reader then
      return nil, err
    end
    news_writer = err
  end
  local passed = { unpack(listeners) }
  passed[#passed + 1] = writer:fd()
  passed[#passed + 1] = leader or news_writer
  return native.process_spawn({ program[0], unpack(program) }, environment(activated, #listeners, marks), nil, 0, 1, 2,
    nil, nil, nil, passed)
end

---@return userdata? child
---@return momo.Stream|string reader where it says that it serves, or the error
local function start()
  require "momo.net.stream" -- the class of what follows
  local reader, writer = native.unix_pair()
  if not reader then
    return nil, writer
  end
  local child
  local listeners, err, marks = native.succession_listeners()
  if listeners then
    local ok
    ok, child, err = pcall(spawn, listeners, err, marks, writer)
    for _, fd in ipairs(listeners) do
      native.succession_close(fd)
    end
    if not ok then
      err, child = show.text(child), nil
    end
  end
  writer:close()
  if child then
    return child, reader
  end
  reader:close()
  return nil, err
end

-- Waits until it serves, and leaves everything to it then.
---@async
local function await(child, stream, why)
  local pid = native.process_pid(child)
  local word, _, code = stream:read(1, READY)
  stream:close()
  if not word then
    native.process_kill(child, "SIGKILL")
    say(("%s: process %d %s; this one goes on"):format(why, pid,
      code == "ETIMEDOUT" and "does not serve after " .. READY .. " s" or "has ended before it served"))
    return false
  end
  if drain.draining() then -- a stop has begun meanwhile, which is meant for whoever serves
    native.process_kill(child, "SIGTERM")
    return true
  end
  successor = child
  native.succession_hand_over(pid, news_reader or -1)
  if leave then
    leave()
  end
  if again then -- it may have read the program before it was asked for once more
    native.process_kill(child, "SIGHUP")
  end
  task.stop()
  say(("%s: process %d serves, and %d ends"):format(why, pid, native.pid()))
  return true
end

---@async
local function hand_over(why)
  local child, stream = start()
  if not child then
    say("no new process can be started (" .. stream .. "): this one goes on")
    return false
  end
  local ok, done = pcall(await, child, stream, why)
  if not ok then
    stream:close()
    if not successor then
      native.process_kill(child, "SIGKILL")
    end
    error(done, 0)
  end
  return done
end

-- What goes wrong in this process, as it has no memory left, keeps it from no further attempt.
local function go_on(err)
  say(("no new process can be started (%s): this one goes on"):format(show.text(err)))
end

---@async
local function try(why)
  local ok, done = pcall(hand_over, why)
  if not ok then
    go_on(done)
  end
  return ok and done
end

---Begins to hand over, unless that is under way: then it is done once more if it fails.
---@param why string? why, as it is said
function M.begin(why)
  if successor then -- it came just before signals were passed on
    native.process_kill(successor, "SIGHUP")
    return
  elseif under_way then
    again = true
    return
  end
  under_way = task.spawn_daemon(function()
    local loaded, scope = pcall(require, "momo.internal.scope")
    if not loaded then
      under_way = nil
      return go_on(scope)
    end
    local ok, err = pcall(scope.shield, function()
      repeat
        again = false
      until try(why or "SIGHUP") or not again
    end)
    under_way = nil
    if not ok then
      error(err, 0)
    end
  end)
  under_way:set_name "momo: succession"
end

---Whether another process serves in place of this one.
function M.is_over()
  return successor ~= nil
end

---Says that this process serves, once it does. To be called as its main chunk begins.
function M.announce()
  if not ready then
    return
  end
  local announcer = task.spawn_daemon(function()
    local begin = time.now()
    repeat
      time.sleep(LOOK)
    until native.succession_unclaimed() == 0 or time.now() - begin > CLAIMS
    native.succession_ready(ready, leader)
    ready = nil
  end)
  announcer:set_name "momo: succession"
end

return M
