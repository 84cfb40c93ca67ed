#!/bin/bash
# nginx, one process; see momo.lua. It tells its port when it listens there.
folder=$1 tls=
port=$((20000 + RANDOM % 12000))
if [ "$2" = tls ]; then
    tls="ssl"
    certificate="ssl_certificate cert.pem; ssl_certificate_key key.pem;"
fi
cat >"$folder/nginx.conf" <<END
daemon off;
master_process off;
pid nginx.pid;
error_log /dev/null;
events { worker_connections 4096; }
http {
    access_log off;
    keepalive_requests 100000000;
    sendfile on;
    default_type text/plain;
    client_body_temp_path $folder;
    client_body_buffer_size 128k;
    server {
        listen 127.0.0.1:$port backlog=511 $tls;
        $certificate
        location = / { return 200 "Hello, world!\n"; }
        location = /header { if (\$http_user_agent) { return 200 "Hello, world!\n"; } }
        location = /json { default_type application/json; return 200 '{"message":"Hello, world!"}'; }
        location /static/ { alias $folder/; open_file_cache max=100; }
    }
}
END
(
    until (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; do sleep 0.01; done
    echo "$port"
) &
exec nginx -p "$folder" -c "$folder/nginx.conf"
