#include <stdio.h>
#include <string.h>

#include <sodium.h>

#include "base/encode.h"
#include "base/secret.h"
#include "profile/placeholder_parts.h"

/*
 * Private keys in armour. OpenSSH: PROTOCOL.key of its source, version
 * "openssh-key-v1"; PKCS#8: RFC 8410 section 7. What comes out is a key pair
 * whose seed is the number and 16 bytes of the keyed stream, so a placeholder
 * is known again by making it once more.
 */

enum {
    SEED_BYTES = crypto_sign_SEEDBYTES,
    PUBLIC_BYTES = crypto_sign_PUBLICKEYBYTES,
    PRIVATE_BYTES = crypto_sign_SECRETKEYBYTES,
    NUMBER_BYTES = 16,
    COMMENT_MAX_BYTES = 1024,
    BLOCK_BYTES = 8,     /* the private part is padded to it */
    LINE_CHARS = 70,     /* as ssh-keygen writes */
    PEM_LINE_CHARS = 64, /* as OpenSSL does */
    RENDER_MAX_BYTES = 4096,
};

static const char OPENSSH_NAME[] = "OPENSSH PRIVATE KEY";
static const char PKCS8_NAME[] = "PRIVATE KEY";
static const char ED25519[] = "ssh-ed25519";
static const char MAGIC[] = "openssh-key-v1"; /* with its NUL */

/* SEQUENCE { INTEGER 0, SEQUENCE { OID 1.3.101.112 }, OCTET STRING { OCTET
 * STRING of 32 bytes } }. */
static const uint8_t PKCS8_HEAD[] = {0x30, 0x2e, 0x02, 0x01, 0x00, 0x30,
                                     0x05, 0x06, 0x03, 0x2b, 0x65, 0x70,
                                     0x04, 0x22, 0x04, 0x20};

/* An opened armour; comment lies in `der`. */
struct key_file {
    enum code_grammar grammar;
    struct secret *der;
    struct span seed;
    struct span comment;
};

static struct span
trim_end(struct span text)
{
    while (text.len > 0 &&
           (text.ptr[text.len - 1] == '\n' || text.ptr[text.len - 1] == '\r')) {
        text.len--;
    }
    return text;
}

bool
key_is_armour(struct span text)
{
    return span_starts(text, span_str("-----BEGIN "));
}

/* The text between the lines of BEGIN and END, if they say `name`. */
static bool
body_of(struct span text, const char *name, struct span *ret)
{
    char line[64];
    struct span head;
    struct span tail;

    text = trim_end(text);
    head = span_of(
        line, (size_t)snprintf(line, sizeof(line), "-----BEGIN %s-----", name));
    if (!span_starts(text, head)) {
        return false;
    }
    text = span_sub(text, head.len, text.len);
    tail = span_of(
        line, (size_t)snprintf(line, sizeof(line), "-----END %s-----", name));
    if (text.len < tail.len ||
        !span_equal(span_sub(text, text.len - tail.len, tail.len), tail)) {
        return false;
    }
    *ret = span_sub(text, 0, text.len - tail.len);
    return true;
}

static enum ag_err
decode_body(struct span body, struct secret **ret)
{
    AG_AUTO(secret) struct secret *text = NULL;
    size_t len = 0;
    enum ag_err err = secret_new(body.len, &text);

    if (err != AG_OK) {
        return err;
    }
    for (size_t i = 0; i < body.len; i++) {
        if (body.ptr[i] != '\n' && body.ptr[i] != '\r') {
            secret_bytes(text)[len++] = body.ptr[i];
        }
    }
    secret_shrink(text, len);
    return decode_base64_secret(secret_view(text), ret);
}

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

/* Cipher and KDF "none", one key: *ret is the private part. */
static bool
open_unencrypted(struct span der, struct span *ret)
{
    struct span magic = span_of(MAGIC, sizeof(MAGIC));
    struct span rest = span_sub(der, magic.len, der.len);
    struct span part = {NULL, 0};
    static const uint8_t ONE[] = {0, 0, 0, 1};

    if (!span_starts(der, magic)) {
        return false;
    }
    if (!take_string(&rest, &part) || !span_is(part, "none") ||
        !take_string(&rest, &part) || !span_is(part, "none") ||
        !take_string(&rest, &part) || part.len != 0 ||
        !span_starts(rest, span_of(ONE, sizeof(ONE)))) {
        return false;
    }
    rest = span_sub(rest, sizeof(ONE), rest.len);
    return take_string(&rest, &part) && take_string(&rest, ret);
}

static bool
open_openssh(struct key_file *f)
{
    struct span rest = {NULL, 0};
    struct span part = {NULL, 0};

    if (!open_unencrypted(secret_view(f->der), &rest)) {
        return false;
    }
    rest = span_sub(rest, 8, rest.len); /* two equal check numbers */
    if (!take_string(&rest, &part) || !span_is(part, ED25519) ||
        !take_string(&rest, &part) || part.len != PUBLIC_BYTES ||
        !take_string(&rest, &part) || part.len != PRIVATE_BYTES ||
        !take_string(&rest, &f->comment) ||
        f->comment.len > COMMENT_MAX_BYTES) {
        return false;
    }
    f->seed = span_sub(part, 0, SEED_BYTES);
    return true;
}

static bool
open_pkcs8(struct key_file *f)
{
    struct span der = secret_view(f->der);
    struct span head = span_of(PKCS8_HEAD, sizeof(PKCS8_HEAD));

    if (der.len != sizeof(PKCS8_HEAD) + SEED_BYTES || !span_starts(der, head)) {
        return false;
    }
    f->seed = span_sub(der, head.len, SEED_BYTES);
    return true;
}

/* f->der is the caller's. Errors: AG_EINVAL it is of another kind. */
static enum ag_err
open_key(struct span text, struct key_file *f)
{
    struct span body = {NULL, 0};
    bool openssh = body_of(text, OPENSSH_NAME, &body);
    enum ag_err err;

    if (!openssh && !body_of(text, PKCS8_NAME, &body)) {
        return AG_EINVAL;
    }
    f->grammar = openssh ? CODE_OPENSSH : CODE_PKCS8;
    err = decode_body(body, &f->der);
    if (err != AG_OK) {
        return err == AG_ELIMIT ? AG_EINVAL : err;
    }
    return (openssh ? open_openssh(f) : open_pkcs8(f)) ? AG_OK : AG_EINVAL;
}

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
    uint8_t seed[SEED_BYTES];
    uint8_t public[PUBLIC_BYTES];
    uint8_t private[PRIVATE_BYTES];
    uint8_t check[4];
};

static void
pair_done(struct pair *p)
{
    wipe(p, sizeof(*p));
}
AG_DEFINE_CLEANUP_INPLACE(pair, pair_done)

static void
pair_make(const struct making *m, enum code_grammar grammar,
          struct span comment, struct pair *p)
{
    AG_AUTO(fill) struct fill f;

    fill_init(&f, m->key, m->id, comment.len);
    code_seed(m->key, grammar, m->id, comment, p->seed);
    for (size_t i = NUMBER_BYTES; i < SEED_BYTES; i++) {
        p->seed[i] = fill_byte(&f);
    }
    for (size_t i = 0; i < sizeof(p->check); i++) {
        p->check[i] = fill_byte(&f);
    }
    (void)crypto_sign_seed_keypair(p->public, p->private, p->seed);
}

static enum ag_err
add_private_part(const struct pair *p, struct span comment, struct buf *out)
{
    AG_AUTO(buf) struct buf part = {0};
    struct span check = span_of(p->check, sizeof(p->check));
    const struct span texts[] = {span_str(ED25519),
                                 span_of(p->public, PUBLIC_BYTES),
                                 span_of(p->private, PRIVATE_BYTES), comment};
    enum ag_err err;

    buf_init(&part, RENDER_MAX_BYTES, BUF_WIPE);
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
add_openssh(const struct pair *p, struct span comment, struct buf *out)
{
    AG_AUTO(buf) struct buf public = {0};
    const struct span key[] = {span_str(ED25519),
                               span_of(p->public, PUBLIC_BYTES)};
    const struct span head[] = {span_str("none"), span_str("none"),
                                span_str("")};
    enum ag_err err;

    buf_init(&public, RENDER_MAX_BYTES, BUF_WIPE);
    err = add_strings(&public, key, AG_COUNT(key));
    if (err == AG_OK) {
        err = buf_add(out, span_of(MAGIC, sizeof(MAGIC)));
    }
    if (err == AG_OK) {
        err = add_strings(out, head, AG_COUNT(head));
    }
    if (err == AG_OK) {
        err = add_u32(out, 1);
    }
    if (err == AG_OK) {
        err = add_string(out, buf_view(&public));
    }
    return err == AG_OK ? add_private_part(p, comment, out) : err;
}

static enum ag_err
add_armour(const char *name, size_t line_chars, struct span der,
           struct buf *out)
{
    AG_AUTO(buf) struct buf text = {0};
    enum ag_err err;

    buf_init(&text, RENDER_MAX_BYTES, BUF_WIPE);
    err = encode_base64(der, &text);
    if (err == AG_OK) {
        err = buf_fmt(out, "-----BEGIN %s-----\n", name);
    }
    for (size_t at = 0; err == AG_OK && at < text.len; at += line_chars) {
        err = buf_add(out, span_sub(buf_view(&text), at, line_chars));
        if (err == AG_OK) {
            err = buf_add_byte(out, '\n');
        }
    }
    return err == AG_OK ? buf_fmt(out, "-----END %s-----", name) : err;
}

/* The key file of an id, without a newline at its end. */
static enum ag_err
render(const struct making *m, const struct key_file *f, struct buf *out)
{
    AG_AUTO(buf) struct buf der = {0};
    AG_AUTO(pair) struct pair p;
    enum ag_err err;

    pair_make(m, f->grammar, f->comment, &p);
    buf_init(&der, RENDER_MAX_BYTES, BUF_WIPE);
    if (f->grammar == CODE_OPENSSH) {
        err = add_openssh(&p, f->comment, &der);
        return err == AG_OK
                   ? add_armour(OPENSSH_NAME, LINE_CHARS, buf_view(&der), out)
                   : err;
    }
    err = buf_add(&der, span_of(PKCS8_HEAD, sizeof(PKCS8_HEAD)));
    if (err == AG_OK) {
        err = buf_add(&der, span_of(p.seed, SEED_BYTES));
    }
    return err == AG_OK
               ? add_armour(PKCS8_NAME, PEM_LINE_CHARS, buf_view(&der), out)
               : err;
}

enum ag_err
key_make(const struct making *m, struct span real, struct buf *out)
{
    struct key_file f = {.der = NULL};
    enum ag_err err = open_key(real, &f);

    if (err == AG_OK) {
        err = render(m, &f, out);
    }
    if (err == AG_OK) {
        size_t len = trim_end(real).len;

        err = buf_add(out, span_sub(real, len, real.len - len));
    }
    secret_free(f.der);
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
    struct key_file f = {.der = NULL};
    struct making m = {.key = key};
    enum ag_err err = open_key(text, &f);

    buf_init(&again, RENDER_MAX_BYTES, BUF_WIPE);
    if (err == AG_OK &&
        !code_seed_read(key, f.grammar, f.comment, f.seed.ptr, &m.id)) {
        err = AG_EINVAL;
    }
    if (err == AG_OK) {
        err = render(&m, &f, &again);
    }
    if (err == AG_OK && !span_equal(buf_view(&again), trim_end(text))) {
        err = AG_EINVAL;
    }
    secret_free(f.der);
    if (err != AG_OK) {
        return err == AG_EINVAL ? AG_ENOTFOUND : err;
    }
    *ret_id = m.id;
    return AG_OK;
}
