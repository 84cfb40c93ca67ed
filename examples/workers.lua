-- Workers on threads of their own that ask for jobs: who is done gets the next one, so that a slow job stalls nobody.
--
--    ./dev run examples/workers.lua [WORKERS [JOBS]]      factors JOBS numbers; one of them takes far longer

local momo = require "momo"

---What each worker's thread runs: its answer to one job asks for the next.
---@async
local function work(id, asks, jobs)
  asks:send { worker = id }
  for job in jobs:iter() do
    local factors, n, divisor = {}, job.number, 2
    while divisor * divisor <= n do
      if n % divisor == 0 then
        factors[#factors + 1], n = ("%d"):format(divisor), n / divisor
      else
        divisor = divisor + 1
      end
    end
    factors[#factors + 1] = ("%d"):format(n)
    asks:send { worker = id, number = job.number, factors = factors }
  end
end

io.stdout:setvbuf "line"
local workers = tonumber(arg[1]) or momo.thread.available_parallelism()
local numbers = { 2 ^ 52 - 47 } -- a prime: the slow one
for i = 2, tonumber(arg[2]) or 12 do
  numbers[i] = 10 ^ 6 + i
end

local asks, answers = momo.thread.channel(workers)
local jobs = {}
for id = 1, workers do
  local theirs
  jobs[id], theirs = momo.thread.channel(1)
  assert(momo.thread.spawn({ name = "worker " .. id }, work, id, asks:clone(), theirs)) -- the ends move there
end
asks:close() -- when the last worker has ended, there are no more answers

local next_job, done = 1, {}
for answer in answers:iter() do
  if answer.number then
    done[answer.worker] = (done[answer.worker] or 0) + 1
    print(("worker %d: %d = %s"):format(answer.worker, answer.number, table.concat(answer.factors, " x ")))
  end
  if numbers[next_job] then
    jobs[answer.worker]:send { number = numbers[next_job] }
    next_job = next_job + 1
  else
    jobs[answer.worker]:close() -- its loop ends, and so does its thread
  end
end
for id = 1, workers do
  print(("worker %d did %d"):format(id, done[id] or 0))
end
