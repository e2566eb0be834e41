/* render: a file with values, for a daemon, kept as the vault has them. */
#include <sys/wait.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <spawn.h>

#include "args.h"
#include "base/encode.h"
#include "base/secret.h"
#include "body.h"
#include "cli.h"
#include "client.h"
#include "keyfile.h"
#include "render_file.h"
#include "verb.h"

enum {
    EVERY_MS = 2000,      /* between two looks */
    PAUSE_MAX_MS = 60000, /* while the broker can't answer */
    STATE_BYTES = 65,
    SIGNALLED = 128,
};

struct render {
    struct cli *cli;
    struct secret *template; /* owned */
    const char *dest;
    char *path;           /* owned: where it is, for the record */
    char *const *command; /* NULL: none */
    char state[STATE_BYTES];
    int64_t every_ms;
    bool watch;
};

static void
render_done(struct render *r)
{
    secret_free(AG_TAKE(r->template));
    free(AG_TAKE(r->path));
}

AG_DEFINE_CLEANUP_INPLACE(render, render_done)

/* The file need not be there yet; its directory must. */
static enum ag_err
find_path(struct render *r)
{
    const char *slash = strrchr(r->dest, '/');
    const char *name = slash != NULL ? slash + 1 : r->dest;
    char *dir = slash != NULL ? strndup(r->dest, (size_t)(name - r->dest))
                              : strdup(".");
    char *real = dir != NULL ? realpath(dir, NULL) : NULL;
    enum ag_err err = AG_OK;

    if (real == NULL) {
        err = err_why(AG_EFILE, "%s: its directory is not there", r->dest);
    } else if (asprintf(&r->path, "%s/%s", real, name) < 0) {
        r->path = NULL;
        err = AG_ENOMEM;
    }
    free(dir);
    free(real);
    return err;
}

/* ---- the broker's answer ---- */

static enum ag_err
ask(struct render *r, struct secret **ret_answer)
{
    AG_AUTO(secret) struct secret *body = NULL;
    json_auto_t *fields = json_pack("{s:s, s:s*}", "path", r->path, "unless",
                                    r->state[0] != '\0' ? r->state : NULL);
    enum ag_err err =
        fields == NULL ? AG_ENOMEM
                       : body_make(fields,
                                   &(struct body_member){.name = "template",
                                                         .value = r->template},
                                   1, &body);

    if (err == AG_OK) {
        err = cli_call_secret(r->cli,
                              &(struct client_request){.method = "POST",
                                                       .path = "/v1/renderings",
                                                       .secret_body = body},
                              ret_answer);
    }
    return err;
}

/* ---- the command ---- */

/* The token is this program's, and a proof is nobody's. */
static enum ag_err
run_command(const struct render *r)
{
    pid_t pid = -1;
    int status = 0;
    int why = 0;

    (void)unsetenv("AUTH_GUARD_TOKEN");
    (void)unsetenv("AUTH_GUARD_PASSPHRASE_FILE");
    why = posix_spawnp(&pid, r->command[0], NULL, NULL, r->command, environ);
    if (why != 0) {
        return err_why(AG_EFILE, "%s: %s", r->command[0], strerrordesc_np(why));
    }
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {
    }
    r->cli->exit_code = r->watch            ? -1
                        : WIFEXITED(status) ? WEXITSTATUS(status)
                                            : SIGNALLED + WTERMSIG(status);
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
        out_say(&r->cli->out, "%s failed (%s %d).", r->command[0],
                WIFEXITED(status) ? "exit" : "signal",
                WIFEXITED(status) ? WEXITSTATUS(status) : WTERMSIG(status));
    }
    return AG_OK;
}

static enum ag_err
keep(struct render *r, const struct secret *text)
{
    bool changed = false;
    enum ag_err err = render_file(r->dest, text, &changed);

    if (err != AG_OK || !changed) {
        return err;
    }
    out_say(&r->cli->out, "%s is written.", r->dest);
    return r->command != NULL ? run_command(r) : AG_OK;
}

static enum ag_err
render_once(struct render *r)
{
    AG_AUTO(secret) struct secret *answer = NULL;
    AG_AUTO(secret) struct secret *value = NULL;
    AG_AUTO(secret) struct secret *text = NULL;
    json_auto_t *rest = NULL;
    enum ag_err err = ask(r, &answer);

    if (err == AG_OK) {
        err = body_take(answer, "value", &value, &rest);
    }
    if (err != AG_OK || !json_is_true(json_object_get(rest, "changed"))) {
        return err;
    }
    err = decode_base64_secret(secret_view(value), &text);
    if (err == AG_OK) {
        err = keep(r, text);
    }
    /* A file that could not be written is tried again. */
    if (err == AG_OK) {
        (void)snprintf(r->state, sizeof(r->state), "%s",
                       out_member(rest, "state"));
    }
    return err;
}

/* ---- watch ---- */

static void
pause_ms(int64_t ms)
{
    struct timespec rest = {.tv_sec = ms / 1000,
                            .tv_nsec = (ms % 1000) * 1000000};

    while (nanosleep(&rest, &rest) != 0 && errno == EINTR) {
    }
}

/* What waiting may mend: the broker, the vault, the secret, the disk. */
static bool
passes(enum ag_err err)
{
    switch ((int)err) {
    case AG_ELOCKED:
    case AG_ENOBROKER:
    case AG_EBUSY:
    case AG_ERATE:
    case AG_EIO:
    case AG_ENOSPACE:
    case AG_ETIMEOUT:
    case AG_EFILE:
    case AG_ENOTFOUND:
    case AG_EONHOLD:
    case AG_EFILTER:
        return true;
    default:
        return false;
    }
}

static enum ag_err
watch(struct render *r)
{
    int64_t pause = r->every_ms;
    enum ag_err before = AG_OK;
    enum ag_err err = AG_OK;

    for (;;) {
        pause_ms(pause);
        err = render_once(r);
        if (err != AG_OK && !passes(err)) {
            return err;
        }
        if (err != AG_OK && err != before) {
            out_say(&r->cli->out, "%s stays as it is: %s", r->dest,
                    err_text(err));
        }
        if (err != AG_OK) {
            cli_done(r->cli); /* the broker may be another one next time */
        }
        pause = err == AG_OK ? r->every_ms : pause * 2;
        pause = pause > PAUSE_MAX_MS ? PAUSE_MAX_MS : pause;
        before = err;
    }
}

static enum ag_err
render(struct render *r)
{
    enum ag_err err = AG_OK;

    if (r->every_ms == 0) {
        return err_why(AG_EUSAGE, "--every needs a time that is not 0, "
                                  "like 2s");
    }
    if (r->watch && r->cli->token == NULL) {
        return err_why(AG_EUSAGE,
                       "--watch needs a service's token in AUTH_GUARD_TOKEN, "
                       "since nobody is asked for the passphrase; see: "
                       "auth-guard role create NAME runner");
    }
    err = render_once(r);
    return err == AG_OK && r->watch ? watch(r) : err;
}

enum ag_err
verb_render(struct cli *cli, int argc, char **argv)
{
    AG_AUTO(render)
    struct render r = {.cli = cli, .every_ms = EVERY_MS};
    const struct arg_opt opts[] = {
        {"watch", ARG_FLAG, &r.watch, NULL,
         "stay, and write it anew when a value changes"},
        {"every", ARG_DURATION, &r.every_ms, "D", "look so often (2s)"}};
    const struct arg_spec spec = {
        .usage = "render [options] TEMPLATE DEST [-- CMD [ARG…]]",
        .about =
            "Writes DEST from TEMPLATE (- is stdin) with values in the place "
            "of\n{{ ag://NAME#/FIELD }}: whole or not at all, 0600, or with "
            "mode and owner of the\nfile that is there. CMD runs after each "
            "change, without a shell. Asks for the\npassphrase, or takes the "
            "token of the role `runner`.",
        .opts = opts,
        .opt_count = AG_COUNT(opts),
        .words_min = 2,
        .words_max = SIZE_MAX};
    struct args args;
    enum ag_err err = args_parse(cli, &spec, argc, argv, &args);

    if (err != AG_OK || args.help) {
        return err;
    }
    r.dest = args.words[1];
    r.command = args.count > 2 ? args.words + 2 : NULL;
    err = find_path(&r);
    if (err == AG_OK) {
        err = value_read(cli, args.words[0], &r.template);
    }
    if (err == AG_OK) {
        err = render(&r);
    }
    return err;
}
