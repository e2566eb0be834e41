/*
 * code.h - a number written in the characters of a text: where it stands, how
 * it is put there and read back, and what makes it ours.
 * Floor: profile. Depends on: base/secret, base/span, libsodium. Used by
 * placeholder*.c alone.
 *
 * The number has up to 128 bits: an authentication tag above 48 enciphered
 * bits of id. It stands in the last characters of the text that may vary, as
 * many as 128 bits need, so that whoever reads finds it without knowing what
 * the text is. Made as SIV (RFC 5297) is: the tag is a hash of the id, and the
 * id is enciphered under the tag; both by BLAKE2b with the vault's key.
 *
 *   107 bits and more:  own tag 43 | frame tag 16 to 37 | id 48
 *   64 to 106 bits:     tag 16 to 58                    | id 48
 *
 * The own tag speaks of the id alone, so a scan finds it without knowing where
 * the text begins; the frame tag, and the one of the short form, speak of every
 * other character of the text too.
 */
#ifndef AG_PROFILE_CODE_H
#define AG_PROFILE_CODE_H

#include "base/attr.h"
#include "base/span.h"

struct secret;

__extension__ typedef unsigned __int128 code_number;

/* Which characters may vary, and how they count. */
enum code_grammar {
    CODE_BASE62 = 1, /* the last run of letters and digits */
    CODE_CLASS,      /* all letters and digits: each within its class */
    CODE_HEX,        /* the last run of 0-9a-f; of a UUID all but 2 digits */
    CODE_HEX_UPPER,
    CODE_BASE32,  /* the last run of A-Z2-7; not the AKIA of an AWS id */
    CODE_OPENSSH, /* no characters: the seed of a key pair, see code_seed() */
    CODE_PKCS8,
};

enum {
    CODE_ID_BITS = 48,
    CODE_BITS_MAX = 128,
    CODE_BITS_FULL = 107, /* from here on with a frame tag */
    CODE_BITS_MIN = 64,
    CODE_CHARS_MAX = 39,       /* 10^39 > 2^128 */
    CODE_SHORT_MAX_BYTES = 32, /* a longer text always has CODE_BITS_FULL */
    CODE_KEY_BYTES = 32,
};

struct code {
    enum code_grammar grammar;
    unsigned bits; /* what the places hold, rounded down */
    size_t count;
    size_t at[CODE_CHARS_MAX]; /* offsets, from the last one on */
    size_t end;                /* behind it comes what is not looked at */
};

/*
 * The places in `text` before offset `end`. False when they hold less than
 * CODE_BITS_MIN, or less than CODE_BITS_FULL in a text that is too long for it.
 * Only the kinds of the characters are looked at, not their values.
 */
AG_NONNULL bool code_find(enum code_grammar grammar, struct span text,
                          size_t end, struct code *ret);

/* Writes the number of `id` (below 2^48) into `text`, of which everything else
 * before code->end stands already. */
AG_NONNULL void code_put(const struct secret *key, const struct code *code,
                         uint64_t id, uint8_t *text, size_t len);

/* The id, if the number in `text` is ours. With CODE_OWN the frame tag is not
 * looked at. Constant time in the key. */
enum code_check {
    CODE_WHOLE,
    CODE_OWN,
};

AG_NONNULL bool code_get(const struct secret *key, const struct code *code,
                         struct span text, enum code_check check,
                         uint64_t *ret_id);

/* The same for a key pair, whose text is its comment: the 16 bytes of a number
 * of 128 bits. */
AG_NONNULL void code_seed(const struct secret *key, enum code_grammar grammar,
                          uint64_t id, struct span comment, uint8_t out[16]);
AG_NONNULL bool code_seed_read(const struct secret *key,
                               enum code_grammar grammar, struct span comment,
                               const uint8_t in[16], uint64_t *ret_id);

extern const char CODE_ALNUM[];

/* Where a letter or digit stands in CODE_ALNUM, from 1; 0 for all else. */
extern const uint8_t CODE_ORDER[256];

static inline bool
code_is_alnum(uint8_t c)
{
    return CODE_ORDER[c] != 0;
}

/* 8-4-4-4-12 hex digits. */
bool code_is_uuid(struct span text);

#endif
