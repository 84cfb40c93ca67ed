-- Runs each ```lua block of the README and of docs/guide, as its reader would: as app.lua in an empty folder, with the
-- momo command. What it prints, on stdout and then on stderr, is what the ```text block behind it says; without one, it
-- prints nothing. "…" stands for the rest of a line, or for a part of it.
--
-- A block whose first line is `-- NAME.lua` is a file of that name, which the other blocks of its page find. Beside
-- "lua", the line that opens a block may say
--     fails       it ends with status 1, and what is on stderr begins with the text (a traceback may follow)
--     luajit      plain luajit runs it, in place of the command
--     busted      busted runs it
--     --OPTION    with all that follows: options of the command
--
-- A fragment has a comment before it, between lines `<!-- lua` and `-->`: code that is put before its first line, in
-- the same line, so that their numbers stay. It may start a task that talks to the block's server, and then stops it.
--
-- 127.0.0.1 is another address of loopback for each block, so that all may use port 8080 at once.

local markdown = require "spec.support.markdown"
local support = require "spec.support"

local SOURCE, MOMO = assert(os.getenv "MOMO_SOURCE_DIR"), assert(os.getenv "MOMO_BIN")
local LUAJIT = assert(os.getenv "MOMO_LUAJIT")
local AT_ONCE, LIMIT_SECONDS = 8, 60
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

local function own_pid()
  return tonumber(read("/proc/self/stat"):match "^%d+")
end

local addresses = 0
local function new_address()
  addresses = addresses + 1
  local pid = own_pid()
  return ("127.%d.%d.%d"):format(1 + pid % 250, 1 + math.floor(pid / 250) % 250, addresses)
end

local function command_of(block, file)
  if block.words.busted then
    return ("%s %s --ignore-lua %s"):format(LUAJIT, quote(SOURCE .. "/spec/support/run.lua"), file)
  elseif block.words.luajit then
    return LUAJIT .. " " .. file
  end
  return ("%s %s %s"):format(quote(MOMO), block.options, file)
end

-- Starts a block in a folder of its own.
local function start(block, others, top)
  local folder = ("%s/%d"):format(top, block.line)
  assert(os.execute("mkdir " .. quote(folder)) == 0)
  local address = new_address():gsub("%.", "%%.")
  local function place(text)
    return (text:gsub("127%.0%.0%.1", (address:gsub("%%", ""))))
  end
  for _, other in ipairs(others) do
    if other.name then
      write(folder .. "/" .. other.name, place(other.code))
    end
  end
  local file = block.name or "app.lua"
  write(folder .. "/" .. file, place((block.before and block.before .. " " or "") .. block.code))
  local pipe = io.popen(("cd %s && timeout -k 5 %d %s <../in >out 2>err; echo $?"):format(quote(folder), LIMIT_SECONDS,
    command_of(block, file)))
  return function()
    local status = tonumber(pipe:read "*a")
    pipe:close()
    local function take(name)
      return (read(folder .. "/" .. name):gsub(address, "127.0.0.1"))
    end
    return status, take "out", take "err"
  end
end

-- What is wrong with how a block ended, or nil.
local function fault_of(block, status, out, err)
  local wanted = block.words.fails and 1 or 0
  local printed = out .. err
  local pattern = "^" .. (block.text or ""):gsub("…\n", "\1"):gsub("…", "\2"):gsub("[%p]", "%%%0")
    :gsub("\1", "[^\n]*\n"):gsub("\2", "[^\n]-") .. (block.words.fails and "" or "$")
  if status ~= wanted then
    return ("it ended with status %d, not %d\n%s"):format(status, wanted, printed)
  elseif not printed:find(pattern) then
    return ("it printed\n%sand not\n%s"):format(printed, block.text or "nothing\n")
  end
end

-- The faults of a page's blocks, which run at the same time.
local function faults_of(name, text)
  local top = support.tmpfile ""
  os.remove(top)
  assert(os.execute("mkdir " .. quote(top)) == 0)
  write(top .. "/in", "")
  local blocks, faults, running = markdown.blocks(text), {}, {}
  local function finish()
    local block, wait = unpack(table.remove(running, 1))
    local fault = fault_of(block, wait())
    faults[#faults + 1] = fault and ("%s:%d: %s"):format(name, block.line, fault)
  end
  for _, block in ipairs(blocks) do
    if #running == AT_ONCE then
      finish()
    end
    running[#running + 1] = { block, start(block, blocks, top) }
  end
  while running[1] do
    finish()
  end
  os.execute("rm -rf " .. quote(top))
  return faults, #blocks
end

describe("every Lua block", function()
  local pages = { "README.md" }
  local pipe = io.popen(("cd %s && ls docs/guide/*.md"):format(quote(SOURCE)))
  for path in pipe:lines() do
    pages[#pages + 1] = path
  end
  pipe:close()

  for _, path in ipairs(pages) do
    it("of " .. path .. " does what the page says", function()
      local faults = faults_of(path, read(SOURCE .. "/" .. path))
      assert.equal("", table.concat(faults, "\n"))
    end)
  end
end)

describe("a block that does something else than its page says", function()
  local function page(...)
    return table.concat({ ... }, "\n") .. "\n"
  end

  it("is found: by what it prints, its status, or a line too many", function()
    local faults, blocks = faults_of("page.md", page("```lua", "print(1)", "```", "```text", "2", "```",
      "```lua", "error 'x'", "```",
      "```lua", "print 'unsaid'", "```",
      "```lua fails", "print(1)", "```", "```text", "1", "```"))
    assert.equal(4, blocks)
    assert.equal(4, #faults)
    assert.matches("^page.md:2: it printed\n1\nand not\n2\n", faults[1])
    assert.matches("^page.md:8: it ended with status 1, not 0\n", faults[2])
    assert.matches("^page.md:11: it printed\nunsaid\nand not\nnothing\n", faults[3])
    assert.matches("^page.md:14: it ended with status 0, not 1\n", faults[4])
  end)

  it("and one that does what it says is not", function()
    local faults, blocks = faults_of("page.md", page(
      "<!-- lua", "local momo =", "require 'momo'", "-->",
      "```lua", "print(momo.current():id(), '127.0.0.1')", "print 'a long line'", "```", "",
      "```text", "1\t127.0.0.1", "a … line", "```",
      "```lua", "-- other.lua", "return 7", "```",
      "```lua fails", "", "error(require 'other' + 1)", "```", "```text", "momo: app.lua:2: 8", "```",
      "```lua --virtual", "require'momo'.time.sleep(1e6)", "```",
      "```lua luajit", "print(jit ~= nil)", "```", "```text", "true", "```"))
    assert.same({}, faults)
    assert.equal(5, blocks)
  end)
end)
