---Programs that the harness runs.

local M = {}

---Quotes a word for the shell.
---@param word string
---@return string
function M.quote(word)
  return "'" .. word:gsub("'", "'\\''") .. "'"
end

---What a command prints, and its exit status. One that hangs is killed.
---@param command string
---@param seconds? number the most that it may take, 120 unless told
---@return string output, integer status
function M.run(command, seconds)
  local pipe = assert(io.popen(("timeout %d sh -c %s; echo status $?")
    :format(seconds or 120, M.quote(command))))
  local text, status = pipe:read("*a"):match "^(.*)status (%d+)\n$"
  pipe:close()
  return text, tonumber(status)
end

---What a command prints; a command that fails ends the run.
---@param command string
---@param seconds? number
---@return string
function M.output(command, seconds)
  local text, status = M.run(command, seconds)
  if status ~= 0 then
    io.stderr:write(("bench: status %d of %s\n%s"):format(status, command, text))
    os.exit(1)
  end
  return text
end

---@return boolean # whether it ends with status 0
function M.succeeds(command)
  local _, status = M.run(command .. " >/dev/null 2>&1")
  return status == 0
end

---The first line that a command prints, "" when there is none.
---@return string
function M.line(command)
  return M.run(command .. " 2>/dev/null"):match "[^\n]*"
end

return M
