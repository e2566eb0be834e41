#include "store/words.h"

#include <stddef.h>

struct word {
    int number;
    const char *text;
};

#define AG_WORD_ROW(name, number, text) {(name), (text)},

static const struct word SECRET_KIND_WORDS[] = {SECRET_KINDS(AG_WORD_ROW)};
static const struct word GRADE_WORDS[] = {GRADES(AG_WORD_ROW)};
static const struct word VERB_WORDS[] = {VERBS(AG_WORD_ROW)};
static const struct word VERSION_WORDS[] = {VERSION_STATES(AG_WORD_ROW)};
static const struct word MAKER_WORDS[] = {VERSION_MAKERS(AG_WORD_ROW)};
static const struct word SLOT_KIND_WORDS[] = {SLOT_KINDS(AG_WORD_ROW)};
static const struct word ROLE_KIND_WORDS[] = {ROLE_KINDS(AG_WORD_ROW)};
static const struct word END_WORDS[] = {END_REASONS(AG_WORD_ROW)};
static const struct word MOVE_KIND_WORDS[] = {MOVE_KINDS(AG_WORD_ROW)};
static const struct word MOVE_STATE_WORDS[] = {MOVE_STATES(AG_WORD_ROW)};
static const struct word ROTATION_WORDS[] = {ROTATION_STATES(AG_WORD_ROW)};
static const struct word MINTED_WORDS[] = {MINTED_STATES(AG_WORD_ROW)};

struct words {
    const struct word *rows;
    size_t count;
    const char *what;
    const char *all; /* for the sentence */
};

static const char *
text_of(const struct words *w, int64_t number)
{
    size_t i;

    for (i = 0; i < w->count; i++) {
        if (w->rows[i].number == number) {
            return w->rows[i].text;
        }
    }
    return "unknown";
}

static bool
knows(const struct words *w, int64_t number)
{
    size_t i;

    for (i = 0; i < w->count; i++) {
        if (w->rows[i].number == number) {
            return true;
        }
    }
    return false;
}

static enum ag_err
number_of(const struct words *w, struct span text, int *ret)
{
    size_t i;

    for (i = 0; i < w->count; i++) {
        if (span_is(text, w->rows[i].text)) {
            *ret = w->rows[i].number;
            return AG_OK;
        }
    }
    return err_why(AG_EINVAL, "unknown %s; one of:%s", w->what, w->all);
}

#define AG_WORD_LIST(name, number, text) " " text

/* `type` is a word of the language here, not a value. */
/* NOLINTBEGIN(bugprone-macro-parentheses) */
#define AG_WORDS(words_name, type, rows, list, label)                          \
    static const struct words words_name = {rows, AG_COUNT(rows), label,       \
                                            "" list(AG_WORD_LIST)};            \
    const char *type##_text(enum type value)                                   \
    {                                                                          \
        return text_of(&words_name, (int64_t)value);                           \
    }                                                                          \
    bool type##_known(int64_t number)                                          \
    {                                                                          \
        return knows(&words_name, number);                                     \
    }

#define AG_WORDS_PARSE(words_name, type)                                       \
    enum ag_err type##_parse(struct span text, enum type *ret)                 \
    {                                                                          \
        int number = 0;                                                        \
        enum ag_err err = number_of(&words_name, text, &number);               \
                                                                               \
        if (err == AG_OK) {                                                    \
            *ret = (enum type)number;                                          \
        }                                                                      \
        return err;                                                            \
    }

/* NOLINTEND(bugprone-macro-parentheses) */

AG_WORDS(W_SECRET_KIND, secret_kind, SECRET_KIND_WORDS, SECRET_KINDS,
         "kind of secret")
AG_WORDS(W_GRADE, grade, GRADE_WORDS, GRADES, "grade")
AG_WORDS(W_VERB, verb, VERB_WORDS, VERBS, "verb")
AG_WORDS(W_VERSION, version_state, VERSION_WORDS, VERSION_STATES, "state")
AG_WORDS(W_MAKER, version_maker, MAKER_WORDS, VERSION_MAKERS, "maker")
AG_WORDS(W_SLOT_KIND, slot_kind, SLOT_KIND_WORDS, SLOT_KINDS, "kind of slot")
AG_WORDS(W_ROLE_KIND, role_kind, ROLE_KIND_WORDS, ROLE_KINDS, "kind of role")
AG_WORDS(W_END, end_reason, END_WORDS, END_REASONS, "reason")
AG_WORDS(W_MOVE_KIND, move_kind, MOVE_KIND_WORDS, MOVE_KINDS, "kind of move")
AG_WORDS(W_MOVE_STATE, move_state, MOVE_STATE_WORDS, MOVE_STATES, "state")
AG_WORDS(W_ROTATION, rotation_state, ROTATION_WORDS, ROTATION_STATES, "state")
AG_WORDS(W_MINTED, minted_state, MINTED_WORDS, MINTED_STATES, "state")

AG_WORDS_PARSE(W_SECRET_KIND, secret_kind)
AG_WORDS_PARSE(W_GRADE, grade)
AG_WORDS_PARSE(W_VERB, verb)
AG_WORDS_PARSE(W_ROLE_KIND, role_kind)
AG_WORDS_PARSE(W_MOVE_KIND, move_kind)
