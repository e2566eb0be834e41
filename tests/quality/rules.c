/*
 * rules.c - many texts through the filter for unknown secrets, for score.py:
 *
 *   quality_rules DIR LEVEL < texts > results
 *
 * DIR has the compiled rules, LEVEL is default or all. A text is its length in
 * 4 bytes, little-endian, and its bytes; a result is the redacted text and the
 * names of the rules that the markers show, each ended by a blank, written the
 * same way.
 */
// LINKS: redact
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "redact/rule_filter.h"
#include "redact/rule_set.h"

enum {
    TEXT_MAX_BYTES = 1024 * 1024,
};

static struct buf out;
static struct buf names;

static enum ag_err
gather(void *ctx, struct span part)
{
    return buf_add(ctx, part);
}

static void
note(void *ctx, const struct redactor_hit *hit)
{
    if (buf_add(ctx, hit->name) != AG_OK || buf_add_str(ctx, " ") != AG_OK) {
        abort();
    }
}

static void
put(const struct buf *b)
{
    uint32_t len = (uint32_t)b->len;

    if (fwrite(&len, sizeof(len), 1, stdout) != 1 ||
        fwrite(b->ptr, 1, len, stdout) != len) {
        exit(74);
    }
}

static enum ag_err
filter(const struct rule_set *set, struct span text)
{
    const struct rule_filter_terms terms = {
        .set = set,
        .level = RULES_ALL,
        .options = {.hit_ctx = &names, .on_hit = note}};
    const struct sink next = {.ctx = &out, .feed = gather};
    AG_AUTO(rule_filter) struct rule_filter *f = NULL;
    enum ag_err err = rule_filter_new(&terms, &next, &f);

    if (err == AG_OK) {
        err = rule_filter_feed(f, text);
    }
    return err == AG_OK ? rule_filter_finish(f) : err;
}

int
main(int argc, char **argv)
{
    static uint8_t text[TEXT_MAX_BYTES];
    AG_AUTO(rule_set) struct rule_set *set = NULL;
    uint32_t len;
    enum ag_err err = AG_EUSAGE;

    buf_init(&out, (size_t)2 * TEXT_MAX_BYTES, BUF_PLAIN);
    buf_init(&names, TEXT_MAX_BYTES, BUF_PLAIN);
    if (argc == 3) {
        const struct rule_source source = {
            .dir = argv[1],
            .level = strcmp(argv[2], "all") == 0 ? RULES_ALL : RULES_DEFAULT};

        err = rule_set_load(&source, &set);
    }
    while (err == AG_OK && fread(&len, sizeof(len), 1, stdin) == 1) {
        if (len > TEXT_MAX_BYTES || fread(text, 1, len, stdin) != len) {
            err = AG_ELIMIT;
            break;
        }
        buf_clear(&out);
        buf_clear(&names);
        err = filter(set, span_of(text, len));
        if (err == AG_OK) {
            put(&out);
            put(&names);
        }
    }
    if (err != AG_OK) {
        (void)fprintf(stderr, "quality_rules: %s\n", err_text(err));
    }
    return err_exit(err);
}
