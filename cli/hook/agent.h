/*
 * agent.h - the agents that ask us, and what each understands.
 * Floor: cli. Depends on: base.
 */
#ifndef AG_CLI_HOOK_AGENT_H
#define AG_CLI_HOOK_AGENT_H

#include <stdbool.h>
#include <stddef.h>

#include "base/attr.h"
#include "base/err.h"

enum agent_event {
    AGENT_BEFORE, /* a tool is about to be called */
    AGENT_BEHIND, /* it has answered */
    AGENT_PROMPT, /* the person has said something */
    AGENT_EVENT_COUNT,
};

enum {
    AGENT_TIMEOUT_S = 60, /* what a tool answered may be long */
    /* An agent goes on without a hook that is too slow: we say no before. */
    AGENT_ANSWER_S = AGENT_TIMEOUT_S - 10,
};

struct agent {
    const char *name; /* codex, claude */
    const char *title;
    const char *home_var;     /* names its directory */
    const char *home_default; /* below $HOME */
    const char *file;         /* there: JSON with a member "hooks" */
    const char *trust;        /* what else the person has to do, or NULL */
    bool can_ask;             /* "ask" is an answer to AGENT_BEFORE */
    bool can_replace;         /* what a tool answered can be put otherwise */
};

/* NULL: none of that name. Static. */
AG_NONNULL const struct agent *agent_find(const char *name);
const struct agent *agent_at(size_t index); /* NULL past the last */

/* PreToolUse, PostToolUse, UserPromptSubmit: the same with both. */
const char *agent_event_name(enum agent_event event);
/* Errors: AG_EUSAGE with a sentence. */
AG_CHECK AG_NONNULL enum ag_err agent_event_find(const char *name,
                                                 enum agent_event *ret);

#endif
