#include "http/intake.h"

#include <string.h>

#include "http/intake_chunks.h"
#include "http/intake_header.h"
#include "http/intake_proxy.h"

/*
 * The machine is a table of states; each takes one byte, or as many as it can
 * of a run. Parts that are looked at (method, version, names of headers, Host,
 * Content-Length) are gathered in `text`, all others only counted.
 */

/* Sets of ASCII bytes, a bit each: 0-63 and 64-127. */
struct byte_set {
    uint64_t low;
    uint64_t high;
};

/* RFC 9110 section 5.6.2: letters, digits and !#$%&'*+-.^_`|~ */
static const struct byte_set TOKEN = {0x03ff6cfa00000000, 0x57ffffffc7fffffe};

/* RFC 3986 pchar, '/' and '?'; '%' is looked at apart. */
static const struct byte_set TARGET = {0xaffffff200000000, 0x47fffffe87ffffff};

static bool
is_in(struct byte_set set, uint8_t c)
{
    return c < 128 && ((c < 64 ? set.low : set.high) >> (c & 63) & 1) != 0;
}

enum {
    PASS_PREFIX_BYTES = 3, /* "/p/" */
    NO_BODY = 1,           /* GET and HEAD: a body would mean nothing */
};

/* Visible characters, blanks and obs-text; no control byte but tab. */
static bool
is_value(uint8_t c)
{
    return c == '\t' || (c >= 0x20 && c != 0x7f);
}

static int
hex_digit(uint8_t c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

void
intake_init(struct intake *in, uint16_t port)
{
    *in = (struct intake){.state = INTAKE_METHOD, .port = port};
}

bool
intake_is_midway(const struct intake *in)
{
    return in->state != INTAKE_REFUSED &&
           (in->state != INTAKE_METHOD || in->part_bytes > 0);
}

static void
enter(struct intake *in, enum intake_state state)
{
    in->state = state;
    in->part_bytes = 0;
}

/* Gathers a byte of a part that is looked at; false when it is too long. */
static bool
gather(struct intake *in, uint8_t c, size_t max)
{
    if (in->part_bytes >= max) {
        return false;
    }
    in->text[in->part_bytes++] = (char)c;
    return true;
}

static bool
gathered_is(const struct intake *in, const char *word)
{
    return span_is(span_of(in->text, in->part_bytes), word);
}

static enum ag_err
malformed(const char *what)
{
    return err_why(AG_EHTTP, "malformed request: %s", what);
}

static enum ag_err
take_method(struct intake *in, uint8_t c)
{
    if (c != ' ') {
        if (!is_in(TOKEN, c)) {
            return malformed(in->part_bytes == 0
                                 ? "no method where a request must begin"
                                 : "a byte in the method that none has");
        }
        return gather(in, c, HTTP_METHOD_MAX_BYTES)
                   ? AG_OK
                   : malformed("the method is too long");
    }
    if (in->part_bytes == 0) {
        return malformed("no method where a request must begin");
    }
    if (gathered_is(in, "CONNECT")) {
        return err_why(AG_EMETHOD, "CONNECT: this is not a proxy");
    }
    in->method_flags =
        gathered_is(in, "GET") || gathered_is(in, "HEAD") ? NO_BODY : 0;
    enter(in, in->form == INTAKE_ABSOLUTE ? INTAKE_SCHEME : INTAKE_TARGET);
    return AG_OK;
}

/* The two digits after a '%'. %00 would cut a C string short. */
static enum ag_err
take_escape(struct intake *in, uint8_t c)
{
    int digit = hex_digit(c);

    if (digit < 0) {
        return malformed("a '%' without two hex digits in the target");
    }
    in->escape_value = in->escape_value << 4 | (unsigned int)digit;
    in->escape_left--;
    if (in->escape_left == 0 && in->escape_value == 0) {
        return malformed("%00 in the target");
    }
    return AG_OK;
}

static bool
has_prefix(const struct intake *in, const char *prefix)
{
    return span_is(span_of(in->text, PASS_PREFIX_BYTES), prefix);
}

static enum ag_err
take_target(struct intake *in, uint8_t c)
{
    if (in->escape_left > 0) {
        in->part_bytes++;
        return take_escape(in, c);
    }
    if (c == ' ' && in->part_bytes > 0) {
        /* In a shorter one stands a byte of the method: never '/', but a second
         * belt. */
        in->passes = in->form != INTAKE_ORIGIN ||
                     (in->may_pass && in->part_bytes >= PASS_PREFIX_BYTES &&
                      (has_prefix(in, "/p/") || has_prefix(in, "/t/")));
        enter(in, INTAKE_VERSION);
        return AG_OK;
    }
    if (in->part_bytes < PASS_PREFIX_BYTES) {
        in->text[in->part_bytes] = (char)c;
    }
    if (in->part_bytes == 0 && c != '/') {
        return malformed("the target must be a path beginning with '/'");
    }
    if (!is_in(TARGET, c)) {
        return malformed("a byte in the target that must be escaped");
    }
    if (++in->part_bytes > HTTP_TARGET_MAX_BYTES) {
        return err_why(AG_EHEAD, "the target is longer than %d bytes",
                       HTTP_TARGET_MAX_BYTES);
    }
    if (c == '%') {
        in->escape_left = 2;
        in->escape_value = 0;
    }
    return AG_OK;
}

/* The '/' behind the authority begins the path. */
static enum ag_err
take_authority(struct intake *in, uint8_t c)
{
    if (c != '/') {
        return intake_authority_byte(in, c);
    }
    enter(in, INTAKE_TARGET);
    return take_target(in, c);
}

static enum ag_err
take_version(struct intake *in, uint8_t c)
{
    static const char VERSION[] = "HTTP/1.1";

    if (c == '\r' && gathered_is(in, VERSION)) {
        enter(in, INTAKE_LINE_LF);
        return AG_OK;
    }
    if (in->part_bytes < sizeof(VERSION) - 1 &&
        c == (uint8_t)VERSION[in->part_bytes]) {
        in->text[in->part_bytes++] = (char)c;
        return AG_OK;
    }
    return malformed("the version must be HTTP/1.1, and lines end in CR LF");
}

static enum ag_err
take_line_lf(struct intake *in, uint8_t c)
{
    if (c != '\n') {
        return malformed("a CR without its LF");
    }
    enter(in, INTAKE_LINE);
    return AG_OK;
}

static enum ag_err take_name(struct intake *in, uint8_t c);

static enum ag_err
take_line(struct intake *in, uint8_t c)
{
    if (c == '\r') {
        enter(in, INTAKE_HEAD_LF);
        return AG_OK;
    }
    if (c == ' ' || c == '\t') {
        return malformed("a folded header line");
    }
    if (++in->header_count > HTTP_HEADERS_MAX_COUNT) {
        return err_why(AG_EHEAD, "more than %d header lines",
                       HTTP_HEADERS_MAX_COUNT);
    }
    enter(in, INTAKE_NAME);
    return take_name(in, c);
}

static enum ag_err
take_name(struct intake *in, uint8_t c)
{
    enum ag_err err;

    if (c == ':' && in->part_bytes > 0) {
        err = intake_header_named(in);
        enter(in, INTAKE_BLANKS);
        return err;
    }
    if (!is_in(TOKEN, c)) {
        return malformed("a header's name holds a byte that none has");
    }
    return gather(in, c, HTTP_HEADER_NAME_MAX_BYTES)
               ? AG_OK
               : err_why(AG_EHEAD, "a header's name is longer than %d bytes",
                         HTTP_HEADER_NAME_MAX_BYTES);
}

static enum ag_err
take_value(struct intake *in, uint8_t c)
{
    enum ag_err err;

    if (c == '\r') {
        err = intake_header_ended(in);
        enter(in, INTAKE_LINE_LF);
        return err;
    }
    if (!is_value(c)) {
        return malformed(c == '\n' ? "a line that ends in LF without CR"
                                   : "a control byte in a header");
    }
    if (intake_header_is_kept(in) && !gather(in, c, HTTP_HOST_MAX_BYTES)) {
        return malformed("a header's value is too long");
    }
    return AG_OK;
}

static enum ag_err
take_blanks(struct intake *in, uint8_t c)
{
    if (c == ' ' || c == '\t') {
        return AG_OK;
    }
    enter(in, INTAKE_VALUE);
    return take_value(in, c);
}

static enum ag_err
take_head_lf(struct intake *in, uint8_t c)
{
    enum ag_err err;

    if (c != '\n') {
        return malformed("a CR without its LF");
    }
    err = intake_head_ended(in, (in->method_flags & NO_BODY) == 0);
    enter(in, in->chunked ? INTAKE_CHUNK_SIZE : INTAKE_BODY);
    return err;
}

static enum ag_err
take_byte(struct intake *in, uint8_t c)
{
    switch (in->state) {
    case INTAKE_METHOD:
        return take_method(in, c);
    case INTAKE_SCHEME:
        return intake_scheme_byte(in, c);
    case INTAKE_AUTHORITY:
        return take_authority(in, c);
    case INTAKE_TARGET:
        return take_target(in, c);
    case INTAKE_VERSION:
        return take_version(in, c);
    case INTAKE_LINE_LF:
        return take_line_lf(in, c);
    case INTAKE_LINE:
        return take_line(in, c);
    case INTAKE_NAME:
        return take_name(in, c);
    case INTAKE_BLANKS:
        return take_blanks(in, c);
    case INTAKE_VALUE:
        return take_value(in, c);
    case INTAKE_HEAD_LF:
        return take_head_lf(in, c);
    case INTAKE_CHUNK_SIZE:
    case INTAKE_CHUNK_LF:
    case INTAKE_CHUNK_CR:
    case INTAKE_CHUNK_END:
    case INTAKE_LAST_CR:
    case INTAKE_LAST_LF:
    case INTAKE_CHUNK:
    case INTAKE_BODY:
    case INTAKE_REFUSED:
        break;
    }
    return AG_EINTERNAL;
}

/* Bytes of a value that nobody looks at. */
static size_t
value_run(struct span bytes)
{
    size_t n = 0;

    while (n < bytes.len && is_value(bytes.ptr[n])) {
        n++;
    }
    return n;
}

/* Bytes of a target before the next escape, within its limit (which the digits
 * of an escape may be past: the byte after them is refused). */
static size_t
target_run(struct intake *in, struct span bytes)
{
    size_t most = in->part_bytes < HTTP_TARGET_MAX_BYTES
                      ? HTTP_TARGET_MAX_BYTES - in->part_bytes
                      : 0;
    struct span part = span_sub(bytes, 0, most);
    size_t n = 0;

    while (n < part.len && part.ptr[n] != '%' && is_in(TARGET, part.ptr[n])) {
        n++;
    }
    in->part_bytes += n;
    return n;
}

/* Bytes of a header's name, within its limit. */
static size_t
name_run(struct intake *in, struct span bytes)
{
    struct span part =
        span_sub(bytes, 0, HTTP_HEADER_NAME_MAX_BYTES - in->part_bytes);
    size_t n = 0;

    while (n < part.len && is_in(TOKEN, part.ptr[n])) {
        in->text[in->part_bytes++] = (char)part.ptr[n++];
    }
    return n;
}

/* How many bytes can be taken at once; 0: the next one is looked at alone. */
static size_t
take_run(struct intake *in, struct span bytes)
{
    struct span part = span_sub(bytes, 0, HTTP_HEAD_MAX_BYTES - in->head_bytes);

    if (in->state == INTAKE_VALUE && !intake_header_is_kept(in)) {
        return value_run(part);
    }
    if (in->state == INTAKE_TARGET && in->part_bytes >= PASS_PREFIX_BYTES &&
        in->escape_left == 0) {
        return target_run(in, part);
    }
    return in->state == INTAKE_NAME ? name_run(in, part) : 0;
}

/* Takes a part of the head: a run, or one byte. */
static enum ag_err
take_head(struct intake *in, struct span bytes, size_t *used)
{
    *used = take_run(in, bytes);
    if (*used > 0) {
        in->head_bytes += *used;
        return AG_OK;
    }
    *used = 1;
    if (++in->head_bytes > HTTP_HEAD_MAX_BYTES) {
        return err_why(AG_EHEAD, "the request head is longer than %d bytes",
                       HTTP_HEAD_MAX_BYTES);
    }
    return take_byte(in, bytes.ptr[0]);
}

static void
take_body(struct intake *in, struct span bytes, size_t *used)
{
    *used = in->body_left < bytes.len ? (size_t)in->body_left : bytes.len;
    in->body_left -= *used;
}

static bool
is_in_chunks(const struct intake *in)
{
    return in->state >= INTAKE_CHUNK_SIZE && in->state <= INTAKE_LAST_LF;
}

/* For the next request on the connection. */
static void
start_over(struct intake *in)
{
    const struct intake was = *in;

    intake_init(in, was.port);
    in->may_pass = was.may_pass;
    in->form = was.form;
    /* Whom the connection is for; else it is read anew. */
    memcpy(in->authority, was.authority, sizeof(in->authority));
}

enum ag_err
intake_feed(struct intake *in, struct span bytes, size_t *ret_whole,
            size_t *ret_ended)
{
    enum ag_err err = AG_OK;
    size_t done = 0;

    *ret_whole = 0;
    *ret_ended = 0;
    if (in->state == INTAKE_REFUSED) {
        return malformed("the connection was refused before");
    }
    while (done < bytes.len && err == AG_OK) {
        struct span rest = {bytes.ptr + done, bytes.len - done};
        size_t used = 0;

        if (in->state == INTAKE_BODY) {
            take_body(in, rest, &used);
        } else if (in->state == INTAKE_CHUNK) {
            take_body(in, rest, &used);
            in->state = in->body_left == 0 ? INTAKE_CHUNK_CR : INTAKE_CHUNK;
        } else if (is_in_chunks(in)) {
            err = intake_chunk_byte(in, rest.ptr[0]);
            used = 1;
        } else {
            err = take_head(in, rest, &used);
        }
        done += used;
        if (err == AG_OK && in->state == INTAKE_BODY && in->body_left == 0) {
            *ret_whole = done;
            (*ret_ended)++;
            start_over(in);
        }
    }
    if (err != AG_OK) {
        in->state = INTAKE_REFUSED;
    }
    return err;
}
