/*
 * filter_copy.h - in the filter process: one stream, from its first byte to
 * its end, on one thread.
 * Floor: privsep. Depends on: privsep/filter_set, privsep/filter_out,
 * redact/redactor.
 *
 * With `places` the text is only searched, and what is written is a line for
 * each hit, "OFFSET FORM NAME\n": where in the source it begins, what it is
 * written as, whose value or which rule. A task's stream has "-" for the names
 * of values. Known values and rules are looked for beside each other, so that a
 * value that looks like a secret too is told twice; within each, in the order
 * of the text. With a format it is looked for as there, and what is found in a
 * record begins where the record does.
 */
#ifndef AG_PRIVSEP_FILTER_COPY_H
#define AG_PRIVSEP_FILTER_COPY_H

#include <stdatomic.h>

#include "base/attr.h"
#include "base/err.h"
#include "privsep/filter_msg.h"
#include "privsep/filter_rules.h"
#include "privsep/filter_set.h"
#include "privsep/filter_tell.h"

struct fcopy;

enum {
    FCOPY_READ_BYTES = 64 * 1024, /* what a pipe holds */
};

/*
 * Prepares a stream from `src_fd`, which is borrowed until fcopy_free();
 * nothing is read yet. `stop` becomes an enum ag_err other
 * than AG_OK when the stream shall end; set, rules and it are borrowed.
 * Errors: AG_EINVAL marker; AG_ELOCKED no set; AG_EMEMLOCK the streams that run
 *         have all of the locked memory that they may have (lockmem.h);
 *         AG_ENOMEM; those of frules_filter().
 */
AG_CHECK AG_NONNULL enum ag_err fcopy_new(const struct fmsg_stream *stream,
                                          int src_fd, struct fset *set,
                                          const struct frules *rules,
                                          atomic_int *stop, struct fcopy **ret);
void fcopy_free(struct fcopy *c);
AG_DEFINE_CLEANUP(fcopy, fcopy_free)

/* Who hears of hits while the stream runs; before fcopy_run(). */
AG_NONNULL void fcopy_listen(struct fcopy *c, const struct ftell_hooks *hooks);

/* Copies until the source ends or something else does; the report is valid
 * until fcopy_free(). Blocks. */
AG_NONNULL const struct fmsg_end *fcopy_run(struct fcopy *c, int dst_fd);

#endif
