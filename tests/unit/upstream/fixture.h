/*
 * fixture.h - the service and one `struct upstream` for all tests of a program.
 */
#ifndef AG_TESTS_UPSTREAM_FIXTURE_H
#define AG_TESTS_UPSTREAM_FIXTURE_H

#include "base/secret.h"
#include "common/talk.h"

static struct upstream *u;

/* What the calls of other programs would be steered by: a proxy that nobody
 * answers at, a password for the service, a file for the keys of TLS. Before the
 * first thread. */
static void
steer_others(void)
{
    static const char *const PROXIES[] = {"http_proxy", "https_proxy",
                                          "HTTPS_PROXY", "all_proxy"};
    char path[sizeof(service.dir) + 16];
    FILE *netrc;

    // NOLINTBEGIN(concurrency-mt-unsafe): there is one thread
    for (size_t i = 0; i < AG_COUNT(PROXIES); i++) {
        assert_int_equal(setenv(PROXIES[i], "http://127.0.0.1:1", 1), 0);
    }
    (void)unsetenv("no_proxy");
    (void)unsetenv("NO_PROXY");
    assert_int_equal(setenv("HOME", service.dir, 1), 0);
    (void)snprintf(path, sizeof(path), "%s/keys", service.dir);
    assert_int_equal(setenv("SSLKEYLOGFILE", path, 1), 0);
    // NOLINTEND(concurrency-mt-unsafe)
    (void)snprintf(path, sizeof(path), "%s/.netrc", service.dir);
    netrc = fopen(path, "we");
    assert_non_null(netrc);
    assert_true(fputs("default login user password canary-netrc\n", netrc) >=
                0);
    assert_int_equal(fclose(netrc), 0);
}

static int
setup(void **state)
{
    (void)state;
    check_ok(secret_arena_open(SECRET_ARENA_CLI_BYTES));
    (void)service_start();
    steer_others();
    u = talk_upstream();
    return 0;
}

static int
teardown(void **state)
{
    (void)state;
    upstream_free(u);
    assert_int_equal(secret_arena_used_bytes(), 0);
    return service_stop();
}

#endif
