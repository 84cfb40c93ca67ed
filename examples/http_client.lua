-- Downloads a URL, to a file or to stdout, as it comes: no more than a piece of it is in memory. What a former call
-- has left of the file is not fetched again.
--
--    momo http_client.lua URL [FILE]

local momo = require "momo"

local url, path = arg[1], arg[2]
if not url then
  io.stderr:write "which URL? momo http_client.lua URL [FILE]\n"
  os.exit(1)
end

-- The file, at its end, and the header that asks for what it lacks.
local function open()
  if not path then
    return io.stdout, nil
  end
  local file = assert(io.open(path, "ab"))
  local size = file:seek "end"
  return file, size > 0 and { Range = ("bytes=%d-"):format(size) } or nil
end

local file, headers = open()
local client = momo.http.Client { timeout = false, connect_timeout = 10 }
local size, err = client:stream("GET", url, { headers = headers }, function(answer)
  if answer.status == 416 then -- there are no more bytes than those
    return 0
  elseif answer.status ~= (headers and 206 or 200) then
    return nil, ("%d %s"):format(answer.status, answer.reason or "")
  end
  local size = 0
  for piece in answer:pieces() do
    file:write(piece)
    size = size + #piece
  end
  return size
end)
if not size then
  io.stderr:write(url, ": ", err, "\n")
  os.exit(1)
end
io.stderr:write(("%s: %d bytes\n"):format(url, size))
if path then
  file:close()
end
