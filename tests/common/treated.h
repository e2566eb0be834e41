/*
 * treated.h - a database of a test's directory through treat_file(), and what
 * became of it.
 */
#ifndef AG_TESTS_COMMON_TREATED_H
#define AG_TESTS_COMMON_TREATED_H

#include <dirent.h>
#include <signal.h>

#include "common/databases.h"
#include "transcript/swap.h"

#define VALUE        TRANSCRIPT_VALUE
#define INSERT_VALUE ("INSERT INTO t VALUES ('" VALUE "')")

static struct passage treated_passage = {.run = database_pass};

static inline int
treated_setup(void **state)
{
    (void)signal(SIGIO, SIG_IGN);
    transcript_meanwhile = NULL;
    treated_passage.failed = false;
    database_passes = 0;
    return scratch_open(state);
}

static inline void
treated_do(const char *name, bool look_only, struct treat_result *ret)
{
    const struct treat t = {.passage = &treated_passage,
                            .look_only = look_only};

    check_ok(treat_file(&t, scratch.fd, name, name, ret));
    treat_result_done(ret);
}

static inline void
treated_state(const char *name, bool look_only, enum treat_state state,
              int64_t hits)
{
    struct treat_result r;

    treated_do(name, look_only, &r);
    if (r.state != state || r.hits != hits) {
        fail_msg("%s: state %d, %d hits: %s", name, (int)r.state, (int)r.hits,
                 r.err == AG_OK ? "" : r.why);
    }
    assert_false(r.not_wiped);
}

static inline void
treated_left(const char *name, enum ag_err err, const char *why)
{
    struct treat_result r;

    treated_do(name, false, &r);
    assert_int_equal(r.state, TREAT_LEFT);
    if (r.err != err || strstr(r.why, why) == NULL) {
        fail_msg("%s, not \"%s\": %s", err_code(r.err), why, r.why);
    }
}

static inline void
treated_answer(const char *name, const char *sql, const char *want)
{
    assert_string_equal(database_ask(name, sql), want);
}

/* Nothing but these many names. */
static inline void
treated_count(int count)
{
    struct dirent **entries = NULL;
    int found = scandirat(scratch.fd, ".", &entries, NULL, alphasort);

    for (int i = 0; i < found; i++) {
        free(entries[i]);
    }
    free(entries);
    assert_int_equal(found, count + 2);
}

#endif
