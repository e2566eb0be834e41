/*
 * receipt_ask.h - `redact --receipt`: one signed line for each stream, gathered
 * and written when all is done; and their openings, a line each, to FILE.opening.
 * Floor: cli. Depends on: wire/receipt, crypt/sign, jansson.
 */
#ifndef AG_CLI_RECEIPT_ASK_H
#define AG_CLI_RECEIPT_ASK_H

#include <stdbool.h>

#include <jansson.h>

#include "base/attr.h"
#include "base/err.h"
#include "session.h"

struct cli;

struct receipt_ask {
    const char *path;    /* of --receipt; NULL: none is wanted */
    const char *subject; /* of --subject, or NULL */
    const char *names;   /* of --receipt-names, or NULL: hashed */
    int fd;              /* -1 */
    int opening_fd;      /* -1 */
    bool made;           /* the file was not there before */
    bool opening_made;   /* the same */
    json_t *lines;       /* strings */
    json_t *openings;    /* the same */
};

/* Options of `redact` (args.h), to be put among its own. */
#define RECEIPT_ASK_OPTS(ask)                                                  \
    {"receipt", ARG_TEXT, &(ask)->path, "FILE",                                \
     "write a signed receipt of each text, one a line, and to\nFILE.opening "  \
     "what the input can be checked by, which is for\nyou; see auth-guard "    \
     "receipt --help"},                                                        \
        {"subject", ARG_TEXT, &(ask)->subject, "TEXT",                         \
         "what it is about, for this text alone to be shown with\nit: a "      \
         "repository and the number of its pull request"},                     \
    {                                                                          \
        "receipt-names", ARG_TEXT, &(ask)->names, "hashed|plain",              \
            "how it calls the secrets that were found; hashed\nunless said "   \
            "otherwise"                                                        \
    }

/* AG_EUSAGE if a receipt is wanted, for something that can have none: what goes
 * in or comes out is not what the filter sees. */
AG_CHECK AG_NONNULL enum ag_err
receipt_ask_refuse(const struct receipt_ask *ask, const char *what);

/*
 * Checks what was said, and opens the file, while nothing has happened yet.
 * `here`: text is searched in this process too, which can vouch for nothing.
 * Errors: AG_EUSAGE; AG_EINVAL subject; those of open().
 */
AG_CHECK AG_NONNULL enum ag_err receipt_ask_begin(struct receipt_ask *ask,
                                                  bool here);
/* Files that were made, and have nothing in them since there was no receipt, go
 * again. */
AG_NONNULL void receipt_ask_done(struct receipt_ask *ask);

/* For the request of a stream. */
AG_NONNULL void receipt_ask_stream(const struct receipt_ask *ask,
                                   struct session_stream *stream);

/* The event that brings one, which is dropped. Warns of one that says that not
 * all was found. Errors: why there is none. */
AG_CHECK AG_NONNULL enum ag_err
receipt_ask_take(struct receipt_ask *ask, const struct cli *cli, json_t *event);

/* Writes what was gathered, if there was a stream for each of `count`. */
AG_CHECK AG_NONNULL enum ag_err receipt_ask_write(const struct receipt_ask *ask,
                                                  size_t count);

#endif
