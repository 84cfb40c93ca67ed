---What live tasks do, in words. All of it is read from their coroutines when somebody asks, and costs nothing before:
---the method of Momo's that a task waits in has the object that it waits for as its first local.

local core = require "momo.internal.core"
local show = require "momo.internal.show"
local socket = require "momo.net.socket"

local C, native = core.C, core.native

local OWN = debug.getinfo(1, "S").source:gsub("internal/live%.lua$", "")
local LEVELS_MAX = 20 -- of Momo's own functions between a task and what it waits in
local TEXT_MAX = 80   -- bytes of a text that is shown

local M = {}

local function cut(text)
  return #text > TEXT_MAX and text:sub(1, TEXT_MAX) .. "..." or text
end

local function address(get, self)
  local text = socket.address(get, self)
  return text ~= "" and text or nil
end

local function descriptor(self)
  local fd = C.momo_descriptor(core.executor, self)
  return fd >= 0 and "descriptor " .. fd or "closed"
end

local ENDED = { done = " (which has returned)", cancelled = " (which was cancelled)" }

-- A task that has a lock; one that has ended gives it back no more.
local function holder(task)
  local name, status = native.task_name(task), native.status(task)
  if status == "failed" then
    return ("%s (which has failed: %s)"):format(cut(name), cut(show.text(native.fields(task)[1]):match "[^\n]*"))
  end
  return cut(name) .. (ENDED[status] or "")
end

local function holder_of_lock(owner)
  return debug.getmetatable(owner) == native.metatables.task and holder(owner) or "no task"
end

-- Those that have permits of a semaphore, each once.
local function holders_of_permits(self)
  local texts, seen = {}, {}
  for _, owner in ipairs(self.holders) do
    if not seen[owner] then
      seen[owner] = true
      texts[#texts + 1] = holder_of_lock(owner)
    end
  end
  if self.unlisted > 0 then
    texts[#texts + 1] = "others"
  end
  return texts[1] and ", held by " .. table.concat(texts, ", ") or ""
end

-- What is shown of an object, by its metatable's __name.
local subjects = {
  ["momo.Task"] = native.task_name,
  ["momo.Stream"] = function(self) return address(C.momo_peer_address, self) or descriptor(self) end,
  ["momo.Listener"] = function(self) return address(C.momo_local_address, self) or descriptor(self) end,
  ["momo.net.UdpSocket"] = function(self) return address(C.momo_local_address, self) or descriptor(self) end,
  ["momo.Receiver"] = function(self) return self.from and self.from.name end,
  ["momo.Sender"] = function(self) return self.into and self.into.name end,
  ["momo.Mutex"] = function(self) return "held by " .. holder_of_lock(self.owner) end,
  ["momo.Semaphore"] = function(self)
    return self.permits == 0 and "while no permit is left" .. holders_of_permits(self) or self.permits .. " permits"
  end,
  ["momo.Thread"] = native.thread_name,
  ["momo.Child"] = function(self) return "process " .. self:pid() end,
  ["momo.File"] = function(self) return self.path end,
}

-- Operations on what has a name alone, which is then the first local.
local by_name = { connect = true, resolve = true }

-- Texts whose parts were cut already.
local UNCUT = { ["momo.Mutex"] = true, ["momo.Semaphore"] = true }

local function subject_of(value, operation)
  if type(value) == "string" then
    return by_name[operation] and value
  end
  local metatable = debug.getmetatable(value)
  local name = type(metatable) == "table" and rawget(metatable, "__name")
  local describe = type(name) == "string" and subjects[name]
  local ok, text = pcall(describe or type, value)
  return ok and describe and text and (UNCUT[name] and text or cut(text))
end

---The object that a task waits for, in words, from the functions of Momo's that are innermost in it.
local function find_subject(co, operation)
  for level = 0, LEVELS_MAX do
    local info = debug.getinfo(co, level, "S")
    if not info or info.what ~= "C" and info.source:sub(1, #OWN) ~= OWN then
      return nil
    end
    local _, value = debug.getlocal(co, level, 1)
    local text = info.what ~= "C" and value ~= nil and subject_of(value, operation)
    if text then
      return text:gsub("%c", "?")
    end
  end
end

---What a task waits for: "read 127.0.0.1:5012", "recv jobs", "sleep 3.2 s left", "lock held by task 12"; nil: it does
---not wait.
---@param row table as native.live_tasks gives it
---@return string? operation
function M.operation(row)
  local operation = row.operation
  if not operation then
    return nil
  end
  local subject = find_subject(row.coroutine, operation)
  local text = subject and operation .. " " .. subject or operation
  if row.left then
    text = ("%s%s %.1f s left"):format(text, operation == "sleep" and "" or ",", row.left)
  end
  return text
end

---Where the user's code is in a task.
---@param row table as native.live_tasks gives it
---@return string place "app.lua:12"; "?": it has not begun, or runs a function of Momo's and nothing else
function M.place(row)
  local co, level = row.coroutine, 0
  local info = debug.getinfo(co, level, "Sl")
  while info and (info.currentline <= 0 or info.source:sub(1, #OWN) == OWN) do
    level = level + 1
    info = debug.getinfo(co, level, "Sl")
  end
  if info then
    return info.short_src .. ":" .. info.currentline
  end
  local spawned_at = native.fields(row.task).spawned_at
  return spawned_at and spawned_at .. " (where it was spawned)" or "?"
end

---@class momo.LiveTask
---@field id integer
---@field name string? that `set_name` gave it
---@field parent integer? id of the task in whose scope it is
---@field scope integer? which of its parent's open scopes that is, counted from the outermost, which is 1
---@field status "ready"|"running"|"waiting"
---@field operation string? what it waits for, such as "read 127.0.0.1:5012" or "lock held by task 12"
---@field at string where the user's code is in it, such as "app.lua:12"; "?" before it has begun
---@field since number when it was last resumed, or spawned, in seconds of `momo.time.now`
---@field resumes integer how often it was resumed
---@field ran number? seconds that it ran, while that was measured: see `momo.measure`
---@field spawned_at string? where it was spawned, while that was measured
---@field traceback string

---The live tasks of this thread, in no order that means anything.
---@return momo.LiveTask[] tasks
function M.tasks()
  local rows = native.live_tasks()
  for i, row in ipairs(rows) do
    local task = row.task
    local fields = native.fields(task)
    rows[i] = {
      id = native.id(task),
      name = fields.name,
      parent = row.parent and native.id(row.parent) or nil,
      scope = row.scope,
      status = native.status(task),
      operation = M.operation(row),
      at = M.place(row),
      since = row.since,
      resumes = row.resumes,
      ran = row.ran,
      spawned_at = fields.spawned_at,
      traceback = native.traceback(task),
    }
  end
  return rows
end

return M
