/* SPDX-License-Identifier: MIT
 *
 * The floor: a UDP echo server in plain C. A recvmmsg(2) takes a burst; each answer is a sendto(2), whose outcome is known
 * before the next one. With an argument, a sendmmsg(2) sends those of a burst. Prints its port. */
#include <arpa/inet.h>
#include <stdio.h>
#include <sys/socket.h>

enum {
    LARGEST = 64 * 1024,
    BATCH = 16,
    APART = LARGEST + 256 /* so that they don't compete for the same lines of the cache */
};

static char bytes[BATCH][APART];
static struct sockaddr_in from[BATCH];
static struct iovec pieces[BATCH];
static struct mmsghdr messages[BATCH];

static void answer_each(int fd, int n) {
    for (int i = 0; i < n; i++)
        sendto(fd, bytes[i], messages[i].msg_len, 0, (struct sockaddr *)&from[i], sizeof from[i]);
}

static void answer_all(int fd, int n) {
    for (int i = 0; i < n; i++) pieces[i].iov_len = messages[i].msg_len;
    for (int sent = 0; sent < n;) {
        int more = sendmmsg(fd, messages + sent, (unsigned)(n - sent), 0);
        sent += more > 0 ? more : 1; /* one that can't be sent is one that got lost */
    }
}

int main(int argc, char **argv) {
    (void)argv;
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof address;
    int fd = socket(AF_INET, SOCK_DGRAM, 0);
    if (fd < 0 || bind(fd, (struct sockaddr *)&address, length) < 0 ||
        getsockname(fd, (struct sockaddr *)&address, &length) < 0)
        return 1;
    printf("%d\n", ntohs(address.sin_port));
    fflush(stdout);
    for (;;) {
        for (int i = 0; i < BATCH; i++) {
            pieces[i] = (struct iovec){bytes[i], LARGEST};
            messages[i].msg_hdr = (struct msghdr){&from[i], sizeof from[i], &pieces[i], 1, NULL, 0, 0};
        }
        int n = recvmmsg(fd, messages, BATCH, MSG_WAITFORONE, NULL);
        if (n < 0) return 1;
        if (argc > 1)
            answer_all(fd, n);
        else
            answer_each(fd, n);
    }
}
