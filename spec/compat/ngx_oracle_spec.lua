---What ngx means, beside nginx's own: one program runs in both.

local beside = require "spec.support.beside"
local folder = require "spec.support.folder"
local momo = require "momo"
local openresty = require "spec.support.openresty"
local support = require "spec.support"
local tcp = require "spec.support.tcp"

require("momo.compat").install "ngx"

local CONFIGURATION = [[
load_module MODULES/ndk_http_module.so;
load_module MODULES/ngx_http_lua_module.so;
daemon off; master_process off; error_log stderr emerg; pid ROOT/nginx.pid;
events {}
http {
  lua_shared_dict oracle 1m;
  lua_package_path "LIBRARIES;;";
  lua_socket_log_errors off;
  access_log off;
  client_body_temp_path ROOT; proxy_temp_path ROOT; fastcgi_temp_path ROOT; uwsgi_temp_path ROOT; scgi_temp_path ROOT;
  server {
    listen 127.0.0.1:PORT;
    location / { content_by_lua_block { assert(loadfile("SOURCE"))(ngx, ngx.say, SERVED) } }
  }
}
]]

---@async
local function by_nginx(program, served)
  local root, port = folder.make {}, beside.free_port()
  local words = {
    ROOT = root,
    PORT = port,
    MODULES = openresty.modules,
    LIBRARIES = openresty.path,
    SOURCE = os.getenv "MOMO_SOURCE_DIR" .. "/" .. program,
    SERVED = served,
  }
  local text = CONFIGURATION:gsub("%u+", words)
  folder.write(root, "nginx.conf", text)
  local lines
  local env = { LD_LIBRARY_PATH = openresty.library_path() }
  beside.run({ "nginx", "-p", root, "-c", root .. "/nginx.conf", env = env, stderr = "null" }, port, function()
    local answer = assert(momo.http.get("http://127.0.0.1:" .. port .. "/"))
    assert.equal(200, answer.status)
    lines = support.lines(answer.body)
  end)
  return lines
end

---@async
local function by_momo(program, served)
  local lines = {}
  assert(loadfile(program))(_G.ngx, function(line)
    for _, one in ipairs(support.lines(line)) do
      lines[#lines + 1] = one
    end
  end, served)
  return lines
end

---Fails unless the program writes the same on both.
---@async
---@param program string
---@param served integer what the program gets
---@param least integer lines
local function compare(program, served, least)
  local theirs, ours = by_nginx(program, served), by_momo(program, served)
  local different = {}
  for i = 1, math.max(#theirs, #ours) do
    if theirs[i] ~= ours[i] then
      different[#different + 1] = ("nginx: %s\n momo: %s"):format(theirs[i], ours[i])
    end
  end
  assert.equal("", table.concat(different, "\n"))
  assert(#theirs > least, #theirs)
end

-- A peer of the program's that plays what it is asked for.
---@async
local function play(stream)
  local line = stream:read_until "\n" or "\n" -- it may ask for nothing
  for piece in line:sub(1, -2):gmatch "[^@]*@?" do
    local text = piece:gsub("@", ""):gsub("~", "\n")
    if text ~= "" then
      stream:write(text)
    end
    if piece:find "@" then
      momo.time.sleep(0.1)
    end
  end
  stream:shutdown()
  repeat until not stream:read()
end

describe("momo.compat, ngx:", function()
  local function beside_nginx(test)
    return function()
      if not openresty.is_there() then
        return pending "./dev test unpacks nginx's modules and libraries, from Debian's packages"
      end
      tcp.run(test)
    end
  end

  it("does what it does in nginx", beside_nginx(function()
    compare("spec/compat/ngx_oracle.lua", 0, 1000)
  end))

  it("has cosockets, light threads and semaphores that answer what they do in nginx", beside_nginx(function()
    local listener = tcp.listen()
    local server = momo.spawn(momo.net.serve, listener, play)
    compare("spec/compat/ngx_sockets_oracle.lua", tonumber(listener:local_addr():match "%d+$"), 150)
    server:cancel()
    server:join()
    listener:close()
  end))
end)
