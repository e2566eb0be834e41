/* What the filter process may do, and that nothing of a value is left in its
 * memory once it was told to forget. */
#include <sodium.h>

#include "unit/privsep/filter_rig.h"

enum {
    BLOCK_BYTES = 1 << 20,
    MAPS_MAX_BYTES = 1 << 20,
};

static FILE *
open_proc(struct fixture *f, const char *file)
{
    char path[64];

    (void)snprintf(path, sizeof(path), "/proc/%d/%s",
                   (int)filter_pid(f->filter), file);
    return fopen(path, "re");
}

/* The value of a line of /proc/PID/status, or -1. */
static long
status_of(struct fixture *f, const char *key)
{
    FILE *in = open_proc(f, "status");
    char line[256];
    long value = -1;

    assert_non_null(in);
    while (fgets(line, sizeof(line), in) != NULL) {
        if (strncmp(line, key, strlen(key)) == 0) {
            value = strtol(line + strlen(key), NULL, 10);
        }
    }
    (void)fclose(in);
    return value;
}

static void
test_the_helper_is_confined(void **state)
{
    struct fixture *f = *state;

    (void)commit(f); /* it answers, so it has confined itself */
    assert_int_equal(status_of(f, "NoNewPrivs:"), 1);
#ifndef AG_SANITIZED
    assert_int_equal(status_of(f, "Seccomp:"), 2);
#endif
}

/* How often `what` stands in one mapping. */
static size_t
count_in(int mem_fd, uint64_t from, uint64_t to, struct span what)
{
    static uint8_t block[BLOCK_BYTES];
    size_t found = 0;

    while (from < to) {
        size_t len = to - from < sizeof(block) ? to - from : sizeof(block);
        ssize_t n = pread(mem_fd, block, len, (off_t)from);
        const uint8_t *at = block;

        if (n <= (ssize_t)what.len) {
            break;
        }
        while ((at = memmem(at, (size_t)(block + n - at), what.ptr,
                            what.len)) != NULL) {
            found++;
            at++;
        }
        from += to - from > what.len ? (size_t)n - what.len : (size_t)n;
    }
    return found;
}

/* -1: not allowed to look, as it should be for anybody but root. */
static long
count_in_helper(struct fixture *f, struct span what)
{
    FILE *maps = open_proc(f, "maps");
    FILE *mem = open_proc(f, "mem");
    unsigned long long from;
    unsigned long long to;
    char line[512];
    char mode[8];
    bool may_look = true;
    long found = 0;

#ifdef AG_SANITIZED /* shadow memory has no end */
    may_look = false;
#endif
    if (maps == NULL || mem == NULL || !may_look) {
        if (maps != NULL) {
            (void)fclose(maps);
        }
        if (mem != NULL) {
            (void)fclose(mem);
        }
        return -1;
    }
    while (fgets(line, sizeof(line), maps) != NULL) {
        // NOLINTNEXTLINE(cert-err34-c): the kernel's own format
        if (sscanf(line, "%llx-%llx %7s", &from, &to, mode) == 3 &&
            mode[0] == 'r' && mode[1] == 'w') {
            found += (long)count_in(fileno(mem), from, to, what);
        }
    }
    (void)fclose(maps);
    (void)fclose(mem);
    return found;
}

static void
test_a_wipe_leaves_nothing_in_memory(void **state)
{
    static const char HALF[] = "bIBnYYURLgfB0eKJkwre";
    struct fixture *f = *state;
    struct stream s;
    int tries;

    load(f, 1, "a", "ghp_38aIbIBnYYURLgfB0eKJkwreHBIgJLVHKtP3sk");
    (void)commit(f);
    check_ok(try_open(f, &s, NULL));
    say(&s, "x ghp_38aIbIBnYYURLgfB0eKJkwreHBIgJLVHKtP3sk y\n");
    hear(&s, "x [redacted:a] y\n");
    say(&s, "half ghp_38aIbIBnYYURLgfB0eKJkwreHBIg");
    hear(&s, "half ");
    if (count_in_helper(f, span_str(HALF)) < 0) {
        print_message(
            "SKIPPED: only root may look into the helper, and not under a "
            "sanitizer\n");
        shut(&s, AG_OK);
        return;
    }
    assert_true(count_in_helper(f, span_str(HALF)) > 0);
    check_ok(filter_wipe(f->filter));
    wait_sem(&s.ended);
    /* The stream's buffers go right after its end was told. */
    for (tries = 0; tries < 60000 && count_in_helper(f, span_str(HALF)) > 0;
         tries++) {
        (void)poll(NULL, 0, 1);
    }
    assert_int_equal(count_in_helper(f, span_str(HALF)), 0);
    fd_close(s.in);
    fd_close(s.out);
}

/* The hash of what came in, by which a guess at it could be checked. */
static void
test_a_report_leaves_no_hash(void **state)
{
    static const char TEXT[] = "my pin is 4711\n";
    const struct filter_options options = {.vouch = true};
    struct fixture *f = *state;
    uint8_t hash[crypto_hash_sha256_BYTES];
    struct stream s;
    int tries;

    (void)crypto_hash_sha256(hash, (const uint8_t *)TEXT, strlen(TEXT));
    (void)commit(f);
    check_ok(try_open(f, &s, &options));
    say(&s, TEXT);
    hear(&s, TEXT);
    shut(&s, AG_OK);
    for (tries = 0; tries < 1000 &&
                    count_in_helper(f, span_of(hash, sizeof(hash) / 2)) > 0;
         tries++) {
        (void)poll(NULL, 0, 1);
    }
    assert_true(tries < 1000);
}

int
main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        RIG_ROW(test_the_helper_is_confined),
        RIG_ROW(test_a_wipe_leaves_nothing_in_memory),
        RIG_ROW(test_a_report_leaves_no_hash),
    };
    int ret = 0;

    if (rig_is_helper(argc, argv, &ret)) {
        return ret;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
