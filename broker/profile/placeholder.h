/*
 * placeholder.h - values that look real and open nothing: made from a real
 * value for one id, recognised by whoever has the key, found in text.
 * Floor: profile. Depends on: profile/profile, base/secret, base/buf.
 *
 * A task at grade proxy gets placeholders where its tools look for
 * credentials. The proxy reads the id out of what the tool sends and puts the
 * real value in its place; a placeholder that turns up elsewhere tells whose
 * it was. What an id means (task, secret, field, host, place, end) is the
 * caller's: it keeps the table, and an id that it does not know is a stranger.
 * Nothing is kept here; the same key, id, shape and value give the same text.
 *
 * Shape. A placeholder has the real value's length, prefix, punctuation,
 * alphabet and checksum, and so passes what tools check:
 * - with a shape (profile.h): its prefix is kept, the rest drawn from its
 *   alphabet, CRC32-base62 computed. Punctuation of the alphabet is kept where
 *   the value has it, but for the last 22 characters.
 * - a JWT, whatever the shape says: header and payload of the real one, `exp`
 *   in the year 2100, what names this one token (jti, nonce, at_hash, c_hash,
 *   s_hash, uti, rh) replaced, the signature random. Other claims are shown to
 *   the task as they are. The length may differ by that of `exp`.
 * - an ed25519 private key, OpenSSH's format without passphrase or PKCS#8 PEM:
 *   another key pair in the same armour, with the same comment.
 * - base64(user:password), as Docker keeps it: the user stays, the password
 *   within becomes a placeholder without a shape.
 * - otherwise every letter and digit becomes another of its class, all else
 *   stays: a task learns the classes and the punctuation of the real value. A
 *   UUID stays one, and so does a run of hex digits.
 * No letter, digit or key of the real value is kept but the prefix, the
 * claims, the comment and the user. What comes out is no secret.
 *
 * What a stranger's value has to be to be taken for a placeholder (code.h has
 * the arithmetic; each bound holds for all grammars that are tried together):
 * - longer than 32 bytes, or 107 free bits and more (18 base62, 27 hex
 *   characters): below 2^-54;
 * - 32 bytes at most with 64 to 106 free bits f: below 2^-(f-51), so at worst
 *   2^-13 for 11 base62 characters; an AWS access key id (80 bits): 2^-29;
 * - found by placeholder_scan(): below 2^-40 for each word of the text, but
 *   2^-31 for the 20 characters of an AWS access key id.
 * The id must then also be one the caller knows, one of 2^48: with a million
 * live ids that is another 2^-28. Of a text of 32 bytes at most an id that the
 * caller never gave out is a stranger's, and no reason for an alarm.
 *
 * Threads: all of it is safe; nothing is shared. Blocks: no.
 */
#ifndef AG_PROFILE_PLACEHOLDER_H
#define AG_PROFILE_PLACEHOLDER_H

#include "base/attr.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/span.h"
#include "profile/profile.h"

struct profiles;
struct secret;

enum {
    PLACEHOLDER_KEY_BYTES = 32, /* the subkey KDF_PLACEHOLDER; asserted */
    PLACEHOLDER_ID_BITS = 48,
    /* A value with fewer bits of letters and digits gets no placeholder. */
    PLACEHOLDER_MIN_BITS = 64,
    PLACEHOLDER_MAX_BYTES = 64 * 1024,
};

/*
 * The shape of a value: the first of `p` (may be NULL) that speaks of the field
 * `pointer` ("" the whole) and fits; else, of all in `ps` (may be NULL), the
 * one with the longest prefix that fits; else NULL. Borrowed from the profile.
 */
const struct profile_shape *placeholder_shape(const struct profiles *ps,
                                              const struct profile *p,
                                              const char *pointer,
                                              struct span value);

/*
 * Appends the placeholder of `id` for the value `real` (borrowed) to `out`. A
 * shape that does not fit, or NULL: as said above.
 * Errors: AG_EUNSUPPORTED with a sentence: too few free characters, or a
 *         private key of another kind; AG_EINVAL id of more than 48 bits, or
 *         `real` empty; AG_ELIMIT too long, or `out` is full; AG_EMEMLOCK,
 *         AG_ENOMEM. `out` is then unchanged.
 */
AG_CHECK enum ag_err placeholder_make(const struct secret *key, uint64_t id,
                                      const struct profile_shape *shape,
                                      struct span real, struct buf *out);

/*
 * The id of a text that is a placeholder, whole and unchanged.
 * Errors: AG_ENOTFOUND it is none of ours (without a sentence: it is asked for
 *         every value); for a private key also AG_EMEMLOCK, AG_ENOMEM.
 */
AG_CHECK AG_NONNULL enum ag_err
placeholder_read(const struct secret *key, struct span text, uint64_t *ret_id);

/* A field of a document and what stands there now. */
struct placeholder_field {
    const char *pointer; /* borrowed for the call */
    uint64_t id;
    /* Not a placeholder: a number, or too short for one. A look-alike without
     * an id, which nothing recognises and no service takes. */
    bool dummy;
    /* The field holds more than this: a URL, or a JSON text with others. */
    bool partial;
};

/* Any other result than AG_OK ends the making and is passed on: a caller to
 * whom a dummy will not do returns AG_EUNSUPPORTED. */
typedef enum ag_err (*placeholder_field_fn)(
    void *arg, const struct placeholder_field *field);

/* `each` may be NULL. */
struct placeholder_want {
    const struct secret *key;
    uint64_t id; /* of the first field; the next has id + 1, and so on */
    const struct profiles *profiles; /* for shapes; may be NULL */
    const struct profile *profile;   /* NULL: format and fields are guessed */
    size_t file_index;
    placeholder_field_fn each;
    void *arg;
};

/*
 * Appends `content`, a credential file of the profile, with a placeholder in
 * place of each secret field, everything else byte for byte. Secret is what
 * fields_secret() gives and what a shape of the profile names; of a URL that
 * is not one as a whole its password, of a JSON text within a field its long
 * strings. `each` is told every field in the order of the file; the count of
 * its calls is that of the ids used.
 * Errors: AG_EINVAL the content is not of its format (with a sentence), or the
 *         ids pass 48 bits; AG_EUNSUPPORTED a private key of which there is no
 *         placeholder, or secrets in a YAML flow list (the sentence names the
 *         field); AG_ELIMIT; AG_EMEMLOCK; AG_ENOMEM; what `each` returned.
 *         `out` is then unchanged.
 */
AG_CHECK AG_NONNULL enum ag_err
placeholder_document(const struct placeholder_want *want, struct span content,
                     struct buf *out);

/*
 * The other way: what stands where a placeholder of ours does, in the field
 * `pointer` of a file that a tool rewrote, as field_get() gives it. *ret is the
 * callee's gift. AG_ENOTFOUND: none of the caller's; the text stays as it is. Any other result
 * ends the walk and is passed on.
 */
typedef enum ag_err (*placeholder_value_fn)(void *arg, const char *pointer,
                                            uint64_t id, struct secret **ret);

struct placeholder_undo {
    const struct secret *key;
    const struct profile *profile; /* as in placeholder_want */
    size_t file_index;
    placeholder_value_fn value;
    void *arg;
    /* Secret fields: with a placeholder, and with a value of their own. */
    uint64_t ours_count;
    uint64_t others_count;
};

/*
 * Appends `content` with the values in the placeholders' stead, the rest byte
 * for byte but for how secret fields are spelled. What is appended is secret:
 * `out` wipes.
 * Errors: as placeholder_document(); what `value` returned.
 */
AG_CHECK AG_NONNULL enum ag_err placeholder_undo(struct placeholder_undo *how,
                                                 struct span content,
                                                 struct buf *out);

/* A placeholder in a text: the word, [A-Za-z0-9_-]+, in which its number
 * stands; of a JWT that is the signature. */
struct placeholder_hit {
    uint64_t id;
    uint64_t offset; /* of the word in all that was fed */
    uint64_t len;
};

typedef enum ag_err (*placeholder_hit_fn)(void *arg,
                                          const struct placeholder_hit *hit);

/*
 * Finds placeholders in a text, in one pass and however it is cut into parts:
 * those whose number has 107 bits and lies in one word, which is every shape of
 * 18 characters and more, and AWS access key ids. Not found are shorter ones,
 * values without a shape that have other punctuation among their last 28
 * letters or digits, private keys, a checksum behind more than 122 characters,
 * and what was encoded (base64, hex). Words of less than 18 characters cost a
 * look at each byte, longer ones a few keyed hashes at most.
 */
struct placeholder_scan;

/*
 * Ownership: *ret is the caller's. It keeps `key` borrowed, and up to
 *            128 bytes of the text, which are wiped.
 * Errors: AG_ENOMEM.
 */
AG_CHECK enum ag_err placeholder_scan_new(const struct secret *key,
                                          placeholder_hit_fn hit, void *arg,
                                          struct placeholder_scan **ret);
void placeholder_scan_free(struct placeholder_scan *scan);
AG_DEFINE_CLEANUP(placeholder_scan, placeholder_scan_free)

/* feed() for every part, then finish() once; both fit struct sink
 * (redact/sink.h), with the scan as ctx. Errors: what `hit` returned. */
AG_CHECK AG_NONNULL enum ag_err placeholder_scan_feed(void *scan,
                                                      struct span part);
AG_CHECK AG_NONNULL enum ag_err placeholder_scan_finish(void *scan);

#endif
