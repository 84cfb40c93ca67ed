---What Debian has for OpenResty. Its packages would put OpenResty's LuaJIT in place of LuaJIT, so ./dev unpacks them
---below the build folder, where no other program finds them.

local ROOT = os.getenv "MOMO_SOURCE_DIR" .. "/build/openresty/usr"

local M = {
  modules = ROOT .. "/lib/nginx/modules",
  path = ROOT .. "/share/lua/5.1/?.lua",
}

-- The folder that has its LuaJIT, of which nothing but the loader of libraries is told.
function M.library_path()
  local found = io.popen(("dirname %s/lib/*/libluajit-5.1.so.2"):format(ROOT))
  local line = found:read "*l"
  found:close()
  return line
end

function M.is_there()
  local file = io.open(M.modules .. "/ngx_http_lua_module.so")
  return file ~= nil and file:close()
end

return M
