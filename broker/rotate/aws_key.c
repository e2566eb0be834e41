/*
 * aws-access-key: the access key of an IAM user, made and deleted by the user
 * itself: IAM's CreateAccessKey, UpdateAccessKey, DeleteAccessKey and
 * ListAccessKeys, and STS's GetCallerIdentity to see that the new one works.
 * Parameters: region, section (of a file of credentials), endpoint.
 *
 * A user has two keys at most, and IAM knows no name for a request: what a lost
 * answer left is told by the time it was made. With a second key there at the
 * start nothing is made; so a key that is not the old one and was made since the
 * rotation began, by IAM's own clock, is the rotation's.
 */
#include <poll.h>
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/parse.h"
#include "base/secret.h"
#include "rotate/aws.h"
#include "rotate/rotators.h"

enum {
    KEYS_MAX_COUNT = 8, /* IAM allows two */
    /* IAM and STS are not of one mind at once: a new key may be unknown, and
     * absent from a list, for some seconds. */
    SETTLE_MS = 10 * 1000,
    LIST_SETTLE_MS = 5 * 1000,
    PAUSE_MS = 1000,
    CLOCK_GRAIN_MS = 1000, /* of its times */
};

#define IAM_VERSION "2010-05-08"
#define STS_VERSION "2011-06-15"
#define LISTED                                                                 \
    "ListAccessKeysResponse/ListAccessKeysResult/AccessKeyMetadata/member/"
#define CREATED "CreateAccessKeyResponse/CreateAccessKeyResult/AccessKey/"

/* ---- parameters ---- */

static const char *
section_of(const json_t *params)
{
    return json_string_value(json_object_get(params, "section"));
}

static enum ag_err
check(const json_t *params)
{
    static const char *const TAKES[] = {"region", "section", "endpoint", NULL};
    const json_t *section = json_object_get(params, "section");
    struct aws_site site = {0};
    enum ag_err err = AG_OK;

    if (!params_only(params, TAKES)) {
        return err_why(AG_EINVAL,
                       "aws-access-key: takes region, section, endpoint");
    }
    if (section != NULL) {
        err = aws_section_check(section);
    }
    err = err == AG_OK ? aws_site_of(params, AWS_IAM, &site) : err;
    return err == AG_OK ? aws_site_of(params, AWS_STS, &site) : err;
}

/* ---- one call ---- */

static void
settle(struct rotator_answer *ret, enum rotator_outcome outcome,
       const char *code)
{
    ret->outcome = outcome;
    (void)snprintf(ret->code, sizeof(ret->code), "%s", code);
}

struct ask {
    const struct rotator_call *call;
    const struct aws_key *key; /* who asks */
    enum aws_service service;
    const char *action;
    const char *key_id; /* whom it is about; NULL: nobody */
    bool inactive;
};

static enum ag_err
write_form(const struct ask *ask, struct buf *form)
{
    enum ag_err err = aws_form_add(form, "Action", ask->action);

    if (err == AG_OK) {
        err = aws_form_add(form, "Version",
                           ask->service == AWS_IAM ? IAM_VERSION : STS_VERSION);
    }
    if (err == AG_OK && ask->key_id != NULL) {
        err = aws_form_add(form, "AccessKeyId", ask->key_id);
    }
    if (err == AG_OK && ask->inactive) {
        err = aws_form_add(form, "Status", "Inactive");
    }
    return err;
}

static enum ag_err
ask_for(const struct ask *ask, struct aws_answer *ret)
{
    AG_AUTO(buf) struct buf form;
    struct aws_site site = {0};
    enum ag_err err = AG_OK;

    buf_init(&form, AWS_FORM_MAX_BYTES, BUF_PLAIN);
    err = aws_site_of(ask->call->params, ask->service, &site);
    if (err == AG_OK) {
        err = write_form(ask, &form);
    }
    return err == AG_OK ? aws_call(ask->call->upstream, &site, ask->key,
                                   ask->action, buf_view(&form), ret)
                        : err;
}

/* An act of which only the outcome counts. `gone`: what it is about not being
 * there is as good. */
static enum ag_err
tell(const struct ask *ask, bool gone, struct rotator_answer *ret)
{
    AG_AUTO(aws_answer) struct aws_answer answer = {0};
    enum ag_err err = ask_for(ask, &answer);

    if (err != AG_OK) {
        return err;
    }
    settle(ret, answer.outcome, answer.code);
    if (gone && answer.outcome == ROTATOR_REFUSED &&
        strcmp(answer.code, "not_there") == 0) {
        settle(ret, ROTATOR_DONE, "");
    }
    return AG_OK;
}

static enum ag_err
delete_key(const struct rotator_call *call, const struct aws_key *by,
           const char *key_id, struct rotator_answer *ret)
{
    return tell(&(struct ask){.call = call,
                              .key = by,
                              .service = AWS_IAM,
                              .action = "DeleteAccessKey",
                              .key_id = key_id},
                true, ret);
}

/* ---- which keys there are ---- */

struct other {
    char id[AWS_KEY_ID_BYTES];
    bool is_ours; /* made since the rotation began */
};

struct others {
    struct other keys[KEYS_MAX_COUNT];
    size_t count;
};

/* As IAM's clock has it; what can't be told is nobody's. */
static bool
is_since(const struct rotator_call *call, int64_t created_ms, int64_t date_ms)
{
    int64_t now_ms = clock_wall_ms();
    int64_t began_ms = call->started_ms + (date_ms - now_ms);

    return call->started_ms <= now_ms && created_ms + CLOCK_GRAIN_MS > began_ms;
}

static enum ag_err
read_other(const struct rotator_call *call, const struct aws_answer *answer,
           size_t nth, const char *own_id, struct others *ret)
{
    struct span id = {0};
    struct span created = {0};
    int64_t created_ms = 0;
    struct other *other = &ret->keys[ret->count];
    enum ag_err err = aws_text(answer, LISTED "AccessKeyId", nth, &id);

    if (err != AG_OK) {
        return err;
    }
    err = aws_text(answer, LISTED "CreateDate", nth, &created);
    if (err == AG_OK) {
        err = parse_time_ms(created, &created_ms);
    }
    if (err != AG_OK || id.len == 0 || id.len >= AWS_KEY_ID_BYTES ||
        ret->count == KEYS_MAX_COUNT) {
        return AG_EINVAL;
    }
    if (!span_is(id, own_id)) {
        (void)snprintf(other->id, sizeof(other->id), "%.*s", (int)id.len,
                       (const char *)id.ptr);
        other->is_ours = is_since(call, created_ms, answer->http.date_ms);
        ret->count++;
    }
    return AG_OK;
}

/* Done: *ret has those that are not the one that asks. */
static enum ag_err
list_others(const struct rotator_call *call, const struct aws_key *by,
            struct others *ret, struct rotator_answer *said)
{
    const struct ask ask = {.call = call,
                            .key = by,
                            .service = AWS_IAM,
                            .action = "ListAccessKeys"};
    AG_AUTO(aws_answer) struct aws_answer answer = {0};
    enum ag_err err = ask_for(&ask, &answer);

    if (err != AG_OK) {
        return err;
    }
    settle(said, answer.outcome, answer.code);
    ret->count = 0;
    if (said->outcome != ROTATOR_DONE) {
        return AG_OK;
    }
    for (size_t i = 0; err == AG_OK; i++) {
        err = read_other(call, &answer, i, by->id, ret);
    }
    if (err != AG_ENOTFOUND || answer.http.date_ms == 0) {
        settle(said, ROTATOR_UNSURE, "garbage");
    }
    return AG_OK;
}

/* Deletes what this rotation has made there, of those listed. */
static enum ag_err
delete_ours(const struct rotator_call *call, const struct aws_key *by,
            const struct others *others, struct rotator_answer *ret)
{
    enum ag_err err = AG_OK;

    settle(ret, ROTATOR_DONE, "");
    for (size_t i = 0;
         err == AG_OK && ret->outcome == ROTATOR_DONE && i < others->count;
         i++) {
        if (others->keys[i].is_ours) {
            err = delete_key(call, by, others->keys[i].id, ret);
        }
    }
    return err;
}

/* ---- acts ---- */

static enum ag_err
create(const struct rotator_call *call, const struct aws_key *by,
       struct rotator_answer *ret)
{
    const struct ask ask = {.call = call,
                            .key = by,
                            .service = AWS_IAM,
                            .action = "CreateAccessKey"};
    AG_AUTO(aws_answer) struct aws_answer answer = {0};
    char id[AWS_KEY_ID_BYTES];
    struct span text = {0};
    struct span secret = {0};
    enum ag_err err = ask_for(&ask, &answer);

    if (err != AG_OK) {
        return err;
    }
    settle(ret, answer.outcome, answer.code);
    if (answer.outcome != ROTATOR_DONE) {
        return AG_OK;
    }
    if (aws_text(&answer, CREATED "AccessKeyId", 0, &text) != AG_OK ||
        aws_text(&answer, CREATED "SecretAccessKey", 0, &secret) != AG_OK ||
        text.len == 0 || text.len >= sizeof(id) || secret.len == 0) {
        settle(ret, ROTATOR_UNSURE, "garbage");
        return AG_OK;
    }
    (void)snprintf(id, sizeof(id), "%.*s", (int)text.len,
                   (const char *)text.ptr);
    return aws_key_replace(call->old_value, section_of(call->params), id,
                           secret, &ret->value);
}

static enum ag_err
prepare(const struct rotator_call *call, const struct aws_key *old,
        struct rotator_answer *ret)
{
    struct others others = {.count = 0};
    size_t ours = 0;
    enum ag_err err = list_others(call, old, &others, ret);

    if (err == AG_OK && ret->outcome == ROTATOR_UNSURE) {
        ret->outcome = ROTATOR_LATER; /* it only looked */
    }
    for (size_t i = 0; i < others.count; i++) {
        ours += others.keys[i].is_ours ? 1 : 0;
    }
    if (err != AG_OK || ret->outcome != ROTATOR_DONE) {
        return err;
    }
    if (ours < others.count) {
        settle(ret, ROTATOR_REFUSED, "two_keys");
        return AG_OK;
    }
    err = delete_ours(call, old, &others, ret);
    return err == AG_OK && ret->outcome == ROTATOR_DONE ? create(call, old, ret)
                                                        : err;
}

static enum ag_err
verify(const struct rotator_call *call, const struct aws_key *new,
       struct rotator_answer *ret)
{
    const struct ask ask = {.call = call,
                            .key = new,
                            .service = AWS_STS,
                            .action = "GetCallerIdentity"};
    enum ag_err err = AG_OK;

    for (int waited_ms = 0;; waited_ms += PAUSE_MS) {
        err = tell(&ask, false, ret);
        if (err != AG_OK || ret->outcome != ROTATOR_REFUSED ||
            strcmp(ret->code, "key_unknown") != 0) {
            return err;
        }
        if (waited_ms >= SETTLE_MS) {
            ret->outcome = ROTATOR_LATER; /* the next try may find it known */
            return AG_OK;
        }
        (void)poll(NULL, 0, PAUSE_MS);
    }
}

/* Switched off first: a delete that fails leaves no working key. */
static enum ag_err
retire(const struct rotator_call *call, const struct aws_key *old,
       const struct aws_key *new, struct rotator_answer *ret)
{
    const struct ask off = {.call = call,
                            .key = new,
                            .service = AWS_IAM,
                            .action = "UpdateAccessKey",
                            .key_id = old->id,
                            .inactive = true};
    enum ag_err err = AG_OK;

    if (strcmp(old->id, new->id) == 0) {
        settle(ret, ROTATOR_REFUSED, "same_key");
        return AG_OK;
    }
    err = tell(&off, true, ret);
    return err == AG_OK && ret->outcome == ROTATOR_DONE
               ? delete_key(call, new, old->id, ret)
               : err;
}

/* What was made is not known: it is among the keys that there are, as soon as
 * the list has it. */
static enum ag_err
undo_unknown(const struct rotator_call *call, const struct aws_key *old,
             struct rotator_answer *ret)
{
    struct others others = {.count = 0};
    enum ag_err err = AG_OK;

    for (;;) {
        int64_t since_ms = clock_wall_ms() - call->started_ms;

        err = list_others(call, old, &others, ret);
        if (err != AG_OK || ret->outcome != ROTATOR_DONE || others.count > 0 ||
            since_ms < 0 || since_ms >= LIST_SETTLE_MS) {
            break;
        }
        (void)poll(NULL, 0, PAUSE_MS);
    }
    if (err == AG_OK && ret->outcome == ROTATOR_REFUSED &&
        strcmp(ret->code, "key_unknown") == 0) {
        ret->outcome = ROTATOR_DONE; /* nothing can have been made by it */
        return AG_OK;
    }
    return err == AG_OK && ret->outcome == ROTATOR_DONE
               ? delete_ours(call, old, &others, ret)
               : err;
}

static enum ag_err
undo(const struct rotator_call *call, const struct aws_key *old,
     const struct aws_key *new, struct rotator_answer *ret)
{
    if (new == NULL) {
        return undo_unknown(call, old, ret);
    }
    if (strcmp(old->id, new->id) == 0) {
        settle(ret, ROTATOR_REFUSED, "same_key");
        return AG_OK;
    }
    return delete_key(call, old, new->id, ret);
}

/* ---- which keys an act has ---- */

static enum ag_err
read_key(const struct rotator_call *call, const struct secret *value,
         struct aws_key *ret, struct rotator_answer *said)
{
    enum ag_err err = AG_OK;

    if (value == NULL) {
        settle(said, ROTATOR_REFUSED, "value_gone");
        return AG_OK;
    }
    err = aws_key_read(value, section_of(call->params), ret);
    if (err == AG_EINVAL) {
        settle(said, ROTATOR_REFUSED, "not_an_access_key");
        return AG_OK;
    }
    settle(said, ROTATOR_DONE, "");
    return err;
}

static enum ag_err
suits(const json_t *params, const struct secret *value)
{
    AG_AUTO(aws_key) struct aws_key key = {0};
    enum ag_err err = aws_key_read(value, section_of(params), &key);

    return err == AG_EINVAL
               ? err_why(err, "aws-access-key: the value is no access key: a "
                              "JSON object with AccessKeyId and "
                              "SecretAccessKey, or a file of credentials that "
                              "has the section")
               : err;
}

static enum ag_err
act(const struct rotator_call *call, struct rotator_answer *ret)
{
    AG_AUTO(aws_key) struct aws_key old = {0};
    AG_AUTO(aws_key) struct aws_key new = {0};
    bool has_new = call->act == ROTATOR_VERIFY || call->act == ROTATOR_RETIRE ||
                   call->new_value != NULL;
    enum ag_err err = AG_OK;

    if (call->act != ROTATOR_VERIFY) {
        err = read_key(call, call->old_value, &old, ret);
    }
    if (err == AG_OK && ret->outcome == ROTATOR_DONE && has_new) {
        err = read_key(call, call->new_value, &new, ret);
    }
    if (err != AG_OK || ret->outcome != ROTATOR_DONE) {
        return err;
    }
    switch (call->act) {
    case ROTATOR_PREPARE:
        return prepare(call, &old, ret);
    case ROTATOR_VERIFY:
        return verify(call, &new, ret);
    case ROTATOR_RETIRE:
        return retire(call, &old, &new, ret);
    case ROTATOR_UNDO:
        return undo(call, &old, has_new ? &new : NULL, ret);
    }
    return AG_EINTERNAL;
}

const struct rotator ROTATOR_AWS_ACCESS_KEY = {
    .name = "aws-access-key",
    .check = check,
    .suits = suits,
    .act = act,
};
