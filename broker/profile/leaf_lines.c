#include <string.h>

#include "profile/leaf.h"

/* The formats that are a list of small lines: .env, netrc, .pgpass, a list of
 * URLs; and the one that is a single value. */

enum ag_err
leaf_whole(struct leaf_walk *w)
{
    struct span raw = w->in;

    while (raw.len > 0 &&
           (raw.ptr[raw.len - 1] == '\n' || raw.ptr[raw.len - 1] == '\r')) {
        raw.len--;
    }
    return walk_leaf(w, LEAF_STRING, SPELL_PLAIN, raw, 0);
}

static size_t
env_name_len(struct span text)
{
    size_t i = 0;

    for (; i < text.len; i++) {
        uint8_t c = text.ptr[i];
        bool first =
            (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
        bool later = (c >= '0' && c <= '9') || c == '.' || c == '-';

        if (!first && (i == 0 || !later)) {
            break;
        }
    }
    return i;
}

/* Where the quote that opened is closed, from `start` on; past lines too. */
static size_t
find_quote(struct span in, size_t start, uint8_t quote)
{
    for (size_t i = start; i < in.len; i++) {
        if (in.ptr[i] == quote) {
            return i;
        }
        if (in.ptr[i] == '\\' && quote != '\'') {
            i++;
        }
    }
    return in.len;
}

/* `at` is where a quoted value starts in w->in, at its quote. The walk goes on
 * behind the line on which it closes. */
static enum ag_err
env_quoted(struct leaf_walk *w, struct span name, size_t at)
{
    uint8_t quote = w->in.ptr[at];
    size_t end = find_quote(w->in, at + 1, quote);
    struct span raw;
    struct span tail = {NULL, 0};

    if (end == w->in.len) {
        return walk_wrong(w, "a quote is not closed");
    }
    raw = span_sub(w->in, at + 1, end - at - 1);
    for (size_t i = 0; i < raw.len; i++) {
        w->line += raw.ptr[i] == '\n' ? 1 : 0;
    }
    w->at = end + 1;
    if (walk_line(w, &tail)) {
        w->line--;
    }
    tail = span_trim(tail);
    if (tail.len > 0 && tail.ptr[0] != '#') {
        return walk_wrong(w, "something follows after a quoted value");
    }
    return walk_named(w, name, quote == '"' ? SPELL_SHELL : SPELL_PLAIN, raw);
}

/* An unquoted value ends at " #". */
static struct span
env_bare(struct span value)
{
    for (size_t i = 0; i < value.len; i++) {
        bool blank =
            i == 0 || value.ptr[i - 1] == ' ' || value.ptr[i - 1] == '\t';

        if (value.ptr[i] == '#' && blank) {
            return span_trim(span_sub(value, 0, i));
        }
    }
    return span_trim(value);
}

static enum ag_err
env_line(struct leaf_walk *w, struct span line)
{
    struct span text = span_trim(line);
    struct span export = span_str("export ");
    struct span name;

    if (text.len == 0 || text.ptr[0] == '#') {
        return AG_OK;
    }
    if (span_starts(text, export)) {
        text = span_trim(span_sub(text, export.len, text.len));
    }
    name = span_sub(text, 0, env_name_len(text));
    text = span_trim(span_sub(text, name.len, text.len));
    if (name.len == 0 || text.len == 0 || text.ptr[0] != '=') {
        return walk_wrong(w, "neither NAME=value nor a comment");
    }
    text = span_trim(span_sub(text, 1, text.len));
    if (text.len > 0 && memchr("\"'`", text.ptr[0], 3) != NULL) {
        return env_quoted(w, name, (size_t)(text.ptr - w->in.ptr));
    }
    return walk_named(w, name, SPELL_PLAIN, env_bare(text));
}

enum ag_err
leaf_env(struct leaf_walk *w)
{
    struct span line = {NULL, 0};
    enum ag_err err = AG_OK;

    while (err == AG_OK && walk_line(w, &line)) {
        err = env_line(w, line);
    }
    return err;
}

static bool
is_blank(uint8_t c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

/* To the next word. A comment may stand where a line begins and where a key
 * may, but not where a value is due: passwords begin with `#` too. */
static bool
netrc_skip(struct leaf_walk *w, bool is_value)
{
    bool may_be_comment = !is_value;

    while (w->at < w->in.len) {
        uint8_t c = w->in.ptr[w->at];
        struct span comment = {NULL, 0};

        if (c == '#' && may_be_comment) {
            (void)walk_line(w, &comment);
        } else if (is_blank(c)) {
            may_be_comment = may_be_comment || c == '\n';
            w->line += c == '\n' ? 1 : 0;
            w->at++;
        } else {
            return true;
        }
    }
    return false;
}

/* The next word of a netrc, `"…"` with backslashes as curl reads it. */
static bool
netrc_word(struct leaf_walk *w, bool is_value, struct span *ret,
           enum leaf_spelling *ret_how)
{
    size_t start;

    if (!netrc_skip(w, is_value)) {
        return false;
    }
    start = w->at;
    if (w->in.ptr[start] == '"') {
        size_t end = find_quote(w->in, start + 1, '"');

        *ret = span_sub(w->in, start + 1, end - start - 1);
        *ret_how = SPELL_SHELL;
        w->at = end == w->in.len ? end : end + 1;
        return true;
    }
    while (w->at < w->in.len && !is_blank(w->in.ptr[w->at])) {
        w->at++;
    }
    *ret = span_sub(w->in, start, w->at - start);
    *ret_how = SPELL_PLAIN;
    return true;
}

/* A macro goes to the next empty line. */
static void
netrc_skip_macro(struct leaf_walk *w)
{
    struct span line = {NULL, 0};

    while (walk_line(w, &line) && span_trim(line).len > 0) {
    }
}

static enum ag_err
netrc_pair(struct leaf_walk *w, struct span host, struct span key)
{
    struct span value = {NULL, 0};
    enum leaf_spelling how = SPELL_PLAIN;
    size_t mark = 0;
    enum ag_err err;

    if (!span_is(key, "login") && !span_is(key, "password") &&
        !span_is(key, "account")) {
        return walk_wrong(w, "unknown word in a netrc");
    }
    if (host.len == 0 || !netrc_word(w, true, &value, &how)) {
        return walk_wrong(w, "a word of a netrc has no machine or no value");
    }
    err = walk_push(w, host, &mark);
    if (err == AG_OK) {
        err = walk_named(w, key, how, value);
        walk_pop(w, mark);
    }
    return err;
}

enum ag_err
leaf_netrc(struct leaf_walk *w)
{
    struct span host = {NULL, 0};
    struct span key = {NULL, 0};
    enum leaf_spelling how = SPELL_PLAIN;
    enum ag_err err = AG_OK;

    w->line = 1;
    while (err == AG_OK && netrc_word(w, false, &key, &how)) {
        if (span_is(key, "machine")) {
            if (!netrc_word(w, true, &host, &how)) {
                return walk_wrong(w, "machine without a name");
            }
        } else if (span_is(key, "default")) {
            host = key;
        } else if (span_is(key, "macdef")) {
            netrc_skip_macro(w);
        } else {
            err = netrc_pair(w, host, key);
        }
    }
    return err;
}

/* host:port:database:user:password, with \: and \\ inside a field. */
static enum ag_err
pgpass_line(struct leaf_walk *w, struct span line, size_t index)
{
    size_t at = 0;
    size_t mark = 0;
    enum ag_err err;

    for (size_t field = 0; field < 4; field++) {
        while (at < line.len && line.ptr[at] != ':') {
            at += line.ptr[at] == '\\' ? 2 : 1;
        }
        if (at >= line.len) {
            return walk_wrong(w, "not host:port:database:user:password");
        }
        at++;
    }
    err = walk_push_index(w, index, &mark);
    if (err == AG_OK) {
        err = walk_named(w, span_str("password"), SPELL_BACKSLASH,
                         span_sub(line, at, line.len));
        walk_pop(w, mark);
    }
    return err;
}

enum ag_err
leaf_pgpass(struct leaf_walk *w)
{
    struct span line = {NULL, 0};
    enum ag_err err = AG_OK;
    size_t index = 0;

    while (err == AG_OK && walk_line(w, &line)) {
        if (line.len > 0 && line.ptr[0] != '#') {
            err = pgpass_line(w, line, index++);
        }
    }
    return err;
}

static enum ag_err
urls_line(struct leaf_walk *w, struct span line, size_t index)
{
    struct span password = url_password(line);
    size_t mark = 0;
    enum ag_err err;

    if (password.len == 0) {
        return walk_wrong(w, "not scheme://user:password@host");
    }
    err = walk_push_index(w, index, &mark);
    if (err != AG_OK) {
        return err;
    }
    err = walk_named(w, span_str("user"), SPELL_PERCENT, url_user(line));
    if (err == AG_OK) {
        err = walk_named(w, span_str("password"), SPELL_PERCENT, password);
    }
    walk_pop(w, mark);
    return err;
}

enum ag_err
leaf_urls(struct leaf_walk *w)
{
    struct span line = {NULL, 0};
    enum ag_err err = AG_OK;
    size_t index = 0;

    while (err == AG_OK && walk_line(w, &line)) {
        line = span_trim(line);
        if (line.len > 0 && line.ptr[0] != '#') {
            err = urls_line(w, line, index++);
        }
    }
    return err;
}
