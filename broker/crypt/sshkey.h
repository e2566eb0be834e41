/*
 * sshkey.h - private ed25519 keys as OpenSSH keeps them in files.
 * Floor: crypt. Depends on: crypt/armour, libsodium.
 *
 * Layout: PROTOCOL.key of OpenSSH's source, version "openssh-key-v1"; the line
 * of a public key: sshd(8), AUTHORIZED_KEYS FILE FORMAT.
 */
#ifndef AG_CRYPT_SSHKEY_H
#define AG_CRYPT_SSHKEY_H

#include <stdbool.h>

#include "base/attr.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/span.h"

struct secret;

enum {
    SSHKEY_SEED_BYTES = 32,
    SSHKEY_PUBLIC_BYTES = 32,
    SSHKEY_CHECK_BYTES = 4,
    SSHKEY_COMMENT_MAX_BYTES = 1024,
    SSHKEY_LINE_MAX_BYTES = SSHKEY_COMMENT_MAX_BYTES + 128,
};

/* An opened file, in place; {0} before. The spans lie in `der`. */
struct sshkey {
    struct secret *der;
    struct span seed;
    struct span public;
    struct span behind;  /* the public half that stands behind the seed */
    struct span outside; /* what anybody may read of it without a passphrase */
    struct span comment;
};

void sshkey_done(struct sshkey *key);
AG_DEFINE_CLEANUP_INPLACE(sshkey, sshkey_done)

/*
 * Ownership: *ret is to be ended with sshkey_done(), on AG_OK only.
 * Errors: AG_EINVAL no key in OpenSSH's format; AG_EUNSUPPORTED with a sentence:
 *         it has a passphrase, or is not ed25519; those of secret_new().
 */
AG_CHECK AG_NONNULL enum ag_err sshkey_open(struct span text,
                                            struct sshkey *ret);

/* Is each public half in the file that of the seed? A signature with another's
 * tells the seed, and where the line of another is put nobody comes in. */
AG_NONNULL bool sshkey_is_pair(const struct sshkey *key);

/* Appends the file of a seed, without a newline at its end. `check` are any
 * bytes. Errors: AG_ELIMIT, AG_ENOMEM. */
AG_CHECK AG_NONNULL enum ag_err
sshkey_add(const uint8_t seed[SSHKEY_SEED_BYTES],
           const uint8_t check[SSHKEY_CHECK_BYTES], struct span comment,
           struct buf *out);

/* Appends the line of the public half, as it stands in authorized_keys, without
 * a newline. Errors: AG_EINVAL the comment has a control character; AG_ELIMIT,
 * AG_ENOMEM. */
AG_CHECK AG_NONNULL enum ag_err sshkey_line(const struct sshkey *key,
                                            struct buf *out);

#endif
