---A folder's files as a handler. What lies beneath it is served: openat2(2) refuses what does not, wherever links lead.

local accept = require "momo.http.accept"
local check = require "momo.internal.check"
local file = require "momo.http.file"
local media = require "momo.http.media"
local percent = require "momo.http.percent"
local each = require "momo.internal.each"

local M = {}

-- Beside a file, the same one compressed; the best comes first.
local VARIANTS = { { "br", ".br" }, { "zstd", ".zst" }, { "gzip", ".gz" } }

local STATUSES = {
  ENOENT = 404, ENOTDIR = 404, ENAMETOOLONG = 404, ELOOP = 404, EXDEV = 404, EISDIR = 404, EACCES = 403, EPERM = 403,
  EMFILE = 503, ENFILE = 503, ENOMEM = 503, EAGAIN = 503,
}
local TEXTS = {
  [400] = "Bad Request\n", [403] = "Forbidden\n", [404] = "Not Found\n", [405] = "Method Not Allowed\n",
  [503] = "Service Unavailable\n",
}

local function refuse(response, status, allow)
  return response:send(status, TEXTS[status], { ["Content-Type"] = "text/plain; charset=utf-8", Allow = allow })
end

-- The path beneath the root: what {path...} has matched, else all of it; or a status.
local function path_of(request)
  local path = request.params and request.params.path or percent.decode(request.path)
  if not path or path:find("\0", 1, true) or percent.has_dots(path) then
    return nil, 400
  end
  if path:byte() == 0x2f then
    path = path:match "^/+(.*)"
  end
  if path:byte() == 0x2e or path:find("/.", 1, true) then
    return nil, 404
  end
  return path
end

-- The compressed file that the client likes best, unless it is older than the file itself.
local function open_variant(request, root, path, plain)
  local header = request:header "accept-encoding"
  if not header then
    return plain
  end
  local offered, endings = {}, {}
  for _, variant in ipairs(VARIANTS) do
    offered[#offered + 1], endings[variant[1]] = variant[1], variant[2]
  end
  local coding = accept.encoding(header, offered)
  while coding do
    local found = file.open(root, path .. endings[coding])
    if found and found.modified >= plain.modified then
      file.close(plain)
      found.etag = found.etag:gsub('"$', "-" .. coding .. '"')
      return found, coding
    elseif found then
      file.close(found)
    end
    for i, one in ipairs(offered) do
      if one == coding then
        table.remove(offered, i)
      end
    end
    coding = accept.encoding(header, offered)
  end
  return plain
end

-- With places for all that file.send sets, which would be made one by one.
local function headers_of(own)
  local headers = {
    ["X-Content-Type-Options"] = "nosniff", ["Content-Type"] = "", ["Vary"] = "Accept-Encoding",
    ["Last-Modified"] = "", ["ETag"] = "", ["Accept-Ranges"] = "bytes",
  }
  if own then
    for name, value in each(own) do
      headers[name] = value
    end
  end
  return headers
end

---A handler that serves the files beneath a folder: under a router those that {path...} names, else those of the whole
---path. For GET and HEAD; index.html stands for its folder; no file or folder whose name begins with a dot, and no
---listings. Where a.css.br, .zst or .gz lies beside a.css, it is sent to clients that like it better.
---@param root string
---@param options {index: string|false|nil, headers: table<string, string>?}? headers: sent with each file
---@return fun(request: momo.http.Request, response: momo.http.Response) handler
function M.files(root, options)
  check.argument(type(root) == "string" and not root:find("%z"), "files: argument 1 must be the path of a folder", root)
  options = check.options(options, { index = "any", headers = "table" }, "files")
  local index = options.index == nil and "index.html" or options.index
  check.argument(index == false or (type(index) == "string" and index:find "^[^/%z]+$"),
    "files: index must be the name of a file, or false", index)
  local is_folder, fault = file.is_folder(root)
  if not is_folder then
    check.fail(("files: %q is no folder that can be read: %s"):format(root, tostring(fault)))
  end

  return function(request, response)
    local method = request.method
    if method ~= "GET" and method ~= "HEAD" then
      return refuse(response, 405, "GET, HEAD")
    end
    local path, status = path_of(request)
    if not path then
      return refuse(response, status)
    end
    if path == "" or path:sub(-1) == "/" then
      if not index then
        return refuse(response, 404)
      end
      path = path .. index
    end
    local found, err, code = file.open(root, path)
    if code == "EISDIR" and request.path:sub(-1) ~= "/" then
      local location = percent.encode_unsafe(request.path:gsub("^/+", "/")) .. "/"
      return response:redirect(request.query and location .. "?" .. percent.encode_unsafe(request.query)
        or location, 301)
    elseif not found then
      if not STATUSES[code] then
        error(err, 0)
      end
      return refuse(response, STATUSES[code])
    end
    local own = options.headers
    local media_type = own and own["Content-Type"] or media.type_of(path)
    local headers = headers_of(own)
    headers["Content-Type"] = media_type
    if media.is_text(media_type) then
      headers["Vary"] = "Accept-Encoding"
      found, headers["Content-Encoding"] = open_variant(request, root, path, found)
    elseif not (own and own["Vary"]) then
      headers["Vary"] = nil
    end
    return file.send(request, response, found, headers)
  end
end

return M
