/* The command under way, and its end (run.h). */
#include <sys/signalfd.h>
#include <sys/wait.h>

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fdx.h"
#include "cli.h"
#include "client.h"
#include "run/refused.h"
#include "run/run.h"
#include "run/term.h"

enum {
    STREAMS_GRACE_MS = 400, /* for the rest of the output, before `end` */
};

/* Handed on to the command, or acted on. */
static const int SIGNALS[] = {SIGHUP,  SIGINT,   SIGQUIT, SIGTERM, SIGUSR1,
                              SIGUSR2, SIGWINCH, SIGTSTP, SIGCONT};

enum ag_err
run_signals(struct run *r)
{
    sigset_t handled;
    sigset_t blocked;

    /* Whoever started us may not have cared for children; we do. */
    (void)signal(SIGCHLD, SIG_DFL);
    (void)sigemptyset(&handled);
    for (size_t i = 0; i < AG_COUNT(SIGNALS); i++) {
        (void)sigaddset(&handled, SIGNALS[i]);
    }
    blocked = handled;
    (void)sigaddset(&blocked, SIGCHLD); /* the keeper's, before it can look */
    (void)sigaddset(&blocked, SIGPIPE);
    (void)sigaddset(&blocked, SIGTTOU);
    if (sigprocmask(SIG_BLOCK, &blocked, &r->mask_before) != 0) {
        return AG_EIO;
    }
    r->signal_fd = signalfd(-1, &handled, SFD_CLOEXEC | SFD_NONBLOCK);
    return r->signal_fd < 0 ? AG_EIO : AG_OK;
}

/* ---- the end of the tree ---- */

void
run_kill(struct run *r)
{
    int status;

    if (r->keeper > 0) {
        (void)kill(r->keeper, SIGKILL);
        while (waitpid(r->keeper, &status, 0) < 0 && errno == EINTR) {
        }
        r->keeper = 0;
    }
    /* As process 1 it has taken all with it; otherwise they are ours now. */
    if (r->spec.kind != JAIL_FULL) {
        jail_kill_descendants();
    }
    fd_close(r->line);
    r->line = -1;
}

/* ---- the keeper ---- */

void
run_suspend(struct run *r)
{
    sigset_t stop;

    term_restore();
    (void)sigemptyset(&stop);
    (void)sigaddset(&stop, SIGTSTP);
    (void)sigprocmask(SIG_UNBLOCK, &stop, NULL);
    (void)kill(0, SIGTSTP);
    (void)sigprocmask(SIG_BLOCK, &stop, NULL);
    if (r->raw) {
        r->raw = term_raw(STDIN_FILENO);
    }
    if (r->streams.master_fd >= 0) {
        pty_resize(r->streams.master_fd, streams_model());
    }
    (void)!keeper_tell(r->line, KEEPER_SIGNAL, SIGCONT);
}

static void
on_failure(struct run *r, const struct keeper_message *m)
{
    const char *text = m->value == EILSEQ ? "a value is empty or holds a NUL"
                                          : strerrordesc_np(m->value);

    r->ended = true;
    r->status = RUN_EXIT_FAILED << 8;
    if (m->step == CHILD_STEP_EXEC) {
        r->status =
            (m->value == ENOENT ? RUN_EXIT_NOT_FOUND : RUN_EXIT_NOT_EXEC) << 8;
    }
    r->why =
        err_why(AG_ENOTFOUND, "%.*s: %s", KEEPER_TEXT_BYTES - 1, m->text, text);
}

static void
on_keeper(struct run *r)
{
    struct keeper_message m = {0};
    int fds[2] = {-1, -1};

    if (keeper_hear(r->line, &m, fds) != AG_OK) {
        run_kill(r); /* it is gone: the rest, if any, goes too */
        return;
    }
    switch ((enum keeper_says)m.what) {
    case KEEPER_STOPPED:
        run_suspend(r);
        break;
    case KEEPER_ENDED:
        if (!r->ended) {
            r->ended = true;
            r->tree_gone = m.step == 1;
            r->status = m.value;
        }
        break;
    case KEEPER_FAILED:
        on_failure(r, &m);
        break;
    case KEEPER_TTY:
    case KEEPER_FILE:
    case KEEPER_READY:
        break;
    }
    fd_close(fds[0]);
    fd_close(fds[1]);
}

/* ---- signals ---- */

static void
on_signal(struct run *r)
{
    struct signalfd_siginfo info;

    while (read(r->signal_fd, &info, sizeof(info)) == sizeof(info)) {
        int number = (int)info.ssi_signo;

        if (number == SIGWINCH && r->streams.pty) {
            pty_resize(r->streams.master_fd, streams_model());
            continue;
        }
        if (number == SIGCONT && r->streams.input_fd >= 0 && r->streams.pty) {
            r->raw = term_raw(STDIN_FILENO);
            pty_resize(r->streams.master_fd, streams_model());
        }
        if (r->line >= 0) {
            (void)!keeper_tell(r->line, KEEPER_SIGNAL, number);
        }
    }
}

/* ---- the loop ---- */

enum slot {
    SLOT_SIGNALS,
    SLOT_KEEPER,
    SLOT_SESSION,
    SLOT_WATCH,
    SLOT_STDIN,
    SLOT_INPUT,
    SLOT_COUNT,
};

static void
fill_slots(const struct run *r, struct pollfd slots[SLOT_COUNT])
{
    struct input_want want =
        input_wants(&r->streams, &r->input, r->raw || !r->streams.pty);

    slots[SLOT_SIGNALS] = (struct pollfd){.fd = r->signal_fd, .events = POLLIN};
    slots[SLOT_KEEPER] = (struct pollfd){.fd = r->line, .events = POLLIN};
    slots[SLOT_SESSION] =
        (struct pollfd){.fd = session_fd(r->session), .events = POLLIN};
    slots[SLOT_WATCH] =
        (struct pollfd){.fd = watch_fd(r->watch), .events = POLLIN};
    slots[SLOT_STDIN] =
        (struct pollfd){.fd = want.read ? STDIN_FILENO : -1, .events = POLLIN};
    slots[SLOT_INPUT] = (struct pollfd){
        .fd = want.write ? r->streams.input_fd : -1, .events = POLLOUT};
}

static int
wait_ms(const struct run *r)
{
    int64_t left_ms = r->alarm_ms - clock_steady_ms();

    if (session_kept(r->session)) {
        return 0;
    }
    return r->alarm_ms == 0 ? -1 : left_ms > 0 ? (int)left_ms : 0;
}

static void
turn(struct run *r)
{
    struct pollfd slots[SLOT_COUNT];

    fill_slots(r, slots);
    if (poll(slots, SLOT_COUNT, wait_ms(r)) < 0) {
        return; /* EINTR: a stop and its end */
    }
    if (slots[SLOT_SIGNALS].revents != 0) {
        on_signal(r);
    }
    /* Before the end is noticed: the new login comes first. */
    if (slots[SLOT_WATCH].revents != 0) {
        watch_pump(r->watch, r->session);
    }
    if (slots[SLOT_INPUT].revents != 0) {
        input_write(&r->streams, &r->input);
    }
    if (slots[SLOT_STDIN].revents != 0) {
        input_read(&r->streams, &r->input);
    }
    if (slots[SLOT_SESSION].revents != 0 || session_kept(r->session)) {
        run_hear(r);
    }
    if (slots[SLOT_KEEPER].revents != 0 && r->line >= 0) {
        on_keeper(r);
    }
}

/* ---- the end ---- */

void
run_tell_end(struct run *r, int exit_code)
{
    enum ag_err err = session_send_end(r->session, exit_code);

    if (err == AG_OK) {
        err = session_answer(r->session, &r->receipt);
    }
    /* A task that was ended from the other side is not known any more. */
    if (err != AG_OK && !r->killed && r->why == AG_OK) {
        r->why = err;
    }
}

static int
exit_of(const struct run *r)
{
    if (r->killed) {
        /* Its own end, seen from outside; anything else is our failure. */
        return r->why == AG_EEXPIRED || r->why == AG_EREVOKED
                   ? RUN_EXIT_SIGNAL + SIGKILL
                   : RUN_EXIT_FAILED;
    }
    if (!r->ended) {
        return RUN_EXIT_SIGNAL + SIGKILL; /* the keeper was killed */
    }
    return WIFSIGNALED(r->status) ? RUN_EXIT_SIGNAL + WTERMSIG(r->status)
                                  : WEXITSTATUS(r->status);
}

static void
on_found(void *arg, enum gitcheck_kind kind, const char *path, const char *to)
{
    struct run *r = arg;

    switch (kind) {
    case GITCHECK_ASIDE:
        out_warn(&r->cli->out,
                 "the task made %s, by which git would run what it chose; it "
                 "was renamed to %s",
                 path, to);
        break;
    case GITCHECK_STAYS:
        out_warn(&r->cli->out,
                 "the task made %s, by which git would run what it chose, and "
                 "it can't be renamed; run no git there before it is gone",
                 path);
        break;
    case GITCHECK_LOOK:
        out_warn(&r->cli->out,
                 "%s names programs for git to run, in a repository that the "
                 "task changed; look at it before you run git there",
                 path);
        break;
    case GITCHECK_PARTLY:
        out_warn(&r->cli->out,
                 "%s has more than %d directories: not all were looked "
                 "through for repositories that the task made",
                 path, GITCHECK_DIRS_MAX_COUNT);
        break;
    }
}

/* What the person is told of it, last of all. */
static enum ag_err
conclude(const struct run *r, int *ret_exit)
{
    refused_tell(&r->cli->out, r->receipt);
    if (watch_trouble(r->watch) != NULL) {
        out_warn(&r->cli->out, "%s", watch_trouble(r->watch));
    }
    if (watch_found(r->watch) != NULL) {
        out_warn(&r->cli->out, "%s", watch_found(r->watch));
    }
    if (r->lost != AG_OK && r->why == AG_OK) {
        *ret_exit = *ret_exit == 0 ? RUN_EXIT_FAILED : *ret_exit;
        return err_why(r->lost,
                       "not all that the command printed could be passed on: "
                       "%s",
                       err_title(r->lost));
    }
    return r->why;
}

enum ag_err
run_supervise(struct run *r, int *ret_exit)
{
    enum ag_err err;

    if (r->streams.pty && r->streams.input_fd >= 0) {
        r->raw = term_raw(STDIN_FILENO);
    }
    if (!r->spec.at_once && keeper_tell(r->line, KEEPER_GO, 0) != AG_OK) {
        return err_why(AG_EINTERNAL, "the task's first process died");
    }
    /* While the command is loaded: a stream that was refused passes nothing,
     * a value that was refused lets it wait, so nothing is lost by going on. */
    err = run_collect(r);
    if (err != AG_OK) {
        return err == AG_ETICKET ? run_why_refused(r, err) : err;
    }
    while (r->keeper > 0 && !r->tree_gone) {
        turn(r);
        if (r->alarm_ms != 0 && clock_steady_ms() >= r->alarm_ms) {
            run_end_by_alarm(r);
        }
    }
    if (r->alarm_ms != 0) {
        run_end_by_alarm(r); /* it may have ended by itself */
    }
    watch_finish(r->watch, r->broker_gone ? NULL : r->session);
    keeper_remove_files(&r->spec);
    isolation_tidy(&r->isolation, on_found, r);
    run_await_streams(r, clock_steady_ms() + STREAMS_GRACE_MS);
    *ret_exit = exit_of(r);
    if (!r->broker_gone) {
        run_tell_end(r, *ret_exit);
    }
    run_await_streams(r, 0);
    term_restore();
    return conclude(r, ret_exit);
}

void
run_done(struct run *r)
{
    if (r->keeper > 0) {
        run_kill(r);
    }
    keeper_remove_files(&r->spec);
    term_restore();
    for (size_t i = 0; i < r->file_count; i++) {
        fd_close(r->files[i].dir_fd);
        place_free(r->files[i].place);
    }
    streams_done(&r->streams);
    watch_free(r->watch);
    session_close(r->session);
    env_list_free(r->env);
    argv_free(r->argv);
    isolation_done(&r->isolation);
    task_free(r->task);
    json_decref(r->receipt);
    fd_close(r->line);
    fd_close(r->signal_fd);
    (void)sigprocmask(SIG_SETMASK, &r->mask_before, NULL);
}
