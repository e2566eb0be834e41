#include "run/dotenv.h"

#include <string.h>

#include "base/buf.h"
#include "base/parse.h"

struct reader {
    struct span text;
    size_t at;
    unsigned line;
    struct buf value;
};

static bool
ended(const struct reader *r)
{
    return r->at >= r->text.len;
}

static uint8_t
look(const struct reader *r)
{
    return ended(r) ? '\n' : r->text.ptr[r->at];
}

static void
step(struct reader *r)
{
    if (!ended(r)) {
        r->line += r->text.ptr[r->at] == '\n' ? 1 : 0;
        r->at++;
    }
}

static void
skip_blanks(struct reader *r)
{
    while (look(r) == ' ' || look(r) == '\t' || look(r) == '\r') {
        step(r);
    }
}

static void
skip_line(struct reader *r)
{
    while (look(r) != '\n') {
        step(r);
    }
    step(r);
}

static enum ag_err
add(struct reader *r, uint8_t byte)
{
    return byte == 0 ? err_why(AG_EINVAL, "line %u: holds a NUL", r->line)
                     : buf_add_byte(&r->value, byte);
}

static enum ag_err
read_single(struct reader *r)
{
    unsigned start = r->line;
    enum ag_err err = AG_OK;

    step(r);
    while (err == AG_OK && !ended(r) && look(r) != '\'') {
        err = add(r, look(r));
        step(r);
    }
    if (err == AG_OK && ended(r)) {
        err = err_why(AG_EINVAL, "line %u: the quote is never closed", start);
    }
    step(r);
    return err;
}

static uint8_t
unescape(uint8_t c)
{
    static const char names[] = "nrt\"\\$`";
    static const char means[] = "\n\r\t\"\\$`";
    const char *at = c == 0 ? NULL : strchr(names, c);

    return at == NULL ? 0 : (uint8_t)means[at - names];
}

static enum ag_err
read_double(struct reader *r)
{
    unsigned start = r->line;
    enum ag_err err = AG_OK;

    step(r);
    while (err == AG_OK && !ended(r) && look(r) != '"') {
        uint8_t c = look(r);

        step(r);
        if (c == '\\' && !ended(r) && unescape(look(r)) != 0) {
            c = unescape(look(r));
            step(r);
        }
        err = add(r, c);
    }
    if (err == AG_OK && ended(r)) {
        err = err_why(AG_EINVAL, "line %u: the quote is never closed", start);
    }
    step(r);
    return err;
}

/* To the end of the line or a comment; blanks at the end don't count. */
static enum ag_err
read_bare(struct reader *r)
{
    bool blank = true;
    enum ag_err err = AG_OK;

    while (err == AG_OK && look(r) != '\n' && !(blank && look(r) == '#')) {
        blank = look(r) == ' ' || look(r) == '\t';
        err = add(r, look(r));
        step(r);
    }
    while (r->value.len > 0 &&
           strchr(" \t\r", r->value.ptr[r->value.len - 1]) != NULL) {
        buf_truncate(&r->value, r->value.len - 1);
    }
    return err;
}

static enum ag_err
read_value(struct reader *r)
{
    unsigned line = r->line;
    enum ag_err err;

    buf_clear(&r->value);
    if (look(r) != '\'' && look(r) != '"') {
        return read_bare(r);
    }
    err = look(r) == '\'' ? read_single(r) : read_double(r);
    skip_blanks(r);
    if (err == AG_OK && look(r) != '\n' && look(r) != '#') {
        err = err_why(AG_EINVAL, "line %u: something follows the closing quote",
                      line);
    }
    return err;
}

static struct span
read_name(struct reader *r)
{
    size_t start = r->at;

    while (look(r) != '\n' && strchr("= \t\r", look(r)) == NULL) {
        step(r);
    }
    return span_sub(r->text, start, r->at - start);
}

static enum ag_err
read_assignment(struct reader *r, dotenv_fn each, void *arg)
{
    struct span name = read_name(r);
    unsigned line = r->line;
    enum ag_err err;

    skip_blanks(r);
    if (span_is(name, "export") && look(r) != '=') {
        name = read_name(r);
        skip_blanks(r);
    }
    if (look(r) != '=' || parse_env_name(name) != AG_OK) {
        return err_why(AG_EINVAL, "line %u: not NAME=value", line);
    }
    step(r);
    skip_blanks(r);
    err = read_value(r);
    if (err == AG_OK) {
        err = each(arg, name, buf_view(&r->value));
    }
    return err;
}

enum ag_err
dotenv_parse(struct span text, dotenv_fn each, void *arg)
{
    struct reader r = {.text = text, .line = 1};
    enum ag_err err = text.len > DOTENV_MAX_BYTES ? AG_ELIMIT : AG_OK;

    buf_init(&r.value, DOTENV_VALUE_MAX_BYTES, BUF_WIPE);
    while (err == AG_OK && !ended(&r)) {
        skip_blanks(&r);
        if (look(&r) != '\n' && look(&r) != '#') {
            err = read_assignment(&r, each, arg);
        }
        skip_line(&r);
    }
    buf_done(&r.value);
    return err;
}
