/* A confined broker still finds names and calls services: by TLS with roots
 * from a file, by the hosts file, by DNS. */
#include <sys/prctl.h>
#include <sys/socket.h>

#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>
#include <resolv.h>

#include "base/paths.h"
#include "base/secret.h"
#include "common/talk.h"
#include "daemon/selflock.h"

enum {
    EXIT_AS_WANTED = 0,
    EXIT_NOT_CONFINED = 90,
    EXIT_CANNOT = 91,
    DNS_HEAD_BYTES = 12,
    DNS_MAX_BYTES = 512,
};

static uint16_t dns_port;
static pid_t dns_pid;

/* ---- a name server: every A is 127.0.0.1, every AAAA has no answer ---- */

static size_t
answer_query(uint8_t *message, size_t len)
{
    static const uint8_t A[] = {0xc0, 0x0c, 0, 1, 0,   1, 0, 0,
                                0,    9,    0, 4, 127, 0, 0, 1};
    size_t at = DNS_HEAD_BYTES;
    bool wants_a;

    while (at < len && message[at] != 0) {
        at += message[at] + 1U;
    }
    at += 5; /* root, type, class */
    if (at > len || at + sizeof(A) > DNS_MAX_BYTES) {
        return 0;
    }
    wants_a = message[at - 3] == 1;
    message[2] = 0x81; /* an answer */
    message[3] = 0x80;
    message[7] = wants_a ? 1 : 0;
    memset(message + 8, 0, 4); /* no additional records */
    if (wants_a) {
        memcpy(message + at, A, sizeof(A));
        at += sizeof(A);
    }
    return at;
}

static void
serve_names(int fd)
{
    uint8_t message[DNS_MAX_BYTES];
    struct sockaddr_in from;
    socklen_t from_len = sizeof(from);
    ssize_t len;

    while ((len = recvfrom(fd, message, sizeof(message), 0,
                           (struct sockaddr *)&from, &from_len)) >
           DNS_HEAD_BYTES) {
        size_t reply = answer_query(message, (size_t)len);

        (void)sendto(fd, message, reply, 0, (const struct sockaddr *)&from,
                     from_len);
    }
}

/* A process of its own: the confined ones are forked where there is no other
 * thread. */
static int
start_names(void)
{
    int fd;
    struct sockaddr_in at = {.sin_family = AF_INET};
    socklen_t at_len = sizeof(at);

    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    assert_int_equal(bind(fd, (const struct sockaddr *)&at, sizeof(at)), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&at, &at_len), 0);
    dns_port = ntohs(at.sin_port);
    dns_pid = fork();
    assert_true(dns_pid >= 0);
    if (dns_pid == 0) {
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
        serve_names(fd);
        _exit(0);
    }
    return close(fd);
}

/* ---- in a confined child ---- */

static int
in_child(int (*act)(struct upstream *u))
{
    pid_t child = fork();
    int status = 0;

    assert_true(child >= 0);
    if (child == 0) {
        struct paths paths;
        struct upstream *u = NULL;
        struct upstream_limits limits = upstream_limits_default();
        int level = 0;

        memset(&paths, 0, sizeof(paths));
        (void)snprintf(paths.home, sizeof(paths.home), "%s/none", service.dir);
        (void)snprintf(paths.run, sizeof(paths.run), "%s/none", service.dir);
        (void)snprintf(paths.config, sizeof(paths.config), "%s/none",
                       service.dir);
        (void)snprintf(paths.data, sizeof(paths.data), "%s/none", service.dir);
        if (selflock_begin() != AG_OK ||
            secret_arena_open(SECRET_ARENA_CLI_BYTES) != AG_OK ||
            upstream_new(&limits, service.ca, &u) != AG_OK ||
            selflock_files(&paths, service.ca, &level) != AG_OK ||
            selflock_calls() != AG_OK) {
            _exit(EXIT_NOT_CONFINED);
        }
        _exit(act(u));
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    return status;
}

static int
act_call(struct upstream *u)
{
    struct talk *t = talk_new(service.good, "/echo");

    talk_field(t, "Authorization", "Bearer canary-value");
    talk_start(u, t);
    talk_wait_end(t);
    if (t->err != AG_OK || t->status != 200) {
        (void)fprintf(stderr, "%s\n", t->why);
        return EXIT_CANNOT;
    }
    talk_done(t);
    upstream_free(u);
    return EXIT_AS_WANTED;
}

static int
act_call_http2(struct upstream *u)
{
    struct talk *t = talk_new(service.h2, "/echo");

    talk_post(t, "body", 0, true);
    talk_start(u, t);
    talk_wait_end(t);
    return t->err == AG_OK && t->status == 200 ? EXIT_AS_WANTED : EXIT_CANNOT;
}

static int
find(const char *name)
{
    const struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
    struct addrinfo *found = NULL;
    struct sockaddr_in first;
    int failed = getaddrinfo(name, "443", &hints, &found);

    if (failed != 0) {
        (void)fprintf(stderr, "%s: %s\n", name, gai_strerror(failed));
        return EXIT_CANNOT;
    }
    while (found->ai_family != AF_INET && found->ai_next != NULL) {
        found = found->ai_next;
    }
    if (found->ai_family != AF_INET) {
        return EXIT_AS_WANTED; /* ::1 alone */
    }
    memcpy(&first, found->ai_addr, sizeof(first));
    return first.sin_addr.s_addr == htonl(INADDR_LOOPBACK) ? EXIT_AS_WANTED
                                                           : EXIT_CANNOT;
}

static int
act_read_hosts(struct upstream *u)
{
    (void)u;
    return find("localhost");
}

/* The thread's own resolver state is honoured by getaddrinfo(). */
static int
act_ask_dns(struct upstream *u)
{
    (void)u;
    if (res_init() != 0) {
        return EXIT_CANNOT;
    }
    _res.nscount = 1;
    _res.nsaddr_list[0].sin_family = AF_INET;
    _res.nsaddr_list[0].sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    _res.nsaddr_list[0].sin_port = htons(dns_port);
    return find("a.service.test");
}

static int
act_find_by_libcurl(struct upstream *u)
{
    struct talk *t = talk_new(service.good, "/echo");
    enum ag_err err;

    /* Not in the hosts file: whatever the system's name server says, or none
     * does, it is asked and the loop goes on. */
    t->request.host = span_str("name.invalid");
    t->times = (struct upstream_times){.connect_ms = 500};
    t->request.times = &t->times;
    talk_start(u, t);
    talk_wait_end(t);
    err = t->err;
    talk_done(t);
    return err == AG_EUNREACHABLE || err == AG_EUPTIME || err == AG_EADDRESS
               ? act_call(u)
               : EXIT_CANNOT;
}

static void
test_services_are_called(void **state)
{
    (void)state;
    assert_int_equal(in_child(act_call), 0);
    if (service.h2 != 0) {
        assert_int_equal(in_child(act_call_http2), 0);
    }
}

static void
test_names_are_found(void **state)
{
    (void)state;
    assert_int_equal(in_child(act_read_hosts), 0);
    assert_int_equal(in_child(act_ask_dns), 0);
    assert_int_equal(in_child(act_find_by_libcurl), 0);
}

static int
setup(void **state)
{
    (void)state;
    return service_start() == 0 ? start_names() : -1;
}

static int
teardown(void **state)
{
    (void)state;
    (void)kill(dns_pid, SIGKILL);
    (void)waitpid(dns_pid, NULL, 0);
    return service_stop();
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_services_are_called),
        cmocka_unit_test(test_names_are_found),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
