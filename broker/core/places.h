/*
 * places.h - where a secret may go, sealed with it: taken from its profile when
 * it comes into the vault, widened only by the operator's word.
 * Floor: core. Depends on: policy/places, store/secrets.
 */
#ifndef AG_CORE_PLACES_H
#define AG_CORE_PLACES_H

#include <jansson.h>

#include "base/attr.h"
#include "base/err.h"
#include "core/call.h"
#include "policy/places.h"

struct core;
struct db_tx;
struct profile;
struct secret_row;
struct task_proxy_request;
struct task_request;

/* Replaces the places in a description, and where the login refreshes, by the
 * profile's. Errors: AG_ENOMEM. */
AG_CHECK AG_NONNULL enum ag_err places_seal(const struct profile *profile,
                                            json_t *detail);

/* The same in a row's own description. */
AG_CHECK AG_NONNULL enum ag_err places_seal_row(const struct profile *profile,
                                                struct secret_row *row);

/*
 * The same for a secret that has a value: the operator's own words stay, and a
 * place that was not sealed with it needs a fresh proof.
 * Errors: AG_EPROOF with a sentence.
 */
AG_CHECK AG_NONNULL enum ag_err places_reseal(const struct call *call,
                                              const struct profile *profile,
                                              struct secret_row *row);

/* Those sealed with a secret. *ret as of places_read(). */
AG_CHECK AG_NONNULL enum ag_err places_sealed(const struct secret_row *row,
                                              struct places *ret);

/*
 * Before a task starts: what it asks to send through the proxy to where
 * nothing of that secret goes yet is sealed with it now, if the caller gave a
 * fresh proof, and on the record.
 * Errors: AG_EPROOF with a sentence; AG_EINVAL; AG_ENOTFOUND. Writer.
 */
AG_CHECK AG_NONNULL enum ag_err places_widen(struct core *core,
                                             struct db_tx *tx,
                                             const struct call *call,
                                             const struct task_request *task);

/*
 * Of a secret's places those that a wish is for, no other: with `upstream` the
 * one that it describes; without, the profile's, or the only one that the
 * operator ever named. *ret is among those left, one of `field`.
 * Errors: AG_EINVAL with a sentence.
 */
AG_CHECK AG_NONNULL enum ag_err
places_wished(const struct task_proxy_request *wish, const char *field,
              struct places *places, const struct place **ret);

/* The same for a secret from before places were sealed, or put without a
 * profile: it may go where `profile` says. Nothing is done if it has places.
 * `row` is kept up to date. Writer. */
AG_CHECK AG_NONNULL enum ag_err places_of(struct db_tx *tx,
                                          const struct call *call,
                                          const struct profile *profile,
                                          struct secret_row *row);

#endif
