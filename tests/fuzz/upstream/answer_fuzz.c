/* Heads of answers: any lines in any order end in an error or in fields that
 * have names, no control bytes, and stay within the limits. */
#include <stdlib.h>

#include "upstream/answer.h"
#include "upstream/request.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check_fields(struct answer *a)
{
    struct upstream_head head;

    if (answer_fields(a, &head) != AG_OK) {
        return;
    }
    AG_ASSERT(head.field_count <= UPSTREAM_ANSWER_FIELDS_MAX_COUNT);
    AG_ASSERT(a->text.len <= UPSTREAM_ANSWER_HEAD_MAX_BYTES);
    for (size_t i = 0; i < head.field_count; i++) {
        AG_ASSERT(request_is_token(head.fields[i].name));
        for (size_t j = 0; j < head.fields[i].value.len; j++) {
            uint8_t c = head.fields[i].value.ptr[j];

            AG_ASSERT((c >= ' ' || c == '\t') && c != 0x7f);
        }
    }
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    AG_AUTO(answer) struct answer a;
    struct span rest = span_of(data, size);
    enum ag_err err = AG_OK;

    answer_init(&a, size % 2 == 0);
    while (err == AG_OK && rest.len > 0) {
        struct span line = span_sub(rest, 0, span_find(rest, '\n') + 1);
        enum answer_state before = a.state;

        err = answer_line(&a, line);
        AG_ASSERT(err == AG_OK || err == AG_EUPSTREAM || err == AG_ENOMEM);
        if (err == AG_OK && a.state == ANSWER_HEAD && before != ANSWER_HEAD) {
            AG_ASSERT(before == ANSWER_LINES && a.status >= 101);
            check_fields(&a);
            answer_forget(&a);
        }
        rest = span_sub(rest, line.len, rest.len);
    }
    check_fields(&a);
    return 0;
}
