/* Messages of incidents. */
#include "base/parse.h"
#include "core/incident.h"
#include "http/messages.h"
#include "wire/receipt.h"

enum {
    FINGERPRINT_MAX_BYTES = 64,
};

#define SPEC(name, t, rows) const struct msg_spec name = MSG_SPEC(t, rows)
#define NOTE(t)                                                                \
    MSG_FIELD_STRING(t, note, 0, INCIDENT_NOTE_MAX_BYTES, MSG_OPTIONAL, NULL)

static const struct msg_field LEAKED_ROWS[] = {
    MSG_FIELD_STRINGS(struct msg_leaked, names, 0, INCIDENT_NAMES_MAX_COUNT,
                      MSG_OPTIONAL, parse_name),
    MSG_FIELD_INT(struct msg_leaked, version, 0, UINT32_MAX, MSG_OPTIONAL, 0),
    MSG_FIELD_BOOL(struct msg_leaked, report, MSG_OPTIONAL, 0),
    NOTE(struct msg_leaked),
    MSG_FIELD_STRING(struct msg_leaked, receipt, 1, RECEIPT_LINE_MAX_BYTES,
                     MSG_OPTIONAL, NULL),
    MSG_FIELD_STRING(struct msg_leaked, fingerprint, 2, FINGERPRINT_MAX_BYTES,
                     MSG_OPTIONAL, NULL),
};
SPEC(MSG_LEAKED, struct msg_leaked, LEAKED_ROWS);

static const struct msg_field NOTE_ROWS[] = {NOTE(struct msg_note)};
SPEC(MSG_NOTE, struct msg_note, NOTE_ROWS);

static const struct msg_field INCIDENTS_ROWS[] = {
    MSG_FIELD_INT(struct query_incidents, all, 0, 1, MSG_OPTIONAL, 0),
};
SPEC(QUERY_INCIDENTS, struct query_incidents, INCIDENTS_ROWS);
