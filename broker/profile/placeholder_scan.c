#include <stdlib.h>
#include <string.h>

#include "base/secret.h"
#include "profile/placeholder.h"
#include "profile/placeholder_parts.h"

enum {
    /* Fewer characters hold no number that can be found without its text. */
    WORD_MIN_CHARS = 18,
    /* Of a longer word its end: a number, and the run its checksum is of. */
    TAIL_BYTES = 128,
    AWS_ID_CHARS = 20,
};

struct placeholder_scan {
    const struct secret *key;
    placeholder_hit_fn hit;
    void *arg;
    uint64_t offset; /* of what is fed next */
    uint64_t len;    /* of the word that goes on */
    size_t kept;
    uint8_t tail[TAIL_BYTES]; /* its end */
};

enum ag_err
placeholder_scan_new(const struct secret *key, placeholder_hit_fn hit,
                     void *arg, struct placeholder_scan **ret)
{
    struct placeholder_scan *s = calloc(1, sizeof(*s));

    if (s == NULL) {
        return AG_ENOMEM;
    }
    s->key = key;
    s->hit = hit;
    s->arg = arg;
    *ret = s;
    return AG_OK;
}

void
placeholder_scan_free(struct placeholder_scan *scan)
{
    if (scan != NULL) {
        wipe(scan, sizeof(*scan));
        free(scan);
    }
}

static bool
is_word(uint8_t c)
{
    return code_is_alnum(c) || c == '-' || c == '_';
}

/* No number ends in punctuation, but a value, and so its placeholder, may. */
static struct span
trimmed(struct span word)
{
    while (word.len > 0 && !code_is_alnum(word.ptr[word.len - 1])) {
        word.len--;
    }
    return word;
}

/* `word` is the end of a word of `len` bytes in all. */
static enum ag_err
look(struct placeholder_scan *s, struct span word, uint64_t len, uint64_t end)
{
    struct placeholder_hit hit = {.offset = end - len, .len = len};
    bool aws = len == AWS_ID_CHARS && (span_starts(word, span_str("AKIA")) ||
                                       span_starts(word, span_str("ASIA")));

    word = trimmed(word);
    if (word.len < WORD_MIN_CHARS) {
        return AG_OK;
    }
    if (number_read(s->key, word, CODE_OWN, &hit.id) ||
        (aws && number_read(s->key, word, CODE_WHOLE, &hit.id))) {
        return s->hit(s->arg, &hit);
    }
    return AG_OK;
}

/* The word that goes on is longer by `more`. */
static void
keep(struct placeholder_scan *s, struct span more)
{
    size_t drop;

    s->len += more.len;
    more = span_sub(more, more.len > TAIL_BYTES ? more.len - TAIL_BYTES : 0,
                    more.len);
    drop =
        s->kept + more.len > TAIL_BYTES ? s->kept + more.len - TAIL_BYTES : 0;
    memmove(s->tail, s->tail + drop, s->kept - drop);
    s->kept -= drop;
    if (more.len > 0) {
        memcpy(s->tail + s->kept, more.ptr, more.len);
        s->kept += more.len;
    }
}

static enum ag_err
end_word(struct placeholder_scan *s, uint64_t end)
{
    uint64_t len = s->len;
    enum ag_err err = look(s, span_of(s->tail, s->kept), len, end);

    s->len = 0;
    s->kept = 0;
    return err;
}

/* A word that lies whole in one part is looked at where it is. */
static enum ag_err
whole_word(struct placeholder_scan *s, struct span word, uint64_t end)
{
    size_t cut = word.len > TAIL_BYTES ? word.len - TAIL_BYTES : 0;

    return look(s, span_sub(word, cut, word.len), word.len, end);
}

enum ag_err
placeholder_scan_feed(void *scan, struct span part)
{
    struct placeholder_scan *s = scan;
    size_t at = 0;
    enum ag_err err = AG_OK;

    while (err == AG_OK && at < part.len) {
        size_t start = at;
        struct span word;

        while (at < part.len && is_word(part.ptr[at])) {
            at++;
        }
        word = span_sub(part, start, at - start);
        if (at == part.len) {
            keep(s, word);
            break;
        }
        if (s->len > 0) {
            keep(s, word);
            err = end_word(s, s->offset + at);
        } else {
            err = whole_word(s, word, s->offset + at);
        }
        while (at < part.len && !is_word(part.ptr[at])) {
            at++;
        }
    }
    s->offset += part.len;
    return err;
}

enum ag_err
placeholder_scan_finish(void *scan)
{
    struct placeholder_scan *s = scan;

    return end_word(s, s->offset);
}
