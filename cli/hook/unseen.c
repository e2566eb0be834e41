#include "hook/unseen.h"

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"

static const char COMBINED[] = "diff --cc ";
static const char BEGIN[] = "Binary files ";
static const char END[] = " differ";
static const char GONE[] = " and /dev/null";

void
unseen_done(struct unseen *u)
{
    if (u == NULL) {
        return;
    }
    for (size_t i = 0; i < u->name_count; i++) {
        free(u->names[i]);
    }
    free(u->combined);
    *u = (struct unseen){.more = 0};
}

static bool
ends_with(struct span text, struct span end)
{
    return text.len >= end.len &&
           span_equal(span_sub(text, text.len - end.len, text.len), end);
}

/* Behind the last of them; all of the text without one. */
static struct span
behind(struct span text, struct span mark)
{
    for (size_t at = text.len; at >= mark.len; at--) {
        if (ends_with(span_sub(text, 0, at), mark)) {
            return span_sub(text, at, text.len);
        }
    }
    return text;
}

static enum ag_err
add(struct unseen *u, struct span name)
{
    for (size_t i = 0; i < u->name_count; i++) {
        if (span_is(name, u->names[i])) {
            return AG_OK;
        }
    }
    if (u->name_count == UNSEEN_NAMES_MAX_COUNT) {
        u->more++;
        return AG_OK;
    }
    u->names[u->name_count] = strndup((const char *)name.ptr, name.len);
    if (u->names[u->name_count] == NULL) {
        return AG_ENOMEM;
    }
    u->name_count++;
    return AG_OK;
}

/* "a/NAME and b/NAME", with quotes where the name is unusual. */
static enum ag_err
add_pair(struct unseen *u, struct span pair)
{
    struct span name = behind(pair, span_str(" and b/"));

    if (ends_with(pair, span_str(GONE))) {
        return AG_OK; /* nothing is added */
    }
    if (name.len == pair.len) {
        name = behind(pair, span_str(" and \"b/"));
        name.len -= name.len < pair.len ? 1 : 0;
    }
    return add(u, name);
}

enum ag_err
unseen_line(struct unseen *u, struct span line)
{
    const size_t begin = sizeof(BEGIN) - 1;
    const size_t end = sizeof(END) - 1;

    if (span_starts(line, span_str(COMBINED))) {
        free(u->combined);
        u->combined = strndup((const char *)line.ptr + sizeof(COMBINED) - 1,
                              line.len - (sizeof(COMBINED) - 1));
        return u->combined == NULL ? AG_ENOMEM : AG_OK;
    }
    if (span_is(line, "Binary files differ") && u->combined != NULL) {
        return add(u, span_str(u->combined));
    }
    return line.len > begin + end && span_starts(line, span_str(BEGIN)) &&
                   ends_with(line, span_str(END))
               ? add_pair(u, span_sub(line, begin, line.len - begin - end))
               : AG_OK;
}

enum ag_err
unseen_words(const struct unseen *u, struct buf *out)
{
    enum ag_err err = AG_OK;

    for (size_t i = 0; err == AG_OK && i < u->name_count; i++) {
        err = buf_fmt(out, "%s%s", i == 0 ? "" : ", ", u->names[i]);
    }
    return err == AG_OK && u->more > 0 ? buf_fmt(out, " and %zu more", u->more)
                                       : err;
}
