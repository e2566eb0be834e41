#include "transcript/packed.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#include "base/fdx.h"

enum {
    WHY_BYTES = 256,
};

/* One end of the chain. */
struct worker {
    enum pack_kind kind;
    enum ag_err (*run)(enum pack_kind kind, int src_fd, int dst_fd);
    int src_fd;
    int dst_fd;
    int ours_fd; /* of the two, the one to close at the end */
    bool started;
    pthread_t thread;
    enum ag_err err;
    char why[WHY_BYTES];
};

static void *
work(void *arg)
{
    struct worker *w = arg;
    sigset_t pipe;

    /* A filter that has gone is an error to return, here only. */
    (void)sigemptyset(&pipe);
    (void)sigaddset(&pipe, SIGPIPE);
    (void)pthread_sigmask(SIG_BLOCK, &pipe, NULL);
    w->err = w->run(w->kind, w->src_fd, w->dst_fd);
    if (w->err != AG_OK) {
        (void)snprintf(w->why, sizeof(w->why), "%s", err_text(w->err));
    }
    fd_close(w->ours_fd);
    return NULL;
}

/* The worker closes its end of `pair`; the other is *ret. */
static enum ag_err
start(struct worker *w, bool is_reader, int *ret_fd)
{
    int pair[2];
    int failed;

    if (pipe2(pair, O_CLOEXEC) != 0) {
        return err_from_errno(errno);
    }
    w->ours_fd = is_reader ? pair[0] : pair[1];
    *(is_reader ? &w->src_fd : &w->dst_fd) = w->ours_fd;
    failed = pthread_create(&w->thread, NULL, work, w);
    if (failed != 0) {
        fd_close(pair[0]);
        fd_close(pair[1]);
        return err_from_errno(failed);
    }
    w->started = true;
    *ret_fd = is_reader ? pair[1] : pair[0];
    return AG_OK;
}

static enum ag_err
join(struct worker *w)
{
    if (!w->started) {
        return AG_OK;
    }
    (void)pthread_join(w->thread, NULL);
    return w->err == AG_OK ? AG_OK : err_why(w->err, "%s", w->why);
}

static enum ag_err
run_chain(struct passage *passage, const char *name, const struct packed *text,
          json_t **ret_report)
{
    struct worker opener = {
        .kind = text->kind, .run = pack_open, .src_fd = text->src_fd};
    struct worker closer = {
        .kind = text->kind, .run = pack_close, .dst_fd = text->dst_fd};
    AG_AUTO(fd) int in = -1;
    AG_AUTO(fd) int out = -1;
    json_t *report = NULL;
    enum ag_err opened;
    enum ag_err closed;
    enum ag_err err = start(&opener, false, &in);

    if (err == AG_OK && !text->plain_out) {
        err = start(&closer, true, &out);
    }
    if (err == AG_OK) {
        err = passage_run(passage, name, in, out >= 0 ? out : text->dst_fd,
                          &report);
    }
    /* Each ends when the filter's side of its pipe is closed. */
    fd_close(FD_TAKE(in));
    fd_close(FD_TAKE(out));
    if (err != AG_OK) {
        char why[WHY_BYTES];

        (void)snprintf(why, sizeof(why), "%s", err_text(err));
        (void)!join(&opener);
        (void)!join(&closer);
        return err_why(err, "%s", why);
    }
    closed = join(&closer);
    opened = join(&opener); /* the cause, if both failed */
    if (opened != AG_OK || closed != AG_OK) {
        json_decref(report);
        return opened != AG_OK ? opened : closed;
    }
    *ret_report = report;
    return AG_OK;
}

enum ag_err
packed_run(struct passage *passage, const char *name, const struct packed *text,
           json_t **ret_report)
{
    enum ag_err err;

    if (text->kind == PACK_NONE) {
        return passage_run(passage, name, text->src_fd, text->dst_fd,
                           ret_report);
    }
    err = pack_load(text->kind);
    return err == AG_OK ? run_chain(passage, name, text, ret_report) : err;
}
