---momo -i: lines that are tasks of one executor, which goes on while the next line is typed.

local evaluate = require "momo.command.evaluate"
local task = require "momo.internal.task"

local M = {}

local function write(text)
  io.stdout:write(text)
  io.stdout:flush()
end

---Until the end of the input; then the run is stopped.
---@async
function M.run()
  local read = require("momo.internal.typed").reader()
  local env = evaluate.environment { momo = require "momo" }
  local text = ""
  local line = read "momo> "
  while line do
    text = text .. line .. "\n"
    local chunk, err = evaluate.compile(text)
    local goes_on = not chunk and not err and line ~= ""
    if chunk then
      evaluate.run(chunk, env, write)
    elseif not goes_on then
      io.stderr:write(err or "the text ends too early", "\n")
    end
    text = goes_on and text or ""
    line = read(goes_on and "   .. " or "momo> ")
  end
  task.stop()
end

return M
