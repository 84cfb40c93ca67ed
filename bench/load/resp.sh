#!/bin/bash
# The load on a Redis server, by redis-benchmark. Usage: resp.sh REQUESTS SERVER [ARGS]; its port is its last argument.
#
# 50 clients send PING, without pipelining; the server runs on one CPU, they on another. Prints requests a second, and the
# server's CPU time in ns a request. Nothing if the server ends before it answers.
set -euo pipefail
requests=$1
shift
while
    port=$((20000 + RANDOM % 10000))
    (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null
do :; done
taskset -c 0 "$@" "$port" >/dev/null &
server=$!
trap 'kill -KILL $server 2>/dev/null || :' EXIT
until [[ $(redis-cli -p "$port" ping 2>/dev/null) == PONG ]]; do
    kill -0 $server 2>/dev/null || exit 0
    sleep 0.02
done
cpu_ticks() { awk '{ print $14 + $15 }' "/proc/$server/stat"; }
before=$(cpu_ticks)
taskset -c 1 redis-benchmark -p "$port" -t ping_mbulk -c 50 -n "$requests" --csv |
    awk -F '"' -v ticks="$before" -v n="$requests" -v stat="/proc/$server/stat" -v hz="$(getconf CLK_TCK)" '
        $2 ~ /^PING/ { rate = $4 }
        END {
            getline line < stat
            split(line, field, " ")
            printf "%.0f %.1f\n", rate, (field[14] + field[15] - ticks) / hz * 1e9 / n
        }'
