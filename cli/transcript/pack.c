#include "transcript/pack.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define ZLIB_CONST               /* next_in points to what is only read */
#define ZSTD_STATIC_LINKING_ONLY /* the _advanced functions: our memory */
#include <zlib.h>
#include <zstd.h>

#include "base/fdx.h"
#include "base/wipealloc.h"
#include "transcript/lazy.h"

enum {
    PART_BYTES = 64 * 1024,
    GZIP_ONLY = 16, /* added to the window's bits, as zlib has it */
    GZIP_MEMORY_LEVEL = 8,
    ZSTD_LEVEL = 3,
};

static struct {
    int (*inflate_init2)(z_streamp strm, int bits, const char *version,
                         int size);
    int (*inflate)(z_streamp strm, int flush);
    int (*inflate_reset)(z_streamp strm);
    int (*inflate_end)(z_streamp strm);
    int (*deflate_init2)(z_streamp strm, int level, int method, int bits,
                         int memory_level, int strategy, const char *version,
                         int size);
    int (*deflate)(z_streamp strm, int flush);
    int (*deflate_end)(z_streamp strm);
} z;

static struct {
    ZSTD_DCtx *(*create_dctx)(ZSTD_customMem memory);
    size_t (*free_dctx)(ZSTD_DCtx *ctx);
    size_t (*decompress_stream)(ZSTD_DCtx *ctx, ZSTD_outBuffer *out,
                                ZSTD_inBuffer *in);
    ZSTD_CCtx *(*create_cctx)(ZSTD_customMem memory);
    size_t (*free_cctx)(ZSTD_CCtx *ctx);
    size_t (*set_parameter)(ZSTD_CCtx *ctx, ZSTD_cParameter what, int value);
    size_t (*compress_stream2)(ZSTD_CCtx *ctx, ZSTD_outBuffer *out,
                               ZSTD_inBuffer *in, ZSTD_EndDirective end);
    unsigned (*is_error)(size_t code);
} zs;

#define Z_SLOT(name, member)                                                   \
    {                                                                          \
        name, offsetof(__typeof__(z), member)                                  \
    }
#define ZSTD_SLOT(name, member)                                                \
    {                                                                          \
        "ZSTD_" name, offsetof(__typeof__(zs), member)                         \
    }

static const struct lazy_slot Z_SLOTS[] = {
    Z_SLOT("inflateInit2_", inflate_init2), Z_SLOT("inflate", inflate),
    Z_SLOT("inflateReset", inflate_reset),  Z_SLOT("inflateEnd", inflate_end),
    Z_SLOT("deflateInit2_", deflate_init2), Z_SLOT("deflate", deflate),
    Z_SLOT("deflateEnd", deflate_end),
};
static const struct lazy_slot ZSTD_SLOTS[] = {
    ZSTD_SLOT("createDCtx_advanced", create_dctx),
    ZSTD_SLOT("freeDCtx", free_dctx),
    ZSTD_SLOT("decompressStream", decompress_stream),
    ZSTD_SLOT("createCCtx_advanced", create_cctx),
    ZSTD_SLOT("freeCCtx", free_cctx),
    ZSTD_SLOT("CCtx_setParameter", set_parameter),
    ZSTD_SLOT("compressStream2", compress_stream2),
    ZSTD_SLOT("isError", is_error),
};

enum pack_kind
pack_kind(struct span head)
{
    static const uint8_t GZIP[] = {0x1f, 0x8b, 8};
    static const uint8_t ZSTD[] = {0x28, 0xb5, 0x2f, 0xfd};

    if (span_starts(head, span_of(GZIP, sizeof(GZIP)))) {
        return PACK_GZIP;
    }
    return span_starts(head, span_of(ZSTD, sizeof(ZSTD))) ? PACK_ZSTD
                                                          : PACK_NONE;
}

enum pack_kind
pack_kind_of(int fd)
{
    uint8_t head[PACK_MAGIC_BYTES];
    ssize_t n = pread(fd, head, sizeof(head), 0);

    return n <= 0 ? PACK_NONE : pack_kind(span_of(head, (size_t)n));
}

enum ag_err
pack_load(enum pack_kind kind)
{
    static const struct lazy_library Z = {"libz.so.1", "zlib1g", Z_SLOTS,
                                          AG_COUNT(Z_SLOTS)};
    static const struct lazy_library ZSTD = {"libzstd.so.1", "libzstd1",
                                             ZSTD_SLOTS, AG_COUNT(ZSTD_SLOTS)};

    switch (kind) {
    case PACK_GZIP:
        return z.deflate_end != NULL ? AG_OK : lazy_load(&Z, "gzip files", &z);
    case PACK_ZSTD:
        return zs.is_error != NULL ? AG_OK
                                   : lazy_load(&ZSTD, "zstd files", &zs);
    case PACK_NONE:
        break;
    }
    return AG_OK;
}

/* ---- memory: what was unpacked is wiped ---- */

static void *
z_alloc(void *ctx, unsigned count, unsigned size)
{
    (void)ctx;
    return wipe_calloc(count, size);
}

static void
z_free(void *ctx, void *ptr)
{
    (void)ctx;
    wipe_free(ptr);
}

static void *
zstd_alloc(void *ctx, size_t len)
{
    (void)ctx;
    return wipe_malloc(len);
}

static const ZSTD_customMem ZSTD_MEMORY = {zstd_alloc, z_free, NULL};

/* ---- one run, in either direction ---- */

/*
 * A step works off some of in_ptr[in_at..in_len) into `out`. *ret_len: what is
 * there to write; *ret_more: call again before more input is read.
 */
struct run {
    bool is_packing;
    enum pack_kind kind;
    int src_fd;
    int dst_fd; /* -1: `out_left` bytes to `out_ptr` */
    uint8_t *out_ptr;
    size_t out_left;
    z_stream zlib;
    ZSTD_DCtx *dctx;
    ZSTD_CCtx *cctx;
    bool between;   /* unpacking: not inside a member or frame */
    bool got_input; /* ever */
    uint64_t in_bytes;
    uint64_t out_bytes;
    size_t in_at;
    size_t in_len;
    uint8_t *in; /* PART_BYTES each */
    uint8_t *out;
};

static enum ag_err
damaged(void)
{
    return err_why(AG_ECORRUPT, "it is damaged, or cut, or followed by "
                                "something that is not packed");
}

static enum ag_err
unpack_gzip(struct run *r, size_t *ret_len, bool *ret_more)
{
    int code;

    if (r->between && r->in_at == r->in_len) {
        return AG_OK;
    }
    if (r->between && r->got_input && z.inflate_reset(&r->zlib) != Z_OK) {
        return AG_EINTERNAL;
    }
    r->between = false;
    r->got_input = true;
    r->zlib.next_in = r->in + r->in_at;
    r->zlib.avail_in = (unsigned)(r->in_len - r->in_at);
    r->zlib.next_out = r->out;
    r->zlib.avail_out = PART_BYTES;
    code = z.inflate(&r->zlib, Z_NO_FLUSH);
    r->in_at = r->in_len - r->zlib.avail_in;
    *ret_len = PART_BYTES - r->zlib.avail_out;
    r->between = code == Z_STREAM_END;
    *ret_more = r->zlib.avail_out == 0 || (r->between && r->in_at < r->in_len);
    if (code == Z_MEM_ERROR) {
        return AG_ENOMEM;
    }
    /* Z_BUF_ERROR: it wants more input. */
    return code == Z_OK || code == Z_STREAM_END || code == Z_BUF_ERROR
               ? AG_OK
               : damaged();
}

static enum ag_err
unpack_zstd(struct run *r, size_t *ret_len, bool *ret_more)
{
    ZSTD_inBuffer in = {r->in, r->in_len, r->in_at};
    ZSTD_outBuffer out = {r->out, PART_BYTES, 0};
    size_t code;

    if (r->between && r->in_at == r->in_len) {
        return AG_OK;
    }
    r->got_input = true;
    code = zs.decompress_stream(r->dctx, &out, &in);
    if (zs.is_error(code)) {
        return err_why(AG_ECORRUPT, "it is damaged, or needs a dictionary or "
                                    "a window of more than 128 MiB");
    }
    r->in_at = in.pos;
    r->between = code == 0;
    *ret_len = out.pos;
    *ret_more = out.pos == out.size || (r->between && r->in_at < r->in_len);
    return AG_OK;
}

static enum ag_err
pack_gzip(struct run *r, bool is_end, size_t *ret_len, bool *ret_more)
{
    r->zlib.next_in = r->in + r->in_at;
    r->zlib.avail_in = (unsigned)(r->in_len - r->in_at);
    r->zlib.next_out = r->out;
    r->zlib.avail_out = PART_BYTES;
    if (z.deflate(&r->zlib, is_end ? Z_FINISH : Z_NO_FLUSH) == Z_STREAM_ERROR) {
        return AG_EINTERNAL;
    }
    r->in_at = r->in_len - r->zlib.avail_in;
    *ret_len = PART_BYTES - r->zlib.avail_out;
    *ret_more = r->zlib.avail_out == 0;
    return AG_OK;
}

static enum ag_err
pack_zstd(struct run *r, bool is_end, size_t *ret_len, bool *ret_more)
{
    ZSTD_inBuffer in = {r->in, r->in_len, r->in_at};
    ZSTD_outBuffer out = {r->out, PART_BYTES, 0};
    size_t left = zs.compress_stream2(r->cctx, &out, &in,
                                      is_end ? ZSTD_e_end : ZSTD_e_continue);

    if (zs.is_error(left)) {
        return AG_ENOMEM;
    }
    r->in_at = in.pos;
    *ret_len = out.pos;
    *ret_more = in.pos < in.size || (is_end && left > 0);
    return AG_OK;
}

static enum ag_err
step(struct run *r, bool is_end, size_t *ret_len, bool *ret_more)
{
    *ret_len = 0;
    *ret_more = false;
    if (r->is_packing) {
        return r->kind == PACK_GZIP ? pack_gzip(r, is_end, ret_len, ret_more)
                                    : pack_zstd(r, is_end, ret_len, ret_more);
    }
    return r->kind == PACK_GZIP ? unpack_gzip(r, ret_len, ret_more)
                                : unpack_zstd(r, ret_len, ret_more);
}

static enum ag_err
check_bounds(const struct run *r)
{
    if (r->is_packing || r->out_bytes <= PACK_SMALL_BYTES) {
        return AG_OK;
    }
    if (r->out_bytes > PACK_OUT_MAX_BYTES ||
        r->out_bytes / PACK_RATIO_MAX > r->in_bytes) {
        return err_why(AG_ELIMIT,
                       "it unpacks to more than %d times its size, or to more "
                       "than 64 GiB",
                       PACK_RATIO_MAX);
    }
    return AG_OK;
}

static enum ag_err
put(struct run *r, size_t len)
{
    r->out_bytes += len;
    if (r->dst_fd >= 0) {
        enum ag_err err = check_bounds(r);

        return err == AG_OK ? fd_write_all(r->dst_fd, span_of(r->out, len))
                            : err;
    }
    len = len < r->out_left ? len : r->out_left;
    memcpy(r->out_ptr, r->out, len);
    r->out_ptr += len;
    r->out_left -= len;
    return AG_OK;
}

static bool
is_full(const struct run *r)
{
    return r->dst_fd < 0 && r->out_left == 0;
}

static enum ag_err
work_off(struct run *r, bool is_end)
{
    bool more = true;
    enum ag_err err = AG_OK;

    while (err == AG_OK && more && !is_full(r)) {
        size_t len = 0;

        err = step(r, is_end, &len, &more);
        if (err == AG_OK) {
            err = put(r, len);
        }
    }
    return err;
}

/* pread() for a look that moves nothing; pipes have no offset to keep. */
static ssize_t
read_part(struct run *r)
{
    ssize_t n;

    do {
        n = r->dst_fd < 0
                ? pread(r->src_fd, r->in, PART_BYTES, (off_t)r->in_bytes)
                : read(r->src_fd, r->in, PART_BYTES);
    } while (n < 0 && errno == EINTR);
    return n;
}

static enum ag_err
run_all(struct run *r)
{
    enum ag_err err = AG_OK;
    ssize_t n = 1;

    while (err == AG_OK && n > 0 && !is_full(r)) {
        n = read_part(r);
        if (n < 0) {
            return err_from_errno(errno);
        }
        r->in_at = 0;
        r->in_len = (size_t)n;
        r->in_bytes += (uint64_t)n;
        err = work_off(r, n == 0);
    }
    if (err == AG_OK && !r->is_packing && !r->between && !is_full(r)) {
        return damaged();
    }
    return err;
}

static enum ag_err
start(struct run *r)
{
    int code = Z_OK;

    r->in = wipe_malloc(PART_BYTES);
    r->out = wipe_malloc(PART_BYTES);
    r->between = true;
    r->zlib.zalloc = z_alloc;
    r->zlib.zfree = z_free;
    if (r->in == NULL || r->out == NULL) {
        return AG_ENOMEM;
    }
    if (r->kind == PACK_ZSTD && r->is_packing) {
        r->cctx = zs.create_cctx(ZSTD_MEMORY);
        return r->cctx == NULL ||
                       zs.is_error(zs.set_parameter(
                           r->cctx, ZSTD_c_compressionLevel, ZSTD_LEVEL)) ||
                       zs.is_error(
                           zs.set_parameter(r->cctx, ZSTD_c_checksumFlag, 1))
                   ? AG_ENOMEM
                   : AG_OK;
    }
    if (r->kind == PACK_ZSTD) {
        r->dctx = zs.create_dctx(ZSTD_MEMORY);
        return r->dctx == NULL ? AG_ENOMEM : AG_OK;
    }
    code = r->is_packing
               ? z.deflate_init2(&r->zlib, Z_DEFAULT_COMPRESSION, Z_DEFLATED,
                                 MAX_WBITS + GZIP_ONLY, GZIP_MEMORY_LEVEL,
                                 Z_DEFAULT_STRATEGY, ZLIB_VERSION,
                                 (int)sizeof(r->zlib))
               : z.inflate_init2(&r->zlib, MAX_WBITS + GZIP_ONLY, ZLIB_VERSION,
                                 (int)sizeof(r->zlib));
    return code == Z_OK ? AG_OK : AG_ENOMEM;
}

static void
stop(struct run *r)
{
    if (r->kind == PACK_GZIP && r->is_packing) {
        (void)z.deflate_end(&r->zlib);
    } else if (r->kind == PACK_GZIP) {
        (void)z.inflate_end(&r->zlib);
    }
    if (r->dctx != NULL) {
        (void)zs.free_dctx(r->dctx);
    }
    if (r->cctx != NULL) {
        (void)zs.free_cctx(r->cctx);
    }
    wipe_free(r->in);
    wipe_free(r->out);
}

static enum ag_err
run(struct run *r)
{
    enum ag_err err = start(r);

    if (err == AG_OK) {
        err = run_all(r);
    }
    stop(r);
    return err;
}

enum ag_err
pack_open(enum pack_kind kind, int src_fd, int dst_fd)
{
    struct run r = {.kind = kind, .src_fd = src_fd, .dst_fd = dst_fd};

    return run(&r);
}

enum ag_err
pack_close(enum pack_kind kind, int src_fd, int dst_fd)
{
    struct run r = {
        .is_packing = true, .kind = kind, .src_fd = src_fd, .dst_fd = dst_fd};

    return run(&r);
}

enum ag_err
pack_peek(enum pack_kind kind, int src_fd, void *out, size_t cap,
          size_t *ret_len)
{
    struct run r = {.kind = kind,
                    .src_fd = src_fd,
                    .dst_fd = -1,
                    .out_ptr = out,
                    .out_left = cap};
    enum ag_err err = run(&r);

    *ret_len = cap - r.out_left;
    return err;
}
