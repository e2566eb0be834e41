/*
 * intake.h - content that comes in over fd.sock: adopt's file, a check of an
 * open move, a write-back of a file that a tool rewrote; and a released file's
 * content on its way out.
 * Floor: core. Depends on: store/moves, store/versions, profile/conflict.
 */
#ifndef AG_CORE_INTAKE_H
#define AG_CORE_INTAKE_H

#include "base/attr.h"
#include "base/err.h"
#include "caller/ticket.h"
#include "core/handout.h"

/* Each waits for the writer; durable when it returns AG_OK. */
AG_CHECK AG_NONNULL enum ag_err intake_write_back(struct core *core,
                                                  const struct ticket *ticket,
                                                  const struct secret *content,
                                                  struct take_result *ret);
AG_CHECK AG_NONNULL enum ag_err intake_move(struct core *core,
                                            const struct ticket *ticket,
                                            const struct secret *content,
                                            struct take_result *ret);
AG_CHECK AG_NONNULL enum ag_err intake_release(struct core *core,
                                               const struct ticket *ticket,
                                               struct secret **ret);

/*
 * The write-backs that were sealed while the broker was gone (`spill/`), taken
 * in at unlock. `found` gets a sentence for each. Slow.
 */
AG_CHECK AG_NONNULL enum ag_err intake_spilled(struct core *core,
                                               json_t *found);

#endif
