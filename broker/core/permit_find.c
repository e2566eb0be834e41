/* Placeholders in a request's head: all of them, wherever they stand. */
#include "core/permit_find.h"

#include "base/encode.h"
#include "base/secret.h"
#include "core/recent.h"
#include "crypt/token.h"
#include "profile/placeholder.h"

static enum ag_err
add(struct finds *f, uint64_t id, size_t where)
{
    for (size_t i = 0; i < f->count; i++) {
        if (f->items[i].id == id && f->items[i].where == where) {
            f->items[i].seen += where == FIND_QUERY || where == FIND_BODY;
            return AG_OK;
        }
    }
    if (f->count == FINDS_MAX_COUNT) {
        return err_why(AG_EPLACE, "too many placeholders in one request");
    }
    f->items[f->count++] = (struct find){.id = id, .where = where, .seen = 1};
    return AG_OK;
}

enum ag_err
finds_note(struct finds *f, uint64_t id, size_t where)
{
    enum ag_err err = AG_OK;

    for (size_t i = 0; i < f->count; i++) {
        if (f->items[i].id == id && f->items[i].where == where) {
            f->items[i].placed = true;
            return AG_OK;
        }
    }
    err = add(f, id, where);
    if (err == AG_OK) {
        f->items[f->count - 1].placed = true;
    }
    return err;
}

/* A token of the broker's, where it would be sent on. token_parse() looks at the
 * beginning too, and raises an error with a sentence at each byte of a text. */
static enum ag_err
check_tokens(struct span text)
{
    static const char PREFIX[] = "agt_";
    uint8_t raw[TOKEN_RAW_BYTES];

    for (size_t i = 0; i + TOKEN_CHARS <= text.len; i++) {
        if (span_starts(span_sub(text, i, text.len), span_str(PREFIX)) &&
            token_parse(TOKEN_TASK, span_sub(text, i, TOKEN_CHARS), raw) ==
                AG_OK) {
            wipe(raw, sizeof(raw));
            return err_why(AG_EPLACE,
                           "a token of the broker's would be sent on");
        }
    }
    return AG_OK;
}

enum ag_err
finds_read(const struct finds *f, const struct secret *key, struct span text,
           uint64_t *ret_id)
{
    for (size_t i = 0; i < f->known_count; i++) {
        if (f->known[i].text.ptr == text.ptr &&
            f->known[i].text.len == text.len) {
            *ret_id = f->known[i].id;
            return AG_OK;
        }
    }
    return placeholder_read(key, text, ret_id);
}

static void
keep_known(struct finds *f, struct span text, uint64_t id)
{
    if (f->known_count < FINDS_KNOWN_MAX_COUNT) {
        f->known[f->known_count++] = (struct find_known){text, id};
    }
}

static enum ag_err
read_whole(const struct finds *f, const struct secret *key, struct span text,
           uint64_t *ret_id)
{
    enum ag_err err = AG_OK;

    if (f->recent != NULL && recent_get(f->recent, f->keyring, text, ret_id)) {
        return AG_OK;
    }
    err = placeholder_read(key, text, ret_id);
    if (err == AG_OK && f->recent != NULL) {
        recent_put(f->recent, f->keyring, text, *ret_id);
    }
    return err;
}

/* One that is whole, and may be of the short ones that a scan does not see.
 * `stays`: the text is the request's own, and found again by finds_read(). */
static enum ag_err
look_whole(const struct secret *key, struct span text, size_t where, bool stays,
           struct finds *f)
{
    uint64_t id = 0;
    enum ag_err err = read_whole(f, key, text, &id);

    if (err == AG_OK && stays) {
        keep_known(f, text, id);
    }
    if (err == AG_ENOTFOUND) {
        return AG_OK;
    }
    return err == AG_OK ? add(f, id, where) : err;
}

static struct span
last_word(struct span text)
{
    size_t at = text.len;

    while (at > 0 && text.ptr[at - 1] != ' ') {
        at--;
    }
    return span_sub(text, at, text.len);
}

/* "user:password" in base64. */
static enum ag_err
look_basic(const struct secret *key, struct span word, size_t where,
           struct finds *f)
{
    AG_AUTO(secret) struct secret *plain = NULL;
    enum ag_err err = decode_base64_secret(word, &plain);
    struct span text = {0};
    size_t colon = 0;

    if (err != AG_OK) {
        return err == AG_EINVAL || err == AG_ELIMIT ? AG_OK : err;
    }
    text = secret_view(plain);
    err = check_tokens(text);
    if (err != AG_OK) {
        return err;
    }
    colon = span_find(text, ':');
    err = look_whole(key, span_sub(text, 0, colon), where, false, f);
    return err == AG_OK ? look_whole(key, span_sub(text, colon + 1, text.len),
                                     where, false, f)
                        : err;
}

struct scanning {
    struct finds *finds;
    size_t where;
};

static enum ag_err
on_hit(void *arg, const struct placeholder_hit *hit)
{
    struct scanning *s = arg;

    return add(s->finds, hit->id, s->where);
}

static enum ag_err
scan(const struct secret *key, struct span text, size_t where, struct finds *f)
{
    AG_AUTO(placeholder_scan) struct placeholder_scan *scan = NULL;
    struct scanning s = {.finds = f, .where = where};
    enum ag_err err = placeholder_scan_new(key, on_hit, &s, &scan);

    if (err == AG_OK) {
        err = placeholder_scan_feed(scan, text);
    }
    return err == AG_OK ? placeholder_scan_finish(scan) : err;
}

/* Nothing that is known for sure yet: every place where one could stand. */
static enum ag_err
look_around(const struct secret *key, struct span text, struct span word,
            size_t where, struct finds *f)
{
    enum ag_err err = AG_OK;

    /* The word alone was read before; once more would find nothing either. */
    if (word.len < text.len) {
        err = look_whole(key, text, where, true, f);
    }
    /* The least number that a scan sees has 18 characters. */
    if (err == AG_OK && text.len >= FINDS_SCAN_MIN_BYTES) {
        err = scan(key, text, where, f);
    }
    return err;
}

/* A last word that is a placeholder is ours to the letter (code.h): in it, and
 * in less than a scan sees before it, there is no other. But of user and
 * password only the latter is. */
static enum ag_err
look_field(const struct secret *key, const struct request_field *field,
           size_t where, struct finds *f)
{
    struct span word = last_word(field->value);
    size_t before = f->known_count;
    enum ag_err err =
        request_is_own_token(field) ? AG_OK : check_tokens(field->value);

    if (err == AG_OK) {
        err = look_whole(key, word, where, true, f);
    }
    if (err == AG_OK) {
        err = look_basic(key, word, where, f);
    }
    if (err == AG_OK && f->known_count > before &&
        field->value.len - word.len < FINDS_SCAN_MIN_BYTES) {
        return AG_OK;
    }
    return err == AG_OK ? look_around(key, field->value, word, where, f) : err;
}

enum ag_err
finds_make(const struct secret *key, const struct request_ask *ask,
           struct finds *ret)
{
    enum ag_err err = check_tokens(ask->path);

    if (err == AG_OK) {
        err = check_tokens(ask->query);
    }
    if (err == AG_OK) {
        err = scan(key, ask->path, FIND_PATH, ret);
    }
    if (err == AG_OK && ask->query.len > 0) {
        err = scan(key, ask->query, FIND_QUERY, ret);
    }
    if (err == AG_OK && ask->body.len > 0) {
        err = scan(key, ask->body, FIND_BODY, ret);
    }
    for (size_t i = 0; err == AG_OK && i < ask->field_count; i++) {
        err = look_field(key, &ask->fields[i], i, ret);
    }
    return err;
}
