/*
 * rotation.h - rules of rotation, and rotations by them: journalled, in two
 * phases, so that no moment is without a credential that works.
 * Floor: core. Depends on: core/call, rotate/steps, store/rotations.
 *
 * A rotation is a row of the journal that goes from state to state
 * (rotate/steps.h). Before an act that a provider could notice, that it will be
 * tried is durable; after it, what came of it. So after a crash at any point the
 * next run reads the row and goes on: what was cut off while preparing is
 * verified, and undone if that fails. One secret at a time: core->rotate_lock,
 * and a vault has one broker.
 */
#ifndef AG_CORE_ROTATION_H
#define AG_CORE_ROTATION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

#include "base/attr.h"
#include "base/err.h"

struct call;
struct core;
struct db_read;
struct db_tx;
struct program;
struct rotation_worker;

enum {
    ROTATION_NAMES_MAX_COUNT = 64, /* of one request */
    ROTATION_RUN_MAX_COUNT = 100,  /* secrets of one answer; then ask again */
    ROTATION_LIST_MAX_COUNT = 100, /* rows of the journal */
    ROTATION_RETRY_MS = 60 * 60 * 1000, /* a rotation that was undone */
    ROTATION_DRAIN_MS = 2 * 1000,
    ROTATION_SUSPECT_MS = 60 * 1000,
};

struct rotation_rule_request {
    const char *name;
    int64_t every_s; /* 0: by cron */
    const char *cron;
    int64_t jitter_s;
    const char *const *windows;
    size_t window_count;
    int64_t grace_s;
    const char *notify; /* the program that is told what came of it, or NULL */
    const char *rotator;
    /* parameters of the rotators; absent ones are NULL, 0, false */
    int64_t length;
    const char *alphabet;
    const char *const *require;
    size_t require_count;
    const char *program;
    bool generate;
    const char *region;
    const char *section;
    const char *endpoint;
    const char *users;
    const char *source;
};

/* Of a secret that exists; a rule that is there is replaced. A rule by which a
 * program is started, or that names the address of a service, needs fresh
 * proof. Writer.
 * Errors: AG_ENOTFOUND, also of a source; AG_EINVAL with a sentence; AG_EPROOF;
 * AG_ECONFLICT it has no value, or is minted. */
AG_CHECK AG_NONNULL enum ag_err core_rotation_rule_set(
    struct core *core, struct db_tx *tx, const struct call *call,
    const struct rotation_rule_request *request, json_t **ret);

AG_CHECK AG_NONNULL enum ag_err
core_rotation_rule_show(struct core *core, const char *name, json_t **ret);
AG_CHECK AG_NONNULL enum ag_err core_rotation_rule_list(struct core *core,
                                                        json_t **ret);

/* A rotation under way goes on by its copy. Writer. Errors: AG_ENOTFOUND. */
AG_CHECK AG_NONNULL enum ag_err
core_rotation_rule_remove(struct core *core, struct db_tx *tx,
                          const struct call *call, const char *name);

struct rotate_request {
    const char *const *names; /* these, due or not … */
    size_t name_count;
    bool due;     /* … or all that is due */
    bool dry_run; /* what would happen, and nothing does */
};

/*
 * Starts and goes on with rotations; what fails of one secret is told in its
 * item and stops no other. `call` NULL: the broker by itself. Threads: any; one
 * secret at a time, others wait. Blocks, for as long as the rotators do.
 * Errors: AG_EINVAL neither names nor due, or both; AG_ENOTFOUND a name has
 *         neither rule nor open rotation (nothing was done then). These end
 *         the run where it is, and the next one goes on: AG_ELOCKED; AG_EBUSY
 *         the broker stops; AG_EUNSUPPORTED programs can't be started any
 *         more; AG_EFILTER a new value could not be given to the filter.
 */
AG_CHECK enum ag_err core_rotate(struct core *core, const struct call *call,
                                 const struct rotate_request *request,
                                 json_t **ret);

/*
 * The broker's own thread for rotations: by [rotation] run = broker it does what
 * is due, and it looks after what a service refuses. Once.
 * Errors: AG_ENOMEM.
 */
AG_CHECK AG_NONNULL enum ag_err core_rotation_start(struct core *core);

/*
 * A service answered 401 to this version. If it was made current by a rotation
 * that is still observed, the thread asks the provider, at most once in
 * ROTATION_SUSPECT_MS per secret: where the new version works no more and the
 * old one does, the rotation is taken back. Threads: any. Blocks: no.
 */
AG_NONNULL void rotation_suspect(struct core *core, int64_t secret_id,
                                 int64_t version);

/* At the broker's end: that thread ends soon, runs end at their next step, and none begins. NULL is
 * allowed. */
void core_rotation_stop(struct core *core);

/* After core_rotation_stop(): waits for the end of that thread. NULL is allowed.
 */
void rotation_worker_free(struct rotation_worker *w);

/* While the vault is being locked, its keys still there: the program that runs
 * is killed, and what came of it is waited for, ROTATION_DRAIN_MS at most.
 * Programs start again after rotation_resume(). */
AG_NONNULL void rotation_drain(struct core *core);
AG_NONNULL void rotation_resume(struct core *core);

/* A version that leaked. */
struct rotation_leaked {
    int64_t secret_id;
    int64_t version;
};

/*
 * Rotates what leaked: without grace, without waiting for the tasks that hold
 * it, since others do. Of a version that is not the current one, nor part of a
 * rotation under way, the item is "not_current"; one that was minted is revoked
 * at its provider ("revoked"). *ret as of core_rotate(); call
 * NULL: the broker itself. Blocks.
 */
AG_CHECK enum ag_err core_rotate_leaked(struct core *core,
                                        const struct call *call,
                                        const struct rotation_leaked *leaked,
                                        size_t count, json_t **ret);

/* The journal, newest first; name NULL: of all secrets. */
AG_CHECK enum ag_err core_rotation_list(struct core *core, const char *name,
                                        json_t **ret);

/* Is this version part of a rotation? AG_ECONFLICT with a sentence. */
AG_CHECK AG_NONNULL enum ag_err rotation_lets_go(struct db_read *r,
                                                 int64_t secret_id,
                                                 const char *name,
                                                 int64_t version);

/* Is none of the secret's under way? Else AG_ECONFLICT with a sentence. */
AG_CHECK AG_NONNULL enum ag_err rotation_none_open(struct db_read *r,
                                                   int64_t secret_id);

/* ---- programs on record ---- */

struct program_request {
    const char *name;
    const char *path;
    const char *sha256; /* 64 hex digits */
    int64_t limit_s;
};

/* Puts it on record, or anew. The route demands fresh proof. Writer. */
AG_CHECK AG_NONNULL enum ag_err
core_program_set(struct core *core, struct db_tx *tx, const struct call *call,
                 const struct program_request *request);
AG_CHECK AG_NONNULL enum ag_err core_program_remove(struct core *core,
                                                    struct db_tx *tx,
                                                    const struct call *call,
                                                    const char *name);
AG_CHECK AG_NONNULL enum ag_err core_program_list(struct core *core,
                                                  json_t **ret);

/* Errors: AG_ENOTFOUND with a sentence, AG_ECORRUPT. */
AG_CHECK AG_NONNULL enum ag_err
program_find(struct db_read *r, const char *name, struct program *ret);

#endif
