#include "profile/conflict.h"

#include "base/parse.h"
#include "base/secret.h"
#include "profile/fields.h"

enum {
    NO_TIME = -1,
};

/* A time in milliseconds: RFC 3339, or a number of seconds or milliseconds.
 * NO_TIME when there is none that can be read. */
static enum ag_err
read_time(struct span content, enum file_format format, const char *field,
          int64_t *ret)
{
    /* Numbers below this are seconds: as milliseconds it is May 1970. */
    static const uint64_t SECONDS_BELOW = 10000000000ULL;
    AG_AUTO(secret) struct secret *text = NULL;
    enum ag_err err = field_get(content, format, span_str(field), &text);
    uint64_t number = 0;

    *ret = NO_TIME;
    if (err == AG_EMEMLOCK || err == AG_ENOMEM) {
        return err;
    }
    if (err != AG_OK) {
        return AG_OK;
    }
    if (parse_u64(secret_view(text), INT64_MAX / 1000, &number) == AG_OK) {
        *ret = (int64_t)(number < SECONDS_BELOW ? number * 1000 : number);
    } else if (parse_time_ms(secret_view(text), ret) != AG_OK) {
        *ret = NO_TIME;
    }
    return AG_OK;
}

/* *ret: it is not of the identity that the current one names. One that names
 * none is not either: by it another identity would come in two steps. */
static enum ag_err
is_other(struct span current, struct span incoming, enum file_format format,
         const char *field, bool *ret)
{
    AG_AUTO(secret) struct secret *a = NULL;
    AG_AUTO(secret) struct secret *b = NULL;
    enum ag_err err = field_get(current, format, span_str(field), &a);

    *ret = false;
    if (err == AG_OK) {
        err = field_get(incoming, format, span_str(field), &b);
    }
    if (err == AG_EMEMLOCK || err == AG_ENOMEM) {
        return err;
    }
    *ret = a != NULL && (b == NULL || !secret_equal(a, b));
    return AG_OK;
}

static enum ag_err
decide_newest(struct span current, struct span incoming,
              enum file_format format, const char *field,
              enum conflict_winner *ret)
{
    int64_t ours = NO_TIME;
    int64_t theirs = NO_TIME;
    enum ag_err err = read_time(current, format, field, &ours);

    if (err == AG_OK) {
        err = read_time(incoming, format, field, &theirs);
    }
    if (err == AG_OK) {
        *ret =
            ours != NO_TIME && theirs < ours ? WINNER_CURRENT : WINNER_INCOMING;
    }
    return err;
}

static enum ag_err
note_one(void *arg, const char *pointer, struct secret *value)
{
    bool *found = arg;

    (void)pointer;
    *found = true;
    secret_free(value);
    return AG_OK;
}

/* *ret: nothing that is secret is in it, where there was something before. What
 * a tool leaves on its way out, or a task to be rid of the login. */
static enum ag_err
is_bare(struct span current, struct span incoming,
        const struct profile_file *file, bool *ret)
{
    bool had = false;
    bool has = false;
    enum ag_err err = fields_secret(incoming, file, note_one, &has);

    if (err == AG_OK && !has) {
        err = fields_secret(current, file, note_one, &had);
    }
    *ret = had && !has;
    return err;
}

enum ag_err
conflict_decide(const struct profile *p, size_t file_index,
                const struct secret *current_value,
                const struct secret *incoming_value, enum conflict_winner *ret)
{
    struct span current = secret_view(current_value);
    struct span incoming = secret_view(incoming_value);
    enum file_format format;
    bool other = false;
    bool bare = false;
    enum ag_err err = AG_OK;

    if (secret_equal(current_value, incoming_value)) {
        *ret = WINNER_SAME;
        return AG_OK;
    }
    if (p == NULL || file_index >= p->files.count) {
        *ret = WINNER_INCOMING;
        return AG_OK;
    }
    format = p->files.items[file_index].format;
    if (fields_check(incoming, format) != AG_OK &&
        fields_check(current, format) == AG_OK) {
        *ret = WINNER_CURRENT;
        return AG_OK;
    }
    err = is_bare(current, incoming, &p->files.items[file_index], &bare);
    if (err == AG_OK && bare) {
        *ret = WINNER_CURRENT;
        return AG_OK;
    }
    if (err == AG_OK && p->conflict->identity != NULL) {
        err =
            is_other(current, incoming, format, p->conflict->identity, &other);
    }
    if (err == AG_OK && other) {
        *ret = WINNER_OTHER_LOGIN;
        return AG_OK;
    }
    if (err == AG_OK && p->conflict->rule == CONFLICT_RULE_NEWEST) {
        return decide_newest(current, incoming, format, p->conflict->field,
                             ret);
    }
    if (err == AG_OK) {
        *ret = WINNER_INCOMING;
    }
    return err;
}
