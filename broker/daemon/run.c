#include "daemon/run.h"

#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/signalfd.h>

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <malloc.h>

#include "base/clock.h"
#include "base/fdx.h"
#include "base/log.h"
#include "base/paths.h"
#include "base/secret.h"
#include "caller/peer.h"
#include "core/core.h"
#include "core/rotation.h"
#include "daemon/conf.h"
#include "daemon/listen.h"
#include "daemon/notify.h"
#include "daemon/passing.h"
#include "daemon/selflock.h"
#include "daemon/shed.h"
#include "handover/handover.h"
#include "http/accept.h"
#include "http/gate.h"
#include "http/routes.h"
#include "http/server.h"
#include "privsep/filter.h"
#include "privsep/runner.h"
#include "privsep/witness.h"
#include "profile/load.h"
#include "proxy/forward.h"
#include "proxy/proxy.h"
#include "rotate/pq_lib.h"
#include "upstream/upstream.h"

enum {
    TRIM_BYTES = 256 * 1024, /* free memory kept at the heap's end */
    TICK_MS = 500, /* a task that started since may end before the rest */
    OTHER_FDS_COUNT = 256, /* database, helpers, lines of tasks */
    CONNECTIONS_LEAST_COUNT = 16,
    TUNNELS_SHARE = 32, /* of all files, at most: each has three */
};

enum helper_death {
    DEATH_NONE,
    DEATH_FILTER,
    DEATH_WITNESS,
};

struct daemon {
    struct paths paths;
    struct settings settings;
    int64_t files_max; /* asked once: later the call is not allowed */
    struct listeners listeners;
    struct notify notify;
    sigset_t signals;
    int signal_fd;
    int wake_fd; /* written by other threads: stop, a helper's death */
    atomic_bool stopping;
    atomic_int death; /* enum helper_death */
    struct filter *filter;
    struct witness *witness;
    struct runner *runner;
    struct profiles *profiles;
    struct upstream *upstream;
    struct core *core;
    struct handover *handover;
    struct proxy *proxy;
    struct forward *forward;
    struct pass_app pass;
    struct routes_stop stop;
    struct server *server;
    struct acceptor *acceptor;
};

/* ---- called from other threads ---- */

static void
wake(struct daemon *d)
{
    (void)!write(d->wake_fd, &(uint64_t){1}, sizeof(uint64_t));
}

static void
on_stop(void *arg)
{
    struct daemon *d = arg;

    atomic_store(&d->stopping, true);
    wake(d);
}

static void
on_filter_death(void *arg)
{
    struct daemon *d = arg;

    atomic_store(&d->death, DEATH_FILTER);
    wake(d);
}

static void
on_witness_death(void *arg)
{
    struct daemon *d = arg;

    atomic_store(&d->death, DEATH_WITNESS);
    wake(d);
}

static enum ag_err
on_handover(void *ctx, int fd, struct peer *peer)
{
    return handover_accept(((struct daemon *)ctx)->handover, fd, peer);
}

static enum ag_err
on_forward(void *ctx, int fd, struct peer *peer)
{
    return forward_take(((struct daemon *)ctx)->forward, fd, peer);
}

static enum ag_err
on_serve(void *ctx, int fd, const char *authority, struct peer *peer)
{
    bool tcp = authority == NULL && peer_transport(peer) == PEER_TCP;
    const struct conn_door door = {
        .socket = tcp ? HTTP_TCP : HTTP_TASK,
        .via = authority == NULL ? REQUEST_PLAIN : REQUEST_INTERCEPTED,
        .authority = authority};

    return server_take(((struct daemon *)ctx)->server, fd, &door, peer);
}

static void
on_refuse(void *ctx, int fd, enum ag_err err, const char *why)
{
    (void)ctx;
    gate_refuse(fd, err, why);
}

/* ---- start, in order ---- */

/* Blocked before any thread exists, so that only the main loop gets them. */
static enum ag_err
open_signals(struct daemon *d)
{
    (void)sigemptyset(&d->signals);
    (void)sigaddset(&d->signals, SIGTERM);
    (void)sigaddset(&d->signals, SIGINT);
    (void)sigaddset(&d->signals, SIGHUP);
    if (pthread_sigmask(SIG_BLOCK, &d->signals, NULL) != 0) {
        return AG_EIO;
    }
    d->signal_fd = signalfd(-1, &d->signals, SFD_CLOEXEC | SFD_NONBLOCK);
    d->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    return d->signal_fd >= 0 && d->wake_fd >= 0 ? AG_OK : AG_EIO;
}

/* A connection takes two descriptors, its own and a pidfd; a call to a service
 * one to three. Where the limit is low the caps follow it: told is no hang. */
static void
fit_connections(const struct daemon *d, struct settings *settings)
{
    struct http_limits *limits = &settings->http;
    char text[24];
    int64_t tunnels = d->files_max / TUNNELS_SHARE;
    int64_t others = OTHER_FDS_COUNT + settings->upstream.connections +
                     settings->upstream.calls * 3;
    int64_t fit = 0;

    if (settings->forward.connections > tunnels) {
        settings->forward.connections = tunnels;
    }
    fit = (d->files_max - others - settings->forward.connections * 3) / 2;
    if (fit >= limits->connections) {
        return;
    }
    fit = fit < CONNECTIONS_LEAST_COUNT ? CONNECTIONS_LEAST_COUNT : fit;
    limits->connections = fit;
    if (limits->admin_spare > fit / 4) {
        limits->admin_spare = fit / 4;
    }
    (void)snprintf(text, sizeof(text), "%lld", (long long)fit);
    log_warn("few open files are allowed (ulimit -n)", "connections", text);
}

static const char *
ca_file(const struct daemon *d)
{
    return d->settings.ca_file[0] == '\0' ? NULL : d->settings.ca_file;
}

static enum ag_err
open_outside(struct daemon *d)
{
    struct rlimit files;
    enum ag_err err = selflock_begin();

    if (err == AG_OK) {
        err = paths_find(&d->paths);
    }
    if (err == AG_OK) {
        err = settings_load(&d->paths, &d->settings);
    }
    if (err == AG_OK) {
        err = upstream_new(&d->settings.upstream, ca_file(d), &d->upstream);
    }
    if (err != AG_OK) {
        return err;
    }
    pq_lib_load();
    log_set_level((enum log_level)d->settings.log_level);
    if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
        d->files_max = (int64_t)files.rlim_cur;
    }
    fit_connections(d, &d->settings);
    err = listeners_open(&d->paths, d->settings.http.connections_tcp > 0,
                         (uint16_t)d->settings.tcp_port, &d->listeners);
    if (err == AG_OK) {
        err = notify_open(&d->notify);
    }
    if (err == AG_OK) {
        err = open_signals(d);
    }
    return err == AG_OK ? secret_arena_open(SECRET_ARENA_DAEMON_BYTES) : err;
}

static enum ag_err
start_helpers(struct daemon *d)
{
    enum ag_err err = filter_start(on_filter_death, d, &d->filter);

    err = err == AG_OK ? witness_start(on_witness_death, d, &d->witness) : err;
    return err == AG_OK ? runner_start(&d->runner) : err;
}

static enum ag_err
load_profiles(struct daemon *d)
{
    char shipped[PATH_BYTES + 16];
    char own[PATH_BYTES + 16];
    enum ag_err err;

    (void)snprintf(shipped, sizeof(shipped), "%s/profiles", d->paths.data);
    (void)snprintf(own, sizeof(own), "%s/profiles", d->paths.config);
    err = profiles_load(shipped, own, &d->profiles);
    for (size_t i = 0; err == AG_OK && i < profiles_problem_count(d->profiles);
         i++) {
        struct profile_problem problem = profiles_problem_at(d->profiles, i);

        log_warn("profile left out", "file", problem.source, "why",
                 problem.why);
    }
    return err;
}

static enum ag_err
close_off_files(struct daemon *d)
{
    int level = 0;
    char text[12];
    enum ag_err err = selflock_files(&d->paths, ca_file(d), &level);

    (void)snprintf(text, sizeof(text), "%d", level);
    if (err == AG_OK) {
        log_info("confined", "landlock", text);
    }
    return err;
}

static enum ag_err
start_broker(struct daemon *d)
{
    const struct core_parts parts = {
        .paths = &d->paths,
        .filter = d->filter,
        .source = witness_source(d->witness),
        .profiles = d->profiles,
        .upstream = d->upstream,
        .runner = d->runner,
        .rotates = true,
    };
    struct server_app app;
    enum ag_err err = core_new(&parts, &d->settings.core, &d->core);

    if (err == AG_OK) {
        err = handover_new(d->core, d->filter, &d->handover);
    }
    if (err != AG_OK) {
        return err;
    }
    d->stop = (struct routes_stop){.core = d->core, .stop = on_stop, .arg = d};
    err = proxy_new(d->core, d->upstream, &d->proxy);
    if (err != AG_OK) {
        return err;
    }
    app = routes_app(&d->stop);
    d->pass = passing_app(d->proxy);
    app.pass = &d->pass;
    return server_new(&app, &ROUTES, &d->settings.http, &d->server);
}

static enum ag_err
start_forward(struct daemon *d)
{
    const struct forward_parts parts = {.core = d->core,
                                        .upstream = d->upstream,
                                        .ctx = d,
                                        .serve = on_serve,
                                        .refuse = on_refuse};

    return forward_new(&parts, &d->settings.forward, &d->forward);
}

static enum ag_err
start_accepting(struct daemon *d)
{
    struct accept_socket sockets[ACCEPT_SOCKETS_MAX_COUNT];
    const struct accept_parts parts = {
        .server = d->server,
        .source = witness_source(d->witness),
        .own_uid = geteuid(),
        .ctx = d,
        .handover = on_handover,
        .forward = on_forward,
    };
    size_t count = listeners_list(&d->listeners, sockets);

    return acceptor_new(sockets, count, &parts, &d->acceptor);
}

static enum ag_err
start(struct daemon *d)
{
    static enum ag_err (*const STEPS[])(struct daemon *) = {
        open_outside,    start_helpers, load_profiles,
        close_off_files, start_broker,  start_forward,
    };
    enum ag_err err = AG_OK;

    for (size_t i = 0; err == AG_OK && i < AG_COUNT(STEPS); i++) {
        err = STEPS[i](d);
    }
    err = err == AG_OK ? selflock_calls() : err;
    return err == AG_OK ? start_accepting(d) : err;
}

/* ---- serve ---- */

static void
reload(struct daemon *d)
{
    struct settings wanted;
    enum ag_err err;

    notify_reloading(&d->notify);
    err_clear();
    err = settings_load(&d->paths, &wanted);
    if (err == AG_OK) {
        /* Sockets stay as they are until the next start. */
        fit_connections(d, &wanted);
        d->settings = wanted;
        log_set_level((enum log_level)wanted.log_level);
        core_set_settings(d->core, &wanted.core);
        upstream_set_limits(d->upstream, &wanted.upstream);
        forward_set_limits(d->forward, &wanted.forward);
        server_set_limits(d->server, &wanted.http);
        log_info("settings read again");
    } else {
        log_error("settings kept as they were", "why", err_text(err));
    }
    notify_send(&d->notify, "READY=1");
}

static void
take_signals(struct daemon *d)
{
    struct signalfd_siginfo info;

    while (read(d->signal_fd, &info, sizeof(info)) == (ssize_t)sizeof(info)) {
        if (info.ssi_signo == SIGHUP) {
            reload(d);
        } else {
            atomic_store(&d->stopping, true);
        }
    }
}

static int
wait_ms(const struct daemon *d, int64_t next_ms)
{
    int64_t left_ms = next_ms - clock_steady_ms();
    int64_t most_ms = TICK_MS;

    if (d->notify.watchdog_ms > 0 && d->notify.watchdog_ms / 2 < most_ms) {
        most_ms = d->notify.watchdog_ms / 2;
    }
    left_ms = left_ms < 0 ? 0 : left_ms;
    return (int)(left_ms < most_ms ? left_ms : most_ms);
}

/* Until a signal, POST /v1/stop, or the death of a helper. */
static enum ag_err
serve(struct daemon *d)
{
    int64_t next_ms = 0;

    while (!atomic_load(&d->stopping)) {
        struct pollfd fds[] = {
            {.fd = d->signal_fd, .events = POLLIN},
            {.fd = d->wake_fd, .events = POLLIN},
        };

        core_tick(d->core, &next_ms);
        if (d->notify.watchdog_ms > 0) {
            notify_send(&d->notify, "WATCHDOG=1");
        }
        (void)poll(fds, AG_COUNT(fds), wait_ms(d, next_ms));
        take_signals(d);
        switch ((enum helper_death)atomic_load(&d->death)) {
        case DEATH_NONE:
            break;
        case DEATH_FILTER:
            core_filter_died(d->core);
            return err_why(AG_EFILTER, "the filter process ended");
        case DEATH_WITNESS:
            return err_why(AG_EUNTRACED, "the witness process ended");
        }
    }
    return AG_OK;
}

/* ---- end, in the order that loses nothing ---- */

static void
end(struct daemon *d)
{
    notify_send(&d->notify, "STOPPING=1");
    acceptor_free(d->acceptor);
    core_rotation_stop(d->core); /* the journal says where to go on */
    runner_abort(d->runner);
    if (d->server != NULL) {
        server_drain(d->server);
    }
    handover_free(d->handover);
    forward_free(d->forward);
    server_free(d->server);
    proxy_free(d->proxy);
    core_free(d->core);
    upstream_free(d->upstream);
    profiles_free(d->profiles);
    runner_stop(d->runner);
    witness_stop(d->witness);
    filter_stop(d->filter);
    listeners_close(&d->listeners);
    notify_close(&d->notify);
    fd_close(d->wake_fd);
    fd_close(d->signal_fd);
}

enum ag_err
daemon_run(void)
{
    static struct daemon d; /* one in a process; too large for a stack */
    enum ag_err err;
    char why[200];

    d.notify.fd = -1;
    d.signal_fd = -1;
    d.wake_fd = -1;
    listeners_none(&d.listeners);
    /* Threads that allocate little: an arena each would only keep pages. */
    // NOLINTBEGIN(concurrency-mt-unsafe): there are no threads yet
    (void)mallopt(M_ARENA_MAX, 2);
    (void)mallopt(M_TRIM_THRESHOLD, TRIM_BYTES);
    /* Else each large block that comes or goes first gathers the small ones. */
    (void)mallopt(M_MXFAST, 0);
    // NOLINTEND(concurrency-mt-unsafe)
    err = start(&d);
    if (err == AG_OK) {
        log_info("ready", "version", AG_VERSION, "home", d.paths.home);
        notify_send(&d.notify, "READY=1");
        shed_start();
        err = serve(&d);
    }
    (void)snprintf(why, sizeof(why), "%s", err_text(err));
    end(&d);
    return err == AG_OK ? AG_OK : err_why(err, "%s", why);
}
