/* SPDX-License-Identifier: MIT
 *
 * The load on a server, which it starts itself: the server on the first CPU, the load on the second.
 *
 * Usage: load echo LOAD,LOAD,... SERVER [ARGS]    LOAD is CONNECTIONS:BYTES:REQUESTS. For each of them a line:
 *                                                 CPU time of the server in ns a request, requests a second, the
 *                                                 latencies p50, p99 and p99.9 in us, and CPU time of the load in ns a
 *                                                 request. CONNECTIONS:BYTES:REQUESTS:RATE: so many requests a second
 *                                                 become due, and latencies begin then; else the next one follows an answer
 *        load udp LOAD,LOAD,... SERVER [ARGS]     the same in datagrams
 *        load unix LOAD,LOAD,... SERVER [ARGS]    the same over a Unix socket, at the path that is the last argument
 *        load proxy LOAD,LOAD,... UPSTREAM SERVER [ARGS]  the same through a proxy, which gets the port of the echo
 *                                                 server UPSTREAM, a path, as its last argument; CPU time is the proxy's
 *        load service LOAD,LOAD,... SERVER [ARGS] the same as echo, with a server that may use all CPUs, as may the load
 *        load storm CONNECTIONS SERVER [ARGS]     connections come, echo once and go: CPU time of the server in ns a
 *                                                 connection, connections a second
 *        load idle CONNECTIONS SERVER [ARGS]      resident memory of the server in bytes a connection that has echoed once
 *        load start TIMES PROGRAM [ARGS]          from fork to exit, the mean: wall-clock and CPU time in us
 *        load call                                what the shortest system call takes here (getppid), in ns
 *        load --one-cpu ...                       both on the first CPU, as batches (SCHED_BATCH): one runs until it has to
 *                                                 wait, so that each finds work for as many connections as there are
 *
 * The server listens on 127.0.0.1, sends back what it gets, and prints its port, or its path, as its first line. Each
 * connection has one message under way at a time, each of other bytes than those before it. CPU time is user and system time of
 * all the server's threads. */
#include <arpa/inet.h>
#include <fcntl.h>
#include <stdbool.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "start.h"

enum { GREETING = 64, MESSAGE_MAX = 64 * 1024, EVENTS = 256, BURST = 64, VARIETY = 1024 * 1024, PATIENCE_S = 20 };

struct connection {
    int fd;
    const char *message;
    size_t sent, received; /* of the message under way */
    uint64_t begin_ns;
};

static pid_t server;
static clockid_t server_clock;
static int socket_type = SOCK_STREAM;
static struct sockaddr_storage address;
static socklen_t address_size;
static bool one_cpu;
static char varied[VARIETY + MESSAGE_MAX];

static void vary(void) {
    uint32_t x = 2463534242;
    for (size_t i = 0; i < sizeof varied; i++) {
        x ^= x << 13;
        x ^= x >> 17;
        x ^= x << 5;
        varied[i] = (char)x;
    }
}

/* Those before it had others. */
static const char *next_message(void) {
    static size_t at;
    at = (at + GREETING) % VARIETY;
    return varied + at;
}

/* With one more argument, if there is one. */
static void start_server(char **argv, char *argument, bool pinned) {
    char line[LINE], *all[16] = {0};
    int n = 0;
    while (argv[n] != NULL && n < 14) {
        all[n] = argv[n];
        n++;
    }
    all[n] = argument;
    server = start_program(all, pinned ? 0 : -1, line);
    if (line[0] == '/') {
        struct sockaddr_un *un = (struct sockaddr_un *)&address;
        un->sun_family = AF_UNIX;
        strcpy(un->sun_path, line);
        address_size = sizeof *un;
    } else {
        struct sockaddr_in *in = (struct sockaddr_in *)&address;
        in->sin_family = AF_INET;
        in->sin_port = htons((uint16_t)atoi(line));
        in->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        address_size = sizeof *in;
    }
    if (clock_getcpuclockid(server, &server_clock) != 0) fail("clock_getcpuclockid");
    if (pinned) pin(one_cpu ? 0 : 1);
}

static char folder[] = "/tmp/momo-bench-XXXXXX", path[sizeof folder + sizeof "/socket"];

static void remove_path(void) {
    unlink(path);
    rmdir(folder);
}

/* For a Unix socket that is gone when we are. */
static char *make_path(void) {
    if (mkdtemp(folder) == NULL) fail("mkdtemp");
    snprintf(path, sizeof path, "%s/socket", folder);
    atexit(remove_path);
    return path;
}

/* A connection that sends its greeting. A reset ends it, which leaves no TIME_WAIT behind. */
static int connect_and_greet(void) {
    static const struct linger reset = {1, 0};
    int fd = socket(address.ss_family, socket_type, 0);
    if (fd < 0 || connect(fd, (struct sockaddr *)&address, address_size) < 0) fail("connect");
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
    if (send(fd, varied, GREETING, MSG_NOSIGNAL) != GREETING) fail("send");
    return fd;
}

static void receive_greeting(int fd) {
    char greeting[GREETING];
    if (recv(fd, greeting, GREETING, MSG_WAITALL) != GREETING) fail("recv");
}

static void send_some(struct connection *c, size_t size) {
    while (c->sent < size) {
        ssize_t n = send(c->fd, c->message + c->sent, size - c->sent, MSG_NOSIGNAL);
        if (n < 0 && errno == EAGAIN) return;
        if (n < 0) fail("send");
        c->sent += (size_t)n;
    }
}

static void receive_some(struct connection *c, size_t size) {
    static char bytes[MESSAGE_MAX];
    while (c->received < size) {
        ssize_t n = recv(c->fd, bytes, size - c->received, 0);
        if (n < 0 && errno == EAGAIN) return;
        if (n <= 0) fail("recv");
        c->received += (size_t)n;
    }
}

/* Messages that are to be exchanged. */
struct exchange {
    int poll;
    struct connection *all, **idle; /* a ring: those that no message is under way on; the longest idle one is next */
    int connections, idle_first, idle_count;
    size_t size;
    int count, begun;
    uint64_t begin_ns;
    double interval_ns; /* between two that become due; 0: each is due at once */
};

static void add_idle(struct exchange *x, struct connection *c) {
    x->idle[(x->idle_first + x->idle_count++) % x->connections] = c;
}

static uint64_t due_ns(const struct exchange *x) {
    return x->begin_ns + (uint64_t)(x->begun * x->interval_ns);
}

/* As many as are due and have a connection. */
static void begin_messages(struct exchange *x) {
    while (x->begun < x->count && x->idle_count) {
        uint64_t now_ns = read_clock(CLOCK_MONOTONIC);
        if (x->interval_ns > 0 && due_ns(x) > now_ns) return;
        struct connection *c = x->idle[x->idle_first];
        x->idle_first = (x->idle_first + 1) % x->connections;
        x->idle_count--;
        c->begin_ns = x->interval_ns > 0 ? due_ns(x) : now_ns;
        c->message = next_message();
        c->sent = c->received = 0;
        x->begun++;
        send_some(c, x->size);
    }
}

/* For an answer, or for the next message to become due. */
static int wait_for_events(const struct exchange *x, struct epoll_event *events) {
    struct timespec limit = {PATIENCE_S, 0};
    bool paced = x->interval_ns > 0 && x->begun < x->count && x->idle_count;
    if (paced) {
        uint64_t now_ns = read_clock(CLOCK_MONOTONIC), next_ns = due_ns(x);
        limit = (struct timespec){0, next_ns > now_ns ? (long)(next_ns - now_ns) : 0};
    }
    int n = epoll_pwait2(x->poll, events, EVENTS, &limit, NULL);
    if (n < 0 || (n == 0 && !paced)) fail("no answer");
    return n;
}

/* Until all messages have come back; afterwards none is under way. Events are edges: what stalls is tried again. */
static void exchange(struct exchange *x, int count, int rate, uint32_t *times_ns) {
    x->count = count;
    x->begun = 0;
    x->interval_ns = rate ? 1e9 / rate : 0;
    x->begin_ns = read_clock(CLOCK_MONOTONIC);
    begin_messages(x);
    for (int ended = 0; ended < count;) {
        struct epoll_event events[EVENTS];
        int n = wait_for_events(x, events);
        for (int i = 0; i < n; i++) {
            struct connection *c = &x->all[events[i].data.u32];
            if (c->received == x->size) continue;
            send_some(c, x->size);
            receive_some(c, x->size);
            if (c->received < x->size) continue;
            uint64_t ns = read_clock(CLOCK_MONOTONIC) - c->begin_ns;
            times_ns[ended++] = ns < UINT32_MAX ? (uint32_t)ns : UINT32_MAX;
            add_idle(x, c);
            begin_messages(x);
        }
        begin_messages(x);
    }
}

static void echo(int connections, size_t size, int requests, int rate) {
    int poll = epoll_create1(0), warm_up = requests / 10 + connections;
    struct connection *all = allocate((size_t)connections, sizeof *all);
    struct exchange x = {.poll = poll, .all = all, .connections = connections, .size = size};
    x.idle = allocate((size_t)connections, sizeof *x.idle);
    uint32_t *latencies_ns = allocate((size_t)(requests + warm_up), sizeof *latencies_ns);
    for (int i = 0; i < connections; i++) {
        struct epoll_event event = {.events = EPOLLIN | EPOLLOUT | EPOLLET, .data.u32 = (uint32_t)i};
        int fd = all[i].fd = connect_and_greet();
        receive_greeting(fd);
        if (fcntl(fd, F_SETFL, O_NONBLOCK) < 0 || epoll_ctl(poll, EPOLL_CTL_ADD, fd, &event) < 0) fail("epoll_ctl");
        all[i].received = size; /* nothing is under way */
        add_idle(&x, &all[i]);
    }
    exchange(&x, warm_up, 0, latencies_ns);
    struct expense from = read_expense(server_clock);
    exchange(&x, requests, rate, latencies_ns);
    print_load(requests, from, read_expense(server_clock), latencies_ns);
    for (int i = 0; i < connections; i++) close(all[i].fd);
    close(poll);
    free(all);
    free(x.idle);
    free(latencies_ns);
}

static void echo_all(char *loads) {
    for (char *load = strtok(loads, ","); load != NULL; load = strtok(NULL, ",")) {
        int connections, requests, rate = 0;
        size_t size;
        if (sscanf(load, "%d:%zu:%d:%d", &connections, &size, &requests, &rate) < 3 || size > MESSAGE_MAX) fail(load);
        echo(connections, size, requests, rate);
    }
}

static void storm(int connections) {
    int fds[BURST];
    uint64_t cpu_ns = 0, wall_ns = 0;
    for (int done = -connections / 10; done < connections; done += BURST) {
        if (cpu_ns == 0 && done >= 0) { /* warm by now */
            cpu_ns = read_clock(server_clock);
            wall_ns = read_clock(CLOCK_MONOTONIC);
        }
        for (int i = 0; i < BURST; i++) fds[i] = connect_and_greet();
        for (int i = 0; i < BURST; i++) {
            receive_greeting(fds[i]);
            close(fds[i]);
        }
    }
    int fd = connect_and_greet(); /* it has seen the others end when it answers */
    receive_greeting(fd);
    cpu_ns = read_clock(server_clock) - cpu_ns;
    wall_ns = read_clock(CLOCK_MONOTONIC) - wall_ns;
    printf("%.1f %.0f\n", (double)cpu_ns / connections, connections / ((double)wall_ns / 1e9));
}

static double resident_bytes(void) {
    char name[64];
    long pages = -1;
    snprintf(name, sizeof name, "/proc/%d/statm", (int)server);
    FILE *file = fopen(name, "r");
    if (file == NULL || fscanf(file, "%*d %ld", &pages) != 1) fail(name);
    fclose(file);
    return (double)pages * (double)sysconf(_SC_PAGESIZE);
}

/* They stay open. */
static void greet_all(int connections) {
    for (int left = connections; left > 0; left -= BURST) {
        int fds[BURST], n = left < BURST ? left : BURST;
        for (int i = 0; i < n; i++) fds[i] = connect_and_greet();
        for (int i = 0; i < n; i++) receive_greeting(fds[i]);
    }
    usleep(50000);
}

static void idle(int connections) {
    greet_all(BURST); /* what the server compiles, loads and touches once is no connection's */
    double before = resident_bytes();
    greet_all(connections);
    printf("%.1f\n", (resident_bytes() - before) / connections);
}

static void start(int times, char **argv) {
    struct rusage usage;
    uint64_t wall_ns = read_clock(CLOCK_MONOTONIC);
    for (int i = 0; i < times; i++) {
        pid_t child = fork();
        if (child < 0) fail("fork");
        if (child == 0) {
            if (freopen("/dev/null", "w", stdout) == NULL) fail("/dev/null");
            execvp(argv[0], argv);
            fail(argv[0]);
        }
        int status;
        if (waitpid(child, &status, 0) != child || status != 0) fail(argv[0]);
    }
    wall_ns = read_clock(CLOCK_MONOTONIC) - wall_ns;
    if (getrusage(RUSAGE_CHILDREN, &usage) < 0) fail("getrusage");
    double cpu_us = (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1e6 +
                    (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec);
    printf("%.1f %.1f\n", (double)wall_ns / 1e3 / times, cpu_us / times);
}

/* The least of several times. */
static void call(void) {
    enum { CALLS = 200000, TIMES = 8 };
    uint64_t least_ns = UINT64_MAX;
    for (int i = 0; i < TIMES; i++) {
        uint64_t ns = read_clock(CLOCK_THREAD_CPUTIME_ID);
        for (int n = 0; n < CALLS; n++) syscall(SYS_getppid);
        ns = read_clock(CLOCK_THREAD_CPUTIME_ID) - ns;
        if (ns < least_ns) least_ns = ns;
    }
    printf("%.1f\n", (double)least_ns / CALLS);
}

/* The server inherits it. */
static void share_one_cpu(void) {
    struct sched_param none = {0};
    one_cpu = true;
    pin(0);
    if (sched_setscheduler(0, SCHED_BATCH, &none) < 0) fail("sched_setscheduler");
}

int main(int argc, char **argv) {
    if (argc > 1 && strcmp(argv[1], "--one-cpu") == 0) {
        share_one_cpu();
        argc--;
        argv++;
    }
    if (argc == 2 && strcmp(argv[1], "call") == 0) {
        call();
        return 0;
    }
    const char *mode = argc > 1 ? argv[1] : "";
    bool proxy = strcmp(mode, "proxy") == 0;
    if (argc < (proxy ? 5 : 4)) {
        fprintf(stderr,
                "usage: load [--one-cpu] echo|udp|unix|proxy|service|storm|idle|start WHAT [UPSTREAM] PROGRAM [ARGS]\n"
                "       load call\n");
        return 2;
    }
    char *what = argv[2];
    vary();
    prctl(PR_SET_TIMERSLACK, 1UL);
    struct rlimit files;
    getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max; /* the server inherits it */
    setrlimit(RLIMIT_NOFILE, &files);

    if (strcmp(mode, "start") == 0) {
        start(atoi(what), argv + 3);
        return 0;
    }
    if (proxy) {
        char *upstream[] = {argv[3], NULL}, port[LINE];
        start_program(upstream, 1, port);
        start_server(argv + 4, port, true);
    } else {
        socket_type = strcmp(mode, "udp") == 0 ? SOCK_DGRAM : SOCK_STREAM;
        start_server(argv + 3, strcmp(mode, "unix") == 0 ? make_path() : NULL, strcmp(mode, "service") != 0);
    }
    if (strcmp(mode, "storm") == 0) {
        storm(atoi(what));
    } else if (strcmp(mode, "idle") == 0) {
        idle(atoi(what));
    } else {
        echo_all(what);
    }
    return kill(server, SIGKILL) < 0 || waitpid(server, NULL, 0) < 0; /* the next one has the CPU to itself */
}
