---What the programs of the test that runs have told on stderr: it is shown if the test fails, whatever it looks at.

local busted = package.loaded.busted -- nil, where no spec runs
local SHOWN, SHOWN_OF_SOUND = 20000, 500 -- bytes of each, at its end
local M = {}
local told = {}

---@param status integer
---@param stderr string
function M.add(status, stderr)
  if stderr ~= "" then
    told[#told + 1] = ("a program of this test, which has ended with %s, on stderr:\n%s\n"):format(tostring(status),
      stderr:sub(status == 0 and -SHOWN_OF_SOUND or -SHOWN))
  end
end

if busted then
  busted.subscribe({ "test", "start" }, function()
    told = {}
    return nil, true
  end)
  busted.subscribe({ "test", "end" }, function(_, _, result)
    if result ~= "success" and result ~= "pending" then
      io.stderr:write(table.concat(told))
    end
    return nil, true
  end)
end

return M
