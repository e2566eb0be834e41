#include "hook/behind.h"

#include "base/buf.h"
#include "cli.h"
#include "hook/agent.h"
#include "hook/leaves.h"

enum ag_err
behind_print(const struct cli *cli, json_t *answer)
{
    enum ag_err err = answer == NULL ? AG_ENOMEM : out_json(&cli->out, answer);

    json_decref(answer);
    return err;
}

/* ---- put otherwise ---- */

static enum ag_err
replacement(const struct agent *agent, json_t *clean, struct buf *reason,
            json_t **ret)
{
    const char *event = agent_event_name(AGENT_BEHIND);
    enum ag_err err = AG_OK;

    if (!agent->can_replace) {
        err = buf_add_str(reason, ". It is now:\n");
        err = err == AG_OK ? leaves_join(clean, reason) : err;
    }
    if (err != AG_OK || buf_cstr(reason) == NULL) {
        return AG_ENOMEM;
    }
    *ret = agent->can_replace
               ? json_pack("{s:{s:s, s:O, s:s}}", "hookSpecificOutput",
                           "hookEventName", event, "updatedToolOutput", clean,
                           "additionalContext", buf_cstr(reason))
               : json_pack("{s:s, s:s}", "decision", "block", "reason",
                           buf_cstr(reason));
    return *ret == NULL ? AG_ENOMEM : AG_OK;
}

enum ag_err
behind_replace(const struct cli *cli, const struct agent *agent, json_t *clean,
               struct buf *reason)
{
    json_t *answer = NULL;
    enum ag_err err = replacement(agent, clean, reason, &answer);

    return err == AG_OK ? behind_print(cli, answer) : err;
}

/* ---- withheld ---- */

static enum ag_err
withheld(const struct agent *agent, const json_t *told, const char *why,
         json_t **ret)
{
    AG_AUTO(buf) struct buf reason;
    json_auto_t *clean = NULL;
    enum ag_err err = AG_OK;

    buf_init(&reason, BEHIND_REASON_MAX_BYTES, BUF_PLAIN);
    if (told != NULL) {
        err = leaves_redact(told, NULL, &clean);
    } else {
        clean = json_pack("{s:s, s:s, s:b, s:b}", "stdout", LEAVES_WITHHELD,
                          "stderr", "", "interrupted", 0, "isImage", 0);
        err = clean == NULL ? AG_ENOMEM : AG_OK;
    }
    if (err == AG_OK) {
        err = buf_fmt(&reason,
                      "auth-guard could not look through what the tool "
                      "answered, and withheld it: %s",
                      why);
    }
    return err == AG_OK ? replacement(agent, clean, &reason, ret) : err;
}

enum ag_err
behind_withhold(const struct cli *cli, const struct agent *agent,
                const json_t *told, enum ag_err why)
{
    json_t *answer = NULL;
    enum ag_err err = withheld(agent, told, err_text(why), &answer);

    return err == AG_OK ? behind_print(cli, answer) : err;
}
