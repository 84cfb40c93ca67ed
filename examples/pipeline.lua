-- One task reads, several work, one collects, with bounded channels between them: a slow stage holds up those before
-- it, so memory stays bounded. The collector takes batches: 10 results, or what came in 0.2 seconds.
--
--    ./dev run examples/pipeline.lua [FILE]      counts the words of a file, this one if none is given

local momo = require "momo"

local WORKERS, QUEUE_MAX, BATCH_MAX, BATCH_SECONDS = 4, 8, 10, 0.2

---@async
local function read(path, lines)
  for line in io.lines(path) do
    lines:send(line) -- waits while 8 lines do
  end
  lines:close()
end

---@async
local function work(lines, counts)
  for line in lines:iter() do
    momo.time.sleep(0.02) -- where a real one would ask a database, say
    counts:send(select(2, line:gsub("%a+", "")))
  end
  counts:close() -- each worker has a sender of its own: the last to close it ends the channel
end

---A generator whose inside waits: an iterator over batches of what is received.
local function batches(rx)
  return momo.coroutine.wrap(function()
    local ended = false
    while not ended do
      local batch, over = {}, momo.time.after(BATCH_SECONDS)
      repeat
        local index, value = momo.select { rx, over }
        ended = index == 1 and value == nil
        batch[#batch + 1] = index == 1 and value or nil
      until index == 2 or ended or #batch == BATCH_MAX
      momo.coroutine.yield(batch)
    end
  end)
end

io.stdout:setvbuf "line"
local n, total = 0, 0
momo.scope(function(scope) -- an error in any stage ends them all, and is raised here
  local lines_tx, lines_rx = momo.sync.channel(QUEUE_MAX)
  local counts_tx, counts_rx = momo.sync.channel(QUEUE_MAX)
  scope:spawn(read, arg[1] or arg[0], lines_tx)
  for _ = 1, WORKERS do
    scope:spawn(work, lines_rx, counts_tx:clone())
  end
  counts_tx:close()
  for batch in batches(counts_rx) do
    for _, words in ipairs(batch) do
      n, total = n + 1, total + words
    end
    print(("%d lines so far, %d words"):format(n, total))
  end
end)
