/* Who asks for a WebSocket, and which answer grants one. */
#include <string.h>

#include "common/check.h"
#include "proxy/handshake.h"

enum {
    FIELDS_COUNT = 3,
};

struct ask {
    const char *method;
    int64_t body_bytes;
    const char *fields[FIELDS_COUNT][2];
    enum ag_err err;
    bool wants;
};

static const struct ask ASKS[] = {
    {"GET", PROXY_BODY_NONE, {{"Accept", "*/*"}}, AG_OK, false},
    {"GET",
     PROXY_BODY_NONE,
     {{"Connection", "keep-alive, Upgrade"}, {"upgrade", "WebSocket"}},
     AG_OK,
     true},
    {"GET",
     0,
     {{"Connection", "upgrade"}, {"Upgrade", "websocket"}},
     AG_OK,
     true},
    /* means nothing, and an offer */
    {"GET", PROXY_BODY_NONE, {{"Upgrade", "tls/1.0"}}, AG_OK, false},
    {"POST",
     5,
     {{"Connection", "Upgrade, HTTP2-Settings"}, {"Upgrade", "h2c"}},
     AG_OK,
     false},
    {"GET",
     PROXY_BODY_NONE,
     {{"Connection", "Upgrade"}, {"Upgrade", "h2c, websocket"}},
     AG_OK,
     true},
    {"GET",
     PROXY_BODY_NONE,
     {{"Connection", "Upgrade"}, {"Upgrade", "tls/1.0"}},
     AG_EUPGRADE,
     false},
    {"GET",
     PROXY_BODY_NONE,
     {{"Connection", "Upgrade"}, {"Upgrade", "websocket, other"}},
     AG_EUPGRADE,
     false},
    {"GET",
     PROXY_BODY_NONE,
     {{"Upgrade", "websocket"},
      {"Connection", "Upgrade"},
      {"Upgrade", "other"}},
     AG_EUPGRADE,
     false},
    {"POST",
     PROXY_BODY_NONE,
     {{"Connection", "Upgrade"}, {"Upgrade", "websocket"}},
     AG_EUPGRADE,
     false},
    {"GET",
     1,
     {{"Connection", "Upgrade"}, {"Upgrade", "websocket"}},
     AG_EUPGRADE,
     false},
    {"GET",
     PROXY_BODY_CHUNKED,
     {{"Connection", "Upgrade"}, {"Upgrade", "websocket"}},
     AG_EUPGRADE,
     false},
};

static void
test_requests(void **state)
{
    (void)state;
    for (size_t i = 0; i < AG_COUNT(ASKS); i++) {
        struct request_field fields[FIELDS_COUNT];
        struct proxy_request request = {.method = span_str(ASKS[i].method),
                                        .fields = fields,
                                        .body_bytes = ASKS[i].body_bytes};
        bool wants = false;

        for (size_t k = 0; k < FIELDS_COUNT && ASKS[i].fields[k][0] != NULL;
             k++) {
            fields[request.field_count++] = (struct request_field){
                span_str(ASKS[i].fields[k][0]), span_str(ASKS[i].fields[k][1])};
        }
        assert_int_equal(handshake_read(&request, &wants), ASKS[i].err);
        assert_int_equal(wants, ASKS[i].wants);
    }
}

static void
test_answers(void **state)
{
    static const struct {
        const char *fields[FIELDS_COUNT][2];
        enum ag_err err;
    } ANSWERS[] = {
        {{{"Upgrade", "websocket"}, {"Sec-WebSocket-Accept", "x"}}, AG_OK},
        {{{"upgrade", "WebSocket"}, {"sec-websocket-accept", "x"}}, AG_OK},
        {{{"Sec-WebSocket-Accept", "x"}}, AG_EUPSTREAM},
        {{{"Upgrade", "websocket"}}, AG_EUPSTREAM},
        {{{"Upgrade", "other"}, {"Sec-WebSocket-Accept", "x"}}, AG_EUPSTREAM},
        {{{"Upgrade", "websocket"},
          {"Upgrade", "websocket"},
          {"Sec-WebSocket-Accept", "x"}},
         AG_EUPSTREAM},
        {{{"Upgrade", "websocket"},
          {"Sec-WebSocket-Accept", "x"},
          {"Sec-WebSocket-Extensions", "permessage-deflate"}},
         AG_EUPSTREAM},
    };

    (void)state;
    for (size_t i = 0; i < AG_COUNT(ANSWERS); i++) {
        struct upstream_field fields[FIELDS_COUNT];
        struct upstream_head head = {.status = HANDSHAKE_STATUS,
                                     .fields = fields};

        for (size_t k = 0; k < FIELDS_COUNT && ANSWERS[i].fields[k][0] != NULL;
             k++) {
            fields[head.field_count++] = (struct upstream_field){
                .name = span_str(ANSWERS[i].fields[k][0]),
                .value = span_str(ANSWERS[i].fields[k][1])};
        }
        assert_int_equal(handshake_check(&head), ANSWERS[i].err);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_requests),
        cmocka_unit_test(test_answers),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
