#include "base/err.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Macros only for the analyzer of other files. */
#undef err_why
#undef err_from_errno

enum {
    SENTENCE_BYTES = 512
}; /* one line a person reads */

struct row {
    const char *code;
    int http;
    int exit_code;
    const char *text;
};

static const struct row ROWS[AG_ERR_COUNT] = {
#define AG_ERR_ROW(name, code, http, exit_code, text)                          \
    [name] = {code, http, exit_code, text},
    AG_ERRORS(AG_ERR_ROW)
#undef AG_ERR_ROW
};

static _Thread_local struct {
    enum ag_err err;
    char text[SENTENCE_BYTES];
} kept;

static const struct row *
row_of(enum ag_err err)
{
    size_t i = (size_t)err;

    return &ROWS[i < AG_ERR_COUNT ? i : (size_t)AG_EINTERNAL];
}

const char *
err_code(enum ag_err err)
{
    return row_of(err)->code;
}

const char *
err_title(enum ag_err err)
{
    return row_of(err)->text;
}

int
err_http(enum ag_err err)
{
    return row_of(err)->http;
}

int
err_exit(enum ag_err err)
{
    return row_of(err)->exit_code;
}

enum ag_err
err_from_code(const char *code)
{
    for (size_t i = 0; code != NULL && i < AG_ERR_COUNT; i++) {
        if (strcmp(ROWS[i].code, code) == 0) {
            return (enum ag_err)i;
        }
    }
    return AG_EINTERNAL;
}

enum ag_err
err_why(enum ag_err err, const char *fmt, ...)
{
    char text[SENTENCE_BYTES]; /* the sentence of before may be part of it */
    va_list args;

    va_start(args, fmt);
    /* NOLINTNEXTLINE(clang-analyzer-valist.Uninitialized): started above */
    (void)vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    memcpy(kept.text, text, sizeof(kept.text));
    kept.err = err;
    return err;
}

const char *
err_text(enum ag_err err)
{
    if (err != AG_OK && kept.err == err && kept.text[0] != '\0') {
        return kept.text;
    }
    return row_of(err)->text;
}

void
err_clear(void)
{
    kept.err = AG_OK;
    kept.text[0] = '\0';
}

enum ag_err
err_from_errno(int errno_value)
{
    static const struct {
        int number;
        enum ag_err err;
    } MEANING[] = {
        {ENOSPC, AG_ENOSPACE},  {EDQUOT, AG_ENOSPACE},    {ENOMEM, AG_ENOMEM},
        {ENOENT, AG_ENOTFOUND}, {ENOTDIR, AG_ENOTFOUND},  {EEXIST, AG_EEXISTS},
        {EACCES, AG_EDENIED},   {EPERM, AG_EDENIED},      {EROFS, AG_EDENIED},
        {EAGAIN, AG_EBUSY},     {ETIMEDOUT, AG_ETIMEOUT},
    };

    for (size_t i = 0; i < AG_COUNT(MEANING); i++) {
        if (MEANING[i].number == errno_value) {
            return MEANING[i].err;
        }
    }
    return AG_EIO;
}

void
ag_assert_failed(const char *file, int line, const char *condition)
{
    (void)dprintf(STDERR_FILENO, "auth-guard: %s:%d: assertion failed: %s\n",
                  file, line, condition);
    abort();
}
