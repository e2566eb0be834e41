/* However much passes through a call, it takes as much memory as a small one:
 * up and down, HTTP/1.1 and HTTP/2, with a reader and a writer that stop now
 * and then. 1 GiB each; less where a sanitizer slows it down. */
#include "common/talk.h"
#include "unit/upstream/fixture.h"

#ifdef AG_SANITIZED
enum {
    BULK_BYTES = 24 * 1024 * 1024,
    CHUNKED_BYTES = BULK_BYTES,
    RUNS_KIB_MAX = 1 << 30, /* the sanitizer's own memory grows */
};
#else
enum {
    BULK_BYTES = 1024 * 1024 * 1024,
    CHUNKED_BYTES = 64 * 1024 * 1024,
    RUNS_KIB_MAX = 1024,
};
#endif

enum {
    STOP_BYTES = 8 * 1024 * 1024, /* a pause each time so much has passed */
};

static long
status_kib(const char *name)
{
    FILE *f = fopen("/proc/self/status", "re");
    char line[256];
    long kib = -1;

    assert_non_null(f);
    while (fgets(line, sizeof(line), f) != NULL) {
        if (strncmp(line, name, strlen(name)) == 0) {
            kib = strtol(line + strlen(name), NULL, 10);
        }
    }
    (void)fclose(f);
    return kib;
}

/* The highest resident size from now on. */
static void
reset_peak(void)
{
    FILE *f = fopen("/proc/self/clear_refs", "we");

    assert_non_null(f);
    (void)fputs("5\n", f);
    (void)fclose(f);
}

/* Holds back each time a mark is passed, then asks to go on at once. */
static enum upstream_flow
on_bulk(void *ctx, struct span part)
{
    struct talk *t = ctx;
    int64_t mark = t->got_bytes / STOP_BYTES;

    if (mark > atomic_load(&t->held_count)) {
        atomic_store(&t->held_count, (int)mark);
        upstream_resume(t->call);
        return UPSTREAM_WAIT;
    }
    for (size_t i = 0; i < part.len; i += 997) {
        t->pattern_broken |=
            part.ptr[i] != (uint8_t)((uint64_t)t->got_bytes + i);
    }
    t->got_bytes += (int64_t)part.len;
    return UPSTREAM_GO;
}

static enum upstream_flow
on_bulk_send(void *ctx, uint8_t *into, size_t room, size_t *ret_len)
{
    struct talk *t = ctx;
    int64_t mark = t->given_bytes / STOP_BYTES;

    if (mark > atomic_load(&t->held_count)) {
        atomic_store(&t->held_count, (int)mark);
        upstream_resume(t->call);
        return UPSTREAM_WAIT;
    }
    *ret_len = (int64_t)room < t->give_bytes - t->given_bytes
                   ? room
                   : (size_t)(t->give_bytes - t->given_bytes);
    memset(into, 'x', *ret_len);
    t->given_bytes += (int64_t)*ret_len;
    return UPSTREAM_GO;
}

static void
check_bounded(struct talk *t)
{
    struct upstream_events events = TALK_EVENTS;
    long before;

    events.on_body = on_bulk;
    events.on_send = on_bulk_send;
    (void)status_kib("VmHWM:"); /* stdio's buffers are there */
    reset_peak();
    before = status_kib("VmRSS:");
    check_ok(upstream_start(u, &t->request, &events, t, &t->call));
    talk_wait_end(t);
    check_ok(t->err);
    assert_true(atomic_load(&t->held_count) > 0);
    if (status_kib("VmHWM:") - before > RUNS_KIB_MAX) {
        fail_msg("%ld KiB more than before", status_kib("VmHWM:") - before);
    }
}

static void
download(uint16_t port)
{
    struct talk *t;
    char target[64];

    t = talk_new(port, "/connection"); /* what a first call sets up for good */
    talk_run(u, t, AG_OK, NULL);
    talk_done(t);
    (void)snprintf(target, sizeof(target), "/bytes?n=%d", (int)BULK_BYTES);
    t = talk_new(port, target);
    check_bounded(t);
    assert_int_equal(t->got_bytes, BULK_BYTES);
    assert_false(t->pattern_broken);
    talk_done(t);
}

static void
upload(uint16_t port, bool chunked)
{
    struct talk *t = talk_new(port, "/connection");

    talk_run(u, t, AG_OK, NULL);
    talk_done(t);
    t = talk_new(port, "/connection");
    talk_post(t, NULL, chunked ? CHUNKED_BYTES : BULK_BYTES, chunked);
    check_bounded(t);
    assert_int_equal(t->status, 200);
    assert_int_equal(t->given_bytes, t->give_bytes);
    talk_done(t);
}

static void
test_down(void **state)
{
    (void)state;
    download(service.good);
}

static void
test_up(void **state)
{
    (void)state;
    upload(service.good, false);
    upload(service.good, true);
}

static void
test_down_http2(void **state)
{
    (void)state;
    if (service.h2 == 0) {
        skip();
    }
    download(service.h2);
}

static void
test_up_http2(void **state)
{
    (void)state;
    if (service.h2 == 0) {
        skip();
    }
    upload(service.h2, false);
    upload(service.h2, true);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_down),
        cmocka_unit_test(test_up),
        cmocka_unit_test(test_down_http2),
        cmocka_unit_test(test_up_http2),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
