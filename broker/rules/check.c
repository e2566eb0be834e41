#include "rules/check.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "redact/rule_find.h"
#include "redact/rule_pack.h"
#include "redact/rule_set.h"
#include "rules/compile.h"
#include "rules/example.h"

enum {
    PROBLEM_BYTES = 512,
    SHOWN_BYTES = 120,
};

struct checker {
    const struct rule_book *book;
    size_t index;
    const struct rule_item *item;
    struct rule_tools *tools;
    rule_check_fn tell;
    void *ctx;
    size_t problem_count;
    uint8_t covered[RULE_EXAMPLE_MAX_BYTES]; /* of the text: 1 in a secret */
};

static void
report(struct checker *c, const char *kind, size_t number, const char *what)
{
    char text[PROBLEM_BYTES];

    (void)snprintf(text, sizeof(text), "%s: rule %s: %s %zu: %s",
                   rule_book_source(c->book, c->index), c->item->id, kind,
                   number, what);
    c->problem_count++;
    c->tell(c->ctx, text);
}

/* Marks what the rule takes out of `text`; false: nothing. */
static bool
cover(struct checker *c, struct span text)
{
    const struct rule_text whole = {.part = text, .has_end = true};
    bool some = false;

    memset(c->covered, 0, text.len);
    for (size_t end = 1; end <= text.len; end++) {
        struct rule_hit hit;

        if (!rule_confirm(c->tools, 0, whole, end, &hit) ||
            rule_judge(c->tools, whole, &hit) != RULE_YES) {
            continue;
        }
        some = true;
        hit.to += rule_tail_take(&hit.tail, span_sub(text, hit.to, text.len));
        memset(c->covered + hit.from, 1, hit.to - hit.from);
    }
    return some;
}

static void
compare(struct checker *c, const struct rule_example *e, size_t number)
{
    struct span text = buf_view(&e->text);
    char what[PROBLEM_BYTES];
    size_t at = 0;

    for (size_t i = 0; i < e->secret_count; i++) {
        for (size_t j = e->secrets[i].from; j < e->secrets[i].to; j++) {
            c->covered[j] ^= 3; /* 1 -> 2: right; 0 -> 3: left in */
        }
    }
    while (at < text.len && c->covered[at] != 1 && c->covered[at] != 3) {
        at++;
    }
    if (at < text.len) {
        struct span rest = span_sub(text, at, SHOWN_BYTES);

        (void)snprintf(what, sizeof(what), "%s at byte %zu: %.*s",
                       c->covered[at] == 1 ? "taken out beyond «…»" : "left in",
                       at, (int)rest.len, (const char *)rest.ptr);
        report(c, "example", number, what);
    }
}

static enum ag_err
check_text(struct checker *c, const char *template, size_t number,
           bool is_example, uint64_t seed)
{
    AG_AUTO(rule_example) struct rule_example e;
    const char *kind = is_example ? "example" : "negative";
    enum ag_err err = rule_example_make(c->item, template, seed, &e);

    if (err == AG_ENOMEM) {
        return err;
    }
    if (err != AG_OK) {
        report(c, kind, number, err_text(err));
    } else if (is_example != (e.secret_count > 0)) {
        report(c, kind, number,
               is_example ? "has no «…»" : "has a «…», which is for examples");
    } else if (is_example) {
        (void)cover(c, buf_view(&e.text));
        compare(c, &e, number);
    } else if (cover(c, buf_view(&e.text))) {
        report(c, kind, number, "is found");
    }
    return AG_OK;
}

/* Each with several seeds; the first that shows a problem is enough. */
static enum ag_err
check_texts(struct checker *c, const struct rule_texts *texts, bool is_example)
{
    enum ag_err err = AG_OK;

    for (size_t i = 0; i < texts->count; i++) {
        size_t before = c->problem_count;

        for (uint64_t seed = 0; err == AG_OK && seed < RULE_CHECK_SEEDS &&
                                c->problem_count == before;
             seed++) {
            err = check_text(c, texts->items[i], i + 1, is_example, seed);
        }
    }
    return err;
}

static enum ag_err
check_rule(struct checker *c)
{
    AG_AUTO(buf) struct buf pack = {0};
    AG_AUTO(rule_set) struct rule_set *set = NULL;
    struct span bytes;
    enum ag_err err;

    buf_init(&pack, RULE_PACK_MAX_BYTES, BUF_PLAIN);
    c->item = rule_book_at(c->book, c->index);
    err = rule_compile_one(c->book, c->index, &pack);
    if (err != AG_OK) {
        return err;
    }
    bytes = buf_view(&pack);
    err = rule_set_new(&bytes, 1, RULE_SET_READY, &set);
    if (err == AG_OK) {
        err = rule_tools_new(set, &c->tools);
    }
    if (err == AG_OK) {
        err = check_texts(c, &c->item->examples, true);
    }
    if (err == AG_OK) {
        err = check_texts(c, &c->item->negatives, false);
    }
    rule_tools_free(c->tools);
    c->tools = NULL;
    return err;
}

enum ag_err
rule_check(const struct rule_book *book, rule_check_fn tell, void *ctx,
           size_t *ret_problems)
{
    struct checker *c = calloc(1, sizeof(*c));
    enum ag_err err = c == NULL ? AG_ENOMEM : AG_OK;

    for (size_t i = 0; err == AG_OK && i < rule_book_count(book); i++) {
        c->book = book;
        c->tell = tell;
        c->ctx = ctx;
        c->index = i;
        err = check_rule(c);
    }
    if (err == AG_OK) {
        *ret_problems = c->problem_count;
    }
    free(c);
    return err;
}
