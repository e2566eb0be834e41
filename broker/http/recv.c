#include "http/recv.h"

#include <sys/types.h>

#include "http/gate.h"

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
