/*
 * moves.h - adopt and release as a journal: exactly one authoritative copy at
 * every step. The file's side is the command line's.
 * Floor: core. Depends on: store/moves, store/secrets.
 *
 * adopt:   begin → take (sealed, pending) → commit (the vault is the
 *          authority; the file must go) → done. Undo before commit only.
 * release: begin → deliver (the bytes written to a temporary file) → commit
 *          (the file is the authority; the version is `released`) → done.
 */
#ifndef AG_CORE_MOVES_H
#define AG_CORE_MOVES_H

#include <jansson.h>

#include "base/attr.h"
#include "base/err.h"
#include "core/core.h"

/* POST /v1/moves. The facts of the file are kept, sealed, to restore it. */
struct move_request {
    const char *kind; /* "adopt" or "release" */
    const char *name;
    const char *profile; /* or NULL */
    const char *path;    /* absolute, resolved */
    int64_t dev;
    int64_t ino;
    int64_t mode;
    int64_t uid;
    int64_t gid;
    int64_t mtime_ns;
    int64_t atime_ns;
    int64_t size_bytes;
};

/* *ret: {id, ticket, path, mode, uid, gid, mtime_ns, atime_ns, size_bytes}
 * (for release: the facts kept at adopt). Writer. */
AG_CHECK AG_NONNULL enum ag_err
core_move_begin(struct core *core, struct db_tx *tx, const struct call *call,
                const struct move_request *request, json_t **ret);

/* GET /v1/moves: the open ones, with a fresh `check` ticket each: a descriptor
 * given to `take` with it is compared with the sealed content. */
AG_CHECK AG_NONNULL enum ag_err
core_moves_open(struct core *core, const struct call *call, json_t **ret);

/* Writer. `outcome` of done: "erased", "conflict" or "written". */
AG_CHECK AG_NONNULL enum ag_err core_move_commit(struct core *core,
                                                 struct db_tx *tx,
                                                 const struct call *call,
                                                 const char *id);
AG_CHECK AG_NONNULL enum ag_err
core_move_done(struct core *core, struct db_tx *tx, const struct call *call,
               const char *id, const char *outcome);
AG_CHECK AG_NONNULL enum ag_err core_move_undo(struct core *core,
                                               struct db_tx *tx,
                                               const struct call *call,
                                               const char *id);

#endif
