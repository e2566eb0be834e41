// LINKS: PkgConfig::MHD
/*
 * mhd_trivial - libmicrohttpd answering a constant of 100 bytes: the other side
 * of the API's ratios.
 *
 *   mhd_trivial SOCKET [THREADS]    prints its port on 127.0.0.1, then serves
 *
 * Built like the broker: an epoll pool, answers queued in the second call of
 * the handler (in the first, version 0.9.75 closes the connection).
 */
#include <sys/socket.h>
#include <sys/un.h>

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <microhttpd.h>

#include "base/attr.h"

static const char BODY[] =
    "{\"name\":\"bench/secret\",\"version\":1,\"value\":"
    "\"0123456789abcdef0123456789abcdef\",\"encoding\":\"text\"}";

/* The signature is libmicrohttpd's. */
static enum MHD_Result // NOLINTNEXTLINE(readability-function-size)
answer(void *cls, struct MHD_Connection *connection, const char *url,
       const char *method, const char *version, const char *upload,
       size_t *upload_len, void **state)
{
    static int seen;
    struct MHD_Response *response;
    enum MHD_Result result;

    (void)cls;
    (void)url;
    (void)method;
    (void)version;
    (void)upload;
    *upload_len = 0;
    if (*state == NULL) {
        *state = &seen;
        return MHD_YES;
    }
    *state = NULL;
    response = MHD_create_response_from_buffer_with_free_callback(
        sizeof(BODY) - 1, (void *)(uintptr_t)BODY, NULL);
    if (response == NULL) {
        return MHD_NO;
    }
    (void)MHD_add_response_header(response, "Content-Type", "application/json");
    result = MHD_queue_response(connection, MHD_HTTP_OK, response);
    MHD_destroy_response(response);
    return result;
}

static int
listen_unix(const char *path)
{
    struct sockaddr_un addr = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    (void)unlink(path);
    if (snprintf(addr.sun_path, sizeof(addr.sun_path), "%s", path) < 0 ||
        bind(fd, (const struct sockaddr *)&addr, sizeof(addr)) != 0 ||
        listen(fd, 128) != 0) {
        perror(path);
        return -1;
    }
    return fd;
}

static struct MHD_Daemon *
start(int listen_fd, unsigned threads)
{
    unsigned flags = MHD_USE_EPOLL_INTERNAL_THREAD | MHD_USE_ERROR_LOG;

    if (listen_fd >= 0) {
        return MHD_start_daemon(
            flags, 0, NULL, NULL, answer, NULL, MHD_OPTION_LISTEN_SOCKET,
            listen_fd, MHD_OPTION_THREAD_POOL_SIZE, threads, MHD_OPTION_END);
    }
    return MHD_start_daemon(flags, 0, NULL, NULL, answer, NULL,
                            MHD_OPTION_THREAD_POOL_SIZE, threads,
                            MHD_OPTION_END);
}

int
main(int argc, char **argv)
{
    unsigned threads = argc > 2 ? (unsigned)strtoul(argv[2], NULL, 10) : 2;
    const union MHD_DaemonInfo *info;
    struct MHD_Daemon *tcp;
    int fd;

    if (argc < 2) {
        (void)fputs("usage: mhd_trivial SOCKET [THREADS]\n", stderr);
        return EXIT_FAILURE;
    }
    fd = listen_unix(argv[1]);
    tcp = start(-1, threads);
    if (fd < 0 || tcp == NULL || start(fd, threads) == NULL) {
        return EXIT_FAILURE;
    }
    info = MHD_get_daemon_info(tcp, MHD_DAEMON_INFO_BIND_PORT);
    (void)printf("%u\n", info != NULL ? (unsigned)info->port : 0U);
    (void)fflush(stdout);
    for (;;) {
        (void)pause();
    }
}
