---What LuaSocket's sockets answer, beside LuaSocket itself: one program runs on both.

local folder = require "spec.support.folder"
local support = require "spec.support"
local tcp = require "spec.support.tcp"

local PROGRAM = os.getenv "MOMO_SOURCE_DIR" .. "/spec/compat/luasocket_oracle.lua"

local RUN = [[
local lines = assert(loadfile(%q))(%q)
for i, line in ipairs(lines) do lines[i] = line:gsub("\\\n", "\\n") end
io.write(table.concat(lines, "\n"))
]]

---@param command string
---@param first string Lua
local function by(command, first)
  local root = folder.make {}
  folder.write(root, "run.lua", first .. RUN:format(PROGRAM, root))
  local pipe = assert(io.popen(("timeout -k 5 120 %s %s 2>&1"):format(command, support.quote(root .. "/run.lua"))))
  local text = pipe:read "*a"
  pipe:close()
  return support.lines(text)
end

describe("momo.compat, luasocket:", function()
  after_each(tcp.check_nothing_left)

  it("answers what LuaSocket answers", function()
    local theirs = by("luajit", "")
    local ours = by(support.quote(os.getenv "MOMO_BIN"), 'require("momo.compat").install "luasocket"\n')
    local different = {}
    for i = 1, math.max(#theirs, #ours) do
      if theirs[i] ~= ours[i] then
        different[#different + 1] = ("LuaSocket: %s\n     momo: %s"):format(theirs[i], ours[i])
      end
    end
    assert(#theirs > 250)
    assert.equal("", table.concat(different, "\n"))
  end)
end)
