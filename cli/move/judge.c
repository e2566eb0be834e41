#include "move/judge.h"

#include <sys/stat.h>

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/fdx.h"
#include "base/secret.h"
#include "profile/fields.h"

enum {
    LOOK_MAX_BYTES = 128 * 1024, /* past every credential file there is */
    OPAQUE_MIN_BYTES = 8,        /* shorter is no token */
    UP_MAX_COUNT = 64,           /* directories above a file */
};

const char *
severity_word(enum severity severity)
{
    static const char *const WORDS[SEVERITY_COUNT] = {"low", "medium", "high",
                                                      "critical"};

    return WORDS[severity];
}

const char *
finding_kind_word(enum finding_kind kind)
{
    static const char *const WORDS[] = {"file", "copy", "store"};

    return WORDS[kind];
}

static enum ag_err
count_field(void *arg, const char *pointer, struct secret *value)
{
    size_t *count = arg;

    (void)pointer;
    (*count)++;
    secret_free(value);
    return AG_OK;
}

static bool
has(struct span text, const char *word)
{
    return text.ptr != NULL &&
           memmem(text.ptr, text.len, word, strlen(word)) != NULL;
}

/* A private key behind a passphrase: the old armour says so, the new one names
 * its cipher in the first bytes ("none" when there is no passphrase). */
static bool
is_encrypted(struct span content)
{
    if (has(content, "ENCRYPTED")) {
        return true;
    }
    return has(content, "BEGIN OPENSSH PRIVATE KEY") &&
           !has(content, "b3BlbnNzaC1rZXktdjEAAAAABG5vbmU");
}

static enum ag_err
count_secrets(struct span content, const struct profile_file *f,
              struct finding *ret)
{
    size_t count = 0;
    enum ag_err err;

    ret->field_count = 0;
    if (f->format == FORMAT_OPAQUE && content.len < OPAQUE_MIN_BYTES) {
        return AG_OK;
    }
    if (f->format == FORMAT_PEM &&
        (!has(content, "PRIVATE KEY") ||
         fields_check(content, FORMAT_PEM) != AG_OK)) {
        return AG_OK;
    }
    /* A swap file is in no format: what can't be read may hold anything. */
    if (fields_check(content, f->format) != AG_OK) {
        ret->field_count = 1;
        ret->unread = ret->kind != FINDING_COPY;
        return AG_OK;
    }
    err = fields_secret(content, f, count_field, &count);
    ret->field_count = count;
    return err;
}

bool
judge_is_open(int dir_fd, const struct stat *st)
{
    mode_t group = st->st_gid == getegid() ? 0 : S_IRGRP;
    mode_t way = S_IXOTH | (group == 0 ? 0 : S_IXGRP);
    char up[3 * UP_MAX_COUNT + 2] = ".";
    struct stat dir;
    ino_t last = 0;

    if ((st->st_mode & (S_IROTH | group)) == 0) {
        return false;
    }
    for (size_t i = 0; i < UP_MAX_COUNT; i++) {
        if (fstatat(dir_fd, up, &dir, 0) != 0 || dir.st_ino == last) {
            break; /* the root is its own parent */
        }
        if ((dir.st_mode & way) == 0) {
            return false;
        }
        last = dir.st_ino;
        memcpy(up + strlen(up), "/..", 4);
    }
    return true;
}

static void
grade(struct finding *ret, const struct profile_match *match,
      struct span content)
{
    const struct profile_file *f =
        &match->profile->files.items[match->file_index];

    if (f->format == FORMAT_PEM && is_encrypted(content)) {
        ret->severity = SEVERITY_LOW;
        ret->why = "private key behind a passphrase";
    } else if (ret->unread) {
        ret->severity = ret->open ? SEVERITY_HIGH : SEVERITY_MEDIUM;
        ret->why = ret->open ? "can't be read as what it should be, so it may "
                               "hold secrets; other users can read it"
                             : "can't be read as what it should be, so it may "
                               "hold secrets";
    } else if (ret->open) {
        ret->severity = SEVERITY_CRITICAL;
        ret->why = (ret->mode & S_IWOTH) != 0
                       ? "plain text that other users can read and change"
                       : "plain text that other users can read";
    } else if (ret->kind == FINDING_STORE) {
        ret->severity = SEVERITY_MEDIUM;
        ret->why = "the tool's own store; log out there to empty it";
    } else if (ret->kind == FINDING_COPY) {
        ret->severity = SEVERITY_HIGH;
        ret->why = "a copy left beside the credential file";
    } else if (match->profile->single_holder) {
        ret->severity = SEVERITY_HIGH;
        ret->why = "a login that renews itself, in plain text";
    } else if (f->path == NULL) {
        ret->severity = SEVERITY_MEDIUM;
        ret->why = "secrets of a project, in plain text";
    } else {
        ret->severity = SEVERITY_HIGH;
        ret->why = "plain text";
    }
}

static enum ag_err
look_inside(int fd, const struct profile_match *match, struct finding *ret)
{
    const struct profile_file *f =
        &match->profile->files.items[match->file_index];
    AG_AUTO(secret) struct secret *content = NULL;
    struct span view = {NULL, 0};
    enum ag_err err = AG_OK;

    if (f->format == FORMAT_SQLITE || f->scan_only) {
        ret->kind = FINDING_STORE;
        ret->field_count = 1;
    } else {
        err = fd_read_secret(fd, LOOK_MAX_BYTES, &content);
        if (err == AG_ELIMIT && f->format != FORMAT_PEM) {
            ret->field_count = 1;
            ret->unread = true;
            err = AG_OK;
        } else if (err != AG_OK) {
            return err == AG_EMEMLOCK || err == AG_ENOMEM ? err : AG_OK;
        } else {
            view = secret_view(content);
            err = count_secrets(view, f, ret);
        }
    }
    if (err == AG_OK && ret->field_count > 0) {
        grade(ret, match, view);
    }
    return err;
}

enum ag_err
judge_file(int dir_fd, const char *name, const struct profile_match *match,
           enum finding_kind kind, struct finding *ret, bool *ret_is)
{
    AG_AUTO(fd) int fd = -1;
    struct stat st;
    enum ag_err err;

    *ret_is = false;
    if (fstatat(dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) != 0 ||
        !S_ISREG(st.st_mode) || st.st_size == 0) {
        return AG_OK;
    }
    fd = openat(dir_fd, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0) {
        return AG_OK;
    }
    *ret = (struct finding){.profile = match->profile,
                            .file_index = match->file_index,
                            .kind = kind,
                            .mode = (unsigned)(st.st_mode & 07777)};
    ret->open = judge_is_open(dir_fd, &st);
    err = look_inside(fd, match, ret);
    *ret_is = err == AG_OK && ret->field_count > 0;
    return err;
}
