---Servers that a client knows: those it was given, and those of their cluster that it was told of.

local check = require "momo.internal.check"
local network = require "momo.net.network"
local percent = require "momo.http.percent"

local M = {}

local PORT = "4222"

---@class momo.nats.Server
---@field address string with its port
---@field host string
---@field name string whose certificate is wanted
---@field told boolean? another server has told of it
---@field secure boolean TLS is wanted
---@field user string? or the token, where there is no password
---@field password string?

---@param text string
---@return momo.nats.Server? server
local function parse(text)
  local scheme, rest = text:match "^(%a+)://(.*)$"
  if scheme and scheme ~= "nats" and scheme ~= "tls" then
    return nil
  end
  local userinfo, place = (rest or text):match "^([^@/]*)@([^@]*)$"
  place = (place or rest or text):gsub("/$", "")
  local host, port = place:match "^%[([%x:.%%%w]+)%](:?%d*)$"
  if not host then
    host, port = place:match "^([^%s:/@%z]+)(:?%d*)$"
  end
  if not host or port == ":" then
    return nil
  end
  port = port ~= "" and port:sub(2) or PORT
  local user, password
  if userinfo then
    user, password = userinfo:match "^([^:]*):?(.*)$"
    user, password = percent.decode(user), userinfo:find ":" and percent.decode(password) or nil
    if not user then
      return nil
    end
  end
  return {
    address = (host:find ":" and "[%s]:%s" or "%s:%s"):format(host, port),
    host = host,
    name = host,
    secure = scheme == "tls",
    user = user,
    password = password,
  }
end

---@param given string|string[]
---@return momo.nats.Server[]
function M.list(given)
  if type(given) == "string" then
    given = { given }
  end
  check.argument(type(given) == "table" and given[1] ~= nil,
    "nats.connect: argument 1 must be a URL such as \"nats://127.0.0.1:4222\", or an array of them", given)
  local list = {}
  for i, text in ipairs(given) do
    list[i] = type(text) == "string" and parse(text) or check.fail(
      "nats.connect: a URL is nats://[user:password@]host[:port] or tls://..., got " .. check.show(text))
  end
  return list
end

---Takes those of the cluster that a server tells of. Those that were told of before, and are no longer, are gone.
---@param list momo.nats.Server[]
---@param places string[]? with ports
---@param like momo.nats.Server who has told
function M.add(list, places, like)
  if type(places) ~= "table" then
    return
  end
  local told, known = {}, {}
  for i, place in ipairs(places) do
    told[i] = type(place) == "string" and parse(place) or nil
    known[told[i] and told[i].address or ""] = true
  end
  for i = #list, 1, -1 do
    if list[i].told and list[i] ~= like and not known[list[i].address] then
      table.remove(list, i)
    end
  end
  for _, server in ipairs(list) do
    known[server.address] = false
  end
  for i = 1, #places do
    local server = told[i]
    if server and known[server.address] then
      known[server.address], server.told = false, true
      server.secure, server.user, server.password = like.secure, like.user, like.password
      server.name = network.parse(server.host) and like.name or server.host -- certificates are of names
      list[#list + 1] = server
    end
  end
end

return M
