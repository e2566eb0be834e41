/* The accept loop on real sockets: Unix and TCP, peers established, handover,
 * another user's connection refused before the parser. */
#include <sys/un.h>

#include <netinet/in.h>

#include "http/accept.h"
#include "unit/http/serve.h"

enum {
    OTHER_UID = 54321,
};

static struct {
    char dir[64];
    char path[96];
    char fd_path[96];
    uint16_t port;
    struct accept_socket sockets[3];
    struct acceptor *acceptor;
    atomic_int handed_over;
    atomic_int asked; /* facts of the witness */
} place;

static enum ag_err
facts(void *ctx, pid_t pid, struct proc_facts *ret)
{
    (void)ctx;
    atomic_fetch_add(&place.asked, 1);
    memset(ret, 0, sizeof(*ret));
    ret->self = (struct proc_ref){.pid = pid, .start_ticks = 1};
    ret->uid = getuid();
    return AG_OK;
}

static const struct proc_source SOURCE = {.facts = facts};

static enum ag_err
take_line(void *ctx, int fd, struct peer *peer)
{
    (void)ctx;
    assert_int_equal(peer_pid(peer), getpid());
    atomic_fetch_add(&place.handed_over, 1);
    assert_int_equal(send(fd, "hello", 5, MSG_NOSIGNAL), 5);
    peer_free(peer);
    (void)close(fd);
    return AG_OK;
}

static int
listen_unix(const char *path, int type)
{
    struct sockaddr_un addr = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    (void)snprintf(addr.sun_path, sizeof(addr.sun_path), "%s", path);
    assert_int_equal(bind(fd, (struct sockaddr *)&addr, sizeof(addr)), 0);
    assert_int_equal(listen(fd, 16), 0);
    return fd;
}

static int
listen_tcp(uint16_t *ret_port)
{
    struct sockaddr_in addr = {.sin_family = AF_INET,
                               .sin_addr = {.s_addr = htonl(INADDR_LOOPBACK)}};
    socklen_t len = sizeof(addr);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    assert_int_equal(bind(fd, (struct sockaddr *)&addr, sizeof(addr)), 0);
    assert_int_equal(listen(fd, 16), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&addr, &len), 0);
    *ret_port = ntohs(addr.sin_port);
    return fd;
}

static void
start(uid_t own_uid)
{
    const struct accept_parts parts = {
        .server = served.server,
        .source = &SOURCE,
        .own_uid = own_uid,
        .handover = take_line,
    };

    assert_int_equal(acceptor_new(place.sockets, 3, &parts, &place.acceptor),
                     AG_OK);
}

static int
setup(void **state)
{
    (void)state;
    serve_start(NULL);
    memset(&place, 0, sizeof(place));
    (void)snprintf(place.dir, sizeof(place.dir), "/tmp/ag-accept-XXXXXX");
    assert_non_null(mkdtemp(place.dir));
    (void)snprintf(place.path, sizeof(place.path), "%s/s", place.dir);
    (void)snprintf(place.fd_path, sizeof(place.fd_path), "%s/f", place.dir);
    place.sockets[0] =
        (struct accept_socket){.fd = listen_unix(place.path, SOCK_STREAM),
                               .kind = ACCEPT_HTTP,
                               .socket = HTTP_ADMIN};
    place.sockets[1] =
        (struct accept_socket){.fd = listen_unix(place.fd_path, SOCK_SEQPACKET),
                               .kind = ACCEPT_HANDOVER,
                               .socket = HTTP_ADMIN};
    place.sockets[2].fd = listen_tcp(&place.port);
    place.sockets[2].socket = HTTP_TCP;
    place.sockets[2].port = place.port;
    return 0;
}

static int
teardown(void **state)
{
    (void)state;
    acceptor_free(place.acceptor);
    serve_end();
    for (size_t i = 0; i < 3; i++) {
        (void)close(place.sockets[i].fd);
    }
    (void)unlink(place.path);
    (void)unlink(place.fd_path);
    (void)rmdir(place.dir);
    return 0;
}

static int
connect_unix(const char *path, int type)
{
    const struct timeval wait = {.tv_sec = SERVE_WAIT_MS / 1000};
    struct sockaddr_un addr = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, type | SOCK_CLOEXEC, 0);

    (void)snprintf(addr.sun_path, sizeof(addr.sun_path), "%s", path);
    assert_int_equal(
        setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof(wait)), 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&addr, sizeof(addr)), 0);
    return fd;
}

static int
connect_tcp(void)
{
    struct sockaddr_in addr = {.sin_family = AF_INET,
                               .sin_port = htons(place.port),
                               .sin_addr = {.s_addr = htonl(INADDR_LOOPBACK)}};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    assert_int_equal(connect(fd, (struct sockaddr *)&addr, sizeof(addr)), 0);
    return fd;
}

static void
test_http_over_unix(void **state)
{
    static const char REQUEST[] = "GET /v1/plain HTTP/1.1\r\nHost: a\r\n\r\n";
    struct answer a;
    int fd;

    (void)state;
    start(getuid());
    fd = connect_unix(place.path, SOCK_STREAM);
    serve_send(fd, REQUEST, strlen(REQUEST));
    serve_read(fd, &a);
    assert_int_equal(a.status, 200);
    assert_int_equal(atomic_load(&place.asked), 1);
    serve_send(fd, REQUEST, strlen(REQUEST));
    serve_read(fd, &a);
    assert_int_equal(a.status, 200);
    assert_int_equal(atomic_load(&place.asked), 1); /* once a connection */
    (void)close(fd);
}

static void
test_http_over_tcp(void **state)
{
    static const char WRONG[] =
        "GET /v1/plain HTTP/1.1\r\nHost: evil:80\r\n\r\n";
    char request[128];
    struct answer a;
    int fd;

    (void)state;
    start(getuid());
    fd = connect_tcp();
    (void)snprintf(request, sizeof(request),
                   "GET /v1/plain HTTP/1.1\r\nHost: 127.0.0.1:%u\r\n\r\n",
                   (unsigned int)place.port);
    serve_send(fd, request, strlen(request));
    serve_read(fd, &a);
    assert_int_equal(a.status, 200);
    (void)close(fd);
    fd = connect_tcp();
    serve_send(fd, WRONG, strlen(WRONG));
    serve_read(fd, &a);
    assert_code(&a, 403, "denied");
    (void)close(fd);
}

static void
test_handover(void **state)
{
    char text[8] = "";
    int fd;

    (void)state;
    start(getuid());
    fd = connect_unix(place.fd_path, SOCK_SEQPACKET);
    assert_int_equal(serve_recv(fd, text, sizeof(text)), 5);
    assert_string_equal(text, "hello");
    assert_int_equal(atomic_load(&place.handed_over), 1);
    (void)close(fd);
}

static void
test_another_user_never_reaches_the_parser(void **state)
{
    struct answer a;
    int fd;

    (void)state;
    start(OTHER_UID);
    fd = connect_unix(place.path, SOCK_STREAM);
    serve_read(fd, &a);
    assert_code(&a, 403, "denied");
    assert_true(serve_is_closed(fd));
    (void)close(fd);
    fd = connect_unix(place.fd_path, SOCK_SEQPACKET);
    assert_true(serve_is_closed(fd));
    (void)close(fd);
    assert_int_equal(atomic_load(&served.calls), 0);
    assert_int_equal(atomic_load(&place.handed_over), 0);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_http_over_unix),
        TEST(test_http_over_tcp),
        TEST(test_handover),
        TEST(test_another_user_never_reaches_the_parser),
    };

    if (secret_arena_open(SERVE_ARENA_BYTES) != AG_OK) {
        return 1;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
