/* Any chunking of the same bytes ends in the same place: random requests, good
 * ones with random damage, cut at random. */
#include "common/prop.h"
#include "http/intake.h"

enum {
    RUNS = 20000,
    TEXT_BYTES = 2048,
    PORT = 4711,
};

static const char *const PIECES[] = {
    "GET ",
    "PUT ",
    "CONNECT ",
    "/v1/a",
    "/",
    "?x=%41",
    "%00",
    "%2F",
    " ",
    "HTTP/1.1",
    "HTTP/1.0",
    "\r\n",
    "\n",
    "\r",
    "Host: localhost\r\n",
    "Host: 127.0.0.1:4711\r\n",
    "Content-Length: 5\r\n",
    "Content-Length: 0\r\n",
    "content-length: 3\r\n",
    "Transfer-Encoding: chunked\r\n",
    "X: y\r\n",
    "X : y\r\n",
    " folded\r\n",
    "Expect: 100-continue\r\n",
    "Authorization: Bearer x\r\n",
    "X-Vault-Token: y\r\n",
    "abc",
    "hello",
    ":",
    "\t",
    "\x01",
    "\x7f",
    "\xff",
    "GET /v1/plain HTTP/1.1\r\nHost: 127.0.0.1:4711\r\n\r\n",
    "PUT /x HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello",
};

static size_t
make_text(char *out)
{
    size_t len = 0;
    size_t pieces = 1 + prop_below(12);

    for (size_t i = 0; i < pieces; i++) {
        const char *piece = PIECES[prop_below(AG_COUNT(PIECES))];

        memcpy(out + len, piece, strlen(piece));
        len += strlen(piece);
    }
    if (prop_below(4) == 0) {
        out[prop_below(len)] = (char)prop_below(256);
    }
    return len;
}

struct outcome {
    enum ag_err err;
    size_t whole; /* bytes of whole requests, in all */
    size_t ended;
    enum intake_state state;
    uint64_t body_left;
};

static struct outcome
run(const char *text, size_t len, uint16_t port, bool chunked)
{
    struct intake in;
    struct outcome o = {.err = AG_OK};
    size_t at = 0;

    intake_init(&in, port);
    while (at < len && o.err == AG_OK) {
        size_t part = chunked ? 1 + prop_below(len - at) : len;
        size_t whole = 0;
        size_t ended = 0;

        o.err = intake_feed(&in, span_of(text + at, part), &whole, &ended);
        if (whole > 0) {
            o.whole = at + whole;
        }
        o.ended += ended;
        at += part;
    }
    o.state = in.state;
    o.body_left = in.state == INTAKE_BODY ? in.body_left : 0;
    return o;
}

static void
test_chunking_changes_nothing(void **state)
{
    uint64_t runs = prop_begin(RUNS);
    size_t accepted = 0;

    (void)state;
    for (uint64_t i = 0; i < runs; i++) {
        char text[TEXT_BYTES];
        size_t len = make_text(text);
        uint16_t port = prop_below(2) == 0 ? PORT : 0;
        struct outcome whole = run(text, len, port, false);
        struct outcome parts = run(text, len, port, true);

        assert_int_equal(whole.err, parts.err);
        assert_int_equal(whole.whole, parts.whole);
        assert_int_equal(whole.ended, parts.ended);
        assert_int_equal(whole.state, parts.state);
        assert_int_equal(whole.body_left, parts.body_left);
        accepted += whole.ended;
    }
    assert_true(accepted > 0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_chunking_changes_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
