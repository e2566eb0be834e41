#include "http/recv.h"

#include <sys/types.h>

#include "http/gate.h"
#include "http/worker.h"

/* As in POSIX; visible to shared libraries. */
__attribute__((visibility("default"))) ssize_t recv(int fd, void *out,
                                                    size_t len, int flags);

ssize_t
recv(int fd, void *out, size_t len, int flags)
{
    return gate_recv(fd, out, len, flags);
}

/* As in POSIX; socklen_t is an unsigned int here. */
__attribute__((visibility("default"))) int
setsockopt(int fd, int level, int name, const void *value, unsigned int len);

int
setsockopt(int fd, int level, int name, const void *value, unsigned int len)
{
    return gate_setsockopt(fd, level, name, value, len);
}

struct epoll_event;

/* As in <sys/epoll.h>. */
__attribute__((visibility("default"))) int
epoll_wait(int fd, struct epoll_event *events, int max_count, int timeout_ms);

int
epoll_wait(int fd, struct epoll_event *events, int max_count, int timeout_ms)
{
    return worker_epoll_wait(fd, events, max_count, timeout_ms);
}

void *
recv_address(void)
{
    ssize_t (*function)(int, void *, size_t, int) = recv;
    void *address;

    /* ISO C has no cast between the two kinds of pointer; POSIX does. */
    _Static_assert(sizeof(function) == sizeof(address), "pointers differ");
    __builtin_memcpy(&address, &function, sizeof(address));
    return address;
}
