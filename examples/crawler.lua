-- Follows links within the hosts that it is given, 500 requests at a time, and prints the links that lead nowhere. No
-- host gets more than its time, however slow it is: the others go on.
--
--    momo crawler.lua URL ...       SECONDS=30 for a host, PAGES=1000 at most

local momo = require "momo"

local AT_ONCE = 500
local seconds, pages = tonumber(os.getenv "SECONDS") or 30, tonumber(os.getenv "PAGES") or 1000
local client = momo.http.Client { max_per_host = 20, max_body = 1024 * 1024, headers = { Accept = "text/html" } }
local places = momo.sync.Semaphore(AT_ONCE)
local deadlines, seen, count, broken = {}, {}, 0, 0

-- What a link on a page means; nil: nothing that is fetched.
local function resolve(base, link)
  link = link:gsub("#.*", ""):gsub("&amp;", "&")
  if link:find "^https?://" then
    return link
  elseif link == "" or link:find "^%a[%w+.-]*:" then
    return nil
  elseif link:find "^//" then
    return base:match "^%a+:" .. link
  elseif link:find "^/" then
    return base:match "^%a+://[^/]*" .. link
  end
  return (base:match "^(%a+://.*/)" .. link):gsub("/[^/]+/%.%./", "/")
end

-- A page, or why there is none, within the time of its host.
local function fetch(url)
  local left = deadlines[url:match "^%a+://[^/]*"] - momo.time.now()
  if left <= 0 then
    return nil, "the time of this host is over"
  end
  return client:get(url, { timeout = left })
end

local function is_ours(url)
  return deadlines[url:match "^%a+://[^/]*"] ~= nil
end

momo.scope(function(scope)
  local visit

  local function visit_links(answer)
    for link in answer.body:gmatch "<[aA][^>]-[hH][rR][eE][fF]%s*=%s*[\"']([^\"']*)" do
      local url = resolve(answer.url, link)
      if url and not seen[url] and is_ours(url) and count < pages then
        seen[url], count = true, count + 1
        scope:spawn(places.with, places, visit, url, answer.url)
      end
    end
  end

  function visit(url, from)
    local answer, err = fetch(url)
    if not answer or answer.status >= 400 then
      broken = broken + 1
      print(("%s, on %s: %s"):format(url, from, answer and answer.status or err))
    elseif (answer:header "content-type" or ""):find "^text/html" and is_ours(answer.url) then
      visit_links(answer)
    end
  end

  for _, url in ipairs(arg) do
    url = url:gsub("^(%a+://[^/]*)$", "%1/")
    deadlines[url:match "^%a+://[^/]*"] = momo.time.now() + seconds
    seen[url], count = true, count + 1
    scope:spawn(places.with, places, visit, url, "the command line")
  end
end)
print(("%d pages, %d of them can't be had"):format(count, broken))
