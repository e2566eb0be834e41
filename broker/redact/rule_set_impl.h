/* rule_set_impl.h - what rule_set.c shares with the search: not for others. */
#ifndef AG_REDACT_RULE_SET_IMPL_H
#define AG_REDACT_RULE_SET_IMPL_H

#include "redact/rule_lib.h"
#include "redact/rule_open.h"
#include "redact/rule_pack.h"
#include "redact/rule_set.h"

struct rule_code {
    const struct rule *rule;
    pcre2_code *regex;  /* ends where its window ends */
    pcre2_code **allow; /* rule->allow_count of them */
};

/* Its regex and those it allows. Errors: AG_ECORRUPT, AG_ELIMIT. */
AG_CHECK AG_NONNULL enum ag_err rule_code_compile(const struct rule_lib *lib,
                                                  struct rule_code *code);

struct rule_set {
    const struct rule_lib *lib;
    enum rule_set_flags flags;
    size_t pack_count;
    struct rule_pack *packs[RULE_PACKS_MAX_COUNT];
    hs_database_t *databases[RULE_PACKS_MAX_COUNT];
    hs_database_t *gated[RULE_PACKS_MAX_COUNT]; /* NULL: no rule has a gate */
    /* By gate, the longest window of a rule that has it. */
    size_t reach[RULE_PACKS_MAX_COUNT][RULE_GATE_COUNT];
    size_t firsts[RULE_PACKS_MAX_COUNT]; /* each pack's first rule */
    size_t count;
    struct rule_code *codes;
    size_t window;
    struct rule_open *open;
};

#endif
