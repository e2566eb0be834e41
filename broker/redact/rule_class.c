#include "redact/rule_class.h"

static void
add(struct rule_class *c, uint8_t byte)
{
    c->bits[byte >> 6] |= 1ULL << (byte & 63);
}

/* One byte, or \s: six of them, added at once (*ret_byte is then the last). */
static enum ag_err
take(struct span *rest, struct rule_class *c, uint8_t *ret_byte)
{
    static const uint8_t BLANKS[] = {' ', '\t', '\n', '\v', '\f', '\r'};
    uint8_t byte = rest->ptr[0];

    *rest = span_sub(*rest, 1, rest->len);
    if (byte != '\\') {
        *ret_byte = byte;
        return AG_OK;
    }
    if (rest->len == 0) {
        return err_why(AG_EINVAL, "a class ends in a backslash");
    }
    byte = rest->ptr[0];
    *rest = span_sub(*rest, 1, rest->len);
    switch (byte) {
    case 'n':
        byte = '\n';
        break;
    case 'r':
        byte = '\r';
        break;
    case 't':
        byte = '\t';
        break;
    case 's':
        for (size_t i = 0; i < sizeof(BLANKS); i++) {
            add(c, BLANKS[i]);
        }
        byte = '\r';
        break;
    default:
        if ((byte | 0x20) >= 'a' && (byte | 0x20) <= 'z') {
            return err_why(AG_EINVAL, "a class knows no \\%c", byte);
        }
        break;
    }
    *ret_byte = byte;
    return AG_OK;
}

enum ag_err
rule_class_parse(struct span text, struct rule_class *ret)
{
    struct rule_class c = {{0}};
    bool is_negated = text.len > 0 && text.ptr[0] == '^';
    struct span rest = span_sub(text, is_negated ? 1 : 0, text.len);

    if (rest.len == 0) {
        return err_why(AG_EINVAL, "a class is empty");
    }
    while (rest.len > 0) {
        uint8_t first = 0;
        uint8_t last = 0;
        enum ag_err err = take(&rest, &c, &first);

        last = first;
        if (err == AG_OK && rest.len >= 2 && rest.ptr[0] == '-') {
            rest = span_sub(rest, 1, rest.len);
            err = take(&rest, &c, &last);
        }
        if (err != AG_OK) {
            return err;
        }
        if (last < first) {
            return err_why(AG_EINVAL, "a class has the range %c-%c backwards",
                           first, last);
        }
        for (unsigned byte = first; byte <= last; byte++) {
            add(&c, (uint8_t)byte);
        }
    }
    for (size_t i = 0; is_negated && i < AG_COUNT(c.bits); i++) {
        c.bits[i] = ~c.bits[i];
    }
    *ret = c;
    return AG_OK;
}

size_t
rule_class_run(const struct rule_class *c, struct span text)
{
    size_t len = 0;

    while (len < text.len && rule_class_has(c, text.ptr[len])) {
        len++;
    }
    return len;
}
