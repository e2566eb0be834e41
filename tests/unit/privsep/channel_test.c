/* The channel between broker and helper: answers find their questions, the
 * end of one side is seen by the other, nonsense ends it. */
// WRAP: frame_send
#include <sys/socket.h>

#include <fcntl.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "common/check.h"
#include "privsep/channel.h"
#include "privsep/frame.h"

enum {
    OP_ECHO = 1,
    OP_FAIL = 2,
    OP_SILENT = 3,
    OP_WRITE_FD = 4,
    OP_TELL = 5,
    OP_GARBAGE = 6,
    OP_LEAVE = 7,
    THREADS = 8,
    QUESTIONS = 200,
    LONG_WAIT_MS = 20 * 1000,
};

/* ---- a socket that takes a question only when its time is up ---- */

enum ag_err __real_frame_send(int sock, const struct frame *frame,
                              int64_t end_ms);
enum ag_err __wrap_frame_send(int sock, const struct frame *frame,
                              int64_t end_ms);

static atomic_bool sends_late;

enum ag_err
__wrap_frame_send(int sock, const struct frame *frame, int64_t end_ms)
{
    if (atomic_exchange(&sends_late, false)) {
        clock_fix_ms(end_ms);
    }
    return __real_frame_send(sock, frame, end_ms);
}

/* A helper that lives in a thread. */
static void *
helper_thread(void *arg)
{
    int sock = *(int *)arg;
    struct channel_packet *packet = calloc(1, sizeof(*packet));
    bool stay = packet != NULL;

    while (stay && channel_next(sock, packet) == AG_OK) {
        uint64_t id = packet->head.id;
        uint16_t op = packet->head.op;
        enum ag_err err = AG_OK;

        switch (op) {
        case OP_ECHO:
            err = channel_answer(sock, id, op, AG_OK, packet->body);
            break;
        case OP_FAIL:
            err = channel_answer(
                sock, id, op, err_why(AG_ECONFLICT, "no: %d", 7), packet->body);
            break;
        case OP_WRITE_FD:
            assert_int_equal(packet->fd_count, 1);
            assert_true(fcntl(packet->fds[0], F_GETFD) & FD_CLOEXEC);
            assert_int_equal(write(packet->fds[0], "hello", 5), 5);
            err = channel_answer(sock, id, op, AG_OK, span_of(NULL, 0));
            break;
        case OP_TELL:
            err = channel_tell(sock, 42, packet->body);
            if (err == AG_OK) {
                err = channel_answer(sock, id, op, AG_OK, span_of(NULL, 0));
            }
            break;
        case OP_GARBAGE:
            (void)send(sock, "garbage", 7, MSG_NOSIGNAL);
            break;
        case OP_LEAVE:
            stay = false;
            break;
        default:
            break; /* silent */
        }
        channel_drop_fds(packet);
        assert_int_equal(err, AG_OK);
    }
    free(packet);
    (void)shutdown(sock, SHUT_RDWR);
    return NULL;
}

struct fixture {
    int theirs;
    pthread_t helper;
    struct channel *channel;
    sem_t died;
    atomic_int events;
};

static void
on_event(void *ctx, uint16_t op, struct span body)
{
    struct fixture *f = ctx;

    if (op == 42 && span_is(body, "news")) {
        atomic_fetch_add(&f->events, 1);
    }
}

static void
on_death(void *ctx)
{
    struct fixture *f = ctx;

    (void)sem_post(&f->died);
}

static int
begin(void **state)
{
    static struct fixture f;
    struct channel_hooks hooks = {.ctx = &f,
                                  .on_event = on_event,
                                  .on_death = on_death,
                                  .dead_err = AG_EFILTER};
    int pair[2];

    (void)sem_init(&f.died, 0, 0);
    atomic_store(&f.events, 0);
    assert_int_equal(
        socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
    f.theirs = pair[1];
    assert_int_equal(pthread_create(&f.helper, NULL, helper_thread, &f.theirs),
                     0);
    check_ok(channel_open(pair[0], &hooks, &f.channel));
    *state = &f;
    return 0;
}

static int
finish(void **state)
{
    struct fixture *f = *state;

    channel_close(f->channel);
    (void)pthread_join(f->helper, NULL);
    (void)close(f->theirs);
    (void)sem_destroy(&f->died);
    return 0;
}

static enum ag_err
ask(struct fixture *f, uint16_t op, const char *text, struct buf *answer)
{
    const struct channel_question question = {
        .op = op, .body = span_str(text), .wait_ms = 60000};

    return channel_ask(f->channel, &question, answer);
}

static void
test_an_answer_comes_back(void **state)
{
    AG_AUTO(buf) struct buf answer = {0};

    buf_init(&answer, 100, BUF_PLAIN);
    check_ok(ask(*state, OP_ECHO, "abc", &answer));
    check_span(buf_view(&answer), "abc");
    check_ok(ask(*state, OP_ECHO, "", NULL));
    check_err(ask(*state, OP_ECHO, "unasked", NULL), AG_ECORRUPT);
}

static void
test_a_failure_comes_with_its_sentence(void **state)
{
    check_err(ask(*state, OP_FAIL, "abc", NULL), AG_ECONFLICT);
    assert_string_equal(err_text(AG_ECONFLICT), "no: 7");
}

static void
test_a_silent_helper_times_out_and_others_go_on(void **state)
{
    struct fixture *f = *state;
    const struct channel_question question = {.op = OP_SILENT, .wait_ms = 30};

    check_err(channel_ask(f->channel, &question, NULL), AG_ETIMEOUT);
    check_ok(ask(f, OP_ECHO, "", NULL));
    assert_true(channel_is_alive(f->channel));
}

/* The time of the sending is part of the wait: no second one begins after it. */
static void
test_what_was_sent_late_is_not_waited_for_anew(void **state)
{
    struct fixture *f = *state;
    const struct channel_question question = {.op = OP_SILENT,
                                              .wait_ms = LONG_WAIT_MS};
    struct timespec began;
    struct timespec ended;

    (void)clock_gettime(CLOCK_MONOTONIC, &began);
    clock_fix_ms(clock_steady_ms());
    atomic_store(&sends_late, true);
    check_err(channel_ask(f->channel, &question, NULL), AG_ETIMEOUT);
    clock_fix_ms(-1);
    (void)clock_gettime(CLOCK_MONOTONIC, &ended);
    assert_true(ended.tv_sec - began.tv_sec < LONG_WAIT_MS / 1000 / 2);
}

static void
test_a_descriptor_goes_along(void **state)
{
    struct fixture *f = *state;
    char text[5];
    int out[2];
    struct channel_question question = {.op = OP_WRITE_FD, .fd_count = 1};

    assert_int_equal(pipe2(out, O_CLOEXEC), 0);
    question.fds = &out[1];
    check_ok(channel_ask(f->channel, &question, NULL));
    (void)close(out[1]);
    assert_int_equal(read(out[0], text, 5), 5);
    assert_memory_equal(text, "hello", 5);
    assert_int_equal(read(out[0], text, 5), 0); /* the helper closed its copy */
    (void)close(out[0]);
}

static void
test_events_come_before_the_answer_after_them(void **state)
{
    struct fixture *f = *state;

    check_ok(ask(f, OP_TELL, "news", NULL));
    assert_int_equal(atomic_load(&f->events), 1);
}

static void
test_the_largest_body_passes_and_a_larger_one_not(void **state)
{
    struct fixture *f = *state;
    AG_AUTO(buf) struct buf answer = {0};
    uint8_t *bytes = calloc(1, CHANNEL_BODY_MAX_BYTES + 1);
    struct channel_question question = {.op = OP_ECHO};

    assert_non_null(bytes);
    bytes[CHANNEL_BODY_MAX_BYTES - 1] = 9;
    buf_init(&answer, CHANNEL_BODY_MAX_BYTES, BUF_PLAIN);
    question.body = span_of(bytes, CHANNEL_BODY_MAX_BYTES);
    check_ok(channel_ask(f->channel, &question, &answer));
    assert_true(span_equal(buf_view(&answer), question.body));
    question.body = span_of(bytes, CHANNEL_BODY_MAX_BYTES + 1);
    check_err(channel_ask(f->channel, &question, NULL), AG_ELIMIT);
    buf_clear(&answer);
    check_ok(ask(f, OP_ECHO, "after", &answer));
    free(bytes);
}

static void
test_the_helpers_end_wakes_who_waits(void **state)
{
    struct fixture *f = *state;

    check_err(ask(f, OP_LEAVE, "", NULL), AG_EFILTER);
    (void)sem_wait(&f->died);
    assert_false(channel_is_alive(f->channel));
    check_err(ask(f, OP_ECHO, "", NULL), AG_EFILTER);
}

static void
test_a_helper_that_talks_nonsense_is_dead(void **state)
{
    struct fixture *f = *state;

    check_err(ask(f, OP_GARBAGE, "", NULL), AG_EFILTER);
    (void)sem_wait(&f->died);
}

static void
test_our_own_close_is_no_death(void **state)
{
    struct fixture *f = *state;
    int died = 0;

    channel_close(f->channel);
    f->channel = NULL;
    assert_int_equal(sem_getvalue(&f->died, &died), 0);
    assert_int_equal(died, 0);
}

static void *
ask_silent(void *arg)
{
    struct fixture *f = arg;

    check_err(ask(f, OP_SILENT, "", NULL), AG_EFILTER);
    return NULL;
}

static void
test_a_shutdown_wakes_who_waits_and_is_no_death(void **state)
{
    struct fixture *f = *state;
    pthread_t asker;
    int died = 0;

    assert_int_equal(pthread_create(&asker, NULL, ask_silent, f), 0);
    channel_shutdown(f->channel);
    assert_int_equal(pthread_join(asker, NULL), 0);
    check_err(ask(f, OP_ECHO, "", NULL), AG_EFILTER);
    assert_int_equal(sem_getvalue(&f->died, &died), 0);
    assert_int_equal(died, 0);
}

static void *
ask_many(void *arg)
{
    struct fixture *f = arg;

    for (int i = 0; i < QUESTIONS; i++) {
        AG_AUTO(buf) struct buf answer = {0};
        char text[64];

        buf_init(&answer, 100, BUF_PLAIN);
        (void)snprintf(text, sizeof(text), "%p %d", (void *)&answer, i);
        if (ask(f, i % 10 == 0 ? OP_FAIL : OP_ECHO, text, &answer) !=
            (i % 10 == 0 ? AG_ECONFLICT : AG_OK)) {
            return arg;
        }
        if (i % 10 != 0 && !span_is(buf_view(&answer), text)) {
            return arg;
        }
    }
    return NULL;
}

static void
test_many_threads_get_their_own_answers(void **state)
{
    pthread_t threads[THREADS];

    for (size_t i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, ask_many, *state),
                         0);
    }
    for (size_t i = 0; i < THREADS; i++) {
        void *bad = NULL;

        (void)pthread_join(threads[i], &bad);
        assert_null(bad);
    }
}

static void
test_frames_are_read_strictly(void **state)
{
    uint8_t good[CHANNEL_HEAD_BYTES + 1] = {
        0xA6, CHANNEL_ANSWER, 7, 0, 0, 0, 0, 0, 1};
    struct channel_head head;
    struct span body;

    static const struct {
        size_t at;
        uint8_t value;
    } BAD[] = {{0, 0xA5}, {1, 0}, {1, 4}, {4, 255}, {5, 1}, {1, CHANNEL_EVENT}};

    (void)state;
    check_ok(channel_decode(span_of(good, sizeof(good)), &head, &body));
    assert_int_equal(head.kind, CHANNEL_ANSWER);
    assert_int_equal(head.op, 7);
    assert_int_equal(head.id, 1);
    assert_int_equal(body.len, 1);
    for (size_t len = 0; len < CHANNEL_HEAD_BYTES; len++) {
        check_err(channel_decode(span_of(good, len), &head, &body), AG_EINVAL);
    }
    for (size_t i = 0; i < AG_COUNT(BAD); i++) {
        uint8_t bad[sizeof(good)];

        memcpy(bad, good, sizeof(good));
        bad[BAD[i].at] = BAD[i].value;
        check_err(channel_decode(span_of(bad, sizeof(bad)), &head, &body),
                  AG_EINVAL);
    }
    good[8] = 0; /* an answer to nothing */
    check_err(channel_decode(span_of(good, sizeof(good)), &head, &body),
              AG_EINVAL);
}

int
main(void)
{
#define WITH_HELPER(test) cmocka_unit_test_setup_teardown(test, begin, finish)
    const struct CMUnitTest tests[] = {
        WITH_HELPER(test_an_answer_comes_back),
        WITH_HELPER(test_a_failure_comes_with_its_sentence),
        WITH_HELPER(test_a_silent_helper_times_out_and_others_go_on),
        WITH_HELPER(test_what_was_sent_late_is_not_waited_for_anew),
        WITH_HELPER(test_a_descriptor_goes_along),
        WITH_HELPER(test_events_come_before_the_answer_after_them),
        WITH_HELPER(test_the_largest_body_passes_and_a_larger_one_not),
        WITH_HELPER(test_the_helpers_end_wakes_who_waits),
        WITH_HELPER(test_a_helper_that_talks_nonsense_is_dead),
        WITH_HELPER(test_our_own_close_is_no_death),
        WITH_HELPER(test_a_shutdown_wakes_who_waits_and_is_no_death),
        WITH_HELPER(test_many_threads_get_their_own_answers),
        cmocka_unit_test(test_frames_are_read_strictly),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
