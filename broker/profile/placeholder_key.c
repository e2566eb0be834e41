#include <string.h>

#include <sodium.h>

#include "base/secret.h"
#include "crypt/armour.h"
#include "crypt/sshkey.h"
#include "profile/placeholder_parts.h"

/*
 * Private keys in armour: OpenSSH's (crypt/sshkey.h), and PKCS#8 by RFC 8410
 * section 7. What comes out is a key pair whose seed is the number and 16 bytes
 * of the keyed stream, so a placeholder is known again by making it once more.
 */

enum {
    SEED_BYTES = crypto_sign_SEEDBYTES,
    NUMBER_BYTES = 16,
    PEM_LINE_CHARS = 64, /* as OpenSSL does */
};

static const char PKCS8_NAME[] = "PRIVATE KEY";

/* SEQUENCE { INTEGER 0, SEQUENCE { OID 1.3.101.112 }, OCTET STRING { OCTET
 * STRING of 32 bytes } }. */
static const uint8_t PKCS8_HEAD[] = {0x30, 0x2e, 0x02, 0x01, 0x00, 0x30,
                                     0x05, 0x06, 0x03, 0x2b, 0x65, 0x70,
                                     0x04, 0x22, 0x04, 0x20};

/* An opened armour; the spans lie in ssh.der or der. */
struct key_file {
    enum code_grammar grammar;
    struct sshkey ssh;
    struct secret *der;
    struct span seed;
    struct span comment;
};

static void
key_file_done(struct key_file *f)
{
    sshkey_done(&f->ssh);
    secret_free(AG_TAKE(f->der));
}
AG_DEFINE_CLEANUP_INPLACE(key_file, key_file_done)

bool
key_is_armour(struct span text)
{
    return armour_is(text);
}

static enum ag_err
open_pkcs8(struct span text, struct key_file *f)
{
    struct span head = span_of(PKCS8_HEAD, sizeof(PKCS8_HEAD));
    enum ag_err err = armour_open(text, PKCS8_NAME, &f->der);

    if (err != AG_OK) {
        return err;
    }
    if (secret_len(f->der) != sizeof(PKCS8_HEAD) + SEED_BYTES ||
        !span_starts(secret_view(f->der), head)) {
        return AG_EINVAL;
    }
    f->grammar = CODE_PKCS8;
    f->seed = span_sub(secret_view(f->der), head.len, SEED_BYTES);
    return AG_OK;
}

/* Errors: AG_EINVAL it is of another kind. */
static enum ag_err
open_key(struct span text, struct key_file *f)
{
    enum ag_err err = sshkey_open(text, &f->ssh);

    if (err == AG_EINVAL) {
        return open_pkcs8(text, f);
    }
    if (err != AG_OK) {
        return err == AG_EUNSUPPORTED ? AG_EINVAL : err;
    }
    f->grammar = CODE_OPENSSH;
    f->seed = f->ssh.seed;
    f->comment = f->ssh.comment;
    return AG_OK;
}

/* What a key of ours is made of. */
struct numbers {
    uint8_t seed[SEED_BYTES];
    uint8_t check[SSHKEY_CHECK_BYTES];
};

static void
numbers_done(struct numbers *n)
{
    wipe(n, sizeof(*n));
}
AG_DEFINE_CLEANUP_INPLACE(numbers, numbers_done)

static void
numbers_make(const struct making *m, const struct key_file *file,
             struct numbers *n)
{
    AG_AUTO(fill) struct fill f;

    fill_init(&f, m->key, m->id, file->comment.len);
    code_seed(m->key, file->grammar, m->id, file->comment, n->seed);
    for (size_t i = NUMBER_BYTES; i < SEED_BYTES; i++) {
        n->seed[i] = fill_byte(&f);
    }
    for (size_t i = 0; i < sizeof(n->check); i++) {
        n->check[i] = fill_byte(&f);
    }
}

/* The key file of an id, without a newline at its end. */
static enum ag_err
render(const struct making *m, const struct key_file *f, struct buf *out)
{
    AG_AUTO(buf) struct buf der = {0};
    AG_AUTO(numbers) struct numbers n;
    enum ag_err err;

    numbers_make(m, f, &n);
    if (f->grammar == CODE_OPENSSH) {
        return sshkey_add(n.seed, n.check, f->comment, out);
    }
    buf_init(&der, ARMOUR_MAX_BYTES, BUF_WIPE);
    err = buf_add(&der, span_of(PKCS8_HEAD, sizeof(PKCS8_HEAD)));
    if (err == AG_OK) {
        err = buf_add(&der, span_of(n.seed, SEED_BYTES));
    }
    return err == AG_OK
               ? armour_add(PKCS8_NAME, PEM_LINE_CHARS, buf_view(&der), out)
               : err;
}

enum ag_err
key_make(const struct making *m, struct span real, struct buf *out)
{
    AG_AUTO(key_file) struct key_file f = {.der = NULL};
    enum ag_err err = open_key(real, &f);

    if (err == AG_OK) {
        err = render(m, &f, out);
    }
    if (err == AG_OK) {
        size_t len = armour_trim(real).len;

        err = buf_add(out, span_sub(real, len, real.len - len));
    }
    if (err == AG_EINVAL) {
        return err_why(AG_EUNSUPPORTED,
                       "there is no placeholder for a private key that is not "
                       "ed25519 in OpenSSH's format or PKCS#8, without a "
                       "passphrase");
    }
    return err;
}

enum ag_err
key_read(const struct secret *key, struct span text, uint64_t *ret_id)
{
    AG_AUTO(buf) struct buf again = {0};
    AG_AUTO(key_file) struct key_file f = {.der = NULL};
    struct making m = {.key = key};
    enum ag_err err = open_key(text, &f);

    buf_init(&again, ARMOUR_MAX_BYTES, BUF_WIPE);
    if (err == AG_OK &&
        !code_seed_read(key, f.grammar, f.comment, f.seed.ptr, &m.id)) {
        err = AG_EINVAL;
    }
    if (err == AG_OK) {
        err = render(&m, &f, &again);
    }
    if (err == AG_OK && !span_equal(buf_view(&again), armour_trim(text))) {
        err = AG_EINVAL;
    }
    if (err != AG_OK) {
        return err == AG_EINVAL ? AG_ENOTFOUND : err;
    }
    *ret_id = m.id;
    return AG_OK;
}
