-- Map and reduce: the lines of files are counted on all CPUs, and the counts are put together here.
--
--    ./dev run examples/map_reduce.lua [FILE...]      the commonest words; of this file if none is given

local momo = require "momo"

---What each thread runs: counts the words of the texts it is sent, and sends the counts once.
---@async
local function map(texts, counts)
  local count = {}
  for text in texts:iter() do
    for word in text:gmatch "%a+" do
      word = word:lower()
      count[word] = (count[word] or 0) + 1
    end
  end
  counts:send(count) -- a table is copied
end

local threads = momo.thread.available_parallelism()
local counts_tx, counts_rx = momo.thread.channel(threads)
local texts = {}
for i = 1, threads do
  local theirs
  texts[i], theirs = momo.thread.channel(4) -- who reads faster than they count waits here
  assert(momo.thread.spawn(map, theirs, counts_tx:clone()))
end
counts_tx:close()

local turn = 0
for _, path in ipairs(#arg > 0 and arg or { arg[0] }) do
  local file = assert(io.open(path, "rb"))
  local text, rest = file:read(65536, "*l") -- whole lines
  while text do
    turn = turn % threads + 1
    texts[turn]:send(text .. (rest or ""))
    text, rest = file:read(65536, "*l")
  end
  file:close()
end
for _, tx in ipairs(texts) do
  tx:close()
end

local total = {}
for count in counts_rx:iter() do -- ends when every thread has sent, and ended
  for word, n in pairs(count) do
    total[word] = (total[word] or 0) + n
  end
end
local words = {}
for word in pairs(total) do
  words[#words + 1] = word
end
table.sort(words, function(a, b) return total[a] > total[b] or (total[a] == total[b] and a < b) end)
for i = 1, math.min(10, #words) do
  print(total[words[i]], words[i])
end
