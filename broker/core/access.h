/*
 * access.h - from a connection and the token it shows to a `struct call`: the
 * one place where a caller is believed or not.
 * Floor: core. Depends on: caller/class, caller/peer, core/tokens.
 */
#ifndef AG_CORE_ACCESS_H
#define AG_CORE_ACCESS_H

#include "base/attr.h"
#include "base/err.h"
#include "base/span.h"
#include "core/call.h"

struct core;
struct peer;

/*
 * Classifies the caller and checks the token, if `token_text` is not empty:
 * form, known, revoked, expired, used up, and bound to the caller's process
 * tree. A refusal is put on the record before this returns; a token seen
 * positively outside its tree revokes all of its task's tokens.
 *
 * On AG_OK, and only then, `ret` is filled; it is to be given back with
 * access_done(), which ends the borrow of the token.
 * Errors: AG_ETOKEN, AG_ENOTOKEN, AG_EREVOKED, AG_EEXPIRED, AG_EUSEDUP,
 *         AG_EPROCESS (outside), AG_EUNTRACED (can't be established, or the
 *         process that connected is gone), AG_ERENEWED, AG_ECLONED (a copy of a
 *         text of before: all of its task's tokens, or the role, are revoked).
 * Threads: any. Blocks: for the witness on the first request of a TCP
 *          connection; for the record when a token is refused, or used first
 *          after a renewal.
 */
AG_CHECK AG_NONNULL enum ag_err access_check(struct core *core,
                                             struct peer *peer,
                                             struct span token_text,
                                             struct call *ret);
/* The same for who wants to renew the token: the text before is good too while
 * its successor was not used (core/renewal.h), and ret->next is the next. */
AG_CHECK AG_NONNULL enum ag_err access_renewal(struct core *core,
                                               struct peer *peer,
                                               struct span token_text,
                                               struct call *ret);
/*
 * The same for a request whose credentials are none of ours: who it is by its
 * process alone, over TCP too.
 * Errors: as above, but those of tokens. *ret needs no access_done().
 */
AG_CHECK AG_NONNULL enum ag_err
access_caller(struct core *core, struct peer *peer, struct call *ret);
AG_NONNULL void access_done(struct core *core, struct call *call);

#endif
