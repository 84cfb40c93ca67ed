---Changes of files and folders, as they happen.

local check = require "momo.internal.check"
local each = require "momo.internal.each"
local names = require "momo.internal.names"
local native = require("momo.internal.core").native
local waitable = require "momo.internal.waitable"

---What happened: `kind` and `path`. "create" and "remove" are of names in a folder that is watched (a rename is both),
---"modify" and "attributes" of what is watched or lies in it, "gone" of what is watched itself: it was removed or
---moved, and is not watched any more. "overflow": changes came faster than they were taken, and some are not told;
---look anew.
---@class momo.FileEvent
---@field kind "create"|"remove"|"modify"|"attributes"|"gone"|"overflow"
---@field path string? none of an overflow
---@field directory boolean whether it is a folder

---Tells of changes. `select` waits for the next one.
---@class momo.Watcher
local Watcher = { __name = "momo.Watcher" }
Watcher.__index = Watcher
names.objects(Watcher, "watcher", "local event = watcher:recv()")

local M = {}

-- Watches a path, and with `recursive` the folders in it. told: what lies there already is told as created.
local function add(self, path, told)
  local number, err, code = native.notify_add(self.raw, path)
  if not number then
    return nil, err .. ": " .. path, code
  end
  self.paths[number] = path
  if self.recursive then
    for name, kind in require("momo.fs").list(path) or function() end do
      local here = path .. "/" .. name
      if told then
        self.events[#self.events + 1] = { kind = "create", path = here, directory = kind == "directory" }
      end
      if kind == "directory" then
        add(self, here, told)
      end
    end
  end
  return true
end

---Watches a file, or a folder and the names in it.
---
---Codes: ENOENT; EACCES; ENOSPC too many are watched (fs.inotify.max_user_watches); EMFILE.
---@async
---@param path string
---@param options { recursive: boolean? }? recursive: also all folders within, those that are made later, too
---@return momo.Watcher? watcher
---@return string? err
---@return string? code
function M.watch(path, options)
  check.argument(check.is_text(path) and path ~= "", "watch: argument 1 must be a path without zero bytes", path)
  check.argument(options == nil or type(options) == "table", "watch: options must be a table", options)
  for key in each(options or {}) do
    if key ~= "recursive" then
      check.fail(("watch: there is no option %s"):format(check.show(key)))
    end
  end
  local raw, err, code = native.notify_open()
  if not raw then
    return nil, err, code
  end
  local recursive = options and options.recursive
  local self = setmetatable({ raw = raw, recursive = recursive, paths = {}, events = {}, first = 1 }, Watcher)
  local ok
  ok, err, code = add(self, path == "/" and path or (path:gsub("/+$", "")), false)
  if not ok then
    native.notify_close(raw)
    return nil, err, code
  end
  return self
end

-- Takes what the system has told. Suspends only where new folders are to be watched.
local function take(self)
  local list, n, more, err, code = {}, 0
  repeat
    more, err, code = native.notify_read(self.raw, list, n)
    n = more or n
  until not more
  for i = 1, n, 4 do
    local number, kind, name, directory = list[i], list[i + 1], list[i + 2], list[i + 3]
    local path = self.paths[number]
    if kind == "ignored" then
      self.paths[number] = nil
    elseif kind == "overflow" then
      self.events[#self.events + 1] = { kind = kind, directory = false }
    elseif path then
      local here = name and path .. "/" .. name or path
      self.events[#self.events + 1] = { kind = kind, path = here, directory = directory }
      if self.recursive and kind == "create" and directory then
        add(self, here, true)
      end
    end
  end
  return n > 0, err, code
end

local function pop(self)
  local event = self.events[self.first]
  if event then
    self.events[self.first] = nil
    self.first = self.first + 1
    if not self.events[self.first] then
      self.events, self.first = {}, 1
    end
  end
  return event
end

---The next change.
---
---Codes: ETIMEDOUT; EBADF it is closed.
---@async
---@param timeout number? seconds; 0 only looks
---@return momo.FileEvent? event
---@return string? err
---@return string? code
function Watcher:recv(timeout)
  check.self(self, Watcher, "watcher", "recv")
  check.seconds(timeout, "recv")
  native.check_cancelled()
  local deadline = timeout and require("momo.time").now() + timeout
  while true do
    local event = pop(self)
    if event then
      return event
    end
    local some, err, code = take(self)
    if not some then
      if code ~= "EAGAIN" then
        return nil, err, code
      end
      local left = deadline and math.max(0, deadline - require("momo.time").now())
      local again, failure, failure_code
      repeat again, failure, failure_code = native.park(self.raw, left) until not again
      if failure then
        return nil, failure, failure_code
      end
    end
  end
end

---Ends it. Who waits for it gets EBADF.
function Watcher:close()
  check.self(self, Watcher, "watcher", "close")
  native.notify_close(self.raw)
end

waitable[Watcher] = {
  is_ready = function(self)
    if self.events[self.first] then
      return true
    end
    local some, _, code = take(self)
    return some or code ~= "EAGAIN"
  end,
  consume = function(self) return self:recv(0) end,
  waiters = function(self) return self.raw, self end,
  woken = function(self) return self:recv(0) end,
}

return M
