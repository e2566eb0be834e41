/*
 * aws-sts: a session of a role for each task, by STS's AssumeRole. The source is
 * an access key (rotate/aws.h). Parameters: role (its ARN), policy (a session
 * policy, which narrows what the role may), external_id, region, section,
 * endpoint.
 *
 * The value is what credential_process of the AWS CLI and SDKs takes. The handle
 * is the session's name, as CloudTrail has it. AWS revokes no session: what was
 * made is on record, being revoked, until it ends by itself, by the rule's ttl,
 * but not before 15 minutes.
 */
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/parse.h"
#include "base/secret.h"
#include "rotate/aws.h"
#include "rotate/minters.h"
#include "wire/json.h"

enum {
    DURATION_LEAST_S = 900,
    DURATION_MOST_S = 12 * 3600, /* a role may allow less */
    ROLE_MAX_BYTES = 2048,
    POLICY_MAX_BYTES = 2048, /* AWS's limit of a session policy */
    EXTERNAL_MAX_BYTES = 1224,
    VALUE_MAX_BYTES = 16 * 1024,
    MS_PER_S = 1000,
};

#define STS_VERSION "2011-06-15"
#define MADE        "AssumeRoleResponse/AssumeRoleResult/Credentials/"

/* ---- parameters ---- */

static const char *
param(const json_t *params, const char *name)
{
    return json_string_value(json_object_get(params, name));
}

#define ALNUM "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_"

/* arn:PARTITION:iam::ACCOUNT:role/NAME */
static bool
is_role(const json_t *role)
{
    const char *text = json_string_value(role);

    return text != NULL && strncmp(text, "arn:aws", 7) == 0 &&
           strstr(text, ":role/") != NULL && strlen(text) <= ROLE_MAX_BYTES &&
           strspn(text, ALNUM "+=,.@:/-") == strlen(text);
}

static bool
is_external(const json_t *id)
{
    const char *text = json_string_value(id);
    size_t len = text != NULL ? strlen(text) : 0;

    return id == NULL || (len >= 2 && len <= EXTERNAL_MAX_BYTES &&
                          strspn(text, ALNUM "+=,.@:/-") == len);
}

/* An object of JSON, or the text of one, as it is sent. */
static enum ag_err
write_policy(const json_t *params, struct buf *out)
{
    const json_t *policy = json_object_get(params, "policy");
    AG_AUTO(wjson) json_t *tree = NULL;
    enum ag_err err = AG_EINVAL;

    if (json_is_string(policy)) {
        err = wjson_parse(wjson_view(policy), POLICY_MAX_BYTES, &tree);
    } else if (json_is_object(policy)) {
        tree = json_incref((json_t *)(uintptr_t)policy);
        err = AG_OK;
    }
    if (err == AG_OK) {
        err = json_is_object(tree) ? wjson_dump(tree, out) : AG_EINVAL;
    }
    return err;
}

static enum ag_err
check_policy(const json_t *params)
{
    AG_AUTO(buf) struct buf text;
    enum ag_err err = AG_OK;

    buf_init(&text, POLICY_MAX_BYTES, BUF_PLAIN);
    if (json_object_get(params, "policy") != NULL) {
        err = write_policy(params, &text);
    }
    return err == AG_EINVAL || err == AG_ELIMIT
               ? err_why(AG_EINVAL,
                         "policy: a session policy, an object of JSON of up to "
                         "%d characters",
                         POLICY_MAX_BYTES)
               : err;
}

static enum ag_err
check(const json_t *params)
{
    static const char *const TAKES[] = {
        "role", "policy", "external_id", "region", "section", "endpoint", NULL};
    const json_t *section = json_object_get(params, "section");
    struct aws_site site = {.service = AWS_STS};
    enum ag_err err = AG_OK;

    if (!params_only(params, TAKES)) {
        return err_why(AG_EINVAL, "aws-sts: takes role, policy, external_id, "
                                  "region, section, endpoint");
    }
    if (!is_role(json_object_get(params, "role"))) {
        return err_why(AG_EINVAL,
                       "role: its ARN, arn:aws:iam::123456789012:role/name");
    }
    if (!is_external(json_object_get(params, "external_id"))) {
        return err_why(AG_EINVAL,
                       "external_id: 2 to %d letters, digits, "
                       "+=,.@:/-_",
                       EXTERNAL_MAX_BYTES);
    }
    err = check_policy(params);
    if (err == AG_OK && section != NULL) {
        err = aws_section_check(section);
    }
    return err == AG_OK ? aws_site_of(params, AWS_STS, &site) : err;
}

/* ---- mint ---- */

static void
settle(struct minter_answer *ret, enum rotator_outcome outcome,
       const char *code)
{
    ret->outcome = outcome;
    (void)snprintf(ret->code, sizeof(ret->code), "%s", code);
}

static int64_t
duration_s(const struct minter_call *call)
{
    /* It begins when the answer does: its end must not be after the one that
     * is on record. */
    int64_t s = (call->expires_ms - call->now_ms - SERVICE_LIMIT_MS) / MS_PER_S;

    if (s < DURATION_LEAST_S) {
        return DURATION_LEAST_S;
    }
    return s > DURATION_MOST_S ? DURATION_MOST_S : s;
}

static enum ag_err
write_form(const struct minter_call *call, struct buf *form)
{
    AG_AUTO(buf) struct buf policy;
    const char *external = param(call->params, "external_id");
    char seconds[24];
    enum ag_err err = aws_form_add(form, "Action", "AssumeRole");

    buf_init(&policy, POLICY_MAX_BYTES, BUF_PLAIN);
    (void)snprintf(seconds, sizeof(seconds), "%lld",
                   (long long)duration_s(call));
    if (err == AG_OK) {
        err = aws_form_add(form, "Version", STS_VERSION);
    }
    if (err == AG_OK) {
        err = aws_form_add(form, "RoleArn", param(call->params, "role"));
    }
    if (err == AG_OK) {
        err = aws_form_add(form, "RoleSessionName", call->handle);
    }
    if (err == AG_OK) {
        err = aws_form_add(form, "DurationSeconds", seconds);
    }
    if (err == AG_OK && external != NULL) {
        err = aws_form_add(form, "ExternalId", external);
    }
    if (err == AG_OK && json_object_get(call->params, "policy") != NULL) {
        err = write_policy(call->params, &policy);
        err = err == AG_OK ? aws_form_add(form, "Policy", buf_cstr(&policy))
                           : err;
    }
    return err;
}

/* Letters that need no escape in JSON, which all of AWS's are. */
static bool
is_plain(struct span text)
{
    for (size_t i = 0; i < text.len; i++) {
        uint8_t c = text.ptr[i];

        if (c <= 0x20 || c >= 0x7f || c == '"' || c == '\\') {
            return false;
        }
    }
    return text.len > 0;
}

static enum ag_err
add_member(struct buf *out, const char *name, struct span text)
{
    enum ag_err err = buf_fmt(out, ",\"%s\":\"", name);

    err = err == AG_OK ? buf_add(out, text) : err;
    return err == AG_OK ? buf_add_str(out, "\"") : err;
}

/* The value, in the order that credential_process is documented in.
 * AG_EINVAL: the answer can't be read. */
static enum ag_err
read_session(const struct aws_answer *answer, struct minter_answer *ret)
{
    static const char *const PARTS[] = {"AccessKeyId", "SecretAccessKey",
                                        "SessionToken", "Expiration"};
    AG_AUTO(buf) struct buf value;
    struct span text = {0};
    char path[96];
    enum ag_err err = AG_OK;

    buf_init(&value, VALUE_MAX_BYTES, BUF_WIPE);
    err = buf_add_str(&value, "{\"Version\":1");
    for (size_t i = 0; err == AG_OK && i < AG_COUNT(PARTS); i++) {
        (void)snprintf(path, sizeof(path), MADE "%s", PARTS[i]);
        if (aws_text(answer, path, 0, &text) != AG_OK || !is_plain(text)) {
            return AG_EINVAL;
        }
        err = add_member(&value, PARTS[i], text);
    }
    err = err == AG_OK ? buf_add_str(&value, "}") : err;
    if (err == AG_OK) {
        err = parse_time_ms(text, &ret->expires_ms); /* the last: its end */
    }
    if (err != AG_OK) {
        return err == AG_ELIMIT ? AG_EINVAL : err;
    }
    return secret_from(buf_view(&value), &ret->value);
}

static enum ag_err
mint(const struct minter_call *call, struct minter_answer *ret)
{
    AG_AUTO(aws_key) struct aws_key key = {0};
    AG_AUTO(aws_answer) struct aws_answer answer = {0};
    AG_AUTO(buf) struct buf form;
    struct aws_site site = {.service = AWS_STS};
    enum ag_err err =
        aws_key_read(call->source, param(call->params, "section"), &key);

    buf_init(&form, AWS_FORM_MAX_BYTES, BUF_PLAIN);
    if (err == AG_EINVAL) {
        settle(ret, ROTATOR_REFUSED, "not_an_access_key");
        return AG_OK;
    }
    err = err == AG_OK ? write_form(call, &form) : err;
    err = err == AG_OK ? aws_site_of(call->params, AWS_STS, &site) : err;
    if (err == AG_OK) {
        err = aws_call(call->upstream, &site, &key, "AssumeRole",
                       buf_view(&form), &answer);
    }
    if (err != AG_OK) {
        return err;
    }
    settle(ret, answer.outcome, answer.code);
    if (answer.outcome == ROTATOR_DONE) {
        err = read_session(&answer, ret);
    }
    if (err == AG_EINVAL) {
        settle(ret, ROTATOR_UNSURE, "garbage");
        return AG_OK;
    }
    return err;
}

static enum ag_err
suits(const json_t *params, const struct secret *source)
{
    AG_AUTO(aws_key) struct aws_key key = {0};
    const char *section = param(params, "section");
    enum ag_err err = aws_key_read(source, section, &key);

    return err == AG_EINVAL
               ? err_why(err,
                         "aws-sts: the source has no access key (section %s); "
                         "put JSON with AccessKeyId and SecretAccessKey, or a "
                         "file of credentials as the AWS CLI has it",
                         section != NULL ? section : "default")
               : err;
}

static enum ag_err
act(const struct minter_call *call, struct minter_answer *ret)
{
    switch (call->act) {
    case MINTER_MINT:
        return mint(call, ret);
    case MINTER_REVOKE:
        if (call->now_ms >= call->expires_ms) {
            settle(ret, ROTATOR_DONE, "ended_by_itself");
        } else {
            settle(ret, ROTATOR_LATER, "ends_by_itself");
        }
        return AG_OK;
    case MINTER_RENEW:
        break; /* the end of a session can't be moved */
    }
    return AG_EINTERNAL;
}

const struct minter MINTER_AWS_STS = {
    .name = "aws-sts",
    .ends_alone = true,
    .life_least_ms = DURATION_LEAST_S * MS_PER_S + SERVICE_LIMIT_MS,
    .check = check,
    .suits = suits,
    .act = act,
};
