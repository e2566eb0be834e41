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
    /* After an alarm nothing of the task's is good any more; so long its
     * processes may read the answer that says why. */
    ALARM_GRACE_MS = 100,
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

/* Ends the task for a reason of ours. */
static void
end_for(struct run *r, enum ag_err why)
{
    if (!r->killed) {
        r->killed = true;
        r->why = why;
        run_kill(r);
    }
}

/* ---- the broker ---- */

struct reason {
    const char *word;
    enum ag_err err;
    const char *sentence;
};

static const char ALARM[] = "alarm";

static const struct reason REASONS[] = {
    {"expired", AG_EEXPIRED, "the task's time is over; it was ended"},
    {"revoked", AG_EREVOKED, "the task was revoked and ended"},
    {"locked", AG_ELOCKED, "the vault was locked; the task was ended"},
    {"filter", AG_EFILTER,
     "the filter died; the task was ended so that "
     "nothing passes unfiltered"},
    {"broker", AG_ENOBROKER, "the broker is stopping; the task was ended"},
};

static enum ag_err
reason_of(const char *word)
{
    for (size_t i = 0; i < AG_COUNT(REASONS); i++) {
        if (strcmp(REASONS[i].word, word) == 0) {
            return err_why(REASONS[i].err, "%s", REASONS[i].sentence);
        }
    }
    return err_why(AG_EREVOKED, "the task was ended: %s", word);
}

static bool
is_alarm(const char *word)
{
    return strcmp(word, ALARM) == 0;
}

static void
on_event(struct run *r, const json_t *event)
{
    const char *name = out_member(event, "event");

    if (strcmp(name, "end") == 0 && is_alarm(out_member(event, "reason"))) {
        r->alarm_ms = clock_steady_ms() + ALARM_GRACE_MS;
    } else if (strcmp(name, "end") == 0) {
        end_for(r, reason_of(out_member(event, "reason")));
    } else if (strcmp(name, "stream_end") == 0 && r->streams_left > 0) {
        r->streams_left--;
    }
}

static void
on_session(struct run *r)
{
    json_t *event = NULL;
    enum ag_err err = session_event(r->session, &event);

    while (err == AG_OK && event != NULL) {
        on_event(r, event);
        json_decref(event);
        event = NULL;
        err = session_event(r->session, &event);
    }
    if (err != AG_OK) {
        r->broker_gone = true;
        end_for(r, err_why(AG_ENOBROKER, "the broker is gone; the task was "
                                         "ended"));
    }
}

/* ---- the keeper ---- */

/* The command stopped (^Z): so do we, and go on when we are told to. */
static void
suspend(struct run *r)
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
        suspend(r);
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
        on_session(r);
    }
    if (slots[SLOT_KEEPER].revents != 0 && r->line >= 0) {
        on_keeper(r);
    }
}

/* ---- the end ---- */

/* Until the streams have ended or `until_ms`; a signal ends the wait too: the
 * person does not want the rest. */
static void
await_streams(struct run *r, int64_t until_ms)
{
    bool told = false;

    while (r->streams_left > 0 && !r->broker_gone && !told) {
        struct pollfd slots[] = {
            {.fd = session_fd(r->session), .events = POLLIN},
            {.fd = r->signal_fd, .events = POLLIN}};
        int64_t left_ms = until_ms - clock_steady_ms();
        int n = 0;

        if (session_kept(r->session)) {
            on_session(r);
            continue;
        }
        if (until_ms > 0 && left_ms <= 0) {
            return;
        }
        n = poll(slots, 2, until_ms > 0 ? (int)left_ms : -1);
        if (n > 0 && slots[0].revents != 0) {
            on_session(r);
        }
        told = n > 0 && slots[1].revents != 0;
    }
}

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
        return err;
    }
    while (r->keeper > 0 && !r->tree_gone) {
        turn(r);
        if (r->alarm_ms != 0 && clock_steady_ms() >= r->alarm_ms) {
            end_for(r, reason_of(ALARM));
        }
    }
    if (r->alarm_ms != 0) {
        end_for(r, reason_of(ALARM)); /* it may have ended by itself */
    }
    watch_finish(r->watch, r->broker_gone ? NULL : r->session);
    keeper_remove_files(&r->spec);
    isolation_tidy(&r->isolation, on_found, r);
    await_streams(r, clock_steady_ms() + STREAMS_GRACE_MS);
    *ret_exit = exit_of(r);
    if (!r->broker_gone) {
        run_tell_end(r, *ret_exit);
    }
    await_streams(r, 0);
    term_restore();
    refused_tell(&r->cli->out, r->receipt);
    if (watch_trouble(r->watch) != NULL) {
        out_warn(&r->cli->out, "%s", watch_trouble(r->watch));
    }
    if (watch_found(r->watch) != NULL) {
        out_warn(&r->cli->out, "%s", watch_found(r->watch));
    }
    return r->why;
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
