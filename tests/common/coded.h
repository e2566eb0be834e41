/*
 * coded.h - answers in content codings, for the tests of proxy/decode, and a
 * decoder fed in parts of any length.
 */
#ifndef AG_TESTS_CODED_H
#define AG_TESTS_CODED_H

#include <zlib.h>
#include <zstd.h>

#include "base/buf.h"
#include "common/check.h"
#include "proxy/decode.h"

enum {
    CODED_MAX_BYTES = 32 * 1024 * 1024,
};

enum coded_form {
    CODED_GZIP,
    CODED_ZLIB,
    CODED_RAW,
    CODED_ZSTD,
    CODED_FORM_COUNT,
};

static struct decode_memory coded_memory = {.max_bytes = 64U << 20};

/* What a Content-Encoding calls it. */
static inline const char *
coded_name(enum coded_form form)
{
    static const char *const NAMES[] = {"gzip", "deflate", "deflate", "zstd"};

    return NAMES[form];
}

static inline void
coded_zlib(int bits, struct span plain, struct buf *out)
{
    z_stream z = {0};
    uint8_t part[4096];
    int rc = deflateInit2(&z, 6, Z_DEFLATED, bits, 8, Z_DEFAULT_STRATEGY);

    assert_int_equal(rc, Z_OK);
    z.next_in = (Bytef *)(uintptr_t)plain.ptr;
    z.avail_in = (uInt)plain.len;
    while (rc != Z_STREAM_END) {
        z.next_out = part;
        z.avail_out = sizeof(part);
        rc = deflate(&z, Z_FINISH);
        check_ok(buf_add(out, span_of(part, sizeof(part) - z.avail_out)));
    }
    (void)deflateEnd(&z);
}

static inline void
coded_zstd(struct span plain, struct buf *out)
{
    size_t room = ZSTD_compressBound(plain.len);
    void *whole = malloc(room);
    size_t len = 0;

    assert_non_null(whole);
    len = ZSTD_compress(whole, room, plain.ptr, plain.len, 3);
    assert_false(ZSTD_isError(len));
    check_ok(buf_add(out, span_of(whole, len)));
    free(whole);
}

/* Adds the coded text. */
static inline void
coded_add(enum coded_form form, struct span plain, struct buf *out)
{
    static const int BITS[] = {31, 15, -15};

    if (form == CODED_ZSTD) {
        coded_zstd(plain, out);
    } else {
        coded_zlib(BITS[form], plain, out);
    }
}

/* Everything there is to it for now. */
static inline enum ag_err
coded_feed(struct decode *d, struct span in, struct buf *out)
{
    struct span part = {0};
    enum ag_err err = AG_OK;

    do {
        err = decode_next(d, &in, &part);
        if (err == AG_OK) {
            err = buf_add(out, part);
        }
    } while (err == AG_OK && part.len > 0);
    if (err == AG_OK) {
        assert_int_equal(in.len, 0);
    }
    return err;
}

/* Decodes `in` by a Content-Encoding's value, in parts of so many bytes. */
static inline enum ag_err
coded_undo(const char *names, struct span in, size_t part_bytes,
           struct buf *out)
{
    AG_AUTO(decode) struct decode *d = NULL;
    struct decode_codings codings = {0};
    enum ag_err err = decode_read_codings(span_str(names), &codings);

    if (err == AG_OK) {
        err = decode_new(&codings, &coded_memory, &d);
    }
    for (size_t at = 0; err == AG_OK && at < in.len; at += part_bytes) {
        err = coded_feed(d, span_sub(in, at, part_bytes), out);
    }
    return err == AG_OK ? decode_finish(d) : err;
}

/* A text in a zstd frame whose window is 2 to the `log`. */
static inline void
coded_window(int log, const char *text, struct buf *out)
{
    ZSTD_CCtx *c = ZSTD_createCCtx();
    uint8_t part[4096];
    ZSTD_inBuffer in = {.src = text, .size = strlen(text)};
    ZSTD_outBuffer to = {.dst = part, .size = sizeof(part)};

    assert_non_null(c);
    assert_false(
        ZSTD_isError(ZSTD_CCtx_setParameter(c, ZSTD_c_windowLog, log)));
    assert_int_equal(ZSTD_compressStream2(c, &to, &in, ZSTD_e_flush), 0);
    assert_int_equal(ZSTD_compressStream2(c, &to, &in, ZSTD_e_end), 0);
    check_ok(buf_add(out, span_of(part, to.pos)));
    (void)ZSTD_freeCCtx(c);
}

#endif
