-- The pages are what is made of the source, and what is stale, or public and not annotated, is refused.

local support = require "spec.support"

local SOURCE, MOMO = assert(os.getenv "MOMO_SOURCE_DIR"), assert(os.getenv "MOMO_BIN")
local LUAJIT = assert(os.getenv "MOMO_LUAJIT")
local quote = support.quote

local function read(path)
  local file = assert(io.open(path, "rb"))
  local text = file:read "*a"
  file:close()
  return text
end

local function write(path, text)
  local file = assert(io.open(path, "wb"))
  assert(file:write(text))
  file:close()
end

local run = support.succeed

-- What is stale in a copy of the source.
local function check(top)
  local status, _, stderr = support.shell(("cd %s && LUA_PATH=%s MOMO_BIN=%s %s docs/tool/generate.lua --check")
    :format(quote(top), quote(top .. "/lua/?.lua;;"), quote(MOMO), LUAJIT))
  return status, stderr
end

describe("what is made of the source", function()
  it("is up to date", function()
    local status, stderr = check(SOURCE)
    assert.equal("", stderr)
    assert.equal(0, status)
  end)
end)

describe("a copy of the source", function()
  local top

  before_each(function()
    top = run "mktemp -d":match "[^\n]+"
    run(("cd %s && tar -c *.md lua docs core bench | tar -x -C %s"):format(quote(SOURCE), top))
  end)

  after_each(function()
    os.execute("rm -rf " .. quote(top))
  end)

  local function change(path, pattern, replacement)
    local text, n = read(top .. "/" .. path):gsub(pattern, replacement)
    assert(n > 0, path .. " has no " .. pattern)
    write(top .. "/" .. path, text)
  end

  local function assert_refused(wanted)
    local status, stderr = check(top)
    assert.equal(1, status)
    assert.equal(wanted, stderr)
  end

  it("is refused with a page that was changed", function()
    change("docs/reference/momo.Task.md", "Waits", "Wait")
    assert_refused "docs: docs/reference/momo.Task.md is stale: ./dev docs --made mends this\n"
  end)

  it("is refused with a page of what is no more, and without one of what is", function()
    os.rename(top .. "/docs/reference/momo.Task.md", top .. "/docs/reference/momo.Job.md")
    assert_refused("docs: docs/reference/momo.Job.md is stale: ./dev docs --made mends this\n"
      .. "docs: docs/reference/momo.Task.md is stale: ./dev docs --made mends this\n")
  end)

  it("is refused with another usage text or figure than its pages have", function()
    change("docs/man/momo.1", "cancels the tasks", "ends the tasks")
    change("ARCHITECTURE.md", "128(<!%-%-= const)", "100%1")
    assert_refused("docs: ARCHITECTURE.md is stale: ./dev docs --made mends this\n"
      .. "docs: docs/man/momo.1 is stale: ./dev docs --made mends this\n")
  end)

  it("is refused with a public function that is not annotated as it must be", function()
    write(top .. "/lua/momo/planted.lua", [[
---A module.

local M = {}

function M.bare() end

---Fails.
---@param n integer
---@return true? ok
---@return string? err
---@return string? code
function M.codeless(n, more) return nil, n, more end

---@class momo.planted.Thing
local Thing = { __name = "momo.planted.Thing" }
Thing.__index = Thing

function Thing:method() return self end

---Makes one.
---@return momo.planted.Thing thing
function M.new() return setmetatable({}, Thing) end

---Looks like a part of M, and must not.
---@private
function M.hidden() end

return M
]])
    assert_refused([[
docs: docs/design/source-map.md is stale: ./dev docs --made mends this
docs: docs/reference/README.md is stale: ./dev docs --made mends this
docs: docs/reference/momo.planted.Thing.md is stale: ./dev docs --made mends this
docs: docs/reference/momo.planted.md is stale: ./dev docs --made mends this
docs: momo.planted.Thing has no description
docs: momo.planted.Thing.method has no annotation
docs: momo.planted.bare has no annotation
docs: momo.planted.hidden is private: it belongs where no program finds it, in a module of its own
docs: momo/planted.lua:12: momo.planted.codeless has no @param more
docs: momo/planted.lua:12: momo.planted.codeless returns a code, and has no "Codes:"
]])
  end)
end)

describe("figures in annotations", function()
  -- The words of an annotation, with %d for the figure, and where that comes from (docs/tool/figures.lua).
  local FIGURES = {
    ["net/stream.lua"] = {
      { "bytes; %d KiB, of which more is never returned at once", "core EXECUTOR_SCRATCH / 1024" },
      { "bytes, the delimiter included; %d KiB", "core EXECUTOR_SCRATCH / 1024" },
      { "bytes of a line; %d KiB", "core EXECUTOR_SCRATCH / 1024" },
    },
    ["net/unix.lua"] = { { "of at most %d bytes", "lua/momo/net PATH_MAX" } },
    ["net/dns.lua"] = {
      { "up to %d at a time", "core POOL_THREADS_MAX" },
      { "more than %d, or one that is 0", "lua/momo/net HOST_MAX" },
    },
    ["internal/blocking.lua"] = { { "a pool of %d threads", "core BLOCKING_THREADS" } },
    ["internal/task.lua"] = { { "given up after %d times", "core RAISES_MAX" } },
    ["thread.lua"] = { { "has not heard of it for %d seconds", "core EXECUTOR_GRACE" } },
  }

  it("are those of the source", function()
    local source = require("docs.tool.figures").sources(SOURCE)
    for path, figures in pairs(FIGURES) do
      local text = read(SOURCE .. "/lua/momo/" .. path):gsub("\n%-%-%-", " ")
      for _, figure in ipairs(figures) do
        local words = figure[1]:format(tonumber(source.const(figure[2])))
        assert(text:find(words, 1, true), path .. " does not say: " .. words)
      end
    end
  end)
end)

describe("the codes that annotations list", function()
  it("are names that there are", function()
    local core = require "momo.internal.core"
    local known = { EOF = true, ETLS = true }
    for number = -1, -4096, -1 do
      known[core.string(core.C.momo_error_name(number))] = true
    end
    local checked = 0
    local command = "cd %s/docs/reference && grep -h '^Or `nil, err, code`: ' *.md"
    for line in run(command:format(quote(SOURCE))):gmatch "[^\n]+" do
      for code in line:gmatch "`(E[A-Z0-9_]+)`" do
        assert(known[code], code)
        checked = checked + 1
      end
    end
    assert.is_true(checked > 100, checked .. " codes were found")
  end)
end)

describe("the architecture", function()
  it("draws every folder of the core, and all files are listed", function()
    local drawn, listed = read(SOURCE .. "/ARCHITECTURE.md"), read(SOURCE .. "/docs/design/source-map.md")
    for folder in run(("cd %s && find core -mindepth 1 -maxdepth 1 -type d"):format(quote(SOURCE))):gmatch "[^\n]+" do
      assert(drawn:find(folder .. "/", 1, true), "ARCHITECTURE.md does not draw " .. folder)
      assert(listed:find("<!%-%-: files [^\n]*" .. folder .. "%f[^%w]"), "source-map.md does not list " .. folder)
    end
  end)
end)

describe("the ways through the architecture", function()
  it("name functions where they are", function()
    local checked = 0
    for line in read(SOURCE .. "/ARCHITECTURE.md"):gmatch "[^\n]+" do
      local name, path = line:match "^[%w.: ]-([%w_]+)[%(%)%w.]* +(%l+/[%w_/]+%.[chlua]+) "
      if name then
        assert(read(SOURCE .. "/" .. path):find("%f[%w_]" .. name .. "%f[^%w_]"), path .. " has no " .. name)
        checked = checked + 1
      end
    end
    assert.is_true(checked > 20, checked .. " functions were found")
  end)
end)

describe("the lists of pages and examples", function()
  local function lines_of(command)
    return run(("cd %s && %s"):format(quote(SOURCE), command)):gmatch "[^\n]+"
  end

  it("lack none", function()
    local pages, start = read(SOURCE .. "/docs/README.md"), read(SOURCE .. "/docs/guide/start.md")
    for page in lines_of "ls docs/guide/*.md docs/design/*.md" do
      assert(pages:find("](" .. page:gsub("^docs/", "") .. ")", 1, true), "docs/README.md does not list " .. page)
    end
    for example in lines_of "cd examples && ls *.lua" do
      assert(start:find("%f[%w_]" .. example:gsub("%p", "%%%0")), "docs/guide/start.md does not list " .. example)
    end
  end)
end)

describe("every link of the pages", function()
  -- A heading's anchor, as GitHub and pandoc make it.
  local function anchors_of(text)
    local anchors = {}
    for heading in ("\n" .. text:gsub("```.-\n```", "")):gmatch "\n#+ ([^\n]+)" do
      anchors[heading:lower():gsub("[^%w%s_-]", ""):gsub("%s", "-")] = true
    end
    return anchors
  end

  it("leads somewhere", function()
    local broken, checked = {}, 0
    for path in run(("cd %s && find *.md docs -name '*.md'"):format(quote(SOURCE))):gmatch "[^\n]+" do
      for target in read(SOURCE .. "/" .. path):gsub("```.-\n```", ""):gmatch "%]%(([^)%s]+)%)" do
        if not target:find "^%a+:" then
          local file, anchor = target:match "^([^#]*)#?(.*)$"
          file = SOURCE .. "/" .. (file == "" and path or (path:match "^.*/" or "") .. file)
          local handle = io.open(file)
          if not handle or anchor ~= "" and not anchors_of(read(file))[anchor] then
            broken[#broken + 1] = path .. ": " .. target
          end
          if handle then
            handle:close()
          end
          checked = checked + 1
        end
      end
    end
    assert.same({}, broken)
    assert.is_true(checked > 100, checked .. " links were found")
  end)
end)
