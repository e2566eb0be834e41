/*
 * Transcripts made of random records, in random parts: each string of what comes
 * out is what the filter makes of the string alone, each text that came in
 * parts what it makes of the whole, and every record still says the rest.
 * PROP_SEED, PROP_RUNS: see STYLE.
 */
// LINKS: wire
#include <jansson.h>

#include "common/formats.h"
#include "common/prop.h"

enum {
    RUNS_DEFAULT = 150,
    CHUNKINGS = 6,
    RECORDS_MAX = 48, /* fewer than end a text that is silent */
    TEXTS_MAX = 3,    /* of parts, at once */
    TEXT_MAX_BYTES = 256 * 1024,
};

static const char *const VALUES[] = {
    "q7RtWz90\"LmX\\cAb12/+", "hunter7\xc3\xa9Xq\xf0\x9f\x98\x80Kz", "s9-Fq2",
    "Kf83jXq0ZmT1vB7yRwL5uE2aHs9c\nPd6Gn4Yo8WkC3iQxJ0bMz7tVrA1e\nUh5lSf2",
    NULL};

/* Forms of the first, and beginnings and ends of all. */
static const char *const PIECES[] = {
    "q7RtWz90\"LmX\\cAb12/+",
    "q7RtWz90\\\"LmX\\\\cAb12/+",
    "cTdSdFd6OTAiTG1YXGNBYjEyLys",
    "713752745777a3930224c6d585c634162", /* no form */
    "q7RtWz90%22LmX%5CcAb12%2F%2B",
    "hunter7\xc3\xa9Xq\xf0\x9f\x98\x80Kz",
    "hunter7\xc3\xa9X",
    "s9-Fq2",
    "s9-Fq2x",
    "q7RtWz9",
    "Pd6Gn4Yo8WkC3iQxJ0bMz7tVrA1e",
    " ",
    "\n",
    "\t\"",
    "\\",
    "and ",
    "x",
    "\xe2\x82\xac",
    "[redacted:",
    "{",
};

struct record {
    char kind; /* s string, n nested, d of a text, i id, k key, t no JSON */
    size_t stream;

    struct {
        struct buf in;
        struct buf want;
    } text;
};

static struct matcher *set;

/* ---- what it should be ---- */

static void
redact_whole(struct span text, struct buf *out)
{
    const struct redactor_options options = {.audience = REDACTOR_OPERATOR};
    const struct sink sink = {.ctx = out, .feed = formats_take};
    struct redactor *r = NULL;

    check_ok(redactor_new(&options, &sink, &r));
    check_ok(redactor_use(r, set));
    check_ok(redactor_feed(r, text));
    check_ok(redactor_finish(r));
    redactor_free(r);
}

/* May a part of it stand alone, and it still be UTF-8? */
static bool
is_ascii(const char *text)
{
    while (*text != '\0' && (uint8_t)*text < 0x80) {
        text++;
    }
    return *text == '\0';
}

/* Of a nested string the outer one's words end at its escapes; parts are words of
 * their own besides, so a text of them may lose more than the whole would. */
static bool
fits(const char *piece, char kind)
{
    switch (kind) {
    case 't':
    case 'k':
        return strchr(piece, '\n') == NULL && piece[0] != '{';
    case 'n':
    case 'd':
        return strncmp(piece, "s9-Fq2", 6) != 0;
    default:
        return true;
    }
}

static void
random_text(struct buf *out, char kind)
{
    size_t count = 1 + prop_below(6);

    while (count-- > 0) {
        const char *piece = PIECES[prop_below(AG_COUNT(PIECES))];
        size_t len = strlen(piece);

        if (prop_below(4) == 0 && is_ascii(piece)) {
            len = 1 + prop_below(len);
        }
        if (fits(piece, kind)) {
            check_ok(buf_add(out, span_of(piece, len)));
        }
    }
}

/* ---- JSON, spelled at random ---- */

static void
spell(struct span text, struct buf *out)
{
    for (size_t i = 0; i < text.len; i++) {
        uint8_t c = text.ptr[i];

        if (c == '\n' && prop_below(2) == 0) {
            check_ok(buf_add_str(out, "\\n"));
        } else if (c < 0x20 || (c < 0x80 && prop_below(12) == 0)) {
            check_ok(buf_fmt(out, "\\u%04x", c));
        } else if (c == '/' && prop_below(2) == 0) {
            check_ok(buf_add_str(out, "\\/"));
        } else {
            if (c == '"' || c == '\\') {
                check_ok(buf_add_byte(out, '\\'));
            }
            check_ok(buf_add_byte(out, c));
        }
    }
}

static void
add_record(const struct record *r, struct buf *out)
{
    AG_AUTO(buf) struct buf inner = {0};

    buf_init(&inner, TEXT_MAX_BYTES, BUF_PLAIN);
    switch (r->kind) {
    case 's':
        check_ok(buf_add_str(out, "{\"n\": 1, \"a\" : \""));
        spell(buf_view(&r->text.in), out);
        break;
    case 'n':
        check_ok(buf_add_str(&inner, "[{\"a\":\""));
        spell(buf_view(&r->text.in), &inner);
        check_ok(buf_add_str(&inner, "\"}]"));
        check_ok(buf_add_str(out, "{\"a\":\""));
        spell(buf_view(&inner), out);
        break;
    case 'd':
        check_ok(buf_fmt(out,
                         "{\"type\":\"x.delta\",\"item_id\":\"%zu\","
                         "\"delta\":\"",
                         r->stream));
        spell(buf_view(&r->text.in), out);
        break;
    case 'i':
        check_ok(buf_add_str(out, "{\"id\":\""));
        spell(buf_view(&r->text.in), out);
        break;
    case 'k':
        check_ok(buf_add_str(out, "{\""));
        spell(buf_view(&r->text.in), out);
        check_ok(buf_add_str(out, "\":\"v"));
        break;
    default:
        check_ok(buf_add_str(out, "log: "));
        check_ok(buf_add(out, buf_view(&r->text.in)));
        check_ok(buf_add_byte(out, '\n'));
        return;
    }
    check_ok(buf_add_str(out, "\"}\n"));
}

/* ---- what came out ---- */

static void
check_is(const struct record *r, const char *text, size_t len)
{
    struct span want = buf_view(&r->text.want);

    if (text == NULL || !span_equal(span_of(text, len), want)) {
        fail_msg("%c: got %.*s, want %.*s", r->kind, (int)len, text,
                 (int)want.len, (const char *)want.ptr);
    }
}

static void
check_string(const struct record *r, const json_t *string)
{
    assert_true(json_is_string(string));
    check_is(r, json_string_value(string), json_string_length(string));
}

static void
check_object(const struct record *r, json_t *object, struct buf *texts)
{
    const json_t *delta = json_object_get(object, "delta");
    json_t *inner;

    assert_true(json_is_object(object));
    switch (r->kind) {
    case 's':
        assert_int_equal(json_integer_value(json_object_get(object, "n")), 1);
        check_string(r, json_object_get(object, "a"));
        break;
    case 'n':
        inner = json_loads(json_string_value(json_object_get(object, "a")), 0,
                           NULL);
        assert_non_null(inner);
        check_string(r, json_object_get(json_array_get(inner, 0), "a"));
        json_decref(inner);
        break;
    case 'd':
        assert_string_equal(json_string_value(json_object_get(object, "type")),
                            "x.delta");
        check_ok(
            buf_add(&texts[r->stream], span_of(json_string_value(delta),
                                               json_string_length(delta))));
        break;
    case 'i':
        check_string(r, json_object_get(object, "id"));
        break;
    default: {
        const char *key = json_object_iter_key(json_object_iter(object));

        check_is(r, key, strlen(key));
        break;
    }
    }
}

static void
check_out(const struct record *records, size_t count, struct span out,
          struct buf *texts)
{
    for (size_t i = 0; i < count; i++) {
        size_t len = span_find(out, '\n');
        struct span line = span_sub(out, 0, len);
        json_t *object;

        assert_true(len < out.len);
        out = span_sub(out, len + 1, out.len);
        if (records[i].kind == 't') {
            assert_true(span_starts(line, span_str("log: ")));
            check_is(&records[i], (const char *)line.ptr + 5, line.len - 5);
            continue;
        }
        object = json_loadb((const char *)line.ptr, line.len, 0, NULL);
        if (object == NULL) {
            fail_msg("not JSON: %.*s", (int)line.len, (const char *)line.ptr);
        }
        check_object(&records[i], object, texts);
        json_decref(object);
    }
    assert_int_equal(out.len, 0);
}

static void
filter(struct span text, bool in_parts, struct formats_rig *rig)
{
    size_t most = 1 + prop_below(prop_below(2) == 0 ? 8 : 300);

    formats_init(rig, STREAM_JSONL, REDACTOR_OPERATOR, VALUES, NULL);
    for (size_t at = 0; at < text.len;) {
        size_t len = in_parts ? 1 + prop_below(most) : text.len;

        check_ok(format_feed(rig->filter, span_sub(text, at, len)));
        if (prop_below(4) > 0) {
            check_ok(format_settle(rig->filter));
        }
        at += len;
    }
    check_ok(format_finish(rig->filter));
}

static void
make_records(struct record *records, size_t count, struct buf *wholes)
{
    static const char KINDS[] = "snddddikt";

    for (size_t i = 0; i < count; i++) {
        struct record *r = &records[i];

        r->kind = KINDS[prop_below(sizeof(KINDS) - 1)];
        r->stream = prop_below(TEXTS_MAX);
        buf_init(&r->text.in, TEXT_MAX_BYTES, BUF_PLAIN);
        buf_init(&r->text.want, TEXT_MAX_BYTES, BUF_PLAIN);
        random_text(&r->text.in, r->kind);
        if (r->kind == 'd') {
            check_ok(buf_add(&wholes[r->stream], buf_view(&r->text.in)));
        } else {
            redact_whole(buf_view(&r->text.in), &r->text.want);
        }
    }
}

/* One chunking of all of it. */
static void
check_run(const struct record *records, size_t count, struct span in,
          bool in_parts, const struct buf *wholes)
{
    struct buf texts[TEXTS_MAX];
    struct formats_rig rig;

    for (size_t i = 0; i < TEXTS_MAX; i++) {
        buf_init(&texts[i], TEXT_MAX_BYTES, BUF_PLAIN);
    }
    filter(in, in_parts, &rig);
    check_out(records, count, buf_view(&rig.out), texts);
    for (size_t i = 0; i < TEXTS_MAX; i++) {
        AG_AUTO(buf) struct buf want = {0};

        buf_init(&want, TEXT_MAX_BYTES, BUF_PLAIN);
        redact_whole(buf_view(&wholes[i]), &want);
        if (!span_equal(buf_view(&want), buf_view(&texts[i]))) {
            fail_msg("a text: got %.*s, want %.*s", (int)texts[i].len,
                     (const char *)texts[i].ptr, (int)want.len,
                     (const char *)want.ptr);
        }
        buf_done(&texts[i]);
    }
    formats_done(&rig);
}

static void
one_run(void)
{
    struct record records[RECORDS_MAX];
    struct buf wholes[TEXTS_MAX];
    AG_AUTO(buf) struct buf in = {0};
    size_t count = 1 + prop_below(RECORDS_MAX);

    buf_init(&in, TEXT_MAX_BYTES, BUF_PLAIN);
    for (size_t i = 0; i < TEXTS_MAX; i++) {
        buf_init(&wholes[i], TEXT_MAX_BYTES, BUF_PLAIN);
    }
    make_records(records, count, wholes);
    for (size_t i = 0; i < count; i++) {
        add_record(&records[i], &in);
    }
    for (int turn = 0; turn < CHUNKINGS; turn++) {
        check_run(records, count, buf_view(&in), turn > 0, wholes);
    }
    for (size_t i = 0; i < count; i++) {
        buf_done(&records[i].text.in);
        buf_done(&records[i].text.want);
    }
    for (size_t i = 0; i < TEXTS_MAX; i++) {
        buf_done(&wholes[i]);
    }
}

static void
test_random_transcripts(void **state)
{
    uint64_t runs = prop_begin(RUNS_DEFAULT);
    struct matcher_value values[AG_COUNT(VALUES) - 1];

    (void)state;
    for (size_t i = 0; VALUES[i] != NULL; i++) {
        static const char *const NAMES[] = {"v1", "v2", "v3", "v4"};

        values[i] = (struct matcher_value){.id = i + 1,
                                           .name = span_str(NAMES[i]),
                                           .value = span_str(VALUES[i])};
    }
    check_ok(matcher_build(values, AG_COUNT(values), &set));
    while (runs-- > 0) {
        one_run();
    }
    matcher_unref(set);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_random_transcripts),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
