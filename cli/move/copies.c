#include "move/copies.h"

#include <sys/stat.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fdx.h"
#include "base/secret.h"
#include "move/erase.h"
#include "move/source.h"
#include "profile/expand.h"
#include "profile/fields.h"

enum {
    COPY_MAX_BYTES = 128 * 1024, /* vim's swap file of the largest file */
    FIELDS_KEPT_MAX_COUNT = 256,
};

/* What stands before and behind the original's name. */
static const struct {
    const char *before;
    const char *behind;
} SHAPES[] = {
    {"", "~"},     {"", ".bak"},    {"", ".orig"}, {"", ".save"},
    {"", ".old"},  {"", ".backup"}, {".", ".swp"}, {".", ".swo"},
    {".", ".swn"}, {"", ".swp"},    {"#", "#"},    {"", ".tmp"},
    {".", ".un~"}, {"", ".rej"},    {"", ".1"},    {"", ".copy"},
};

static bool
is_shape(struct span other, struct span name, struct span before,
         struct span behind)
{
    return other.len == before.len + name.len + behind.len &&
           span_starts(other, before) &&
           span_equal(span_sub(other, before.len, name.len), name) &&
           span_equal(span_sub(other, before.len + name.len, behind.len),
                      behind);
}

bool
copies_is_copy(const char *name, const char *other, const struct strings *extra)
{
    struct span n = span_str(name);
    struct span o = span_str(other);

    if (span_equal(n, o)) {
        return false;
    }
    for (size_t i = 0; i < AG_COUNT(SHAPES); i++) {
        if (is_shape(o, n, span_str(SHAPES[i].before),
                     span_str(SHAPES[i].behind))) {
            return true;
        }
    }
    if (o.len > n.len + 3 && span_starts(o, n) &&
        (span_starts(span_sub(o, n.len, o.len), span_str(".bak")) ||
         span_starts(span_sub(o, n.len, o.len), span_str(".~")))) {
        return true; /* auth.json.bak2, auth.json.~1~ */
    }
    for (size_t i = 0; extra != NULL && i < extra->count; i++) {
        if (glob_match(extra->items[i], other)) {
            return true;
        }
    }
    return false;
}

/* The secrets of the original, kept while its copies are looked through. */
struct known {
    struct secret *values[FIELDS_KEPT_MAX_COUNT];
    char *pointers[FIELDS_KEPT_MAX_COUNT];
    size_t count;
};

static void
known_done(struct known *k)
{
    for (size_t i = 0; i < k->count; i++) {
        secret_free(k->values[i]);
        free(k->pointers[i]);
    }
    k->count = 0;
}

AG_DEFINE_CLEANUP_INPLACE(known, known_done)

static enum ag_err
keep(void *arg, const char *pointer, struct secret *value)
{
    struct known *k = arg;

    char *copy = NULL;

    if (k->count == FIELDS_KEPT_MAX_COUNT || secret_len(value) < 4) {
        secret_free(value); /* a short word would be found anywhere */
        return AG_OK;
    }
    copy = strdup(pointer);
    if (copy == NULL) {
        secret_free(value);
        return AG_ENOMEM;
    }
    k->pointers[k->count] = copy;
    k->values[k->count++] = value;
    return AG_OK;
}

static bool
holds(struct span text, const struct secret *value)
{
    struct span v = secret_view(value);

    return text.len >= v.len &&
           memmem(text.ptr, text.len, v.ptr, v.len) != NULL;
}

struct comparison {
    const struct known *known;
    bool named; /* pointers are names, not numbers of lines */
    bool foreign;
};

static enum ag_err
compare(void *arg, const char *pointer, struct secret *value)
{
    struct comparison *c = arg;
    bool ours = secret_len(value) < 4;

    for (size_t i = 0; !ours && i < c->known->count; i++) {
        ours = secret_equal(value, c->known->values[i]) ||
               (c->named && strcmp(pointer, c->known->pointers[i]) == 0);
    }
    c->foreign = c->foreign || !ours;
    secret_free(value);
    return AG_OK;
}

/* Would erasing this copy lose a secret that is not in the original? An older
 * value of a field that the original has is no loss. Only a copy in the file's
 * own format can tell; an editor's state holds no more than it was given. */
static enum ag_err
has_foreign(struct span copy, const struct profile_file *file,
            const struct known *known, bool *ret)
{
    struct comparison c = {.known = known};
    enum file_format format = file == NULL ? format_guess(copy) : file->format;
    enum ag_err err;

    *ret = false;
    if (format == FORMAT_OPAQUE || fields_check(copy, format) != AG_OK) {
        return AG_OK;
    }
    c.named = format != FORMAT_PGPASS && format != FORMAT_URLS &&
              format != FORMAT_PEM;
    err = fields_secret(copy, file, compare, &c);
    *ret = c.foreign;
    return err;
}

struct search {
    int dir_fd;
    const struct profile_file *file;
    const struct known *known;
    const char *gone;
    const struct secret *content;
    copies_told_fn told;
    void *arg;
};

/* A copy that is ours to erase, into *ret; NULL when it is none. */
static enum ag_err
read_copy(int dir_fd, const char *name, struct secret **ret)
{
    AG_AUTO(fd) int fd = -1;
    struct stat st;
    enum ag_err err;

    if (fstatat(dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) != 0) {
        return errno == ENOENT ? AG_OK : err_from_errno(errno);
    }
    if (!S_ISREG(st.st_mode) || st.st_uid != geteuid() || st.st_nlink != 1 ||
        st.st_size == 0 || st.st_size > COPY_MAX_BYTES) {
        return AG_OK;
    }
    fd = openat(dir_fd, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0) {
        return err_from_errno(errno);
    }
    err = fd_read_secret(fd, COPY_MAX_BYTES, ret);
    return err == AG_ELIMIT ? AG_OK : err;
}

/* By way of the name that means garbage: killed half-way, recovery goes on. */
static enum ag_err
erase_copy(const struct search *s, const char *name)
{
    bool wiped = false;
    enum ag_err err = rename_new(s->dir_fd, name, s->gone);

    return err == AG_OK ? erase_file(s->dir_fd, s->gone, &wiped) : err;
}

static enum ag_err
look_at(struct search *s, const char *name)
{
    AG_AUTO(secret) struct secret *copy = NULL;
    bool ours = false;
    bool foreign = false;
    enum ag_err err = read_copy(s->dir_fd, name, &copy);

    if (err != AG_OK || copy == NULL) {
        return err;
    }
    ours = secret_equal(copy, s->content);
    for (size_t i = 0; !ours && i < s->known->count; i++) {
        ours = holds(secret_view(copy), s->known->values[i]);
    }
    err = has_foreign(secret_view(copy), s->file, s->known, &foreign);
    if (err != AG_OK || (!ours && !foreign)) {
        return err; /* nothing secret in it */
    }
    if (!ours || foreign) {
        s->told(s->arg, name, COPY_OTHER);
        return AG_OK;
    }
    err = erase_copy(s, name);
    if (err == AG_OK) {
        s->told(s->arg, name, COPY_ERASED);
    }
    return err;
}

static enum ag_err
look_at_all(struct search *s, const char *name, struct dirent **entries,
            int count)
{
    const struct strings *extra = s->file == NULL ? NULL : &s->file->copies;

    for (int i = 0; i < count; i++) {
        const char *other = entries[i]->d_name;
        enum ag_err err =
            copies_is_copy(name, other, extra) ? look_at(s, other) : AG_OK;

        if (err == AG_ENOTFOUND) {
            continue; /* an editor has taken it away meanwhile */
        }
        if (err != AG_OK) {
            return err_why(err,
                           "%s beside it can't be looked at or erased (%s); "
                           "remove it",
                           other, err_code(err));
        }
    }
    return AG_OK;
}

enum ag_err
copies_erase(const struct copies *c, copies_told_fn told, void *arg)
{
    AG_AUTO(known) struct known known = {.count = 0};
    struct search s = {.known = &known,
                       .dir_fd = c->dir_fd,
                       .file = c->file,
                       .gone = c->gone,
                       .content = c->content,
                       .told = told,
                       .arg = arg};
    struct dirent **entries = NULL;
    int count;
    enum ag_err err =
        fields_secret(secret_view(c->content), c->file, keep, &known);

    if (err != AG_OK) {
        return err;
    }
    count = scandirat(c->dir_fd, ".", &entries, NULL, NULL);
    if (count < 0) {
        return errno == ENOMEM ? AG_ENOMEM : AG_EIO;
    }
    err = look_at_all(&s, c->name, entries, count);
    for (int i = 0; i < count; i++) {
        free(entries[i]);
    }
    free(entries);
    return err;
}
