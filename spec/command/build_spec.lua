---How Momo is built where somebody else says how: flags, folders of libraries, folders to install into. Nothing is
---compiled here: what would be is looked at.

local support = require "spec.support"

local SOURCE, quote, run = assert(os.getenv "MOMO_SOURCE_DIR"), support.quote, support.succeed

describe("the build", function()
  local top = run("mktemp -d"):match "^[^\n]+"

  teardown(function() os.execute("rm -rf " .. quote(top)) end)

  -- The commands that compile and link, of a folder that was made with these variables and definitions.
  local function commands(name, environment, definitions)
    run(("%s cmake -S %s -B %s/%s -G Ninja %s"):format(environment, quote(SOURCE), top, name, definitions))
    return run(("ninja -C %s/%s -t commands native momo"):format(top, name))
  end

  -- Fails unless each compilation has the word.
  local function assert_each(text, word)
    local n = 0
    for line in text:gmatch "[^\n]+" do
      if line:find " -c " then
        n = n + 1
        assert(line:find(" " .. word .. " ", 1, true), line)
      end
    end
    assert(n > 50)
  end

  it("takes a distribution's flags, and adds no -O of its own where it may not", function()
    local text = commands("flags", "CFLAGS='-O1 -DMINE' LDFLAGS=-Wl,-z,now", "-DCMAKE_BUILD_TYPE=None")
    assert_each(text, "-O1 -DMINE")
    assert.is_nil(text:find("-O2", 1, true))
    assert(text:find(" -Wl,-z,now ", 1, true))
    text = commands("release", "CFLAGS='-O1 -DMINE'", "")
    assert_each(text, "-O1 -DMINE -O2 -g -DNDEBUG")
  end)

  it("finds its libraries where luarocks says, or else by pkg-config", function()
    local libdir = run("pkg-config --variable=libdir libuv"):match "^[^\n]+"
    local headers = run("pkg-config --variable=includedir luajit"):match "^[^\n]+"
    run(("mkdir -p %s/uv/include %s/uv/lib %s/lua && cd %s && ln -s /usr/include/uv /usr/include/uv.h uv/include && "
      .. "ln -s %s/libuv.so uv/lib && ln -s %s/* lua"):format(top, top, top, top, libdir, headers))
    local text = commands("given", "", ("-DUV_INCDIR=%s/uv/include -DUV_LIBDIR=%s/uv/lib -DLUA_INCDIR=%s/lua "
      .. "-DLUA_LIBDIR=%s"):format(top, top, top, libdir))
    assert(text:find(" -isystem " .. top .. "/uv/include ", 1, true))
    assert(text:find(top .. "/uv/lib/libuv.so", 1, true))
    assert(text:find(" -isystem " .. top .. "/lua ", 1, true))
    text = commands("found", "", "-DUV_INCDIR=/nowhere -DUV_LIBDIR=/nowhere -DLUA_INCDIR=/nowhere")
    assert.is_nil(text:find("/nowhere", 1, true))
    assert(text:find("libuv.so", 1, true) or text:find("-luv", 1, true))
  end)

  it("has its version in one place, of which the list of changes tells", function()
    local version = require("momo")._VERSION:match "^momo (.*)$"
    assert.matches("\n## %[" .. version:gsub("%.", "%%.") .. "%] %- ", run("cat " .. quote(SOURCE .. "/CHANGELOG.md")))
  end)
end)
