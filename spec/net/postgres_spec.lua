---examples/postgres.lua against the real PostgreSQL: a server of our own, on a Unix socket in a folder of its own.

local support = require "spec.support"

local quote = support.quote
local example = assert(os.getenv "MOMO_SOURCE_DIR") .. "/examples/postgres.lua"

local function sh(command)
  local status, stdout, stderr = support.shell(command)
  assert(status == 0, command .. ": " .. stdout .. stderr)
  return (stdout:gsub("\n$", ""))
end

-- The server refuses to be root; the user of Debian's package is postgres.
local is_root = sh "id -u" == "0"
local as_user = is_root and "runuser -u postgres -- " or ""

describe("examples/postgres.lua", function()
  local folder, bin

  setup(function()
    bin = sh "ls -d /usr/lib/postgresql/*/bin | tail -n 1"
    folder = sh "mktemp -d"
    if is_root then
      sh("chown postgres " .. quote(folder))
    end
    sh(("cd / && %s%s/initdb --no-sync -A trust -U momo -D %s/data"):format(as_user, bin, folder))
    sh(("cd / && %s%s/pg_ctl -w -D %s/data -l %s/log -o \"-k %s -c listen_addresses= -c fsync=off\" start")
      :format(as_user, bin, folder, folder, folder))
  end)

  teardown(function()
    support.shell(("cd / && %s%s/pg_ctl -m immediate -D %s/data stop"):format(as_user, bin, folder))
    sh("rm -rf " .. quote(folder))
  end)

  it("awaits three queries at a time, while a task goes on, and tells of an error", function()
    local status, stdout, stderr = support.momo(example, "user=momo dbname=postgres host=" .. folder)
    assert.equal("", stderr)
    assert.equal(0, status)
    local ticks = stdout:match "3 queries of half a second took %S+ s, with (%d+) ticks meanwhile\n"
    assert(ticks and tonumber(ticks) > 0, stdout)
    for _, name in ipairs { "Ada", "Bob", "Eve" } do
      assert.matches("Hello, " .. name .. "\n", stdout, 1, true)
    end
    assert.matches("false\t[^\n]*ERROR:  division by zero", stdout)
  end)

  it("tells when there is no server", function()
    local status, _, stderr = support.momo(example, "user=momo dbname=postgres host=" .. folder .. "/data")
    assert.equal(1, status)
    assert.matches("No such file or directory", stderr, 1, true)
  end)
end)
