/*
 * world.h - what providers have, played: the credentials they know, and each
 * change as an entry of the diary (shimvfs.h), so that after a power cut they
 * are as they were at that moment, while the disk may be behind. Here the
 * program on record that `command` and `ssh` start; services: worldnet.h. A test
 * program wraps runner_run, runner_is_alive and runner_hold.
 */
#ifndef AG_TESTS_WORLD_H
#define AG_TESTS_WORLD_H

#include <pthread.h>
#include <stdatomic.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/secret.h"
#include "common/shimvfs.h"
#include "privsep/runner.h"
#include "wire/json.h"

enum {
    WORLD_CREDS_COUNT = 8,
    WORLD_ID_BYTES = 64,
    WORLD_WORD_BYTES = 512,
    WORLD_PAST_COUNT = 256,
};

struct world_cred {
    bool is_there;
    bool is_off; /* known, and works no more */
    char id[WORLD_ID_BYTES];
    char word[WORLD_WORD_BYTES];
    int64_t made_ms;
};

struct world_state {
    struct world_cred creds[WORLD_CREDS_COUNT];
    unsigned made_count;
};

static struct {
    pthread_mutex_t lock; /* minters have threads of their own */
    struct world_state now;
    struct world_state past[WORLD_PAST_COUNT]; /* after each change */
    size_t past_count;
    bool refuses;            /* a check says no */
    atomic_uint asked_count; /* requests of any kind */
} world = {.lock = PTHREAD_MUTEX_INITIALIZER};

/* Under the lock: the provider has changed. */
static inline void
world_changed(void)
{
    if (!shim.on && world.past_count > 0) {
        return; /* nobody goes back to it */
    }
    assert_true(world.past_count < WORLD_PAST_COUNT);
    world.past[world.past_count] = world.now;
    shim_note(SHIM_ACK, -1, (int64_t)world.past_count, NULL, 0);
    world.past_count++;
}

/* It starts anew with one credential; word NULL: with none. */
static inline void
world_begin(const char *id, const char *word)
{
    world.now = (struct world_state){.made_count = 0};
    world.past_count = 0;
    world.refuses = false;
    if (word != NULL) {
        struct world_cred *cred = &world.now.creds[0];

        cred->is_there = true;
        (void)snprintf(cred->id, sizeof(cred->id), "%s", id);
        (void)snprintf(cred->word, sizeof(cred->word), "%s", word);
    }
    world_changed();
}

/* As it was after so many events of the diary. */
static inline void
world_at(size_t count)
{
    size_t at = 0;

    for (size_t i = 0; i < count; i++) {
        if (shim.events[i].op == SHIM_ACK) {
            at = (size_t)shim.events[i].at;
        }
    }
    world.now = world.past[at];
}

/* ---- under the lock ---- */

/* NULL: whichever. */
static inline struct world_cred *
world_find(const char *id, const char *word)
{
    for (size_t i = 0; i < WORLD_CREDS_COUNT; i++) {
        struct world_cred *cred = &world.now.creds[i];

        if (cred->is_there && (id == NULL || strcmp(cred->id, id) == 0) &&
            (word == NULL || strcmp(cred->word, word) == 0)) {
            return cred;
        }
    }
    return NULL;
}

static inline struct world_cred *
world_add(const char *id, const char *word)
{
    for (size_t i = 0; i < WORLD_CREDS_COUNT; i++) {
        struct world_cred *cred = &world.now.creds[i];

        if (!cred->is_there) {
            *cred = (struct world_cred){.is_there = true,
                                        .made_ms = clock_wall_ms()};
            (void)snprintf(cred->id, sizeof(cred->id), "%s", id);
            (void)snprintf(cred->word, sizeof(cred->word), "%s", word);
            world.now.made_count++;
            world_changed();
            return cred;
        }
    }
    fail_msg("the provider has %d credentials", WORLD_CREDS_COUNT);
    return NULL;
}

static inline void
world_drop(struct world_cred *cred)
{
    if (cred != NULL) {
        cred->is_there = false;
        world_changed();
    }
}

static inline size_t
world_count(void)
{
    size_t count = 0;

    (void)pthread_mutex_lock(&world.lock);
    for (size_t i = 0; i < WORLD_CREDS_COUNT; i++) {
        count += world.now.creds[i].is_there ? 1 : 0;
    }
    (void)pthread_mutex_unlock(&world.lock);
    return count;
}

/* ---- the program ---- */

static inline void
world_read(int fd, char out[WORLD_WORD_BYTES])
{
    ssize_t got = fd >= 0 ? read(fd, out, WORLD_WORD_BYTES - 1) : 0;

    assert_true(got >= 0);
    out[got] = '\0';
}

struct world_told {
    const char *act;
    const char *rotation;
    const char *old_key; /* of ssh */
    const char *new_key;
    bool is_ssh;
    char old_value[WORLD_WORD_BYTES];
    char new_value[WORLD_WORD_BYTES];
};

/* Lines of authorized_keys; repeated, each does nothing more. */
static inline bool
world_do_ssh(const struct world_told *told)
{
    const struct world_cred *there =
        told->new_key != NULL ? world_find(NULL, told->new_key) : NULL;

    if (strcmp(told->act, "verify") == 0) {
        return there != NULL && !world.refuses;
    }
    if (strcmp(told->act, "prepare") == 0 && there == NULL) {
        (void)world_add("", told->new_key);
    } else if (strcmp(told->act, "retire") == 0 && told->old_key != NULL) {
        world_drop(world_find(NULL, told->old_key));
    } else if (strcmp(told->act, "undo") == 0 && told->new_key != NULL) {
        world_drop(world_find(NULL, told->new_key));
    }
    return true;
}

/* A service that makes the value, or is given it; by the rotation's number. */
static inline bool
world_do_command(const struct world_told *told, int out_fd)
{
    const struct world_cred *there = world_find(told->rotation, NULL);
    char word[WORLD_WORD_BYTES];

    if (strcmp(told->act, "verify") == 0) {
        return world_find(NULL, told->new_value) != NULL && !world.refuses;
    }
    if (strcmp(told->act, "prepare") == 0) {
        (void)snprintf(word, sizeof(word), "%s", told->new_value);
        if (word[0] == '\0') {
            (void)snprintf(word, sizeof(word), "made-by-the-service-%04u",
                           world.now.made_count);
        }
        there = there == NULL ? world_add(told->rotation, word) : there;
        if (out_fd >= 0) {
            assert_int_equal(write(out_fd, there->word, strlen(there->word)),
                             strlen(there->word));
        }
    } else if (strcmp(told->act, "retire") == 0) {
        world_drop(world_find(NULL, told->old_value));
    } else {
        world_drop(world_find(told->rotation, NULL));
    }
    return true;
}

enum ag_err __wrap_runner_run(struct runner *r, const struct runner_job *job,
                              struct runner_result *ret, struct buf *output);
bool __wrap_runner_is_alive(struct runner *r);
void __wrap_runner_hold(struct runner *r, bool held);

enum ag_err
__wrap_runner_run(struct runner *r, const struct runner_job *job,
                  struct runner_result *ret, struct buf *output)
{
    AG_AUTO(wjson) json_t *input = NULL;
    struct world_told told = {.act = job->act};
    bool yes = false;

    (void)r;
    check_ok(wjson_parse(job->input, RUNNER_INPUT_MAX_BYTES, &input));
    told.rotation = json_string_value(json_object_get(input, "rotation"));
    told.is_ssh = json_object_get(input, "new_key") != NULL;
    told.old_key = json_string_value(json_object_get(input, "old_key"));
    told.new_key = json_string_value(json_object_get(input, "new_key"));
    world_read(job->old_fd, told.old_value);
    world_read(job->new_fd, told.new_value);
    (void)pthread_mutex_lock(&world.lock);
    (void)atomic_fetch_add(&world.asked_count, 1);
    yes = told.is_ssh ? world_do_ssh(&told)
                      : world_do_command(&told, job->out_fd);
    (void)pthread_mutex_unlock(&world.lock);
    *ret = (struct runner_result){.status = 0};
    return buf_add_str(
        output, yes ? "{\"outcome\":\"done\"}"
                    : "{\"outcome\":\"refused\",\"code\":\"not_known\"}");
}

bool
__wrap_runner_is_alive(struct runner *r)
{
    return r != NULL;
}

void
__wrap_runner_hold(struct runner *r, bool held)
{
    (void)r;
    (void)held;
}

#endif
