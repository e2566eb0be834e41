// WRAP: handout_attach handout_value handout_take handout_stream handout_stream_ended handout_stream_hits handout_stream_seen handout_finish handout_lost handout_task_of filter_stream filter_cancel
/* Connections of fd.sock from end to end, over use cases and a filter that are
 * played here: what is asked, answered, told, and undone at the end. */
#include <sys/mman.h>
#include <sys/socket.h>

#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include <jansson.h>

#include "base/fdx.h"
#include "caller/peer.h"
#include "common/arena.h"
#include "handover/conn.h"
#include "handover/handover.h"
#include "handover/stream.h"
#include "unit/handover/client.h"

/* ---- tests ---- */

static void
test_a_value_is_delivered(void **state)
{
    struct fixture *f = *state;
    char got[16];
    int ends[2];

    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    say(f->sock, "{\"op\":\"deliver\",\"ticket\":\"value\"}", &ends[1], 1);
    assert_string_equal(hear(f->sock), "{\"ok\":true,\"bytes\":6}");
    (void)close(ends[1]);
    assert_int_equal(read(ends[0], got, sizeof(got)), 6);
    assert_memory_equal(got, "s3cret", 6);
    assert_int_equal(read(ends[0], got, sizeof(got)), 0); /* ours is closed */
    (void)close(ends[0]);
}

static void
test_a_refusal_has_code_and_sentence_and_the_line_stays(void **state)
{
    struct fixture *f = *state;
    int ends[2];

    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    say(f->sock, "{\"op\":\"deliver\",\"ticket\":\"other\"}", &ends[1], 1);
    assert_string_equal(hear(f->sock), "{\"ok\":false,\"code\":\"grade_refused"
                                       "\",\"detail\":\"not by this way\"}");
    /* A place that won't do is refused before the ticket is looked at. */
    say(f->sock, "{\"op\":\"deliver\",\"ticket\":\"value\"}", &ends[0], 1);
    check_refused(f->sock, "unsuitable_file");
    say(f->sock, "{\"op\":\"nonsense\"}", NULL, 0);
    check_refused(f->sock, "invalid");
    say(f->sock, "{\"op\":\"end\",\"exit\":0}", NULL, 0);
    check_refused(f->sock, "not_found");
    say(f->sock, "{\"op\":\"life\",\"ticket\":\"wrong\"}", NULL, 0);
    check_refused(f->sock, "ticket_refused");
    (void)close(ends[0]);
    (void)close(ends[1]);
}

static void
test_guessing_ends_the_connection(void **state)
{
    struct fixture *f = *state;

    for (int i = 0; i < CONN_REFUSALS_MAX_COUNT; i++) {
        say(f->sock, "{\"op\":\"life\",\"ticket\":\"guess\"}", NULL, 0);
        check_refused(f->sock, "ticket_refused");
    }
    assert_string_equal(hear(f->sock), "");
}

static void
test_a_message_too_long_ends_the_connection(void **state)
{
    struct fixture *f = *state;
    static char text[MESSAGE_MAX_BYTES + 1];

    memset(text, ' ', sizeof(text));
    check_ok(fd_send(f->sock, span_of(text, sizeof(text)), NULL, 0));
    check_refused(f->sock, "invalid");
    assert_string_equal(hear(f->sock), "");
}

static void
test_a_file_is_taken(void **state)
{
    struct fixture *f = *state;
    int file = memfd_create("file", MFD_CLOEXEC);

    assert_int_equal(write(file, "{\"k\":1}", 7), 7);
    say(f->sock, "{\"op\":\"take\",\"ticket\":\"t\"}", &file, 1);
    assert_string_equal(hear(f->sock),
                        "{\"ok\":true,\"version\":5,\"changed\":true,"
                        "\"retained\":false,\"replace\":false}");
    assert_string_equal(played.taken, "{\"k\":1}");
    (void)close(file);
}

static void
test_a_life_from_begin_to_end(void **state)
{
    struct fixture *f = *state;
    int ends[2];

    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    say(f->sock, "{\"op\":\"life\",\"ticket\":\"life\"}", NULL, 0);
    assert_string_equal(hear(f->sock), "{\"ok\":true,\"task\":\"77\"}");
    say(f->sock, "{\"op\":\"life\",\"ticket\":\"life\"}", NULL, 0);
    check_refused(f->sock, "conflict");
    say(f->sock,
        "{\"op\":\"stream\",\"ticket\":\"stream\",\"audience\":\"task\"}", ends,
        2);
    assert_string_equal(hear(f->sock), "{\"ok\":true,\"stream\":1}");
    some_hits(0); /* each is counted once, and while it runs */
    wait_for(&played.fresh, 2);
    end_stream(0, AG_OK);
    assert_string_equal(
        hear(f->sock),
        "{\"event\":\"stream_end\",\"stream\":1,\"hits\":6,\"bytes_in\":500,"
        "\"bytes_out\":400,\"counts\":{\"-\":6},\"found\":["
        "{\"name\":\"-\",\"form\":\"raw\",\"count\":2,\"offset\":10},"
        "{\"name\":\"-\",\"form\":\"hex\",\"count\":1,\"offset\":0},"
        "{\"name\":\"-\",\"form\":\"base64\",\"count\":3,\"offset\":99}]}");
    say(f->sock, "{\"op\":\"end\",\"exit\":3}", NULL, 0);
    assert_string_equal(
        hear(f->sock),
        "{\"task\":\"77\",\"hits\":6,\"exposed\":[],\"ok\":true}");
    assert_int_equal(played.finished, 4);
    wait_for(&played.fresh, 6);
    assert_int_equal(played.audience, FILTER_TASK);
    (void)close(f->sock);
    f->sock = -1;
    handover_free(f->handover);
    f->handover = NULL;
    assert_int_equal(played.lost, 0);
    (void)close(ends[0]);
    (void)close(ends[1]);
}

static void
test_a_broken_line_ends_the_task_and_its_streams(void **state)
{
    struct fixture *f = *state;
    int ends[2];

    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    say(f->sock, "{\"op\":\"life\",\"ticket\":\"life\"}", NULL, 0);
    (void)hear(f->sock);
    for (int i = 0; i < 2; i++) {
        say(f->sock, "{\"op\":\"stream\",\"ticket\":\"stream\"}", ends, 2);
        (void)hear(f->sock);
    }
    (void)close(f->sock);
    f->sock = -1;
    wait_for(&played.lost, 1);
    assert_int_equal(played.cancelled, 2);
    assert_int_equal(played.streams_ended, 2);
    (void)close(ends[0]);
    (void)close(ends[1]);
}

static void
test_a_failed_stream_says_why(void **state)
{
    struct fixture *f = *state;
    json_t *event;
    int ends[2];

    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    say(f->sock, "{\"op\":\"stream\",\"ticket\":\"stream\"}", ends, 2);
    (void)hear(f->sock);
    end_stream(0, AG_EFILTER);
    event = json_loads(hear(f->sock), 0, NULL);
    assert_string_equal(json_string_value(json_object_get(event, "code")),
                        "filter_gone");
    json_decref(event);
    (void)close(ends[0]);
    (void)close(ends[1]);
}

/* What was told before a filter's death, row or none, stays told. */
static void
test_a_filter_that_dies_takes_nothing_back(void **state)
{
    struct fixture *f = *state;
    int ends[2];

    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    for (size_t late = 0; late < 2; late++) {
        say(f->sock,
            "{\"op\":\"stream\",\"ticket\":\"stream\",\"audience\":\"task\"}",
            ends, 2);
        (void)hear(f->sock);
        some_hits(late);
        if (late == 0) {
            wait_for(&played.seen, 2);
        }
        a_hit_of_the_rest(late);
        if (late == 0) {
            wait_for(&played.fresh, 3);
        }
        die(late);
        (void)hear(f->sock);
        wait_for(&played.seen, 3 * (int)(late + 1));
        assert_int_equal(played.fresh, 3 * (int)(late + 1));
        assert_int_equal(played.hits, 3 * (int)(late + 1));
        assert_int_equal(played.streams_ended, late + 1);
    }
    (void)close(ends[0]);
    (void)close(ends[1]);
}

static void
test_what_was_seen_is_told_when_a_line_breaks(void **state)
{
    struct fixture *f = *state;
    int ends[2];

    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    played.deaf = true; /* its end comes after all others have gone */
    say(f->sock, "{\"op\":\"stream\",\"ticket\":\"stream\"}", ends, 2);
    (void)hear(f->sock);
    some_hits(0);
    a_hit_of_the_rest(0);
    (void)close(f->sock);
    f->sock = -1;
    handover_free(f->handover);
    f->handover = NULL;
    assert_int_equal(played.seen, 3);
    die(0);
    (void)close(ends[0]);
    (void)close(ends[1]);
}

/* A stream that ends long after its connection finds it gone. */
static void
test_a_late_end_is_harmless(void **state)
{
    struct fixture *f = *state;
    int ends[2];

    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    played.deaf = true;
    say(f->sock, "{\"op\":\"stream\",\"ticket\":\"stream\"}", ends, 2);
    (void)hear(f->sock);
    (void)close(f->sock);
    f->sock = -1;
    handover_free(f->handover);
    f->handover = NULL;
    end_stream(0, AG_EFILTER);
    (void)close(ends[0]);
    (void)close(ends[1]);
}

static void
test_an_unknown_process_is_not_served(void **state)
{
    struct fixture *f = *state;
    struct peer *peer = NULL;
    int pair[2];

    assert_int_equal(
        socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
    check_ok(peer_from_tcp(pair[0], &peer));
    check_err(handover_accept(f->handover, pair[0], peer), AG_EDENIED);
    check_refused(pair[1], "denied");
    assert_string_equal(hear(pair[1]), "");
    (void)close(pair[1]);
    assert_int_equal(handover_connection_count(f->handover), 1);
}

/* A task that opens line after line does not take the places of the others. */
static void
test_a_greedy_task_is_refused(void **state)
{
    struct fixture *f = *state;
    const struct proc_facts facts = own_facts();
    int socks[HANDOVER_OF_TASK_MAX_COUNT];
    struct peer *peer = NULL;
    int pair[2];

    played_tree_id = TASK;
    for (size_t i = 0; i < AG_COUNT(socks); i++) {
        socks[i] = connect_client(f->handover);
    }
    assert_int_equal(
        socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
    check_ok(peer_from_facts(&facts, &peer));
    check_err(handover_accept(f->handover, pair[0], peer), AG_EBUSY);
    check_refused(pair[1], "busy");
    (void)close(pair[1]);
    played_tree_id = 0;
    (void)close(connect_client(f->handover)); /* others are served */
    for (size_t i = 0; i < AG_COUNT(socks); i++) {
        (void)close(socks[i]);
    }
}

static void
test_the_reason_is_told(void **state)
{
    struct fixture *f = *state;

    say(f->sock, "{\"op\":\"life\",\"ticket\":\"life\"}", NULL, 0);
    (void)hear(f->sock);
    played.line.ended(played.line.arg, "locked");
    assert_string_equal(hear(f->sock),
                        "{\"event\":\"end\",\"reason\":\"locked\"}");
    check_quiet(f->sock);
}

/* A line that has said one task's end is told the next one's. */
static void
test_a_second_life_is_told_its_end(void **state)
{
    struct fixture *f = *state;

    say(f->sock, "{\"op\":\"life\",\"ticket\":\"life\"}", NULL, 0);
    (void)hear(f->sock);
    say(f->sock, "{\"op\":\"end\",\"exit\":0}", NULL, 0);
    (void)hear(f->sock);
    say(f->sock, "{\"op\":\"life\",\"ticket\":\"life\"}", NULL, 0);
    (void)hear(f->sock);
    played.line.ended(played.line.arg, "locked");
    assert_string_equal(hear(f->sock),
                        "{\"event\":\"end\",\"reason\":\"locked\"}");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_CLIENT(test_a_value_is_delivered),
        WITH_CLIENT(test_a_refusal_has_code_and_sentence_and_the_line_stays),
        WITH_CLIENT(test_guessing_ends_the_connection),
        WITH_CLIENT(test_a_message_too_long_ends_the_connection),
        WITH_CLIENT(test_a_file_is_taken),
        WITH_CLIENT(test_a_life_from_begin_to_end),
        WITH_CLIENT(test_a_broken_line_ends_the_task_and_its_streams),
        WITH_CLIENT(test_a_failed_stream_says_why),
        WITH_CLIENT(test_a_filter_that_dies_takes_nothing_back),
        WITH_CLIENT(test_what_was_seen_is_told_when_a_line_breaks),
        WITH_CLIENT(test_a_late_end_is_harmless),
        WITH_CLIENT(test_an_unknown_process_is_not_served),
        WITH_CLIENT(test_a_greedy_task_is_refused),
        WITH_CLIENT(test_the_reason_is_told),
        WITH_CLIENT(test_a_second_life_is_told_its_end),
    };

    (void)signal(SIGPIPE, SIG_IGN);
    return cmocka_run_group_tests(tests, arena_set_up, arena_tear_down);
}
