/*
 * github-app: an installation token of a GitHub App for each task, for some
 * repositories and with some of the installation's permissions. The source is
 * the app's private key (PEM). Parameters: app (its client id or app id),
 * installation (a number), repositories (names), permissions ("contents:read"),
 * endpoint (https://HOST/api/v3 of GitHub Enterprise).
 *
 * Source: GitHub REST API, "Create an installation access token for an app" and
 * "Revoke an installation access token"; "Generating a JSON Web Token (JWT)".
 * Tokens are opaque: those of 40 characters and those of several hundred.
 *
 * The handle is nowhere at GitHub: a token whose answer was lost can't be named,
 * and ends by itself, an hour after it was made.
 *
 * Values in memory: the token and the body it came in are locked; the JWT is in
 * buffers that are wiped. Of the key see tls/rs256.h.
 */
#include <stdio.h>
#include <string.h>

#include <sodium.h>

#include "base/buf.h"
#include "base/parse.h"
#include "base/secret.h"
#include "rotate/github_params.h"
#include "rotate/minters.h"
#include "rotate/service.h"
#include "tls/rs256.h"
#include "wire/json.h"

enum {
    JWT_MAX_BYTES = 2048,
    /* GitHub takes no JWT that is good for more than ten minutes, and its clock
     * may be behind ours. */
    JWT_BEFORE_S = 60,
    JWT_LIFE_S = 540,
    TOKEN_LIFE_MS = 3600 * 1000, /* whatever is asked for */
    TOKEN_MIN_BYTES = 20,
    TOKEN_MAX_BYTES = 8 * 1024,
    BODY_MAX_BYTES = 8 * 1024,
    MS_PER_S = 1000,
};

/* ---- the app's word ---- */

static enum ag_err
add_base64(struct span in, struct buf *out)
{
    const int variant = sodium_base64_VARIANT_URLSAFE_NO_PADDING;
    size_t len = sodium_base64_encoded_len(in.len, variant); /* with a NUL */
    uint8_t *room = NULL;
    enum ag_err err = buf_room(out, len, &room);

    if (err == AG_OK) {
        (void)sodium_bin2base64((char *)room, len, in.ptr, in.len, variant);
        buf_grew(out, len - 1);
    }
    return err;
}

static enum ag_err
add_json(json_t *tree, struct buf *out)
{
    AG_AUTO(wjson) json_t *owned = tree;
    AG_AUTO(buf) struct buf text;
    enum ag_err err = AG_ENOMEM;

    buf_init(&text, JWT_MAX_BYTES, BUF_PLAIN);
    if (owned != NULL) {
        err = wjson_dump(owned, &text);
    }
    return err == AG_OK ? add_base64(buf_view(&text), out) : err;
}

/* Appends it. Errors: AG_EINVAL the source is no such key. */
static enum ag_err
add_jwt(const struct minter_call *call, struct buf *out)
{
    uint8_t signature[RS256_MAX_BYTES];
    int64_t now_s = call->now_ms / MS_PER_S;
    size_t begin = out->len;
    size_t len = 0;
    enum ag_err err =
        add_json(json_pack("{s:s, s:s}", "alg", "RS256", "typ", "JWT"), out);

    if (err == AG_OK) {
        err = buf_add_str(out, ".");
    }
    if (err == AG_OK) {
        err = add_json(json_pack("{s:I, s:I, s:O}", "iat",
                                 (json_int_t)(now_s - JWT_BEFORE_S), "exp",
                                 (json_int_t)(now_s + JWT_LIFE_S), "iss",
                                 json_object_get(call->params, "app")),
                       out);
    }
    if (err == AG_OK) {
        err = rs256_sign(secret_view(call->source),
                         span_sub(buf_view(out), begin, out->len - begin),
                         signature, &len);
    }
    if (err == AG_OK) {
        err = buf_add_str(out, ".");
    }
    return err == AG_OK ? add_base64(span_of(signature, len), out) : err;
}

/* ---- one request ---- */

struct ask {
    const char *method;
    const char *target;
    struct span body;
    struct span authorization;
};

static enum ag_err
ask_for(const struct minter_call *call, const struct ask *ask,
        struct service_answer *ret)
{
    const struct upstream_field fields[] = {
        {span_str("Authorization"), ask->authorization, true},
        {span_str("Accept"), span_str("application/vnd.github+json"), false},
        {span_str("User-Agent"), span_str("auth-guard"), false},
        {span_str("X-GitHub-Api-Version"), span_str("2022-11-28"), false},
        {span_str("Content-Type"), span_str("application/json"), false},
    };
    struct service_base base = {.plain = false};
    const struct service_request request = {
        .base = &base,
        .method = ask->method,
        .target = ask->target,
        .fields = fields,
        .field_count =
            ask->body.len > 0 ? AG_COUNT(fields) : AG_COUNT(fields) - 1,
        .body = ask->body,
        .owner = service_owner(call->source),
    };
    enum ag_err err = github_base(call->params, &base);

    return err == AG_OK ? service_call(call->upstream, &request, ret) : err;
}

static void
settle(struct minter_answer *ret, enum rotator_outcome outcome,
       const char *code)
{
    ret->outcome = outcome;
    (void)snprintf(ret->code, sizeof(ret->code), "%s", code);
}

/* ---- mint ---- */

static bool
is_token(struct span text)
{
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] <= 0x20 || text.ptr[i] >= 0x7f) {
            return false;
        }
    }
    return text.len >= TOKEN_MIN_BYTES && text.len <= TOKEN_MAX_BYTES;
}

/* AG_EINVAL: it can't be read. */
static enum ag_err
read_token(const struct service_answer *answer, struct minter_answer *ret)
{
    AG_AUTO(wjson) json_t *tree = NULL;
    const json_t *token = NULL;
    const json_t *expires = NULL;
    int64_t expires_ms = 0;
    enum ag_err err =
        wjson_parse(secret_view(answer->body), SERVICE_ANSWER_MAX_BYTES, &tree);

    if (err != AG_OK) {
        return err == AG_ENOMEM ? err : AG_EINVAL;
    }
    token = json_object_get(tree, "token");
    expires = json_object_get(tree, "expires_at");
    if (!json_is_string(token) || !is_token(wjson_view(token)) ||
        !json_is_string(expires) ||
        parse_time_ms(wjson_view(expires), &expires_ms) != AG_OK) {
        return AG_EINVAL;
    }
    err = secret_from(wjson_view(token), &ret->value);
    if (err == AG_OK) {
        ret->expires_ms = expires_ms;
    }
    return err;
}

static const char *
refusal(int status)
{
    switch (status) {
    case 401:
        return "key_refused";
    case 404:
        return "installation_unknown";
    case 422:
        return "parameters_refused";
    default:
        return NULL;
    }
}

static enum ag_err
judge_mint(const struct service_answer *answer, struct minter_answer *ret)
{
    const char *code = refusal(answer->status);
    enum ag_err err = AG_OK;

    ret->outcome = service_outcome(answer, ret->code);
    if (ret->outcome == ROTATOR_REFUSED && code != NULL &&
        answer->end == SERVICE_ANSWERED) {
        settle(ret, ROTATOR_REFUSED, code);
    }
    if (ret->outcome != ROTATOR_DONE) {
        return AG_OK;
    }
    err = answer->status == 201 ? read_token(answer, ret) : AG_EINVAL;
    if (err == AG_EINVAL) {
        settle(ret, ROTATOR_UNSURE, "garbage");
        return AG_OK;
    }
    return err;
}

static enum ag_err
mint(const struct minter_call *call, struct minter_answer *ret)
{
    AG_AUTO(buf) struct buf jwt;
    AG_AUTO(buf) struct buf body;
    AG_AUTO(service_answer) struct service_answer answer = {0};
    char installation[GITHUB_INSTALLATION_BYTES] = "";
    char target[GITHUB_INSTALLATION_BYTES + 48];
    struct ask ask = {.method = "POST", .target = target};
    enum ag_err err = AG_OK;

    buf_init(&jwt, JWT_MAX_BYTES + RS256_MAX_BYTES, BUF_WIPE);
    buf_init(&body, BODY_MAX_BYTES, BUF_PLAIN);
    if (!github_installation(call->params, installation)) {
        return AG_EINVAL;
    }
    (void)snprintf(target, sizeof(target),
                   "/app/installations/%s/access_tokens", installation);
    err = buf_add_str(&jwt, "Bearer ");
    if (err == AG_OK) {
        err = add_jwt(call, &jwt);
    }
    if (err == AG_EINVAL) {
        settle(ret, ROTATOR_REFUSED, "not_a_private_key");
        return AG_OK;
    }
    if (err == AG_OK) {
        err = github_body(call->params, &body);
    }
    if (err == AG_OK) {
        ask.authorization = buf_view(&jwt);
        ask.body = buf_view(&body);
        err = ask_for(call, &ask, &answer);
    }
    return err == AG_OK ? judge_mint(&answer, ret) : err;
}

/* ---- revoke ---- */

static enum ag_err
revoke(const struct minter_call *call, struct minter_answer *ret)
{
    AG_AUTO(buf) struct buf authorization;
    AG_AUTO(service_answer) struct service_answer answer = {0};
    struct ask ask = {.method = "DELETE", .target = "/installation/token"};
    enum ag_err err = AG_OK;

    buf_init(&authorization, TOKEN_MAX_BYTES + 16, BUF_WIPE);
    if (call->now_ms >= call->expires_ms) {
        settle(ret, ROTATOR_DONE, "ended_by_itself");
        return AG_OK;
    }
    if (call->value == NULL) {
        settle(ret, ROTATOR_LATER, "ends_by_itself");
        return AG_OK;
    }
    err = buf_add_str(&authorization, "Bearer ");
    if (err == AG_OK) {
        err = buf_add(&authorization, secret_view(call->value));
    }
    if (err == AG_OK) {
        ask.authorization = buf_view(&authorization);
        err = ask_for(call, &ask, &answer);
    }
    if (err != AG_OK) {
        return err;
    }
    ret->outcome = service_outcome(&answer, ret->code);
    if (answer.end == SERVICE_ANSWERED && answer.status == 401) {
        settle(ret, ROTATOR_DONE, "dead_already");
    } else if (ret->outcome == ROTATOR_DONE && answer.status != 204) {
        settle(ret, ROTATOR_UNSURE, "garbage");
    }
    return AG_OK;
}

/* By signing with it, as a mint does. */
static enum ag_err
suits(const json_t *params, const struct secret *source)
{
    uint8_t signature[RS256_MAX_BYTES];
    size_t len = 0;
    enum ag_err err =
        rs256_sign(secret_view(source), span_str("."), signature, &len);

    (void)params;
    return err == AG_EINVAL
               ? err_why(err,
                         "github-app: the source is no RSA private key of %d "
                         "to %d bits in PEM without a passphrase; put the .pem "
                         "file that GitHub gives out for the app",
                         RS256_BITS_LEAST, RS256_BITS_MOST)
               : err;
}

static enum ag_err
act(const struct minter_call *call, struct minter_answer *ret)
{
    switch (call->act) {
    case MINTER_MINT:
        return mint(call, ret);
    case MINTER_REVOKE:
        return revoke(call, ret);
    case MINTER_RENEW:
        break; /* the end of a token can't be moved */
    }
    return AG_EINTERNAL;
}

const struct minter MINTER_GITHUB_APP = {
    .name = "github-app",
    .life_least_ms = TOKEN_LIFE_MS + SERVICE_LIMIT_MS,
    .check = github_check,
    .suits = suits,
    .act = act,
};
