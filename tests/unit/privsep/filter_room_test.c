/* Locked memory: streams leave what the values need, and none of those that run
 * ends for want of it. */
#include "unit/privsep/filter_rig.h"

enum {
    LONG_BYTES = 4096, /* a piece: a stream needs no more for any value */
    MORE_COUNT = 3000, /* values that come while streams run */
    BASE_COUNT = 8000, /* more than half of the room */
    TOP_COUNT = 400,   /* that is worth compiling all anew */
    MOST_COUNT = FILTER_STREAMS_MAX_COUNT,
};

/* Letters and digits that repeat nowhere. */
static void
fill(char *out, size_t len, unsigned seed)
{
    static const char SIGNS[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    uint32_t x = seed * 2654435761U + 1;

    for (size_t i = 0; i < len; i++) {
        x = x * 1664525U + 1013904223U;
        out[i] = SIGNS[x >> 26];
    }
    out[len] = '\0';
}

static void
load_long(struct fixture *f, uint64_t id)
{
    char value[LONG_BYTES + 1];

    fill(value, LONG_BYTES, (unsigned)id);
    load(f, id, "long", value);
}

/* Opens streams until one is refused, and returns how many there are. */
static size_t
open_many(struct fixture *f, struct stream *all)
{
    const struct filter_options options = {.format = STREAM_JSONL,
                                           .marker = "<%s>"};
    enum ag_err err = AG_OK;
    size_t count = 0;

    while (count < MOST_COUNT && err == AG_OK) {
        err = try_open(f, &all[count], &options);
        if (err == AG_OK) {
            count++;
        }
    }
    if (count < MOST_COUNT) {
        check_err(err, AG_EMEMLOCK);
        fd_close(all[count].in);
        fd_close(all[count].out);
    }
    return count;
}

/* Each with as many texts at once as there may be. */
static void
use_all(struct stream *all, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        static const char *const IDS[] = {"a", "b", "c", "d"};

        for (size_t k = 0; k < AG_COUNT(IDS); k++) {
            char line[128];

            (void)snprintf(line, sizeof(line),
                           "{\"item_id\":\"%s\",\"delta\":\"it is !\"}\n",
                           IDS[k]);
            say(&all[i], line);
            hear(&all[i], line);
        }
        say(&all[i], "{\"text\":\"" BASE64 "\"}\n");
        hear(&all[i], "{\"text\":\"<github/bot>w==\"}\n");
    }
}

static void
shut_all(struct stream *all, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        shut(&all[i], AG_OK);
    }
}

static void
load_more(struct fixture *f, uint64_t first, size_t count)
{
    for (uint64_t id = first; id < first + count; id++) {
        char value[41];

        fill(value, sizeof(value) - 1, (unsigned)id);
        load(f, id, "more", value);
    }
    (void)commit(f);
}

static void
test_streams_leave_room_for_values(void **state)
{
    struct fixture *f = *state;
    static struct stream all[MOST_COUNT];
    size_t count;

    load(f, 1, "github/bot", VALUE);
    load_long(f, 2);
    (void)commit(f);
    count = open_many(f, all);
    assert_in_range(count, 1, MOST_COUNT - 1);
    load_more(f, 3, MORE_COUNT);
    use_all(all, count);
    shut_all(all, count);
}

static void
test_a_longer_value_ends_no_stream(void **state)
{
    struct fixture *f = *state;
    static struct stream all[MOST_COUNT];
    size_t count;

    load(f, 1, "github/bot", VALUE);
    (void)commit(f);
    count = open_many(f, all);
    load_long(f, 2);
    (void)commit(f);
    use_all(all, count);
    load_long(f, 3);
    (void)commit(f);
    use_all(all, count);
    shut_all(all, count);
}

static void
test_where_all_anew_has_no_room(void **state)
{
    struct fixture *f = *state;
    static struct stream all[MOST_COUNT];
    char value[41];
    size_t count;

    load(f, 1, "github/bot", VALUE);
    load_more(f, 2, BASE_COUNT);
    count = open_many(f, all);
    load_more(f, 2 + BASE_COUNT, TOP_COUNT);
    use_all(all, count);
    fill(value, sizeof(value) - 1, 2 + BASE_COUNT);
    say(&all[0], "\"");
    say(&all[0], value);
    say(&all[0], "\"\n");
    hear(&all[0], "\"<more>\"\n");
    shut_all(all, count);
}

int
main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        RIG_ROW(test_streams_leave_room_for_values),
        RIG_ROW(test_a_longer_value_ends_no_stream),
        RIG_ROW(test_where_all_anew_has_no_room),
    };
    int code = 0;

    if (rig_is_helper(argc, argv, &code)) {
        return code;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
