/*
 * flight_login.h - a request that uses a login, or asks for its refresh: before
 * its end and after a 401 the login is refreshed, then the request goes on; the
 * refresh address itself is answered here, with placeholders. And one whose value
 * is made at its first use: it may go out, then it is made.
 * Floor: proxy, and only this folder includes it.
 */
#ifndef AG_PROXY_FLIGHT_LOGIN_H
#define AG_PROXY_FLIGHT_LOGIN_H

#include "base/attr.h"
#include "base/err.h"
#include "core/permit.h"
#include "proxy/flight_impl.h"

/*
 * Looks whether the request concerns a login of the task; if so f->login is
 * made. *ret_holds: it goes on later, by another thread.
 * Errors: AG_ELOGIN, AG_EREFRESH, …: those of refresh_ask().
 */
AG_CHECK AG_NONNULL enum ag_err
flight_login_open(struct flight *f, const struct proxy_request *request,
                  const struct permit_ask *ask, bool *ret_holds);

/*
 * flight_decide(); what it wants to be minted is waited for, and then it is
 * decided once more: at once, or by another thread, as after flight_login_open().
 * Errors: those of permit_decide() and mint_ask().
 */
AG_CHECK AG_NONNULL enum ag_err
flight_login_decide(struct flight *f, const struct permit_ask *ask,
                    bool may_block);

/* The same for a body that is kept whole, when f->permit.mint_id is set after
 * its decision. *ret_waits: flight_send_kept() is called once more later, else
 * by the caller. */
AG_CHECK AG_NONNULL enum ag_err flight_login_mint(struct flight *f,
                                                  bool *ret_waits);

/* Under the flight's lock: not decided yet; nothing of a body is taken then. */
AG_NONNULL bool flight_login_waits(const struct flight *f);

/* The body has ended while the login is waited for, so it is empty: it is sent
 * once that is there. What of the flight the decision sets is not looked at
 * before. */
AG_NONNULL bool flight_login_puts_off(struct flight *f);

/* Is it not the time, or not the way, to send it? Then it was dealt with here.
 * Of a request whose body is whole, or too long to be kept. Errors: AG_ELIMIT.
 */
AG_CHECK AG_NONNULL enum ag_err flight_login_launch(struct flight *f,
                                                    bool *ret_done);

/* On the upstream's thread: this answer is not for the client, the request is
 * sent again. */
AG_NONNULL bool flight_login_refused(struct flight *f, int status);

/* Nothing of it runs any more. */
AG_NONNULL void flight_login_end(struct flight *f);
void flight_login_free(struct flight_login *login);

#endif
