// LINKS: redact
/*
 * rules_bench - how fast unknown secrets are found, behind the filter for known
 * values and alone.
 *
 *   rules_bench [DIR]   rows: NAME VALUE UNIT BUDGET OK; DIR has the compiled
 *                       rules, by default rules/ beside the program
 *
 * The text is that of filter_bench; the best of five rounds, the processor's
 * time decides.
 */
#include <libgen.h>

#include "bench/filter_text.h"
#include "redact/lockmem.h"
#include "redact/redactor.h"
#include "redact/rule_filter.h"
#include "redact/rule_set.h"

static uint64_t out_bytes;
static uint64_t hits;

static enum ag_err
count_bytes(void *ctx, struct span part)
{
    (void)ctx;
    out_bytes += part.len;
    return AG_OK;
}

static void
count_hit(void *ctx, const struct redactor_hit *hit)
{
    (void)ctx;
    hits += hit->id >= RULE_FILTER_ID_BITS ? 1 : 0;
}

/* One pass of the text, as the filter process does it. `set` may be NULL. */
static void
pass(const struct matcher *set, const struct rule_set *rules, const char *text,
     size_t part)
{
    const struct rule_filter_terms terms = {
        .set = rules, .level = RULES_DEFAULT, .options = {.on_hit = count_hit}};
    const struct redactor_options options = {.audience = REDACTOR_OPERATOR};
    const struct sink last = {.feed = count_bytes};
    struct rule_filter *f = NULL;
    struct redactor *r = NULL;
    struct sink head;

    if (rule_filter_new(&terms, &last, &f) != AG_OK) {
        die();
    }
    head = rule_filter_sink(f);
    if (set != NULL && (redactor_new(&options, &head, &r) != AG_OK ||
                        redactor_use(r, set) != AG_OK)) {
        die();
    }
    head = set == NULL ? head : redactor_sink(r);
    for (size_t at = 0; at < TEXT_BYTES; at += part) {
        if (sink_feed(&head, span_of(text + at, part)) != AG_OK ||
            rule_filter_settle(f) != AG_OK) {
            die();
        }
    }
    if (sink_finish(&head) != AG_OK) {
        die();
    }
    redactor_free(r);
    rule_filter_free(f);
}

static double
mb_per_s(const struct matcher *set, const struct rule_set *rules,
         const char *text, size_t part)
{
    double best = 0;

    for (int round = 0; round < ROUNDS; round++) {
        double start = cpu_s();
        double speed;

        hits = 0;
        pass(set, rules, text, part);
        speed = TEXT_BYTES / 1e6 / (cpu_s() - start);
        best = speed > best ? speed : best;
    }
    return best;
}

static struct rule_set *
load(const char *dir, enum rule_set_flags flags, const char *what, double most)
{
    const struct rule_source source = {
        .dir = dir, .level = RULES_DEFAULT, .flags = flags};
    struct rule_set *rules = NULL;
    double start = cpu_s();
    enum ag_err err = rule_set_load(&source, &rules);

    if (err != AG_OK) {
        (void)fprintf(stderr, "rules_bench: %s\n", err_text(err));
        exit(err_exit(err));
    }
    row(what, (cpu_s() - start) * 1e3, "ms", 0, most);
    return rules;
}

int
main(int argc, char **argv)
{
    char beside[4096];
    const char *dir;
    struct rule_set *rules;
    struct matcher *set;
    char *text;

    (void)snprintf(beside, sizeof(beside), "%s/rules", dirname(argv[0]));
    dir = argc > 1 ? argv[1] : beside;
    rule_set_free(load(dir, RULE_SET_LAZY, "rules: loaded by redact", 5));
    rules = load(dir, RULE_SET_READY, "rules: loaded by the filter process", 0);
    row("rules: of level default", (double)rule_set_count(rules), "", 0, 0);
    make_values(100);
    text = make_text(100);
    set = make_set(100);
    row("rules: 100 values and rules, parts of 64 KiB",
        mb_per_s(set, rules, text, PART_BYTES), "MB/s", 400, 0);
    row("rules: the same, parts of 4 KiB", mb_per_s(set, rules, text, 4096),
        "MB/s", 100, 0);
    row("rules: the same, parts of 64 B", mb_per_s(set, rules, text, 64),
        "MB/s", 0, 0);
    row("rules: alone, parts of 64 KiB",
        mb_per_s(NULL, rules, text, PART_BYTES), "MB/s", 0, 0);
    row("rules: hits in the text", (double)hits, "", 0, 0);
    matcher_unref(set);
    rule_set_free(rules);
    free(text);
    return EXIT_SUCCESS;
}
