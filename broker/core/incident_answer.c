/* What follows an incident: the broker rotates what leaked, on a thread of its
 * own, until it is done or a person is needed; or a person has it done. */
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "core/incident_impl.h"
#include "core/rotation.h"
#include "core/state.h"
#include "store/secrets.h"
#include "store/versions.h"

enum {
    BATCH_MAX_COUNT = 64, /* incidents of one look at the rows */
    TRIES_MAX_COUNT = 12, /* by the broker: a minute, then a person is called */
    RETRY_S = 5,
};

struct responder {
    struct core *core;
    pthread_mutex_t lock; /* over all below */
    pthread_cond_t changed;
    pthread_t thread;
    bool has_thread;
    bool wanted;
    bool stopping;
};

/* ---- the outcome, on the record ---- */

enum ag_err
incident_answered(struct db_tx *tx, const struct call *call,
                  struct incident_row *row, const json_t *detail, json_t *body)
{
    AG_AUTO(wjson) json_t *note = body;
    char *text = NULL;
    enum ag_err err = note != NULL ? core_dump(detail, &text) : AG_ENOMEM;

    if (err == AG_OK) {
        free(row->detail);
        row->detail = text;
        err = incidents_write(tx, row);
    }
    return err == AG_OK ? core_note(tx, call, AUDIT_INCIDENT_ANSWERED,
                                    row->task_id, row->secret_id, AG_TAKE(note))
                        : err;
}

struct answering {
    struct core_job job;
    int64_t incident_id;
    const char *result; /* of the rotation; NULL: it could not even begin */
    const char *code;
};

/* What leaked is destroyed, or was: then it is good for nothing. */
static enum ag_err
is_over(struct db_read *r, const struct incident_row *row, bool *ret)
{
    struct version_row version = {0};
    enum ag_err err = versions_get(r, row->secret_id, row->version, &version);

    *ret = err == AG_OK && version.state == VERSION_DESTROYED;
    return err;
}

static enum ag_err
run_answering(struct core *core, struct db_tx *tx, struct core_job *job)
{
    const struct answering *a = (const struct answering *)job;
    AG_AUTO(incident_row) struct incident_row row = {0};
    AG_AUTO(wjson) json_t *detail = NULL;
    bool over = false;
    json_int_t tries = 0;
    enum ag_err err = incidents_get(db_tx_read(tx), a->incident_id, &row);

    (void)core;
    if (err != AG_OK || row.closed_ms != 0 || row.answer != ANSWER_ROTATE) {
        return err; /* a person was quicker */
    }
    err = is_over(db_tx_read(tx), &row, &over);
    if (err == AG_OK) {
        err = incident_detail(&row, &detail);
    }
    if (err != AG_OK) {
        return err;
    }
    tries = json_integer_value(json_object_get(detail, "tries")) + 1;
    if (over) {
        row.answer = ANSWER_DONE;
    } else if (tries >= TRIES_MAX_COUNT || a->result == NULL ||
               strcmp(a->result, "failed") != 0) {
        row.answer = ANSWER_FAILED;
    }
    if (json_object_set_new(detail, "tries", json_integer(tries)) != 0 ||
        json_object_set_new(detail, "code", json_string(over ? "" : a->code)) !=
            0) {
        return AG_ENOMEM;
    }
    return incident_answered(
        tx, NULL, &row, detail,
        json_pack("{s:I, s:s, s:s, s:s, s:I}", "incident", (json_int_t)row.id,
                  "answer", incident_answer_text(row.answer), "result",
                  a->result != NULL ? a->result : "none", "code",
                  over ? "" : a->code, "tries", tries));
}

/* ---- the broker's own ---- */

static enum ag_err
answer_one(struct core *core, const struct incident_key *key)
{
    const struct rotation_leaked leaked = {key->secret_id, key->version};
    AG_AUTO(wjson) json_t *answer = NULL;
    struct answering a = {
        .job.run = run_answering, .incident_id = key->id, .code = "none"};
    const json_t *items = NULL;
    const json_t *last = NULL;
    enum ag_err err = core_rotate_leaked(core, NULL, &leaked, 1, &answer);

    if (err == AG_ELOCKED || err == AG_EBUSY) {
        return err; /* after the next unlocking; the broker is stopping */
    }
    if (err != AG_OK) {
        a.result = "failed";
        a.code = err_code(err);
    } else {
        items = json_object_get(answer, "items");
        last = json_array_get(items, json_array_size(items) - 1);
        a.result = json_string_value(json_object_get(last, "result"));
        a.code = last != NULL ? json_string_value(json_object_get(last, "code"))
                              : "none";
    }
    return core_write_wait(core, &a.job);
}

/* *ret_left: some are to be tried again. */
static void
answer_all(struct core *core, bool *ret_left)
{
    struct incident_key keys[BATCH_MAX_COUNT];
    AG_AUTO(db_read) struct db_read *r = NULL;
    size_t count = 0;
    enum ag_err err = core_need_open(core);

    *ret_left = false;
    if (err == AG_OK) {
        err = store_read(core->store, &r);
    }
    if (err == AG_OK) {
        err =
            incidents_answered(r, ANSWER_ROTATE, keys, AG_COUNT(keys), &count);
    }
    db_read_close(AG_TAKE(r));
    for (size_t i = 0; err == AG_OK && i < count; i++) {
        err = answer_one(core, &keys[i]);
    }
    if (err == AG_OK && count > 0) {
        err = store_read(core->store, &r);
    }
    if (err == AG_OK && count > 0) {
        err =
            incidents_answered(r, ANSWER_ROTATE, keys, AG_COUNT(keys), &count);
    }
    /* What failed otherwise (a full disk) is tried again as well. */
    *ret_left = err == AG_OK ? count > 0 : err != AG_ELOCKED;
}

/* Waits until something is wanted; with `left` no longer than RETRY_S. */
static bool
wait_for_work(struct responder *r, bool left)
{
    struct timespec until = {0};
    int rc = 0;
    bool stopping = false;

    (void)clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += RETRY_S;
    (void)pthread_mutex_lock(&r->lock);
    while (!r->wanted && !r->stopping && rc != ETIMEDOUT) {
        rc = left ? pthread_cond_timedwait(&r->changed, &r->lock, &until)
                  : pthread_cond_wait(&r->changed, &r->lock);
    }
    r->wanted = false;
    stopping = r->stopping;
    (void)pthread_mutex_unlock(&r->lock);
    return !stopping;
}

static void *
responder_main(void *arg)
{
    struct responder *r = arg;
    bool left = false;

    while (wait_for_work(r, left)) {
        err_clear();
        answer_all(r->core, &left);
    }
    return NULL;
}

enum ag_err
responder_new(struct core *core, struct responder **ret)
{
    struct responder *r = calloc(1, sizeof(*r));
    pthread_condattr_t attr;

    if (r == NULL) {
        return AG_ENOMEM;
    }
    r->core = core;
    (void)pthread_mutex_init(&r->lock, NULL);
    (void)pthread_condattr_init(&attr);
    (void)pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    (void)pthread_cond_init(&r->changed, &attr);
    (void)pthread_condattr_destroy(&attr);
    *ret = r;
    return AG_OK;
}

void
responder_free(struct responder *r)
{
    if (r == NULL) {
        return;
    }
    (void)pthread_mutex_lock(&r->lock);
    r->stopping = true;
    (void)pthread_cond_broadcast(&r->changed);
    (void)pthread_mutex_unlock(&r->lock);
    if (r->has_thread) {
        (void)pthread_join(r->thread, NULL);
    }
    (void)pthread_cond_destroy(&r->changed);
    (void)pthread_mutex_destroy(&r->lock);
    free(r);
}

/* Without a thread (no memory) the next incident, or unlocking, tries again. */
static void
responder_wake(struct responder *r)
{
    (void)pthread_mutex_lock(&r->lock);
    r->wanted = true;
    if (!r->has_thread && !r->stopping) {
        r->has_thread =
            pthread_create(&r->thread, NULL, responder_main, r) == 0;
    }
    (void)pthread_cond_broadcast(&r->changed);
    (void)pthread_mutex_unlock(&r->lock);
}

void
responder_wake_if_due(struct core *core, struct db_read *r)
{
    struct incident_key key;
    size_t count = 0;

    if (incidents_answered(r, ANSWER_ROTATE, &key, 1, &count) == AG_OK &&
        count > 0) {
        responder_wake(core->responder);
    }
}

/* ---- a person has it done ---- */

/* {secret, version}, from the list that people are shown. */
static enum ag_err
leaked_of(struct db_read *r, const json_t *list,
          struct rotation_leaked out[INCIDENT_LIST_MAX_COUNT], size_t *ret)
{
    enum ag_err err = AG_OK;

    *ret = 0;
    for (size_t i = 0; err == AG_OK && i < json_array_size(list) &&
                       *ret < INCIDENT_LIST_MAX_COUNT;
         i++) {
        const json_t *item = json_array_get(list, i);
        AG_AUTO(secret_row) struct secret_row secret = {0};

        err = secrets_find(
            r, span_str(json_string_value(json_object_get(item, "secret"))),
            &secret);
        out[(*ret)++] = (struct rotation_leaked){
            secret.id, json_integer_value(json_object_get(item, "version"))};
    }
    return err;
}

static enum ag_err
find_targets(struct core *core, const char *id,
             struct rotation_leaked out[INCIDENT_LIST_MAX_COUNT], size_t *ret)
{
    AG_AUTO(db_read) struct db_read *r = NULL;
    AG_AUTO(incident_row) struct incident_row row = {0};
    AG_AUTO(wjson) json_t *list = json_array();
    enum ag_err err = list != NULL ? store_read(core->store, &r) : AG_ENOMEM;

    if (err == AG_OK) {
        err = incident_numbered(r, id, &row);
    }
    /* As it is, current or not: what is under way is gone on with. */
    if (err == AG_OK && row.secret_id != 0) {
        out[0] = (struct rotation_leaked){row.secret_id, row.version};
        *ret = 1;
        return AG_OK;
    }
    if (err == AG_OK) {
        err = incident_to_rotate(r, &row, list);
    }
    return err == AG_OK ? leaked_of(r, list, out, ret) : err;
}

struct settling {
    struct core_job job;
    const struct call *call;
    const char *id;
};

/* It says so as soon as what leaked is good for nothing. */
static enum ag_err
run_settling(struct core *core, struct db_tx *tx, struct core_job *job)
{
    const struct settling *s = (const struct settling *)job;
    AG_AUTO(incident_row) struct incident_row row = {0};
    AG_AUTO(wjson) json_t *detail = NULL;
    bool over = false;
    enum ag_err err = incident_numbered(db_tx_read(tx), s->id, &row);

    (void)core;
    if (err != AG_OK || row.closed_ms != 0 || row.secret_id == 0 ||
        row.answer == ANSWER_DONE || row.answer == ANSWER_HOLD) {
        return err; /* a hold stays until a person closes it */
    }
    err = is_over(db_tx_read(tx), &row, &over);
    if (err != AG_OK || !over) {
        return err;
    }
    err = incident_detail(&row, &detail);
    row.answer = ANSWER_DONE;
    return err == AG_OK
               ? incident_answered(tx, s->call, &row, detail,
                                   json_pack("{s:I, s:s}", "incident",
                                             (json_int_t)row.id, "answer",
                                             incident_answer_text(row.answer)))
               : err;
}

enum ag_err
core_incident_rotate(struct core *core, const struct call *call, const char *id,
                     json_t **ret)
{
    struct rotation_leaked *targets =
        calloc(INCIDENT_LIST_MAX_COUNT, sizeof(*targets));
    struct settling s = {.job.run = run_settling, .call = call, .id = id};
    size_t count = 0;
    enum ag_err err =
        targets == NULL ? AG_ENOMEM : find_targets(core, id, targets, &count);

    if (err == AG_OK) {
        err = core_rotate_leaked(core, call, targets, count, ret);
    }
    free(targets);
    /* The rotations are done whether this is noted or not. */
    if (err == AG_OK) {
        (void)!core_write_wait(core, &s.job);
    }
    return err;
}
