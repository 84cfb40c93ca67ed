---What lies at a path, and what becomes of it.

local calls = require "momo.fs.call"
local check = require "momo.internal.check"
local each = require "momo.internal.each"

local call = calls.call

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
  return calls.status(path, 0)
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
  return calls.status(path, 1)
end

---Whether stat finds something there. What can't be looked at does not count.
---@async
---@param path string
---@return boolean exists
function M.exists(path)
  check_path(path, "exists")
  return calls.status(path, 0) ~= nil
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
    for key in each(options) do
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

---Gives a file or folder another name; what has that name is replaced.
---
---Codes: ENOENT; EXDEV another file system; ENOTEMPTY; EACCES.
---@async
---@param from string
---@param to string
---@return true? ok
---@return string? err
---@return string? code
function M.rename(from, to)
  check_path(from, "rename")
  check_path(to, "rename", 2)
  return call("rename", from, to)
end

---Copies a file, with its permissions; in the system where it can. A new file that was not copied whole is removed.
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

---Where a symbolic link leads.
---
---Codes: EINVAL it is no link; ENOENT.
---@async
---@param path string
---@return string? target
---@return string? err
---@return string? code
function M.readlink(path)
  check_path(path, "readlink")
  return call("readlink", path)
end

---The path from the root, without links and dots.
---
---Codes: ENOENT; EACCES; ELOOP.
---@async
---@param path string
---@return string? real
---@return string? err
---@return string? code
function M.realpath(path)
  check_path(path, "realpath")
  return call("realpath", path)
end

---Sets the permissions.
---
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
  local times = { [2] = atime, [3] = mtime }
  for i = 2, 3 do
    local value = times[i]
    check.argument(type(value) == "number" and math.abs(value) < 2 ^ 53,
      ("utimes: argument %d must be seconds since 1970"):format(i), value)
  end
  return call("utimes", path, nil, nil, 0, 0, 0, atime, mtime)
end

M.check_path, M.check_mode = check_path, check_mode

return M
