#include "redaction.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "base/fdx.h"
#include "cli.h"
#include "out.h"

static enum ag_err
wait_end(struct redaction *r, json_t **ret)
{
    enum ag_err err = session_stream_event(r->session, ret);

    if (err == AG_OK && strcmp(out_member(*ret, "event"), "receipt") == 0) {
        err = receipt_ask_take(&r->receipt, r->cli, AG_TAKE(*ret));
        if (err == AG_OK) {
            err = session_stream_event(r->session, ret);
        }
    }
    return err;
}

void
redaction_end_as_filters_do(void)
{
    struct pollfd p = {.fd = STDOUT_FILENO, .events = POLLOUT};

    if (poll(&p, 1, 0) == 1 && (p.revents & POLLERR) != 0) {
        (void)signal(SIGPIPE, SIG_DFL);
        (void)raise(SIGPIPE);
    }
}

/* A path need not be UTF-8. */
static json_t *
file_name(const char *name)
{
    json_t *file = json_string(name);

    return file != NULL ? file : json_string("?");
}

/* The end of one stream: its report, or why it has none. */
static enum ag_err
finish_report(const char *name, json_t *report, json_t **ret)
{
    enum ag_err err;

    /* A stream that did not end with its source says why. */
    if (json_object_get(report, "code") != NULL) {
        redaction_end_as_filters_do();
        err = err_why(err_from_code(out_member(report, "code")),
                      "the stream of %s broke off; nothing after that point "
                      "was passed on",
                      name);
        json_decref(report);
        return err;
    }
    (void)json_object_del(report, "event");
    (void)json_object_del(report, "stream");
    if (json_object_set_new(report, "file", file_name(name)) != 0) {
        json_decref(report);
        return AG_ENOMEM;
    }
    *ret = report;
    return AG_OK;
}

/* The hits of our own stage belong to what the broker reports. */
static void
add_report(json_t *report, const json_t *own)
{
    json_int_t hits =
        out_member_int(report, "hits") + out_member_int(own, "hits");

    (void)json_object_set_new(report, "hits", json_integer(hits));
    (void)json_object_update(json_object_get(report, "counts"),
                             json_object_get(own, "counts"));
    (void)json_object_set(report, "bytes_out",
                          json_object_get(own, "bytes_out"));
}

/* One text. */
struct text {
    enum format format;
    int src_fd;
    int dst_fd;
};

/* The right to one stream, taken when its turn comes: it doesn't keep. */
static enum ag_err
take_ticket(struct redaction *r, json_t **ret_answer, const char **ret)
{
    json_auto_t *body = json_pack("{s:i}", "count", 1);
    enum ag_err err = cli_call(r->cli, "POST", "/v1/streams", body, ret_answer);

    *ret = json_string_value(
        json_array_get(json_object_get(*ret_answer, "streams"), 0));
    return err == AG_OK && *ret == NULL
               ? err_why(AG_ECORRUPT,
                         "the broker gave no ticket for the stream")
               : err;
}

/* To the broker's filter, which begins at once. */
static enum ag_err
send_stream(struct redaction *r, const struct text *text, int dst)
{
    struct session_stream stream = {.src_fd = text->src_fd,
                                    .dst_fd = dst,
                                    .rules = rule_word_text(r->rules),
                                    .format = format_name(text->format)};
    json_auto_t *ticket_answer = NULL;
    json_auto_t *answer = NULL;
    const char *ticket;
    enum ag_err err = take_ticket(r, &ticket_answer, &ticket);

    receipt_ask_stream(&r->receipt, &stream);
    if (err == AG_OK) {
        err = session_send_stream(r->session, ticket, &stream);
    }
    return err == AG_OK ? session_answer(r->session, &answer) : err;
}

static enum ag_err
filter_known(struct redaction *r, const struct text *text, json_t **ret_report)
{
    enum ag_err err = send_stream(r, text, text->dst_fd);

    return err == AG_OK ? wait_end(r, ret_report) : err;
}

/* Known values first, in the broker's filter; then this process's rules on
 * what it lets out. */
static enum ag_err
filter_twice(struct redaction *r, const struct text *text, json_t **ret_report)
{
    AG_AUTO(fd) int in = -1;
    json_auto_t *own = NULL;
    int pair[2];
    enum ag_err err;

    if (pipe2(pair, O_CLOEXEC) != 0) {
        return err_from_errno(errno);
    }
    in = pair[0];
    err = send_stream(r, text, pair[1]);
    fd_close(pair[1]);
    if (err == AG_OK) {
        err = rule_stage_copy(r->stage, text->format, in, text->dst_fd, &own);
    }
    if (err == AG_OK) {
        err = wait_end(r, ret_report);
    }
    if (err == AG_OK) {
        add_report(*ret_report, own);
    }
    return err;
}

enum ag_err
redaction_run(void *ctx, const char *name, int src, int dst,
              json_t **ret_report)
{
    struct redaction *r = ctx;
    const struct text text = {.format = format_wish_of(&r->format, name),
                              .src_fd = src,
                              .dst_fd = dst};
    json_t *report = NULL;
    enum ag_err err;

    if (r->is_local) {
        err = rule_stage_copy(r->stage, text.format, src, dst, &report);
    } else if (r->stage != NULL) {
        err = filter_twice(r, &text, &report);
    } else {
        err = filter_known(r, &text, &report);
    }
    return err == AG_OK ? finish_report(name, report, ret_report) : err;
}

/* Both connections first: while the broker establishes who makes the second,
 * the first is answered. */
enum ag_err
redaction_open(struct redaction *r)
{
    enum ag_err err = r->is_local ? AG_OK : cli_connect(r->cli);

    return err == AG_OK && !r->is_local
               ? session_open(r->cli->paths.fd_sock, &r->session)
               : err;
}

void
redaction_close(struct redaction *r)
{
    receipt_ask_done(&r->receipt);
    session_close(r->session);
    rule_stage_free(r->stage);
}
