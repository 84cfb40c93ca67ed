---Which handler a request is for. The most specific pattern that matches wins, whatever the order in which they were
---given: see pattern.lua.
---
---    host, or any -> method, or any -> a tree of segments: each node's literal ones, then any one, then the rest
---
---As no two patterns conflict, the first match of a walk in that order is the most specific one.

local check = require "momo.internal.check"
local names = require "momo.internal.names"
local pattern = require "momo.http.pattern"
local percent = require "momo.http.percent"
local each = require "momo.internal.each"

local find, sub = string.find, string.sub

local M = {}

---@class momo.http.Route
---@field pattern momo.http.Pattern
---@field handler fun(request: momo.http.Request, response: momo.http.Response)
---@field where string the file and line of the program that named it

---@class momo.http.Node
---@field literals table<string, momo.http.Node>
---@field wild momo.http.Node?
---@field rest momo.http.Route?
---@field leaf momo.http.Route? of a path that ends here
---@field slash momo.http.Route? of a path that ends here with a slash: {$}

---Finds the handler for a request, and is a handler itself. Of the patterns that match, the most specific one wins,
---whatever their order.
---@class momo.http.Router
---@field private routes momo.http.Route[]
---@field private hosts table<string, table<string, momo.http.Node>> the trees by host, then by method; "": any
---@field private literal table<string, table<string, momo.http.Route>> by method, then path: without host and wildcards
---@field private has_hosts boolean
local Router = { __name = "momo.http.Router" }
Router.__index = Router
names.objects(Router, "router")

local function node()
  return { literals = {}, wild = nil, rest = nil, leaf = nil, slash = nil }
end

local function child(table_, key, make)
  table_[key] = table_[key] or make()
  return table_[key]
end

local function insert(root, route)
  local at = root
  for _, segment in ipairs(route.pattern.segments) do
    if segment.is_rest then
      at.rest = route
      return
    elseif segment.is_end then
      at.slash = route
      return
    elseif segment.is_wild then
      at.wild = at.wild or node()
      at = at.wild
    else
      at = child(at.literals, segment.text, node)
    end
  end
  at.leaf = route
end

local function is_callable(value)
  local metatable = getmetatable(value)
  return type(value) == "function" or (type(metatable) == "table" and metatable.__call ~= nil)
end

local function caller()
  local info = debug.getinfo(3, "Sl")
  return info and info.short_src .. ":" .. info.currentline or "?"
end

---Has requests that match a pattern handled. Throws for what is no pattern, and where requests match this pattern and
---another one, and neither is more specific.
---@param text string "[METHOD ][HOST]/path": "GET /items/{id}", "/static/{path...}", "/exactly/{$}"
---@param handler fun(request: momo.http.Request, response: momo.http.Response)
---@param ... nil nothing: a middleware is a function of the handler
function Router:handle(text, handler, ...)
  check.self(self, Router, "router", "handle")
  local parsed = pattern.parse(text)
  check.argument(is_callable(handler), "handle: argument 2 must be a function", handler)
  if ... ~= nil then
    check.fail "handle: it takes one handler; a middleware is a function of it: handle(pattern, middleware(handler))"
  end
  local route = { pattern = parsed, handler = handler, where = caller() }
  for _, other in ipairs(self.routes) do
    if pattern.conflict(parsed, other.pattern) then
      check.fail(("handle: the pattern %q conflicts with %q of %s: both match %s, and neither is more specific"):format(
        text, other.pattern.text, other.where, pattern.common(parsed, other.pattern)))
    end
  end
  self.routes[#self.routes + 1] = route
  local method, host = parsed.method or "", parsed.host or ""
  insert(child(child(self.hosts, host, function() return {} end), method, node), route)
  self.has_hosts = self.has_hosts or host ~= ""
  local path = text:match "/.*$"
  local only = path:match "^(.*/){%$}$" or (path:sub(-1) ~= "/" and path) -- that it matches
  if host == "" and only and not only:find "[{%%]" then
    child(self.literal, method, function() return {} end)[only] = route
  end
end

---@class momo.http.Path a request's path, taken apart
---@field [integer] string segments, decoded
---@field has_slash boolean at its end

-- nil: no client that means well sends that; where it has empty segments, the path without them.
local function read_path(path)
  local segments, at = { has_slash = false }, 1
  local is_plain = not find(path, "%", 1, true) and not find(path, ".", 1, true)
  while at <= #path do
    local stop = find(path, "/", at + 1, true) or #path + 1
    local word = sub(path, at + 1, stop - 1)
    if word == "" then
      if stop <= #path then
        return nil, (path:gsub("//+", "/"))
      end
      segments.has_slash = true
    else
      if not is_plain then
        word = percent.decode(word)
        if not word or find(word, "\0", 1, true) or percent.has_dots(word) then
          return nil
        end
      end
      segments[#segments + 1] = word
    end
    at = stop
  end
  return segments
end

-- The route, and the values of its wildcards in values.
local function walk(at, path, i, values, count)
  if not at then
    return nil
  end
  local word = path[i]
  if not word then
    if path.has_slash then
      return at.slash or at.rest
    end
    return at.leaf
  end
  local route = walk(at.literals[word], path, i + 1, values, count)
  if route then
    return route
  end
  values[count + 1] = word
  return walk(at.wild, path, i + 1, values, count + 1) or at.rest
end

local function match_methods(methods, method, path, values)
  return methods and (walk(methods[method], path, 1, values, 0)
    or (method == "HEAD" and walk(methods.GET, path, 1, values, 0))
    or walk(methods[""], path, 1, values, 0)) or nil
end

local function match(router, host, method, path, values)
  return host and match_methods(router.hosts[host], method, path, values)
    or match_methods(router.hosts[""], method, path, values)
end

local function last_segment(route)
  return route.pattern.segments[#route.pattern.segments]
end

-- Whether a path would match with a slash at its end, by a pattern of that folder, and not of one above it.
local function is_folder(router, host, method, path)
  path.has_slash = true
  local route = match(router, host, method, path, {})
  path.has_slash = false
  return route ~= nil and (last_segment(route).is_end or #route.pattern.segments == #path + 1)
end

-- The path behind the first n segments.
local function rest_of(path, n)
  return table.concat(path, "/", n + 1) .. (path.has_slash and path[n + 1] and "/" or "")
end

local function params_of(route, path, values)
  local params, count = {}, 0
  for i, segment in ipairs(route.pattern.segments) do
    if segment.is_wild then
      count = count + 1
      params[segment.text] = values[count]
    elseif segment.is_rest and segment.text ~= "" then
      params[segment.text] = rest_of(path, i - 1)
    end
  end
  return params
end

-- The methods that a path has, with and without a slash, sorted.
local function allowed(router, host, path)
  local found, list = {}, {}
  local slashed = setmetatable({ has_slash = true }, { __index = path })
  for _, methods in ipairs { host and router.hosts[host] or {}, router.hosts[""] or {} } do
    for method, root in each(methods) do
      if not path or walk(root, path, 1, {}, 0) or walk(root, slashed, 1, {}, 0) then
        found[method] = true
      end
    end
  end
  found[""] = nil
  found.HEAD = found.HEAD or found.GET
  found.OPTIONS = next(found) and true
  for method in each(found) do
    list[#list + 1] = method
  end
  table.sort(list)
  return table.concat(list, ", ")
end

local PLAIN = { ["Content-Type"] = "text/plain; charset=utf-8" }

local function redirect(request, response, path)
  local location = percent.encode_unsafe(path)
  if request.query then
    location = location .. "?" .. percent.encode_unsafe(request.query)
  end
  local reads = request.method == "GET" or request.method == "HEAD"
  return response:redirect(location, reads and 301 or 308)
end

local function answer_unmatched(router, request, response, host, path)
  local methods = allowed(router, host, path)
  if request.method == "OPTIONS" and (methods ~= "" or not path) then
    return response:send(204, nil, { Allow = methods })
  elseif methods ~= "" then
    return response:send(405, "Method Not Allowed\n", { Allow = methods, ["Content-Type"] = PLAIN["Content-Type"] })
  end
  return response:send(404, "Not Found\n", PLAIN)
end

---@async
---@param request momo.http.Request whose `params` it sets
---@param response momo.http.Response
function Router:__call(request, response)
  local method = request.method
  local host = self.has_hosts and request.host and request.host:lower():gsub(":%d*$", "") or nil
  local route = not host and self.literal[method] and self.literal[method][request.path]
  if route then
    request.params = {}
    return route.handler(request, response)
  elseif request.target == "*" then
    return answer_unmatched(self, request, response, host, nil)
  end
  local path, clean = read_path(request.path)
  if not path then
    if clean and read_path(clean) then
      return redirect(request, response, clean)
    end
    return response:send(400, "Bad Request\n", PLAIN)
  end
  local values = {}
  route = match(self, host, method, path, values)
  if (not route or last_segment(route).is_rest) and not path.has_slash and is_folder(self, host, method, path) then
    return redirect(request, response, request.path .. "/")
  elseif not route then
    return answer_unmatched(self, request, response, host, path)
  end
  request.params = params_of(route, path, values)
  return route.handler(request, response)
end

---A router without routes.
---@return momo.http.Router router
function M.Router()
  return setmetatable({ routes = {}, hosts = {}, literal = {}, has_hosts = false }, Router)
end

return M
