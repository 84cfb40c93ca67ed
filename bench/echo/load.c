/* SPDX-License-Identifier: MIT
 *
 * The load on an echo server, which it starts itself: the server on the first CPU, the load on the second.
 *
 * Usage: load echo CONNECTIONS REQUESTS SERVER [ARGS]      -> CPU time of the server in ns a request, requests a second
 *        load udp SOCKETS REQUESTS SERVER [ARGS]          -> the same with datagrams
 *        load idle CONNECTIONS SERVER [ARGS]               -> resident memory of the server in bytes a connection
 *
 * The server listens on 127.0.0.1 and prints its port as its first line. Each connection has one message of 64 bytes
 * under way at a time. An idle connection has had one message. */
#include <arpa/inet.h>
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { SIZE = 64, EVENTS = 256 };

static pid_t server;
static int type = SOCK_STREAM;

static void fail(const char *what) {
    fprintf(stderr, "load: %s: %s\n", what, strerror(errno));
    if (server > 0) kill(server, SIGKILL);
    exit(1);
}

static uint64_t read_clock(clockid_t clock) {
    struct timespec now;
    if (clock_gettime(clock, &now) < 0) fail("clock");
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

/* Pins to the nth CPU that the process may use, if there are so many. */
static void pin(int n) {
    cpu_set_t all, one;
    CPU_ZERO(&one);
    if (sched_getaffinity(0, sizeof all, &all) < 0) return;
    for (int cpu = 0; cpu < CPU_SETSIZE; cpu++) {
        if (CPU_ISSET(cpu, &all) && n-- == 0) {
            CPU_SET(cpu, &one);
            sched_setaffinity(0, sizeof one, &one);
            return;
        }
    }
}

static struct sockaddr_in start_server(char **argv) {
    int ends[2];
    if (pipe(ends) < 0) fail("pipe");
    server = fork();
    if (server < 0) fail("fork");
    if (server == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        pin(0);
        dup2(ends[1], STDOUT_FILENO);
        close(ends[0]);
        close(ends[1]);
        execvp(argv[0], argv);
        fail(argv[0]);
    }
    close(ends[1]);
    FILE *lines = fdopen(ends[0], "r"); /* stays open: a server may go on printing */
    int port = 0;
    if (lines == NULL || fscanf(lines, "%d", &port) != 1) fail("the server did not print its port");
    return (struct sockaddr_in){
        .sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
}

static int connect_to(const struct sockaddr_in *address) {
    static const struct linger reset = {1, 0}; /* leaves no TIME_WAIT behind */
    int fd = socket(AF_INET, type, 0);
    if (fd < 0 || connect(fd, (const struct sockaddr *)address, sizeof *address) < 0) fail("connect");
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
    return fd;
}

static void send_message(int fd) {
    static const char message[SIZE] = "echo";
    if (write(fd, message, SIZE) != SIZE) fail("write");
}

static void receive_message(int fd) {
    char message[SIZE];
    if (recv(fd, message, SIZE, MSG_WAITALL) != SIZE) fail("read");
}

/* Until `count` messages have come back, one under way on each connection; afterwards none is. */
static void exchange(int poll, int connections, const int *fds, int count) {
    static int received[1 << 20]; /* by descriptor: bytes of the message under way */
    int begun = 0, ended = 0;
    while (begun < connections && begun < count) send_message(fds[begun++]);
    while (ended < count) {
        struct epoll_event events[EVENTS];
        char bytes[SIZE];
        int n = epoll_wait(poll, events, EVENTS, 10000);
        if (n <= 0) fail("no answer");
        for (int i = 0; i < n; i++) {
            int fd = events[i].data.fd;
            ssize_t size = read(fd, bytes, (size_t)(SIZE - received[fd]));
            if (size <= 0) fail("read");
            received[fd] = (received[fd] + (int)size) % SIZE;
            if (received[fd] > 0) continue;
            ended++;
            if (begun < count) {
                begun++;
                send_message(fd);
            }
        }
    }
}

static void echo(const struct sockaddr_in *address, int connections, int *fds, int requests) {
    int poll = epoll_create1(0);
    for (int i = 0; i < connections; i++) {
        fds[i] = connect_to(address);
        struct epoll_event event = {.events = EPOLLIN, .data.fd = fds[i]};
        if (epoll_ctl(poll, EPOLL_CTL_ADD, fds[i], &event) < 0) fail("epoll_ctl");
    }
    clockid_t server_clock;
    if (clock_getcpuclockid(server, &server_clock) != 0) fail("clock_getcpuclockid");
    exchange(poll, connections, fds, requests / 10 + connections);
    uint64_t cpu_ns = read_clock(server_clock), wall_ns = read_clock(CLOCK_MONOTONIC);
    exchange(poll, connections, fds, requests);
    cpu_ns = read_clock(server_clock) - cpu_ns;
    wall_ns = read_clock(CLOCK_MONOTONIC) - wall_ns;
    printf("%.1f %.0f\n", (double)cpu_ns / requests, requests / ((double)wall_ns / 1e9));
}

static double resident_bytes(void) {
    char path[64];
    long pages = -1;
    snprintf(path, sizeof path, "/proc/%d/statm", (int)server);
    FILE *file = fopen(path, "r");
    if (file == NULL || fscanf(file, "%*d %ld", &pages) != 1) fail(path);
    fclose(file);
    return (double)pages * (double)sysconf(_SC_PAGESIZE);
}

static void idle(const struct sockaddr_in *address, int connections, int *fds) {
    double before = 0;
    for (int i = 0; i < connections; i++) {
        fds[i] = connect_to(address);
        send_message(fds[i]);
        receive_message(fds[i]);
        if (i == 0) before = resident_bytes();
    }
    usleep(100000);
    printf("%.1f\n", (resident_bytes() - before) / (connections - 1));
}

int main(int argc, char **argv) {
    bool udp = argc > 4 && strcmp(argv[1], "udp") == 0;
    bool echoes = udp || (argc > 4 && strcmp(argv[1], "echo") == 0), idles = argc > 3 && strcmp(argv[1], "idle") == 0;
    if (!echoes && !idles) {
        fprintf(stderr,
                "usage: load echo|udp CONNECTIONS REQUESTS SERVER [ARGS] | load idle CONNECTIONS SERVER [ARGS]\n");
        return 2;
    }
    struct rlimit files;
    getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max; /* the server inherits it */
    setrlimit(RLIMIT_NOFILE, &files);

    type = udp ? SOCK_DGRAM : SOCK_STREAM;
    int connections = atoi(argv[2]);
    int *fds = calloc((size_t)connections, sizeof *fds);
    struct sockaddr_in address = start_server(argv + (echoes ? 4 : 3));
    pin(1);
    if (echoes) {
        echo(&address, connections, fds, atoi(argv[3]));
    } else {
        idle(&address, connections, fds);
    }
    free(fds);
    return kill(server, SIGKILL) < 0;
}
