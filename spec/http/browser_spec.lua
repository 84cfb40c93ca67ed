-- A browser loads a page of an example, and what that shows is asked over the browser's own WebSocket, by the client.

local folder = require "spec.support.folder"
local momo = require "momo"
local process = require "spec.support.process"
local support = require "spec.support"
local tcp = require "spec.support.tcp"

local http = momo.http

-- The three lists of the page.
local LISTS = [[
JSON.stringify(["stream", "events", "chat"].map(
  id => [...document.querySelectorAll("#" + id + " li")].map(item => item.textContent)))
]]

-- Calls fn(command), which asks the page something, and returns the answer.
local function with_page(url, profile, fn)
  local browser = assert(momo.process.spawn {
    "chromium", "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--remote-debugging-port=0",
    "--window-size=600,400", "--user-data-dir=" .. profile, url, stderr = "pipe",
  })
  momo.scope(function(scope)
    scope:defer(function()
      browser:kill()
      browser:wait()
    end)
    local address
    for line in browser.stderr:lines() do
      address = line:match "DevTools listening on ws://([^/]+)/"
      if address then
        break
      end
    end
    assert(address, "the browser has no DevTools")
    local reader = scope:spawn(function() -- what it complains of is not ours
      repeat until not browser.stderr:read()
    end)
    local page
    tcp.wait_for(function()
      for _, each in ipairs(assert(assert(http.get("http://" .. address .. "/json/list")):json())) do
        page = page or (each.url == url and each.webSocketDebuggerUrl)
      end
      return page or momo.time.sleep(0.05)
    end)
    local ws = assert(http.websocket(page, { max_message = 16 * 1024 * 1024 }))
    local last = 0
    fn(function(method, parameters)
      last = last + 1
      assert(ws:send(require("cjson").encode { id = last, method = method, params = parameters }))
      repeat
        local message = assert(ws:recv(60))
        local got = require("cjson").decode(message)
        if got.id == last then
          return got.result, got.error and got.error.message
        end
      until false
    end)
    ws:close()
    reader:cancel() -- before the scope ends, which waits for it
  end)
end

describe("Chromium", function()
  after_each(process.stop_all)

  it("shows what comes by fetch, as events, and over a WebSocket", function()
    if os.execute "command -v chromium >/dev/null" ~= 0 then
      return pending "chromium is not installed"
    end
    local server, address = process.serve "live"
    local profile = folder.make {}
    tcp.run(function()
      with_page("http://" .. address .. "/", profile, function(command)
        local function five(text)
          return ('["%s 1","%s 2","%s 3","%s 4","%s 5"'):gsub("%%s", text)
        end
        local whole = "[" .. five "piece" .. "]," .. five "event" .. "]," .. five "hello" .. ',"closed: 1000"]]'
        tcp.wait_for(function()
          local got = command("Runtime.evaluate", { expression = LISTS })
          return got and got.result.value == whole or momo.time.sleep(0.05)
        end)
        local picture = os.getenv "MOMO_PICTURE" -- a file for the guide's
        if picture then
          local file = assert(io.popen("base64 -d >" .. support.quote(picture), "w"))
          file:write(command("Page.captureScreenshot", { format = "png" }).data)
          file:close()
        end
      end)
    end)
    process.stop(server)
  end)
end)
