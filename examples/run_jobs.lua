-- Runs shell commands, a few at a time, and shows what each printed and how it ended.
--
--    momo run_jobs.lua "make a" "make b" ...       JOBS=2 SECONDS=60 are the limits

local momo = require "momo"

local jobs, seconds = tonumber(os.getenv "JOBS") or 2, tonumber(os.getenv "SECONDS") or 60
local places = momo.sync.Semaphore(jobs)
local failed = 0

local function run(command)
  local result, err = places:with(momo.process.shell, command, {
    timeout = seconds, process_group = true, stderr = "stdout",
  })
  local how = not result and err or result.signal or "status " .. result.status
  if how ~= "status 0" then
    failed = failed + 1
  end
  print(("== %s: %s\n%s"):format(command, how, result and result.stdout or ""))
end

momo.scope(function(all)
  for _, command in ipairs(arg) do
    all:spawn(run, command)
  end
end)
os.exit(failed > 0 and 1 or 0)
