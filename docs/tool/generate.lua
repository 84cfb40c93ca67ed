---Writes what is made of the source: docs/reference, docs/man/momo.1, and the figures in the pages.
---
---    luajit docs/tool/generate.lua            writes
---    luajit docs/tool/generate.lua --check    fails, and names what is stale, or public and not annotated
---
---`./dev docs` and `./dev lint` run it, at the top of the source; MOMO_BIN is the command.

local figures = require "docs.tool.figures"
local man = require "docs.tool.man"
local reference = require "docs.tool.reference"
local input = require "docs.tool.input"

local output_of, read = input.output_of, input.read

---@param root string the top of the source, as an absolute path
---@return table<string, string> files text by path
---@return string[] problems
local function make(root)
  local files, sources = {}, figures.sources(root)
  local pages, problems = reference.make(root .. "/lua")
  for name, text in pairs(pages) do
    files["docs/reference/" .. name] = text
  end
  local momo = "'" .. assert(os.getenv "MOMO_BIN") .. "'"
  files["docs/man/momo.1"] = man(output_of(momo .. " --help"), output_of(momo .. " --version"):match "%S.*%S")
  for path in output_of(("cd '%s' && find *.md docs -name '*.md' | LC_ALL=C sort"):format(root)):gmatch "[^\n]+" do
    if path:find "^docs/reference/" then
      files[path] = files[path] or "" -- of something that is no more
    else
      files[path] = figures.fill(read(root .. "/" .. path), sources)
    end
  end
  return files, problems
end

local function write(root, path, text)
  path = root .. "/" .. path
  if text == "" then
    assert(os.remove(path))
    return
  end
  os.execute(("mkdir -p '%s'"):format(path:match "^(.*)/"))
  local file = assert(io.open(path, "wb"))
  assert(file:write(text))
  file:close()
end

local check = ... == "--check"
local root = output_of "pwd -P":match "[^\n]+"
local files, problems = make(root)
for path, text in pairs(files) do
  if (read(root .. "/" .. path) or "") ~= text then
    if check then
      problems[#problems + 1] = path .. " is stale: ./dev docs --made mends this"
    else
      write(root, path, text)
    end
  end
end
table.sort(problems)
for _, problem in ipairs(problems) do
  io.stderr:write("docs: ", problem, "\n")
end
os.exit(problems[1] and 1 or 0, true) -- with Momo's state closed
