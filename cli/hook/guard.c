#include "hook/guard.h"

#include <stdio.h>

#include "base/buf.h"
#include "cli.h"
#include "hook/added.h"
#include "hook/search.h"
#include "hook/unseen.h"

enum {
    WORDS_MAX_BYTES = 1024,
    UNSEEN_MAX_BYTES = 8 * ADDED_HEAD_MAX_BYTES,
    COMMIT_SHOWN_BYTES = 12,
    TOLD_MAX_COUNT = 50, /* finds with a line each; the rest is counted */
};

static const struct arg_list NO_FILES = {.count = 0};

static enum ag_err
tell(const struct cli *cli, const struct place *p, const struct origin *from)
{
    AG_AUTO(buf) struct buf words;
    const char *advice = "take it out";
    enum ag_err err;

    buf_init(&words, WORDS_MAX_BYTES, BUF_PLAIN);
    err = place_words(p, &words);
    if (err == AG_OK && !place_is_rule(p) && p->name[0] != '-') {
        err = buf_fmt(&words, "; write ag://%s there", p->name);
        advice = " and let auth-guard run give it";
    } else if (err == AG_OK) {
        err = buf_add_str(&words, "; ");
    }
    if (err == AG_OK) {
        err = buf_add_str(&words, advice);
    }
    if (err == AG_OK) {
        out_say(&cli->out, "auth-guard: %s%.*s%s%s:%llu:%llu %s",
                from->commit == NULL ? "" : "commit ", COMMIT_SHOWN_BYTES,
                from->commit == NULL ? "" : from->commit,
                from->commit == NULL ? "" : ", ", from->file,
                (unsigned long long)from->line, (unsigned long long)p->column,
                buf_cstr(&words));
    }
    return err;
}

static enum ag_err
tell_all(const struct cli *cli, const struct guard_terms *terms,
         const struct added *added, const struct places *found)
{
    size_t told = found->count < TOLD_MAX_COUNT ? found->count : TOLD_MAX_COUNT;
    uint64_t left = found->more + (found->count - told);
    bool only_rules = found->more == 0;
    enum ag_err err = AG_OK;

    for (size_t i = 0; err == AG_OK && i < found->count; i++) {
        struct origin from = added_origin(added, found->items[i].line);

        only_rules = only_rules && place_is_rule(&found->items[i]);
        if (i < told) {
            err = tell(cli, &found->items[i], &from);
        }
    }
    if (err != AG_OK) {
        return err;
    }
    if (left > 0) {
        out_say(&cli->out, "auth-guard: and %llu more",
                (unsigned long long)left);
    }
    out_say(&cli->out, "auth-guard: %s. %s%s%s", terms->done, terms->mend,
            only_rules ? " " : "", only_rules ? terms->anyway : "");
    return AG_EFOUND;
}

static enum ag_err
tell_unseen(const struct cli *cli, const struct added *added)
{
    AG_AUTO(buf) struct buf words;
    enum ag_err err;

    buf_init(&words, UNSEEN_MAX_BYTES, BUF_PLAIN);
    err = unseen_words(added_unseen(added), &words);
    if (err == AG_OK && words.len > 0) {
        out_say(&cli->out,
                "auth-guard: not looked into, since git takes them for binary: "
                "%s",
                buf_cstr(&words));
    }
    return err;
}

enum ag_err
guard_added(struct cli *cli, const struct guard_terms *terms,
            struct added *added)
{
    const struct search_terms wanted = {
        .known = terms->must_know ? SEARCH_KNOWN_MUST : SEARCH_KNOWN_IF_OPEN,
        .rules = RULE_WORD_DEFAULT,
        .files = &NO_FILES};
    AG_AUTO(search) struct search *search = NULL;
    AG_AUTO(places) struct places found = {.count = 0};
    int fd = -1;
    enum ag_err err;

    err = tell_unseen(cli, added);
    if (err != AG_OK || added_is_empty(added)) {
        return err;
    }
    err = search_open(cli, &wanted, &search);
    if (err == AG_OK && search_without(search) != NULL && !terms->is_silent) {
        out_say(&cli->out,
                "auth-guard: only what looks like a secret was looked for, not "
                "the vault's values: %s",
                search_without(search));
    }
    if (err == AG_OK) {
        err = added_fd(added, &fd);
    }
    if (err == AG_OK) {
        err = search_text(search, fd, STREAM_TEXT, &found);
    }
    return err == AG_OK && found.count > 0 ? tell_all(cli, terms, added, &found)
                                           : err;
}
