/* SPDX-License-Identifier: MIT
 *
 * The load on a server of TLS 1.3, which it starts itself: the server on the first CPU, the load on the second.
 *
 * Usage: tls echo CONNECTIONS:BYTES:REQUESTS SERVER [ARGS]  CPU time of the server in ns a request, requests a second
 *        tls full CONNECTIONS SERVER [ARGS]     connections come, shake hands, echo a byte and go, one after the other: CPU
 *                                               time of the server in ns a connection
 *        tls resumed CONNECTIONS SERVER [ARGS]  the same, of those that resume a session
 *        tls idle CONNECTIONS SERVER [ARGS]     resident memory in bytes a connection that has echoed once
 *
 * The server gets the paths of its certificate (P-256) and key as its last arguments. It listens on 127.0.0.1, sends back
 * what it gets, and prints its port as its first line. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

enum { MESSAGE_MAX = 64 * 1024, WARM_UP = 20, ARGUMENTS = 16 };

static char folder[] = "/tmp/momo-bench-XXXXXX", cert[sizeof folder + 8], key[sizeof folder + 8];
static char message[MESSAGE_MAX], answer[MESSAGE_MAX];
static pid_t server;
static clockid_t server_clock;
static struct sockaddr_in address = {.sin_family = AF_INET};
static SSL_CTX *context;
static SSL_SESSION *session; /* the newest */

static _Noreturn void fail(const char *what) {
    fprintf(stderr, "tls: %s: %s\n", what, strerror(errno));
    exit(1); /* the server dies with us */
}

static uint64_t read_clock(clockid_t clock) {
    struct timespec now;
    if (clock_gettime(clock, &now) < 0) fail("clock");
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

static void pin(int cpu) {
    cpu_set_t one;
    CPU_ZERO(&one);
    CPU_SET(cpu, &one);
    sched_setaffinity(0, sizeof one, &one); /* if there are so many */
}

static void remove_files(void) {
    unlink(cert);
    unlink(key);
    rmdir(folder);
}

static void write_pem(const char *path, X509 *x, EVP_PKEY *k) {
    FILE *file = fopen(path, "w");
    if (file == NULL || !(x ? PEM_write_X509(file, x) : PEM_write_PrivateKey(file, k, NULL, NULL, 0, NULL, NULL)))
        fail(path);
    fclose(file);
}

static void make_certificate(void) {
    if (mkdtemp(folder) == NULL) fail("folder");
    snprintf(cert, sizeof cert, "%s/cert", folder);
    snprintf(key, sizeof key, "%s/key", folder);
    atexit(remove_files);
    EVP_PKEY *k = EVP_EC_gen("P-256");
    X509 *x = X509_new();
    X509_set_version(x, 2);
    ASN1_INTEGER_set(X509_get_serialNumber(x), 1);
    X509_gmtime_adj(X509_getm_notBefore(x), -3600);
    X509_gmtime_adj(X509_getm_notAfter(x), 86400);
    X509_NAME_add_entry_by_txt(X509_get_subject_name(x), "CN", MBSTRING_ASC, (const unsigned char *)"localhost", -1, -1,
                               0);
    X509_set_issuer_name(x, X509_get_subject_name(x));
    X509_set_pubkey(x, k);
    X509_sign(x, k, EVP_sha256());
    write_pem(cert, x, NULL);
    write_pem(key, NULL, k);
}

static void start_server(char **argv) {
    char *all[ARGUMENTS] = {0};
    int n = 0, ends[2], port;
    while (argv[n] != NULL && n < ARGUMENTS - 3) {
        all[n] = argv[n];
        n++;
    }
    all[n] = cert;
    all[n + 1] = key;
    if (pipe(ends) < 0 || (server = fork()) < 0) fail("start");
    if (server == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        pin(0);
        dup2(ends[1], STDOUT_FILENO);
        execvp(all[0], all);
        perror(all[0]);
        _exit(1);
    }
    close(ends[1]);
    FILE *lines = fdopen(ends[0], "r"); /* stays open: a server may go on printing */
    if (lines == NULL || fscanf(lines, "%d", &port) != 1) fail("the server did not print its port");
    address.sin_port = htons((uint16_t)port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (clock_getcpuclockid(server, &server_clock) != 0) fail("clock");
    pin(1);
}

static int keep_session(SSL *ssl, SSL_SESSION *one) {
    (void)ssl;
    SSL_SESSION_free(session);
    session = one;
    return 1;
}

static void make_context(void) {
    context = SSL_CTX_new(TLS_client_method());
    SSL_CTX_set_min_proto_version(context, TLS1_3_VERSION);
    SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
    SSL_CTX_sess_set_new_cb(context, keep_session);
    SSL_CTX_set_mode(context, SSL_MODE_AUTO_RETRY);
}

static void echo(SSL *ssl, int size) {
    if (SSL_write(ssl, message, size) != size) fail("write");
    for (int have = 0; have < size;) {
        int n = SSL_read(ssl, answer, MESSAGE_MAX);
        if (n <= 0) fail("read");
        have += n;
    }
}

static SSL *open_one(SSL_SESSION *with) {
    int fd = socket(AF_INET, SOCK_STREAM, 0), on = 1;
    if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof address) < 0) fail("connect");
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    SSL *ssl = SSL_new(context);
    SSL_set_fd(ssl, fd);
    SSL_set_tlsext_host_name(ssl, "localhost");
    if (with) SSL_set_session(ssl, with);
    if (SSL_connect(ssl) != 1) fail("handshake");
    echo(ssl, 1);
    if (with && !SSL_session_reused(ssl)) exit(0); /* the server does not resume: it has no figure */
    return ssl;
}

static void close_one(SSL *ssl) {
    int fd = SSL_get_fd(ssl);
    SSL_shutdown(ssl);
    close(fd);
    SSL_free(ssl);
}

static SSL **open_all(int n) {
    SSL **all = calloc((size_t)n, sizeof *all);
    if (all == NULL) fail("memory");
    for (int i = 0; i < n; i++) all[i] = open_one(NULL);
    return all;
}

static void run_echo(const char *load) {
    int connections, size, requests;
    if (sscanf(load, "%d:%d:%d", &connections, &size, &requests) != 3) fail("load");
    SSL **all = open_all(connections);
    for (int i = 0; i < connections; i++) echo(all[i], size);
    uint64_t cpu = read_clock(server_clock), begin = read_clock(CLOCK_MONOTONIC);
    int rounds = requests / connections;
    for (int round = 0; round < rounds; round++) {
        for (int i = 0; i < connections; i++) {
            if (SSL_write(all[i], message, size) != size) fail("write");
        }
        for (int i = 0; i < connections; i++) {
            for (int have = 0, n; have < size; have += n) {
                n = SSL_read(all[i], answer, MESSAGE_MAX);
                if (n <= 0) fail("read");
            }
        }
    }
    double count = (double)rounds * connections;
    printf("%.1f %.1f\n", (double)(read_clock(server_clock) - cpu) / count,
           count * 1e9 / (double)(read_clock(CLOCK_MONOTONIC) - begin));
}

static void run_handshakes(int count, bool resumed) {
    uint64_t begin = 0;
    for (int i = -WARM_UP; i < count; i++) {
        if (i == 0) begin = read_clock(server_clock);
        SSL_SESSION *with = resumed && i > -WARM_UP ? session : NULL;
        if (with) SSL_SESSION_up_ref(with);
        close_one(open_one(with));
        SSL_SESSION_free(with);
    }
    printf("%.1f\n", (double)(read_clock(server_clock) - begin) / count);
}

static double resident_bytes(void) {
    char path[64];
    long pages;
    snprintf(path, sizeof path, "/proc/%d/statm", server);
    FILE *file = fopen(path, "r");
    if (file == NULL || fscanf(file, "%*d %ld", &pages) != 1) fail(path);
    fclose(file);
    return (double)pages * (double)sysconf(_SC_PAGESIZE);
}

static void run_idle(int connections) {
    open_all(10);
    double before = resident_bytes();
    open_all(connections);
    struct timespec while_it_settles = {.tv_nsec = 200000000};
    nanosleep(&while_it_settles, NULL);
    printf("%.1f\n", (resident_bytes() - before) / connections);
}

int main(int argc, char **argv) {
    if (argc < 4) {
        errno = EINVAL;
        fail("usage: see tls.c");
    }
    signal(SIGPIPE, SIG_IGN);
    make_certificate();
    make_context();
    start_server(argv + 3);
    if (strcmp(argv[1], "echo") == 0) {
        run_echo(argv[2]);
    } else if (strcmp(argv[1], "idle") == 0) {
        run_idle(atoi(argv[2]));
    } else {
        run_handshakes(atoi(argv[2]), strcmp(argv[1], "resumed") == 0);
    }
    kill(server, SIGKILL);
    return 0;
}
