/*
 * shell.h - the simple commands in a text for a POSIX shell, with their words.
 * Floor: cli. Depends on: base.
 *
 * Reads, and runs nothing: what stands in $(…), `…`, (…) and {…} is told as
 * commands too, inner ones first; bodies of here documents are passed over;
 * patterns and arithmetic stay as they are. It is for telling what a command
 * means to do, not for keeping one from it: whoever wants to hide it can.
 *
 * Threads: one. Blocks: no.
 */
#ifndef AG_CLI_HOOK_SHELL_H
#define AG_CLI_HOOK_SHELL_H

#include <stdbool.h>
#include <stddef.h>

#include "base/attr.h"
#include "base/err.h"
#include "base/span.h"

enum {
    SHELL_TEXT_MAX_BYTES = 1024 * 1024, /* a patch can be that long */
    SHELL_DEPTH_MAX = 16,
    SHELL_WORDS_MAX_COUNT = 4096,
};

enum shell_place {
    SHELL_ARGUMENT,
    SHELL_FROM, /* behind < */
    SHELL_TO,   /* behind > and >> */
    SHELL_TEXT, /* behind <<< */
};

/* All borrowed for the call. */
struct shell_word {
    /* Without quotes; a variable whose value is an absolute path stands as
     * that, others as they were. */
    const char *text;
    const char *variables; /* names used, each with a space behind it */
    enum shell_place place;
    bool is_quoted; /* in part at least */
};

struct shell_command {
    const struct shell_word *words;
    size_t count;
    bool is_piped; /* into the next command that is told from this level */
};

typedef enum ag_err shell_command_fn(void *ctx, const struct shell_command *c);

/* Errors: AG_ELIMIT too long, too deep, too many words; AG_ENOMEM; those of
 * `fn`. What ends too early is told as far as it goes. */
AG_CHECK enum ag_err shell_read(struct span text, shell_command_fn *fn,
                                void *ctx);

#endif
