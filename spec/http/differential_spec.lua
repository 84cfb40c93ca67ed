-- Requests that are crooked in one or two ways, sent to Momo and to nginx, Go and Node (which reads by llhttp): what
-- Momo takes for a request, each of them takes for the same one. A further request behind it shows where they see its
-- end.
--
-- SEED=n COUNT=n: another selection, or more of them.

local beside = require "spec.support.beside"
local folder = require "spec.support.folder"
local http = require "spec.support.http"
local momo = require "momo"
local requests = require "spec.support.requests"
local support = require "spec.support"
local tcp = require "spec.support.tcp"

local SEED, COUNT = tonumber(os.getenv "SEED") or 1, tonumber(os.getenv "COUNT") or 600
local NEXT = "GET /next HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"

-- Where Momo takes what another refuses, and why. Where both take it, they take the same.
local EMPTY_LINES = "RFC 9112, 2.2: who reads should ignore an empty line before a request; Momo ignores two at most"
local EXTENSION = "RFC 9112, 7.1.1: unknown extensions are ignored, up to the line's end; a control byte is refused"
local TRAILER = "RFC 9110, 6.5.1: such a trailer is dropped and means nothing, neither here nor for a handler"
local METHOD = "a method is any token, and the case matters: it is the router that knows none of this name"
local ALLOWED = {
  ["a line before"] = { go = EMPTY_LINES },
  ["two lines before"] = { go = EMPTY_LINES },
  ["chunk size extension_blank"] = { node = EXTENSION },
  ["chunk size semicolon"] = { node = EXTENSION },
  ["chunks: trailer with a coding"] = { node = TRAILER },
  ["chunks: trailer with a length"] = { node = TRAILER },
  ["host empty"] = { nginx = "RFC 9112, 3.2: Host is empty where the target has no authority" },
  ["line: 1.0"] = { node = "it refuses the whole where anything follows the last request of a connection" },
  ["line: lower method"] = { nginx = METHOD, node = METHOD },
}

local root = folder.make {
  ["server.js"] = [[
    require("http").createServer((request, response) => {
      const pieces = []
      request.on("data", piece => pieces.push(piece))
      request.on("end", () => response.end(request.url.replace(/^http:..[^/]+/, "") + " " + Buffer.concat(pieces)))
    }).listen(Number(process.argv[2]), "127.0.0.1")]],
  ["server.go"] = [[
package main
import ("io"; "net/http"; "os"; "log")
func main() {
	log.SetOutput(io.Discard)
	http.ListenAndServe("127.0.0.1:" + os.Args[1], http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil { w.WriteHeader(400); return }
		io.WriteString(w, r.URL.Path + " " + string(body))
	}))
}
]],
  ["nginx.conf"] = [[
    daemon off; master_process off; error_log /dev/null crit; pid nginx.pid; events {}
    http {
      access_log off; client_body_temp_path t1; proxy_temp_path t2; fastcgi_temp_path t3; uwsgi_temp_path t4;
      scgi_temp_path t5;
      server { listen 127.0.0.1:PORT; location / { return 200 "$uri"; } }
    }]],
}

-- What a server makes of these bytes: for each answer before the first refusal the body, or only a mark, if `marks`.
local function ask(address, bytes, marks)
  local stream = assert(momo.net.TcpStream.connect(address))
  stream:set_timeout(5)
  stream:write(bytes .. NEXT)
  stream:shutdown()
  local text = http.read_all(stream):gsub("%[E%u+: [^%]]*%]$", "")
  stream:close()
  local seen, at = {}, 1
  while true do
    local status, head, behind = text:match("^HTTP/1%.%d (%d%d%d)[^\r\n]*\r\n(.-\r\n)\r\n()", at)
    if not status or tonumber(status) >= 300 then
      return seen
    elseif tonumber(status) >= 200 then
      local length = tonumber(head:lower():match "content%-length: (%d+)")
      local body = length and text:sub(behind, behind + length - 1) or text:sub(behind)
      seen[#seen + 1] = marks and "taken" or body
      behind = behind + #body
    end
    at = behind
  end
end

local function handler(request, response)
  local body = request:body()
  if body then
    response:send(200, request.path .. " " .. body)
  end
end

local function shown(names, bytes, seen)
  return ("%s: %q\n    momo %s"):format(table.concat(names, " + "), bytes, table.concat(seen, ", "))
end

local function is_allowed(names, server)
  for _, name in ipairs(names) do
    if ALLOWED[name] and ALLOWED[name][server] then
      return true
    end
  end
  return false
end

-- Whether another server sees what Momo sees. One that sees less refuses what Momo takes.
local function compare(seen, others, names, bytes, found)
  for name, address in pairs(others) do
    local theirs = ask(address, bytes, name == "nginx")
    for i, body in ipairs(seen) do
      local same = theirs[i] and (name == "nginx" or theirs[i] == body)
      if not same and (theirs[i] or not is_allowed(names, name)) then
        found[#found + 1] = ("%s, %s %s"):format(shown(names, bytes, seen), name, theirs[i] or "refuses it")
        break
      end
    end
  end
end

local function all_differences(others)
  local found = {}
  http.with_server_inside(handler, nil, function(address)
    for i = 1, COUNT do
      local names = requests.pick(SEED, i)
      local bytes = requests.make(names)
      local seen = ask(address, bytes)
      if seen[1] then
        compare(seen, others, names, bytes, found)
      end
    end
  end)
  return found
end

local function with_all(fn)
  local ports = { node = beside.free_port() }
  beside.run({ "node", "--max-http-header-size=16384", "server.js", ports.node, cwd = root }, ports.node, function()
    ports.go = beside.free_port()
    beside.run({ "./server", ports.go, cwd = root }, ports.go, function()
      ports.nginx = beside.free_port()
      folder.write(root, "now.conf", (assert(momo.fs.read(root .. "/nginx.conf")):gsub("PORT", ports.nginx)))
      beside.run({ "nginx", "-p", ".", "-c", root .. "/now.conf", cwd = root }, ports.nginx, function()
        for name, port in pairs(ports) do
          ports[name] = "127.0.0.1:" .. port
        end
        fn(ports)
      end)
    end)
  end)
end

describe("a crooked request", function()
  after_each(tcp.check_nothing_left)

  it("is taken by Momo only where nginx, Go and Node take the same one", function()
    for _, name in ipairs { "nginx", "go", "node" } do
      if support.shell("command -v " .. name) ~= 0 then
        return pending(name .. " is not installed")
      end
    end
    tcp.run(function()
      local built = assert(momo.process.shell("go build -o server server.go", { cwd = root, timeout = 100 }))
      assert(built.status == 0, built.stderr)
      with_all(function(others)
        local found = all_differences(others)
        assert(#found == 0, table.concat(found, "\n"))
      end)
    end)
  end)
end)
