---Files and folders. Nothing here holds the thread up: what may wait for a disk runs on a pool of four threads of its
---own, and what is surely in memory is taken at once. A call that is given up goes on, where it has begun.

local files = require "momo.fs.file"
local calls = require "momo.fs.call"
local check = require "momo.internal.check"
local names = require "momo.internal.names"
local native = require("momo.internal.core").native
local paths = require "momo.fs.path"
local scopes = require "momo.internal.scope"

local call = calls.call
local check_path, check_mode = paths.check_path, paths.check_mode
local flags = native.fs_flags()
local LIMIT = 1024 * 1024 * 1024

local M = {
  watch = require("momo.fs.watch").watch,
  stat = paths.stat,
  lstat = paths.lstat,
  exists = paths.exists,
  list = paths.list,
  walk = paths.walk,
  mkdir = paths.mkdir,
  remove = paths.remove,
  rename = paths.rename,
  copy = paths.copy,
  link = paths.link,
  symlink = paths.symlink,
  readlink = paths.readlink,
  realpath = paths.realpath,
  chmod = paths.chmod,
  utimes = paths.utimes,
}

local function bits(list)
  local sum = 0
  for _, name in ipairs(list) do
    sum = sum + flags[name]
  end
  return sum
end

local MODES = {
  r = bits { "RDONLY", "NOCTTY" },
  ["r+"] = bits { "RDWR", "NOCTTY" },
  w = bits { "WRONLY", "CREAT", "TRUNC", "NOCTTY" },
  ["w+"] = bits { "RDWR", "CREAT", "TRUNC", "NOCTTY" },
  a = bits { "WRONLY", "CREAT", "APPEND", "NOCTTY" },
  ["a+"] = bits { "RDWR", "CREAT", "APPEND", "NOCTTY" },
  wx = bits { "WRONLY", "CREAT", "EXCL", "NOCTTY" },
  ["w+x"] = bits { "RDWR", "CREAT", "EXCL", "NOCTTY" },
}

local function mode_of(mode, name)
  mode = mode or "r"
  local value = type(mode) == "string" and MODES[(mode:gsub("b", ""))]
  check.argument(value, name .. ": mode must be \"r\", \"w\", \"a\", each with + or not, \"wx\" or \"w+x\"", mode)
  return value, mode:find("a", 1, true) ~= nil
end

---Opens a file.
---
---Codes: ENOENT; EACCES; EISDIR; EEXIST with x; ENOTDIR; ELOOP; EMFILE; ENOSPC; ENAMETOOLONG; ENOBUFS too many
---calls wait.
---@async
---@param path string
---@param mode string? as io.open's: r; with x, the file must be new
---@param permissions integer? of a new one, less the umask; tonumber("666", 8)
---@return momo.File? file
---@return string? err
---@return string? code
function M.open(path, mode, permissions)
  check_path(path, "open")
  check_mode(permissions, "open")
  local value, appends = mode_of(mode, "open")
  local raw, err, code = call("open", path, nil, nil, 0, value, permissions or 438)
  if not raw then
    return nil, err, code
  end
  return files.new(raw, path, appends)
end

---Opens a file beneath a folder: neither dots nor links on the way lead out of it.
---
---Codes: EXDEV it lies elsewhere; those of open.
---@async
---@param root string
---@param path string relative to it
---@param mode string? as open's
---@param permissions integer?
---@return momo.File? file
---@return string? err
---@return string? code
function M.beneath(root, path, mode, permissions)
  check_path(root, "beneath")
  check_path(path, "beneath", 2)
  check_mode(permissions, "beneath")
  local value, appends = mode_of(mode, "beneath")
  local raw, err, code = call("beneath", root, path, nil, 0, value, permissions or 438)
  if code == "EXDEV" then
    return nil, ("EXDEV: %s leads out of %s"):format(path, root), code
  elseif not raw then
    return nil, err, code
  end
  return files.new(raw, path, appends)
end

---All of a file.
---
---Codes: EMSGSIZE it has more than `max` bytes; those of open; EIO.
---@async
---@param path string
---@param max integer? bytes; 1 GiB
---@return string? bytes
---@return string? err
---@return string? code
function M.read(path, max)
  check_path(path, "read")
  check.argument(max == nil or (check.is_whole(max) and max >= 0), "read: max must be a whole number of bytes", max)
  return call("load", path, nil, nil, max or LIMIT)
end

---Replaces a file, or makes it: whoever reads it meanwhile, or after a crash, has the old one or the new one, whole. It
---keeps its permissions and, if we may, its owner. A link stays; what it leads to is replaced.
---
---Codes: ENOSPC; EDQUOT; EACCES also where no file may be made beside it; ENOENT; EISDIR; EIO.
---@async
---@param path string
---@param data string
---@return integer? bytes
---@return string? err
---@return string? code
function M.write(path, data)
  check_path(path, "write")
  check.argument(type(data) == "string", "write: argument 2 must be a string", data)
  return call("store", path, nil, data, 0, 0, 438)
end

---Adds to the end of a file, which is made if it is not there.
---
---Codes: those of write.
---@async
---@param path string
---@param data string
---@return integer? bytes
---@return string? err
---@return string? code
function M.append(path, data)
  check_path(path, "append")
  check.argument(type(data) == "string", "append: argument 2 must be a string", data)
  return call("append", path, nil, data, 0, 0, 438)
end

local function template(prefix, name)
  check.argument(prefix == nil or check.is_text(prefix), name .. ": the prefix must be a string", prefix)
  prefix = prefix or "momo-"
  return (prefix:find("/", 1, true) and prefix or (os.getenv "TMPDIR" or "/tmp") .. "/" .. prefix) .. "XXXXXX"
end

---A new file, open for reading and writing, that only its owner may open; `file.path` is its name. Remove it in the
---end.
---
---Codes: EACCES; ENOSPC; EMFILE.
---@async
---@param prefix string? of its name, in TMPDIR or /tmp, or with a folder
---@return momo.File? file
---@return string? err
---@return string? code
function M.tempfile(prefix)
  local raw, path, code = call("tempfile", template(prefix, "tempfile"), nil, nil, 0, 0)
  if not raw then
    return nil, path, code
  end
  return files.new(raw, path, false)
end

---A new folder that only its owner may use. Remove it in the end.
---
---Codes: EACCES; ENOSPC.
---@async
---@param prefix string? of its name, in TMPDIR or /tmp, or with a folder
---@return string? path
---@return string? err
---@return string? code
function M.tempdir(prefix)
  return call("tempdir", template(prefix, "tempdir"), nil, nil, 0, 1)
end

-- true: the lock is ours; or nil, err, code.
---@async
local function take_lock(file)
  local pause = 0.001
  while true do
    local ok, err, code = calls.call_file("lock", file, nil, 0, flags.LOCK_EX + flags.LOCK_NB)
    if ok or code ~= "EBUSY" then
      return ok, err, code
    end
    require("momo.time").sleep(pause) -- a lock that is waited for in the system would hold one of the pool's threads
    pause = math.min(2 * pause, 0.05)
  end
end

-- The file, which is closed if the lock is not taken.
---@async
local function keep_lock(file)
  local ok, taken, err, code = xpcall(take_lock, native.traceback_capture, file)
  if ok and taken then
    return file
  end
  file:close()
  if not ok then
    native.rethrow(taken)
  end
  return nil, err, code
end

---Calls fn while we have the lock of a file (flock), which is made if it is not there: of several processes and tasks
---that ask, one at a time. It is given back however fn ends, and when the process does. Without fn, the file is
---returned, and the lock is ours until that is closed.
---
---Codes: those of open.
---@async
---@param path string
---@param fn (fun(...): ...)? may suspend
---@param ... any its arguments
---@return any ... what fn returns, or the file
---@return string? err
---@return string? code
function M.lock(path, fn, ...)
  check_path(path, "lock")
  check.argument(fn == nil or type(fn) == "function", "lock: argument 2 must be a function", fn)
  local file, err, code = M.open(path, "a+")
  if not file then
    return nil, err, code
  elseif not fn then
    return keep_lock(file)
  end
  local arguments, n = { ... }, select("#", ...)
  return scopes.scope(function(held)
    held:defer(file.close, file)
    local ok, failure, failure_code = take_lock(file)
    if not ok then
      return nil, failure, failure_code
    end
    return fn(unpack(arguments, 1, n))
  end)
end

return names.module(M, "momo.fs")
