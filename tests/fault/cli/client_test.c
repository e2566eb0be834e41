// WRAP: socket connect getsockopt sendmsg recv poll malloc calloc strdup
/* The client and the line to the broker with every call failing in turn:
 * a clean error each time, no descriptor and no secret left. */
#include <sys/socket.h>

#include <dirent.h>
#include <poll.h>
#include <string.h>

#include "base/secret.h"
#include "client.h"
#include "common/fault.h"
#include "session.h"
#include "unit/cli/fake_broker.h"
#include "wire/json.h"

FAULT_WRAPPER(int, socket, (int family, int type, int protocol),
              (family, type, protocol), -1)
FAULT_WRAPPER(int, connect, (int fd, const struct sockaddr *at, socklen_t len),
              (fd, at, len), -1)
FAULT_WRAPPER(int, getsockopt,
              (int fd, int level, int name, void *out, socklen_t *len),
              (fd, level, name, out, len), -1)
FAULT_WRAPPER(ssize_t, sendmsg, (int fd, const struct msghdr *msg, int flags),
              (fd, msg, flags), -1)
FAULT_WRAPPER(ssize_t, recv, (int fd, void *out, size_t len, int flags),
              (fd, out, len, flags), -1)
FAULT_WRAPPER(int, poll, (struct pollfd * fds, nfds_t n, int ms), (fds, n, ms),
              -1)
FAULT_WRAPPER(void *, malloc, (size_t len), (len), NULL)
FAULT_WRAPPER(void *, calloc, (size_t n, size_t len), (n, len), NULL)
FAULT_WRAPPER(char *, strdup, (const char *text), (text), NULL)

static struct fake broker;
static char http_path[128];
static char line_path[128];

static size_t
open_fds(void)
{
    DIR *dir = opendir("/proc/self/fd");
    size_t count = 0;

    while (readdir(dir) != NULL) {
        count++;
    }
    closedir(dir);
    return count;
}

static enum ag_err
one_call(void)
{
    AG_AUTO(client) struct client *c = NULL;
    AG_AUTO(secret) struct secret *answer = NULL;
    json_t *tree = NULL;
    enum ag_err err = client_open(http_path, &c);

    if (err == AG_OK) {
        err = client_call(
            c, &(struct client_request){.method = "GET", .path = "/v1/plain"},
            &tree);
        json_decref(tree);
    }
    if (err == AG_OK) {
        err = client_call_secret(
            c, &(struct client_request){.method = "GET", .path = "/v1/plain"},
            &answer);
    }
    return err;
}

static enum ag_err
one_line(void)
{
    AG_AUTO(session) struct session *s = NULL;
    json_t *answer = NULL;
    enum ag_err err = session_open(line_path, &s);

    if (err == AG_OK) {
        err = session_send(s, "life", "agx_life", NULL, 0);
    }
    if (err == AG_OK) {
        err = session_answer(s, &answer);
        json_decref(answer);
    }
    return err;
}

static void fail_each(enum ag_err (*op)(void))
{
    size_t before = open_fds();

    for (unsigned n = 1;; n++) {
        enum ag_err err;

        fault_arm(n);
        err = op();
        if (!fault_done()) {
            check_ok(err);
            break;
        }
        assert_int_not_equal(err, AG_EINTERNAL);
        assert_int_equal(open_fds(), before);
        assert_int_equal(secret_arena_used_bytes(), 0);
    }
}

static void
test_every_failure_of_a_call_is_clean(void **state)
{
    (void)state;
    fail_each(one_call);
}

static void
test_every_failure_of_the_line_is_clean(void **state)
{
    (void)state;
    fail_each(one_line);
}

int
main(void)
{
    static const struct fake_route routes[] = {{"GET /v1/plain", "{\"a\":1}"},
                                               {NULL, NULL}};
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_failure_of_a_call_is_clean),
        cmocka_unit_test(test_every_failure_of_the_line_is_clean),
    };
    int failed;

    wjson_setup();
    if (secret_arena_open(SECRET_ARENA_CLI_BYTES) != AG_OK) {
        return 1;
    }
    fake_dir(&broker);
    snprintf(http_path, sizeof(http_path), "%s/admin.sock", broker.dir);
    snprintf(line_path, sizeof(line_path), "%s/fd.sock", broker.dir);
    fake_start(&broker, routes);
    failed = cmocka_run_group_tests(tests, NULL, NULL);
    fake_stop(&broker);
    fake_remove(&broker);
    return failed;
}
