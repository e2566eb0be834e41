/* The filter as a process of its own: sets, streams, how they end, and what
 * is left when it is killed. */
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
    WAIT_MS = 20000, /* a failing test ends; a passing one never waits */
    MANY_VALUES = 10000,
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

static void
on_death(void *arg)
{
    struct fixture *f = arg;

    (void)sem_post(&f->died);
}

static void
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

static void
wait_sem(sem_t *sem)
{
    struct timespec end;

    (void)clock_gettime(CLOCK_REALTIME, &end);
    end.tv_sec += WAIT_MS / 1000;
    while (sem_timedwait(sem, &end) != 0) {
        assert_int_equal(errno, EINTR);
    }
}

static int
begin(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));

    assert_non_null(f);
    (void)sem_init(&f->died, 0, 0);
    check_ok(filter_start(on_death, f, &f->filter));
    *state = f;
    return 0;
}

static int
finish(void **state)
{
    struct fixture *f = *state;

    filter_stop(f->filter);
    free(f);
    assert_int_equal(secret_arena_used_bytes(), 0);
    return 0;
}

static void
load(struct fixture *f, uint64_t id, const char *name, const char *value)
{
    AG_AUTO(secret) struct secret *s = NULL;

    check_ok(secret_from(span_str(value), &s));
    check_ok(filter_load(f->filter, id, name, s, FILTER_LOAD_PLAIN));
}

static uint64_t
commit(struct fixture *f)
{
    uint64_t epoch = 0;

    check_ok(filter_commit(f->filter, &epoch));
    return epoch;
}

static enum ag_err
try_open(struct fixture *f, struct stream *s, const struct filter_options *o)
{
    struct filter_route route = {.ended = on_end, .arg = s};
    int in[2];
    int out[2];
    enum ag_err err;

    memset(s, 0, sizeof(*s));
    (void)sem_init(&s->ended, 0, 0);
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

static void
say(struct stream *s, const char *text)
{
    check_ok(fd_write_all(s->in, span_str(text)));
}

/* What comes out next must be exactly this. */
static void
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

static void
hear_end(struct stream *s)
{
    char byte;
    ssize_t n = read(s->out, &byte, 1);

    if (n != 0) {
        fail_msg("'%c' instead of the end", byte);
    }
}

static void
shut(struct stream *s, enum ag_err want)
{
    fd_close(s->in);
    s->in = -1;
    wait_sem(&s->ended);
    assert_string_equal(err_code(s->result), err_code(want));
    fd_close(s->out);
}

/* ---- streams ---- */

static void
test_a_stream_is_redacted_and_reported(void **state)
{
    struct fixture *f = *state;
    struct stream s;

    load(f, 7, "github/bot", VALUE);
    assert_int_equal(commit(f), 1);
    check_ok(try_open(f, &s, NULL));
    say(&s, "one " VALUE "\n");
    hear(&s, "one [redacted:github/bot]\n");
    say(&s, "two " VALUE "\nthree " BASE64 "\n");
    hear(&s, "two [redacted:github/bot]\nthree [redacted:github/bot]w==\n");
    fd_close(s.in);
    s.in = -1;
    hear_end(&s);
    shut(&s, AG_OK);
    assert_int_equal(s.hits, 3);
    assert_int_equal(s.rows, 2);
    assert_int_equal(s.row_id, 7);
    assert_string_equal(s.row_name, "github/bot");
    assert_string_equal(s.row_form, "raw");
    assert_int_equal(s.row_count, 2);
    assert_int_equal(s.row_offset, 4);
    assert_int_equal(s.bytes_in, 4 + 40 + 1 + 4 + 40 + 1 + 6 + 56 + 1);
}

static void
test_without_a_set_nothing_passes(void **state)
{
    struct fixture *f = *state;
    struct stream s;

    check_err(try_open(f, &s, NULL), AG_ELOCKED);
    fd_close(s.in);
    fd_close(s.out);
    assert_int_equal(commit(f), 1); /* of an empty vault */
    check_ok(try_open(f, &s, NULL));
    say(&s, "text\n");
    hear(&s, "text\n");
    shut(&s, AG_OK);
}

static void
test_a_wipe_ends_streams_and_forgets(void **state)
{
    struct fixture *f = *state;
    struct filter_stats stats;
    struct stream s;
    struct stream late;

    load(f, 1, "a", VALUE);
    (void)commit(f);
    check_ok(try_open(f, &s, NULL));
    say(&s, "before ghp_38aIBnYYURLgfB0e"); /* held: it may go on */
    hear(&s, "before ");
    check_ok(filter_wipe(f->filter));
    wait_sem(&s.ended);
    assert_int_equal(s.result, AG_ELOCKED);
    check_err(try_open(f, &late, NULL), AG_ELOCKED);
    fd_close(late.in);
    fd_close(late.out);
    fd_close(s.in);
    fd_close(s.out);
    check_ok(filter_stats(f->filter, &stats));
    assert_int_equal(stats.epoch, 0);
    assert_int_equal(stats.value_count, 0);
    load(f, 2, "b", VALUE);
    assert_int_equal(commit(f), 2);
    check_ok(try_open(f, &s, NULL));
    say(&s, VALUE "\n");
    hear(&s, "[redacted:b]\n");
    shut(&s, AG_OK);
}

static void
test_a_commit_holds_for_live_streams(void **state)
{
    struct fixture *f = *state;
    struct stream s;
    uint64_t epoch;

    epoch = commit(f);
    check_ok(try_open(f, &s, NULL));
    say(&s, VALUE "\n");
    hear(&s, VALUE "\n");
    load(f, 1, "late", VALUE);
    assert_int_equal(commit(f), epoch + 1);
    assert_int_equal(commit(f), epoch + 1);
    say(&s, VALUE "\n");
    hear(&s, "[redacted:late]\n");
    check_ok(filter_drop(f->filter, 1));
    load(f, 2, "other", "another-Value-5519");
    (void)commit(f);
    say(&s, VALUE " another-Value-5519\n");
    hear(&s, VALUE " [redacted:other]\n");
    load(f, 2, "renamed", "another-Value-5519");
    load(f, 2, "replaced", "third+Value+8841");
    (void)commit(f);
    say(&s, "another-Value-5519 third+Value+8841\n");
    hear(&s, "another-Value-5519 [redacted:replaced]\n");
    shut(&s, AG_OK);
}

static void
test_held_bytes_meet_the_next_set(void **state)
{
    struct fixture *f = *state;
    struct stream s;

    load(f, 1, "first", "ABCDEFGH-first-12345");
    (void)commit(f);
    check_ok(try_open(f, &s, NULL));
    say(&s, "x ABCDEFGH-");
    hear(&s, "x ");
    load(f, 2, "second", "ABCDEFGH-second-678");
    (void)commit(f);
    say(&s, "second-678\n");
    /* A quarter may have been shown if the machine was slow: 20 ms. */
    fd_close(s.in);
    s.in = -1;
    wait_sem(&s.ended);
    assert_int_equal(s.result, AG_OK);
    assert_int_equal(s.hits, 1);
    assert_string_equal(s.row_name, "second");
    fd_close(s.out);
}

static void
test_idle_shows_at_most_a_quarter(void **state)
{
    struct fixture *f = *state;
    struct stream s;

    load(f, 1, "a", VALUE);
    (void)commit(f);
    check_ok(try_open(f, &s, NULL));
    say(&s, "$ ghp_38aIBnYYURLgfB0eK");
    hear(&s, "$ ghp_38aIBn"); /* 10 of 40 characters, without more input */
    say(&s, "JkwreHBIgJLVHKtP3sk\n");
    hear(&s, "[redacted:a]\n");
    shut(&s, AG_OK);
}

/* ---- ends ---- */

static void
test_cancel_while_waiting_for_input(void **state)
{
    struct fixture *f = *state;
    struct stream s;

    (void)commit(f);
    check_ok(try_open(f, &s, NULL));
    check_ok(filter_cancel(f->filter, s.id));
    wait_sem(&s.ended);
    assert_int_equal(s.result, AG_EREVOKED);
    hear_end(&s);
    check_ok(filter_cancel(f->filter, s.id));
    fd_close(s.in);
    fd_close(s.out);
}

static void
test_cancel_and_commit_while_the_reader_sleeps(void **state)
{
    struct fixture *f = *state;
    struct stream s;
    char block[4096];
    struct filter_stats stats;

    (void)commit(f);
    check_ok(try_open(f, &s, NULL));
    memset(block, 'x', sizeof(block));
    check_ok(fd_set_nonblock(s.in, true));
    for (;;) { /* until both pipes are full and the thread is stuck */
        struct pollfd pfd = {.fd = s.in, .events = POLLOUT};

        if (poll(&pfd, 1, 50) == 0) {
            break;
        }
        (void)!write(s.in, block, sizeof(block));
    }
    load(f, 1, "a", VALUE);
    (void)commit(f); /* must not wait for the sleeper */
    check_ok(filter_stats(f->filter, &stats));
    assert_int_equal(stats.stream_count, 1);
    check_ok(filter_cancel(f->filter, s.id));
    wait_sem(&s.ended);
    assert_int_equal(s.result, AG_EREVOKED);
    fd_close(s.in);
    fd_close(s.out);
}

static void
test_a_reader_that_goes_ends_the_stream(void **state)
{
    struct fixture *f = *state;
    struct stream s;

    (void)commit(f);
    check_ok(try_open(f, &s, NULL));
    fd_close(s.out);
    say(&s, "nobody reads this\n");
    wait_sem(&s.ended);
    assert_int_equal(s.result, AG_EIO);
    fd_close(s.in);
}

static void
test_a_killed_helper_lets_nothing_through(void **state)
{
    struct fixture *f = *state;
    struct stream s;
    uint64_t epoch;

    load(f, 1, "a", VALUE);
    (void)commit(f);
    check_ok(try_open(f, &s, NULL));
    say(&s, "text ghp_38aIBnYYURLgfB0eKJkwreHBIgJLVHKtP3");
    hear(&s, "text ");
    assert_int_equal(kill(filter_pid(f->filter), SIGKILL), 0);
    wait_sem(&f->died);
    wait_sem(&s.ended);
    assert_int_equal(s.result, AG_EFILTER);
    assert_false(filter_is_alive(f->filter));
    check_err(filter_commit(f->filter, &epoch), AG_EFILTER);
    check_err(try_open(f, &(struct stream){.in = -1}, NULL), AG_EFILTER);
    fd_close(s.in);
    /* At most the quarter of an idle value, never the rest. */
    {
        char rest[64] = {0};
        ssize_t n = read(s.out, rest, sizeof(rest) - 1);

        assert_true(n >= 0 && n <= 10);
        assert_memory_equal(rest, VALUE, (size_t)n);
        hear_end(&s);
    }
    fd_close(s.out);
}

static void
test_a_terminal_ends_with_its_last_user(void **state)
{
    struct fixture *f = *state;
    struct stream s;
    struct filter_route route = {.ended = on_end, .arg = &s};
    int out[2];
    int master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
    int slave;

    load(f, 1, "a", VALUE);
    (void)commit(f);
    memset(&s, 0, sizeof(s));
    (void)sem_init(&s.ended, 0, 0);
    assert_true(master >= 0);
    assert_int_equal(grantpt(master), 0);
    assert_int_equal(unlockpt(master), 0);
    slave = ioctl(master, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
    assert_true(slave >= 0);
    assert_int_equal(pipe2(out, O_CLOEXEC), 0);
    route.src_fd = master;
    route.dst_fd = out[1];
    check_ok(filter_stream(f->filter, &route, &s.id));
    fd_close(out[1]);
    s.out = out[0];
    assert_int_equal(fcntl(master, F_GETFL) & O_NONBLOCK, 0);
    check_ok(fd_write_all(slave, span_str("tty " VALUE "\n")));
    hear(&s, "tty [redacted:a]\r\n");
    fd_close(slave);
    wait_sem(&s.ended);
    assert_int_equal(s.result, AG_OK);
    hear_end(&s);
    fd_close(master);
    fd_close(s.out);
}

static void
test_only_so_many_streams(void **state)
{
    struct fixture *f = *state;
    static struct stream s[FILTER_STREAMS_MAX_COUNT + 1];
    size_t i;

    (void)commit(f);
    for (i = 0; i < FILTER_STREAMS_MAX_COUNT; i++) {
        check_ok(try_open(f, &s[i], NULL));
    }
    check_err(try_open(f, &s[i], NULL), AG_ELIMIT);
    fd_close(s[i].in);
    fd_close(s[i].out);
    for (i = 0; i < FILTER_STREAMS_MAX_COUNT; i++) {
        say(&s[i], "still\n");
        hear(&s[i], "still\n");
        shut(&s[i], AG_OK);
    }
    check_ok(try_open(f, &s[0], NULL));
    shut(&s[0], AG_OK);
}

/* ---- bodies ---- */

static void
note(void *arg, const struct filter_report *report)
{
    *(uint64_t *)arg = report->hits;
}

static void
check_body(struct fixture *f, const struct filter_options *options,
           const char *in, const char *want, uint64_t want_hits)
{
    AG_AUTO(buf) struct buf out = {0};
    uint64_t hits = 99;

    buf_init(&out, FILTER_BODY_MAX_BYTES, BUF_WIPE);
    check_ok(filter_body(f->filter, span_str(in), options, &out, note, &hits));
    check_span(buf_view(&out), want);
    assert_int_equal(hits, want_hits);
}

static void
test_a_body(void **state)
{
    struct fixture *f = *state;
    const struct filter_options operator_ = {.audience = FILTER_OPERATOR};
    const struct filter_options task = {.audience = FILTER_TASK};
    const struct filter_options plain = {.marker = "***"};
    const struct filter_options bad = {.marker = "%s %d"};
    AG_AUTO(buf) struct buf out = {0};

    buf_init(&out, 64, BUF_PLAIN);
    check_err(
        filter_body(f->filter, span_str("x"), &operator_, &out, NULL, NULL),
        AG_ELOCKED);
    load(f, 1, "a", VALUE);
    load(f, 2, "pin", "q7Zk2");
    (void)commit(f);
    check_body(f, &operator_, "", "", 0);
    check_body(f, &operator_, "no end " VALUE, "no end [redacted:a]", 1);
    check_body(f, &operator_, "pin q7Zk2.", "pin [redacted:pin].", 1);
    check_body(f, &task, "pin q7Zk2. " VALUE, "pin q7Zk2. [redacted:a]", 1);
    check_body(f, &plain, VALUE "\n", "***\n", 1);
    check_err(filter_body(f->filter, span_str("x"), &bad, &out, NULL, NULL),
              AG_EINVAL);
    check_err(filter_body(f->filter,
                          span_str("a longer text than its buffer may hold, "
                                   "which is sixty-four bytes and no more"),
                          &operator_, &out, NULL, NULL),
              AG_ELIMIT);
}

static void
test_a_large_body(void **state)
{
    struct fixture *f = *state;
    const struct filter_options options = {.audience = FILTER_TASK};
    AG_AUTO(buf) struct buf in = {0};
    AG_AUTO(buf) struct buf out = {0};
    uint64_t hits = 0;
    size_t lines = 0;

    load(f, 1, "a", VALUE);
    (void)commit(f);
    buf_init(&in, FILTER_BODY_MAX_BYTES, BUF_PLAIN);
    buf_init(&out, FILTER_BODY_MAX_BYTES, BUF_PLAIN);
    while (in.len + 100 < FILTER_BODY_MAX_BYTES) {
        check_ok(buf_fmt(&in, "line %zu: %s\n", lines++, VALUE));
    }
    check_ok(
        filter_body(f->filter, buf_view(&in), &options, &out, note, &hits));
    assert_int_equal(hits, lines);
    assert_null(memmem(out.ptr, out.len, VALUE, strlen(VALUE)));
    check_ok(buf_add(&in, span_of(in.ptr, 50)));
    assert_int_equal(out.len, in.len - 50 - lines * (40 - 12));
}

/* ---- sizes ---- */

static void
random_value(char *out, uint32_t seed)
{
    static const char ALPHABET[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
    uint64_t x = seed * 0x9e3779b97f4a7c15ULL + 1;
    size_t i;

    memcpy(out, "ghp_", 4);
    for (i = 4; i < 40; i++) {
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
        out[i] = ALPHABET[x % 62];
    }
    out[40] = 0;
}

static void
test_ten_thousand_values_fit_the_default_limit(void **state)
{
    struct fixture *f = *state;
    struct filter_stats stats;
    struct stream s;
    char value[64];
    char name[64];
    uint32_t i;

    for (i = 0; i < MANY_VALUES; i++) {
        random_value(value, i);
        (void)snprintf(name, sizeof(name), "team/service-%u", i);
        load(f, i, name, value);
    }
    (void)commit(f);
    check_ok(try_open(f, &s, NULL));
    random_value(value, MANY_VALUES);
    load(f, MANY_VALUES, "new", value); /* old and new set at once */
    (void)commit(f);
    check_ok(filter_stats(f->filter, &stats));
    print_message("%llu values, %llu forms, %llu KiB locked\n",
                  (unsigned long long)stats.value_count,
                  (unsigned long long)stats.entry_count,
                  (unsigned long long)stats.locked_bytes / 1024);
    assert_int_equal(stats.value_count, MANY_VALUES + 1);
    assert_true(stats.locked_bytes < LOCK_LIMIT_BYTES / 2);
    for (i = 0; i <= MANY_VALUES; i += 1000) {
        random_value(value, i);
        say(&s, value);
        say(&s, "\n");
        (void)snprintf(name, sizeof(name), "[redacted:team/service-%u]\n", i);
        hear(&s, i == MANY_VALUES ? "[redacted:new]\n" : name);
    }
    shut(&s, AG_OK);
}

static void
test_a_value_of_the_largest_size(void **state)
{
    struct fixture *f = *state;
    AG_AUTO(secret) struct secret *big = NULL;
    AG_AUTO(secret) struct secret *larger = NULL;
    AG_AUTO(buf) struct buf out = {0};
    const struct filter_options options = {.audience = FILTER_OPERATOR};
    uint64_t hits = 0;
    size_t i;

    check_ok(secret_new(FILTER_VALUE_MAX_BYTES, &big));
    for (i = 0; i + 40 <= FILTER_VALUE_MAX_BYTES; i += 40) {
        char value[64];

        random_value(value, (uint32_t)i);
        memcpy(secret_bytes(big) + i, value, 40);
    }
    memset(secret_bytes(big) + i, 'z', FILTER_VALUE_MAX_BYTES - i);
    load(f, 1, "small", VALUE);
    check_ok(filter_load(f->filter, 2, "big", big, FILTER_LOAD_PLAIN));
    (void)commit(f);
    buf_init(&out, FILTER_BODY_MAX_BYTES, BUF_PLAIN);
    check_ok(
        filter_body(f->filter, secret_view(big), &options, &out, note, &hits));
    check_span(buf_view(&out), "[redacted:big]");
    assert_int_equal(hits, 1);
    check_ok(secret_new(FILTER_VALUE_MAX_BYTES + 1, &larger));
    check_err(filter_load(f->filter, 3, "larger", larger, FILTER_LOAD_PLAIN),
              AG_ELIMIT);
}

/* Root may lock what it likes; the test wants the limit to count. */
static void
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

int
main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
#define ROW(name) cmocka_unit_test_setup_teardown(name, begin, finish)
        ROW(test_a_stream_is_redacted_and_reported),
        ROW(test_without_a_set_nothing_passes),
        ROW(test_a_wipe_ends_streams_and_forgets),
        ROW(test_a_commit_holds_for_live_streams),
        ROW(test_held_bytes_meet_the_next_set),
        ROW(test_idle_shows_at_most_a_quarter),
        ROW(test_cancel_while_waiting_for_input),
        ROW(test_cancel_and_commit_while_the_reader_sleeps),
        ROW(test_a_reader_that_goes_ends_the_stream),
        ROW(test_a_killed_helper_lets_nothing_through),
        ROW(test_a_terminal_ends_with_its_last_user),
        ROW(test_only_so_many_streams),
        ROW(test_a_body),
        ROW(test_a_large_body),
        ROW(test_ten_thousand_values_fit_the_default_limit),
        ROW(test_a_value_of_the_largest_size),
    };

    if (argc == 2 && strcmp(argv[1], spawn_argument(SPAWN_FILTER)) == 0) {
        return filter_main(SPAWN_CHANNEL_FD);
    }
    (void)signal(SIGPIPE, SIG_IGN);
    obey_limits();
    if (secret_arena_open(1024 * 1024) != AG_OK) {
        return 1;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
