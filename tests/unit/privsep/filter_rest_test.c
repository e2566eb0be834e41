/* Every value of a stream is told, however many there are, and before the text
 * that it was found in goes on: filter_tell.h. */
#include "filter_rig.h"

enum {
    VALUES_COUNT = 300, /* more than two reports have rows */
    VALUE_BYTES = 16,
    LINE_BYTES = VALUE_BYTES + 1,
    ROUNDS = 3,
};

_Static_assert(VALUES_COUNT > 2 * (int)FILTER_COUNTS_MAX_COUNT, "too few");

/* What was told of each value; the filter's thread writes, the test reads when
 * the stream has ended. */
struct many {
    sem_t ended;
    sem_t told;
    uint64_t so_far[VALUES_COUNT]; /* of the report's rows */
    uint64_t rest[VALUES_COUNT];   /* of the others */
    uint64_t hits;
    enum ag_err result;
    int in;
    int out;
};

static void
value_of(size_t i, char out[VALUE_BYTES + 1])
{
    (void)snprintf(out, VALUE_BYTES + 1, "k%03zuQz7Wm2Xt9Rb%zu", i % 1000,
                   i % 10);
}

static void
on_many(void *arg, const struct filter_report *report)
{
    struct many *m = arg;

    for (size_t i = 0; i < report->count_count; i++) {
        m->so_far[report->counts[i].id - 1] = report->counts[i].count;
    }
    m->hits = report->hits;
    (void)sem_post(&m->told);
}

static void
on_many_rest(void *arg, const struct filter_report *report)
{
    struct many *m = arg;
    uint64_t sum = 0;

    assert_in_range(report->count_count, 1, FILTER_COUNTS_MAX_COUNT);
    for (size_t i = 0; i < report->count_count; i++) {
        m->rest[report->counts[i].id - 1] += report->counts[i].count;
        sum += report->counts[i].count;
    }
    assert_int_equal(report->hits, sum);
}

static void
on_many_end(void *arg, const struct filter_report *report)
{
    struct many *m = arg;

    m->result = report->result;
    if (report->result != AG_EFILTER) {
        on_many(arg, report);
    }
    (void)sem_post(&m->ended);
}

static void
open_many(struct fixture *f, struct many *m)
{
    struct filter_route route = {.ended = on_many_end,
                                 .hits = on_many,
                                 .rest = on_many_rest,
                                 .options.marker = "",
                                 .arg = m};
    int in[2];
    int out[2];
    uint64_t id = 0;

    memset(m, 0, sizeof(*m));
    (void)sem_init(&m->ended, 0, 0);
    (void)sem_init(&m->told, 0, 0);
    assert_int_equal(pipe2(in, O_CLOEXEC), 0);
    assert_int_equal(pipe2(out, O_CLOEXEC), 0);
    route.src_fd = in[0];
    route.dst_fd = out[1];
    for (size_t i = 0; i < VALUES_COUNT; i++) {
        char value[VALUE_BYTES + 1];

        value_of(i, value);
        load(f, i + 1, "many", value);
    }
    (void)commit(f);
    check_ok(filter_stream(f->filter, &route, &id));
    fd_close(in[0]);
    fd_close(out[1]);
    m->in = in[1];
    m->out = out[0];
}

/* Says one and waits until its line, of which only the end is left, is out. */
static void
say_one(struct many *m, size_t i)
{
    char line[LINE_BYTES + 1];
    char byte = 0;

    value_of(i, line);
    line[VALUE_BYTES] = '\n';
    line[LINE_BYTES] = '\0';
    check_ok(fd_write_all(m->in, span_str(line)));
    assert_int_equal(read(m->out, &byte, 1), 1);
    assert_int_equal(byte, '\n');
}

/* All of them, and waits until what is left of that is out. */
static void
say_all(struct many *m)
{
    static char text[VALUES_COUNT * LINE_BYTES + 1];
    static char got[VALUES_COUNT];
    size_t len = 0;

    for (size_t i = 0; i < VALUES_COUNT; i++) {
        value_of(i, text + i * LINE_BYTES);
        text[i * LINE_BYTES + VALUE_BYTES] = '\n';
    }
    check_ok(fd_write_all(m->in, span_of(text, sizeof(text) - 1)));
    while (len < VALUES_COUNT) {
        ssize_t n = read(m->out, got + len, VALUES_COUNT - len);

        assert_true(n > 0);
        len += (size_t)n;
    }
}

static void
test_300_values_in_one_output_are_told(void **state)
{
    struct many m;

    open_many(*state, &m);
    for (size_t i = 0; i < ROUNDS; i++) {
        say_all(&m);
    }
    fd_close(m.in);
    wait_sem(&m.ended);
    assert_int_equal(m.result, AG_OK);
    assert_int_equal(m.hits, ROUNDS * VALUES_COUNT);
    for (size_t i = 0; i < VALUES_COUNT; i++) {
        bool has_row = i < FILTER_COUNTS_MAX_COUNT;

        assert_int_equal(m.so_far[i], has_row ? ROUNDS : 0);
        assert_int_equal(m.rest[i], has_row ? 0 : ROUNDS);
    }
    fd_close(m.out);
}

/* Killed when the last line is out: all that was found had been told. */
static void
test_what_was_let_out_was_told_before(void **state)
{
    static const size_t LENGTHS[] = {1, 2, 100, VALUES_COUNT};
    struct many m;

    for (size_t k = 0; k < AG_COUNT(LENGTHS); k++) {
        struct fixture *f = *state;

        open_many(f, &m);
        for (size_t i = 0; i < LENGTHS[k]; i++) {
            say_one(&m, i);
        }
        assert_int_equal(kill(filter_pid(f->filter), SIGKILL), 0);
        wait_sem(&m.ended);
        assert_int_equal(m.result, AG_EFILTER);
        for (size_t i = 0; i < LENGTHS[k]; i++) {
            assert_int_equal(m.so_far[i] + m.rest[i], 1);
        }
        fd_close(m.in);
        fd_close(m.out);
        (void)finish(state);
        (void)begin(state);
    }
}

int
main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        RIG_ROW(test_300_values_in_one_output_are_told),
        RIG_ROW(test_what_was_let_out_was_told_before),
    };
    int ret = 0;

    if (rig_is_helper(argc, argv, &ret)) {
        return ret;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
