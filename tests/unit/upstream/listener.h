/*
 * listener.h - a service of the test's own, played by the test: one connection
 * after the other.
 */
#ifndef AG_TESTS_UNIT_UPSTREAM_LISTENER_H
#define AG_TESTS_UNIT_UPSTREAM_LISTENER_H

#include <sys/socket.h>

#include <string.h>
#include <unistd.h>

#include <netinet/in.h>
#include <netinet/tcp.h>

#include "base/fdx.h"
#include "common/check.h"

static inline int
listen_here(uint16_t *ret_port)
{
    struct sockaddr_in at = {.sin_family = AF_INET,
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(at);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    assert_int_equal(bind(fd, (struct sockaddr *)&at, sizeof(at)), 0);
    assert_int_equal(listen(fd, 1), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&at, &len), 0);
    *ret_port = ntohs(at.sin_port);
    return fd;
}

/* A connection with a request on it, whose head is read. */
static inline int
take_request(int listener)
{
    char head[4096] = "";
    size_t len = 0;
    int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);

    assert_true(fd >= 0);
    while (strstr(head, "\r\n\r\n") == NULL) {
        ssize_t n = read(fd, head + len, sizeof(head) - 1 - len);

        assert_true(n > 0);
        len += (size_t)n;
        head[len] = '\0';
    }
    return fd;
}

static inline void
answer_with(int fd, const char *answer)
{
    assert_int_equal(write(fd, answer, strlen(answer)), strlen(answer));
}

/* Says that nothing more comes, and returns when the other side has it. */
static inline void
finish(int fd)
{
    struct tcp_info info = {0};
    socklen_t len = sizeof(info);

    assert_int_equal(shutdown(fd, SHUT_WR), 0);
    for (int tries = 0; info.tcpi_state != TCP_FIN_WAIT2; tries++) {
        assert_true(tries < 5000);
        (void)usleep(1000);
        assert_int_equal(getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &len), 0);
    }
}

#endif
