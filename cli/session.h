/*
 * session.h - the line to the broker over which descriptors pass (fd.sock):
 * JSON messages and descriptors both ways, answers in the order of the
 * questions, events in between.
 * Floor: cli. Depends on: base, jansson.
 */
#ifndef AG_CLI_SESSION_H
#define AG_CLI_SESSION_H

#include <stdbool.h>

#include <jansson.h>

#include "base/attr.h"
#include "base/err.h"

struct session;

enum {
    SESSION_MESSAGE_MAX_BYTES = 8 * 1024,
    SESSION_TIMEOUT_MS = 30 * 1000,
};

/* Connects; the peer is checked as client_open() does.
 * Errors: AG_ENOBROKER, AG_EDENIED, AG_EINVAL, AG_ENOMEM. */
AG_CHECK AG_NONNULL enum ag_err session_open(const char *socket_path,
                                             struct session **ret);
void session_close(struct session *s);
AG_DEFINE_CLEANUP(session, session_close)

/* For poll(); owned by the session. */
AG_NONNULL int session_fd(const struct session *s);

/* Sends {"op":…, "ticket":…} with descriptors (borrowed). `ticket` may be NULL;
 * `exit_code` is added to "end" only. Does not wait. */
AG_CHECK enum ag_err session_send(struct session *s, const char *op,
                                  const char *ticket, const int *fds,
                                  size_t fd_count);

/* Who can read what comes out (privsep/filter.h). */
enum session_audience {
    SESSION_OPERATOR,
    SESSION_TASK,
};

struct session_stream {
    int src_fd;
    int dst_fd;
    enum session_audience audience;
    bool places;       /* where hits are, not the text: privsep/filter_copy.h */
    const char *rules; /* "default", "all", or NULL: none */
    const char *format; /* "jsonl", …, or NULL: text (redact/format.h) */
    const char *receipt_subject; /* NULL: no receipt is wanted */
    const char *receipt_names;   /* "hashed", "plain", or NULL */
};
AG_CHECK AG_NONNULL enum ag_err
session_send_stream(struct session *s, const char *ticket,
                    const struct session_stream *stream);
AG_CHECK AG_NONNULL enum ag_err session_send_end(struct session *s,
                                                 int exit_code);

/*
 * The next answer ({"ok":…}); events that come before it are kept for
 * session_event(). A failure is turned into its enum ag_err and sentence.
 * Errors: AG_ENOBROKER when the broker is gone, AG_ETIMEOUT, AG_ECORRUPT.
 */
AG_CHECK AG_NONNULL enum ag_err session_answer(struct session *s, json_t **ret);

/* Events came while an answer was waited for: poll() will not tell of them. */
AG_NONNULL bool session_kept(const struct session *s);

/*
 * The next event without waiting: *ret NULL when there is none now. An answer
 * that comes in between is kept.
 */
AG_CHECK AG_NONNULL enum ag_err session_event(struct session *s, json_t **ret);

/*
 * Waits for the next event of a stream: its receipt, if one is wanted, then its
 * end, which is its report. A stream that broke off has one too, with a code.
 * Errors: AG_EFILTER, AG_ELOCKED with a sentence: the broker ended, or ended
 *         the connection.
 */
AG_CHECK AG_NONNULL enum ag_err session_stream_event(struct session *s,
                                                     json_t **ret);

#endif
