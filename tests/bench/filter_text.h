/*
 * filter_text.h - the text and the values that the filter's benchmarks use.
 */
#ifndef AG_BENCH_FILTER_TEXT_H
#define AG_BENCH_FILTER_TEXT_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/attr.h"
#include "redact/matcher.h"

enum {
    TEXT_BYTES = 32 * 1024 * 1024,
    PART_BYTES = 64 * 1024,
    PLANT_EVERY_BYTES = 16 * 1024,
    ROUNDS = 5,
    VALUES_MAX = 10000,
    VALUE_MAX_BYTES = 64,
};

static char values[VALUES_MAX + 1][VALUE_MAX_BYTES + 1];
static uint64_t state = 88172645463325252ULL;

static _Noreturn void
die(void)
{
    (void)fprintf(stderr, "the filter's benchmark: out of (lockable) memory\n");
    _exit(EXIT_FAILURE);
}

static uint32_t
rnd(uint32_t below)
{
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return (uint32_t)(state >> 32) % below;
}

static void
fill(char *out, size_t len, const char *alphabet)
{
    size_t letters = strlen(alphabet);

    while (len-- > 0) {
        *out++ = alphabet[rnd((uint32_t)letters)];
    }
}

static const char BASE64[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

static void
make_values(size_t count)
{
    static const char *const HEADS[] = {"ghp_", "sk-proj-", "xoxb-",
                                        "",     "AKIA",     "glpat-"};
    size_t i;

    for (i = 0; i < count; i++) {
        const char *head = HEADS[i % 6];
        size_t len = 20 + rnd(43);
        size_t head_len = strlen(head);

        memcpy(values[i], head, head_len);
        fill(values[i] + head_len, len - head_len, BASE64);
        values[i][len] = '\0';
    }
}

static size_t
put(char *out, const char *text)
{
    size_t len = strlen(text);

    memcpy(out, text, len);
    return len;
}

static size_t
words(char *out, size_t count)
{
    static const char *const WORDS[] = {
        "return",  "the",   "error",  "failed", "value", "static", "const",
        "request", "token", "0x7ffe", "=",      "{",     "}",      "of",
        "commit",  "diff",  "+++",    "line",   "12:30", "GET",    "/api/v1/",
        "200",     "user",  "config", "import", "from",  "def",    "None"};
    size_t len = 0;

    while (count-- > 0) {
        len += put(out + len, WORDS[rnd(28)]);
        out[len++] = ' ';
    }
    return len;
}

/* One line of some kind; below 2 KiB. */
static size_t
line(char *out)
{
    size_t len = 0;
    size_t n;

    switch (rnd(6)) {
    case 0:
        len += put(out, "{\"type\":\"item\",\"text\":\"");
        len += words(out + len, 30);
        len += put(out + len, "\\n\\u001b[0m\"}");
        break;
    case 1:
        len += put(out, "\x1b[32m2026-11-21T12:30:00Z\x1b[0m INFO ");
        len += words(out + len, 8);
        break;
    case 2:
        n = 76U * (size_t)(1 + rnd(8));
        fill(out, n, BASE64);
        len = n;
        break;
    case 3:
        len += put(out, "00001230: ");
        for (n = 0; n < 16; n++) {
            fill(out + len, 2, "0123456789abcdef");
            out[len + 2] = ' ';
            len += 3;
        }
        break;
    default:
        len += words(out, 12 + rnd(20));
        break;
    }
    out[len++] = '\n';
    return len;
}

/* Text with one of `count` values in some form now and then. */
static char *
make_text(size_t count)
{
    char *text = malloc(TEXT_BYTES + 4096);
    size_t len = 0;
    size_t planted = 0;

    if (text == NULL) {
        die();
    }
    while (len < TEXT_BYTES) {
        len += line(text + len);
        if (count > 0 && len / PLANT_EVERY_BYTES > planted) {
            static const enum variant FORMS[] = {VARIANT_RAW,   VARIANT_B64_0,
                                                 VARIANT_B64_1, VARIANT_B64_2,
                                                 VARIANT_HEX,   VARIANT_URL};

            const char *value = values[rnd((uint32_t)count)];
            struct variant_gen gen;

            variant_begin(&gen, FORMS[planted++ % 6],
                          span_of(value, strlen(value)));
            len += variant_next(&gen, (uint8_t *)text + len, 1024);
            text[len++] = '\n';
        }
    }
    return text;
}

static struct matcher *
make_set(size_t count)
{
    static struct matcher_value list[VALUES_MAX + 1];
    struct matcher *set = NULL;
    size_t i;

    for (i = 0; i < count; i++) {
        list[i] = (struct matcher_value){
            .id = i,
            .name = span_str("name/of-secret"),
            .value = span_of(values[i], strlen(values[i]))};
    }
    if (matcher_build(list, count, &set) != AG_OK) {
        die();
    }
    return set;
}

static double
cpu_s(void)
{
    struct timespec t;

    (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void
row(const char *name, double value, const char *unit, double least, double most)
{
    char budget[32] = "-";
    const char *ok = "-";

    if (least > 0) {
        (void)snprintf(budget, sizeof(budget), ">=%.0f", least);
        ok = value >= least ? "ok" : "MISSED";
    } else if (most > 0) {
        (void)snprintf(budget, sizeof(budget), "<=%.0f", most);
        ok = value <= most ? "ok" : "MISSED";
    }
    (void)printf("%-44s %10.1f %-5s %8s %s\n", name, value, unit, budget, ok);
}

#endif
