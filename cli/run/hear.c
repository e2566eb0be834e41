/* What the broker says while the command runs, and until its output is out
 * (run.h). */
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "cli.h"
#include "run/run.h"

enum {
    /* After an alarm nothing of the task's is good any more; so long its
     * processes may read the answer that says why. */
    ALARM_GRACE_MS = 100,
    /* A task that is ended is refused everything at once; why it was comes to
     * its supervisor behind the record of it. */
    REASON_WAIT_MS = 1000,
};

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

/* Whoever reads has gone, as `head` does, or the terminal has: no fault. */
static bool
reader_has_gone(int fd)
{
    struct pollfd p = {.fd = fd, .events = POLLOUT};

    return poll(&p, 1, 0) == 1 && (p.revents & (POLLERR | POLLHUP)) != 0;
}

/* One that did not end with its source says why. */
static void
on_stream_end(struct run *r, const json_t *event)
{
    const char *code = json_string_value(json_object_get(event, "code"));
    json_int_t number = out_member_int(event, "stream");

    if (code != NULL && number > 0 &&
        number <= (json_int_t)AG_COUNT(r->stream_dst) &&
        !reader_has_gone(r->stream_dst[number - 1])) {
        r->lost = err_from_code(code);
    }
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
        on_stream_end(r, event);
    }
}

void
run_hear(struct run *r)
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
        if (r->alarm_ms != 0) {
            run_end_by_alarm(r); /* it was to end for that anyway */
        }
        end_for(r, err_why(AG_ENOBROKER, "the broker is gone; the task was "
                                         "ended"));
    }
}

void
run_end_by_alarm(struct run *r)
{
    end_for(r, reason_of(ALARM));
}

enum ag_err
run_why_refused(struct run *r, enum ag_err err)
{
    int64_t until_ms = clock_steady_ms() + REASON_WAIT_MS;
    int64_t left_ms = REASON_WAIT_MS;

    while (!r->killed && r->alarm_ms == 0 && left_ms > 0) {
        struct pollfd slot = {.fd = session_fd(r->session), .events = POLLIN};

        if (session_kept(r->session) || poll(&slot, 1, (int)left_ms) > 0) {
            run_hear(r);
        }
        left_ms = until_ms - clock_steady_ms();
    }
    if (r->alarm_ms != 0) {
        run_end_by_alarm(r);
    }
    return r->killed ? r->why : err;
}

/* ---- the rest of the output ---- */

/* A signal that is to end us: the person does not want the rest. It stays, and
 * does so when we block it no more. ^Z stops us; what else there was for the
 * command, a window's size say, is nobody's any more. */
static bool
is_to_end(struct run *r)
{
    static const int ENDS[] = {SIGHUP, SIGINT, SIGQUIT, SIGTERM};
    static const int OTHERS[] = {SIGUSR1, SIGUSR2, SIGWINCH, SIGTSTP, SIGCONT};
    const struct timespec now = {0};
    sigset_t others;
    sigset_t pending;
    int number = 0;

    (void)sigpending(&pending);
    for (size_t i = 0; i < AG_COUNT(ENDS); i++) {
        if (sigismember(&pending, ENDS[i]) == 1) {
            return true;
        }
    }
    (void)sigemptyset(&others);
    for (size_t i = 0; i < AG_COUNT(OTHERS); i++) {
        (void)sigaddset(&others, OTHERS[i]);
    }
    while ((number = sigtimedwait(&others, NULL, &now)) > 0) {
        if (number == SIGTSTP) {
            run_suspend(r);
        }
    }
    return false;
}

void
run_await_streams(struct run *r, int64_t until_ms)
{
    while (r->streams_left > 0 && !r->broker_gone) {
        struct pollfd slots[] = {
            {.fd = session_fd(r->session), .events = POLLIN},
            {.fd = r->signal_fd, .events = POLLIN}};
        int64_t left_ms = until_ms - clock_steady_ms();
        int n = 0;

        if (session_kept(r->session)) {
            run_hear(r);
            continue;
        }
        if (until_ms > 0 && left_ms <= 0) {
            return;
        }
        n = poll(slots, 2, until_ms > 0 ? (int)left_ms : -1);
        if (n > 0 && slots[0].revents != 0) {
            run_hear(r);
        }
        if (n > 0 && slots[1].revents != 0 && is_to_end(r)) {
            return;
        }
    }
}
