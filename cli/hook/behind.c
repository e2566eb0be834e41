#include "hook/behind.h"

#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/wipealloc.h"
#include "cli.h"
#include "hook/leaves.h"

enum ag_err
behind_print(const struct cli *cli, json_t *answer)
{
    enum ag_err err = AG_ENOMEM;

    (void)alarm(0); /* two answers are none */
    if (answer != NULL) {
        err = out_json(&cli->out, answer);
    }
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

/* ---- in time ---- */

/* A whole answer, NUL-ended; lives as long as the process. */
static _Atomic(char *) late;

static void
say_late(int signal)
{
    const char *text = atomic_load(&late);
    size_t rest = strlen(text);

    (void)signal;
    while (rest > 0) {
        ssize_t n = write(STDOUT_FILENO, text, rest);

        if (n < 0 && errno != EINTR) {
            _exit(EXIT_FAILURE);
        }
        text += n > 0 ? n : 0;
        rest -= n > 0 ? (size_t)n : 0;
    }
    _exit(EXIT_SUCCESS);
}

static enum ag_err
prepare(const struct agent *agent, const json_t *told)
{
    json_auto_t *answer = NULL;
    char *text = NULL;
    enum ag_err err = withheld(agent, told, "it took too long", &answer);

    if (err == AG_OK) {
        text = json_dumps(answer, JSON_COMPACT);
        err = text == NULL ? AG_ENOMEM : AG_OK;
    }
    if (err == AG_OK) {
        wipe_free(atomic_exchange(&late, text)); /* jansson's */
    }
    return err;
}

enum ag_err
behind_hurry(const struct agent *agent, enum agent_event event,
             unsigned seconds)
{
    struct sigaction act = {.sa_handler = SIG_DFL};
    sigset_t ours;
    enum ag_err err = AG_OK;

    if (event == AGENT_BEHIND) {
        err = prepare(agent, NULL);
        act.sa_handler = say_late;
    }
    /* Who started us may have turned it off. */
    if (err == AG_OK &&
        (sigemptyset(&ours) != 0 || sigaddset(&ours, SIGALRM) != 0 ||
         sigaction(SIGALRM, &act, NULL) != 0 ||
         sigprocmask(SIG_UNBLOCK, &ours, NULL) != 0)) {
        err = err_from_errno(errno);
    }
    if (err == AG_OK) {
        (void)alarm(seconds);
    }
    return err;
}

enum ag_err
behind_hurry_as(const struct agent *agent, const json_t *told)
{
    return told == NULL ? AG_OK : prepare(agent, told);
}
