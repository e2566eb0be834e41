#include "redact/rule_pack.h"

#include <stdlib.h>
#include <string.h>

#define MAGIC "AGRULES2"

enum {
    NUMBER_COUNT = 10,
    CLASS_COUNT = 3,
    ENGINE_MAX_BYTES = 64,
};

struct rule_pack {
    char *texts; /* copies, each with a NUL */
    struct rule *rules;
    struct span *keywords;
    const char **allow;
    struct rule_pack_parts parts;
};

/* ---- writing ---- */

static enum ag_err
put_text(struct buf *out, struct span text)
{
    const uint8_t len[] = {(uint8_t)text.len, (uint8_t)(text.len >> 8)};
    enum ag_err err = text.len > UINT16_MAX ? AG_ELIMIT : AG_OK;

    if (err == AG_OK) {
        err = buf_add(out, span_of(len, sizeof(len)));
    }
    return err == AG_OK ? buf_add(out, text) : err;
}

static enum ag_err
put_texts(struct buf *out, const struct rule *r)
{
    enum ag_err err = put_text(out, span_str(r->id));

    if (err == AG_OK) {
        err = put_text(out, span_str(r->service));
    }
    if (err == AG_OK) {
        err = put_text(out, span_str(r->regex));
    }
    if (err == AG_OK) {
        err = put_text(out, r->until);
    }
    if (err == AG_OK) {
        err = buf_add_byte(out, (uint8_t)r->keyword_count);
    }
    for (size_t i = 0; err == AG_OK && i < r->keyword_count; i++) {
        err = put_text(out, r->keywords[i]);
    }
    if (err == AG_OK) {
        err = buf_add_byte(out, (uint8_t)r->allow_count);
    }
    for (size_t i = 0; err == AG_OK && i < r->allow_count; i++) {
        err = put_text(out, span_str(r->allow[i]));
    }
    return err;
}

static enum ag_err
put_rule(struct buf *out, const struct rule *r)
{
    const uint32_t numbers[NUMBER_COUNT] = {
        r->secret,   r->window,        r->min_bytes,     r->tail_max,
        r->entropy,  r->efficiency,    (uint32_t)r->sum, (uint32_t)r->flags,
        r->lead_max, (uint32_t)r->gate};
    const struct rule_class *classes[CLASS_COUNT] = {&r->tail, &r->stop,
                                                     &r->lead};
    enum ag_err err = put_texts(out, r);

    for (size_t i = 0; err == AG_OK && i < NUMBER_COUNT; i++) {
        err = buf_add_u32le(out, numbers[i]);
    }
    for (size_t i = 0; err == AG_OK && i < (size_t)CLASS_COUNT * 4; i++) {
        err = buf_add_u64le(out, classes[i / 4]->bits[i % 4]);
    }
    return err;
}

static enum ag_err
put_database(struct buf *out, struct span database)
{
    enum ag_err err = buf_add_u32le(out, (uint32_t)database.len);

    return err == AG_OK ? buf_add(out, database) : err;
}

enum ag_err
rule_pack_write(const struct rule_pack_parts *parts, struct buf *out)
{
    enum ag_err err = buf_add_str(out, MAGIC);

    if (err == AG_OK) {
        err = put_text(out, span_str(parts->engine));
    }
    if (err == AG_OK) {
        err = buf_add_u32le(out, (uint32_t)parts->count);
    }
    for (size_t i = 0; err == AG_OK && i < parts->count; i++) {
        err = put_rule(out, &parts->rules[i]);
    }
    if (err == AG_OK) {
        err = put_database(out, parts->database);
    }
    return err == AG_OK ? put_database(out, parts->gated) : err;
}

/* ---- reading ---- */

/* Reads fields off the front; once something is missing, all is. */
struct reader {
    struct span rest;
    char *texts; /* where the next copy goes */
    bool bad;
    bool has_gate;        /* some rule so far */
    size_t keyword_count; /* of all rules so far */
    size_t allow_count;
};

static const uint8_t *
get_bytes(struct reader *r, size_t len)
{
    const uint8_t *at = r->rest.ptr;

    if (r->bad || r->rest.len < len) {
        r->bad = true;
        return NULL;
    }
    r->rest = span_of(at + len, r->rest.len - len);
    return at;
}

static uint64_t
get_number(struct reader *r, size_t len)
{
    const uint8_t *bytes = get_bytes(r, len);
    uint64_t value = 0;

    for (size_t i = len; bytes != NULL && i > 0; i--) {
        value = value << 8 | bytes[i - 1];
    }
    return value;
}

/* A copy with a NUL, which takes no more room than text and length did there.
 * Texts have none inside. */
static struct span
get_text(struct reader *r)
{
    size_t len = (size_t)get_number(r, 2);
    const uint8_t *text = get_bytes(r, len);
    char *copy = r->texts;

    if (text == NULL) {
        return span_of("", 0);
    }
    memcpy(copy, text, len);
    copy[len] = '\0';
    r->texts += len + 1;
    r->bad = r->bad || memchr(copy, 0, len) != NULL;
    return span_of(copy, len);
}

static void
get_lists(struct reader *r, struct rule_pack *p, struct rule *ret)
{
    ret->keywords = p->keywords + r->keyword_count;
    ret->keyword_count = (size_t)get_number(r, 1);
    r->bad = r->bad || ret->keyword_count == 0 ||
             ret->keyword_count > RULE_STRINGS_MAX_COUNT;
    for (size_t i = 0; !r->bad && i < ret->keyword_count; i++) {
        struct span keyword = get_text(r);

        r->bad = r->bad || keyword.len < RULE_KEYWORD_MIN_BYTES ||
                 keyword.len > RULE_KEYWORD_MAX_BYTES;
        p->keywords[r->keyword_count++] = keyword;
    }
    ret->allow = p->allow + r->allow_count;
    ret->allow_count = (size_t)get_number(r, 1);
    r->bad = r->bad || ret->allow_count > RULE_STRINGS_MAX_COUNT;
    for (size_t i = 0; !r->bad && i < ret->allow_count; i++) {
        p->allow[r->allow_count++] = (const char *)get_text(r).ptr;
    }
}

static void
get_rule(struct reader *r, struct rule_pack *p, struct rule *ret)
{
    struct rule_class *classes[CLASS_COUNT] = {&ret->tail, &ret->stop,
                                               &ret->lead};
    uint32_t n[NUMBER_COUNT];

    ret->id = (const char *)get_text(r).ptr;
    ret->service = (const char *)get_text(r).ptr;
    ret->regex = (const char *)get_text(r).ptr;
    ret->until = get_text(r);
    get_lists(r, p, ret);
    for (size_t i = 0; i < NUMBER_COUNT; i++) {
        n[i] = (uint32_t)get_number(r, 4);
    }
    for (size_t i = 0; i < (size_t)CLASS_COUNT * 4; i++) {
        classes[i / 4]->bits[i % 4] = get_number(r, 8);
    }
    ret->secret = n[0];
    ret->window = n[1];
    ret->min_bytes = n[2];
    ret->tail_max = n[3];
    ret->entropy = n[4];
    ret->efficiency = n[5];
    ret->sum = (enum rule_sum)n[6];
    ret->flags = (enum rule_flags)n[7];
    ret->lead_max = n[8];
    ret->gate = (enum rule_gate)n[9];
    r->has_gate = r->has_gate || ret->gate != RULE_GATE_NONE;
    r->bad = r->bad || ret->window == 0 ||
             ret->window > RULE_WINDOW_MAX_BYTES ||
             ret->until.len > RULE_UNTIL_MAX_BYTES || n[6] > RULE_SUM_BASIC ||
             n[9] >= RULE_GATE_COUNT || ret->lead_max > RULE_LEAD_MAX_BYTES ||
             strlen(ret->id) > RULE_ID_MAX_BYTES;
}

static enum ag_err
get_rules(struct reader *r, struct rule_pack *p)
{
    size_t count = (size_t)get_number(r, 4);

    if (r->bad || count == 0 || count > RULES_MAX_COUNT) {
        return AG_ECORRUPT;
    }
    p->rules = calloc(count, sizeof(*p->rules));
    p->keywords = calloc(count * RULE_STRINGS_MAX_COUNT, sizeof(*p->keywords));
    p->allow = calloc(count * RULE_STRINGS_MAX_COUNT, sizeof(*p->allow));
    if (p->rules == NULL || p->keywords == NULL || p->allow == NULL) {
        return AG_ENOMEM;
    }
    for (size_t i = 0; !r->bad && i < count; i++) {
        get_rule(r, p, &p->rules[i]);
    }
    p->parts.rules = p->rules;
    p->parts.count = count;
    return r->bad ? AG_ECORRUPT : AG_OK;
}

static struct span
get_database(struct reader *r)
{
    size_t len = (size_t)get_number(r, 4);

    return span_of(get_bytes(r, len), len);
}

static enum ag_err
take_apart(struct rule_pack *p, struct span bytes)
{
    struct reader r = {.rest = bytes, .texts = p->texts};
    const uint8_t *magic = get_bytes(&r, strlen(MAGIC));
    struct span engine;
    enum ag_err err;

    if (magic == NULL || !span_is(span_of(magic, strlen(MAGIC)), MAGIC)) {
        return err_why(AG_ECORRUPT, "not a file of compiled rules");
    }
    engine = get_text(&r);
    p->parts.engine = (const char *)engine.ptr;
    err = engine.len > ENGINE_MAX_BYTES ? AG_ECORRUPT : get_rules(&r, p);
    if (err == AG_OK) {
        p->parts.database = get_database(&r);
        p->parts.gated = get_database(&r);
        /* A rule that is in no database would never be found. */
        err = r.bad || r.rest.len != 0 || r.has_gate != (p->parts.gated.len > 0)
                  ? AG_ECORRUPT
                  : AG_OK;
    }
    return err == AG_ECORRUPT
               ? err_why(AG_ECORRUPT, "the compiled rules are cut or damaged")
               : err;
}

enum ag_err
rule_pack_read(struct span bytes, struct rule_pack **ret)
{
    AG_AUTO(rule_pack) struct rule_pack *p = NULL;
    enum ag_err err;

    if (bytes.len == 0 || bytes.len > RULE_PACK_MAX_BYTES) {
        return err_why(bytes.len == 0 ? AG_ECORRUPT : AG_ELIMIT,
                       "compiled rules of %zu bytes", bytes.len);
    }
    p = calloc(1, sizeof(*p));
    if (p == NULL) {
        return AG_ENOMEM;
    }
    p->texts = malloc(bytes.len); /* the kernel gives no page before its use */
    if (p->texts == NULL) {
        return AG_ENOMEM;
    }
    err = take_apart(p, bytes);
    if (err != AG_OK) {
        return err;
    }
    *ret = AG_TAKE(p);
    return AG_OK;
}

void
rule_pack_free(struct rule_pack *p)
{
    if (p == NULL) {
        return;
    }
    free(p->rules);
    free(p->keywords);
    free(p->allow);
    free(p->texts);
    free(p);
}

struct rule_pack_parts
rule_pack_parts(const struct rule_pack *p)
{
    return p->parts;
}
