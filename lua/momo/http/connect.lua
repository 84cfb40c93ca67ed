---Streams to where a URL leads: over TCP, a Unix socket or a proxy, with TLS for https and wss.

local base64 = require "momo.http.base64"
local check = require "momo.internal.check"
local heads = require "momo.http.heads"
local native = require("momo.internal.core").native
local percent = require "momo.http.percent"
local tcp = require "momo.net.tcp"
local timeout = require("momo.time").timeout
local unix = require "momo.net.unix"
local urls = require "momo.http.url"

local M = {}

local SECURE = { https = true, wss = true }
local TUNNELED = { https = true, wss = true, ws = true } -- a proxy is asked for a way through it
local ALPN = { "http/1.1" }

local default_tls

local function tls_of(options)
  if options.tls or default_tls then
    return options.tls or default_tls
  end
  local ok, tls = pcall(require, "momo.tls")
  if not ok then
    return nil, "EPROTONOSUPPORT: https needs libssl 3 (Debian: libssl3), and Momo built with it (Debian: libssl-dev)",
      "EPROTONOSUPPORT"
  end
  local client, err, code = tls.client { alpn = ALPN }
  default_tls = client
  return client, err, code
end

---@param text string an option
---@param name string of the function
---@return momo.http.Url proxy
function M.check_proxy(text, name)
  check.argument(type(text) == "string", name .. ": proxy must be a URL such as \"http://127.0.0.1:3128\"", text)
  local proxy, err = urls.parse(text)
  if not proxy or not (proxy.scheme == "http" or proxy.scheme == "https") then
    check.fail(("%s: proxy must be a URL such as \"http://127.0.0.1:3128\": %s"):format(name, err or text))
  end
  return proxy
end

---@param tls any an option
---@param name string of the function
function M.check_tls(tls, name)
  check.argument(tls == nil or (type(tls) == "table" and type(tls.wrap) == "function"),
    name .. ": tls must be what momo.tls.client{...} has returned", tls)
end

---What an Authorization field says of the name and password in a URL.
---@param userinfo string percent-encoded
---@return string
function M.basic(userinfo)
  return "Basic " .. base64.encode(assert(percent.decode(userinfo)))
end

-- Asks a proxy for a way through it.
---@async
local function tunnel(stream, url, proxy)
  local fields = { Host = url.address, ["Proxy-Authorization"] = proxy.userinfo and M.basic(proxy.userinfo) }
  local ok, err, code = stream:write(native.http_head("request", "CONNECT " .. url.address .. " HTTP/1.1", fields))
  local head
  if ok then
    head, err, code = heads.read(stream, true)
  end
  if head and (head.status < 200 or head.status > 299) then
    return nil, ("ECONNREFUSED: the proxy %s does not lead to %s: it answered %d %s"):format(proxy.address, url.address,
      head.status, head.reason or ""), "ECONNREFUSED"
  end
  return head, err, code
end

-- What a new stream needs before it leads to the URL.
---@async
local function prepare(stream, url, proxy, tls)
  local ok, err, code = true, nil, nil
  if proxy and SECURE[proxy.scheme] then
    ok, err, code = tls:wrap(stream, proxy.host)
  end
  if ok and proxy and TUNNELED[url.scheme] then
    ok, err, code = tunnel(stream, url, proxy)
  end
  if ok and SECURE[url.scheme] then
    ok, err, code = tls:wrap(stream, (url.host:gsub("%%.*", ""))) -- a zone is nothing to the other side
  end
  return ok, err, code
end

---@async
local function open(url, options)
  local proxy = options.proxy
  local tls, stream, err, code
  if SECURE[url.scheme] or (proxy and SECURE[proxy.scheme]) then
    tls, err, code = tls_of(options)
    if not tls then
      return nil, err, code
    end
  end
  if options.unix then
    stream, err, code = unix.UnixStream.connect(options.unix)
  else
    stream, err, code = tcp.TcpStream.connect((proxy or url).address)
  end
  if not stream then
    return nil, err, code
  end
  local ok, prepared
  ok, prepared, err, code = xpcall(prepare, native.traceback_capture, stream, url, proxy, tls)
  if ok and prepared then
    return stream
  end
  stream:close()
  if not ok then
    native.rethrow(prepared)
  end
  return nil, err, code
end

---@async
---@param url momo.http.Url
---@param options {proxy: momo.http.Url?, unix: string?, tls: momo.tls.Client?, connect_timeout: number|false|nil}
---@return momo.Stream? stream
---@return string? err
---@return string? code
function M.open(url, options)
  if options.connect_timeout then
    return timeout(options.connect_timeout, open, url, options)
  end
  return open(url, options)
end

return M
