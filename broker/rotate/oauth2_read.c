/* What an answer makes of a login. */
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/parse.h"
#include "base/secret.h"
#include "rotate/oauth2_doc.h"
#include "rotate/oauth2_impl.h"
#include "wire/json.h"

enum {
    EXPIRES_DEFAULT_S = 3600, /* an answer that does not say; a 401 corrects */
    EXPIRES_MAX_S = 10 * 366 * 24 * 3600,
};

void
oauth2_result_done(struct oauth2_result *result)
{
    secret_free(AG_TAKE(result->content));
}

/* In seconds; of a date nothing is believed: the back-off has its own time. */
static int64_t
retry_after(struct span text)
{
    uint64_t seconds = 0;

    if (text.len == 0 || parse_u64(text, UINT32_MAX, &seconds) != AG_OK) {
        return 0;
    }
    return seconds < OAUTH2_RETRY_MAX_MS / 1000 ? (int64_t)seconds * 1000
                                                : OAUTH2_RETRY_MAX_MS;
}

/* A code is a word; anything else might be anything. */
static bool
is_code(struct span text)
{
    for (size_t i = 0; i < text.len; i++) {
        if (!oauth2_is_unreserved(text.ptr[i])) {
            return false;
        }
    }
    return text.len > 0 && text.len < OAUTH2_CODE_BYTES;
}

static const json_t *
code_in(const json_t *tree)
{
    const json_t *error = json_object_get(tree, "error");

    if (json_is_object(error)) {
        error = json_object_get(error, "code");
    }
    return json_is_string(error) ? error : json_object_get(tree, "code");
}

/* For good are the codes that the profile knows, and no others: a service that
 * is confused for a while must not end a login. */
static bool
is_permanent(const struct profile_refresh *r, struct span code)
{
    for (size_t i = 0; i < r->permanent.count; i++) {
        if (span_is(code, r->permanent.items[i])) {
            return true;
        }
    }
    return r->permanent.count == 0 && span_is(code, "invalid_grant");
}

static void
read_refusal(const struct oauth2_login *login,
             const struct oauth2_answer *answer, const json_t *tree,
             struct oauth2_result *ret)
{
    const json_t *code = code_in(tree);
    struct span text =
        json_is_string(code) ? wjson_view(code) : span_of(NULL, 0);

    ret->outcome = OAUTH2_LATER;
    ret->retry_after_ms = retry_after(answer->retry_after);
    (void)snprintf(ret->code, sizeof(ret->code), "http_%d", answer->status);
    if (answer->status < 400 || answer->status > 499 || !is_code(text)) {
        return;
    }
    if (is_permanent(login->refresh, text)) {
        ret->outcome = OAUTH2_DENIED;
        ret->retry_after_ms = 0;
    }
    /* Of the service's words only those that the profile knows are told. */
    if (ret->outcome == OAUTH2_DENIED) {
        (void)snprintf(ret->code, sizeof(ret->code), "%.*s", (int)text.len,
                       (const char *)text.ptr);
    }
}

/* Is there something in the place of a token? */
static bool
has_members(const struct profile_refresh *r, const json_t *tree)
{
    for (size_t i = 0; i < r->replaces.count; i++) {
        const json_t *value =
            json_object_get(tree, r->replaces.items[i].member);

        if (value != NULL && !json_is_null(value)) {
            return true;
        }
    }
    return false;
}

/* The new tokens, as fields to be replaced. False: it is no good answer. */
static bool
take_members(const struct profile_refresh *r, const json_t *tree,
             struct oauth2_doc *doc)
{
    bool any = false;

    for (size_t i = 0; i < r->replaces.count; i++) {
        const json_t *value =
            json_object_get(tree, r->replaces.items[i].member);

        if (value == NULL || json_is_null(value)) {
            continue;
        }
        if (!json_is_string(value) || !oauth2_is_token(wjson_view(value)) ||
            !oauth2_doc_add(doc, r->replaces.items[i].field,
                            wjson_view(value))) {
            return false;
        }
        any = true;
    }
    return any;
}

static bool
add_expiry(const struct profile_refresh *r, const json_t *tree, int64_t now_ms,
           struct oauth2_doc *doc)
{
    const json_t *value = json_object_get(tree, "expires_in");
    int64_t seconds =
        json_is_integer(value) ? json_integer_value(value) : EXPIRES_DEFAULT_S;
    int64_t until_ms = 0;

    /* The tokens are good whatever is said of their end. */
    seconds = seconds < 0 ? 0 : seconds;
    seconds = seconds < EXPIRES_MAX_S ? seconds : EXPIRES_MAX_S;
    until_ms = now_ms + seconds * 1000;
    switch (r->expiry_field != NULL ? r->expiry : EXPIRY_NONE) {
    case EXPIRY_NONE:
    case EXPIRY_JWT:
        return true;
    case EXPIRY_MS:
        (void)snprintf(doc->expiry, sizeof(doc->expiry), "%lld",
                       (long long)until_ms);
        break;
    case EXPIRY_SECONDS:
        (void)snprintf(doc->expiry, sizeof(doc->expiry), "%lld",
                       (long long)(until_ms / 1000));
        break;
    case EXPIRY_TIME:
        clock_text(until_ms, doc->expiry);
        break;
    }
    return oauth2_doc_add(doc, r->expiry_field, span_str(doc->expiry));
}

/* The same of what can't be parsed. */
static bool
speaks_of_tokens(const struct profile_refresh *r, struct span body)
{
    char word[OAUTH2_CODE_BYTES];

    for (size_t i = 0; i < r->replaces.count; i++) {
        int n =
            snprintf(word, sizeof(word), "\"%s\"", r->replaces.items[i].member);

        if (n > 0 && (size_t)n < sizeof(word) && body.len > 0 &&
            memmem(body.ptr, body.len, word, (size_t)n) != NULL) {
            return true;
        }
    }
    return false;
}

/* Where tokens were, the service has made new ones: asked again with the old it
 * would take that for theft, or say no for ever. */
static void
say_malformed(bool had_tokens, struct oauth2_result *ret)
{
    ret->outcome = had_tokens ? OAUTH2_DENIED : OAUTH2_LATER;
    ret->retry_after_ms = had_tokens ? 0 : ret->retry_after_ms;
    (void)snprintf(ret->code, sizeof(ret->code), "%s",
                   had_tokens ? OAUTH2_UNUSABLE : "malformed_answer");
}

static enum ag_err
read_tokens(const struct oauth2_login *login,
            const struct oauth2_answer *answer, const json_t *tree,
            struct oauth2_result *ret)
{
    const struct profile_refresh *r = login->refresh;
    struct oauth2_doc doc = {0};
    enum ag_err err = AG_OK;

    say_malformed(has_members(r, tree), ret);
    if (!take_members(r, tree, &doc) ||
        !add_expiry(r, tree, answer->now_ms, &doc)) {
        return AG_OK;
    }
    if (r->stamp_field != NULL) {
        clock_text(answer->now_ms, doc.stamp);
        if (!oauth2_doc_add(&doc, r->stamp_field, span_str(doc.stamp))) {
            return AG_OK;
        }
    }
    err = oauth2_doc_make(&doc, login->content, login->format, &ret->content);
    /* Also when it failed: it is a good answer, to be read again. */
    ret->outcome = OAUTH2_FRESH;
    (void)snprintf(ret->code, sizeof(ret->code), "ok");
    return err;
}

enum ag_err
oauth2_read(const struct oauth2_login *login,
            const struct oauth2_answer *answer, struct oauth2_result *ret)
{
    AG_AUTO(wjson) json_t *tree = NULL;
    bool good = answer->status >= 200 && answer->status < 300;
    enum ag_err err = wjson_parse(answer->body, OAUTH2_ANSWER_MAX_BYTES, &tree);

    if (oauth2_is_memory(err)) {
        return err;
    }
    if (!good || err != AG_OK) {
        read_refusal(login, answer, tree, ret);
        if (good) {
            say_malformed(speaks_of_tokens(login->refresh, answer->body), ret);
        }
        return AG_OK;
    }
    return read_tokens(login, answer, tree, ret);
}
