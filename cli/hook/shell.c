#include "hook/shell.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"

enum {
    WORD_MAX_BYTES = SHELL_TEXT_MAX_BYTES + 64 * 1024,
    NAME_MAX_BYTES = 256, /* of a variable: longer is none */
    HEREDOCS_MAX_COUNT = 8,
};

struct words {
    struct shell_word *items;
    size_t count;
    size_t cap;
};

struct reading {
    const uint8_t *p;
    const uint8_t *end;
    shell_command_fn *fn;
    void *ctx;
    unsigned depth;
    size_t word_count;
    /* Here documents whose bodies begin at the next line. */
    char *ends[HEREDOCS_MAX_COUNT];
    size_t end_count;
};

/* One word while it is read. */
struct word {
    struct buf text;
    struct buf variables;
    bool is_quoted;
    bool is_there; /* "" is a word too */
};

static enum ag_err read_commands(struct reading *r, char closer);

/* ---- words ---- */

static void
words_done(struct words *w)
{
    for (size_t i = 0; i < w->count; i++) {
        free((void *)(uintptr_t)w->items[i].text);
        free((void *)(uintptr_t)w->items[i].variables);
    }
    free(w->items);
    *w = (struct words){.items = NULL};
}
AG_DEFINE_CLEANUP_INPLACE(words, words_done)

static void
word_done(struct word *w)
{
    buf_done(&w->text);
    buf_done(&w->variables);
}
AG_DEFINE_CLEANUP_INPLACE(word, word_done)

static enum ag_err
keep_word(struct reading *r, struct words *to, struct word *w,
          enum shell_place place)
{
    struct shell_word *kept;

    if (++r->word_count > SHELL_WORDS_MAX_COUNT) {
        return err_why(AG_ELIMIT, "the command has more than %d words",
                       SHELL_WORDS_MAX_COUNT);
    }
    if (to->count == to->cap) {
        size_t cap = to->cap == 0 ? 8 : to->cap * 2;
        struct shell_word *items = reallocarray(to->items, cap, sizeof(*items));

        if (items == NULL) {
            return AG_ENOMEM;
        }
        to->items = items;
        to->cap = cap;
    }
    kept = &to->items[to->count];
    *kept = (struct shell_word){
        .text = strndup((const char *)w->text.ptr, w->text.len),
        .variables = strndup((const char *)w->variables.ptr, w->variables.len),
        .place = place,
        .is_quoted = w->is_quoted};
    to->count++;
    return kept->text == NULL || kept->variables == NULL ? AG_ENOMEM : AG_OK;
}

/* ---- inside of a word ---- */

static bool
more(const struct reading *r)
{
    return r->p < r->end;
}

static char
look(const struct reading *r, size_t ahead)
{
    if ((size_t)(r->end - r->p) <= ahead) {
        return '\0';
    }
    return (char)r->p[ahead];
}

static bool
is_name_byte(char c, bool first)
{
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '_' ||
           (!first && c >= '0' && c <= '9');
}

static enum ag_err
add_variable(struct word *w, struct span name, struct span as_written)
{
    char text[NAME_MAX_BYTES] = "";
    const char *value;
    enum ag_err err;

    if (name.len >= sizeof(text)) {
        return buf_add(&w->text, as_written);
    }
    memcpy(text, name.ptr, name.len);
    value = getenv(text);
    err = value != NULL && *value == '/' ? buf_add_str(&w->text, value)
                                         : buf_add(&w->text, as_written);
    if (err == AG_OK) {
        err = buf_add(&w->variables, name);
    }
    return err == AG_OK ? buf_add_byte(&w->variables, ' ') : err;
}

/* ${NAME…}: what stands behind the name is passed over. */
static enum ag_err
read_braces(struct reading *r, struct word *w)
{
    const uint8_t *start = r->p;
    const uint8_t *name;
    size_t len = 0;

    r->p += 2;
    while (look(r, 0) == '!' || look(r, 0) == '#') {
        r->p++;
    }
    name = r->p;
    while (is_name_byte(look(r, len), len == 0)) {
        len++;
    }
    while (more(r) && *r->p != '}') {
        r->p++;
    }
    if (more(r)) {
        r->p++;
    }
    return add_variable(w, span_of(name, len),
                        span_of(start, (size_t)(r->p - start)));
}

/* What stands in parentheses or backticks is commands of its own. */
static enum ag_err
read_inner(struct reading *r, size_t opener_len, char closer)
{
    enum ag_err err;

    if (r->depth == SHELL_DEPTH_MAX) {
        return err_why(AG_ELIMIT, "the command is nested more than %d deep",
                       SHELL_DEPTH_MAX);
    }
    r->p += opener_len;
    r->depth++;
    err = read_commands(r, closer);
    r->depth--;
    return err;
}

static enum ag_err
read_dollar(struct reading *r, struct word *w)
{
    const uint8_t *start = r->p;
    size_t len = 0;

    if (look(r, 1) == '(') {
        return read_inner(r, 2, ')');
    }
    if (look(r, 1) == '{') {
        return read_braces(r, w);
    }
    while (is_name_byte(look(r, 1 + len), len == 0)) {
        len++;
    }
    r->p += 1 + len;
    return len == 0 ? buf_add_byte(&w->text, '$')
                    : add_variable(w, span_of(start + 1, len),
                                   span_of(start, len + 1));
}

static enum ag_err
read_single(struct reading *r, struct word *w)
{
    struct span rest = span_of(r->p + 1, (size_t)(r->end - r->p - 1));
    size_t len = span_find(rest, '\'');

    r->p += 1 + len + (len < rest.len ? 1 : 0);
    return buf_add(&w->text, span_sub(rest, 0, len));
}

static enum ag_err
read_double(struct reading *r, struct word *w)
{
    enum ag_err err = AG_OK;

    r->p++;
    while (err == AG_OK && more(r) && *r->p != '"') {
        if (*r->p == '$') {
            err = read_dollar(r, w);
        } else if (*r->p == '`') {
            err = read_inner(r, 1, '`');
        } else {
            if (*r->p == '\\' && strchr("\\\"$`", look(r, 1)) != NULL &&
                look(r, 1) != '\0') {
                r->p++;
            }
            err = buf_add_byte(&w->text, *r->p++);
        }
    }
    if (more(r)) {
        r->p++;
    }
    return err;
}

/* A byte as it is, or the one behind a backslash. */
static enum ag_err
read_byte(struct reading *r, struct word *w)
{
    bool is_escape = *r->p == '\\';
    enum ag_err err = AG_OK;

    r->p += is_escape ? 1 : 0;
    if (more(r) && !(is_escape && *r->p == '\n')) {
        err = buf_add_byte(&w->text, *r->p);
    }
    r->p += more(r) ? 1 : 0;
    return err;
}

/* One step of a word; false where it ends. */
static bool
word_step(struct reading *r, struct word *w, char closer, enum ag_err *err)
{
    char c = look(r, 0);

    if (!more(r) || c == closer || strchr(" \t\r\n;&|()<>", c) != NULL) {
        return false;
    }
    w->is_there = true;
    w->is_quoted = w->is_quoted || c == '\'' || c == '"' ||
                   (c == '\\' && look(r, 1) != '\n');
    if (c == '\'') {
        *err = read_single(r, w);
    } else if (c == '"') {
        *err = read_double(r, w);
    } else if (c == '$') {
        *err = read_dollar(r, w);
    } else {
        *err = c == '`' ? read_inner(r, 1, '`') : read_byte(r, w);
    }
    return *err == AG_OK;
}

static enum ag_err
read_word(struct reading *r, struct word *w, char closer)
{
    enum ag_err err = AG_OK;

    buf_init(&w->text, WORD_MAX_BYTES, BUF_WIPE);
    buf_init(&w->variables, WORD_MAX_BYTES, BUF_PLAIN);
    while (word_step(r, w, closer, &err)) {
    }
    if (err == AG_OK &&
        (buf_cstr(&w->text) == NULL || buf_cstr(&w->variables) == NULL)) {
        err = AG_ENOMEM;
    }
    return err;
}

/* ---- commands ---- */

static void
skip_blanks(struct reading *r)
{
    while (more(r) && (*r->p == ' ' || *r->p == '\t' || *r->p == '\r' ||
                       (*r->p == '\\' && look(r, 1) == '\n'))) {
        r->p += *r->p == '\\' ? 2 : 1;
    }
}

static struct span
take_line(struct reading *r)
{
    struct span line = span_of(r->p, (size_t)(r->end - r->p));

    line.len = span_find(line, '\n');
    r->p += line.len;
    r->p += more(r) ? 1 : 0;
    return line;
}

/* Bodies of here documents, which begin here. */
static void
skip_bodies(struct reading *r)
{
    for (size_t i = 0; i < r->end_count; i++) {
        bool ended = false;

        while (!ended && more(r)) {
            struct span line = take_line(r);

            while (line.len > 0 && line.ptr[0] == '\t') {
                line = span_sub(line, 1, line.len);
            }
            ended = span_is(line, r->ends[i]);
        }
        free(r->ends[i]);
        r->ends[i] = NULL;
    }
    r->end_count = 0;
}

static enum ag_err
keep_end(struct reading *r, const struct word *w)
{
    if (r->end_count == HEREDOCS_MAX_COUNT) {
        return err_why(AG_ELIMIT, "the command has more than %d here documents",
                       HEREDOCS_MAX_COUNT);
    }
    r->ends[r->end_count] = strndup((const char *)w->text.ptr, w->text.len);
    return r->ends[r->end_count++] == NULL ? AG_ENOMEM : AG_OK;
}

/* A redirection, with the word behind it. */
static enum ag_err
read_redirection(struct reading *r, struct words *to, char closer)
{
    AG_AUTO(word) struct word w = {.is_there = false};
    enum shell_place place = *r->p == '>' ? SHELL_TO : SHELL_FROM;
    size_t len = 0;
    bool is_heredoc;
    enum ag_err err;

    if (look(r, 1) == '(') {
        return read_inner(r, 2, ')'); /* <(…) and >(…) */
    }
    while (look(r, len) == '<' || look(r, len) == '>') {
        len++;
    }
    place = len == 3 ? SHELL_TEXT : place;
    is_heredoc = len == 2 && place == SHELL_FROM;
    r->p += len;
    while (more(r) && strchr("&|-", (char)*r->p) != NULL) {
        r->p++; /* 2>&1, >|, <<- */
    }
    skip_blanks(r);
    err = read_word(r, &w, closer);
    if (err != AG_OK || !w.is_there) {
        return err;
    }
    return is_heredoc ? keep_end(r, &w) : keep_word(r, to, &w, place);
}

static enum ag_err
tell(struct reading *r, struct words *words, bool is_piped)
{
    const struct shell_command c = {
        .words = words->items, .count = words->count, .is_piped = is_piped};
    enum ag_err err = words->count == 0 ? AG_OK : r->fn(r->ctx, &c);

    words_done(words);
    return err;
}

/* What stands between commands. */
static enum ag_err
read_separator(struct reading *r, struct words *words)
{
    char c = (char)*r->p;
    bool is_pipe = c == '|' && look(r, 1) != '|';
    enum ag_err err = tell(r, words, is_pipe);

    if (err == AG_OK && c == '(') {
        return read_inner(r, 1, ')');
    }
    r->p++;
    if (is_pipe && look(r, 0) == '&') {
        r->p++; /* |& */
    }
    if (c == '\n') {
        skip_bodies(r);
    }
    return err;
}

static enum ag_err
read_step(struct reading *r, struct words *words, char closer)
{
    AG_AUTO(word) struct word w = {.is_there = false};
    char c = (char)*r->p;
    enum ag_err err;

    if (c == '#') {
        while (more(r) && *r->p != '\n') {
            r->p++;
        }
        return AG_OK;
    }
    if (c == '<' || c == '>') {
        return read_redirection(r, words, closer);
    }
    if (c == '&' && look(r, 1) == '>') {
        r->p++; /* &> */
        return read_redirection(r, words, closer);
    }
    if (strchr("\n;&|()", c) != NULL) {
        return read_separator(r, words);
    }
    err = read_word(r, &w, closer);
    if (err != AG_OK || !w.is_there) {
        return err;
    }
    return keep_word(r, words, &w, SHELL_ARGUMENT);
}

/* Up to `closer`, which is passed over; '\0': to the end. */
static enum ag_err
read_commands(struct reading *r, char closer)
{
    AG_AUTO(words) struct words words = {.items = NULL};
    enum ag_err err = AG_OK;

    for (skip_blanks(r); err == AG_OK && more(r); skip_blanks(r)) {
        if (closer != '\0' && (char)*r->p == closer) {
            r->p++;
            break;
        }
        err = read_step(r, &words, closer);
    }
    return err == AG_OK ? tell(r, &words, false) : err;
}

enum ag_err
shell_read(struct span text, shell_command_fn *fn, void *ctx)
{
    struct reading r = {
        .p = text.ptr, .end = text.ptr + text.len, .fn = fn, .ctx = ctx};
    enum ag_err err;

    if (text.len > SHELL_TEXT_MAX_BYTES) {
        return err_why(AG_ELIMIT, "the command is longer than %d KiB",
                       SHELL_TEXT_MAX_BYTES / 1024);
    }
    if (text.len == 0) {
        return AG_OK;
    }
    err = read_commands(&r, '\0');
    for (size_t i = 0; i < r.end_count; i++) {
        free(r.ends[i]);
    }
    return err;
}
