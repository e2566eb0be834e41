/*
 * filter_rig.h - a filter process under test and its streams.
 */
#ifndef AG_TESTS_FILTER_RIG_H
#define AG_TESTS_FILTER_RIG_H

#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <unistd.h>

#include <linux/capability.h>

#include "base/fdx.h"
#include "base/secret.h"
#include "common/check.h"
#include "privsep/filter.h"
#include "privsep/spawn.h"

#define VALUE  "ghp_38aIBnYYURLgfB0eKJkwreHBIgJLVHKtP3sk"
#define BASE64 "Z2hwXzM4YUlCbllZVVJMZ2ZCMGVLSmt3cmVIQklnSkxWSEt0UDNzaw=="

enum {
    WAIT_MS = 60000, /* a failing test ends; a passing one never waits */
    RIG_ARENA_BYTES = 1024 * 1024,
    LOCK_LIMIT_BYTES = 8 * 1024 * 1024,
};

struct fixture {
    struct filter *filter;
    sem_t died;
};

/* One stream under test and how it ended. */
struct stream {
    int in;  /* we write */
    int out; /* we read */
    uint64_t id;
    sem_t ended;
    sem_t told; /* of hits while it runs */
    uint64_t hits_so_far;
    enum ag_err result;
    uint64_t hits;
    uint64_t bytes_in;
    uint64_t bytes_out;
    size_t rows;
    uint64_t row_id;
    uint64_t row_count;
    uint64_t row_offset;
    char row_name[64];
    char row_form[32];
};

static inline void
on_death(void *arg)
{
    struct fixture *f = arg;

    (void)sem_post(&f->died);
}

static inline void
on_end(void *arg, const struct filter_report *report)
{
    struct stream *s = arg;

    s->result = report->result;
    s->hits = report->hits;
    s->bytes_in = report->bytes_in;
    s->bytes_out = report->bytes_out;
    s->rows = report->count_count;
    if (report->count_count > 0) {
        s->row_id = report->counts[0].id;
        s->row_count = report->counts[0].count;
        s->row_offset = report->counts[0].first_offset;
        (void)snprintf(s->row_name, sizeof(s->row_name), "%s",
                       report->counts[0].name);
        (void)snprintf(s->row_form, sizeof(s->row_form), "%s",
                       report->counts[0].form);
    }
    (void)sem_post(&s->ended);
}

static inline void
on_hits(void *arg, const struct filter_report *report)
{
    struct stream *s = arg;

    s->hits_so_far = report->hits;
    (void)sem_post(&s->told);
}

static inline void
wait_sem(sem_t *sem)
{
    struct timespec end;

    (void)clock_gettime(CLOCK_REALTIME, &end);
    end.tv_sec += WAIT_MS / 1000;
    while (sem_timedwait(sem, &end) != 0) {
        assert_int_equal(errno, EINTR);
    }
}

static inline int
begin(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));

    assert_non_null(f);
    (void)sem_init(&f->died, 0, 0);
    check_ok(filter_start(on_death, f, &f->filter));
    *state = f;
    return 0;
}

static inline int
finish(void **state)
{
    struct fixture *f = *state;

    filter_stop(f->filter);
    free(f);
    assert_int_equal(secret_arena_used_bytes(), 0);
    return 0;
}

static inline void
load(struct fixture *f, uint64_t id, const char *name, const char *value)
{
    AG_AUTO(secret) struct secret *s = NULL;

    check_ok(secret_from(span_str(value), &s));
    check_ok(filter_load(f->filter, id, name, s, FILTER_LOAD_PLAIN));
}

static inline uint64_t
commit(struct fixture *f)
{
    uint64_t epoch = 0;

    check_ok(filter_commit(f->filter, &epoch));
    return epoch;
}

static inline enum ag_err
try_open(struct fixture *f, struct stream *s, const struct filter_options *o)
{
    struct filter_route route = {.ended = on_end, .hits = on_hits, .arg = s};
    int in[2];
    int out[2];
    enum ag_err err;

    memset(s, 0, sizeof(*s));
    (void)sem_init(&s->ended, 0, 0);
    (void)sem_init(&s->told, 0, 0);
    assert_int_equal(pipe2(in, O_CLOEXEC), 0);
    assert_int_equal(pipe2(out, O_CLOEXEC), 0);
    route.src_fd = in[0];
    route.dst_fd = out[1];
    if (o != NULL) {
        route.options = *o;
    }
    err = filter_stream(f->filter, &route, &s->id);
    fd_close(in[0]);
    fd_close(out[1]);
    s->in = in[1];
    s->out = out[0];
    return err;
}

static inline void
say(struct stream *s, const char *text)
{
    check_ok(fd_write_all(s->in, span_str(text)));
}

/* What comes out next must be exactly this. */
static inline void
hear(struct stream *s, const char *want)
{
    size_t len = strlen(want);
    char *got = calloc(1, len + 1);
    size_t at = 0;

    assert_non_null(got);
    while (at < len) {
        struct pollfd pfd = {.fd = s->out, .events = POLLIN};
        ssize_t n;

        assert_int_equal(poll(&pfd, 1, WAIT_MS), 1);
        n = read(s->out, got + at, len - at);
        if (n <= 0) {
            wait_sem(&s->ended);
            fail_msg("%s: end after \"%s\", wanted \"%s\"", err_code(s->result),
                     got, want);
        }
        at += (size_t)n;
    }
    assert_string_equal(got, want);
    free(got);
}

static inline void
hear_end(struct stream *s)
{
    char byte;
    ssize_t n = read(s->out, &byte, 1);

    if (n != 0) {
        fail_msg("'%c' instead of the end", byte);
    }
}

static inline void
shut(struct stream *s, enum ag_err want)
{
    fd_close(s->in);
    s->in = -1;
    wait_sem(&s->ended);
    assert_string_equal(err_code(s->result), err_code(want));
    fd_close(s->out);
}

/* Root may lock what it likes; the test wants the limit to count. */
static inline void
obey_limits(void)
{
    struct __user_cap_header_struct head = {.version =
                                                _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct data[2];
    const struct rlimit limit = {LOCK_LIMIT_BYTES, LOCK_LIMIT_BYTES};

    if (syscall(SYS_capget, &head, data) == 0) {
        const uint32_t bit = 1U << CAP_IPC_LOCK;

        data[0].effective &= ~bit;
        data[0].permitted &= ~bit;
        data[0].inheritable &= ~bit;
        (void)syscall(SYS_prctl, 24 /* PR_CAPBSET_DROP */, CAP_IPC_LOCK);
        (void)syscall(SYS_capset, &head, data);
    }
    (void)setrlimit(RLIMIT_MEMLOCK, &limit);
}

/* Call from main(): the helper's life if this is the helper, else gets this
 * process ready. *ret: the exit code of a helper. */
static inline bool
rig_is_helper(int argc, char **argv, int *ret)
{
    if (argc == 2 && strcmp(argv[1], spawn_argument(SPAWN_FILTER)) == 0) {
        *ret = filter_main(SPAWN_CHANNEL_FD, NULL);
        return true;
    }
    (void)signal(SIGPIPE, SIG_IGN);
    obey_limits();
    check_ok(secret_arena_open((size_t)RIG_ARENA_BYTES));
    return false;
}

#define RIG_ROW(name) cmocka_unit_test_setup_teardown(name, begin, finish)

#endif
