/* From the request to the moment before the command (run.h). */

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fdx.h"
#include "cli.h"
#include "run/fence.h"
#include "run/forward.h"
#include "run/ports.h"
#include "run/readback.h"
#include "run/run.h"

static enum streams_wish
wish_of(const struct run_options *o)
{
    if (o->pty) {
        return STREAMS_PTY;
    }
    return o->no_pty ? STREAMS_PIPES : STREAMS_AUTO;
}

static enum ag_err
ask_task(struct run *r)
{
    const struct run_options *o = r->plan->options;
    json_auto_t *body = NULL;
    json_t *isolation = NULL;
    json_t *answer = NULL;
    enum ag_err err = plan_body(r->plan, streams_count(wish_of(o)), &body);

    if (err == AG_OK) {
        err = isolation_make(o, &r->cli->paths, &r->isolation);
    }
    if (err == AG_OK && r->fenced) {
        err = isolation_fence(&r->isolation);
    }
    if (err == AG_OK) {
        err = isolation_allow(&r->isolation, body);
    }
    if (err == AG_OK) {
        err = isolation_body(&r->isolation, &isolation);
    }
    if (err == AG_OK &&
        json_object_set_new(body, "isolation", isolation) != 0) {
        err = AG_ENOMEM;
    }

    /* Both connected first, in the order they are needed: while the task is put
     * on record, the broker already finds out who is at the end of this line. */
    if (err == AG_OK) {
        err = cli_connect(r->cli);
    }
    if (err == AG_OK) {
        err = session_open(r->cli->paths.fd_sock, &r->session);
    }
    if (err == AG_OK) {
        err = cli_call(r->cli, "POST", "/v1/tasks", body, &answer);
    }
    if (err == AG_OK) {
        err = task_decode(answer, &r->task);
    }
    return err == AG_OK ? isolation_hide(&r->isolation, r->task->answer) : err;
}

/* ---- environment ---- */

enum ag_err
run_send(struct run *r, const char *op, const char *ticket, int fd)
{
    enum ag_err err = session_send(r->session, op, ticket, &fd, 1);

    r->answers_due += err == AG_OK ? 1 : 0;
    return err;
}

/* The broker writes into the pipe; the command's process reads it. */
static enum ag_err
promise_value(struct run *r, const struct delivery *d)
{
    struct child_value *value = &r->values[r->value_count];
    int ends[2];
    enum ag_err err = r->value_count == CHILD_VALUES_MAX_COUNT
                          ? AG_ELIMIT
                          : env_reserve(r->env, d->var, &value->slot);

    if (err != AG_OK) {
        return err;
    }
    if (pipe2(ends, O_CLOEXEC) != 0) {
        return err_from_errno(errno);
    }
    value->name = d->var;
    value->pipe_fd = ends[0];
    r->value_count++;
    err = run_send(r, "deliver", d->ticket, ends[1]);
    fd_close(ends[1]);
    return err;
}

static enum ag_err
make_env(struct run *r)
{
    const struct view *shown;
    const json_t *name;
    size_t i;
    enum ag_err err = env_list_new(environ, &r->env);

    if (err != AG_OK) {
        return err;
    }
    json_array_foreach(json_object_get(r->task->answer, "unset"), i, name)
    {
        if (json_is_string(name)) {
            env_unset(r->env, json_string_value(name));
        }
    }
    shown = isolation_shown(&r->isolation);
    for (i = 0; shown != NULL && i < shown->preset->unset.count; i++) {
        env_unset(r->env, shown->preset->unset.items[i]);
    }
    if (r->isolation.scratch != NULL) {
        err = env_set(r->env, "TMPDIR", r->isolation.scratch);
    }
    for (i = 0; err == AG_OK && i < r->plan->plain_count; i++) {
        err = env_put(r->env, r->plan->plain[i]);
    }
    if (err == AG_OK) {
        err = env_set(r->env, "AUTH_GUARD_TOKEN", r->task->token);
    }
    if (err == AG_OK) {
        err = env_set(r->env, "AUTH_GUARD_SOCKET", r->cli->paths.task_sock);
    }
    if (err == AG_OK) {
        err = urls_set(r);
    }
    if (err == AG_OK) {
        err = forward_env(r);
    }
    for (i = 0; err == AG_OK && i < r->task->delivery_count; i++) {
        if (r->task->deliveries[i].kind == DELIVERY_ENV) {
            err = promise_value(r, &r->task->deliveries[i]);
        }
    }
    return err;
}

/* ---- the line to the broker ---- */

static enum ag_err
claim_life(struct run *r)
{
    enum ag_err err = session_send(r->session, "life", r->task->life, NULL, 0);

    r->answers_due = err == AG_OK ? 1 : 0;
    return err;
}

static enum ag_err
send_stream(struct run *r, int src_fd, int dst_fd)
{
    const struct session_stream stream = {
        .src_fd = src_fd,
        .dst_fd = dst_fd,
        .audience = readback_can(&r->isolation, dst_fd) ? SESSION_TASK
                                                        : SESSION_OPERATOR,
        .rules = r->plan->options->rules,
    };
    enum ag_err err;

    if (r->streams_left >= r->task->stream_count ||
        r->streams_left == AG_COUNT(r->stream_dst)) {
        return err_why(AG_ECORRUPT, "the broker gave too few stream tickets");
    }
    r->stream_dst[r->streams_left] = dst_fd;
    err = session_send_stream(r->session, r->task->streams[r->streams_left],
                              &stream);
    r->answers_due += err == AG_OK ? 1 : 0;
    r->streams_left += err == AG_OK ? 1 : 0;
    return err;
}

static enum ag_err
send_streams(struct run *r)
{
    enum ag_err err = streams_open(wish_of(r->plan->options), &r->streams);

    for (size_t i = 0; err == AG_OK && i < r->streams.out_count; i++) {
        err =
            send_stream(r, r->streams.out[i].src_fd, r->streams.out[i].dst_fd);
    }
    streams_close_out(&r->streams);
    return err;
}

/* ---- the keeper ---- */

static enum ag_err
on_tty(struct run *r, int master_fd)
{
    streams_attach(&r->streams, master_fd);
    return send_stream(r, master_fd, STDOUT_FILENO);
}

/* Listens until the jail stands. *ret_refused: the kernel did not let it. */
static enum ag_err
await_jail(struct run *r, bool *ret_refused)
{
    struct keeper_message m = {0};
    int fds[2] = {-1, -1};
    enum ag_err err = AG_OK;

    while (err == AG_OK && m.what != KEEPER_READY) {
        err = keeper_hear(r->line, &m, fds);
        if (err == AG_OK && m.what == KEEPER_TTY) {
            err = on_tty(r, fds[0]);
        }
        if (err == AG_OK && m.what == KEEPER_FILE) {
            err = files_opened(r, m.value, fds);
        }
        if (err == AG_OK && m.what == KEEPER_FAILED) {
            *ret_refused = m.step == KEEPER_NO_NAMESPACES;
            err = err_why(
                m.step == KEEPER_JAIL ? AG_EIO : AG_EUNSUPPORTED, "%s%.*s%s%s",
                m.step == KEEPER_JAIL
                    ? "the task's view of the machine can't be made, "
                      "nothing was started: "
                    : "",
                KEEPER_TEXT_BYTES - 1, m.text, m.value != 0 ? ": " : "",
                m.value != 0 ? strerrordesc_np(m.value) : "");
        }
    }
    return err;
}

static enum ag_err
make_fence(struct run *r, int *ret_fd)
{
    const char *dirs[] = {r->isolation.scratch,
                          r->file_count > 0 ? r->dir : NULL, NULL};

    return fence_make(r->isolation.fence, &r->cli->paths, dirs, ret_fd);
}

static enum ag_err
start_keeper(struct run *r, enum jail_kind kind, bool *ret_refused)
{
    AG_AUTO(fd) int fence_fd = -1;
    enum ag_err err = files_dir(r, kind);

    *ret_refused = false;
    if (err == AG_OK) {
        err = files_name(r);
    }
    if (err == AG_OK && r->isolation.view != NULL) {
        err = files_link_inside(r);
    }
    if (err == AG_OK) {
        const struct argv_marks marks = {r->dir, r->url};

        argv_free(AG_TAKE(r->argv)); /* of a better jail that was refused */
        err = argv_new(r->plan->options->command,
                       json_object_get(r->task->answer, "args"), &marks,
                       &r->argv);
    }
    if (err == AG_OK && r->isolation.fence != NULL) {
        err = make_fence(r, &fence_fd);
    }
    if (err != AG_OK) {
        return err;
    }
    r->spec = (struct keeper_spec){
        .kind = kind,
        .view = r->isolation.view,
        .fence_fd = fence_fd < 0 ? 0 : fence_fd,
        .dir = r->dir,
        .files = r->keeper_files,
        .file_count = r->file_count,
        .pty = r->streams.pty,
        .at_once = r->file_count == 0 && !r->streams.pty,
        .pty_model = r->streams.pty ? streams_model() : -1,
        .child = {.argv = argv_words(r->argv),
                  .env = env_vector(r->env),
                  .values = r->values,
                  .value_count = r->value_count,
                  .stdio = {r->streams.child_fd[0], r->streams.child_fd[1],
                            r->streams.child_fd[2]},
                  .tty_fd = -1,
                  .mask = &r->mask_before}};
    isolation_await_tick(&r->isolation);
    err = keeper_start(&r->spec, &r->keeper, &r->line);
    if (err != AG_OK) {
        *ret_refused = err == AG_EUNSUPPORTED;
        return err;
    }
    return await_jail(r, ret_refused);
}

/* Nothing less than the whole of it. */
static enum ag_err
start_isolated(struct run *r)
{
    char why[KEEPER_TEXT_BYTES];
    bool refused = false;
    enum ag_err err = start_keeper(r, JAIL_FULL, &refused);

    if (!refused) {
        return err;
    }
    (void)snprintf(why, sizeof(why), "%s", err_text(err));
    r->wants_fence =
        r->isolation.view->preset->without_namespaces == PRESET_ELSE_LANDLOCK &&
        r->plan->options->keep_home == NULL && geteuid() != 0 &&
        fence_level() > 0;
    return err_why(AG_EUNSUPPORTED,
                   "isolation can't be had here, nothing was started: %s; see: "
                   "auth-guard doctor; or say --no-isolate",
                   why);
}

/* The best jail this kernel allows. */
static enum ag_err
start_some_keeper(struct run *r)
{
    static const enum jail_kind kinds[] = {JAIL_FULL, JAIL_MOUNTS, JAIL_NONE};

    bool refused = true;
    enum ag_err err = AG_EUNSUPPORTED;

    if (r->isolation.view != NULL) {
        return start_isolated(r);
    }
    for (size_t i = 0; refused && i < AG_COUNT(kinds); i++) {
        err = start_keeper(r, kinds[i], &refused);
        if (refused) {
            run_kill(r);
        }
    }
    return err;
}

/* ---- answers ---- */

enum ag_err
run_collect(struct run *r)
{
    enum ag_err err = AG_OK;

    while (err == AG_OK && r->answers_due > 0) {
        json_t *answer = NULL;

        err = session_answer(r->session, &answer);
        json_decref(answer);
        r->answers_due--;
    }
    return err;
}

static void
close_handed_on(struct run *r)
{
    for (size_t i = 0; i < r->value_count; i++) {
        fd_close(r->values[i].pipe_fd);
        r->values[i].pipe_fd = -1;
    }
    streams_close_child(&r->streams);
}

enum ag_err
run_start(struct run *r)
{
    enum ag_err err = ask_task(r);

    /* Until here ^C just ends us: nothing has been begun. */
    if (err == AG_OK) {
        err = run_signals(r);
    }
    if (err == AG_OK) {
        err = claim_life(r);
    }
    if (err == AG_OK) {
        err = send_streams(r);
    }
    if (err == AG_OK) {
        err = make_env(r);
    }
    if (err == AG_OK) {
        files_list(r);
        err = start_some_keeper(r);
    }
    close_handed_on(r);
    /* A value is waited for by whoever reads it; a file has to be there. */
    if (err == AG_OK && r->file_count > 0) {
        err = run_collect(r);
    }
    if (err == AG_OK) {
        err = files_follow(r);
    }
    return err == AG_OK ? files_link(r) : err;
}
