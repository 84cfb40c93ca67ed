---What the tools read: files, and what commands print.

local M = {}

---@param path string
---@return string? text nil: there is no such file
---@return string? err
function M.read(path)
  local file, err = io.open(path, "rb")
  if not file then
    return nil, err
  end
  local text = file:read "*a"
  file:close()
  return text
end

---@param command string
---@return string text
function M.output_of(command)
  local pipe = assert(io.popen(command))
  local text = pipe:read "*a"
  pipe:close()
  return text
end

return M
