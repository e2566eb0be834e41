#include "profile/placeholder.h"

#include <string.h>

#include "base/encode.h"
#include "base/secret.h"
#include "profile/placeholder_parts.h"

_Static_assert((int)PLACEHOLDER_KEY_BYTES == (int)CODE_KEY_BYTES, "key");
_Static_assert((int)PLACEHOLDER_ID_BITS == (int)CODE_ID_BITS, "id");
_Static_assert((int)PLACEHOLDER_MIN_BITS == (int)CODE_BITS_MIN, "least");

/* How a value's look-alike is written. */
struct recipe {
    enum code_grammar grammar;
    const char *alphabet; /* NULL: each character from its own class */
    size_t prefix;
    size_t end; /* of the number; then come the checksum or the padding */
    bool checksum;
};

static bool
in_text(uint8_t c, const char *bytes)
{
    return c != '\0' && strchr(bytes, c) != NULL;
}

/* Hex digits, of one case, from `from` to the end? */
static bool
is_hex(struct span text, size_t from, enum code_grammar grammar)
{
    const char *digits =
        grammar == CODE_HEX ? "0123456789abcdef" : "0123456789ABCDEF";
    bool uuid = code_is_uuid(text);
    bool letter = false;

    for (size_t i = from; i < text.len; i++) {
        if (!in_text(text.ptr[i], digits) && !(uuid && text.ptr[i] == '-')) {
            return false;
        }
        letter = letter || text.ptr[i] >= 'A';
    }
    return letter;
}

/* Each character from its class or, where it is hex, hex again. */
static struct recipe
plain_recipe(struct span real, size_t prefix)
{
    struct recipe r = {
        .grammar = CODE_CLASS, .prefix = prefix, .end = real.len};

    if (is_hex(real, prefix, CODE_HEX)) {
        r.grammar = CODE_HEX;
        r.alphabet = "0123456789abcdef";
    } else if (is_hex(real, prefix, CODE_HEX_UPPER)) {
        r.grammar = CODE_HEX_UPPER;
        r.alphabet = "0123456789ABCDEF";
    }
    return r;
}

static struct recipe
recipe_of(const struct profile_shape *s, struct span real)
{
    struct recipe r = plain_recipe(real, span_str(s->prefix).len);

    switch (s->alphabet) {
    case ALPHABET_ANY:
        r.grammar = CODE_CLASS;
        r.alphabet = NULL;
        break;
    case ALPHABET_ALPHA:
        r.grammar = CODE_CLASS;
        r.alphabet = FILL_LETTERS;
        break;
    case ALPHABET_BASE32:
        r.grammar = CODE_BASE32;
        r.alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
        break;
    case ALPHABET_ALNUM:
    case ALPHABET_BASE64:
    case ALPHABET_BASE64URL:
        r.grammar = CODE_BASE62;
        r.alphabet = CODE_ALNUM;
        break;
    case ALPHABET_HEX: /* of mixed case: by class */
    case ALPHABET_JWT:
        break;
    }
    if (shape_has_padding(s) && text_padding(real) > 0 &&
        real.len - r.prefix > text_padding(real) + 1) {
        r.end = real.len - text_padding(real) - 1;
    }
    if (s->checksum == CHECKSUM_CRC32_BASE62 &&
        real.len - r.prefix > ENCODE_CHECKSUM_CHARS) {
        r.end = real.len - ENCODE_CHECKSUM_CHARS;
        r.checksum = true;
    }
    return r;
}

/* Everything but the number and what is behind it. */
static void
write_frame(const struct recipe *r, struct fill *f, struct span real,
            uint8_t *out)
{
    bool run = r->grammar == CODE_BASE62;
    bool uuid = code_is_uuid(real);

    memcpy(out, real.ptr, r->prefix);
    for (size_t i = r->prefix; i < real.len; i++) {
        uint8_t c = real.ptr[i];
        bool kept = !code_is_alnum(c) && !(run && i + NUMBER_CHARS >= r->end);

        if (i >= r->end) {
            out[i] = c == '=' ? c : BASE64_LAST;
        } else if (kept || (uuid && (i == 14 || i == 19))) {
            out[i] = c;
        } else if (r->alphabet == NULL) {
            out[i] = fill_class(f, c);
        } else {
            out[i] = fill_char(f, r->alphabet);
        }
    }
}

static enum ag_err
too_few(void)
{
    return err_why(AG_EUNSUPPORTED,
                   "there is no placeholder for a value with so few letters "
                   "and digits that may vary: they must hold %d bits, or %d in "
                   "a value of more than %d bytes",
                   PLACEHOLDER_MIN_BITS, CODE_BITS_FULL, CODE_SHORT_MAX_BYTES);
}

static enum ag_err
token_make(const struct making *m, const struct recipe *r, struct span real,
           struct buf *out)
{
    AG_AUTO(fill) struct fill f;
    struct code code;
    uint8_t *to = NULL;
    uint64_t id = 0;
    enum ag_err err;

    fill_init(&f, m->key, m->id, real.len);
    err = buf_room(out, real.len, &to);
    if (err != AG_OK) {
        return err;
    }
    write_frame(r, &f, real, to);
    /* Whoever reads does not know the prefix: it must not join a number that
     * is shorter than it could be. */
    if (!code_find(r->grammar, span_of(to, real.len), r->end, &code) ||
        code.at[code.count - 1] < r->prefix) {
        return too_few();
    }
    code_put(m->key, &code, m->id, to, real.len);
    if (r->checksum) {
        char sum[ENCODE_CHECKSUM_CHARS];

        encode_checksum(span_of(to + r->prefix, r->end - r->prefix), sum);
        memcpy(to + r->end, sum, sizeof(sum));
    }
    if (!number_read(m->key, span_of(to, real.len), CODE_WHOLE, &id) ||
        id != m->id) {
        return err_why(AG_EUNSUPPORTED, "there is no placeholder of that shape "
                                        "that would be known again");
    }
    buf_grew(out, real.len);
    return AG_OK;
}

enum ag_err
plain_make(const struct making *m, struct span real, struct buf *out)
{
    struct recipe r = plain_recipe(real, 0);

    return token_make(m, &r, real, out);
}

/* What can be seen to be something without a shape, else the shape. */
static enum ag_err
make_any(const struct making *m, const struct profile_shape *shape,
         struct span real, struct buf *out)
{
    AG_AUTO(secret) struct secret *inner = NULL;
    enum ag_err err;

    if (key_is_armour(real)) {
        return key_make(m, real, out);
    }
    err = jwt_payload(real, &inner);
    if (err != AG_EINVAL) {
        return err == AG_OK ? jwt_make(m, real, inner, out) : err;
    }
    if (shape != NULL && shape_fits(shape, real)) {
        struct recipe r = recipe_of(shape, real);

        return token_make(m, &r, real, out);
    }
    err = basic_open(real, &inner);
    if (err != AG_EINVAL) {
        return err == AG_OK ? basic_make(m, inner, out) : err;
    }
    return plain_make(m, real, out);
}

enum ag_err
placeholder_make(const struct secret *key, uint64_t id,
                 const struct profile_shape *shape, struct span real,
                 struct buf *out)
{
    const struct making m = {.key = key, .id = id};
    size_t before = out->len;
    enum ag_err err;

    if (id >> PLACEHOLDER_ID_BITS != 0 || real.len == 0) {
        return err_why(AG_EINVAL, real.len == 0
                                      ? "an empty value has no placeholder"
                                      : "a placeholder's id has 48 bits");
    }
    if (real.len > PLACEHOLDER_MAX_BYTES) {
        return err_why(AG_ELIMIT, "a placeholder has at most %d bytes",
                       PLACEHOLDER_MAX_BYTES);
    }
    err = make_any(&m, shape, real, out);
    if (err != AG_OK) {
        buf_truncate(out, before);
    }
    return err;
}

enum ag_err
dummy_make(const struct making *m, struct span real, bool number,
           struct buf *out)
{
    AG_AUTO(fill) struct fill f;
    uint8_t *to = NULL;
    enum ag_err err;

    fill_init(&f, m->key, m->id, real.len);
    err = buf_room(out, real.len, &to);
    if (err != AG_OK) {
        return err;
    }
    for (size_t i = 0; i < real.len; i++) {
        uint8_t c = real.ptr[i];
        bool digit = c >= '0' && c <= '9';

        if (digit) {
            to[i] = fill_char(&f, "123456789");
        } else {
            to[i] = number ? c : fill_class(&f, c);
        }
    }
    buf_grew(out, real.len);
    return AG_OK;
}
