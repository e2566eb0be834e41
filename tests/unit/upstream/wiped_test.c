/* Where a credential lies while a call runs and what is left of it after: all
 * writable memory of this process is searched. */
#include <malloc.h>
#include <sodium.h>

#include "base/secret.h"
#include "common/talk.h"

enum {
    FREED_BYTE = 0xff, /* as the daemon sets it */
};

static struct upstream *u;

#ifndef AG_SANITIZED /* those keep freed memory, and map a great deal */
enum {
    CANARY_BYTES = 40,
};

/* Random and kept flipped, so that the search does not find its own copy. */
static uint8_t flipped[CANARY_BYTES];

static void
make_canary(struct secret **ret)
{
    static const char ALPHABET[] = "abcdefghijklmnopqrstuvwxyz012345";

    check_ok(secret_new(CANARY_BYTES, ret));
    for (size_t i = 0; i < CANARY_BYTES; i++) {
        uint8_t c = (uint8_t)ALPHABET[randombytes_uniform(32)];

        secret_bytes(*ret)[i] = c;
        flipped[i] = (uint8_t)~c;
    }
}

static size_t
count_in(const uint8_t *from, size_t len)
{
    const uint8_t *at = from;
    size_t count = 0;

    while (len >= CANARY_BYTES &&
           (at = memchr(at, (uint8_t)~flipped[0], len - (size_t)(at - from))) !=
               NULL) {
        size_t same = 1;

        if (len - (size_t)(at - from) < CANARY_BYTES) {
            break;
        }
        while (same < CANARY_BYTES && (at[same] ^ flipped[same]) == 0xff) {
            same++;
        }
        count += same == CANARY_BYTES;
        at++;
    }
    return count;
}

/* In all readable and writable mappings but shared ones. */
static size_t
count_copies(void)
{
    FILE *maps = fopen("/proc/self/maps", "re");
    char line[512];
    size_t count = 0;

    assert_non_null(maps);
    while (fgets(line, sizeof(line), maps) != NULL) {
        char *end = NULL;
        uintptr_t from = strtoul(line, &end, 16);
        uintptr_t to = strtoul(end + 1, &end, 16);

        if (strncmp(end, " rw-", 4) == 0) {
            // NOLINTNEXTLINE(performance-no-int-to-ptr): the kernel's numbers
            count += count_in((const uint8_t *)from, to - from);
        }
    }
    (void)fclose(maps);
    return count;
}

/* One call with the canary in `name`, then every connection closed. */
static void
call_with(uint16_t port, const char *name, bool fail)
{
    AG_AUTO(secret) struct secret *canary = NULL;
    struct talk *t = talk_new(port, fail ? "/cut-body" : "/connection");
    struct upstream *own = talk_upstream();

    make_canary(&canary);
    t->fields[0] = (struct upstream_field){
        .name = span_str(name),
        .value = secret_view(canary),
        .secret = true,
    };
    t->request.field_count = 1;
    talk_post(t, "body", 0, true);
    talk_start(own, t);
    secret_free(AG_TAKE(canary));
    talk_wait_end(t);
    assert_int_equal(t->err, fail ? AG_EUPSTREAM : AG_OK);
    talk_done(t);
    upstream_free(own);
    if (count_copies() != 0) {
        fail_msg("%s, port %u: %zu copies are left", name, (unsigned)port,
                 count_copies());
    }
}

static void
test_nothing_is_left(void **state)
{
    (void)state;
    call_with(service.plain, "Authorization", false);
    call_with(service.good, "Authorization", false);
    call_with(service.good, "x-api-key", true);
    if (service.h2 != 0) {
        call_with(service.h2, "Authorization", false);
        call_with(service.h2, "x-api-key", false);
    }
}

/* The search finds what is there. */
static void
test_search_finds(void **state)
{
    AG_AUTO(secret) struct secret *canary = NULL;
    char *copy = malloc(CANARY_BYTES);

    (void)state;
    assert_non_null(copy);
    make_canary(&canary);
    memcpy(copy, secret_view(canary).ptr, CANARY_BYTES);
    assert_true(count_copies() >= 1);
    wipe(copy, CANARY_BYTES);
    free(copy);
    secret_free(AG_TAKE(canary));
    assert_int_equal(count_copies(), 0);
}

#endif

/* While an answer runs on, the locked copy is gone. */
static void
test_locked_copy_goes_with_the_head(void **state)
{
    struct talk *t = talk_new(service.good, "/stall");

    (void)state;
    talk_field(t, "Authorization", "Bearer canary-value");
    assert_int_equal(secret_arena_used_bytes(), 0);
    talk_start(u, t);
    talk_wait_bytes(t, 4);
    assert_int_equal(secret_arena_used_bytes(), 0);
    talk_done(t);
}

static int
setup(void **state)
{
    (void)state;
    // NOLINTNEXTLINE(concurrency-mt-unsafe): before any other thread
    (void)mallopt(M_PERTURB, FREED_BYTE);
    check_ok(secret_arena_open(SECRET_ARENA_CLI_BYTES));
    (void)service_start();
    u = talk_upstream();
    return 0;
}

static int
teardown(void **state)
{
    (void)state;
    upstream_free(u);
    return service_stop();
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
#ifndef AG_SANITIZED
        cmocka_unit_test(test_search_finds),
        cmocka_unit_test(test_nothing_is_left),
#endif
        cmocka_unit_test(test_locked_copy_goes_with_the_head),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
