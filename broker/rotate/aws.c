#include "rotate/aws.h"

#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/parse.h"
#include "base/secret.h"
#include "profile/fields.h"
#include "rotate/oauth2_doc.h"
#include "rotate/sigv4.h"
#include "rotate/xml.h"

enum {
    AUTHORIZATION_MAX_BYTES = 1024,
    FIELD_BYTES = 256, /* a pointer into the value */
    ACTION_PATH_BYTES = 128,
};

#define FORM_TYPE "application/x-www-form-urlencoded; charset=utf-8"

/* ---- keys ---- */

void
aws_key_done(struct aws_key *key)
{
    secret_free(AG_TAKE(key->secret));
    secret_free(AG_TAKE(key->token));
}

static enum file_format
format_of(const struct secret *value)
{
    return format_guess(secret_view(value)) == FORMAT_JSON ? FORMAT_JSON
                                                           : FORMAT_INI;
}

enum part {
    PART_ID,
    PART_SECRET,
    PART_TOKEN,
};

static void
pointer_of(enum file_format format, const char *section, enum part part,
           char out[FIELD_BYTES])
{
    static const char *const JSON[] = {"AccessKeyId", "SecretAccessKey",
                                       "SessionToken"};
    static const char *const INI[] = {
        "aws_access_key_id", "aws_secret_access_key", "aws_session_token"};

    if (format == FORMAT_JSON) {
        (void)snprintf(out, FIELD_BYTES, "/%s", JSON[part]);
    } else {
        (void)snprintf(out, FIELD_BYTES, "/%s/%s",
                       section != NULL ? section : "default", INI[part]);
    }
}

static enum ag_err
part_of(const struct secret *value, const char *section, enum part part,
        struct secret **ret)
{
    char pointer[FIELD_BYTES];
    enum file_format format = format_of(value);

    pointer_of(format, section, part, pointer);
    return field_get(secret_view(value), format, span_str(pointer), ret);
}

/* Of visible ASCII, and no more than that. */
static bool
is_word(const struct secret *text, size_t most)
{
    struct span view = secret_view(text);

    for (size_t i = 0; i < view.len; i++) {
        if (view.ptr[i] <= 0x20 || view.ptr[i] >= 0x7f) {
            return false;
        }
    }
    return view.len > 0 && view.len <= most;
}

enum ag_err
aws_key_read(const struct secret *value, const char *section,
             struct aws_key *ret)
{
    AG_AUTO(secret) struct secret *id = NULL;
    AG_AUTO(aws_key) struct aws_key key = {0};
    enum ag_err err = part_of(value, section, PART_ID, &id);

    if (err == AG_OK) {
        err = part_of(value, section, PART_SECRET, &key.secret);
    }
    if (err == AG_OK) {
        err = part_of(value, section, PART_TOKEN, &key.token);
        err = err == AG_ENOTFOUND ? AG_OK : err;
    }
    if (err == AG_EMEMLOCK || err == AG_ENOMEM) {
        return err;
    }
    if (err != AG_OK || !is_word(id, AWS_KEY_ID_BYTES - 1) ||
        !is_word(key.secret, SIGV4_SECRET_MAX_BYTES) ||
        (key.token != NULL && !is_word(key.token, SECRET_MAX_BYTES))) {
        return err_why(AG_EINVAL, "the value has no access key: JSON with "
                                  "AccessKeyId and SecretAccessKey, or a file "
                                  "of credentials as the AWS CLI has it");
    }
    (void)snprintf(ret->id, sizeof(ret->id), "%.*s", (int)secret_len(id),
                   (const char *)secret_view(id).ptr);
    ret->secret = AG_TAKE(key.secret);
    ret->token = AG_TAKE(key.token);
    return AG_OK;
}

enum ag_err
aws_key_replace(const struct secret *value, const char *section, const char *id,
                struct span secret, struct secret **ret)
{
    char id_at[FIELD_BYTES];
    char secret_at[FIELD_BYTES];
    enum file_format format = format_of(value);
    struct oauth2_doc doc = {.count = 0};

    pointer_of(format, section, PART_ID, id_at);
    pointer_of(format, section, PART_SECRET, secret_at);
    if (!oauth2_doc_add(&doc, id_at, span_str(id)) ||
        !oauth2_doc_add(&doc, secret_at, secret)) {
        return AG_ELIMIT;
    }
    return oauth2_doc_make(&doc, secret_view(value), format, ret);
}

enum ag_err
aws_section_check(const json_t *section)
{
    const char *name = json_string_value(section);

    return name != NULL && parse_name(span_str(name)) == AG_OK &&
                   strchr(name, '/') == NULL
               ? AG_OK
               : err_why(AG_EINVAL, "section: of the file, like default");
}

/* ---- where ---- */

/* Source: AWS, service endpoints of IAM and STS. */
static const struct partition {
    const char *regions; /* how they begin */
    const char *domain;
    const char *iam_host;
    const char *iam_region;
} PARTITIONS[] = {
    {"cn-", "amazonaws.com.cn", "iam.cn-north-1.amazonaws.com.cn",
     "cn-north-1"},
    {"us-gov-", "amazonaws.com", "iam.us-gov.amazonaws.com", "us-gov-west-1"},
    {"", "amazonaws.com", "iam.amazonaws.com", "us-east-1"},
};

static bool
is_region(const char *text)
{
    size_t len = strlen(text);

    return len > 0 && len < AWS_REGION_BYTES &&
           strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789-") == len &&
           text[0] != '-' && text[len - 1] != '-';
}

enum ag_err
aws_site_of(const json_t *params, enum aws_service service,
            struct aws_site *ret)
{
    const json_t *given = json_object_get(params, "region");
    const json_t *endpoint = json_object_get(params, "endpoint");
    const char *region = given != NULL ? json_string_value(given) : "us-east-1";
    const struct partition *p = PARTITIONS;
    char url[SERVICE_URL_MAX_BYTES];

    if (region == NULL || !is_region(region)) {
        return err_why(AG_EINVAL, "region: like eu-central-1");
    }
    while (strncmp(region, p->regions, strlen(p->regions)) != 0) {
        p++;
    }
    ret->service = service;
    (void)snprintf(ret->region, sizeof(ret->region), "%s",
                   service == AWS_IAM ? p->iam_region : region);
    if (endpoint != NULL) {
        return json_is_string(endpoint)
                   ? service_base_read(json_string_value(endpoint), true,
                                       &ret->base)
                   : AG_EINVAL;
    }
    if (service == AWS_IAM) {
        (void)snprintf(url, sizeof(url), "https://%s", p->iam_host);
    } else {
        (void)snprintf(url, sizeof(url), "https://sts.%s.%s", region,
                       p->domain);
    }
    return service_base_read(url, false, &ret->base);
}

/* ---- calls ---- */

static enum ag_err
add_encoded(struct buf *form, const char *text)
{
    static const char PLAIN[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrst"
                                "uvwxyz0123456789-._~";
    enum ag_err err = AG_OK;

    for (; err == AG_OK && *text != '\0'; text++) {
        err = strchr(PLAIN, *text) != NULL
                  ? buf_add_byte(form, (uint8_t)*text)
                  : buf_fmt(form, "%%%02X", (unsigned)(uint8_t)*text);
    }
    return err;
}

enum ag_err
aws_form_add(struct buf *form, const char *name, const char *value)
{
    enum ag_err err = form->len > 0 ? buf_add_byte(form, '&') : AG_OK;

    err = err == AG_OK ? add_encoded(form, name) : err;
    err = err == AG_OK ? buf_add_byte(form, '=') : err;
    return err == AG_OK ? add_encoded(form, value) : err;
}

/* What its words for errors mean. */
static const struct word {
    const char *says;
    enum rotator_outcome outcome;
    const char *code;
} WORDS[] = {
    {"AccessDenied", ROTATOR_REFUSED, "access_denied"},
    {"ConcurrentModification", ROTATOR_LATER, "busy"},
    {"EntityTemporarilyUnmodifiable", ROTATOR_LATER, "busy"},
    {"ExpiredToken", ROTATOR_REFUSED, "key_expired"},
    {"InvalidClientTokenId", ROTATOR_REFUSED, "key_unknown"},
    {"LimitExceeded", ROTATOR_REFUSED, "two_keys"},
    {"MalformedPolicyDocument", ROTATOR_REFUSED, "policy_refused"},
    {"NoSuchEntity", ROTATOR_REFUSED, "not_there"},
    {"PackedPolicyTooLarge", ROTATOR_REFUSED, "policy_too_large"},
    {"RegionDisabledException", ROTATOR_REFUSED, "region_disabled"},
    {"RequestExpired", ROTATOR_REFUSED, "clock_wrong"},
    {"RequestLimitExceeded", ROTATOR_LATER, "throttled"},
    {"ServiceUnavailable", ROTATOR_LATER, "unavailable"},
    {"SignatureDoesNotMatch", ROTATOR_REFUSED, "signature_refused"},
    {"Throttling", ROTATOR_LATER, "throttled"},
    {"ThrottlingException", ROTATOR_LATER, "throttled"},
    {"ValidationError", ROTATOR_REFUSED, "parameters_refused"},
};

void
aws_answer_done(struct aws_answer *answer)
{
    service_answer_done(&answer->http);
}

enum ag_err
aws_text(const struct aws_answer *answer, const char *path, size_t nth,
         struct span *ret)
{
    return xml_text(secret_view(answer->http.body), path, nth, ret);
}

static void
judge(const char *action, struct aws_answer *a)
{
    char path[ACTION_PATH_BYTES];
    struct span word = {0};
    enum ag_err err = AG_OK;

    a->outcome = service_outcome(&a->http, a->code);
    if (a->http.end != SERVICE_ANSWERED) {
        return;
    }
    if (a->outcome == ROTATOR_DONE) {
        /* Every answer of a done action names its request. */
        (void)snprintf(path, sizeof(path),
                       "%sResponse/ResponseMetadata/RequestId", action);
        err = aws_text(a, path, 0, &word);
        if (a->http.status != 200 || err != AG_OK) {
            a->outcome = ROTATOR_UNSURE;
            (void)snprintf(a->code, sizeof(a->code), "garbage");
        }
        return;
    }
    if (aws_text(a, "ErrorResponse/Error/Code", 0, &word) != AG_OK) {
        return;
    }
    for (size_t i = 0; i < AG_COUNT(WORDS); i++) {
        if (a->outcome != ROTATOR_UNSURE && span_is(word, WORDS[i].says)) {
            a->outcome = WORDS[i].outcome;
            (void)snprintf(a->code, sizeof(a->code), "%s", WORDS[i].code);
        }
    }
}

struct signing {
    const struct aws_site *site;
    const struct aws_key *key;
    struct span form;
    char date[SIGV4_DATE_BYTES];
};

static enum ag_err
sign(const struct signing *s, struct buf *out)
{
    const struct sigv4_field fields[] = {
        {"content-type", span_str(FORM_TYPE)},
        {"host", span_str(s->site->base.authority)},
        {"x-amz-date", span_str(s->date)},
        {"x-amz-security-token",
         s->key->token != NULL ? secret_view(s->key->token) : span_of(NULL, 0)},
    };
    char path[SERVICE_PATH_BYTES + 1];
    const struct sigv4_request request = {
        .method = "POST",
        .path = path,
        .query = "",
        .fields = fields,
        .field_count =
            s->key->token != NULL ? AG_COUNT(fields) : AG_COUNT(fields) - 1,
        .body = s->form,
        .key_id = s->key->id,
        .secret_key = secret_view(s->key->secret),
        .region = s->site->region,
        .service = s->site->service == AWS_IAM ? "iam" : "sts",
        .date = s->date,
    };

    (void)snprintf(path, sizeof(path), "%s/", s->site->base.path);
    return sigv4_sign(&request, out);
}

enum ag_err
aws_call(struct upstream *upstream, const struct aws_site *site,
         const struct aws_key *key, const char *action, struct span form,
         struct aws_answer *ret)
{
    struct signing signing = {site, key, form, ""};
    AG_AUTO(buf) struct buf authorization;
    struct upstream_field fields[] = {
        {span_str("Content-Type"), span_str(FORM_TYPE), false},
        {span_str("X-Amz-Date"), {0}, false},
        {span_str("Authorization"), {0}, true},
        {span_str("X-Amz-Security-Token"), {0}, true},
    };
    struct service_request request = {
        .base = &site->base,
        .method = "POST",
        .target = "/",
        .fields = fields,
        .field_count =
            key->token != NULL ? AG_COUNT(fields) : AG_COUNT(fields) - 1,
        .body = form,
        .owner = service_owner(key->secret),
    };
    enum ag_err err = AG_OK;

    buf_init(&authorization, AUTHORIZATION_MAX_BYTES, BUF_WIPE);
    sigv4_date(clock_wall_ms(), signing.date);
    err = sign(&signing, &authorization);
    if (err != AG_OK) {
        return err;
    }
    fields[1].value = span_str(signing.date);
    fields[2].value = buf_view(&authorization);
    if (key->token != NULL) {
        fields[3].value = secret_view(key->token);
    }
    err = service_call(upstream, &request, &ret->http);
    if (err == AG_OK) {
        judge(action, ret);
    }
    return err;
}
