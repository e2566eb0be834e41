#include "profile/code.h"

#include <string.h>

#include <sodium.h>

#include "base/secret.h"

enum {
    OWN_BITS = 43,
    UUID_VERSION_AT = 14, /* these two digits say what kind of UUID it is */
    UUID_VARIANT_AT = 19,
    AWS_ID_BYTES = 20,
    AWS_PREFIX_BYTES = 4,
    LOG_ONE = 65536,
    GROUP_DIGITS = 10, /* 62^10 < 2^60 */
};

_Static_assert(CODE_BITS_FULL - CODE_ID_BITS - OWN_BITS == 16, "frame tag");

static const char DIGITS[] = "0123456789";
static const char LOWER[] = "abcdefghijklmnopqrstuvwxyz";
static const char UPPER[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ";
static const char HEX[] = "0123456789abcdef";
static const char HEX_UPPER[] = "0123456789ABCDEF";
static const char BASE32[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
const char CODE_ALNUM[] =
    "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
/* A table, since a scan asks for every character several times. */
const uint8_t CODE_ORDER[256] = {
    ['0'] = 1, 2,  3,  4,  5,  6,  7,  8,  9,  10, ['A'] = 11, 12, 13,
    14,        15, 16, 17, 18, 19, 20, 21, 22, 23, 24,         25, 26,
    27,        28, 29, 30, 31, 32, 33, 34, 35, 36, ['a'] = 37, 38, 39,
    40,        41, 42, 43, 44, 45, 46, 47, 48, 49, 50,         51, 52,
    53,        54, 55, 56, 57, 58, 59, 60, 61, 62,
};

enum {
    FIRST_DIGIT = 1,
    FIRST_UPPER = 11,
    FIRST_LOWER = 37,
};

/* One character of an alphabet. */
struct digit {
    const char *alphabet;
    unsigned radix; /* 0: it is not of it */
    unsigned value;
};

static inline struct digit
class_digit(uint8_t c)
{
    unsigned order = CODE_ORDER[c];

    if (order >= FIRST_LOWER) {
        return (struct digit){LOWER, 26, order - FIRST_LOWER};
    }
    if (order >= FIRST_UPPER) {
        return (struct digit){UPPER, 26, order - FIRST_UPPER};
    }
    return (struct digit){DIGITS, order == 0 ? 0 : 10, order - FIRST_DIGIT};
}

/* 0-9 and the six letters from `ten` on. */
static inline struct digit
hex_digit(uint8_t c, const char *alphabet, unsigned ten)
{
    unsigned order = CODE_ORDER[c];

    if (order >= FIRST_DIGIT && order < FIRST_UPPER) {
        return (struct digit){alphabet, 16, order - FIRST_DIGIT};
    }
    return (struct digit){alphabet, order - ten < 6 ? 16 : 0, order - ten + 10};
}

static inline struct digit
base32_digit(uint8_t c)
{
    unsigned letter = CODE_ORDER[c] - (unsigned)FIRST_UPPER;
    unsigned number = (unsigned)c - '2';

    if (letter < 26) {
        return (struct digit){BASE32, 32, letter};
    }
    return (struct digit){BASE32, number < 6 ? 32 : 0, number + 26};
}

static inline struct digit
digit_of(enum code_grammar grammar, uint8_t c)
{
    switch (grammar) {
    case CODE_BASE62:
        return (struct digit){CODE_ALNUM, CODE_ORDER[c] == 0 ? 0 : 62,
                              CODE_ORDER[c] - (unsigned)FIRST_DIGIT};
    case CODE_CLASS:
        return class_digit(c);
    case CODE_HEX:
        return hex_digit(c, HEX, FIRST_LOWER);
    case CODE_HEX_UPPER:
        return hex_digit(c, HEX_UPPER, FIRST_UPPER);
    case CODE_BASE32:
        return base32_digit(c);
    case CODE_OPENSSH:
    case CODE_PKCS8:
        break;
    }
    return (struct digit){.radix = 0};
}

static bool
is_hex_digit(uint8_t c)
{
    return digit_of(CODE_HEX, c).radix != 0 ||
           digit_of(CODE_HEX_UPPER, c).radix != 0;
}

bool
code_is_uuid(struct span text)
{
    if (text.len != 36) {
        return false;
    }
    for (size_t i = 0; i < text.len; i++) {
        bool dash = i == 8 || i == 13 || i == 18 || i == 23;

        if (dash ? text.ptr[i] != '-' : !is_hex_digit(text.ptr[i])) {
            return false;
        }
    }
    return true;
}

/* A character that is passed over, rather than the end of the run. */
static bool
is_passed(enum code_grammar grammar, bool uuid, size_t at, uint8_t c)
{
    if (uuid) {
        return c == '-' || at == UUID_VERSION_AT || at == UUID_VARIANT_AT;
    }
    return grammar == CODE_CLASS && !code_is_alnum(c);
}

static size_t
fixed_prefix(enum code_grammar grammar, struct span text)
{
    return grammar == CODE_BASE32 && text.len == AWS_ID_BYTES &&
                   (span_starts(text, span_str("AKIA")) ||
                    span_starts(text, span_str("ASIA")))
               ? AWS_PREFIX_BYTES
               : 0;
}

/* Bits of one digit, in LOG_ONE parts, rounded down: a sum of them never says
 * more than the digits hold, and whoever reads gets the same. */
static uint32_t
log_of(unsigned radix)
{
    switch (radix) {
    case 10:
        return 217705;
    case 16:
        return 4 * LOG_ONE;
    case 26:
        return 308048;
    case 32:
        return 5 * LOG_ONE;
    default:           /* a number, not an enum */
        return 390214; /* of 62 */
    }
}

bool
code_find(enum code_grammar grammar, struct span text, size_t end,
          struct code *ret)
{
    bool uuid = (grammar == CODE_HEX || grammar == CODE_HEX_UPPER) &&
                code_is_uuid(text);
    size_t start = fixed_prefix(grammar, text);
    uint32_t sum = 0;

    ret->grammar = grammar;
    ret->bits = 0;
    ret->count = 0;
    ret->end = end;
    for (size_t i = end; i > start && sum < CODE_BITS_MAX * LOG_ONE; i--) {
        struct digit d = digit_of(grammar, text.ptr[i - 1]);

        if (is_passed(grammar, uuid, i - 1, text.ptr[i - 1])) {
            continue;
        }
        if (d.radix == 0) {
            break;
        }
        ret->at[ret->count++] = i - 1;
        sum += log_of(d.radix);
    }
    ret->bits = sum / LOG_ONE < CODE_BITS_MAX ? sum / LOG_ONE : CODE_BITS_MAX;
    return ret->bits >= CODE_BITS_FULL ||
           (ret->bits >= CODE_BITS_MIN && text.len <= CODE_SHORT_MAX_BYTES);
}

static void
write_number(const struct code *code, code_number number, uint8_t *text)
{
    for (size_t i = 0; i < code->count; i++) {
        struct digit d = digit_of(code->grammar, text[code->at[i]]);

        text[code->at[i]] = (uint8_t)d.alphabet[number % d.radix];
        number /= d.radix;
    }
    AG_ASSERT(number == 0); /* it was below 2^bits */
}

/* False when no id gives it: most strangers end here, before any hash. Digits
 * are taken in groups, since a step of 128 bits costs more than all of them. */
static bool
read_number(const struct code *code, struct span text, code_number *ret)
{
    code_number number = 0;
    size_t i = code->count;

    while (i > 0) {
        uint64_t radix = 1;
        uint64_t group = 0;

        for (size_t n = 0; n < GROUP_DIGITS && i > 0; n++, i--) {
            struct digit d = digit_of(code->grammar, text.ptr[code->at[i - 1]]);

            radix *= d.radix;
            group = group * d.radix + d.value;
        }
        if (__builtin_mul_overflow(number, radix, &number) ||
            __builtin_add_overflow(number, group, &number)) {
            return false;
        }
    }
    *ret = number;
    return code->bits == CODE_BITS_MAX || number >> code->bits == 0;
}

/* What a hash is for; it is part of what is hashed. */
enum step {
    STEP_OWN = 'o',
    STEP_FRAME = 'f',
    STEP_SHORT = 's',
    STEP_ID = 'i',
};

static void
add_u64(crypto_generichash_state *state, uint64_t value)
{
    uint8_t le[8];

    for (size_t i = 0; i < sizeof(le); i++) {
        le[i] = (uint8_t)(value >> (8 * i));
    }
    (void)crypto_generichash_update(state, le, sizeof(le));
}

/* Every character that is not a place of the number, nor behind it; of a place
 * its alphabet, lest another case be the same digit. */
static void
add_frame(crypto_generichash_state *state, const struct code *code,
          struct span text)
{
    size_t from = 0;

    for (size_t i = code->count; i > 0; i--) {
        size_t at = code->at[i - 1];

        struct digit d = digit_of(code->grammar, text.ptr[at]);

        (void)crypto_generichash_update(state, text.ptr + from, at - from);
        (void)crypto_generichash_update(state, (const uint8_t *)d.alphabet, 1);
        from = at + 1;
    }
    if (code->end > from) {
        (void)crypto_generichash_update(state, text.ptr + from,
                                        code->end - from);
    }
    add_u64(state, code->end);
    add_u64(state, text.len);
}

/* The first 64 bits of the hash; `text` NULL: of the numbers alone. */
static uint64_t
hash(const struct secret *key, const struct code *code, enum step step,
     const uint64_t numbers[2], const struct span *text)
{
    crypto_generichash_state state;
    uint8_t out[crypto_generichash_BYTES];
    struct span k = secret_view(key);
    uint64_t value = 0;

    AG_ASSERT(k.len == CODE_KEY_BYTES);
    (void)crypto_generichash_init(&state, k.ptr, k.len, sizeof(out));
    add_u64(&state,
            (uint64_t)step << 16 | (uint64_t)code->grammar << 8 | code->bits);
    add_u64(&state, numbers[0]);
    add_u64(&state, numbers[1]);
    if (text != NULL) {
        add_frame(&state, code, *text);
    }
    (void)crypto_generichash_final(&state, out, sizeof(out));
    for (size_t i = 0; i < 8; i++) {
        value |= (uint64_t)out[i] << (8 * i);
    }
    wipe(&state, sizeof(state));
    wipe(out, sizeof(out));
    return value;
}

static uint64_t
low_bits(uint64_t value, unsigned bits)
{
    return value & (((uint64_t)1 << bits) - 1);
}

static unsigned
frame_bits(const struct code *code)
{
    return code->bits - CODE_ID_BITS - OWN_BITS;
}

static code_number
own_tag(const struct secret *key, const struct code *code, uint64_t id)
{
    const uint64_t numbers[2] = {id, 0};

    return low_bits(hash(key, code, STEP_OWN, numbers, NULL), OWN_BITS);
}

static code_number
frame_tag(const struct secret *key, const struct code *code, uint64_t id,
          struct span text)
{
    const uint64_t numbers[2] = {id, 0};

    return low_bits(hash(key, code, STEP_FRAME, numbers, &text),
                    frame_bits(code));
}

/* The whole tag of an id in a text, own part above the frame's. */
static code_number
tag_of(const struct secret *key, const struct code *code, uint64_t id,
       struct span text)
{
    const uint64_t numbers[2] = {id, 0};

    if (code->bits < CODE_BITS_FULL) {
        return low_bits(hash(key, code, STEP_SHORT, numbers, &text),
                        code->bits - CODE_ID_BITS);
    }
    return own_tag(key, code, id) << frame_bits(code) |
           frame_tag(key, code, id, text);
}

static uint64_t
id_mask(const struct secret *key, const struct code *code, code_number tag)
{
    const uint64_t numbers[2] = {(uint64_t)tag, (uint64_t)(tag >> 64)};

    return low_bits(hash(key, code, STEP_ID, numbers, NULL), CODE_ID_BITS);
}

static code_number
seal(const struct secret *key, const struct code *code, uint64_t id,
     struct span text)
{
    code_number tag = tag_of(key, code, id, text);

    AG_ASSERT(id >> CODE_ID_BITS == 0);
    return tag << CODE_ID_BITS | (id ^ id_mask(key, code, tag));
}

static bool
unseal(const struct secret *key, const struct code *code, struct span text,
       enum code_check check, code_number number, uint64_t *ret_id)
{
    code_number tag = number >> CODE_ID_BITS;
    uint64_t id =
        low_bits((uint64_t)number, CODE_ID_BITS) ^ id_mask(key, code, tag);
    code_number want;
    bool same;

    if (code->bits >= CODE_BITS_FULL) {
        code_number own = own_tag(key, code, id) << frame_bits(code);

        /* Before the frame, which may be long. */
        want = own | low_bits((uint64_t)tag, frame_bits(code));
        if (sodium_memcmp(&want, &tag, sizeof(tag)) != 0) {
            return false;
        }
        if (check == CODE_WHOLE) {
            want = own | frame_tag(key, code, id, text);
        }
    } else if (check == CODE_OWN) {
        return false;
    } else {
        want = tag_of(key, code, id, text);
    }
    same = sodium_memcmp(&want, &tag, sizeof(tag)) == 0;
    if (same) {
        *ret_id = id;
    }
    return same;
}

void
code_put(const struct secret *key, const struct code *code, uint64_t id,
         uint8_t *text, size_t len)
{
    write_number(code, seal(key, code, id, span_of(text, len)), text);
}

bool
code_get(const struct secret *key, const struct code *code, struct span text,
         enum code_check check, uint64_t *ret_id)
{
    code_number number = 0;

    return read_number(code, text, &number) &&
           unseal(key, code, text, check, number, ret_id);
}

static struct code
seed_code(enum code_grammar grammar, struct span comment)
{
    return (struct code){
        .grammar = grammar, .bits = CODE_BITS_MAX, .end = comment.len};
}

void
code_seed(const struct secret *key, enum code_grammar grammar, uint64_t id,
          struct span comment, uint8_t out[16])
{
    struct code code = seed_code(grammar, comment);
    code_number number = seal(key, &code, id, comment);

    for (size_t i = 0; i < 16; i++) {
        out[i] = (uint8_t)(number >> (8 * i));
    }
}

bool
code_seed_read(const struct secret *key, enum code_grammar grammar,
               struct span comment, const uint8_t in[16], uint64_t *ret_id)
{
    struct code code = seed_code(grammar, comment);
    code_number number = 0;

    for (size_t i = 0; i < 16; i++) {
        number |= (code_number)in[i] << (8 * i);
    }
    return unseal(key, &code, comment, CODE_WHOLE, number, ret_id);
}
