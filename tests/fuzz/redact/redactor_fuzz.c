/*
 * The redactor against the oracle: the input is some values, a text, and how
 * the text is cut.
 *
 * Bytes: mode | value count | (length, value)… | cuts seed | text. A byte 0xff
 * in the text stands for a form of one of the values, chosen by the next two.
 */
#include "prop/redact/oracle.h"
#include "redact/redactor.h"

enum {
    VALUES_MAX = 4,
    TEXT_MAX = 2048,
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct input {
    const uint8_t *ptr;
    size_t len;
};

static uint8_t
next(struct input *in)
{
    if (in->len == 0) {
        return 0;
    }
    in->len--;
    return *in->ptr++;
}

static enum ag_err
take(void *ctx, struct span part)
{
    bytes_add(ctx, part.ptr, part.len);
    return AG_OK;
}

static struct bytes
make_text(struct input *in, const struct oracle *o)
{
    struct bytes text = {NULL, 0, 0};

    bytes_add(&text, "", 0);
    while (in->len > 0 && text.len < TEXT_MAX) {
        uint8_t c = next(in);

        if (c == 0xff && o->count > 0) {
            size_t index = (size_t)next(in) << 8 | next(in);
            const struct bytes *form = &o->forms[index % o->count].text;

            bytes_add(&text, form->ptr, form->len);
        } else {
            bytes_add(&text, &c, 1);
        }
    }
    return text;
}

static struct bytes
run(const struct matcher *set, struct bytes text, bool task, uint8_t cuts)
{
    const struct redactor_options options = {
        .audience = task ? REDACTOR_TASK : REDACTOR_OPERATOR};
    struct bytes got = {NULL, 0, 0};
    const struct sink sink = {.ctx = &got, .feed = take};
    struct redactor *r = NULL;
    uint32_t x = cuts;
    size_t at = 0;

    bytes_add(&got, "", 0);
    if (redactor_new(&options, &sink, &r) != AG_OK ||
        redactor_use(r, set) != AG_OK) {
        abort();
    }
    while (at < text.len) {
        size_t len;

        x = x * 1664525 + 1013904223;
        len = cuts < 8 ? cuts + 1U : 1 + (x >> 24) % 64;
        len = len < text.len - at ? len : text.len - at;
        if (redactor_feed(r, span_of(text.ptr + at, len)) != AG_OK) {
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

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const NAMES[VALUES_MAX] = {"a", "b", "c", "d"};
    struct input in = {data, size};
    struct matcher_value values[VALUES_MAX];
    struct oracle o = {NULL, 0};
    struct matcher *set = NULL;
    bool task = (next(&in) & 1) != 0;
    size_t count = next(&in) % VALUES_MAX + 1;
    struct bytes text;
    struct bytes want;
    struct bytes got;
    uint8_t cuts;
    size_t holes;
    size_t i;

    if (size == 0) {
        return 0;
    }
    for (i = 0; i < count; i++) {
        size_t len = next(&in) % 96;

        len = len < in.len ? len : in.len;
        values[i] = (struct matcher_value){
            .id = i, .name = span_str(NAMES[i]), .value = span_of(in.ptr, len)};
        oracle_add(&o, in.ptr, len, NAMES[i]);
        in.ptr += len;
        in.len -= len;
    }
    matcher_enable_looks(false); /* looks_fuzz.c has them */
    cuts = next(&in);
    text = make_text(&in, &o);
    if (matcher_build(values, count, &set) != AG_OK) {
        abort();
    }
    want = oracle_redact(&o, text.ptr, text.len, task, &holes);
    got = run(set, text, task, cuts);
    if (got.len != want.len || memcmp(got.ptr, want.ptr, got.len) != 0) {
        abort();
    }
    bytes_done(&text);
    bytes_done(&want);
    bytes_done(&got);
    matcher_unref(set);
    oracle_done(&o);
    return 0;
}
