/*
 * permit.h - may this request of a task go out, and what is put where: the
 * decision for each request of the proxy, and its record.
 * Floor: core. Depends on: core/proxied, policy/request, redact/matcher.
 *
 * Who asks is known by the process tree; which value, by the placeholder that
 * stands where the value belongs. Both must be of the same task. A placeholder
 * of another task, of one that has ended, or of a value that does not go to
 * that host is a tripwire: it is put on the record and the tasks concerned
 * (whose it is, and who used it) end. In the text of a body, where no value
 * belongs, one of an ended task is history: on the record, and passed. One of the
 * task's own at a wrong place of a right host is refused;
 * PERMIT_STRAYS_MAX_COUNT of these are a tripwire too.
 */
#ifndef AG_CORE_PERMIT_H
#define AG_CORE_PERMIT_H

#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/err.h"
#include "base/span.h"
#include "core/call.h"
#include "policy/request.h"

struct core;
struct matcher;
struct permit_meter;
struct secret;

enum {
    PERMIT_EDITS_MAX_COUNT = 16,
    PERMIT_HOST_BYTES = 320,
    PERMIT_STRAYS_MAX_COUNT = 8, /* a debug output or two, not a search */
};

struct permit_ask {
    const struct call *call;
    int64_t path_task_id; /* of /t/TASK/, or 0 */
    struct span service;
    enum request_via via; /* then `service` is HOST[:PORT], and nothing else */
    struct request_ask request; /* its host is filled in here */
};

enum permit_edit_kind {
    PERMIT_FIELD, /* `text` is the new value of field `field` */
    PERMIT_ADD,   /* the header `name` is `text`; others of that name go */
    PERMIT_QUERY, /* `text` replaces `len` bytes at `at` of the query */
    PERMIT_BODY,  /* the same of the body */
};

struct permit_edit {
    enum permit_edit_kind kind;
    size_t field;
    size_t at;
    size_t len;
    char name[PLACE_NAME_MAX_BYTES + 1];
    struct secret *text;
};

/* The secrets whose values are sent, each once: what a 401 speaks of. */
struct permit_sent {
    size_t count;

    struct {
        int64_t secret_id;
        int64_t version;
    } of[PERMIT_EDITS_MAX_COUNT];
};

struct permit {
    int64_t task_id;
    char host[PERMIT_HOST_BYTES]; /* without the port */
    uint16_t port;                /* 0: the usual one */
    bool inner;
    bool plain;
    bool in_body;    /* nothing is decided: ask again with the body */
    int64_t mint_id; /* it may go out, but this secret of the task's is to be
                        minted first: then ask again; or 0 */
    struct permit_edit *edits; /* owned */
    size_t edit_count;
    struct matcher *filter;     /* all values of the task's; NULL: none */
    struct permit_meter *meter; /* NULL: no grant bounds the bytes */
    struct permit_sent sent;
    int64_t login_id;      /* a login that can be refreshed, or 0 … */
    int64_t login_version; /* … and its version that is sent */
};

void permit_done(struct permit *permit);
AG_DEFINE_CLEANUP_INPLACE(permit, permit_done)

/*
 * Decides; on AG_OK the use is on the record, but for a request whose value
 * may stand in a body that follows (ret->in_body), or is not made yet
 * (ret->mint_id): then there is nothing else. *ret is {0} before and given back
 * with permit_done(). With `quick` nothing blocks: AG_EBLOCKS says that it must
 * be asked again without, on a thread that may.
 * Errors: AG_EDENIED the caller is no task; AG_EPROCESS not the path's task;
 *         AG_ESERVICE, AG_ETARGET, AG_EHOST, AG_EVERB, AG_EPATH, AG_EPLACE,
 *         AG_EFOREIGN, AG_EENDED, AG_EGRANTUSED, AG_EBYTESUSED, AG_EMISSING,
 *         AG_EMISSINGUSER, AG_EREVOKED; AG_ELOCKED, …
 *         AG_ERATE refused too often: this one has no row of its own.
 */
AG_CHECK AG_NONNULL enum ag_err permit_decide(struct core *core,
                                              const struct permit_ask *ask,
                                              bool quick, struct permit *ret);

/* The bytes that pass, of request and answer; NULL meters nothing. It outlives
 * the task. Threads: safe. Errors: AG_EBYTESUSED: these are too many. */
AG_CHECK enum ag_err permit_meter_add(struct permit_meter *meter, size_t bytes);
void permit_meter_free(struct permit_meter *meter);

/* Does the task still run, and is the vault open? Threads: any. */
AG_NONNULL bool permit_stands(struct core *core, int64_t task_id);

/* A scan of a body for placeholders: permit_stray() says what may be sent. The
 * hit function gets `arg`; what it returns but AG_OK ends the scan and is passed
 * on. Errors: AG_ENOMEM, AG_ELOCKED. */
typedef enum ag_err (*permit_hit_fn)(void *arg, uint64_t id);
struct permit_scan;
AG_CHECK AG_NONNULL enum ag_err permit_scan_new(struct core *core,
                                                permit_hit_fn hit, void *arg,
                                                struct permit_scan **ret);
void permit_scan_free(struct permit_scan *scan);
AG_DEFINE_CLEANUP(permit_scan, permit_scan_free)
AG_CHECK AG_NONNULL enum ag_err permit_scan_feed(struct permit_scan *scan,
                                                 struct span part);
AG_CHECK AG_NONNULL enum ag_err permit_scan_finish(struct permit_scan *scan);

/* One was found in a body: on the record, tripwire as above. What it comes to:
 * AG_EFOREIGN; AG_OK: a stranger's text after all, the task's own, or one of a
 * task that has ended, which all go on as they are. Blocks. */
AG_CHECK AG_NONNULL enum ag_err
permit_stray(struct core *core, const struct call *call, uint64_t id);

#endif
