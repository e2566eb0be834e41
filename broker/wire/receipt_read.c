/* A receipt's line, read. */
#include <string.h>

#include <sodium.h>

#include "wire/json.h"
#include "wire/receipt_impl.h"

/* What of it cannot be read at all; the rest is held to the one spelling. */
static enum ag_err
no_receipt(void)
{
    return err_why(AG_ERECEIPT, "this is not a receipt of auth-guard, or it "
                                "was changed");
}

static bool
get_hash(const char *hex, uint8_t out[RECEIPT_HASH_BYTES])
{
    size_t len = 0;

    return sodium_hex2bin(out, RECEIPT_HASH_BYTES, hex, strlen(hex), NULL, &len,
                          NULL) == 0 &&
           len == RECEIPT_HASH_BYTES;
}

static bool
get_base64(const char *text, uint8_t *out, size_t cap, size_t *ret_len)
{
    return sodium_base642bin(out, cap, text, strlen(text), NULL, ret_len, NULL,
                             sodium_base64_VARIANT_ORIGINAL) == 0;
}

static bool
get_word(const char *word, const char *const *words, size_t count, int *ret)
{
    for (size_t i = 0; i < count; i++) {
        if (strcmp(word, words[i]) == 0) {
            *ret = (int)i;
            return true;
        }
    }
    return false;
}

/* Copies a text if it fits and is one that a person can be shown. */
static bool
get_text(const char *text, char *out, size_t cap)
{
    size_t len = strlen(text);

    if (len >= cap || receipt_check_subject(span_of(text, len)) != AG_OK) {
        return false;
    }
    memcpy(out, text, len + 1);
    return true;
}

static bool
get_names(const json_t *names, struct receipt *r)
{
    r->row_count = json_array_size(names);
    if (r->row_count > RECEIPT_ROWS_MAX_COUNT) {
        return false;
    }
    for (size_t i = 0; i < r->row_count; i++) {
        struct receipt_row *row = &r->rows[i];
        const char *name = NULL;
        const char *tier = NULL;

        if (json_unpack_ex(json_array_get(names, i), NULL, JSON_STRICT,
                           "{s:s, s:s, s:I}", "name", &name, "tier", &tier,
                           "count", &row->count) != 0 ||
            !get_text(name, row->name, sizeof(row->name)) ||
            !get_word(tier, RECEIPT_TIERS, AG_COUNT(RECEIPT_TIERS),
                      &row->tier)) {
            return false;
        }
    }
    return true;
}

static bool
get_hits(json_t *hits, struct receipt *r)
{
    json_t *tiers = NULL;
    json_t *names = NULL;

    if (json_unpack_ex(hits, NULL, JSON_STRICT, "{s:I, s:o, s:o, s:I}", "total",
                       &r->hits, "tiers", &tiers, "names", &names, "unnamed",
                       &r->unnamed) != 0 ||
        json_object_size(tiers) != AG_COUNT(RECEIPT_TIERS)) {
        return false;
    }
    for (size_t i = 0; i < AG_COUNT(RECEIPT_TIERS); i++) {
        r->tiers[i] =
            json_integer_value(json_object_get(tiers, RECEIPT_TIERS[i]));
    }
    return get_names(names, r);
}

static bool
get_sides(json_t *input, json_t *output, struct receipt *r)
{
    const char *sealed = NULL;
    const char *hash = NULL;

    return json_unpack_ex(input, NULL, JSON_STRICT, "{s:s}", "sealed",
                          &sealed) == 0 &&
           get_hash(sealed, r->input) &&
           json_unpack_ex(output, NULL, JSON_STRICT, "{s:I, s:s}", "bytes",
                          &r->output.bytes, "sha256", &hash) == 0 &&
           get_hash(hash, r->output.sha256);
}

/* Set, rules and record: numbers and a hash each. */
static bool
get_terms(json_t *set, json_t *rules, json_t *audit, struct receipt *r)
{
    const char *set_hash = NULL;
    const char *rules_hash = NULL;
    const char *chain = NULL;
    const char *level = NULL;

    return json_unpack_ex(set, NULL, JSON_STRICT, "{s:I, s:I, s:I, s:s}",
                          "first_epoch", &r->first_epoch, "last_epoch",
                          &r->last_epoch, "values", &r->value_count, "digest",
                          &set_hash) == 0 &&
           get_hash(set_hash, r->set_digest) &&
           json_unpack_ex(rules, NULL, JSON_STRICT, "{s:s, s:I, s:s}", "level",
                          &level, "count", &r->rule_count, "digest",
                          &rules_hash) == 0 &&
           get_word(level, RECEIPT_LEVELS, AG_COUNT(RECEIPT_LEVELS),
                    &r->level) &&
           get_hash(rules_hash, r->rules_digest) &&
           json_unpack_ex(audit, NULL, JSON_STRICT, "{s:I, s:s}", "seq",
                          &r->seq, "chain", &chain) == 0 &&
           get_hash(chain, r->chain);
}

static enum ag_err
get_statement(struct span text, struct receipt *r)
{
    AG_AUTO(wjson) json_t *tree = NULL;
    json_t *input = NULL;
    json_t *output = NULL;
    json_t *set = NULL;
    json_t *rules = NULL;
    json_t *hits = NULL;
    json_t *audit = NULL;
    const char *key = NULL;
    const char *when = NULL;
    const char *subject = NULL;
    const char *audience = NULL;
    const char *format = NULL;
    json_int_t version = 0;
    size_t len = 0;
    enum ag_err err = wjson_parse(text, RECEIPT_PAYLOAD_MAX_BYTES, &tree);

    if (err != AG_OK) {
        return err == AG_ENOMEM ? err : no_receipt();
    }
    if (json_unpack_ex(
            tree, NULL, JSON_STRICT,
            "{s:I, s:s, s:s, s:s, s:s, s:s, s:o, s:o, s:o, s:o, s:o, s:I,"
            " s:o}",
            "receipt", &version, "key", &key, "time", &when, "subject",
            &subject, "audience", &audience, "format", &format, "input", &input,
            "output", &output, "set", &set, "rules", &rules, "hits", &hits,
            "residual", &r->residual, "audit", &audit) != 0 ||
        !get_base64(key, r->key, sizeof(r->key), &len) ||
        len != sizeof(r->key) || !get_text(when, r->time, sizeof(r->time)) ||
        !get_text(subject, r->subject, sizeof(r->subject)) ||
        !get_text(format, r->format, sizeof(r->format)) ||
        !get_sides(input, output, r) || !get_terms(set, rules, audit, r) ||
        !get_hits(hits, r)) {
        return no_receipt();
    }
    return AG_OK;
}

/* ---- the line, back ---- */

struct envelope {
    struct buf payload;
    uint8_t made[RECEIPT_SIGNATURE_BYTES];
};

static enum ag_err
check_type(const char *type)
{
    if (strncmp(type, RECEIPT_TYPE_PREFIX, strlen(RECEIPT_TYPE_PREFIX)) == 0 &&
        strcmp(type, RECEIPT_TYPE) != 0) {
        return err_why(AG_ENEWER, "a receipt of another version than this "
                                  "program knows (v1)");
    }
    return strcmp(type, RECEIPT_TYPE) == 0 ? AG_OK : no_receipt();
}

static enum ag_err
get_envelope(struct span line, struct envelope *ret)
{
    AG_AUTO(wjson) json_t *tree = NULL;
    const char *type = NULL;
    const char *payload = NULL;
    const char *keyid = NULL;
    const char *made = NULL;
    uint8_t *room = NULL;
    size_t len = 0;
    enum ag_err err = wjson_parse(line, RECEIPT_LINE_MAX_BYTES, &tree);

    if (err != AG_OK) {
        return err == AG_ENOMEM ? err : no_receipt();
    }
    if (json_unpack_ex(tree, NULL, 0, "{s:s}", "payloadType", &type) != 0) {
        return no_receipt();
    }
    err = check_type(type);
    if (err == AG_OK &&
        (json_unpack_ex(tree, NULL, JSON_STRICT, "{s:s, s:s, s:[{s:s, s:s}]}",
                        "payloadType", &type, "payload", &payload, "signatures",
                        "keyid", &keyid, "sig", &made) != 0 ||
         !get_base64(made, ret->made, sizeof(ret->made), &len) ||
         len != sizeof(ret->made))) {
        return no_receipt();
    }
    if (err == AG_OK) {
        err = buf_room(&ret->payload, RECEIPT_PAYLOAD_MAX_BYTES, &room);
    }
    if (err != AG_OK) {
        return err;
    }
    if (!get_base64(payload, room, RECEIPT_PAYLOAD_MAX_BYTES, &len)) {
        return no_receipt();
    }
    buf_grew(&ret->payload, len);
    return AG_OK;
}

static enum ag_err
as_it_was(void *ctx, struct span message, uint8_t out[RECEIPT_SIGNATURE_BYTES])
{
    (void)message;
    memcpy(out, ctx, RECEIPT_SIGNATURE_BYTES);
    return AG_OK;
}

/* Spelt as receipt_put() would have? */
static enum ag_err
check_spelling(struct span line, struct receipt *r, struct envelope *e)
{
    AG_AUTO(buf) struct buf again = {0};
    enum ag_err err;

    buf_init(&again, RECEIPT_LINE_MAX_BYTES, BUF_PLAIN);
    err = receipt_put(r, as_it_was, e->made, &again);
    if (err == AG_ENOMEM) {
        return err;
    }
    return err == AG_OK && span_equal(buf_view(&again), line)
               ? AG_OK
               : err_why(AG_ERECEIPT, "the receipt is not spelt as auth-guard "
                                      "writes one: it was changed");
}

static enum ag_err
check_signature(const struct receipt *r, const struct envelope *e,
                receipt_check_fn check)
{
    AG_AUTO(buf) struct buf pae = {0};
    enum ag_err err;

    buf_init(&pae, RECEIPT_PAE_MAX_BYTES, BUF_PLAIN);
    err = receipt_put_pae(buf_view(&e->payload), &pae);
    if (err != AG_OK) {
        return err;
    }
    return check(r->key, buf_view(&pae), e->made)
               ? AG_OK
               : err_why(AG_ERECEIPT, "the signature is not of this statement: "
                                      "it was changed, or forged");
}

enum ag_err
receipt_get(struct span line, receipt_check_fn check, struct receipt *ret)
{
    struct envelope e = {.made = {0}};
    enum ag_err err;

    buf_init(&e.payload, RECEIPT_PAYLOAD_MAX_BYTES, BUF_PLAIN);
    err = get_envelope(line, &e);
    if (err == AG_OK) {
        err = get_statement(buf_view(&e.payload), ret);
    }
    if (err == AG_OK) {
        err = check_signature(ret, &e, check);
    }
    if (err == AG_OK) {
        err = check_spelling(line, ret, &e);
    }
    buf_done(&e.payload);
    return err;
}
