/*
 * Any text as a value, as a placeholder, as a document and as a stream. What
 * was made is read back; what was not is nobody's; a scan says the same however
 * the text is cut, and no secret is left in locked memory.
 */
#include <string.h>

#include "base/buf.h"
#include "base/secret.h"
#include "profile/fields.h"
#include "profile/placeholder.h"

enum {
    OUT_MAX_BYTES = 512 * 1024,
    KEY_BYTES = 32,
};

static struct secret *key;
static size_t used; /* by the key */

int LLVMFuzzerInitialize(const int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerInitialize(const int *argc, char ***argv)
{
    (void)argc;
    (void)argv;
    AG_ASSERT(secret_arena_open((size_t)4 * 1024 * 1024) == AG_OK);
    AG_ASSERT(secret_new(KEY_BYTES, &key) == AG_OK);
    memset(secret_bytes(key), 42, KEY_BYTES);
    used = secret_arena_used_bytes();
    return 0;
}

static void
check_value(const uint8_t *head, struct span text)
{
    AG_AUTO(buf) struct buf made = {0};
    struct profile_shape shape = {
        .alphabet = (enum shape_alphabet)(head[1] % (ALPHABET_BASE32 + 1)),
        .checksum = (head[2] & 1) != 0 ? CHECKSUM_CRC32_BASE62 : CHECKSUM_NONE,
        .prefix = (head[2] & 2) != 0   ? "sk-"
                  : (head[2] & 4) != 0 ? "AKIA"
                                       : NULL,
    };
    uint64_t id = (uint64_t)head[3] << 40 | head[1];
    uint64_t got = 0;
    enum ag_err err;

    buf_init(&made, OUT_MAX_BYTES, BUF_PLAIN);
    err = placeholder_make(key, id, (head[2] & 8) != 0 ? &shape : NULL, text,
                           &made);
    if (err == AG_OK && made.len <= PLACEHOLDER_MAX_BYTES) {
        err = placeholder_read(key, buf_view(&made), &got);
        AG_ASSERT(err == AG_OK && got == id);
    } else {
        AG_ASSERT(err != AG_EINTERNAL && err != AG_ENOMEM);
    }
}

static void
check_document(uint8_t format, struct span text)
{
    static const char *const PATTERNS[] = {"/**"};
    struct profile_file file = {
        .format = (enum file_format)(format % (FORMAT_SQLITE + 1)),
        .secrets = {PATTERNS, (format & 64) != 0 ? 1 : 0},
    };
    struct profile p = {.files = {&file, 1}};
    struct placeholder_want want = {.key = key, .id = 7, .profile = &p};
    AG_AUTO(buf) struct buf made = {0};

    buf_init(&made, OUT_MAX_BYTES, BUF_PLAIN);
    if (placeholder_document(&want, text, &made) == AG_OK) {
        enum ag_err err = fields_check(buf_view(&made), file.format);

        AG_ASSERT(err == AG_OK || err == AG_ELIMIT);
    } else {
        AG_ASSERT(made.len == 0);
    }
}

struct sum {
    uint64_t count;
    uint64_t sum;
};

static enum ag_err
add(void *arg, const struct placeholder_hit *hit)
{
    struct sum *s = arg;

    s->count++;
    s->sum = s->sum * 31 + (hit->id ^ hit->offset << 20 ^ hit->len);
    return AG_OK;
}

static struct sum
scan(struct span text, size_t part)
{
    AG_AUTO(placeholder_scan) struct placeholder_scan *s = NULL;
    struct sum sum = {0};
    enum ag_err err = placeholder_scan_new(key, add, &sum, &s);

    for (size_t at = 0; err == AG_OK && at < text.len; at += part) {
        err = placeholder_scan_feed(s, span_sub(text, at, part));
    }
    AG_ASSERT(err == AG_OK && placeholder_scan_finish(s) == AG_OK);
    return sum;
}

static void
check_scan(size_t part, struct span text)
{
    AG_AUTO(buf) struct buf with = {0};
    struct sum whole;
    struct sum cut;

    buf_init(&with, OUT_MAX_BYTES, BUF_PLAIN);
    AG_ASSERT(buf_add(&with, text) == AG_OK);
    AG_ASSERT(buf_add_byte(&with, ' ') == AG_OK);
    AG_ASSERT(placeholder_make(key, 9, NULL,
                               span_str("0123456789abcdef0123456789abcdef"),
                               &with) == AG_OK);
    whole = scan(buf_view(&with), with.len);
    cut = scan(buf_view(&with), part + 1);
    AG_ASSERT(whole.count >= 1 && whole.count == cut.count &&
              whole.sum == cut.sum);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct span text;
    uint64_t id = 0;
    enum ag_err err;

    if (size < 4 || size > (size_t)64 * 1024) {
        return 0;
    }
    text = span_of(data + 4, size - 4);
    err = placeholder_read(key, text, &id);
    AG_ASSERT(err == AG_OK || err == AG_ENOTFOUND);
    check_value(data, text);
    check_document(data[0], text);
    check_scan(data[3], text);
    AG_ASSERT(secret_arena_used_bytes() == used);
    return 0;
}
