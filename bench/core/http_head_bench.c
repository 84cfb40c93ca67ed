/* SPDX-License-Identifier: MIT
 *
 * The parser of heads: nanoseconds a head of a request. */
#include "base/http_head.h"

#include <string.h>

#include "bench.h"

static const http_limits LIMITS = {.head = 16384, .target = 8192, .fields = 100};

static const char *const HEADS[] = {
    "GET / HTTP/1.1\r\nHost: 127.0.0.1:8080\r\n\r\n",
    "GET /plaintext HTTP/1.1\r\nHost: 127.0.0.1:8080\r\nUser-Agent: load/1.0\r\nAccept: */*; q=0.9\r\n\r\n",
    "GET /watch/a1b2c3d4?list=recent&start=40 HTTP/1.1\r\nHost: www.example.com\r\nConnection: keep-alive\r\n"
    "User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/120.0.0.0 "
    "Safari/537.36\r\n"
    "Accept: text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8\r\n"
    "Accept-Language: en-US,en;q=0.9,de;q=0.7\r\nAccept-Encoding: gzip, deflate, br\r\n"
    "Referer: https://www.example.com/feed/subscriptions\r\nCache-Control: max-age=0\r\n"
    "Cookie: session=0f8fad5bd9cb469fa16570867728950e; theme=dark; consent=yes+no+maybe\r\n\r\n",
};

int main(void) {
    enum { COUNT = 10000, ROUNDS = 200 };
    for (size_t i = 0; i < sizeof HEADS / sizeof *HEADS; i++) {
        size_t n = strlen(HEADS[i]);
        double best_ns = 0;
        for (int round = 0; round < ROUNDS; round++) {
            uint64_t begin_ns = bench_now_ns();
            for (int j = 0; j < COUNT; j++) {
                http_head head;
                bench_use(HEADS[i]);
                if (http_request_parse(&head, HEADS[i], n, &LIMITS, NULL) != (int)n) {
                    return 1;
                }
                bench_use(&head);
            }
            bench_min(&best_ns, begin_ns, COUNT);
        }
        printf("a head of %3zu bytes  %6.1f ns\n", n, best_ns);
    }
    return 0;
}
