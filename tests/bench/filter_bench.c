// LINKS: redact
/*
 * filter_bench - how fast known values are found.
 *
 *   filter_bench                  rows: NAME VALUE UNIT BUDGET OK
 *   filter_bench looks            those of fragments and views only
 *   filter_bench short            those of short values among long ones only
 *   filter_bench relay [COUNT]    copies stdin to stdout through a redactor
 *                                 with COUNT made-up values (100), as the
 *                                 filter process does: for comparison with
 *                                 `cat` in the same pipe
 *
 * The text is made up: JSON lines, coloured logs, code, prose, base64 and hex
 * dumps, with a value in some form every 16 KiB. Fed in parts of 64 KiB, the
 * best of five rounds; the processor's time decides.
 */
#include <errno.h>

#include "bench/filter_text.h"
#include "redact/lockmem.h"
#include "redact/redactor.h"

enum {
    LIMIT_BYTES = 8 * 1024 * 1024,
    GUESS_BYTES = 128 * 1024,
    GUESS_ROUNDS = 200,
};

static uint64_t out_bytes;

static enum ag_err
count_bytes(void *ctx, struct span part)
{
    (void)ctx;
    out_bytes += part.len;
    return AG_OK;
}

static double
mb_per_s_for(enum redactor_audience audience, const struct matcher *set,
             const char *text, size_t part)
{
    const struct redactor_options options = {.audience = audience};
    const struct sink sink = {.feed = count_bytes};
    double best = 0;
    int round;

    for (round = 0; round < ROUNDS; round++) {
        struct redactor *r = NULL;
        double start = cpu_s();
        double speed;
        size_t at;

        if (redactor_new(&options, &sink, &r) != AG_OK ||
            redactor_use(r, set) != AG_OK) {
            die();
        }
        for (at = 0; at < TEXT_BYTES; at += part) {
            if (redactor_feed(r, span_of(text + at, part)) != AG_OK) {
                die();
            }
        }
        if (redactor_finish(r) != AG_OK) {
            die();
        }
        redactor_free(r);
        speed = TEXT_BYTES / 1e6 / (cpu_s() - start);
        best = speed > best ? speed : best;
    }
    return best;
}

static double
mb_per_s(const struct matcher *set, const char *text, size_t part)
{
    return mb_per_s_for(REDACTOR_OPERATOR, set, text, part);
}

/* Among 100 long values some of `len` bytes, which don't stand in the text. */
static double
with_short(const char *text, size_t len, size_t count)
{
    struct matcher *set;
    double speed;

    for (size_t i = 100; i < 100 + count; i++) {
        fill(values[i], len, "abcdefghkmpqrstuvwxyz23456789");
        values[i][len] = '\0';
    }
    set = make_set(100 + count);
    speed = mb_per_s(set, text, PART_BYTES);
    matcher_unref(set);
    return speed;
}

/* How much of the speed the set has without short values it keeps with some. */
static void
shorts(void)
{
    static const size_t LENGTHS[] = {6, 8, 12, 16};
    static const size_t COUNTS[] = {1, 10};
    struct matcher *set;
    char *text;

    make_values(100);
    text = make_text(100);
    set = make_set(100);
    row("filter: 100 values, none short", mb_per_s(set, text, PART_BYTES),
        "MB/s", 1000, 0);
    matcher_unref(set);
    for (size_t i = 0; i < AG_COUNT(LENGTHS) * AG_COUNT(COUNTS); i++) {
        size_t len = LENGTHS[i / AG_COUNT(COUNTS)];
        size_t count = COUNTS[i % AG_COUNT(COUNTS)];
        char name[64];

        (void)snprintf(name, sizeof(name), "filter: and %zu of %zu bytes",
                       count, len);
        row(name, with_short(text, len, count), "MB/s", 950, 0);
    }
    free(text);
}

static void
speeds(void)
{
    struct matcher *set;
    char *text;

    make_values(100);
    text = make_text(100);
    set = make_set(100);
    row("filter: 100 values, all forms", mb_per_s(set, text, PART_BYTES),
        "MB/s", 1000, 0);
    row("filter: the same, parts of 4 KiB", mb_per_s(set, text, 4096), "MB/s",
        0, 0);
    row("filter: the same, parts of 64 B", mb_per_s(set, text, 64), "MB/s", 0,
        0);
    matcher_unref(set);
    free(text);
}

/* Prose and code, line by line: next to nothing that a view reads otherwise. */
static char *
make_plain(void)
{
    char *text = malloc(TEXT_BYTES + 4096);
    size_t len = 0;

    if (text == NULL) {
        die();
    }
    while (len < TEXT_BYTES) {
        len += words(text + len, 4 + rnd(16));
        text[len - 1] = '\n';
    }
    return text;
}

/* What fragments and views cost, on plain text and on all kinds. */
static void
looks(void)
{
    char *texts[2];
    struct matcher *with;
    struct matcher *without;
    size_t i;

    make_values(100);
    texts[0] = make_plain();
    texts[1] = make_text(100);
    with = make_set(100);
    matcher_enable_looks(false);
    without = make_set(100);
    matcher_enable_looks(true);
    for (i = 0; i < 2; i++) {
        row(i == 0 ? "filter: plain text, forms only"
                   : "filter: all kinds of text, forms only",
            mb_per_s(without, texts[i], PART_BYTES), "MB/s", 0, 0);
        row("filter: the same, with fragments and views",
            mb_per_s(with, texts[i], PART_BYTES), "MB/s", 0, 0);
        free(texts[i]);
    }
    matcher_unref(with);
    matcher_unref(without);
}

/* Microseconds for GUESS_BYTES of one guess, repeated: the best of many. */
static double
guess_us(const struct matcher *set, const char *guess)
{
    const struct redactor_options options = {.audience = REDACTOR_TASK};
    const struct sink sink = {.feed = count_bytes};
    static char text[GUESS_BYTES];
    struct redactor *r = NULL;
    double best = 1e9;
    size_t len = strlen(guess);
    int round;

    for (size_t at = 0; at < GUESS_BYTES; at++) {
        size_t in = at % (len + 1);

        text[at] = '\n';
        if (in < len) {
            text[at] = guess[in];
        }
    }
    if (redactor_new(&options, &sink, &r) != AG_OK ||
        redactor_use(r, set) != AG_OK) {
        die();
    }
    for (round = 0; round < GUESS_ROUNDS; round++) {
        double start = cpu_s();
        double us;

        if (redactor_feed(r, span_of(text, GUESS_BYTES)) != AG_OK) {
            die();
        }
        us = (cpu_s() - start) * 1e6;
        best = us < best ? us : best;
    }
    redactor_free(r);
    return best;
}

/* What a task could measure: of a value it knows the first `known` characters
 * and tries the next one, which is wrong or right. */
static void
guesses(const struct matcher *set)
{
    static const size_t KNOWN[] = {0, 4, 8, 12, 16};
    char guess[VALUE_MAX_BYTES + 1];
    char name[64];

    for (size_t i = 0; i < AG_COUNT(KNOWN); i++) {
        size_t known = KNOWN[i];
        double wrong;
        double right;

        memcpy(guess, values[1], known + 1);
        guess[known + 1] = '\0';
        right = guess_us(set, guess);
        guess[known] = guess[known] == 'Q' ? 'R' : 'Q';
        wrong = guess_us(set, guess);
        (void)snprintf(name, sizeof(name),
                       "filter: a task's guess of %zu, wrong", known + 1);
        row(name, wrong, "us", 0, 0);
        row("filter: the same, right : wrong", right / wrong, "", 0, 0);
    }
}

static void
for_tasks(void)
{
    struct matcher *set;
    char *text;

    make_values(100);
    text = make_text(100);
    set = make_set(100);
    row("filter: for a task, 100 values",
        mb_per_s_for(REDACTOR_TASK, set, text, PART_BYTES), "MB/s", 600, 0);
    guesses(set);
    matcher_unref(set);
    fill(values[100], 8, "abcdefghkmpqrstuvwxyz23456789");
    values[100][8] = '\0';
    set = make_set(101);
    row("filter: for a task, and one of 8 bytes",
        mb_per_s_for(REDACTOR_TASK, set, text, PART_BYTES), "MB/s", 0, 0);
    matcher_unref(set);
    free(text);
}

static void
sizes(void)
{
    static const size_t COUNTS[] = {10, 1000, 10000};
    size_t i;

    make_values(VALUES_MAX);
    for (i = 0; i < AG_COUNT(COUNTS); i++) {
        char *text = make_text(COUNTS[i]);
        double start = cpu_s();
        struct matcher *set = make_set(COUNTS[i]);
        double build_ms = (cpu_s() - start) * 1e3;
        char name[64];

        (void)snprintf(name, sizeof(name), "filter: %zu values", COUNTS[i]);
        row(name, mb_per_s(set, text, PART_BYTES), "MB/s", 0, 0);
        row("filter: the same, for a task",
            mb_per_s_for(REDACTOR_TASK, set, text, PART_BYTES), "MB/s", 0, 0);
        (void)snprintf(name, sizeof(name), "filter: to compile %zu values",
                       COUNTS[i]);
        row(name, build_ms, "ms", 0, 0);
        (void)snprintf(name, sizeof(name), "filter: locked for %zu values",
                       COUNTS[i]);
        row(name, (double)matcher_locked_bytes(set) / 1024, "KiB", 0,
            COUNTS[i] == VALUES_MAX ? LIMIT_BYTES / 2.0 / 1024 : 0);
        matcher_unref(set);
        free(text);
    }
}

static enum ag_err
write_out(void *ctx, struct span part)
{
    (void)ctx;
    while (part.len > 0) {
        ssize_t n = write(STDOUT_FILENO, part.ptr, part.len);

        if (n < 0 && errno != EINTR) {
            return AG_EIO;
        }
        if (n > 0) {
            part = span_sub(part, (size_t)n, part.len - (size_t)n);
        }
    }
    return AG_OK;
}

static int
relay(size_t count)
{
    const struct redactor_options options = {.marker = NULL};
    const struct sink sink = {.feed = write_out};
    static uint8_t part[PART_BYTES];
    struct redactor *r = NULL;
    struct matcher *set;
    ssize_t n;

    make_values(count);
    set = make_set(count);
    if (redactor_new(&options, &sink, &r) != AG_OK ||
        redactor_use(r, set) != AG_OK) {
        return EXIT_FAILURE;
    }
    while ((n = read(STDIN_FILENO, part, sizeof(part))) > 0) {
        if (redactor_feed(r, span_of(part, (size_t)n)) != AG_OK) {
            return EXIT_FAILURE;
        }
    }
    if (redactor_finish(r) != AG_OK) {
        return EXIT_FAILURE;
    }
    redactor_free(r);
    matcher_unref(set);
    return EXIT_SUCCESS;
}

int
main(int argc, char **argv)
{
    if (argc >= 2 && strcmp(argv[1], "relay") == 0) {
        size_t count = argc >= 3 ? (size_t)strtoul(argv[2], NULL, 10) : 100;

        return relay(count <= VALUES_MAX ? count : VALUES_MAX);
    }
    if (argc >= 2 && strcmp(argv[1], "looks") == 0) {
        looks();
        return EXIT_SUCCESS;
    }
    if (argc >= 2 && strcmp(argv[1], "short") == 0) {
        shorts();
        return EXIT_SUCCESS;
    }
    speeds();
    shorts();
    looks();
    for_tasks();
    sizes();
    return EXIT_SUCCESS;
}
