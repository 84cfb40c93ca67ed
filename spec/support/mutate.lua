-- What the specs miss: changes one line of the source, as a slip would, and runs the specs that concern its file. A
-- change that they pass is shown. `./dev mutate` runs it in a copy of the tree; the same arguments make the same
-- changes.
--
--   mutate.lua TREE SEED COUNT [FILE]...
--
-- A change: a condition is negated, a statement dropped, a bound moved, a result turned to nothing. What does not
-- compile, or compiles to the same, is passed over.

local tree, seed, count = arg[1], tonumber(arg[2]), tonumber(arg[3])

-- What a spec may take, as a change may make it hang: so long, and so many times what it took before.
local LIMIT_SECONDS, LIMIT_TIMES = 10, 5

-- The specs that concern a file, first those of its folder: a pattern of paths, and of the spec's folders.
local CONCERNS = {
  { "^core/base/http", "base|http" },
  { "^core/base/websocket", "base|http" },
  { "^core/base/sha1", "base|http" },
  { "^core/base/wheel", "base|task" },
  { "^core/base/list", "base|task" },
  { "^core/base/slab", "base|task" },
  { "^core/base/lane", "base|thread" },
  { "^core/base/address", "base|net" },
  { "^core/loop/pool%.", "loop|thread" },
  { "^core/loop/offload", "loop|thread" },
  { "^core/loop/inbox", "thread|loop" },
  { "^core/loop/dismiss", "thread|loop|task" },
  { "^core/loop/io", "loop|net" },
  { "^core/loop/poller/", "loop|net" },
  { "^core/loop/grace", "command" },
  { "^core/loop/inside/log", "task" },
  { "^core/loop/inside/", "command|task" },
  { "^core/loop/", "loop|task" },
  { "^core/net/sealed", "tls" },
  { "^core/net/", "net" },
  { "^core/fs/disk", "fs|http" },
  { "^core/fs/", "fs" },
  { "^core/process/", "process" },
  { "^core/thread/", "thread" },
  { "^core/tls/", "tls" },
  { "^core/coding/", "http" },
  { "^core/ffi/", "net|task" },
  { "^core/binding/http/", "http" },
  { "^core/binding/net/tls", "tls" },
  { "^core/binding/net/pieces", "net|http" },
  { "^core/binding/net/", "net" },
  { "^core/binding/fs/", "fs" },
  { "^core/binding/process/", "process|command" },
  { "^core/binding/thread/", "thread" },
  { "^core/binding/inside/", "command|task" },
  { "^core/binding/", "task" },
  { "^lua/momo/http", "http" },
  { "^lua/momo/nats", "nats" },
  { "^lua/momo/tls", "tls" },
  { "^lua/momo/fs", "fs" },
  { "^lua/momo/process", "process" },
  { "^lua/momo/net", "net" },
  { "^lua/momo/io", "net" },
  { "^lua/momo/thread", "thread" },
  { "^lua/momo/internal/thread", "thread" },
  { "^lua/momo/internal/portable", "thread" },
  { "^lua/momo/internal/poll", "net" },
  { "^lua/momo/command/", "command" },
  { "^lua/", "task" },
}

local function read(path)
  local file = assert(io.open(path))
  local text = file:read "*a"
  file:close()
  return text
end

local function write(path, text)
  local file = assert(io.open(path, "w"))
  assert(file:write(text))
  file:close()
end

local function shell(command)
  local pipe = assert(io.popen(command .. " 2>&1; echo $?"))
  local text = pipe:read "*a"
  pipe:close()
  local output, status = text:match "^(.-)(%d+)\n$"
  return tonumber(status) == 0, output
end

-- Numbers that the seed alone decides (Park and Miller).
local state = seed % 2147483646 + 1
local function random(n)
  state = state * 48271 % 2147483647
  return state % n + 1
end

-- What lies in quotes is blanked, so that nothing of it is changed; a comment's line is empty.
local function code_of(line, is_c)
  if is_c and (line:find "^%s*/?%*" or line:find "^%s*#") or not is_c and line:find "^%s*%-%-" then
    return ""
  end
  line = line:gsub('(")(.-)(")', function(a, text, b) return a .. ("_"):rep(#text) .. b end)
  return (line:gsub(is_c and "/%*.*" or "%-%- .*", ""))
end

local MOVED = { ["<"] = "<=", ["<="] = "<", [">"] = ">=", [">="] = ">" }

-- The changes of a line: texts that stand in its place.
local function changes_of(line, is_c)
  local code, found = code_of(line, is_c), {}
  local function add(changed)
    if changed ~= line then
      found[#found + 1] = changed
    end
  end
  local function replace(from, to, text)
    add(line:sub(1, from - 1) .. text .. line:sub(to + 1))
  end
  -- a condition
  for _, word in ipairs(is_c and { "if", "while" } or { "if", "elseif", "while" }) do
    local head, begin = code:match("^(.-%f[%w]" .. word .. "%f[%W]%s*)()")
    local last = begin and code:match(is_c and "^.*()%) {$" or word == "while" and "() do$" or "() then$")
    if begin and last and not head:find "%f[%w]else%f[%W].*%S.*if" then
      replace(begin, is_c and last or last - 1, is_c and ("(!%s)"):format(line:sub(begin, last))
        or ("not (%s)"):format(line:sub(begin, last - 1)))
    end
  end
  -- a statement
  if is_c and code:find "^%s+[%w_*(&][^{}=]*[=(][^{}]*;$" and not code:find "^%s+[%w_]+ [%w_*]+[ ;=[]"
    and not code:find "^%s*return" and not code:find "^%s*for" and not code:find "^%s*static" then
    add(line:match "^%s*" .. ";")
  elseif not is_c and (code:find "^%s+[%w_.:]+%(.*%)$" or code:find "^%s+[%w_.%[%]]+ = [^{]*[^{(]$") then
    add(line:match "^%s*" .. "do end")
  end
  -- a bound
  for at, operator in code:gmatch "() ([<>]=?) " do
    replace(at, at + #operator + 1, " " .. MOVED[operator] .. " ")
  end
  for at, term, last in code:gmatch "()( [+-] 1)()%f[^%w.]" do
    replace(at, last - 1, term:find "+" and " + 2" or " - 2")
  end
  for at, number, last in code:gmatch "%f[%w_.]()(%d+)()%f[^%w_.]" do
    replace(at, last - 1, tostring(tonumber(number) + 1))
  end
  -- a result
  local head, value = line:match "^(%s+return )(.+)$"
  if head and is_c then
    add(head .. "0;")
    add(value:find "^[%w_]+;$" and head .. "!" .. value or line)
  elseif head and code:find "return [^{(]*$" or head and code:find "return .*%)$" then
    add(head .. "nil")
  end
  return found
end

local function list_files()
  local files = {}
  for i = 4, #arg do
    files[#files + 1] = arg[i]
  end
  if not files[1] then
    local pipe = assert(io.popen(("cd %s && find core lua -name '*.[ch]' -o -name '*.lua' | LC_ALL=C sort")
      :format(tree)))
    for path in pipe:lines() do
      files[#files + 1] = path
    end
    pipe:close()
  end
  return files
end

local function folders_of(path)
  for _, row in ipairs(CONCERNS) do
    if path:find(row[1]) then
      return row[2]
    end
  end
end

-- Specs that read the source's text, which every change may make them fail.
local TEXTUAL = { house_spec = true, docs_spec = true, editor_spec = true, guide_spec = true, bench_check_spec = true }

local SLOW_SECONDS = 1.5 -- what takes longer is asked only about files that concern it

-- How much more of its time a spec is worth that is called like the file, or has caught a change of it before; and one
-- of a folder that concerns the file.
local WORTH_NAME, WORTH_FOLDER = 20, 4

-- How long each spec took whenever ctest has run it in the tree that this one is a copy of.
local seconds = {}
for name, average in read(tree .. "/costs"):gmatch "(%S+) %d+ (%S+)\n" do
  seconds[name] = tonumber(average)
end

local catchers = {} -- for each file: which specs have caught a change of it

-- The names under which ctest knows the specs that are asked about a file, and the price of each: its seconds, divided
-- by its worth.
local function specs_about(path)
  local base, folders = path:match "([%w_]+)%.%w+$", "|house|" .. folders_of(path) .. "|"
  local names, price = {}, {}
  local pipe = assert(io.popen(("cd %s/spec && ls */*_spec.lua */*_test.c"):format(tree)))
  for file in pipe:lines() do
    local folder, name = file:match "^(.-)/(.*)%.%w+$"
    local worth = (name:find(base, 1, true) or (catchers[path] or {})[name]) and WORTH_NAME
      or folders:find("|" .. folder .. "|", 1, true) and WORTH_FOLDER
    local cost = seconds[name] or 0
    if not TEXTUAL[name] and (worth or cost <= SLOW_SECONDS and not file:find "_test%.c$") then
      names[#names + 1], price[name] = name, cost / (worth or 1)
    end
  end
  pipe:close()
  return names, price
end

local broken = {} -- of each spec that has failed: whether it fails without any change

-- Runs specs, the cheapest first: whether they pass, and the name of one that does not.
local function run(names, price)
  local wanted, order = {}, { 'include("../CTestTestfile.cmake")' }
  for _, name in ipairs(names) do
    if not broken[name] then
      wanted[#wanted + 1] = name
      if seconds[name] then
        order[#order + 1] = ('set_tests_properties(%s PROPERTIES COST "-%f" TIMEOUT "%.0f")'):format(name,
          price[name], LIMIT_SECONDS + LIMIT_TIMES * seconds[name])
      end
    end
  end
  if not wanted[1] then
    return true
  end
  write(tree .. "/build/release/mutate/CTestTestfile.cmake", table.concat(order, "\n") .. "\n")
  local ok, output = shell(("ctest --test-dir %s/build/release/mutate -j2 --stop-on-failure -R '^(%s)$'"):format(tree,
    table.concat(wanted, "|")))
  return ok, output:match "%d+ %- ([%w_]+) %(" or "?"
end

-- Builds the product, and the C tests that concern a file.
local function build(path)
  local targets = { "all" }
  for _, name in ipairs((specs_about(path))) do
    targets[#targets + 1] = name:find "_test$" and name or nil
  end
  return shell(("ninja -C %s/build/release %s"):format(tree, table.concat(targets, " ")))
end

-- Whether a spec that has failed does so without any change; asked once.
local function is_broken(path, name)
  if broken[name] == nil then
    assert(build(path))
    broken[name] = not run({ name }, { [name] = 0 })
  end
  return broken[name]
end

local function passes(path)
  local names, price = specs_about(path)
  local good, by = run(names, price)
  while not good and run({ by }, price) do -- it fails now and then, and has caught nothing
    for i = #names, 1, -1 do
      if names[i] == by then
        table.remove(names, i)
      end
    end
    good, by = run(names, price)
  end
  return good, by
end

-- What a file has been compiled to; of Lua, what its text compiles to, and nil if it does not.
local function object_of(path)
  if path:find "%.h$" then
    return read(tree .. "/" .. path)
  end
  if path:find "%.lua$" then
    local chunk = loadstring(read(tree .. "/" .. path), "@" .. path)
    return chunk and string.dump(chunk, true)
  end
  local _, text = shell(("cd %s/build/release && find . -path '*/%s.o' -exec strip -g -o stripped.o {} ';' && md5sum "
    .. "<stripped.o"):format(tree, path))
  return text
end

local function lines_of(text)
  local lines = {}
  for line in text:gmatch "([^\n]*)\n" do
    lines[#lines + 1] = line
  end
  return lines
end

-- A line of a file and one of its changes.
local function choose(files)
  while true do
    local path = files[random(#files)]
    local lines, is_c = lines_of(read(tree .. "/" .. path)), not path:find "%.lua$"
    local at = random(#lines)
    local changes = changes_of(lines[at], is_c)
    if changes[1] and folders_of(path) then
      return path, lines, at, changes[random(#changes)]
    end
  end
end

local files = list_files()
local unchanged = {} -- of each file that has been tried: what it is compiled to
local seen, caught, missed, passed_over = {}, 0, {}, 0
while caught + #missed < count and passed_over < 20 * count do
  local path, lines, at, changed = choose(files)
  local key = path .. at .. changed
  local before, file = lines[at], tree .. "/" .. path
  local text = read(file)
  if not seen[key] then
    seen[key] = true
    if not unchanged[path] then
      assert(build(path))
      unchanged[path] = object_of(path)
    end
    lines[at] = changed
    local function plant()
      write(file, table.concat(lines, "\n") .. "\n")
      return (not path:find "%.lua$" or object_of(path)) and build(path)
        and object_of(path) ~= unchanged[path]
    end
    if not plant() then
      passed_over = passed_over + 1
      write(file, text)
    else
      local good, by = passes(path)
      write(file, text)
      while not good and is_broken(path, by) do
        plant()
        good, by = passes(path)
        write(file, text)
      end
      if good then
        missed[#missed + 1] = ("%s:%d\n  -%s\n  +%s"):format(path, at, before, changed)
        print("missed: " .. missed[#missed])
      else
        caught = caught + 1
        catchers[path] = catchers[path] or {}
        catchers[path][by] = true
        print(("caught by %s: %s:%d"):format(by, path, at))
      end
      io.stdout:flush()
    end
  else
    passed_over = passed_over + 1
  end
end
print(("%d of %d changes were caught; %d did not compile, or changed nothing"):format(caught, caught + #missed,
  passed_over))
for name, fails in pairs(broken) do
  if fails then
    print("left out, as it fails without a change: " .. name)
  end
end
os.exit(#missed == 0 and 0 or 1)
