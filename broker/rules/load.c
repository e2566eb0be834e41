#include "rules/load.h"

#include <sys/stat.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/fsx.h"
#include "redact/rule.h"
#include "wire/json.h"

enum {
    PATH_MAX_BYTES = 4096,
    CONTEXT_KEYWORD_MIN_BYTES = 3,
};

struct loaded {
    struct rule_file file;
    char *source;
};

struct rule_book {
    struct loaded *files;
    size_t file_count;
    size_t rule_count;
};

static enum ag_err
book_new(struct rule_book **ret)
{
    struct rule_book *book = calloc(1, sizeof(*book));

    if (book != NULL) {
        book->files = calloc(RULE_FILES_MAX_COUNT, sizeof(*book->files));
    }
    if (book == NULL || book->files == NULL) {
        free(book);
        return AG_ENOMEM;
    }
    *ret = book;
    return AG_OK;
}

void
rule_book_free(struct rule_book *book)
{
    if (book == NULL) {
        return;
    }
    for (size_t i = 0; i < book->file_count; i++) {
        msg_done(rule_file_spec(), &book->files[i].file);
        free(book->files[i].source);
    }
    free(book->files);
    free(book);
}

size_t
rule_book_count(const struct rule_book *book)
{
    return book->rule_count;
}

static const struct loaded *
find(const struct rule_book *book, size_t *index)
{
    const struct loaded *at = book->files;

    while (*index >= at->file.items.count) {
        *index -= at->file.items.count;
        at++;
        AG_ASSERT(at < book->files + book->file_count);
    }
    return at;
}

const struct rule_item *
rule_book_at(const struct rule_book *book, size_t index)
{
    const struct loaded *at = find(book, &index);

    return &at->file.items.items[index];
}

const char *
rule_book_source(const struct rule_book *book, size_t index)
{
    return find(book, &index)->source;
}

/* ---- what rows can't say ---- */

static enum ag_err
wrong(const struct rule_item *item, const char *why)
{
    return err_why(AG_EINVAL, "rule %s: %s", item->id, why);
}

/* Anchors would mean another thing in the window that a match is confirmed
 * in. Escapes and classes are passed over. */
static bool
has_anchor(const char *regex)
{
    bool in_class = false;

    for (const char *at = regex; *at != '\0'; at++) {
        if (*at == '\\' && at[1] != '\0') {
            at++;
            if (!in_class && strchr("AzZGB", *at) != NULL) {
                return true;
            }
        } else if (in_class) {
            in_class = *at != ']';
        } else if (*at == '[') {
            in_class = true;
            at += at[1] == '^' ? 1 : 0;
            at += at[1] == ']' ? 1 : 0;
        } else if (*at == '^' || *at == '$') {
            return true;
        }
    }
    return false;
}

static bool
ends_in_border(const char *regex)
{
    size_t len = strlen(regex);

    return len >= 2 && regex[len - 1] == 'b' && regex[len - 2] == '\\';
}

static enum ag_err
check_item(const struct rule_item *item)
{
    if (has_anchor(item->regex)) {
        return wrong(item, "regex: anchors (^ $ \\A \\z \\B) can't be used; "
                           "\\b may stand before the secret, `stop` says what "
                           "may not follow it");
    }
    if (ends_in_border(item->regex)) {
        return wrong(item, "regex: ends in \\b; say by `stop` what may not "
                           "follow the secret");
    }
    if (item->tail == NULL && (item->tail_max != 0 || item->until != NULL)) {
        return wrong(item, "tail_max and until belong to a `tail`");
    }
    for (size_t i = 0; item->context && i < item->keywords.count; i++) {
        if (strlen(item->keywords.items[i]) < CONTEXT_KEYWORD_MIN_BYTES) {
            return wrong(item, "keywords: one of two bytes stands everywhere, "
                               "and would slow all text; name the service");
        }
    }
    if ((item->lead == NULL) != (item->lead_max == 0)) {
        return wrong(item, "lead and lead_max belong together");
    }
    if (item->checksum_must && item->checksum == RULE_SUM_NONE) {
        return wrong(item, "checksum_must needs a `checksum`");
    }
    return AG_OK;
}

static enum ag_err
check_new_id(const struct rule_book *book, const struct rule_file *file,
             size_t index)
{
    const char *id = file->items.items[index].id;
    const char *other = NULL;
    size_t i;

    for (i = 0; i < index && other == NULL; i++) {
        other = strcmp(file->items.items[i].id, id) == 0 ? "this file" : NULL;
    }
    for (i = 0; i < book->rule_count && other == NULL; i++) {
        if (strcmp(rule_book_at(book, i)->id, id) == 0) {
            other = rule_book_source(book, i);
        }
    }
    return other == NULL
               ? AG_OK
               : err_why(AG_EINVAL, "rule %s: there is one of this id in %s",
                         id, other);
}

static enum ag_err
check_file(const struct rule_book *book, const struct rule_file *file,
           const char *source)
{
    const char *slash = strrchr(source, '/');
    const char *base = slash == NULL ? source : slash + 1;
    size_t len = strlen(file->group);
    enum ag_err err = AG_OK;

    if (strncmp(base, file->group, len) != 0 ||
        strcmp(base + len, ".json") != 0) {
        return err_why(AG_EINVAL,
                       "group: must be the file's name without .json");
    }
    if (book->rule_count + file->items.count > RULES_MAX_COUNT) {
        return err_why(AG_ELIMIT, "more than %d rules", (int)RULES_MAX_COUNT);
    }
    for (size_t i = 0; err == AG_OK && i < file->items.count; i++) {
        err = check_item(&file->items.items[i]);
        if (err == AG_OK) {
            err = check_new_id(book, file, i);
        }
    }
    return err;
}

/* ---- loading ---- */

/* The rows of an item name the field; this says of which rule. */
static enum ag_err
name_rule(json_t *tree, enum ag_err err)
{
    const struct msg_field *row = &rule_file_spec()->fields[3];
    const char *why;
    json_t *item = NULL;
    size_t i = 0;

    json_array_foreach(json_object_get(tree, row->name), i, item)
    {
        struct rule_item one;
        const char *id = json_string_value(json_object_get(item, "id"));
        char text[512];

        if (msg_from_tree(row->of, item, &one) == AG_OK) {
            msg_done(row->of, &one);
            continue;
        }
        why = err_text(err);
        (void)snprintf(text, sizeof(text), "%s", why);
        return id == NULL || strlen(id) > RULE_ID_MAX_BYTES
                   ? err_why(err, "rule number %zu: %s", i + 1, text)
                   : err_why(err, "rule %s: %s", id, text);
    }
    return err;
}

static enum ag_err
decode(struct span json, struct rule_file *ret)
{
    AG_AUTO(wjson) json_t *tree = NULL;
    enum ag_err err = wjson_parse(json, RULE_FILE_MAX_BYTES, &tree);

    if (err != AG_OK) {
        return err;
    }
    err = msg_from_tree(rule_file_spec(), tree, ret);
    return err == AG_OK || err == AG_ENOMEM ? err : name_rule(tree, err);
}

static enum ag_err
name_file(const char *source, enum ag_err err)
{
    char text[1024];

    (void)snprintf(text, sizeof(text), "%s", err_text(err));
    return err_why(err, "%s: %s", source, text);
}

static enum ag_err
add(struct rule_book *book, struct span json, const char *source)
{
    struct loaded one = {.source = NULL};
    enum ag_err err;

    if (book->file_count == RULE_FILES_MAX_COUNT) {
        return err_why(AG_ELIMIT, "more than %d files of rules",
                       (int)RULE_FILES_MAX_COUNT);
    }
    err = decode(json, &one.file);
    if (err != AG_OK) {
        return name_file(source, err);
    }
    err = check_file(book, &one.file, source);
    if (err != AG_OK) {
        err = name_file(source, err);
    }
    one.source = err == AG_OK ? strdup(source) : NULL;
    if (err == AG_OK && one.source == NULL) {
        err = AG_ENOMEM;
    }
    if (err != AG_OK) {
        msg_done(rule_file_spec(), &one.file);
        return err;
    }
    book->rule_count += one.file.items.count;
    book->files[book->file_count++] = one;
    return AG_OK;
}

enum ag_err
rule_book_load_one(struct span json, const char *source, struct rule_book **ret)
{
    AG_AUTO(rule_book) struct rule_book *book = NULL;
    enum ag_err err = book_new(&book);

    if (err == AG_OK) {
        err = add(book, json, source);
    }
    if (err == AG_OK) {
        *ret = AG_TAKE(book);
    }
    return err;
}

static enum ag_err
add_file(struct rule_book *book, const char *path)
{
    AG_AUTO(buf) struct buf text = {0};
    enum ag_err err;

    buf_init(&text, RULE_FILE_MAX_BYTES, BUF_PLAIN);
    err = fs_read(AT_FDCWD, path, RULE_FILE_MAX_BYTES, &text);
    return err == AG_OK ? add(book, buf_view(&text), path)
                        : name_file(path, err);
}

static int
is_rule_file(const struct dirent *entry)
{
    size_t len = strlen(entry->d_name);

    return len > 5 && entry->d_name[0] != '.' &&
           strcmp(entry->d_name + len - 5, ".json") == 0;
}

static bool
is_context(const struct dirent *entry)
{
    return strncmp(entry->d_name, "context", 7) == 0;
}

static int
by_name(const struct dirent **a, const struct dirent **b)
{
    bool a_last = is_context(*a);
    bool b_last = is_context(*b);

    return a_last != b_last ? (a_last ? 1 : -1)
                            : strcmp((*a)->d_name, (*b)->d_name);
}

static enum ag_err
add_directory(struct rule_book *book, const char *path)
{
    struct dirent **entries = NULL;
    int count = scandir(path, &entries, is_rule_file, by_name);
    enum ag_err err = count < 0 ? err_from_errno(errno) : AG_OK;

    for (int i = 0; i < count; i++) {
        char name[PATH_MAX_BYTES];
        int len =
            snprintf(name, sizeof(name), "%s/%s", path, entries[i]->d_name);

        if (err == AG_OK) {
            err = len > 0 && (size_t)len < sizeof(name) ? add_file(book, name)
                                                        : AG_ELIMIT;
        }
        free(entries[i]);
    }
    free(entries);
    return err;
}

enum ag_err
rule_book_load(char *const *paths, size_t count, struct rule_book **ret)
{
    AG_AUTO(rule_book) struct rule_book *book = NULL;
    enum ag_err err = book_new(&book);

    for (size_t i = 0; err == AG_OK && i < count; i++) {
        struct stat st;

        if (stat(paths[i], &st) != 0) {
            err = err_why(err_from_errno(errno), "%s: %s", paths[i],
                          strerrordesc_np(errno));
        } else {
            err = S_ISDIR(st.st_mode) ? add_directory(book, paths[i])
                                      : add_file(book, paths[i]);
        }
    }
    if (err == AG_OK) {
        *ret = AG_TAKE(book);
    }
    return err;
}
