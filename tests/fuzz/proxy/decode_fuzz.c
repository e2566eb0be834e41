/* An encoded answer on its way to a task. The input is a text with a value where
 * it says, which this encodes, or an answer as a hostile service encodes it:
 * never more than the bound, nothing left, the same however it is cut, and the
 * value nowhere in what the filter behind it lets out. */
#include <stdlib.h>
#include <string.h>

#include <zlib.h>
#include <zstd.h>

#include "base/buf.h"
#include "base/secret.h"
#include "proxy/decode.h"
#include "proxy/sieve.h"
#include "redact/matcher.h"
#include "redact/redactor.h"
#include "redact/sink.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum {
    ARENA_BYTES = 4 * 1024 * 1024,
    PLANT = 0xff, /* this byte of the input stands for the value */
    TEXT_MAX_BYTES = 64 * 1024 * 1024,
};

static const char VALUE[] = "sk-Fuzzed-0123456789abcdefghij";

static struct decode_memory memory = {.max_bytes = 64 * 1024 * 1024};

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

static struct redactor *
the_sieve(void)
{
    static struct sieves *all;
    static struct redactor *sieve;

    if (sieve == NULL) {
        AG_ASSERT(sieves_new(&all) == AG_OK);
        AG_ASSERT(sieves_take(all, &sieve) == AG_OK);
    }
    return sieve;
}

static bool
holds_value(struct span text)
{
    return text.len > 0 &&
           memmem(text.ptr, text.len, VALUE, strlen(VALUE)) != NULL;
}

static void
plant(struct span from, struct buf *out)
{
    for (size_t i = 0; i < from.len; i++) {
        AG_ASSERT((from.ptr[i] == PLANT
                       ? buf_add_str(out, VALUE)
                       : buf_add_byte(out, from.ptr[i])) == AG_OK);
    }
}

static void
encode_zlib(int bits, struct span plain, struct buf *out)
{
    z_stream z = {0};
    uint8_t part[4096];
    int rc = deflateInit2(&z, 1, Z_DEFLATED, bits, 8, Z_DEFAULT_STRATEGY);

    AG_ASSERT(rc == Z_OK);
    z.next_in = (Bytef *)(uintptr_t)plain.ptr;
    z.avail_in = (uInt)plain.len;
    while (rc != Z_STREAM_END) {
        z.next_out = part;
        z.avail_out = sizeof(part);
        rc = deflate(&z, Z_FINISH);
        AG_ASSERT(buf_add(out, span_of(part, sizeof(part) - z.avail_out)) ==
                  AG_OK);
    }
    (void)deflateEnd(&z);
}

static void
encode(enum decode_coding coding, bool raw, struct span plain, struct buf *out)
{
    size_t room = ZSTD_compressBound(plain.len);
    void *whole = NULL;

    if (coding != DECODE_ZSTD) {
        encode_zlib(coding == DECODE_GZIP ? 31 : raw ? -15 : 15, plain, out);
        return;
    }
    whole = malloc(room);
    AG_ASSERT(whole != NULL);
    room = ZSTD_compress(whole, room, plain.ptr, plain.len, 1);
    AG_ASSERT(!ZSTD_isError(room));
    AG_ASSERT(buf_add(out, span_of(whole, room)) == AG_OK);
    free(whole);
}

static enum ag_err
on_text(void *ctx, struct span part)
{
    return buf_add(ctx, part);
}

/* The same that a flight does, with room for everything. */
static enum ag_err
pass(const struct decode_codings *codings, struct span in, unsigned seed,
     struct buf *out)
{
    const struct sink sink = {.ctx = out, .feed = on_text};
    struct decode *d = NULL;
    enum ag_err err = AG_OK;

    AG_ASSERT(sieve_begin(the_sieve(), filter_of_value(), &sink, NULL) ==
              AG_OK);
    AG_ASSERT(decode_new(codings, &memory, &d) == AG_OK);
    for (size_t at = 0; err == AG_OK && at < in.len;) {
        struct span part = span_sub(in, at, seed == 0 ? in.len : 1 + seed % 23);
        struct span plain = {0};

        seed = seed == 0 ? 0 : seed * 1103515245U + 12345U;
        at += part.len;
        do {
            err = decode_next(d, &part, &plain);
            if (err == AG_OK) {
                AG_ASSERT(redactor_feed(the_sieve(), plain) == AG_OK);
            }
        } while (err == AG_OK && plain.len > 0);
        AG_ASSERT(err != AG_OK || part.len == 0);
    }
    if (err == AG_OK) {
        err = decode_finish(d);
    }
    decode_free(d);
    AG_ASSERT(atomic_load(&memory.used_bytes) == 0);
    AG_ASSERT(err == AG_OK || err == AG_EENCODED);
    if (err == AG_OK) {
        AG_ASSERT(redactor_finish(the_sieve()) == AG_OK);
    }
    return err;
}

static void
check_passed(const struct decode_codings *codings, struct span in,
             unsigned seed, bool must)
{
    struct buf whole;
    struct buf cut;
    enum ag_err err = AG_OK;

    buf_init(&whole, TEXT_MAX_BYTES, BUF_PLAIN);
    buf_init(&cut, TEXT_MAX_BYTES, BUF_PLAIN);
    err = pass(codings, in, 0, &whole);
    AG_ASSERT(pass(codings, in, seed, &cut) == err);
    AG_ASSERT(err == AG_OK || !must);
    AG_ASSERT(err != AG_OK || span_equal(buf_view(&whole), buf_view(&cut)));
    AG_ASSERT(!holds_value(buf_view(&whole)) && !holds_value(buf_view(&cut)));
    buf_done(&whole);
    buf_done(&cut);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct decode_codings codings = {0};
    struct span rest = span_of(data, size);
    struct buf text;
    bool encodes = false;

    if (size < 3) {
        return 0;
    }
    codings.count = 1U + (data[0] & 1U);
    codings.at[0] = (enum decode_coding)(data[1] % 3);
    codings.at[1] = (enum decode_coding)(data[1] / 3 % 3);
    encodes = (data[0] & 2U) != 0;
    rest = span_sub(rest, 3, rest.len);
    buf_init(&text, TEXT_MAX_BYTES, BUF_PLAIN);
    if (encodes) {
        plant(rest, &text);
    } else {
        AG_ASSERT(buf_add(&text, rest) == AG_OK);
    }
    for (size_t i = 0; encodes && i < codings.count; i++) {
        struct buf out;

        buf_init(&out, TEXT_MAX_BYTES, BUF_PLAIN);
        encode(codings.at[i], (data[0] & 4U) != 0, buf_view(&text), &out);
        text.len = 0;
        AG_ASSERT(buf_add(&text, buf_view(&out)) == AG_OK);
        buf_done(&out);
    }
    check_passed(&codings, buf_view(&text), 1U + data[2], encodes);
    buf_done(&text);
    return 0;
}
