#include "core/sure.h"

#include <stdio.h>
#include <string.h>

#include "base/secret.h"
#include "core/redaction.h"
#include "core/values.h"
#include "profile/fields.h"
#include "redact/matcher.h"
#include "redact/rule_score.h"
#include "redact/strength.h"
#include "store/makers.h"

enum {
    UUID_BYTES = 36,
    KEY_MIN_BYTES = 100, /* armoured, of 32 bytes */
};

/* ---- a look ---- */

/* 8-4-4-4-12, whatever the digits: an account's, a device's. */
static bool
is_uuid(struct span text)
{
    if (text.len != UUID_BYTES) {
        return false;
    }
    for (size_t i = 0; i < text.len; i++) {
        bool wants_dash = i == 8 || i == 13 || i == 18 || i == 23;

        if ((text.ptr[i] == '-') != wants_dash) {
            return false;
        }
    }
    return true;
}

/* Blanks and control bytes are for text; an '@' or "://" makes an address. */
static bool
is_text_or_address(struct span text)
{
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] <= ' ' || text.ptr[i] == '@' ||
            (text.ptr[i] == ':' && text.len - i >= 3 &&
             text.ptr[i + 1] == '/' && text.ptr[i + 2] == '/')) {
            return true;
        }
    }
    return false;
}

/* Armoured: it has blanks. */
static bool
is_private_key(struct span text)
{
    static const char begin[] = "-----BEGIN ";
    static const char name[] = "PRIVATE KEY-----";

    return text.len >= KEY_MIN_BYTES && span_starts(text, span_str(begin)) &&
           memmem(text.ptr, text.len, name, strlen(name)) != NULL;
}

bool
sure_looks(struct span text)
{
    if (is_private_key(text)) {
        return true;
    }
    return text.len >= SURE_LOOK_MIN_BYTES && !is_text_or_address(text) &&
           !is_uuid(text) && !rule_score_is_placeholder(text) &&
           rule_score_entropy(text) >= SURE_LOOK_MIN_ENTROPY &&
           rule_score_efficiency(text) <= SURE_LOOK_MAX_EFFICIENCY;
}

/* ---- the entry ---- */

struct entry {
    uint64_t at;
    uint64_t index;
    struct secret *value; /* NULL: not found */
    char pointer[FIELD_POINTER_MAX_BYTES + 1];
};

static enum ag_err
find_entry(void *arg, const struct secret_row *row, const char *pointer,
           bool is_syntax, const struct secret *value)
{
    struct entry *entry = arg;

    (void)row;
    (void)is_syntax;
    if (entry->at++ != entry->index) {
        return AG_OK;
    }
    (void)snprintf(entry->pointer, sizeof(entry->pointer), "%s", pointer);
    return secret_from(secret_view(value), &entry->value);
}

/* By the profile, and the field itself: not a string within it, nor the
 * password of an address there. */
static enum ag_err
is_declared(const struct sure *s, const struct entry *entry, bool *ret)
{
    AG_AUTO(secret) struct secret *field = NULL;
    struct span content = secret_view(s->value);
    const struct profile_file *file = value_fields(s->core, s->secret, content);
    bool matches = false;
    enum ag_err err = AG_OK;

    *ret = false;
    for (size_t i = 0; file != NULL && i < file->secrets.count; i++) {
        matches =
            matches || field_match(file->secrets.items[i], entry->pointer);
    }
    if (!matches) {
        return AG_OK;
    }
    err = field_get(content, file->format, span_str(entry->pointer), &field);
    if (err == AG_OK) {
        *ret = secret_equal(field, entry->value);
    }
    return err == AG_ENOTFOUND || err == AG_EINVAL || err == AG_ELIMIT ? AG_OK
                                                                       : err;
}

/* ---- who made it ---- */

struct others {
    const struct sure *sure;
    const struct secret *value;
    bool found;
};

static enum ag_err
compare_entry(void *arg, const struct secret_row *row, const char *pointer,
              bool is_syntax, const struct secret *value)
{
    struct others *o = arg;

    (void)row;
    (void)pointer;
    (void)is_syntax;
    o->found = o->found || secret_equal(value, o->value);
    return AG_OK;
}

static enum ag_err
compare_version(const struct version_row *version, void *arg)
{
    struct others *o = arg;
    const struct sure *s = o->sure;
    AG_AUTO(secret) struct secret *value = NULL;
    enum version_maker maker = MAKER_UNKNOWN;
    enum ag_err err = AG_OK;

    if (o->found || version->state == VERSION_DESTROYED ||
        version->state == VERSION_RELEASED) {
        return AG_OK;
    }
    err = makers_of(s->r, version->id, &maker);
    if (err != AG_OK || maker == MAKER_TASK) {
        return err;
    }
    err = versions_value(s->r, s->secret->id, version->number, NULL, &value);
    return err == AG_OK
               ? redaction_entries(s->core, s->secret, value, compare_entry, o)
               : err;
}

/* Is it a task's making alone? */
static enum ag_err
is_made_up(const struct sure *s, const struct entry *entry, bool *ret)
{
    struct others o = {.sure = s, .value = entry->value};
    enum version_maker maker = MAKER_UNKNOWN;
    enum ag_err err = makers_of(s->r, s->version->id, &maker);

    if (err == AG_OK && maker == MAKER_TASK) {
        err = versions_each(s->r, s->secret->id, compare_version, &o);
    }
    *ret = maker == MAKER_TASK && !o.found;
    return err;
}

static enum ag_err
decide(const struct sure *s, const struct entry *entry, bool *ret)
{
    struct span text = secret_view(entry->value);
    bool is_known = entry->pointer[0] == '\0' || sure_looks(text);
    bool made_up = false;
    enum ag_err err = AG_OK;

    if (!is_known) {
        err = is_declared(s, entry, &is_known);
    }
    if (err == AG_OK && is_known && strength_of(text) == STRENGTH_FULL) {
        err = is_made_up(s, entry, &made_up);
        *ret = !made_up;
    }
    return err;
}

/* ---- what stands in it ---- */

struct inside {
    const struct sure *sure;
    const struct secret *whole;
    bool found;
};

static enum ag_err
try_inside(void *arg, const struct secret_row *row, const char *pointer,
           bool is_syntax, const struct secret *value)
{
    struct inside *i = arg;
    struct span whole = secret_view(i->whole);
    struct span text = secret_view(value);
    struct entry entry = {.index = 0};
    enum ag_err err = AG_OK;

    (void)row;
    (void)is_syntax;
    if (i->found || text.len == 0 || text.len >= whole.len ||
        memmem(whole.ptr, whole.len, text.ptr, text.len) == NULL) {
        return AG_OK;
    }
    (void)snprintf(entry.pointer, sizeof(entry.pointer), "%s", pointer);
    err = secret_from(text, &entry.value);
    if (err == AG_OK) {
        err = decide(i->sure, &entry, &i->found);
    }
    secret_free(entry.value);
    return err;
}

/* Who printed that printed another entry too, which is sure. Not of one that is
 * looked for in pieces: who knows which was met. */
static enum ag_err
has_inside(const struct sure *s, const struct entry *entry, bool *ret)
{
    struct inside i = {.sure = s, .whole = entry->value};
    enum ag_err err =
        secret_len(entry->value) <= MATCHER_PIECE_MAX_BYTES
            ? redaction_entries(s->core, s->secret, s->value, try_inside, &i)
            : AG_OK;

    *ret = i.found;
    return err;
}

enum ag_err
sure_is(const struct sure *s, uint64_t index, bool *ret)
{
    struct entry entry = {.index = index};
    enum ag_err err =
        redaction_entries(s->core, s->secret, s->value, find_entry, &entry);

    *ret = false;
    if (err == AG_OK && entry.value != NULL) {
        err = decide(s, &entry, ret);
        if (err == AG_OK && !*ret) {
            err = has_inside(s, &entry, ret);
        }
    }
    secret_free(entry.value);
    return err;
}
