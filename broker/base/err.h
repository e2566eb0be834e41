/*
 * err.h - every failure there is: one row each with its stable code, HTTP
 * status, exit code and sentence.
 * Floor: base. Depends on: nothing.
 *
 * A function returns `enum ag_err` and passes what it got unchanged. Where a
 * failure is born, err_why() may add a sentence that names what, where and how
 * to mend it; the edge (HTTP handler, command line) reads it by err_text().
 * The sentence is kept per thread until the next err_why() or err_clear(). It
 * must never contain a value.
 *
 * Exit codes follow sysexits(3). Codes (the second column) are part of the API
 * and are never renamed.
 */
#ifndef AG_BASE_ERR_H
#define AG_BASE_ERR_H

#include "base/attr.h"

/* clang-format off */
/*      name             code                  http exit sentence */
#define AG_ERRORS(X)                                                                                        \
    X(AG_OK,             "ok",                  200,  0, "done")                                            \
    X(AG_EUSAGE,         "usage",               400, 64, "the command was not understood; see --help")      \
    X(AG_EINVAL,         "invalid",             400, 65, "the input is not valid")                          \
    X(AG_ELIMIT,         "limit",               413, 65, "the input is larger than the limit")              \
    X(AG_EHTTP,          "bad_request",         400, 65, "the HTTP request is malformed")                   \
    X(AG_EHEAD,          "head_too_large",      431, 65, "the request head is larger than the limit")       \
    X(AG_ELENGTH,        "length_required",     411, 65, "the request needs one Content-Length")            \
    X(AG_ESLOW,          "request_timeout",     408, 75, "the request took too long to arrive")             \
    X(AG_EMEDIA,         "unsupported_media",   415, 65, "the body must be application/json")               \
    X(AG_EMETHOD,        "method_not_allowed",  405, 64, "this resource has no such method")                \
    X(AG_ENOTFOUND,      "not_found",           404, 66, "there is no such thing")                          \
    X(AG_EEXISTS,        "exists",              409, 73, "it exists already")                               \
    X(AG_ECONFLICT,      "conflict",            409, 75, "it changed in the meantime")                      \
    X(AG_EBUSY,          "busy",                503, 75, "another process is at work; try again")           \
    X(AG_EBLOCKS,        "would_block",         503, 75, "it has to wait, and this thread may not")         \
    X(AG_ERATE,          "rate_limited",        429, 75, "too many requests; wait and try again")           \
    X(AG_EHELD,          "login_held",          409, 75, "another task holds this login")                   \
    X(AG_ELOCKED,        "locked",              503, 69, "the vault is locked; run: auth-guard unlock")     \
    X(AG_ENOVAULT,       "no_vault",            503, 69, "there is no vault yet; run: auth-guard init")     \
    X(AG_ENOBROKER,      "no_broker",           503, 69, "the broker is not running; run: auth-guard unlock") \
    X(AG_ESTART,         "broker_failed",       503, 70, "the broker could not be started")                 \
    X(AG_EFILTER,        "filter_gone",         503, 70, "the filter process ended; streams stop")          \
    X(AG_EDENIED,        "denied",              403, 77, "this caller may not do that")                     \
    X(AG_EOPERATOR,      "operator_required",   403, 77, "only the operator may do that; run: auth-guard unlock") \
    X(AG_EPROOF,         "proof_required",      403, 77, "this needs the passphrase again")                 \
    X(AG_EPASSPHRASE,    "wrong_passphrase",    403, 77, "the passphrase is not right")                     \
    X(AG_ETOKEN,         "token_malformed",     401, 77, "the token is malformed or truncated")             \
    X(AG_ENOTOKEN,       "token_unknown",       401, 77, "no such token")                                   \
    X(AG_EEXPIRED,       "token_expired",       401, 77, "the token has expired")                           \
    X(AG_EREVOKED,       "token_revoked",       401, 77, "the token was revoked")                           \
    X(AG_EUSEDUP,        "token_used_up",       401, 77, "the token has no uses left")                      \
    X(AG_EPROCESS,       "wrong_process",       403, 77, "the token is bound to another process tree")      \
    X(AG_EUNTRACED,      "caller_unknown",      403, 77, "the calling process can't be established")        \
    X(AG_EWIDER,         "wider_than_parent",   403, 77, "a child may not have more than its parent")       \
    X(AG_ENOGRANT,       "not_granted",         403, 77, "no grant of this task covers that")               \
    X(AG_EGRADE,         "grade_refused",       403, 77, "the secret does not allow this way of delivery")  \
    X(AG_EUNWRAPPED,     "already_unwrapped",   403, 77, "this wrap was opened before; treat it as stolen") \
    X(AG_ETICKET,        "ticket_refused",      403, 77, "the ticket is unknown, used or too old")          \
    X(AG_ECHANGED,       "file_changed",        409, 75, "the file changed while it was being moved")       \
    X(AG_EFILE,          "unsuitable_file",     422, 65, "the file can't be moved into the vault")          \
    X(AG_EMODE,          "unsafe_mode",         500, 78, "a private file is open to others")                \
    X(AG_ECORRUPT,       "corrupt",             500, 65, "stored data does not verify")                     \
    X(AG_EROLLBACK,      "rolled_back",         500, 65, "the vault is older than its sealed counter")      \
    X(AG_ENEWER,         "newer_format",        500, 78, "written by a newer auth-guard; upgrade this one") \
    X(AG_EMEMLOCK,       "memlock_limit",       500, 71, "not enough lockable memory; raise it with: ulimit -l") \
    X(AG_ENOMEM,         "no_memory",           500, 71, "out of memory")                                   \
    X(AG_EIO,            "io",                  500, 74, "reading or writing failed")                       \
    X(AG_ENOSPACE,       "disk_full",           507, 74, "the disk is full; nothing was changed")           \
    X(AG_ETIMEOUT,       "timeout",             504, 75, "no answer in time")                               \
    X(AG_ETARGET,        "path_refused",        400, 65, "the path has more than one reading")              \
    X(AG_ESERVICE,       "unknown_service",     404, 66, "this task may call no such service")              \
    X(AG_EHOST,          "wrong_host",          403, 77, "the value does not go to that host")              \
    X(AG_EVERB,          "wrong_method",        403, 77, "that method may not be used there")               \
    X(AG_EPATH,          "wrong_path",          403, 77, "that path may not be called")                     \
    X(AG_EPLACE,         "wrong_place",         403, 77, "a placeholder stands where no value belongs")     \
    X(AG_EFOREIGN,       "foreign_placeholder", 403, 77, "that placeholder is another task's")              \
    X(AG_EENDED,         "ended_placeholder",   403, 77, "that placeholder's task has ended")               \
    X(AG_EGRANTUSED,     "grant_used_up",       403, 77, "the grant has no uses left")                      \
    X(AG_EBYTESUSED,     "grant_bytes_used_up", 403, 77, "the bytes that the grant allows have passed")     \
    X(AG_EMISSING,       "credential_missing",  401, 77, "no placeholder stands where that service takes one") \
    X(AG_EMISSINGUSER,   "basic_auth_missing",  401, 77, "that service takes a placeholder as the password of basic authentication") \
    X(AG_EENCODED,       "encoded_answer",      502, 76, "the service's answer is encoded and can't be filtered") \
    X(AG_EPARTIAL,       "partial_answer",      502, 76, "the service answers with a part, which can't be filtered") \
    X(AG_EUPGRADE,       "upgrade_refused",     501, 65, "of all upgrades only that to a WebSocket is passed on") \
    X(AG_ELOGIN,         "needs_login",         401, 77, "the service wants a new login")                   \
    X(AG_EREFRESH,       "refresh_failed",      503, 75, "the login could not be refreshed; it will be tried again") \
    X(AG_EADDRESS,       "address_refused",     403, 77, "that address may not be called")                  \
    X(AG_ENOTALLOWED,    "host_not_allowed",    403, 77, "the task may not reach that host")                \
    X(AG_ESERVERNAME,    "wrong_server_name",   403, 77, "the name in the TLS greeting is not the host of the tunnel") \
    X(AG_EUNREACHABLE,   "upstream_unreachable", 502, 69, "the service can't be reached")                   \
    X(AG_EUPTLS,         "upstream_tls",        502, 76, "the service can't prove by TLS who it is")        \
    X(AG_EUPSTREAM,      "upstream_broken",     502, 76, "the service broke off, or its answer is not HTTP") \
    X(AG_EUPTIME,        "upstream_timeout",    504, 75, "the service did not answer in time")              \
    X(AG_EUNSUPPORTED,   "unsupported",         501, 69, "this system lacks what that needs")               \
    X(AG_EFOUND,         "found",               200,  1, "plaintext credentials were found")                \
    X(AG_ERECEIPT,       "receipt_refused",     422, 65, "the receipt does not hold")                       \
    X(AG_EUNPINNED,      "key_not_pinned",      422,  2, "the receipt holds, but nobody said whose key it must be") \
    X(AG_EROTATION,      "rotation_failed",     502,  3, "some rotations failed; they will be tried again") \
    X(AG_EPERSON,        "needs_person",        502,  4, "some rotations need a person")                    \
    X(AG_ERENEWED,       "token_renewed",       401, 77, "the token was renewed: its new text is the one to use") \
    X(AG_ECLONED,        "token_cloned",        401, 77, "a copy of a token that was renewed since; all that hangs from it is revoked") \
    X(AG_EONHOLD,        "on_hold",             403, 77, "the secret is on hold: it may have leaked")         \
    X(AG_EMINT,          "mint_failed",         502, 75, "the credential could not be made at its provider") \
    X(AG_EINTERNAL,      "internal",            500, 70, "a fault in auth-guard itself; please report it")

/* clang-format on */

enum ag_err {
#define AG_ERR_NAME(name, code, http, exit_code, text) name,
    AG_ERRORS(AG_ERR_NAME)
#undef AG_ERR_NAME
    AG_ERR_COUNT,
};

/* The stable code, e.g. "wrong_process". Static. */
const char *err_code(enum ag_err err);

/* The row's own sentence, whatever was kept. Static. */
const char *err_title(enum ag_err err);

/* HTTP status and exit code of the row. */
int err_http(enum ag_err err);
int err_exit(enum ag_err err);

/* The row whose code is `code`, or AG_EINTERNAL: for clients of the API. */
enum ag_err err_from_code(const char *code);

/*
 * Keeps one sentence for this thread and returns `err`, so a failure is raised
 * in one line: return err_why(AG_EINVAL, "ttl_s: 0 is below 1");
 * Longer sentences are cut. Names and ids only, never a value.
 */
AG_CHECK AG_PRINTF(2, 3) enum ag_err
    err_why(enum ag_err err, const char *fmt, ...);

/* The kept sentence if it was raised with `err`, else the row's. */
const char *err_text(enum ag_err err);

/* Forgets the kept sentence: at the start of each request or verb. */
void err_clear(void);

/* What an errno of a file or socket call means: AG_ENOSPACE, AG_ENOMEM,
 * AG_ENOTFOUND, AG_EEXISTS, AG_EDENIED, else AG_EIO. */
enum ag_err err_from_errno(int errno_value);

#ifdef __clang_analyzer__
/* Which the analyzer can't see from outside err.c: neither gives AG_OK. */
#define err_why(error, ...)    ((void)(err_why)((error), __VA_ARGS__), (error))
#define err_from_errno(number) ((void)(number), AG_EIO)
#endif

#endif
