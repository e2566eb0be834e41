/*
 * check.h - what this machine offers: one function for each thing doctor looks
 * at. None needs the broker.
 * Floor: cli. Depends on: base/paths.
 */
#ifndef AG_CLI_CHECK_H
#define AG_CLI_CHECK_H

#include "base/attr.h"
#include "base/err.h"

struct cli;

enum check_verdict {
    CHECK_GOOD,
    CHECK_NOTE, /* works, with less */
    CHECK_BAD,  /* something will not work */
};

enum {
    CHECK_TEXT_BYTES = 256,
};

struct check_result {
    enum check_verdict verdict;
    char found[CHECK_TEXT_BYTES];
    char advice[CHECK_TEXT_BYTES]; /* empty when good */
};

struct check {
    const char *name;
    void (*run)(struct cli *cli, struct check_result *ret);
};

/* In the order of the report, ended by a row without a name. */
extern const struct check check_table[];

/* Rows of check_kernel.c and check_files.c. */
typedef void check_fn(struct cli *cli, struct check_result *ret);
check_fn check_memlock, check_memfd_secret, check_namespaces, check_landlock,
    check_peerpidfd, check_ptrace, check_plaintext;

AG_PRINTF(3, 4)
void check_says(struct check_result *ret, enum check_verdict verdict,
                const char *found, ...);
AG_PRINTF(2, 3)
void check_advises(struct check_result *ret, const char *advice, ...);

#endif
