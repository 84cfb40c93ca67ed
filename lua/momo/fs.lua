---Files and folders. Nothing here holds the thread up: what may wait for a disk runs on a pool of four threads of its own,
---and what is surely in memory is taken at once. A call that is given up goes on, where it has begun.

local File = require "momo.fs.file"
local calls = require "momo.fs.call"
local check = require "momo.internal.check"
local names = require "momo.internal.names"
local native = require("momo.internal.core").native
local scopes = require "momo.internal.scope"

local call = calls.call
local flags = native.fs_flags()
local LIMIT = 1024 * 1024 * 1024

local M = {}

---@class momo.FileStatus
---@field kind "file"|"directory"|"link"|"fifo"|"socket"|"character"|"block"
---@field size integer bytes
---@field mode integer permissions: tonumber("644", 8)
---@field uid integer
---@field gid integer
---@field dev integer
---@field ino integer
---@field nlink integer
---@field blocks integer of 512 bytes
---@field atime number seconds since 1970
---@field mtime number
---@field ctime number

local function check_path(value, name, argument)
  check.argument(check.is_text(value) and value ~= "",
    ("%s: argument %d must be a path without zero bytes"):format(name, argument or 1), value)
end

local function check_mode(value, name)
  check.argument(value == nil or (check.is_whole(value) and value >= 0 and value <= 4095),
    name .. ": permissions must be a whole number from 0 to 4095, such as tonumber(\"644\", 8)", value)
end

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
---Codes: ENOENT; EACCES; EISDIR; EEXIST with x; ENOTDIR; ELOOP; EMFILE; ENOSPC; ENAMETOOLONG; ENOBUFS too many calls wait.
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
  return File.new(raw, path, appends)
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
  if not raw then
    return nil, err, code
  end
  return File.new(raw, path, appends)
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

---What lies at a path; of a link, what it leads to.
---
---Codes: ENOENT; EACCES; ENOTDIR; ELOOP.
---@async
---@param path string
---@return momo.FileStatus? status
---@return string? err
---@return string? code
function M.stat(path)
  check_path(path, "stat")
  return call("stat", path, nil, nil, 0, 0)
end

---As stat, but of a link, the link itself.
---
---Codes: those of stat.
---@async
---@param path string
---@return momo.FileStatus? status
---@return string? err
---@return string? code
function M.lstat(path)
  check_path(path, "lstat")
  return call("stat", path, nil, nil, 0, 1)
end

---Whether stat finds something there. What can't be looked at does not count.
---@async
---@param path string
---@return boolean exists
function M.exists(path)
  check_path(path, "exists")
  return call("stat", path, nil, nil, 0, 0) ~= nil
end

local KINDS = { f = "file", d = "directory", l = "link", p = "fifo", s = "socket", c = "character", b = "block" }

---Iterates over the names in a folder, in no order.
---
---Codes: ENOENT; ENOTDIR; EACCES.
---@async
---@param path string
---@return (fun(): string?, string?)? next gives a name, and what it is, as FileStatus.kind; nil at the end
---@return string? err
---@return string? code
function M.list(path)
  check_path(path, "list")
  local bytes, err, code = call("list", path)
  if not bytes then
    return nil, err, code
  end
  local entries = bytes:gmatch "(.)(%Z+)%z"
  return function()
    local kind, name = entries()
    return name, kind and KINDS[kind]
  end
end

---Iterates over all that lies in a folder and in those within it: each folder before what is in it. Links are not
---followed; folders that can't be read are left out.
---
---Codes: those of list, of the first folder.
---@async
---@param path string
---@return (fun(): string?, string?)? next gives a path that begins with the folder's, and what it is
---@return string? err
---@return string? code
function M.walk(path)
  check_path(path, "walk")
  local first, err, code = M.list(path)
  if not first then
    return nil, err, code
  end
  local open, paths = { first }, { path:gsub("/+$", "") .. "/" }
  return function()
    while open[1] do
      local depth = #open
      local name, kind = open[depth]()
      if not name then
        open[depth], paths[depth] = nil, nil
      else
        local here = paths[depth] .. name
        local within = kind == "directory" and M.list(here)
        if within then
          open[depth + 1], paths[depth + 1] = within, here .. "/"
        end
        return here, kind
      end
    end
  end
end

local function check_options(options, name, allowed)
  if options ~= nil then
    check.argument(type(options) == "table", name .. ": options must be a table", options)
    for key in pairs(options) do
      if not allowed[key] then
        check.fail(("%s: there is no option %s"):format(name, check.show(key)))
      end
    end
  end
  return options or {}
end

---Makes a folder.
---
---Codes: EEXIST, not with `parents` where a folder is there; ENOENT; EACCES; ENOSPC.
---@async
---@param path string
---@param options { parents: boolean?, mode: integer? }? parents: those on the way, too; mode: permissions
---@return true? ok
---@return string? err
---@return string? code
function M.mkdir(path, options)
  check_path(path, "mkdir")
  options = check_options(options, "mkdir", { parents = true, mode = true })
  check_mode(options.mode, "mkdir")
  return call("mkdir", path, nil, nil, 0, options.parents and 1 or 0, options.mode or 511)
end

---Removes a file, a link or an empty folder; with `recursive`, all that is in it, too, and never what links lead to.
---
---Codes: ENOENT; ENOTEMPTY; EACCES; EBUSY.
---@async
---@param path string
---@param options { recursive: boolean? }?
---@return true? ok
---@return string? err
---@return string? code
function M.remove(path, options)
  check_path(path, "remove")
  options = check_options(options, "remove", { recursive = true })
  return call("remove", path, nil, nil, 0, options.recursive and 1 or 0)
end

---@async
---@param from string
---@param to string what is there is replaced
---@return true? ok
---@return string? err
---@return string? code ENOENT; EXDEV another file system; ENOTEMPTY; EACCES
function M.rename(from, to)
  check_path(from, "rename")
  check_path(to, "rename", 2)
  return call("rename", from, to)
end

---Copies a file, with its permissions; in the system where it can.
---
---Codes: ENOENT; EACCES; EISDIR; EINVAL onto itself; ENOSPC.
---@async
---@param from string
---@param to string what is there is overwritten
---@return integer? bytes
---@return string? err
---@return string? code
function M.copy(from, to)
  check_path(from, "copy")
  check_path(to, "copy", 2)
  return call("copy", from, to)
end

---Another name for the same file.
---
---Codes: EEXIST; EXDEV; EPERM.
---@async
---@param target string
---@param path string the new name
---@return true? ok
---@return string? err
---@return string? code
function M.link(target, path)
  check_path(target, "link")
  check_path(path, "link", 2)
  return call("link", target, path, nil, 0, 0)
end

---A symbolic link.
---
---Codes: EEXIST; ENOENT.
---@async
---@param target string where it leads
---@param path string where it is made
---@return true? ok
---@return string? err
---@return string? code
function M.symlink(target, path)
  check_path(target, "symlink")
  check_path(path, "symlink", 2)
  return call("link", target, path, nil, 0, 1)
end

---Codes: EINVAL it is no link; ENOENT.
---@async
---@param path string
---@return string? target where the link leads
---@return string? err
---@return string? code
function M.readlink(path)
  check_path(path, "readlink")
  return call("readlink", path)
end

---Codes: ENOENT; EACCES; ELOOP.
---@async
---@param path string
---@return string? real the path from the root, without links and dots
---@return string? err
---@return string? code
function M.realpath(path)
  check_path(path, "realpath")
  return call("realpath", path)
end

---Codes: ENOENT; EPERM it is another user's.
---@async
---@param path string
---@param permissions integer tonumber("644", 8)
---@return true? ok
---@return string? err
---@return string? code
function M.chmod(path, permissions)
  check_path(path, "chmod")
  check.argument(permissions ~= nil, "chmod: argument 2 must be the permissions", permissions)
  check_mode(permissions, "chmod")
  return call("chmod", path, nil, nil, 0, 0, permissions)
end

---Sets when it was last read and changed.
---
---Codes: ENOENT; EPERM.
---@async
---@param path string
---@param atime number seconds since 1970
---@param mtime number
---@return true? ok
---@return string? err
---@return string? code
function M.utimes(path, atime, mtime)
  check_path(path, "utimes")
  for i, value in ipairs { atime or false, mtime or false } do
    check.argument(type(value) == "number" and math.abs(value) < 2 ^ 53,
      ("utimes: argument %d must be seconds since 1970"):format(i + 1), value)
  end
  return call("utimes", path, nil, nil, 0, 0, 0, atime, mtime)
end

local function template(prefix, name)
  check.argument(prefix == nil or check.is_text(prefix), name .. ": the prefix must be a string", prefix)
  prefix = prefix or "momo-"
  return (prefix:find("/", 1, true) and prefix or (os.getenv "TMPDIR" or "/tmp") .. "/" .. prefix) .. "XXXXXX"
end

---A new file, open for reading and writing, that only its owner may open; `file.path` is its name. Remove it in the end.
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
  return File.new(raw, path, false)
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

---Calls fn while we have the lock of a file (flock), which is made if it is not there: of several processes and tasks that
---ask, one at a time. It is given back however fn ends, and when the process does.
---
---Codes: those of open.
---@async
---@param path string
---@param fn fun(...): ... may suspend
---@param ... any its arguments
---@return any ... what fn returns
function M.lock(path, fn, ...)
  check_path(path, "lock")
  check.argument(type(fn) == "function", "lock: argument 2 must be a function", fn)
  local file, err, code = M.open(path, "a+")
  if not file then
    return nil, err, code
  end
  local arguments, n = { ... }, select("#", ...)
  return scopes.scope(function(held)
    held:defer(file.close, file)
    local pause = 0.001
    while true do
      local ok, failure, failure_code = calls.call_file("lock", file, nil, 0, flags.LOCK_EX + flags.LOCK_NB)
      if ok then
        break
      elseif failure_code ~= "EBUSY" then
        return nil, failure, failure_code
      end
      require("momo.time").sleep(pause) -- a lock that is waited for in the system would hold one of the pool's threads
      pause = math.min(2 * pause, 0.05)
    end
    return fn(unpack(arguments, 1, n))
  end)
end

return names.module(M, "momo.fs")
