#!/bin/bash
# OpenResty's modules in Debian's nginx, one process; see momo.lua. It gets the folder where ./dev has unpacked them, then
# what the others get. Its LuaJIT is found by this process alone.
usr=$1 folder=$2
port=$((20000 + RANDOM % 12000))
libraries=("$usr"/lib/*/libluajit-5.1.so.2)
cat >"$folder/nginx.conf" <<END_OF_FILE
load_module $usr/lib/nginx/modules/ndk_http_module.so;
load_module $usr/lib/nginx/modules/ngx_http_lua_module.so;
daemon off;
master_process off;
pid nginx.pid;
error_log /dev/null;
events { worker_connections 4096; }
http {
    access_log off;
    keepalive_requests 100000000;
    default_type text/plain;
    client_body_temp_path $folder;
    client_body_buffer_size 128k;
    lua_package_path "$usr/share/lua/5.1/?.lua;;";
    init_by_lua_block {
        local has_json, json = pcall(require, "cjson")
        local kilobyte = ("x"):rep(1024)
        local function send(body)
            ngx.header.content_length = #body
            ngx.print(body)
        end
        function hello() send "Hello, world!\n" end
        function header() if ngx.var.http_user_agent then hello() end end
        function object() send(has_json and json.encode { message = "Hello, world!" } or '{"message":"Hello, world!"}') end
        function small() send(kilobyte) end
        function upload()
            ngx.req.read_body()
            send(#ngx.req.get_body_data() .. "\n")
        end
    }
    server {
        listen 127.0.0.1:$port backlog=511;
        location = / { content_by_lua_block { hello() } }
        location = /header { content_by_lua_block { header() } }
        location = /json { default_type application/json; content_by_lua_block { object() } }
        location = /1k { content_by_lua_block { small() } }
        location = /upload { content_by_lua_block { upload() } }
    }
}
END_OF_FILE
(
    until (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; do sleep 0.01; done
    echo "$port"
) &
LD_LIBRARY_PATH=$(dirname "${libraries[0]}") exec nginx -p "$folder" -c "$folder/nginx.conf"
