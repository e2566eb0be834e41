/* Names, references, durations, numbers, times, UTF-8: no input crashes, and
 * what is taken keeps its promises. */
#include <string.h>

#include "base/clock.h"
#include "base/parse.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check_reference(struct span text)
{
    struct reference ref;

    if (parse_reference(text, &ref) != AG_OK) {
        return;
    }
    AG_ASSERT(parse_name(ref.name) == AG_OK);
    AG_ASSERT(ref.pointer.len == 0 || ref.pointer.ptr[0] == '/');
    AG_ASSERT(ref.name.ptr >= text.ptr &&
              ref.name.ptr + ref.name.len <= text.ptr + text.len);
}

static void
check_name(struct span text)
{
    if (parse_name(text) != AG_OK) {
        return;
    }
    AG_ASSERT(text.len > 0 && text.len <= NAME_MAX_BYTES);
    AG_ASSERT(memchr(text.ptr, '\0', text.len) == NULL);
    AG_ASSERT(parse_is_text(text) && parse_name_pattern(text) == AG_OK);
}

static void
check_time(struct span text)
{
    char again[CLOCK_TEXT_BYTES];
    int64_t ms;
    int64_t back;

    if (parse_time_ms(text, &ms) != AG_OK) {
        return;
    }
    AG_ASSERT(ms >= 0);
    if (ms < INT64_C(253402300800000)) { /* clock_text() ends with 9999 */
        clock_text(ms, again);
        AG_ASSERT(parse_time_ms(span_str(again), &back) == AG_OK && back == ms);
    }
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct span text = span_of(data, size);
    uint64_t number;
    int64_t ms;

    check_name(text);
    check_reference(text);
    check_time(text);
    if (parse_u64(text, 1000, &number) == AG_OK) {
        AG_ASSERT(number <= 1000);
    }
    if (parse_duration_ms(text, &ms) == AG_OK) {
        AG_ASSERT(ms >= 0);
    }
    if (parse_env_name(text) == AG_OK) {
        AG_ASSERT(parse_is_text(text));
    }
    AG_ASSERT(!parse_is_text(text) || parse_is_utf8(text));
    return 0;
}
