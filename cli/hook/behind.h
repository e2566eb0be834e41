/*
 * behind.h - what an agent is told behind a tool: what it answered is put
 * otherwise, or withheld.
 * Floor: cli. Depends on: hook/agent, hook/leaves, out, jansson.
 *
 * Threads: one; one event in a process.
 *
 * Nothing else keeps an answer from an agent: an exit code comes too late, and
 * a hook that is too slow is passed by.
 */
#ifndef AG_CLI_HOOK_BEHIND_H
#define AG_CLI_HOOK_BEHIND_H

#include <jansson.h>

#include "base/attr.h"
#include "base/err.h"
#include "hook/agent.h"

struct buf;
struct cli;

enum {
    BEHIND_REASON_MAX_BYTES = 256 * 1024 * 1024, /* holds a tool's answer */
};

/*
 * In `seconds` this process ends, if nothing was printed by then: behind a tool
 * with its answer withheld, else by SIGALRM. Errors: AG_ENOMEM, AG_EIO.
 */
AG_CHECK AG_NONNULL enum ag_err behind_hurry(const struct agent *agent,
                                             enum agent_event event,
                                             unsigned seconds);

/* From now on in the shape of `told`, what the tool answered; NULL changes
 * nothing. Errors: AG_ENOMEM. */
AG_CHECK enum ag_err behind_hurry_as(const struct agent *agent,
                                     const json_t *told);

/* The answer, in time. Takes `answer`. Errors: AG_ENOMEM NULL; AG_EIO. */
AG_CHECK enum ag_err behind_print(const struct cli *cli, json_t *answer);

/* `clean` in the place of what the tool answered; `reason` grows. Errors:
 * AG_ELIMIT, AG_ENOMEM, AG_EIO. */
AG_CHECK AG_NONNULL enum ag_err behind_replace(const struct cli *cli,
                                               const struct agent *agent,
                                               json_t *clean,
                                               struct buf *reason);

/* All of it is withheld. `told` is what the tool answered, or NULL where that
 * could not be read: then in the shape of a shell's answer. Errors: as above. */
AG_CHECK enum ag_err behind_withhold(const struct cli *cli,
                                     const struct agent *agent,
                                     const json_t *told, enum ag_err why);

#endif
