/*
 * permit_impl.h - what the files of the proxy's decision share.
 * Floor: core, and only this folder includes it.
 */
#ifndef AG_CORE_PERMIT_IMPL_H
#define AG_CORE_PERMIT_IMPL_H

#include "base/attr.h"
#include "base/err.h"
#include "core/folds.h"
#include "core/permit.h"
#include "core/permit_find.h"
#include "core/proxied.h"
#include "redact/matcher.h"

/* A value that this request uses. */
struct permit_used {
    struct proxied_item *item;
    int64_t version_id;
    int64_t version;
};

/* One decision under way. */
struct deciding {
    const struct permit_ask *ask;
    struct request_ask request; /* with its host */
    int64_t task_id;
    bool quick;
    struct secret *key; /* of placeholders: a copy, a lock may come meanwhile */
    struct proxied *set;
    /* One of the host's; once settled that of a value: it says how the host is
     * reached. */
    const struct place *place;
    bool settled;
    bool open; /* no value goes there: a host of `run --allow`, in plain http */
    char host_text[GUARD_AUTHORITY_BYTES];
    bool allowed; /* of those that this request may use, the first */
    struct span host;
    struct finds finds;
    uint64_t stray_id; /* the one refused for */
    struct permit_used used[PERMIT_EDITS_MAX_COUNT];
    size_t used_count;
    int64_t mint_id; /* one of those used is to be made first, or 0 */
    struct permit *permit;
};

/* Of a request to the client's proxy: the service is a host, and how the
 * request came says how it is reached. Errors: AG_ENOTALLOWED, AG_EINVAL,
 * AG_EADDRESS. */
AG_CHECK AG_NONNULL enum ag_err permit_host(struct proxied *set,
                                            struct deciding *d);

/* Adds what is put in the placeholder's stead, and what goes along. */
AG_CHECK AG_NONNULL enum ag_err
permit_edit(struct core *core, struct deciding *d, struct proxied_item *item,
            const struct place *place, const struct request_found *found);

/* `value` as the place spells it, with what stands around it. *ret is the
 * caller's. Errors: AG_ELIMIT, those of secret_new(). */
AG_CHECK AG_NONNULL enum ag_err permit_text(const struct place *place,
                                            const struct request_found *found,
                                            struct span value,
                                            struct secret **ret);

/* A value with a line's end would begin another header. Errors:
 * AG_EUNSUPPORTED. */
AG_CHECK AG_NONNULL enum ag_err
permit_check_line(const struct proxied_item *item, const struct secret *text);

/* The filter for the answer, of all values of the task's. */
AG_CHECK AG_NONNULL enum ag_err permit_filter(struct core *core,
                                              struct deciding *d);

/* Counts the request against the rates, once: what does not go out after all,
 * or is asked again, is given back. Errors: AG_ERATE, AG_EBYTESUSED. */
AG_CHECK AG_NONNULL enum ag_err permit_spend(const struct deciding *d,
                                             int64_t now_ms);
AG_NONNULL void permit_unspend(const struct deciding *d, int64_t spent_ms);

/* Of the grants used that bound the bytes; *ret stays NULL without. */
AG_CHECK AG_NONNULL enum ag_err permit_meter_new(const struct deciding *d,
                                                 struct permit_meter **ret);

/* Puts the uses on the record. Errors: AG_EBLOCKS it is quick, but has to wait;
 * AG_EGRANTUSED, AG_EREVOKED, those of permit_spend() and of the record. */
AG_CHECK AG_NONNULL enum ag_err permit_use(struct core *core,
                                           struct deciding *d);

/* All that can speak against the use of values that are not made yet, as
 * permit_use() would find it; nothing is counted. Errors: AG_EGRANTUSED, those of
 * permit_spend(). */
AG_CHECK AG_NONNULL enum ag_err permit_may_use(struct core *core,
                                               const struct deciding *d);

/* Puts a refusal on the record, ends who is to end; gives `why` back. Blocks. */
AG_CHECK AG_NONNULL enum ag_err
permit_refuse(struct core *core, const struct deciding *d, enum ag_err why);

/* Counts a refusal, told with err_text(why); *ret_row: has it a row of its own?
 * FOLD_COUNTED: AG_ERATE, with the same sentence (core/folds.h). */
AG_CHECK AG_NONNULL enum ag_err
permit_toll(struct core *core, const struct call *call, enum ag_err why,
            struct span service, enum fold_row *ret_row);

/* The member that says whether the next of its kind are only counted. */
static inline const char *
permit_more(enum fold_row row)
{
    return row == FOLD_LAST_ROW ? "counted" : NULL;
}

/* A body's text has one of a task that has ended: on the record, no more. */
AG_CHECK AG_NONNULL enum ag_err
permit_history(struct core *core, const struct call *call, uint64_t id);

/* Whose a placeholder is that is not where it belongs: AG_EPLACE the caller's
 * own; AG_EFOREIGN, AG_EENDED; AG_OK nobody's. */
AG_CHECK AG_NONNULL enum ag_err
permit_owner(struct core *core, const struct call *call, uint64_t id);

#endif
