---What a client accepts: lists with weights, as RFC 9110 has them in section 12.4.2.

local trim = require("momo.http.tokens").trim

local M = {}

---@param header string such as "gzip;q=0.5, br"
---@return table<string, number> weights by name in lower case, 0 to 1; what is malformed is left out
function M.weights(header)
  local weights = {}
  for item in header:gmatch "[^,]+" do
    local name, parameters = trim(item):match "^([%w!#$%%&'*+.^_`|~/-]+)%s*(.*)$"
    local q = parameters == "" and "1" or (parameters and parameters:match "^;%s*[qQ]=([01]%.?%d?%d?%d?)$")
    local weight = tonumber(q)
    if weight and weight <= 1 then
      weights[name:lower()] = weight
    end
  end
  return weights
end

---The content coding that the client likes best; of equals, the one that is offered first.
---@param header string? the Accept-Encoding field
---@param offered string[] such as { "br", "gzip" }
---@return string? coding nil: none of them, send it as it is
function M.encoding(header, offered)
  if not header then
    return nil
  end
  local weights = M.weights(header)
  weights["gzip"] = weights["gzip"] or weights["x-gzip"]
  local best, best_weight = nil, weights["identity"] or 0
  for _, coding in ipairs(offered) do
    local weight = weights[coding] or weights["*"] or 0
    if weight > 0 and (weight > best_weight or (not best and weight == best_weight)) then
      best, best_weight = coding, weight
    end
  end
  return best
end

return M
