// WRAP: buf_add realloc calloc
/* Memory that is not there while a head is read: an error, and of the fields
 * only those that were whole. */
#include "common/fault.h"
#include "upstream/answer.h"

FAULT_WRAPPER(enum ag_err, buf_add, (struct buf * b, struct span bytes),
              (b, bytes), AG_ENOMEM)
FAULT_WRAPPER(void *, realloc, (void *ptr, size_t len), (ptr, len), NULL)
FAULT_WRAPPER(void *, calloc, (size_t count, size_t len), (count, len), NULL)

static void
test_the_nth_piece_of_memory_is_not_there(void **state)
{
    static const char *const LINES[] = {"HTTP/1.1 200 OK", "A: one", "B: two",
                                        ""};
    unsigned n = 0;
    bool fired = true;

    (void)state;
    for (n = 1; fired; n++) {
        AG_AUTO(answer) struct answer a;
        struct upstream_head head = {0};
        enum ag_err err = AG_OK;
        size_t whole = 0;

        answer_init(&a, false);
        fault_arm(n);
        for (size_t i = 0; err == AG_OK && i < AG_COUNT(LINES); i++) {
            err = answer_line(&a, span_str(LINES[i]));
            whole += err == AG_OK && i > 0 && LINES[i][0] != '\0';
        }
        if (err == AG_OK) {
            err = answer_fields(&a, &head);
        }
        fired = fault_done();
        check_err(err, fired ? AG_ENOMEM : AG_OK);
        check_ok(answer_fields(&a, &head));
        assert_int_equal(head.field_count, whole);
        for (size_t i = 0; i < whole; i++) {
            check_span(head.fields[i].name, i == 0 ? "A" : "B");
            check_span(head.fields[i].value, i == 0 ? "one" : "two");
        }
    }
    assert_true(n > 6);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_nth_piece_of_memory_is_not_there),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
