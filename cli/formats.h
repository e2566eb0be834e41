/*
 * formats.h - which format a text is read in: as it was said, or by its name.
 * Floor: cli. Depends on: redact/format.
 */
#ifndef AG_CLI_FORMATS_H
#define AG_CLI_FORMATS_H

#include <stdbool.h>

#include "base/attr.h"
#include "base/err.h"
#include "redact/format.h"

/* Zeroed: text. */
struct format_wish {
    bool by_name;       /* "auto" */
    enum format format; /* else */
};

/* "text", "jsonl", …, "auto". Errors: AG_EUSAGE with a sentence. */
AG_CHECK AG_NONNULL enum ag_err format_wish_parse(const char *text,
                                                  struct format_wish *ret);

/* By the end of `name`, but for .gz and .zst; other names, stdin's "-" too,
 * are text. */
AG_NONNULL enum format format_wish_of(const struct format_wish *wish,
                                      const char *name);

#endif
