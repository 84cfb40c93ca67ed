---momo --watch: a change of the program's file, or of one that it has required, begins a succession. So does one of a
---file that it would have required if that was right.

local each = require "momo.internal.each"
local fs = require "momo.fs"
local succession = require "momo.command.succession"
local task = require "momo.internal.task"

local QUIET = 0.1 -- seconds without a further change: who saves several files has done so
local ANEW = 1    -- seconds after which modules that were required meanwhile are watched as well

local M = {}

---Where a module of the program's is; nil: it is none.
local function path_of(name)
  if type(name) == "string" and name ~= "momo" and name:sub(1, 5) ~= "momo." then
    return (package.searchpath(name, package.path))
  end
end

---Adds a file, and those of the modules that its text requires: whether they could be loaded or not.
local function add_by_text(files, path)
  if files[path] then
    return
  end
  files[path] = true
  local file = io.open(path, "rb")
  local text = file and file:read "*a" or ""
  if file then
    file:close()
  end
  for name in text:gmatch "require%s*%(?%s*[\"']([^\"'\n]+)[\"']" do
    local other = path_of(name)
    if other then
      add_by_text(files, other)
    end
  end
end

---Adds those of the modules that the program has loaded.
local function add_loaded(files)
  for name in each(package.loaded) do
    local path = path_of(name)
    if path then
      files[path] = true
    end
  end
end

local function folder_of(path)
  return path:match "^(.*)/[^/]*$" or "."
end

---Watches the folders of files, since a file that is saved may be another one of the same name. What has changed before
---a folder was watched is found by its time.
local function watch_folders(files, watchers, begin, changed)
  local added = {}
  for path in each(files) do
    local folder = folder_of(path)
    if not watchers[folder] then
      local watcher, err = fs.watch(folder == "" and "/" or folder)
      if not watcher then
        io.stderr:write("momo: changes in ", folder, " are not seen: ", err, "\n")
      end
      watchers[folder] = watcher or true
      added[folder] = true
      if watcher then
        task.spawn_daemon(function()
          local event = watcher:recv()
          while event do
            changed(folder, event.path)
            event = watcher:recv()
          end
        end):set_name "momo: watch"
      end
    end
  end
  for path in each(files) do
    local status = added[folder_of(path)] and fs.stat(path)
    if status and status.mtime >= begin then
      changed(folder_of(path), path)
    end
  end
end

---Looks after the program until another process serves in its place. Keeps the process running, also when the program
---has ended or failed.
---@async
---@param file string
---@param begin number when the program began, in seconds of `momo.time.wall`
function M.run(file, begin)
  local watchers, files, last = {}, {}, nil
  local notify = require("momo.sync").Notify()
  local function changed(folder, path)
    local name = path and path:match "[^/]*$"
    for each_path in each(files) do
      if not name or (folder_of(each_path) == folder and each_path:match "[^/]*$" == name) then
        last = each_path
        notify:notify_one()
        return
      end
    end
  end
  add_by_text(files, file)
  while not succession.is_over() do
    add_loaded(files)
    watch_folders(files, watchers, begin, changed)
    if notify:notified(ANEW) then
      while notify:notified(QUIET) do end
      succession.begin(last .. " has changed")
      files = {}
      add_by_text(files, file)
    end
  end
end

return M
