/*
 * promise_impl.h - the parts a promise is made of: promise.c has those by
 * reference, promise_profile.c those by profile, promise_way.c whether a profile
 * can be had at grade proxy, promise_proxy.c what goes through the proxy.
 * Floor: core, and only this folder includes it.
 */
#ifndef AG_CORE_PROMISE_IMPL_H
#define AG_CORE_PROMISE_IMPL_H

#include <jansson.h>

#include "base/attr.h"
#include "base/err.h"
#include "base/span.h"
#include "core/promise.h"

struct db_read;
struct db_tx;
struct profile;
struct profile_way;
struct proxied_item;
struct secret_row;
struct task_proxy_request;

/* Who asks for what, while the promises are made. */
struct promising {
    struct core *core;
    struct db_tx *tx;
    const struct call *call;
    const struct task_request *request;
    struct promises *p;
};

/* Errors: AG_ELIMIT, AG_EINVAL. */
AG_CHECK AG_NONNULL enum ag_err promise_grant(struct promises *p,
                                              const char *secret,
                                              const char *field, enum verb verb,
                                              int64_t uses);

/* A secret that must be there and may travel so far. Errors: AG_ENOTFOUND,
 * AG_EGRADE, AG_EINVAL. */
AG_CHECK AG_NONNULL enum ag_err promise_secret(struct db_read *r,
                                               const char *name, enum verb verb,
                                               struct secret_row *row);

/* `described` is stolen; NULL: AG_ENOMEM. */
AG_CHECK enum ag_err promise_delivery(struct promises *p,
                                      const struct delivery *delivery,
                                      json_t *described);

/* A value that goes through the proxy; where it may go is sealed already. */
AG_CHECK AG_NONNULL enum ag_err
promise_proxied(struct db_read *r, const struct task_proxy_request *wish,
                struct promises *p);

/* Its pieces: the secret may go where its sealed places say; a variable gets
 * the placeholder of a field, or an address (path: "" or "/…"). *ret lives as
 * long as the promises. */
AG_CHECK AG_NONNULL enum ag_err promise_item(struct promises *p,
                                             const struct secret_row *row,
                                             const char *field, int64_t uses,
                                             struct proxied_item **ret);
AG_CHECK AG_NONNULL enum ag_err
promise_placeholder(struct promises *p, const struct secret_row *row,
                    const char *field, const char *var);
AG_CHECK AG_NONNULL enum ag_err promise_url(struct promises *p, const char *var,
                                            const char *service,
                                            struct span path);

/* "codex", or "codex=codex/work" for another secret than the profile's own. */
AG_CHECK AG_NONNULL enum ag_err promise_profile(const struct promising *m,
                                                const char *text);

/* The entry of the profile that the content of `row` belongs to, or NULL: it
 * has none. */
const struct profile_file *promise_file(const struct profile *profile,
                                        const struct secret_row *row);

/*
 * The first way to use the value of `row` at grade proxy by which every secret
 * that the tool is given can be a placeholder.
 * Errors: AG_ENOTFOUND there is none; the sentence says why.
 */
AG_CHECK AG_NONNULL enum ag_err
promise_way(struct core *core, struct db_read *r, const struct profile *profile,
            const struct secret_row *row, const struct profile_way **ret);

/* What is worse than need be is the operator's word, and on the record: `verb`
 * where `best` could be had. Errors: AG_EPROOF. */
AG_CHECK AG_NONNULL enum ag_err promise_downgrade(const struct promising *m,
                                                  const struct secret_row *row,
                                                  enum verb best,
                                                  enum verb verb);

/* The same for what is asked for by its name, past its profile. */
AG_CHECK AG_NONNULL enum ag_err promise_by_name(const struct promising *m,
                                                const struct secret_row *row,
                                                enum verb verb);

/* The same for each that a grant's pattern matches now: the worst counts. What
 * comes to match later is promise_may_read()'s. */
AG_CHECK AG_NONNULL enum ag_err promise_by_pattern(const struct promising *m,
                                                   const char *pattern,
                                                   enum verb verb);

#endif
