#include "core/receipts.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sodium.h>

#include "base/buf.h"
#include "base/secret.h"
#include "core/handout.h"
#include "core/redaction.h"
#include "core/state.h"
#include "crypt/sign.h"
#include "privsep/filter.h"
#include "redact/format.h"

enum {
    NAME_HASH_BYTES = 8, /* of a name, so that rows can be told apart */
    HEX_CHARS = 2 * RECEIPT_HASH_BYTES,
    SIDES_BYTES = 2 * RECEIPT_HASH_BYTES, /* input and output */
    NAMES_PART_BYTES = SIDES_BYTES + RECEIPT_NAME_MAX_BYTES,
    /* All names of a report are in a row of the record, if they fit. */
    RECORD_NAMES_MAX_BYTES = AUDIT_JSON_MAX_BYTES / 2,
};

_Static_assert((int)SIGN_KEY_BYTES == (int)RECEIPT_KEY_BYTES &&
                   (int)SIGN_BYTES == (int)RECEIPT_SIGNATURE_BYTES &&
                   (int)KDF_HASH_BYTES == (int)RECEIPT_HASH_BYTES &&
                   (int)AUDIT_CHAIN_BYTES == (int)RECEIPT_HASH_BYTES,
               "sizes differ");

struct receipt_draft {
    struct receipt receipt;
    enum receipt_names names;
    int64_t task_id;
    bool vouched;
    struct receipt_side input;
    uint8_t set_digest[RECEIPT_HASH_BYTES]; /* as the filter has it */
    json_t *counts;                         /* {NAME: n}, for the record */
    size_t count_bytes;
};

/* ---- a draft ---- */

static enum receipt_level
level_of(enum filter_rules rules)
{
    switch (rules) {
    case FILTER_RULES_NONE:
        break;
    case FILTER_RULES_DEFAULT:
        return RECEIPT_LEVEL_DEFAULT;
    case FILTER_RULES_ALL:
        return RECEIPT_LEVEL_ALL;
    }
    return RECEIPT_LEVEL_KNOWN;
}

enum ag_err
receipt_draft_new(const char *subject, enum receipt_names names,
                  const struct stream_terms *terms, struct receipt_draft **ret)
{
    AG_AUTO(receipt_draft) struct receipt_draft *d = NULL;
    enum ag_err err = receipt_check_subject(span_str(subject));

    if (err != AG_OK) {
        return err;
    }
    if (terms->audience == FILTER_TASK) {
        return err_why(AG_EDENIED, "a task is given no receipts: they would "
                                   "tell it what is in the vault");
    }
    d = calloc(1, sizeof(*d));
    if (d == NULL) {
        return AG_ENOMEM;
    }
    d->names = names;
    d->task_id = terms->task_id;
    d->receipt.level = (int)level_of(terms->rules);
    (void)stpcpy(d->receipt.subject, subject);
    (void)stpcpy(d->receipt.format, format_name(terms->format)); /* fits */
    d->counts = json_object();
    if (d->counts == NULL) {
        return AG_ENOMEM;
    }
    *ret = AG_TAKE(d);
    return AG_OK;
}

void
receipt_draft_free(struct receipt_draft *d)
{
    if (d != NULL) {
        json_decref(d->counts);
        wipe(d, sizeof(*d)); /* what came in can be guessed by its hash */
        free(d);
    }
}

/* The one place that says how sure a form is. */
static enum receipt_tier
tier_of(const struct filter_count *row)
{
    return filter_is_rule(row)   ? RECEIPT_RULE
           : filter_is_look(row) ? RECEIPT_P1
                                 : RECEIPT_P0;
}

/* The row of this name and tier, or a new one; NULL: there is no room. */
static struct receipt_row *
row_of(struct receipt *r, const struct filter_count *count, size_t *names_len)
{
    enum receipt_tier tier = tier_of(count);
    struct receipt_row *row = NULL;
    size_t len = strlen(count->name);

    for (size_t i = 0; i < r->row_count; i++) {
        if (r->rows[i].tier == (int)tier &&
            strcmp(r->rows[i].name, count->name) == 0) {
            return &r->rows[i];
        }
    }
    if (r->row_count == RECEIPT_ROWS_MAX_COUNT ||
        len > RECEIPT_NAME_MAX_BYTES ||
        *names_len + len > RECEIPT_NAMES_MAX_BYTES) {
        return NULL;
    }
    *names_len += len;
    row = &r->rows[r->row_count++];
    row->tier = (int)tier;
    (void)stpcpy(row->name, count->name);
    return row;
}

/* What the record keeps; what does not fit there is in the sum alone. */
static void
note_count(struct receipt_draft *d, const struct filter_count *count)
{
    const json_t *before = json_object_get(d->counts, count->name);

    if (before == NULL) {
        d->count_bytes += strlen(count->name) + 32; /* and its number */
    }
    if (before != NULL || d->count_bytes <= RECORD_NAMES_MAX_BYTES) {
        (void)json_object_set_new(d->counts, count->name,
                                  json_integer(json_integer_value(before) +
                                               (json_int_t)count->count));
    }
}

void
receipt_draft_fill(struct receipt_draft *d, const struct filter_report *report)
{
    const struct filter_vouch *v = report->vouch;
    struct receipt *r = &d->receipt;
    size_t names_len = 0;

    if (v == NULL || report->result != AG_OK) {
        return;
    }
    d->vouched = true;
    d->input.bytes = (int64_t)report->bytes_in;
    r->output.bytes = (int64_t)report->bytes_out;
    memcpy(d->input.sha256, v->in_sha256, RECEIPT_HASH_BYTES);
    memcpy(r->output.sha256, v->out_sha256, RECEIPT_HASH_BYTES);
    memcpy(d->set_digest, v->set_digest, RECEIPT_HASH_BYTES);
    memcpy(r->rules_digest, v->rules_digest, RECEIPT_HASH_BYTES);
    r->first_epoch = (int64_t)v->first_epoch;
    r->last_epoch = (int64_t)v->last_epoch;
    r->value_count = (int64_t)v->value_count;
    r->rule_count = (int64_t)v->rule_count;
    r->residual = (int64_t)v->residual;
    r->hits = (int64_t)report->hits;
    r->unnamed = r->hits;
    for (size_t i = 0; i < report->count_count; i++) {
        const struct filter_count *count = &report->counts[i];
        struct receipt_row *row = row_of(r, count, &names_len);

        r->tiers[tier_of(count)] += (int64_t)count->count;
        note_count(d, count);
        if (row != NULL) {
            row->count += (int64_t)count->count;
            r->unnamed -= (int64_t)count->count;
        }
    }
}

/* ---- what it says without telling it ---- */

/* What stands for a name in this receipt. `out` may be the name itself. */
static void
hide_name(const struct receipt *r, const struct secret *key, const char *name,
          char out[RECEIPT_NAME_MAX_BYTES + 1])
{
    uint8_t text[NAMES_PART_BYTES];
    uint8_t hash[KDF_HASH_BYTES];
    size_t len = strlen(name);

    AG_ASSERT(len <= RECEIPT_NAME_MAX_BYTES);
    memcpy(text, r->input, RECEIPT_HASH_BYTES);
    memcpy(text + RECEIPT_HASH_BYTES, r->output.sha256, RECEIPT_HASH_BYTES);
    memcpy(text + SIDES_BYTES, name, len);
    kdf_hash(key, span_of(text, SIDES_BYTES + len), hash);
    out[0] = '~';
    (void)sodium_bin2hex(out + 1, RECEIPT_NAME_MAX_BYTES, hash,
                         NAME_HASH_BYTES);
}

/* A rule's name is no secret: it is in everybody's installation. */
static void
hide_names(struct receipt *r, const struct secret *key)
{
    for (size_t i = 0; i < r->row_count; i++) {
        struct receipt_row *row = &r->rows[i];

        if (row->tier != RECEIPT_RULE) {
            hide_name(r, key, row->name, row->name);
        }
    }
}

/* Everything but its time and its place on the record. */
static enum ag_err
finish_draft(struct core *core, struct receipt_draft *d,
             const struct secret *seed, uint8_t opening[RECEIPT_OPENING_BYTES])
{
    AG_AUTO(secret) struct secret *key = NULL;
    enum ag_err err = core_key(core, KDF_RECEIPT, &key);

    if (err == AG_OK) {
        err = sign_key(seed, d->receipt.key);
    }
    if (err != AG_OK) {
        return err;
    }
    randombytes_buf(opening, RECEIPT_OPENING_BYTES);
    receipt_seal(opening, &d->input, d->receipt.input);
    kdf_hash(key, span_of(d->set_digest, sizeof(d->set_digest)),
             d->receipt.set_digest);
    if (d->names == RECEIPT_NAMES_HASHED) {
        hide_names(&d->receipt, key);
    }
    return AG_OK;
}

/* ---- on the record, and signed ---- */

struct signing {
    struct core_job job;
    struct receipt_draft *draft;
};

static json_t *
body_of(const struct receipt_draft *d, const uint8_t hash[RECEIPT_HASH_BYTES])
{
    const struct receipt *r = &d->receipt;
    char statement[HEX_CHARS + 1];
    char output[HEX_CHARS + 1];

    (void)sodium_bin2hex(statement, sizeof(statement), hash,
                         RECEIPT_HASH_BYTES);
    (void)sodium_bin2hex(output, sizeof(output), r->output.sha256,
                         RECEIPT_HASH_BYTES);
    return json_pack("{s:s, s:s, s:s, s:I, s:I, s:O}", "subject", r->subject,
                     "statement", statement, "output", output, "hits",
                     (json_int_t)r->hits, "residual", (json_int_t)r->residual,
                     "names", d->counts);
}

static enum ag_err
run_signing(struct core *core, struct db_tx *tx, struct core_job *job)
{
    struct receipt_draft *d = ((const struct signing *)job)->draft;
    struct receipt *r = &d->receipt;
    uint8_t hash[RECEIPT_HASH_BYTES];
    uint64_t seq = 0;
    enum ag_err err;

    (void)core;
    clock_text(db_tx_now_ms(tx), r->time);
    err = receipt_hash(r, hash);
    if (err == AG_OK) {
        err = core_note(tx, NULL, AUDIT_RECEIPT_SIGNED, d->task_id, 0,
                        body_of(d, hash));
    }
    if (err == AG_OK) {
        err = audit_newest(db_tx_read(tx), &seq, r->chain);
    }
    r->seq = (int64_t)seq;
    return err;
}

static enum ag_err
sign_with(void *ctx, struct span message, uint8_t out[RECEIPT_SIGNATURE_BYTES])
{
    return sign_make(ctx, message, out);
}

enum ag_err
receipt_draft_sign(struct core *core, struct receipt_draft *d, struct buf *out,
                   uint8_t opening[RECEIPT_OPENING_BYTES])
{
    AG_AUTO(secret) struct secret *seed = NULL;
    struct signing s = {.job.run = run_signing, .draft = d};
    enum ag_err err = core_key(core, KDF_SIGN, &seed);

    if (err == AG_OK && !d->vouched) {
        err = err_why(AG_EFILTER, "the filter does not vouch for the stream");
    }
    if (err == AG_OK) {
        err = finish_draft(core, d, seed, opening);
    }
    if (err == AG_OK) {
        err = core_write_wait(core, &s.job);
    }
    return err == AG_OK ? receipt_put(&d->receipt, sign_with, seed, out) : err;
}

/* ---- asked for ---- */

enum ag_err
receipts_key(struct core *core, json_t **ret)
{
    AG_AUTO(secret) struct secret *seed = NULL;
    uint8_t key[SIGN_KEY_BYTES];
    char print[RECEIPT_PRINT_BYTES];
    char text[sodium_base64_ENCODED_LEN(SIGN_KEY_BYTES,
                                        sodium_base64_VARIANT_ORIGINAL)];
    enum ag_err err = core_key(core, KDF_SIGN, &seed);

    if (err == AG_OK) {
        err = sign_key(seed, key);
    }
    if (err != AG_OK) {
        return err;
    }
    receipt_print(key, print);
    (void)sodium_bin2base64(text, sizeof(text), key, sizeof(key),
                            sodium_base64_VARIANT_ORIGINAL);
    *ret = json_pack("{s:s, s:s}", "key", text, "fingerprint", print);
    return *ret != NULL ? AG_OK : AG_ENOMEM;
}

struct checking {
    const struct receipt *receipt;
    uint8_t hash[RECEIPT_HASH_BYTES];
    json_t *answer; /* NULL: no such row */
};

static enum ag_err
not_on_record(const struct receipt *r)
{
    return err_why(AG_ERECEIPT,
                   "row %lld of the record is not that of this receipt: it is "
                   "forged, of another vault, or the vault was rolled back",
                   (long long)r->seq);
}

/* The chain is keyed: a row's value can't be made, nor kept for another row; and
 * no row of another kind has a statement. */
static enum ag_err
check_row(const struct audit_row *row, void *arg)
{
    struct checking *c = arg;
    const struct receipt *r = c->receipt;
    AG_AUTO(wjson) json_t *body = NULL;
    char statement[HEX_CHARS + 1];
    const char *on_record = NULL;
    json_t *names = NULL;
    enum ag_err err = AG_OK;

    if (sodium_memcmp(row->chain, r->chain, AUDIT_CHAIN_BYTES) != 0) {
        return not_on_record(r);
    }
    err = wjson_parse(row->json, AUDIT_JSON_MAX_BYTES, &body);
    if (err != AG_OK) {
        return err;
    }
    (void)sodium_bin2hex(statement, sizeof(statement), c->hash,
                         sizeof(c->hash));
    if (json_unpack(body, "{s:s, s:o}", "statement", &on_record, "names",
                    &names) != 0 ||
        strcmp(on_record, statement) != 0) {
        return not_on_record(r);
    }
    c->answer = json_pack("{s:I, s:s, s:O}", "seq", (json_int_t)row->seq,
                          "time", r->time, "names", names);
    return c->answer != NULL ? AG_OK : AG_ENOMEM;
}

static enum ag_err
find_row(struct core *core, struct checking *c)
{
    AG_AUTO(db_read) struct db_read *r = NULL;
    uint8_t chain[AUDIT_CHAIN_BYTES];
    uint64_t newest = 0;
    uint64_t seq = (uint64_t)c->receipt->seq;
    enum ag_err err = store_read(core->store, &r);

    if (err == AG_OK) {
        err = audit_newest(r, &newest, chain);
    }
    if (err == AG_OK && (seq == 0 || seq > newest)) {
        return err_why(AG_ERECEIPT,
                       "the record has no row %lld: the receipt is forged, of "
                       "another vault, or the vault was rolled back",
                       (long long)c->receipt->seq);
    }
    return err == AG_OK ? audit_each(r, seq - 1, 1, check_row, c) : err;
}

enum ag_err
receipts_check(struct core *core, const char *line, json_t **ret)
{
    struct receipt *r = calloc(1, sizeof(*r));
    struct checking c = {.receipt = r};
    enum ag_err err = r == NULL ? AG_ENOMEM : core_need_open(core);

    if (err == AG_OK) {
        err = receipt_get(span_str(line), sign_check, r);
    }
    if (err == AG_OK) {
        err = receipt_hash(r, c.hash);
    }
    if (err == AG_OK) {
        err = find_row(core, &c);
    }
    if (err == AG_OK) {
        *ret = c.answer;
    }
    free(r);
    return err == AG_OK && c.answer == NULL ? AG_EINTERNAL : err;
}

/* ---- whose fingerprint ---- */

/* Rules and tokens are no secrets of the vault. */
static bool
is_secret(const char *name)
{
    return strncmp(name, "rule:", 5) != 0 &&
           strcmp(name, REDACTION_TOKEN_NAME) != 0 &&
           strlen(name) <= RECEIPT_NAME_MAX_BYTES;
}

static enum ag_err
pick_names(struct core *core, const struct receipt *r, const json_t *names,
           const char *fingerprint, json_t *list)
{
    AG_AUTO(secret) struct secret *key = NULL;
    char shown[RECEIPT_NAME_MAX_BYTES + 1];
    const char *name = NULL;
    json_t *count = NULL;
    enum ag_err err = core_key(core, KDF_RECEIPT, &key);

    json_object_foreach((json_t *)(uintptr_t)names, name, count)
    {
        if (err != AG_OK || !is_secret(name)) {
            continue;
        }
        hide_name(r, key, name, shown);
        if ((fingerprint == NULL || strcmp(fingerprint, shown) == 0) &&
            json_array_append_new(list, json_string(name)) != 0) {
            err = AG_ENOMEM;
        }
    }
    return err;
}

enum ag_err
receipts_secrets(struct core *core, const char *line, const char *fingerprint,
                 json_t **ret)
{
    struct receipt *r = calloc(1, sizeof(*r));
    AG_AUTO(wjson) json_t *answer = NULL;
    AG_AUTO(wjson) json_t *list = json_array();
    enum ag_err err = r == NULL || list == NULL
                          ? AG_ENOMEM
                          : receipts_check(core, line, &answer);

    if (err == AG_OK) {
        err = receipt_get(span_str(line), sign_check, r);
    }
    if (err == AG_OK) {
        err = pick_names(core, r, json_object_get(answer, "names"), fingerprint,
                         list);
    }
    free(r);
    if (err == AG_OK && json_array_size(list) == 0) {
        err = err_why(AG_ENOTFOUND,
                      fingerprint != NULL
                          ? "the receipt has no secret of that fingerprint"
                          : "the receipt names no secret of the vault");
    }
    if (err == AG_OK) {
        *ret = AG_TAKE(list);
    }
    return err;
}
