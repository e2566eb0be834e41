#include "http/intake_chunks.h"

enum {
    SIZE_MAX_DIGITS = 8, /* hex: 4 GiB in one */
};

static enum ag_err
malformed(const char *what)
{
    return err_why(AG_EHTTP, "malformed request: %s", what);
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

static enum ag_err
take_chunk_size(struct intake *in, uint8_t c)
{
    int digit = hex_digit(c);

    if (c == '\r' && in->part_bytes > 0) {
        in->state = INTAKE_CHUNK_LF;
        return AG_OK;
    }
    if (digit < 0 || in->part_bytes == SIZE_MAX_DIGITS) {
        return malformed("a chunk's size must be hex digits and CR LF");
    }
    in->part_bytes++;
    in->body_left = in->body_left << 4 | (unsigned int)digit;
    return AG_OK;
}

static enum ag_err
expect_byte(struct intake *in, uint8_t c, uint8_t wanted,
            enum intake_state next)
{
    if (c != wanted) {
        return malformed(in->state == INTAKE_LAST_CR
                             ? "trailers behind a body are not taken"
                             : "a chunk that does not end in CR LF");
    }
    in->state = next;
    in->part_bytes = 0;
    return AG_OK;
}

enum ag_err
intake_chunk_byte(struct intake *in, uint8_t c)
{
    switch (in->state) {
    case INTAKE_CHUNK_SIZE:
        return take_chunk_size(in, c);
    case INTAKE_CHUNK_LF:
        return expect_byte(in, c, '\n',
                           in->body_left > 0 ? INTAKE_CHUNK : INTAKE_LAST_CR);
    case INTAKE_CHUNK_CR:
        return expect_byte(in, c, '\r', INTAKE_CHUNK_END);
    case INTAKE_CHUNK_END:
        return expect_byte(in, c, '\n', INTAKE_CHUNK_SIZE);
    case INTAKE_LAST_CR:
        return expect_byte(in, c, '\r', INTAKE_LAST_LF);
    case INTAKE_LAST_LF:
        return expect_byte(in, c, '\n', INTAKE_BODY);
    case INTAKE_METHOD:
    case INTAKE_SCHEME:
    case INTAKE_AUTHORITY:
    case INTAKE_TARGET:
    case INTAKE_VERSION:
    case INTAKE_LINE_LF:
    case INTAKE_LINE:
    case INTAKE_NAME:
    case INTAKE_BLANKS:
    case INTAKE_VALUE:
    case INTAKE_HEAD_LF:
    case INTAKE_BODY:
    case INTAKE_CHUNK:
    case INTAKE_REFUSED:
        break;
    }
    return AG_EINTERNAL;
}
