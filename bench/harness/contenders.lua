---Who takes part. A contender runs the programs that bear its name, one in each folder of a kind: bench/echo/node.js is
---Node's echo server. A C program and the floor stand for what the machine itself takes.

local shell = require "harness.shell"

local SOURCE, BUILD = os.getenv "MOMO_SOURCE_DIR", os.getenv "MOMO_BUILD_DIR"
local BENCH, PROGRAMS = SOURCE .. "/bench", BUILD .. "/bench"
local OPENRESTY = SOURCE .. "/build/openresty"
local HAS_RING = "MOMO_POLLER=ring " .. os.getenv "MOMO_BIN" .. " --version -v | grep -qx 'poller: ring'"
local COMPILED = { [".c"] = true, [".go"] = true, [".rs"] = true }

---@class bench.Contender
---@field name string as in the names of its programs
---@field title string
---@field program? string what its programs are called, where it isn't its name
---@field kinds? table<string, boolean> those that it has, where not each that it has a program for
---@field source string how a program of it ends
---@field command string runs a program; %s is its path, or the name of its kind where it is a compiled one
---@field floor? boolean whether it is what the machine takes, and no peer
---@field own? boolean whether it is Momo in another way, and no peer
---@field as? string the contender whose programs, and rows, it has
---@field package? string the Debian package that brings it
---@field needs? string what it needs besides
---@field probe? string a command that succeeds where it is installed
---@field version? string a command that prints it
---@field pace? table<string, number> by kind: the part of a workload's count that is enough, as it is slower
---@field connections_max? integer
---@field absent? boolean
---@type bench.Contender[]
local contenders = {
  { name = "momo", title = "Momo", source = ".lua", command = os.getenv "MOMO_BIN" .. " %s",
    version = os.getenv "MOMO_BIN" .. " --version" },
  { name = "momo_epoll", title = "Momo, epoll", as = "momo", program = "momo", own = true, source = ".lua",
    kinds = { echo = true, unix = true, proxy = true, http = true },
    command = "env MOMO_POLLER=epoll " .. os.getenv "MOMO_BIN" .. " %s",
    needs = "a system where Momo does not use epoll anyhow",
    probe = os.getenv "MOMO_BIN" .. " --version -v | grep -qx 'poller: ring'" },
  { name = "momo_buffer", title = "Momo, buffers", own = true, source = ".lua",
    command = os.getenv "MOMO_BIN" .. " %s" },
  { name = "floor", title = "floor", program = "momo", source = ".lua", kinds = { tasks = true },
    command = PROGRAMS .. "/floor_bench %s", floor = true },
  { name = "epoll", title = "epoll in C", source = ".c", command = PROGRAMS .. "/%s_epoll", floor = true },
  { name = "ring", title = "ring in C", source = ".c", command = PROGRAMS .. "/%s_ring", floor = true,
    package = "liburing-dev", version = "pkg-config --modversion liburing",
    probe = ("test -x %s/echo_ring && %s"):format(PROGRAMS, HAS_RING) },
  { name = "uv", title = "libuv in C", source = ".c", command = PROGRAMS .. "/%s_uv", floor = true,
    version = "pkg-config --modversion libuv" },
  { name = "recvmmsg", title = "libuv, recvmmsg", program = "uv", source = ".c", kinds = { udp = true },
    command = PROGRAMS .. "/%s_uv recvmmsg", floor = true },
  { name = "coroutine", title = "bare LuaJIT", source = ".c", command = PROGRAMS .. "/%s_coroutine", floor = true },
  { name = "sendmmsg", title = "bare C, sendmmsg", program = "bare", source = ".c", kinds = { udp = true },
    command = PROGRAMS .. "/%s_bare sendmmsg", floor = true },
  { name = "bare", title = "bare C", source = ".c", command = PROGRAMS .. "/%s_bare", floor = true },
  { name = "luv", title = "luv", source = ".lua", command = "luajit %s", package = "lua-luv",
    probe = "luajit -e 'require \"luv\"'" },
  { name = "nginx", title = "nginx", source = ".sh", command = "bash %s", package = "nginx-light",
    probe = "command -v nginx", version = "nginx -v 2>&1 | sed s,.*/,," },
  { name = "openresty", title = "OpenResty", source = ".sh", command = "bash %s " .. shell.quote(OPENRESTY .. "/usr"),
    needs = "its packages, which ./dev bench --install unpacks; they can't be installed beside LuaJIT",
    probe = "command -v nginx && test -e " .. shell.quote(OPENRESTY .. "/whole"),
    version = ("ls %s/*http-lua_* | sed 's/.*%%3a//; s/_.*//'"):format(shell.quote(OPENRESTY)) },
  { name = "lua_http", title = "lua-http", source = ".lua", command = "luajit %s", package = "lua-http",
    probe = "luajit -e 'require \"http.server\"'" },
  { name = "cqueues", title = "cqueues", source = ".lua", command = "luajit %s", package = "lua-cqueues",
    probe = "luajit -e 'require \"cqueues\"'", pace = { tasks = 0.1 } },
  { name = "copas", title = "Copas", source = ".lua", command = "luajit %s", package = "lua-copas",
    probe = "luajit -e 'require \"copas\"'", connections_max = 1000 }, -- it waits in select(2)
  { name = "tarantool", title = "Tarantool", source = ".lua", command = "tarantool %s", package = "tarantool",
    probe = "command -v tarantool", pace = { tasks = 0.2 } },
  { name = "node", title = "Node", source = ".js", command = "node %s", package = "nodejs", probe = "command -v node",
    version = "node --version", pace = { tasks = 0.1, threads = 0.1 } },
  { name = "go", title = "Go", source = ".go", command = PROGRAMS .. "/go/%s", package = "golang-go",
    probe = "test -x " .. PROGRAMS .. "/go/hello", version = "go env GOVERSION" },
  { name = "tokio", title = "Tokio", source = ".rs", command = PROGRAMS .. "/tokio/release/%s",
    package = "librust-tokio-dev", probe = "test -x " .. PROGRAMS .. "/tokio/release/hello" },
  { name = "hyper", title = "hyper", source = ".rs", command = PROGRAMS .. "/hyper/release/%s",
    package = "librust-hyper-dev", probe = "test -x " .. PROGRAMS .. "/hyper/release/http" },
  { name = "redis", title = "Redis", source = ".conf", command = "redis-server %s --port", package = "redis-server",
    probe = "command -v redis-server redis-benchmark", version = "redis-server --version" },
}

for _, contender in ipairs(contenders) do
  contender.absent = contender.probe ~= nil and not shell.succeeds(contender.probe)
end

local M = { list = contenders, by_name = {} }
for _, contender in ipairs(contenders) do
  M.by_name[contender.name] = contender
end

local function exists(path)
  local file = io.open(path)
  return file ~= nil and file:close()
end

---The command for its program of a kind; nil when it has none.
---@param contender bench.Contender
---@param kind string
---@return string?
function M.command(contender, kind)
  local path = ("%s/%s/%s%s"):format(BENCH, kind, contender.program or contender.name, contender.source)
  if not exists(path) or (contender.kinds and not contender.kinds[kind]) then
    return nil
  end
  return contender.command:format(COMPILED[contender.source] and kind or shell.quote(path))
end

---@return string # its version where it is known
function M.version(contender)
  if contender.version then
    return shell.line(contender.version)
  end
  return contender.package and shell.line("dpkg-query -W -f '${Version}' " .. contender.package) or ""
end

return M
