/*
 * looks.h - a text made of what views read otherwise, with values and parts of
 * them in it, through a redactor: the output is the same whatever the parts it
 * was fed in, and the same as if the views were entered everywhere. Shared by
 * the property test (random bytes) and the fuzz target.
 *
 * Bytes of `data`: how the text is cut | steps of the text, see looks_step().
 */
#ifndef AG_TESTS_REDACT_LOOKS_H
#define AG_TESTS_REDACT_LOOKS_H

#include <sys/mman.h>

#include <unistd.h>

#include "prop/redact/oracle.h"
#include "redact/matcher_impl.h"
#include "redact/redactor.h"
#include "redact/tetrads.h"

enum {
    LOOKS_TEXT_MAX_BYTES = 2048,
    LOOKS_RAW_STEPS = 8, /* of 64 kinds of steps: a byte as it is */
    LOOKS_PAIRS_BYTES = 65536 / 8,
    LOOKS_PART_MAX_BYTES = 128 * 1024,
    LOOKS_BEHIND_INDENTS = 0xff, /* in place of a part's length */
    LOOKS_BLOCKS_BYTES = 128,    /* of a part then, or more */
};

struct looks_input {
    const uint8_t *ptr;
    size_t len;
};

static const char *const LOOKS_VALUES[] = {
    "q7RtWz90LmXcAb12Kd34Ve56",
    "p\xc3\xa4ss/w\xc3\xb6rd-42bv&Q9<x\\s",
    "aB3$xY7z",
    "Tz4PqL8vNw2XcR6mKd1Hs9Jf\nYb5GtU3iEo7AaWq0ZxSc4Vd8\nBn6MkLp2Oq",
};

static const char *const LOOKS_MARKS[] = {
    "\x1b[0m",
    "\x1b[1;31m",
    "\x1b[K",
    "\x1b[",
    "\n",
    "\r\n",
    "\n    ",
    "\n               ",
    "\r",
    "\x1b]0;",
    "\a",
    "\\",
    "\\\n",
    "\\u00",
    "\\x",
    "%",
    "%25",
    "=",
    "=\r\n",
    "&#",
    "&amp;",
    ";",
    "\b",
    "\b \b",
    " ",
    "  ",
    "00000010: ",
    "00000020  ",
    "  |",
    "|\n",
    "0x",
    ":",
    "00 11 22 33 44 55 66 77 ",
    "\xe2\x80\x8b",
    "\xc2\xad",
    "\"",
    "\t",
};

static inline uint8_t
looks_next(struct looks_input *in)
{
    if (in->len == 0) {
        return 0;
    }
    in->len--;
    return *in->ptr++;
}

enum looks_kind {
    LOOKS_JSON,
    LOOKS_PERCENT,
    LOOKS_ENTITY,
    LOOKS_HEX_ESCAPE,
    LOOKS_DUMP,
    LOOKS_MAIL,
    LOOKS_COLONS,
    LOOKS_OCTAL,
    LOOKS_BETWEEN,
    LOOKS_WIDE,
    LOOKS_SOMETIMES,
    LOOKS_KIND_COUNT,
};

/* How a character is written. 0: it isn't. */
static inline int
looks_write(char *out, size_t cap, enum looks_kind kind, unsigned int c)
{
    switch (kind) {
    case LOOKS_JSON:
        return snprintf(out, cap, "\\u%04x", c);
    case LOOKS_PERCENT:
        return snprintf(out, cap, "%%%02X", c);
    case LOOKS_ENTITY:
        return snprintf(out, cap, "&#%u;", c);
    case LOOKS_HEX_ESCAPE:
        return snprintf(out, cap, "\\x%02x", c);
    case LOOKS_DUMP:
        return snprintf(out, cap, "%02x ", c);
    case LOOKS_MAIL:
        return snprintf(out, cap, "=%02X", c);
    case LOOKS_COLONS:
        return snprintf(out, cap, "%02x:", c);
    case LOOKS_OCTAL:
        return snprintf(out, cap, "\\%03o", c);
    case LOOKS_BETWEEN:
    case LOOKS_WIDE:
    case LOOKS_SOMETIMES:
    case LOOKS_KIND_COUNT:
        break;
    }
    return 0;
}

/* One character of a value. */
static inline void
looks_character(struct bytes *text, enum looks_kind kind, uint8_t c,
                uint8_t mark)
{
    char out[16];
    int len = looks_write(out, sizeof(out), kind, c);

    if (len > 0) {
        bytes_add(text, out, (size_t)len);
        return;
    }
    bytes_add(text, &c, 1);
    if (kind == LOOKS_WIDE) {
        bytes_add(text, "", 1);
    } else if (kind == LOOKS_BETWEEN || c % 8 == mark % 8) {
        bytes_str(text, LOOKS_MARKS[mark % AG_COUNT(LOOKS_MARKS)]);
    }
}

static inline void
looks_value(struct bytes *text, struct looks_input *in)
{
    const char *value = LOOKS_VALUES[looks_next(in) % AG_COUNT(LOOKS_VALUES)];
    uint8_t cut = looks_next(in);
    enum looks_kind kind = (enum looks_kind)(looks_next(in) % LOOKS_KIND_COUNT);
    uint8_t mark = looks_next(in);
    size_t len = strlen(value);
    size_t from = cut % 4 == 0 ? cut / 4U % len : 0;
    size_t to = cut % 4 == 1 ? cut / 4U % len : len;

    for (size_t i = from; i < to; i++) {
        looks_character(text, kind, (uint8_t)value[i], mark);
    }
}

static inline struct bytes
looks_text(struct looks_input *in)
{
    struct bytes text = {NULL, 0, 0};

    bytes_add(&text, "", 0);
    while (in->len > 0 && text.len < LOOKS_TEXT_MAX_BYTES) {
        size_t step = looks_next(in) % 64;

        if (step < LOOKS_RAW_STEPS) {
            uint8_t c = looks_next(in);

            bytes_add(&text, &c, 1);
        } else if (step - LOOKS_RAW_STEPS < AG_COUNT(LOOKS_MARKS)) {
            bytes_str(&text, LOOKS_MARKS[step - LOOKS_RAW_STEPS]);
        } else {
            looks_value(&text, in);
        }
    }
    return text;
}

static enum ag_err
looks_take(void *ctx, struct span part)
{
    bytes_add(ctx, part.ptr, part.len);
    return AG_OK;
}

/* The part where neither what follows it nor anything else is behind it. */
static inline struct span
looks_alone(struct span part)
{
    static uint8_t *end;

    if (end == NULL) {
        size_t page = (size_t)sysconf(_SC_PAGESIZE);
        uint8_t *all =
            mmap(NULL, LOOKS_PART_MAX_BYTES + page, PROT_READ | PROT_WRITE,
                 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

        if (all == MAP_FAILED ||
            mprotect(all + LOOKS_PART_MAX_BYTES, page, PROT_NONE) != 0) {
            abort();
        }
        end = all + LOOKS_PART_MAX_BYTES;
    }
    if (part.len > LOOKS_PART_MAX_BYTES) {
        abort();
    }
    memcpy(end - part.len, part.ptr, part.len);
    return span_of(end - part.len, part.len);
}

/* Up to one byte behind some indent. */
static inline size_t
looks_behind_indent(struct span rest)
{
    size_t len = LOOKS_BLOCKS_BYTES;

    while (len < rest.len &&
           (rest.ptr[len - 2] != ' ' || rest.ptr[len - 1] == ' ')) {
        len++;
    }
    return len;
}

/* In parts of `cuts` bytes; 0: all at once; from 128 on: of any. */
static inline struct bytes
looks_run(const struct matcher *set, struct bytes text, uint8_t cuts)
{
    const struct redactor_options options = {.audience = REDACTOR_OPERATOR};
    struct bytes got = {NULL, 0, 0};
    const struct sink sink = {.ctx = &got, .feed = looks_take};
    struct redactor *r = NULL;
    uint32_t x = cuts;
    size_t at = 0;

    bytes_add(&got, "", 0);
    if (redactor_new(&options, &sink, &r) != AG_OK ||
        redactor_use(r, set) != AG_OK) {
        abort();
    }
    while (at < text.len) {
        size_t len = cuts == 0 ? text.len : cuts;

        x = x * 1664525 + 1013904223;
        len = cuts < 128 ? len : 1 + (x >> 24) % cuts;
        if (cuts == LOOKS_BEHIND_INDENTS) {
            len = looks_behind_indent(span_of(text.ptr + at, text.len - at));
        }
        len = len < text.len - at ? len : text.len - at;
        if (redactor_feed(r, looks_alone(span_of(text.ptr + at, len))) !=
            AG_OK) {
            abort();
        }
        at += len;
    }
    if (redactor_finish(r) != AG_OK) {
        abort();
    }
    redactor_free(r);
    return got;
}

static inline struct matcher *
looks_set(bool is_everywhere)
{
    struct matcher_value values[AG_COUNT(LOOKS_VALUES)];
    struct matcher *set = NULL;

    for (size_t i = 0; i < AG_COUNT(LOOKS_VALUES); i++) {
        values[i] = (struct matcher_value){
            .id = i, .name = span_str("n"), .value = span_str(LOOKS_VALUES[i])};
    }
    if (matcher_build(values, AG_COUNT(values), &set) != AG_OK) {
        abort();
    }
    if (is_everywhere) {
        set->tetrads.marks = NULL;
        memset(set->tetrads.pairs, 0xff, LOOKS_PAIRS_BYTES);
    }
    return set;
}

static inline void
looks_same(const struct bytes *text, struct bytes want, struct bytes got,
           const char *what)
{
    if (got.len != want.len || memcmp(got.ptr, want.ptr, got.len) != 0) {
        (void)fprintf(stderr, "%s\ntext:", what);
        for (size_t i = 0; i < text->len; i++) {
            (void)fprintf(stderr, "\\x%02x", text->ptr[i]);
        }
        (void)fprintf(stderr, "\nwant: %.*s\ngot:  %.*s\n", (int)want.len,
                      (const char *)want.ptr, (int)got.len,
                      (const char *)got.ptr);
        abort();
    }
    bytes_done(&got);
}

static inline void
looks_check(const uint8_t *data, size_t len)
{
    static struct matcher *set; /* made once: it takes longest */
    static struct matcher *everywhere;
    struct looks_input in = {data, len};
    uint8_t cuts = looks_next(&in);
    struct bytes text = looks_text(&in);
    struct bytes want;

    if (set == NULL) {
        set = looks_set(false);
        everywhere = looks_set(true);
    }
    want = looks_run(set, text, 0);
    looks_same(&text, want, looks_run(set, text, 1), "byte by byte");
    looks_same(&text, want, looks_run(set, text, cuts), "cut");
    looks_same(&text, want, looks_run(set, text, LOOKS_BEHIND_INDENTS),
               "behind indents");
    looks_same(&text, want, looks_run(everywhere, text, 0), "everywhere");
    looks_same(&text, want, looks_run(everywhere, text, cuts),
               "everywhere, cut");
    bytes_done(&text);
    bytes_done(&want);
}

#endif
