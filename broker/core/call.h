/*
 * call.h - one request as the use cases see it: who asks, with which token.
 * Floor: core. Depends on: caller/class.
 */
#ifndef AG_CORE_CALL_H
#define AG_CORE_CALL_H

#include <stdint.h>

#include "caller/class.h"

struct peer;       /* caller/peer.h: facts of the connection */
struct secret;     /* base/secret.h */
struct live_token; /* core/tokens.h: a token that was checked */

struct call {
    enum caller_class who;
    const struct peer *peer;  /* never NULL */
    struct live_token *token; /* NULL when none was shown */
    int64_t task_id;          /* of CALLER_TASK, else 0 */
    int64_t shown_generation; /* of the text that was shown; 0: none was */
    int64_t seen_generation;  /* of the text in force when that was */
    struct secret *next;      /* access_renewal(): the text after it */
    int64_t now_ms;
};

#endif
