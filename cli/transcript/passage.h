/*
 * passage.h - one text through the filter, whoever runs it: the broker's, and
 * this process's rules (verb_redact.c).
 * Floor: cli. Depends on: base/err, jansson.
 */
#ifndef AG_CLI_TRANSCRIPT_PASSAGE_H
#define AG_CLI_TRANSCRIPT_PASSAGE_H

#include <stdbool.h>

#include <jansson.h>

#include "base/attr.h"
#include "base/err.h"

struct passage {
    /*
     * Copies src_fd, from its offset to its end, to dst_fd. `name` is the
     * text's for the report {"hits": n, "counts": {NAME: n}, …}, which is the
     * caller's.
     * Errors: those of a stream; nothing after the point of failure was
     *         written.
     */
    enum ag_err (*run)(void *ctx, const char *name, int src_fd, int dst_fd,
                       json_t **ret_report);
    void *ctx;
    bool failed; /* run() did: there is no filter, or none any more */
};

/* Errors: those of run(), and `failed` is set. */
AG_CHECK AG_NONNULL static inline enum ag_err
passage_run(struct passage *p, const char *name, int src_fd, int dst_fd,
            json_t **ret_report)
{
    enum ag_err err = p->run(p->ctx, name, src_fd, dst_fd, ret_report);

    p->failed = p->failed || err != AG_OK;
    return err;
}

#endif
