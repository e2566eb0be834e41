#include "redact/json_scan.h"

/* What may come next. */
enum {
    WANTS_VALUE = 1,
    WANTS_KEY = 2,
    WANTS_COMMA = 4,
    WANTS_CLOSE = 8,
    WANTS_END = 16,
};

void
json_scan_init(struct json_scan *s, struct span text)
{
    *s = (struct json_scan){.text = text, .expects = WANTS_VALUE};
}

static bool
is_array(const struct json_scan *s)
{
    size_t level = s->depth - 1;

    return (s->arrays[level / 8] & (1U << (level % 8))) != 0;
}

static void
after_value(struct json_scan *s)
{
    s->expects = WANTS_END;
    if (s->depth > 0) {
        s->expects = (unsigned)WANTS_COMMA | (unsigned)WANTS_CLOSE;
    }
}

static uint8_t
peek(const struct json_scan *s)
{
    return s->at < s->text.len ? s->text.ptr[s->at] : 0;
}

static void
skip_space(struct json_scan *s)
{
    while (s->at < s->text.len) {
        uint8_t c = s->text.ptr[s->at];

        if (c != ' ' && c != '\n' && c != '\t' && c != '\r') {
            return;
        }
        s->at++;
    }
}

/* ---- tokens ---- */

static bool
is_hex(uint8_t c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') ||
           (c >= 'A' && c <= 'F');
}

/* The bytes of an escape behind its backslash; 0: there is none such. */
static size_t
escape_len(struct span rest)
{
    if (rest.len == 0) {
        return 0;
    }
    if (rest.ptr[0] != 'u') {
        return memchr("\"\\/bfnrt", rest.ptr[0], 8) != NULL ? 1 : 0;
    }
    if (rest.len < 5) {
        return 0;
    }
    for (size_t i = 1; i < 5; i++) {
        if (!is_hex(rest.ptr[i])) {
            return 0;
        }
    }
    return 5;
}

/* From the opening quote on. */
static bool
take_string(struct json_scan *s, struct json_token *ret)
{
    size_t from = ++s->at;

    while (s->at < s->text.len) {
        uint8_t c = s->text.ptr[s->at];

        if (c == '"') {
            ret->raw = span_sub(s->text, from, s->at - from);
            s->at++;
            return true;
        }
        if (c < 0x20) {
            return false;
        }
        s->at++;
        if (c == '\\') {
            size_t len =
                escape_len(span_sub(s->text, s->at, s->text.len - s->at));

            if (len == 0) {
                return false;
            }
            ret->is_escaped = true;
            s->at += len;
        }
    }
    return false;
}

static size_t
take_digits(struct json_scan *s)
{
    size_t from = s->at;

    while (peek(s) >= '0' && peek(s) <= '9') {
        s->at++;
    }
    return s->at - from;
}

static bool
take_number(struct json_scan *s)
{
    size_t from = 0;

    if (peek(s) == '-') {
        s->at++;
    }
    from = s->at;
    if (take_digits(s) == 0 || (s->text.ptr[from] == '0' && s->at > from + 1)) {
        return false;
    }
    if (peek(s) == '.') {
        s->at++;
        if (take_digits(s) == 0) {
            return false;
        }
    }
    if (peek(s) == 'e' || peek(s) == 'E') {
        s->at++;
        if (peek(s) == '+' || peek(s) == '-') {
            s->at++;
        }
        return take_digits(s) > 0;
    }
    return true;
}

static bool
take_scalar(struct json_scan *s, struct json_token *ret)
{
    static const char *const WORDS[] = {"true", "false", "null"};
    struct span rest = span_sub(s->text, s->at, s->text.len - s->at);
    size_t from = s->at;
    bool ok = false;

    for (size_t i = 0; i < AG_COUNT(WORDS); i++) {
        if (span_starts(rest, span_str(WORDS[i]))) {
            s->at += strlen(WORDS[i]);
            ok = true;
        }
    }
    ok = ok || take_number(s);
    ret->kind = JSON_SCALAR;
    ret->raw = span_sub(s->text, from, s->at - from);
    return ok;
}

static bool
take_open(struct json_scan *s, struct json_token *ret)
{
    bool array = peek(s) == '[';
    uint8_t bit = (uint8_t)(1U << (s->depth % 8));

    if (s->depth == JSON_DEPTH_MAX) {
        return false;
    }
    if (array) {
        s->arrays[s->depth / 8] |= bit;
    } else {
        s->arrays[s->depth / 8] &= (uint8_t)~bit;
    }
    ret->kind = array ? JSON_OPEN_ARRAY : JSON_OPEN_OBJECT;
    ret->raw = span_sub(s->text, s->at, 1);
    s->at++;
    s->depth++;
    s->expects = WANTS_CLOSE;
    s->expects |= array ? (unsigned)WANTS_VALUE : (unsigned)WANTS_KEY;
    return true;
}

static bool
take_close(struct json_scan *s, struct json_token *ret)
{
    if ((s->expects & WANTS_CLOSE) == 0 || (peek(s) == ']') != is_array(s)) {
        return false;
    }
    ret->kind = JSON_CLOSE;
    ret->raw = span_sub(s->text, s->at, 1);
    s->at++;
    s->depth--;
    ret->depth = s->depth;
    after_value(s);
    return true;
}

/* A key with its colon. */
static bool
take_key(struct json_scan *s, struct json_token *ret)
{
    ret->kind = JSON_KEY;
    if (peek(s) != '"' || !take_string(s, ret)) {
        return false;
    }
    skip_space(s);
    if (peek(s) != ':') {
        return false;
    }
    s->at++;
    s->expects = WANTS_VALUE;
    return true;
}

static bool
take_value(struct json_scan *s, struct json_token *ret)
{
    uint8_t c = peek(s);
    bool ok;

    if (c == '{' || c == '[') {
        return take_open(s, ret);
    }
    ret->kind = JSON_STRING;
    ok = c == '"' ? take_string(s, ret) : take_scalar(s, ret);
    after_value(s);
    return ok;
}

static bool
take(struct json_scan *s, struct json_token *ret)
{
    uint8_t c = peek(s);

    if (c == ']' || c == '}') {
        return take_close(s, ret);
    }
    return (s->expects & WANTS_KEY) != 0 ? take_key(s, ret)
                                         : take_value(s, ret);
}

enum json_kind
json_scan_next(struct json_scan *s, struct json_token *ret)
{
    bool ok = true;

    *ret = (struct json_token){.kind = JSON_BAD};
    skip_space(s);
    if (s->at == s->text.len) {
        ret->kind = s->expects == WANTS_END ? JSON_END : JSON_BAD;
        return ret->kind;
    }
    if ((s->expects & WANTS_COMMA) != 0 && peek(s) == ',') {
        s->at++;
        s->expects = is_array(s) ? WANTS_VALUE : WANTS_KEY;
        skip_space(s);
    } else if ((s->expects & WANTS_COMMA) != 0) {
        ok = peek(s) == ']' || peek(s) == '}';
    } else {
        ok = s->expects != WANTS_END;
    }
    ret->at = s->at;
    ret->depth = s->depth;
    if (!ok || !take(s, ret)) {
        ret->kind = JSON_BAD;
        s->expects = 0;
    }
    return ret->kind;
}

bool
json_scan_is_json(struct span text)
{
    struct json_scan s;
    struct json_token token;
    enum json_kind kind;

    json_scan_init(&s, text);
    do {
        kind = json_scan_next(&s, &token);
    } while (kind != JSON_END && kind != JSON_BAD);
    return kind == JSON_END;
}
