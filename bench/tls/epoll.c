/* SPDX-License-Identifier: MIT
 *
 * An echo server over TLS: OpenSSL over epoll, nothing else; see momo.lua. Its BIO copies from what a recv has brought, and
 * appends to what one send takes. What the kernel does not take ends the connection: its load reads all. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

enum { SCRATCH = 64 * 1024, EVENTS = 128 };

typedef struct connection {
    int fd;
    SSL *ssl;
} connection;

static char in[SCRATCH], plain[SCRATCH], out[4 * SCRATCH];
static size_t in_start, in_end, out_size;

static int bio_write(BIO *bio, const char *bytes, size_t n, size_t *written) {
    (void)bio;
    if (out_size + n > sizeof out) return 0;
    memcpy(out + out_size, bytes, n);
    out_size += n;
    *written = n;
    return 1;
}

static int bio_read(BIO *bio, char *into, size_t room, size_t *got) {
    size_t have = in_end - in_start;
    BIO_clear_retry_flags(bio);
    if (have == 0) {
        BIO_set_retry_read(bio);
        return 0;
    }
    *got = room < have ? room : have;
    memcpy(into, in + in_start, *got);
    in_start += *got;
    return 1;
}

static long bio_control(BIO *bio, int command, long number, void *pointer) {
    (void)bio, (void)number, (void)pointer;
    return command == BIO_CTRL_FLUSH;
}

static int bio_create(BIO *bio) {
    BIO_set_init(bio, 1);
    return 1;
}

static bool send_all(const connection *c) {
    size_t sent = 0;
    while (sent < out_size) {
        ssize_t n = send(c->fd, out + sent, out_size - sent, MSG_NOSIGNAL);
        if (n < 0) return false;
        sent += (size_t)n;
    }
    out_size = 0;
    return true;
}

/* All plaintext that there is goes back: whether the connection goes on. */
static bool echo(const connection *c) {
    for (;;) {
        ERR_clear_error();
        int n = SSL_read(c->ssl, plain, SCRATCH); /* makes the handshake too */
        if (n <= 0) return SSL_get_error(c->ssl, n) == SSL_ERROR_WANT_READ;
        if (SSL_write(c->ssl, plain, n) != n) return false;
    }
}

static bool serve(const connection *c) {
    for (;;) {
        ssize_t n = recv(c->fd, in, SCRATCH, MSG_DONTWAIT);
        if (n <= 0) return n < 0 && errno == EAGAIN;
        in_start = 0;
        in_end = (size_t)n;
        bool goes_on = echo(c);
        if (!send_all(c) || !goes_on) return false;
        if (n < SCRATCH) break; /* it has taken all */
    }
    SSL_free_buffers(c->ssl);
    return true;
}

int main(int argc, char **argv) {
    SSL_CTX *context = SSL_CTX_new(TLS_server_method());
    if (argc < 3 || !SSL_CTX_use_certificate_chain_file(context, argv[1]) ||
        !SSL_CTX_use_PrivateKey_file(context, argv[2], SSL_FILETYPE_PEM)) {
        return 1;
    }
    SSL_CTX_set_options(context, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
    SSL_CTX_set_session_id_context(context, (const unsigned char *)"bench", 5);
    BIO_METHOD *method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "bench");
    BIO_meth_set_read_ex(method, bio_read);
    BIO_meth_set_write_ex(method, bio_write);
    BIO_meth_set_ctrl(method, bio_control);
    BIO_meth_set_create(method, bio_create);

    int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), on = 1;
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    if (bind(listener, (struct sockaddr *)&address, size) < 0 || listen(listener, 1024) < 0) return 1;
    getsockname(listener, (struct sockaddr *)&address, &size);
    printf("%d\n", ntohs(address.sin_port));
    fflush(stdout);

    int poll = epoll_create1(0);
    struct epoll_event events[EVENTS], of_listener = {.events = EPOLLIN};
    epoll_ctl(poll, EPOLL_CTL_ADD, listener, &of_listener);
    for (;;) {
        int n = epoll_wait(poll, events, EVENTS, -1);
        for (int i = 0; i < n; i++) {
            connection *c = events[i].data.ptr;
            if (c != NULL && !serve(c)) {
                SSL_shutdown(c->ssl); /* says close_notify, as the others do */
                send_all(c);
                SSL_free(c->ssl);
                close(c->fd);
                free(c);
            }
            int fd;
            while (c == NULL && (fd = accept4(listener, NULL, NULL, 0)) >= 0) {
                connection *one = calloc(1, sizeof *one);
                BIO *bio = BIO_new(method);
                setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
                one->fd = fd;
                one->ssl = SSL_new(context);
                SSL_set_bio(one->ssl, bio, bio);
                SSL_set_accept_state(one->ssl);
                struct epoll_event event = {.events = EPOLLIN | EPOLLET | EPOLLRDHUP, .data.ptr = one};
                epoll_ctl(poll, EPOLL_CTL_ADD, fd, &event);
            }
        }
    }
}
