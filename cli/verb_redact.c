/*
 * redact: hands stdin (or files) and stdout to the filter as descriptors and
 * waits. No byte of the text passes through this process.
 */
#include <sys/stat.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "args.h"
#include "base/fdx.h"
#include "base/wipealloc.h"
#include "client.h"
#include "session.h"
#include "verb.h"

enum {
    FILES_MAX_COUNT = 4096, /* of one call; a list longer than that is a tree */
};

struct redaction {
    struct cli *cli;
    struct session *session;
    json_t *streams; /* one report each */
    int64_t hits;
};

static enum ag_err
wait_end(struct redaction *r, json_t **ret)
{
    struct pollfd p = {.fd = session_fd(r->session), .events = POLLIN};
    json_t *event = NULL;
    enum ag_err err = AG_OK;

    while (err == AG_OK && event == NULL) {
        err = session_event(r->session, &event);
        if (err == AG_OK && event == NULL && poll(&p, 1, -1) < 0 &&
            errno != EINTR) {
            return AG_EIO;
        }
    }
    if (err == AG_ENOBROKER) {
        return err_why(AG_EFILTER, "the broker ended; nothing after this point "
                                   "was passed on");
    }
    if (err == AG_OK && strcmp(out_member(event, "event"), "stream_end") != 0) {
        const char *reason = out_member(event, "reason");

        err = err_why(strcmp(reason, "locked") == 0 ? AG_ELOCKED : AG_EFILTER,
                      "the stream was ended: %s", reason);
        json_decref(event);
        return err;
    }
    *ret = event;
    return err;
}

/* Whoever read our output has gone, as `head` does: no error, and the end that
 * every filter in a pipe takes. */
static void
end_as_filters_do(void)
{
    struct pollfd p = {.fd = STDOUT_FILENO, .events = POLLOUT};

    if (poll(&p, 1, 0) == 1 && (p.revents & POLLERR) != 0) {
        (void)signal(SIGPIPE, SIG_DFL);
        (void)raise(SIGPIPE);
    }
}

static enum ag_err
filter_one(struct redaction *r, const char *ticket, const char *name, int src)
{
    int fds[] = {src, STDOUT_FILENO};
    json_t *answer = NULL;
    json_t *event = NULL;
    enum ag_err err = session_send(r->session, "stream", ticket, fds, 2);

    if (err == AG_OK) {
        err = session_answer(r->session, &answer);
        json_decref(answer);
    }
    if (err == AG_OK) {
        err = wait_end(r, &event);
    }
    if (err != AG_OK) {
        return err;
    }
    /* A stream that did not end with its source says why. */
    if (json_object_get(event, "code") != NULL) {
        end_as_filters_do();
        err = err_why(err_from_code(out_member(event, "code")),
                      "the stream of %s broke off; nothing after that point "
                      "was passed on",
                      name);
        json_decref(event);
        return err;
    }
    r->hits += out_member_int(event, "hits");
    (void)json_object_del(event, "event");
    (void)json_object_del(event, "stream");
    if (json_object_set_new(event, "file", json_string(name)) != 0 ||
        json_array_append_new(r->streams, event) != 0) {
        return AG_ENOMEM;
    }
    return AG_OK;
}

static enum ag_err
filter_file(struct redaction *r, const char *ticket, const char *name)
{
    AG_AUTO(fd) int fd = -1;
    struct stat st;

    if (strcmp(name, "-") == 0) {
        return filter_one(r, ticket, name, STDIN_FILENO);
    }
    fd = open(name, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    if (fd < 0) {
        return err_why(err_from_errno(errno), "%s: %s", name,
                       strerrordesc_np(errno));
    }
    if (fstat(fd, &st) == 0 && S_ISDIR(st.st_mode)) {
        return err_why(AG_EINVAL, "%s is a directory; name the files in it",
                       name);
    }
    return filter_one(r, ticket, name, fd);
}

/* A ticket for each when its turn comes: they don't keep. */
static enum ag_err
filter_named(struct redaction *r, const char *name)
{
    json_auto_t *body = json_pack("{s:i}", "count", 1);
    json_auto_t *answer = NULL;
    const char *ticket;
    enum ag_err err = cli_call(r->cli, "POST", "/v1/streams", body, &answer);

    ticket = json_string_value(
        json_array_get(json_object_get(answer, "streams"), 0));
    if (err == AG_OK && ticket == NULL) {
        err = err_why(AG_ECORRUPT, "the broker gave no ticket for the stream");
    }
    return err == AG_OK ? filter_file(r, ticket, name) : err;
}

/* Both connections first: while the broker establishes who makes the second,
 * the first is answered. */
static enum ag_err
filter_all(struct redaction *r, char *const *names, size_t count)
{
    enum ag_err err = cli_connect(r->cli);

    if (err == AG_OK) {
        err = session_open(r->cli->paths.fd_sock, &r->session);
    }
    for (size_t i = 0; err == AG_OK && i < count; i++) {
        err = filter_named(r, names[i]);
    }
    return err;
}

/* Before the first byte is passed on: a report that can't be written is said
 * while nothing has happened. */
static enum ag_err
open_report(const char *path, int *ret)
{
    int fd;

    if (strcmp(path, "-") == 0) {
        return err_why(AG_EUSAGE, "--report needs a FILE: stdout is for the "
                                  "text");
    }
    fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0) {
        return err_why(err_from_errno(errno), "%s: %s", path,
                       strerrordesc_np(errno));
    }
    *ret = fd;
    return AG_OK;
}

static enum ag_err
write_report(const struct redaction *r, int fd)
{
    json_auto_t *report = json_pack("{s:I,s:O}", "hits", (json_int_t)r->hits,
                                    "streams", r->streams);
    char *text = report == NULL ? NULL : json_dumps(report, JSON_INDENT(2));
    enum ag_err err = text == NULL ? AG_ENOMEM : AG_OK;

    if (err == AG_OK) {
        (void)!ftruncate(fd, 0); /* not at the open: a stream may be refused */
        err = fd_write_all(fd, span_str(text));
    }
    if (err == AG_OK) {
        err = fd_write_all(fd, span_str("\n"));
    }
    wipe_free(text);
    return err;
}

enum ag_err
verb_redact(struct cli *cli, int argc, char **argv)
{
    const char *report = NULL;
    const struct arg_opt opts[] = {
        {"report", ARG_TEXT, &report, "FILE",
         "write counts by name as JSON; never values"},
    };
    const struct arg_spec spec = {
        .usage = "redact [options] [FILE…]",
        .about = "Copies stdin, or the files, to stdout and takes every known "
                 "secret out, in every\nencoding. Refuses while the vault is "
                 "locked, rather than pass values.",
        .opts = opts,
        .opt_count = AG_COUNT(opts),
        .words_max = FILES_MAX_COUNT};
    char dash[] = "-";
    char *only_stdin[] = {dash};
    struct redaction r = {.cli = cli};
    AG_AUTO(fd) int report_fd = -1;
    struct args args;
    enum ag_err err = args_parse(cli, &spec, argc, argv, &args);

    if (err == AG_OK && !args.help && report != NULL) {
        err = open_report(report, &report_fd);
    }
    if (err != AG_OK || args.help) {
        return err;
    }
    r.streams = json_array();
    err = args.count == 0 ? filter_all(&r, only_stdin, 1)
                          : filter_all(&r, args.words, args.count);
    if (err == AG_OK && report_fd >= 0) {
        err = write_report(&r, report_fd);
    }
    json_decref(r.streams);
    session_close(r.session);
    return err;
}
