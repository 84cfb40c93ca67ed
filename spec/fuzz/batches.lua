---Starts random programs in batches of ten, each batch in a process of its own, and says how to repeat what failed.
---
---    MOMO_SEED=n ./dev test [asan] api_fuzz      runs the programs of one seed alone, and shows what they do
---    MOMO_SOAK=seconds ./dev test [asan] fuzz    goes on with new seeds for so long

local folder = require "spec.support.folder"
local support = require "spec.support"

local SEED, SOAK = tonumber(os.getenv "MOMO_SEED"), tonumber(os.getenv "MOMO_SOAK")
local BATCH = 10
local FIXED = 4242000 -- where CI begins, so that what fails there is due to what has changed; elsewhere seeds are new
local M = {}

---What the programs are run by: see session.lua.
local runners = { luajit = assert(os.getenv "MOMO_LUAJIT"), momo = support.quote(assert(os.getenv "MOMO_BIN")) }

-- What must not stand on stderr, however the process has ended.
local ALARMS = { "Sanitizer", "runtime error:", "PANIC", "Assertion" }

local function is_alarming(text)
  for _, alarm in ipairs(ALARMS) do
    if text:find(alarm, 1, true) then
      return true
    end
  end
end

-- Runs the seeds from first to last; raises what went wrong with one of them.
local function run(kind, runner, first, last)
  local status, out, err = support.shell(("TMPDIR=%s exec %s spec/fuzz/session.lua %s %d %d"):format(
    support.quote(folder.make {}), runners[runner], kind, first, last))
  if SEED then
    io.stderr:write(err, out)
  end
  local exits = last % BATCH == 0
  if status ~= (exits and 7 or 0) or out ~= (exits and "exits\n" or "") or is_alarming(err) then
    local seed
    for number in err:gmatch "seed (%d+)" do seed = number end
    local build = ({ address = "asan", thread = "tsan" })[os.getenv "MOMO_SANITIZE"] or "release"
    error(("%s programs under %s, seeds %d to %d: status %d at %s. Again: MOMO_SEED=%s ./dev test %s %s_fuzz\n%s%s")
      :format(kind, runner, first, last, status, seed, seed, build, kind, out, err), 0)
  end
end

---Runs so many batches of programs under each runner, or for as long as it is to soak.
---@param kind "api"|"thread"
---@param runner "luajit"|"momo"
---@param batches integer
function M.run(kind, runner, batches)
  if SEED then
    return run(kind, runner, SEED, SEED)
  end
  local begun = os.time()
  local first = os.getenv "CI" and not SOAK and FIXED or begun % 1e6 * 1000
  local i = 0
  while SOAK and os.time() - begun < SOAK / 2 or not SOAK and i < batches do
    run(kind, runner, first + BATCH * i + 1, first + BATCH * (i + 1))
    i = i + 1
  end
  if SOAK then
    print(("%s programs under %s: %d seeds from %d on"):format(kind, runner, BATCH * i, first + 1))
  end
end

return M
