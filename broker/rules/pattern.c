#include "rules/pattern.h"

#include <stdlib.h>

#include <hs/hs.h>

#include "redact/rule.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

/* Errors of PCRE2's compiler come with a place. */
static enum ag_err
check_pcre2(const char *field, const char *regex, uint32_t *ret_groups)
{
    int code = 0;
    PCRE2_SIZE at = 0;
    uint8_t text[128];
    pcre2_code *compiled = pcre2_compile(
        (PCRE2_SPTR)regex, PCRE2_ZERO_TERMINATED,
        PCRE2_NEVER_UTF | PCRE2_NEVER_BACKSLASH_C, &code, &at, NULL);

    if (compiled == NULL) {
        (void)pcre2_get_error_message(code, text, sizeof(text));
        return err_why(AG_EINVAL, "%s: %s (at character %zu)", field,
                       (const char *)text, at + 1);
    }
    (void)pcre2_pattern_info(compiled, PCRE2_INFO_CAPTURECOUNT, ret_groups);
    pcre2_code_free(compiled);
    return AG_OK;
}

static enum ag_err
check_vectorscan(const char *regex, struct pattern_width *ret)
{
    hs_compile_error_t *error = NULL;
    hs_expr_info_t *info = NULL;
    enum ag_err err = AG_OK;

    if (hs_expression_info(regex, 0, &info, &error) != HS_SUCCESS) {
        err = err_why(AG_EINVAL, "regex: Vectorscan can't take it: %s",
                      error == NULL ? "no memory" : error->message);
        (void)hs_free_compile_error(error);
        return err;
    }
    if (info->min_width == 0) {
        err = err_why(AG_EINVAL, "regex: it matches nothing at all");
    } else if (info->max_width > RULE_WINDOW_MAX_BYTES) {
        err = err_why(AG_EINVAL,
                      "regex: its longest match has more than %d bytes; give "
                      "each repeat an end, and let the secret go on by `tail`",
                      (int)RULE_WINDOW_MAX_BYTES);
    } else {
        ret->min_bytes = info->min_width;
        ret->max_bytes = info->max_width;
    }
    free(info);
    return err;
}

enum ag_err
pattern_check(const struct rule_item *item, struct pattern_width *ret)
{
    uint32_t groups = 0;
    uint32_t ignored = 0;
    enum ag_err err = check_pcre2("regex", item->regex, &groups);

    if (err == AG_OK && item->secret > groups) {
        err = err_why(AG_EINVAL,
                      "secret: there is no group %lld in the regex, it has %u",
                      (long long)item->secret, groups);
    }
    for (size_t i = 0; err == AG_OK && i < item->allow.count; i++) {
        err = check_pcre2("allow", item->allow.items[i], &ignored);
    }
    return err == AG_OK ? check_vectorscan(item->regex, ret) : err;
}
