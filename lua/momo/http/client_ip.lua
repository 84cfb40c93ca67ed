---Who a request came from when proxies that one trusts stand between.

local check = require "momo.internal.check"
local network = require "momo.net.network"
local trim = require("momo.http.tokens").trim

local M = {}

local networks = setmetatable({}, { __mode = "k" })

local function read_networks(trusted)
  check.array(trusted, "client_ip: argument 2 must be an array such as {\"10.0.0.0/8\"}")
  local list = { has_unix = false }
  for _, text in ipairs(trusted) do
    local one = type(text) == "string" and network.network(text)
    check.argument(one or text == "unix",
      "client_ip: a trusted network must be such as \"10.0.0.0/8\", or \"unix\"", text)
    list[#list + 1] = one or nil
    list.has_unix = list.has_unix or text == "unix"
  end
  networks[trusted] = list
  return list
end

---Whose request it is: the peer of the connection, or where that is one of ours, whom it names in X-Forwarded-For;
---and so on, from right to left, as each proxy adds at the end, until one that is not trusted. What a client has
---written itself stands to the left of that.
---@param request momo.http.Request
---@param trusted string[] networks of one's proxies, or "unix": who comes through a Unix socket; it must stay as it is
---@return string? address without a port; nil: a client of a Unix socket, of which nothing is known
function M.client_ip(request, trusted)
  local list = networks[trusted] or read_networks(trusted)
  local address = request.peer ~= "" and network.without_port(request.peer) or nil
  local bytes = address and network.parse(address:match "^[^%%]*")
  if bytes and not network.is_in(list, bytes) or not bytes and not list.has_unix then
    return address
  end
  local field = request:header "x-forwarded-for"
  local entries = {}
  for entry in (field or ""):gmatch "[^,]+" do
    entries[#entries + 1] = network.without_port(trim(entry))
  end
  for i = #entries, 1, -1 do
    bytes = network.parse(entries[i])
    if not bytes then
      break -- what no proxy of ours has written
    end
    address = entries[i]
    if not network.is_in(list, bytes) then
      break
    end
  end
  return address
end

return M
