/*
 * line.h - the broker's side of a move, as this side sees it: the journal over
 * the API, the descriptor over fd.sock.
 * Floor: cli. Depends on: cli, client, session.
 */
#ifndef AG_CLI_MOVE_LINE_H
#define AG_CLI_MOVE_LINE_H

#include <stdbool.h>
#include <stdint.h>

#include <jansson.h>

#include "base/attr.h"
#include "base/err.h"
#include "move/erase.h"

struct cli;

enum {
    LINE_TICKET_BYTES = 128,
};

/* One open move. */
struct line {
    struct cli *cli;
    char id[ERASE_ID_MAX_BYTES + 1];
    char ticket[LINE_TICKET_BYTES]; /* empty: there is none */
};

/*
 * One move at a time on this side, so that recovery never touches a move that
 * another terminal is making. *ret_fd holds the lock.
 * Errors: AG_EBUSY another auth-guard moves files; AG_EIO.
 */
AG_CHECK AG_NONNULL enum ag_err line_lock(struct cli *cli, int *ret_fd);

/* POST /v1/moves. *ret_answer is the caller's. */
AG_CHECK AG_NONNULL enum ag_err line_begin(struct cli *cli, const json_t *body,
                                           struct line *ret,
                                           json_t **ret_answer);

/* From an item of GET /v1/moves. Errors: AG_ECORRUPT. */
AG_CHECK AG_NONNULL enum ag_err line_from(struct cli *cli, const json_t *item,
                                          struct line *ret);

/* The file behind fd goes in, or is compared with what went in (changed). */
AG_CHECK AG_NONNULL enum ag_err
line_take(struct line *line, int fd, int64_t *ret_version, bool *ret_changed);

/* The broker writes the value into fd. */
AG_CHECK AG_NONNULL enum ag_err line_deliver(struct line *line, int fd,
                                             int64_t *ret_bytes);

AG_CHECK AG_NONNULL enum ag_err line_commit(struct line *line);
AG_CHECK AG_NONNULL enum ag_err line_done(struct line *line,
                                          const char *outcome);
AG_CHECK AG_NONNULL enum ag_err line_undo(struct line *line);

#endif
