local momo = require "momo"

-- Where LuaJIT says that the caller is, and where the task says that it is, without the call that asks.
local function both()
  local mine, theirs = momo.current():traceback(), debug.traceback()
  return mine:gsub("\n[^\n]*in function 'traceback'", "", 1), theirs
end

-- Calls both() under `depth` functions of that name.
local function beneath(depth, name, chunk)
  local code = ([[
    local both, depth = ...
    local mine, theirs
    local function %s(left)
      if left > 1 then
        %s(left - 1)
      else
        mine, theirs = both()
      end
    end
    %s(depth)
    return mine, theirs
  ]]):format(name, name, name)
  return assert(loadstring(code, chunk))(both, depth)
end

describe("the text of a stack", function()
  for _, depth in ipairs { 1, 5, 9, 10, 11, 12, 13, 14, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 100, 4000 } do
    it("is LuaJIT's, of " .. depth .. " functions", function()
      local mine, theirs = momo.run(beneath, depth, "recurses", "=chunk")
      assert.equal(theirs, mine)
    end)
  end

  for _, length in ipairs { 1, 100, 200, 400, 3000, 5000 } do
    it("is LuaJIT's, with names of " .. length .. " bytes", function()
      for _, depth in ipairs { 1, 4, 15 } do
        local mine, theirs = momo.run(beneath, depth, ("f"):rep(length), "=chunk")
        assert.equal(theirs, mine)
      end
    end)
  end

  for name, chunk in pairs { file = "@/some/where/file.lua", long_file = "@" .. ("/where"):rep(100), text = "return 1",
    lines = "local a\nlocal b", empty = "", long_text = ("x"):rep(1000) } do
    it("is LuaJIT's, with the source of a " .. name, function()
      local mine, theirs = momo.run(beneath, 3, "f", chunk)
      assert.equal(theirs, mine)
    end)
  end

  it("names what has no name by its place, and a C function not at all", function()
    momo.run(function()
      local line = debug.getinfo(1, "l").currentline + 1
      local task = momo.spawn(function() return (pcall(function() momo.time.sleep(math.huge) end)) end)
      momo.yield_now()
      local text = task:traceback()
      assert.matches((":%d: in function <[^\n]*stack_text_spec.lua:%d>\n"):format(line, line), text)
      assert.matches("^stack traceback:\n\t%[C%]: in function 'sleep'\n", text)
      local unnamed = momo.spawn(require "momo.native".sleep, math.huge)
      momo.yield_now()
      assert.equal("stack traceback:\n\t[C]: ?", unnamed:traceback())
      task:cancel()
      unnamed:cancel()
    end)
  end)
end)
