-- Follows a file that grows and is rotated, and sends what is added to it to a TCP address, or shows it.
--
--    momo tail.lua FILE [HOST:PORT]

local momo = require "momo"

local path, address = arg[1], arg[2]
local out = address and assert(momo.net.TcpStream.connect(address, 10)) or momo.io.stdout
local watcher = assert(momo.fs.watch(path:match "^(.*)/[^/]*$" or "."))

local file = momo.fs.open(path)
if file then
  file:seek "end" -- what was there before is not asked for
end

-- All that the file has more than before.
local function send()
  while file do
    local piece, err, code = file:read()
    if piece then
      assert(out:write(piece))
    elseif code == "EOF" then
      if (file:size() or 0) < file:seek() then -- it was cut: from the beginning
        file:seek "set"
      else
        return
      end
    else
      error(err)
    end
  end
end

-- Whether another file has its name now.
local function replaced()
  local now, mine = momo.fs.stat(path), file and file:stat()
  return now and not (mine and now.ino == mine.ino and now.dev == mine.dev)
end

send()
while watcher:recv() do
  local rotated = replaced() -- asked first: what the old one got before that is its rest, and is sent below
  send()
  if rotated then
    if file then
      file:close()
    end
    file = momo.fs.open(path)
    send()
  end
end
