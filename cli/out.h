/*
 * out.h - what the command line says: products on stdout, words on stderr, one
 * shape for people and one (--json) for programs.
 * Floor: cli. Depends on: base/err, jansson.
 *
 * Text that came from elsewhere (names, details, purposes) is shown with
 * control bytes as \xNN, so that nobody's terminal is steered by it. Colour
 * only where the stream is a terminal and NO_COLOR is not set.
 */
#ifndef AG_CLI_OUT_H
#define AG_CLI_OUT_H

#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

#include "base/attr.h"
#include "base/err.h"
#include "base/span.h"

struct out {
    bool json;
    bool quiet;         /* no words on stderr but errors */
    bool stdout_colour; /* colours, and a table fitted to the terminal */
    bool stderr_colour;
    bool stderr_terminal; /* progress is shown */
};

enum out_tone {
    OUT_PLAIN,
    OUT_GOOD,
    OUT_WARN,
    OUT_BAD,
    OUT_DIM,
    OUT_BOLD,
};

AG_NONNULL void out_init(struct out *out);

/* One line on stderr unless quiet; nothing with --json. */
AG_PRINTF(2, 3) void out_say(const struct out *out, const char *fmt, ...);

/* The same with a leading "warning:", also with --json. */
AG_PRINTF(2, 3) void out_warn(const struct out *out, const char *fmt, ...);

/* One line of the product on stdout, for people. Not used with --json. */
AG_PRINTF(3, 4)
void out_line(const struct out *out, enum out_tone tone, const char *fmt, ...);

/* The product with --json: one object, compact with a newline. */
AG_CHECK AG_NONNULL enum ag_err out_json(const struct out *out,
                                         const json_t *value);

/* The failure of a verb: one sentence, or {"error":{code,detail}} on stderr. */
AG_NONNULL void out_error(const struct out *out, enum ag_err err);

/* Raw bytes of the product (a value): all of it. Errors: AG_EIO. */
AG_CHECK enum ag_err out_bytes(struct span bytes);

/* Flushes stdout; AG_EIO or AG_ENOSPACE when something was lost. */
AG_CHECK enum ag_err out_flush(void);

/* A word that stays while something takes time, only on a terminal; NULL takes
 * it away. */
void out_progress(const struct out *out, const char *what);

/*
 * A table: columns in order, cells borrowed until out_table_print().
 * Cells are const char *, NULL shows as "-".
 */
enum {
    OUT_COLUMNS_MAX_COUNT = 12,
};

struct out_column {
    const char *title;
    bool right; /* aligned right: numbers */
};

struct out_table;
AG_CHECK AG_NONNULL enum ag_err out_table_new(const struct out_column *columns,
                                              size_t column_count,
                                              struct out_table **ret);
void out_table_free(struct out_table *t);
AG_DEFINE_CLEANUP(out_table, out_table_free)

/* Copies the cells of one row. Errors: AG_ENOMEM, AG_ELIMIT. */
AG_CHECK AG_NONNULL enum ag_err out_table_add(struct out_table *t,
                                              const char *const *cells);
AG_CHECK AG_NONNULL enum ag_err out_table_print(const struct out *out,
                                                const struct out_table *t);

/* "3 minutes ago", "in 2 h" for an RFC 3339 text; "-" for NULL. Static buffer
 * of the caller. */
enum {
    OUT_WHEN_BYTES = 40,
};

const char *out_when(const char *rfc3339, char out[OUT_WHEN_BYTES]);

/* Members of an answer, for printing: never NULL ("-" when absent). */
const char *out_member(const json_t *object, const char *key);
int64_t out_member_int(const json_t *object, const char *key);

#endif
