#include "handover/message.h"

#include "base/buf.h"
#include "core/receipts.h"
#include "privsep/filter.h"
#include "redact/format.h"
#include "wire/emit.h"
#include "wire/msg.h"

enum {
    EXIT_MAX = 255,
};

static const char *const OPS[] = {
    [MESSAGE_LIFE] = "life",       [MESSAGE_STREAM] = "stream",
    [MESSAGE_DELIVER] = "deliver", [MESSAGE_TAKE] = "take",
    [MESSAGE_END] = "end",         [MESSAGE_OP_COUNT] = NULL,
};

static const char *const AUDIENCES[] = {
    [MESSAGE_OPERATOR] = "operator",
    [MESSAGE_TASK] = "task",
    [MESSAGE_AUDIENCE_COUNT] = NULL,
};

static const char *const RULES[] = {
    [FILTER_RULES_NONE] = "known",
    [FILTER_RULES_DEFAULT] = "default",
    [FILTER_RULES_ALL] = "all",
    NULL,
};

static const char *const OUTPUTS[] = {
    [MESSAGE_TEXT] = "text",
    [MESSAGE_PLACES] = "places",
    [MESSAGE_OUTPUT_COUNT] = NULL,
};

static const char *const FORMATS[] = {
    [STREAM_TEXT] = "text",         [STREAM_JSONL] = "jsonl",
    [STREAM_JSON] = "json",         [STREAM_SSE] = "sse",
    [STREAM_MARKDOWN] = "markdown", [STREAM_DIFF] = "diff",
    [STREAM_COUNT] = NULL,
};

static const char *const NAMES[] = {
    [RECEIPT_NAMES_HASHED] = "hashed",
    [RECEIPT_NAMES_PLAIN] = "plain",
    [RECEIPT_NAMES_COUNT] = NULL,
};

static const struct msg_field RECEIPT_FIELDS[] = {
    MSG_FIELD_STRING(struct message_receipt, subject, 0,
                     RECEIPT_SUBJECT_MAX_BYTES, MSG_REQUIRED,
                     receipt_check_subject),
    MSG_FIELD_CHOICE(struct message_receipt, names, NAMES, MSG_OPTIONAL,
                     RECEIPT_NAMES_HASHED),
};

static const struct msg_spec RECEIPT =
    MSG_SPEC(struct message_receipt, RECEIPT_FIELDS);

static const struct msg_field FIELDS[] = {
    MSG_FIELD_CHOICE(struct message, op, OPS, MSG_REQUIRED, 0),
    MSG_FIELD_STRING(struct message, ticket, 1, MESSAGE_TICKET_MAX_BYTES,
                     MSG_OPTIONAL, NULL),
    MSG_FIELD_CHOICE(struct message, audience, AUDIENCES, MSG_OPTIONAL,
                     MESSAGE_OPERATOR),
    {.name = "exit",
     .type = MSG_INT,
     .offset = offsetof(struct message, exit_code),
     .min = 0,
     .max = EXIT_MAX,
     .absent = -1},
    MSG_FIELD_CHOICE(struct message, rules, RULES, MSG_OPTIONAL,
                     FILTER_RULES_NONE),
    MSG_FIELD_CHOICE(struct message, output, OUTPUTS, MSG_OPTIONAL,
                     MESSAGE_TEXT),
    MSG_FIELD_CHOICE(struct message, format, FORMATS, MSG_OPTIONAL,
                     STREAM_TEXT),
    MSG_FIELD_OBJECT(struct message, receipt, MSG_OPTIONAL, &RECEIPT),
};

static const struct msg_spec SPEC = MSG_SPEC(struct message, FIELDS);

/* What each must come with. */
static const struct {
    size_t fd_count;
    bool ticket;
    bool exit_code;
} NEEDS[MESSAGE_OP_COUNT] = {
    [MESSAGE_LIFE] = {0, true, false},    [MESSAGE_STREAM] = {2, true, false},
    [MESSAGE_DELIVER] = {1, true, false}, [MESSAGE_TAKE] = {1, true, false},
    [MESSAGE_END] = {0, false, true},
};

/* A field that only a stream has and `m` says; or NULL. */
static const char *
of_streams(const struct message *m)
{
    const struct {
        bool said;
        const char *field;
    } fields[] = {
        {m->audience != MESSAGE_OPERATOR, "audience"},
        {m->rules != FILTER_RULES_NONE, "rules"},
        {m->output != MESSAGE_TEXT, "output"},
        {m->format != STREAM_TEXT, "format"},
        {m->receipt != NULL, "receipt"},
    };

    for (size_t i = 0; i < AG_COUNT(fields); i++) {
        if (fields[i].said) {
            return fields[i].field;
        }
    }
    return NULL;
}

static enum ag_err
check(const struct message *m, size_t fd_count)
{
    if (NEEDS[m->op].ticket != (m->ticket != NULL)) {
        return err_why(AG_EINVAL, "ticket: %s with this op",
                       m->ticket == NULL ? "needed" : "not allowed");
    }
    if (NEEDS[m->op].exit_code != (m->exit_code >= 0)) {
        return err_why(AG_EINVAL, "exit: %s with this op",
                       m->exit_code < 0 ? "needed" : "not allowed");
    }
    if (m->op != MESSAGE_STREAM && of_streams(m) != NULL) {
        return err_why(AG_EINVAL, "%s: not allowed with this op",
                       of_streams(m));
    }
    if (m->receipt != NULL && m->output != MESSAGE_TEXT) {
        return err_why(AG_EINVAL, "receipt: not allowed with this output");
    }
    if (NEEDS[m->op].fd_count != fd_count) {
        return err_why(AG_EINVAL, "%s comes with %zu descriptors, not %zu",
                       OPS[m->op], NEEDS[m->op].fd_count, fd_count);
    }
    return AG_OK;
}

enum ag_err
message_decode(struct span text, size_t fd_count, struct message *ret)
{
    struct message m;
    enum ag_err err = msg_decode(&SPEC, text, MESSAGE_MAX_BYTES, &m);

    if (err != AG_OK) {
        return err;
    }
    err = check(&m, fd_count);
    if (err != AG_OK) {
        message_done(&m);
        return err;
    }
    *ret = m;
    return AG_OK;
}

void
message_done(struct message *m)
{
    msg_done(&SPEC, m);
}

enum ag_err
message_put_refusal(struct buf *out, enum ag_err err)
{
    struct emit e;

    emit_start(&e, out);
    emit_open(&e, NULL, '{');
    emit_bool(&e, "ok", false);
    emit_str(&e, "code", err_code(err));
    emit_str(&e, "detail", err_text(err));
    emit_close(&e, '}');
    return emit_end(&e);
}

enum ag_err
message_put_end(struct buf *out, const char *reason)
{
    struct emit e;

    emit_start(&e, out);
    emit_open(&e, NULL, '{');
    emit_str(&e, "event", "end");
    emit_str(&e, "reason", reason);
    emit_close(&e, '}');
    return emit_end(&e);
}
