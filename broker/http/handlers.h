/*
 * handlers.h - one handler per route: takes the decoded request apart, calls
 * one use case, fills the reply. What a request must bring is checked before,
 * by its row in routes.c.
 * Floor: http. Depends on: http/request, core.
 *
 * Those of WRITE rows run on the writer thread inside its transaction (rq->tx),
 * those of SLOW, WAIT and ROTATE rows on a thread of their own, the rest on an HTTP
 * thread.
 */
#ifndef AG_HTTP_HANDLERS_H
#define AG_HTTP_HANDLERS_H

#include "base/attr.h"
#include "base/err.h"

struct request;

#define HANDLER(name) AG_CHECK AG_NONNULL enum ag_err name(struct request *rq)

/* h_vault.c: the broker and its keys */
HANDLER(h_health);
HANDLER(h_status);
HANDLER(h_metrics);
HANDLER(h_init);
HANDLER(h_unlock);
HANDLER(h_proof);
HANDLER(h_lock);
HANDLER(h_stop);
HANDLER(h_passphrase);
HANDLER(h_rekey);
HANDLER(h_slots);
HANDLER(h_slot_add);
HANDLER(h_slot_remove);

/* h_secrets.c */
HANDLER(h_secret_list);
HANDLER(h_secret_show);
HANDLER(h_secret_put);
HANDLER(h_secret_patch);
HANDLER(h_secret_remove);
HANDLER(h_secret_value_quick);
HANDLER(h_secret_value);
HANDLER(h_versions);
HANDLER(h_version_change);

/* h_tasks.c: tasks, leases, streams, redact, moves */
HANDLER(h_task_prepare); /* keys that it may need; then h_task_start() */
HANDLER(h_task_start);
HANDLER(h_task_preview);
HANDLER(h_task_list);
HANDLER(h_task_show);
HANDLER(h_task_end);
HANDLER(h_lease_list);
HANDLER(h_lease_revoke);
HANDLER(h_streams);
HANDLER(h_redact);
HANDLER(h_redaction_set);
HANDLER(h_placeholders);
HANDLER(h_move_begin);
HANDLER(h_move_list);
HANDLER(h_move_commit);
HANDLER(h_move_done);
HANDLER(h_move_undo);

/* h_tokens.c: tokens, wraps, roles */
HANDLER(h_token_create);
HANDLER(h_token_list);
HANDLER(h_token_self);
HANDLER(h_token_self_revoke);
HANDLER(h_token_renew);
HANDLER(h_token_lookup);
HANDLER(h_token_revoke);
HANDLER(h_wrap);
HANDLER(h_unwrap);
HANDLER(h_role_create);
HANDLER(h_role_list);
HANDLER(h_role_remove);

/* h_record.c: exposure, audit, profiles */
HANDLER(h_exposure);
HANDLER(h_audit);
HANDLER(h_audit_verify);
HANDLER(h_audit_export);
HANDLER(h_profile_list);
HANDLER(h_profile_show);
HANDLER(h_profile_trust);

/* h_rotation.c */
HANDLER(h_rotation_rule_set);
HANDLER(h_rotation_rule_show);
HANDLER(h_rotation_rule_list);
HANDLER(h_rotation_rule_remove);
HANDLER(h_rotate);
HANDLER(h_rotation_list);
HANDLER(h_program_set);
HANDLER(h_program_list);
HANDLER(h_program_remove);

/* h_mint.c */
HANDLER(h_mint_rule_set);
HANDLER(h_mint_rule_show);
HANDLER(h_mint_rule_list);
HANDLER(h_mint_rule_remove);
HANDLER(h_mint_list);

/* h_receipts.c */
HANDLER(h_receipt_key);
HANDLER(h_receipt_check);

/* h_incident.c */
HANDLER(h_leaked);
HANDLER(h_incident_list);
HANDLER(h_incident_show);
HANDLER(h_incident_close);
HANDLER(h_incident_rotate);
HANDLER(h_dangers);
HANDLER(h_render);

#undef HANDLER

#endif
