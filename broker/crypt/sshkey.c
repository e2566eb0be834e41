#include "crypt/sshkey.h"

#include <sodium.h>

#include "base/encode.h"
#include "base/secret.h"
#include "crypt/armour.h"

enum {
    PRIVATE_BYTES = crypto_sign_SECRETKEYBYTES,
    BLOCK_BYTES = 8, /* the private part is padded to it */
    LINE_CHARS = 70, /* as ssh-keygen writes */
};

_Static_assert((int)SSHKEY_SEED_BYTES == (int)crypto_sign_SEEDBYTES &&
                   (int)SSHKEY_PUBLIC_BYTES == (int)crypto_sign_PUBLICKEYBYTES,
               "sizes differ");

static const char ARMOUR[] = "OPENSSH PRIVATE KEY";
static const char ED25519[] = "ssh-ed25519";
static const char MAGIC[] = "openssh-key-v1"; /* with its NUL */

void
sshkey_done(struct sshkey *key)
{
    secret_free(AG_TAKE(key->der));
}

/* ---- read ---- */

/* The next string of SSH's wire format (uint32 length, bytes). */
static bool
take_string(struct span *rest, struct span *ret)
{
    uint32_t len = 0;

    if (rest->len < 4) {
        return false;
    }
    for (size_t i = 0; i < 4; i++) {
        len = len << 8 | rest->ptr[i];
    }
    if (rest->len - 4 < len) {
        return false;
    }
    *ret = span_sub(*rest, 4, len);
    *rest = span_sub(*rest, 4 + (size_t)len, rest->len);
    return true;
}

/* Cipher and KDF "none", one key: its public part, and the private one. */
static enum ag_err
open_unencrypted(struct span der, struct span *ret_outside, struct span *ret)
{
    struct span magic = span_of(MAGIC, sizeof(MAGIC));
    struct span rest = span_sub(der, magic.len, der.len);
    struct span cipher = {NULL, 0};
    struct span part = {NULL, 0};
    static const uint8_t ONE[] = {0, 0, 0, 1};

    if (!span_starts(der, magic) || !take_string(&rest, &cipher)) {
        return AG_EINVAL;
    }
    if (!span_is(cipher, "none")) {
        return err_why(AG_EUNSUPPORTED, "the private key has a passphrase");
    }
    if (!take_string(&rest, &part) || !span_is(part, "none") ||
        !take_string(&rest, &part) || part.len != 0 ||
        !span_starts(rest, span_of(ONE, sizeof(ONE)))) {
        return AG_EINVAL;
    }
    rest = span_sub(rest, sizeof(ONE), rest.len);
    return take_string(&rest, ret_outside) && take_string(&rest, ret)
               ? AG_OK
               : AG_EINVAL;
}

static enum ag_err
open_ed25519(struct sshkey *key)
{
    struct span rest = {NULL, 0};
    struct span part = {NULL, 0};
    enum ag_err err =
        open_unencrypted(secret_view(key->der), &key->outside, &rest);

    if (err != AG_OK) {
        return err;
    }
    rest = span_sub(rest, 8, rest.len); /* two equal check numbers */
    if (!take_string(&rest, &part)) {
        return AG_EINVAL;
    }
    if (!span_is(part, ED25519)) {
        return err_why(AG_EUNSUPPORTED, "the private key is not ed25519");
    }
    if (!take_string(&rest, &key->public) ||
        key->public.len != SSHKEY_PUBLIC_BYTES || !take_string(&rest, &part) ||
        part.len != PRIVATE_BYTES || !take_string(&rest, &key->comment) ||
        key->comment.len > SSHKEY_COMMENT_MAX_BYTES) {
        return AG_EINVAL;
    }
    key->seed = span_sub(part, 0, SSHKEY_SEED_BYTES);
    key->behind = span_sub(part, SSHKEY_SEED_BYTES, PRIVATE_BYTES);
    return AG_OK;
}

enum ag_err
sshkey_open(struct span text, struct sshkey *ret)
{
    AG_AUTO(sshkey) struct sshkey key = {0};
    enum ag_err err = armour_open(text, ARMOUR, &key.der);

    if (err == AG_OK) {
        err = open_ed25519(&key);
    }
    if (err == AG_OK) {
        *ret = key;
        key.der = NULL;
    }
    return err;
}

/* ---- written ---- */

static enum ag_err
add_u32(struct buf *b, size_t value)
{
    const uint8_t be[4] = {(uint8_t)(value >> 24), (uint8_t)(value >> 16),
                           (uint8_t)(value >> 8), (uint8_t)value};

    return buf_add(b, span_of(be, sizeof(be)));
}

static enum ag_err
add_string(struct buf *b, struct span text)
{
    enum ag_err err = add_u32(b, text.len);

    return err == AG_OK ? buf_add(b, text) : err;
}

/* The strings in turn, the first failure ends it. */
static enum ag_err
add_strings(struct buf *b, const struct span *texts, size_t count)
{
    enum ag_err err = AG_OK;

    for (size_t i = 0; err == AG_OK && i < count; i++) {
        err = add_string(b, texts[i]);
    }
    return err;
}

/* A key pair as bytes of its container. */
struct pair {
    uint8_t public[SSHKEY_PUBLIC_BYTES];
    uint8_t private[PRIVATE_BYTES];
};

static void
pair_done(struct pair *p)
{
    wipe(p, sizeof(*p));
}
AG_DEFINE_CLEANUP_INPLACE(pair, pair_done)

static enum ag_err
add_private_part(const struct pair *p, struct span check, struct span comment,
                 struct buf *out)
{
    AG_AUTO(buf) struct buf part = {0};
    const struct span texts[] = {span_str(ED25519),
                                 span_of(p->public, SSHKEY_PUBLIC_BYTES),
                                 span_of(p->private, PRIVATE_BYTES), comment};
    enum ag_err err;

    buf_init(&part, ARMOUR_MAX_BYTES, BUF_WIPE);
    err = buf_add(&part, check);
    if (err == AG_OK) {
        err = buf_add(&part, check);
    }
    if (err == AG_OK) {
        err = add_strings(&part, texts, AG_COUNT(texts));
    }
    for (uint8_t i = 1; err == AG_OK && part.len % BLOCK_BYTES != 0; i++) {
        err = buf_add_byte(&part, i);
    }
    return err == AG_OK ? add_string(out, buf_view(&part)) : err;
}

static enum ag_err
add_public_part(struct span public, struct buf *out)
{
    const struct span key[] = {span_str(ED25519), public};

    return add_strings(out, key, AG_COUNT(key));
}

bool
sshkey_is_pair(const struct sshkey *key)
{
    AG_AUTO(pair) struct pair p;
    struct span rest = key->outside;
    struct span kind = {NULL, 0};
    struct span outside = {NULL, 0};
    struct span public = {NULL, 0};

    (void)crypto_sign_seed_keypair(p.public, p.private, key->seed.ptr);
    public = span_of(p.public, SSHKEY_PUBLIC_BYTES);
    return span_equal(key->public, public) && span_equal(key->behind, public) &&
           take_string(&rest, &kind) && span_is(kind, ED25519) &&
           take_string(&rest, &outside) && rest.len == 0 &&
           span_equal(outside, public);
}

enum ag_err
sshkey_add(const uint8_t seed[SSHKEY_SEED_BYTES],
           const uint8_t check[SSHKEY_CHECK_BYTES], struct span comment,
           struct buf *out)
{
    AG_AUTO(buf) struct buf der = {0};
    AG_AUTO(buf) struct buf public = {0};
    AG_AUTO(pair) struct pair p;
    const struct span head[] = {span_str("none"), span_str("none"),
                                span_str("")};
    enum ag_err err;

    (void)crypto_sign_seed_keypair(p.public, p.private, seed);
    buf_init(&der, ARMOUR_MAX_BYTES, BUF_WIPE);
    buf_init(&public, ARMOUR_MAX_BYTES, BUF_WIPE);
    err = add_public_part(span_of(p.public, SSHKEY_PUBLIC_BYTES), &public);
    if (err == AG_OK) {
        err = buf_add(&der, span_of(MAGIC, sizeof(MAGIC)));
    }
    if (err == AG_OK) {
        err = add_strings(&der, head, AG_COUNT(head));
    }
    if (err == AG_OK) {
        err = add_u32(&der, 1);
    }
    if (err == AG_OK) {
        err = add_string(&der, buf_view(&public));
    }
    if (err == AG_OK) {
        err = add_private_part(&p, span_of(check, SSHKEY_CHECK_BYTES), comment,
                               &der);
    }
    return err == AG_OK ? armour_add(ARMOUR, LINE_CHARS, buf_view(&der), out)
                        : err;
}

/* A line that is told to a program and put into a file stays one. */
static bool
is_line(struct span comment)
{
    for (size_t i = 0; i < comment.len; i++) {
        if (comment.ptr[i] < ' ' || comment.ptr[i] == 0x7f) {
            return false;
        }
    }
    return true;
}

enum ag_err
sshkey_line(const struct sshkey *key, struct buf *out)
{
    AG_AUTO(buf) struct buf blob = {0};
    enum ag_err err = AG_OK;

    if (!is_line(key->comment)) {
        return err_why(AG_EINVAL, "the private key's comment is no line");
    }
    buf_init(&blob, ARMOUR_MAX_BYTES, BUF_PLAIN);
    err = add_public_part(key->public, &blob);
    if (err == AG_OK) {
        err = buf_fmt(out, "%s ", ED25519);
    }
    if (err == AG_OK) {
        err = encode_base64(buf_view(&blob), out);
    }
    if (err == AG_OK && key->comment.len > 0) {
        err = buf_add_byte(out, ' ');
    }
    return err == AG_OK ? buf_add(out, key->comment) : err;
}
