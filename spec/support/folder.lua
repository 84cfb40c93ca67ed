---A folder of files for a spec, which goes with the spec's state.

local support = require "spec.support"

local M = {}

local made = {}
M.cleaner = newproxy(true)
getmetatable(M.cleaner).__gc = function()
  for _, path in ipairs(made) do
    os.execute("rm -rf " .. support.quote(path))
  end
end

---@param files table<string, string> content by path
---@return string path of the folder
function M.make(files)
  local path = os.tmpname()
  os.remove(path)
  made[#made + 1] = path
  assert(os.execute("mkdir -p " .. support.quote(path)) == 0)
  for name, content in pairs(files) do
    M.write(path, name, content)
  end
  return path
end

---@param folder string
---@param name string
---@param content string
function M.write(folder, name, content)
  local path = folder .. "/" .. name
  assert(os.execute("mkdir -p " .. support.quote(path:match "^(.*)/")) == 0)
  local file = assert(io.open(path, "wb"))
  assert(file:write(content))
  file:close()
end

---Runs a command line of the shell in the folder.
---@param folder string
---@param command string
function M.shell(folder, command)
  local status, _, stderr = support.shell(("cd %s && %s"):format(support.quote(folder), command))
  assert(status == 0, stderr)
end

return M
