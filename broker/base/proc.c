#include "base/proc.h"

#include <limits.h>
#include <string.h>

#include "base/parse.h"

enum {
    /* Fields behind the name, counted from `state`, which is field 3. */
    FIELD_STATE = 0,
    FIELD_PPID = 1,
    FIELD_SID = 3,
    FIELD_TTY = 4,
    FIELD_START = 19,
    FIELD_COUNT = FIELD_START + 1,
};

/* The first FIELD_COUNT words of `rest`, parted by single blanks. */
static enum ag_err
split(struct span rest, struct span fields[FIELD_COUNT])
{
    for (size_t i = 0; i < FIELD_COUNT; i++) {
        size_t len = span_find(rest, ' ');

        if (len == 0 || len == rest.len) {
            return AG_EINVAL; /* more fields follow the last we read */
        }
        fields[i] = span_sub(rest, 0, len);
        rest = span_sub(rest, len + 1, rest.len);
    }
    return AG_OK;
}

static enum ag_err
parse_pid(struct span text, pid_t *ret)
{
    uint64_t value = 0;
    enum ag_err err = parse_u64(text, INT_MAX, &value);

    if (err == AG_OK) {
        *ret = (pid_t)value;
    }
    return err;
}

/* tty_nr is printed as a signed number; device numbers fit either way. */
static enum ag_err
parse_tty(struct span text, uint32_t *ret)
{
    uint64_t value = 0;
    bool negative = text.len > 0 && text.ptr[0] == '-';
    enum ag_err err =
        parse_u64(negative ? span_sub(text, 1, text.len) : text,
                  negative ? (uint64_t)INT_MAX + 1 : INT_MAX, &value);

    if (err == AG_OK) {
        *ret = negative ? 0u - (uint32_t)value : (uint32_t)value;
    }
    return err;
}

static void
copy_name(struct span name, char out[PROC_NAME_BYTES])
{
    size_t len =
        name.len < PROC_NAME_BYTES - 1 ? name.len : PROC_NAME_BYTES - 1;

    memset(out, 0, PROC_NAME_BYTES);
    for (size_t i = 0; i < len; i++) {
        uint8_t c = name.ptr[i];

        out[i] = (char)(c >= 0x20 && c < 0x7f ? c : '?');
    }
}

static enum ag_err
parse_fields(const struct span fields[FIELD_COUNT], struct proc_stat *out)
{
    enum ag_err err;

    if (fields[FIELD_STATE].len != 1) {
        return AG_EINVAL;
    }
    if (span_is(fields[FIELD_SID], "-1")) {
        return AG_ENOTFOUND;
    }
    out->state = (char)fields[FIELD_STATE].ptr[0];
    err = parse_pid(fields[FIELD_PPID], &out->ppid);
    if (err == AG_OK) {
        err = parse_pid(fields[FIELD_SID], &out->sid);
    }
    if (err == AG_OK) {
        err = parse_tty(fields[FIELD_TTY], &out->tty);
    }
    if (err == AG_OK) {
        err =
            parse_u64(fields[FIELD_START], UINT64_MAX, &out->self.start_ticks);
    }
    return err;
}

enum ag_err
proc_parse_stat(struct span text, struct proc_stat *ret)
{
    struct span fields[FIELD_COUNT];
    struct proc_stat stat = {.state = 0};
    size_t open = span_find(text, '(');
    size_t close = text.len;
    enum ag_err err;

    /* The name may hold blanks and parentheses: it ends at the last ')'. */
    while (close > 0 && text.ptr[close - 1] != ')') {
        close--;
    }
    if (open < 2 || close <= open + 1 || text.ptr[open - 1] != ' ' ||
        close + 1 >= text.len || text.ptr[close] != ' ') {
        return AG_EINVAL;
    }
    copy_name(span_sub(text, open + 1, close - open - 2), stat.name);
    err = parse_pid(span_sub(text, 0, open - 1), &stat.self.pid);
    if (err == AG_OK) {
        err = split(span_sub(text, close + 1, text.len), fields);
    }
    if (err == AG_OK) {
        err = parse_fields(fields, &stat);
    }
    if (err == AG_OK && stat.self.pid == 0) {
        err = AG_EINVAL;
    }
    if (err == AG_OK) {
        *ret = stat;
    }
    return err;
}
