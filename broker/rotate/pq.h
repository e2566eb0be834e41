/*
 * pq.h - sessions with a PostgreSQL server: opened by what a rule's parameters
 * say, kept for a while for the next act, and every wait of them bounded.
 * Floor: rotate. Depends on: rotate/pq_lib, rotate/rotator, base/secret.
 *
 * Nothing is taken from the environment or from files of libpq's own
 * (~/.pgpass, the service file, a client certificate): whatever could be is said
 * explicitly. Of a password libpq keeps a copy in memory of its own for as long
 * as the session is open; hence they are closed when the vault locks.
 */
#ifndef AG_ROTATE_PQ_H
#define AG_ROTATE_PQ_H

#include <stdbool.h>
#include <stdint.h>

#include <jansson.h>

#include "base/attr.h"
#include "base/buf.h"
#include "base/err.h"
#include "rotate/rotator.h"

struct pq;
struct secret;

enum {
    PQ_CONNECT_MS = 5000,
    PQ_STATEMENT_MS = 5000, /* the server's own limit of each statement … */
    PQ_QUERY_MS = 6000,     /* … and ours, of its answer */
    PQ_UNACKED_MS = 5000,   /* what was sent and not taken is given up */
    PQ_COMMIT_MS = 5000,    /* which the server's limit is not of */
    /* A statement whose answer was lost has had its effect by then, or none:
       counted from when it was sent. */
    PQ_SETTLED_MS = PQ_UNACKED_MS + PQ_STATEMENT_MS + PQ_COMMIT_MS,
    PQ_IDLE_COUNT = 8,   /* sessions kept: one for each that works */
    PQ_IDLE_MS = 30000,  /* and for how long */
    PQ_NAME_BYTES = 64,  /* of a role or database, with its NUL */
    PQ_HOST_BYTES = 256, /* with its NUL */
    PQ_STATE_BYTES = 6,  /* an SQLSTATE, with its NUL */
    PQ_SQL_MAX_BYTES = 8 * 1024,
    PQ_PASSWORD_MAX_BYTES = 1000,
};

/* Where and as whom. Borrowed from a rule's parameters; see pq_check(). */
struct pq_login {
    const char *host;
    int port;
    const char *dbname;
    const char *user;
    const char *sslmode;
    const char *sslrootcert;
    const struct secret *password;
};

/* What came of a connection or a query: as of rotator.h, and why. In place. */
struct pq_fate {
    enum rotator_outcome outcome;
    char state[PQ_STATE_BYTES];    /* the server's; empty: it said nothing */
    char code[ROTATOR_CODE_BYTES]; /* for the record */
};

/* host, port, dbname, user, sslmode, sslrootcert; others are not looked at.
 * Errors: AG_EINVAL with a sentence; AG_EUNSUPPORTED there is no libpq. */
AG_CHECK AG_NONNULL enum ag_err pq_check(const json_t *params);

/* A name of a role or database: 1 to 63 bytes, none a control character. NULL is
 * none. */
bool pq_is_name(const json_t *value);

/* One that a server may have been given: some bytes of one line. */
bool pq_is_password(struct span text);

/* A new password. Errors: AG_EMEMLOCK, AG_ENOMEM. */
AG_CHECK AG_NONNULL enum ag_err pq_password(struct secret **ret);

/* The login of checked parameters. */
void pq_login_of(const json_t *params, const struct secret *password,
                 struct pq_login *ret);

/*
 * A session, from those kept or opened now. Not DONE in *fate: there is none,
 * *ret is NULL. Blocks. Errors: only what is wrong with us.
 */
AG_CHECK AG_NONNULL enum ag_err pq_take(const struct pq_login *login,
                                        struct pq **ret, struct pq_fate *fate);

/* A session of one's own, closed by pq_give(). */
AG_CHECK AG_NONNULL enum ag_err pq_open(const struct pq_login *login,
                                        struct pq **ret, struct pq_fate *fate);

/*
 * Of a connection without TLS, before libpq reads what has come: false, who
 * answers wants the password itself (or does not end its sentence in time).
 * Whoever listens at that port could ask for it, and libpq before 16 can't be
 * told not to give it. Takes nothing from the socket; *over: the login is, and
 * this needs not be asked any more.
 */
AG_CHECK AG_NONNULL bool pq_may_read(int fd, int64_t until_ms, bool *over);

/* Back, to be kept if it is whole and was taken. NULL is allowed. */
void pq_give(struct pq *session);

static inline void
pq_cleanup(struct pq **slot)
{
    pq_give(*slot);
}

/* Statements, all or none of them. Blocks. */
AG_NONNULL void pq_do(struct pq *session, const char *sql,
                      struct pq_fate *fate);

/* The verifier (SCRAM-SHA-256) of a password, quoted as SQL wants it. The
 * server, and so its log, never sees the password.
 * Errors: AG_ENOMEM, AG_EMEMLOCK. */
AG_CHECK AG_NONNULL enum ag_err pq_add_verifier(struct pq *session,
                                                const char *user,
                                                const struct secret *password,
                                                struct buf *sql);

/* Appends "name", or 'text', with what must be doubled. */
AG_CHECK AG_NONNULL enum ag_err pq_add_name(struct buf *sql, const char *name);
AG_CHECK AG_NONNULL enum ag_err pq_add_text(struct buf *sql, const char *text);

/* Closes those kept: all, or what was idle for PQ_IDLE_MS. Threads: any. */
void pq_close_idle(bool all);

#endif
