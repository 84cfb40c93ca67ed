-- Momo's Lua modules, which the library has embedded as bytecode.

local support = require "spec.support"

local SOURCE, MOMO = assert(os.getenv "MOMO_SOURCE_DIR"), assert(os.getenv "MOMO_BIN")

local function run(path, code)
  return { support.shell(("LUA_PATH='%s' exec %s -e %s"):format(path, support.quote(MOMO), support.quote(code))) }
end

describe("an embedded module", function()
  it("is there for each file, as it stands in the source, and shows its file", function()
    local _, found = support.shell("cd " .. support.quote(SOURCE .. "/lua") .. " && find momo -name '*.lua' | sort")
    local n = 0
    for path in found:gmatch "[^\n]+" do
      local name = path:gsub("%.lua$", ""):gsub("/", ".")
      local _, chunk = debug.getupvalue(assert(package.loaders[2](name), name), 1)
      local embedded = debug.getinfo(chunk, "SL")
      local source = debug.getinfo(assert(loadfile(SOURCE .. "/lua/" .. path)), "SL")
      assert.equal(source.source, embedded.source)
      assert.same(source.activelines, embedded.activelines, name)
      n = n + 1
    end
    assert.is_true(n > 50)
  end)

  it("needs no file, and is then shown by its name", function()
    assert.same({ 0, "@momo/time.lua\n", "" },
      run("/nowhere/?.lua", [[print(debug.getinfo(require("momo.time").sleep, "S").source)]]))
  end)

  it("is no other program's: a module that is not Momo's is looked for in its file", function()
    local _, _, errors = unpack(run("/nowhere/?.lua", [[require "momo.nothing"]]))
    assert.matches("module 'momo.nothing' not found", errors, 1, true)
    assert.matches("no file '/nowhere/momo/nothing.lua'", errors, 1, true)
  end)

  it("does not stand before what a program has put into package.preload", function()
    assert.same({ 0, "mine\n", "" },
      run("/nowhere/?.lua", [[package.preload["momo.http"] = function() return "mine" end print(require "momo.http")]]))
  end)
end)
