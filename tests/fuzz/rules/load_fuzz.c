/*
 * A file of rules: what loads has rules with ids and regexes; those are
 * checked by both engines, and their examples are made, without harm.
 */
#include <string.h>

#include "rules/example.h"
#include "rules/load.h"
#include "rules/pattern.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
make(const struct rule_item *item, const struct rule_texts *texts)
{
    for (size_t i = 0; i < texts->count; i++) {
        AG_AUTO(rule_example) struct rule_example e;
        enum ag_err err = rule_example_make(item, texts->items[i], i, &e);

        AG_ASSERT(err != AG_OK || e.text.len <= RULE_EXAMPLE_MAX_BYTES);
        for (size_t j = 0; err == AG_OK && j < e.secret_count; j++) {
            AG_ASSERT(e.secrets[j].from <= e.secrets[j].to &&
                      e.secrets[j].to <= e.text.len);
        }
    }
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    AG_AUTO(rule_book) struct rule_book *book = NULL;

    if (rule_book_load_one(span_of(data, size), "x.json", &book) != AG_OK) {
        return 0;
    }
    for (size_t i = 0; i < rule_book_count(book); i++) {
        const struct rule_item *item = rule_book_at(book, i);
        struct pattern_width width;

        AG_ASSERT(item->id != NULL && item->regex != NULL);
        AG_ASSERT(item->keywords.count > 0 && item->examples.count > 0);
        if (pattern_check(item, &width) == AG_OK) {
            AG_ASSERT(width.min_bytes > 0 &&
                      width.min_bytes <= width.max_bytes);
        }
        make(item, &item->examples);
        make(item, &item->negatives);
    }
    return 0;
}
