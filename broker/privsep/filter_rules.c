#include "privsep/filter_rules.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/paths.h"
#include "redact/rule_set.h"

enum {
    WHY_BYTES = 256,
};

struct frules {
    struct rule_set *set; /* NULL: `err` says why */
    struct filter_ours ours;
    enum ag_err err;
    char why[WHY_BYTES];
};

enum ag_err
frules_new(const struct filter_ours *ours, struct frules **ret)
{
    struct frules *r = calloc(1, sizeof(*r));
    struct rule_source source = {.level = RULES_ALL};
    struct paths paths;

    if (r == NULL) {
        return AG_ENOMEM;
    }
    if (ours != NULL) {
        r->ours = *ours;
    }
    r->err = paths_find_data(&paths);
    source.dir = paths.rules;
    if (r->err == AG_OK) {
        r->err = rule_set_load(&source, &r->set);
    }
    if (r->err == AG_ENOMEM) {
        frules_free(r);
        return AG_ENOMEM;
    }
    if (r->err != AG_OK) {
        (void)snprintf(r->why, sizeof(r->why), "%s", err_text(r->err));
    }
    *ret = r;
    return AG_OK;
}

void
frules_free(struct frules *r)
{
    if (r != NULL) {
        rule_set_free(r->set);
        free(r);
    }
}

static enum rule_level_set
level_of(enum filter_rules level)
{
    return level == FILTER_RULES_ALL ? RULES_ALL : RULES_DEFAULT;
}

enum ag_err
frules_terms(const struct frules *r, enum filter_rules level,
             struct rule_filter_terms *ret)
{
    *ret = (struct rule_filter_terms){.set = NULL};
    if (level == FILTER_RULES_NONE) {
        return AG_OK;
    }
    if (r->set == NULL) {
        return err_why(r->err, "%s", r->why);
    }
    ret->set = r->set;
    ret->level = level_of(level);
    ret->leave = r->ours.is_ours;
    return AG_OK;
}

enum ag_err
frules_filter(const struct frules *r, enum filter_rules level,
              const struct redactor_options *options, const struct sink *next,
              struct rule_filter **ret)
{
    struct rule_filter_terms terms;
    enum ag_err err = frules_terms(r, level, &terms);

    if (err == AG_OK && terms.set == NULL) {
        *ret = NULL;
    }
    if (err != AG_OK || terms.set == NULL) {
        return err;
    }
    terms.options = *options;
    return rule_filter_new(&terms, next, ret);
}

enum ag_err
frules_know(const struct frules *r, struct span key)
{
    return r->ours.set_key == NULL ? AG_OK : r->ours.set_key(key);
}

void
frules_digest(const struct frules *r, enum filter_rules level,
              uint8_t out[DIGEST_BYTES], uint64_t *ret_count)
{
    memset(out, 0, DIGEST_BYTES);
    *ret_count = 0;
    if (level != FILTER_RULES_NONE && r->set != NULL) {
        digest_of_rules(r->set, level_of(level), out, ret_count);
    }
}
