---Small messages through a NATS server, by the clients of Momo and Go: how many a second, and the CPU time for each.
---The contenders take turns, and what is compared is the ratio within a round.

local shell = require "harness.shell"

local SOURCE, BUILD = os.getenv "MOMO_SOURCE_DIR", os.getenv "MOMO_BUILD_DIR"
local PORT = 26391
local URL = "nats://127.0.0.1:" .. PORT
local GO = BUILD .. "/bench/go/nats"

local CONTENDERS = {
  { name = "Momo", command = ("%s %s"):format(os.getenv "MOMO_BIN", shell.quote(SOURCE .. "/bench/nats/momo.lua")) },
  { name = "Go, one thread", command = "env GOMAXPROCS=1 " .. GO, program = GO },
  { name = "Go", command = GO, program = GO },
}
local WORK = {
  { name = "publish", count = 2000000 },
  { name = "receive", count = 500000 }, -- what is published beside that
}

local function median(samples)
  table.sort(samples)
  return samples[math.ceil(#samples / 2)]
end

-- Who is there.
local function present()
  local list = {}
  for _, contender in ipairs(CONTENDERS) do
    if not contender.program or shell.succeeds("test -x " .. contender.program) then
      list[#list + 1] = contender
    end
  end
  if #list < #CONTENDERS then
    print "Without Go's client: apt install golang-go golang-github-nats-io-go-nats-dev"
  end
  return list
end

local function measure(work, contenders, rounds)
  local figures = {}
  for round = 1, rounds do
    for i, contender in ipairs(contenders) do
      local f = figures[i] or { rate = {}, cpu = {}, rates = {}, cpus = {} }
      local text = shell.output(("%s %s %s %d"):format(contender.command, work.name, URL, work.count))
      local rate, cpu = text:match "^(%S+) (%S+)"
      f.rate[round], f.cpu[round] = tonumber(rate), tonumber(cpu)
      figures[i] = f
    end
    for _, f in ipairs(figures) do
      f.rates[round] = f.rate[round] / figures[1].rate[round]
      f.cpus[round] = f.cpu[round] / figures[1].cpu[round]
    end
  end
  for i, contender in ipairs(contenders) do
    local f = figures[i]
    print(("%-10s %-16s %12.0f %8.2f %12.3f %8.2f"):format(work.name, contender.name, median(f.rate), median(f.rates),
      median(f.cpu), median(f.cpus)))
  end
end

---@param rounds integer
return function(rounds)
  if not shell.succeeds "command -v nats-server" then
    print "bench: nats needs the server: apt install nats-server"
    os.exit(1)
  end
  local contenders = present()
  local pid = shell.output(("nats-server -a 127.0.0.1 -p %d >/dev/null 2>&1 & echo $!"):format(PORT))
  shell.output(("until bash -c ': </dev/tcp/127.0.0.1/%d'; do sleep 0.1; done 2>/dev/null"):format(PORT), 10)
  print "16 bytes   client             messages/s   x Momo  CPU us each   x Momo"
  for _, work in ipairs(WORK) do
    measure(work, contenders, rounds)
  end
  shell.output("kill " .. pid)
end
