/*
 * pq_lib.h - libpq, loaded by the broker before it confines itself: linked, it
 * and what it brings would start with the helper processes too, which are the
 * same program. What it brings (TLS, LDAP, Kerberos) libcurl has brought by then.
 * Floor: rotate. Depends on: base/err, libpq's header, dlopen().
 */
#ifndef AG_ROTATE_PQ_LIB_H
#define AG_ROTATE_PQ_LIB_H

#include <stddef.h>

#include <libpq-fe.h>

#include "base/attr.h"
#include "base/err.h"

/* What the room calls, by the library's own names. */
// NOLINTBEGIN(readability-identifier-naming)
struct pq_lib {
    PGconn *(*PQconnectStartParams)(const char *const *keywords,
                                    const char *const *values,
                                    int expand_dbname);
    PostgresPollingStatusType (*PQconnectPoll)(PGconn *conn);
    PGVerbosity (*PQsetErrorVerbosity)(PGconn *conn, PGVerbosity verbosity);
    ConnStatusType (*PQstatus)(const PGconn *conn);
    void (*PQfinish)(PGconn *conn);
    int (*PQsocket)(const PGconn *conn);
    int (*PQsendQuery)(PGconn *conn, const char *query);
    int (*PQconsumeInput)(PGconn *conn);
    int (*PQisBusy)(PGconn *conn);
    PGresult *(*PQgetResult)(PGconn *conn);
    ExecStatusType (*PQresultStatus)(const PGresult *res);
    char *(*PQresultErrorField)(const PGresult *res, int fieldcode);
    void (*PQclear)(PGresult *res);
    char *(*PQerrorMessage)(const PGconn *conn);
    char *(*PQencryptPasswordConn)(PGconn *conn, const char *passwd,
                                   const char *user, const char *algorithm);
    void (*PQfreemem)(void *ptr);
    PQnoticeProcessor (*PQsetNoticeProcessor)(PGconn *conn,
                                              PQnoticeProcessor proc,
                                              void *arg);
};

// NOLINTEND(readability-identifier-naming)

/* Loads it, once a process; who needs it later is told whether it is there.
 * Threads: safe. */
void pq_lib_load(void);

/* *ret is static. Errors: AG_EUNSUPPORTED with a sentence: no such library, or
 * not all of it. */
AG_CHECK AG_NONNULL enum ag_err pq_lib_open(const struct pq_lib **ret);

#endif
