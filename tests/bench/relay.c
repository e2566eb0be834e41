/*
 * relay - copies bytes both ways between a client and 127.0.0.1:PORT, and does
 * nothing else: the other side of the proxy's throughput.
 *
 *   relay PORT     prints its own port, then serves
 */
#include <poll.h>
#include <pthread.h>
#include <stdbool.h>
#include <unistd.h>

#include "dial.h"

enum {
    PART_BYTES = 64 * 1024,
};

static uint16_t to_port;

/* One part; false: the end. */
static bool
copy(int from, int to)
{
    static _Thread_local char part[PART_BYTES];
    ssize_t len = read(from, part, sizeof(part));
    ssize_t off = 0;

    while (off < len) {
        ssize_t n = write(to, part + off, (size_t)(len - off));

        if (n <= 0) {
            return false;
        }
        off += n;
    }
    return len > 0;
}

static void *
serve(void *arg)
{
    int client = (int)(intptr_t)arg;
    int service = connect_tcp(to_port);
    struct pollfd fds[2] = {{.fd = client, .events = POLLIN},
                            {.fd = service, .events = POLLIN}};
    bool goes_on = true;

    while (goes_on && poll(fds, 2, -1) > 0) {
        if (fds[0].revents != 0) {
            goes_on = copy(client, service);
        }
        if (goes_on && fds[1].revents != 0) {
            goes_on = copy(service, client);
        }
    }
    (void)close(client);
    (void)close(service);
    return NULL;
}

int
main(int argc, char **argv)
{
    int fd = -1;

    if (argc != 2) {
        (void)fputs("usage: relay PORT\n", stderr);
        return EXIT_FAILURE;
    }
    to_port = (uint16_t)strtoul(argv[1], NULL, 10);
    fd = listen_tcp();
    for (;;) {
        int client = accept(fd, NULL, NULL);
        pthread_t thread;

        if (client < 0) {
            die("accept");
        }
        set_nodelay(client);
        if (pthread_create(&thread, NULL, serve, (void *)(intptr_t)client) !=
            0) {
            die("thread");
        }
        (void)pthread_detach(thread);
    }
}
