/* SPDX-License-Identifier: MIT
 *
 * Requests of HTTP, of a server that it starts itself: the server on the first CPU, the load on the second.
 *
 * Usage: http KIND:CONNECTIONS:REQUESTS SERVER [ARGS]   prints what `load echo` does
 *        http client PROGRAM [ARGS]                     starts http_epoll on the second CPU, and on the first the program,
 *                                                       a client, which gets its port as the last argument
 *
 * The server gets two arguments more: a folder with 1k, 1m, cert.pem and key.pem, and "tls" or "plain". It listens on
 * 127.0.0.1, and prints its port as its first line. What it does not have it answers with another status than 200 (or 101):
 * then nothing is printed. Each connection has one request under way at a time, or 16, whose answers are awaited together. */
#include <arpa/inet.h>
#include <fcntl.h>
#include <stdbool.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#ifdef MOMO_BENCH_TLS
#include <openssl/ssl.h>
#endif

#include "start.h"

enum { HEAD_MAX = 4096, EVENTS = 256, SMALL = 1024, LARGE = 1024 * 1024, UPLOAD = 64 * 1024, FRAME = 64 };

static const struct kind {
    const char *name, *target;
    int pipelined;
    bool tls, websocket, upload;
} KINDS[] = {
    {.name = "hello", .target = "/", .pipelined = 1},
    {.name = "header", .target = "/header", .pipelined = 1},
    {.name = "json", .target = "/json", .pipelined = 1},
    {.name = "small", .target = "/1k", .pipelined = 1},
    {.name = "large", .target = "/1m", .pipelined = 1},
    {.name = "upload", .target = "/upload", .pipelined = 1, .upload = true},
    {.name = "file_small", .target = "/static/1k", .pipelined = 1},
    {.name = "file_large", .target = "/static/1m", .pipelined = 1},
    {.name = "pipelined", .target = "/", .pipelined = 16},
    {.name = "tls", .target = "/", .pipelined = 1, .tls = true},
    {.name = "websocket", .target = "/websocket", .pipelined = 1, .websocket = true},
};

struct connection {
    int fd;
    size_t sent, received; /* of the message under way, and of its answer */
    uint64_t begin_ns;
#ifdef MOMO_BENCH_TLS
    SSL *tls;
#endif
};

static const struct kind *kind;
static char message[HEAD_MAX + UPLOAD];
static size_t message_size, answer_size;
static struct sockaddr_in address;
static char folder[] = "/tmp/momo-bench-XXXXXX";

static void remove_folder(void) {
    static const char *const NAMES[] = {"1k", "1m", "cert.pem", "key.pem", "nginx.conf", "nginx.pid"};
    char path[64];
    for (size_t i = 0; i < sizeof NAMES / sizeof *NAMES; i++) {
        snprintf(path, sizeof path, "%s/%s", folder, NAMES[i]);
        unlink(path);
    }
    rmdir(folder);
}

static void make_file(const char *name, size_t size) {
    char path[64];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *file = fopen(path, "w");
    if (file == NULL) fail(path);
    for (size_t i = 0; i < size; i++) putc('a' + (int)(i % 26), file);
    fclose(file);
}

static void make_folder(void) {
    char command[300];
    if (mkdtemp(folder) == NULL || chmod(folder, 0755) < 0) fail("mkdtemp");
    atexit(remove_folder);
    make_file("1k", SMALL);
    make_file("1m", LARGE);
    if (!kind->tls) return;
    snprintf(command, sizeof command,
             "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=localhost "
             "-keyout %s/key.pem -out %s/cert.pem 2>/dev/null",
             folder, folder);
    if (system(command) != 0) fail("openssl");
}

/* Sending and receiving: bytes; 0: it has to wait. */

static size_t check_progress(ssize_t n, const char *what) {
    if (n > 0) return (size_t)n;
    if (n == 0 || (errno != EAGAIN && errno != EWOULDBLOCK)) fail(what);
    return 0;
}

#ifdef MOMO_BENCH_TLS
static size_t check_tls(struct connection *c, int n) {
    if (n > 0) return (size_t)n;
    int error = SSL_get_error(c->tls, n);
    if (error != SSL_ERROR_WANT_READ && error != SSL_ERROR_WANT_WRITE) fail("TLS");
    return 0;
}
#endif

static size_t send_bytes(struct connection *c, const char *bytes, size_t n) {
#ifdef MOMO_BENCH_TLS
    if (c->tls) return check_tls(c, SSL_write(c->tls, bytes, (int)n));
#endif
    return check_progress(send(c->fd, bytes, n, MSG_NOSIGNAL), "send");
}

static size_t receive_bytes(struct connection *c, char *bytes, size_t n) {
#ifdef MOMO_BENCH_TLS
    if (c->tls) return check_tls(c, SSL_read(c->tls, bytes, (int)n));
#endif
    return check_progress(recv(c->fd, bytes, n, 0), "recv");
}

/* The status of an answer, all of which is read, and its size. */
static int first_answer(struct connection *c, size_t *size) {
    static char head[HEAD_MAX + LARGE];
    size_t n = 0;
    char *end = NULL, *length;
    while (end == NULL && n < HEAD_MAX) {
        n += receive_bytes(c, head + n, HEAD_MAX - n);
        head[n] = 0;
        end = strstr(head, "\r\n\r\n");
    }
    if (end == NULL) fail("the head of the answer");
    length = strcasestr(head, "\r\nContent-Length:");
    *size = (size_t)(end + 4 - head) + (length && length < end ? strtoul(length + 17, NULL, 10) : 0);
    int status = atoi(head + 9);
    while (n < *size) n += receive_bytes(c, head, *size - n < sizeof head ? *size - n : sizeof head);
    return status;
}

static void make_message(void) {
    message_size =
        (size_t)snprintf(message, HEAD_MAX, "%s %s HTTP/1.1\r\nHost: 127.0.0.1\r\nUser-Agent: bench\r\nAccept: */*\r\n",
                         kind->upload ? "POST" : "GET", kind->target);
    message_size += (size_t)snprintf(message + message_size, HEAD_MAX - message_size, "%s\r\n",
                                     kind->upload ? "Content-Length: 65536\r\n"
                                     : kind->websocket
                                         ? "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
                                           "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
                                         : "");
    if (kind->upload) {
        memset(message + message_size, 'x', UPLOAD);
        message_size += UPLOAD;
    }
}

/* What is exchanged after the first answer. */
static void make_load_message(size_t size) {
    answer_size = size * (size_t)kind->pipelined;
    if (kind->websocket) { /* with a key of zeros, the payload is what it is */
        memcpy(message, "\x82\xc0\0\0\0\0", 6);
        memset(message + 6, 'x', FRAME);
        message_size = 6 + FRAME;
        answer_size = 2 + FRAME;
        return;
    }
    for (int i = 1; i < kind->pipelined; i++) memcpy(message + message_size * (size_t)i, message, message_size);
    message_size *= (size_t)kind->pipelined;
}

/* Connects, and exchanges the first message; false: the server does not have it. */
static bool open_connection(struct connection *c, const char *first, size_t n, size_t *size) {
    static const struct linger reset = {1, 0};
    c->fd = socket(AF_INET, SOCK_STREAM, 0);
    if (c->fd < 0 || connect(c->fd, (struct sockaddr *)&address, sizeof address) < 0) fail("connect");
    setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
#ifdef MOMO_BENCH_TLS
    static SSL_CTX *context;
    if (kind->tls) {
        if (context == NULL) context = SSL_CTX_new(TLS_client_method());
        c->tls = SSL_new(context);
        SSL_set_mode(c->tls, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
        SSL_set_fd(c->tls, c->fd);
        if (SSL_connect(c->tls) != 1) fail("SSL_connect");
    }
#endif
    for (size_t sent = 0; sent < n;) sent += send_bytes(c, first + sent, n - sent);
    return first_answer(c, size) == (kind->websocket ? 101 : 200);
}

static void send_some(struct connection *c) {
    while (c->sent < message_size) {
        size_t n = send_bytes(c, message + c->sent, message_size - c->sent);
        if (n == 0) return;
        c->sent += n;
    }
}

static void receive_some(struct connection *c) {
    static char bytes[256 * 1024];
    while (c->received < answer_size) {
        size_t left = answer_size - c->received, n = receive_bytes(c, bytes, left < sizeof bytes ? left : sizeof bytes);
        if (n == 0) return;
        c->received += n;
    }
}

static void begin_message(struct connection *c) {
    c->sent = c->received = 0;
    c->begin_ns = read_clock(CLOCK_MONOTONIC);
    send_some(c);
}

/* Until `count` messages were answered; afterwards none is under way. Events are edges: what stalls is tried again. */
static void exchange(int poll, struct connection *all, int connections, int count, uint32_t *times_ns) {
    int begun = 0, ended = 0;
    while (begun < connections && begun < count) begin_message(&all[begun++]);
    while (ended < count) {
        struct epoll_event events[EVENTS];
        int n = epoll_wait(poll, events, EVENTS, 20000);
        if (n <= 0) fail("no answer");
        for (int i = 0; i < n; i++) {
            struct connection *c = &all[events[i].data.u32];
            if (c->received == answer_size) continue;
            send_some(c);
            receive_some(c);
            if (c->received < answer_size) continue;
            uint64_t ns = read_clock(CLOCK_MONOTONIC) - c->begin_ns;
            times_ns[ended++] = ns < UINT32_MAX ? (uint32_t)ns : UINT32_MAX;
            if (begun < count) {
                begun++;
                begin_message(c);
            }
        }
    }
}

static void load(int connections, int requests, clockid_t server_clock) {
    int poll = epoll_create1(0), warm_up = requests / 10 + connections;
    struct connection *all = allocate((size_t)connections, sizeof *all);
    uint32_t *times_ns = allocate((size_t)(requests + warm_up), sizeof *times_ns);
    static char first[sizeof message];
    make_message();
    size_t n = message_size, size;
    memcpy(first, message, n);
    for (int i = 0; i < connections; i++) {
        struct epoll_event event = {.events = EPOLLIN | EPOLLOUT | EPOLLET, .data.u32 = (uint32_t)i};
        if (!open_connection(&all[i], first, n, &size)) return;
        if (i == 0) make_load_message(size);
        if (fcntl(all[i].fd, F_SETFL, O_NONBLOCK) < 0 || epoll_ctl(poll, EPOLL_CTL_ADD, all[i].fd, &event) < 0)
            fail("epoll_ctl");
        all[i].received = answer_size; /* nothing is under way */
    }
    exchange(poll, all, connections, warm_up, times_ns);
    struct expense from = read_expense(server_clock);
    exchange(poll, all, connections, requests, times_ns);
    print_load(requests, from, read_expense(server_clock), times_ns);
}

static int serve(char *what, char **argv) {
    int connections, requests;
    char *colon = strchr(what, ':'), line[LINE], *all[16] = {0};
    if (colon == NULL || sscanf(colon, ":%d:%d", &connections, &requests) != 2) fail(what);
    *colon = 0;
    for (size_t i = 0; i < sizeof KINDS / sizeof *KINDS; i++) {
        if (strcmp(KINDS[i].name, what) == 0) kind = &KINDS[i];
    }
    if (kind == NULL) fail(what);
    make_folder();
    int n = 0;
    while (argv[n] != NULL && n < 13) {
        all[n] = argv[n];
        n++;
    }
    all[n] = folder;
    all[n + 1] = kind->tls ? "tls" : "plain";
    clockid_t clock;
    pid_t server = start_program(all, 0, line);
    address = (struct sockaddr_in){
        .sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(line)), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    if (clock_getcpuclockid(server, &clock) != 0) fail("clock_getcpuclockid");
    pin(1);
    load(connections, requests, clock);
    return kill(server, SIGKILL) < 0 || waitpid(server, NULL, 0) < 0; /* the next one has the CPU to itself */
}

static int start_client(char **argv) {
    char path[512], line[LINE], *all[16] = {0};
    ssize_t n = readlink("/proc/self/exe", path, sizeof path - 16);
    if (n < 0) fail("readlink");
    path[n] = 0;
    strcpy(strrchr(path, '/'), "/http_epoll");
    start_program((char *[]){path, ".", "plain", NULL}, 1, line);
    int i = 0;
    while (argv[i] != NULL && i < 13) {
        all[i] = argv[i];
        i++;
    }
    all[i] = line;
    pin(0);
    pid_t client = fork();
    if (client == 0) {
        execvp(all[0], all);
        fail(all[0]);
    }
    int status;
    return waitpid(client, &status, 0) != client || status != 0;
}

int main(int argc, char **argv) {
    if (argc < 3) {
        fprintf(stderr, "usage: http KIND:CONNECTIONS:REQUESTS SERVER [ARGS] | http client PROGRAM [ARGS]\n");
        return 2;
    }
    struct rlimit files;
    getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max; /* the server inherits it */
    setrlimit(RLIMIT_NOFILE, &files);
    return strcmp(argv[1], "client") == 0 ? start_client(argv + 2) : serve(argv[1], argv + 2);
}
