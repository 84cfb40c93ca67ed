-- What must hold of the sources and of what was built from them.

local support = require "spec.support"

local SOURCE, BUILD = assert(os.getenv "MOMO_SOURCE_DIR"), assert(os.getenv "MOMO_BUILD_DIR")
local SANITIZED = (os.getenv "MOMO_SANITIZE" or "") ~= ""
local LINES_MAX = 400

-- What a command prints; it must succeed and print something.
local function output_of(command)
  local status, stdout, stderr = support.shell(command)
  assert(status == 0 and stdout ~= "", command .. ": " .. stderr)
  return stdout
end

local function read(path)
  local file = assert(io.open(path, "rb"))
  local text = file:read "*a"
  file:close()
  return text
end

-- Files below folders of the source, as paths from its top.
local function files(folders, pattern)
  return support.lines(output_of(("cd %s && find %s -type f -name %s | sort"):format(support.quote(SOURCE), folders,
    support.quote(pattern))))
end

-- What the files of each folder of the core may include, beside their own folder's.
local BELOW = {
  include = {}, -- plain types: every floor may know them
  base = {},
  loop = { "include", "base" },
  tls = { "base" }, -- a shared object of its own: the others know its table of functions, tls/tls.h
  net = { "include", "base", "loop", "tls" },
  thread = { "include", "base", "loop" },
  fs = { "include", "base", "loop", "net" },
  process = { "include", "base", "loop", "net" },
  ffi = { "include", "base", "loop", "net", "thread" },
  coding = {}, -- shared objects of their own
  binding = { "include", "base", "loop", "net", "thread", "fs", "process", "ffi", "tls" },
}

-- What is wrong with an #include in a file of the core (a path from the source's top), or nil.
local function fault_of(path, open, include)
  local folder = path:match "^core/([%w_]+)/"
  local below = assert(BELOW[folder], path .. " is on no floor of the core")
  if open == "<" then
    local is_lua = include:match "^lua" or include:match "^lauxlib"
    local is_uv, is_ssl = include == "uv.h", include:match "^openssl/"
    local pure = folder == "base" or folder == "tls"
    if is_lua and folder ~= "binding" and folder ~= "coding" or is_uv and pure or is_ssl and folder ~= "tls" then
      return path .. " includes " .. include
    end
    return nil
  end
  local target = include:match "^([%w_]+)/"
  if target == "tls" and folder ~= "tls" and include ~= "tls/tls.h" then
    return path .. " includes " .. include .. ", which is tls.so's own"
  end
  for _, allowed in ipairs { folder, unpack(below) } do
    if target == allowed then
      return nil
    end
  end
  return path .. " includes " .. include .. ", which is not below it"
end

describe("the core's header", function()
  local core = require "momo.internal.core"
  local code = read(SOURCE .. "/core/include/momo.h"):gsub("/%*.-%*/", ""):gsub("#[^\n]*", "")

  local declared = {}
  for name in code:gmatch "([%w_]+)%([^;{}]*%);" do
    declared[#declared + 1] = name
  end

  it("is what Lua declares", function()
    local embedded = core.native.header_first .. core.native.header_later
    assert.equal((code:gsub("%s+", "")), (embedded:gsub("%s+", "")))
    assert.not_matches("struct%s+[%w_]+%s*{", core.native.header_later) -- it may be declared again
    assert.not_matches("enum", core.native.header_later)
  end)

  it("declares functions that all resolve in the library", function()
    assert.is_true(#declared >= 15, #declared .. " functions were found")
    for _, name in ipairs(declared) do
      local ok, err = pcall(function() return core.C[name] end)
      assert(ok, err)
    end
    assert.is_false((pcall(function() return core.C.momo_no_such_function end)))
  end)

  it("declares all that the library exports, but for what require calls", function()
    local known = { luaopen_momo_native = true }
    for _, name in ipairs(declared) do
      known[name] = true
    end
    local exported = support.lines(output_of("nm -D --defined-only " .. support.quote(BUILD .. "/lib/momo/native.so")))
    for _, line in ipairs(exported) do
      local name = line:match "[TDBRVW] ([%w_]+)$"
      assert(not name or known[name] or SANITIZED, "exported and not declared: " .. line)
    end
    assert.is_true(#exported >= #declared)
  end)
end)

describe("the floors of the house", function()
  local sources = files("core", "*.[ch]")

  it("include downward only, and lua.h in the binding only", function()
    local checked = 0
    for _, path in ipairs(sources) do
      for open, include in read(SOURCE .. "/" .. path):gmatch '#include%s+([<"])([^>"]+)' do
        assert(not fault_of(path, open, include), fault_of(path, open, include))
        checked = checked + 1
      end
    end
    assert.is_true(checked > 100, checked .. " includes were found")
  end)

  it("are told from each other: an upward include is found", function()
    assert.matches("not below it", fault_of("core/base/wheel.c", '"', "loop/task.h"))
    assert.matches("not below it", fault_of("core/loop/io.c", '"', "net/stream.h"))
    assert.matches("not below it", fault_of("core/net/tcp.c", '"', "thread/channel.h"))
    assert.matches("not below it", fault_of("core/thread/channel.c", '"', "net/stream.h"))
    assert.matches("not below it", fault_of("core/ffi/stream.c", '"', "binding/runtime.h"))
    assert.matches("not below it", fault_of("core/net/tcp.c", '"', "task.h"))
    assert.matches("includes lua.h", fault_of("core/ffi/stream.c", "<", "lua.h"))
    assert.matches("includes uv.h", fault_of("core/base/list.h", "<", "uv.h"))
    assert.matches("includes uv.h", fault_of("core/tls/engine.c", "<", "uv.h"))
    assert.matches("includes openssl/ssl.h", fault_of("core/net/sealed.c", "<", "openssl/ssl.h"))
    assert.matches("tls.so's own", fault_of("core/net/sealed.c", '"', "tls/internal.h"))
    assert.matches("not below it", fault_of("core/tls/engine.c", '"', "loop/io.h"))
    assert.is_nil(fault_of("core/net/sealed.c", '"', "tls/tls.h"))
    assert.is_nil(fault_of("core/binding/init.c", '"', "net/stream.h"))
    assert.is_false((pcall(fault_of, "core/stray.c", '"', "base/list.h")))
  end)

  it("let only one file of the core know of epoll, and one of io_uring", function()
    local found = {}
    for _, path in ipairs(sources) do
      local text = read(SOURCE .. "/" .. path)
      if text:match "sys/epoll%.h" or text:match "linux/io_uring%.h" then
        found[#found + 1] = path
      end
    end
    assert.same({ "core/loop/poller/epoll.c", "core/loop/poller/uring.h" }, found)
  end)

  it("let only lua/momo/internal/core.lua require ffi, and who loads a library when it is first used", function()
    local found = {}
    for _, path in ipairs(files("lua", "*.lua")) do
      if read(SOURCE .. "/" .. path):match "require%s*%(?%s*[\"']ffi[\"']" then
        found[#found + 1] = path
      end
    end
    assert.same({
      "lua/momo/compat/ngx/digest.lua", "lua/momo/compat/ngx/pcre.lua", "lua/momo/internal/core.lua",
      "lua/momo/internal/typed.lua", "lua/momo/nats/nkey.lua",
    }, found)
  end)
end)

-- The modules of a graph (module -> set of those that it uses) that use each other in a circle, or nil.
local function circle_in(graph)
  local state, path = {}, {}
  local function visit(module)
    path[#path + 1] = module
    if state[module] == "open" then
      return path
    elseif not state[module] then
      state[module] = "open"
      for used in pairs(graph[module] or {}) do
        if used ~= module and visit(used) then
          return path
        end
      end
      state[module] = "done"
    end
    path[#path] = nil
  end
  for module in pairs(graph) do
    if visit(module) then
      return table.concat(path, " -> ")
    end
  end
end

describe("the modules of the binding", function()
  it("include each other without a circle", function()
    local graph, edges = {}, 0
    for _, path in ipairs(files("core/binding", "*.[ch]")) do
      local module = path:match "binding/([%w_/]+)%.[ch]$"
      graph[module] = graph[module] or {}
      for used in read(SOURCE .. "/" .. path):gmatch '#include "binding/([%w_/]+)%.h"' do
        graph[module][used] = true
        edges = edges + 1
      end
    end
    assert.is_true(edges > 30, edges .. " includes were found")
    assert.is_nil(circle_in(graph))
  end)

  it("would be found in a circle", function()
    assert.is_nil(circle_in { a = { a = true, b = true, c = true }, b = { c = true } })
    local circle = circle_in { a = { b = true }, b = { c = true }, c = { b = true } }
    assert(circle:find("b -> c -> b", 1, true) or circle:find("c -> b -> c", 1, true), circle)
  end)
end)

describe("the core", function()
  it("has fences in the inbox alone", function()
    local found = {}
    for _, path in ipairs(files("core", "*.[ch]")) do
      for argument in read(SOURCE .. "/" .. path):gmatch "atomic_thread_fence(%b())" do
        found[#found + 1] = path .. argument
      end
    end
    local fence = "(memory_order_seq_cst)" -- inbox_post's and inbox_flush's; doorbell_arm's
    assert.same({ "core/loop/inbox.c" .. fence, "core/loop/inbox.c" .. fence, "core/loop/inbox.h" .. fence }, found)
  end)
end)

describe("the calls of io_try", function()
  local DIRECT = { read = 1, write = 1, writev = 1, recv = 1, recvmsg = 1, recvmmsg = 1, send = 1, sendto = 1,
    sendmsg = 1, accept4 = 1, splice = 1 } -- what system.h has

  local function in_library(code)
    local found = {}
    for arguments in code:gmatch "io_try(%b())" do
      for name in arguments:gmatch "([%w_]+)%(" do
        found[#found + 1] = DIRECT[name] and name
      end
    end
    return found
  end

  it("that system.h has are made as it makes them", function()
    for _, path in ipairs(files("core", "*.[ch]")) do
      assert.same({}, in_library(read(SOURCE .. "/" .. path)), path)
    end
    assert.same({ "recv" }, in_library "n = io_try(o, UV_READABLE,\n  recv(o->fd, into, room, 0));")
  end)
end)

describe("every Lua file", function()
  for _, path in ipairs(files("lua examples bench docs", "*.lua")) do
    it(path .. " compiles", function()
      assert(loadfile(SOURCE .. "/" .. path))
    end)
  end
end)

describe("Momo's own loops", function()
  local function has_loop(code)
    return code:find "%f[%w_]in%s+pairs%f[^%w_]" or code:find "%f[%w_]in%s+next%f[^%w_]"
  end

  it("call pairs by another name, which keeps LuaJIT's own instruction out of them: momo.internal.each", function()
    local found = {}
    for _, path in ipairs(files("lua", "*.lua")) do
      found[#found + 1] = has_loop(read(SOURCE .. "/" .. path)) and path
    end
    assert.same({}, found)
    assert.truthy(has_loop "for key in pairs(fields) do" and has_loop "for key in next, fields do")
  end)
end)

describe("no file", function()
  it(("of core/ and lua/ is longer than %d lines"):format(LINES_MAX), function()
    local long = {}
    for _, path in ipairs(files("core lua", "*.[chl]*")) do
      local _, n = read(SOURCE .. "/" .. path):gsub("\n", "")
      if n > LINES_MAX then
        long[#long + 1] = path .. ": " .. n
      end
    end
    assert.same({}, long)
  end)
end)

describe("the object files", function()
  if SANITIZED then
    return pending "a sanitizer adds what is looked for here"
  end

  local function object(name)
    return BUILD .. "/CMakeFiles/core.dir/core/" .. name .. ".c.o"
  end

  -- Instructions that lock the bus: a lock prefix, or xchg with memory, which needs none.
  local function locked(path)
    local found, instructions = {}, 0
    for line in output_of("objdump -d --no-show-raw-insn " .. support.quote(path)):gmatch "[^\n]+" do
      local instruction = line:match "^%s*%x+:%s+(.*)"
      if instruction then
        instructions = instructions + 1
        if instruction:match "^lock%f[%W]" or instruction:match "%f[%w]xchg[bwlq]?%s.*%(" then
          found[#found + 1] = instruction
        end
      end
    end
    assert(instructions > 0, "nothing was disassembled of " .. path)
    return found
  end

  -- { name, section } of each object that is no constant.
  local function variables(path)
    local list = {}
    for line in output_of("objdump -t " .. support.quote(path)):gmatch "[^\n]+" do
      local flags, section, name = line:match "^%x+ (.......) (%S+)%s+%x+%s+(.*)$"
      local writable = flags and not flags:find("d", 1, true) and not section:match "^%.data%.rel%.ro"
        and (section:match "^%.t?data" or section:match "^%.t?bss" or section == "*COM*")
      if writable then
        list[#list + 1] = { name = name:match "%S+$", section = section }
      end
    end
    return list
  end

  local function compile(code)
    local source = support.tmpfile(code)
    local path = support.tmpfile ""
    local status, _, stderr = support.shell(("cc -x c -std=c11 -O2 -c %s -o %s"):format(source, path))
    assert(status == 0, stderr)
    return path
  end

  if jit.arch == "x64" then
    for _, name in ipairs {
      "base/slab", "base/wheel", "base/lane", "loop/executor", "loop/task", "loop/scope", "loop/io", "net/stream",
    } do
      it("of the local path hold no locked instruction: " .. name, function()
        assert.same({}, locked(object(name)))
      end)
    end

    -- A fence is compiled to one: those of inbox_post and inbox_flush, and doorbell_arm's in all that wait.
    it("hold the fences of sleeping and waking, and the inbox and the receiver no other locked instruction", function()
      for name, count in pairs { ["loop/inbox"] = 3, ["thread/receiver"] = 1 } do
        local found = locked(object(name))
        assert.equal(count, #found, name)
        for _, instruction in ipairs(found) do
          assert.matches("^lock or[lq]%s+%$0x0,.*%(%%rsp%)", instruction)
        end
      end
      local fences = 0
      for _, instruction in ipairs(locked(object "thread/sender")) do
        fences = fences + (instruction:match "^lock or[lq]%s+%$0x0,.*%(%%rsp%)" and 1 or 0)
      end
      assert.equal(1, fences)
    end)

    it("with a locked instruction are recognised", function()
      local head = "#include <stdatomic.h>\natomic_int n;\n"
      assert.equal(1, #locked(compile(head .. "void f(void) { atomic_fetch_add(&n, 1); }")))
      assert.equal(1, #locked(compile(head .. "int f(void) { return atomic_exchange(&n, 1); }")))
      assert.equal(1, #locked(compile(head .. "void f(void) { atomic_store(&n, 1); }")))
      assert.equal(0, #locked(compile(head .. "int f(void) { return atomic_load(&n); }")))
    end)
  end

  -- What the process itself has, beside what each of its threads has.
  it("hold no variables but a thread-local pointer and the process's own: signals, who serves and watches", function()
    local found = {}
    for _, path in ipairs(support.lines(output_of(("find %s/CMakeFiles/core.dir %s/CMakeFiles/binding.dir -name '*.o'")
      :format(support.quote(BUILD), support.quote(BUILD))))) do
      local source = io.open(SOURCE .. "/" .. path:match "%.dir/(.*)%.o$")
      if source then -- of a file that was moved, an older build's object may lie there
        source:close()
        for _, variable in ipairs(variables(path)) do
          found[#found + 1] = variable
        end
      end
    end
    table.sort(found, function(a, b) return a.name < b.name end)
    assert.same({
      { name = "adding", section = ".bss" },
      { name = "chain", section = ".data" },
      { name = "defined", section = ".bss" },
      { name = "entered", section = ".data.rel.local" },
      { name = "executor_running", section = ".tbss" },
      { name = "exits", section = ".bss" },
      { name = "grace", section = ".bss" },
      { name = "incidents", section = ".bss" },
      { name = "lock", section = ".bss" },
      { name = "page", section = ".bss" },
      { name = "profiler", section = ".bss" },
      { name = "question", section = ".bss" },
      { name = "queue", section = ".data.rel.local" },
      { name = "serving", section = ".bss" },
      { name = "signals_taken", section = ".bss" },
      { name = "snapshots", section = ".data.rel.local" },
      { name = "succession", section = ".bss" },
      { name = "traced", section = ".bss" },
      { name = "usual_limit_ns", section = ".bss" },
      { name = "watchdog", section = ".bss" },
    }, found)
  end)

  it("with a variable are recognised", function()
    assert.same({ { name = "n", section = ".bss" } }, variables(compile "int n;"))
    assert.same({ { name = "n", section = ".data" } }, variables(compile "int n = 1;"))
    assert.equal(1, #variables(compile "int *f(void) { static int n; return &n; }"))
    assert.equal(1, #variables(compile "int f(void); int (*table[])(void) = { f };"))
    assert.same({}, variables(compile "int f(void); int (*const table[])(void) = { f };"))
    assert.same({}, variables(compile "const int n = 1; int f(void) { return n; }"))
  end)
end)

describe("what needs libssl", function()
  local function needed(name)
    local list = {}
    for library in output_of("objdump -p " .. support.quote(BUILD .. "/lib/momo/" .. name)):gmatch "NEEDED%s+(%S+)" do
      list[#list + 1] = library
    end
    return table.concat(list, " ")
  end

  it("is not native.so", function()
    assert.not_matches("libssl", needed "native.so")
    assert.not_matches("libcrypto", needed "native.so")
    assert.matches("libuv", needed "native.so")
  end)

  it("is tls.so, which shows one symbol, a table, and takes nothing of native.so", function()
    if not io.open(BUILD .. "/lib/momo/tls.so") then
      return pending "it was built without libssl"
    end
    assert.matches("libssl", needed "tls.so")
    assert.not_matches("native", needed "tls.so")
    local shown = {}
    for kind, name in output_of("nm -D --defined-only " .. support.quote(BUILD .. "/lib/momo/tls.so"))
      :gmatch "(%u) ([%w_]+)" do
      shown[#shown + 1] = kind .. " " .. name
    end
    if not SANITIZED then
      assert.same({ "D momo_tls" }, shown)
    end
  end)
end)

describe("under PUC Lua", function()
  it("require 'momo' says that LuaJIT is needed", function()
    if support.shell "command -v lua5.1" ~= 0 then
      return pending "lua5.1 is not installed"
    end
    local status, _, stderr = support.shell "lua5.1 -e 'require \"momo\"'"
    assert.equal(1, status)
    assert.matches("momo needs LuaJIT, and this is Lua 5.1", stderr, 1, true)
  end)
end)
