#include "hook/agent.h"

#include <string.h>

static const struct agent AGENTS[] = {
    {.name = "codex",
     .title = "Codex",
     .home_var = "CODEX_HOME",
     .home_default = ".codex",
     .file = "hooks.json",
     .trust = "Codex runs them once you have trusted them: start codex and "
              "look at /hooks."},
    {.name = "claude",
     .title = "Claude Code",
     .home_var = "CLAUDE_CONFIG_DIR",
     .home_default = ".claude",
     .file = "settings.json",
     .can_ask = true,
     .can_replace = true},
};

static const char *const EVENTS[] = {
    [AGENT_BEFORE] = "PreToolUse",
    [AGENT_BEHIND] = "PostToolUse",
    [AGENT_PROMPT] = "UserPromptSubmit",
};

const struct agent *
agent_find(const char *name)
{
    for (size_t i = 0; i < AG_COUNT(AGENTS); i++) {
        if (strcmp(AGENTS[i].name, name) == 0) {
            return &AGENTS[i];
        }
    }
    return NULL;
}

const struct agent *
agent_at(size_t index)
{
    return index < AG_COUNT(AGENTS) ? &AGENTS[index] : NULL;
}

const char *
agent_event_name(enum agent_event event)
{
    return EVENTS[event];
}

enum ag_err
agent_event_find(const char *name, enum agent_event *ret)
{
    for (unsigned i = 0; i < AGENT_EVENT_COUNT; i++) {
        if (strcmp(EVENTS[i], name) == 0) {
            *ret = (enum agent_event)i;
            return AG_OK;
        }
    }
    return err_why(AG_EUSAGE,
                   "EVENT is PreToolUse, PostToolUse or UserPromptSubmit, not "
                   "%s",
                   name);
}
