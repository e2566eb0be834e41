/* What the filter process may do, and that nothing of a value is left in its
 * memory once it was told to forget. */
#include <sodium.h>

#include "unit/privsep/filter_rig.h"

enum {
    BLOCK_BYTES = 1 << 20,
    VALUES_COUNT = 50,
    VALUE_MIN_BYTES = 12,
    VALUE_MAX_BYTES = VALUE_MIN_BYTES + VALUES_COUNT,
    PIECE_BYTES = 7, /* what fits a register, but for one */
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

/* What is looked for: a text, or any of the pieces of values. */
struct needle {
    struct span text;
    size_t (*count)(const struct needle *needle, struct span in);
};

static size_t
count_text(const struct needle *needle, struct span in)
{
    const uint8_t *end = in.ptr + in.len;
    const uint8_t *at = in.ptr;
    size_t found = 0;

    while ((at = memmem(at, (size_t)(end - at), needle->text.ptr,
                        needle->text.len)) != NULL) {
        found++;
        at++;
    }
    return found;
}

/* How often it stands in one mapping. */
static size_t
count_in(int mem_fd, uint64_t from, uint64_t to, const struct needle *needle)
{
    static uint8_t block[BLOCK_BYTES];
    size_t found = 0;

    while (from < to) {
        size_t len = to - from < sizeof(block) ? to - from : sizeof(block);
        ssize_t n = pread(mem_fd, block, len, (off_t)from);
        size_t over = needle->text.len;

        if (n <= (ssize_t)over) {
            break;
        }
        found += needle->count(needle, span_of(block, (size_t)n));
        from += to - from > over ? (size_t)n - over : (size_t)n;
    }
    return found;
}

/* -1: not allowed to look, as it should be for anybody but root. */
static long
look_into_helper(struct fixture *f, const struct needle *needle)
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
            found += (long)count_in(fileno(mem), from, to, needle);
        }
    }
    (void)fclose(maps);
    (void)fclose(mem);
    return found;
}

static long
count_in_helper(struct fixture *f, struct span what)
{
    const struct needle needle = {.text = what, .count = count_text};

    return look_into_helper(f, &needle);
}

/* Values without a stretch of letters in common, of several lengths, and every
 * PIECE_BYTES in a row of them, as numbers in order. */
static struct {
    char values[VALUES_COUNT][VALUE_MAX_BYTES + 1];
    size_t count;
    uint64_t pieces[(size_t)VALUES_COUNT * VALUE_MAX_BYTES];
    bool begins[UINT16_MAX + 1]; /* a piece, with these two bytes */
} odd;

static uint64_t
piece_at(const void *at)
{
    uint64_t piece = 0;

    memcpy(&piece, at, PIECE_BYTES);
    return piece;
}

static int
by_number(const void *a, const void *b)
{
    const uint64_t *x = a;
    const uint64_t *y = b;

    return *x < *y ? -1 : *x > *y;
}

static void
make_values(void)
{
    static const uint8_t SEED[randombytes_SEEDBYTES] = "values of the test";
    static uint8_t random[sizeof(odd.values)];
    const uint8_t *next = random;

    randombytes_buf_deterministic(random, sizeof(random), SEED);
    odd.count = 0;
    for (size_t v = 0; v < VALUES_COUNT; v++) {
        size_t len = VALUE_MIN_BYTES + v;

        for (size_t i = 0; i < len; i++) {
            odd.values[v][i] = "abcdefghijklmnopqrstuvwxyz234567"[*next++ % 32];
        }
        odd.values[v][len] = '\0';
        for (size_t i = 0; i + PIECE_BYTES <= len; i++) {
            uint64_t piece = piece_at(odd.values[v] + i);

            odd.pieces[odd.count++] = piece;
            odd.begins[piece & UINT16_MAX] = true;
        }
    }
    qsort(odd.pieces, odd.count, sizeof(*odd.pieces), by_number);
}

static size_t
count_pieces(const struct needle *needle, struct span in)
{
    size_t found = 0;

    (void)needle;
    for (size_t i = 0; i + PIECE_BYTES <= in.len; i++) {
        uint64_t piece = piece_at(in.ptr + i);

        found += odd.begins[piece & UINT16_MAX] &&
                         bsearch(&piece, odd.pieces, odd.count, sizeof(piece),
                                 by_number) != NULL
                     ? 1
                     : 0;
    }
    return found;
}

/* Registers that were put on the stack hold pieces of values: of those that were
 * loaded none is left either. */
static void
test_a_wipe_leaves_no_piece_of_a_value(void **state)
{
    const struct needle needle = {.text = {.len = PIECE_BYTES},
                                  .count = count_pieces};
    struct fixture *f = *state;

    make_values();
    for (size_t v = 0; v < VALUES_COUNT; v++) {
        load(f, v + 1, "a", odd.values[v]);
    }
    (void)commit(f);
    if (look_into_helper(f, &needle) < 0) {
        print_message("SKIPPED: as above\n");
        return;
    }
    assert_true(look_into_helper(f, &needle) > (long)VALUES_COUNT);
    check_ok(filter_wipe(f->filter));
    assert_int_equal(look_into_helper(f, &needle), 0);
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
        RIG_ROW(test_a_wipe_leaves_no_piece_of_a_value),
        RIG_ROW(test_a_report_leaves_no_hash),
    };
    int ret = 0;

    if (rig_is_helper(argc, argv, &ret)) {
        return ret;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
