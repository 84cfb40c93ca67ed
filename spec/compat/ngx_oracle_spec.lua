---What ngx means, beside nginx's own: one program runs in both.

local beside = require "spec.support.beside"
local folder = require "spec.support.folder"
local momo = require "momo"
local openresty = require "spec.support.openresty"
local tcp = require "spec.support.tcp"

require("momo.compat").install "ngx"

local PROGRAM = "spec/compat/ngx_oracle.lua"

local CONFIGURATION = [[
load_module MODULES/ndk_http_module.so;
load_module MODULES/ngx_http_lua_module.so;
daemon off; master_process off; error_log stderr emerg; pid ROOT/nginx.pid;
events {}
http {
  lua_shared_dict oracle 1m;
  lua_package_path "LIBRARIES;;";
  access_log off;
  client_body_temp_path ROOT; proxy_temp_path ROOT; fastcgi_temp_path ROOT; uwsgi_temp_path ROOT; scgi_temp_path ROOT;
  server {
    listen 127.0.0.1:PORT;
    location / { content_by_lua_block { assert(loadfile("PROGRAM"))(ngx, ngx.say) } }
  }
}
]]

local function lines_of(text)
  local lines = {}
  for line in text:gmatch "[^\n]+" do
    lines[#lines + 1] = line
  end
  return lines
end

---@async
local function by_nginx()
  local root, port = folder.make {}, beside.free_port()
  local words = {
    ROOT = root,
    PORT = port,
    MODULES = openresty.modules,
    LIBRARIES = openresty.path,
    PROGRAM = os.getenv "MOMO_SOURCE_DIR" .. "/" .. PROGRAM,
  }
  local text = CONFIGURATION:gsub("%u+", words)
  folder.write(root, "nginx.conf", text)
  local lines
  local env = { LD_LIBRARY_PATH = openresty.library_path() }
  beside.run({ "nginx", "-p", root, "-c", root .. "/nginx.conf", env = env, stderr = "null" }, port, function()
    local answer = assert(momo.http.get("http://127.0.0.1:" .. port .. "/"))
    assert.equal(200, answer.status)
    lines = lines_of(answer.body)
  end)
  return lines
end

---@async
local function by_momo()
  local lines = {}
  assert(loadfile(PROGRAM))(_G.ngx, function(line)
    for _, one in ipairs(lines_of(line)) do
      lines[#lines + 1] = one
    end
  end)
  return lines
end

describe("momo.compat, ngx:", function()
  it("does what it does in nginx", function()
    if not openresty.is_there() then
      return pending "./dev test unpacks nginx's modules and libraries, from Debian's packages"
    end
    tcp.run(function()
      local theirs, ours = by_nginx(), by_momo()
      local different = {}
      for i = 1, math.max(#theirs, #ours) do
        if theirs[i] ~= ours[i] then
          different[#different + 1] = ("nginx: %s\n momo: %s"):format(theirs[i], ours[i])
        end
      end
      assert(#theirs > 1000)
      assert.equal("", table.concat(different, "\n"))
    end)
  end)
end)
