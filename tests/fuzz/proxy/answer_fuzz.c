/* A service's answer on its way to a task: a head of any fields and a body cut
 * in any parts, with a value planted where the input says. The value is nowhere
 * in what comes out, and any cutting of the body gives the same text. */
#include <stdlib.h>
#include <string.h>

#include "base/secret.h"
#include "proxy/answer.h"
#include "proxy/sieve.h"
#include "redact/matcher.h"
#include "redact/redactor.h"
#include "upstream/upstream.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum {
    ARENA_BYTES = 4 * 1024 * 1024,
    FIELDS_COUNT = 6,
    PLANT = 0xff, /* this byte of the input stands for the value */
    TEXT_MAX_BYTES = 1024 * 1024,
};

static const char VALUE[] = "sk-Fuzzed-0123456789abcdefghij";

static struct matcher *
filter_of_value(void)
{
    static struct matcher *filter;

    const struct matcher_value one = {
        .id = 1, .name = span_str("s"), .value = span_str(VALUE)};

    if (filter == NULL) {
        AG_ASSERT(secret_arena_open(ARENA_BYTES) == AG_OK);
        AG_ASSERT(matcher_build(&one, 1, &filter) == AG_OK);
    }
    return filter;
}

/* One filter is used again and again, as by the broker. */
static struct sieves *
kept(void)
{
    static struct sieves *all;

    AG_ASSERT(all != NULL || sieves_new(&all) == AG_OK);
    return all;
}

static struct redactor *
sieve_taken(void)
{
    struct redactor *ret = NULL;

    AG_ASSERT(sieves_take(kept(), &ret) == AG_OK);
    return ret;
}

static void
plant(struct span from, struct buf *out)
{
    for (size_t i = 0; i < from.len; i++) {
        enum ag_err err = from.ptr[i] == PLANT ? buf_add_str(out, VALUE)
                                               : buf_add_byte(out, from.ptr[i]);

        AG_ASSERT(err == AG_OK);
    }
}

static bool
holds_value(struct span text)
{
    return text.len > 0 &&
           memmem(text.ptr, text.len, VALUE, strlen(VALUE)) != NULL;
}

/* The next line of the input. */
static struct span
next_line(struct span *rest)
{
    struct span line = span_sub(*rest, 0, span_find(*rest, '\n'));

    *rest = span_sub(*rest, line.len + 1, rest->len);
    return line;
}

static void
check_head(int status, struct span *rest)
{
    struct upstream_field fields[FIELDS_COUNT];
    struct buf texts[FIELDS_COUNT];
    const struct upstream_head head = {
        .status = status, .fields = fields, .field_count = FIELDS_COUNT};
    struct proxy_head *ret = calloc(1, sizeof(*ret));
    struct matcher *filter = filter_of_value();
    struct redactor *sieve = sieve_taken();

    AG_ASSERT(ret != NULL);
    for (size_t i = 0; i < FIELDS_COUNT; i++) {
        struct span text;
        size_t colon = 0;

        buf_init(&texts[i], TEXT_MAX_BYTES, BUF_PLAIN);
        plant(next_line(rest), &texts[i]);
        text = buf_view(&texts[i]);
        colon = span_find(text, ':');
        fields[i] = (struct upstream_field){
            .name = span_sub(text, 0, colon),
            .value = span_sub(text, colon + 1, text.len)};
    }
    if (answer_head(&head, filter, sieve, ret) == AG_OK) {
        AG_ASSERT(status != 206 && status != 226 && status != 416);
        for (size_t i = 0; i < ret->field_count; i++) {
            AG_ASSERT(!holds_value(ret->fields[i].name));
            AG_ASSERT(!holds_value(ret->fields[i].value));
        }
    }
    sieves_give(kept(), sieve);
    proxy_head_done(ret);
    free(ret);
    for (size_t i = 0; i < FIELDS_COUNT; i++) {
        buf_done(&texts[i]);
    }
}

static enum ag_err
on_text(void *ctx, struct span part)
{
    return buf_add(ctx, part);
}

static void
filter_body(struct span body, unsigned seed, struct buf *out)
{
    const struct sink sink = {.ctx = out, .feed = on_text};
    struct matcher *filter = filter_of_value();
    struct redactor *r = sieve_taken();

    AG_ASSERT(sieve_begin(r, filter, &sink, NULL) == AG_OK);
    for (size_t at = 0; at < body.len;) {
        struct span part =
            span_sub(body, at, seed == 0 ? body.len : 1 + seed % 23);

        seed = seed == 0 ? 0 : seed * 1103515245U + 12345U;
        AG_ASSERT(redactor_feed(r, part) == AG_OK);
        /* Given out so far is looked at too: it is with the task already. */
        AG_ASSERT(!holds_value(buf_view(out)));
        at += part.len;
    }
    AG_ASSERT(redactor_finish(r) == AG_OK);
    sieves_give(kept(), r);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const int STATUS[] = {200, 204, 206, 226, 304, 404, 416, 500};
    struct span rest = span_of(data, size);
    struct buf body;
    struct buf whole;
    struct buf cut;

    if (size < 2) {
        return 0;
    }
    rest = span_sub(rest, 2, rest.len);
    check_head(STATUS[data[0] % AG_COUNT(STATUS)], &rest);
    buf_init(&body, TEXT_MAX_BYTES, BUF_PLAIN);
    buf_init(&whole, TEXT_MAX_BYTES, BUF_PLAIN);
    buf_init(&cut, TEXT_MAX_BYTES, BUF_PLAIN);
    plant(rest, &body);
    filter_body(buf_view(&body), 0, &whole);
    filter_body(buf_view(&body), 1U + data[1], &cut);
    AG_ASSERT(span_equal(buf_view(&whole), buf_view(&cut)));
    AG_ASSERT(!holds_value(buf_view(&whole)));
    buf_done(&body);
    buf_done(&whole);
    buf_done(&cut);
    return 0;
}
