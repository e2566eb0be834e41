#include "session.h"

#include <sys/socket.h>

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/fdx.h"
#include "base/span.h"
#include "base/wipealloc.h"
#include "peer.h"

enum {
    EVENTS_KEPT_MAX_COUNT = 64, /* stream ends and the end: a handful */
};

struct session {
    int fd;
    json_t *events; /* arrays of what came while the other was wanted */
    json_t *answers;
    char in[SESSION_MESSAGE_MAX_BYTES];
};

enum ag_err
session_open(const char *socket_path, struct session **ret)
{
    AG_AUTO(session) struct session *s = calloc(1, sizeof(*s));
    enum ag_err err;

    if (s == NULL) {
        return AG_ENOMEM;
    }
    s->fd = -1;
    s->events = json_array();
    s->answers = json_array();
    if (s->events == NULL || s->answers == NULL) {
        return AG_ENOMEM;
    }
    err = peer_connect(socket_path, SOCK_SEQPACKET, &s->fd);
    if (err == AG_OK) {
        *ret = AG_TAKE(s);
    }
    return err;
}

void
session_close(struct session *s)
{
    if (s == NULL) {
        return;
    }
    fd_close(s->fd);
    json_decref(s->events);
    json_decref(s->answers);
    free(s);
}

int
session_fd(const struct session *s)
{
    return s->fd;
}

static enum ag_err
send_text(struct session *s, const char *text, const int *fds, size_t fd_count)
{
    size_t len = strlen(text);
    enum ag_err err;

    if (len > SESSION_MESSAGE_MAX_BYTES) {
        return AG_ELIMIT;
    }
    err = fd_send(s->fd, span_of(text, len), fds, fd_count);
    return err == AG_OK ? AG_OK : AG_ENOBROKER;
}

static enum ag_err
send_message(struct session *s, json_t *message, const int *fds,
             size_t fd_count)
{
    char *text = message == NULL ? NULL : json_dumps(message, JSON_COMPACT);
    enum ag_err err = AG_ENOMEM;

    if (text != NULL) {
        err = send_text(s, text, fds, fd_count);
        wipe_free(text);
    }
    json_decref(message);
    return err;
}

enum ag_err
session_send(struct session *s, const char *op, const char *ticket,
             const int *fds, size_t fd_count)
{
    return send_message(s, json_pack("{s:s,s:s*}", "op", op, "ticket", ticket),
                        fds, fd_count);
}

enum ag_err
session_send_stream(struct session *s, const char *ticket,
                    const struct session_stream *stream)
{
    const int fds[] = {stream->src_fd, stream->dst_fd};
    const char *audience = stream->audience == SESSION_TASK ? "task" : NULL;
    const char *output = stream->places ? "places" : NULL;
    json_t *receipt = NULL;

    if (stream->receipt_subject != NULL) {
        receipt = json_pack("{s:s,s:s*}", "subject", stream->receipt_subject,
                            "names", stream->receipt_names);
        if (receipt == NULL) {
            return AG_ENOMEM;
        }
    }
    return send_message(s,
                        json_pack("{s:s,s:s,s:s*,s:s*,s:s*,s:s*,s:o*}", "op",
                                  "stream", "ticket", ticket, "audience",
                                  audience, "rules", stream->rules, "output",
                                  output, "format", stream->format, "receipt",
                                  receipt),
                        fds, 2);
}

enum ag_err
session_send_end(struct session *s, int exit_code)
{
    char text[64];

    snprintf(text, sizeof(text), "{\"op\":\"end\",\"exit\":%d}", exit_code);
    return send_text(s, text, NULL, 0);
}

/* One message, put where it belongs. */
static enum ag_err
take_message(struct session *s)
{
    int fds[FD_PASS_MAX_COUNT];
    size_t fd_count = 0;
    size_t len = 0;
    json_t *message;
    json_t *list;
    enum ag_err err =
        fd_recv(s->fd, s->in, sizeof(s->in), &len, fds, &fd_count);

    for (size_t i = 0; err == AG_OK && i < fd_count; i++) {
        fd_close(fds[i]); /* the broker has nothing to pass us */
    }
    if (err != AG_OK || len == 0) {
        return AG_ENOBROKER;
    }
    message = json_loadb(s->in, len, JSON_REJECT_DUPLICATES, NULL);
    if (message == NULL) {
        return err_why(AG_ECORRUPT, "the broker's message is not JSON");
    }
    list = json_object_get(message, "event") != NULL ? s->events : s->answers;
    if (json_array_size(list) >= EVENTS_KEPT_MAX_COUNT) {
        json_decref(message);
        return AG_ELIMIT;
    }
    return json_array_append_new(list, message) == 0 ? AG_OK : AG_ENOMEM;
}

static json_t *
shift(json_t *list)
{
    json_t *first = json_incref(json_array_get(list, 0));

    if (first != NULL) {
        (void)json_array_remove(list, 0);
    }
    return first;
}

static enum ag_err
check_answer(json_t *answer, json_t **ret)
{
    const char *code = json_string_value(json_object_get(answer, "code"));
    const char *detail = json_string_value(json_object_get(answer, "detail"));
    enum ag_err err;

    if (json_is_true(json_object_get(answer, "ok"))) {
        *ret = answer;
        return AG_OK;
    }
    err = code == NULL ? AG_ECORRUPT : err_from_code(code);
    if (err == AG_OK || err == AG_EFOUND) {
        err = AG_ECORRUPT;
    }
    if (detail != NULL) {
        err = err_why(err, "%s", detail);
    }
    json_decref(answer);
    return err;
}

static enum ag_err
wait_message(const struct session *s, int64_t deadline_ms)
{
    struct pollfd p = {.fd = s->fd, .events = POLLIN};
    int n = -1;

    while (n < 0) {
        int64_t left_ms = deadline_ms - clock_steady_ms();

        n = poll(&p, 1, left_ms > 0 ? (int)left_ms : 0);
        if (n < 0 && errno != EINTR) {
            return AG_EIO;
        }
    }
    return n == 0 ? err_why(AG_ETIMEOUT, "the broker gave no answer in time")
                  : AG_OK;
}

enum ag_err
session_answer(struct session *s, json_t **ret)
{
    int64_t deadline_ms = clock_steady_ms() + SESSION_TIMEOUT_MS;
    enum ag_err err = AG_OK;

    while (err == AG_OK && json_array_size(s->answers) == 0) {
        err = wait_message(s, deadline_ms);
        if (err == AG_OK) {
            err = take_message(s);
        }
    }
    return err == AG_OK ? check_answer(shift(s->answers), ret) : err;
}

bool
session_kept(const struct session *s)
{
    return json_array_size(s->events) > 0;
}

enum ag_err
session_event(struct session *s, json_t **ret)
{
    struct pollfd p = {.fd = s->fd, .events = POLLIN};
    enum ag_err err = AG_OK;

    while (err == AG_OK && json_array_size(s->events) == 0 &&
           poll(&p, 1, 0) == 1) {
        err = take_message(s);
    }
    if (err == AG_OK) {
        *ret = shift(s->events);
    }
    return err;
}

static const char *
member(const json_t *event, const char *key)
{
    const char *text = json_string_value(json_object_get(event, key));

    return text == NULL ? "" : text;
}

enum ag_err
session_stream_event(struct session *s, json_t **ret)
{
    struct pollfd p = {.fd = s->fd, .events = POLLIN};
    json_t *event = NULL;
    enum ag_err err = AG_OK;

    while (err == AG_OK && event == NULL) {
        err = session_event(s, &event);
        if (err == AG_OK && event == NULL && poll(&p, 1, -1) < 0 &&
            errno != EINTR) {
            return AG_EIO;
        }
    }
    if (err == AG_ENOBROKER) {
        return err_why(AG_EFILTER, "the broker ended; nothing after this point "
                                   "was passed on");
    }
    if (err == AG_OK && strcmp(member(event, "event"), "end") == 0) {
        const char *reason = member(event, "reason");

        err = err_why(strcmp(reason, "locked") == 0 ? AG_ELOCKED : AG_EFILTER,
                      "the stream was ended: %s", reason);
        json_decref(event);
        return err;
    }
    *ret = event;
    return err;
}
