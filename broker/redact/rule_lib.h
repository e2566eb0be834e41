/*
 * rule_lib.h - Vectorscan's run time and PCRE2, loaded when rules are asked
 * for: who looks for known values alone starts without them.
 * Floor: redact. Depends on: base/err, the libraries' headers, dlopen().
 *
 * rule_lib.c defines the functions of <hs/hs_runtime.h> and <pcre2.h> that the
 * room calls; each passes to the loaded library.
 */
#ifndef AG_REDACT_RULE_LIB_H
#define AG_REDACT_RULE_LIB_H

#include <stddef.h>

#include <hs/hs_runtime.h>

#include "base/attr.h"
#include "base/err.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

/* What the room calls, by the libraries' own names. */
struct rule_lib {
    const char *(*hs_version)(void);
    hs_error_t (*hs_valid_platform)(void);
    hs_error_t (*hs_deserialize_database)(const char *bytes, const size_t len,
                                          hs_database_t **db);
    hs_error_t (*hs_free_database)(hs_database_t *db);
    hs_error_t (*hs_alloc_scratch)(const hs_database_t *db,
                                   hs_scratch_t **scratch);
    hs_error_t (*hs_free_scratch)(hs_scratch_t *scratch);
    hs_error_t (*hs_open_stream)(const hs_database_t *db, unsigned int flags,
                                 hs_stream_t **stream);
    hs_error_t (*hs_scan_stream)(hs_stream_t *id, const char *data,
                                 unsigned int length, unsigned int flags,
                                 hs_scratch_t *scratch,
                                 match_event_handler on_event, void *ctx);
    hs_error_t (*hs_reset_stream)(hs_stream_t *id, unsigned int flags,
                                  hs_scratch_t *scratch,
                                  match_event_handler on_event, void *ctx);
    hs_error_t (*hs_close_stream)(hs_stream_t *id, hs_scratch_t *scratch,
                                  match_event_handler on_event, void *ctx);
    hs_error_t (*hs_set_stream_allocator)(hs_alloc_t alloc, hs_free_t release);
    pcre2_code *(*pcre2_compile_8)(PCRE2_SPTR pattern, PCRE2_SIZE len,
                                   uint32_t options, int *error_code,
                                   PCRE2_SIZE *error_at,
                                   pcre2_compile_context *context);
    void (*pcre2_code_free_8)(pcre2_code *code);
    int (*pcre2_jit_compile_8)(pcre2_code *code, uint32_t options);
    pcre2_match_data *(*pcre2_match_data_create_8)(
        uint32_t pairs, pcre2_general_context *context);
    void (*pcre2_match_data_free_8)(pcre2_match_data *data);
    pcre2_match_context *(*pcre2_match_context_create_8)(
        pcre2_general_context *context);
    void (*pcre2_match_context_free_8)(pcre2_match_context *context);
    int (*pcre2_set_match_limit_8)(pcre2_match_context *context,
                                   uint32_t limit);
    int (*pcre2_set_depth_limit_8)(pcre2_match_context *context,
                                   uint32_t limit);
    int (*pcre2_match_8)(const pcre2_code *code, PCRE2_SPTR subject,
                         PCRE2_SIZE len, PCRE2_SIZE start, uint32_t options,
                         pcre2_match_data *data, pcre2_match_context *context);
    PCRE2_SIZE *(*pcre2_get_ovector_pointer_8)(pcre2_match_data *data);
};

/*
 * Loads both, once a process and before it confines itself; *ret is static.
 * Errors: AG_EUNSUPPORTED with a sentence: no such library, not all of it, or
 *         a processor that Vectorscan does not run on.
 * Threads: safe.
 */
AG_CHECK AG_NONNULL enum ag_err rule_lib_open(const struct rule_lib **ret);

#endif
