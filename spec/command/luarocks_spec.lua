-- `luarocks make`, into a tree of its own; what it installs is used from another folder.

local support = require "spec.support"

local SOURCE, quote, run = assert(os.getenv "MOMO_SOURCE_DIR"), support.quote, support.succeed

-- What a page tells its reader to have in the shell, so that the tree is used.
local function use_lines(page)
  local file = assert(io.open(SOURCE .. "/" .. page))
  local lines = file:read("*a"):match "\n(eval [^\n]* path%)[^\n]*\nexport [^\n]*\n)"
  file:close()
  return (lines:gsub(" *#[^\n]*", ""))
end

describe("luarocks make", function()
  if (os.getenv "MOMO_SANITIZE" or "") ~= "" then
    return pending "it installs what users get: Release"
  end
  if support.shell "command -v luarocks" ~= 0 then
    return pending "luarocks is not installed"
  end

  local top, use -- a folder with a copy of the source and the tree; the shell's line that uses the tree

  setup(function()
    top = run("mktemp -d"):match "^[^\n]+"
    run(("mkdir %s/source && tar -C %s --exclude=./build --exclude=./build.luarocks --exclude=./.git -c . "
      .. "| tar -x -C %s/source"):format(top, quote(SOURCE), top))
    -- What the tests have in their environment would hide what is missing in the tree.
    local fresh = "unset LUA_PATH LUA_CPATH MOMO_BIN; cd " .. top .. "/source; "
    run(fresh .. "luarocks --lua-version 5.1 --tree ../tree make")
    use = fresh .. use_lines("README.md"):gsub("~/momo", top .. "/tree") .. "cd /; "
  end)

  teardown(function()
    if top then
      os.execute("rm -rf " .. quote(top))
    end
  end)

  it("builds Release", function()
    assert.matches("CMAKE_BUILD_TYPE:%w+=Release\n", run("cat " .. top .. "/source/build.luarocks/CMakeCache.txt"))
  end)

  it("installs what require finds under luajit", function()
    assert.equal(require("momo")._VERSION .. "\n", run(use .. [[exec luajit -e 'print(require("momo")._VERSION)']]))
  end)

  it("leaves LuaJIT's own modules reachable, by the lines that the pages tell", function()
    assert.equal(use_lines "README.md", use_lines "docs/guide/deploying.md")
    run(use .. [[exec luajit -jv -e 'for i = 1, 100 do end']])
    assert.equal("function\n", run(use .. [[exec momo -e 'print(type(require("jit.dump").on))']]))
  end)

  it("installs every module", function()
    local installed = run("cd " .. top .. "/tree/share/lua/5.1 && find . -name '*.lua' | sort")
    assert.equal(run("cd " .. quote(SOURCE) .. "/lua && find . -name '*.lua' | sort"), installed)
  end)

  it("installs the momo command, which serves", function()
    local program = support.tmpfile [[
      local momo = require "momo"
      local listener = assert(momo.net.TcpListener.bind "127.0.0.1:0")
      assert(momo.thread.spawn(function(address)
        local there = require "momo"
        assert(assert(there.net.TcpStream.connect(address)):write "a thread")
      end, listener:local_addr()))
      print("served " .. listener:accept():read(), ...)
    ]]
    assert.equal("served a thread\tx\n", run(use .. "exec momo " .. program .. " x"))
    assert.equal(top .. "/tree/bin/momo\n", run(use .. "command -v momo"))
  end)

  it("installs a command that finds its own tree, wherever it is called", function()
    assert.equal("function\n", run("unset LUA_PATH LUA_CPATH; cd /; exec " .. top
      .. [[/tree/bin/momo -e 'print(type(require("momo").spawn))']]))
  end)

  it("installs the manual page where man looks", function()
    assert.equal(run("cat " .. quote(SOURCE) .. "/docs/man/momo.1"),
      run("cat " .. top .. "/tree/share/man/man1/momo.1"))
  end)

  it("installs the examples beside it", function()
    assert.equal(run("ls " .. quote(SOURCE) .. "/examples"),
      run("ls " .. top .. "/tree/lib/luarocks/rocks-5.1/momo/*/examples"))
  end)

  it("makes what luarocks pack packs, and an empty tree installs", function()
    run(("cd %s && luarocks --lua-version 5.1 --tree tree pack momo && unset LUA_PATH LUA_CPATH && "
      .. "luarocks --lua-version 5.1 --tree other install momo-*.rock"):format(top))
    assert.equal("function\n", run("unset LUA_PATH LUA_CPATH; cd /; exec " .. top
      .. [[/other/bin/momo -e 'print(type(require("momo").spawn))']]))
  end)

  it("tells PUC Lua that LuaJIT is needed", function()
    if support.shell "command -v lua5.1" ~= 0 then
      return pending "lua5.1 is not installed"
    end
    local status, _, stderr = support.shell(use .. [[exec lua5.1 -e 'require "momo"']])
    assert.equal(1, status)
    assert.matches("momo needs LuaJIT, and this is Lua 5.1: run it with luajit or the momo command", stderr, 1, true)
  end)
end)

describe("the rockspecs", function()
  local function load_rockspec(name)
    local rockspec = {}
    setfenv(assert(loadfile(SOURCE .. "/rockspec/momo-" .. name .. ".rockspec")), rockspec)()
    return rockspec
  end

  it("build the same, whichever version", function()
    local version = require("momo")._VERSION:match "^momo (.*)$"
    local scm, released = load_rockspec "scm-1", load_rockspec(version .. "-1")
    assert.equal(version .. "-1", released.version)
    assert.equal("v" .. version, released.source.tag)
    scm.version, scm.source, released.version, released.source = nil, nil, nil, nil
    assert.same(scm, released)
  end)
end)
