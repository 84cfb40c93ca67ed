local http_router = require "momo.http.router"
local pattern = require "momo.http.pattern"
local random = require "spec.support.random"

-- What a router answers: "200 pattern name=value ...", with the handler of a pattern named after it; or the status,
-- and the Location or Allow field.
local function ask(router, method, target, host)
  local answer
  local path, query = target:match "^([^?]*)%??(.*)$"
  local request = {
    method = method, target = target, path = path, query = target:find("?", 1, true) and query or nil, host = host
      or "h.com",
  }
  local response = {
    send = function(_, status, body, headers)
      answer = status .. (headers.Allow and " " .. headers.Allow or "")
      assert(status == 204 and body == nil or #body > 0)
    end,
    redirect = function(_, location, status)
      answer = status .. " " .. location
    end,
    found = function(_, text)
      local names = {}
      for name, value in pairs(request.params) do
        names[#names + 1] = name .. "=" .. value
      end
      table.sort(names)
      answer = "200 " .. text .. (names[1] and " " .. table.concat(names, " ") or "")
    end,
  }
  router(request, response)
  return answer
end

local function router_of(patterns)
  local router = http_router.Router()
  for _, text in ipairs(patterns) do
    router:handle(text, function(_, response)
      response:found(text)
    end)
  end
  return router
end

describe("a router", function()
  local PATTERNS = {
    "/item/", "POST /item/{user}", "GET /item/{user}", "/item/{user}", "/item/{user}/{id}", "/item/{user}/new",
    "/item/{$}",
    "POST alt.com/item/{user}", "GET alt.com/", "/path/{p...}", "GET /one", "GET /file/{name}/{$}", "/deep/{a}/{b}/c",
    "/deep/x/{z}/w", "/deep/x/q", "/deep/", "PURGE /one", "HEAD /item/jba",
  }
  for _, row in ipairs {
    { "GET", "/item/jba", "200 GET /item/{user} user=jba" },
    { "POST", "/item/jba", "200 POST /item/{user} user=jba" },
    { "PUT", "/item/jba", "200 /item/{user} user=jba" },
    { "HEAD", "/item/jba", "200 HEAD /item/jba" },
    { "HEAD", "/item/x", "200 GET /item/{user} user=x" },
    { "GET", "/item/jba/17", "200 /item/{user}/{id} id=17 user=jba" },
    { "GET", "/item/jba/new", "200 /item/{user}/new user=jba" },
    { "GET", "/item/jba/new/", "200 /item/" },
    { "GET", "/item/", "200 /item/{$}" },
    { "GET", "/item", "301 /item/" },
    { "POST", "/item?a=b", "308 /item/?a=b" },
    { "GET", "/item/jba/17/line2", "200 /item/" },
    { "GET", "/item/jba/17/", "200 /item/" },
    { "GET", "/item/jba/", "200 /item/" },
    { "GET", "/path/to/file", "200 /path/{p...} p=to/file" },
    { "GET", "/path/to/", "200 /path/{p...} p=to/" },
    { "GET", "/path/", "200 /path/{p...} p=" },
    { "GET", "/path", "301 /path/" },
    { "GET", "/path/a%2Fb/%41%20c", "200 /path/{p...} p=a/b/A c" },
    { "GET", "/item/a%2Fb", "200 GET /item/{user} user=a/b" },
    { "GET", "/item/%2F", "200 GET /item/{user} user=/" },
    { "GET", "/item/a+b%25c", "200 GET /item/{user} user=a+b%c" },
    { "GET", "/i%74em/x", "200 GET /item/{user} user=x" },
    { "GET", "/one", "200 GET /one" },
    { "HEAD", "/one", "200 GET /one" },
    { "PURGE", "/one", "200 PURGE /one" },
    { "POST", "/one", "405 GET, HEAD, OPTIONS, PURGE" },
    { "OPTIONS", "/one", "204 GET, HEAD, OPTIONS, PURGE" },
    { "OPTIONS", "/item/x", "200 /item/{user} user=x" },
    { "OPTIONS", "/none", "404" },
    { "GET", "/one/", "404" },
    { "GET", "/onex", "404" },
    { "GET", "/", "404" },
    { "GET", "/file/x/", "200 GET /file/{name}/{$} name=x" },
    { "GET", "/file/x", "301 /file/x/" },
    { "POST", "/file/x", "405 GET, HEAD, OPTIONS" },
    { "GET", "/file/x/y", "404" },
    -- the walk goes back where a literal segment leads nowhere
    { "GET", "/deep/x/y/c", "200 /deep/{a}/{b}/c a=x b=y" },
    { "GET", "/deep/x/y/w", "200 /deep/x/{z}/w z=y" },
    { "GET", "/deep/x/q", "200 /deep/x/q" },
    { "GET", "/deep/x/q/v", "200 /deep/" },
    { "GET", "/deep/q/y/c", "200 /deep/{a}/{b}/c a=q b=y" },
    -- a host's patterns come first, and those of any host after them
    { "GET", "/item/jba", "200 GET alt.com/", "alt.com" },
    { "GET", "/item/jba", "200 GET alt.com/", "ALT.com:8080" },
    { "POST", "/item/jba", "200 POST alt.com/item/{user} user=jba", "alt.com" },
    { "PUT", "/item/jba", "200 /item/{user} user=jba", "alt.com" },
    { "POST", "/none", "405 GET, HEAD, OPTIONS", "alt.com" },
    -- paths that are not what they seem
    { "GET", "//item//jba", "301 /item/jba" },
    { "POST", "/item//jba?x", "308 /item/jba?x" },
    { "GET", "//evil.com/%2f", "301 /evil.com/%2f" },
    { "GET", "/file/\\", "301 /file/%5C/" },
    { "GET", "/item/../one", "400" }, { "GET", "/item/./one", "400" }, { "GET", "/item/..", "400" },
    { "GET", "/item/%2e%2E/one", "400" }, { "GET", "/item/.%2e", "400" }, { "GET", "/item/a%2f..%2fb", "400" },
    { "GET", "//../one", "400" }, { "GET", "/item/a%00", "400" }, { "GET", "/item/%zz", "400" }, { "GET", "/item/%4",
      "400" },
    { "GET", "/item/...", "200 GET /item/{user} user=..." }, { "GET", "/item/.x", "200 GET /item/{user} user=.x" },
    { "OPTIONS", "*", "204 DELETE, GET, HEAD, OPTIONS, POST, PURGE" },
  } do
    it(("answers %s %s%s by %s"):format(row[1], row[4] or "", row[2], row[3]), function()
      assert.equal(row[3], ask(router_of { "DELETE /x", unpack(PATTERNS) }, row[1], row[2], row[4]))
    end)
  end

  it("cares for no order", function()
    local backwards = {}
    for i, text in ipairs(PATTERNS) do
      backwards[#PATTERNS + 1 - i] = text
    end
    local one, other = router_of(PATTERNS), router_of(backwards)
    local next_random = random.of(13)
    for _ = 1, 3000 do
      local target = random.text(next_random, { "/item", "/jba", "/new", "/", "/deep/x", "/y", "/c", "/w", "/one",
        "/path" }, 5)
      local method, host = random.pick(next_random, { "GET", "HEAD", "POST" }), random.pick(next_random, { "h.com",
        "alt.com" })
      target = target == "" and "/" or target
      assert.equal(ask(one, method, target, host), ask(other, method, target, host))
    end
  end)

  it("finds the most specific of all patterns that match", function()
    local next_random, found = random.of(14), 0
    -- Each pattern is asked by itself, and of those that match the one is taken that is narrower than all others.
    local function oracle(patterns, method, target)
      local best, is_folder
      for _, text in ipairs(patterns) do
        local alone = ask(router_of { text }, method, target)
        is_folder = is_folder or alone:find "^30"
        if alone:find "^200" and (not best or pattern.compare(pattern.parse(text),
          pattern.parse(best)) == "narrower") then
          best = text
        end
      end
      return best, is_folder
    end
    for _ = 1, 300 do
      local patterns, router = {}, http_router.Router()
      for _ = 1, 8 do
        local text = random.pick(next_random, { "", "GET ", "POST " })
        for i = 1, next_random(4) do
          text = text .. "/" .. random.pick(next_random, { "a", "b", "{x" .. i .. "}" })
        end
        text = text .. random.pick(next_random, text:find "/" and { "", "", "/", "/{$}" } or { "/", "/{$}" })
        if pcall(router.handle, router, text, function(_, response) response:found(text) end) then
          patterns[#patterns + 1] = text
        end
      end
      for _ = 1, 10 do
        local method = random.pick(next_random, { "GET", "HEAD", "POST" })
        local target = random.text(next_random, { "/a", "/b", "/c" }, 4) .. random.pick(next_random, { "", "/" })
        target = target == "" and "/" or target
        local answer, best, is_folder = ask(router, method, target), oracle(patterns, method, target)
        if best and answer:find "^30" then
          assert.is_truthy(is_folder and best:find "/$")
        elseif best then
          found = found + 1
          assert.equal("200 " .. best, answer:sub(1, 4 + #best), target)
        else
          assert.is_nil(answer:find "^200")
        end
      end
    end
    assert.is_true(found > 500, found .. " were found")
  end)

  it("refuses patterns that conflict, by both their names", function()
    local router = router_of { "/a/{x}" }
    local line = debug.getinfo(1, "l").currentline + 1
    router:handle("GET /b/{x}", print)
    local ok, err = pcall(function() router:handle("GET /{y}/c", print) end)
    assert.is_false(ok)
    assert.matches('handle: the pattern "GET /{y}/c" conflicts with "/a/{x}" of spec/http/router_spec.lua:%d+: '
      .. "both match GET /a/c, and neither is more specific", err)
    ok, err = pcall(function() router:handle("GET /b/{y}", print) end)
    assert.is_false(ok)
    assert.matches(("conflicts with \"GET /b/{x}\" of spec/http/router_spec.lua:%d: both match GET /b/y"):format(line),
      err, 1, true)
    assert.equal("404", ask(router, "GET", "/q/c")) -- what was refused is not there
  end)

  it("may be a handler of another", function()
    local inner, outer = router_of { "/api/{x}" }, http_router.Router()
    outer:handle("/api/", inner)
    assert.equal("200 /api/{x} x=1", ask(outer, "GET", "/api/1"))
  end)

  it("refuses a second handler", function()
    assert.error_matches(function() http_router.Router():handle("/", print, print) end,
      "handle: it takes one handler; a middleware is a function of it: handle%(pattern, middleware%(handler%)%)")
  end)

  it("refuses what is no handler", function()
    local router = http_router.Router()
    assert.error_matches(function() router:handle("/", "x") end, "handle: argument 2 must be a function, got \"x\"")
    assert.error_matches(function() router:handle("/", {}) end, "argument 2 must be a function, got table")
    assert.error_matches(function() router.handle("/", print) end, "call it with a colon: router:handle%(%)")
  end)
end)
