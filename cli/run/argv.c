#include "run/argv.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"

enum {
    WORDS_MAX_COUNT = 65536, /* of a command, the profiles' included */
    WORD_MAX_BYTES = 8192,   /* one argument with the directory in it */
};

static const char DIR_MARK[] = "{dir}";
static const char URL_MARK[] = "{url:";

struct argv {
    size_t count;
    size_t own_count;
    char **words;
    char **own; /* those that were made here */
};

static bool
is_meant(const json_t *commands, const char *argv0)
{
    const char *slash = strrchr(argv0, '/');
    const char *base = slash == NULL ? argv0 : slash + 1;
    const json_t *name;
    size_t i;

    json_array_foreach(commands, i, name)
    {
        if (json_is_string(name) &&
            strcmp(json_string_value(name), base) == 0) {
            return true;
        }
    }
    return false;
}

/* Appends what stands for the mark at the start of `text`, or its first byte;
 * *ret is how much of the text that was. */
static enum ag_err
add_next(const struct argv_marks *marks, const char *text, struct buf *out,
         size_t *ret)
{
    const char *end = strchr(text, '}');

    if (strncmp(text, DIR_MARK, sizeof(DIR_MARK) - 1) == 0) {
        *ret = sizeof(DIR_MARK) - 1;
        return buf_add(out, span_str(marks->dir));
    }
    if (strncmp(text, URL_MARK, sizeof(URL_MARK) - 1) == 0 && end != NULL) {
        text += sizeof(URL_MARK) - 1;
        *ret = sizeof(URL_MARK) - 1 + (size_t)(end - text) + 1;
        return buf_fmt(out, "%s/%.*s", marks->url, (int)(end - text), text);
    }
    *ret = 1;
    return buf_add(out, span_of(text, 1));
}

static enum ag_err
with_marks(struct argv *a, const char *text, const struct argv_marks *marks)
{
    AG_AUTO(buf) struct buf b;
    enum ag_err err = AG_OK;

    buf_init(&b, WORD_MAX_BYTES, BUF_PLAIN);
    while (err == AG_OK && *text != '\0') {
        size_t done = 0;

        err = add_next(marks, text, &b, &done);
        text += done;
    }
    if (err != AG_OK) {
        return err;
    }
    a->own[a->own_count] = strdup(buf_cstr(&b));
    if (a->own[a->own_count] == NULL) {
        return AG_ENOMEM;
    }
    a->words[a->count++] = a->own[a->own_count++];
    return AG_OK;
}

static enum ag_err
add_profile(struct argv *a, const json_t *args, const struct argv_marks *marks)
{
    const json_t *word;
    enum ag_err err = AG_OK;
    size_t i;

    json_array_foreach(args, i, word)
    {
        const char *text = json_string_value(word);

        if (err == AG_OK && text != NULL && strchr(text, '{') != NULL) {
            err = with_marks(a, text, marks);
        } else if (text != NULL) {
            /* execv's prototype is older than const; nobody writes to it. */
            memcpy(&a->words[a->count++], &text, sizeof(text));
        }
    }
    return err;
}

static size_t
count_all(char **command, const json_t *args)
{
    const json_t *entry;
    size_t count = 0;
    size_t i;

    while (command[count] != NULL) {
        count++;
    }
    json_array_foreach(args, i, entry)
    {
        count += json_array_size(json_object_get(entry, "args"));
    }
    return count;
}

enum ag_err
argv_new(char **command, const json_t *args, const struct argv_marks *marks,
         struct argv **ret)
{
    AG_AUTO(argv) struct argv *a = calloc(1, sizeof(*a));
    size_t count = count_all(command, args);
    const json_t *entry;
    enum ag_err err = AG_OK;
    size_t i;

    if (a == NULL || count > WORDS_MAX_COUNT) {
        return a == NULL ? AG_ENOMEM : AG_ELIMIT;
    }
    a->words = calloc(count + 1, sizeof(*a->words));
    a->own = calloc(count + 1, sizeof(*a->own));
    if (a->words == NULL || a->own == NULL) {
        return AG_ENOMEM;
    }
    a->words[a->count++] = command[0];
    json_array_foreach(args, i, entry)
    {
        if (err == AG_OK &&
            is_meant(json_object_get(entry, "commands"), command[0])) {
            err = add_profile(a, json_object_get(entry, "args"), marks);
        }
    }
    if (err != AG_OK) {
        return err;
    }
    for (i = 1; command[i] != NULL; i++) {
        a->words[a->count++] = command[i];
    }
    *ret = AG_TAKE(a);
    return AG_OK;
}

void
argv_free(struct argv *a)
{
    if (a == NULL) {
        return;
    }
    for (size_t i = 0; i < a->own_count; i++) {
        free(a->own[i]);
    }
    free(a->own);
    free(a->words);
    free(a);
}

char **
argv_words(struct argv *a)
{
    return a->words;
}
