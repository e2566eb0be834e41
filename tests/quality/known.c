/*
 * known.c - many texts through the filter for known values, for known.py:
 *
 *   quality_known < values and texts > results
 *
 * A string is its length in 4 bytes, little-endian, and its bytes. First comes
 * the count of values (4 bytes) and the values, then the texts; a result is the
 * text as an operator gets it, the names of the forms found, each ended by a
 * blank, and the cuts at which the output differs from that: their count (4
 * bytes), then of each the place (4 bytes, 0: byte by byte) and the output.
 */
// LINKS: redact
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "redact/format.h"
#include "redact/redactor.h"

enum {
    TEXT_MAX_BYTES = 1024 * 1024,
    VALUES_MAX_COUNT = 1000,
    VALUE_MAX_BYTES = 64 * 1024,
    INPUT_BAD = 65, /* exit codes */
    FILTER_FAILED = 70,
    NO_MEMORY = 71,
    NOT_WRITTEN = 74,
};

static uint8_t text_bytes[TEXT_MAX_BYTES];

struct one {
    enum format format;
    struct span text;
};

static enum ag_err
gather(void *ctx, struct span part)
{
    return buf_add(ctx, part);
}

static void
note(void *ctx, const struct redactor_hit *hit)
{
    if (buf_add_str(ctx, variant_name(hit->form)) != AG_OK ||
        buf_add_str(ctx, " ") != AG_OK) {
        abort();
    }
}

static bool
take_number(uint32_t *ret)
{
    return fread(ret, sizeof(*ret), 1, stdin) == 1;
}

static struct span
take_string(uint8_t *out, size_t cap)
{
    uint32_t len = 0;

    if (!take_number(&len) || len > cap || fread(out, 1, len, stdin) != len) {
        exit(INPUT_BAD);
    }
    return span_of(out, len);
}

static void
add(struct buf *to, struct span part)
{
    if (buf_add(to, part) != AG_OK) {
        exit(NO_MEMORY);
    }
}

static void
put_bytes(struct span s)
{
    if (s.len > 0 && fwrite(s.ptr, 1, s.len, stdout) != s.len) {
        exit(NOT_WRITTEN);
    }
}

static void
put(struct span s)
{
    uint32_t len = (uint32_t)s.len;

    put_bytes(span_of(&len, sizeof(len)));
    put_bytes(s);
}

static struct matcher *
take_set(void)
{
    static struct matcher_value values[VALUES_MAX_COUNT];
    struct matcher *set = NULL;
    uint32_t count = 0;
    uint32_t i;

    if (!take_number(&count) || count > VALUES_MAX_COUNT) {
        exit(INPUT_BAD);
    }
    for (i = 0; i < count; i++) {
        uint8_t *own = malloc(VALUE_MAX_BYTES);

        if (own == NULL) {
            exit(NO_MEMORY);
        }
        values[i] =
            (struct matcher_value){.id = i,
                                   .name = span_str("x"),
                                   .value = take_string(own, VALUE_MAX_BYTES)};
    }
    if (matcher_build(values, count, &set) != AG_OK) {
        exit(NO_MEMORY);
    }
    return set;
}

/* The length of the first part, 0 for parts of one byte; then the rest. */
static size_t
part_len(struct span text, size_t *first)
{
    size_t len = *first == 0 ? 1 : *first;

    len = len < text.len ? len : text.len;
    *first = *first == 0 ? 0 : text.len - len;
    return len;
}

static enum ag_err
filter_text(const struct matcher *set, struct span text, size_t first,
            const struct redactor_options *options, const struct sink *next)
{
    AG_AUTO(redactor) struct redactor *r = NULL;
    enum ag_err err = redactor_new(options, next, &r);

    if (err == AG_OK) {
        err = redactor_use(r, set);
    }
    while (err == AG_OK && text.len > 0) {
        size_t len = part_len(text, &first);

        err = redactor_feed(r, span_sub(text, 0, len));
        text = span_sub(text, len, text.len - len);
    }
    return err == AG_OK ? redactor_finish(r) : err;
}

static enum ag_err
filter_format(enum format format, const struct matcher *set, struct span text,
              size_t first, const struct redactor_options *options,
              const struct sink *next)
{
    const struct scrub_terms terms = {.options = *options, .is_known = true};
    AG_AUTO(format_filter) struct format_filter *f = NULL;
    enum ag_err err = format_new(format, &terms, next, &f);

    if (err == AG_OK) {
        err = format_use(f, set);
    }
    while (err == AG_OK && text.len > 0) {
        size_t len = part_len(text, &first);

        err = format_feed(f, span_sub(text, 0, len));
        text = span_sub(text, len, text.len - len);
    }
    return err == AG_OK ? format_finish(f) : err;
}

static void
filter(const struct matcher *set, const struct one *one, size_t first,
       struct buf *out, struct buf *names)
{
    const struct sink next = {.ctx = out, .feed = gather};
    const struct redactor_options options = {
        .marker = "#", .hit_ctx = names, .on_hit = names ? note : NULL};
    enum ag_err err = one->format == STREAM_TEXT
                          ? filter_text(set, one->text, first, &options, &next)
                          : filter_format(one->format, set, one->text, first,
                                          &options, &next);

    if (err != AG_OK) {
        exit(FILTER_FAILED);
    }
}

/* Byte by byte, and in two parts at every place. */
static void
put_differing(const struct matcher *set, const struct one *one,
              struct span want)
{
    AG_AUTO(buf) struct buf found = {0};
    AG_AUTO(buf) struct buf out = {0};
    uint32_t count = 0;
    uint32_t cut;

    buf_init(&found, (size_t)64 * TEXT_MAX_BYTES, BUF_PLAIN);
    buf_init(&out, (size_t)2 * TEXT_MAX_BYTES, BUF_PLAIN);
    for (cut = 0; cut < one->text.len; cut++) {
        buf_clear(&out);
        filter(set, one, cut, &out, NULL);
        if (!span_equal(buf_view(&out), want)) {
            uint32_t len = (uint32_t)out.len;

            count++;
            add(&found, span_of(&cut, sizeof(cut)));
            add(&found, span_of(&len, sizeof(len)));
            add(&found, buf_view(&out));
        }
    }
    put_bytes(span_of(&count, sizeof(count)));
    put_bytes(buf_view(&found));
}

int
main(void)
{
    AG_AUTO(matcher) struct matcher *set = take_set();
    int c;

    while ((c = getchar()) != EOF) {
        AG_AUTO(buf) struct buf out = {0};
        AG_AUTO(buf) struct buf names = {0};
        struct one one;
        uint32_t format;

        (void)ungetc(c, stdin);
        if (!take_number(&format) || format >= STREAM_COUNT) {
            return INPUT_BAD;
        }
        one = (struct one){.format = (enum format)format,
                           .text = take_string(text_bytes, TEXT_MAX_BYTES)};
        buf_init(&out, (size_t)2 * TEXT_MAX_BYTES, BUF_PLAIN);
        buf_init(&names, TEXT_MAX_BYTES, BUF_PLAIN);
        filter(set, &one, one.text.len, &out, &names);
        put(buf_view(&out));
        put(buf_view(&names));
        put_differing(set, &one, buf_view(&out));
    }
    return EXIT_SUCCESS;
}
