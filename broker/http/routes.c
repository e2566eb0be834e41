#include "http/routes.h"

#include "caller/class.h"
#include "core/access.h"
#include "core/core.h"
#include "http/handlers.h"
#include "http/messages.h"

/* Who may: the words of DESIGN.md 3.2. An operator with proof is an operator. */
#define ALL      CALLER_MAY_ALL
#define OUTSIDE  CALLER_MAY_OUTSIDE
#define OPERATOR CALLER_MAY_OPERATOR
#define PROOF    CALLER_MAY_PROOF
#define TASK     CALLER_MAY_TASK
#define SERVICE  CALLER_MAY_SERVICE

/* Where: what only a person does is served on admin.sock alone; tasks have
 * task.sock and 127.0.0.1 besides. */
#define ADMIN HTTP_ADMIN
#define UNIX  HTTP_UNIX
#define ANY   HTTP_ANY

#define OPEN  ROUTE_OPEN
#define HIDE  ROUTE_HIDE
#define GIVES (ROUTE_OPEN | ROUTE_GIVES)
#define TOKEN (ROUTE_OPEN | ROUTE_TOKEN)
#define RENEW (TOKEN | HIDE | ROUTE_RENEWS)

/* clang-format off */
static const struct route ROWS[] = {
    /* method   pattern                          callers                    roles          sockets flags        work        query            body                 handler */
    {"GET",    "/v1/secrets/{name}/value",       PROOF | TASK,              ROLES_NONE,    ANY,    GIVES,       WORK_READ,  &QUERY_VALUE,    NULL,                h_secret_value_quick, h_secret_value},
    {"GET",    "/v1/health",                     ALL,                       ROLES_ALL,     ANY,    ROUTE_PLAIN, WORK_READ,  NULL,            NULL,                h_health,       NULL},
    {"GET",    "/v1/status",                     ALL,                       ROLES_ALL,     UNIX,   ROUTE_PLAIN, WORK_READ,  NULL,            NULL,                h_status,       NULL},
    {"GET",    "/metrics",                       OUTSIDE,                   ROLES_ALL,     UNIX,   ROUTE_PLAIN, WORK_READ,  NULL,            NULL,                h_metrics,      NULL},

    {"POST",   "/v1/init",                       OUTSIDE,                   ROLES_NONE,    ADMIN,  ROUTE_PLAIN, WORK_SLOW,  NULL,            &MSG_PASSPHRASE,     h_init,         NULL},
    {"POST",   "/v1/unlock",                     OUTSIDE,                   ROLES_NONE,    ADMIN,  ROUTE_PLAIN, WORK_SLOW,  NULL,            &MSG_UNLOCK,         h_unlock,       NULL},
    {"POST",   "/v1/proof",                      OPERATOR,                  ROLES_NONE,    ADMIN,  OPEN,        WORK_SLOW,  NULL,            &MSG_PASSPHRASE,     h_proof,        NULL},
    {"POST",   "/v1/lock",                       OPERATOR,                  ROLES_NONE,    ADMIN,  OPEN,        WORK_SLOW,  NULL,            NULL,                h_lock,         NULL},
    {"POST",   "/v1/stop",                       OUTSIDE,                   ROLES_NONE,    ADMIN,  ROUTE_PLAIN, WORK_READ,  NULL,            NULL,                h_stop,         NULL},
    {"POST",   "/v1/passphrase",                 PROOF,                     ROLES_NONE,    ADMIN,  OPEN,        WORK_SLOW,  NULL,            &MSG_NEW_PASSPHRASE, h_passphrase,   NULL},
    {"POST",   "/v1/rekey",                      PROOF,                     ROLES_NONE,    ADMIN,  OPEN,        WORK_SLOW,  NULL,            &MSG_PASSPHRASE,     h_rekey,        NULL},
    {"GET",    "/v1/slots",                      OPERATOR,                  ROLES_NONE,    ADMIN,  OPEN,        WORK_READ,  NULL,            NULL,                h_slots,        NULL},
    {"POST",   "/v1/slots",                      PROOF,                     ROLES_NONE,    ADMIN,  OPEN,        WORK_SLOW,  NULL,            &MSG_SLOT,           h_slot_add,     NULL},
    {"DELETE", "/v1/slots/{id}",                 PROOF,                     ROLES_NONE,    ADMIN,  OPEN,        WORK_SLOW,  NULL,            NULL,                h_slot_remove,  NULL},

    {"GET",    "/v1/secrets",                    OPERATOR | TASK | SERVICE, ROLES_ALL,     ANY,    OPEN,        WORK_READ,  &QUERY_PREFIX,   NULL,                h_secret_list,  NULL},
    {"GET",    "/v1/secrets/{name}",             OPERATOR,                  ROLES_NONE,    ADMIN,  OPEN,        WORK_READ,  NULL,            NULL,                h_secret_show,  NULL},
    {"PUT",    "/v1/secrets/{name}",             OPERATOR,                  ROLES_NONE,    ADMIN,  OPEN,        WORK_WRITE, NULL,            &MSG_PUT,            h_secret_put,   NULL},
    {"PATCH",  "/v1/secrets/{name}",             OPERATOR,                  ROLES_NONE,    ADMIN,  OPEN,        WORK_WRITE, NULL,            &MSG_PATCH,          h_secret_patch, NULL},
    {"DELETE", "/v1/secrets/{name}",             OPERATOR,                  ROLES_NONE,    ADMIN,  OPEN,        WORK_WRITE, NULL,            NULL,                h_secret_remove, NULL},
    {"GET",    "/v1/secrets/{name}/versions",    OPERATOR,                  ROLES_NONE,    ADMIN,  OPEN,        WORK_READ,  NULL,            NULL,                h_versions,     NULL},
    {"POST",   "/v1/secrets/{name}/versions",    OPERATOR,                  ROLES_NONE,    ADMIN,  OPEN,        WORK_WRITE, NULL,            &MSG_VERSION,        h_version_change, NULL},

    {"POST",   "/v1/tasks",                      OPERATOR | SERVICE,        ROLES_RUNNER,  ADMIN,  OPEN,        WORK_READ,  NULL,            &MSG_TASK,           h_task_prepare, h_task_start},
    {"POST",   "/v1/preview",                    OPERATOR | SERVICE,        ROLES_RUNNER,  ADMIN,  OPEN,        WORK_WRITE, NULL,            &MSG_TASK,           h_task_preview, NULL},
    {"GET",    "/v1/tasks",                      OPERATOR,                  ROLES_NONE,    ADMIN,  OPEN,        WORK_READ,  NULL,            NULL,                h_task_list,    NULL},
    {"GET",    "/v1/tasks/{id}",                 OPERATOR | TASK,           ROLES_NONE,    UNIX,   OPEN,        WORK_READ,  NULL,            NULL,                h_task_show,    NULL},
    {"DELETE", "/v1/tasks/{id}",                 OPERATOR,                  ROLES_NONE,    ADMIN,  OPEN,        WORK_WRITE, NULL,            NULL,                h_task_end,     NULL},

    {"POST",   "/v1/tokens",                     OPERATOR | TASK,           ROLES_NONE,    ANY,    OPEN | HIDE, WORK_WRITE, NULL,            &MSG_TOKEN,          h_token_create, NULL},
    {"GET",    "/v1/tokens",                     OPERATOR,                  ROLES_NONE,    ADMIN,  OPEN,        WORK_READ,  &QUERY_TASK,     NULL,                h_token_list,   NULL},
    {"GET",    "/v1/tokens/self",                TASK | SERVICE,            ROLES_ALL,     ANY,    TOKEN,       WORK_READ,  NULL,            NULL,                h_token_self,   NULL},
    {"DELETE", "/v1/tokens/self",                TASK,                      ROLES_NONE,    ANY,    TOKEN,       WORK_WRITE, NULL,            NULL,                h_token_self_revoke, NULL},
    {"POST",   "/v1/tokens/self/renew",          TASK | SERVICE,            ROLES_ALL,     ANY,    RENEW,       WORK_WRITE, NULL,            &MSG_TTL,            h_token_renew,  NULL},
    {"POST",   "/v1/tokens/lookup",              OPERATOR | TASK,           ROLES_NONE,    ANY,    OPEN,        WORK_READ,  NULL,            &MSG_ACCESSOR,       h_token_lookup, NULL},
    {"POST",   "/v1/tokens/revoke",              OPERATOR | TASK,           ROLES_NONE,    ANY,    OPEN,        WORK_WRITE, NULL,            &MSG_REVOKE,         h_token_revoke, NULL},

    {"GET",    "/v1/leases",                     OPERATOR | TASK,           ROLES_NONE,    ANY,    OPEN,        WORK_READ,  &QUERY_TASK,     NULL,                h_lease_list,   NULL},
    {"DELETE", "/v1/leases/{id}",                OPERATOR | TASK,           ROLES_NONE,    ANY,    OPEN,        WORK_WRITE, NULL,            NULL,                h_lease_revoke, NULL},

    {"POST",   "/v1/wrap",                       PROOF | TASK,              ROLES_NONE,    ANY,    OPEN,        WORK_WRITE, NULL,            &MSG_WRAP,           h_wrap,         NULL},
    {"POST",   "/v1/unwrap",                     ALL,                       ROLES_ALL,     ANY,    GIVES,       WORK_WRITE, NULL,            &MSG_UNWRAP,         h_unwrap,       NULL},

    {"POST",   "/v1/redact",                     OPERATOR | TASK | SERVICE, ROLES_ALL,     ANY,    OPEN,        WORK_WAIT,  NULL,            &MSG_REDACT,         h_redact,       NULL},
    {"POST",   "/v1/redaction-set",              PROOF,                     ROLES_NONE,    ADMIN,  OPEN,        WORK_WRITE, NULL,            &MSG_REDACTION_SET,  h_redaction_set, NULL},
    {"POST",   "/v1/placeholders",               OPERATOR,                  ROLES_NONE,    ADMIN,  OPEN,        WORK_WAIT,  NULL,            &MSG_REDACT,         h_placeholders, NULL},
    {"POST",   "/v1/streams",                    OPERATOR | TASK | SERVICE, ROLES_RUNNER,  UNIX,   OPEN,        WORK_READ,  NULL,            &MSG_STREAMS,        h_streams,      NULL},

    {"GET",    "/v1/receipts/key",               OPERATOR | SERVICE,        ROLES_ALL,     ADMIN,  OPEN,        WORK_READ,  NULL,            NULL,                h_receipt_key,  NULL},
    {"POST",   "/v1/receipts/check",             OPERATOR | SERVICE,        ROLES_AUDITOR, ADMIN,  OPEN,        WORK_WAIT,  NULL,            &MSG_RECEIPT,        h_receipt_check, NULL},

    {"POST",   "/v1/roles",                      PROOF,                     ROLES_NONE,    ADMIN,  OPEN,        WORK_WRITE, NULL,            &MSG_ROLE,           h_role_create,  NULL},
    {"GET",    "/v1/roles",                      OPERATOR,                  ROLES_NONE,    ADMIN,  OPEN,        WORK_READ,  NULL,            NULL,                h_role_list,    NULL},
    {"DELETE", "/v1/roles/{name}",               OPERATOR,                  ROLES_NONE,    ADMIN,  OPEN,        WORK_WRITE, NULL,            NULL,                h_role_remove,  NULL},

    {"PUT",    "/v1/secrets/{name}/rotation",    OPERATOR,                  ROLES_NONE,    ADMIN,  OPEN,        WORK_WRITE, NULL,            &MSG_ROTATION_RULE,  h_rotation_rule_set, NULL},
    {"GET",    "/v1/secrets/{name}/rotation",    OPERATOR,                  ROLES_NONE,    ADMIN,  OPEN,        WORK_READ,  NULL,            NULL,                h_rotation_rule_show, NULL},
    {"DELETE", "/v1/secrets/{name}/rotation",    OPERATOR,                  ROLES_NONE,    ADMIN,  OPEN,        WORK_WRITE, NULL,            NULL,                h_rotation_rule_remove, NULL},
    {"GET",    "/v1/rotation-rules",             OPERATOR,                  ROLES_NONE,    ADMIN,  OPEN,        WORK_WAIT,  NULL,            NULL,                h_rotation_rule_list, NULL},
    {"POST",   "/v1/rotations",                  OPERATOR | SERVICE,        ROLES_ROTATOR, ADMIN,  OPEN,        WORK_ROTATE, NULL,           &MSG_ROTATE,         h_rotate,       NULL},
    {"GET",    "/v1/rotations",                  OPERATOR | SERVICE,        ROLES_ROTATOR, ADMIN,  OPEN,        WORK_READ,  &QUERY_ROTATIONS, NULL,               h_rotation_list, NULL},
    {"PUT",    "/v1/programs/{name}",            PROOF,                     ROLES_NONE,    ADMIN,  OPEN,        WORK_WRITE, NULL,            &MSG_PROGRAM,        h_program_set,  NULL},
    {"GET",    "/v1/programs",                   OPERATOR,                  ROLES_NONE,    ADMIN,  OPEN,        WORK_READ,  NULL,            NULL,                h_program_list, NULL},
    {"DELETE", "/v1/programs/{name}",            OPERATOR,                  ROLES_NONE,    ADMIN,  OPEN,        WORK_WRITE, NULL,            NULL,                h_program_remove, NULL},

    {"POST",   "/v1/incidents",                  OPERATOR,                  ROLES_NONE,    ADMIN,  OPEN,        WORK_WAIT,  NULL,            &MSG_LEAKED,         h_leaked,       NULL},
    {"GET",    "/v1/incidents",                  OPERATOR | SERVICE,        ROLES_AUDITOR, ADMIN,  OPEN,        WORK_READ,  &QUERY_INCIDENTS, NULL,               h_incident_list, NULL},
    {"GET",    "/v1/incidents/{id}",             OPERATOR | SERVICE,        ROLES_AUDITOR, ADMIN,  OPEN,        WORK_READ,  NULL,            NULL,                h_incident_show, NULL},
    {"POST",   "/v1/incidents/{id}/close",       OPERATOR,                  ROLES_NONE,    ADMIN,  OPEN,        WORK_WAIT,  NULL,            &MSG_NOTE,           h_incident_close, NULL},
    {"POST",   "/v1/incidents/{id}/rotate",      OPERATOR,                  ROLES_NONE,    ADMIN,  OPEN,        WORK_ROTATE, NULL,           NULL,                h_incident_rotate, NULL},
    {"GET",    "/v1/dangers",                    OPERATOR | SERVICE,        ROLES_AUDITOR, ADMIN,  OPEN,        WORK_WAIT,  NULL,            NULL,                h_dangers,      NULL},
    {"PUT",    "/v1/secrets/{name}/mint",        PROOF,                     ROLES_NONE,    ADMIN,  OPEN,        WORK_WRITE, NULL,            &MSG_MINT_RULE,      h_mint_rule_set, NULL},
    {"GET",    "/v1/secrets/{name}/mint",        OPERATOR,                  ROLES_NONE,    ADMIN,  OPEN,        WORK_READ,  NULL,            NULL,                h_mint_rule_show, NULL},
    {"DELETE", "/v1/secrets/{name}/mint",        OPERATOR,                  ROLES_NONE,    ADMIN,  OPEN,        WORK_WRITE, NULL,            NULL,                h_mint_rule_remove, NULL},
    {"GET",    "/v1/mint-rules",                 OPERATOR,                  ROLES_NONE,    ADMIN,  OPEN,        WORK_WAIT,  NULL,            NULL,                h_mint_rule_list, NULL},
    {"GET",    "/v1/minted",                     OPERATOR | SERVICE,        ROLES_ROTATOR, ADMIN,  OPEN,        WORK_READ,  NULL,            NULL,                h_mint_list,    NULL},

    {"GET",    "/v1/exposure",                   OPERATOR | SERVICE,        ROLES_AUDITOR, ADMIN,  OPEN,        WORK_READ,  &QUERY_EXPOSURE, NULL,                h_exposure,     NULL},
    {"GET",    "/v1/audit",                      OPERATOR | SERVICE,        ROLES_AUDITOR, ADMIN,  OPEN,        WORK_READ,  &QUERY_AUDIT,    NULL,                h_audit,        NULL},
    {"GET",    "/v1/audit/verify",               OPERATOR | SERVICE,        ROLES_AUDITOR, ADMIN,  OPEN,        WORK_WAIT,  NULL,            NULL,                h_audit_verify, NULL},
    {"GET",    "/v1/audit/export",               OPERATOR | SERVICE,        ROLES_AUDITOR, ADMIN,  OPEN,        WORK_WAIT,  &QUERY_AFTER,    NULL,                h_audit_export, NULL},
    {"GET",    "/v1/profiles",                   OPERATOR,                  ROLES_NONE,    ADMIN,  ROUTE_PLAIN, WORK_READ,  NULL,            NULL,                h_profile_list, NULL},
    {"GET",    "/v1/profiles/{name}",            OPERATOR,                  ROLES_NONE,    ADMIN,  ROUTE_PLAIN, WORK_READ,  NULL,            NULL,                h_profile_show, NULL},
    {"PUT",    "/v1/profiles/{name}/trust",      PROOF,                     ROLES_NONE,    ADMIN,  OPEN,        WORK_WRITE, NULL,            NULL,                h_profile_trust, NULL},

    {"POST",   "/v1/moves",                      OPERATOR,                  ROLES_NONE,    ADMIN,  OPEN,        WORK_WRITE, NULL,            &MSG_MOVE,           h_move_begin,   NULL},
    {"GET",    "/v1/moves",                      OPERATOR,                  ROLES_NONE,    ADMIN,  OPEN,        WORK_READ,  NULL,            NULL,                h_move_list,    NULL},
    {"POST",   "/v1/moves/{id}/commit",          OPERATOR,                  ROLES_NONE,    ADMIN,  OPEN,        WORK_WRITE, NULL,            NULL,                h_move_commit,  NULL},
    {"POST",   "/v1/moves/{id}/done",            OPERATOR,                  ROLES_NONE,    ADMIN,  OPEN,        WORK_WRITE, NULL,            &MSG_OUTCOME,        h_move_done,    NULL},
    {"DELETE", "/v1/moves/{id}",                 OPERATOR,                  ROLES_NONE,    ADMIN,  OPEN,        WORK_WRITE, NULL,            NULL,                h_move_undo,    NULL},

    {"POST",   "/v1/renderings",                 PROOF | SERVICE,           ROLES_RUNNER,  ADMIN,  GIVES | HIDE, WORK_WRITE, NULL,           &MSG_RENDER,         h_render,       NULL},
};
/* clang-format on */

const struct route_set ROUTES = {.rows = ROWS, .count = AG_COUNT(ROWS)};

/* ---- core, as the server sees it ---- */

static struct core *
core_of(void *ctx)
{
    const struct routes_stop *stop = ctx;

    return stop->core;
}

static enum vault_state
app_state(void *ctx)
{
    return core_state(core_of(ctx));
}

static enum ag_err
app_admit(void *ctx, struct peer *peer, struct span token, bool renews,
          struct call *ret)
{
    return renews ? access_renewal(core_of(ctx), peer, token, ret)
                  : access_check(core_of(ctx), peer, token, ret);
}

static void
app_leave(void *ctx, struct call *call)
{
    access_done(core_of(ctx), call);
}

static void
app_used(void *ctx)
{
    core_used(core_of(ctx));
}

static void
app_write(void *ctx, struct core_job *job)
{
    core_write(core_of(ctx), job);
}

static enum ag_err
app_hide(void *ctx)
{
    return core_hide(core_of(ctx));
}

static bool
app_must_hide(void *ctx)
{
    return core_must_hide(core_of(ctx));
}

static void
app_stop(void *ctx)
{
    const struct routes_stop *stop = ctx;

    stop->stop(stop->arg);
}

struct server_app
routes_app(struct routes_stop *stop)
{
    return (struct server_app){
        .ctx = stop,
        .state = app_state,
        .admit = app_admit,
        .leave = app_leave,
        .used = app_used,
        .write = app_write,
        .hide = app_hide,
        .must_hide = app_must_hide,
        .stop = app_stop,
        .core = stop->core,
    };
}
